"""Before and after: side by side through the transform, or both in one picture.

The study that is read stays in the first view; the other stands left or right of it by
date. Both go to the same place of the patient, in mm, as far as they are linked, and what
is known of the registration always stands on the canvas.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from osteotrace.errors import OsteotraceError
from osteotrace_napari.canvas.compared_displays import MODES, ComparedDisplays
from osteotrace_napari.canvas.divider import DividerDrag
from osteotrace_napari.canvas.kept_windows import KeptWindows
from osteotrace_napari.canvas.linked_sides import LinkedSides
from osteotrace_napari.canvas.linking import Link
from osteotrace_napari.canvas.overlaying import (
    CHECKER_MM,
    LEAST_CHECKER_MM,
    MIDDLE,
    Overlaid,
    Swipe,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from osteotrace.volume import Volume
    from osteotrace_napari.canvas.arrangement import Arrangement
    from osteotrace_napari.canvas.compared_displays import CompareMode
    from osteotrace_napari.canvas.display import Display
    from osteotrace_napari.canvas.layers import Plane
    from osteotrace_napari.canvas.linking import Pair
    from osteotrace_napari.canvas.marks import Mark


class CompareView(LinkedSides):
    """Two studies on the canvases of an arrangement.

    Parameters
    ----------
    arrangement : Arrangement

    Attributes
    ----------
    mode : str
        One of `MODES`.
    own_plane : bool
        Whether the later study is seen in its own plane, its nearest slice, and not
        resampled onto that of the earlier one.
    checker_mm : float
        Side of a square of the checkerboard.
    """

    def __init__(self, arrangement: Arrangement) -> None:
        super().__init__(arrangement)
        self.mode: CompareMode = "side by side"
        self.own_plane = False
        self.checker_mm = CHECKER_MM
        self._share = MIDDLE
        self._plane: Plane = "axial"
        self._made: ComparedDisplays | None = None
        self._windows = KeptWindows(arrangement.displays)
        self._marks: tuple[tuple[Mark, ...], tuple[Mark, ...]] = ((), ())
        # What the first view showed, where the pair is of two other studies.
        self._before: Volume | None = None
        self._drag = DividerDrag(arrangement.main, self._swipe, self.set_divider)

    # What is compared ----------------------------------------------------------------

    @property
    def is_on(self) -> bool:
        """Whether two studies are compared."""
        return self.link is not None

    @property
    def pair(self) -> Pair | None:
        """The two studies, or None."""
        return None if self.link is None else self.link.pair

    @property
    def as_text(self) -> str:
        """How both are seen and what is known of the registration, as people read it."""
        if self.link is None:
            return ""
        first, second = self.link.pair.days
        return f"{first} and {second}, {self.mode}. {self.status}."

    def show(self, pair: Pair) -> None:
        """Compare two studies; what was seen of the same two before stays.

        Parameters
        ----------
        pair : Pair
            One of its volumes is that of the first view, or the earlier one is shown
            there until the end.

        Raises
        ------
        OsteotraceError
            If they cannot be shown; the views are as before then.
        """
        if pair is self.pair:
            return
        before, main = self.link, self._arrangement.main
        link = Link(pair)
        if before is not None and pair.of_same_volumes(before.pair):
            link.slices, link.cursor, link.zoom = (
                before.slices,
                before.cursor,
                before.zoom,
            )
        # The study that is read, also where others were looked at meanwhile.
        read = self._before or main.volume
        is_in = read is pair.earlier or read is pair.later
        volume = pair.earlier if read is None or not is_in else read
        made = ComparedDisplays(self._arrangement.displays, link, volume)
        if before is None and main.is_ready:
            self._plane = main.plane_view.plane
        mode = self.mode if pair.alignment is not None else "side by side"
        self._try(link=link, _made=made, mode=mode, _before=None if is_in else read)

    def end(self) -> None:
        """Show the study that is read alone."""
        if self.link is None:
            return
        self._windows.keep(self._arrangement.views, self.pair)
        arrangement, main = self._arrangement, self._arrangement.main
        volume = self._before or main.volume
        window = None if volume is None else self._windows.of(volume)
        self.forget()
        if volume is not None and window is not None:
            with self._place_kept(volume):
                if main.display is not arrangement.displays.of(volume, self._plane):
                    arrangement.fill_main(volume, self._plane)
                    main.set_window(window)
                arrangement.arrange()
        self.told()

    def forget(self) -> bool:
        """Compare nothing any more and leave the views as they are; tell if it did."""
        was_on = self.is_on
        self.link = self._made = self._before = None
        self._marks = ((), ())
        self._windows.forget()
        for view in self._arrangement.views:
            view.show_status("")
            view.show_marks_beside(())
            view.show_no_divider()
            if view.is_bare:
                view.show_bare(False)
                view.show_overlay(False)
        return was_on

    # How it is seen ------------------------------------------------------------------

    def set_mode(self, mode: CompareMode) -> None:
        """Show both side by side, or in one picture.

        Raises
        ------
        OsteotraceError
            If they are not aligned, or have no difference; the views stay as they are.
        """
        if self.link is not None and mode != self.mode:
            self._try(mode=mode)

    def next_mode(self) -> None:
        """Go to the next way of seeing both; one that cannot be shown is passed over.

        Raises
        ------
        OsteotraceError
            If there is no other: they are not aligned.
        """
        at = MODES.index(self.mode)
        refused: OsteotraceError | None = None
        for mode in (*MODES[at + 1 :], *MODES[:at]):
            try:
                self.set_mode(mode)
            except OsteotraceError as problem:
                refused = refused or problem
            else:
                return
        if refused is not None:
            raise refused

    def set_own_plane(self, own: bool) -> None:
        """Show the later study in its own plane, or in that of the earlier one."""
        if self.link is None:
            self.own_plane = own
        elif own != self.own_plane:
            self._try(own_plane=own)

    def toggle_own_plane(self) -> None:
        """Show the later study in its own plane, or in that of the earlier one again."""
        self.set_own_plane(not self.own_plane)

    def set_plane(self, plane: Plane) -> None:
        """Show another plane of the earlier study, and the later one in it."""
        self._try(_plane=plane)

    def set_checker(self, mm: float) -> None:
        """Set the side of a square of the checkerboard."""
        self.checker_mm = max(mm, LEAST_CHECKER_MM)
        if self.link is not None and self.mode == "checkerboard":
            self._try()

    def set_divider(self, share: float) -> None:
        """Put the divider of a swipe between left (0) and right (1)."""
        self._share = min(max(share, 0.0), 1.0)
        swipe, main = self._swipe(), self._arrangement.main
        if swipe is not None:
            swipe.share = self._share
            main.image.refresh(thumbnail=False, highlight=False, extent=False)
            self._show_divider(swipe)

    def show_marks(
        self, *, earlier: Sequence[Mark] = (), later: Sequence[Mark] = ()
    ) -> None:
        """Show marks beside those of the reading, each on the side of its study."""
        self._marks = tuple(earlier), tuple(later)
        self._mark()

    # What the arrangement asks ---------------------------------------------------------

    def others(self) -> list[tuple[Volume, Plane, Display | None]]:
        """Return what stands beside the first view."""
        if self.link is None or self.mode != "side by side":
            return []
        main = self._arrangement.main.volume
        beside = [v for v in self.link.pair.volumes if v is not main]
        return [*map(self._side, beside[:1])]

    @property
    def main_is_left(self) -> bool:
        """Whether the first view stands left of the other."""
        return self.pair is None or self._arrangement.main.volume is self.pair.earlier

    # ---------------------------------------------------------------------------------

    def _side(self, volume: Volume) -> tuple[Volume, Plane, Display]:
        """Return a study side by side: its volume, the plane and what is displayed."""
        assert self.link is not None
        assert self._made is not None
        if volume is self.link.pair.earlier:
            return volume, self._plane, self._made.earlier(self._plane)
        if self.own_plane or self.link.pair.alignment is None:
            display, plane = self._made.own(self._plane)
            return volume, plane, display
        return volume, self._plane, self._made.later(self._plane)

    def _wanted(self) -> tuple[Volume, Plane, Display]:
        """Return what the first view is to show."""
        assert self.link is not None
        assert self._made is not None
        volume, pair = self._made.main, self.link.pair
        if self.mode == "side by side":
            # Both are made before anything changes.
            sides = {id(v): self._side(v) for v in pair.volumes}
            return sides[id(volume)]
        display = self._made.overlaid(
            self.mode, self._plane, checker_mm=self.checker_mm, share=self._share
        )
        if self.mode != "difference":
            windows = [self._windows.of(v) for v in pair.volumes]
            display = self._made.with_windows(display, *windows)
        return volume, self._plane, display

    def _try(self, **changes: Any) -> None:
        """Change what is seen, or leave all as it was where that cannot be shown."""
        before = {name: getattr(self, name) for name in changes}
        self._windows.keep(self._arrangement.views, self.pair)
        for name, value in changes.items():
            setattr(self, name, value)
        try:
            wanted = self._wanted()
        except Exception:
            for name, value in before.items():
                setattr(self, name, value)
            raise
        self._lay(*wanted)
        self.told()

    def _lay(self, volume: Volume, plane: Plane, display: Display) -> None:
        arrangement = self._arrangement
        main = arrangement.main
        with self._place_kept(volume):
            if main.display is not display or main.plane_view.plane != plane:
                arrangement.fill_main(volume, plane, display)
            arrangement.arrange()
            for view in arrangement.views:
                self._windows.give(view, self.pair)
                if not view.has_overlay:
                    # The status is never hidden.
                    view.show_overlay(True)
                    view.show_bare(True)
                elif view.is_bare != main.is_bare:
                    view.show_bare(main.is_bare)
        swipe = self._swipe()
        if swipe is None:
            main.show_no_divider()
        else:
            self._show_divider(swipe)
        self._mark()
        self._say()

    @contextmanager
    def _place_kept(self, volume: Volume) -> Iterator[None]:
        """Keep the first view at its place and size while it shows something else."""
        arrangement = self._arrangement
        main, crosshair = arrangement.main, arrangement.crosshair
        same = main.volume is volume and main.is_ready
        point, fitted = crosshair.point, main.is_fitted
        camera = (main.middle, main.viewer.scene.camera.zoom) if same else None
        yield
        if same and point is not None:
            crosshair.move_to(point)
        if camera is not None and not fitted:
            main.look_at(*camera)
        else:
            main.fit()

    def _mark(self) -> None:
        """Show the marks beside those of the reading, each on its side."""
        if self.link is None:
            return
        sides = {
            id(volume): marks
            for volume, marks in zip(self.link.pair.volumes, self._marks, strict=True)
        }
        for view in self._arrangement.views:
            view.show_marks_beside(sides.get(id(view.volume), ()))

    # The divider -----------------------------------------------------------------------

    def _swipe(self) -> Swipe | None:
        display = self._arrangement.main.display
        values = None if display is None or self.link is None else display.values
        way = values.way if isinstance(values, Overlaid) else None
        return way if isinstance(way, Swipe) else None

    def _show_divider(self, swipe: Swipe) -> None:
        assert self.link is not None
        left, right = self.link.pair.days
        self._arrangement.main.show_divider(swipe.at, left=left, right=right)
