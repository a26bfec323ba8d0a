"""Labels that nobody has drawn in a file: of the image itself, a program, or readings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.regions import Mask
from osteotrace.segmentation import marked, thresholds, totalsegmentator
from osteotrace.segmentation.label_maps import Label, LabelMap
from osteotrace.segmentation.label_names import standard_name
from osteotrace.volume import HOUNSFIELD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from osteotrace.findings import Assessment
    from osteotrace.protocol.entry import Where
    from osteotrace.protocol.mask_sources import Program, Threshold
    from osteotrace.volume import Volume

    Region = Callable[[Volume, Where, str], Mask]

# The task that draws bodies or bones on images of a modality.
_TASKS: Final = {"CT": "total", "MR": "total_mr"}
# What a saved finding calls the region that stands for it, where it has several.
MAIN_ROLES: Final = ("marked region", "region", "edema", "lesion", "vertebral body", "")


def threshold_labels(
    volume: Volume, threshold: Threshold, region: Region
) -> tuple[Label, str]:
    """Return the label that an image gives by itself, and how, in words.

    Parameters
    ----------
    volume : Volume
    threshold : Threshold
    region : callable
        Returns the voxels of a place, as `StudyImages.region`.

    Raises
    ------
    OsteotraceError
        If no voxel is left, or as `thresholds.bone`.
    """
    within = (
        None
        if threshold.within is None
        else region(volume, threshold.within, threshold.label)
    )
    if threshold.bone:
        if within is None:
            whole = np.ones(volume.grid.shape, dtype=bool)
            within = marked.from_voxels(volume, whole, role=threshold.label)
        mask, found = thresholds.bone(volume, within, role=threshold.label)
        voxels, how = mask.on(volume.grid), f"bone from {found.level:.0f}"
    else:
        voxels, how = _between(volume, threshold), _bounds(threshold)
        if within is not None:
            voxels &= within.on(volume.grid)
    if threshold.largest and voxels.any():
        voxels = _largest(voxels)
    if not voxels.any():
        raise OsteotraceError(
            f"no voxel for the label {threshold.label!r} ({how})",
            expected="an image that holds such values",
            advice="correct the bounds in [[masks.threshold]]",
        )
    unit = "HU" if volume.unit == HOUNSFIELD else "in the image's own values"
    made = marked.from_voxels(volume, voxels, role=threshold.label)
    piece = ", the largest piece" if threshold.largest else ""
    note = (
        f"label {threshold.label!r} by threshold: {how} {unit}{piece}, checked by nobody"
    )
    return _label(1, threshold.label, made), note


def program_labels(volume: Volume, program: Program) -> LabelMap:
    """Return what TotalSegmentator draws on a volume; errors as its ``run``."""
    task = program.task or _TASKS.get(volume.identity.modality, "total")
    return totalsegmentator.run(
        volume, task=task, device=program.device, most_seconds=program.most_seconds
    )


def reading_labels(volume: Volume, readings: Iterable[Assessment]) -> LabelMap | None:
    """Return the masks of saved readings that lie on a volume, named by their findings.

    A finding's main mask has its name, the others its name and their role; of two
    findings with a name the later reading's is taken. None where there is no mask.
    """
    labels: dict[str, Label] = {}
    ordered = sorted(readings, key=lambda one: one.recorded, reverse=True)
    for reading in ordered:
        for finding in reading.findings:
            masks = [region for region in finding.regions if isinstance(region, Mask)]
            main = main_mask(masks)
            for mask in masks:
                name = finding.label if mask is main else f"{finding.label} {mask.role}"
                placed = _on(volume, mask)
                if placed is not None:
                    labels.setdefault(name, _label(len(labels) + 1, name, placed))
    if not labels:
        return None
    return labels_on(volume, tuple(labels.values()), "of a saved reading")


def main_mask(masks: Sequence[Mask]) -> Mask | None:
    """Return the mask that stands for a finding; None where it has none."""
    by_role = {mask.role: mask for mask in reversed(masks)}
    named = [by_role[role] for role in MAIN_ROLES if role in by_role]
    return next(iter([*named, *masks]), None)


def labels_on(volume: Volume, labels: tuple[Label, ...], *notes: str) -> LabelMap:
    """Return labels as a map on a volume's own voxels."""
    return LabelMap(
        labels=labels,
        grid=volume.grid,
        frame_of_reference_uid=volume.frame_of_reference_uid,
        series_uid=volume.identity.series_uid,
        # No file: nothing that another patient's scan could share.
        source=volume.identity.series_uid,
        notes=notes,
    )


def _label(number: int, name: str, mask: Mask) -> Label:
    return Label(number=number, name=name, standard_name=standard_name(name), mask=mask)


def _on(volume: Volume, mask: Mask) -> Mask | None:
    """Return a mask in the order of a volume's slices; None where it lies elsewhere."""
    frame = mask.frame_of_reference_uid
    if frame and frame != volume.frame_of_reference_uid:
        return None
    try:
        voxels = mask.on(volume.grid)
    except OsteotraceError:
        return None
    return marked.from_voxels(volume, voxels, role=mask.role) if voxels.any() else None


def _between(volume: Volume, threshold: Threshold) -> NDArray[np.bool_]:
    """Return the voxels between two values, slice by slice to keep memory small."""
    low = -np.inf if threshold.above is None else threshold.above
    high = np.inf if threshold.below is None else threshold.below
    slices, rows, columns = volume.grid.shape
    voxels = np.zeros((slices, rows, columns), dtype=bool)
    for k in range(slices):
        window = (slice(k, k + 1), slice(0, rows), slice(0, columns))
        values = volume.rescaled(window)[0]
        voxels[k] = (values >= low) & (values <= high)
    return voxels


def _bounds(threshold: Threshold) -> str:
    low, high = threshold.above, threshold.below
    if low is None or high is None:
        return f"up to {high:g}" if low is None else f"from {low:g}"
    return f"from {low:g} to {high:g}"


def _largest(voxels: NDArray[np.bool_]) -> NDArray[Any]:
    """Return the largest piece of some voxels, neighbours by face, edge or corner."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(voxels.astype(np.uint8))
    pieces = sitk.RelabelComponent(sitk.ConnectedComponent(image, True))
    return np.asarray(sitk.GetArrayViewFromImage(pieces) == 1)
