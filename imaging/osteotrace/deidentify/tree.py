"""A tree of studies and readings de-identified into a new one.

Each study becomes a folder that is there whole or not at all, the records one more; an
interrupted run is taken up again by asking for it. Names of files and folders are mapped
UIDs. What went wrong is counted by reason: no text of a file and no path is repeated.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace import about
from osteotrace.deidentify.gathering import Refused, gather
from osteotrace.deidentify.options import Options
from osteotrace.deidentify.running import Run
from osteotrace.deidentify.subject import Subjects
from osteotrace.errors import OsteotraceError
from osteotrace.records.publication import sweep
from osteotrace.records.store import write_once

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from osteotrace.deidentify.gathering import Progress
    from osteotrace.deidentify.secret import Secret

# What was asked for, beside the studies: a run is taken up again with the same alone.
STATEMENT: Final = "deidentification.json"
# Drafts are taken for abandoned after a day.
_ABANDONED_S: Final = 2 * 86_400.0


class _Statement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a folder of de-identified studies says of how it was made."""

    software: str
    method: str
    codes: tuple[str, ...]
    options: Options
    secret_check: str


@dataclass(frozen=True, slots=True)
class Deidentified:
    """What came of a run.

    Parameters
    ----------
    folder : Path
        Of the result.
    studies, objects, records : int
        Folders of studies, DICOM objects in them, and own records made anew; those of an
        earlier run that was taken up again count as ``already``.
    already : int
        Studies that were there.
    lost_facts : int
        Facts of readings that went with their dates.
    lost_predecessors : int
        Amendments whose amended record was not here.
    refused : tuple of Refused
        Files left out; their paths are for the private list alone.
    written : tuple of (Path, Path)
        Each source and what was made of it.
    """

    folder: Path
    studies: int = 0
    objects: int = 0
    records: int = 0
    already: int = 0
    lost_facts: int = 0
    lost_predecessors: int = 0
    refused: tuple[Refused, ...] = ()
    written: tuple[tuple[Path, Path], ...] = field(default=(), repr=False)

    @property
    def reasons(self) -> dict[str, int]:
        """How many files were left out for each reason."""
        return dict(sorted(Counter(one.reason for one in self.refused).items()))

    def as_dict(self) -> dict[str, object]:
        """Return counts and reasons, for ``--json``; no path of a source."""
        names = ("studies", "objects", "records", "already", "lost_facts")
        counts: dict[str, object] = {name: getattr(self, name) for name in names}
        return {
            **counts,
            "lost_predecessors": self.lost_predecessors,
            "refused": len(self.refused),
            "reasons": self.reasons,
        }


def deidentify_tree(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    secret: Secret,
    options: Options | None = None,
    *,
    resume: bool = False,
    progress: Progress | None = None,
) -> Deidentified:
    """De-identify the studies and readings under a path into a new folder.

    Parameters
    ----------
    path : path
        A DICOM file, or a folder of studies with their readings.
    out : path
        New folder: one folder a study, named by mapped UIDs, and the records of
        osteotrace in ``osteotrace-records`` beside them.
    secret : Secret
        From `read_secret`; the same secret maps a UID to the same one.
    options : Options, optional
        What is kept beyond the basic profile.
    resume : bool
        Take up a run that was interrupted; whole studies are not made again.
    progress : callable, optional
        Told how many files are done, of how many.

    Returns
    -------
    Deidentified
        Counts, and the files left out with reasons that name nobody.

    Raises
    ------
    OsteotraceError
        If the path is not there, ``out`` is not empty, lies in the path, or was made
        with another secret or other options; or if it cannot be written to. Then whole
        studies stay, and nothing half-written does.
    """
    source, target = Path(path), Path(out)
    chosen = options or Options()
    _check_apart(source, target)
    with _silent():
        found = gather(source, burned_in=chosen.burned_in)
    if not found.sources and not found.refused:
        raise OsteotraceError(
            "no file at the path given",
            expected="a DICOM file, or a folder of studies with their readings",
            advice="check the path",
            usage=True,
        )
    _open(target, _statement(secret, chosen), resume=resume)
    who = Subjects(secret, chosen, found.issuers())
    run = Run(who, target, progress, total=len(found.sources))
    run.refused.extend(found.refused)
    with _silent():
        run.take(found.sources)
    return Deidentified(
        folder=target,
        studies=run.studies,
        objects=len(run.written) - run.made,
        records=run.made,
        already=run.already,
        lost_facts=run.lost_facts,
        lost_predecessors=run.lost_predecessors,
        refused=tuple(run.refused),
        written=tuple(run.written),
    )


@contextmanager
def _silent() -> Iterator[None]:
    """Keep the DICOM libraries from telling what odd values say, in warnings and logs."""
    loggers = [logging.getLogger(name) for name in ("pydicom", "highdicom")]
    levels = [one.level for one in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for one in loggers:
                one.setLevel(logging.CRITICAL + 1)
            yield
        finally:
            for one, level in zip(loggers, levels, strict=True):
                one.setLevel(level)


def _check_apart(source: Path, target: Path) -> None:
    here, there = source.resolve(), target.resolve()
    if here == there or here in there.parents:
        raise OsteotraceError(
            "a result inside what is de-identified",
            expected="a folder elsewhere: identities must not stand beside it",
            advice="choose another --out",
            usage=True,
        )


def _statement(secret: Secret, options: Options) -> bytes:
    said = _Statement(
        software=f"{about.SOFTWARE_NAME} {about.VERSION}",
        method=options.method,
        codes=tuple(f"{value} {meaning}" for value, meaning in options.method_codes),
        options=options,
        secret_check=secret.check,
    )
    return msgspec.json.format(msgspec.json.encode(said), indent=2) + b"\n"


def _open(target: Path, statement: bytes, *, resume: bool) -> None:
    """Begin a new folder, or take up one that was begun in the same way."""
    place = target / STATEMENT
    if target.is_dir() and any(target.iterdir()):
        begun = place.read_bytes() if place.is_file() else b""
        if not resume or begun != statement:
            raise OsteotraceError(
                "a folder begun with another secret, software or other options"
                if resume
                else "a result folder that is not empty",
                expected="the same as before" if resume else "a new folder",
                advice="choose another --out"
                + ("" if resume else ", or --resume a run that was interrupted"),
                usage=True,
            )
        # Whoever wrote there was killed: nobody takes up a run that goes on.
        sweep(target, now=time.time() + _ABANDONED_S)
        return
    write_once(place, statement)
