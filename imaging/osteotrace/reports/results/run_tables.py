"""The tables of a run, written as the rows come: long and wide, and what they mean.

Rows come study by study and are not kept: memory does not grow with their number. The
same rows give the same bytes.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, Protocol, TextIO

from osteotrace.about import RESEARCH_USE_STATEMENT, SOFTWARE_NAME, VERSION
from osteotrace.errors import OsteotraceError
from osteotrace.records import publication, store
from osteotrace.reports import columns, tables
from osteotrace.reports.results.contact_sheet import PAGE, Cases
from osteotrace.reports.results.dictionary import Quantities, write_dictionary
from osteotrace.reports.results.wide import Wide

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from osteotrace.reports.tables import Row

TABLE: Final = "measurements.csv"
CSV: Final = TABLE
PARQUET: Final = "measurements.parquet"
WIDE: Final = "measurements_wide.csv"
DICTIONARY: Final = "data_dictionary.csv"
README: Final = "README.txt"
# Rows that the Parquet writer gathers before it writes them.
ROWS_A_GROUP: Final = 10_000

_README: Final = f"""\
Written by {SOFTWARE_NAME} {VERSION}.

{TABLE}
                   one row a measurement. u is the standard uncertainty, in the unit of
                   the value; interval95 its 95 % interval; points are patient LPS, mm.
                   status: accepted, flagged (see flags), not_measured, failed or
                   not_selected (see reason), no_value, staged or nothing_found.
                   Patients are pseudonyms.
{PARQUET}
                   the same rows, typed; the version of the columns in its metadata.
{WIDE}
                   one row a study; each value of each finding has its columns.
{DICTIONARY}
                   every column of these tables and every quantity: type, unit, meaning.
{PAGE}
                   every study with its picture and its values, doubts first; opens in
                   any browser, without a network.
run.json           of a tree: protocol, options and versions of the run; run.jsonl has
                   a line a finished study, from which --resume goes on.
<patient>_<date>_<study>/
  assessment.json  the findings of one study, lossless, below the key "assessment", with
                   a SHA-256 over them: an edited file is not read again.
  *.dcm            the same as DICOM SR (Comprehensive 3D), with the masks of the
                   findings as DICOM SEG beside it: keep them together. They belong to
                   the patient's study and carry the patient's identity: do not share
                   them.
  no_structured_report.txt
                   instead of it where the images do not say what an SR must; it says
                   what that is.
  caliper_*.png    the plane of each caliper; dashed circles are the points as drawn,
                   the barred line the fitted edges.
  case.jpg         all findings of the study in one picture; yellow is the region of a
                   value, blue what else was marked. case_small.jpg is for the sheet.
  lesion_*.png     three planes through every other finding, with what was marked and
                   fitted.

{RESEARCH_USE_STATEMENT}
"""


def write_tables(
    folder: Path, rows: Iterable[Row], *, replace: bool = False
) -> list[Path]:
    """Write the tables of a run into its folder: every one of them, or none.

    Parameters
    ----------
    folder : Path
        The run's folder, which holds the folders of its studies.
    rows : iterable of Row
        From `osteotrace.reports.tables`; those of one study follow each other. They are
        taken one by one and not kept.
    replace : bool
        Write anew what is there: tables are made from the run's records, and a run that
        goes on makes them again.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    OsteotraceError
        If one of them is there and may not be replaced, or cannot be written.
    """
    names = (TABLE, PARQUET, WIDE, DICTIONARY, README, PAGE)
    taken = [folder / name for name in names if os.path.lexists(folder / name)]
    if taken and not replace:
        raise OsteotraceError(
            "a table that exists",
            expected="a new folder: what is saved is never overwritten",
            advice="choose another folder, or move the old one away",
            where=str(taken[0]),
            usage=True,
        )
    try:
        return _written(folder, rows)
    except OSError as problem:
        raise OsteotraceError(
            f"a place that cannot be written to ({problem.strerror or problem})",
            expected="a folder with room and the right to write",
            advice="make room; the folders of the studies are whole, and the tables can "
            "be made from them",
            where=str(folder),
        ) from problem


def _written(folder: Path, rows: Iterable[Row]) -> list[Path]:
    draft = publication.new_draft(folder / "tables")
    draft.mkdir()
    try:
        names = _fill(draft, rows, folder)
        for name in names:
            (draft / name).chmod(store.OWNER_ONLY_FILE)
            publication.flush(draft / name)
        for name in names:
            os.replace(draft / name, folder / name)
        publication.flush_folder(folder)
    finally:
        publication.discard(draft)
    return [folder / name for name in names]


def _fill(draft: Path, rows: Iterable[Row], studies: Path) -> list[str]:
    """Write every file of a run into a draft; return their names."""
    with ExitStack() as stack:
        wide = Wide(draft / "waiting.jsonl")
        stack.callback(wide.close)
        quantities, cases = Quantities(), Cases()
        parquet = _Parquet(draft / PARQUET)
        stack.callback(parquet.close)
        with _new(draft / TABLE) as stream:
            seen = _seen(rows, (wide, quantities, cases, parquet))
            tables.write_csv(stream, seen)
        parquet.flush()
        with _new(draft / WIDE) as stream:
            wide.write(stream)
        with _new(draft / DICTIONARY) as stream:
            write_dictionary(
                stream,
                {TABLE: columns.TABLE, PARQUET: columns.TABLE, WIDE: wide.columns()},
                quantities,
            )
    (draft / README).write_text(_README, encoding="utf-8")
    pages = cases.write(draft, studies)
    return [TABLE, PARQUET, WIDE, DICTIONARY, README, *pages]


def _new(file: Path) -> TextIO:
    return file.open("w", encoding="utf-8", newline="")


class _TakesStudies(Protocol):
    def add(self, rows: list[Row]) -> None: ...


def _seen(rows: Iterable[Row], others: Iterable[_TakesStudies]) -> Iterator[Row]:
    """Yield the rows again, once all others have those of their study."""
    others = tuple(others)
    for _, group in groupby(rows, key=_study):
        study = list(group)
        for other in others:
            other.add(study)
        yield from study


def _study(row: Row) -> tuple[Any, ...]:
    names = ("patient", "study_date", "study_uid", "assessment_uid")
    return tuple(row[name] for name in names)


class _Parquet:
    """A Parquet file that grows by groups of rows."""

    def __init__(self, file: Path) -> None:
        import pyarrow.parquet as pq

        self._schema = columns.schema()
        self._writer = pq.ParquetWriter(file, self._schema, compression="zstd")
        self._waiting: list[Row] = []

    def add(self, rows: list[Row]) -> None:
        self._waiting += rows
        if len(self._waiting) >= ROWS_A_GROUP:
            self.flush()

    def flush(self) -> None:
        import pyarrow as pa

        if self._waiting:
            self._writer.write_table(
                pa.Table.from_pylist(self._waiting, schema=self._schema)
            )
            self._waiting = []

    def close(self) -> None:
        self._writer.close()
