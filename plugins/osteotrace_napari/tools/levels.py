"""The labels of all visible vertebrae: a click in each body, from head to foot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from osteotrace_napari import keys
from osteotrace_napari.canvas.marks import Mark, Spot

if TYPE_CHECKING:
    from osteotrace.regions import Point
    from osteotrace.session.levels import Levels
    from osteotrace_napari.canvas.view import ReadingView
    from osteotrace_napari.tools.tool import Preview

# Beside a body that was labelled before any of them was named.
UNNAMED = "?"


class Labelling(Protocol):
    """Keeps the labels; each change can be undone."""

    def levels(self, view: ReadingView) -> Levels | None:
        """Return the labels of what a view shows, None without any."""
        ...

    def add(self, view: ReadingView, point: Point) -> None:
        """Label one more body."""
        ...

    def confirm(self, view: ReadingView) -> bool:
        """Confirm names and count, or say what is missing; True where it is done."""
        ...


class LabelLevels:
    """Labels vertebral bodies by a click each.

    Parameters
    ----------
    preview : callable
        As every tool is given it.
    labelling : Labelling
        Keeps the labels.
    """

    name = "levels"

    def __init__(self, *, preview: Preview, labelling: Labelling) -> None:
        self._preview = preview
        self._labelling = labelling
        self._view: ReadingView | None = None

    @property
    def prompt(self) -> str:
        """What is to be done next."""
        levels = None if self._view is None else self._labelling.levels(self._view)
        if levels is None or not levels.labels:
            return "Levels: click into each vertebral body, from head to foot."
        if not levels.is_named:
            return (
                f"Levels: {len(levels.labels)} labelled; click the next body, or name "
                "one of them in the Measure tab."
            )
        if levels.confirmed:
            key = keys.key_of("vertebra")
            return f"Levels: {_reach(levels)}, confirmed; {key} measures them."
        return f"Levels: {_reach(levels)}; Enter confirms names and count."

    def begin(self, view: ReadingView) -> None:
        """Show the labels of what a view shows."""
        self._view = view
        levels = self._labelling.levels(view)
        self._preview(None if levels is None else levels_mark(levels))

    def pressed(self, view: ReadingView, point: Point) -> None:
        """Wait for where the button comes up."""
        self._view = view

    def moved(self, view: ReadingView, point: Point) -> None:
        """Leave the labels as they are."""

    def released(self, view: ReadingView, point: Point, was_click: bool) -> None:
        """Label the body."""
        self._labelling.add(view, point)
        self.begin(view)

    def cancel(self) -> bool:
        """Leave what was labelled: undo takes it back."""
        self._preview(None)
        return False

    def entered(self) -> bool:
        """Confirm the labels."""
        return self._view is not None and self._labelling.confirm(self._view)

    def accepted(self) -> None:
        """Nothing follows."""


def levels_mark(levels: Levels) -> Mark | None:
    """Return the labels as one mark; None without any."""
    if not levels.labels:
        return None
    return Mark(
        spots=tuple(
            Spot(point=label.point, label=label.level or UNNAMED)
            for label in levels.labels
        )
    )


def _reach(levels: Levels) -> str:
    ends = f"{levels.names[0]} to {levels.names[-1]}"
    odd = ", ".join(levels.transitional)
    count = f"{len(levels.labels)} levels, {ends}"
    return f"{count}; transitional: {odd}" if odd else count
