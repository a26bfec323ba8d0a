"""Volumes as SimpleITK images and as NRRD and NIfTI files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from osteotrace.volume.carrier import Volume


def to_image(volume: Volume, box: tuple[slice, slice, slice] | None = None) -> Any:
    """Return a volume as a `SimpleITK.Image` of rescaled values, geometry in LPS mm.

    Integer where every rescaled value is whole, else float32. Frame of reference and
    SOP instances do not fit into an image of that kind and are left behind.

    Parameters
    ----------
    volume : Volume
        Regular: SimpleITK knows one spacing and one direction a volume.
    box : three slices, optional
        The part wanted, (slice, row, column), with plain starts and ends.
    """
    import SimpleITK

    box = box or (slice(0, None), slice(0, None), slice(0, None))
    image = SimpleITK.GetImageFromArray(_as_pixels(volume, box))
    affine = volume.grid.affine()
    # SimpleITK orders axes column, row, slice.
    steps = affine[:3, [2, 1, 0]]
    spacing = np.linalg.norm(steps, axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((steps / spacing).ravel().tolist())
    image.SetOrigin(volume.grid.to_patient([part.start for part in box]).tolist())
    return image


def write_image(volume: Volume, path: Path) -> None:
    """Write a volume as `to_image` gives it, in the format that the name ends in.

    Parameters
    ----------
    volume : Volume
        Regular.
    path : Path
        Ends in ``.nrrd``, ``.nii`` or ``.nii.gz``; an existing file is replaced.

    Raises
    ------
    OsteotraceError
        If the file does not come back as it was meant, for want of room say.
    """
    import SimpleITK

    image = to_image(volume)
    try:
        SimpleITK.WriteImage(image, str(path), True)
        # Some writers leave a file cut off and say nothing of it.
        back = SimpleITK.ReadImage(str(path))
    except RuntimeError as problem:
        raise _not_written(str(problem).strip().splitlines()[-1]) from problem
    pixels = (SimpleITK.GetArrayViewFromImage(one) for one in (image, back))
    if not np.array_equal(*pixels):
        raise _not_written("it reads back differently")


def _not_written(reason: str) -> OsteotraceError:
    return OsteotraceError(
        f"an image that could not be written whole ({reason})",
        expected="room for the file and the right to write it",
        advice="make room or choose another place",
    )


def _as_pixels(volume: Volume, box: tuple[slice, slice, slice]) -> NDArray[Any]:
    slope, intercept = volume.slope[box[0]], volume.intercept[box[0]]
    if (slope % 1 != 0).any() or (intercept % 1 != 0).any():
        return volume.rescaled(box).astype(np.float32)
    whole = volume.voxels[box].astype(np.int32)
    whole *= slope.astype(np.int32)[:, None, None]
    whole += intercept.astype(np.int32)[:, None, None]
    limits = np.iinfo(np.int16)
    fits = whole.min() >= limits.min and whole.max() <= limits.max
    return whole.astype(np.int16) if fits else whole
