"""One new fracture beside the last dose of denosumab: the rule RVF_FLAG.

Timing: 7 months off treatment (Cummings, JBMR 2018, 10.1002/jbmr.3337); the upper limit
and the follow-on limit are choices of this project.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from osteotrace.change import IncidentFracture, Sign, fractures_of_unknown_age
from osteotrace.findings.dates import days, not_after
from osteotrace.staging.evidence import Evidence
from osteotrace.staging.rule_table import (
    TRUTH,
    Criterion,
    Observed,
    Outcome,
    Rule,
    RuleTable,
    evaluate,
)
from osteotrace.staging.vertebrae import denosumab
from osteotrace.staging.vertebrae.denosumab import FLAG_MONTHS, Months

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osteotrace.findings import Case
    from osteotrace.staging.rule_table import Evaluation, Value

VERSION: Final = "1"
SOURCE: Final = (
    "Cummings, JBMR 2018, 10.1002/jbmr.3337; Tsourdi (ECTS), J Clin Endocrinol Metab "
    "2021;106:264-281; limits of 24, 7 and 6 months are choices of this project"
)
NO_FLAG: Final = "no flag"
FLAG: Final = "flag"

_FLAG_RULE: Final = (
    "denosumab_last_date_known and new_vcf and not high_energy_trauma "
    "and within_7_to_24_months and not antiresorptive_started_within_7_months"
)
# One fracture: the rule RVF_FLAG.
FRACTURE_TABLE: Final = RuleTable(
    system="rebound_fracture",
    version=VERSION,
    source=SOURCE,
    stages=(NO_FLAG, FLAG),
    criteria=(
        Criterion(
            name="denosumab_last_date_known",
            question="Was denosumab given, and when was its last dose?",
        ),
        Criterion(
            name="new_vcf",
            question="Is there a vertebral fracture that is new?",
            facts=("vcf_new",),
            kinds=("vcf",),
        ),
        Criterion(
            name="high_energy_trauma",
            question="Was the vertebral fracture caused by a high-energy trauma?",
            facts=("high_energy_trauma",),
        ),
        Criterion(
            name="within_7_to_24_months",
            question="Did the fracture arise 7 to 24 months after the last dose of "
            "denosumab: when was that dose, and do the first images of the fracture show "
            "it as new or with edema?",
            facts=("vcf_new", "vertebral_edema"),
            kinds=("marrow_edema",),
        ),
        Criterion(
            name="antiresorptive_started_within_7_months",
            question="Was another antiresorptive drug started within seven months of "
            "the last dose of denosumab?",
            facts=("antiresorptive_follow_on",),
        ),
    ),
    outcomes={name: Outcome(lowest=name, highest=name) for name in (NO_FLAG, FLAG)},
    rules=tuple(
        Rule(id=name, when=when, outcome=outcome, source=SOURCE, evidence="D")
        for name, when, outcome in (
            ("RVF-NO-FLAG", f"not ({_FLAG_RULE})", NO_FLAG),
            ("RVF-FLAG", _FLAG_RULE, FLAG),
        )
    ),
)
# The drug's history is the same for every fracture: it is asked once.
OF_THE_PATIENT: Final = (
    "denosumab_last_date_known",
    "antiresorptive_started_within_7_months",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """A new fracture, or none, beside the last dose of denosumab before it.

    Parameters
    ----------
    fracture : IncidentFracture or None
    months : Months or None
        From the dose to the fracture; None where the dose is not known.
    evaluation : Evaluation
    onset : (str, str)
        The first and the last date on which it may have happened.
    """

    fracture: IncidentFracture | None
    months: Months | None
    evaluation: Evaluation
    onset: tuple[str, str] = ("", "")

    @property
    def site(self) -> str:
        """Its level; empty where no fracture is known."""
        return "" if self.fracture is None else self.fracture.site

    @property
    def accepted(self) -> bool:
        """True where a reader accepts it as new."""
        return self.evaluation.observed["new_vcf"].possible == (True,)

    @property
    def may_be(self) -> bool:
        """True where the flag holds for some assignment of the unknowns."""
        return self.evaluation.highest == FLAG

    @property
    def is_flag(self) -> bool:
        """True where the flag holds whatever the unknowns are."""
        return self.evaluation.lowest == FLAG


def judged(
    evidence: Evidence,
    fracture: IncidentFracture | None,
    every: Sequence[IncidentFracture] = (),
) -> Judged:
    """Return a fracture, or that none is known, by the rule.

    Parameters
    ----------
    evidence : Evidence
        What is known at the date that is staged.
    fracture : IncidentFracture or None
    every : sequence of IncidentFracture
        All fractures up to the date: a statement of no level may be of another one.
    """
    seen = evidence.date if fracture is None else fracture.first_seen
    approximate = fracture is not None and fracture.approximate
    dose = denosumab.last_dose(evidence, seen)
    onset = ("", "") if fracture is None else (_since(evidence, fracture), seen)
    months = None
    if fracture is not None and seen and dose.date and not dose.during:
        months = Months.between(
            dose.date,
            seen,
            approximate=(dose.approximate, approximate),
            since=onset[0],
        )
    observed = {
        "denosumab_last_date_known": dose.known,
        "new_vcf": _is_new(evidence, fracture),
        "high_energy_trauma": _trauma(evidence, fracture, every),
        "within_7_to_24_months": _in_time(evidence, fracture, dose, months),
        "antiresorptive_started_within_7_months": denosumab.follow_on(evidence, dose),
    }
    return Judged(
        fracture=fracture,
        months=months,
        evaluation=evaluate(FRACTURE_TABLE, observed),
        onset=onset,
    )


def _since(evidence: Evidence, fracture: IncidentFracture) -> str:
    """Return the first date on which a fracture may have happened; empty if not known.

    One that is stated as new, or shows edema, on the images that it is first seen on is
    of their date. Any other may have happened since the level was last seen without it.
    """
    seen = fracture.first_seen
    stated = any(
        sign.basis == "stated new" and sign.certainty != "unknown"
        for sign in fracture.signs
    )
    if not seen or stated:
        return seen
    edema = Evidence(evidence.case, seen.split("T")[0]).truth(
        "vertebral_edema",
        kinds=("marrow_edema",),
        sites={fracture.site},
        site=fracture.site,
    )
    return seen if edema.possible == (True,) else fracture.last_without


def _in_time(
    evidence: Evidence,
    fracture: IncidentFracture | None,
    dose: denosumab.LastDose,
    months: Months | None,
) -> Observed:
    """Return whether a fracture lies in the months after the dose that count."""
    if dose.during:
        possible: tuple[Value, ...] = (False,)
        because = dose.known.because
    elif months is None:
        return Observed(possible=TRUTH)
    else:
        possible = months.within(*FLAG_MONTHS)
        because = (f"{months.text} after the last dose",)
    since = "" if fracture is None else _since(evidence, fracture)
    if possible == (False,) and fracture is not None:
        if not since and months is not None and months.latest > FLAG_MONTHS[1]:
            said = "nothing says since when it is there"
            return Observed(possible=TRUTH, because=(*because, said))
        if since and _after_an_earlier_course(evidence, since, dose):
            said = "or after an earlier course of denosumab"
            return Observed(possible=TRUTH, because=(*because, said))
    return Observed(possible=possible, basis="derived", because=because)


def _after_an_earlier_course(
    evidence: Evidence, since: str, dose: denosumab.LastDose
) -> bool:
    """Tell whether a fracture may lie between an earlier course and the last one."""
    if dose.course is None or not dose.course.first_dose:
        return False
    if not_after(dose.course.first_dose, since) is True:
        return False
    return any(
        one != dose.course
        for one in evidence.drugs(drug="denosumab")
        if not one.first_dose or not_after(one.first_dose, dose.course.first_dose)
    )


def _is_new(evidence: Evidence, fracture: IncidentFracture | None) -> Observed:
    """Return whether a fracture is new and accepted by a named reader."""
    if fracture is None:
        return _none_seen(evidence)
    because = tuple(dict.fromkeys(sign.text for sign in fracture.signs))
    if fracture.proposed:
        words = (*because, "proposed and not accepted by a reader")
        return Observed(possible=TRUTH, basis="proposed", because=words)
    if fracture.suspected:
        doubt = () if fracture.certainty == "unknown" else ("suspected",)
        return Observed(possible=TRUTH, because=(*because, *doubt))
    stated = fracture.signs[0].basis in {"stated new", "grade read"}
    return Observed(
        possible=(True,), basis="entered" if stated else "measured", because=because
    )


def maybe_new(case: Case, *, until: str) -> tuple[IncidentFracture, ...]:
    """Return the fractures of which nothing says whether they were new, as unknown ones.

    One that was cemented when it was first seen is left out.
    """
    why = Sign(
        basis="stated new",
        certainty="unknown",
        text="a fracture, and nothing says whether it was new",
    )
    return tuple(
        IncidentFracture(
            site=one.site,
            first_seen=one.first_seen,
            last_without="",
            certainty="unknown",
            signs=(why,),
        )
        for one in fractures_of_unknown_age(case, until=until)
        if not one.cemented
    )


def _none_seen(evidence: Evidence) -> Observed:
    """Return whether there is a new fracture where none is known: no, or unknown."""
    spine = evidence.truth(kinds=("vcf",), sites={"spine"})
    return spine if spine.possible == (False,) else Observed(possible=TRUTH)


def _trauma(
    evidence: Evidence,
    fracture: IncidentFracture | None,
    every: Sequence[IncidentFracture],
) -> Observed:
    """Return whether a high-energy trauma caused a fracture.

    What holds on the day it was seen counts, else the first statement after it: an
    earlier one is of an earlier fracture. One that names no level counts on the day the
    fracture was seen, or later where no other was seen up to then; a trauma of that day
    is of a fracture only where no other was first seen with it.
    """
    name = "high_energy_trauma"
    if fracture is None or not fracture.first_seen:
        return evidence.truth(name, site="" if fracture is None else fracture.site)
    site, seen = fracture.site, fracture.first_seen
    others = [one for one in every if one is not fracture]
    for text in (seen, *_later_statements(evidence, site, seen)):
        if any(one.site == site and _lies_in(one, seen, text) for one in others):
            break
        then = Evidence(evidence.case, text, evidence.conflicts)
        alone = not any(_lies_in(one, seen, text) for one in others)
        answers = [then.truth(name, site=site)]
        unsited = then.truth(name)
        if alone or (text == seen and unsited.possible == (False,)):
            answers.append(unsited)
        answer = then.agreed(name, *answers)
        if answer.known or answer.contradicted:
            return answer
    return Observed(possible=TRUTH)


def _later_statements(evidence: Evidence, site: str, seen: str) -> list[str]:
    """Return the dates from a day on with a word on a trauma of a level, or of none."""
    stated = {
        fact.date
        for fact in evidence.case.stated()
        if fact.name == "high_energy_trauma" and fact.site in ("", site) and fact.date
    }
    later = {
        text
        for text in stated
        if text != seen
        and days(seen)[0] <= days(text)[1]
        and days(text)[0] <= days(evidence.date)[1]
    }
    return sorted(later, key=days)


def _lies_in(fracture: IncidentFracture, first: str, last: str) -> bool:
    """Tell whether a fracture may have been first seen between two dates."""
    seen = fracture.first_seen
    return not seen or (
        days(first)[0] <= days(seen)[1] and days(seen)[0] <= days(last)[1]
    )
