# mypy: allow-subclassing-any
"""The reading panel's widgets and where they stand; what they do is `reading`'s."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QSizePolicy,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from osteotrace import about
from osteotrace_napari import keys, wording
from osteotrace_napari.colours import PROBLEM_COLOUR, QUIET_COLOUR
from osteotrace_napari.panels.controls import Controls, button
from osteotrace_napari.panels.findings import FindingsList
from osteotrace_napari.panels.study import StudyList

if TYPE_CHECKING:
    from osteotrace.session import Session
    from osteotrace.volume import Volume

WIDTH_PX: Final = 470
_BUSY_BAR_PX: Final = 6
# Where the time of day stands in an ISO 8601 date and time.
_TIME_OF_DAY: Final = slice(11, 19)


class ReadingDock(QWidget):
    """Title, controls, the Study and Findings tabs, a message, undo and saving."""

    def __init__(self) -> None:
        super().__init__()
        self.title = QLabel()
        self.title.setTextFormat(Qt.TextFormat.RichText)
        self.title.setWordWrap(True)
        self.open_folder = button("Open folder …")
        self.controls = Controls()
        self.study = StudyList()
        self.findings = FindingsList()
        self.tabs = QTabWidget()
        self.tabs.addTab(self.study, "Study")
        self.tabs.addTab(self.findings, "Findings")
        self.tabs.tabBar().setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.message = _quiet("Open a DICOM folder, or drop one onto the window.")
        self.message.setSizePolicy(
            QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum
        )
        self.progress = QProgressBar()
        self.progress.setRange(0, 0)
        self.progress.setTextVisible(False)
        self.progress.setMaximumHeight(_BUSY_BAR_PX)
        self.progress.hide()
        self.undo = button("Undo", key=keys.key_of("undo"))
        self.redo = button("Redo")
        self.redo.setToolTip(keys.key_of("redo"))
        self.save = button("Save SR", key=keys.key_of("save"))
        self.save_elsewhere = button("…")
        self.save_elsewhere.setToolTip("Save the reading in another folder")
        self.save_elsewhere.setMaximumWidth(34)
        for made in (self.undo, self.redo, self.save):
            made.setEnabled(False)
        self.draft = _quiet("")
        self._arrange()
        self.show_title(None)

    def say(self, words: str, *, problem: bool = False) -> None:
        """Say one thing, the last one only."""
        colour = PROBLEM_COLOUR if problem else QUIET_COLOUR
        self.message.setStyleSheet(f"color: {colour};")
        self.message.setText(words)

    def show_title(self, volume: Volume | None) -> None:
        """Say what is on the canvas."""
        if volume is None:
            self.title.setText("No series shown.")
            return
        who, grid = volume.identity, volume.grid
        size = "×".join(str(n) for n in grid.shape)
        spacing = "×".join(f"{mm:.2f}" for mm in grid.spacing)
        self.title.setText(
            f"<b>{who.patient}</b>  ·  {wording.series_name(who)}<br>"
            f"<span style='color:{QUIET_COLOUR}'>{who.date}  ·  {size}  ·  "
            f"{spacing} mm</span>"
        )

    def show_session(self, session: Session, *, select: str = "") -> None:
        """Show a session's findings, what can be undone, and when its draft was saved."""
        self.findings.show_findings(session.findings, select=select)
        self.undo.setEnabled(session.can_undo)
        self.redo.setEnabled(session.can_redo)
        self.save.setEnabled(bool(session.findings))
        count, saved = len(session.findings), session.last_saved
        when = f"draft saved {saved[_TIME_OF_DAY]}" if saved else "no change yet"
        self.draft.setText(f"{count} finding{'' if count == 1 else 's'}  ·  {when}")

    def _arrange(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.title, stretch=1)
        top.addWidget(self.open_folder)
        row = QHBoxLayout()
        row.setSpacing(4)
        for made, stretch in ((self.undo, 3), (self.redo, 2), (self.save, 4)):
            row.addWidget(made, stretch=stretch)
        row.addWidget(self.save_elsewhere)
        notice = _quiet(about.RESEARCH_USE_SHORT)
        notice.setToolTip(about.RESEARCH_USE_STATEMENT)
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        layout.addLayout(top)
        layout.addWidget(self.controls)
        layout.addWidget(self.tabs, stretch=1)
        layout.addWidget(self.progress)
        layout.addWidget(self.message)
        layout.addLayout(row)
        layout.addWidget(self.draft)
        layout.addWidget(notice)
        self.setMinimumWidth(WIDTH_PX)


def _quiet(text: str) -> QLabel:
    label = QLabel(text)
    label.setWordWrap(True)
    label.setStyleSheet(f"color: {QUIET_COLOUR};")
    return label
