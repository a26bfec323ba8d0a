"""Worklists: CSV files that say which studies are meant, a line each.

A line names a study by ``study_uid``, or by ``accession_number``, or by ``patient_id``,
with ``date`` and ``modality`` where they are known; ``series_uid`` narrows it to one
series.
DICOM's own keywords do as names of columns, other columns are left alone::

    patient_id,date,modality
    12345,2024-01-02,CT
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from osteotrace.errors import OsteotraceError
from osteotrace.pacs.records import Query
from osteotrace.uids import is_uid

if TYPE_CHECKING:
    import os

    from osteotrace.pacs.records import StudyFound

# A line is some 200 bytes: half a million studies.
MAX_BYTES: Final = 100_000_000
# Names of columns, in small letters and without what stands between words.
_COLUMNS: Final = {
    "studyuid": "study_uid",
    "studyinstanceuid": "study_uid",
    "seriesuid": "series_uid",
    "seriesinstanceuid": "series_uid",
    "accession": "accession_number",
    "accessionnumber": "accession_number",
    "patientid": "patient_id",
    "date": "date",
    "studydate": "date",
    "modality": "modality",
}
_KEYS: Final = ("study_uid", "accession_number", "patient_id")
_WILDCARDS: Final = frozenset("*?\\")
_FAILED: Final = "failed"
_LIKE: Final = "a CSV file with a column study_uid, accession_number or patient_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One line of a worklist.

    Parameters
    ----------
    line : int
        Its number in the file; the header is 1.
    study_uid, series_uid, accession_number, patient_id : str
        As in `osteotrace.pacs.Query`; what is empty may be anything.
    date : str
        ISO 8601, or empty.
    modality : str
        One of the study's, or empty.
    """

    line: int
    study_uid: str = ""
    series_uid: str = ""
    accession_number: str = field(default="", repr=False)
    patient_id: str = field(default="", repr=False)
    date: str = ""
    modality: str = ""

    def query(self) -> Query:
        """Return what to ask an archive."""
        return Query(
            study_uid=self.study_uid,
            accession_number=self.accession_number,
            patient_id=self.patient_id,
            date_from=self.date,
            date_to=self.date,
            modality=self.modality,
        )

    def means(self, study: StudyFound) -> bool:
        """Tell whether a study is what the line names, to the letter.

        An archive may leave out a key that it does not know, and answer with others'
        studies.
        """
        told = (
            (self.study_uid, study.study_uid),
            (self.accession_number, study.accession_number),
            (self.patient_id, study.patient_id),
            (self.date, study.date),
        )
        is_same = all(wanted in ("", found) for wanted, found in told)
        # Some archives do not say which modalities a study has.
        return is_same and (
            self.modality in ("", *study.modalities) or not study.modalities
        )


def read(file: str | os.PathLike[str]) -> tuple[Wanted, ...]:
    """Read a worklist.

    Raises
    ------
    OsteotraceError
        If the file cannot be read, has no column that names a study, or a line of it
        names none; the message names the line.
    """
    place = Path(file)
    lines, columns = _table(place)
    if not any(key in columns for key in _KEYS):
        raise _wrong(place, 1, "no column that names a study")
    return tuple(_wanted(place, number, cells) for number, cells in lines)


def study_uids(file: str | os.PathLike[str]) -> frozenset[str]:
    """Return the studies that a worklist, or what ``fetch`` wrote of one, names.

    Raises
    ------
    OsteotraceError
        As `read`, or if the file names no study by its UID.
    """
    place = Path(file)
    lines, columns = _table(place)
    if "study_uid" not in columns:
        raise _wrong(
            place, 1, "no column study_uid", "the fetched.csv that 'fetch' wrote"
        )
    found: set[str] = set()
    for number, cells in lines:
        uid = cells.get("study_uid", "")
        if cells.get("status") == _FAILED or not uid:
            continue
        if not is_uid(uid):
            raise _wrong(place, number, f"the study UID {uid[:64]!r}", "a DICOM UID")
        found.add(uid)
    return frozenset(found)


def _table(place: Path) -> tuple[list[tuple[int, dict[str, str]]], frozenset[str]]:
    """Return the lines of a file by number, cells by column, and its columns."""
    try:
        with place.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise _wrong(place, 0, "a file of over 100 MB")
        # Spreadsheets put a byte order mark before the first column.
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "not UTF-8"
        raise _wrong(place, 0, f"a file that cannot be read ({reason})") from problem
    head = text.partition("\n")[0]
    # Spreadsheets of many countries write semicolons.
    delimiter = ";" if head.count(";") > head.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        names = [_name(cell) for cell in next(reader, [])]
        lines = [
            (reader.line_num, dict(zip(names, map(_text, cells), strict=False)))
            for cells in reader
            if any(cell.strip() for cell in cells)
        ]
    except csv.Error as problem:
        raise _wrong(place, reader.line_num, f"no CSV ({problem})") from problem
    return lines, frozenset(names)


def _name(cell: str) -> str:
    letters = "".join(letter for letter in cell.lower() if letter.isalnum())
    return _COLUMNS.get(letters, letters)


def _text(cell: str) -> str:
    # A spreadsheet's apostrophe before what would be a formula is no part of the text.
    text = cell.strip()
    return text[1:] if text[:1] == "'" and text[1:2] in ("=", "+", "-", "@") else text


def _wanted(place: Path, number: int, cells: dict[str, str]) -> Wanted:
    known = {key: cells.get(key, "") for key in dict.fromkeys(_COLUMNS.values())}
    if not any(known[key] for key in _KEYS):
        raise _wrong(place, number, "a line that names no study")
    for key in ("study_uid", "series_uid"):
        if known[key] and not is_uid(known[key]):
            raise _wrong(place, number, f"the {key} {known[key][:64]!r}", "a DICOM UID")
    for key in ("accession_number", "patient_id"):
        if _WILDCARDS & set(known[key]):
            raise _wrong(
                place, number, f"a wildcard in {key}", "one study, named exactly"
            )
    day = known["date"]
    if len(day) == 8 and day.isdigit():
        known["date"] = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    wanted = Wanted(line=number, **known)
    try:
        wanted.query()
    except OsteotraceError as problem:
        raise _wrong(place, number, problem.found, problem.expected) from problem
    return wanted


def _wrong(place: Path, line: int, found: str, expected: str = _LIKE) -> OsteotraceError:
    return OsteotraceError(
        found,
        expected=expected,
        advice="correct the worklist",
        where=f"{place}, line {line}" if line else str(place),
        usage=True,
    )
