"""Which readings are two of one study, and which of their findings are one lesion.

Findings of one study lie in one space: they are matched as lesions of two dates are, with
nothing between them. What one reader marked and the other did not is named.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from osteotrace.comparison.matching import Mark, propose
from osteotrace.comparison.places import Ways
from osteotrace.comparison.records import Basis
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Assessment, Finding, leaders_of_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class LesionPair(msgspec.Struct, frozen=True, kw_only=True):
    """One lesion as read twice.

    Parameters
    ----------
    study_uid : str
    first, second : Finding
    basis : str
        As in `osteotrace.comparison.Link`.
    """

    study_uid: str
    first: Finding
    second: Finding
    basis: Basis


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTwice:
    """Studies that were read twice.

    Parameters
    ----------
    readers : (first, second)
    studies : tuple of (StudyInstanceUID, first reading, second reading)
    notes : tuple of str
        What was passed by, and why.
    """

    readers: tuple[str, str]
    studies: tuple[tuple[str, Assessment, Assessment], ...]
    notes: tuple[str, ...] = ()


def read_twice(
    assessments: Iterable[Assessment], readers: tuple[str, str] | None = None
) -> ReadTwice:
    """Return the studies that were read twice, by two people or by one.

    Parameters and errors as in `osteotrace.comparison.agreement.agreement`.
    """
    every = list({one.assessment_uid: one for one in assessments}.values())
    amended = {one.predecessor_uid for one in every}
    studies: dict[str, list[Assessment]] = defaultdict(list)
    for one in sorted(every, key=lambda one: (one.recorded, one.assessment_uid)):
        alone = one.assessment_uid not in amended and not one.adjudicates
        if one.study_uid and one.reader and alone:
            studies[one.study_uid].append(one)
    chosen = readers or _readers(studies)
    found, notes = [], []
    for uid, readings in studies.items():
        own = [[one for one in readings if one.reader == name] for name in chosen]
        if chosen[0] == chosen[1]:
            own = [own[0][:1], own[0][1:2]]
        more = sum(one.reader in chosen for one in readings) - sum(map(len, own))
        if not all(own):
            continue
        more += sum(len(readings) - 1 for readings in own)
        if more:
            notes.append(f"study {uid}: {more} more readings are not compared")
        found.append((uid, own[0][0], own[1][0]))
    if not found:
        raise _not_twice(chosen, studies)
    once = len(studies) - len(found)
    if once:
        notes.append(f"{once} studies were not read by both and are passed by")
    return ReadTwice(readers=chosen, studies=tuple(found), notes=tuple(notes))


def _readers(studies: dict[str, list[Assessment]]) -> tuple[str, str]:
    """Return the two who read, or the one who read twice."""
    names = sorted({one.reader for readings in studies.values() for one in readings})
    if len(names) == 2:
        return names[0], names[1]
    if len(names) == 1:
        return names[0], names[0]
    raise OsteotraceError(
        f"readings by {len(names)} readers: {', '.join(names) or 'nobody by name'}",
        expected="two of them, or one who read twice",
        advice="name two with --readers",
        usage=True,
    )


def _not_twice(
    chosen: tuple[str, str], studies: dict[str, list[Assessment]]
) -> OsteotraceError:
    names = {one.reader for readings in studies.values() for one in readings}
    missing = [name for name in dict.fromkeys(chosen) if name not in names]
    who = (
        f"by {chosen[0]} twice"
        if chosen[0] == chosen[1]
        else f"by {' and '.join(chosen)}"
    )
    told = f"; nobody called {', '.join(missing)}" if missing else ""
    return OsteotraceError(
        f"no study that was read {who}{told}",
        expected="two readings of one study; an amendment is none of its own",
        advice="give the folder of both readers' records",
        usage=bool(missing),
    )


def paired(
    twice: ReadTwice,
) -> tuple[tuple[LesionPair, ...], tuple[tuple[str, str], ...]]:
    """Return the lesions that both marked, and what one marked alone.

    Returns
    -------
    tuple of LesionPair, tuple of (reader, label)
    """
    pairs: list[LesionPair] = []
    alone: list[tuple[str, str]] = []
    for study_uid, first, second in twice.studies:
        marks = [_marks(one) for one in (first, second)]
        taken = [one for one in propose(*marks, ways=Ways()) if one.taken]
        seen: tuple[set[int], set[int]] = (set(), set())
        for one in taken:
            # One lesion in parts for one reader is one pair: the first of them.
            if one.earlier not in seen[0] and one.later not in seen[1]:
                pairs.append(
                    LesionPair(
                        study_uid=study_uid,
                        first=marks[0][one.earlier].first,
                        second=marks[1][one.later].first,
                        basis=one.link.basis,
                    )
                )
            seen[0].add(one.earlier)
            seen[1].add(one.later)
        for side, reader in enumerate(twice.readers):
            alone += [
                (reader, mark.first.label)
                for place, mark in enumerate(marks[side])
                if place not in seen[side]
            ]
    return tuple(pairs), tuple(alone)


def _marks(reading: Assessment) -> Sequence[Mark]:
    parts = leaders_of_parts(reading.findings)
    return [
        Mark.of(one, is_part=place in parts) for place, one in enumerate(reading.findings)
    ]
