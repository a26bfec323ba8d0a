"""What facts and findings answer to a question of yes or no, and where they differ.

An answer comes with the contradictions that were met: they are named, never settled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osteotrace.codes import FACTS
from osteotrace.codes.facts import HISTORY, JAW, PAIN
from osteotrace.findings.dates import days
from osteotrace.measurements.gas import OF_AIRWAY, REGION
from osteotrace.measurements.measurement import Measurement
from osteotrace.staging import places, sentences
from osteotrace.staging.rule_table import TRUTH, UNKNOWN, Observed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from osteotrace.findings import Assessment, Fact, Finding

# Certainties with which a finding counts; a possible one is a suspicion.
_COUNTS: Final = ("definite", "probable")
# What no image shows: a value measured on one is no answer here.
_ONLY_STATED: Final = (HISTORY, JAW, PAIN)

Read = tuple["Assessment", "Finding"]


def counts(fact: Fact) -> bool:
    """Tell whether a person answers for a fact, not images by themselves."""
    if fact.source == "entered":
        return True
    if fact.source == "measured" and FACTS[fact.name].group in _ONLY_STATED:
        return False
    return bool(fact.author.strip())


# Facts -------------------------------------------------------------------------------


def stated_truth(
    facts: Sequence[Fact],
    is_certain: Callable[[Fact], bool],
    *,
    laterality: str | None = None,
) -> tuple[Observed, tuple[str, ...]]:
    """Return whether a fact holds as stated, and its contradictions.

    It holds where it holds at any side; it does not where no side is left out.

    Parameters
    ----------
    facts : sequence of Fact
        What is stated of one name and place that holds, or may hold, at the date.
    is_certain : function
        Tells whether a fact holds at the date for certain.
    laterality : str, optional
        The side that is asked; by default both.
    """
    if not facts:
        return UNKNOWN, ()
    counting = [fact for fact in facts if counts(fact)]
    sides = dict.fromkeys(fact.laterality for fact in counting)
    disputes = {
        side: _disputed([one for one in counting if one.laterality == side], is_certain)
        for side in sides
    }
    conflicts = tuple(words for words in disputes.values() if words)
    sound = [fact for fact in counting if not disputes[fact.laterality]]
    yes = [fact for fact in sound if fact.value is True and is_certain(fact)]
    no = [fact for fact in sound if fact.value is False and is_certain(fact)]
    if yes:
        return _known(True, yes), conflicts
    denied = {fact.laterality for fact in no}
    everywhere = bool(no) and (laterality is not None or places.are_both_sides(denied))
    # A history that may have begun by the date is open, whatever was denied before.
    perhaps = FACTS[facts[0].name].lasting and any(one.value is True for one in sound)
    if everywhere and not perhaps and not conflicts:
        return _known(False, no), ()
    is_proposed = len(counting) < len(facts)
    unknown = Observed(
        possible=TRUTH,
        basis="proposed" if is_proposed else "unknown",
        because=tuple(map(sentences.said, facts)),
        contradicted=bool(conflicts),
    )
    return unknown, conflicts


def _known(value: bool, facts: Sequence[Fact]) -> Observed:
    because = tuple(map(sentences.said, facts))
    return Observed(possible=(value,), basis=facts[0].source, because=because)


def _disputed(facts: Sequence[Fact], is_certain: Callable[[Fact], bool]) -> str:
    """Return in words how statements of one place differ; empty where they do not."""
    certain = [fact for fact in facts if is_certain(fact)]
    yes = [fact for fact in certain if fact.value is True]
    no = [fact for fact in certain if fact.value is False]
    if any(not _precedes(denied, one) for denied in no for one in yes):
        return two_ways([fact for fact in certain if fact.value is not None])
    return differing_of_one_time([fact for fact in facts if not is_certain(fact)])


def _precedes(denied: Fact, stated: Fact) -> bool:
    """Tell whether a history was denied before it was stated: then it began between."""
    if not (FACTS[stated.name].lasting and denied.date and stated.date):
        return False
    first, last = days(denied.date), days(stated.date)
    return first != last and first[0] < last[1]


def differing_of_one_time(facts: Iterable[Fact]) -> str:
    """Return in words how statements of the same partial date differ, empty if not."""
    times: dict[tuple[str, str], list[Fact]] = {}
    for fact in facts:
        if fact.value is not None:
            times.setdefault((fact.date, fact.until), []).append(fact)
    differing = (
        group for group in times.values() if len({(f.value, f.unit) for f in group}) > 1
    )
    return next((two_ways(group) for group in differing), "")


def two_ways(facts: Sequence[Fact]) -> str:
    """Return in words that a fact is stated in two ways."""
    said = "; ".join(map(sentences.said, facts))
    return f"{facts[0].name} is stated in two ways: {said}"


# Findings ----------------------------------------------------------------------------


def seen(
    found: Sequence[Read],
    is_certain: Callable[[Assessment], bool],
    *,
    sites: Collection[str] | None = None,
    laterality: str | None = None,
) -> tuple[Observed, tuple[str, ...]]:
    """Return whether findings are there, and the contradictions between readings.

    One that is present answers yes wherever it is; those that are absent answer no where
    they leave no place out (`places.leave_nothing_out`).

    Parameters
    ----------
    found : sequence of (Assessment, Finding)
        Readings of the date, or of a partial date that it may be.
    is_certain : function
        Tells whether a reading is of the date for certain.
    sites, laterality
        Where it is asked, and on which side.
    """
    present: list[Read] = []
    absent: list[Read] = []
    open_: list[str] = []
    proposed = False
    for assessment, finding in found:
        words = sentences.read(assessment, finding)
        if finding.presence == "unknown" or finding.certainty not in _COUNTS:
            open_.append(words)
        elif _may_be_of_airway(finding):
            open_.append(f"{words}, not known to lie outside the airway")
        elif not assessment.reader.strip():
            open_.append(f"{words}, proposed and not accepted by a reader")
            proposed = True
        elif not is_certain(assessment):
            open_.append(words)
        else:
            (present if finding.presence == "present" else absent).append(
                (assessment, finding)
            )
    disputed = [one for one in present if any(_differ(one, no) for no in absent)]
    conflicts = _named_disputes(disputed, absent)
    # One lesion suffices: another of the kind looked for and absent is elsewhere.
    accepted = tuple(sentences.read(*one) for one in present if one not in disputed)
    if accepted:
        return Observed(possible=(True,), basis="measured", because=accepted), conflicts
    looked_for = [finding for _, finding in absent]
    if (
        absent
        and not (disputed or open_)
        and not any(map(_is_of_a_region, looked_for))
        and places.leave_nothing_out(looked_for, sites, laterality)
    ):
        because = tuple(sentences.read(*one) for one in absent)
        return Observed(possible=(False,), basis="measured", because=because), ()
    unknown = Observed(
        possible=TRUTH,
        basis="proposed" if proposed else "unknown",
        because=(
            *open_,
            *(sentences.read(*one) for one in disputed),
            *(_in_part(*one) for one in absent),
        ),
        contradicted=bool(disputed),
    )
    return unknown, conflicts


def _may_be_of_airway(finding: Finding) -> bool:
    """Tell whether gas is joined to the airway, or goes on to where none was marked."""
    return any(
        flag.startswith(OF_AIRWAY)
        for value in finding.measurements
        if isinstance(value, Measurement)
        for flag in value.flags
    )


def _is_of_a_region(finding: Finding) -> bool:
    """Tell whether a finding was searched for in a marked region of its site alone."""
    return any(region.role == REGION for region in finding.regions)


def _in_part(assessment: Assessment, finding: Finding) -> str:
    """Return an absent finding with the place it was looked for at, which is not all."""
    place = f"{finding.laterality} {finding.site.replace('_', ' ')}".strip()
    if _is_of_a_region(finding):
        place = f"{REGION}, {place}"
    return f"{sentences.read(assessment, finding)}, looked for at: {place}"


def _named_disputes(disputed: Sequence[Read], absent: Sequence[Read]) -> tuple[str, ...]:
    if not disputed:
        return ()
    denied = [no for no in absent if any(_differ(one, no) for one in disputed)]
    pairs = "; ".join(sentences.read(*one) for one in (*disputed, *denied))
    of_one_reader = {one.reader for one, _ in (*disputed, *denied)}
    what = (
        "two amendments of one record differ"
        if len(of_one_reader) == 1
        else "readers of one study differ"
    )
    return (f"{what}: {pairs}",)


def _differ(one: Read, other: Read) -> bool:
    """Tell whether two readings of one study say different things of one place.

    One reader's are two where both amend the same record: neither is the later.
    """
    (reading, finding), (second, denied) = one, other
    siblings = (
        reading.assessment_uid != second.assessment_uid
        and bool(reading.predecessor_uid)
        and reading.predecessor_uid == second.predecessor_uid
    )
    return (
        reading.study_uid == second.study_uid
        and (siblings or reading.reader != second.reader)
        and not _is_of_a_region(denied)
        and places.denies(denied, finding)
    )
