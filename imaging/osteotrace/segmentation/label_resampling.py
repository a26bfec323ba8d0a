"""Labels on another grid: each voxel takes a label or not, and the map says how.

Through SimpleITK where one matrix describes each grid, else voxel by voxel between the
true places of the slices. A label whose voxels are those of the image stays as it is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import HALF_VOXEL
from osteotrace.segmentation import marked
from osteotrace.segmentation.label_maps import LabelMap, other_frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.geometry import Grid
    from osteotrace.regions import Mask
    from osteotrace.volume import Volume

METHODS: Final = {
    "nearest": "the label of the nearest voxel",
    "gaussian": "the label with most weight under a Gaussian of 0.8 voxels",
}
# A centre half way between two voxels belongs to the later one, whatever its last digits
# are: this much is added to its index.
TIE: Final = 1e-6
# Empty voxels kept around a label, so that it ends where its own voxels end.
PADDING_VOXELS: Final = 2


def resampled(
    labels: LabelMap,
    volume: Volume,
    method: Literal["nearest", "gaussian"],
    *,
    assume_same_space: bool,
) -> LabelMap:
    """Return labels on the grid of a volume (`LabelMap.resampled_onto`)."""
    _check(labels, volume, method, assume_same_space)
    notes = list(labels.notes)
    if labels.frame_of_reference_uid != volume.frame_of_reference_uid:
        notes.append("labels without a frame of reference taken to lie in the image's")
    kept, lost, moved = [], list(labels.empty), False
    for label in labels:
        mask = _as_it_is(label.mask, volume)
        if mask is None:
            moved = True
            mask = _resampled(label.mask, labels.grid, volume, method)
        if mask is None:
            lost.append(label.name)
        else:
            kept.append(msgspec.structs.replace(label, mask=mask))
    if moved:
        sizes = (_sizes(grid) for grid in (labels.grid, volume.grid))
        notes.append(
            f"labels resampled onto the grid of the image, {' to '.join(sizes)} (slice × "
            f"row × column): {METHODS[method]}"
        )
    if not kept:
        raise OsteotraceError(
            f"{len(labels)} labels, none of which has a voxel in the image",
            expected="labels that lie within the image",
            advice="take the image that they were drawn on",
        )
    return replace(
        labels,
        labels=tuple(kept),
        grid=volume.grid,
        frame_of_reference_uid=volume.frame_of_reference_uid,
        empty=tuple(lost),
        notes=tuple(notes),
    )


def _check(labels: LabelMap, volume: Volume, method: str, assume: bool) -> None:
    if method not in METHODS:
        raise OsteotraceError(
            f"the method {method!r}",
            expected=" or ".join(METHODS),
            advice="choose one of these",
            usage=True,
        )
    own, other = labels.frame_of_reference_uid, volume.frame_of_reference_uid
    # Two files without a frame of reference may be of two patients.
    if (own != other and own) or not (own or assume):
        raise other_frame(own, other)
    even = labels.grid.is_even and volume.grid.is_even
    if method == "gaussian" and not even:
        raise OsteotraceError(
            "unevenly spaced slices",
            expected="even grids for the Gaussian of labels",
            advice="choose the method nearest, or rectify the volume first",
            usage=True,
        )


def _as_it_is(mask: Mask, volume: Volume) -> Mask | None:
    """Return a mask whose voxels are those of the image with the image's own sources."""
    try:
        voxels = mask.on(volume.grid)
    except OsteotraceError:
        return None
    return marked.from_voxels(volume, voxels, role=mask.role)


def _resampled(mask: Mask, grid: Grid, volume: Volume, method: str) -> Mask | None:
    """Return a mask on the grid of the image; None where no voxel is left of it.

    ``grid`` is that of all labels: a mask in one slice knows no gap to the next one.
    """
    if len(grid.origins) < 2:
        raise OsteotraceError(
            "labels of one slice, whose extent across it is unknown",
            expected="labels of two slices or more, or on the grid of the image",
            advice="read them with the image that they were drawn on",
        )
    first = np.round(grid.to_index(mask.grid.origins[0])) - PADDING_VOXELS
    voxels = np.pad(mask.voxels, PADDING_VOXELS).astype(np.uint8)
    picks = np.indices((2, 2, 2)).reshape(3, -1).T
    corners = grid.to_patient(first + picks * (np.array(voxels.shape) - 1))
    box = volume.grid.box_around(corners, 0.0)
    target = [side.stop - side.start for side in box]
    if min(target) < 1:
        return None
    window = volume.grid.cropped(box)
    through = _even if grid.is_even and window.is_even else _uneven
    inside = through(voxels, grid, first, window, method)
    if not inside.any():
        return None
    return marked.in_window(volume, inside, box, role=mask.role)


def _even(
    voxels: NDArray[Any], grid: Grid, first: NDArray[Any], window: Grid, method: str
) -> NDArray[np.bool_]:
    import SimpleITK as sitk

    to_source = np.linalg.inv(grid.affine()) @ window.affine()
    to_source[:3, 3] += TIE - first
    transform = sitk.AffineTransform(3)
    # SimpleITK counts (column, row, slice): rows and columns are reversed.
    transform.SetMatrix(to_source[2::-1, 2::-1].ravel().tolist())
    transform.SetTranslation(to_source[2::-1, 3].tolist())
    resample = sitk.ResampleImageFilter()
    resample.SetSize(window.shape[::-1])
    resample.SetTransform(transform)
    nearest = method == "nearest"
    resample.SetInterpolator(
        sitk.sitkNearestNeighbor if nearest else sitk.sitkLabelGaussian
    )
    moved = resample.Execute(sitk.GetImageFromArray(voxels))
    return np.asarray(sitk.GetArrayFromImage(moved) != 0)


def _uneven(
    voxels: NDArray[Any], grid: Grid, first: NDArray[Any], window: Grid, method: str
) -> NDArray[np.bool_]:
    out = np.zeros(window.shape, dtype=bool)
    index = np.empty((window.rows, window.columns, 3))
    index[..., 1:] = np.moveaxis(np.indices(index.shape[:2]), 0, -1)
    for k, plane in enumerate(out):
        index[..., 0] = k
        at = grid.to_index(window.to_patient(index)) - first
        nearest = np.floor(at + HALF_VOXEL + TIE).astype(np.intp)
        inside = ((nearest >= 0) & (nearest < voxels.shape)).all(axis=-1)
        plane[inside] = voxels[tuple(nearest[inside].T)] != 0
    return out


def _sizes(grid: Grid) -> str:
    return " × ".join(f"{mm:.3g}" for mm in grid.spacing) + " mm"
