"""One new fracture beside the last dose of denosumab: the rule RVF_FLAG.

Timing: 7 months off treatment (Cummings, JBMR 2018, 10.1002/jbmr.3337); the upper limit
and the follow-on limit are choices of this project.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from osteotrace.change import IncidentFracture, Sign, fractures_of_unknown_age
from osteotrace.change.level_readings import STATEMENTS
from osteotrace.findings.dates import days
from osteotrace.staging import denosumab
from osteotrace.staging.denosumab import FLAG_MONTHS, Months
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
from osteotrace.staging.spine import ACCEPTED

if TYPE_CHECKING:
    from osteotrace.findings import Case
    from osteotrace.staging.rule_table import Evaluation

VERSION: Final = "1"
SOURCE: Final = (
    "Cummings, JBMR 2018, 10.1002/jbmr.3337; Tsourdi (ECTS), J Clin Endocrinol Metab "
    "2021;106:264-281; limits of 24, 7 and 6 months are choices of this project"
)
NO_FLAG: Final = "no flag"
FLAG: Final = "flag"

_FLAG_RULE: Final = (
    "denosumab_last_date_known and new_vcf and not high_energy_trauma "
    "and months_7_to_24 and not antiresorptive_started_within_7_months"
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
            name="months_7_to_24",
            question="When was the fracture first seen, and when was the last dose of "
            "denosumab?",
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
    """A new fracture, or none, beside the last dose of denosumab before it."""

    fracture: IncidentFracture | None
    months: Months | None
    evaluation: Evaluation

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


def judged(evidence: Evidence, fracture: IncidentFracture | None) -> Judged:
    """Return a fracture, or that none is known, by the rule."""
    seen = evidence.date if fracture is None else fracture.first_seen
    approximate = fracture is not None and fracture.approximate
    dose = denosumab.last_dose(evidence, seen)
    months = None
    if fracture is not None and seen and dose.date and not dose.during:
        months = Months.between(
            dose.date, seen, approximate=(dose.approximate, approximate)
        )
    observed = {
        "denosumab_last_date_known": dose.known,
        "new_vcf": _is_new(evidence, fracture),
        "high_energy_trauma": _trauma(evidence, fracture),
        "months_7_to_24": _in_time(dose, months),
        "antiresorptive_started_within_7_months": denosumab.follow_on(evidence, dose),
    }
    return Judged(
        fracture=fracture, months=months, evaluation=evaluate(FRACTURE_TABLE, observed)
    )


def _in_time(dose: denosumab.LastDose, months: Months | None) -> Observed:
    if dose.during:
        return Observed(possible=(False,), basis="derived", because=dose.known.because)
    if months is None:
        return Observed(possible=TRUTH)
    return Observed(
        possible=months.within(*FLAG_MONTHS),
        basis="derived",
        because=(f"{months.text} after the last dose",),
    )


def _is_new(evidence: Evidence, fracture: IncidentFracture | None) -> Observed:
    """Return whether a fracture is new and accepted by a named reader."""
    if fracture is None:
        return _none_seen(evidence)
    because = tuple(dict.fromkeys(sign.text for sign in fracture.signs))
    if fracture.proposed or not _named(evidence, fracture):
        words = (*because, "proposed and not accepted by a reader")
        return Observed(possible=TRUTH, basis="proposed", because=words)
    if fracture.certainty not in ACCEPTED:
        doubt = () if fracture.certainty == "unknown" else ("suspected",)
        return Observed(possible=TRUTH, because=(*because, *doubt))
    return Observed(possible=(True,), basis="measured", because=because)


def _named(evidence: Evidence, fracture: IncidentFracture) -> bool:
    """Tell whether a named person states the fracture at the date it was first seen."""
    seen = fracture.first_seen
    facts = [(fact.date, fact) for fact in evidence.case.facts]
    for one in evidence.case.current():
        facts += [(fact.date or one.study_date, fact) for fact in one.facts]
        if one.study_date == seen and one.reader.strip():
            for finding in one.findings:
                if finding.kind == "vcf" and finding.site == fracture.site:
                    return True
    return any(
        date == seen
        and fact.name in STATEMENTS
        and fact.site == fracture.site
        and fact.author.strip()
        for date, fact in facts
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


def _trauma(evidence: Evidence, fracture: IncidentFracture | None) -> Observed:
    """Return whether a high-energy trauma caused a fracture.

    What holds on the day it was seen counts, else the first statement after it: an
    earlier one is of an earlier fracture.
    """
    name = "high_energy_trauma"
    if fracture is None or not fracture.first_seen:
        return evidence.truth(name)
    seen = days(fracture.first_seen)[0]
    stated = [
        fact.date or one.study_date
        for one in evidence.case.current()
        for fact in one.facts
        if fact.name == name
    ]
    stated += [fact.date for fact in evidence.case.facts if fact.name == name]
    later = {
        text
        for text in stated
        if text and seen <= days(text)[1] and days(text)[0] <= days(evidence.date)[1]
    }
    for text in (fracture.first_seen, *sorted(later, key=days)):
        then = Evidence(evidence.case, text, evidence.conflicts)
        answer = then.truth(name)
        if answer.known:
            return answer
    return evidence.truth(name)
