"""The draft of a reading: its state, the changes it goes through, and taking them back.

One command of the reader is one `Done` line with every change that it makes. Changes know
how to be made and how to be taken back; the state holds what all of them come to. Nothing
here measures, and nothing here touches a file.
"""

from __future__ import annotations

import functools
import operator
from collections import deque
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.errors import OsteotraceError
from osteotrace.findings import Assessment, Finding, SeriesReference
from osteotrace.protocol import TABLES, Entry
from osteotrace.reading.case_facts import CaseFacts
from osteotrace.regions import Mask
from osteotrace.session.levels import Levels
from osteotrace.session.mask_runs import from_runs

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    import numpy as np
    from numpy.typing import NDArray

    AnyEntry = Entry
else:
    AnyEntry = functools.reduce(operator.or_, TABLES.values())

JOURNAL_VERSION: Final = 3
# Commands that can be taken back; older ones stay made.
UNDO_DEPTH: Final = 200


class Held(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A finding as a session holds it.

    Parameters
    ----------
    finding : Finding
        What is recorded once it is saved.
    accepted : bool
        Whether the reader has accepted it; what is not accepted is not saved.
    entry : Entry or None
        The entry of a protocol that it was measured by; None where it came otherwise.
    masks : mapping of str to Mask
        Labels that the entry names.
    leader : str
        Tracking UID of the finding that this one is a part of, or empty.
    part : str
        What its label adds to the entry's, such as ``"/2"``.
    edited : tuple of str
        Fields of the finding that the reader has set: a new measurement leaves them.
    """

    finding: Finding
    accepted: bool = False
    entry: AnyEntry | None = None
    masks: dict[str, Mask] = {}
    leader: str = ""
    part: str = ""
    edited: tuple[str, ...] = ()

    @property
    def uid(self) -> str:
        """Tracking UID of the finding."""
        return self.finding.tracking_uid


class FindingChange(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """A finding was added (nothing before), changed, or deleted (nothing after).

    Parameters
    ----------
    before, after : Held or None
        The finding on either side of the change.
    position : int
        Its place among the findings.
    """

    before: Held | None
    after: Held | None
    position: int

    def reversed(self) -> Self:
        """Return the change that takes this one back."""
        return msgspec.structs.replace(self, before=self.after, after=self.before)

    def make(self, draft: Draft) -> None:
        """Make the change; refused where what was before it is not there."""
        held = draft.held
        if self.before is None:
            fits = 0 <= self.position <= len(held)
        else:
            fits = 0 <= self.position < len(held)
            fits = fits and held[self.position] == self.before
        if not fits:
            raise impossible("a change of a finding that is not there")
        end = self.position + (self.before is not None)
        new = () if self.after is None else (self.after,)
        draft.held = (*held[: self.position], *new, *held[end:])
        draft.labels_used.update(one.finding.label for one in new)


class StatementsChange(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """What is stated of the patient, before and after: facts, drugs, overrides."""

    before: CaseFacts
    after: CaseFacts

    def reversed(self) -> Self:
        """Return the change that takes this one back."""
        return msgspec.structs.replace(self, before=self.after, after=self.before)

    def make(self, draft: Draft) -> None:
        """Make the change; refused where other things are stated."""
        if draft.statements != self.before:
            raise impossible("a change of statements that are not there")
        draft.statements = self.after


class LevelsChange(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """The labelled vertebrae in sight, before and after."""

    before: tuple[Levels, ...]
    after: tuple[Levels, ...]

    def reversed(self) -> Self:
        """Return the change that takes this one back."""
        return msgspec.structs.replace(self, before=self.after, after=self.before)

    def make(self, draft: Draft) -> None:
        """Make the change; refused where other levels are labelled."""
        if draft.levels != self.before:
            raise impossible("a change of levels that are not there")
        draft.levels = self.after


class MaskPatch(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """Voxels of a drawn mask that were turned over: exclusive-or, its own reverse.

    Parameters
    ----------
    uid : str
        Of the mask; one that is not there yet is begun.
    series_uid : str
        SeriesInstanceUID of the volume that it is drawn on.
    k : int
        Which volume of the series (`VolumeHeader.k`).
    shape : (slices, rows, columns)
        Of that volume.
    box : three (start, stop)
        Part of the volume that the runs fill, in C order.
    runs : bytes
        Run lengths of the voxels turned over (`mask_runs.runs_of`).
    """

    uid: str
    series_uid: str
    k: int
    shape: tuple[int, int, int]
    box: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
    runs: bytes

    def reversed(self) -> Self:
        """Return the change that takes this one back."""
        return self

    def make(self, draft: Draft) -> None:
        """Turn the voxels over; a mask without a voxel left is gone."""
        mask = draft.masks.get(self.uid)
        if mask is None:
            mask = DrawnMask.empty(self.series_uid, self.k, self.shape)
        if (mask.series_uid, mask.k, mask.voxels.shape) != (
            self.series_uid,
            self.k,
            self.shape,
        ):
            raise impossible("a stroke on another image than its mask's")
        if not all(
            0 <= a < b <= n for (a, b), n in zip(self.box, self.shape, strict=True)
        ):
            raise impossible("a stroke outside its image")
        a, b, c = (slice(*ends) for ends in self.box)
        part = mask.voxels[a, b, c]
        turned = from_runs(self.runs, part.shape)
        if turned is None:
            raise impossible("a stroke that does not fill its box")
        part ^= turned
        draft.masks[self.uid] = mask
        if not part.any() and not mask.voxels.any():
            del draft.masks[self.uid]


@dataclass(frozen=True, slots=True, eq=False)
class DrawnMask:
    """A mask in hand: the voxels drawn so far on one volume.

    Parameters
    ----------
    series_uid : str
        SeriesInstanceUID of the volume.
    k : int
        Which volume of the series.
    voxels : (slices, rows, columns) bool array
        Changed in place by `MaskPatch` and by nothing else.
    """

    series_uid: str
    k: int
    voxels: NDArray[np.bool_]

    @classmethod
    def empty(cls, series_uid: str, k: int, shape: tuple[int, int, int]) -> DrawnMask:
        """Return a mask without a voxel."""
        import numpy as np

        return cls(series_uid, k, np.zeros(shape, dtype=bool))


Change = FindingChange | StatementsChange | LevelsChange | MaskPatch


class Started(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """The first line: which study is read, by whom, with what."""

    at: str
    assessment_uid: str
    study_uid: str
    patient: str
    study_date: str
    reader: str
    software: str
    journal_version: int = JOURNAL_VERSION


class Read(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """A series was loaded for reading."""

    series: SeriesReference


class Done(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """One command of the reader.

    Parameters
    ----------
    at : str
        ISO 8601 date and time.
    what : str
        The command in words, e.g. ``"caliper CAL-1 added"``.
    changes : tuple of Change
        What it changes, in order; taken back all together.
    """

    at: str
    what: str
    changes: tuple[Change, ...]


class Undone(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """The last command was taken back."""

    at: str


class Redone(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """The command taken back last was made again."""

    at: str


class Saved(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """The reading was saved as a record; what follows amends that record."""

    at: str
    sop_instance_uid: str
    next_uid: str


class Closed(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """The reader closed the reading; a journal that does not end so was interrupted."""

    at: str


Line = Started | Read | Done | Undone | Redone | Saved | Closed


@dataclass(slots=True)
class Draft:
    """What the lines of a journal come to: the reading, and what can be taken back.

    Parameters
    ----------
    start : Started or None
        The first line, None before it.
    assessment_uid, predecessor_uid : str
        Of the record that is next, and of the one saved last, or empty.
    series : tuple of SeriesReference
        The series that were loaded.
    held : tuple of Held
        The findings, in the order they were made.
    statements : CaseFacts
        What is stated of the patient at this reading.
    masks : dict of str to DrawnMask
        Masks in hand, by UID.
    levels : tuple of Levels
        The labelled vertebrae in sight, one a frame of reference.
    done : deque of Done
        Commands that `Undone` takes back, the last one first.
    undone : list of Done
        Commands that `Redone` makes again, the last one first.
    labels_used : set of str
        Labels ever given, those of deleted findings included: none is given twice.
    last_saved : str
        Time of the last change, ISO 8601, or empty.
    recorded : str
        Time of the reading: of the last change, or of its beginning.
    is_changed : bool
        Whether anything was changed since the last record was saved.
    is_closed : bool
        Whether the last line is one of `Closed`.
    """

    start: Started | None = None
    assessment_uid: str = ""
    predecessor_uid: str = ""
    series: tuple[SeriesReference, ...] = ()
    held: tuple[Held, ...] = ()
    statements: CaseFacts = field(default_factory=CaseFacts)
    masks: dict[str, DrawnMask] = field(default_factory=dict)
    levels: tuple[Levels, ...] = ()
    done: deque[Done] = field(default_factory=lambda: deque(maxlen=UNDO_DEPTH))
    undone: list[Done] = field(default_factory=list)
    labels_used: set[str] = field(default_factory=set)
    last_saved: str = ""
    recorded: str = ""
    is_changed: bool = False
    is_closed: bool = False

    def apply(self, line: Line) -> Callable[[], None]:
        """Let what a line says happen, whole or not at all; return what takes it back.

        Raises
        ------
        OsteotraceError
            If it cannot follow the lines before it.
        """
        before = replace(
            self,
            done=self.done.copy(),
            undone=self.undone.copy(),
            labels_used=self.labels_used.copy(),
        )
        made: list[Change] = []

        def take_back() -> None:
            for change in reversed(made):
                change.reversed().make(self)
            for one in fields(self):
                setattr(self, one.name, getattr(before, one.name))

        try:
            self._follow(line, made)
        except OsteotraceError:
            take_back()
            raise
        return take_back

    def _follow(self, line: Line, made: list[Change]) -> None:
        if isinstance(line, Started):
            if self.start is not None:
                raise impossible("two beginnings")
            self.start = line
            self.assessment_uid, self.recorded = line.assessment_uid, line.at
            return
        if self.start is None:
            raise impossible("a first line that starts no reading")
        self.is_closed = isinstance(line, Closed)
        if isinstance(line, Read):
            self.series = (*self.series, line.series)
        elif isinstance(line, Saved):
            self.assessment_uid, self.predecessor_uid = (
                line.next_uid,
                line.sop_instance_uid,
            )
            self.is_changed = False
        elif not isinstance(line, Closed):
            for change in self._changes(line):
                change.make(self)
                made.append(change)
            self.recorded = self.last_saved = line.at
            self.is_changed = True

    def _changes(self, line: Done | Undone | Redone) -> tuple[Change, ...]:
        """Move a command between the stacks; return the changes to be made."""
        if isinstance(line, Done):
            self.done.append(line)
            self.undone.clear()
            return line.changes
        if not (self.done if isinstance(line, Undone) else self.undone):
            raise impossible("an undo or redo of a change that is not there")
        if isinstance(line, Undone):
            self.undone.append(self.done.pop())
            return tuple(one.reversed() for one in reversed(self.undone[-1].changes))
        self.done.append(self.undone.pop())
        return self.done[-1].changes

    def assessment(self, *, accepted_only: bool = False) -> Assessment | None:
        """Return the reading as it stands, None before the first line.

        Parameters
        ----------
        accepted_only : bool
            Leave out what the reader has not accepted yet.
        """
        start = self.start
        if start is None:
            return None
        return Assessment(
            assessment_uid=self.assessment_uid,
            study_uid=start.study_uid,
            patient=start.patient,
            study_date=start.study_date,
            reader=start.reader,
            recorded=self.recorded,
            series=self.series,
            findings=tuple(
                one.finding for one in self.held if one.accepted or not accepted_only
            ),
            facts=self.statements.facts,
            drugs=self.statements.drugs,
            software=start.software,
            predecessor_uid=self.predecessor_uid,
        )


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """What a draft that was taken up again holds beyond the last record.

    Parameters
    ----------
    findings, unaccepted : int
        How many findings, and how many of them the reader has not accepted.
    last_change : str
        When the last change was made, ISO 8601.
    what : str
        That change in words, empty where it was the taking back of the first.
    after_crash : bool
        Whether the draft was left without being closed.
    """

    findings: int
    unaccepted: int
    last_change: str
    what: str
    after_crash: bool

    @classmethod
    def of(cls, draft: Draft) -> Recovery | None:
        """Return what there is to recover, None where the last record holds it all."""
        unaccepted = sum(not one.accepted for one in draft.held)
        if not (draft.is_changed or unaccepted):
            return None
        return cls(
            findings=len(draft.held),
            unaccepted=unaccepted,
            last_change=draft.last_saved,
            what=draft.done[-1].what if draft.done else "",
            after_crash=not draft.is_closed,
        )


def impossible(found: str) -> OsteotraceError:
    """Return the error of a line that cannot follow the lines before it."""
    return OsteotraceError(
        f"a draft with {found}",
        expected="a draft that osteotrace wrote, unedited",
        advice="begin this reading anew; the draft is set aside and its lines are "
        "readable JSON",
    )
