"""What the page says of the lesions, in plain words: glance, changes and pictures.

The template only lays this out; nothing is decided or rounded there.
"""

from __future__ import annotations

import base64
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from osteotrace.reports.comparison import words
from osteotrace.reports.comparison.timeline import primary_of, primary_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from osteotrace.comparison import Comparison, Lesion, QuantityChange, State, Step
    from osteotrace.reports.comparison.key_pictures import KeyPicture


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSign:
    """A state as a symbol and a word; its name is for styles."""

    symbol: str
    word: str
    name: str
    proposed: bool = False
    span: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRow:
    """One quantity between two dates, every number as it is set."""

    quantity: str
    unit: str
    earlier: str
    later: str
    delta: str = ""
    percent: str = ""
    per_month: str = ""
    limit: str = ""
    limit_origin: str = ""
    short_origin: str = ""
    u_registration: str = ""
    verdict: words.Verdict | None = None
    is_primary: bool = False

    @property
    def is_quiet(self) -> bool:
        """Whether paper needs its values alone: nothing changed, nothing is decided."""
        return (
            not self.is_primary
            and self.verdict is not None
            and self.verdict.name == "within"
        )

    @property
    def as_text(self) -> str:
        """Its values in a line: ``Middle height 23.9 ± 0.1 → 23.8 ± 0.1 mm``."""
        ends = f"{self.quantity} {self.earlier} → {self.later}"
        return f"{ends} {self.unit}" if self.unit else ends


@dataclass(frozen=True, slots=True, kw_only=True)
class StepBlock:
    """What became of a lesion between two dates, with all its quantities.

    `is_detail` is true of a step between dates of a course that is told as a whole too.
    """

    span: str
    whole: bool
    is_detail: bool
    state: StateSign
    reason: str
    bases: tuple[str, ...]
    rows: tuple[ChangeRow, ...]
    not_compared: tuple[tuple[str, str], ...]
    limit_notes: tuple[str, ...]

    @property
    def quiet(self) -> str:
        """What is within measurement error and decides nothing, in a line."""
        return "; ".join(row.as_text for row in self.rows if row.is_quiet)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One key picture as the page shows it."""

    source: str
    title: str
    caption: str
    alt: str
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionBlock:
    """All that the page says of a lesion."""

    number: int
    label: str
    kind: str
    place: str
    state: StateSign
    row: ChangeRow | None
    earlier_date: str
    later_date: str
    reason: str
    bases: tuple[str, ...]
    course: tuple[StateSign, ...]
    parts: tuple[StateSign, ...]
    is_part: bool
    steps: tuple[StepBlock, ...]
    figures: tuple[Figure, ...]
    notes: tuple[str, ...]

    @property
    def count_rows(self) -> int:
        """How many rows its quantities take."""
        return sum(len(step.rows) + len(step.not_compared) for step in self.steps)


def lesion_blocks(
    comparison: Comparison, pictures: Iterable[KeyPicture]
) -> tuple[LesionBlock, ...]:
    """Return what the page says of each lesion, in their order."""
    by_lesion: dict[str, list[KeyPicture]] = {}
    for picture in pictures:
        by_lesion.setdefault(picture.tracking_uid, []).append(picture)
    return tuple(
        _block(comparison, lesion, number, by_lesion.get(lesion.tracking_uid, []))
        for number, lesion in enumerate(comparison.lesions, start=1)
    )


def counted(blocks: Sequence[LesionBlock]) -> str:
    """Return how many lesions there are of each state, in a sentence."""
    if not blocks:
        return "No lesion was read at any date."
    parts = sum(block.is_part for block in blocks)
    blocks = [block for block in blocks if not block.is_part]
    states = Counter(block.state.word for block in blocks)
    told = ", ".join(f"{count} {state}" for state, count in states.most_common())
    noun = "lesion" if len(blocks) == 1 else "lesions"
    proposed = sum(block.state.proposed for block in blocks)
    waiting = f" {proposed} of these are proposals." if proposed > 1 else ""
    waiting = " One of these is a proposal." if proposed == 1 else waiting
    beside = f" Beside them {parts} parts." if parts else ""
    return f"{len(blocks)} {noun}: {told}.{waiting}{beside}"


def is_shorter(blocks: Iterable[LesionBlock]) -> bool:
    """Tell whether paper has less than the screen."""
    steps = [step for block in blocks for step in block.steps]
    return any(step.quiet or step.is_detail for step in steps)


def papers(blocks: Iterable[LesionBlock]) -> tuple[str, ...]:
    """Return the papers that limits come from, where rows on paper tell them shortly."""
    rows = (row for block in blocks for step in block.steps for row in step.rows)
    cited = (row.limit_origin for row in rows if row.short_origin != row.limit_origin)
    return tuple(sorted({one.partition(", with the registration")[0] for one in cited}))


def study_name(comparison: Comparison, number: int) -> str:
    """Return what a study is called, with its date."""
    study = comparison.studies[number]
    if study.name in ("", study.date):
        return study.date or f"study {number + 1}, no date"
    return f"{study.name} ({study.date or 'no date'})"


def study_date(comparison: Comparison, number: int) -> str:
    """Return a study's date, or its name where that is not known."""
    study = comparison.studies[number]
    return study.date or study.name or f"study {number + 1}"


def _block(
    comparison: Comparison, lesion: Lesion, number: int, pictures: list[KeyPicture]
) -> LesionBlock:
    last = lesion.whole or (lesion.steps[-1] if lesion.steps else None)
    ends = _ends(comparison, lesion, last)
    steps = ([lesion.whole] if lesion.whole else []) + list(lesion.steps)
    notes = (one.note for seen in lesion.seen for one in seen.findings if one.note)
    return LesionBlock(
        number=number,
        label=lesion.label or f"lesion {number}",
        kind=words.kind(lesion),
        place=words.place(lesion),
        state=_sign(lesion.state, proposed=last is not None and last.proposed),
        row=_first_row(lesion, last),
        earlier_date=ends[0],
        later_date=ends[1],
        reason="" if last is None else words.reason(last, beside_row=False),
        bases=_bases(lesion, last),
        course=tuple(_course(comparison, lesion)) if len(lesion.steps) > 1 else (),
        parts=tuple(_parts(comparison, lesion)),
        is_part=words.leader_of(lesion, comparison.lesions) is not None,
        steps=tuple(_step(comparison, lesion, step) for step in steps),
        figures=tuple(_figure(comparison, lesion, one) for one in pictures),
        notes=tuple(dict.fromkeys(notes)),
    )


def _ends(comparison: Comparison, lesion: Lesion, last: Step | None) -> tuple[str, str]:
    if last is None:
        dates = [study_date(comparison, seen.study) for seen in lesion.seen]
        return (dates[0] if dates else "", "")
    return study_date(comparison, last.earlier), study_date(comparison, last.later)


def _sign(state: State, *, proposed: bool = False, span: str = "") -> StateSign:
    return StateSign(
        symbol=words.STATE_SYMBOLS[state],
        word=state,
        name=state.replace(" ", "-"),
        proposed=proposed,
        span=span,
    )


def _bases(lesion: Lesion, step: Step | None) -> tuple[str, ...]:
    if step is None:
        return ()
    links = words.links_of(lesion, step)
    return tuple(dict.fromkeys(words.basis(link) for link in links if link.proposed))


def _parts(comparison: Comparison, lesion: Lesion) -> Iterator[StateSign]:
    """Yield what became of each part of a lesion, such as the fragments of sequestra."""
    for one in comparison.lesions:
        if words.leader_of(one, [lesion]) is not None:
            last = one.whole or (one.steps[-1] if one.steps else None)
            is_proposed = last is not None and last.proposed
            yield _sign(one.state, proposed=is_proposed, span=one.label)


def _course(comparison: Comparison, lesion: Lesion) -> Iterator[StateSign]:
    for step in lesion.steps:
        span = study_date(comparison, step.later)
        yield _sign(step.state, proposed=step.proposed, span=span)


# Changes -----------------------------------------------------------------------------


def _first_row(lesion: Lesion, last: Step | None) -> ChangeRow | None:
    """Return the row of the quantity that decides, values alone where none changed."""
    if last is not None:
        for changed in last.changes:
            if changed.name == last.primary:
                return _row(lesion, last, changed)
    name = primary_of(lesion)
    values = primary_values(lesion)
    if not name or not values:
        return None
    unit = next(iter(values.values()))[2]
    ends = (last.earlier, last.later) if last else (lesion.seen[0].study, -1)
    first, then = (_end(lesion, values, study) for study in ends)
    return ChangeRow(
        quantity=words.quantity(name),
        unit=words.unit(unit),
        earlier=first,
        later=then,
        is_primary=True,
    )


def _end(
    lesion: Lesion, values: dict[int, tuple[float, float | None, str]], study: int
) -> str:
    if study in values:
        value, u, unit = values[study]
        return words.number(value, unit, u)
    for seen in lesion.seen:
        if seen.study == study and seen.findings:
            presences = {one.presence for one in seen.findings}
            return "none found" if presences == {"absent"} else "not measured"
    return "not assessed"


def _row(lesion: Lesion, step: Step, changed: QuantityChange) -> ChangeRow:
    told = changed.change
    earlier, later = words.ends(lesion, step, changed)
    u = changed.u_registration
    return ChangeRow(
        quantity=words.quantity(told.name),
        unit=words.unit(told.unit),
        earlier=earlier,
        later=later,
        delta=words.delta(changed),
        percent=words.percent(changed),
        per_month=words.per_month(changed),
        limit=words.limit(changed),
        limit_origin=told.limit_origin,
        short_origin=words.short_origin(told.limit_origin),
        u_registration=f"{u:.2g} {words.unit(told.unit)}".strip() if u else "",
        verdict=words.verdict(changed, step),
        is_primary=told.name == step.primary,
    )


def _step(comparison: Comparison, lesion: Lesion, step: Step) -> StepBlock:
    compared: list[QuantityChange] = []
    others: list[QuantityChange] = []
    for changed in step.changes:
        is_bare = changed.change.verdict == "not comparable"
        (others if is_bare and changed.name != step.primary else compared).append(changed)
    first, last = (study_date(comparison, one) for one in (step.earlier, step.later))
    return StepBlock(
        span=f"{first} → {last}",
        whole=step is lesion.whole,
        is_detail=lesion.whole is not None and step is not lesion.whole,
        state=_sign(step.state, proposed=step.proposed),
        reason=words.reason(step, beside_row=True),
        bases=_bases(lesion, step),
        rows=tuple(_row(lesion, step, changed) for changed in compared),
        not_compared=tuple(_together(lesion, step, others)),
        limit_notes=tuple(map(words.in_signs, _limit_notes(compared))),
    )


def _limit_notes(compared: Sequence[QuantityChange]) -> Iterator[str]:
    """Yield what to mind about the limits: each note once, with the rows it is of."""
    by_note: dict[str, list[str]] = {}
    for changed in compared:
        for note in changed.change.notes:
            by_note.setdefault(note, []).append(words.quantity(changed.name))
    for note, quantities in by_note.items():
        of_all = len(quantities) == len(compared)
        yield note if of_all else f"{', '.join(quantities)}: {note}"


def _together(
    lesion: Lesion, step: Step, others: Sequence[QuantityChange]
) -> Iterator[tuple[str, str]]:
    """Yield quantities that do not compare for one reason, with their values."""
    by_reason: dict[str, list[str]] = {}
    for changed in others:
        row = _row(lesion, step, changed)
        unit = f" {row.unit}" if row.unit else ""
        known = (row.earlier, row.later) != (words.NONE, words.NONE)
        values = f" ({row.earlier} → {row.later}{unit})" if known else ""
        reason = row.verdict.reason if row.verdict else ""
        by_reason.setdefault(reason, []).append(f"{row.quantity}{values}")
    for reason, quantities in by_reason.items():
        yield "; ".join(quantities), reason


# Pictures ----------------------------------------------------------------------------


def _figure(comparison: Comparison, lesion: Lesion, picture: KeyPicture) -> Figure:
    name = study_name(comparison, picture.study)
    absent = any(
        seen.study == picture.study
        and seen.findings
        and all(one.presence == "absent" for one in seen.findings)
        for seen in lesion.seen
    )
    mark = "" if picture.is_marked else "no mark at this date"
    if absent:
        mark = "looked for, none found"
    letters = "left {}, right {}, top {}, bottom {}".format(*picture.letters)
    alt = (
        f"{lesion.label}, {words.kind(lesion)}, {words.place(lesion)}, {name}: "
        f"{picture.plane}; {mark or 'its mark drawn'}; letters: {letters}"
    )
    return Figure(
        source=data_uri(picture.png, "image/png"),
        title=name,
        caption=picture.caption,
        alt=alt,
        mark=mark,
    )


def data_uri(content: bytes, media_type: str) -> str:
    """Return a file as a text that stands in a page."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
