"""What aligning two volumes gave: the transform, how well it holds, and how we know.

The record of a registration that was accepted; refusals are errors with the reason.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np

from osteotrace import geometry
from osteotrace.alignment.transform import RigidTransform
from osteotrace.measurements.measurement import Method

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from osteotrace.regions import Point

Pair = Literal["CT-CT", "MR-MR", "CT-MR", "same frame"]


class Start(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One independent start of a registration, and where it ended.

    Parameters
    ----------
    rotation_deg : float
        Angle of the rotation that it began with.
    similarity : float
        At its end.
    apart_mm : float
        How far its end lies from the accepted one: the farthest corner of the region.
    """

    rotation_deg: float
    similarity: float
    apart_mm: float


class Alignment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rigid transform from an earlier to a later study that passed every check.

    Parameters
    ----------
    transform : RigidTransform
    pair : str
        Which modalities; ``"same frame"`` where both are in one frame of reference.
    region : str
        What was aligned, in words: ``"whole image"``, or the bone it was limited to.
    centre : (x, y, z)
        Middle of what was aligned, LPS mm of the earlier study.
    similarity : float
        After the end, over what was aligned, the lesion left out.
    similarity_measure : str
        What that number is, e.g. ``"correlation"``.
    floor : float
        The least similarity that is accepted for this pair.
    overlap : float
        Share of what was to be aligned that lies in both images, 0 to 1.
    starts : tuple of Start
        The independent starts, the accepted one first.
    agreement_mm : float
        How far the ends of the agreeing starts lie apart at most.
    u_mm : float
        Standard uncertainty of the place of a point at `centre`, one axis, mm.
    u_deg : float
        Standard uncertainty of the rotation, one axis, degrees.
    method : Method
    notes : tuple of str
        What to mind, e.g. that the patient has grown.
    """

    transform: RigidTransform
    pair: Pair
    region: str
    centre: tuple[float, float, float]
    similarity: float
    similarity_measure: str
    floor: float
    overlap: float
    starts: tuple[Start, ...]
    agreement_mm: float
    u_mm: float
    u_deg: float
    method: Method
    notes: tuple[str, ...] = ()

    def uncertainty_at(self, point: ArrayLike) -> float:
        """Return the standard uncertainty of where a point of the earlier study lies.

        Parameters
        ----------
        point : (3,) array
            LPS mm of the earlier study.

        Returns
        -------
        float
            mm along one axis; it grows with the distance from `centre`.
        """
        lever = geometry.distance(self.centre, np.asarray(point, float))
        # Of three axes of rotation two move a point across, each along one direction.
        return math.hypot(self.u_mm, math.radians(self.u_deg) * lever)

    @property
    def as_text(self) -> str:
        """The registration and its error as people read it."""
        if self.pair == "same frame":
            return "one frame of reference: not registered"
        # No uncertainty is zero.
        error = f"{self.u_mm:.2f} mm" if self.u_mm >= 0.01 else "under 0.01 mm"
        return (
            f"{self.pair}, {self.region}: u {error}, {self.similarity_measure}"
            f" {self.similarity:.3f} (least {self.floor:.3f}), overlap "
            f"{100 * self.overlap:.0f} %, {len(self.starts)} starts within "
            f"{self.agreement_mm:.2f} mm, turned by {self.transform.rotation_deg:.1f}°"
        )


SAME_FRAME = Method(name="osteotrace same frame of reference", version="1")


def same_space(frame_uid: str, centre: Point) -> Alignment:
    """Return the alignment of two series that share one frame of reference.

    Nothing moves; whether the patient did between them is not known, and a note says so.
    """
    identity = RigidTransform.of(
        np.eye(3), np.zeros(3), from_frame_uid=frame_uid, to_frame_uid=frame_uid
    )
    return Alignment(
        transform=identity,
        pair="same frame",
        region="one frame of reference",
        centre=centre,
        similarity=1.0,
        similarity_measure="not compared",
        floor=0.0,
        overlap=1.0,
        starts=(),
        agreement_mm=0.0,
        u_mm=0.0,
        u_deg=0.0,
        method=SAME_FRAME,
        notes=("one frame of reference: motion in between was not looked for",),
    )
