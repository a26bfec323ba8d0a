"""Rebound vertebral fracture after denosumab: a flag, not a diagnosis.

Timing: 7 months off treatment (Cummings, JBMR 2018, 10.1002/jbmr.3337); the upper limit,
the follow-on limit and the cluster are choices of this project, so the months are printed
beside it with the published window (Anastasilakis, JBMR 2017;32:1291-6).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.change import incident_fractures
from osteotrace.codes import FACTS
from osteotrace.codes.sites import VERTEBRAE
from osteotrace.findings import StagingPart
from osteotrace.findings.dates import DAYS_A_MONTH, days
from osteotrace.staging.evidence import Evidence
from osteotrace.staging.rule_table import (
    TRUTH,
    Criterion,
    Observed,
    Outcome,
    Rule,
    RuleTable,
    evaluate,
    fired_rule,
    reasons,
    result,
)
from osteotrace.staging.vertebrae.denosumab import (
    ESTIMATE_MONTHS,
    PUBLISHED_MONTHS,
    Months,
)
from osteotrace.staging.vertebrae.levels import shown
from osteotrace.staging.vertebrae.rebound_rule import (
    FLAG,
    FRACTURE_TABLE,
    NO_FLAG,
    OF_THE_PATIENT,
    SOURCE,
    VERSION,
    Judged,
    judged,
    maybe_new,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from osteotrace.findings import Case, FiredRule, Question, Reason, StagingResult
    from osteotrace.staging.rule_table import Evaluation

SYSTEMS: Final = ("rebound_fracture",)
ENABLED: Final = True
# Months within which new levels count as one cluster, and how many make it multiple.
CLUSTER_MONTHS: Final = 6.0
LEAST_LEVELS: Final = 2

MULTIPLE: Final = "flag, multiple"

_FLAGGED: Final = Criterion(name="flagged", question="Is there a fracture with the flag?")
# The patient: the rule RVF_MULTI.
TABLE: Final = RuleTable(
    system="rebound_fracture",
    version=VERSION,
    source=SOURCE,
    stages=(NO_FLAG, FLAG, MULTIPLE),
    criteria=(
        _FLAGGED,
        Criterion(
            name="two_new_levels_within_6_months",
            question="Are two or more levels newly fractured within six months?",
            facts=("vcf_new",),
            kinds=("vcf",),
        ),
    ),
    outcomes={
        name: Outcome(lowest=name, highest=name) for name in (NO_FLAG, FLAG, MULTIPLE)
    },
    rules=tuple(
        Rule(id=name, when=when, outcome=outcome, source=SOURCE, evidence="D")
        for name, when, outcome in (
            ("RVF-NONE", "not flagged", NO_FLAG),
            ("RVF-ONE", "flagged and not two_new_levels_within_6_months", FLAG),
            ("RVF-MULTI", "flagged and two_new_levels_within_6_months", MULTIPLE),
        )
    ),
)
# Other causes of the fracture, each with the fact that excludes it.
_CAUSES: Final = {
    "a malignant": "fracture_malignancy_excluded",
    "an infectious": "fracture_infection_excluded",
}
_LIKELY: Final = " and ".join(("flagged", *_CAUSES.values()))
# Whether the flag may be called likely: not while another cause is open.
LIKELY_TABLE: Final = RuleTable(
    system="rebound_fracture",
    version=VERSION,
    source=SOURCE,
    stages=("no", "yes"),
    criteria=(
        _FLAGGED,
        *(
            Criterion(name=fact, question=FACTS[fact].question, facts=(fact,))
            for fact in _CAUSES.values()
        ),
    ),
    outcomes={name: Outcome(lowest=name, highest=name) for name in ("no", "yes")},
    rules=tuple(
        Rule(id=name, when=when, outcome=outcome, source=SOURCE, evidence="D")
        for name, when, outcome in (
            ("RVF-LIKELY-NO", f"not ({_LIKELY})", "no"),
            ("RVF-LIKELY", _LIKELY, "yes"),
        )
    ),
)


def stage(case: Case, date: str) -> tuple[StagingResult, ...]:
    """Return the flag of a patient of whom a vertebra was read; none without denosumab.

    Without denosumab it is returned all the same where a vertebra newly broke: whether
    the drug was given is then the question.
    """
    evidence = Evidence(case, date)
    new = incident_fractures(case, until=date)
    given = evidence.drugs(drug="denosumab")
    if not new and not (given and _spine_was_read(evidence)):
        return ()
    fractures = (*new, *maybe_new(case, until=date))
    every = [judged(evidence, one, fractures) for one in fractures or (None,)]
    cluster = _cluster(every)
    flagged, several = _flagged(every), _several(cluster)
    known = {"flagged": flagged, "two_new_levels_within_6_months": several}
    likely = _likely(evidence, flagged)
    whole = result(
        evaluate(TABLE, known),
        date,
        parts=(*_parts(every), cluster.part, _likely_part(likely)),
        notes=("a flag, not a diagnosis",),
        conflicts=evidence.conflicts,
    )
    blocking = _blocking(every, flagged, cluster, several)
    return (
        msgspec.structs.replace(
            whole,
            rules=(*_fracture_rules(flagged), *whole.rules),
            reasons=(*_reasons(every, likely), *whole.reasons),
            blocking=blocking,
            ask=blocking[0] if blocking else None,
        ),
    )


def _flagged(every: Sequence[Judged]) -> Observed:
    """Return whether any fracture has the flag."""
    may_be = {
        False: not any(one.is_flag for one in every),
        True: any(one.may_be for one in every),
    }
    return Observed(
        possible=tuple(value for value, holds in may_be.items() if holds),
        basis="derived",
    )


def _several(cluster: Cluster) -> Observed:
    """Return whether two or more levels broke within six months."""
    ends = {len(levels) >= LEAST_LEVELS for levels in (cluster.sure, cluster.all)}
    return Observed(
        possible=tuple(value for value in TRUTH if value in ends),
        basis="derived",
        because=(cluster.text,),
    )


def _spine_was_read(evidence: Evidence) -> bool:
    """Tell whether any vertebra was looked at up to the date."""
    kinds = {"vcf", "vertebra", "cement", "endplate_depression"}
    return any(
        finding.site in VERTEBRAE or finding.site == "spine"
        for _, finding in evidence.findings(kinds, until=True)
    )


# All fractures --------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """The most levels newly broken within six months, one of them with the flag.

    Parameters
    ----------
    sure, all : tuple of str
        Levels that a reader accepts, and those with the suspected ones.
    """

    sure: tuple[str, ...]
    all: tuple[str, ...]

    @property
    def text(self) -> str:
        """The count in words, with the levels."""
        low, high = len(self.sure), len(self.all)
        count = f"{low}" if low == high else f"{low}..{high}"
        suspected = [site for site in self.all if site not in self.sure]
        words = [shown(self.sure)] if self.sure else []
        words += [f"not accepted: {shown(suspected)}"] if suspected else []
        said = f" ({'; '.join(words)})" if words else ""
        return f"new levels within 6 months: {count}{said}"

    @property
    def part(self) -> StagingPart:
        """The count as a line beside the stage."""
        return StagingPart(
            name="new levels within 6 months",
            lowest=f"{len(self.sure)}",
            highest=f"{len(self.all)}",
            text=self.text,
        )


def _cluster(every: Sequence[Judged]) -> Cluster:
    sure: tuple[str, ...] = ()
    most: tuple[str, ...] = ()
    for first in every:
        if first.fracture is None:
            continue
        near = [one for one in every if _follows(first, one)[1]]
        certain = [one for one in every if one.accepted and _follows(first, one)[0]]
        if any(one.may_be for one in near):
            most = max(most, _levels(near), key=len)
        if any(one.may_be for one in certain):
            sure = max(sure, _levels(certain), key=len)
    return Cluster(sure=sure, all=most)


def _levels(fractures: Iterable[Judged]) -> tuple[str, ...]:
    sites = {one.site for one in fractures}
    return tuple(site for site in VERTEBRAE if site in sites)


def _follows(first: Judged, other: Judged) -> tuple[bool, bool]:
    """Tell whether a fracture lies in the six months from another: surely, and maybe.

    Surely where both lie, whenever they happened, in the six months from the first day
    of the one. Maybe where they can, the one being seen first.
    """
    if first is other:
        return True, True
    one, second = _when(first), _when(other)
    if one is None or second is None:
        return False, True
    sure = (
        one[1] - one[0] <= CLUSTER_MONTHS
        and one[0] <= second[0]
        and second[1] - one[0] <= CLUSTER_MONTHS
    )
    maybe = one[1] <= second[1] and second[0] - one[1] <= CLUSTER_MONTHS
    return sure, maybe


def _when(one: Judged) -> tuple[float, float] | None:
    """Return the first and the last time of a fracture, in months; None if not known."""
    assert one.fracture is not None
    since, seen = one.onset
    if not seen:
        return None
    margin = ESTIMATE_MONTHS * one.fracture.approximate
    first = days(since)[0].toordinal() / DAYS_A_MONTH if since else -math.inf
    return first - margin, days(seen)[1].toordinal() / DAYS_A_MONTH + margin


def _parts(every: Sequence[Judged]) -> list[StagingPart]:
    """Return the months of each fracture, of all, and whether that was published."""
    timed = [(one, one.months) for one in every if one.months is not None]
    parts = [
        StagingPart(
            name=shown([one.site]),
            lowest=months.low_text,
            highest=months.high_text,
            text=_fracture_text(one, months),
        )
        for one, months in timed
    ]
    if not timed:
        return parts
    first = min((months for _, months in timed), key=lambda months: months.low)
    last = max((months for _, months in timed), key=lambda months: months.high)
    inside = [months.within(*PUBLISHED_MONTHS) for _, months in timed]
    whole = Months(low=first.low, high=last.high, earliest=first.low, latest=last.high)
    within = sum(answer == (True,) for answer in inside)
    may_be = sum(True in answer for answer in inside)
    count = f"{within}" if within == may_be else f"{within}..{may_be}"
    parts.append(
        StagingPart(
            name="months since last dose",
            lowest=first.low_text,
            highest=last.high_text,
            text=f"{whole.text} after the last dose of denosumab",
        )
    )
    parts.append(
        StagingPart(
            name="in published window",
            lowest="yes" if within == len(timed) else "no",
            highest="yes" if all(True in answer for answer in inside) else "no",
            text=f"{count} of {len(timed)} fractures in the published window of 8 to "
            "16 months (Anastasilakis, JBMR 2017;32:1291-6)",
        )
    )
    return parts


def _fracture_text(one: Judged, months: Months) -> str:
    fracture = one.fracture
    assert fracture is not None
    about = "about " if fracture.approximate else ""
    since = fracture.last_without
    words = [
        f"{shown([fracture.site])}: {months.text} after the last dose",
        f"first seen {about}{fracture.first_seen}",
    ]
    words += [f"last seen without it {since}"] if since else []
    words += [] if one.accepted else ["not accepted: " + _doubt(one)]
    return ", ".join(words)


def _doubt(one: Judged) -> str:
    return one.evaluation.observed["new_vcf"].because[-1]


def _likely(evidence: Evidence, flagged: Observed) -> Evaluation:
    known = {name: evidence.truth(name) for name in _CAUSES.values()}
    return evaluate(LIKELY_TABLE, {"flagged": flagged, **known})


def _likely_part(likely: Evaluation) -> StagingPart:
    """Return whether the flag may be called likely, with what blocks it."""
    blocking = {one.name for one in likely.blocking}
    open_ = [cause for cause, name in _CAUSES.items() if name in blocking]
    if likely.lowest == "yes":
        text = "likely: malignant and infectious causes are stated as excluded"
    elif likely.observed["flagged"].possible == (False,):
        text = "not called likely: no flag"
    elif likely.highest == "no":
        text = "not called likely: a malignant or infectious cause is not excluded"
    elif open_:
        words = " and ".join(f"{cause} cause" for cause in open_)
        text = f"not called likely: {words} not stated as excluded"
    else:
        text = "not called likely: the flag itself is not known"
    return StagingPart(
        name="likely", lowest=likely.lowest, highest=likely.highest, text=text
    )


def _reasons(every: Sequence[Judged], likely: Evaluation) -> tuple[Reason, ...]:
    """Return what was known of every fracture and of the drug, each once."""
    found: list[Reason] = []
    for one in every:
        for criterion in FRACTURE_TABLE.needed:
            site = "" if criterion.name in OF_THE_PATIENT else one.site
            found += reasons((criterion,), one.evaluation.observed, site)
    found += reasons(LIKELY_TABLE.needed[1:], likely.observed)
    return tuple(dict.fromkeys(found))


def _fracture_rules(flagged: Observed) -> tuple[FiredRule, ...]:
    """Return the rules for one fracture that decide the flag."""
    outcomes = {True: FLAG, False: NO_FLAG}
    wanted = {outcomes[bool(value)] for value in flagged.possible}
    return tuple(
        fired_rule(rule, FRACTURE_TABLE, certain=flagged.known)
        for rule in FRACTURE_TABLE.rules
        if rule.outcome in wanted
    )


def _blocking(
    every: Sequence[Judged], flagged: Observed, cluster: Cluster, several: Observed
) -> tuple[Question, ...]:
    """Return what blocks the flag, else the count; the best question first."""
    new = next(one for one in FRACTURE_TABLE.criteria if one.name == "new_vcf")
    if flagged.known:
        if flagged.possible == (False,) or several.known:
            return ()
        return tuple(new.asked(site) for site in cluster.all if site not in cluster.sure)
    found: list[Question] = []
    for one in every:
        best = one.evaluation.best_question
        for criterion in sorted(one.evaluation.blocking, key=lambda c: c is not best):
            site = "" if criterion.name in OF_THE_PATIENT else one.site
            found.append(criterion.asked(site))
    return tuple(dict.fromkeys(found))
