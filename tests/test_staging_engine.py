"""The three-valued engine, against plain Python over every assignment."""

from __future__ import annotations

from itertools import product
from random import Random
from statistics import mean

import pytest
from tests.fixtures.statements import assignments

from osteotrace.staging import expressions
from osteotrace.staging.rule_table import (
    Criterion,
    Observed,
    Outcome,
    Rule,
    RuleTable,
    Value,
    evaluate,
    result,
)

WALLS = ("under", "exactly", "over")


def criterion(name: str, values: tuple[Value, ...] = (False, True)) -> Criterion:
    return Criterion(name=name, question=f"{name}?", values=values)


def table(
    *rules: tuple[str, str],
    criteria: tuple[Criterion, ...],
    terms: dict[str, str] | None = None,
    outcomes: dict[str, Outcome] | None = None,
    stages: tuple[str, ...] = ("0", "1", "2", "3"),
) -> RuleTable:
    plain = {name: Outcome(lowest=name, highest=name) for name in stages}
    return RuleTable(
        system="brown",
        version="1",
        source="a test",
        stages=stages,
        criteria=criteria,
        terms=terms or {},
        outcomes=outcomes or plain,
        rules=tuple(
            Rule(id=f"R-{n}", when=when, outcome=outcome, source="a test", evidence="D")
            for n, (when, outcome) in enumerate(rules)
        ),
    )


# Conditions --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "condition",
    [
        "",
        "pain and",
        "pain; pus",
        "pain()",
        "pain.real",
        "pain[0]",
        "pain + pus",
        "pain & pus",
        "pain if pus else pain",
        "lambda: pain",
        "weeks > 8",
        "weeks != 8",
        "wall in ('over',)",
        "0 == weeks == 1",
        "wall == other",
        "'over' == wall",
        "wall == 'over' == 'under'",
        "wall == 0.5",
        "wall == None",
        "True",
        "'over'",
        "-pain",
        "~pain",
        "[pain]",
        "(pain := pus)",
        "__import__('os')",
    ],
)
def test_a_condition_holds_criteria_and_or_not_and_equality_alone(condition: str) -> None:
    with pytest.raises(ValueError, match="condition"):
        expressions.parsed(condition)


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("pain", {"pain"}),
        ("pain and not (pus or pain)", {"pain", "pus"}),
        ("wall == 'over' and grade == 2", {"wall", "grade"}),
    ],
)
def test_a_condition_names_its_criteria(condition: str, names: set[str]) -> None:
    assert expressions.names(expressions.parsed(condition)) == names


# Tables that are wrong ---------------------------------------------------------------

PAIN, PUS = criterion("pain"), criterion("pus")
WALL = criterion("wall", WALLS)


def test_a_table_in_which_two_rules_hold_is_refused() -> None:
    overlapping = table(
        ("pain", "1"), ("pus", "2"), ("not pus", "0"), criteria=(PAIN, PUS)
    )
    with pytest.raises(ValueError, match=r"2 rules hold for .'pain': True"):
        evaluate(overlapping, {})


def test_a_table_in_which_no_rule_holds_is_refused() -> None:
    gap = table(("pain", "1"), ("pus and not pain", "2"), criteria=(PAIN, PUS))
    with pytest.raises(
        ValueError, match=r"0 rules hold for .'pain': False, 'pus': False"
    ):
        evaluate(gap, {})


def test_what_is_wrong_only_elsewhere_than_the_case_is_not_met() -> None:
    gap = table(("pain", "1"), ("pus and not pain", "2"), criteria=(PAIN, PUS))
    assert evaluate(gap, {"pain": Observed(possible=(True,))}).lowest == "1"


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ([("pain", "1"), ("not pane", "0")], "names 'pane'"),
        ([("pain", "1"), ("not pain", "4")], "leads to '4'"),
        ([("pain and wall", "1"), ("not pain", "0")], "takes 'wall' as true or false"),
        ([("wall == 'ovr'", "1"), ("not pain", "0")], "compares 'wall' with 'ovr'"),
        ([("wall == 1", "1"), ("not pain", "0")], "compares 'wall' with 1"),
        ([("pain == 1", "1"), ("not pain", "0")], "compares 'pain' with 1"),
        ([("bad == 'over'", "1"), ("not pain", "0")], "compares 'bad' with 'over'"),
        ([("pain", "1"), ("pain >", "0")], "invalid syntax"),
    ],
)
def test_a_rule_that_names_what_the_table_does_not_have_is_refused(
    rules: list[tuple[str, str]], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        table(*rules, criteria=(PAIN, WALL), terms={"bad": "pain"})


def test_a_term_may_use_only_the_terms_before_it() -> None:
    rules = (("far", "1"), ("not far", "0"))
    good = {"near": "pain", "far": "near or pus"}
    assert evaluate(table(*rules, criteria=(PAIN, PUS), terms=good), {}).highest == "1"
    with pytest.raises(ValueError, match="term far names 'near'"):
        table(*rules, criteria=(PAIN, PUS), terms={"far": "near or pus", "near": "pain"})


def test_names_are_there_once_and_outcomes_run_upwards() -> None:
    with pytest.raises(ValueError, match="'pain' is there twice"):
        table(("pain", "1"), ("not pain", "0"), criteria=(PAIN, PAIN))
    for low, high in (("2", "1"), ("1", "4")):
        with pytest.raises(ValueError, match="outcome 'odd'"):
            table(
                ("pain", "odd"),
                ("not pain", "odd"),
                criteria=(PAIN,),
                outcomes={"odd": Outcome(lowest=low, highest=high)},
            )


@pytest.mark.parametrize("possible", [(), ("beside",), (True,)])
def test_a_criterion_is_never_what_it_cannot_be(possible: tuple[Value, ...]) -> None:
    one = table(("wall == 'over'", "1"), ("not wall == 'over'", "0"), criteria=(WALL,))
    with pytest.raises(ValueError, match="wall is one of"):
        evaluate(one, {"wall": Observed(possible=possible)})


def test_too_many_unknowns_are_refused_before_memory_is_taken() -> None:
    many = tuple(criterion(f"c{n}") for n in range(40))
    every = " or ".join(one.name for one in many)
    wide = table((every, "1"), (f"not ({every})", "0"), criteria=many)
    with pytest.raises(ValueError, match="combinations of unknowns"):
        evaluate(wide, {})


# Against brute force -----------------------------------------------------------------


def random_condition(random: Random, names: list[str], depth: int = 3) -> str:
    if depth == 0 or random.random() < 0.25:
        name = random.choice(names)
        return f"wall == {random.choice(WALLS)!r}" if name == "wall" else name
    if random.random() < 0.25:
        return f"not ({random_condition(random, names, depth - 1)})"
    sides = [random_condition(random, names, depth - 1) for _ in range(2)]
    return f"({sides[0]}) {random.choice(['and', 'or'])} ({sides[1]})"


def random_table(random: Random) -> RuleTable:
    """Return a table whose rules are read from the top, each where none before held."""
    criteria = [criterion(f"c{n}") for n in range(random.randint(2, 4))]
    criteria.insert(random.randrange(len(criteria)), WALL)
    names = [one.name for one in criteria]
    terms = {"term": random_condition(random, names)}
    conditions = [
        random_condition(random, [*names, "term"]) for _ in range(random.randint(2, 4))
    ]
    stages = ("0", "1", "2", "3")
    outcomes = {name: Outcome(lowest=name, highest=name) for name in stages}
    outcomes["check"] = Outcome(lowest="1", highest="3", note="check")
    rules = []
    for n, one in enumerate([*conditions, None]):
        before = [f"not ({earlier})" for earlier in conditions[:n]]
        own = [] if one is None else [f"({one})"]
        rules.append((" and ".join([*own, *before]), random.choice(list(outcomes))))
    return table(*rules, criteria=tuple(criteria), terms=terms, outcomes=outcomes)


def random_knowledge(random: Random, one: RuleTable) -> dict[str, Observed]:
    known = {}
    for each in one.criteria:
        count = random.choice([1, len(each.values), len(each.values)])
        chosen = random.sample(range(len(each.values)), count)
        known[each.name] = Observed(
            possible=tuple(each.values[n] for n in sorted(chosen))
        )
    return known


def outcome_of(one: RuleTable, values: dict[str, Value]) -> str:
    """Return the outcome of a full assignment as Python itself reads the rules."""
    names = dict(values)
    for term, condition in one.terms.items():
        names[term] = bool(eval(condition, {}, dict(names)))
    (rule,) = [rule for rule in one.rules if eval(rule.when, {}, dict(names))]
    return rule.outcome


class BruteForce:
    """Everything the engine says, by loops over assignments."""

    def __init__(self, one: RuleTable, known: dict[str, Observed]) -> None:
        self.table = one
        self.names = [each.name for each in one.needed]
        self.choices = [known[name].possible for name in self.names]
        unused = {
            each.name: each.values[0] for each in one.criteria if each not in one.needed
        }
        self.outcome = {
            values: outcome_of(one, unused | dict(zip(self.names, values, strict=True)))
            for values in product(*self.choices)
        }

    def ends(self, outcomes: list[str]) -> tuple[int, int]:
        place = self.table.stages.index
        lows = [place(self.table.outcomes[name].lowest) for name in outcomes]
        highs = [place(self.table.outcomes[name].highest) for name in outcomes]
        return min(lows), max(highs)

    def blocking(self) -> list[str]:
        found = []
        for n, name in enumerate(self.names):
            others: dict[tuple[Value, ...], set[str]] = {}
            for values, outcome in self.outcome.items():
                others.setdefault(values[:n] + values[n + 1 :], set()).add(outcome)
            if any(len(outcomes) > 1 for outcomes in others.values()):
                found.append(name)
        return found

    def best_question(self) -> str | None:
        def left(name: str) -> tuple[float, float]:
            n = self.names.index(name)
            answers = [
                [outcome for values, outcome in self.outcome.items() if values[n] == one]
                for one in self.choices[n]
            ]
            ends = [self.ends(one) for one in answers]
            widths = mean(high - low for low, high in ends)
            return widths, mean(len(set(one)) for one in answers)

        return min(self.blocking(), key=left, default=None)


@pytest.mark.parametrize("seed", range(300))
def test_interval_blocking_and_question_are_those_of_brute_force(seed: int) -> None:
    random = Random(seed)
    one = random_table(random)
    known = random_knowledge(random, one)
    done = evaluate(one, known)
    truth = BruteForce(one, known)

    outcomes = list(truth.outcome.values())
    low, high = truth.ends(outcomes)
    assert (done.lowest, done.highest) == (one.stages[low], one.stages[high])
    assert done.width == high - low
    assert set(done.possible) == set(outcomes)
    assert [each.name for each in done.blocking] == truth.blocking()
    best = done.best_question
    assert (None if best is None else best.name) == truth.best_question()


def test_random_tables_are_of_every_sort() -> None:
    """The comparison above would be empty if all outcomes were one."""
    blocked = definite = 0
    for seed in range(300):
        random = Random(seed)
        one = random_table(random)
        done = evaluate(one, random_knowledge(random, one))
        blocked += bool(done.blocking)
        definite += done.lowest == done.highest
    assert blocked > 100
    assert definite > 50


def test_extremes_alone_are_not_enough_where_rules_hold_not() -> None:
    """All no and all yes both give 0; yes and no give 3."""
    one = table(
        ("(pain and pus) or (not pain and not pus)", "0"),
        ("(pain and not pus) or (pus and not pain)", "3"),
        criteria=(PAIN, PUS),
    )
    done = evaluate(one, {})
    assert (done.lowest, done.highest) == ("0", "3")


def test_the_question_that_narrows_most_is_asked_and_not_the_first() -> None:
    """Pus settles 0 or 3; without it pain moves between 0 and 1."""
    one = table(
        ("pus", "3"),
        ("not pus and pain", "1"),
        ("not pus and not pain", "0"),
        criteria=(PAIN, PUS),
    )
    done = evaluate(one, {})
    assert [each.name for each in done.blocking] == ["pain", "pus"]
    # After pain: 3 - 0 or 3 - 1 stages are left; after pus: none, or 1 - 0.
    assert done.best_question == PUS
    assert done.left_after(PUS)[0] == 0.5
    assert done.left_after(PAIN)[0] == 2.5


def test_a_result_says_which_rule_is_certain_and_what_was_known() -> None:
    one = table(("pain", "1"), ("not pain", "0"), criteria=(PAIN, PUS))
    known = {"pain": Observed(possible=(True,), basis="entered", because=("said",))}
    sure = result(evaluate(one, known), "2023-01-01")
    assert sure.definite
    assert [(rule.id, rule.certain) for rule in sure.rules] == [("R-0", True)]
    assert [(why.criterion, why.value, why.basis) for why in sure.reasons] == [
        ("pain", "yes", "entered")
    ]
    assert sure.ask is None
    assert sure.blocking == ()

    unsure = result(evaluate(one, {}), "2023-01-01")
    assert [(rule.id, rule.certain) for rule in unsure.rules] == [
        ("R-0", False),
        ("R-1", False),
    ]
    assert unsure.reasons[0].value == "unknown"
    assert unsure.ask is not None
    assert unsure.ask.text == "pain?"


def test_every_assignment_is_met_once_in_the_order_of_the_axes() -> None:
    one = table(
        ("pain and wall == 'over'", "1"),
        ("not (pain and wall == 'over')", "0"),
        criteria=(PAIN, WALL),
    )
    fired = evaluate(one, {}).fired.ravel()
    expected = [
        0 if values["pain"] and values["wall"] == "over" else 1
        for values in assignments(one)
    ]
    assert list(fired) == expected
