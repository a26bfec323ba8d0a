"""The canvas as a reading view: a volume, and what is painted over it.

What it shows comes from `layers`, `display` and `drawing`, and is painted by `Overlay`.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qtpy.compat import isalive

from osteotrace import about
from osteotrace.series.wording import tilt_in_words
from osteotrace_napari import wording
from osteotrace_napari.canvas import drawing, layers
from osteotrace_napari.canvas.display import NOT_TO_SCALE, Displays
from osteotrace_napari.canvas.overlay import Overlay
from osteotrace_napari.canvas.placing import PARTS
from osteotrace_napari.canvas.scene import Divider, Scene, Status
from osteotrace_napari.canvas.volume_view import VolumeView

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from osteotrace.regions import Point
    from osteotrace.series import SeriesIdentity
    from osteotrace_napari.canvas.marks import Mark

SLAB_MODES: Final = {"mean": "mean", "max": "maximum"}


class ReadingView(VolumeView):
    """A view with letters, place, marks and their values over its image.

    Parameters
    ----------
    viewer, qt_viewer, displays
        As in `VolumeView`; without a canvas nothing is painted.

    Attributes
    ----------
    overlay : Overlay or None
    is_bare : bool
        Whether marks and text are off, but for what is known of the registration.
    says_who : bool
        Whether the place text names patient and series: the first of linked views does.
    day_of : callable
        Returns what stands for the day of a series: its date, unless that is hidden.
    """

    def __init__(
        self, viewer: Any, qt_viewer: Any = None, *, displays: Displays | None = None
    ) -> None:
        self.overlay: Overlay | None = None
        self.says_who = True
        self.day_of: Callable[[SeriesIdentity], str] = _date
        self._marks: tuple[Mark, ...] = ()
        # Marks of the reading, and those shown beside them: of another study.
        self._own: tuple[Mark, ...] = ()
        self._beside: tuple[Mark, ...] = ()
        self._status = Status()
        # Whether only what must not be hidden stands over the image.
        self.is_bare = False
        self._divider: tuple[float, str, str] | None = None
        # Per mark the slices it reaches, and the marks, grid and plane they hold for.
        self._spans: list[tuple[float, float]] = []
        self._spans_of: tuple[Any, ...] = ()
        self._preview: Mark | None = None
        self._prompt = ""
        self._crosshair: Point | None = None
        super().__init__(viewer, qt_viewer, displays=displays)
        if self.qt_viewer is not None:
            self.overlay = Overlay(self.qt_viewer.canvas.native, self.scene)

    def clear(self) -> None:
        """Forget the volume; its layer is gone."""
        self._crosshair, self._prompt = None, ""
        self._status, self._divider = Status(), None
        super().clear()

    def close(self) -> None:
        """Let go of everything, before the canvas is closed."""
        self._marks, self._own, self._beside, self._preview = (), (), (), None
        self.day_of = _date
        super().close()

    def show_marks(self, marks: Sequence[Mark]) -> None:
        """Show these marks of the reading and no others."""
        self._own = tuple(marks)
        self._marks = (*self._own, *self._beside)
        self.refresh()

    def show_marks_beside(self, marks: Sequence[Mark]) -> None:
        """Show these marks beside those of the reading: of a study compared with it."""
        if self._beside or marks:
            self._beside = tuple(marks)
            self._marks = (*self._own, *self._beside)
            self.refresh()

    def show_status(self, words: str, *, is_warning: bool = False) -> None:
        """Say at the foot of the canvas how the picture stands to another study."""
        if self._status != Status(words, is_warning):
            self._status = Status(words, is_warning)
            self.refresh()

    def show_no_divider(self) -> None:
        """Take the divider away."""
        if self._divider is not None:
            self._divider = None
            self.refresh()

    @property
    def has_overlay(self) -> bool:
        """Whether anything is painted over the image, where there is a canvas."""
        return self.overlay is None or not self.overlay.isHidden()

    def show_overlay(self, shown: bool) -> None:
        """Paint over the image, or leave the image alone."""
        if self.overlay is not None and isalive(self.overlay):
            self.overlay.setVisible(shown)

    def show_bare(self, bare: bool) -> None:
        """Show only what is said of the registration over the image, or all again."""
        self.is_bare = bare
        self.refresh()

    def show_divider(self, index: float, *, left: str, right: str) -> None:
        """Show where one study ends and another begins, and which is which.

        Parameters
        ----------
        index : float
            Along the axis across the canvas.
        """
        self._divider = (index, left, right)
        self.refresh()

    def show_preview(self, mark: Mark | None) -> None:
        """Show the mark being drawn, or none."""
        if mark is not None or self._preview is not None:
            self._preview = mark
            self.refresh()

    def prompt(self, text: str) -> None:
        """Say at the bottom of the canvas what is to be done next."""
        if text != self._prompt:
            self._prompt = text
            self.refresh()

    def show_crosshair(self, point: Point | None) -> None:
        """Show where a patient point lies, by lines across the canvas."""
        if point != self._crosshair:
            self._crosshair = point
            self.refresh()

    @property
    def visible_marks(self) -> tuple[Mark, ...]:
        """The marks that are seen on the slice shown."""
        if self.volume is None or self._view is None:
            return ()
        grid, view, place = self.grid, self._view, self.place
        of = self._marks, grid, view
        if any(a is not b for a, b in zip_longest(of, self._spans_of)):
            self._spans = [drawing.mark_span(grid, view, mark) for mark in self._marks]
            self._spans_of = of
        pairs = zip(self._marks, self._spans, strict=True)
        seen = [mark for mark, reach in pairs if place.shows(*reach)]
        preview = self._preview
        if preview is not None and place.shows(*drawing.mark_span(grid, view, preview)):
            seen.append(preview)
        return tuple(seen)

    @property
    def texts(self) -> list[str]:
        """The values that stand on the canvas now."""
        return [label.text for label in self.scene_picture().labels]

    @property
    def letters(self) -> dict[str, str]:
        """Patient letters of the sides; empty for what has no place in a patient."""
        if self._view is None or self.why_no_mm:
            return {}
        sides = ("left", "right", "top", "bottom")
        return {side: getattr(self._view, side) for side in sides}

    @property
    def place_text(self) -> str:
        """Who, what and where, in lines; empty without a volume."""
        if self.volume is None or self._view is None:
            return ""
        who, window = self.volume.identity, self.window
        named = f"{PARTS}{window.name}" if window.name else ""
        lines = [self._where(), f"{window.as_text}{named}"]
        if self.says_who:
            series = wording.series_name(who)
            lines.insert(0, PARTS.join((who.patient, series, self.day_of(who))))
            lines.append(about.RESEARCH_USE_SHORT)
        return "\n".join(lines)

    def _where(self) -> str:
        count = f"{self.slice_index + 1} / {self.slice_count}"
        if self.why_no_mm:
            return f"image {count}   {self.why_no_mm}"
        place = layers.slice_place(self.grid, self.plane_view, self.slice_index)
        where = f"{self.plane_view.plane} {count}   {place}"
        if self.slab_slices == 1:
            return where
        return f"{where}   {SLAB_MODES[self.slab[1]]} of {self.slab_mm:.1f} mm"

    @property
    def badges(self) -> tuple[str, ...]:
        """Warnings about what is shown."""
        badge = "" if self.display is None else self.display.badge
        if self.volume is not None and self.shown is self.volume:
            lean = tilt_in_words(self.volume.grid)
            badge = f"{lean}, as acquired" if lean else badge
        return tuple(
            each for each in (badge, NOT_TO_SCALE * bool(self.why_no_mm)) if each
        )

    def scene_picture(self) -> drawing.Picture:
        """Return the marks as they lie on the canvas now."""
        marks = self.visible_marks
        return drawing.picture(marks, self.place) if marks else drawing.Picture()

    def scene(self) -> Scene | None:
        """Return everything that is painted over the image now."""
        if self.volume is None or self._view is None:
            return None
        crosshair = divider = None
        if self._divider is not None:
            index, left, right = self._divider
            at = np.zeros(3)
            at[self._view.order[2]] = index
            x = float(self.place.from_index(at)[0])
            divider = Divider(x=x, left=left, right=right)
        if self._crosshair is not None:
            x, y = self.to_canvas(self._crosshair).tolist()
            crosshair = (x, y)
        if self.is_bare:
            return Scene(badges=self.badges, status=self._status, divider=divider)
        return Scene(
            letters=self.letters,
            place=self.place_text,
            badges=self.badges,
            picture=self.scene_picture(),
            crosshair=crosshair,
            prompt=self._prompt,
            status=self._status,
            divider=divider,
            zoom=0.0 if self.why_no_mm else self.viewer.scene.camera.zoom,
        )

    def refresh(self, event: Any = None) -> None:
        """Paint what lies over the image again."""
        if self.overlay is not None and isalive(self.overlay):
            self.overlay.update()

    def _size(self) -> tuple[float, float]:
        if self.overlay is not None and isalive(self.overlay):
            return self.overlay.width(), self.overlay.height()
        return super()._size()


def _date(identity: SeriesIdentity) -> str:
    return identity.date
