"""The true masks of a scan as a DICOM Segmentation beside it.

Binary segments on the very grid of the images (PS3.3 A.51): what a measurement takes its
masks from, so that a study is measured from what lies in its own folder.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.about import SOFTWARE_NAME, VERSION
from osteotrace.codes import LATERALITIES, Concept
from osteotrace.phantoms.dicom_series import STUDY_TIME, file_meta, uid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from highdicom.seg import SegmentDescription
    from highdicom.sr.coding import CodedConcept
    from numpy.typing import NDArray
    from pydicom import Dataset

    from osteotrace.phantoms.dicom_series import SeriesLabel
    from osteotrace.phantoms.scans import Scan, Segment

# Categories and a property that only a segmentation names (PS3.16 CID 7150 and 7166).
ANATOMY: Final = Concept("123037004", "SCT", "Anatomical Structure")
ABNORMALITY: Final = Concept("49755003", "SCT", "Morphologically Abnormal Structure")
MUSCLE: Final = Concept("71616004", "SCT", "Skeletal muscle")

# The label series of series N is N plus this.
NUMBER_OFFSET: Final = 100
FILE_NAME: Final = "0001.dcm"


def label_of(label: SeriesLabel) -> SeriesLabel:
    """Return the names of the label series of a series; it shares the frame."""
    return replace(
        label,
        name=f"{label.name}-labels",
        description=f"True masks on {label.description}",
        number=label.number + NUMBER_OFFSET,
    )


def mask(segment: Segment, scan: Scan) -> NDArray[np.bool_]:
    """Return the voxels of a scan whose centre lies in a segment."""
    grid = scan.grid
    corners = np.stack(
        np.meshgrid(*np.stack(segment.box, axis=1), indexing="ij"), -1
    ).reshape(-1, 3)
    index = grid.to_index(scan.pose.to_patient(corners))
    low = np.clip(np.floor(index.min(axis=0)).astype(int), 0, grid.shape)
    high = np.clip(np.ceil(index.max(axis=0)).astype(int) + 1, 0, grid.shape)
    marked = np.zeros(grid.shape, dtype=bool)
    near = np.moveaxis(np.indices(tuple(high - low)), 0, -1).reshape(-1, 3) + low
    if near.size == 0:
        return marked
    points = scan.pose.to_anatomy(grid.to_patient(near))
    first, last = (np.array(corner)[:, None] for corner in segment.box)
    inside = ((points >= first) & (points <= last)).all(axis=0)
    inside &= segment.shape(points) <= 0
    marked[tuple(near[inside].T)] = True
    return marked


def write_label_series(folder: Path, scan: Scan, images: Sequence[Path]) -> Path:
    """Write the segments of a scan as one DICOM Segmentation.

    Parameters
    ----------
    folder : Path
        Made where it does not exist.
    scan : Scan
        With its segments.
    images : sequence of Path
        The files of its images, in the order of the grid's slices.

    Returns
    -------
    Path
        The file.
    """
    segments = scan.segments()
    masks = np.stack([mask(segment, scan) for segment in segments], axis=-1)
    dataset = _segmentation(scan.label, segments, masks, images)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE_NAME
    dataset.save_as(path, enforce_file_format=True, overwrite=False)
    return path


def _segmentation(
    label: SeriesLabel,
    segments: Sequence[Segment],
    masks: NDArray[np.bool_],
    images: Sequence[Path],
) -> Dataset:
    from highdicom.seg import Segmentation, SegmentationTypeValues
    from pydicom import dcmread

    own = label_of(label)
    dataset = Segmentation(
        source_images=[dcmread(path) for path in images],
        pixel_array=masks.astype(np.uint8),
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[
            _description(n + 1, segment, own) for n, segment in enumerate(segments)
        ],
        series_instance_uid=own.series_uid,
        series_number=own.number,
        sop_instance_uid=uid(own.study, own.name, "1"),
        instance_number=1,
        manufacturer=SOFTWARE_NAME,
        manufacturer_model_name="phantom",
        software_versions=VERSION,
        device_serial_number="1",
        content_label="TRUE_MASKS",
        content_description="True masks of a synthetic phantom",
        series_description=own.description,
        omit_empty_frames=True,
    )
    return _dated(dataset, own)


def _dated(dataset: Dataset, own: SeriesLabel) -> Dataset:
    """Return a dataset that says nothing of when or by which library it was written."""
    for keyword in ("SeriesDate", "ContentDate", "InstanceCreationDate"):
        setattr(dataset, keyword, own.date)
        setattr(dataset, keyword.replace("Date", "Time"), STUDY_TIME)
    organization = uid(own.study, own.name, "dimensions")
    for item in (*dataset.DimensionOrganizationSequence, *dataset.DimensionIndexSequence):
        item.DimensionOrganizationUID = organization
    if "ContributingEquipmentSequence" in dataset:
        del dataset.ContributingEquipmentSequence
    dataset.file_meta = file_meta(dataset)
    return dataset


def _description(number: int, segment: Segment, own: SeriesLabel) -> SegmentDescription:
    from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription

    category = ABNORMALITY if segment.lesion else ANATOMY
    description = SegmentDescription(
        segment_number=number,
        segment_label=segment.label,
        segmented_property_category=_coded(category),
        segmented_property_type=_coded(segment.property_type),
        algorithm_type=SegmentAlgorithmTypeValues.MANUAL,
        tracking_uid=uid(own.study, own.name, segment.label),
        tracking_id=segment.label,
    )
    if segment.laterality:
        side = _coded(LATERALITIES[segment.laterality])
        description.SegmentedPropertyTypeCodeSequence[
            0
        ].SegmentedPropertyTypeModifierCodeSequence = [side]
    return description


def _coded(concept: Concept) -> CodedConcept:
    from highdicom.sr.coding import CodedConcept

    return CodedConcept(
        value=concept.value,
        scheme_designator=concept.scheme,
        meaning=concept.meaning,
    )
