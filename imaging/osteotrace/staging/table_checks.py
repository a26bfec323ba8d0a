"""What a table of rules must be before it is evaluated; else it is wrong in itself."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from osteotrace.staging import expressions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from osteotrace.staging.rule_table import RuleTable


def check(table: RuleTable) -> None:
    """Refuse a table that names what it does not have.

    That exactly one rule holds for every assignment is checked where it is evaluated.

    Raises
    ------
    ValueError
        With the first thing that is wrong.
    """
    problem = next(_problems(table), None)
    if problem is not None:
        raise ValueError(f"{table.system}: {problem}")


def _problems(table: RuleTable) -> Iterator[str]:
    criteria = [one.name for one in table.criteria]
    yield from _twice("criterion or term", [*criteria, *table.terms])
    yield from _twice("rule", [rule.id for rule in table.rules])
    known = set(criteria)
    for name, condition in table.terms.items():
        yield from _of_condition(table, condition, known, f"term {name}")
        known.add(name)
    for rule in table.rules:
        yield from _of_condition(table, rule.when, known, f"rule {rule.id}")
        if rule.outcome not in table.outcomes:
            yield f"rule {rule.id} leads to {rule.outcome!r}, which is no outcome"
    for name, outcome in table.outcomes.items():
        strange = {outcome.lowest, outcome.highest} - set(table.stages)
        if strange:
            yield f"outcome {name!r} has no stage {min(strange)!r}"
        elif table.stages.index(outcome.lowest) > table.stages.index(outcome.highest):
            yield f"outcome {name!r} runs from {outcome.lowest} to {outcome.highest}"


def _of_condition(
    table: RuleTable, condition: str, known: set[str], where: str
) -> Iterator[str]:
    tree = expressions.parsed(condition)
    strange = expressions.names(tree) - known
    if strange:
        yield f"{where} names {min(strange)!r}, no criterion or term before it"
    values = {one.name: one.values for one in table.criteria}
    for name in sorted(expressions.truths(tree)):
        if not all(isinstance(value, bool) for value in values.get(name, ())):
            yield f"{where} takes {name!r} as true or false, which it is not"
    for name, value in sorted(expressions.comparisons(tree), key=str):
        same = [one for one in values.get(name, ()) if one == value]
        if not any(type(one) is type(value) for one in same):
            yield f"{where} compares {name!r} with {value!r}, which it never is"


def _twice(what: str, names: Iterable[str]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"the {what} {name!r} is there twice"
