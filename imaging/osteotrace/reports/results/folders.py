"""The folder that a measured tree leaves, with everything in it, all at once.

It appears when everything in it is written, or not at all. For thousands of studies,
whose folders appear one by one, see `osteotrace.batch`.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from osteotrace.errors import OsteotraceError
from osteotrace.records import store
from osteotrace.reports import tables
from osteotrace.reports.results.run_tables import write_tables
from osteotrace.reports.results.studies import study_folder, write_study

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from osteotrace.findings import Assessment
    from osteotrace.reports.tables import Row
    from osteotrace.series import Catalogue
    from osteotrace.volume import Volume


@dataclass(slots=True)
class Results:
    """A result folder that is being filled.

    Parameters
    ----------
    place : Path
        Where the folder will be.
    draft : Path
        Where it is until then.
    """

    place: Path
    draft: Path
    _rows: list[Row] = field(default_factory=list)

    def add(
        self, assessment: Assessment, volumes: Iterable[Volume], images: Catalogue
    ) -> list[Path]:
        """Write a study's record, SR and pictures; return where they will lie.

        Raises
        ------
        OsteotraceError
            If one of them cannot be made; the study then leaves nothing.
        """
        name = study_folder(assessment)
        folder = self.draft / name
        folder.mkdir()
        try:
            written = write_study(folder, assessment, volumes, images)
        except OsteotraceError:
            shutil.rmtree(folder)
            raise
        self._rows.extend(tables.rows(assessment, images))
        return [self.place / name / path.name for path in written]

    def fail(self, study_uid: str, patient: str, error: OsteotraceError) -> None:
        """Note a study that could not be measured."""
        self._rows.append(tables.failure_row(study_uid, patient, error))

    def _finish(self) -> None:
        write_tables(self.draft, self._rows)


@contextmanager
def result_folder(place: Path) -> Iterator[Results]:
    """Give a result folder to fill; it appears when the block ends well.

    Raises
    ------
    OsteotraceError
        If the place is taken or cannot be written to.
    """
    with store.new_folder(place) as draft:
        results = Results(place, draft)
        yield results
        results._finish()
