"""The levels of the functional-aesthetic profile FAP-0 as rule tables.

Each axis has levels 0 to 3, or bands; a score that lies between two of them gives both.
Research use, not validated: the cuts are choices of this project (evidence D) where no
other source is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from osteotrace.codes import FACTS
from osteotrace.staging.rule_table import Criterion, Outcome, Rule, RuleTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from osteotrace.findings.staging_results import Evidence as EvidenceTag

SYSTEM: Final = "fap"
VERSION: Final = "0"
SOURCE: Final = (
    "osteotrace, profile FAP-0: research use, not validated; asked for by case report S0"
)
LEVELS: Final = ("0", "1", "2", "3")


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A score cut into levels; what lies between two of them is either.

    Parameters
    ----------
    fact : str
        The fact that states it.
    levels : tuple of (lowest, highest)
        Scores of each level, the first level first.
    names : tuple of str
        Of the levels.
    none_is_zero : bool
        True where the first level is none at all: what lies above it is the second.
    """

    fact: str
    levels: tuple[tuple[float, float], ...]
    names: tuple[str, ...] = LEVELS
    none_is_zero: bool = False

    @cached_property
    def bands(self) -> dict[str, str]:
        """Every band in order, and the level or levels it leads to."""
        bands = {}
        for n, (low, high) in enumerate(self.levels):
            if n:
                ends = sorted((*self.levels[n - 1], low, high))[1:3]
                both = f"{self.names[n - 1]}..{self.names[n]}"
                between = self.names[n] if self.none_is_zero and n == 1 else both
                bands[f"between {ends[0]:g} and {ends[1]:g}"] = between
            bands[f"{low:g} to {high:g}"] = self.names[n]
        return bands

    def band_of(self, value: float) -> str:
        """Return the band that a score lies in."""
        for low, high in self.levels:
            if low <= value <= high:
                return f"{low:g} to {high:g}"
        ends = [end for level in self.levels for end in level]
        below = max(end for end in ends if end < value)
        above = min(end for end in ends if end > value)
        return f"between {below:g} and {above:g}"

    def bands_of(self, low: float, high: float) -> tuple[str, ...]:
        """Return the bands from one score to another."""
        order = list(self.bands)
        first, last = sorted(order.index(self.band_of(end)) for end in (low, high))
        return tuple(order[first : last + 1])


def _table(
    axis: str,
    criteria: Sequence[Criterion],
    rows: Sequence[tuple[str, str, EvidenceTag]],
    *,
    stages: tuple[str, ...] = LEVELS,
    terms: Mapping[str, str] | None = None,
    source: str = SOURCE,
) -> RuleTable:
    """Return the table of an axis from rows: outcome (``"1"`` or ``"1..2"``), condition.

    The outcome names the rule: FAP-F-1 leads to level 1 of axis F.
    """
    outcomes = {}
    for outcome, *_ in rows:
        lowest, _, highest = outcome.partition("..")
        outcomes[outcome] = Outcome(lowest=lowest, highest=highest or lowest)
    return RuleTable(
        system=SYSTEM,
        version=VERSION,
        source=source,
        stages=stages,
        criteria=tuple(criteria),
        terms=terms or {},
        outcomes=outcomes,
        rules=tuple(
            Rule(
                id=f"FAP-{axis}-{outcome}",
                when=when,
                outcome=outcome,
                source=source,
                evidence=tag,
            )
            for outcome, when, tag in rows
        ),
    )


def _scaled(axis: str, scale: Scale, stages: tuple[str, ...] = LEVELS) -> RuleTable:
    """Return a table with one criterion, the band that a stated score lies in."""
    criterion = Criterion(
        name=scale.fact,
        question=FACTS[scale.fact].question,
        facts=(scale.fact,),
        values=tuple(scale.bands),
    )
    leading: dict[str, list[str]] = {}
    for band, outcome in scale.bands.items():
        leading.setdefault(outcome, []).append(f"{scale.fact} == {band!r}")
    rows: list[tuple[str, str, EvidenceTag]] = [
        (outcome, " or ".join(conditions), "D") for outcome, conditions in leading.items()
    ]
    return _table(axis, [criterion], rows, stages=stages)


# Function ----------------------------------------------------------------------------

LIQUIDS: Final = _table(
    "LIQUIDS",
    [
        Criterion(
            name="liquids",
            question=FACTS["liquids"].question,
            facts=("liquids", "liquids_difficulty"),
            values=FACTS["liquids"].choices,
        )
    ],
    [
        (level, f"liquids == {choice!r}", "D")
        for level, choice in zip(LEVELS, FACTS["liquids"].choices, strict=True)
    ],
)
# PSS-HN scores.
DIET_SCALE: Final = Scale(
    fact="pss_diet", levels=((90, 100), (60, 80), (30, 50), (0, 20))
)
SPEECH_SCALE: Final = Scale(
    fact="pss_speech", levels=((100, 100), (75, 75), (50, 50), (0, 25))
)
DIET: Final = _scaled("DIET", DIET_SCALE)
SPEECH: Final = _scaled("SPEECH", SPEECH_SCALE)

# The parts of function, with what states each.
FUNCTION_PARTS: Final = {"liquids": LIQUIDS, "diet": DIET, "speech": SPEECH}


def _any_part(level: int) -> str:
    return " or ".join(f"{name} == {level}" for name in FUNCTION_PARTS)


FUNCTION: Final = _table(
    "F",
    [
        Criterion(
            name=name,
            question=table.criteria[0].question,
            facts=table.criteria[0].facts,
            values=(0, 1, 2, 3),
        )
        for name, table in FUNCTION_PARTS.items()
    ],
    [
        ("0", "not (any_1 or any_2 or any_3)", "D"),
        ("1", "any_1 and not (any_2 or any_3)", "D"),
        ("2", "any_2 and not any_3", "D"),
        ("3", "any_3", "D"),
    ],
    terms={f"any_{level}": _any_part(level) for level in (1, 2, 3)},
)

# Aesthetics --------------------------------------------------------------------------

# Below the first it is usually not noticed (Arch Craniofac Surg review, PMC5556787); the
# others are choices of this project.
AESTHETIC_CUTS_MM: Final = (3.0, 6.0, 10.0)
AESTHETIC_BANDS: Final = (
    "under 3 mm",
    "3 to under 6 mm",
    "6 to under 10 mm",
    "10 mm or more",
)
_NOTICED: Final = "PMC5556787 for 3 mm; the rest by osteotrace"


def _lengths(name: str, question: str, **answered_by: tuple[str, ...]) -> Criterion:
    return Criterion(name=name, question=question, values=AESTHETIC_BANDS, **answered_by)


def _is(band: int) -> str:
    names = ("asymmetry", "premaxilla_depression", "soft_tissue_defect")
    return " or ".join(f"{name} == {AESTHETIC_BANDS[band]!r}" for name in names)


AESTHETICS: Final = _table(
    "E",
    [
        _lengths(
            "asymmetry",
            "How many mm do left and right landmarks of the face differ?",
            kinds=("facial_asymmetry",),
        ),
        _lengths(
            "premaxilla_depression",
            "How many mm has the premaxilla sunk since an earlier date?",
        ),
        _lengths(
            "soft_tissue_defect",
            "How many mm is the soft-tissue defect, and by which definition?",
            facts=("reported_soft_tissue_defect", "soft_tissue_definition"),
            kinds=("soft_tissue_defect",),
        ),
        *(
            Criterion(name=fact, question=FACTS[fact].question, facts=(fact,))
            for fact in ("bothered", "visible_at_rest", "lip_or_nasal_support_lost")
        ),
    ],
    [
        ("0", "not (level_1 or level_2 or level_3)", "V"),
        ("1", "level_1 and not (level_2 or level_3)", "V"),
        ("2", "level_2 and not level_3", "D"),
        ("3", "level_3", "D"),
    ],
    terms={
        "level_1": f"bothered or {_is(1)}",
        "level_2": f"(visible_at_rest and bothered) or {_is(2)}",
        "level_3": f"lip_or_nasal_support_lost or {_is(3)}",
    },
    source=_NOTICED,
)

# Pain --------------------------------------------------------------------------------

PAIN_BANDS: Final = ("0", "1-3", "4-6", "7-10")
PAIN_SCALE: Final = Scale(
    fact="pain_vas",
    levels=((0, 0), (1, 3), (4, 6), (7, 10)),
    names=PAIN_BANDS,
    none_is_zero=True,
)
PAIN: Final = _scaled("P", PAIN_SCALE, PAIN_BANDS)
# A change of so many points, or of this share, is called meaningful.
MEANINGFUL_POINTS: Final = 2.0
MEANINGFUL_SHARE: Final = 0.3
MEANINGFUL_SOURCE: Final = "Farrar, Pain 2001, not read"

# Infection ---------------------------------------------------------------------------

INFECTION_SIGNS: Final = {
    "pus": (),
    "draining_fistula": (),
    "abscess": ("abscess",),
    "gas_outside_airway": ("gas",),
}
INFLAMMATION: Final = "swelling_or_erythema"
INFECTION: Final = _table(
    "I",
    [
        *(
            Criterion(
                name=fact, question=FACTS[fact].question, facts=(fact,), kinds=kinds
            )
            for fact, kinds in INFECTION_SIGNS.items()
        ),
        Criterion(
            name=INFLAMMATION,
            question=FACTS[INFLAMMATION].question,
            facts=(INFLAMMATION,),
        ),
        Criterion(
            name="healed",
            question="Has the lesion healed, with or without a scar?",
            facts=("status", "scar"),
        ),
        Criterion(
            name="was_active",
            question=FACTS["infection_was_active"].question,
            facts=("infection_was_active",),
        ),
    ],
    [
        ("0", f"not sign and not {INFLAMMATION} and not (healed and was_active)", "D"),
        ("1", f"not sign and not {INFLAMMATION} and healed and was_active", "D"),
        ("2", f"not sign and {INFLAMMATION}", "D"),
        ("3", "sign", "D"),
    ],
    terms={"sign": " or ".join(INFECTION_SIGNS)},
)
TABLES: Final = {
    "F-liquids": LIQUIDS,
    "F-diet": DIET,
    "F-speech": SPEECH,
    "F": FUNCTION,
    "E": AESTHETICS,
    "P": PAIN,
    "I": INFECTION,
}
