"""Class of a defect of palate and maxilla by Brown and Shaw, borrowed.

Lancet Oncol 2010;11:1001-8. The classes describe what surgery left; for what necrosis
left they are borrowed, and every result says so. The vertical class is the stage, the
horizontal letter stands beside it. A defect on images proposes and decides nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.codes import FACTS
from osteotrace.codes.facts import PALATE
from osteotrace.findings import StagingPart
from osteotrace.staging import jaw
from osteotrace.staging.evidence import Evidence
from osteotrace.staging.rule_table import (
    Criterion,
    Observed,
    Outcome,
    Rule,
    RuleTable,
    evaluate,
    fired_rule,
    result,
)

if TYPE_CHECKING:
    from osteotrace.findings import Case, StagingResult
    from osteotrace.findings.staging_results import Evidence as EvidenceTag
    from osteotrace.staging.rule_table import Evaluation

SYSTEMS: Final = ("brown",)
ENABLED: Final = True
VERSION: Final = "1"
BORROWED: Final = (
    "borrowed: the classes describe defects left by surgery, not by necrosis; a candidate"
)

_SOURCE: Final = "Brown and Shaw, Lancet Oncol 2010;11:1001-8"
_HORIZONTAL_SOURCE: Final = (
    f"{_SOURCE}; letters as in Weyh 2021 figure 1 and the AO Surgery Reference"
)
_EXTENTS: Final = FACTS["alveolar_extent"].choices
# Where a defect takes both sides or the front, so that images propose the letter c.
_ANTERIOR_SITES: Final = ("premaxilla",)
_DEFECT: Final = ("palatal_bony_defect",)


def _fact(name: str) -> Criterion:
    return Criterion(name=name, question=FACTS[name].question, facts=(name,))


# Rule, condition, outcome, how the wording was checked.
_VERTICAL_ROWS: Final[tuple[tuple[str, str, str, EvidenceTag], ...]] = (
    (
        "I",
        "not palate_kept and not eye_removed and not orbital_adnexa_involved "
        "and not oronasal_fistula",
        "I",
        "V",
    ),
    (
        "II",
        "not palate_kept and not eye_removed and not orbital_adnexa_involved "
        "and oronasal_fistula",
        "II",
        "V",
    ),
    (
        "III",
        "not palate_kept and not eye_removed and orbital_adnexa_involved",
        "III",
        "V",
    ),
    ("IV", "not palate_kept and eye_removed", "IV", "V"),
    ("V", "orbit_removed_with_maxilla and not nasomaxillary", "V", "V"),
    ("VI", "nasomaxillary and not orbit_removed_with_maxilla", "VI", "V"),
    ("V-OR-VI", "nasomaxillary and orbit_removed_with_maxilla", "V or VI", "D"),
)
VERTICAL: Final = RuleTable(
    system="brown",
    version=VERSION,
    source=_SOURCE,
    stages=("I", "II", "III", "IV", "V", "VI"),
    criteria=tuple(
        _fact(name)
        for name in (
            "oronasal_fistula",
            "orbital_adnexa_involved",
            "eye_removed",
            "orbit_removed_with_maxilla",
            "nasomaxillary",
        )
    ),
    terms={"palate_kept": "orbit_removed_with_maxilla or nasomaxillary"},
    outcomes={
        **{
            name: Outcome(lowest=name, highest=name)
            for name in ("I", "II", "III", "IV", "V", "VI")
        },
        "V or VI": Outcome(
            lowest="V",
            highest="VI",
            note="V..VI, check: both orbito-maxillary and naso-maxillary",
        ),
    },
    rules=tuple(
        Rule(id=f"BROWN-{name}", when=when, outcome=outcome, source=_SOURCE, evidence=tag)
        for name, when, outcome, tag in _VERTICAL_ROWS
    ),
)
HORIZONTAL: Final = RuleTable(
    system="brown",
    version=VERSION,
    source=_HORIZONTAL_SOURCE,
    stages=("a", "b", "c", "d"),
    criteria=(
        Criterion(
            name="alveolar_extent",
            question=FACTS["alveolar_extent"].question,
            facts=("alveolar_extent", "alveolus_involved"),
            kinds=_DEFECT,
            values=_EXTENTS,
        ),
    ),
    outcomes={letter: Outcome(lowest=letter, highest=letter) for letter in "abcd"},
    rules=tuple(
        Rule(
            id=f"BROWN-{letter.upper()}",
            when=f"alveolar_extent == {extent!r}",
            outcome=letter,
            source=_HORIZONTAL_SOURCE,
            evidence="V",
        )
        for letter, extent in zip("abcd", _EXTENTS, strict=True)
    ),
)


def observed(evidence: Evidence) -> dict[str, Observed]:
    """Return what is known of each criterion of both tables at the evidence's date."""
    known = {one.name: evidence.truth(one.name) for one in VERTICAL.criteria}
    if not known["oronasal_fistula"].known:
        opening = jaw.communication(evidence)
        if opening.possible == (False,):
            known["oronasal_fistula"] = opening
    return known | {"alveolar_extent": _extent(evidence)}


def _extent(evidence: Evidence) -> Observed:
    """Return how much of the alveolus is lost: as stated, and by whether any of it is."""
    stated = evidence.choice("alveolar_extent")
    alveolus = evidence.truth("alveolus_involved")
    if not alveolus.known:
        proposed = _anterior_defects(evidence)
        if not stated.because and proposed:
            return Observed(possible=_EXTENTS, basis="proposed", because=proposed)
        return stated
    fits = tuple(
        extent
        for extent in stated.possible
        if (extent != _EXTENTS[0]) == (alveolus.possible == (True,))
    )
    because = (*stated.because, *alveolus.because)
    if not fits:
        evidence.conflicts.append(f"alveolar_extent: {'; '.join(because)}")
        return Observed(possible=_EXTENTS, because=because, contradicted=True)
    basis = stated.basis if stated.known else alveolus.basis
    return Observed(possible=fits, basis=basis, because=because)


def stage(case: Case, date: str) -> tuple[StagingResult, ...]:
    """Return the class of a defect that is stated or proposed; none without a defect."""
    evidence = Evidence(case, date)
    if not _is_known(evidence):
        return ()
    known = observed(evidence)
    vertical = evaluate(VERTICAL, known)
    horizontal = evaluate(HORIZONTAL, known)
    done = result(
        vertical,
        date,
        beside=[horizontal],
        parts=(_vertical(vertical), _horizontal(horizontal)),
        notes=(BORROWED,),
        conflicts=evidence.conflicts,
    )
    return (_with_letter(done, horizontal),)


def _is_known(evidence: Evidence) -> bool:
    """Tell whether there is a defect: marked, or by a statement of how far it reaches."""
    defects = list(evidence.findings(_DEFECT, sites=jaw.JAW_SITES))
    if any(finding.presence == "present" for _, finding in defects):
        return True
    if any(one.presence == "absent" and read.reader.strip() for read, one in defects):
        return False
    return any(
        fact.value not in (None, False)
        for name, definition in FACTS.items()
        if definition.group == PALATE
        for fact in evidence.facts(name)
    )


def _interval(done: Evaluation) -> str:
    if done.lowest == done.highest:
        return done.lowest
    return f"{done.lowest}..{done.highest}"


def _vertical(done: Evaluation) -> StagingPart:
    return StagingPart(
        name="vertical",
        lowest=done.lowest,
        highest=done.highest,
        text=f"vertical {_interval(done)} candidate",
    )


def _horizontal(done: Evaluation) -> StagingPart:
    """Return the letter; one that images propose is named and narrows nothing."""
    extent = done.observed["alveolar_extent"]
    text = f"horizontal {_interval(done)} candidate"
    if extent.known:
        text += f" ({extent.as_text})"
    elif extent.basis == "proposed":
        text += f", images propose c ({'; '.join(extent.because)})"
    return StagingPart(
        name="horizontal", lowest=done.lowest, highest=done.highest, text=text
    )


def _anterior_defects(evidence: Evidence) -> tuple[str, ...]:
    """Return the defects on images that take both sides or the front, in words."""
    return tuple(
        f"{finding.label} at the {finding.site.replace('_', ' ')}, not more than proposed"
        for _, finding in evidence.findings(_DEFECT, sites=jaw.JAW_SITES)
        if finding.presence == "present"
        and (finding.site in _ANTERIOR_SITES or finding.laterality == "bilateral")
    )


def _with_letter(done: StagingResult, letter: Evaluation) -> StagingResult:
    """Return the vertical class with what the horizontal letter rests on beside it."""
    certain = len(letter.rules) == 1
    best = letter.best_question
    asked = tuple(one.asked() for one in letter.blocking)
    return msgspec.structs.replace(
        done,
        rules=(
            *done.rules,
            *(fired_rule(rule, letter.table, certain=certain) for rule in letter.rules),
        ),
        blocking=(*done.blocking, *asked),
        ask=best.asked() if done.ask is None and best is not None else done.ask,
    )
