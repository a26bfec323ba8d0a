"""The study that is read: what lies below a path, what is loaded, and the draft.

Every command is one line of an append-only journal in the user's own state folder, forced
to disk before the call returns, so that a crash loses nothing that was shown as saved.
"""

from __future__ import annotations

import getpass
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from osteotrace import about
from osteotrace.errors import OsteotraceError
from osteotrace.session.draft import Draft, Recovery
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
from osteotrace.session.open_images import OpenImages, nothing_open
from osteotrace.session.study_drafts import StudyOfPatient, set_aside, take_up
from osteotrace.uids import new_uid

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from osteotrace.findings import Assessment
    from osteotrace.series import VolumeHeader
    from osteotrace.session.changes import Change
    from osteotrace.session.journal import Journal
    from osteotrace.session.lines import Line
    from osteotrace.volume import Volume

    Progress = Callable[[int, int], None]


def _local_time() -> datetime:
    return datetime.now(UTC).astimezone()


def _login_name() -> str:
    try:
        return getpass.getuser()
    # A container may run under a number without a name; Python says so in two ways.
    except (KeyError, OSError):
        return ""


class OpenStudy(OpenImages):
    """The studies below a path, and the draft of the one that is read.

    Parameters
    ----------
    reader : str, optional
        Who reads; the user's login name by default, empty where there is none.
    drafts : Path, optional
        Folder of the draft journals; `osteotrace.session.journal.drafts_folder` by
        default.
    now : callable, optional
        Returns the present time with its zone.
    new_uid : callable, optional
        Returns a new UID.

    Attributes
    ----------
    catalogue : Catalogue or None
        As in `OpenImages`.
    draft : Draft
        The reading as it stands; changed by `commit`, `undo` and `redo` alone.
    recovery : Recovery or None
        What was there when the study was taken up again; None where nothing was.
    lock : RLock
        Held while the draft changes: records are written beside the thread that reads.
    """

    def __init__(
        self,
        *,
        reader: str | None = None,
        drafts: Path | None = None,
        now: Callable[[], datetime] = _local_time,
        new_uid: Callable[[], str] = new_uid,
    ) -> None:
        super().__init__()
        self.reader = _login_name() if reader is None else reader
        self.draft = Draft()
        self.recovery: Recovery | None = None
        self.new_uid = new_uid
        self.lock = threading.RLock()
        self._drafts = drafts
        self._now = now
        self._journal: Journal | None = None
        # Whose draft is held.
        self._study: StudyOfPatient | None = None
        # What was to be taken up last, damaged or not.
        self._wanted: VolumeHeader | None = None

    # Studies ---------------------------------------------------------------------

    def load(self, header: VolumeHeader, progress: Progress | None = None) -> Volume:
        """Load a volume and take up the reading of its study, draft included.

        Raises
        ------
        OsteotraceError
            If the volume is refused, or the study's draft is damaged or in use.
        """
        volume = self.view(header, progress)
        # A command of the window comes before another study is taken up, or after it.
        with self.lock:
            self._wanted = header
            if not self.is_read(header):
                self._take_up(header)
            self._turn_to(header)
            self.note_series(header)
        return volume

    def is_read(self, images: VolumeHeader | Volume) -> bool:
        """Tell whether a volume is of the study that is read, and of its patient."""
        return self._study is not None and StudyOfPatient.of(images) == self._study

    def check_read(self, volume: Volume) -> None:
        """Refuse a volume of another study than the one that is read.

        Raises
        ------
        OsteotraceError
            If it is, or none is read.
        """
        start = self.draft.start
        if start is None:
            raise nothing_open()
        if not self.is_read(volume):
            of = f"of {volume.identity.date or 'no stated date'}"
            raise OsteotraceError(
                f"a mark on another study, {of}: it was not recorded",
                expected=f"marks on the study that is read, of {start.study_date}",
                advice=f"load the study {of} and mark it there",
            )

    def close(self) -> None:
        """Let go of what is open, so that another session may take the draft up."""
        self._close_sources()
        self._let_go()

    def _let_go(self) -> None:
        if self._journal is not None:
            try:
                if Recovery.of(self.draft) is not None and not self.draft.is_closed:
                    self._record(Closed(at=self._time()))
            except OsteotraceError:
                # Taken for a crash next time: nothing is lost by it.
                pass
            finally:
                self._journal.close()
        self._journal = self._study = None
        self.draft, self.recovery = Draft(), None

    def begin_anew(self) -> Path | None:
        """Set the draft of the study aside, damaged or not, and begin another.

        Returns
        -------
        Path or None
            Where the old one is kept; None where there was none.

        Raises
        ------
        OsteotraceError
            If no study was to be read, or another window holds its draft.
        """
        header = self._wanted
        if header is None:
            raise nothing_open()
        self._let_go()
        aside = set_aside(StudyOfPatient.of(header), self.reader, self._drafts)
        self._take_up(header)
        self._turn_to(header)
        for series in self.catalogue or ():
            for one in series.volumes:
                key = one.identity.series_uid, one.k
                if key in self._volumes and self.is_read(one):
                    self.note_series(one)
        return aside

    @property
    def drafts_folder(self) -> Path | None:
        """Folder of the draft journals; None for that of the user's own state."""
        return self._drafts

    @property
    def assessment(self) -> Assessment | None:
        """The reading of the study that was loaded last, drafts included."""
        return self.draft.assessment()

    @property
    def last_saved(self) -> str:
        """When the last change was put on disk, ISO 8601; empty before the first."""
        return self.draft.last_saved

    # Commands --------------------------------------------------------------------

    @property
    def can_undo(self) -> bool:
        """True where a command can be taken back."""
        return bool(self.draft.done)

    @property
    def can_redo(self) -> bool:
        """True where a command that was taken back can be made again."""
        return bool(self.draft.undone)

    def commit(self, what: str, *changes: Change, on: Volume | None = None) -> None:
        """Make changes as one command, on disk before it returns; none is no command.

        Parameters
        ----------
        what : str
            The command in words, as `undo` will name it.
        *changes : Change
        on : Volume, optional
            What was marked: it has to be of the study that is read.

        Raises
        ------
        OsteotraceError
            If no study is read, or another one; a change does not fit what is there, or
            it cannot be written; nothing is changed then.
        """
        with self.lock:
            self._check_reading()
            if on is not None:
                self.check_read(on)
            if changes:
                self._record(Done(at=self._time(), what=what, changes=changes))

    def undo(self) -> str:
        """Take the last command back; return it in words, empty where there is none."""
        if not self.can_undo:
            return ""
        self._record(Undone(at=self._time()))
        return self.draft.undone[-1].what

    def redo(self) -> str:
        """Make what was taken back last again; return it in words, or an empty text."""
        if not self.can_redo:
            return ""
        self._record(Redone(at=self._time()))
        return self.draft.done[-1].what

    def _note_saving(self, uid: str, folder: Path) -> None:
        where = str(folder.absolute())
        self._record(Saving(at=self._time(), sop_instance_uid=uid, folder=where))

    def _note_saved(self, uid: str, record: Path) -> None:
        with self.lock:
            # A draft that was let go meanwhile finds the record by its UID.
            if self.draft.assessment_uid == uid:
                self._record(
                    Saved(
                        at=self._time(),
                        sop_instance_uid=uid,
                        next_uid=self.new_uid(),
                        record=str(record.absolute()),
                    )
                )

    # The draft -------------------------------------------------------------------

    def _time(self) -> str:
        return self._now().isoformat(timespec="seconds")

    def _check_reading(self) -> None:
        if self.draft.start is None:
            raise nothing_open()

    def _take_up(self, header: VolumeHeader) -> None:
        """Replay the study's draft, or start one; the draft before it is let go."""
        study, whose = header.identity, StudyOfPatient.of(header)
        journal, draft = take_up(whose, self.reader, self._drafts)
        self._let_go()
        self._journal, self.draft, self._study = journal, draft, whose
        self.recovery = Recovery.of(draft)
        if draft.start is None:
            self._record(
                Started(
                    at=self._time(),
                    assessment_uid=self.new_uid(),
                    study_uid=study.study_uid,
                    patient=study.patient,
                    study_date=study.date,
                    reader=self.reader,
                    software=f"{about.SOFTWARE_NAME} {about.VERSION}",
                )
            )

    def note_series(self, header: VolumeHeader) -> None:
        """List the series of a volume among those that were read."""
        from osteotrace.reading import series_reference

        reference = series_reference(header)
        if reference not in self.draft.series:
            self._record(Read(series=reference))

    def _record(self, line: Line) -> None:
        """Let a line happen and put it on disk, or neither."""
        # A save writes beside the window's thread.
        with self.lock:
            if self._journal is None:
                raise nothing_open()
            take_back = self.draft.apply(line)
            try:
                self._journal.append(line)
            except BaseException:
                take_back()
                raise
