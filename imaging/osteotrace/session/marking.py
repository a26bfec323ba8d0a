"""From marks to findings: measured as every protocol is, so with the same numbers.

A mark is the entry that a protocol would hold (`mark_entries`);
`osteotrace.reading.lesions` measures it on the one volume that is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from osteotrace.errors import OsteotraceError
from osteotrace.findings import Finding, marked_volume
from osteotrace.measurements.measurement import NotMeasured
from osteotrace.protocol.entries import VertebraEntry
from osteotrace.reading.images import StudyImages
from osteotrace.reading.lesions import findings_of
from osteotrace.reading.naming import METHOD as PROTOCOL
from osteotrace.session import commands
from osteotrace.session.mark_entries import told_apart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from osteotrace.protocol import Entry, Where
    from osteotrace.regions import Mask
    from osteotrace.session.changes import Held
    from osteotrace.session.commands import Everything
    from osteotrace.volume import Volume


class LoadedVolume(StudyImages):
    """The one volume that was marked, where findings expect the images of a study.

    Parameters
    ----------
    volume : Volume
    masks : mapping of str to Mask
        What the entries' labels mean.
    """

    def __init__(self, volume: Volume, masks: Mapping[str, Mask]) -> None:
        self._volume, self._drawn = volume, masks

    @property
    def volumes(self) -> tuple[Volume, ...]:
        return (self._volume,)

    def volume(self, entry: Entry) -> Volume:
        return self._volume

    def region(self, volume: Volume, where: Where, role: str) -> Mask:
        if where.label is None:
            return super().region(volume, where, role)
        if where.label not in self._drawn:
            raise OsteotraceError(
                f"no mask {where.label!r}",
                expected="one that was drawn: " + (", ".join(self._drawn) or "(none)"),
                advice="draw the region first",
            )
        return msgspec.structs.replace(self._drawn[where.label], role=role)

    def has_label(self, volume: Volume, label: str) -> bool:
        return label in self._drawn

    def notes_of(self, entry: Entry, volume: Volume) -> tuple[str, ...]:
        return ()


def measured(marks: Iterable[Held], volume: Volume) -> dict[str, tuple[Finding, ...]]:
    """Return the findings of marks of one volume, by the label of their entries.

    Vertebrae are compared with each other; give all of the volume at once.

    Raises
    ------
    OsteotraceError
        If marks cannot stand beside each other, as one level named twice.
    """
    every, masks = told_apart(marks)
    found: dict[str, tuple[Finding, ...]] = {}
    series_uid = volume.identity.series_uid
    spine = [one.entry for one in every if isinstance(one.entry, VertebraEntry)]
    images = LoadedVolume(volume, masks)
    for finding in findings_of(spine, images):
        found[finding.label] = (finding,)
    for one in every:
        if one.entry is not None and not isinstance(one.entry, VertebraEntry):
            found[one.entry.label] = findings_of([one.entry], images)
    return {
        label: tuple(
            msgspec.structs.replace(one, series_uid=series_uid) for one in findings
        )
        for label, findings in found.items()
    }


def check_measurable(finding: Finding) -> None:
    """Refuse a mark that could not be measured at all: there is nothing to keep of it.

    Raises
    ------
    OsteotraceError
        With the reason, where the measurement refused the mark itself.
    """
    for one in finding.measurements:
        if isinstance(one, NotMeasured) and one.method == PROTOCOL:
            found, _, rest = one.reason.rpartition("; expected ")
            expected, _, advice = rest.rpartition("; ")
            raise OsteotraceError(found, expected=expected, advice=advice)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A mark with its measurements, not held yet.

    Parameters
    ----------
    mark : Held
        Its entry and masks; with a tracking UID it is one that was moved.
    volume : Volume
        What it was marked on.
    found : tuple of Finding
        What it gave; empty where that depends on others beside it.
    is_counted : bool
        Whether its label is the next one of its tool, and none that was given.
    """

    mark: Held
    volume: Volume
    found: tuple[Finding, ...] = ()
    is_counted: bool = False


def prepared(mark: Held, volume: Volume, *, is_counted: bool = False) -> Prepared:
    """Return a mark measured, as far as it does not depend on others.

    Parameters as in `Prepared`.

    Raises
    ------
    OsteotraceError
        If the mark cannot be measured at all.
    """
    mark = _labelled_now(mark)
    if has_neighbours(mark):
        return Prepared(mark=mark, volume=volume, is_counted=is_counted)
    assert mark.entry is not None
    found = measured([mark], volume)[mark.entry.label]
    check_measurable(found[0])
    return Prepared(mark=mark, volume=volume, found=found, is_counted=is_counted)


def _labelled_now(mark: Held) -> Held:
    """Return a mark whose entry has its finding's label: no other finding has that."""
    entry, label = mark.entry, mark.finding.label
    if entry is None or entry.label == label:
        return mark
    return msgspec.structs.replace(
        mark, entry=msgspec.structs.replace(entry, label=label)
    )


def said_since(prepared: Prepared, now: Held) -> Prepared:
    """Return a finding marked elsewhere with what was said of it in the meantime."""
    entry = prepared.mark.entry
    assert entry is not None
    latest = now.finding if now.entry is None else now.entry
    # What the move itself says, as another kind, is not taken back by it.
    before = {n: getattr(prepared.mark.finding, n) for n in commands.OF_ENTRY}
    old = {name: getattr(entry, name) for name in commands.OF_ENTRY}
    said = {name: getattr(latest, name) for name in commands.OF_ENTRY}
    new = {name: text for name, text in said.items() if text != before[name]}
    mark = msgspec.structs.replace(
        now,
        entry=msgspec.structs.replace(entry, **new),
        masks=prepared.mark.masks,
        registration=prepared.mark.registration,
    )
    found = tuple(
        msgspec.structs.replace(
            one,
            **{n: text for n, text in new.items() if getattr(one, n) == old[n]},
        )
        for one in prepared.found
    )
    return replace(prepared, mark=mark, found=found)


def relabelled(prepared: Prepared, label: str) -> Prepared:
    """Return a measured mark under another label; its masks keep their names."""
    mark = prepared.mark
    assert mark.entry is not None
    old = mark.entry.label
    found = tuple(
        msgspec.structs.replace(one, label=label + one.label.removeprefix(old))
        for one in prepared.found
    )
    mark = msgspec.structs.replace(
        mark,
        entry=msgspec.structs.replace(mark.entry, label=label),
        finding=msgspec.structs.replace(mark.finding, label=label),
    )
    return replace(prepared, mark=mark, found=found)


def held_with(
    held: Everything,
    mark: Held,
    volume: Volume,
    new_uid: Callable[[], str],
    *,
    found: tuple[Finding, ...] = (),
) -> Everything:
    """Return what is held with a mark measured; vertebrae beside it are measured anew.

    Parameters
    ----------
    found : tuple of Finding
        What the mark gave, where it was measured already.

    Raises
    ------
    OsteotraceError
        If the mark cannot be measured at all.
    """
    if found:
        return commands.with_findings(held, mark, found, new_uid)
    mark = _labelled_now(mark)
    marks = [mark, *_beside(held, mark, volume)]
    every = measured(marks, volume)
    check_measurable(every[mark.finding.label][0])
    return _with_each(held, marks, every, new_uid)


def held_with_each(
    held: Everything, marks: Sequence[Held], volume: Volume, new_uid: Callable[[], str]
) -> tuple[Everything, dict[str, OsteotraceError]]:
    """Return what is held with several new marks of one volume, measured together.

    Returns
    -------
    held : tuple of Held
        With those that could be measured.
    refused : dict of str to OsteotraceError
        Why the others could not, by label.
    """
    beside = _beside(held, marks[0], volume) if marks else []
    found = measured([*marks, *beside], volume)
    refused: dict[str, OsteotraceError] = {}
    for mark in marks:
        try:
            check_measurable(found[mark.finding.label][0])
        except OsteotraceError as problem:
            refused[mark.finding.label] = problem
    kept = [mark for mark in marks if mark.finding.label not in refused]
    return _with_each(held, [*kept, *beside], found, new_uid), refused


def held_without(
    held: Everything, gone: Held, volume: Volume | None, new_uid: Callable[[], str]
) -> Everything:
    """Return what is held without a finding; vertebrae beside it are measured anew.

    Parameters
    ----------
    volume : Volume or None
        What it was marked on; without it the others stay as they were measured.
    """
    left = commands.without(held, gone.uid)
    marks = [] if volume is None else _beside(left, gone, volume)
    return _with_each(left, marks, measured(marks, volume) if volume else {}, new_uid)


def has_neighbours(held: Held) -> bool:
    """Tell whether what is measured of a finding depends on others beside it."""
    return isinstance(held.entry, VertebraEntry)


def _beside(held: Everything, mark: Held, volume: Volume) -> list[Held]:
    """Return the other vertebrae of a volume, where the mark is one."""
    return [
        _labelled_now(one)
        for one in held
        if has_neighbours(mark)
        and has_neighbours(one)
        and one.uid != mark.uid
        and marked_volume(one.finding, [volume]) is not None
    ]


def _with_each(
    held: Everything,
    marks: Iterable[Held],
    found: Mapping[str, tuple[Finding, ...]],
    new_uid: Callable[[], str],
) -> Everything:
    for one in marks:
        assert one.entry is not None
        held = commands.with_findings(held, one, found[one.entry.label], new_uid)
    return held
