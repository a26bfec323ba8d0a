"""The one shape of every tool, and what tools are given to work with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.regions import Point
    from osteotrace_napari.canvas.marks import Mark
    from osteotrace_napari.canvas.view import ReadingView

    # Shows the mark that is being drawn in every view, or none.
    Preview = Callable[[Mark | None], None]


class Record(Protocol):
    """Records what was marked, or has it recorded: it may take its time."""

    def __call__(self, tool: str, view: ReadingView, **where: Any) -> None:
        """Take up what was marked.

        Parameters
        ----------
        tool : str
            Key of `osteotrace.protocol.entries.TABLES`.
        view : ReadingView
            Where it was marked.
        where : object
            Keys of that entry.
        """
        ...


class Tool(Protocol):
    """What the pointer hands points to.

    A point comes as it is stored, LPS mm. ``pressed`` is followed by ``released``, with
    any number of ``moved`` between, none included; ``moved`` comes also while no button
    is held.

    Attributes
    ----------
    name : str
        Its command in `osteotrace_napari.keys`.
    prompt : str
        What is to be done next.
    """

    name: str

    @property
    def prompt(self) -> str:
        """What is to be done next, one line."""
        ...

    def begin(self, view: ReadingView) -> None:
        """Be taken in hand; the mouse was last in this view."""
        ...

    def pressed(self, view: ReadingView, point: Point) -> None:
        """Take the place where the button went down."""
        ...

    def moved(self, view: ReadingView, point: Point) -> None:
        """Follow the mouse."""
        ...

    def released(self, view: ReadingView, point: Point, was_click: bool) -> None:
        """Take the place where the button came up; a click did not move between."""
        ...

    def cancel(self) -> bool:
        """Take the last point back; False where there is none."""
        ...

    def entered(self) -> bool:
        """Use the Enter key; False where the tool has no use for it now."""
        ...

    def accepted(self) -> None:
        """Go on: the finding made last was accepted."""
        ...


def shares_space(one: ReadingView, other: ReadingView) -> bool:
    """Tell whether points of two views live in one frame of reference."""
    if one is other or one.volume is other.volume:
        return True
    if one.volume is None or other.volume is None:
        return False
    frame = one.volume.frame_of_reference_uid
    return bool(frame) and frame == other.volume.frame_of_reference_uid
