"""A reading in progress: open studies, what is marked and said, undo and autosave.

A `Session` is what an interactive front door drives. It composes the layers below and
holds state, no window: the plugin shows a session and asks it. Every command is one line
of an append-only journal in the user's own state folder, forced to disk before the call
returns, so that a crash loses nothing that was shown as saved.
"""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from osteotrace import about
from osteotrace.codes import KINDS, SITES, look_up
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Finding
from osteotrace.session import commands, marking, saving
from osteotrace.session.draft import (
    Closed,
    Done,
    Draft,
    Held,
    Read,
    Recovery,
    Redone,
    Saved,
    Started,
    Undone,
)
from osteotrace.session.journal import Journal
from osteotrace.uids import new_uid

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import ArrayLike

    from osteotrace.findings import Assessment, Certainty, Laterality, Presence
    from osteotrace.measurements.caliper import CaliperReading
    from osteotrace.measurements.doubts import Walls
    from osteotrace.measurements.edge_pairs import Between
    from osteotrace.regions import Mask
    from osteotrace.series import Catalogue, VolumeHeader
    from osteotrace.session.draft import Change, Line
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


class Session:
    """One reader at work on the studies below one path.

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
        self._drafts = drafts
        self._now = now
        self._volumes: dict[tuple[str, int], Volume] = {}
        self._journal: Journal | None = None
        # What was to be taken up last, damaged or not.
        self._wanted: VolumeHeader | None = None

    # Studies and volumes ---------------------------------------------------------

    def open(
        self, path: str | os.PathLike[str], progress: Progress | None = None
    ) -> Catalogue:
        """Read the headers below a path; the draft being edited stays until a load.

        Raises
        ------
        OsteotraceError
            If nothing there is DICOM; what was open before then stays open.
        """
        from osteotrace.series import scan

        catalogue = scan(path, progress=progress)
        self._volumes.clear()
        self.catalogue = catalogue
        return catalogue

    def load(self, header: VolumeHeader, progress: Progress | None = None) -> Volume:
        """Load a volume and take up the reading of its study, draft included.

        Raises
        ------
        OsteotraceError
            If the volume is refused, or the study's draft is damaged or in use.
        """
        from osteotrace.volume import load

        key = header.identity.series_uid, header.k
        volume = self._volumes.get(key)
        if volume is None:
            volume = load(header, progress=progress)
        start = self.draft.start
        if start is None or start.study_uid != header.identity.study_uid:
            self._take_up(header)
        self._volumes[key] = volume
        self._note_series(header)
        return volume

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

    def close(self) -> None:
        """Let go of the draft, so that another session may take it up."""
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
            raise _nothing_open()
        self.close()
        aside = Journal.set_aside(_study_key(header), self.reader, folder=self._drafts)
        self._take_up(header)
        for series in self.catalogue or ():
            for one in series.volumes:
                if (one.identity.series_uid, one.k) in self._volumes and (
                    one.identity.study_uid == header.identity.study_uid
                ):
                    self._note_series(one)
        return aside

    @property
    def assessment(self) -> Assessment | None:
        """The reading of the study that was loaded last, drafts included."""
        return self.draft.assessment()

    @property
    def last_saved(self) -> str:
        """When the last change was put on disk, ISO 8601; empty before the first."""
        return self.draft.last_saved

    # Findings --------------------------------------------------------------------

    @property
    def held(self) -> tuple[Held, ...]:
        """The findings with what is known of them, in the order they were made."""
        return self.draft.held

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of the reading, in the order they were made."""
        return tuple(one.finding for one in self.draft.held)

    @property
    def can_undo(self) -> bool:
        """True where a command can be taken back."""
        return bool(self.draft.done)

    @property
    def can_redo(self) -> bool:
        """True where a command that was taken back can be made again."""
        return bool(self.draft.undone)

    def finding(self, tracking_uid: str) -> Finding:
        """Return one finding by its Tracking Unique Identifier."""
        return self.held_finding(tracking_uid).finding

    def held_finding(self, tracking_uid: str) -> Held:
        """Return one finding with what is known of it."""
        for one in self.draft.held:
            if one.uid == tracking_uid:
                return one
        raise OsteotraceError(
            f"no finding with the tracking UID {tracking_uid}",
            expected="one of the findings of this reading",
            advice="choose a finding from the list",
        )

    def caliper(
        self,
        volume: Volume,
        start: ArrayLike,
        end: ArrayLike,
        *,
        snap: bool = True,
        quick: bool = False,
        between: Between = "auto",
        walls: Walls = "any",
    ) -> CaliperReading:
        """Measure between two points, LPS mm; nothing is recorded.

        Parameters and errors as in `osteotrace.measurements.caliper.measure`.
        """
        from osteotrace.measurements.caliper import measure

        return measure(
            volume, start, end, snap=snap, quick=quick, between=between, walls=walls
        )

    def measure(
        self,
        tool: str,
        volume: Volume,
        *,
        masks: Mapping[str, Mask] | None = None,
        **where: Any,
    ) -> tuple[Finding, ...]:
        """Return what `add` would give, as far as the mark alone tells; not recorded."""
        mark = marking.marked(tool, volume, label=tool, said={}, where=where, masks=masks)
        return marking.measured([mark], volume)[tool]

    def add(
        self,
        tool: str,
        volume: Volume,
        *,
        kind: str = "",
        site: str = "",
        laterality: Laterality = "",
        certainty: Certainty = "definite",
        note: str = "",
        label: str = "",
        masks: Mapping[str, Mask] | None = None,
        **where: Any,
    ) -> tuple[Finding, ...]:
        """Measure what was marked and hold it as a draft, not accepted yet.

        Parameters
        ----------
        tool : str
            Key of `osteotrace.protocol.TABLES`.
        volume : Volume
            What it was marked on.
        kind, site, laterality, certainty, note
            As in `osteotrace.findings.Finding`; kind and site by the tool where empty.
        label : str
            ``CAL-1``, ``SEQ-1``, ``VERT-L1``, … by default.
        masks : mapping of str to Mask
            What labels in regions of ``where`` mean.
        **where
            The entry's own keys: points, regions (`Where` or `Mask`), choices.

        Returns
        -------
        tuple of Finding
            The finding, and one more for each of its parts.

        Raises
        ------
        OsteotraceError
            If what was marked makes no entry, or cannot be measured at all.
        """
        self._check_reading()
        label = label or marking.next_label(tool, self.draft.labels_used, where)
        self._check_label(label)
        said = {"kind": kind, "site": site, "laterality": laterality, "note": note}
        mark = marking.marked(
            tool, volume, label=label, said=said, where=where, masks=masks
        )
        finding = msgspec.structs.replace(mark.finding, certainty=certainty)
        mark = msgspec.structs.replace(mark, finding=finding)
        held = self.draft.held
        after = marking.held_with(held, mark, volume, self.new_uid)
        self._become(f"{commands.named(mark)} added", after)
        return tuple(one.finding for one in after[len(held) :])

    def move(self, tracking_uid: str, **where: Any) -> tuple[Finding, ...]:
        """Mark a finding elsewhere and measure it anew; what was said of it stays.

        Parameters
        ----------
        tracking_uid : str
            Of the finding or of a part of it.
        **where
            The keys of its entry that change; of named points, as the six of a
            vertebra, those that do.

        Raises
        ------
        OsteotraceError
            If it was not marked here and is no caliper, its images are not there, or it
            cannot be measured there; it then stays where it was.
        """
        self.held_finding(tracking_uid)
        leader = commands.marking(self.draft.held, tracking_uid)[0]
        volume = self.volume_of(leader.finding)
        if leader.entry is None:
            leader = marking.rebuilt(leader, volume)
        mark = marking.moved(leader, where)
        after = marking.held_with(self.draft.held, mark, volume, self.new_uid)
        self._become(f"{commands.named(leader)} moved", after)
        return tuple(one.finding for one in commands.marking(after, leader.uid))

    def edit_finding(
        self,
        tracking_uid: str,
        *,
        label: str | None = None,
        kind: str | None = None,
        site: str | None = None,
        laterality: Laterality | None = None,
        certainty: Certainty | None = None,
        note: str | None = None,
        presence: Presence | None = None,
    ) -> Finding:
        """Change what a reader says about a finding; its measurements stay.

        Raises
        ------
        OsteotraceError
            If there is no such finding, a kind or site is not in the vocabulary, or the
            label is another finding's.
        """
        before = self.held_finding(tracking_uid).finding
        given = {
            "label": label,
            "kind": kind,
            "site": site,
            "laterality": laterality,
            "certainty": certainty,
            "note": note,
            "presence": presence,
        }
        said = {name: text for name, text in given.items() if text is not None}
        if kind is not None:
            look_up(KINDS, kind, "kind")
        if site is not None:
            look_up(SITES, site, "site")
        if label is not None and label != before.label:
            self._check_label(label)
        what = ", ".join(name for name in said if said[name] != getattr(before, name))
        self._become(
            f"{what} of {before.label} changed",
            commands.edited(self.draft.held, tracking_uid, said),
        )
        return self.finding(tracking_uid)

    def absent(
        self, kind: str, site: str, laterality: Laterality = "", note: str = ""
    ) -> Finding:
        """Record that a lesion was looked for and is not there, as a draft."""
        self._check_reading()
        look_up(KINDS, kind, "kind")
        look_up(SITES, site, "site")
        finding = Finding(
            tracking_uid=self.new_uid(),
            label=marking.next_label(marking.ABSENT, self.draft.labels_used, {}),
            kind=kind,
            site=site,
            laterality=laterality,
            presence="absent",
            note=note,
        )
        self._become(
            f"absence {finding.label} stated", (*self.draft.held, Held(finding=finding))
        )
        return finding

    def accept(self, tracking_uid: str) -> None:
        """Accept a finding and its parts: the next save writes them."""
        self._accept(tracking_uid, is_accepted=True)

    def unaccept(self, tracking_uid: str) -> None:
        """Make a finding and its parts drafts again, which no save writes."""
        self._accept(tracking_uid, is_accepted=False)

    def _accept(self, tracking_uid: str, *, is_accepted: bool) -> None:
        one = self.held_finding(tracking_uid)
        self._become(
            f"{commands.named(one)} {'accepted' if is_accepted else 'a draft again'}",
            commands.accepted(self.draft.held, tracking_uid, is_accepted=is_accepted),
        )

    def delete_finding(self, tracking_uid: str) -> None:
        """Take a finding and its parts out of the reading; `undo` brings them back."""
        gone = self.held_finding(tracking_uid)
        header = self.header_of(gone.finding) if marking.has_neighbours(gone) else None
        after = marking.held_without(
            self.draft.held, gone, header and self.load(header), self.new_uid
        )
        self._become(f"{commands.named(gone)} deleted", after)

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

    # Records ---------------------------------------------------------------------

    def records_folder(self) -> Path:
        """Return the folder for records: beside the opened folder, never inside it."""
        return saving.folder_beside(self._opened())

    def save(self, folder: Path | None = None) -> tuple[Path, ...]:
        """Write what is accepted as one DICOM SR, masks as SEG; return the files.

        A second call writes an amendment that names the first as its predecessor. What
        a save left unfinished when it was interrupted is finished. What is not accepted
        stays in the draft.

        Raises
        ------
        OsteotraceError
            If there is nothing to save, the folder lies inside the DICOM folder, or it
            cannot be written.
        """
        catalogue = self._opened()
        self._check_reading()
        return saving.save(
            self.draft,
            catalogue,
            self.records_folder() if folder is None else folder,
            note_saved=self._note_saved,
        )

    def _note_saved(self) -> None:
        self._record(
            Saved(
                at=self._time(),
                sop_instance_uid=self.draft.assessment_uid,
                next_uid=self.new_uid(),
            )
        )

    def save_sr(self, folder: Path | None = None) -> Path:
        """Save, and return the report."""
        return self.save(folder)[0]

    def add_caliper_finding(self, reading: CaliperReading, **said: Any) -> Finding:
        """Record a caliper reading as a finding that is accepted, and return it."""
        from osteotrace.session.taken_over import caliper

        self._check_reading()
        held = caliper(self, reading, **said)
        self._become(f"{commands.named(held)} added", (*self.draft.held, held))
        return held.finding

    # The draft -------------------------------------------------------------------

    def _time(self) -> str:
        return self._now().isoformat(timespec="seconds")

    def _opened(self) -> Catalogue:
        if self.catalogue is None:
            raise _nothing_open()
        return self.catalogue

    def _check_reading(self) -> None:
        if self.draft.start is None:
            raise _nothing_open()

    def _check_label(self, label: str) -> None:
        if any(label == one.finding.label for one in self.draft.held):
            raise OsteotraceError(
                f"the label {label!r} twice",
                expected="a label of its own for each finding",
                advice="choose another label",
            )

    def _become(self, what: str, after: tuple[Held, ...]) -> None:
        self.commit(what, *commands.changes(self.draft.held, after))

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
        self.close()
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

    def _note_series(self, header: VolumeHeader) -> None:
        from osteotrace.reading import series_reference

        reference = series_reference(header)
        if reference not in self.draft.series:
            self._record(Read(series=reference))

    def _record(self, line: Line) -> None:
        """Let a line happen and put it on disk, or neither."""
        if self._journal is None:
            raise _nothing_open()
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


def _nothing_open() -> OsteotraceError:
    return OsteotraceError(
        "no study",
        expected="an open study",
        advice="open a folder and load one of its series first",
    )
