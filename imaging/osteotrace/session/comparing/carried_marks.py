"""Marks of another date brought into the draft: through the transform, fitted anew.

They are proposals: drafts that no save writes before the reader accepts them. Each keeps
its lesion's tracking UID, and its note says where it came from. The carrying itself is
that of `osteotrace.reading.comparing`, so that the numbers are those of every front door.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from osteotrace.comparison import StudyPair
from osteotrace.errors import OsteotraceError
from osteotrace.measurements.measurement import Measurement, NotMeasured
from osteotrace.protocol import Where
from osteotrace.protocol.entry import regions
from osteotrace.session import commands, mark_entries
from osteotrace.session.changes import Held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from osteotrace.alignment import Alignment
    from osteotrace.findings import Finding
    from osteotrace.reading.comparing.carrying import Carried
    from osteotrace.reading.comparing.in_hand import StudyInHand
    from osteotrace.session.session import Session
    from osteotrace.volume import Volume

    Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedMark:
    """A mark of another date as it was measured on the study that is read.

    Parameters
    ----------
    earlier : Finding
        What it was then.
    carried : Carried
        What it gave, with what the transform adds.
    volume : Volume
        What it was measured on.
    """

    earlier: Finding
    carried: Carried
    volume: Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedMarks:
    """What came of carrying marks forward; nothing of it is held yet.

    Parameters
    ----------
    since : str
        Date of the reading that they came from.
    marks : tuple of CarriedMark
    refused : tuple of (label, reason)
        What could not be carried, and why.
    alignments : tuple of Alignment
        Those of single bones, which were made on the way.
    """

    since: str
    marks: tuple[CarriedMark, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    alignments: tuple[Alignment, ...] = ()


def measured(
    findings: Sequence[Finding],
    earlier: StudyInHand,
    later: StudyInHand,
    alignments: Iterable[Alignment],
    progress: Progress | None = None,
) -> CarriedMarks:
    """Measure marks of the earlier study on the later one; change nothing.

    Parameters
    ----------
    findings : sequence of Finding
        Of the earlier study.
    earlier, later : StudyInHand
    alignments : iterable of Alignment
        Between them.
    progress : callable, optional
        Called before each mark with how many are done, and of how many; it may raise to
        stop.
    """
    from osteotrace.reading.comparing import proposing

    known = tuple(alignments)
    pairs = [StudyPair(earlier=0, later=1, alignments=known)]
    sides = proposing.Numbered(0, earlier), proposing.Numbered(1, later)
    marks: list[CarriedMark] = []
    refused: list[tuple[str, str]] = []
    for number, finding in enumerate(findings):
        if progress is not None:
            progress(number, len(findings))
        try:
            found = proposing.proposed(finding, *sides, pairs)
        except OsteotraceError as problem:
            refused.append((finding.label, _reason(problem)))
            continue
        if found is None:
            refused.append((finding.label, "no transform leads to images like its own"))
            continue
        mark = CarriedMark(earlier=finding, carried=found[0], volume=found[1])
        why = _why_nothing(mark)
        if why:
            refused.append((finding.label, why))
        else:
            marks.append(mark)
    return CarriedMarks(
        since=earlier.study.date,
        marks=tuple(marks),
        refused=tuple(refused),
        alignments=tuple(one for one in pairs[0].alignments if one not in known),
    )


def hold(session: Session, found: CarriedMarks) -> tuple[Finding, ...]:
    """Hold carried marks as proposals, as one command; return their findings.

    A lesion that the draft holds by now is left as it is.

    Raises
    ------
    OsteotraceError
        If another study was taken up in the meantime.
    """
    with session.lock:
        for one in found.marks:
            session.check_read(one.volume)
        before = after = session.held
        new = []
        for one in found.marks:
            uid = one.earlier.tracking_uid
            if all(uid != held.uid for held in after):
                after = _with_mark(after, one, found.since, session)
                new.append(uid)
        if new:
            marks = f"{len(new)} mark{'' if len(new) == 1 else 's'}"
            what = f"{marks} carried forward from {found.since or 'the earlier study'}"
            session.commit(what, *commands.changes(before, after))
    return tuple(session.finding(uid) for uid in new)


def _with_mark(
    held: tuple[Held, ...], one: CarriedMark, since: str, session: Session
) -> tuple[Held, ...]:
    label = _free_label(one, held, session)
    note = f"carried forward from {since or 'the earlier study'} and fitted anew"
    entry, masks = _named(one.carried, label, note)
    own = one.carried.findings[0]
    findings = tuple(
        msgspec.structs.replace(
            each,
            label=label + each.label.removeprefix(own.label),
            note=note,
            certainty=one.earlier.certainty,
        )
        for each in one.carried.findings
    )
    mark = Held(
        finding=msgspec.structs.replace(
            findings[0], tracking_uid="", regions=(), measurements=()
        ),
        entry=entry,
        masks=masks,
        registration=_added(one),
    )
    # The first UID is the lesion's; parts get their own.
    uids = itertools.chain([one.earlier.tracking_uid], iter(session.new_uid, None))
    return commands.with_findings(held, mark, findings, lambda: str(next(uids)))


def _named(carried: Carried, label: str, note: str) -> tuple[Any, dict[str, Any]]:
    """Return the entry under its label, its masks under names of their own."""
    entry = carried.entry
    assert entry is not None
    names = {
        key: Where(label=f"{label} {key}")
        for key, where in regions(entry)
        if where.label is not None
    }
    masks = {f"{label} {key}": carried.masks[key] for key in names}
    return msgspec.structs.replace(entry, label=label, note=note, **names), masks


def _added(one: CarriedMark) -> dict[str, float]:
    """Return what the transform adds to each value of a mark, by quantity."""
    own = one.carried.findings[0]
    added = {name: u for (_, name), u in one.carried.registration.items()}
    return {
        each.name: added.get(each.name, 0.0)
        for each in own.measurements
        if isinstance(each, Measurement)
    }


def _free_label(one: CarriedMark, held: tuple[Held, ...], session: Session) -> str:
    label = one.earlier.label
    if all(label != each.finding.label for each in held):
        return label
    entry = one.carried.entry
    tool = commands.tool_of(Held(finding=one.earlier, entry=entry))
    where = {"level": getattr(entry, "level", "")}
    return mark_entries.next_label(tool, session.draft.labels_used, where)


def _why_nothing(mark: CarriedMark) -> str:
    """Return why a mark gave nothing that could be held; empty where it gave."""
    own = mark.carried.findings[0]
    first = own.measurements[0] if own.measurements else None
    if mark.carried.entry is None or isinstance(first, NotMeasured):
        return first.reason if isinstance(first, NotMeasured) else "nothing was measured"
    return ""


def _reason(problem: OsteotraceError) -> str:
    return f"{problem.found}; expected {problem.expected}; {problem.advice}"
