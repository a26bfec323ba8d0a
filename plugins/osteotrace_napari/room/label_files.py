"""Label files on the series shown: opened, named anew, measured and recorded."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtWidgets import QFileDialog

from osteotrace.errors import OsteotraceError
from osteotrace.protocol.entries import VertebraEntry
from osteotrace_napari.room.mask_picture import LABEL_COLOURS

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.session.imported_labels import PreparedLevels
    from osteotrace.session.opened_labels import OpenedLabels
    from osteotrace.volume import Volume
    from osteotrace_napari.room.reading_room import ReadingRoom

FILES: Final = "Labels (*.dcm *.nii *.nii.gz *.nrrd *.nhdr *.mha);;All files (*)"


class LabelFiles:
    """What the list of labels says, and what it shows.

    Parameters
    ----------
    room : ReadingRoom
    """

    def __init__(self, room: ReadingRoom) -> None:
        self._room = room
        self._doubts_of: tuple[Any, Any] = (None, None)
        self._found: dict[int, list[str]] = {}

    def connect(self) -> None:
        """Take what the list of labels says."""
        panel = self._panel
        panel.opened.connect(self.ask)
        panel.closed.connect(self.close)
        panel.shifted.connect(self._say("shift"))
        panel.renamed.connect(self._say("rename"))
        panel.measured.connect(self.measure_levels)
        panel.recorded.connect(self.record)

    @property
    def _panel(self) -> Any:
        return self._room.dock.measure.masks.labels

    @property
    def _volume(self) -> Volume | None:
        return self._room.measured(self._room.view)

    def of(self, volume: Volume | None) -> OpenedLabels | None:
        """Return the labels that are open on a volume; None where there are none."""
        if volume is None:
            return None
        try:
            return self._room.session.imported.of(volume)
        except OsteotraceError:
            return None

    def ask(self) -> None:
        """Ask for a label file and open it."""
        path, _ = QFileDialog.getOpenFileName(
            self._room.dock, "Open the labels of this series", "", FILES
        )
        if path:
            self.open(Path(path))

    def open(self, path: Path) -> None:
        """Read a label file for the series shown, beside the window."""
        room, volume = self._room, self._volume
        if volume is None:
            room.say("Show the series that the labels belong to first.", problem=True)
            return
        room.background.start(
            f"Reading {path.name} …",
            partial(
                room.session.imported.open,
                path,
                volume,
                resample=self._panel.move.isChecked(),
            ),
            self._opened,
        )

    def _opened(self, labels: OpenedLabels) -> None:
        count, levels = len(labels.labels), [*labels.vertebrae]
        words = f"{labels.file.name}: {count} label{'' if count == 1 else 's'}"
        if levels:
            words += f", of them {', '.join(levels)}"
        self._room.say(f"{words}.")
        self._room.refresh()

    def close(self) -> None:
        """Put the labels away; what was recorded of them stays."""
        volume = self._volume
        if volume is not None:
            self._room.ask(lambda: self._room.session.imported.close(volume))
            self._room.refresh()

    def measure_levels(self) -> None:
        """Measure every level that is not measured yet, and record all at once."""
        room, volume = self._room, self._volume
        if volume is None:
            return
        room.background.start(
            "Measuring the levels …",
            partial(room.session.imported.prepare_levels, volume),
            self._levels_measured,
        )

    def _levels_measured(self, prepared: PreparedLevels) -> None:
        room = self._room
        found: list[Any] = []
        record = room.session.imported.record_levels
        if room.ask(lambda: found.extend(record(prepared))):
            labels = ", ".join(one.label for one in found)
            refused = "; ".join(f"{x}: {why}" for x, why in prepared.refused.items())
            more = f" Not measured: {refused}." if refused else ""
            room.say(f"{labels} added as drafts.{more}", problem=bool(refused))
        room.refresh(select=found[-1].tracking_uid if found else "")

    def record(self, numbers: list[int]) -> None:
        """Measure labels and record each as what the mask panel says."""
        room, volume = self._room, self._volume
        if volume is None:
            return
        for number in numbers:
            label = room.session.imported.of(volume)
            tool = room.dock.measure.masks.recorded_as
            if label is not None and label[number].is_measurable:
                tool = "vertebra"
            room.background.start(
                "Measuring a label …",
                partial(room.session.imported.prepare, volume, number, tool),
                room.marking.take,
            )

    def show(self) -> None:
        """Show the labels that are open on the series of the view."""
        volume = self._volume
        labels = self.of(volume)
        doubts = {} if labels is None or volume is None else self._doubts(labels, volume)
        entries = (one.entry for one in self._room.session.held)
        measured = [e.level.upper() for e in entries if isinstance(e, VertebraEntry)]
        self._panel.show_labels(
            labels, colours=LABEL_COLOURS, doubts=doubts, measured=measured
        )

    def _doubts(self, labels: OpenedLabels, volume: Volume) -> dict[int, list[str]]:
        """Return what the reader's own labels of levels say against each label."""
        session = self._room.session
        of = labels, session.levels.of(volume)
        # Looked at anew only where one of them is another: it reads every voxel.
        if self._doubts_of[0] is not of[0] or self._doubts_of[1] != of[1]:
            found = {x.number: session.imported.doubts(volume, x) for x in labels.labels}
            self._doubts_of, self._found = of, found
        return self._found

    def _say(self, what: str) -> Callable[..., None]:
        """Return what changes the names of labels by one of their methods."""

        def said(*words: Any) -> None:
            room, volume = self._room, self._volume
            if volume is not None:
                change = getattr(room.session.imported, what)
                if room.ask(lambda: change(volume, *words)):
                    room.say("")
                room.refresh()

        return said
