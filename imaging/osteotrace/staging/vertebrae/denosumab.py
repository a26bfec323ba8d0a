"""The last dose of denosumab before a day, the months since, and what followed it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from osteotrace.codes.drugs import ANTIRESORPTIVE
from osteotrace.findings.dates import days, months_between, not_after
from osteotrace.staging.rule_table import TRUTH, Observed
from osteotrace.staging.sentences import given

if TYPE_CHECKING:
    from osteotrace.findings import DrugCourse
    from osteotrace.staging.evidence import Evidence
    from osteotrace.staging.rule_table import Value

# An antiresorptive started within these months of the last dose follows it on.
FOLLOW_ON_MONTHS: Final = 7.0
# Months since the last dose between which a fracture counts.
FLAG_MONTHS: Final = (7.0, 24.0)
# Months after the last dose in which all published fractures lay.
PUBLISHED_MONTHS: Final = (8.0, 16.0)
LIMITS: Final = (*FLAG_MONTHS, *PUBLISHED_MONTHS)
# How far a day that is an estimate may be off, in months.
ESTIMATE_MONTHS: Final = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Months:
    """Months between two dates.

    Parameters
    ----------
    low, high : float
        As the dates were given: apart where one is no single day.
    earliest, latest : float
        The same with what an estimated date may be off.
    """

    low: float
    high: float
    earliest: float
    latest: float

    @classmethod
    def between(
        cls, first: str, last: str, *, approximate: tuple[bool, bool], since: str = ""
    ) -> Months:
        """Return the months from one date to another, each an estimate or not.

        What lies anywhere from ``since`` to the last date counts from there on.
        """
        low, high = months_between(first, last)
        if since:
            low = min(low, months_between(first, since)[0])
        margin = ESTIMATE_MONTHS * sum(approximate)
        return cls(low=low, high=high, earliest=low - margin, latest=high + margin)

    def within(self, least: float, most: float) -> tuple[Value, ...]:
        """Return whether they lie between two limits, both included; either if unsure."""
        if least <= self.earliest and self.latest <= most:
            return (True,)
        if self.latest < least or self.earliest > most:
            return (False,)
        return TRUTH

    @property
    def low_text(self) -> str:
        """The fewest months as people read them; below zero is before the dose."""
        return "before" if self.low < 0 <= self.high else _shown(self.low)

    @property
    def high_text(self) -> str:
        """The most months as people read them."""
        return _shown(self.high)

    @property
    def text(self) -> str:
        """The months as people read them: ``about 8.6 months``."""
        about = "about " if self.latest > self.high else ""
        if self.low < 0 <= self.high:
            return f"before, or up to {about}{self.high_text} months"
        same = self.low_text == self.high_text
        number = self.low_text if same else f"{self.low_text} to {self.high_text}"
        return f"{about}{number} months"


def _shown(months: float) -> str:
    """Return months to 0.1; finer where that would read as a limit they are not."""
    text = f"{months:.1f}"
    rounds_to_limit = float(text) in LIMITS and months != float(text)
    return f"{months:.2f}" if rounds_to_limit else text


@dataclass(frozen=True, kw_only=True, slots=True)
class LastDose:
    """The last dose of denosumab before a day.

    Parameters
    ----------
    known : Observed
        Whether its date is known.
    date : str
        That date; empty where it is not known.
    approximate : bool
        True where it is an estimate.
    during : bool
        True where the day lies within the course.
    course : DrugCourse or None
    """

    known: Observed
    date: str = ""
    approximate: bool = False
    during: bool = False
    course: DrugCourse | None = None


def last_dose(evidence: Evidence, seen: str) -> LastDose:
    """Return the last dose of denosumab before a day; empty is the day that is staged."""
    day = seen or evidence.date
    every = evidence.drugs(drug="denosumab")
    courses = [
        one
        for one in every
        if not one.first_dose or not_after(one.first_dose, day) is not False
    ]
    if every and not courses:
        words = tuple(f"{given(one)}: after the fracture" for one in every)
        return LastDose(known=Observed(possible=(False,), basis="entered", because=words))
    if not courses:
        never = evidence.drug_given(ANTIRESORPTIVE)
        known = never if never.possible == (False,) else Observed(possible=TRUTH)
        return LastDose(known=known)
    open_ = [
        one
        for one in courses
        if not _end(one) or (one.ongoing and not_after(_end(one), day) is not False)
    ]
    if open_:
        words = tuple(f"{given(one)}: {_why_open(one)}" for one in open_)
        return LastDose(known=Observed(possible=TRUTH, because=words))
    last = max(courses, key=lambda one: days(_end(one))[1])
    known = Observed(possible=(True,), basis="entered", because=(given(last),))
    end = _end(last)
    return LastDose(
        known=known,
        date=end,
        approximate=last.approximate,
        during=not_after(end, day) is False,
        course=last,
    )


def follow_on(evidence: Evidence, dose: LastDose) -> Observed:
    """Return whether another antiresorptive was started within 7 months of a dose.

    As stated; else as the courses entered say. Where none is entered after the dose it is
    not known: a drug that nobody mentions may have been given.
    """
    stated = evidence.truth("antiresorptive_follow_on")
    if not dose.date:
        return stated
    after, open_, later = [], [], []
    for course in evidence.drugs(drug_class=ANTIRESORPTIVE):
        if course == dose.course or _ended_before(course, dose.date):
            continue
        if not course.first_dose:
            open_.append(f"{given(course)}: first dose not known")
            continue
        gap = Months.between(
            dose.date,
            course.first_dose,
            approximate=(dose.approximate, course.approximate),
        )
        words = f"{given(course)}: {gap.text} after the last dose of denosumab"
        if gap.latest <= 0:
            # Begun before the last dose: it counts only where it is said to go on.
            if course.ongoing or _goes_past(course, dose.date):
                open_.append(f"{given(course)}: begun before the last dose and continued")
        elif gap.earliest > FOLLOW_ON_MONTHS:
            later.append(words)
        elif gap.earliest > 0 and gap.latest <= FOLLOW_ON_MONTHS:
            after.append(words)
        else:
            open_.append(words)
    return _joined(evidence, stated, (after, open_, later))


def _joined(
    evidence: Evidence, stated: Observed, said: tuple[list[str], list[str], list[str]]
) -> Observed:
    """Return what is stated of a follow-on together with what the courses say."""
    after, open_, later = map(tuple, said)
    if stated.known and not (after and stated.possible == (False,)):
        return stated
    if stated.known:
        evidence.conflicts.append(
            f"antiresorptive_follow_on: {'; '.join(stated.because)}, but "
            f"{'; '.join(after)}"
        )
        return Observed(possible=TRUTH, because=(*stated.because, *after))
    if after:
        return Observed(possible=(True,), basis="entered", because=after)
    if open_:
        return Observed(possible=TRUTH, because=(*open_, *later))
    if later:
        return Observed(possible=(False,), basis="entered", because=later)
    return stated


def _end(course: DrugCourse) -> str:
    """Return the date of the last dose; of a single dose it is the first."""
    return course.last_dose or (course.first_dose if course.doses == 1 else "")


def _why_open(course: DrugCourse) -> str:
    if course.ongoing and _end(course):
        return "stated as still given: doses after that one are not known"
    return "last dose not known"


def _ended_before(course: DrugCourse, date: str) -> bool:
    return bool(_end(course)) and not_after(_end(course), date) is True


def _goes_past(course: DrugCourse, date: str) -> bool:
    return bool(_end(course)) and not_after(_end(course), date) is False
