"""A reading in progress: open studies, the assessment being edited, undo and autosave.

A `Session` is what an interactive front door drives. It composes the layers below and
holds state, no window: the plugin shows a session and asks it. Every committed change is
one line of an append-only journal in the user's own state folder, forced to disk before
the call returns, so that a crash loses nothing that was shown as saved.
"""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace import about
from osteotrace.codes import KINDS, SITES, look_up
from osteotrace.errors import OsteotraceError
from osteotrace.records.draft import (
    Change,
    Draft,
    Journal,
    Read,
    Redone,
    Saved,
    Started,
    Undone,
)
from osteotrace.uids import new_uid

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import ArrayLike

    from osteotrace.findings import Assessment, Certainty, Finding, Laterality
    from osteotrace.measurements.caliper import CaliperReading
    from osteotrace.measurements.doubts import Walls
    from osteotrace.measurements.edge_pairs import Between
    from osteotrace.records.draft import Line
    from osteotrace.series import Catalogue, VolumeHeader
    from osteotrace.volume import Volume

RECORDS_FOLDER: Final = "osteotrace-records"


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
        Folder of the draft journals; `osteotrace.records.draft.drafts_folder` by default.
    now : callable, optional
        Returns the present time with its zone.
    new_uid : callable, optional
        Returns a new UID.

    Attributes
    ----------
    catalogue : Catalogue or None
        What lies below the opened path.
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
        self._drafts = drafts
        self._now = now
        self._new_uid = new_uid
        self._volumes: dict[tuple[str, int], Volume] = {}
        self._journal: Journal | None = None
        self._draft = Draft()

    # Studies and volumes ---------------------------------------------------------

    def open(self, path: str | os.PathLike[str]) -> Catalogue:
        """Read the headers below a path; the draft being edited stays until a load.

        Raises
        ------
        OsteotraceError
            If nothing there is DICOM; what was open before then stays open.
        """
        from osteotrace.series import scan

        catalogue = scan(path)
        self._volumes.clear()
        self.catalogue = catalogue
        return catalogue

    def load(self, header: VolumeHeader) -> Volume:
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
            volume = load(header)
        if self.assessment is None or (
            self.assessment.study_uid != header.identity.study_uid
        ):
            self._take_up(header)
        self._volumes[key] = volume
        self._note_series(header)
        return volume

    def header_of(self, finding: Finding) -> VolumeHeader | None:
        """Return the volume that a finding was marked on, None where it is not there."""
        from osteotrace.findings import marked_volume

        headers = (h for series in self.catalogue or () for h in series.volumes)
        return marked_volume(finding, headers)

    def close(self) -> None:
        """Let go of the draft, so that another session may take it up."""
        if self._journal is not None:
            self._journal.close()
        self._journal = None
        self._draft = Draft()

    @property
    def assessment(self) -> Assessment | None:
        """The reading of the study that was loaded last, None where none is."""
        return self._draft.assessment

    @property
    def last_saved(self) -> str:
        """When the last change was put on disk, ISO 8601; empty before the first."""
        return self._draft.last_saved

    # Findings --------------------------------------------------------------------

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of the reading, in the order they were made."""
        return () if self.assessment is None else self.assessment.findings

    @property
    def can_undo(self) -> bool:
        """True where a change can be taken back."""
        return bool(self._draft.done)

    @property
    def can_redo(self) -> bool:
        """True where a change that was taken back can be made again."""
        return bool(self._draft.undone)

    def finding(self, tracking_uid: str) -> Finding:
        """Return one finding by its Tracking Unique Identifier."""
        return self.findings[self._position(tracking_uid)]

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

    def add_caliper_finding(
        self,
        reading: CaliperReading,
        *,
        kind: str = "lesion",
        site: str = "jaw",
        laterality: Laterality = "",
        quantity: str = "distance",
        note: str = "",
        label: str = "",
        tracking_uid: str = "",
    ) -> Finding:
        """Record a caliper reading as a finding of the study and return it.

        Parameters
        ----------
        label, tracking_uid : str, optional
            ``CAL-1``, ``CAL-2``, … and a new UID by default; other parameters as in
            `osteotrace.reading.caliper_finding`.
        """
        from osteotrace.reading import caliper_finding

        finding = caliper_finding(
            reading,
            tracking_uid=tracking_uid or self._new_uid(),
            label=label or f"CAL-{self._draft.labels_used + 1}",
            kind=kind,
            site=site,
            laterality=laterality,
            quantity=quantity,
            note=note,
        )
        header = self.header_of(finding)
        if header is not None:
            finding = msgspec.structs.replace(
                finding, series_uid=header.identity.series_uid
            )
        self._commit(None, finding, position=len(self.findings))
        return finding

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
    ) -> Finding:
        """Change what a reader says about a finding; its measurements stay.

        Raises
        ------
        OsteotraceError
            If there is no such finding, or a kind or site is not in the vocabulary.
        """
        position = self._position(tracking_uid)
        before = self.findings[position]
        if kind is not None:
            look_up(KINDS, kind, "kind")
        if site is not None:
            look_up(SITES, site, "site")
        said = {
            "label": label,
            "kind": kind,
            "site": site,
            "laterality": laterality,
            "certainty": certainty,
            "note": note,
        }
        after = msgspec.structs.replace(
            before, **{name: text for name, text in said.items() if text is not None}
        )
        if after != before:
            self._commit(before, after, position=position)
        return after

    def delete_finding(self, tracking_uid: str) -> None:
        """Take a finding out of the reading; `undo` brings it back."""
        position = self._position(tracking_uid)
        self._commit(self.findings[position], None, position=position)

    def undo(self) -> bool:
        """Take the last change back; False where there is none."""
        if not self.can_undo:
            return False
        self._record(Undone(at=self._time()))
        return True

    def redo(self) -> bool:
        """Make the change that was last taken back again; False where there is none."""
        if not self.can_redo:
            return False
        self._record(Redone(at=self._time()))
        return True

    # Records ---------------------------------------------------------------------

    def records_folder(self) -> Path:
        """Return the folder for records: beside the opened folder, never inside it."""
        root = self._opened().root.absolute()
        dicom = root if root.is_dir() else root.parent
        return dicom.parent / RECORDS_FOLDER

    def save_sr(self, folder: Path | None = None) -> Path:
        """Write the whole reading as one DICOM SR, masks as SEG, and return its path.

        A second call writes an amendment that names the first as its predecessor. What
        a save left unfinished when it was interrupted is finished.

        Raises
        ------
        OsteotraceError
            If there is nothing to save, the folder lies inside the DICOM folder, or it
            cannot be written.
        """
        catalogue, assessment = self._opened(), self._current()
        if not assessment.findings:
            raise OsteotraceError(
                "a reading without findings",
                expected="at least one finding to save",
                advice="measure something first",
            )
        folder = self.records_folder() if folder is None else folder
        dicom = catalogue.root if catalogue.root.is_dir() else catalogue.root.parent
        if folder.resolve().is_relative_to(dicom.resolve()):
            raise OsteotraceError(
                "a folder inside the DICOM folder",
                expected="records beside the images they were read from",
                advice=f"choose another folder, such as {self.records_folder()}",
                where=str(folder),
            )
        from osteotrace.records import sr, store

        path = store.record_path(folder, assessment.assessment_uid)
        if path.exists():
            # A save that was interrupted before the draft could tell of it.
            is_whole = sr.read(path) == assessment
            self._note_saved(assessment)
            if is_whole:
                return path
            assessment = self._current()
        path = sr.write(
            assessment,
            catalogue,
            folder,
            sop_instance_uid=assessment.assessment_uid,
            # The same reading gives the same bytes: a second try finds its own files.
            now=datetime.fromisoformat(assessment.recorded),
        )
        self._note_saved(assessment)
        return path

    def _note_saved(self, assessment: Assessment) -> None:
        self._record(
            Saved(
                at=self._time(),
                sop_instance_uid=assessment.assessment_uid,
                next_uid=self._new_uid(),
            )
        )

    # The draft -------------------------------------------------------------------

    def _time(self) -> str:
        return self._now().isoformat(timespec="seconds")

    def _opened(self) -> Catalogue:
        if self.catalogue is None:
            raise _nothing_open()
        return self.catalogue

    def _current(self) -> Assessment:
        if self.assessment is None:
            raise _nothing_open()
        return self.assessment

    def _position(self, tracking_uid: str) -> int:
        for position, finding in enumerate(self.findings):
            if finding.tracking_uid == tracking_uid:
                return position
        raise OsteotraceError(
            f"no finding with the tracking UID {tracking_uid}",
            expected="one of the findings of this reading",
            advice="choose a finding from the list",
        )

    def _take_up(self, header: VolumeHeader) -> None:
        """Replay the study's draft, or start one; the draft before it is let go."""
        study = header.identity
        # Where the study was not named, its patient and series keep drafts apart.
        nameless = f"{study.patient_id}/{study.series_uid or header.instances[0].source}"
        journal = Journal(study.study_uid or nameless, self.reader, folder=self._drafts)
        self.close()
        self._journal = journal
        for line in journal.lines:
            self._draft.apply(line)
        if self.assessment is None:
            self._record(
                Started(
                    at=self._time(),
                    assessment_uid=self._new_uid(),
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
        if reference not in self._current().series:
            self._record(Read(series=reference))

    def _commit(
        self, before: Finding | None, after: Finding | None, *, position: int
    ) -> None:
        self._current()
        self._record(
            Change(at=self._time(), before=before, after=after, position=position)
        )

    def _record(self, line: Line) -> None:
        """Put a line on disk, then let it happen."""
        if self._journal is None:
            raise _nothing_open()
        self._journal.append(line)
        self._draft.apply(line)


def _nothing_open() -> OsteotraceError:
    return OsteotraceError(
        "no study",
        expected="an open study",
        advice="open a folder and load one of its series first",
    )
