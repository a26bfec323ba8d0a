"""The readings that are compared: one a study, in the order of their dates."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.errors import OsteotraceError
from osteotrace.findings.dates import days, months_between

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from osteotrace.findings import Assessment, Case, Finding, SeriesReference


# Studies further apart than this are named by the month, nearer ones by their date.
MONTHS_OF_A_YEAR: Final = 12.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyReading:
    """One study of a comparison with the reading of it that counts.

    Parameters
    ----------
    number : int
        From 0, by date.
    assessment : Assessment
    others : tuple of str
        Readers of the same study whose reading is not compared.
    """

    number: int
    assessment: Assessment
    others: tuple[str, ...] = ()

    @property
    def date(self) -> str:
        """The date of the study; empty where it is none, or none that can be read."""
        return dated(self.assessment.study_date)

    @property
    def called(self) -> str:
        """What sentences call it: its date, else its place in the order."""
        return self.date or f"study {self.number + 1}"

    def series_of(self, finding: Finding) -> SeriesReference | None:
        """Return the series a finding was read on; None where it is not known."""
        series = self.assessment.series
        named = [one for one in series if one.series_uid == finding.series_uid]
        if not finding.series_uid:
            frames = {one.frame_of_reference_uid for one in finding.regions} - {""}
            named = [one for one in series if one.frame_of_reference_uid in frames]
            named = named or list(series)
        return named[0] if len(named) == 1 else None

    def modality_of(self, finding: Finding) -> str:
        """Return the modality a finding was read on; empty where it is not known."""
        series = self.series_of(finding)
        if series is not None:
            return series.modality
        every = {one.modality for one in self.assessment.series}
        return every.pop() if len(every) == 1 else ""

    @property
    def modalities(self) -> frozenset[str]:
        """The modalities of the series that were read; empty where none is named."""
        return frozenset(one.modality for one in self.assessment.series)

    def spacing_of(self, finding: Finding) -> tuple[float, ...]:
        """Return the voxels of a finding's images, slices first; empty if not known."""
        series = self.series_of(finding)
        return () if series is None else (series.spacing_mm or ())


def dated(text: str) -> str:
    """Return a date as it is, or nothing where it is none."""
    try:
        if text:
            days(text)
    except OsteotraceError:
        return ""
    return text


def with_dates(case: Case) -> Case:
    """Return a case whose readings have a date or none: what is no date is left out."""
    return msgspec.structs.replace(
        case,
        assessments=tuple(
            msgspec.structs.replace(one, study_date=dated(one.study_date))
            for one in case.assessments
        ),
    )


def study_readings(case: Case, *, reader: str = "") -> tuple[StudyReading, ...]:
    """Return the studies of a case with the reading of each that is compared.

    Parameters
    ----------
    case : Case
        Amended readings are left out; so is what was stated without a study and has no
        findings.
    reader : str
        Whose readings are compared where several people read a study; the latest where
        it is empty or names none of them.

    Returns
    -------
    tuple of StudyReading
        By date. A study without one stands where it was given: after the one before it.
    """
    chosen: dict[str, list[Assessment]] = {}
    current = set(map(id, case.current()))
    for one in case.assessments:
        if id(one) in current and (one.study_uid or one.findings):
            chosen.setdefault(one.study_uid or one.assessment_uid, []).append(one)
    ordered = _by_date([(_chosen(group, reader), group) for group in chosen.values()])
    return tuple(
        StudyReading(
            number=number,
            assessment=one,
            others=tuple(
                other.reader or "a reader without a name"
                for other in group
                if other is not one
            ),
        )
        for number, (one, group) in enumerate(ordered)
    )


def _chosen(group: Sequence[Assessment], reader: str) -> Assessment:
    own = [one for one in group if reader and one.reader == reader]
    return max(own or group, key=lambda one: one.recorded)


def _by_date(
    groups: Iterable[tuple[Assessment, list[Assessment]]],
) -> list[tuple[Assessment, list[Assessment]]]:
    """Return studies by date; those without one stay behind the one before them."""
    runs: list[list[tuple[Assessment, list[Assessment]]]] = [[]]
    for group in groups:
        if dated(group[0].study_date):
            runs.append([group])
        else:
            runs[-1].append(group)
    first, *others = runs
    others.sort(key=lambda run: days(run[0][0].study_date))
    return [group for run in (first, *others) for group in run]


def study_names(
    readings: Sequence[StudyReading], given: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Return what people call the studies, each by a name of its own.

    Two are ``before`` and ``after``; more are named by the month from the first where
    they lie over a year apart, else by their dates.
    """
    own = given or {}
    made = [
        own.get(one.assessment.assessment_uid) or _name(one, readings) for one in readings
    ]
    counts, told = Counter(made), Counter[str]()
    result = []
    for name in made:
        told[name] += 1
        several = counts[name] > 1
        result.append(f"{name} ({told[name]})" if several else name)
    return tuple(result)


def _name(one: StudyReading, readings: Sequence[StudyReading]) -> str:
    if len(readings) == 2:
        return ("before", "after")[one.number]
    dates = [each.date for each in readings if each.date]
    if not one.date:
        return one.called
    if sum(months_between(dates[0], dates[-1])) / 2 <= MONTHS_OF_A_YEAR:
        return one.date
    return f"month {round(sum(months_between(dates[0], one.date)) / 2)}"
