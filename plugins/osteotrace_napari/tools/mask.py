"""The mask brush: drag to paint, Ctrl+drag to erase, on any plane of the voxels.

The stroke is what the pointer touched, the release included; napari's own painting is
not used. What a stroke, a threshold or a growth changes is the session's to know: the
tool hands places over. A mask that is put away stays in the draft.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from osteotrace_napari import keys
from osteotrace_napari.canvas.marks import Ball, Mark

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from osteotrace.regions import Point
    from osteotrace_napari.canvas.view import ReadingView
    from osteotrace_napari.tools.tool import Preview

# Radii of the brush, mm: each is the one before times this, from the least to the most.
LARGER: Final = 1.25
LEAST_MM: Final = 0.2
MOST_MM: Final = 30.0
FIRST_MM: Final = 2.0
ERASES: Final = "Control"


class Painting(Protocol):
    """Keeps the mask in hand; each change of it can be undone."""

    def why_not(self, view: ReadingView) -> str:
        """Return why nothing can be painted on what a view shows; empty where it can."""
        ...

    def is_begun(self, view: ReadingView) -> bool:
        """Tell whether a mask with a voxel in it is in hand on what a view shows."""
        ...

    def recorded_as(self) -> str:
        """Return what the mask will be recorded as, in words."""
        ...

    def show_stroke(
        self, view: ReadingView, places: Sequence[Point], radius: float, *, erase: bool
    ) -> None:
        """Show what a stroke that goes on has touched last; nothing is kept of it."""
        ...

    def drop_stroke(self, view: ReadingView) -> None:
        """Show the mask as it is."""
        ...

    def stroke(
        self, view: ReadingView, places: Sequence[Point], radius: float, *, erase: bool
    ) -> None:
        """Keep a stroke."""
        ...

    def grow(self, view: ReadingView, seed: Point) -> None:
        """Add what hangs together with a point."""
        ...

    def finish(self, view: ReadingView) -> None:
        """Have the mask measured and recorded."""
        ...


class MaskBrush:
    """Paints the mask in hand.

    Parameters
    ----------
    preview : callable
        Shows the brush, or None.
    painting : Painting
        Keeps the mask.
    modifiers : callable
        Returns the keys held with the mouse, as ``"Control"``.

    Attributes
    ----------
    radius : float
        Of the brush, mm.
    erases : bool
        Whether a drag without Ctrl erases.
    grows : bool
        Whether the next click is the seed of a growth.
    """

    name = "mask"

    def __init__(
        self,
        *,
        preview: Preview,
        painting: Painting,
        modifiers: Callable[[], frozenset[str]],
    ) -> None:
        self.radius = FIRST_MM
        self.erases = False
        self.grows = False
        self._preview = preview
        self._painting = painting
        self._modifiers = modifiers
        self._view: ReadingView | None = None
        self._places: list[Point] = []
        self._erasing = False

    @property
    def prompt(self) -> str:
        """What is to be done next."""
        view = self._view
        why_not = "" if view is None else self._painting.why_not(view)
        if why_not:
            return f"Mask: {why_not}."
        if self.grows:
            return "Mask: click into what is to be added; Esc goes back to the brush."
        do, other = ("erases", "paints") if self.erases else ("paints", "erases")
        words = f"Mask, {self.radius:.1f} mm: drag {do}, Ctrl+drag {other}"
        if view is not None and self._painting.is_begun(view):
            enter = keys.key_of("accept")
            return f"{words}; {enter}: {self._painting.recorded_as()}."
        return f"{words}."

    def begin(self, view: ReadingView) -> None:
        """Go on with the mask in hand, if there is one."""
        self._view, self.grows = view, False

    def resize(self, by: int) -> None:
        """Take a brush so many sizes larger, or smaller."""
        radius = self.radius * LARGER**by
        self.radius = round(min(max(radius, LEAST_MM), MOST_MM), 1)

    def pressed(self, view: ReadingView, point: Point) -> None:
        """Begin a stroke."""
        self._view = view
        if self.grows or self._painting.why_not(view):
            return
        self._erasing = self.erases != (ERASES in self._modifiers())
        self._places = [point]
        self._painting.show_stroke(view, [point], self.radius, erase=self._erasing)
        self._show_brush(point)

    def moved(self, view: ReadingView, point: Point) -> None:
        """Go on with the stroke; without one show the brush."""
        if self._places and view is self._view and point != self._places[-1]:
            last = self._places[-1]
            self._places.append(point)
            self._painting.show_stroke(
                view, [last, point], self.radius, erase=self._erasing
            )
        self._show_brush(point)

    def released(self, view: ReadingView, point: Point, was_click: bool) -> None:
        """Keep the stroke with the place where the button came up, or grow from it."""
        if self.grows:
            self.grows = False
            if not self._painting.why_not(view):
                self._painting.grow(view, point)
            return
        places, first = self._places, self._view
        self._places = []
        if not places or first is None:
            return
        if view is first and point != places[-1]:
            places.append(point)
        self._painting.stroke(first, places, self.radius, erase=self._erasing)

    def cancel(self) -> bool:
        """Drop the stroke, or the seed that is waited for; False where there is none."""
        pending = bool(self._places) or self.grows
        if self._places and self._view is not None:
            self._painting.drop_stroke(self._view)
        self._places, self.grows = [], False
        self._preview(None)
        return pending

    def entered(self) -> bool:
        """Have the mask recorded; without one leave Enter to the finding made last."""
        view = self._view
        if view is None or self._places or not self._painting.is_begun(view):
            return False
        self._painting.finish(view)
        return True

    def accepted(self) -> None:
        """Stay in hand for the next one."""

    def _show_brush(self, point: Point) -> None:
        self._preview(Mark(balls=(Ball(centre=point, radius=self.radius),)))
