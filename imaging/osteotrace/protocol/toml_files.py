"""A protocol: what is measured where on which series, read from TOML.

A protocol is checked when it is read, never while a study is being measured; what is
wrong is named by file, line and key. The text's SHA-256 travels with every assessment
made by it. It is a list of entries, one TOML table each (`entries.TABLES`)::

    name = "sample_maxilla"

    [[caliper]]
    label = "PAL-1"
    kind = "palatal_bony_defect"
    site = "hard_palate"
    quantity = "palatal_gap_ap"
    modality = "CT"
    series = "*bone*"
    frame_of_reference_uid = "1.2.3"
    start = [1.0, -20.0, 4.5]
    end = [1.0, -8.0, 4.5]
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections import Counter
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from osteotrace.codes import KINDS, QUANTITIES, SITES
from osteotrace.errors import OsteotraceError
from osteotrace.protocol.choices import SeriesChoice
from osteotrace.protocol.entries import ABSENT, TABLES, AbsentEntry
from osteotrace.protocol.entry import Entry, Where, places, regions
from osteotrace.protocol.mask_sources import MaskSources
from osteotrace.protocol.outcomes import Results, Stagings
from osteotrace.series import Catalogue
from osteotrace.uids import is_uid

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.codes import Concept
    from osteotrace.series import VolumeHeader

# A protocol is a page of text; more is another kind of file.
MAX_BYTES: Final = 1_000_000

# Every table that a protocol may hold.
_KNOWN: Final[dict[str, type[Entry]]] = {**TABLES, ABSENT: AbsentEntry}

_FOLDER: Final = Path(__file__).parent.with_name("protocols")


class Protocol(msgspec.Struct, frozen=True, kw_only=True):
    """A checked protocol.

    Parameters
    ----------
    name : str
        Its own name.
    entries : tuple of Entry
        In the order of the file, table by table.
    sha256 : str
        SHA-256 of the file's bytes, hexadecimal.
    description : str
        What it is for.
    series : tuple of SeriesChoice
        Which series its entries mean where they do not say so themselves, one a modality.
    masks : MaskSources
        Where its labels come from.
    staging : Stagings
        Which systems stage a study.
    results : Results
        What is written of a study beside its rows.
    content : bytes
        The file itself: `parse` makes the same protocol of it anywhere.
    """

    name: str
    entries: tuple[Entry, ...]
    sha256: str
    description: str = ""
    series: tuple[SeriesChoice, ...] = ()
    masks: MaskSources = MaskSources()
    staging: Stagings = Stagings()
    results: Results = Results()
    content: bytes = msgspec.field(default=b"")


def names() -> list[str]:
    """Return the names of the protocols that come with osteotrace."""
    return sorted(file.stem for file in _FOLDER.glob("*.toml"))


def read(name_or_file: str | os.PathLike[str]) -> Protocol:
    """Read a protocol by its name or from a TOML file.

    Parameters
    ----------
    name_or_file : str or path
        One of `names`, or a file.

    Returns
    -------
    Protocol

    Raises
    ------
    OsteotraceError
        If there is no such protocol or something in it is wrong; the message names
        the file, the line where it can be told, and the key.
    """
    given = os.fspath(name_or_file)
    file = _FOLDER / f"{given}.toml" if given in names() else Path(given)
    try:
        if file.stat().st_size > MAX_BYTES:
            raise _wrong(file, "a file of over 1 MB")
        content = file.read_bytes()
    except OSError as problem:
        raise OsteotraceError(
            f"no protocol {given!r} ({problem.strerror})",
            expected=f"a TOML file or one of the names {', '.join(names())}",
            advice="check the spelling or the path",
            usage=True,
        ) from problem
    return parse(content, file)


def parse(content: bytes, file: Path) -> Protocol:
    """Check the bytes of a protocol; ``file`` names it in messages.

    Raises
    ------
    OsteotraceError
        As `read`.
    """
    try:
        text = content.decode("utf-8")
        raw: dict[str, Any] = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise _wrong(file, f"text that is not TOML: {problem}") from problem
    heads = {key: raw.pop(key, "") for key in ("name", "description")}
    for key, value in heads.items():
        if not isinstance(value, str) or (key == "name" and not value.strip()):
            line = _line(text, "", None, key)
            raise _wrong(file, f"{key} = {value!r}", line, key, "a short text")
    tables = [_table(file, text, name, found) for name, found in raw.items()]
    entries = tuple(entry for table in tables for entry in table)
    if not entries:
        choice = ", ".join(f"[[{name}]]" for name in TABLES)
        raise _wrong(file, "no entry", expected=f"at least one of {choice}")
    _check_labels(file, text, entries)
    return Protocol(
        name=heads["name"],
        description=heads["description"],
        entries=entries,
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
    )


def _table(file: Path, text: str, name: str, found: object) -> tuple[Entry, ...]:
    """Return the entries of one TOML table, checked."""
    if name not in _KNOWN:
        choice = "name, description or " + ", ".join(f"[[{table}]]" for table in _KNOWN)
        line = _line(text, name, None, name)
        raise _wrong(file, f"the key {name!r}", line, name, choice)
    try:
        entries: tuple[Entry, ...] = msgspec.convert({"it": found}, _types()[name])["it"]
    except msgspec.ValidationError as problem:
        raise _mistyped(file, text, name, str(problem)) from problem
    for number, entry in enumerate(entries):
        _check_entry(file, text, name, number, entry)
    return entries


@cache
def _types() -> dict[str, Any]:
    return {name: dict[str, tuple[kind, ...]] for name, kind in _KNOWN.items()}  # type: ignore[valid-type]


def _check_labels(file: Path, text: str, entries: tuple[Entry, ...]) -> None:
    for label, count in Counter(entry.label for entry in entries).items():
        if count > 1:
            pattern = rf"\s*[\"']?label[\"']?\s*=\s*[\"']{re.escape(label)}[\"']"
            lines = text.splitlines()
            last = [n for n, line in enumerate(lines, 1) if re.match(pattern, line)]
            line = last[-1] if last else None
            raise _wrong(file, f"the label {label!r} more than once", line, "label")


def meant_volume(study: Catalogue, entry: Entry) -> VolumeHeader:
    """Return the one volume of a study that an entry means.

    Raises
    ------
    OsteotraceError
        If none or more than one fits, or it lies in another frame of reference.
    """
    fitting = tuple(series for series in study if entry.fits(series.identity))
    meant = f"{entry.label}: modality {entry.modality}, description {entry.series!r}"
    if not fitting:
        present = ", ".join(
            f"{s.identity.modality} {s.identity.description!r}" for s in study
        )
        raise OsteotraceError(
            f"no series for {meant}, only {present}",
            expected="one series that the protocol means",
            advice="check the protocol's modality and series pattern",
            where=str(study.root),
        )
    narrowed = Catalogue(root=study.root, series=fitting, skipped=())
    try:
        header = narrowed.choose()
    except OsteotraceError as problem:
        raise OsteotraceError(
            f"{problem.found} ({meant})",
            expected="exactly one measurable volume",
            advice="narrow the protocol's series pattern",
            where=str(study.root),
        ) from problem
    frame = header.frame_of_reference_uid
    if entry.frame_of_reference_uid not in ("", frame):
        raise OsteotraceError(
            f"{meant} in the frame of reference {frame or '(none)'}",
            expected=f"the protocol's, {entry.frame_of_reference_uid}",
            advice="give the points in the frame of reference of this scan",
            where=str(study.root),
        )
    return header


def _check_entry(file: Path, text: str, table: str, number: int, entry: Entry) -> None:
    def refuse(key: str, found: str, expected: str) -> OsteotraceError:
        return _wrong(file, found, _line(text, table, number, key), key, expected)

    vocabularies: dict[str, dict[str, Concept]] = {
        "kind": KINDS,
        "site": SITES,
        "quantity": QUANTITIES,
    }
    for key, known in vocabularies.items():
        value = getattr(entry, key, None)
        if value is not None and value not in known:
            choice = "one of " + ", ".join(sorted(known))
            raise refuse(key, f"the {key} {value!r}", choice)
    for key in ("label", "modality"):
        if not getattr(entry, key).strip():
            raise refuse(key, f"an empty {key}", "a short text")
    located = tuple(places(entry))
    uid = entry.frame_of_reference_uid
    if (uid or located) and not is_uid(uid):
        raise refuse("frame_of_reference_uid", f"{uid!r}", "a DICOM UID")
    for key, point in located:
        if not all(abs(x) < float("inf") for x in point):
            raise refuse(key, f"{point}", "three finite numbers, LPS mm")
    for key, where in regions(entry):
        _check_where(where, partial(refuse, key))
    for key, found, expected in entry.wrong():
        raise refuse(key, found, expected)


def _check_where(where: Where, refuse: Callable[[str, str], OsteotraceError]) -> None:
    ball = where.centre is not None or where.radius is not None
    given = [ball, where.corners is not None, where.label is not None]
    if sum(given) != 1:
        raise refuse(
            f"{sum(given)} of ball, box and label", "centre and radius, corners, or label"
        )
    if ball and (where.centre is None or not 0 < (where.radius or 0.0) < float("inf")):
        raise refuse("half a ball", "a centre and a radius above 0 mm")
    if where.corners is not None and any(
        a == b for a, b in zip(*where.corners, strict=True)
    ):
        raise refuse("a box without thickness", "corners that differ in x, y and z")
    if where.label is not None and not where.label.strip():
        raise refuse("an empty label", "the name of a label")


# msgspec ends its messages with the place, such as "at `$[...][0].start[2]`".
_PLACE: Final = re.compile(r" - at `\$\[\.\.\.\](?:\[(\d+)\]\.?)?(\w*).*`$")
_QUOTED: Final = re.compile(r"field `(\w+)`")


def _mistyped(file: Path, text: str, table: str, message: str) -> OsteotraceError:
    place = _PLACE.search(message)
    number = None if place is None or place[1] is None else int(place[1])
    named = _QUOTED.search(message)
    key = named[1] if named else (place[2] if place else "")
    line = _line(text, table, number, key)
    return _wrong(file, _PLACE.sub("", message), line, key)


def _line(text: str, table: str, number: int | None, key: str) -> int | None:
    """Return the line of a key: at the top, or in the entry of that number in a table."""
    entry, head, inside = -1, None, number is None
    for count, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if re.match(r"\[\[?\w", stripped):
            mine = re.match(rf"\[\[\s*{re.escape(table)}\s*\]\]", stripped)
            entry += 1 if mine else 0
            inside = bool(mine) and entry == number
            head = count if inside or (mine and number is None) else head
        if inside and re.match(rf"[\"']?{re.escape(key)}[\"']?\s*=", stripped):
            return count
    return head


def _wrong(
    file: Path,
    found: str,
    line: int | None = None,
    key: str = "",
    expected: str = "a protocol: a name and entries (see osteotrace.protocol)",
) -> OsteotraceError:
    return OsteotraceError(
        found,
        expected=expected,
        advice=f"correct the key {key!r}" if key else "correct the file",
        where=f"{file}, line {line}" if line else str(file),
        usage=True,
    )
