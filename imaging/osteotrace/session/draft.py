"""The draft of a reading: its state, and taking commands back.

One command of the reader is one `Done` line with every change that it makes; the state
holds what all of them come to. Nothing here measures, and nothing here touches a file.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.errors import OsteotraceError
from osteotrace.findings import Assessment
from osteotrace.reading.case_facts import CaseFacts
from osteotrace.session.changes import impossible
from osteotrace.session.lines import (
    Closed,
    Done,
    Read,
    Redone,
    Saved,
    Saving,
    Started,
    Undone,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.findings import Finding, SeriesReference
    from osteotrace.session.changes import Base, Change, DrawnMask, Held
    from osteotrace.session.levels import Levels
    from osteotrace.session.lines import Line

# What a record holds of the reader.
Content = tuple[tuple["Finding", ...], "CaseFacts"]
# Commands that can be taken back; older ones stay made.
UNDO_DEPTH: Final = 200


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
    base : Base or None
        The saved record that the reading began from, None where it began anew.
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
    last_record : Saved or None
        The last record, None before the first.
    saved_content : Content or None
        What that record holds of the reader.
    is_changed : bool
        Whether anything was changed since the last record was saved, drafts included.
    is_closed : bool
        Whether the last line is one of `Closed`.
    saved : tuple of Held
        What the record that was saved last holds.
    saving : (held, statements, bool) or None
        While a record is written: what was there when that began, and whether a command
        came since.
    """

    start: Started | None = None
    assessment_uid: str = ""
    predecessor_uid: str = ""
    series: tuple[SeriesReference, ...] = ()
    held: tuple[Held, ...] = ()
    statements: CaseFacts = field(default_factory=CaseFacts)
    masks: dict[str, DrawnMask] = field(default_factory=dict)
    levels: tuple[Levels, ...] = ()
    base: Base | None = None
    done: deque[Done] = field(default_factory=lambda: deque(maxlen=UNDO_DEPTH))
    undone: list[Done] = field(default_factory=list)
    labels_used: set[str] = field(default_factory=set)
    last_saved: str = ""
    recorded: str = ""
    last_record: Saved | None = None
    saved_content: Content | None = None
    is_changed: bool = False
    is_closed: bool = False
    saved: tuple[Held, ...] = ()
    saving: tuple[tuple[Held, ...], CaseFacts, bool] | None = None

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
            # Journals of earlier versions do not tell when a save began.
            held, statements, later = self.saving or (self.held, self.statements, False)
            self.saved = tuple(one for one in held if one.accepted)
            self.last_record = line
            self.saved_content = tuple(one.finding for one in self.saved), statements
            self.is_changed, self.saving = later, None
        elif isinstance(line, Saving):
            self.saving = self.held, self.statements, False
        elif not isinstance(line, Closed):
            for change in self._changes(line):
                change.make(self)
                made.append(change)
            self.recorded = self.last_saved = line.at
            self.is_changed = True
            if self.saving is not None:
                self.saving = (*self.saving[:2], True)

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

    def content(self) -> Content:
        """Return what a record would hold of the reader: what is accepted and stated."""
        accepted = tuple(one.finding for one in self.held if one.accepted)
        return accepted, self.statements

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
            not_understood=() if self.base is None else self.base.not_understood,
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
