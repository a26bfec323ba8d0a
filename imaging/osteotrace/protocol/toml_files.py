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
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from typing import Protocol as TypingProtocol

import msgspec

from osteotrace.errors import OsteotraceError
from osteotrace.protocol.checks import check_entry, check_where
from osteotrace.protocol.choices import SeriesChoice
from osteotrace.protocol.entries import ABSENT, TABLES, AbsentEntry
from osteotrace.protocol.entry import Entry
from osteotrace.protocol.lines import PROTOCOL, line_of, wrong
from osteotrace.protocol.marked import MARKED, MarkedEntry
from osteotrace.protocol.mask_sources import MaskSources, Program, Threshold
from osteotrace.protocol.mistakes import mistake_of
from osteotrace.protocol.outcomes import Results, Stagings
from osteotrace.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Iterator

# A protocol is a page of text; more is another kind of file.
MAX_BYTES: Final = 1_000_000

# Every table that a protocol may hold.
_KNOWN: Final[dict[str, type[Entry]]] = {
    **TABLES,
    ABSENT: AbsentEntry,
    MARKED: MarkedEntry,
}

_FOLDER: Final = Path(__file__).parent.with_name("protocols")


class Protocol(Shown, msgspec.Struct, frozen=True, kw_only=True):
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
    """Return the names of the protocols that come with osteotrace.

    Returns
    -------
    list of str
        In the order of the alphabet; `read` and the workflows take them.
    """
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
            raise wrong(file, "a file of over 1 MB")
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
        raise wrong(file, f"text that is not TOML: {problem}") from problem
    heads = {key: raw.pop(key, "") for key in ("name", "description")}
    for key, value in heads.items():
        if not isinstance(value, str) or (key == "name" and not value.strip()):
            line = line_of(text, "", None, key)
            raise wrong(file, f"{key} = {value!r}", line, key, "a short text")
    source = _Source(file, text)
    series = _series(source, raw.pop("series", []))
    masks = _masks(source, raw.pop("masks", {}))
    staging = source.table("staging", Stagings, raw.pop("staging", {}))
    results = source.table("results", Results, raw.pop("results", {}))
    entries = tuple(
        entry
        for name, found in raw.items()
        for entry in _entries(source, name, found, series)
    )
    if not entries:
        choice = ", ".join(f"[[{name}]]" for name in TABLES)
        raise wrong(file, "no entry", expected=f"at least one of {choice}")
    _check_labels(file, text, entries)
    _check_marks(source, entries, masks)
    return Protocol(
        name=heads["name"],
        description=heads["description"],
        entries=entries,
        sha256=hashlib.sha256(content).hexdigest(),
        series=series,
        masks=masks,
        staging=staging,
        results=results,
        content=content,
    )


class _Checked(TypingProtocol):
    def wrong(self) -> Iterator[tuple[str, str, str]]: ...


T = TypeVar("T", bound=_Checked)


@dataclass(frozen=True, slots=True)
class _Source:
    """The text that is read, and the file that messages name."""

    file: Path
    text: str

    def refusal(
        self, table: str, number: int | None, key: str, found: str, expected: str
    ) -> OsteotraceError:
        """Return the error of a key of a table."""
        line = line_of(self.text, table, number, key)
        return wrong(self.file, found, line, key, expected)

    def table(self, name: str, kind: type[T], found: object, number: int = 0) -> T:
        """Return one table as a checked record."""
        try:
            made: T = msgspec.convert({"it": found}, dict[str, kind])["it"]  # type: ignore[valid-type]
        except msgspec.ValidationError as problem:
            raise self.mistyped(name, str(problem), number) from problem
        for key, what, expected in made.wrong():
            raise self.refusal(name, number, key, what, expected)
        return made

    def mistyped(
        self, table: str, message: str, number: int | None = None
    ) -> OsteotraceError:
        """Return the error of a value of a wrong type, from what msgspec says of it."""
        mistake = mistake_of(message)
        number = number if mistake.number is None else mistake.number
        line = line_of(self.text, table, number, mistake.key, mistake.inside)
        expected = mistake.expected or PROTOCOL
        return wrong(self.file, mistake.found, line, mistake.key, expected)


def _series(source: _Source, found: object) -> tuple[SeriesChoice, ...]:
    """Return the choices of ``[series]``, or of each ``[[series]]``."""
    given = found if isinstance(found, list) else [found]
    choices = tuple(
        source.table("series", SeriesChoice, one, number)
        for number, one in enumerate(given)
    )
    for number, choice in enumerate(choices):
        if len(choices) > 1 and not choice.modality:
            found_, expected = "one of several without a modality", "a modality in each"
            raise source.refusal("series", number, "modality", found_, expected)
        if choice.modality in {one.modality for one in choices[:number]}:
            found_ = f"the modality {choice.modality!r} a second time"
            raise source.refusal("series", number, "modality", found_, "each once")
    return choices


def _masks(source: _Source, found: object) -> MaskSources:
    """Return the sources of labels, the tables within theirs checked by themselves."""
    parts = dict(found) if isinstance(found, dict) else found
    inner: dict[str, Any] = {}
    if isinstance(parts, dict):
        thresholds = parts.pop("threshold", [])
        listed = thresholds if isinstance(thresholds, list) else [thresholds]
        inner["threshold"] = tuple(
            source.table("masks.threshold", Threshold, one, number)
            for number, one in enumerate(listed)
        )
        for number, one in enumerate(inner["threshold"]):
            if one.within is not None:
                refuse = partial(source.refusal, "masks.threshold", number, "within")
                check_where(one.within, refuse)
        program = parts.pop("totalsegmentator", {})
        inner["totalsegmentator"] = source.table(
            "masks.totalsegmentator", Program, program
        )
    made = source.table("masks", MaskSources, parts)
    whole = msgspec.structs.replace(made, **inner)
    for key, what, expected in whole.wrong_together():
        raise source.refusal("masks", 0, key, what, expected)
    return whole


def _entries(
    source: _Source, name: str, found: object, series: tuple[SeriesChoice, ...]
) -> Iterator[Entry]:
    """Yield the entries of one TOML table, checked, each with the series it means."""
    if name not in _KNOWN:
        choice = "name, description, [series], [masks], [staging], [results] or "
        choice += ", ".join(f"[[{table}]]" for table in _KNOWN)
        line = line_of(source.text, name, 0, name)
        raise wrong(source.file, f"the key {name!r}", line, name, choice)
    try:
        entries: tuple[Entry, ...] = msgspec.convert({"it": found}, _types()[name])["it"]
    except msgspec.ValidationError as problem:
        raise source.mistyped(name, str(problem)) from problem
    for number, entry in enumerate(entries):
        whole = _with_series(entry, series)
        check_entry(whole, partial(source.refusal, name, number))
        yield whole


def _with_series(entry: Entry, series: tuple[SeriesChoice, ...]) -> Entry:
    """Return an entry with what the protocol says of its series beneath its own words."""
    own = entry.select or SeriesChoice()
    named = entry.modality or own.modality
    fitting = [one for one in series if named in ("", one.modality) or not one.modality]
    if len(fitting) != 1:
        return msgspec.structs.replace(entry, modality=named)
    beneath = fitting[0]
    if entry.series != "*":
        # It says itself how its series is called.
        beneath = msgspec.structs.replace(beneath, description=())
    whole = beneath.beneath(own)
    modality = named or beneath.modality
    whole = msgspec.structs.replace(whole, modality=modality)
    return msgspec.structs.replace(entry, modality=modality, select=whole)


@cache
def _types() -> dict[str, Any]:
    return {name: dict[str, tuple[kind, ...]] for name, kind in _KNOWN.items()}  # type: ignore[valid-type]


def _check_labels(file: Path, text: str, entries: tuple[Entry, ...]) -> None:
    for label, count in Counter(entry.label for entry in entries).items():
        # A template is filled study by study.
        if count > 1 and "{" not in label:
            pattern = rf"\s*[\"']?label[\"']?\s*=\s*[\"']{re.escape(label)}[\"']"
            lines = text.splitlines()
            last = [n for n, line in enumerate(lines, 1) if re.match(pattern, line)]
            line = last[-1] if last else None
            raise wrong(file, f"the label {label!r} more than once", line, "label")


def _check_marks(source: _Source, entries: tuple[Entry, ...], masks: MaskSources) -> None:
    """Refuse marks that are asked for and are no source."""
    if any(isinstance(one, MarkedEntry) for one in entries) and (
        "marks" not in masks.sources
    ):
        found = "marks that are no source"
        expected = '"marks" among the sources of [masks]'
        raise source.refusal(MARKED, 0, "marks", found, expected)
