"""What a window shows of a comparison: rows of words, formed once and here.

Every number is that of the comparison itself, said as the report page says it. A state is
a word with a sign, so that no colour has to tell it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from osteotrace.reports import text
from osteotrace.reports.comparison import words

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from osteotrace.comparison import (
        ComparedStudy,
        Comparison,
        Lesion,
        Link,
        QuantityChange,
        Seen,
        State,
        Step,
    )
    from osteotrace.findings import Finding
    from osteotrace.reports.comparison.timeline import TimelinePoint

    # Findings by tracking UID, with their words.
    Named = tuple[tuple[str, str], ...]


_COUNTED: Final = {"fragment_count": "fragments", "breach_count": "breaches"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyChoice:
    """A study as it is offered: what it is called, and what is known of it.

    Parameters
    ----------
    study_uid : str
    name : str
        Date, or what stands for it while dates are hidden.
    note : str
        What else tells it: how long before, its findings, whether images are open.
    is_read : bool
    has_images : bool
    """

    study_uid: str
    name: str
    note: str = ""
    is_read: bool = False
    has_images: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchRow:
    """Two findings of both dates that are, or may be, one lesion.

    Parameters
    ----------
    earlier_uid, later_uid : str
        Tracking UIDs.
    earlier, later : str
        Both in words.
    why : str
        The basis, with distance and overlap.
    detail : str
        What else would fit.
    is_proposed : bool
        Whether a reader has to confirm it.
    said_by : str
        Who confirmed it, and when; empty where nobody did.
    is_carried : bool
        Whether the later mark came from the earlier one: it is accepted as a finding.
    """

    earlier_uid: str
    later_uid: str
    earlier: str
    later: str
    why: str
    is_proposed: bool
    detail: str = ""
    said_by: str = ""
    is_carried: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionRow:
    """One lesion over both dates.

    Parameters
    ----------
    tracking_uid : str
    label, what : str
        Its short name, and kind and site in words.
    state : State
    is_proposed : bool
        Whether the state rests on what no reader has confirmed.
    is_draft : bool
        Whether a finding of it waits to be accepted.
    quantity : str
        The one quantity that decides the state, in words.
    earlier, later : str
        Its values with ± u, or why there is none.
    delta, limit, verdict, reason : str
        Δ with % and a month; what it has to exceed and where that comes from; the
        verdict; why the state is what it is.
    others : tuple of str
        The other quantities, one a line; they do not vote.
    earlier_uids, later_uids : tuple of str
        The findings of both dates that are this lesion.
    part_of : str
        Tracking UID of the lesion that it is a fragment of.
    """

    tracking_uid: str
    label: str
    what: str
    state: State
    is_proposed: bool = False
    is_draft: bool = False
    quantity: str = ""
    earlier: str = ""
    later: str = ""
    delta: str = ""
    limit: str = ""
    verdict: str = ""
    reason: str = ""
    others: tuple[str, ...] = ()
    earlier_uids: tuple[str, ...] = ()
    later_uids: tuple[str, ...] = ()
    part_of: str = ""

    @property
    def sign(self) -> str:
        """The sign of the state."""
        return words.STATE_SYMBOLS[self.state]

    @property
    def state_words(self) -> str:
        """The state with its sign, and that it rests on a proposal where it does."""
        return f"{self.sign} {self.state}" + (", proposed" if self.is_proposed else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareSheet:
    """All that the Compare tab shows.

    Parameters
    ----------
    studies : tuple of StudyChoice
        By date.
    earlier_uid, later_uid : str
        Which two are chosen; empty where none is.
    registration : tuple of str
        Each pair of series with its error, or the refusal in full.
    is_aligned : bool
        Whether a transform holds between both.
    can_align : bool
        Whether both have images that are open.
    lesions : tuple of LesionRow
    matches : tuple of MatchRow
        Proposed ones first.
    alone : two tuples of (tracking UID, words)
        Findings of the earlier and of the later date that nothing is matched with: a
        reader may link them by hand.
    to_carry : tuple of str
        Labels of the other study's marks that can be carried into the draft.
    not_carried : tuple of str
        Why others cannot, one a line.
    differences : tuple of str
        How both studies were made differently.
    notes : tuple of str
        What to mind of the whole.
    doubts : tuple of (str, bool)
        Flags of the values compared, and whether the reader lets them pass.
    judged_by : str
        Name of the file with the site's own coefficients; empty for the default ones.
    timeline : tuple of TimelinePoint
        What stands on the time axis, every date of it.
    timeline_uids : tuple of str
        StudyInstanceUIDs of its studies, by their numbers.
    hidden : str
        Why nothing of other dates is shown, where the reading is blinded.
    problem : str
        Why there is no comparison.
    """

    studies: tuple[StudyChoice, ...] = ()
    earlier_uid: str = ""
    later_uid: str = ""
    registration: tuple[str, ...] = ()
    is_aligned: bool = False
    can_align: bool = False
    lesions: tuple[LesionRow, ...] = ()
    matches: tuple[MatchRow, ...] = ()
    alone: tuple[Named, Named] = ((), ())
    to_carry: tuple[str, ...] = ()
    not_carried: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    doubts: tuple[tuple[str, bool], ...] = ()
    judged_by: str = ""
    timeline: tuple[TimelinePoint, ...] = ()
    timeline_uids: tuple[str, ...] = ()
    hidden: str = ""
    problem: str = ""


def lesion_rows(
    comparison: Comparison, drafts: Collection[str] = ()
) -> tuple[LesionRow, ...]:
    """Return the lesions of a comparison of two studies as rows.

    Those that changed stand first, and fragments below what they are of.

    Parameters
    ----------
    comparison : Comparison
    drafts : collection of str
        Tracking UIDs of findings that no reader has accepted: what rests on them is
        proposed.
    """
    rows = [_row(one, comparison.studies) for one in comparison.lesions]
    rows = [
        replace(row, is_proposed=True, is_draft=True)
        if not {*row.earlier_uids, *row.later_uids}.isdisjoint(drafts)
        else row
        for row in rows
    ]
    leaders = [row for row in rows if not row.part_of]
    leaders.sort(key=lambda row: row.state in ("stable", "absent"))
    parts: dict[str, list[LesionRow]] = {}
    for row in rows:
        if row.part_of:
            parts.setdefault(row.part_of, []).append(row)
    kept = {row.tracking_uid for row in leaders}
    alone = [row for uid, ones in parts.items() if uid not in kept for row in ones]
    below = (row for one in leaders for row in (one, *parts.get(one.tracking_uid, ())))
    return (*below, *alone)


def match_rows(
    comparison: Comparison, said_by: Mapping[str, str]
) -> tuple[MatchRow, ...]:
    """Return the matches of a comparison, those to confirm first.

    Parameters
    ----------
    comparison : Comparison
    said_by : mapping of str to str
        Who confirmed a match and when, by the tracking UID of its earlier finding.
    """
    rows = [
        _match(link, one, said_by) for one in comparison.lesions for link in one.links
    ]
    return tuple(sorted(rows, key=lambda row: not row.is_proposed))


def alone(comparison: Comparison) -> tuple[Named, Named]:
    """Return the findings of either date that nothing is matched with."""
    sides = comparison.studies[0].number, comparison.studies[-1].number
    first, last = (
        tuple(
            (finding.tracking_uid, finding_words(finding))
            for lesion in comparison.lesions
            if len(lesion.seen) == 1 and not lesion.part_of
            for seen in lesion.seen
            if seen.study == side
            for finding in seen.findings
        )
        for side in sides
    )
    return first, last


def difference_lines(comparison: Comparison) -> tuple[str, ...]:
    """Return how the studies were made differently, one a line."""
    return tuple(
        f"{one.kind}{f' ({one.modality})' if one.modality else ''}: "
        f"{one.earlier} → {one.later}" + (f"; {one.reason}" if one.reason else "")
        for pair in comparison.pairs
        for one in pair.differences
    )


def finding_words(finding: Finding) -> str:
    """Return a finding with its first value, e.g. ``PAL-1 · 12.07 ± 0.02 mm``."""
    told = [finding.label]
    told.append(_value(finding) if finding.presence == "present" else finding.presence)
    return " · ".join(filter(None, told))


def _value(finding: Finding) -> str:
    """Return the first value of a finding with ± u; empty where nothing was measured."""
    if not finding.measurements:
        return ""
    first = finding.measurements[0]
    told = text.value(first).partition(":")[0]
    # A count has no unit that would say what it is of.
    return f"{told} {_COUNTED[first.name]}" if first.name in _COUNTED else told


def _row(lesion: Lesion, studies: Sequence[ComparedStudy]) -> LesionRow:
    step = lesion.whole or (lesion.steps[-1] if lesion.steps else None)
    first, last = studies[0].number, studies[-1].number
    what = ", ".join(filter(None, (words.kind(lesion), words.place(lesion))))
    row = LesionRow(
        tracking_uid=lesion.tracking_uid,
        label=lesion.label,
        what=what,
        state=lesion.state,
        earlier=_read_as(lesion, first),
        later=_read_as(lesion, last),
        earlier_uids=_uids(lesion, first),
        later_uids=_uids(lesion, last),
        part_of=lesion.part_of,
    )
    return row if step is None else _with_step(row, lesion, step)


def _with_step(row: LesionRow, lesion: Lesion, step: Step) -> LesionRow:
    primary = next((one for one in step.changes if one.name == step.primary), None)
    others = (one for one in step.changes if one is not primary)
    row = replace(
        row,
        is_proposed=step.proposed,
        reason=step.reason,
        others=tuple(_line(lesion, step, one) for one in others),
    )
    if primary is None:
        return row
    earlier, later = (
        _valued(end, primary, read)
        for end, read in zip(
            words.ends(lesion, step, primary), (row.earlier, row.later), strict=True
        )
    )
    verdict = words.verdict(primary)
    return replace(
        row,
        quantity=words.quantity(primary.name),
        earlier=earlier,
        later=later,
        delta=_delta(primary),
        limit=_limit(primary),
        verdict=f"{verdict.symbol} {verdict.words}",
        reason=verdict.reason or step.reason,
    )


def _valued(end: str, change: QuantityChange, read: str) -> str:
    """Return a value with its unit; without one, what was read instead."""
    if end == words.NONE:
        return read
    return f"{end} {words.unit(change.change.unit)}".rstrip()


def _delta(change: QuantityChange) -> str:
    told = words.delta(change)
    if told == words.NONE:
        return ""
    told = f"{told} {words.unit(change.change.unit)}".rstrip()
    if words.percent(change):
        told += f" ({words.percent(change)})"
    if words.per_month(change):
        told += f", {words.per_month(change)} a month"
    return told


def _limit(change: QuantityChange) -> str:
    told = words.limit(change)
    if not told:
        return ""
    told = f"RC {told}, {change.change.limit_origin}"
    if change.u_registration:
        unit = words.unit(change.change.unit)
        told += f"; u of the registration {change.u_registration:.2g} {unit}".rstrip()
    return told


def _line(lesion: Lesion, step: Step, change: QuantityChange) -> str:
    """Return a quantity that does not vote, in one line."""
    earlier, later = words.ends(lesion, step, change)
    unit, verdict = words.unit(change.change.unit), words.verdict(change)
    values = f"{earlier} → {later} {unit}".rstrip()
    name = words.quantity(change.name)
    return f"{name}: {values}; {verdict.symbol} {verdict.words}"


def _at(lesion: Lesion, study: int) -> Seen | None:
    return next((one for one in lesion.seen if one.study == study), None)


def _uids(lesion: Lesion, study: int) -> tuple[str, ...]:
    seen = _at(lesion, study)
    return () if seen is None else tuple(one.tracking_uid for one in seen.findings)


def _read_as(lesion: Lesion, study: int) -> str:
    """Return what a lesion was at a date, in a word."""
    seen = _at(lesion, study)
    if seen is None:
        return "not read"
    if all(one.presence == "absent" for one in seen.findings):
        return "absent"
    parts = len(seen.findings)
    if parts > 1:
        return f"in {parts} parts"
    return _value(seen.findings[0]) or "present"


def _match(link: Link, lesion: Lesion, said_by: Mapping[str, str]) -> MatchRow:
    return MatchRow(
        earlier_uid=link.earlier_uid,
        later_uid=link.later_uid,
        earlier=_in_words(lesion.seen, link.earlier_uid),
        later=_in_words(lesion.seen[::-1], link.later_uid),
        why=words.basis(link),
        detail=link.reason,
        is_proposed=link.proposed,
        said_by=said_by.get(link.earlier_uid, "") or link.confirmed_by,
        is_carried=link.basis == "carried",
    )


def _in_words(seen: Sequence[Seen], uid: str) -> str:
    """Return the first finding of a UID: a tracked lesion has one UID at both dates."""
    every = (one for each in seen for one in each.findings)
    return next((finding_words(one) for one in every if one.tracking_uid == uid), "")
