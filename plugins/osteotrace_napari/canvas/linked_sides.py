"""The two sides of a comparison going together: slices, cursor and zoom, in mm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from osteotrace_napari.canvas.linking import LINKS

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.regions import Point
    from osteotrace.volume import Volume
    from osteotrace_napari.canvas.arrangement import Arrangement
    from osteotrace_napari.canvas.linking import Link, LinkName
    from osteotrace_napari.canvas.view import ReadingView


class LinkedSides:
    """Brings the views of two studies to one place, as far as they are linked.

    Parameters
    ----------
    arrangement : Arrangement

    Attributes
    ----------
    link : Link or None
        The pair and how it goes together; None while nothing is compared.
    on_change : list of callable
        Called without arguments after what is compared, or how, changed.
    """

    def __init__(self, arrangement: Arrangement) -> None:
        self._arrangement = arrangement
        self.link: Link | None = None
        self.on_change: list[Callable[[], None]] = []
        arrangement.crosshair.on_move.append(self._say)

    @property
    def status(self) -> str:
        """What stands on the canvas of the registration, at the crosshair."""
        return "" if self.link is None else self.link.status(self._earlier_place())[0]

    def set_link(self, name: LinkName, on: bool) -> None:
        """Link slices, cursor or zoom, or leave each side to itself."""
        if self.link is None:
            return
        setattr(self.link, name, on)
        self._follow()

    def toggle_link(self) -> None:
        """Leave both sides to themselves, or link all again."""
        if self.link is None:
            return
        on = not self.link.any_on
        for name in LINKS:
            setattr(self.link, name, on)
        self._follow()

    def link_as_shown(self) -> None:
        """Link the sides as they stand: the shift between them stays from now on."""
        link, views = self.link, self._arrangement.views
        if link is None or len(views) < 2:
            return
        places = {id(v.volume): self._place_seen(v) for v in views[:2]}
        link.hold(places[id(link.pair.earlier)], places[id(link.pair.later)])
        for name in LINKS:
            setattr(link, name, True)
        self._follow()

    def link_as_aligned(self) -> None:
        """Take a shift by hand away."""
        if self.link is not None:
            self.link.shift = None
            self._follow()

    def go_to(self, point: Point, volume: Volume) -> None:
        """Show a place of either study on both sides; LPS mm of that study."""
        if self.link is None:
            return
        main = self._arrangement.main
        views = [v for v in self._arrangement.views if v.volume is volume]
        if views:
            views[0].go_to([point])
            self._arrangement.crosshair.move_to(point, source=views[0])
            return
        assert main.volume is not None
        place = self.link.across(point, volume, main.volume)
        if place is not None:
            self._arrangement.crosshair.move_to(place)

    def across(self, source: ReadingView, target: ReadingView) -> Point | None:
        """Return the place in a view that lies in the middle of another one."""
        if self.link is None or source.volume is None or target.volume is None:
            return None
        if not self.link.is_on("zoom"):
            return None
        x, y, z = source.middle.tolist()
        return self.link.across((x, y, z), source.volume, target.volume)

    def _follow(self) -> None:
        """Bring the other side to where the first one is, as far as they are linked."""
        arrangement = self._arrangement
        place = arrangement.crosshair.place_in(arrangement.main)
        if place is not None:
            arrangement.crosshair.move_to(place, source=arrangement.main)
        arrangement.link_cameras(arrangement.main)
        self._say()
        self.told()

    def _place_seen(self, view: ReadingView) -> Point:
        """Return where a view is: its crosshair, on the slice that it shows."""
        place = self._arrangement.crosshair.place_in(view)
        index = (
            (np.array(view.grid.shape) - 1) / 2
            if place is None
            else view.grid.to_index(place)
        )
        index[view.plane_view.order[0]] = view.slice_index
        x, y, z = view.grid.to_patient(index).tolist()
        return x, y, z

    def _earlier_place(self) -> Point | None:
        """Return the place of the crosshair in the earlier study."""
        arrangement = self._arrangement
        volume, point = arrangement.main.volume, arrangement.crosshair.point
        if self.link is None or point is None or volume is None:
            return None
        return self.link.across(point, volume, self.link.pair.earlier)

    def _say(self) -> None:
        """Say on every canvas what is known of the registration here."""
        if self.link is None:
            return
        words, is_warning = self.link.status(self._earlier_place())
        for view in self._arrangement.views:
            place = self._arrangement.crosshair.place_in(view)
            more = ""
            if place is not None and view.volume is not None:
                outside = not view.volume.grid.contains(place)
                more = " · this place lies outside these images" if outside else ""
            view.show_status(words + more, is_warning=is_warning)

    def told(self) -> None:
        """Tell those who follow that something changed."""
        for call in tuple(self.on_change):
            call()
