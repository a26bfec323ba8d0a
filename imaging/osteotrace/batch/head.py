"""What a run is, on its first page: protocol, options, versions.

A run goes on only as it began: rows of two protocols or two versions in one table would
look like one measurement.
"""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.about import RESEARCH_USE_STATEMENT
from osteotrace.batch.journal import RUN
from osteotrace.batch.software import differing, versions
from osteotrace.errors import OsteotraceError
from osteotrace.pseudonym import pseudonym
from osteotrace.records import store

if TYPE_CHECKING:
    from pathlib import Path

    from osteotrace.batch.tasks import Settings

FORMAT: Final = 1
_MAX_BYTES: Final = 10_000_000


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is.

    Parameters
    ----------
    format : int
        Of this file.
    started : str
        When, ISO 8601.
    protocol, protocol_sha256, protocol_text : str
        Name, digest and text of the protocol.
    options : dict
        What else was asked; paths as digests, because a path may name a patient.
    software : list of (str, str)
        Versions of what measures.
    statement : str
        The research-use statement.
    """

    format: int
    started: str
    protocol: str
    protocol_sha256: str
    protocol_text: str
    options: dict[str, str]
    software: list[tuple[str, str]]
    statement: str = RESEARCH_USE_STATEMENT


def head_of(settings: Settings) -> Head:
    """Return the head of a run that begins now."""
    protocol = settings.protocol
    return Head(
        format=FORMAT,
        started=datetime.now().astimezone().isoformat(timespec="seconds"),
        protocol=protocol.name,
        protocol_sha256=protocol.sha256,
        protocol_text=protocol.content.decode("utf-8", "replace"),
        options=_options(settings),
        software=list(versions()),
    )


def _options(settings: Settings) -> dict[str, str]:
    facts = b"" if settings.facts is None else msgspec.json.encode(settings.facts)
    return {
        "PATH": _digest(os.fsencode(settings.root)),
        "--masks": "" if settings.masks is None else _digest(os.fsencode(settings.masks)),
        "--facts": _digest(facts) if facts else "",
        "--reader": settings.reader,
        "--allow-gaps": _word(settings.allow_gaps),
        "--records": _word(settings.records),
        "--pictures": settings.pictures,
        # Another key would give one patient two names in one table.
        "the key of pseudonyms": pseudonym("osteotrace"),
    }


def write_head(place: Path, head: Head) -> None:
    """Write the first page of a run into its folder.

    Raises
    ------
    OsteotraceError
        If it cannot be written.
    """
    content = msgspec.json.format(msgspec.json.encode(head), indent=2) + b"\n"
    store.write_once(place / RUN, content)


def check_head(place: Path, head: Head) -> None:
    """Check that a run in a folder can go on as it is asked now.

    Raises
    ------
    OsteotraceError
        If the folder holds no run, or it began otherwise.
    """
    began = _read(place)
    if began.protocol_sha256 != head.protocol_sha256:
        other = f"the protocol {began.protocol} (SHA-256 {began.protocol_sha256[:12]}…)"
        raise _other(place, other, f"{head.protocol} ({head.protocol_sha256[:12]}…)")
    changed = [
        name
        for name in {**began.options, **head.options}
        if began.options.get(name) != head.options.get(name)
    ]
    if changed:
        raise _other(place, f"another value of {', '.join(changed)}", "the same options")
    other = differing(tuple(began.software), tuple(head.software))
    if other:
        raise _other(place, other, "the versions that it began with")


def _read(place: Path) -> Head:
    try:
        content = (place / RUN).read_bytes()[:_MAX_BYTES]
        return msgspec.json.decode(content, type=Head)
    except (OSError, msgspec.MsgspecError) as problem:
        raise OsteotraceError(
            f"no run to go on with (no {RUN} that can be read)",
            expected="the --out of a run that was stopped",
            advice="leave --resume out, or check the path",
            where=str(place),
            usage=True,
        ) from problem


def _other(place: Path, began: str, wanted: str) -> OsteotraceError:
    return OsteotraceError(
        f"a run that began with {began}",
        expected=wanted,
        advice="go on with what it began with, or choose another --out",
        where=str(place),
        usage=True,
    )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _word(value: bool) -> str:
    return "yes" if value else "no"
