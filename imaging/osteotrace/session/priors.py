"""What was read of the same patient before, and what became of each finding since.

Earlier readings are records: in the folder beside the opened one, or in one that is
given. A finding is the same where its Tracking UID is; else an earlier one of its kind,
site, side and quantity is proposed, where kind and site say enough. Change is called
beyond repeatability alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from osteotrace.change import Change, change
from osteotrace.codes.sites import VERTEBRAE
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Assessment, Case, Finding, SeriesReference
from osteotrace.findings.dates import days, interval
from osteotrace.pseudonym import is_named
from osteotrace.reports import text
from osteotrace.reports.paragraph import spoken, without_keys

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from osteotrace.measurements.measurement import Reading
    from osteotrace.session.session import Session

# A vertebra that was measured may have broken since: the level makes it the same.
_OF_A_LEVEL: Final = ("vertebra", "vcf")
# Any length may be of these: they tell no lesion from another.
_ANY_KIND: Final = ("lesion",)
_ANY_SITE: Final = ("", "unspecified")


class Prior(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier reading of a finding.

    Parameters
    ----------
    finding : Finding
        As it was read then.
    date, reader : str
        Of that reading.
    matched : str
        ``"tracked"`` by its Tracking UID, or ``"proposed"`` by kind, site, side and
        quantity.
    interval : str
        How long before, in words; empty where a date is not known.
    change : Change or None
        What became of the primary value; None where there is none to compare.
    """

    finding: Finding
    date: str
    reader: str
    matched: Literal["tracked", "proposed"]
    interval: str = ""
    change: Change | None = None

    @property
    def reading(self) -> Reading | None:
        """The earlier value; None where nothing was measured."""
        name = "" if self.change is None else self.change.name
        named = [one for one in self.finding.measurements if one.name == name]
        return next(iter(named or self.finding.measurements), None)

    @property
    def value(self) -> str:
        """The earlier value with ± u and unit, or whether it was there."""
        if self.finding.presence != "present" or self.reading is None:
            return self.finding.presence
        return text.value(self.reading)

    @property
    def verdict(self) -> str:
        """What became of it: changed, within measurement error, not comparable."""
        return "" if self.change is None else self.change.verdict

    @property
    def as_text(self) -> str:
        """The earlier reading as a sentence of a report; `change` has it in full."""
        when = self.date or "an unknown date"
        apart = f" ({self.interval} before)" if self.interval else ""
        how = ", proposed by kind and site" if self.matched == "proposed" else ""
        is_value = self.finding.presence == "present" and self.reading is not None
        what = f"{spoken(self.reading)} " if is_value and self.reading else ""
        return f"Before, on {when}{apart}{how}: {what}{self.value}{self._became}."

    @property
    def _became(self) -> str:
        if self.change is None:
            return ""
        if self.change.verdict != "not comparable":
            return f": {self.change.as_text}"
        # Definitions and flags in full would be longer than the report.
        reason = without_keys(self.change.reason.partition(":")[0])
        return f": not comparable ({reason})"


class Priors:
    """Earlier readings of the patient of a session.

    Parameters
    ----------
    session : Session
        Whose study is read.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._folder: Path | None = None
        self._read: tuple[Path, str, tuple[Assessment, ...]] | None = None
        self._failures: tuple[OsteotraceError, ...] = ()

    def use(self, folder: str | os.PathLike[str] | None) -> None:
        """Look for records in another folder; None for that beside the opened one."""
        self._folder = None if folder is None else Path(folder)
        self.refresh()

    def refresh(self) -> None:
        """Look again at what is saved: after a save, or where others save too."""
        self._read = None

    def read_again(self) -> None:
        """Look again now; what was read before is offered until that is done."""
        self._records(anew=True)

    @property
    def folder(self) -> Path | None:
        """Where records are looked for; None before anything is open."""
        if self._folder is not None or self._session.catalogue is None:
            return self._folder
        return self._session.records_folder()

    @property
    def failures(self) -> tuple[OsteotraceError, ...]:
        """Records that could not be read."""
        _ = self.records
        return self._failures

    @property
    def records(self) -> tuple[Assessment, ...]:
        """Every saved reading of the patient, amended ones too; read once.

        Those that a blinded reading hides are left out.
        """
        return tuple(filter(self._session.blinding.shows, self._records()))

    def _records(self, *, anew: bool = False) -> tuple[Assessment, ...]:
        start, folder = self._session.draft.start, self.folder
        # Nobody knows whether two nameless patients are one.
        if start is None or folder is None or not is_named(start.patient):
            return ()
        # A save reads beside the window: what another thread sets is not looked at twice.
        read = self._read
        if anew or read is None or read[:2] != (folder, start.patient):
            read = folder, start.patient, self._saved(folder, start.patient)
            self._read = read
        return read[2]

    def _saved(self, folder: Path, patient: str) -> tuple[Assessment, ...]:
        from osteotrace.reading.cases import saved_cases
        from osteotrace.records import record_folder

        self._failures = ()
        try:
            inside = [*folder.iterdir()] if folder.is_dir() else []
            if not inside:
                return ()
            if any(one.is_dir() for one in inside):
                # What ``measure`` wrote has a folder a study.
                below = saved_cases(folder)
                cases, self._failures = below.cases, below.failures
            else:
                # The index of a folder knows which of its records are the patient's.
                found = record_folder.read_cases(folder, patient=patient)
                cases, self._failures = found.cases, found.refused
        except (OsteotraceError, OSError) as problem:
            self._failures = (_unreadable(folder, problem),)
            return ()
        own = (case for case in cases if case.patient == patient)
        return tuple(one for case in own for one in case.assessments)

    @property
    def readings(self) -> tuple[Assessment, ...]:
        """The readings of earlier dates that nothing amends, the latest first."""
        start = self._session.draft.start
        if start is None or not start.study_date:
            return ()
        current = Case(patient=start.patient, assessments=self.records).current()
        earlier = (
            one
            for one in current
            if one.study_date and days(one.study_date)[1] < days(start.study_date)[0]
        )
        return tuple(sorted(earlier, key=lambda one: one.study_date, reverse=True))

    def of(self, finding: Finding) -> Prior | None:
        """Return the latest earlier reading of a finding, None where there is none."""
        readings = self.readings
        for reading in readings:
            for one in reading.findings:
                if one.tracking_uid == finding.tracking_uid:
                    return self._prior(finding, one, reading, "tracked")
        for reading in readings:
            alike = _alike(finding, reading.findings)
            if alike is not None:
                return self._prior(finding, alike, reading, "proposed")
        return None

    def all(self) -> dict[str, Prior]:
        """Return the earlier readings of the session's findings, by tracking UID."""
        found = ((one.tracking_uid, self.of(one)) for one in self._session.findings)
        return {uid: prior for uid, prior in found if prior is not None}

    def sentences(self) -> dict[str, str]:
        """Return what `osteotrace.reports.paragraph` says of them, by tracking UID."""
        return {uid: prior.as_text for uid, prior in self.all().items()}

    def _prior(
        self,
        finding: Finding,
        earlier: Finding,
        reading: Assessment,
        matched: Literal["tracked", "proposed"],
    ) -> Prior:
        draft = self._session.draft
        assert draft.start is not None
        found = None
        pair = _pair(earlier, finding)
        if pair is not None:
            was = _spacing(earlier, reading.series)
            now = _spacing(finding, draft.series)
            found = change(
                *pair,
                same_reader=bool(reading.reader) and reading.reader == draft.start.reader,
                slice_mm=_larger(was[:1], now[:1]),
                voxel_mm=_larger(was, now),
            )
        return Prior(
            finding=earlier,
            date=reading.study_date,
            reader=reading.reader,
            matched=matched,
            interval=interval(reading.study_date, draft.start.study_date),
            change=found,
        )


def _unreadable(folder: Path, problem: OsteotraceError | OSError) -> OsteotraceError:
    if isinstance(problem, OsteotraceError):
        return problem
    return OsteotraceError(
        f"records that cannot be read ({problem.strerror or problem})",
        expected="a folder of records that may be read",
        advice="check its rights; nothing is staged beside what was read before",
        where=str(folder),
    )


def _alike(finding: Finding, earlier: Iterable[Finding]) -> Finding | None:
    """Return the one earlier finding that may be the same; None where several may."""
    fits = [one for one in earlier if _may_be(finding, one)]
    if len(fits) > 1:
        fits = [one for one in fits if one.label == finding.label]
    return fits[0] if len(fits) == 1 else None


def _may_be(finding: Finding, one: Finding) -> bool:
    if (one.site, one.laterality) != (finding.site, finding.laterality):
        return False
    if finding.kind in _ANY_KIND or finding.site in _ANY_SITE:
        return False
    if finding.site in VERTEBRAE and finding.kind in _OF_A_LEVEL:
        return one.kind in _OF_A_LEVEL
    is_other = (
        bool(one.measurements and finding.measurements) and _pair(one, finding) is None
    )
    return one.kind == finding.kind and not is_other


def _pair(earlier: Finding, later: Finding) -> tuple[Reading, Reading] | None:
    """Return the later finding's primary value, with the earlier one of its quantity."""
    for now in later.measurements[:1]:
        for was in earlier.measurements:
            if was.name == now.name:
                return was, now
    return None


def _spacing(finding: Finding, series: Iterable[SeriesReference]) -> tuple[float, ...]:
    """Return the voxels that a finding was read on, slices first; empty where unknown."""
    found = {
        one.spacing_mm for one in series if finding.series_uid in ("", one.series_uid)
    }
    return (found.pop() or ()) if len(found) == 1 else ()


def _larger(one: tuple[float, ...], other: tuple[float, ...]) -> float | None:
    """Return the largest of two sets of sizes; None where one is not known."""
    return max(*one, *other) if one and other else None
