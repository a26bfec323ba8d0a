"""A protocol: which points of which series are measured, as what, read from TOML.

A protocol is checked when it is read, never while a study is being measured; what is
wrong is named by file, line and key. The text's SHA-256 travels with every assessment
made by it. Its smallest form is a list of calipers::

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
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from osteotrace.codes import KINDS, QUANTITIES, SITES
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Laterality
from osteotrace.measurements.doubts import Walls
from osteotrace.measurements.edge_pairs import Between
from osteotrace.series import Catalogue
from osteotrace.uids import is_uid

if TYPE_CHECKING:
    from osteotrace.codes import Concept
    from osteotrace.series import SeriesIdentity, VolumeHeader

# A protocol is a page of text; more is another kind of file.
MAX_BYTES: Final = 1_000_000

_FOLDER: Final = Path(__file__).with_name("protocols")


class CaliperEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One caliper of a protocol: where, on which series, recorded as what.

    Parameters
    ----------
    label : str
        Tracking identifier of the finding, unique in the protocol.
    kind, site, quantity : str
        Keys of `osteotrace.codes.KINDS`, `SITES` and `QUANTITIES`.
    modality : str
        Modality (0008,0060) of the series.
    frame_of_reference_uid : str
        FrameOfReferenceUID that the points live in; a series in another is refused.
    start, end : (x, y, z)
        Rough points, patient LPS mm.
    series : str
        Shell pattern for SeriesDescription (0008,103E), letter case ignored.
    laterality : str
        Key of `osteotrace.codes.LATERALITIES` or empty.
    snap : bool
        False measures between the points as they are.
    between, walls : str
        As in `osteotrace.measurements.caliper.measure`.
    note : str
        Free text for the finding.
    """

    label: str
    kind: str
    site: str
    quantity: str
    modality: str
    frame_of_reference_uid: str
    start: tuple[float, float, float]
    end: tuple[float, float, float]
    series: str = "*"
    laterality: Laterality = ""
    snap: bool = True
    between: Between = "auto"
    walls: Walls = "any"
    note: str = ""

    def fits(self, identity: SeriesIdentity) -> bool:
        """Tell whether a series is one that this entry means."""
        description = identity.description.casefold()
        return identity.modality == self.modality and fnmatchcase(
            description, self.series.casefold()
        )


class Protocol(msgspec.Struct, frozen=True, kw_only=True):
    """A checked protocol.

    Parameters
    ----------
    name : str
        Its own name.
    calipers : tuple of CaliperEntry
        In the order of the file.
    sha256 : str
        SHA-256 of the file's bytes, hexadecimal.
    description : str
        What it is for.
    """

    name: str
    calipers: tuple[CaliperEntry, ...]
    sha256: str
    description: str = ""


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    caliper: tuple[CaliperEntry, ...]
    description: str = ""


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
    try:
        checked = msgspec.convert(raw, _File)
    except msgspec.ValidationError as problem:
        raise _mistyped(file, text, str(problem)) from problem
    if not checked.caliper:
        raise _wrong(file, "no [[caliper]] entry")
    for number, entry in enumerate(checked.caliper):
        _check_entry(file, text, number, entry)
    labels = Counter(entry.label for entry in checked.caliper)
    twice = [n for n, e in enumerate(checked.caliper) if labels[e.label] > 1]
    if twice:
        label = checked.caliper[twice[0]].label
        line = _line(text, twice[-1], "label")
        raise _wrong(file, f"the label {label!r} more than once", line, "label")
    return Protocol(
        name=checked.name,
        description=checked.description,
        calipers=checked.caliper,
        sha256=hashlib.sha256(content).hexdigest(),
    )


def meant_volume(study: Catalogue, entry: CaliperEntry) -> VolumeHeader:
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
    if frame != entry.frame_of_reference_uid:
        raise OsteotraceError(
            f"{meant} in the frame of reference {frame or '(none)'}",
            expected=f"the protocol's, {entry.frame_of_reference_uid}",
            advice="give the points in the frame of reference of this scan",
            where=str(study.root),
        )
    return header


def _check_entry(file: Path, text: str, number: int, entry: CaliperEntry) -> None:
    def refuse(key: str, found: str, expected: str) -> OsteotraceError:
        return _wrong(file, found, _line(text, number, key), key, expected)

    vocabularies: dict[str, dict[str, Concept]] = {
        "kind": KINDS,
        "site": SITES,
        "quantity": QUANTITIES,
    }
    for key, known in vocabularies.items():
        value = getattr(entry, key)
        if value not in known:
            choice = "one of " + ", ".join(sorted(known))
            raise refuse(key, f"the {key} {value!r}", choice)
    for key in ("label", "modality"):
        if not getattr(entry, key).strip():
            raise refuse(key, f"an empty {key}", "a short text")
    uid = entry.frame_of_reference_uid
    if not is_uid(uid):
        raise refuse("frame_of_reference_uid", f"{uid!r}", "a DICOM UID")
    for key in ("start", "end"):
        if not all(abs(x) < float("inf") for x in getattr(entry, key)):
            raise refuse(key, f"{getattr(entry, key)}", "three finite numbers, LPS mm")
    if entry.start == entry.end:
        raise refuse("end", "an end that is the start", "two different points")


# msgspec ends its messages with the place, such as "at `$.caliper[0].start[2]`".
_PLACE: Final = re.compile(r" - at `\$\.?(?:caliper\[(\d+)\]\.?)?(\w*).*`$")
_QUOTED: Final = re.compile(r"field `(\w+)`")


def _mistyped(file: Path, text: str, message: str) -> OsteotraceError:
    place = _PLACE.search(message)
    number = None if place is None or place[1] is None else int(place[1])
    named = _QUOTED.search(message)
    key = named[1] if named else (place[2] if place else "")
    return _wrong(file, _PLACE.sub("", message), _line(text, number, key), key)


def _line(text: str, number: int | None, key: str) -> int | None:
    """Return the line of a key: at the top, or in the caliper entry of that number."""
    entry, head = -1, None
    for count, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("[["):
            entry += 1
            head = count if entry == number else head
        inside = entry == (-1 if number is None else number)
        if inside and re.match(rf"[\"']?{re.escape(key)}[\"']?\s*=", stripped):
            return count
    return head


def _wrong(
    file: Path,
    found: str,
    line: int | None = None,
    key: str = "",
    expected: str = "a protocol: name and [[caliper]] entries (see osteotrace.protocol)",
) -> OsteotraceError:
    return OsteotraceError(
        found,
        expected=expected,
        advice=f"correct the key {key!r}" if key else "correct the file",
        where=f"{file}, line {line}" if line else str(file),
        usage=True,
    )
