"""The Genant grade of a vertebra as a reader gives it, or as its heights propose it.

Of a cemented body the last reading before the cement counts. Nothing is graded anew here:
the grade that heights propose is the one that was measured and printed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from osteotrace.change import cement_dates
from osteotrace.codes import FACTS
from osteotrace.findings.dates import days, not_after
from osteotrace.measurements.measurement import Measurement
from osteotrace.measurements.vertebra.comparison import GRADE_BEFORE_CEMENT
from osteotrace.staging.rule_table import Observed
from osteotrace.staging.vertebrae import levels as spine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osteotrace.findings import Assessment, Finding
    from osteotrace.staging.evidence import Evidence

NOT_GIVEN: Final = "not given"
READ: Final = (NOT_GIVEN, *FACTS["genant_grade"].choices)
MEASURED: Final = ("0", "1", "2", "3")
NO_FRACTURE: Final = "0"
BORDERLINE: Final = "0.5"


@dataclass(frozen=True, kw_only=True, slots=True)
class LevelGrade:
    """What is known of one vertebra's grade at a date.

    Parameters
    ----------
    level : str
        Key of `osteotrace.codes.SITES`.
    read : Observed
        The reader's own grade, or `NOT_GIVEN`.
    measured : Observed
        The grades that heights propose; all where none was measured.
    deformity : str
        Wedge, biconcave or crush as measured; empty where it was not.
    date : str
        Day of the reading where it is an earlier one, else empty.
    notes : tuple of str
        What to know of it.
    """

    level: str
    read: Observed
    measured: Observed
    deformity: str = ""
    date: str = ""
    notes: tuple[str, ...] = ()

    @property
    def is_read(self) -> bool:
        """True where a reader gave a grade, or heights propose one."""
        return self.read.possible != (NOT_GIVEN,) or bool(self.measured.because)


def level_grade(evidence: Evidence, level: str) -> LevelGrade:
    """Return the grade of a level at the evidence's date.

    A level that a named reader saw without a fracture on that date has grade 0: that is
    what a visual grade of 0 says. It is not kept for a body that is cemented since.
    """
    since = _cemented_since(evidence, level)
    now = _at(evidence, level, by_absence=since is None)
    if since is None:
        return now if now.is_read else _with_earlier(now, evidence)
    when = f"seen first on {since}" if since else "of unknown date"
    cement = f"bone cement, {when}"
    if now.read.possible != (NOT_GIVEN,):
        said = f"{cement}: the reader's grade stands, heights after it do not count"
        return replace(now, measured=Observed(possible=MEASURED), notes=(said,))
    for earlier in reversed(spine.before(evidence)):
        if since and days(earlier.date)[1] < days(since)[0]:
            then = _at(earlier, level)
            if then.is_read:
                said = f"{cement}: the grade is that of {earlier.date}, before it"
                evidence.conflicts.extend(earlier.conflicts)
                return replace(then, date=earlier.date, notes=(*then.notes, said))
    said = f"{cement}, and no grade was read before it"
    return LevelGrade(
        level=level,
        read=now.read,
        measured=Observed(possible=MEASURED),
        notes=(said,),
    )


def is_known(evidence: Evidence, level: str) -> bool:
    """Tell whether a level was graded, cemented or called broken by the date."""
    moments = (*spine.before(evidence), evidence)
    return (
        any(one.facts("genant_grade", site=level) for one in moments)
        or any(True for _ in _rows(evidence, level, "genant_grade", until=True))
        or any(
            finding.presence != "absent"
            for _, finding in evidence.findings(
                ("vcf", "cement"), sites={level}, until=True
            )
        )
        or any(
            one.truth(kinds=("vcf",), sites={level}).possible == (False,)
            for one in moments
        )
    )


def _at(evidence: Evidence, level: str, *, by_absence: bool = False) -> LevelGrade:
    """Return what was read and measured on the very date."""
    read = reader_grade(evidence, level, by_absence=by_absence)
    rows = [
        (assessment, finding, row)
        for assessment, finding, row in _rows(evidence, level, "genant_grade")
        if GRADE_BEFORE_CEMENT not in row.flags
    ]
    types = _rows(evidence, level, "deformity_type")
    return LevelGrade(
        level=level,
        read=read,
        measured=_measured(evidence, level, rows),
        deformity=" or ".join(dict.fromkeys(_type(row) for _, _, row in types)),
    )


def reader_grade(evidence: Evidence, level: str, *, by_absence: bool = True) -> Observed:
    """Return the reader's grade, against what is stated of a fracture on that date.

    A fracture of grade 0, or a grade of 1 and up without one, is a contradiction.
    """
    stated = evidence.choice("genant_grade", site=level)
    seen = evidence.truth(kinds=("vcf",), sites={level})
    if not stated.because:
        if by_absence and seen.possible == (False,):
            return replace(seen, possible=(NO_FRACTURE,))
        return Observed(possible=(NOT_GIVEN,))
    grades = set(stated.possible)
    if seen.possible == (True,) and grades == {NO_FRACTURE}:
        possible = READ[1:]
    elif seen.possible == (False,) and not grades & {NO_FRACTURE, BORDERLINE}:
        possible = tuple(one for one in READ if one == NO_FRACTURE or one in grades)
    else:
        return stated
    evidence.conflicts.append(
        f"{level.upper()}: {'; '.join(stated.because)}, but {'; '.join(seen.because)}"
    )
    because = (*stated.because, *seen.because)
    return Observed(
        possible=possible, basis=stated.basis, because=because, contradicted=True
    )


def _rows(
    evidence: Evidence, level: str, name: str, *, until: bool = False
) -> Iterator[tuple[Assessment, Finding, Measurement]]:
    """Yield the measurements of a name in findings of a level."""
    for assessment in evidence.assessments(until=until):
        for finding in assessment.findings:
            for row in finding.measurements:
                if (
                    finding.site == level
                    and finding.presence != "absent"
                    and isinstance(row, Measurement)
                    and row.name == name
                ):
                    yield assessment, finding, row


def _ends(row: Measurement) -> tuple[int, int]:
    """Return the grades that a measured grade lies between."""
    low, high = row.interval95 or (row.value, row.value)
    return round(low), round(high)


def _measured(
    evidence: Evidence,
    level: str,
    rows: list[tuple[Assessment, Finding, Measurement]],
) -> Observed:
    """Return the grades that heights propose, from the lowest to the highest."""
    if not rows:
        return Observed(possible=MEASURED)
    ends = [_ends(row) for _, _, row in rows]
    because = tuple(
        f"{finding.label} {row.as_text}: {row.definition} "
        f"({assessment.reader or 'no reader'}, {assessment.study_date})"
        for assessment, finding, row in rows
    )
    if max(low for low, _ in ends) > min(high for _, high in ends):
        evidence.conflicts.append(
            f"{level.upper()} is measured in two ways: {'; '.join(because)}"
        )
    accepted = all(assessment.reader.strip() for assessment, _, _ in rows)
    lowest, highest = min(low for low, _ in ends), max(high for _, high in ends)
    return Observed(
        possible=MEASURED[lowest : highest + 1],
        basis="measured" if accepted else "proposed",
        because=because,
    )


def _type(row: Measurement) -> str:
    """Return the type of deformity in the words that were measured."""
    return row.definition.partition(":")[0]


def _cemented_since(evidence: Evidence, level: str) -> str | None:
    """Return the first day with cement up to the date; None without, "" if undated."""
    stated = cement_dates(evidence.case).get(level)
    seen = [stated] if stated is not None else []
    seen += [
        assessment.study_date
        for assessment, _, row in _rows(evidence, level, "genant_grade", until=True)
        if GRADE_BEFORE_CEMENT in row.flags
    ]
    seen = [day for day in seen if not day or not_after(day, evidence.date) is not False]
    return min(seen, default=None)


def _with_earlier(now: LevelGrade, evidence: Evidence) -> LevelGrade:
    """Return an unread level with the day that it was last read on."""
    for earlier in reversed(spine.before(evidence)):
        then = _at(earlier, now.level)
        if then.is_read:
            said = f"not read at this date; last read on {earlier.date}"
            return replace(now, notes=(said,))
    return now
