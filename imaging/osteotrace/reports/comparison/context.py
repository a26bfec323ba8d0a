"""What the page says beside the lesions: studies, stages, fractures, alignments, origin.

Plain words for the template, as in `content`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from osteotrace.about import SOFTWARE_NAME, VERSION
from osteotrace.codes import STAGINGS
from osteotrace.findings.dates import interval
from osteotrace.reports.comparison import words
from osteotrace.reports.comparison.content import study_date
from osteotrace.reports.comparison.timeline import timeline_points
from osteotrace.reports.criterion_words import in_words, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from osteotrace.alignment import Alignment
    from osteotrace.comparison import Comparison, Difference, StudyPair
    from osteotrace.findings import StagingResult
    from osteotrace.reports.comparison.timeline import TimelinePoint

# A stage of more letters than this is a profile.
_LONG_STAGE: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRow:
    """A study, and how long after the one before."""

    number: int
    name: str
    date: str
    after: str
    images: str
    reader: str
    protocol: str
    carried: bool
    study_uid: str
    assessment_uid: str
    series: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCell:
    """One system's stage at one date; what is not there was not staged."""

    stage: str = ""
    set_by: str = ""
    fired: tuple[str, ...] = ()
    may_hold: int = 0
    missing: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def stage_lines(self) -> tuple[str, ...]:
        """The stage; a profile, which is a sentence, in its parts."""
        lines = self.stage.split(" | ") if len(self.stage) > _LONG_STAGE else [self.stage]
        return tuple(map(words.in_signs, lines))


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """One system at one place over the dates."""

    system: str
    site: str
    cells: tuple[StageCell, ...]
    always_missing: tuple[str, ...] = ()
    always_noted: tuple[str, ...] = ()

    @property
    def has_details(self) -> bool:
        """True where something is said below the stages of the dates."""
        told = (
            (one.fired, one.may_hold, one.missing, one.parts, one.notes, one.set_by)
            for one in self.cells
        )
        return any(any(one) for one in told)


@dataclass(frozen=True, slots=True, kw_only=True)
class FractureRow:
    """A vertebral fracture that arose."""

    level: str
    seen: str
    without: str
    certainty: str
    signs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignmentRow:
    """One registration with its error."""

    pair: str
    region: str
    error: str
    similarity: str
    overlap: str
    starts: str
    rotation: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairBlock:
    """Two studies laid over each other: alignments, refusals and differences."""

    span: str
    alignments: tuple[AlignmentRow, ...]
    is_joined: bool
    refusals: tuple[str, ...]
    differences: tuple[tuple[str, str, str, str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One thing of the timeline, for those who do not see the picture."""

    when: str
    what: tuple[str, ...]


def study_rows(comparison: Comparison) -> tuple[StudyRow, ...]:
    """Return the studies by date."""
    rows = []
    before = ""
    for study in comparison.studies:
        kinds = dict.fromkeys(one.modality for one in study.series if one.modality)
        rows.append(
            StudyRow(
                number=study.number + 1,
                name=study.name if study.name != study.date else "",
                date=study.date,
                after=interval(before, study.date),
                images=", ".join(kinds),
                reader=study.reader,
                protocol=study.protocol,
                carried=study.carried,
                study_uid=study.study_uid,
                assessment_uid=study.assessment_uid,
                series=tuple(one.series_uid for one in study.series),
            )
        )
        before = study.date
    return tuple(rows)


def whole_interval(comparison: Comparison) -> str:
    """Return how long the first study lies before the last; empty where not known."""
    if len(comparison.studies) < 2:
        return ""
    return interval(comparison.studies[0].date, comparison.studies[-1].date)


# Stages ------------------------------------------------------------------------------


def stage_rows(comparison: Comparison) -> tuple[StageRow, ...]:
    """Return the stages, a row a system and place."""
    rows = []
    for row in comparison.stagings:
        cells = [_stage(result) for result in row.results]
        missing = _in_all([cell.missing for cell in cells if cell.stage])
        noted = _in_all([cell.notes for cell in cells if cell.stage])
        name = STAGINGS[row.system].meaning if row.system in STAGINGS else row.system
        rows.append(
            StageRow(
                system=name,
                site=words.place_of(row.site),
                cells=tuple(_without(cell, missing, noted) for cell in cells),
                always_missing=missing,
                always_noted=noted,
            )
        )
    return tuple(rows)


def _in_all(lists: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return what several dates say alike, to be said once; nothing of a single date."""
    if len(lists) < 2:
        return ()
    return tuple(one for one in lists[0] if all(one in other for other in lists))


def _without(
    cell: StageCell, missing: tuple[str, ...], noted: tuple[str, ...]
) -> StageCell:
    return replace(
        cell,
        missing=tuple(one for one in cell.missing if one not in missing),
        notes=tuple(one for one in cell.notes if one not in noted),
    )


def _stage(result: StagingResult | None) -> StageCell:
    if result is None:
        return StageCell()
    keys = {one.criterion for one in result.reasons}
    keys |= {one.criterion for one in result.blocking}
    own = result.override

    def said(lines: Iterable[str]) -> tuple[str, ...]:
        return tuple(in_words(one, keys, site=result.site) for one in lines)

    missing = (words_of(one.criterion, site=result.site) for one in result.blocking)
    is_profile = len(result.stages) == 1 and bool(result.parts)
    contradictions = (f"contradiction: {one}" for one in result.conflicts)
    return StageCell(
        stage=said([result.as_text])[0],
        set_by="" if own is None else f"{own.author}: {own.reason}",
        fired=tuple(rule.id for rule in result.rules if rule.certain),
        may_hold=sum(not rule.certain for rule in result.rules),
        missing=tuple(dict.fromkeys(missing)),
        parts=said(one.text for one in result.parts[is_profile:] if one.text),
        notes=said((*result.notes, *contradictions)),
    )


# Fractures and events ----------------------------------------------------------------


def fracture_rows(comparison: Comparison) -> tuple[FractureRow, ...]:
    """Return the vertebral fractures that arose, by level and date."""
    return tuple(
        FractureRow(
            level=words.place_of(one.site),
            seen=f"{'about ' if one.approximate else ''}{one.first_seen or 'no date'}",
            without=one.last_without or "not looked at before",
            certainty=f"proposed, {one.certainty}" if one.proposed else one.certainty,
            signs=tuple(dict.fromkeys(sign.text for sign in one.signs)),
        )
        for one in comparison.fractures
    )


def event_rows(comparison: Comparison) -> tuple[EventRow, ...]:
    """Return what the timeline shows beside studies and values, as lines by date."""
    found: dict[tuple[str, str], list[str]] = {}
    for point in timeline_points(comparison):
        if point.lane not in ("study", "value"):
            when = (point.start or point.end or "9999", _when(point))
            found.setdefault(when, []).append(point.what)
    return tuple(
        EventRow(when=when[1], what=tuple(dict.fromkeys(found[when])))
        for when in sorted(found)
    )


def _when(point: TimelinePoint) -> str:
    """Return the dates of an event in words."""
    about = "about " if point.approximate and (point.start or point.end) else ""
    if point.lane == "drug" and point.end and not point.start:
        return f"until {about}{point.end}"
    if point.ongoing and point.start:
        return f"from {about}{point.start}"
    dates = dict.fromkeys(filter(None, (point.start, point.end)))
    return f"{about}{' to '.join(dates)}" if dates else "no date"


def notes(comparison: Comparison) -> tuple[str, ...]:
    """Return what to mind of the whole; refusals stand with the registrations."""
    refusals = [one for pair in comparison.pairs for one in pair.refusals]
    told = [
        note
        for note in comparison.notes
        if not any(refusal in note for refusal in refusals)
    ]
    bare = sum(
        not (pair.alignments or _is_joined(comparison, pair)) for pair in comparison.pairs
    )
    if bare:
        pairs = len(comparison.pairs)
        which = f"{bare} of {pairs} pairs of studies" if pairs > 1 else "the studies"
        told.append(
            f"{which} are not registered: places are not compared between them, and "
            "their pictures have planes of their own"
        )
    return tuple(told)


# Registration ------------------------------------------------------------------------


def _is_joined(comparison: Comparison, pair: StudyPair) -> bool:
    """Tell whether transforms of the studies in between lead from one to the other."""
    by_pair = {(one.earlier, one.later): one.alignments for one in comparison.pairs}
    frames: set[str] | None = None
    for number in range(pair.earlier, pair.later):
        steps = [one.transform for one in by_pair.get((number, number + 1), ())]
        frames = {
            one.to_frame_uid
            for one in steps
            if frames is None or one.from_frame_uid in frames
        }
    return bool(frames)


def pair_blocks(comparison: Comparison) -> tuple[PairBlock, ...]:
    """Return each pair of studies with its alignments, refusals and differences."""
    return tuple(
        PairBlock(
            span=" → ".join(
                study_date(comparison, one) for one in (pair.earlier, pair.later)
            ),
            alignments=tuple(map(_alignment, pair.alignments)),
            is_joined=not pair.alignments and _is_joined(comparison, pair),
            refusals=pair.refusals,
            differences=tuple(map(_difference, pair.differences)),
        )
        for pair in comparison.pairs
    )


def _alignment(one: Alignment) -> AlignmentRow:
    if one.pair == "same frame":
        none = words.NONE
        return AlignmentRow(
            pair=one.pair, region="one frame of reference: not registered", error=none,
            similarity=none, overlap=none, starts=none, rotation=none, notes=one.notes,
        )  # fmt: skip
    return AlignmentRow(
        pair=one.pair.replace("-", "–"),
        region=one.region,
        error=f"{one.u_mm:.2f} mm, {one.u_deg:.2f}°",
        similarity=f"{one.similarity:.3f} (least {one.floor:.3f}), "
        f"{one.similarity_measure}",
        overlap=f"{100 * one.overlap:.0f} %",
        starts=f"{len(one.starts)} within {one.agreement_mm:.2f} mm",
        rotation=f"{one.transform.rotation_deg:.1f}°",
        notes=one.notes,
    )


def _difference(one: Difference) -> tuple[str, str, str, str, str]:
    matters = ", ".join(words.quantity(name).lower() for name in one.matters_for)
    kind = f"{one.kind} ({one.modality})" if one.modality else one.kind
    return kind, one.earlier, one.later, matters or "nothing measured here", one.reason


# Origin ------------------------------------------------------------------------------


def methods(comparison: Comparison) -> tuple[str, ...]:
    """Return every method that numbers of the page come from, with its version."""
    used = [
        reading.method
        for lesion in comparison.lesions
        for seen in lesion.seen
        for finding in seen.findings
        for reading in finding.measurements
    ]
    used += [one.method for pair in comparison.pairs for one in pair.alignments]
    told = {f"{one.name}, version {one.version}" for one in used}
    told |= {
        f"{STAGINGS[row.system].meaning}, rules version {result.version}"
        for row in comparison.stagings
        for result in row.results
        if result is not None and row.system in STAGINGS
    }
    return tuple(sorted(told))


def readers(comparison: Comparison) -> tuple[str, ...]:
    """Return who read the studies and who compared them."""
    named = dict.fromkeys(one.reader or "no named reader" for one in comparison.studies)
    told = [f"studies read by {', '.join(named)}"] if named else []
    return (*told, f"compared by {comparison.reader or 'no named reader'}")


def moment(recorded: str) -> str:
    """Return a date and time as people read it: to the minute."""
    try:
        when = datetime.fromisoformat(recorded)
    except ValueError:
        return recorded or "no date"
    zone = f" {when:%Z}" if when.tzinfo else ""
    return f"{when:%Y-%m-%d %H:%M}{zone}"


def origin(comparison: Comparison) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what the page was made of, as heads and lines."""
    made = f"{SOFTWARE_NAME} {VERSION}"
    yield "Compared by software", (comparison.software,)
    if made != comparison.software:
        yield "Page written by", (made,)
    yield "Recorded", (moment(comparison.recorded),)
    yield "Readers", readers(comparison)
    protocols = dict.fromkeys(one.protocol for one in comparison.studies if one.protocol)
    yield "Protocol", tuple(protocols) or ("not stated",)
    yield "Methods", methods(comparison) or ("none",)
