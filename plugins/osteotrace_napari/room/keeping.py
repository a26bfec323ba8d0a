"""What is kept: records saved and taken up, the pasted text, what a crash left."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QApplication, QFileDialog

from osteotrace.errors import OsteotraceError
from osteotrace.reports.paragraph import paragraph
from osteotrace.segmentation.dicom_frames import STORAGE_CLASSES, storage_class
from osteotrace.session.journal import JOURNAL_SUFFIX
from osteotrace_napari import keys

if TYPE_CHECKING:
    from osteotrace.series import VolumeHeader
    from osteotrace.session.amending import Opened
    from osteotrace_napari.room.reading_room import ReadingRoom

# Where the time of day stands in an ISO 8601 date and time.
TIME_OF_DAY = slice(11, 19)
# As much of it as tells day, hour and minute.
MINUTES = 16


class Keeping:
    """Saves the reading, takes others up, and offers what was left behind."""

    def __init__(self, room: ReadingRoom) -> None:
        self._room = room
        # The volume whose draft could not be taken up.
        self._refused: VolumeHeader | None = None

    def save(self, folder: Path | None = None) -> None:
        """Save what is accepted beside the opened folder, or where told."""
        room = self._room
        words = "Saving the reading …"
        work = partial(room.session.save, folder)
        room.background.start(words, work, self._saved)

    def _saved(self, paths: tuple[Path, ...]) -> None:
        room = self._room
        waiting = sum(not (x.accepted or x.leader) for x in room.session.held)
        files = "a file" if len(paths) == 1 else f"{len(paths)} files"
        words = f"Saved {files} in {paths[0].parent}."
        if waiting:
            are = "draft stays" if waiting == 1 else "drafts stay"
            words += f" {waiting} {are}: {keys.key_of('accept')} accepts."
        room.say(words)
        room.dock.message.setToolTip("\n".join(path.name for path in paths))
        room.refresh()

    def save_elsewhere(self) -> None:
        """Ask for a folder and save there."""
        start = str(self._room.session.records_folder().parent)
        folder = QFileDialog.getExistingDirectory(
            self._room.dock, "Folder for records", start
        )
        if folder:
            self.save(Path(folder))

    def copy_text(self) -> None:
        """Put the findings on the clipboard as the paragraph of a report."""
        text: list[str] = []
        if self._room.ask(lambda: text.append(self._paragraph())):
            QApplication.clipboard().setText(text[0])
            self._room.say("The findings are on the clipboard as text.")

    def _paragraph(self) -> str:
        session = self._room.session
        accepted = session.draft.assessment(accepted_only=True)
        if accepted is None or not accepted.findings:
            raise OsteotraceError(
                "no accepted finding to tell of",
                expected="at least one finding that is accepted",
                advice=f"accept what you found with {keys.key_of('accept')}",
            )
        whole = session.statements.staged(accepted)
        return paragraph(whole, before=session.priors.sentences())

    def ask_record(self) -> None:
        """Ask for a report of the study and open it."""
        path, _ = QFileDialog.getOpenFileName(
            self._room.dock, "Open a report", "", "Reports (*.dcm *.json);;All files (*)"
        )
        if path:
            self.open_record(Path(path))

    def take_up(self, path: Path) -> None:
        """Open what belongs to the series shown: its labels, or a report of it."""
        is_report = path.suffix == ".json" or (
            path.name.lower().endswith(".dcm")
            and storage_class(path) not in STORAGE_CLASSES
        )
        if is_report:
            self.open_record(path)
        else:
            self._room.label_files.open(path)

    def open_record(self, path: Path) -> None:
        """Open a report of the study: to amend it, or to add what it holds."""
        room = self._room
        opened: list[Opened] = []
        if room.ask(lambda: opened.append(room.session.open_record(path))):
            room.say(opened[0].as_text)
        room.refresh()

    def offer(self) -> None:
        """Offer what was there when the study was taken up."""
        # What was offered before was another study's.
        self._refused = None
        self._room.dock.recovery.hide()
        found = self._room.session.recovery
        if found is None:
            return
        count = f"{found.findings} finding{'' if found.findings == 1 else 's'}"
        drafts = f", {found.unaccepted} not accepted" if found.unaccepted else ""
        at = found.last_change.replace("T", " ")[:MINUTES]
        words = f"{count}{drafts}, last change {at}"
        if found.after_crash:
            self._room.dock.recovery.offer(
                f"The last session ended without being closed. Recovered: {words}."
            )
        else:
            self._room.say(f"The draft is taken up again: {words}.")

    def offer_anew(self, header: VolumeHeader, problem: OsteotraceError) -> None:
        """Offer to set a draft aside that cannot be taken up, where that is why."""
        if problem.where.endswith(JOURNAL_SUFFIX):
            self._refused = header
            self._room.dock.recovery.offer(f"{problem.found}. {problem.advice}.")

    def begin_anew(self) -> None:
        """Set the draft aside and begin another."""
        aside: list[Path | None] = []
        header, self._refused = self._refused, None
        if self._room.ask(lambda: aside.append(self._room.session.begin_anew())):
            kept = f" What was there is kept as {aside[0].name}." if aside[0] else ""
            self._room.say(f"A new reading.{kept}")
            if header is not None:
                self._room.opening.load(header)
        self._room.refresh()
