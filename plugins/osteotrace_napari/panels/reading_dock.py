# mypy: allow-subclassing-any
"""The one dock of the reading room: its widgets and where they stand.

What they do is `osteotrace_napari.room`'s.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from osteotrace import about
from osteotrace_napari import keys, wording
from osteotrace_napari.colours import PROBLEM_COLOUR, QUIET_COLOUR
from osteotrace_napari.panels.busy_bar import BusyBar
from osteotrace_napari.panels.buttons import button
from osteotrace_napari.panels.compare import CompareTab
from osteotrace_napari.panels.findings import FindingsList
from osteotrace_napari.panels.measure import MeasureTab
from osteotrace_napari.panels.recovery import RecoveryStrip
from osteotrace_napari.panels.stage import StageTab
from osteotrace_napari.panels.study import StudyList
from osteotrace_napari.panels.view_controls import Controls

if TYPE_CHECKING:
    from osteotrace.volume import Volume

WIDTH_PX: Final = 490
_SPACING_PX: Final = 4
_MESSAGE_LINES: Final = 3
_MOST_MESSAGE_LINES: Final = 8


class ReadingDock(QWidget):
    """Title, controls, the tabs, a message, undo and saving."""

    def __init__(self) -> None:
        super().__init__()
        self.title = QLabel()
        self.title.setTextFormat(Qt.TextFormat.RichText)
        self.title.setWordWrap(True)
        self.open_folder = button("Open …")
        self.open_folder.setToolTip("Open a DICOM folder, a zip or a file")
        self.controls = Controls()
        self.study = StudyList()
        self.findings = FindingsList()
        self.measure = MeasureTab()
        self.stage = StageTab()
        self.compare = CompareTab()
        self.tabs = QTabWidget()
        for tab, name in (
            (self.study, "Study"),
            (self.findings, "Findings"),
            (self.measure, "Measure"),
            (self.stage, "Stage"),
            (self.compare, "Compare"),
        ):
            self.tabs.addTab(tab, name)
        self.tabs.tabBar().setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.recovery = RecoveryStrip()
        self.message = _quiet("Open a DICOM folder, or drop one onto the window.")
        self.message.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        # What is said never moves the window: a canvas that is resized moves its image.
        lines = _MESSAGE_LINES * self.message.fontMetrics().lineSpacing()
        self.message.setFixedHeight(lines + 2)
        self.progress = BusyBar()
        hidden = self.progress.sizePolicy()
        hidden.setRetainSizeWhenHidden(True)
        self.progress.setSizePolicy(hidden)
        self.progress.hide()
        self.undo = button("Undo", key=keys.key_of("undo"))
        self.redo = button("Redo")
        self.redo.setToolTip(keys.key_of("redo"))
        self.save = button("Save", key=keys.key_of("save"))
        self.more = button("More …")
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
        self.message.setToolTip(words)
        # A refusal is read to its end: the tabs give way, the canvas stays.
        metrics = self.message.fontMetrics()
        line, width = metrics.lineSpacing(), self.message.width()
        wrapped = int(Qt.TextFlag.TextWordWrap.value)
        needed = metrics.boundingRect(0, 0, width, 0, wrapped, words).height()
        least, most = _MESSAGE_LINES * line, _MOST_MESSAGE_LINES * line
        self.message.setFixedHeight(min(max(needed, least), most) + 2)

    def show_progress(self, done: int, of: int) -> None:
        """Show how much of the work is done; of none: that it goes on."""
        self.progress.show_progress(done, of)

    def show_title(
        self, volume: Volume | None, *, day: str = "", why_no_mm: str = ""
    ) -> None:
        """Say what is on the canvas, with a reason in place of mm where there is one.

        Parameters
        ----------
        volume : Volume or None
        day : str
            Its date, or what the study is called while dates are hidden.
        why_no_mm : str
        """
        if volume is None:
            self.title.setText("No series shown.")
            return
        who, grid = volume.identity, volume.grid
        size = "×".join(str(n) for n in grid.shape)
        spacing = "×".join(f"{mm:.2f}" for mm in grid.spacing) + " mm"
        if why_no_mm:
            spacing = f"cannot be measured: {escape(why_no_mm)}"
        self.title.setText(
            f"<b>{escape(who.patient)}</b>  ·  {escape(wording.series_name(who))}<br>"
            f"<span style='color:{QUIET_COLOUR}'>{escape(day)}  ·  {size}  ·  "
            f"{spacing}</span>"
        )

    def show_draft(self, words: str, *, undo: bool, redo: bool, save: bool) -> None:
        """Say how the draft stands and when it was saved, and what can be done."""
        self.draft.setText(words)
        for made, can in ((self.undo, undo), (self.redo, redo), (self.save, save)):
            made.setEnabled(can)

    def _arrange(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.title, stretch=1)
        top.addWidget(self.open_folder, alignment=Qt.AlignmentFlag.AlignTop)
        row = QHBoxLayout()
        row.setSpacing(_SPACING_PX)
        for made, stretch in ((self.undo, 3), (self.redo, 2), (self.save, 4)):
            row.addWidget(made, stretch=stretch)
        row.addWidget(self.more, stretch=2)
        notice = _quiet(about.RESEARCH_USE_SHORT)
        notice.setWordWrap(False)
        notice.setToolTip(about.RESEARCH_USE_STATEMENT)
        layout = QVBoxLayout(self)
        layout.setSpacing(2 * _SPACING_PX)
        layout.addLayout(top)
        layout.addWidget(self.controls)
        layout.addWidget(self.tabs, stretch=1)
        for widget in (self.recovery, self.progress, self.message):
            layout.addWidget(widget)
        layout.addLayout(row)
        foot = QHBoxLayout()
        foot.addWidget(self.draft, stretch=1)
        foot.addWidget(notice)
        layout.addLayout(foot)
        self.setMinimumWidth(WIDTH_PX)


def _quiet(text: str) -> Any:
    label = QLabel(text)
    label.setWordWrap(True)
    label.setStyleSheet(f"color: {QUIET_COLOUR};")
    return label
