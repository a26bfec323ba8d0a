"""A tree of studies and readings de-identified into a new one.

Each study becomes a folder that is there whole or not at all, the records one more; an
interrupted run is taken up again by asking for it. Names of files and folders are mapped
UIDs. What went wrong is counted by reason: no text of a file and no path is repeated.
"""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace import about
from osteotrace.deidentify import records
from osteotrace.deidentify.content import cleaned_report
from osteotrace.deidentify.gathering import Refused, Source, gather
from osteotrace.deidentify.objects import burned_in, cleaned_object, mapped_uid
from osteotrace.deidentify.options import Options
from osteotrace.deidentify.subject import Subjects
from osteotrace.errors import OsteotraceError
from osteotrace.pseudonym import pseudonym
from osteotrace.records.places import RECORDS_FOLDER
from osteotrace.records.publication import sweep
from osteotrace.records.store import new_folder, write_once

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator

    from osteotrace.deidentify.gathering import Progress
    from osteotrace.deidentify.secret import Secret
    from osteotrace.deidentify.subject import Subject

# What was asked for, beside the studies: a run is taken up again with the same alone.
STATEMENT: Final = "deidentification.json"
_PLAIN: Final = ("image", "segmentation", "report", "registration")
_DAMAGED: Final = "a DICOM file that cannot be read whole"
_RECORD: Final = (
    "a record that cannot be made anew: it was damaged or changed, or its images or "
    "patient are not here"
)
_TWICE: Final = "a second file of one SOPInstanceUID"


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


@dataclass(slots=True)
class _Run:
    """A run in hand: what it was given, and what it has done so far."""

    who: Subjects
    out: Path
    progress: Progress | None
    total: int = 0
    done: int = 0
    studies: int = 0
    already: int = 0
    lost_facts: int = 0
    lost_predecessors: int = 0
    made: int = 0
    images: dict[str, Path] = field(default_factory=dict)
    subjects: dict[str, Subject] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    written: list[tuple[Path, Path]] = field(default_factory=list)

    def tell(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, self.total)


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
    found = gather(source, burned_in=chosen.burned_in)
    _open(target, _statement(secret, chosen), resume=resume)
    who = Subjects(secret, chosen, found.issuers())
    run = _Run(who, target, progress, total=len(found.sources))
    run.refused.extend(found.refused)
    with _silent():
        masks = _own_masks(found.sources)
        studies: dict[str, list[Source]] = {}
        for one in _once(found.sources, run):
            if one.kind in _PLAIN and one.sop_uid not in masks:
                studies.setdefault(one.study_uid, []).append(one)
        for uid, objects in sorted(studies.items()):
            _study(secret.uid(uid), objects, run)
        _records(found.sources, masks, run)
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
    here, there = source.absolute(), target.absolute()
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
        sweep(target)
        return
    write_once(place, statement)


def _own_masks(sources: Iterable[Source]) -> dict[str, Path]:
    """Return the segmentations that osteotrace's own readings hold, by UID."""
    from pydicom import dcmread

    from osteotrace.records.report_content.segments import segmentations_read

    masks = {s.sop_uid: s.path for s in sources if s.kind == "segmentation"}
    named: set[str] = set()
    for one in sources:
        if one.kind == "own reading":
            try:
                named |= set(segmentations_read(dcmread(one.path)))
            # Made anew below, where what is wrong is told.
            except Exception:
                continue
    return {uid: path for uid, path in masks.items() if uid in named}


def _once(sources: Iterable[Source], run: _Run) -> list[Source]:
    """Return the files of each instance once: the first of several."""
    found: dict[str, Source] = {}
    for one in sources:
        if one.kind == "json":
            continue
        if one.sop_uid in found:
            run.refused.append(Refused(one.path, _TWICE))
            run.tell()
        else:
            found[one.sop_uid] = one
    return list(found.values())


# Studies ------------------------------------------------------------------------------


class _Nothing(Exception):
    """No file of a study could be taken."""


def _study(name: str, objects: list[Source], run: _Run) -> None:
    """Make the folder of one study, whole."""
    folder = run.out / name
    if folder.is_dir():
        run.already += 1
        for one in objects:
            _known_already(one, folder, run)
        return
    kept: list[tuple[Source, Path, Subject, str]] = []
    try:
        with new_folder(folder) as draft:
            for one in objects:
                made = _object(one, draft, run)
                if made is not None:
                    kept.append((one, *made))
                run.tell()
            if not kept:
                raise _Nothing
    except _Nothing:
        return
    run.studies += 1
    for one, place, subject, patient in kept:
        final = folder / place
        run.images[final.stem] = final
        run.written.append((one.path, final))
        run.subjects.setdefault(patient, subject)


def _object(one: Source, draft: Path, run: _Run) -> tuple[Path, Subject, str] | None:
    """Write one object into the draft of its study; None where it is refused."""
    made = _made_anew(one, run)
    if isinstance(made, Refused):
        run.refused.append(made)
        return None
    content, place, subject, patient = made
    file = draft / place
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    return place, subject, patient


def _made_anew(one: Source, run: _Run) -> Refused | tuple[bytes, Path, Subject, str]:
    from pydicom import dcmread
    from pydicom.filewriter import correct_ambiguous_vr

    try:
        source = dcmread(one.path, force=True)
        _complete_meta(source)
        reason = "" if run.who.options.burned_in else burned_in(source)
        if reason:
            return Refused(one.path, reason)
        syntax = source.file_meta.TransferSyntaxUID
        if syntax.is_implicit_VR:
            correct_ambiguous_vr(source, syntax.is_little_endian)
        subject = run.who.of(source)
        how: Callable[..., object] = (
            cleaned_report if one.kind == "report" else cleaned_object
        )
        made = how(source, subject)
        content = records.file_bytes(made, source)  # type: ignore[arg-type]
    except OSError:
        raise
    # Damaged DICOM raises eleven kinds; their texts repeat what the file says.
    except Exception as problem:
        return Refused(one.path, _DAMAGED, f"{type(problem).__name__}: {problem}")
    series = mapped_uid(one.series_uid, subject)
    place = Path(series, f"{mapped_uid(one.sop_uid, subject)}.dcm")
    return content, place, subject, _pseudonym(source)


def _complete_meta(source: object) -> None:
    """Give a file without file meta information the encoding that it was read in."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import (
        ExplicitVRBigEndian,
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
    )

    assert isinstance(source, FileDataset)
    meta = getattr(source, "file_meta", None) or FileMetaDataset()
    if "TransferSyntaxUID" not in meta:
        implicit, little = source.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    source.file_meta = meta


def _pseudonym(source: object) -> str:
    get = source.get  # type: ignore[attr-defined]
    return pseudonym(str(get("PatientID") or ""), str(get("IssuerOfPatientID") or ""))


def _known_already(one: Source, folder: Path, run: _Run) -> None:
    """Note what an earlier run made of a file."""
    from pydicom import dcmread

    run.tell()
    place = (
        folder
        / run.who.secret.uid(one.series_uid)
        / f"{run.who.secret.uid(one.sop_uid)}.dcm"
    )
    if not place.is_file():
        return
    header = dcmread(one.path, stop_before_pixels=True, force=True)
    subject = run.who.of(header)
    run.images[place.stem] = place
    run.written.append((one.path, place))
    run.subjects.setdefault(_pseudonym(header), subject)


# Records ------------------------------------------------------------------------------


def _records(sources: Iterable[Source], masks: dict[str, Path], run: _Run) -> None:
    """Make the folder of osteotrace's own records, whole."""
    folder = run.out / RECORDS_FOLDER
    kinds: dict[str, list[Source]] = {}
    for one in sources:
        kinds.setdefault(one.kind, []).append(one)
    own = [k for k in kinds if k.startswith("own") or k == "json"]
    if not own or folder.is_dir():
        return
    known = records.Known(run.who, run.images, masks, run.subjects)
    steps = (
        (records.remade_json, kinds.get("json", [])),
        (records.remade_reading, records.in_order(kinds.get("own reading", []))),
        (records.remade_registration, kinds.get("own registration", [])),
        (records.remade_comparison, kinds.get("own comparison", [])),
    )
    made: list[tuple[Path, str]] = []
    try:
        with new_folder(folder) as draft:
            for step, ones in steps:
                for one in ones:
                    made += _record(step, one, draft, known, run)
            if not made:
                raise _Nothing
    except _Nothing:
        return
    run.made = len(made)
    run.written += [(source, folder / name) for source, name in made]


def _record(
    step: Callable[[Source, Path, records.Known], records.Remade],
    one: Source,
    draft: Path,
    known: records.Known,
    run: _Run,
) -> list[tuple[Path, str]]:
    try:
        remade = step(one, draft, known)
    except OsteotraceError as problem:
        run.refused.append(Refused(one.path, _RECORD, str(problem)))
        return []
    except OSError:
        raise
    # One boundary for what damaged DICOM and JSON raise.
    except Exception as problem:
        detail = f"{type(problem).__name__}: {problem}"
        run.refused.append(Refused(one.path, _RECORD, detail))
        return []
    finally:
        run.tell()
    run.lost_facts += remade.lost_facts
    run.lost_predecessors += remade.lost_predecessor
    return [(one.path, file.name) for file in remade.files]
