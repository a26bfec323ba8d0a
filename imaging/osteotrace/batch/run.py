"""What a run has left: counts, tables, and the records of its studies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from osteotrace.batch.journal import LINES
from osteotrace.batch.lines import Lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from osteotrace.batch.tasks import StudyOutcome
    from osteotrace.findings import Assessment


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A tree of studies that was measured.

    Parameters
    ----------
    folder : Path
        Holds the tables and a folder a study.
    n_done : int
        Studies that were measured.
    n_failed : int
        Studies that could not be; each is a row with its reason.
    n_not_measured : int
        Findings whose own value could not be measured.
    tables : tuple of Path
        Files that tell of all studies.
    """

    folder: Path
    n_done: int
    n_failed: int
    n_not_measured: int
    tables: tuple[Path, ...]

    def frame(self) -> Any:
        """Return the table as a `pandas.DataFrame`, one row a measurement."""
        import pandas as pd

        from osteotrace.reports.results import PARQUET

        return pd.read_parquet(self.folder / PARQUET)

    def failures(self) -> Iterator[StudyOutcome]:
        """Yield the studies that could not be measured, by patient and date."""
        return (one for one in self.studies() if one.error is not None)

    def assessments(self) -> Iterator[Assessment]:
        """Yield the reading of each study, by patient and date.

        Raises
        ------
        OsteotraceError
            If the record of one of them is not there any more, or was changed.
        """
        return (self.assessment(one) for one in self.studies() if one.folder)

    def assessment(self, study: StudyOutcome) -> Assessment:
        """Return the reading of one study of `studies`; errors as `assessments`."""
        from osteotrace.records.assessments import read
        from osteotrace.reports.results import RECORD

        return read(self.folder / study.folder / RECORD)

    def studies(self) -> Iterator[StudyOutcome]:
        """Yield what became of each study, by patient and date."""
        return (kept.study for kept in Lines(self.folder / LINES).studies())
