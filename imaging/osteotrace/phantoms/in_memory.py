"""Phantoms that never touch a disk: scenes as volumes in memory, with true masks.

Benchmarks and tests repeat a phantom hundreds of times; `photograph` gives one repeat of
a scene as the volume that loading it would give, and `true_mask` the voxels whose centre
lies in a shape.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from osteotrace.geometry import Grid
from osteotrace.phantoms.rendering import Pose, correlated_noise, render
from osteotrace.regions import Mask
from osteotrace.series.instances import (
    ImageAttributes,
    Instance,
    PixelFormat,
    SeriesIdentity,
)
from osteotrace.volume import ARBITRARY, HOUNSFIELD, Volume

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from osteotrace.geometry import Array
    from osteotrace.phantoms.rendering import Level, Part
    from osteotrace.phantoms.shapes import Shape

FRAME_OF_REFERENCE_UID: Final = "2.25.2"
_IN_MEMORY: Final = PixelFormat(
    transfer_syntax="",
    bits_allocated=16,
    bits_stored=16,
    signed=True,
    samples=1,
    photometric="MONOCHROME2",
)


def straight_grid(
    extent_mm: Sequence[float], spacing_mm: Sequence[float], *, centre: Sequence[float]
) -> Grid:
    """Return an even axial grid, rows along +y and columns along +x, slices along +z.

    Parameters
    ----------
    extent_mm : (x, y, z)
        mm that it covers; rounded to whole voxels.
    spacing_mm : (slice, row, column)
        mm between voxels.
    centre : (x, y, z)
        LPS mm of its middle.
    """
    spacing = np.array(spacing_mm, dtype=np.float64)
    size = np.round(np.array(extent_mm) / spacing[::-1]).astype(int)
    columns, rows, slices = (int(n) for n in size)
    first = np.array(centre) - 0.5 * (size - 1) * spacing[::-1]
    heights = spacing[0] * np.arange(slices)
    return Grid(
        row_direction=np.array([1.0, 0.0, 0.0]),
        column_direction=np.array([0.0, 1.0, 0.0]),
        pixel_spacing=spacing[1:],
        origins=first + heights[:, None] * np.array([0.0, 0.0, 1.0]),
        rows=rows,
        columns=columns,
    )


def photograph(
    parts: Sequence[Part],
    levels: Mapping[str, Level],
    grid: Grid,
    *,
    pose: Pose | None = None,
    background: str = "soft tissue",
    blur_mm: float = 0.6,
    noise: float = 30.0,
    correlation_fwhm_mm: Sequence[float] = (0.0, 0.0, 0.0),
    modality: str = "CT",
    subsamples: Sequence[int] = (3, 3, 3),
    seed: int = 0,
) -> Volume:
    """Return one repeat of a scene as a volume.

    Parameters
    ----------
    parts, levels, grid, background, subsamples
        As in `osteotrace.phantoms.rendering.render`.
    pose : Pose, optional
        Where the anatomy lies; at the origin, unturned, by default.
    blur_mm : float
        Sigma of the isotropic point spread; the voxel's own box comes on top.
    noise : float
        SD of the noise, HU or signal; Rician on MR.
    correlation_fwhm_mm : (slice, row, column)
        Full width at half maximum of its autocorrelation; zeros for white noise.
    seed : int
        Of the noise.
    """
    clean = render(
        parts,
        levels,
        grid,
        pose or Pose.turned(),
        background=background,
        psf_sigma_mm=(blur_mm, blur_mm, blur_mm),
        subsamples=subsamples,
    )
    return noisy(
        clean,
        grid,
        noise=noise,
        correlation_fwhm_mm=correlation_fwhm_mm,
        modality=modality,
        seed=seed,
    )


def noisy(
    clean: Array,
    grid: Grid,
    *,
    noise: float,
    correlation_fwhm_mm: Sequence[float] = (0.0, 0.0, 0.0),
    modality: str = "CT",
    seed: int = 0,
) -> Volume:
    """Return a noise-free image with one draw of noise, as a volume.

    Parameters as in `photograph`: render once, draw often.
    """

    def field(channel: int) -> Array:
        return correlated_noise(
            grid.shape,
            grid.spacing,
            sd=noise,
            correlation_fwhm_mm=correlation_fwhm_mm,
            seed=2 * seed + channel,
        )

    values = clean + field(0)
    if modality == "MR":
        values = np.hypot(values, field(1))
    return as_volume(values, grid, modality)


def true_mask(
    shape: Shape, grid: Grid, *, pose: Pose | None = None, role: str = "truth"
) -> Mask:
    """Return the voxels of a grid whose centre lies in a shape."""
    index = np.moveaxis(np.indices(grid.shape), 0, -1).reshape(-1, 3)
    points = (pose or Pose.turned()).to_anatomy(grid.to_patient(index))
    return Mask.of(
        (shape(points) <= 0).reshape(grid.shape),
        grid,
        role=role,
        frame_of_reference_uid=FRAME_OF_REFERENCE_UID,
        source_instances=tuple(_sop_uid(k) for k in range(grid.shape[0])),
    )


def of_study(volume: Volume, number: int, *, date: str = "") -> Volume:
    """Return a volume as that of another study: own UIDs, own frame of reference.

    Parameters
    ----------
    volume : Volume
    number : int
        From 1; the same number gives the same UIDs.
    date : str
        ISO 8601.
    """
    frame = frame_uid(number)
    instances = tuple(
        msgspec.structs.replace(
            image,
            sop_instance_uid=f"{image.sop_instance_uid}.{number}",
            attributes=msgspec.structs.replace(
                image.attributes, frame_of_reference_uid=frame
            ),
        )
        for image in volume.instances
    )
    identity = msgspec.structs.replace(
        volume.identity, study_uid=f"2.25.3.{number}", series_uid=f"2.25.4.{number}"
    )
    return replace(
        volume,
        frame_of_reference_uid=frame,
        instances=instances,
        identity=msgspec.structs.replace(identity, date=date),
    )


def mask_of_study(mask: Mask, volume: Volume) -> Mask:
    """Return a mask as one on the images of a study (`of_study`)."""
    return msgspec.structs.replace(
        mask,
        frame_of_reference_uid=volume.frame_of_reference_uid,
        source_instances=tuple(image.source for image in volume.instances),
    )


def frame_uid(number: int) -> str:
    """Return the frame of reference of a numbered study (`of_study`)."""
    return f"{FRAME_OF_REFERENCE_UID}.{number}"


def _sop_uid(k: int) -> str:
    return f"2.25.1.{k + 1}"


def as_volume(values: Array, grid: Grid, modality: str = "CT") -> Volume:
    """Return (slices, rows, columns) grey values, rounded to integers, as a volume."""
    attributes = ImageAttributes(
        sop_class_uid="",
        rows=grid.rows,
        columns=grid.columns,
        frame_of_reference_uid=FRAME_OF_REFERENCE_UID,
        image_type=(),
        orientation=(*grid.row_direction.tolist(), *grid.column_direction.tolist()),
        pixel_spacing=tuple(grid.pixel_spacing.tolist()),
        format=_IN_MEMORY,
    )
    instances = tuple(
        Instance(
            file=f"slice-{k}",
            stamp=(0, 0),
            sop_instance_uid=_sop_uid(k),
            frame=0,
            number=k,
            position=tuple(origin),
            attributes=attributes,
        )
        for k, origin in enumerate(grid.origins.tolist())
    )
    identity = SeriesIdentity(
        study_uid="2.25.3",
        series_uid="2.25.4",
        modality=modality,
        description="phantom",
        date="",
        patient="P-UNKNOWN",
        patient_id="",
    )
    return Volume(
        voxels=np.round(values).astype(np.int16),
        grid=grid,
        slope=np.ones(len(values)),
        intercept=np.zeros(len(values)),
        unit=HOUNSFIELD if modality == "CT" else ARBITRARY,
        frame_of_reference_uid=FRAME_OF_REFERENCE_UID,
        instances=instances,
        identity=identity,
    )
