"""Genant's semiquantitative grade, level by level, and its sum, the SDI.

Genant, J Bone Miner Res 1993;8:1137; the sum of T4 to L4: Kerkeni, Osteoporos Int
2009;20:1547. The grade is a reader's; measured heights only propose one, with the edges
[20, 25), [25, 40) and above 40 % (a choice of this project: the paper says about), and
grades 2 to 3 at exactly 40 %, on which published tables differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from osteotrace.codes.sites import VERTEBRAE
from osteotrace.findings import (
    FiredRule,
    Question,
    Reason,
    StagingPart,
    StagingResult,
)
from osteotrace.staging.evidence import Evidence
from osteotrace.staging.rule_table import (
    Criterion,
    Outcome,
    Rule,
    RuleTable,
    evaluate,
    result,
)
from osteotrace.staging.vertebrae.grades import (
    MEASURED,
    NOT_GIVEN,
    READ,
    LevelGrade,
    is_known,
    level_grade,
)
from osteotrace.staging.vertebrae.levels import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osteotrace.findings import Case

SYSTEMS: Final = ("genant", "spinal_deformity_index")
ENABLED: Final = True
VERSION: Final = "1"
SOURCE: Final = "Genant, J Bone Miner Res 1993;8:1137; edges as in osteotrace"
SDI_SOURCE: Final = "Kerkeni, Osteoporos Int 2009;20:1547"
# The levels of the index; L5 is none of them.
SDI_LEVELS: Final = VERTEBRAE[VERTEBRAE.index("t4") : VERTEBRAE.index("l4") + 1]
WORST: Final = 3
_QUESTION: Final = "Which semiquantitative grade has the vertebra?"

TABLE: Final = RuleTable(
    system="genant",
    version=VERSION,
    source=SOURCE,
    stages=MEASURED,
    criteria=(
        Criterion(
            name="reader_grade",
            question=_QUESTION,
            facts=("genant_grade",),
            values=READ,
        ),
        Criterion(
            name="measured_grade",
            question=_QUESTION,
            facts=("genant_grade",),
            values=MEASURED,
        ),
    ),
    outcomes={
        "0": Outcome(lowest="0", highest="0"),
        "borderline": Outcome(
            lowest="0", highest="0", note="grade 0.5, borderline: it counts 0"
        ),
        **{grade: Outcome(lowest=grade, highest=grade) for grade in MEASURED[1:]},
    },
    rules=(
        *(
            Rule(
                id=f"GENANT-READ-{grade}",
                when=f'reader_grade == "{grade}"',
                outcome="borderline" if grade == "0.5" else grade,
                source=SOURCE,
                evidence="D" if grade == "0.5" else "V",
            )
            for grade in READ[1:]
        ),
        *(
            Rule(
                id=f"GENANT-HEIGHT-{grade}",
                when=f'reader_grade == "{NOT_GIVEN}" and measured_grade == "{grade}"',
                outcome=grade,
                source=SOURCE,
                evidence="D",
            )
            for grade in MEASURED
        ),
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Graded:
    """One level, what is known of its grade, and the grade that follows."""

    known: LevelGrade
    result: StagingResult

    @property
    def ends(self) -> tuple[int, int]:
        """The lowest and the highest grade."""
        return int(self.result.lowest), int(self.result.highest)


def stage(case: Case, date: str) -> tuple[StagingResult, ...]:
    """Return the grade of every level of which something is known, then the SDI.

    The index is left out where no level at all was graded.
    """
    evidence = Evidence(case, date)
    levels = [level for level in VERTEBRAE if is_known(evidence, level)]
    graded = [_graded(Evidence(case, date), level) for level in levels]
    results = tuple(one.result for one in graded)
    if not any(one.known.is_read for one in graded):
        return results
    return (*results, _index(evidence, graded))


def _graded(evidence: Evidence, level: str) -> Graded:
    known = level_grade(evidence, level)
    criteria = {"reader_grade": known.read, "measured_grade": known.measured}
    notes = list(known.notes)
    parts = []
    if known.measured.because:
        low, high = str(known.measured.possible[0]), str(known.measured.possible[-1])
        proposed = low if low == high else f"{low}..{high}"
        parts.append(
            StagingPart(
                name="measured grade",
                lowest=low,
                highest=high,
                text=f"measured heights propose grade {proposed}",
            )
        )
        if known.read.possible == (NOT_GIVEN,):
            notes.append(_standing(known))
        elif not set(known.read.possible) & set(known.measured.possible):
            notes.append(
                f"measured heights propose {proposed}: the reader's own grade stands"
            )
    if known.deformity:
        kinds = known.deformity.split(" or ")
        parts.append(
            StagingPart(
                name="deformity",
                lowest=kinds[0],
                highest=kinds[-1],
                text=f"deformity as measured: {known.deformity}",
            )
        )
    done = result(
        evaluate(TABLE, criteria),
        evidence.date,
        site=level,
        parts=parts,
        notes=notes,
        conflicts=evidence.conflicts,
    )
    return Graded(known=known, result=done)


def _standing(known: LevelGrade) -> str:
    if known.measured.basis == "proposed":
        return "proposed by measured heights, not accepted by a reader"
    return "from measured heights: no reader gave a grade of their own"


# The index ------------------------------------------------------------------------


def _index(evidence: Evidence, graded: Sequence[Graded]) -> StagingResult:
    """Return the sum of T4 to L4 as an interval; a level not read counts 0 to 3."""
    by_level = {one.known.level: one for one in graded}
    low, high = _sum(SDI_LEVELS, by_level)
    everywhere = tuple(
        level
        for level in VERTEBRAE
        if level in SDI_LEVELS or level == "l5" or _is_read(level, by_level)
    )
    blocking = tuple(
        _asked(level)
        for level in sorted(SDI_LEVELS, key=lambda level: -_width(level, by_level))
        if _width(level, by_level)
    )
    return StagingResult(
        system="spinal_deformity_index",
        version=VERSION,
        date=evidence.date,
        stages=tuple(map(str, range(WORST * len(SDI_LEVELS) + 1))),
        lowest=str(low),
        highest=str(high),
        possible=tuple(map(str, range(low, high + 1))),
        source=SDI_SOURCE,
        rules=(
            FiredRule(
                id="SDI-SUM",
                version=VERSION,
                outcome=_interval(low, high),
                certain=True,
                text="sum of the grades of T4 to L4; a level not read counts 0 to 3",
                source=SDI_SOURCE,
                evidence="V",
            ),
        ),
        reasons=tuple(_reason(level, by_level) for level in everywhere),
        blocking=blocking,
        ask=blocking[0] if blocking else None,
        parts=(
            *_sums(everywhere, by_level),
            *(_level_part(one) for one in graded if one.known.is_read),
        ),
        notes=_notes(evidence, graded),
        conflicts=tuple(
            dict.fromkeys(text for one in graded for text in one.result.conflicts)
        ),
    )


def _is_read(level: str, graded: dict[str, Graded]) -> bool:
    return level in graded and graded[level].known.is_read


def _ends(level: str, graded: dict[str, Graded]) -> tuple[int, int]:
    return graded[level].ends if level in graded else (0, WORST)


def _width(level: str, graded: dict[str, Graded]) -> int:
    low, high = _ends(level, graded)
    return high - low


def _sum(levels: Sequence[str], graded: dict[str, Graded]) -> tuple[int, int]:
    ends = [_ends(level, graded) for level in levels]
    return sum(low for low, _ in ends), sum(high for _, high in ends)


def _interval(low: int, high: int) -> str:
    return f"{low}" if low == high else f"{low}..{high}"


def _sums(everywhere: Sequence[str], graded: dict[str, Graded]) -> list[StagingPart]:
    """Return the index, the sum over the levels read, and that of all levels."""
    read = [level for level in SDI_LEVELS if _is_read(level, graded)]
    missing = [level for level in SDI_LEVELS if level not in read]
    not_read = f"; not read, 0..3 each: {shown(missing)}" if missing else ""
    others = [level for level in everywhere if level not in SDI_LEVELS]
    beside = ", ".join(
        f"{shown([level])} {_interval(*_ends(level, graded))}"
        if _is_read(level, graded)
        else f"{shown([level])} not read"
        for level in others
    )
    sums = (
        ("SDI(T4-L4)", SDI_LEVELS, not_read),
        ("sum over levels read", read, f"; {len(read)} of {len(SDI_LEVELS)} levels"),
        ("sum_all_levels", everywhere, f"; beside T4-L4: {beside}"),
    )
    parts = []
    for name, levels, words in sums:
        low, high = _sum(levels, graded)
        text = f"{name} {_interval(low, high)}{words}"
        parts.append(
            StagingPart(name=name, lowest=str(low), highest=str(high), text=text)
        )
    return parts


def _level_part(one: Graded) -> StagingPart:
    level = shown([one.known.level])
    low, high = one.result.lowest, one.result.highest
    when = f" ({one.known.date}, before cement)" if one.known.date else ""
    return StagingPart(
        name=level,
        lowest=low,
        highest=high,
        text=f"{level} {_interval(*one.ends)}{when}",
    )


def _asked(level: str) -> Question:
    return Question(
        criterion=f"{level}.grade", text=_QUESTION, facts=("genant_grade",), site=level
    )


def _reason(level: str, graded: dict[str, Graded]) -> Reason:
    criterion = f"{level}.grade"
    if not _is_read(level, graded):
        return Reason(criterion=criterion, value="unknown", basis="unknown")
    known = graded[level].known
    used = known.measured if known.read.possible == (NOT_GIVEN,) else known.read
    return Reason(
        criterion=criterion,
        value=_interval(*graded[level].ends),
        basis=used.basis,
        because=used.because,
    )


def _notes(evidence: Evidence, graded: Sequence[Graded]) -> tuple[str, ...]:
    proposed = [
        one.known.level
        for one in graded
        if one.known.read.possible == (NOT_GIVEN,)
        and one.known.measured.basis == "proposed"
    ]
    notes = []
    if proposed:
        notes.append(f"proposed, not accepted by a reader: {shown(proposed)}")
    notes += [
        f"{shown([one.known.level])}: {note}"
        for one in graded
        for note in one.known.notes
    ]
    if evidence.truth("transitional_vertebra").possible == (True,):
        notes.append("a transitional vertebra is stated: check how levels are counted")
    return tuple(notes)
