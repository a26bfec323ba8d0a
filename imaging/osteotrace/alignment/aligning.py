"""Rigid registration of two studies, refused wherever it is not certain.

From everywhere (`searching`), then nearer and finer (`fitting`), then judged: enough of
both images, independent starts that agree, likeness above the floor of the pair, and no
other place that is nearly as good. What fails one of these is an error with its figures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.alignment.alignment import Alignment, Pair, same_space
from osteotrace.alignment.ending import finished
from osteotrace.alignment.images import Prepared, prepared
from osteotrace.alignment.stages import Pairing, everywhere, nearby
from osteotrace.errors import OsteotraceError
from osteotrace.volume import HOUNSFIELD, Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from osteotrace.geometry import Array
    from osteotrace.regions import Mask

    Progress = Callable[[int, int], None]

# Fewest slices that have an inside to be aligned.
FEWEST_SLICES: Final = 4
# What an image keeps around a region: for its edges, and where it may lie later, mm.
EARLIER_MARGIN_MM, LATER_MARGIN_MM = 6.0, 20.0
# Above this a CT voxel holds more than air; in a line of such voxels, every fourth is
# looked at, and a few are noise.
AIR_HU: Final = -400.0
THINNED, FEWEST_SOLID = 4, 4
PARTS: Final = 100


def pair_of(earlier: Volume, later: Volume) -> Pair:
    """Return which modalities two volumes are, or that they share one frame."""
    frames = earlier.frame_of_reference_uid, later.frame_of_reference_uid
    if frames[0] and frames[0] == frames[1]:
        return "same frame"
    ct = sum(volume.unit == HOUNSFIELD for volume in (earlier, later))
    pairs: tuple[Pair, Pair, Pair] = ("MR-MR", "CT-MR", "CT-CT")
    return pairs[ct]


def align(
    earlier: Volume,
    later: Volume,
    *,
    region: Mask | None = None,
    left_out: Sequence[Mask] = (),
    around: Alignment | None = None,
    name: str = "whole image",
    progress: Progress | None = None,
) -> Alignment:
    """Return the rigid transform from an earlier to a later volume, with its error.

    Parameters
    ----------
    earlier, later : Volume
        CT or MR of one patient, in frames of reference of their own. Two volumes in one
        frame are not registered: nothing moves.
    region : Mask, optional
        What is aligned, on the earlier volume's frame: a jaw, a vertebra. The whole image
        where left out.
    left_out : sequence of Mask
        Lesions, which change between the dates, in either frame.
    around : Alignment, optional
        Of the whole image; the region is then looked for near where that puts it.
    name : str
        What is aligned, in words.
    progress : callable, optional
        Called with the parts done so far and all of them.

    Returns
    -------
    Alignment
        The transform from earlier to later, LPS mm, with its standard uncertainty in mm
        and degrees and what it rests on.

    Raises
    ------
    OsteotraceError
        If the result is not certain, with the reason and the figures.
    """
    if pair_of(earlier, later) == "same frame":
        middle = earlier.grid.corners().mean(axis=0)
        x, y, z = (float(v) for v in middle)
        return same_space(earlier.frame_of_reference_uid, (x, y, z))
    _check_input(earlier, later, region, left_out)
    tell = _telling(progress)
    pairing = _paired(earlier, later, region, left_out, around)
    if around is None:
        return finished(pairing, everywhere(pairing, tell), name=name, tell=tell)
    start = pairing.start(around.transform)
    return finished(
        pairing, nearby(pairing, start, tell), name=name, tell=tell, near=start
    )


def _telling(progress: Progress | None) -> Callable[[float], None]:
    if progress is None:
        return lambda share: None
    return lambda share: progress(min(PARTS, round(PARTS * share)), PARTS)


def _paired(
    earlier: Volume,
    later: Volume,
    region: Mask | None,
    left_out: Sequence[Mask],
    around: Alignment | None,
) -> Pairing:
    """Return both studies made ready, cut down to where the region is and may be."""
    pair = pair_of(earlier, later)
    if region is not None:
        corners = region.grid.corners()
        earlier = _cut(earlier, corners, EARLIER_MARGIN_MM, region)
        if around is not None:
            there = around.transform.apply(corners)
            later = _cut(later, there, LATER_MARGIN_MM, region)
    earlier, later = _body(earlier), _body(later)
    made: list[Prepared] = []
    for volume, wanted in ((earlier, region), (later, None)):
        frame = volume.frame_of_reference_uid
        made.append(
            prepared(
                volume,
                beside_mr=pair != "CT-CT",
                region=wanted,
                left_out=[m for m in left_out if m.frame_of_reference_uid == frame],
            )
        )
    return Pairing(pair, made[0], made[1])


def _body(volume: Volume) -> Volume:
    """Return the part of a CT that holds more than air; another volume as it is."""
    if volume.unit != HOUNSFIELD or min(volume.grid.shape) < THINNED:
        return volume
    thin = volume.voxels[:, ::THINNED, ::THINNED] * volume.slope[:, None, None]
    solid = thin + volume.intercept[:, None, None] > AIR_HU
    box = [slice(0, volume.grid.shape[0])]
    for axis, count in ((1, volume.grid.rows), (2, volume.grid.columns)):
        filled = solid.sum(axis=tuple({0, 1, 2} - {axis})) >= FEWEST_SOLID
        where = np.flatnonzero(filled)
        if len(where) == 0:
            return volume
        last = (int(where[-1]) + 2) * THINNED + 1
        box.append(slice(max(int(where[0]) - 2, 0) * THINNED, min(last, count)))
    return volume.cropped((box[0], box[1], box[2]))


def _cut(volume: Volume, points: Array, margin: float, region: Mask) -> Volume:
    box = volume.grid.box_around(points, margin)
    if any(side.stop - side.start < FEWEST_SLICES for side in box):
        raise OsteotraceError(
            f"a region ({region.role}) that lies outside one of the studies",
            expected="two studies that show it",
            advice="align another region, or choose studies that hold this one",
        )
    return volume.cropped(box)


def _check_input(
    earlier: Volume, later: Volume, region: Mask | None, left_out: Sequence[Mask]
) -> None:
    frames = []
    for which, volume in (("earlier", earlier), ("later", later)):
        where = f"the {which} series"
        frames.append(volume.frame_of_reference_uid)
        if not volume.frame_of_reference_uid:
            raise OsteotraceError(
                f"{where} without a frame of reference",
                expected="images with a FrameOfReferenceUID (0020,0052)",
                advice="choose a series that lies in patient space; a radiograph or a "
                "secondary capture cannot be aligned",
            )
        if len(volume.grid.origins) < FEWEST_SLICES:
            raise OsteotraceError(
                f"{where} of {len(volume.grid.origins)} slices",
                expected=f"a volume of {FEWEST_SLICES} slices or more",
                advice="choose the whole series; a localizer or a few slices have no "
                "inside that could be aligned",
            )
    if region is not None and region.frame_of_reference_uid != frames[0]:
        raise _foreign(region, frames[:1])
    for mask in left_out:
        if mask.frame_of_reference_uid not in frames:
            raise _foreign(mask, frames)


def _foreign(mask: Mask, frames: list[str]) -> OsteotraceError:
    return OsteotraceError(
        f"a mask ({mask.role}) in the frame of reference {mask.frame_of_reference_uid}",
        expected=f"one in {' or '.join(frames)}",
        advice="give masks of these two studies",
        usage=True,
    )
