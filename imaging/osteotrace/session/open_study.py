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
from osteotrace.session.journal import Journal
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
from osteotrace.uids import new_uid

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from pathlib import Path

    from osteotrace.findings import Assessment, Finding
    from osteotrace.series import Catalogue, VolumeHeader
    from osteotrace.series.sources import Source
    from osteotrace.session.changes import Change
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


class OpenStudy:
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
        What lies below the opened path.
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
        self.reader = _login_name() if reader is None else reader
        self.catalogue: Catalogue | None = None
        self.draft = Draft()
        self.recovery: Recovery | None = None
        self.new_uid = new_uid
        self.lock = threading.RLock()
        self._drafts = drafts
        self._now = now
        self._volumes: dict[tuple[str, int], Volume] = {}
        self._journal: Journal | None = None
        self._source: Source | None = None
        # What was to be taken up last, damaged or not.
        self._wanted: VolumeHeader | None = None

    # Studies and volumes ---------------------------------------------------------

    def open(
        self, path: str | os.PathLike[str], progress: Progress | None = None
    ) -> Catalogue:
        """Read the headers of a folder, file, DICOMDIR or zip.

        The draft being edited stays until a load.

        Raises
        ------
        OsteotraceError
            If nothing there is DICOM; what was open before then stays open.
        """
        from osteotrace.series.sources import open_source

        source = open_source(path, progress)
        self._close_source()
        self._volumes.clear()
        self._source, self.catalogue = source, source.catalogue
        return source.catalogue

    def load(self, header: VolumeHeader, progress: Progress | None = None) -> Volume:
        """Load a volume and take up the reading of its study, draft included.

        Raises
        ------
        OsteotraceError
            If the volume is refused, or the study's draft is damaged or in use.
        """
        volume = self.view(header, progress)
        start = self.draft.start
        if start is None or start.study_uid != header.identity.study_uid:
            self._take_up(header)
        self.note_series(header)
        return volume

    def view(self, header: VolumeHeader, progress: Progress | None = None) -> Volume:
        """Load a volume to look at, of whatever study; the reading stays as it is.

        Raises
        ------
        OsteotraceError
            If the volume is refused.
        """
        from osteotrace.volume import load

        key = header.identity.series_uid, header.k
        if key not in self._volumes:
            self._volumes[key] = load(header, progress=progress)
        return self._volumes[key]

    def header_of(self, finding: Finding) -> VolumeHeader | None:
        """Return the volume that a finding was marked on, None where it is not there."""
        from osteotrace.findings import marked_volume

        headers = (h for series in self.catalogue or () for h in series.volumes)
        return marked_volume(finding, headers)

    def volume_of(self, finding: Finding) -> Volume:
        """Return the volume that a finding was marked on, loaded where it is not yet.

        Raises
        ------
        OsteotraceError
            If its images are not below the opened path, or cannot be read.
        """
        header = self.header_of(finding)
        if header is None:
            raise OsteotraceError(
                f"{finding.label} without its images",
                expected="the images that it was marked on below the opened folder",
                advice="open the folder of the study",
            )
        return self.load(header)

    def key_of(self, volume: Volume) -> tuple[str, int]:
        """Return the series and the number in it of a volume that was loaded here.

        Raises
        ------
        OsteotraceError
            If it is no volume of this session, as one that was resampled.
        """
        for key, one in self._volumes.items():
            if one is volume:
                return key
        raise OsteotraceError(
            "a volume that was not loaded as it is",
            expected="a series as it was scanned, on its own slices",
            advice="show the series itself, not a plane that was resampled from it",
        )

    def close(self) -> None:
        """Let go of what is open, so that another session may take the draft up."""
        self._close_source()
        self._let_go()

    def _close_source(self) -> None:
        if self._source is not None:
            self._source.close()
        self._source = None

    def _let_go(self) -> None:
        if self._journal is not None:
            try:
                if self.draft.is_changed and not self.draft.is_closed:
                    self._record(Closed(at=self._time()))
            except OsteotraceError:
                # Taken for a crash next time: nothing is lost by it.
                pass
            finally:
                self._journal.close()
        self._journal = None
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
        aside = Journal.set_aside(_study_key(header), self.reader, folder=self._drafts)
        self._take_up(header)
        for series in self.catalogue or ():
            for one in series.volumes:
                if (one.identity.series_uid, one.k) in self._volumes and (
                    one.identity.study_uid == header.identity.study_uid
                ):
                    self.note_series(one)
        return aside

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

    def commit(self, what: str, *changes: Change) -> None:
        """Make changes as one command, on disk before it returns; none is no command.

        Parameters
        ----------
        what : str
            The command in words, as `undo` will name it.
        *changes : Change

        Raises
        ------
        OsteotraceError
            If no study is read, a change does not fit what is there, or it cannot be
            written; nothing is changed then.
        """
        self._check_reading()
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

    def _note_saving(self) -> None:
        self._record(Saving(at=self._time()))

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

    def _opened(self) -> Catalogue:
        if self.catalogue is None:
            raise nothing_open()
        return self.catalogue

    def _check_reading(self) -> None:
        if self.draft.start is None:
            raise nothing_open()

    def _take_up(self, header: VolumeHeader) -> None:
        """Replay the study's draft, or start one; the draft before it is let go."""
        study = header.identity
        self._wanted = header
        journal = Journal(_study_key(header), self.reader, folder=self._drafts)
        draft = Draft()
        try:
            for line in journal.lines:
                draft.apply(line)
        except OsteotraceError:
            journal.close()
            raise
        self._let_go()
        self._journal, self.draft = journal, draft
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
            except OsteotraceError:
                take_back()
                raise


def _study_key(header: VolumeHeader) -> str:
    """Return what tells a study's draft from others."""
    study = header.identity
    # Where the study was not named, its patient and series keep drafts apart.
    nameless = f"{study.patient_id}/{study.series_uid or header.instances[0].source}"
    return study.study_uid or nameless


def nothing_open() -> OsteotraceError:
    """Return the error of what needs a study where none is read."""
    return OsteotraceError(
        "no study",
        expected="an open study",
        advice="open a folder and load one of its series first",
    )
