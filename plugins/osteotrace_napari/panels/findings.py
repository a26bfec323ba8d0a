# mypy: allow-subclassing-any
"""The Findings tab: what was found, where, how much, and how far it has come."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QTextBrowser, QVBoxLayout, QWidget

from osteotrace.measurements.measurement import NotMeasured
from osteotrace_napari import keys, wording
from osteotrace_napari.colours import QUIET_COLOUR, STATE_COLOURS, TEXT_COLOUR
from osteotrace_napari.panels.absent_form import AbsentForm
from osteotrace_napari.panels.buttons import button
from osteotrace_napari.panels.finding_form import FindingForm
from osteotrace_napari.panels.finding_table import FindingTable
from osteotrace_napari.panels.tool_buttons import ToolButtons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osteotrace.findings import Finding
    from osteotrace_napari.panels.finding_rows import FindingRow

_SPACING_PX: Final = 6
_LEAST_TABLE_PX: Final = 72
_LEAST_VALUES_PX: Final = 40
_NOTHING: Final = "No finding yet: take a tool up and mark one."
_NONE_CHOSEN: Final = "No finding selected."
# A tab lower than this shows the values in the Measure tab alone.
_ROOM_FOR_VALUES_PX: Final = 470
# A command and what its button says.
_ACTIONS: Final = (
    ("accept", "Accept"),
    ("delete", "Delete"),
    ("absent", "Absent …"),
    ("copy_text", "Copy as text"),
)


class FindingsList(QWidget):
    """Kind buttons, the table of findings, and form and values of the selected one.

    Signals
    -------
    selected : str
        Tracking UID of the finding a reader clicked: go there.
    chosen : str
        Tracking UID of the finding that is selected now, or empty.
    edited : str, str, str
        Tracking UID, field (an attribute of `Finding`) and its new value.
    tool_chosen : str
        Name of the tool to take up.
    asked : str
        Command of a button: ``accept``, ``delete`` or ``copy_text``.
    absent_stated : str, str, str
        Kind, site and side that were looked for and are not there.
    left : no arguments
        The keys go to the canvas again.
    """

    selected = Signal(str)
    chosen = Signal(str)
    edited = Signal(str, str, str)
    tool_chosen = Signal(str)
    asked = Signal(str)
    absent_stated = Signal(str, str, str)
    left = Signal()

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.tools = ToolButtons()
        self.table = FindingTable()
        self.table.setMinimumHeight(_LEAST_TABLE_PX)
        self.absent = AbsentForm()
        self.form = FindingForm()
        self.values = QTextBrowser()
        self.values.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.values.setMinimumHeight(_LEAST_VALUES_PX)
        self.actions_row = {name: button(title) for name, title in _ACTIONS}
        self._arrange()
        self._connect()
        self.show_keys()
        self.show_findings(())

    # What is shown ---------------------------------------------------------------

    @property
    def current(self) -> str:
        """Tracking UID of the selected finding, or empty."""
        return self.table.current

    @property
    def current_row(self) -> FindingRow | None:
        """The selected finding as it is shown, None without one."""
        return self.table.row(self.current)

    def show_findings(self, rows: Sequence[FindingRow], *, select: str = "") -> None:
        """List findings; one is selected by its tracking UID where it is there."""
        self.table.show_rows(rows)
        if select:
            self.table.select(select)
        self._show_current()
        self.actions_row["copy_text"].setEnabled(bool(rows))

    def select(self, tracking_uid: str) -> None:
        """Select a finding, as where its mark was clicked."""
        self.table.select(tracking_uid)

    def step(self, by: int) -> str:
        """Select the next (1) or previous (-1) finding and return its UID."""
        return self.table.step(by)

    def show_tool(self, name: str) -> None:
        """Show which tool is in hand; none for an empty name."""
        self.tools.show_tool(name)

    def show_keys(self) -> None:
        """Show the keys as they are now."""
        self.tools.show_keys()
        for name, title in _ACTIONS:
            key = keys.key_of(name)
            # The longest of them would not fit; its key is in the tooltip.
            fits = name in ("accept", "delete")
            self.actions_row[name].setText(f"{title}   {key}" if fits and key else title)
            self.actions_row[name].setToolTip(f"{keys.command_of(name).title}   {key}")

    # The keyboard ----------------------------------------------------------------

    def start_form(self) -> None:
        """Give the keys to the form of the selected finding."""
        if self.current:
            self.form.start()

    def start_absent(self) -> None:
        """Ask what was looked for and is not there."""
        row = self.current_row
        said = (
            {}
            if row is None
            else {"site": row.finding.site, "laterality": row.finding.laterality}
        )
        self.absent.ask(**said)

    def commit(self) -> None:
        """Take what is half typed; called before any command."""
        self.form.commit()

    def resizeEvent(self, event: Any) -> None:
        """Leave a low window's room to the table."""
        super().resizeEvent(event)
        self.values.setVisible(self.height() >= _ROOM_FOR_VALUES_PX)

    # Inside ----------------------------------------------------------------------

    def _connect(self) -> None:
        self.tools.chosen.connect(self.tool_chosen)
        self.table.clicked_on.connect(self.selected)
        self.table.chosen.connect(self._chosen)
        self.form.edited.connect(self._edited)
        self.form.left.connect(self.left)
        self.absent.left.connect(self.left)
        self.absent.stated.connect(self.absent_stated)
        for name, made in self.actions_row.items():
            if name == "absent":
                made.clicked.connect(self.start_absent)
            else:
                made.clicked.connect(lambda _, name=name: self.asked.emit(name))

    def _chosen(self, uid: str) -> None:
        self._show_current()
        self.chosen.emit(uid)

    def _edited(self, field: str, value: str) -> None:
        if self.current:
            self.edited.emit(self.current, field, value)

    def _show_current(self) -> None:
        row = self.current_row
        self.form.show_finding(None if row is None else row.finding)
        for name in ("accept", "delete"):
            self.actions_row[name].setEnabled(row is not None)
        if row is None:
            empty = _NONE_CHOSEN if self.table.topLevelItemCount() else _NOTHING
            self.values.setHtml(f"<span style='color:{QUIET_COLOUR}'>{empty}</span>")
        else:
            self.actions_row["accept"].setEnabled(not row.accepted)
            self.values.setHtml(values_html(row.finding))

    def _arrange(self) -> None:
        actions = QHBoxLayout()
        actions.setSpacing(4)
        for made in self.actions_row.values():
            actions.addWidget(made)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 8, 4, 2)
        layout.setSpacing(_SPACING_PX)
        layout.addWidget(self.tools)
        layout.addWidget(self.table, stretch=3)
        layout.addLayout(actions)
        layout.addWidget(self.absent)
        layout.addWidget(self.form)
        layout.addWidget(self.values, stretch=2)


def values_html(finding: Finding) -> str:
    """Return every measurement of a finding with its ± u, and what speaks against it."""
    lines = []
    for reading in finding.measurements:
        name = escape(reading.code.meaning)
        if isinstance(reading, NotMeasured):
            colour = STATE_COLOURS[wording.NOT_MEASURED]
            lines.append(_line(name, wording.NOT_MEASURED, colour))
            lines.append(_below(reading.reason, colour))
            continue
        doubt = STATE_COLOURS[wording.FLAGGED]
        sound = TEXT_COLOUR if reading.accepted else doubt
        lines.append(_line(name, wording.amount(reading), sound))
        lines.extend(_below(f"check: {flag}", doubt) for flag in reading.flags)
        if reading.uncertainty_reason and not reading.is_range:
            why = f"no uncertainty: {reading.uncertainty_reason}"
            lines.append(_below(why, QUIET_COLOUR))
    if not lines:
        words = wording.value(finding) or "Nothing measured."
        return f"<span style='color:{QUIET_COLOUR}'>{escape(words)}</span>"
    return f"<table width='100%' cellpadding='1'>{''.join(lines)}</table>"


def _line(name: str, value: str, colour: str) -> str:
    return (
        f"<tr><td>{name}</td><td align='right' width='128' style='color:{colour}; "
        f"white-space:nowrap'><b>{escape(value)}</b></td></tr>"
    )


def _below(words: str, colour: str) -> str:
    return (
        f"<tr><td colspan='2' style='color:{colour}; font-size:small; "
        f"padding-left:12px'>{escape(words)}</td></tr>"
    )
