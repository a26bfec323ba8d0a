"""One volume of a series: read-only voxels on their grid, as stored.

`load` reads the pixels of a volume whose verdict allows it, strictly; anything else is
refused with what was found. Voxels keep their stored integer type, with slope and
intercept beside them; `Volume.sample` hands out values in the rescaled unit at any
patient point. Measuring is elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray
    from pydicom import Dataset

    from osteotrace.geometry import Array, Grid
    from osteotrace.series import Instance, SeriesIdentity, VolumeHeader

HOUNSFIELD: Final = "[hnsf'U]"
ARBITRARY: Final = "1"
# No detector gives a larger slice; a damaged header may claim one.
MAX_SLICE_PIXELS: Final = 8192 * 8192

_ADVICE: Final = {
    "tilted": "a tilted stack is not measured yet; use an untilted reconstruction",
    "uneven": "an unevenly spaced stack is not measured yet; use an even one",
    "missing_slices": "fetch the missing slices from the archive",
    "duplicate_positions": "give one acquisition (one time point, one echo) alone",
    "single_slice": "give the whole series; one slice has no extent across it",
    "localizer": "choose the series that the localizer was made for",
    "projection": "radiographs have no patient space; choose a CT or MR series",
    "not_an_image": "choose a CT or MR image series",
    "no_spacing": "without PixelSpacing (0028,0030) no mm exist; use the original scan",
    "unreadable": "use single-frame CT or MR images",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Volume:
    """Voxels with their place in the patient.

    Parameters
    ----------
    voxels : (slices, rows, columns) integer array, read-only
        Stored values.
    grid : Grid
        Where they lie.
    slope, intercept : (slices,) float64
        Rescale Slope and Intercept (0028,1053), (0028,1052) of each slice.
    unit : str
        UCUM unit of the rescaled values; ``"1"`` for MR signal.
    frame_of_reference_uid : str
        FrameOfReferenceUID (0020,0052).
    instances : tuple of Instance
        The image of each slice, in slice order.
    identity : SeriesIdentity
        The series.
    """

    voxels: NDArray[Any] = field(repr=False)
    grid: Grid
    slope: Array = field(repr=False)
    intercept: Array = field(repr=False)
    unit: str
    frame_of_reference_uid: str
    instances: tuple[Instance, ...] = field(repr=False)
    identity: SeriesIdentity

    def __post_init__(self) -> None:
        self.voxels.setflags(write=False)
        if self.voxels.shape != self.grid.shape:
            raise ValueError(f"voxels {self.voxels.shape}, grid {self.grid.shape}")

    def rescaled(self, window: tuple[slice, slice, slice] | None = None) -> Array:
        """Return values in `unit`, (slices, rows, columns) float64, of a window."""
        box = window or (slice(None), slice(None), slice(None))
        slope = self.slope[box[0]][:, None, None]
        intercept = self.intercept[box[0]][:, None, None]
        return np.asarray(self.voxels[box] * slope + intercept, dtype=np.float64)

    def slices_between(self, points: ArrayLike) -> tuple[Instance, ...]:
        """Return the instances that (n, 3) LPS mm points lie on or between."""
        at = np.round(self.grid.to_index(points)[..., 0])
        last = len(self.instances) - 1
        low, high = np.clip([at.min(), at.max()], 0, last).astype(int)
        return self.instances[low : high + 1]


def load(header: VolumeHeader) -> Volume:
    """Read the pixels of a volume.

    Parameters
    ----------
    header : VolumeHeader
        From `osteotrace.series.scan`; its verdict must be ``regular``.

    Returns
    -------
    Volume

    Raises
    ------
    OsteotraceError
        If the verdict forbids it, a slice cannot be decoded, is not grey-scale, or is
        shorter than its header says.
    """
    if header.verdicts != ("regular",) or header.grid is None:
        raise _refused(header)
    if not header.frame_of_reference_uid:
        raise OsteotraceError(
            "no FrameOfReferenceUID (0020,0052)",
            expected="one on every slice",
            advice="use the series as the scanner sent it",
            where=str(header.instances[0].path),
        )
    slices = [_read_slice(instance) for instance in header.instances]
    hounsfield = all(s.hounsfield for s in slices) and header.identity.modality == "CT"
    return Volume(
        voxels=_stacked([s.pixels for s in slices]),
        grid=header.grid,
        slope=np.array([s.slope for s in slices]),
        intercept=np.array([s.intercept for s in slices]),
        unit=HOUNSFIELD if hounsfield else ARBITRARY,
        frame_of_reference_uid=header.frame_of_reference_uid,
        instances=header.instances,
        identity=header.identity,
    )


def _refused(header: VolumeHeader) -> OsteotraceError:
    bad = [verdict for verdict in header.verdicts if verdict != "regular"]
    return OsteotraceError(
        f"a volume that is {' and '.join(bad)} "
        f"(series {header.identity.series_uid}, volume {header.k})",
        expected="evenly spaced parallel slices of one CT or MR acquisition",
        advice="; ".join(_ADVICE[verdict] for verdict in bad),
        where=str(header.instances[0].path.parent),
    )


class _Slice(NamedTuple):
    pixels: NDArray[Any]
    slope: float
    intercept: float
    hounsfield: bool


def _read_slice(instance: Instance) -> _Slice:
    from pydicom import dcmread

    try:
        dataset = dcmread(instance.path)
        _check_pixels(instance, dataset)
        pixels = dataset.pixel_array
        slope = _rescale(instance, dataset, "RescaleSlope", 1.0)
        intercept = _rescale(instance, dataset, "RescaleIntercept", 0.0)
        # Without a rescale the numbers are whatever the scanner stored (PS3.3 C.8.2.1).
        rescaled = "RescaleIntercept" in dataset
        hounsfield = rescaled and dataset.get("RescaleType", "HU") in ("", "HU")
    except OsteotraceError:
        raise
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise _undecodable(instance, reason) from problem
    # A truncated or damaged image raises whatever its decoder raises: one boundary.
    except Exception as problem:
        raise _undecodable(instance, f"{type(problem).__name__}: {problem}") from (
            problem
        )
    if pixels.shape != (instance.rows, instance.columns):
        raise _undecodable(instance, f"pixels of shape {pixels.shape}")
    return _Slice(pixels, slope, intercept, hounsfield)


def _rescale(instance: Instance, dataset: Dataset, keyword: str, absent: float) -> float:
    """Return a number of the rescale, ``absent`` where the image states none."""
    value = dataset.get(keyword)
    if value is None:
        return absent
    number = float(value)
    slope = keyword == "RescaleSlope"
    if not math.isfinite(number) or (slope and number == 0):
        tag = "(0028,1053)" if slope else "(0028,1052)"
        raise OsteotraceError(
            f"a {keyword} {tag} of {number:g}",
            expected="a finite number other than zero" if slope else "a finite number",
            advice="use the series as the scanner sent it",
            where=str(instance.path),
        )
    return number


def _check_pixels(instance: Instance, dataset: Dataset) -> None:
    """Refuse what is no grey-scale slice before a byte of it is decoded."""
    if instance.rows * instance.columns > MAX_SLICE_PIXELS:
        raise _undecodable(instance, "larger than any slice")
    frames = dataset.get("NumberOfFrames") or 1
    if int(frames) != 1:
        raise _undecodable(instance, f"{frames} frames in one image")
    colour = str(dataset.get("PhotometricInterpretation") or "")
    if not colour.startswith("MONOCHROME"):
        raise _undecodable(instance, f"photometric interpretation {colour or 'missing'}")


def _undecodable(instance: Instance, reason: str) -> OsteotraceError:
    return OsteotraceError(
        f"an image whose pixels cannot be read ({' '.join(reason.split())[:160]})",
        expected=f"{instance.rows} × {instance.columns} grey values in PixelData "
        "(7FE0,0010)",
        advice="the file is damaged or cut off: fetch it again from its source",
        where=str(instance.path),
    )


def _stacked(slices: list[NDArray[Any]]) -> NDArray[Any]:
    common = np.result_type(*{s.dtype for s in slices})
    return np.ascontiguousarray(np.stack(slices).astype(common, copy=False))


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
