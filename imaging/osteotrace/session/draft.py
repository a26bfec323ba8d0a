"""The draft of a reading: its state, and taking commands back.

One command of the reader is one `Done` line with every change that it makes; the state
holds what all of them come to. Nothing here measures, and nothing here touches a file.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.findings import Assessment
from osteotrace.reading.case_facts import CaseFacts
from osteotrace.session.changes import impossible
from osteotrace.session.comparing.agreements import Agreed
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
# Where a draft stands: how many commands are made, and which one is the last.
Place = tuple[int, "Done | None"]
# Commands that can be taken back; older ones stay made.
UNDO_DEPTH: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """A record that is being written, or was when the session ended.

    Parameters
    ----------
    uid, folder : str
        Of the record; empty in journals of earlier versions.
    held : tuple of Held
    statements : CaseFacts
        What was there when it began.
    place : (int, Done or None)
        After which command that was.
    """

    uid: str
    folder: str
    held: tuple[Held, ...]
    statements: CaseFacts
    place: Place


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
    agreed : Agreed
        What is said of matches with other dates.
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
    made : int
        How many commands are made: done and not taken back.
    saved_place : (int, Done or None)
        Where the draft stood when the last record was saved.
    is_closed : bool
        Whether the last line is one of `Closed`.
    saved : tuple of Held
        What the record that was saved last holds.
    writing : Writing or None
        The record that is being written; it stays where that was interrupted.
    """

    start: Started | None = None
    assessment_uid: str = ""
    predecessor_uid: str = ""
    series: tuple[SeriesReference, ...] = ()
    held: tuple[Held, ...] = ()
    statements: CaseFacts = field(default_factory=CaseFacts)
    masks: dict[str, DrawnMask] = field(default_factory=dict)
    levels: tuple[Levels, ...] = ()
    agreed: Agreed = field(default_factory=Agreed)
    base: Base | None = None
    done: deque[Done] = field(default_factory=lambda: deque(maxlen=UNDO_DEPTH))
    undone: list[Done] = field(default_factory=list)
    labels_used: set[str] = field(default_factory=set)
    last_saved: str = ""
    recorded: str = ""
    last_record: Saved | None = None
    saved_content: Content | None = None
    made: int = 0
    saved_place: Place = (0, None)
    is_closed: bool = False
    saved: tuple[Held, ...] = ()
    writing: Writing | None = None

    @property
    def place(self) -> Place:
        """Where the draft stands."""
        return self.made, self.done[-1] if self.done else None

    def stands_at(self, place: Place) -> bool:
        """Tell whether the draft is as it was at a place."""
        made, last = self.place
        return made == place[0] and last is place[1]

    @property
    def is_changed(self) -> bool:
        """Whether anything differs from when the last record was saved, drafts too."""
        return not self.stands_at(self.saved_place)

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
        except BaseException:
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
            self._have_saved(line)
        elif isinstance(line, Saving):
            self.writing = self._begun(line)
            self.assessment_uid = line.sop_instance_uid or self.assessment_uid
        elif not isinstance(line, Closed):
            for change in self._changes(line):
                change.make(self)
                made.append(change)
            self.recorded = self.last_saved = line.at

    def _begun(self, line: Saving | Saved) -> Writing:
        return Writing(
            uid=line.sop_instance_uid,
            folder=line.folder if isinstance(line, Saving) else "",
            held=self.held,
            statements=self.statements,
            place=self.place,
        )

    def _have_saved(self, line: Saved) -> None:
        # Journals of earlier versions do not tell when a save began.
        of = self.writing or self._begun(line)
        if of.uid not in ("", line.sop_instance_uid):
            raise impossible("a record that is saved while another one is written")
        self.assessment_uid, self.predecessor_uid = line.next_uid, line.sop_instance_uid
        self.last_record = line
        self.saved = tuple(one for one in of.held if one.accepted)
        self.saved_content = tuple(one.finding for one in self.saved), of.statements
        self.saved_place, self.writing = of.place, None

    def _changes(self, line: Done | Undone | Redone) -> tuple[Change, ...]:
        """Move a command between the stacks; return the changes to be made."""
        self.made += -1 if isinstance(line, Undone) else 1
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
