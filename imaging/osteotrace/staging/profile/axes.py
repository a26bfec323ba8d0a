"""What is known of each axis of the functional-aesthetic profile at a date.

An axis is never added to another. What is not known is ``?``; what is known in part is
an interval over every assignment of the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from osteotrace.codes import FACTS
from osteotrace.findings import StagingPart
from osteotrace.staging.evidence import Evidence, dates
from osteotrace.staging.jaw import JAW_SITES
from osteotrace.staging.profile.lengths import lengths, shown_lengths
from osteotrace.staging.profile.tables import (
    AESTHETICS,
    DIET_SCALE,
    FUNCTION,
    FUNCTION_PARTS,
    INFECTION,
    INFECTION_SIGNS,
    INFLAMMATION,
    MEANINGFUL_POINTS,
    MEANINGFUL_SHARE,
    MEANINGFUL_SOURCE,
    PAIN,
    PAIN_SCALE,
    SPEECH_SCALE,
)
from osteotrace.staging.rule_table import Evaluation, Observed, evaluate

if TYPE_CHECKING:
    from osteotrace.staging.evidence import Range
    from osteotrace.staging.profile.tables import Scale
    from osteotrace.staging.rule_table import Criterion

# Instruments that are kept beside function and give no level of their own.
_INSTRUMENTS: Final = {
    "pss_eating_in_public": "PSS-HN eating in public",
    "fois": "FOIS",
    "eat10": "EAT-10",
    "ofs": "OFS",
}
# Sites at which an abscess or gas is one of the jaw.
_INFECTED_SITES: Final = JAW_SITES | {"cheek", "face"}
_LABORATORY: Final = {
    "crp": "CRP",
    "esr": "ESR",
    "wbc": "WBC",
    "neutrophils": "neutrophils",
    "lymphocytes": "lymphocytes",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """One axis of the profile at a date.

    Parameters
    ----------
    evaluation : Evaluation
        Its table over every assignment of the unknowns.
    part : StagingPart
        The axis as a line.
    beside : tuple of StagingPart
        Its parts, and values that give no level.
    under : tuple of Evaluation
        Tables of its parts that something is known of.
    stated : frozenset of str
        Criteria that were answered by a value between two levels: there is no more to
        ask.
    """

    evaluation: Evaluation
    part: StagingPart
    beside: tuple[StagingPart, ...] = ()
    under: tuple[Evaluation, ...] = ()
    stated: frozenset[str] = frozenset()

    @property
    def open(self) -> tuple[Criterion, ...]:
        """The criteria that block and may still be asked."""
        return tuple(
            one for one in self.evaluation.blocking if one.name not in self.stated
        )


def interval(done: Evaluation) -> tuple[str, str]:
    """Return the ends of an evaluation, ``?`` where nothing is known."""
    if (done.lowest, done.highest) == (done.table.stages[0], done.table.stages[-1]):
        return "?", "?"
    return done.lowest, done.highest


def _part(name: str, done: Evaluation, said: str = "") -> StagingPart:
    low, high = interval(done)
    level = low if low == high else f"{low}..{high}"
    return StagingPart(
        name=name,
        lowest=low,
        highest=high,
        text=f"{name}{level} ({said})" if said else f"{name}{level}",
    )


# Function ----------------------------------------------------------------------------


def function(evidence: Evidence) -> Axis:
    """Return the axis F: the highest level of liquids, diet and speech."""
    known = {
        "liquids": _liquids(evidence),
        "diet": _score(evidence, DIET_SCALE),
        "speech": _score(evidence, SPEECH_SCALE),
    }
    under = {
        name: evaluate(table, {table.criteria[0].name: known[name]})
        for name, table in FUNCTION_PARTS.items()
    }
    done = evaluate(
        FUNCTION,
        {
            name: Observed(
                possible=tuple(range(int(one.lowest), int(one.highest) + 1)),
                basis=known[name].basis,
                because=known[name].because,
            )
            for name, one in under.items()
        },
    )
    instruments = _values(evidence, _INSTRUMENTS)
    return Axis(
        evaluation=done,
        part=_part("F", done, _said_of_function(done, under)),
        beside=(
            *(_level(f"F-{name}", one) for name, one in under.items()),
            *([_beside("F instruments", instruments)] if instruments else []),
        ),
        under=tuple(one for one in under.values() if interval(one) != ("?", "?")),
        stated=frozenset(name for name, one in known.items() if one.known),
    )


def _liquids(evidence: Evidence) -> Observed:
    """Return how liquids are kept, as chosen, else as far as a difficulty tells."""
    chosen = evidence.choice("liquids")
    difficulty = evidence.truth("liquids_difficulty")
    choices = FACTS["liquids"].choices
    if not difficulty.known:
        return chosen
    # A difficulty without detail is a leak, and no regurgitation through the nose.
    told = choices[1:-1] if difficulty.possible == (True,) else choices[:1]
    both = tuple(one for one in chosen.possible if one in told)
    because = (*chosen.because, *difficulty.because)
    if both:
        return Observed(possible=both, basis="entered", because=because)
    if (
        chosen.known
        and difficulty.possible == (True,)
        and chosen.possible[0] in choices[1:]
    ):
        return chosen
    evidence.conflicts.append(f"liquids: {'; '.join(because)}")
    return Observed(possible=choices, because=because)


def _score(evidence: Evidence, scale: Scale) -> Observed:
    """Return the bands of a scale that a stated score lies in; all where it is not."""
    stated = evidence.number(scale.fact)
    if stated is None:
        return Observed(possible=tuple(scale.bands))
    return Observed(
        possible=scale.bands_of(stated.low, stated.high),
        basis="entered",
        because=stated.because,
    )


def _said_of_function(done: Evaluation, under: dict[str, Evaluation]) -> str:
    """Return the parts in words, and which gives the level where it is definite."""
    known = {name: one for name, one in under.items() if interval(one) != ("?", "?")}
    if not known:
        return ""
    words = [f"{name} {_ends(one)}" for name, one in known.items()]
    unknown = ", ".join(name for name in under if name not in known)
    said = "; ".join([*words, *([f"{unknown} unknown"] if unknown else [])])
    if done.lowest != done.highest or done.highest == done.table.stages[0]:
        return said
    giving = [name for name, one in known.items() if one.lowest == done.highest]
    return f"by {' and '.join(giving)}: {said}" if giving else said


def _ends(done: Evaluation) -> str:
    low, high = interval(done)
    return low if low == high else f"{low}..{high}"


def _level(name: str, done: Evaluation) -> StagingPart:
    low, high = interval(done)
    return StagingPart(name=name, lowest=low, highest=high, text=f"{name} {_ends(done)}")


def _beside(name: str, text: str) -> StagingPart:
    """Return a line of values that give no level."""
    return StagingPart(name=name, lowest="", highest="", text=text)


def _values(evidence: Evidence, facts: dict[str, str]) -> str:
    """Return stated numbers in words, those that are not stated left out."""
    said = []
    for name, words in facts.items():
        one = evidence.number(name)
        if one is not None:
            unit = FACTS[name].units[0]
            said.append(f"{words} {_shown(one)} {unit}".removesuffix(" 1"))
    return ", ".join(said)


def _shown(stated: Range) -> str:
    ends = dict.fromkeys((stated.low, stated.high))
    return " to ".join(f"{end:g}" for end in ends)


# Aesthetics --------------------------------------------------------------------------


def aesthetics(evidence: Evidence) -> Axis:
    """Return the axis E: what was measured in mm, and what the patient says of it."""
    read = lengths(evidence)
    known = {
        name: evidence.truth(name)
        for name in ("bothered", "visible_at_rest", "lip_or_nasal_support_lost")
    }
    done = evaluate(AESTHETICS, known | {one.name: one.band for one in read})
    rating = evidence.number("own_rating")
    said = shown_lengths(read)
    if rating is not None:
        said.append(f"own rating {rating.high:g} of 10")
    said += [
        words
        for name, words in (("bothered", "bothered"), ("visible_at_rest", "visible"))
        if known[name].possible == (True,)
    ]
    beside = [line for one in read for line in one.lines]
    return Axis(
        evaluation=done,
        part=_part("E", done, "; ".join(said)),
        beside=tuple(_beside("E mm", line) for line in beside),
        stated=frozenset(one.name for one in read if one.stated),
    )


# Pain --------------------------------------------------------------------------------


def pain(evidence: Evidence) -> Axis:
    """Return the axis P: the band of the pain scale, and the change since the last."""
    scale = evidence.number("pain_vas")
    stated = evidence.truth("pain")
    bands = PAIN.criteria[0].values
    known, said = _score(evidence, PAIN_SCALE), ""
    if scale is not None:
        said = f"VAS {_shown(scale)}"
        if stated.known and stated.possible != (scale.high > 0,):
            evidence.conflicts.append(
                f"pain: {'; '.join(stated.because)}, but {'; '.join(scale.because)}"
            )
            known = Observed(possible=bands, because=(*scale.because, *stated.because))
    elif stated.known:
        there = stated.possible == (True,)
        said = "pain, no scale" if there else "no pain"
        known = Observed(
            possible=bands[1:] if there else bands[:1],
            basis="entered",
            because=stated.because,
        )
    done = evaluate(PAIN, {"pain_vas": known})
    change = _change_of_pain(evidence)
    return Axis(
        evaluation=done,
        part=_part("P", done, said),
        beside=(_beside("P change", change),) if change else (),
        stated=frozenset(["pain_vas"] if scale is not None else []),
    )


def _change_of_pain(evidence: Evidence) -> str:
    """Return the change of the scale since the last day it was stated, in words."""
    now = evidence.number("pain_vas")
    earlier = [day for day in dates(evidence.case) if day < evidence.date]
    found = (
        (day, Evidence(evidence.case, day).number("pain_vas")) for day in earlier[::-1]
    )
    last = next(((day, one) for day, one in found if one is not None), None)
    if now is None or last is None:
        return ""
    day, before = last
    calls = {
        _is_meaningful(a, b)
        for a in (before.low, before.high)
        for b in (now.low, now.high)
    }
    verdict = (
        "meaningful or not, depending on which value holds"
        if len(calls) > 1
        else "called meaningful"
        if True in calls
        else "not called meaningful"
    )
    return (
        f"VAS {_shown(now)}, after {_shown(before)} on {day}: {verdict} "
        f"({MEANINGFUL_POINTS:g} points or {MEANINGFUL_SHARE:.0%}; {MEANINGFUL_SOURCE})"
    )


def _is_meaningful(before: float, now: float) -> bool:
    change = abs(now - before)
    return change >= MEANINGFUL_POINTS or (
        before > 0 and change >= MEANINGFUL_SHARE * before
    )


# Infection ---------------------------------------------------------------------------


def infection(evidence: Evidence) -> Axis:
    """Return the axis I; where the disease is stated as healed, no sign is left open."""
    status = evidence.choice("status")
    healed = evidence.truth("scar")
    if status.known:
        healed = Observed(
            possible=(status.possible == ("healed",),),
            basis="entered",
            because=status.because,
        )
    known = {name: _sign(evidence, name) for name in (*INFECTION_SIGNS, INFLAMMATION)}
    if status.possible == ("healed",):
        known |= {
            name: Observed(possible=(False,), basis="derived", because=status.because)
            for name, one in known.items()
            if not one.known
        }
    done = evaluate(
        INFECTION, known | {"healed": healed, "was_active": _was_active(evidence)}
    )
    there = [name for name in known if known[name].possible == (True,)]
    # A sign of the highest level gives it, whatever else there is.
    giving = [name for name in there if name in INFECTION_SIGNS] or there
    said = ", ".join(name.replace("_", " ") for name in giving)
    values = _values(evidence, _LABORATORY)
    return Axis(
        evaluation=done,
        part=_part("I", done, said),
        beside=(_beside("I laboratory", values),) if values else (),
    )


def _sign(evidence: Evidence, name: str) -> Observed:
    return evidence.truth(
        name, kinds=INFECTION_SIGNS.get(name, ()), sites=_INFECTED_SITES
    )


def _was_active(evidence: Evidence) -> Observed:
    """Return whether there was an infection: as stated, or by a sign at a date before.

    That there was none, stated later than a sign or for every date, contradicts it.
    """
    stated = evidence.truth("infection_was_active")
    for day in (day for day in dates(evidence.case) if day < evidence.date):
        then = Evidence(evidence.case, day)
        for name in (*INFECTION_SIGNS, INFLAMMATION):
            sign = _sign(then, name)
            if sign.possible == (True,) and stated.possible != (True,):
                shown = replace(sign, basis="derived")
                if not _is_denied_after(evidence, then):
                    return shown
                return evidence.agreed("infection_was_active", stated, shown)
    return stated


def _is_denied_after(evidence: Evidence, then: Evidence) -> bool:
    """Tell whether an earlier infection is denied at a date, and was not yet then."""
    name = "infection_was_active"
    before = [fact for fact in then.facts(name) if fact.date]
    return any(
        fact.value is False and fact not in before for fact in evidence.facts(name)
    )
