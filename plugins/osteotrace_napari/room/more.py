"""The menu of what is needed now and then: other folders, other records, help."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog, QMenu

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace_napari.room.reading_room import ReadingRoom


class More:
    """Fills the menu below the tabs and does what it says."""

    def __init__(self, room: ReadingRoom) -> None:
        self._room = room
        self._menu = QMenu(room.dock)
        press = room.keyboard.press
        entries: tuple[tuple[str, Callable[[], object]] | None, ...] = (
            ("Open a file or zip …", self._open_file),
            ("Open a report of this study to amend it …", room.keeping.ask_record),
            ("Open masks: SEG, NIfTI, NRRD …", room.label_files.ask),
            ("Earlier readings from …", self._priors),
            ("This site's own repeatability …", room.following.ask_repeatability),
            ("Read these studies blinded …", room.blinded.ask_begin),
            ("End the blinded reading", room.blinded.end),
            None,
            ("Save in another folder …", room.keeping.save_elsewhere),
            ("Copy the findings as text", partial(press, "copy_text")),
            ("Write the reading as a protocol …", self._protocol),
            None,
            ("Keys", partial(press, "help")),
            ("Settings …", partial(press, "settings")),
        )
        for entry in entries:
            if entry is None:
                self._menu.addSeparator()
                continue
            action = self._menu.addAction(entry[0])
            action.triggered.connect(lambda _=False, call=entry[1]: call())
        room.dock.more.setMenu(self._menu)

    def _open_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self._room.dock,
            "Open DICOM",
            "",
            "DICOM or zip (*.dcm *.zip *.ima DICOMDIR);;All files (*)",
        )
        if path:
            self._room.opening.open(path)

    def _priors(self) -> None:
        folder = QFileDialog.getExistingDirectory(
            self._room.dock, "Folder of earlier readings"
        )
        if folder and self._room.ask(lambda: self._room.session.priors.use(folder)):
            self._room.say(f"Earlier readings are looked for in {Path(folder).name}.")
            self._room.refresh()

    def _protocol(self) -> None:
        folder = QFileDialog.getExistingDirectory(
            self._room.dock, "Folder for the protocol and its masks"
        )
        written: list[Path] = []
        write = self._room.session.write_protocol
        if folder and self._room.ask(lambda: written.extend(write(Path(folder)))):
            again = "osteotrace measure --protocol gives these numbers again"
            self._room.say(f"Written {written[0]}: {again}.")
