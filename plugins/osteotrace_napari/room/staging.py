"""The Stage tab: stages and questions shown, what the reader states taken back in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from osteotrace.errors import OsteotraceError
from osteotrace.session.questions import stage_sheet

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.findings import DrugCourse, Fact
    from osteotrace_napari.room.reading_room import ReadingRoom


class Staging:
    """Shows the stages of the reading, and hands over what is stated."""

    def __init__(self, room: ReadingRoom) -> None:
        self._room = room

    def connect(self) -> None:
        """Take what the Stage tab says."""
        tab = self._room.dock.stage
        tab.answered.connect(self.state)
        tab.overridden.connect(self.override)
        tab.withdrawn.connect(self.withdraw)
        tab.drug_added.connect(self.add_drug)
        tab.drug_removed.connect(self.remove_drug)
        tab.retracted.connect(self.retract)
        tab.left.connect(self._room.focus_canvas)
        self._room.dock.tabs.currentChanged.connect(lambda _: self.show())

    def show(self) -> None:
        """Show the stages as they are, where the tab is looked at."""
        dock = self._room.dock
        if dock.tabs.currentWidget() is dock.stage:
            session = self._room.session
            sheet = stage_sheet(session.statements)
            if session.blinding.is_blind:
                sheet = msgspec.structs.replace(sheet, date="")
            dock.stage.show_stagings(sheet)

    def state(
        self, name: str, value: Any, unit: str, site: str, laterality: str, date: str
    ) -> None:
        """Take an answer of the form; without a date it held on the study's."""
        told: dict[str, Any] = {"unit": unit, "site": site, "laterality": laterality}
        if date:
            told["date"] = date
        self._do(lambda: self._room.session.statements.state(name, value, **told))

    def retract(self, fact: Fact) -> None:
        """Take an answer back."""
        self._do(lambda: self._room.session.statements.retract(fact))

    def override(self, system: str, site: str, stage: str, reason: str) -> None:
        """Set a stage beside the computed one."""
        statements = self._room.session.statements
        self._do(lambda: statements.override(system, stage, reason, site=site))

    def withdraw(self, system: str, site: str) -> None:
        """Leave a stage as computed again."""
        self._do(lambda: self._room.session.statements.withdraw(system, site=site))

    def add_drug(self, drug: str, route: str, first: str, last: str) -> None:
        """State a course of a drug."""
        self._do(
            lambda: self._room.session.statements.add_drug(
                drug, route=route or "unknown", first_dose=first, last_dose=last
            )
        )

    def remove_drug(self, course: DrugCourse) -> None:
        """Take a course of a drug back."""
        self._do(lambda: self._room.session.statements.remove_drug(course))

    def _do(self, statement: Callable[[], object]) -> None:
        """Make a statement; a refusal is said beside the form."""
        try:
            statement()
        except OsteotraceError as problem:
            self._room.dock.stage.say_problem(str(problem))
            return
        # What was said before is no word on this.
        self._room.say("")
        self._room.refresh()
