# mypy: allow-subclassing-any
"""Which canvases there are and how they stand: one, linked planes, side by side.

The window's own canvas is always the first. Others are made when they are first needed,
kept, and hidden while they are not: making one costs half a second, and nothing is left
behind however often views come and go.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.components import ViewerModel
from napari.qt import QtViewer
from qtpy.QtCore import QEvent, QObject

from osteotrace.errors import OsteotraceError
from osteotrace.volume import planes
from osteotrace_napari import wording
from osteotrace_napari.canvas import guarding, layers
from osteotrace_napari.canvas.compare_view import CompareView
from osteotrace_napari.canvas.crosshair import Crosshair
from osteotrace_napari.canvas.display import Displays
from osteotrace_napari.canvas.frame import Frame
from osteotrace_napari.canvas.view import ReadingView
from osteotrace_napari.closing import Closing

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.volume import Volume
    from osteotrace_napari.canvas.display import Display
    from osteotrace_napari.canvas.layers import Plane

    # A volume, its plane, and what is displayed where that is not one of its own.
    _Wanted = tuple[Volume, Plane, Display | None]

MOST_OTHERS: Final = 3


class Arrangement(QObject):
    """The canvases of a reading window.

    Parameters
    ----------
    viewer : napari.Viewer
        Its central canvas becomes the first view.

    Attributes
    ----------
    main : ReadingView
        The first view.
    crosshair : Crosshair
    comparing : CompareView
        Before and after.
    on_views : list of callable
        Called without arguments after views were added or taken away.
    on_made : list of callable
        Called with each view when its canvas is made; `views` need not hold it yet.
    current : ReadingView
        The view that the mouse was in last.
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__(viewer.window._qt_window)
        self.displays = Displays()
        self.main = ReadingView(viewer, displays=self.displays)
        self.crosshair = Crosshair()
        self.on_views: list[Callable[[], None]] = []
        self.on_made: list[Callable[[ReadingView], None]] = []
        self.current = self.main
        self.is_linked = False
        self._others: tuple[ReadingView, ...] = ()
        self._made: list[tuple[ReadingView, Any]] = []
        self._beside: Volume | None = None
        self._through: Display | None = None
        self._busy = False
        self.comparing = CompareView(self)
        self._build(viewer.window._qt_viewer)
        self._know(self.main)

    # What is shown ---------------------------------------------------------------

    @property
    def views(self) -> tuple[ReadingView, ...]:
        """The views now on the window, the first one first."""
        return (self.main, *self._others)

    @property
    def beside(self) -> Volume | None:
        """The other volume shown side by side, or none."""
        return self._beside

    @property
    def through(self) -> Display | None:
        """The plane through landmarks shown, or none."""
        return self._through

    def show(
        self,
        volume: Volume,
        *,
        layer: Any = None,
        plane: Plane | None = None,
        why_no_mm: str = "",
    ) -> None:
        """Show another volume in the first view, and in those linked to it.

        Raises
        ------
        OsteotraceError
            If its other planes cannot be shown: it stands alone then.
        """
        ended = self.comparing.forget()
        self._beside = self._through = None
        self._busy = True
        try:
            self.main.show(volume, layer=layer, plane=plane, why_no_mm=why_no_mm)
        finally:
            self._busy = False
        self.crosshair.point = None
        self._arrange_or(self._stand_alone)
        if ended:
            self.comparing.told()

    def clear(self) -> None:
        """Show no volume."""
        self.comparing.forget()
        self._beside = self._through = None
        self._stand_alone()
        self.main.clear()
        self._arrange()

    def show_planes(self, linked: bool) -> None:
        """Show the other two planes beside the first view, or take them away.

        Raises
        ------
        OsteotraceError
            If the planes cannot be shown; the views are as before then.
        """
        self.comparing.end()
        self.is_linked = linked
        self._arrange_or(self._stand_alone)

    def show_beside(self, volume: Volume | None) -> None:
        """Show another volume beside the first one, at the same place; None ends it.

        Raises
        ------
        OsteotraceError
            If it lies in another frame of reference: there is no same place; or has
            no such plane. The views are as before then.
        """
        if volume is not None and not layers.share_space(self.main.volume, volume):
            raise OsteotraceError(
                f"{wording.series_name(volume.identity)} in another frame of reference",
                expected="two series of one frame of reference, so that a place in one "
                "is the same place in the other",
                advice="choose a series of the same examination, or register the two",
            )
        self.comparing.end()
        before, self._beside = self._beside, volume
        self._arrange_or(partial(setattr, self, "_beside", before))

    def show_through(self, plane: Volume | None) -> None:
        """Show a plane through landmarks in a canvas of its own, or take it away.

        What is marked on it is measured on the volume of the first view.

        Parameters
        ----------
        plane : Volume or None
            What `osteotrace.volume.planes` made of the volume of the first view.
        """
        volume = self.main.volume
        if plane is None or volume is None:
            self._through = None
            self._arrange()
            return
        self.comparing.end()
        self._through = self.displays.through(volume, plane, planes.BADGE)
        self._arrange()
        # The middle slice lies in the plane: all go to its centre.
        middle = (np.array(plane.grid.shape) - 1) / 2
        self.crosshair.move_to(plane.grid.to_patient(np.round(middle)).tolist())

    def set_plane(self, plane: Plane) -> None:
        """Show a plane in the first view, at the same place; linked ones show the others.

        Raises
        ------
        OsteotraceError
            If a view cannot show it; the views are as before then.
        """
        if self.comparing.is_on:
            self.comparing.set_plane(plane)
            return
        point = self.crosshair.point
        before = self.main.plane_view.plane if self.main.is_ready else plane
        self.main.set_plane(plane)
        self._arrange_or(partial(self.main.set_plane, before))
        if point is not None:
            self.crosshair.move_to(point)

    def set_slab(self, mm: float, mode: str = "mean") -> None:
        """Show the mean or maximum over a thickness in every view."""
        for view in self.views:
            view.set_slab(mm, mode)

    def fit(self) -> None:
        """Fit every image to its canvas."""
        for view in self.views:
            if view.volume is not None:
                view.fit()

    # How it stands ---------------------------------------------------------------

    def _build(self, qt_viewer: Any) -> None:
        """Put the window's canvas into a frame of splitters, where others fit in."""
        self._frame = Frame(qt_viewer)
        self._closing = Closing(qt_viewer.window(), self.close)
        # napari closes its canvas before the window where a program closes both.
        qt_viewer.installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Close the other canvases before that of the window goes."""
        if event.type() == QEvent.Type.Close:
            self.close()
        return False

    def close(self) -> None:
        """Let go of every canvas but the window's own."""
        self.comparing.forget()
        self._beside = self._through = None
        self.is_linked = False
        self.crosshair.release()
        self._others = ()
        made, self._made = self._made, []
        for view, qt_viewer in made:
            view.close()
            qt_viewer.setParent(None)
            qt_viewer.close()

    def _arrange_or(self, take_back: Callable[[], object]) -> None:
        """Show what is wanted; where a plane cannot be shown, what stood before it."""
        try:
            self._arrange()
        except OsteotraceError:
            take_back()
            self._arrange()
            raise

    def _stand_alone(self) -> None:
        self.is_linked = False

    def fill_main(
        self, volume: Volume, plane: Plane, display: Display | None = None
    ) -> None:
        """Show something else in the first view; `arrange` follows."""
        self._busy = True
        try:
            self.main.show(volume, plane=plane, display=display)
        finally:
            self._busy = False

    def arrange(self) -> None:
        """Show what is compared, and nothing else beside it."""
        self._beside = self._through = None
        self.is_linked = False
        self._arrange()

    def _arrange(self) -> None:
        """Show what is wanted in as many canvases as it takes, or change nothing."""
        wanted = self._wanted()
        for volume, plane, display in wanted:
            if display is None:
                # Made once: a plane that cannot be shown is refused before any canvas.
                self.displays.of(volume, plane)
        while len(self._made) < len(wanted):
            self._make()
        views = [view for view, _ in self._made[: len(wanted)]]
        self._fill(views, wanted)
        for view, _ in self._made[len(wanted) :]:
            view.put_away()
        changed = tuple(views) != self._others
        self._others = tuple(views)
        if self.current not in self.views:
            self.current = self.main
        self._frame.stand(
            [qt_viewer for _, qt_viewer in self._made],
            len(views),
            first=self.main.qt_viewer,
            first_is_left=self.comparing.main_is_left,
        )
        self.link_cameras(self.main)
        pair = self.comparing.pair
        shown = [v.volume for v in self.views if v.volume is not None]
        self.displays.keep([*shown, *(() if pair is None else pair.volumes)])
        linked = self.views if self.main.volume is not None else ()
        self.crosshair.link(linked, self.comparing.link)
        if changed:
            for call in self.on_views:
                call()

    def _fill(self, views: list[ReadingView], wanted: list[_Wanted]) -> None:
        """Show in each view what is wanted there."""
        self._busy = True
        try:
            for view, (volume, plane, display) in zip(views, wanted, strict=True):
                if view.volume is not volume or (
                    display is not None and view.display is not display
                ):
                    why = self.main.why_no_mm
                    view.show(volume, plane=plane, display=display, why_no_mm=why)
                elif view.plane_view.plane != plane:
                    view.set_plane(plane)
                view.says_who = volume is not self.main.volume
                if not view.says_who:
                    view.set_window(self.main.window)
                if not view.says_who or self.comparing.is_on:
                    view.set_slab(*self.main.slab)
        finally:
            self._busy = False

    def _wanted(self) -> list[_Wanted]:
        volume = self.main.volume
        if volume is None:
            return []
        plane = self.main.plane_view.plane
        if self.comparing.is_on:
            return self.comparing.others()
        wanted: list[_Wanted] = []
        if self._beside is not None:
            wanted.append((self._beside, plane, None))
        if self.is_linked:
            wanted += [(volume, p, None) for p in layers.PLANES if p != plane]
        if self._through is not None and len(wanted) < MOST_OTHERS:
            own = layers.acquired_plane(self._through.shown.grid)
            wanted.append((volume, own, self._through))
        return wanted

    def _make(self) -> None:
        model = ViewerModel()
        # Nobody reads the status of these; napari would look values up at every move.
        model.cursor.events.position.disconnect(model.update_status_from_cursor)
        qt_viewer = QtViewer(model)
        guarding.keep_no_sliders(model, qt_viewer)
        view = ReadingView(model, qt_viewer, displays=self.displays)
        self._made.append((view, qt_viewer))
        self._know(view)
        for call in self.on_made:
            call(view)

    # Views among themselves --------------------------------------------------------

    def _know(self, view: ReadingView) -> None:
        def entered(viewer: Any, event: Any) -> None:
            self.current = view

        view.viewer.mouse_move_callbacks.append(entered)
        view.on_window.append(lambda: self._link_windows(view))
        view.viewer.scene.camera.events.connect(lambda _: self.link_cameras(view))

    def _link_windows(self, source: ReadingView) -> None:
        """Show the same grey values wherever the same series is shown."""
        if self._busy or source.volume is None:
            return
        self._busy = True
        try:
            for view in self.views:
                if view is not source and _one_series(view, source):
                    view.set_window(source.window)
        finally:
            self._busy = False

    def link_cameras(self, source: ReadingView) -> None:
        """Keep what stands side by side at one place and one size."""
        pair = self.views[:2]
        if self._busy or source not in pair:
            return
        if len(pair) < 2 or not all(view.is_ready for view in pair):
            return
        target = pair[1] if source is pair[0] else pair[0]
        middle = self._middle_for(source, target)
        if middle is None:
            return
        self._busy = True
        try:
            target.look_at(middle, source.viewer.scene.camera.zoom)
        finally:
            self._busy = False

    def _middle_for(self, source: ReadingView, target: ReadingView) -> Any:
        """Return what a view is to have in its middle; None where it is let alone."""
        if self.comparing.is_on:
            return self.comparing.across(source, target)
        if self._beside is None or source.plane_view.plane != target.plane_view.plane:
            return None
        return source.middle


def _one_series(one: ReadingView, other: ReadingView) -> bool:
    if one.volume is None or other.volume is None:
        return False
    return one.volume.identity.series_uid == other.volume.identity.series_uid
