"""RAI-CROMRIS: points of chronic nonbacterial osteomyelitis on MRI, over bone units.

Capponi, Pediatr Rheumatol 2021;19:123. The abstract gives five items and 0 to 7 points a
bone unit; how the points are split was reconstructed and is not confirmed. It is staged
only when asked for by name, and every result says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.codes import BONE_UNITS, FACTS, VERTEBRAE
from osteotrace.codes.facts import BONE_UNIT
from osteotrace.findings import StagingPart, StagingResult
from osteotrace.staging.evidence import Evidence
from osteotrace.staging.rule_table import (
    Criterion,
    Observed,
    Outcome,
    Rule,
    RuleTable,
    evaluate,
    fired_rule,
    reasons,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from osteotrace.findings import Case, FiredRule, Question
    from osteotrace.staging.rule_table import Evaluation

SYSTEMS: Final = ("rai_cromris",)
# The split of the points awaits the paper's own table.
ENABLED: Final = False
VERSION: Final = "1"
UNCONFIRMED: Final = (
    "how the points are split is reconstructed and not confirmed: the abstract gives "
    "five items and 0 to 7 points a bone unit; staged because it was asked for by name"
)
# Shares of a bone unit at which the points change, in per cent.
SMALL_PERCENT: Final = 25.0
LARGE_PERCENT: Final = 50.0

_SOURCE: Final = "Capponi, Pediatr Rheumatol 2021;19:123 (abstract); points reconstructed"
_EXTENTS: Final = ("under 25 %", "25 to 50 %", "over 50 %")
_MARROW: Final = ("marrow_edema",)
# Criteria that findings answer too, each by itself.
_KINDS: Final[dict[str, tuple[str, ...]]] = {
    "signal_hyperintense": _MARROW,
    "soft_tissue_or_periosteal": ("soft_tissue_edema", "periosteal_reaction"),
    "bone_expansion": ("bone_expansion",),
    "vertebral_collapse": (),
}


def _fact(name: str) -> Criterion:
    question = FACTS[name].question
    return Criterion(name=name, question=question, facts=(name,), kinds=_KINDS[name])


def _item(
    name: str, criteria: tuple[Criterion, ...], rows: tuple[tuple[str, str, int], ...]
) -> RuleTable:
    """Return one item as a table: its rules, and the points that each gives."""
    points = range(max(each for _, _, each in rows) + 1)
    return RuleTable(
        system="rai_cromris",
        version=VERSION,
        source=_SOURCE,
        stages=tuple(map(str, points)),
        criteria=criteria,
        outcomes={
            str(each): Outcome(lowest=str(each), highest=str(each))
            for each in sorted({each for _, _, each in rows})
        },
        rules=tuple(
            Rule(
                id=f"RAICR-{name}-{row}",
                when=when,
                outcome=str(each),
                source=_SOURCE,
                evidence="D",
            )
            for row, when, each in rows
        ),
    )


def _yes_or_no(name: str, fact: str) -> RuleTable:
    rows = (("NO", f"not {fact}", 0), ("YES", fact, 1))
    return _item(name, (_fact(fact),), rows)


# One point for the signal, and one to three for how far it reaches.
ITEMS: Final[tuple[RuleTable, ...]] = (
    _item(
        "SIGNAL",
        (
            _fact("signal_hyperintense"),
            Criterion(
                name="extension",
                question=FACTS["signal_extension"].question,
                facts=("signal_extension",),
                values=_EXTENTS,
            ),
        ),
        (
            ("NONE", "not signal_hyperintense", 0),
            *(
                (row, f"signal_hyperintense and extension == {extent!r}", points)
                for row, extent, points in zip(
                    ("SMALL", "MIDDLE", "LARGE"), _EXTENTS, (2, 3, 4), strict=True
                )
            ),
        ),
    ),
    _yes_or_no("SOFT-TISSUE", "soft_tissue_or_periosteal"),
    _yes_or_no("EXPANSION", "bone_expansion"),
    _yes_or_no("COLLAPSE", "vertebral_collapse"),
)
MOST_POINTS: Final = sum(len(item.stages) - 1 for item in ITEMS)


@dataclass(frozen=True)
class _Unit:
    """A bone unit: its site and side, and its items."""

    site: str
    laterality: str
    items: tuple[Evaluation, ...]

    @property
    def name(self) -> str:
        return "_".join(filter(None, (self.laterality, self.site)))

    @property
    def words(self) -> str:
        return self.name.replace("_", " ")

    @property
    def points(self) -> tuple[int, ...]:
        """Every number of points that some assignment of the unknowns gives."""
        return _sums([int(name) for name in item.possible] for item in self.items)

    def questions(self) -> Iterator[tuple[float, Question]]:
        """Yield what blocks, each with the points by which an answer would narrow."""
        for item in self.items:
            for one in item.blocking:
                gained = item.width - item.left_after(one)[0]
                asked = one.asked(self.site)
                yield (
                    gained,
                    msgspec.structs.replace(
                        asked,
                        criterion=f"{self.name}.{one.name}",
                        text=f"{asked.text.rstrip('?')} ({self.words})?",
                    ),
                )


def _sums(choices: Iterable[Iterable[int]]) -> tuple[int, ...]:
    """Return every sum of one number from each choice."""
    totals = {0}
    for each in choices:
        totals = {total + one for total in totals for one in tuple(each)}
    return tuple(sorted(totals))


def observed(evidence: Evidence, site: str, laterality: str) -> dict[str, Observed]:
    """Return what is known of each criterion of a bone unit."""

    def seen(name: str) -> Observed:
        parts = [
            evidence.truth(kinds=(kind,), sites=(site,), laterality=laterality)
            for kind in _KINDS[name]
        ]
        stated = evidence.truth(name, site=site, laterality=laterality)
        return evidence.any_of(parts, stated)

    reaches = evidence.holds(
        "signal_extension", lambda share: share > 0, site=site, laterality=laterality
    )
    signal = seen("signal_hyperintense")
    return {
        "signal_hyperintense": evidence.agreed("signal_hyperintense", signal, reaches),
        "extension": _extension(evidence, site, laterality),
        "soft_tissue_or_periosteal": seen("soft_tissue_or_periosteal"),
        "bone_expansion": seen("bone_expansion"),
        "vertebral_collapse": _collapse(evidence, site, seen("vertebral_collapse")),
    }


def _extension(evidence: Evidence, site: str, laterality: str) -> Observed:
    stated = evidence.number("signal_extension", site=site, laterality=laterality)
    if stated is None:
        return Observed(possible=_EXTENTS)
    first, last = _extent(stated.low), _extent(stated.high)
    return Observed(
        possible=_EXTENTS[first : last + 1], basis="entered", because=stated.because
    )


def _extent(percent: float) -> int:
    return (percent >= SMALL_PERCENT) + (percent > LARGE_PERCENT)


def _collapse(evidence: Evidence, site: str, stated: Observed) -> Observed:
    """Return whether a vertebra is collapsed; another bone never is."""
    if site in VERTEBRAE:
        return stated
    bone = f"{site.replace('_', ' ')} is no vertebra"
    if stated.possible == (True,):
        evidence.conflicts.append(f"{'; '.join(stated.because)}, but {bone}")
    return Observed(possible=(False,), basis="derived", because=(bone,))


def stage(case: Case, date: str) -> tuple[StagingResult, ...]:
    """Return the sum over the bone units of which something is known."""
    evidence = Evidence(case, date)
    units = []
    for site, laterality in _bone_units(evidence):
        known = observed(evidence, site, laterality)
        items = tuple(evaluate(item, known) for item in ITEMS)
        units.append(_Unit(site, laterality, items))
    return (_result(units, evidence),) if units else ()


def _bone_units(evidence: Evidence) -> list[tuple[str, str]]:
    stated = {
        (site, fact.laterality)
        for name, definition in FACTS.items()
        if definition.group == BONE_UNIT
        for site in BONE_UNITS
        for fact in evidence.facts(name, site=site)
    }
    seen = {
        (finding.site, finding.laterality)
        for _, finding in evidence.findings(_MARROW, sites=BONE_UNITS)
    }
    return sorted(stated | seen, key=lambda unit: (BONE_UNITS.index(unit[0]), unit[1]))


def _result(units: Sequence[_Unit], evidence: Evidence) -> StagingResult:
    sums = _sums(unit.points for unit in units)
    questions = [one for unit in units for one in unit.questions()]
    count = "1 bone unit" if len(units) == 1 else f"{len(units)} bone units"
    return StagingResult(
        system="rai_cromris",
        version=VERSION,
        date=evidence.date,
        stages=tuple(str(n) for n in range(MOST_POINTS * len(units) + 1)),
        lowest=str(sums[0]),
        highest=str(sums[-1]),
        possible=tuple(map(str, sums)),
        source=_SOURCE,
        rules=_rules(units),
        reasons=tuple(
            reason
            for unit in units
            for item in unit.items
            for reason in reasons(item.table.needed, item.observed, unit.name)
        ),
        blocking=tuple(question for _, question in questions),
        ask=max(questions, key=lambda one: one[0])[1] if questions else None,
        parts=tuple(map(_part, units)),
        notes=(UNCONFIRMED, f"the sum is over {count} of which something is stated"),
        conflicts=tuple(dict.fromkeys(evidence.conflicts)),
    )


def _rules(units: Sequence[_Unit]) -> tuple[FiredRule, ...]:
    """Return the rules that fire for some unit; certain where they do for one."""
    fired: dict[str, FiredRule] = {}
    for unit in units:
        for item in unit.items:
            certain = len(item.rules) == 1
            for rule in item.rules:
                if rule.id not in fired or certain:
                    fired[rule.id] = fired_rule(rule, item.table, certain=certain)
    return tuple(fired.values())


def _part(unit: _Unit) -> StagingPart:
    low, high = str(unit.points[0]), str(unit.points[-1])
    interval = low if low == high else f"{low}..{high}"
    return StagingPart(
        name=unit.name,
        lowest=low,
        highest=high,
        text=f"{unit.words} {interval} of {MOST_POINTS}",
    )
