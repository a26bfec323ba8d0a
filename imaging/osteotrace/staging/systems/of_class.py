"""OF class of an osteoporotic vertebral fracture (DGOU), level by level.

Schnake, Global Spine J 2018;8(2S):46S-49S, and the AO Spine pocket card. Only the class:
neither the score nor what it is used for. Exactly one fifth of the posterior wall is
assigned to no class by the text: OF2 to OF3.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from osteotrace.change import cement_dates
from osteotrace.codes.sites import VERTEBRAE
from osteotrace.findings.dates import not_after
from osteotrace.measurements.measurement import Measurement
from osteotrace.staging.evidence import Evidence
from osteotrace.staging.rule_table import (
    TRUTH,
    Criterion,
    Observed,
    Outcome,
    Rule,
    RuleTable,
    evaluate,
    result,
)
from osteotrace.staging.vertebrae.levels import before, lasting_truth, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osteotrace.findings import Case, Finding, StagingResult
    from osteotrace.findings.staging_results import Evidence as EvidenceTag
    from osteotrace.staging.rule_table import Value

SYSTEMS: Final = ("of_class",)
ENABLED: Final = True
VERSION: Final = "1"
SOURCE: Final = "Schnake, Global Spine J 2018;8(2S):46S-49S; AO Spine pocket card"
# Share of the posterior wall, %, above which OF3 begins: one fifth.
WALL_CUT_PERCENT: Final = 20.0
_WHOLE_PERCENT: Final = 100.0
# How the posterior wall is involved, from the least.
WALL: Final = ("none", "under 1/5", "exactly 1/5", "over 1/5")

# Nobody says that there is a fracture or that there is none: its signs alone decide.
NOT_STATED: Final = "not stated"

_ENDPLATES: Final = ("superior", "inferior")
_SIGNS: Final = (
    "tension_band_failed",
    "superior_endplate_deformed",
    "inferior_endplate_deformed",
    "an_endplate_deformed",
    "frame_lost",
)
_CRITERIA: Final = (
    Criterion(
        name="tension_band_failed",
        question="Has the anterior or posterior tension band failed (distraction, "
        "rotation, translation)?",
        facts=("tension_band_failed",),
    ),
    *(
        Criterion(
            name=f"{side}_endplate_deformed",
            question=f"Is the {side} endplate deformed?",
            facts=(f"{side}_endplate_deformed",),
            kinds=("endplate_depression",),
        )
        for side in _ENDPLATES
    ),
    Criterion(
        name="frame_lost",
        question="Is the vertebral frame lost (collapse or pincer type)?",
        facts=("frame_lost",),
    ),
    Criterion(
        name="posterior_wall",
        question="What share of the posterior wall is involved: more than one fifth?",
        facts=("posterior_wall_percent",),
        values=WALL,
    ),
    Criterion(
        name="vertebral_edema",
        question="Is there marrow edema of the vertebra on STIR?",
        facts=("vertebral_edema",),
        kinds=("marrow_edema",),
    ),
    Criterion(
        name="fracture",
        question="Is there a fracture of the vertebra?",
        facts=("vcf_new",),
        kinds=("vcf",),
        values=("no", "yes", NOT_STATED),
    ),
    Criterion(
        name="an_endplate_deformed",
        question="Is any endplate deformed, the upper or the lower one?",
        facts=tuple(f"{side}_endplate_deformed" for side in _ENDPLATES),
        kinds=("endplate_depression",),
    ),
)
_TERMS: Final = {
    "one": "an_endplate_deformed or superior_endplate_deformed "
    "or inferior_endplate_deformed",
    "both": "superior_endplate_deformed and inferior_endplate_deformed",
    "may_be": 'not fracture == "no"',
    "one_only": "may_be and one and not both and not frame_lost "
    "and not tension_band_failed",
    "no_deformity": "may_be and not one and not frame_lost and not tension_band_failed",
    "no_sign": "no_deformity and not vertebral_edema",
}
_OUTCOMES: Final = {
    "none": Outcome(lowest="none", highest="none"),
    "OF1": Outcome(lowest="OF1", highest="OF1"),
    "fracture without sign": Outcome(
        lowest="OF1",
        highest="OF2",
        note="a fracture with neither edema nor a deformed endplate is OF1..OF2: the "
        "text does not assign it",
    ),
    "OF2": Outcome(lowest="OF2", highest="OF2"),
    "exactly one fifth": Outcome(
        lowest="OF2",
        highest="OF3",
        note="exactly one fifth of the posterior wall is OF2..OF3: the text does not "
        "assign it",
    ),
    "OF3": Outcome(lowest="OF3", highest="OF3"),
    "OF4": Outcome(lowest="OF4", highest="OF4"),
    "OF5": Outcome(lowest="OF5", highest="OF5"),
}
# Rule, condition, outcome, how the wording was checked.
_ROWS: Final[tuple[tuple[str, str, str, EvidenceTag], ...]] = (
    # A fracture is a loss of height or a deformity: none leaves edema alone.
    ("DENIED", 'fracture == "no" and not vertebral_edema', "none", "D"),
    ("EDEMA", 'fracture == "no" and vertebral_edema', "OF1", "D"),
    ("NONE", f'no_sign and fracture == "{NOT_STATED}"', "none", "V"),
    ("1", "no_deformity and vertebral_edema", "OF1", "V"),
    ("NO-SIGN", 'no_sign and fracture == "yes"', "fracture without sign", "D"),
    (
        "2",
        'one_only and (posterior_wall == "none" or posterior_wall == "under 1/5")',
        "OF2",
        "V",
    ),
    (
        "ONE-FIFTH",
        'one_only and posterior_wall == "exactly 1/5"',
        "exactly one fifth",
        "D",
    ),
    ("3", 'one_only and posterior_wall == "over 1/5"', "OF3", "V"),
    (
        "4",
        "may_be and (both or frame_lost) and not tension_band_failed",
        "OF4",
        "V",
    ),
    ("5", "may_be and tension_band_failed", "OF5", "V"),
)
TABLE: Final = RuleTable(
    system="of_class",
    version=VERSION,
    source=SOURCE,
    stages=("none", "OF1", "OF2", "OF3", "OF4", "OF5"),
    criteria=_CRITERIA,
    terms=_TERMS,
    outcomes=_OUTCOMES,
    rules=tuple(
        Rule(id=f"OF-{name}", when=when, outcome=outcome, source=SOURCE, evidence=tag)
        for name, when, outcome, tag in _ROWS
    ),
)


def wall_values(low: float, high: float) -> tuple[Value, ...]:
    """Return how the posterior wall may be involved, from a share of it in %.

    Examples
    --------
    >>> wall_values(20.0, 20.0), wall_values(0.0, 10.0)
    (('exactly 1/5',), ('none', 'under 1/5'))
    """
    touched = (
        low <= 0,
        low < WALL_CUT_PERCENT and high > 0,
        low <= WALL_CUT_PERCENT <= high,
        high > WALL_CUT_PERCENT,
    )
    return tuple(value for value, holds in zip(WALL, touched, strict=True) if holds)


def observed(evidence: Evidence, level: str) -> dict[str, Observed]:
    """Return what is known of each criterion of a level at the evidence's date."""
    known = {
        name: lasting_truth(evidence, name, site=level)
        for name in ("tension_band_failed", "frame_lost")
    }
    known["vertebral_edema"] = evidence.truth(
        "vertebral_edema", kinds=("marrow_edema",), sites={level}, site=level
    )
    known["posterior_wall"] = _wall(evidence, level)
    known |= _endplates(evidence, level)
    known["fracture"] = _fracture(evidence, level, known)
    return known


def _wall(evidence: Evidence, level: str) -> Observed:
    """Return the posterior wall's share; what was involved before still is.

    A share that is later stated as one of a lower class is a contradiction: either holds.
    """
    name = "posterior_wall_percent"
    now = evidence.number(name, site=level)
    earlier = [one.number(name, site=level) for one in before(evidence)]
    stated = [one for one in (*earlier, now) if one is not None]
    if not stated:
        return Observed(possible=WALL)
    worst, last = max(stated, key=lambda one: one.low), stated[-1]
    low, high = (now.low, now.high) if now is not None else (worst.low, _WHOLE_PERCENT)
    because = last.because if now is not None else worst.because
    if _rank(last.high, -1) < _rank(worst.low, 0):
        because = (*worst.because, *last.because)
        evidence.conflicts.append(
            f"{level.upper()}: {'; '.join(worst.because)}, but later "
            f"{'; '.join(last.because)}"
        )
        low, high = min(low, last.low), max(high, worst.high)
    elif now is None and worst.low <= 0:
        return Observed(possible=WALL)
    return Observed(possible=wall_values(low, high), basis="entered", because=because)


def _rank(percent: float, end: int) -> int:
    """Return how far the wall is involved by a share of it, as a place in `WALL`."""
    return WALL.index(str(wall_values(percent, percent)[end]))


def _sides(finding: Finding) -> frozenset[str]:
    """Return the endplates that a depression was measured on: those it is of."""
    return frozenset(
        side
        for side in _ENDPLATES
        for row in finding.measurements
        if isinstance(row, Measurement) and row.name == f"endplate_depression_{side}"
    )


def _is_of(side: str, finding: Finding) -> bool:
    """Tell whether a finding speaks of an endplate: its own, or none at either."""
    sides = _sides(finding)
    return sides == {side} or (finding.presence == "absent" and len(sides) != 1)


def _endplates(evidence: Evidence, level: str) -> dict[str, Observed]:
    """Return what is known of the upper, the lower, and of any endplate."""
    kinds = ("endplate_depression",)
    each = {
        side: lasting_truth(
            evidence,
            f"{side}_endplate_deformed",
            site=level,
            kinds=kinds,
            where=partial(_is_of, side),
        )
        for side in _ENDPLATES
    }
    one = lasting_truth(
        evidence,
        site=level,
        kinds=kinds,
        where=lambda f: f.presence != "absent" and len(_sides(f)) != 1,
    )
    both_intact = all(known.possible == (False,) for known in each.values())
    if both_intact and one.possible == (True,):
        said = [words for known in each.values() for words in known.because]
        evidence.conflicts.append(
            f"{level.upper()}: {'; '.join(one.because)}, but {'; '.join(said)}"
        )
        each = dict.fromkeys(_ENDPLATES, Observed(possible=TRUTH, because=tuple(said)))
    elif both_intact:
        one = Observed(possible=(False,), basis="derived")
    elif any(known.possible == (True,) for known in each.values()):
        one = Observed(possible=(True,), basis="derived", because=one.because)
    return {
        **{f"{side}_endplate_deformed": known for side, known in each.items()},
        "an_endplate_deformed": one,
    }


def _fracture(evidence: Evidence, level: str, known: Mapping[str, Observed]) -> Observed:
    """Return whether a fracture is stated, denied, suspected, or not spoken of."""
    new = lasting_truth(evidence, "vcf_new", site=level)
    seen = lasting_truth(evidence, site=level, kinds=("vcf",))
    # Only that it is new says that it is one: an old fracture is one too.
    stated = seen if seen.known or new.possible != (True,) else new
    if not stated.because:
        return Observed(possible=(NOT_STATED,))
    signs = [
        words
        for name in _SIGNS
        if known[name].possible == (True,)
        for words in known[name].because
    ]
    if stated.possible == (False,) and signs:
        evidence.conflicts.append(
            f"{level.upper()}: {'; '.join(stated.because)}, but a sign of a fracture "
            f"({'; '.join(signs)})"
        )
        stated = Observed(possible=TRUTH, because=stated.because)
    possible = tuple("yes" if value else "no" for value in stated.possible)
    return Observed(possible=possible, basis=stated.basis, because=stated.because)


def stage(case: Case, date: str) -> tuple[StagingResult, ...]:
    """Return the class of every level of which something is known, downwards."""
    found = []
    for level in VERTEBRAE:
        evidence = Evidence(case, date)
        known = observed(evidence, level)
        if any(one.because for one in known.values()):
            found.append(
                result(
                    evaluate(TABLE, known),
                    date,
                    site=level,
                    notes=_notes(case, date, level, known),
                    conflicts=evidence.conflicts,
                )
            )
    return tuple(found)


def _notes(case: Case, date: str, level: str, known: Mapping[str, Observed]) -> list[str]:
    notes = []
    if not known["fracture"].known and known["fracture"].because:
        notes.append(
            f"the fracture of {shown([level])} is suspected and not accepted: the class "
            "holds from none"
        )
    cement = cement_dates(case).get(level)
    if cement is not None and (not cement or not_after(cement, date) is not False):
        when = f"seen first on {cement}" if cement else "of unknown date"
        notes.append(f"bone cement, {when}: what is read since is of the treated body")
    return notes
