"""A published system as data, and its outcome over every assignment of the unknowns.

The one three-valued engine: a criterion that is not known takes every value it may have,
all rules are evaluated over all combinations at once, and the outcomes that some
combination gives are the stage. Exactly one rule must fire for each combination.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.findings import FiredRule, Question, Reason, StagingResult
from osteotrace.staging import expressions, table_checks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from osteotrace.findings import StagingPart
    from osteotrace.findings.staging_results import Basis
    from osteotrace.findings.staging_results import Evidence as EvidenceTag

Value = bool | int | str
TRUTH: Final[tuple[Value, ...]] = (False, True)
# Combinations of unknowns that are evaluated at once; a table with more is an error of
# the table, not of the case.
MOST_COMBINATIONS: Final = 2**24


@dataclass(frozen=True, kw_only=True, slots=True)
class Observed:
    """What is known of a criterion.

    Parameters
    ----------
    possible : tuple
        The values it may have; one where it is known.
    basis : str
        Where that comes from.
    because : tuple of str
        The facts and findings in words, with author and date.
    contradicted : bool
        True where statements contradict each other, which makes it unknown.
    """

    possible: tuple[Value, ...]
    basis: Basis = "unknown"
    because: tuple[str, ...] = ()
    contradicted: bool = False

    @property
    def known(self) -> bool:
        """True where there is one value."""
        return len(self.possible) == 1

    @property
    def as_text(self) -> str:
        """The value as people read it."""
        if len(self.possible) > 1 and all(isinstance(v, bool) for v in self.possible):
            return "unknown"
        words = {True: "yes", False: "no"}
        return " or ".join(
            words[value] if isinstance(value, bool) else str(value)
            for value in self.possible
        )


UNKNOWN: Final = Observed(possible=TRUTH)


@dataclass(frozen=True, kw_only=True, slots=True)
class Criterion:
    """An input of a system.

    Parameters
    ----------
    name : str
        As its rules name it.
    question : str
        How a reader is asked for it.
    facts, kinds : tuple of str
        What would answer it: keys of `osteotrace.codes.FACTS` and of ``KINDS``.
    values : tuple
        All values it may have, in order.
    """

    name: str
    question: str
    facts: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    values: tuple[Value, ...] = TRUTH

    def asked(self, site: str = "") -> Question:
        """Return the question for a result."""
        return Question(
            criterion=f"{site}.{self.name}" if site else self.name,
            text=self.question,
            facts=self.facts,
            kinds=self.kinds,
            site=site,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One row: when it holds, what follows, and where that was read.

    Parameters
    ----------
    id : str
        Never reused.
    when : str
        Condition over criteria and terms (`osteotrace.staging.expressions`).
    outcome : str
        Key of the table's outcomes.
    source : str
        Paper or table.
    evidence : str
        Tag of `osteotrace.findings.FiredRule`.
    """

    id: str
    when: str
    outcome: str
    source: str
    evidence: EvidenceTag


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a rule leads to: a stage, or an interval of stages where texts disagree.

    Parameters
    ----------
    lowest, highest : str
        Stages of the table.
    note : str
        What to check, printed with it.
    """

    lowest: str
    highest: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class RuleTable:
    """A published system as data.

    Parameters
    ----------
    system : str
        Key of `osteotrace.codes.STAGINGS`.
    version : str
        Of this pack of rules.
    source : str
        The publication.
    stages : tuple of str
        Lowest first.
    criteria : tuple of Criterion
        Inputs, in the order in which they are asked where nothing else decides.
    terms : mapping of str to str
        Conditions with a name of their own; a term may use those before it.
    outcomes : mapping of str to Outcome
        What rules lead to.
    rules : tuple of Rule
        Exactly one holds for every full assignment.

    Raises
    ------
    ValueError
        If it names a criterion, value, term, outcome or stage that it does not have.
    """

    system: str
    version: str
    source: str
    stages: tuple[str, ...]
    criteria: tuple[Criterion, ...]
    outcomes: Mapping[str, Outcome]
    rules: tuple[Rule, ...]
    terms: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        table_checks.check(self)

    @cached_property
    def needed(self) -> tuple[Criterion, ...]:
        """The criteria that the rules use, directly or by a term."""
        trees = {name: expressions.parsed(text) for name, text in self.terms.items()}
        wanted = {
            name
            for rule in self.rules
            for name in expressions.names(expressions.parsed(rule.when))
        }
        for name in reversed(tuple(self.terms)):
            if name in wanted:
                wanted |= expressions.names(trees[name])
        return tuple(one for one in self.criteria if one.name in wanted)


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The outcomes of a table over every assignment of the unknowns.

    Parameters
    ----------
    table : RuleTable
        What was evaluated.
    observed : mapping of str to Observed
        What was known of each needed criterion.
    fired : int array
        Index of the rule that holds, one axis a criterion of ``table.needed``.
    """

    table: RuleTable
    observed: Mapping[str, Observed]
    fired: NDArray[np.intp]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that hold for some assignment, in the table's order."""
        return tuple(self.table.rules[n] for n in _present(self.fired))

    @property
    def possible(self) -> tuple[str, ...]:
        """The outcomes of those rules, in the table's order, each once."""
        reached = {rule.outcome for rule in self.rules}
        return tuple(name for name in self.table.outcomes if name in reached)

    @cached_property
    def _ends(self) -> NDArray[np.intp]:
        """Lowest and highest stage of each rule, as positions."""
        place = {stage: n for n, stage in enumerate(self.table.stages)}
        outcomes = [self.table.outcomes[rule.outcome] for rule in self.table.rules]
        return np.array([(place[one.lowest], place[one.highest]) for one in outcomes])

    def _interval(self, fired: NDArray[np.intp]) -> tuple[int, int]:
        ends = self._ends[_present(fired)]
        return int(ends[:, 0].min()), int(ends[:, 1].max())

    @property
    def lowest(self) -> str:
        """The lowest stage that some assignment gives."""
        return self.table.stages[self._interval(self.fired)[0]]

    @property
    def highest(self) -> str:
        """The highest stage that some assignment gives."""
        return self.table.stages[self._interval(self.fired)[1]]

    @cached_property
    def _outcome_of(self) -> NDArray[np.intp]:
        order = {name: n for n, name in enumerate(self.table.outcomes)}
        each = np.array([order[rule.outcome] for rule in self.table.rules])
        return np.asarray(each[self.fired], dtype=np.intp)

    @cached_property
    def blocking(self) -> tuple[Criterion, ...]:
        """Unknown criteria on which the outcome depends for some of the others."""
        outcome = self._outcome_of
        return tuple(
            criterion
            for axis, criterion in enumerate(self.table.needed)
            if any(
                (outcome.take(a, axis) != outcome.take(b, axis)).any()
                for a, b in pairwise(range(outcome.shape[axis]))
            )
        )

    @property
    def best_question(self) -> Criterion | None:
        """The unknown whose answer narrows the interval most on the mean of answers.

        Ties go to the fewest outcomes that remain on the mean, then to the order of the
        table.
        """
        return min(self.blocking, key=self.left_after, default=None)

    @property
    def width(self) -> int:
        """How many stages lie between the lowest and the highest."""
        low, high = self._interval(self.fired)
        return high - low

    def left_after(self, criterion: Criterion) -> tuple[float, float, int]:
        """Return what would remain if a criterion were answered, on the mean of answers.

        Returns
        -------
        width : float
            Stages between the lowest and the highest.
        outcomes : float
            How many outcomes.
        place : int
            Of the criterion in the table, which decides ties.
        """
        axis = self.table.needed.index(criterion)
        answers = [
            np.asarray(self.fired.take(n, axis)) for n in range(self.fired.shape[axis])
        ]
        widths = [high - low for low, high in (self._interval(one) for one in answers)]
        outcomes = [
            len(_present(np.asarray(self._outcome_of.take(n, axis))))
            for n in range(len(answers))
        ]
        return float(np.mean(widths)), float(np.mean(outcomes)), axis


def _present(numbers: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the numbers that occur, in order: as `numpy.unique`, without sorting."""
    return np.flatnonzero(np.bincount(numbers.ravel()))


def evaluate(table: RuleTable, observed: Mapping[str, Observed]) -> Evaluation:
    """Evaluate a table over every assignment of what is not known.

    Parameters
    ----------
    table : RuleTable
        The system.
    observed : mapping of str to Observed
        What is known; a criterion that is missing is unknown.

    Raises
    ------
    ValueError
        If not exactly one rule holds somewhere, or the combinations are too many: the
        table is wrong; or if a criterion is said to be what it cannot be.
    """
    known = {
        one.name: observed.get(one.name, Observed(possible=one.values))
        for one in table.needed
    }
    for one in table.needed:
        possible = known[one.name].possible
        if not possible or not set(possible) <= set(one.values):
            raise ValueError(f"{table.system}: {one.name} is one of {possible}")
    shape = tuple(len(known[one.name].possible) for one in table.needed)
    if math.prod(shape) > MOST_COMBINATIONS:
        raise ValueError(f"{table.system}: {shape} combinations of unknowns")
    values: dict[str, NDArray[np.object_] | NDArray[np.bool_]] = {}
    for axis, one in enumerate(table.needed):
        along = [1] * len(shape)
        along[axis] = shape[axis]
        possible = known[one.name].possible
        is_truth = all(isinstance(value, bool) for value in one.values)
        array = np.array(possible, dtype=bool if is_truth else object)
        values[one.name] = array.reshape(along)
    for name, text in table.terms.items():
        tree = expressions.parsed(text)
        if expressions.names(tree) <= set(values):
            values[name] = expressions.evaluate(tree, values)
    fired = np.zeros(shape, dtype=np.intp)
    count = np.zeros(shape, dtype=np.int16)
    for n, rule in enumerate(table.rules):
        held = expressions.evaluate(expressions.parsed(rule.when), values)
        held = np.broadcast_to(held, shape)
        fired[held] = n
        count += held
    if (count != 1).any():
        where = np.argwhere(count != 1)[0]
        case = {
            one.name: known[one.name].possible[n]
            for one, n in zip(table.needed, where, strict=True)
        }
        raise ValueError(f"{table.system}: {count[tuple(where)]} rules hold for {case}")
    return Evaluation(table=table, observed=known, fired=fired)


def result(
    evaluation: Evaluation,
    date: str,
    *,
    site: str = "",
    beside: Iterable[Evaluation] = (),
    parts: Iterable[StagingPart] = (),
    notes: Iterable[str] = (),
    conflicts: Iterable[str] = (),
) -> StagingResult:
    """Return an evaluation as the record that is kept and shown.

    The reasons of evaluations ``beside`` it, such as a case definition's, follow its own.
    """
    table = evaluation.table
    why = [
        reason
        for one in (evaluation, *beside)
        for reason in reasons(one.table.needed, one.observed, site)
    ]
    rules = evaluation.rules
    said = [table.outcomes[name].note for name in evaluation.possible]
    best = evaluation.best_question
    return StagingResult(
        system=table.system,
        version=table.version,
        date=date,
        stages=table.stages,
        lowest=evaluation.lowest,
        highest=evaluation.highest,
        possible=evaluation.possible,
        source=table.source,
        site=site,
        rules=tuple(fired_rule(rule, table, certain=len(rules) == 1) for rule in rules),
        reasons=tuple(dict.fromkeys(why)),
        blocking=tuple(one.asked(site) for one in evaluation.blocking),
        ask=None if best is None else best.asked(site),
        parts=tuple(parts),
        notes=tuple(dict.fromkeys([*filter(None, said), *notes])),
        conflicts=tuple(dict.fromkeys(conflicts)),
    )


def fired_rule(rule: Rule, table: RuleTable, *, certain: bool) -> FiredRule:
    """Return a rule as a result keeps it."""
    return FiredRule(
        id=rule.id,
        version=table.version,
        outcome=rule.outcome,
        certain=certain,
        text=rule.when,
        source=rule.source,
        evidence=rule.evidence,
    )


def reasons(
    criteria: Sequence[Criterion], observed: Mapping[str, Observed], site: str = ""
) -> tuple[Reason, ...]:
    """Return what was known of criteria, as a result keeps it."""
    return tuple(
        Reason(
            criterion=f"{site}.{one.name}" if site else one.name,
            value=observed[one.name].as_text,
            basis=observed[one.name].basis,
            because=observed[one.name].because,
        )
        for one in criteria
    )
