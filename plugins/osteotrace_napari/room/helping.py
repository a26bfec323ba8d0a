"""The overview of keys and the settings, over the window of a room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from osteotrace.session.journal import drafts_folder
from osteotrace_napari import settings
from osteotrace_napari.panels.help import HelpOverlay
from osteotrace_napari.panels.settings import ask

if TYPE_CHECKING:
    from osteotrace_napari.room.reading_room import ReadingRoom
    from osteotrace_napari.settings import Settings


class Helping:
    """Shows the keys, asks for the settings, and puts them to use.

    Attributes
    ----------
    settings : Settings
        As they are now.
    """

    def __init__(self, room: ReadingRoom) -> None:
        self._room = room
        self._overlay: HelpOverlay | None = None
        self.settings = settings.load()
        room.dock.findings.show_keys()

    def show_keys(self) -> None:
        """Show every key of the room."""
        if self._overlay is None:
            window = self._room.viewer.window._qt_window
            self._overlay = HelpOverlay(window, names=self._room.keyboard.commands)
            self._overlay.closed.connect(self._room.focus_canvas)
        self._overlay.open()

    def ask_settings(self) -> None:
        """Ask for keys and settings; what is kept is in use at once."""
        ask(
            self.settings,
            drafts=f"Every change is on disk before it is shown as saved, in "
            f"{drafts_folder()}.",
            parent=self._room.viewer.window._qt_window,
            done=self._changed,
        )

    def keep(self, **changes: str) -> None:
        """Keep what a reader chose on the way.

        Raises
        ------
        OsteotraceError
            As `osteotrace_napari.settings.save`.
        """
        chosen = msgspec.structs.replace(self.settings, **changes)
        if chosen != self.settings:
            self.settings = chosen
            settings.save(chosen)

    def _changed(self, chosen: Settings) -> None:
        self.settings = chosen
        self._room.keyboard.refresh()
        self._room.dock.findings.show_keys()
