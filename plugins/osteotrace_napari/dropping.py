# mypy: allow-subclassing-any
"""What is dropped onto the window: studies, masks, series; the rest is napari's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from qtpy.QtCore import QEvent, QObject

from osteotrace.segmentation.dicom_frames import STORAGE_CLASSES, storage_class
from osteotrace.segmentation.labels import READERS
from osteotrace_napari import reader

if TYPE_CHECKING:
    from osteotrace_napari.room import ReadingRoom

Taker = Literal["study", "on images", "napari"]
_PLUGIN: Final = "osteotrace"
# Masks and reports that are no DICOM.
_ON_IMAGES_ENDS: Final = (*READERS, ".json")
# Structured reports, all kinds of them (PS3.4 B.5).
_REPORTS: Final = "1.2.840.10008.5.1.4.1.1.88."


def taker_of(paths: list[Path]) -> Taker:
    """Return who takes some paths: a study is also what nobody can read.

    The scan says in one sentence what is wrong with it, where napari would ask which
    of its readers shall fail.
    """
    first = paths[0]
    if len(paths) == 1 and first.is_file() and _lies_on_images(first):
        return "on images"
    if first.is_dir() or reader.holds_study(first):
        return "study"
    return "napari" if _napari_reads(paths) else "study"


def _lies_on_images(file: Path) -> bool:
    """Tell whether a file holds masks or a report of images, and none itself."""
    if file.name.lower().endswith(_ON_IMAGES_ENDS):
        return True
    kind = storage_class(file)
    return kind in STORAGE_CLASSES or kind.startswith(_REPORTS)


def _napari_reads(paths: list[Path]) -> bool:
    """Tell whether another plugin, or napari itself, names these files as its own."""
    from npe2 import PluginManager

    try:
        readers = PluginManager.instance().iter_compatible_readers(
            [str(path) for path in paths]
        )
        return any(one.plugin_name != _PLUGIN for one in readers)
    # Files of several kinds at once.
    except ValueError:
        return False


class StudyDrop(QObject):
    """Takes what is dropped onto a reading window, before napari asks for a reader."""

    def __init__(self, room: ReadingRoom) -> None:
        super().__init__(room.dock)
        self._room = room
        self._watch(room.dock)
        self._watch_views()
        room.arrangement.on_views.append(self._watch_views)

    def _watch_views(self) -> None:
        for view in self._room.views:
            self._watch(view.qt_viewer)

    def _watch(self, widget: Any) -> None:
        widget.setAcceptDrops(True)
        # A second time changes nothing.
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Open what was dropped; leave to napari what is its own."""
        kind = event.type()
        if kind == QEvent.Type.DragEnter and event.mimeData().hasUrls():
            event.acceptProposedAction()
            return True
        if kind != QEvent.Type.Drop:
            return False
        urls = event.mimeData().urls()
        paths = [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
        if not paths:
            return False
        taker = taker_of(paths)
        if taker == "napari":
            return False
        event.acceptProposedAction()
        if taker == "on images":
            self._room.keeping.take_up(paths[0])
        else:
            self._room.opening.open(reader.root_of(paths))
        return True
