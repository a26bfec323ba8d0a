"""Saved readings outside the studies: beside them, or in a folder that is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osteotrace.errors import OsteotraceError
from osteotrace.reading.cases import saved_cases
from osteotrace.records import record_folder
from osteotrace.records.places import folder_beside

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from osteotrace.findings import Assessment, Case
    from osteotrace.reading.comparing.gathering import GatheredStudy


class RecordFolders:
    """Saved readings outside the studies: each folder is read once a patient."""

    def __init__(self, given: Path | None) -> None:
        self._given = given
        self._read: dict[tuple[Path, str], tuple[Assessment, ...]] = {}
        self.failures: list[OsteotraceError] = []
        if given is not None and not given.is_dir():
            raise OsteotraceError(
                "no folder of records",
                expected="a folder of saved readings",
                advice="check the path of --records",
                where=str(given),
                usage=True,
            )

    def of(self, study: GatheredStudy) -> tuple[Assessment, ...]:
        """Return the readings of a study."""
        folders = [] if self._given is None else [self._given]
        if study.catalogue is not None:
            folders.append(folder_beside(study.catalogue))
        return tuple(
            one
            for folder in folders
            for one in self._of_patient(folder, study.patient)
            if one.study_uid == study.study_uid
        )

    def _of_patient(self, folder: Path, patient: str) -> tuple[Assessment, ...]:
        key = folder, patient
        if key not in self._read:
            self._read[key] = self._from(folder, patient)
        return self._read[key]

    def _from(self, folder: Path, patient: str) -> tuple[Assessment, ...]:
        inside = [*folder.iterdir()] if folder.is_dir() else []
        if not inside:
            return ()
        try:
            if any(one.is_dir() for one in inside):
                # What ``measure`` wrote has a folder a study.
                below = saved_cases(folder)
                self.failures.extend(below.failures)
                return _all(below.cases)
            found = record_folder.read_cases(folder, patient=patient)
        except OsteotraceError as problem:
            if not problem.usage:
                self.failures.append(problem)
            return ()
        self.failures.extend(found.refused)
        return _all(found.cases)


def _all(cases: Iterable[Case]) -> tuple[Assessment, ...]:
    return tuple(one for case in cases for one in case.assessments)
