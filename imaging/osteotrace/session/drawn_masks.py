"""Masks in hand: drawn stroke by stroke on a volume, until one becomes a finding.

Every stroke, erasure, interpolation, threshold and growth is one command: it can be taken
back, and the journal holds the voxels that it turned over, as run lengths in a box. A
mask in hand that is put away stays in the draft. Finished, it is handed to the
measurement as a drawn region, and in the same command it is no longer in hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.measurements.region_values import require_same_frame
from osteotrace.regions import Mask
from osteotrace.segmentation import between_slices, brush, growing, marked
from osteotrace.session import marking
from osteotrace.session.mask_parts import (
    MASK_KEYS,
    drawn_region,
    extent,
    mask_key,
    on_volume,
    patch,
    window_of,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from osteotrace.findings import Finding
    from osteotrace.protocol import Where
    from osteotrace.session.changes import DrawnMask, MaskPatch
    from osteotrace.session.marking import Prepared
    from osteotrace.session.mask_parts import Window
    from osteotrace.session.session import Session
    from osteotrace.volume import Volume

# How far from its seed a growth may go where it is given no region, mm.
GROWTH_RADIUS_MM: Final = 15.0
DRAWN: Final = "drawn"


class DrawnMasks:
    """The masks in hand of a session, by UID.

    A mask that began as a finding's has the finding's tracking UID, and is that finding's
    again when it is finished.

    Parameters
    ----------
    session : Session
        Whose draft holds them.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    # What there is -----------------------------------------------------------------

    def __contains__(self, uid: str) -> bool:
        return uid in self._session.draft.masks

    def on(self, volume: Volume) -> tuple[str, ...]:
        """Return the UIDs of the masks in hand on a volume, the oldest first."""
        key = self._session.key_of(volume)
        return tuple(
            uid
            for uid, mask in self._session.draft.masks.items()
            if (mask.series_uid, mask.k) == key
        )

    def voxels(self, uid: str) -> NDArray[np.bool_]:
        """Return a mask's voxels, (slices, rows, columns), read-only and kept current."""
        view = self._mask(uid).voxels.view()
        view.setflags(write=False)
        return view

    def mask(self, uid: str, volume: Volume, *, role: str = DRAWN) -> Mask:
        """Return a mask in hand as a region of its volume."""
        voxels = self._voxels(uid, volume)
        box = extent(voxels)
        assert box is not None
        return marked.in_window(volume, voxels[box], box, role=role)

    def is_finding(self, uid: str) -> bool:
        """Tell whether a mask in hand is that of a finding that is there."""
        return any(one.uid == uid for one in self._session.draft.held)

    # Drawing -----------------------------------------------------------------------

    def begin(self, volume: Volume, start: Mask | Where | None = None) -> str:
        """Return the UID of a new mask in hand, empty or with a region in it.

        An empty one is recorded with its first stroke.

        Raises
        ------
        OsteotraceError
            If the volume is none of this reading, or the region is not on it.
        """
        self._session.key_of(volume)
        uid = self._session.new_uid()
        if start is not None:
            region = self._region(volume, start)
            self._turn(uid, volume, "mask begun", *on_volume(volume, region))
        return uid

    def begin_from(self, tracking_uid: str) -> str:
        """Take the mask that a finding was measured in into the hand.

        Returns
        -------
        str
            The finding's tracking UID, which is that of the mask too.

        Raises
        ------
        OsteotraceError
            If the finding was measured in no mask.
        """
        held = self._session.held_finding(tracking_uid)
        uid = held.leader or held.uid
        if uid in self:
            return uid
        leader = self._session.held_finding(uid)
        volume = self._session.volume_of(leader.finding)
        region = self._region(volume, drawn_region(leader))
        what = f"mask of {leader.finding.label} taken in hand"
        self._turn(uid, volume, what, *on_volume(volume, region))
        return uid

    def stroke(
        self,
        uid: str,
        volume: Volume,
        places: ArrayLike,
        radius_mm: float,
        *,
        axis: int | None = 0,
        erase: bool = False,
    ) -> Window | None:
        """Draw a stroke of the brush, or erase along it.

        Parameters
        ----------
        uid : str
            From `begin` or `begin_from`.
        volume : Volume
            What is drawn on.
        places : (n, 3) array
            Where the pointer was, LPS mm.
        radius_mm : float
        axis : {0, 1, 2} or None
            The axis of the array that the view is across; None for a ball.
        erase : bool

        Returns
        -------
        window or None
            Where voxels were turned over; None where none was, which is no command.

        Raises
        ------
        OsteotraceError
            If the stroke is none, or the mask is another volume's.
        """
        touched = (
            brush.ball(volume.grid, places, radius_mm)
            if axis is None
            else brush.disc(volume.grid, places, radius_mm, axis=axis)
        )
        if touched is None or (erase and uid not in self):
            return None
        before = self._part(uid, volume, touched.window)
        after = before & ~touched.voxels if erase else before | touched.voxels
        what = "erased from a mask" if erase else "brush stroke"
        return self._turn(uid, volume, what, touched.window, after)

    def interpolate(self, uid: str, volume: Volume, *, axis: int = 0) -> Window | None:
        """Fill the empty slices between drawn ones (`between_slices.filled`).

        Parameters
        ----------
        axis : {0, 1, 2}
            The axis of the array that it was drawn across.

        Returns and errors as `stroke`, and where there is nothing between.
        """
        voxels = self._voxels(uid, volume)
        box = extent(voxels)
        assert box is not None
        box = between_slices.reach(box, volume.grid, axis=axis)
        after = between_slices.filled(voxels[box], volume.grid.cropped(box), axis=axis)
        return self._turn(uid, volume, "mask filled between slices", box, after)

    def threshold(
        self,
        uid: str,
        volume: Volume,
        low: float,
        high: float,
        *,
        within: Mask | Where | None = None,
    ) -> Window | None:
        """Keep the voxels between two levels, or add those of a region.

        Parameters
        ----------
        low, high : float
            In the unit of the volume, both included.
        within : Mask or Where, optional
            What lies between the levels in it is added; without one, what does not is
            taken out of the mask.

        Returns and errors as `stroke`, and where nothing lies between the levels.
        """
        region = (
            self.mask(uid, volume) if within is None else self._region(volume, within)
        )
        found = growing.between_levels(volume, low, high, within=region, role=DRAWN)
        box, _ = on_volume(volume, region)
        after = found.on(volume.grid)[box]
        if within is not None:
            after = after | self._part(uid, volume, box)
        return self._turn(uid, volume, "mask thresholded", box, after)

    def grow(
        self,
        uid: str,
        volume: Volume,
        seed: ArrayLike,
        low: float,
        high: float,
        *,
        within: Mask | Where | None = None,
        radius_mm: float = GROWTH_RADIUS_MM,
    ) -> Window | None:
        """Add what hangs together with a point between two levels (`growing.grown`).

        Parameters
        ----------
        within : Mask or Where, optional
            What it stays in; a ball of ``radius_mm`` around the seed by default.

        Returns and errors as `stroke`, and as `growing.grown`.
        """
        region = (
            marked.ball(volume, seed, radius_mm, role="around a seed", cut_at_edge=True)
            if within is None
            else self._region(volume, within)
        )
        found = growing.grown(volume, seed, low, high, within=region, role=DRAWN)
        box, after = on_volume(volume, found)
        after = after | self._part(uid, volume, box)
        return self._turn(uid, volume, "mask grown", box, after)

    def clear(self, uid: str) -> Window | None:
        """Take every voxel out of a mask, which is then no longer in hand."""
        if uid not in self:
            return None
        change = self._cleared(uid)
        self._session.commit("mask cleared", change)
        return window_of(change)

    # Finishing ---------------------------------------------------------------------

    def prepare(self, uid: str, volume: Volume, tool: str, **said: Any) -> Prepared:
        """Measure what is drawn and change nothing: `record` holds it.

        Parameters
        ----------
        tool : str
            One of `MASK_KEYS`; of no meaning where the mask is a finding's.
        **said
            As `Session.add`.

        Raises
        ------
        OsteotraceError
            As `Session.add`, or if no finding of this tool has a mask.
        """
        if self.is_finding(uid):
            leader = self._session.held_finding(uid)
            key = mask_key(leader)
            region = self.mask(uid, volume, role=key)
            return self._session.prepare_move(uid, **{key: region})
        if tool not in MASK_KEYS:
            raise OsteotraceError(
                f"a drawn mask for {tool!r}",
                expected="one of " + ", ".join(MASK_KEYS),
                advice="choose what the mask is to be recorded as",
                usage=True,
            )
        key = MASK_KEYS[tool]
        said[key] = self.mask(uid, volume, role=key)
        return self._session.prepare(tool, volume, **said)

    def record(self, uid: str, prepared: Prepared) -> tuple[Finding, ...]:
        """Hold a prepared finding; its mask is no longer in hand: one command.

        What was drawn while it was measured stays in hand; the mask of a finding then
        stays as a whole, to be measured anew. Errors as `Session.record`.
        """
        return self._session.record(prepared, *self._taken(uid, prepared))

    def finish(
        self, uid: str, volume: Volume, tool: str, **said: Any
    ) -> tuple[Finding, ...]:
        """Measure what is drawn and hold it as a finding, or as that finding's region.

        Parameters and errors as `prepare`.
        """
        return self.record(uid, self.prepare(uid, volume, tool, **said))

    # The draft ---------------------------------------------------------------------

    def _mask(self, uid: str) -> DrawnMask:
        mask = self._session.draft.masks.get(uid)
        if mask is None:
            raise OsteotraceError(
                "a mask without a voxel",
                expected="a mask that something was drawn in",
                advice="draw a stroke first",
            )
        return mask

    def _voxels(self, uid: str, volume: Volume) -> NDArray[np.bool_]:
        mask = self._mask(uid)
        if (mask.series_uid, mask.k) != self._session.key_of(volume):
            raise OsteotraceError(
                "a mask in hand that was drawn on another series",
                expected="a mask of the image that is shown",
                advice="finish it on its own series, or begin another one here",
            )
        return mask.voxels

    def _part(self, uid: str, volume: Volume, box: Window) -> NDArray[np.bool_]:
        """Return a part of a mask; nothing is drawn in one that is not there yet."""
        if uid in self:
            return self._voxels(uid, volume)[box]
        return np.zeros([side.stop - side.start for side in box], dtype=bool)

    def _region(self, volume: Volume, where: Mask | Where) -> Mask:
        if isinstance(where, Mask):
            require_same_frame(volume.frame_of_reference_uid, where)
            return where
        return marking.LoadedVolume(volume, {}).region(volume, where, DRAWN)

    def _turn(
        self,
        uid: str,
        volume: Volume,
        what: str,
        box: Window,
        after: NDArray[np.bool_],
    ) -> Window | None:
        """Make a part of a mask another, as one command; none where it is the same."""
        turned = self._part(uid, volume, box) ^ after
        if not turned.any():
            return None
        change = patch(uid, self._session.key_of(volume), volume.grid.shape, box, turned)
        self._session.commit(what, change, on=volume)
        return window_of(change)

    def _taken(self, uid: str, prepared: Prepared) -> tuple[MaskPatch, ...]:
        """Return the change that takes what was measured out of the hand, if any is."""
        mask = self._mask(uid)
        region = drawn_region(prepared.mark)
        assert isinstance(region, Mask)
        box, measured = on_volume(prepared.volume, region)
        turned = mask.voxels[box] & measured
        is_all = turned.sum() == measured.sum() == mask.voxels.sum()
        if not turned.any() or (self.is_finding(uid) and not is_all):
            return ()
        shape = prepared.volume.grid.shape
        return (patch(uid, (mask.series_uid, mask.k), shape, box, turned),)

    def _cleared(self, uid: str) -> MaskPatch:
        """Return the change that takes a mask out of the hand."""
        mask = self._mask(uid)
        shape = slices, rows, columns = mask.voxels.shape
        box = slice(0, slices), slice(0, rows), slice(0, columns)
        return patch(uid, (mask.series_uid, mask.k), shape, box, mask.voxels)
