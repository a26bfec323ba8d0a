"""What a window shows of a comparison: rows of words, formed once and here.

Every number is that of the comparison itself, in the digits of the tables. A state is a
word with a sign, so that no colour has to tell it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from osteotrace.codes import KINDS, QUANTITIES, SITES
from osteotrace.measurements.measurement import Measurement, shown
from osteotrace.reports import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from osteotrace.comparison import (
        ComparedStudy,
        Comparison,
        Lesion,
        Link,
        QuantityChange,
        Seen,
        Step,
    )
    from osteotrace.findings import Finding

SIGNS: Final[dict[str, str]] = {
    "new": "+",
    "growing": "▲",
    "stable": "=",
    "shrinking": "▼",
    "resolved": "✓",
    "absent": "○",
    "merged": "⊃",
    "split": "⊂",
    "not comparable": "≠",
    "not assessed": "?",
}
# How each basis of a match is said.
_BASES: Final = {
    "tracked": "one tracking UID",
    "confirmed": "confirmed",
    "carried": "carried forward",
    "level": "same vertebral level",
    "overlap": "they overlap",
    "distance": "they lie close",
    "site": "same kind and site",
}


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
    is_proposed : bool
        Whether a reader has to confirm it.
    said_by : str
        Who confirmed it, and when; empty where nobody did.
    """

    earlier_uid: str
    later_uid: str
    earlier: str
    later: str
    why: str
    is_proposed: bool
    said_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionRow:
    """One lesion over both dates.

    Parameters
    ----------
    tracking_uid : str
    label, what : str
        Its short name, and kind and site in words.
    state : str
        A state of `osteotrace.comparison`.
    is_proposed : bool
        Whether the state rests on what no reader has confirmed.
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
    """

    tracking_uid: str
    label: str
    what: str
    state: str
    is_proposed: bool = False
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

    @property
    def sign(self) -> str:
        """The sign of the state."""
        return SIGNS[self.state]

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
    to_carry : tuple of str
        Labels of the other study's marks that can be carried into the draft.
    not_carried : tuple of str
        Why others cannot, one a line.
    differences : tuple of str
        How both studies were made differently.
    notes : tuple of str
        What to mind of the whole.
    over_time : Comparison or None
        Every date, for the timeline.
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
    to_carry: tuple[str, ...] = ()
    not_carried: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    over_time: Comparison | None = None
    hidden: str = ""
    problem: str = ""


def lesion_rows(comparison: Comparison) -> tuple[LesionRow, ...]:
    """Return the lesions of a comparison of two studies as rows, real changes first."""
    rows = [_row(one, comparison.studies) for one in comparison.lesions]
    return tuple(sorted(rows, key=lambda row: row.state in ("stable", "absent")))


def match_rows(comparison: Comparison, said_by: dict[str, str]) -> tuple[MatchRow, ...]:
    """Return the matches of a comparison, those to confirm first.

    Parameters
    ----------
    said_by : dict of str to str
        Who confirmed a match and when, by the tracking UID of its earlier finding.
    """
    rows = [
        _match(link, one, said_by) for one in comparison.lesions for link in one.links
    ]
    return tuple(sorted(rows, key=lambda row: not row.is_proposed))


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
    if finding.presence != "present":
        told.append(finding.presence)
    elif finding.measurements:
        told.append(_value(finding.measurements[0]))
    return " · ".join(told)


def place_words(kind: str, site: str, laterality: str) -> str:
    """Return what and where a lesion is: ``Palatal bony defect, hard palate``."""
    where = SITES[site].meaning.lower() if site not in ("", "unspecified") else ""
    sided = " ".join(filter(None, (laterality, where)))
    return ", ".join(filter(None, (KINDS[kind].meaning, sided)))


def _row(lesion: Lesion, studies: Sequence[ComparedStudy]) -> LesionRow:
    step = lesion.whole or (lesion.steps[-1] if lesion.steps else None)
    first, last = studies[0].number, studies[-1].number
    primary = None if step is None else _primary(step)
    return LesionRow(
        tracking_uid=lesion.tracking_uid,
        label=lesion.label,
        what=place_words(lesion.kind, lesion.site, lesion.laterality),
        state=lesion.state,
        is_proposed=step is not None and step.proposed,
        quantity="" if primary is None else QUANTITIES[primary.name].meaning,
        earlier=_read_as(lesion, first, primary),
        later=_read_as(lesion, last, primary),
        delta="" if primary is None else delta_words(primary),
        limit="" if primary is None else limit_words(primary),
        verdict="" if primary is None else verdict_words(primary),
        reason="" if step is None else step.reason,
        others=() if step is None else tuple(map(change_words, _others(step))),
        earlier_uids=_uids(lesion, first),
        later_uids=_uids(lesion, last),
    )


def _primary(step: Step) -> QuantityChange | None:
    return next((one for one in step.changes if one.name == step.primary), None)


def _others(step: Step) -> Iterator[QuantityChange]:
    return (one for one in step.changes if one.name != step.primary)


def _at(lesion: Lesion, study: int) -> Seen | None:
    return next((one for one in lesion.seen if one.study == study), None)


def _uids(lesion: Lesion, study: int) -> tuple[str, ...]:
    seen = _at(lesion, study)
    return () if seen is None else tuple(one.tracking_uid for one in seen.findings)


def _read_as(lesion: Lesion, study: int, primary: QuantityChange | None) -> str:
    """Return what a lesion was at a date: its value, absent, or not read."""
    seen = _at(lesion, study)
    if seen is None:
        return "not read"
    if all(one.presence == "absent" for one in seen.findings):
        return "absent"
    found = [
        reading
        for one in seen.findings
        for reading in one.measurements
        if primary is None or reading.name == primary.name
    ]
    if primary is None or len(seen.findings) == 1:
        return _value(found[0]) if found else "seen, not measured"
    values = primary.change.earlier, primary.change.later
    whole = values[0] if study == min(one.study for one in lesion.seen) else values[1]
    parts = f"{len(seen.findings)} parts"
    if whole is None:
        return parts
    return f"{shown(whole, primary.change.unit, None)} in {parts}"


def _value(reading: object) -> str:
    return text.value(reading) if isinstance(reading, Measurement) else "not measured"


def delta_words(one: QuantityChange) -> str:
    """Return Δ with its share and what it is a month: ``+0.4 mm (+3 %)``."""
    change = one.change
    if change.delta is None:
        return ""
    told = f"{'+' if change.delta >= 0 else ''}{shown(change.delta, change.unit, None)}"
    if change.percent is not None and change.unit != "%":
        told += f" ({change.percent:+z.0f} %)"
    if one.per_month is not None:
        told += f", {one.per_month:+.2g} a month"
    return told


def limit_words(one: QuantityChange) -> str:
    """Return what a change has to exceed, and where that comes from."""
    change = one.change
    if change.limit is None:
        return ""
    told = f"RC {shown(change.limit, change.unit, None)}, {change.limit_origin}"
    if one.u_registration:
        told += f"; u of the registration {one.u_registration:.2g} {change.unit}"
    return told


def verdict_words(one: QuantityChange) -> str:
    """Return the verdict as every front door says it."""
    if one.inapplicable:
        return f"not comparable: {'; '.join(one.inapplicable)}"
    if one.change.verdict == "not comparable":
        return f"not comparable: {one.change.reason}"
    if one.is_real:
        return f"real change: {one.change.verdict}"
    return one.change.verdict


def change_words(one: QuantityChange) -> str:
    """Return a quantity that does not vote in one line."""
    change = one.change
    values = " → ".join(
        "?" if number is None else shown(number, change.unit, u)
        for number, u in zip(
            (change.earlier, change.later), one.uncertainties, strict=True
        )
    )
    return f"{QUANTITIES[one.name].meaning}: {values}; {verdict_words(one)}"


def _match(link: Link, lesion: Lesion, said_by: dict[str, str]) -> MatchRow:
    found = {one.tracking_uid: one for seen in lesion.seen for one in seen.findings}
    firsts = [one for one in lesion.seen[:1] for one in one.findings]
    lasts = [one for one in lesion.seen[-1:] for one in one.findings]
    earlier = _named(firsts, link.earlier_uid) or found.get(link.earlier_uid)
    later = _named(lasts, link.later_uid) or found.get(link.later_uid)
    return MatchRow(
        earlier_uid=link.earlier_uid,
        later_uid=link.later_uid,
        earlier="" if earlier is None else finding_words(earlier),
        later="" if later is None else finding_words(later),
        why=basis_words(link),
        is_proposed=link.proposed,
        said_by=said_by.get(link.earlier_uid, "") or link.confirmed_by,
    )


def _named(findings: Iterable[Finding], uid: str) -> Finding | None:
    """Return the finding of a UID: a tracked lesion has one UID at both dates."""
    return next((one for one in findings if one.tracking_uid == uid), None)


def basis_words(link: Link) -> str:
    """Return why two findings may be one lesion: basis, distance, overlap."""
    told = [_BASES[link.basis]]
    if link.distance_mm is not None:
        u = f" ± {link.u_mm:.2f}" if link.u_mm is not None else ""
        told.append(f"{link.distance_mm:.1f}{u} mm apart")
    if link.overlap is not None:
        told.append(f"overlap {100 * link.overlap:.0f} %")
    return ", ".join(told)
