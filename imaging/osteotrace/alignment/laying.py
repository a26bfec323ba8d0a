"""The later images laid over the earlier ones, to be looked at: nothing is measured."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from osteotrace.alignment.moving import moved_grid
from osteotrace.errors import OsteotraceError
from osteotrace.volume.resampling import lowest_value, resampled

if TYPE_CHECKING:
    from osteotrace.alignment.transform import RigidTransform
    from osteotrace.geometry import Grid
    from osteotrace.volume import Volume


def laid_over(later: Volume, onto: Grid, transform: RigidTransform) -> Volume:
    """Return a later volume on a grid of the earlier study, resampled linearly, once.

    Parameters
    ----------
    later : Volume
    onto : Grid
        Even, in the earlier frame of reference; what the later images do not hold gets
        their lowest value.
    transform : RigidTransform
        From the earlier frame to that of `later`.

    Returns
    -------
    Volume
        In the earlier frame, with a note that it is for looking at, and without the
        images it came from: what lies on it is not a voxel of theirs.

    Raises
    ------
    OsteotraceError
        If the transform does not lead to the later volume's frame.
    """
    if later.frame_of_reference_uid != transform.to_frame_uid:
        raise OsteotraceError(
            f"a volume in the frame of reference {later.frame_of_reference_uid}",
            expected=f"one in {transform.to_frame_uid}, where the transform ends",
            advice="use the transform between these two series",
        )
    there = resampled(
        later,
        moved_grid(onto, transform),
        note="laid over an earlier study, to be looked at: measure on the images",
        fill=lowest_value(later),
    )
    return replace(
        there,
        grid=onto,
        source_grid=onto,
        frame_of_reference_uid=transform.from_frame_uid,
        instances=(),
    )
