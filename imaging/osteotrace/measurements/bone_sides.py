"""The left and the right side of a bone, checked before they are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.measurements import region_values
from osteotrace.measurements.symmetry_plane import plane_doubts

if TYPE_CHECKING:
    from osteotrace.geometry import Array
    from osteotrace.measurements.region_values import RegionValues
    from osteotrace.measurements.symmetry_plane import SymmetryPlane
    from osteotrace.regions import Mask
    from osteotrace.volume import Volume

# What a flag says of thick slices; two dates with the same slices are both read so.
COARSE: Final = "a jaw is read coarsely"
# A mask may reach across the midline by this share of its voxels.
MOST_ACROSS: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """One side of the bone.

    Parameters
    ----------
    name : {"left", "right"}
    mask : Mask
    found : RegionValues
    places : (n, 3) float64
        LPS mm of its voxels.
    """

    name: str
    mask: Mask
    found: RegionValues
    places: Array


def sides_of(volume: Volume, left: Mask, right: Mask) -> tuple[Side, Side]:
    """Return both sides, checked.

    Raises
    ------
    OsteotraceError
        If the masks overlap, are swapped, lie off the volume or in another frame of
        reference.
    """
    sides = []
    for name, mask in (("left", left), ("right", right)):
        found = region_values.read(volume, mask)
        start = [side.start for side in found.box]
        places = volume.grid.to_patient(np.argwhere(found.inside) + start)
        sides.append(Side(name=name, mask=mask, found=found, places=places))
    shared = int((left.on(volume.grid) & right.on(volume.grid)).sum())
    if shared:
        raise OsteotraceError(
            f"left and right masks that share {shared} voxels",
            expected="two masks that do not overlap",
            advice="cut the bone at the midline",
        )
    first, second = sides
    if first.found.centre[0] < second.found.centre[0]:
        raise OsteotraceError(
            "a left mask on the patient's right of the right one",
            expected="the patient's own sides: +x is left in LPS",
            advice="swap the masks, and check the sides against the image's letters",
            usage=True,
        )
    return first, second


def side_doubts(
    volume: Volume, sides: tuple[Side, Side], plane: SymmetryPlane
) -> list[str]:
    """Return what speaks against any comparison of the sides."""
    found = list(plane_doubts(plane))
    gap = float(volume.grid.spacing[0])
    if gap > region_values.THICK_SLICES_MM:
        most = region_values.THICK_SLICES_MM
        found.append(f"slices of {gap:.1f} mm: over {most} mm {COARSE}")
    for side, sign in zip(sides, (1, -1), strict=True):
        across = float((sign * plane.distance(side.places) < 0).mean())
        if across > MOST_ACROSS:
            found.append(f"{100 * across:.0f} % of the {side.name} mask lies across")
        found += region_values.metal_doubts(volume, side.found, f"{side.name} bone")
        if side.found.count == 1:
            found.append(f"the {side.name} bone is a single voxel")
    return found
