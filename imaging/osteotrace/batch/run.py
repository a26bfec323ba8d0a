"""What a run has left: counts, tables, and the records of its studies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from osteotrace.batch.journal import LINES
from osteotrace.batch.lines import Lines
from osteotrace.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

    from osteotrace.batch.tasks import StudyOutcome
    from osteotrace.findings import Assessment
    from osteotrace.reports.shown import Card


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Run(Shown):
    """A tree of studies that was measured.

    Parameters
    ----------
    folder : Path
        Holds the tables and a folder a study.
    n_done : int
        Studies that were measured.
    n_failed : int
        Studies that could not be; each is a row with its reason.
    n_not_selected : int
        Studies in which the protocol means nothing; each is a row with its reason.
    n_not_measured : int
        Findings whose own value could not be measured.
    tables : tuple of Path
        Files that tell of all studies.
    """

    folder: Path
    n_done: int
    n_failed: int
    n_not_selected: int
    n_not_measured: int
    tables: tuple[Path, ...]

    def frame(self) -> pd.DataFrame:
        """Return the table as a data frame.

        Returns
        -------
        pandas.DataFrame
            One row a measurement, and one a study that was not measured; each column is
            in ``data_dictionary.csv``.
        """
        import pandas as pd

        from osteotrace.reports.results import PARQUET

        return pd.read_parquet(self.folder / PARQUET)

    def own_title(self) -> str:
        """Return how many studies were measured, failed, or were not selected."""
        from osteotrace.batch.run_card import run_title

        return run_title(self)

    def own_card(self) -> Card:
        """Return what is shown of it."""
        from osteotrace.batch.run_card import run_card

        return run_card(self)

    def failures(self) -> Iterator[StudyOutcome]:
        """Yield the studies that could not be measured, by patient and date."""
        return (one for one in self.studies() if one.failed)

    def not_selected(self) -> Iterator[StudyOutcome]:
        """Yield the studies in which the protocol means nothing, by patient and date."""
        return (one for one in self.studies() if not one.selected)

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
