"""Volumes as SimpleITK images, and NRRD, NIfTI and MetaImage files, out and in.

Outside, every volume is rectilinear: tilted and uneven ones are resampled first, and the
volume that was written says so. Inside, every point is patient LPS in mm.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import distance
from osteotrace.pseudonym import pseudonym
from osteotrace.series.instances import SeriesIdentity
from osteotrace.volume import nifti, nrrd
from osteotrace.volume.carrier import ARBITRARY, Volume
from osteotrace.volume.resampling import rectified, rectilinear_affine

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from osteotrace.geometry import Grid
    from osteotrace.volume.stored_image import StoredImage

# What `open_image` opens, by the end of the name.
READERS: Final[dict[str, Callable[[Path], StoredImage]]] = {
    ".nii": nifti.read,
    ".nii.gz": nifti.read,
    ".nrrd": nrrd.read,
    ".nhdr": nrrd.read,
    ".mha": nrrd.read_metaimage,
}
# A file written and read back may move no corner by more than this, mm: NIfTI holds
# places as float32, good to 0.00003 mm within half a metre of the origin.
WRITTEN_MM: Final = 1e-3


def to_image(volume: Volume) -> Any:
    """Return a volume as a `SimpleITK.Image` of rescaled values, geometry in LPS mm.

    SimpleITK knows one spacing and right angles only: a tilted or uneven volume is
    rectified first (`osteotrace.volume.resampling.rectified`). Integer where every
    rescaled value is whole, else float32. Frame of reference and SOP instances do not
    fit into an image of that kind and are left behind; notes go along as metadata.

    Parameters
    ----------
    volume : Volume

    Returns
    -------
    SimpleITK.Image
        Its size is (columns, rows, slices), as SimpleITK counts.

    Raises
    ------
    OsteotraceError
        If it is a single slice.
    """
    import SimpleITK

    volume = rectified(volume)
    affine = rectilinear_affine(volume.grid)
    if affine is None:
        raise ValueError("a rectified volume is rectilinear")
    image = SimpleITK.GetImageFromArray(_as_pixels(volume))
    # SimpleITK orders axes column, row, slice.
    steps = affine[:3, [2, 1, 0]]
    spacing = np.linalg.norm(steps, axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((steps / spacing).ravel().tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    if volume.notes:
        image.SetMetaData(nrrd.NOTES_KEY, nrrd.NOTES_DIVIDER.join(volume.notes))
    return image


def write_image(volume: Volume, path: Path) -> Volume:
    """Write a volume as `to_image` gives it, in the format that the name ends in.

    Parameters
    ----------
    volume : Volume
    path : Path
        Ends in ``.nrrd``, ``.nii``, ``.nii.gz`` or ``.mha``; an existing file is
        replaced.

    Returns
    -------
    Volume
        What was written: the volume itself, or the rectified one, whose notes say so.

    Raises
    ------
    OsteotraceError
        If it is a single slice, or the file does not come back as it was meant, for
        want of room say.
    """
    import SimpleITK

    written = rectified(volume)
    image = to_image(written)
    try:
        SimpleITK.WriteImage(image, str(path), True)
        # Some writers leave a file cut off and say nothing of it.
        back = SimpleITK.ReadImage(str(path))
    except RuntimeError as problem:
        raise _not_written(str(problem).strip().splitlines()[-1]) from problem
    pixels = [SimpleITK.GetArrayViewFromImage(one) for one in (image, back)]
    floats = pixels[0].dtype.kind == "f"
    if not np.array_equal(pixels[0], pixels[1], equal_nan=floats):
        raise _not_written("it reads back differently")
    for corner in np.ndindex(2, 2, 2):
        index = [n * (size - 1) for n, size in zip(corner, image.GetSize(), strict=True)]
        places = (one.TransformIndexToPhysicalPoint(index) for one in (image, back))
        if distance(*places) > WRITTEN_MM:
            raise _not_written("it reads back elsewhere")
    return written


def open_image(
    path: Path | str, *, unit: str | None = None, like: Volume | None = None
) -> Volume:
    """Open a NIfTI, NRRD or MetaImage file as a volume.

    Such a file knows neither patient nor images: its findings live in JSON and tables,
    unless it lies on the grid of a DICOM volume. RAS becomes LPS on the way in; nothing
    is interpolated, and a sheared image is a tilted stack.

    Parameters
    ----------
    path : Path or str
        Ends in ``.nii``, ``.nii.gz``, ``.nrrd``, ``.nhdr`` or ``.mha``.
    unit : str, optional
        UCUM unit of the values, such as ``"[hnsf'U]"``; as a rule ``"1"``, unknown.
    like : Volume, optional
        A DICOM volume. Where the file has its grid, up to the order and the direction
        of the axes, frame of reference, identity and images are taken from it and the
        voxels put in its order; else a note says how it differs.

    Returns
    -------
    Volume

    Raises
    ------
    OsteotraceError
        If the file cannot be read, is no volume of grey values, or has no place in a
        patient.
    """
    path = Path(path)
    reader = _reader(path)
    try:
        image = reader(path)
        matched = image.on(like.grid) if like is not None else None
        if like is not None and matched is not None:
            return _volume_of(matched, like.grid, unit, like=like)
        ordered, grid = image.as_slices()
    except OsteotraceError as problem:
        raise OsteotraceError(
            problem.found,
            expected=problem.expected,
            advice=problem.advice,
            where=str(path),
        ) from problem
    except (OSError, MemoryError) as problem:
        reason = getattr(problem, "strerror", None) or "more voxels than fit into memory"
        raise OsteotraceError(
            f"a file that cannot be read ({reason})",
            expected="an image file and the right to read it",
            advice="check the path, the permissions and the size",
            where=str(path),
        ) from problem
    volume = _volume_of(ordered, grid, unit, description=path.name)
    if like is None:
        return volume
    return replace(volume, notes=(*volume.notes, _unlike(grid, like)))


def _reader(path: Path) -> Callable[[Path], StoredImage]:
    name = path.name.lower()
    for ending, reader in READERS.items():
        if name.endswith(ending):
            return reader
    raise OsteotraceError(
        f"the file name {path.name!r}",
        expected="an image file: a name that ends in " + ", ".join(READERS),
        advice="give a DICOM folder, or an image in one of these formats",
        where=str(path),
        usage=True,
    )


def _volume_of(
    image: StoredImage,
    grid: Grid,
    unit: str | None,
    *,
    description: str = "",
    like: Volume | None = None,
) -> Volume:
    voxels = image.voxels
    if voxels.dtype.kind == "f":
        voxels = voxels.astype(np.float32, copy=False)
    nobody = SeriesIdentity(
        study_uid="",
        series_uid="",
        modality="",
        description=description,
        date="",
        patient=pseudonym(""),
        patient_id="",
    )
    return Volume(
        voxels=np.ascontiguousarray(voxels),
        grid=grid,
        slope=np.full(len(voxels), image.slope),
        intercept=np.full(len(voxels), image.intercept),
        unit=unit or ARBITRARY,
        frame_of_reference_uid=like.frame_of_reference_uid if like else "",
        instances=like.instances if like else (),
        identity=like.identity if like else nobody,
        notes=image.notes,
        source_grid=like.source_grid if like else None,
    )


def _unlike(grid: Grid, like: Volume) -> str:
    """Say how a grid differs from that of a volume it was to lie on."""
    if sorted(grid.shape) != sorted(like.grid.shape):
        sizes = [" × ".join(map(str, shape)) for shape in (grid.shape, like.grid.shape)]
        how = f"{sizes[0]} voxels, not {sizes[1]}"
    else:
        apart = grid.corners()[:, None] - like.grid.corners()
        farthest = np.linalg.norm(apart, axis=-1).min(axis=0).max()
        how = f"corners up to {farthest:.2f} mm off"
    return f"not on the grid of the DICOM volume ({how}): frame of reference unknown"


def _not_written(reason: str) -> OsteotraceError:
    return OsteotraceError(
        f"an image that could not be written whole ({reason})",
        expected="room for the file and the right to write it",
        advice="make room or choose another place",
    )


def _as_pixels(volume: Volume) -> NDArray[Any]:
    """Return the rescaled values in the smallest type that holds them all."""
    slope, intercept, voxels = volume.slope, volume.intercept, volume.voxels
    whole = (slope % 1 == 0).all() and (intercept % 1 == 0).all()
    kind = _integer_for(volume) if whole and voxels.dtype.kind != "f" else None
    if kind is None:
        pixels = np.empty(voxels.shape, dtype=np.float32)
        for k in range(len(pixels)):
            pixels[k] = volume.rescaled((slice(k, k + 1), slice(None), slice(None)))[0]
        return pixels
    # Steps beyond the type wrap round and come back: only the results must fit.
    result: NDArray[Any] = voxels.astype(kind)
    steps: NDArray[Any] = np.stack([slope, intercept]).astype(np.int64).astype(kind)
    result *= steps[0, :, None, None]
    result += steps[1, :, None, None]
    return result


def _integer_for(volume: Volume) -> type[np.signedinteger[Any]] | None:
    """Return the smallest type that holds all rescaled values, None where none does."""
    voxels = volume.voxels
    ends = np.stack([voxels.min(axis=(1, 2)), voxels.max(axis=(1, 2))])
    reached = ends * volume.slope + volume.intercept
    low, high = reached.min(), reached.max()
    for kind in (np.int16, np.int32, np.int64):
        limits = np.iinfo(kind)
        if limits.min <= low and high < limits.max:
            return kind
    return None
