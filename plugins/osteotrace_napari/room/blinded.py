"""Studies read blinded: what the window calls them, and when it shows all again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtWidgets import QInputDialog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osteotrace.series import Catalogue, SeriesIdentity
    from osteotrace_napari.canvas.view import ReadingView
    from osteotrace_napari.room.reading_room import ReadingRoom

BEGUN: Final = (
    "Read blinded from now on: each study shows its date and its priors once your own "
    "reading of it is saved."
)
ENDED: Final = "Everything is shown again; the records of these studies say so."


class Blinded:
    """Hides order, dates and roles while studies are read blinded.

    Parameters
    ----------
    room : ReadingRoom
    """

    def __init__(self, room: ReadingRoom) -> None:
        self._room = room
        # What the studies are called in the list, as it was filled last.
        self._listed: dict[str, str] = {}

    def watch(self, view: ReadingView) -> None:
        """Let a view call its study as it may be called."""
        view.day_of = self.day_of

    def day_of(self, identity: SeriesIdentity) -> str:
        """Return what to call the day of a study: its date, or its letter."""
        return self._room.session.blinding.name(identity.study_uid, identity.date)

    def names_of(self, catalogue: Catalogue) -> dict[str, str]:
        """Return what hidden studies are called, in the order to show them.

        Empty where nothing is hidden.
        """
        if not self._room.session.blinding.is_on:
            return {}
        days: dict[str, str] = {}
        for one in catalogue:
            who = one.identity
            days[who.study_uid] = max(days.get(who.study_uid, ""), who.date)
        return self.names_of_days(days)

    def names_of_days(self, days: Mapping[str, str]) -> dict[str, str]:
        """Return what studies are called, in the order to show them.

        Parameters
        ----------
        days : mapping of str to str
            The date of each by StudyInstanceUID: said of those that are read already.
        """
        blinding = self._room.session.blinding
        shown = {uid: blinding.date(uid, days[uid]) for uid in blinding.order(days)}
        return {
            uid: blinding.name(uid) + (f"   {day}" if day else "")
            for uid, day in shown.items()
        }

    def show(self) -> None:
        """Show the studies as they may be shown now."""
        room = self._room
        catalogue = room.opening.catalogue
        names = {} if catalogue is None else self.names_of(catalogue)
        if names == self._listed:
            return
        self._listed = names
        room.opening.list_again()
        for view in room.views:
            view.refresh()

    def ask_begin(self) -> None:
        """Ask for the seed of the order, and begin."""
        seed, given = QInputDialog.getText(
            self._room.dock,
            "Read these studies blinded",
            "Any text decides their order; readers who are to see one order give the "
            "same:",
        )
        if given:
            self.begin(seed)

    def begin(self, seed: str) -> None:
        """Hide order, dates, roles, priors and others' marks from now on."""
        room = self._room
        room.comparing.end()
        if room.ask(lambda: room.session.blinding.begin(seed)):
            room.say(BEGUN)
        room.refresh()

    def end(self) -> None:
        """Show everything before all studies are read."""
        room = self._room
        if not room.session.blinding.is_on:
            room.say("These studies are not read blinded.")
            return
        if room.ask(room.session.blinding.end):
            room.say(ENDED)
        room.refresh()
