"""A reading in progress: open studies, what is marked and said, undo and autosave.

A `Session` is what an interactive front door drives. It composes the layers below and
holds state, no window: the plugin shows a session and asks it. Every command is one line
of an append-only journal in the user's own state folder, forced to disk before the call
returns, so that a crash loses nothing that was shown as saved.
"""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING

from osteotrace.errors import OsteotraceError
from osteotrace.session import protocol_files, saving
from osteotrace.session.blinding import Blinding
from osteotrace.session.comparing.comparing import Comparing
from osteotrace.session.drawn_masks import DrawnMasks
from osteotrace.session.held_findings import HeldFindings
from osteotrace.session.imported_labels import ImportedLabels
from osteotrace.session.level_labels import LevelLabels
from osteotrace.session.open_images import nothing_open
from osteotrace.session.priors import Priors
from osteotrace.session.statements import Statements

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from osteotrace.series import Catalogue
    from osteotrace.session.amending import Opened


class Session(HeldFindings):
    """One reader at work on the studies below one path.

    Parameters and attributes as in `OpenStudy`.
    """

    @cached_property
    def _saves(self) -> threading.Lock:
        """Held while a record is written."""
        return threading.Lock()

    @cached_property
    def levels(self) -> LevelLabels:
        """The labelled vertebrae."""
        return LevelLabels(self)

    @cached_property
    def statements(self) -> Statements:
        """What is stated of the patient, and the stages of the reading."""
        return Statements(self, self._now, lambda: self.priors.records)

    @cached_property
    def priors(self) -> Priors:
        """Earlier readings of the patient."""
        return Priors(self)

    @cached_property
    def blinding(self) -> Blinding:
        """What is hidden while studies are read blinded."""
        return Blinding(self, self._now)

    @cached_property
    def comparing(self) -> Comparing:
        """The comparison with other studies of the patient."""
        return Comparing(self, self._now)

    @cached_property
    def masks(self) -> DrawnMasks:
        """The masks in hand."""
        return DrawnMasks(self)

    @cached_property
    def imported(self) -> ImportedLabels:
        """The label files that are open."""
        return ImportedLabels(self)

    def close(self) -> None:
        """Let go of what is open, so that another session may take the draft up."""
        self.comparing.close()
        super().close()

    # Records ---------------------------------------------------------------------

    def records_folder(self) -> Path:
        """Return the folder for records: beside the opened folder, never inside it."""
        return saving.folder_beside(self._opened())

    def open_record(self, path: str | os.PathLike[str]) -> Opened:
        """Take a saved record of the study, to be amended or added to what is there.

        Parameters and errors as in `osteotrace.session.amending.open_record`.
        """
        from osteotrace.session.amending import open_record

        self.blinding.check_record()
        return open_record(self, path)

    def save(self, folder: Path | None = None) -> tuple[Path, ...]:
        """Write what is accepted as one DICOM SR, masks as SEG; return the files.

        A second call writes an amendment that names the first as its predecessor. What
        a save left unfinished when it was interrupted is finished. What is not accepted
        stays in the draft. It may run beside the thread that changes the session: what
        comes while it writes is of the next save.

        Raises
        ------
        OsteotraceError
            If there is nothing to save, a save is at work, the folder lies inside the
            DICOM folder, or it cannot be written.
        """
        catalogue = self._opened()
        self._check_reading()
        if not self._saves.acquire(blocking=False):
            raise OsteotraceError(
                "a second save while the first is at work",
                expected="one save after the other",
                advice="wait until the record is written, then save again",
            )
        try:
            return self._save(
                catalogue, self.records_folder() if folder is None else folder
            )
        finally:
            self._saves.release()

    def _save(self, catalogue: Catalogue, folder: Path) -> tuple[Path, ...]:
        # Read before the window has to wait.
        others = self.priors.records
        with self.lock:
            saved = saving.to_save(
                self.draft,
                catalogue,
                folder,
                staged=lambda reading: self.blinding.marked(
                    self.statements.staged(
                        reading, [one for one in others if one.patient == reading.patient]
                    )
                ),
                note_saved=self._note_saved,
                new_uid=self.new_uid,
            )
            uid = saved.assessment.assessment_uid
            if not saved.is_there:
                self._note_saving(uid, saved.report.parent)
        files = saving.write(saved, catalogue)
        if not saved.is_there:
            self._note_saved(uid, files[0])
        self.blinding.note_saved(saved.assessment.study_uid)
        self.priors.read_again()
        return files

    def saved_files(self) -> tuple[Path, ...]:
        """Return the files of the record saved last: its SR, then its SEGs.

        Raises
        ------
        OsteotraceError
            If none is saved, what is accepted differs from it, or it is not there.
        """
        return saving.saved_files(self.draft)

    def protocol_text(self) -> str:
        """Return what was marked as a protocol: followed, it gives the same numbers."""
        start = self.draft.start
        return protocol_files.protocol_text(
            self.draft.held, study_date="" if start is None else start.study_date
        )

    def write_protocol(self, folder: Path) -> tuple[Path, ...]:
        """Write what was marked as a protocol into a new folder, its masks beside it.

        Returns
        -------
        tuple of Path
            The protocol, then the segmentations that it names labels of.

        Raises
        ------
        OsteotraceError
            If no study is read, or the folder cannot be made.
        """
        reading = self.assessment
        if reading is None:
            raise nothing_open()
        return protocol_files.write_protocol(
            reading, self.draft.held, self._opened(), folder, new_uid=self.new_uid
        )
