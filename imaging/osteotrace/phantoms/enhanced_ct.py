"""Voxels on grids out as one conformant enhanced multi-frame CT object.

Enhanced CT Image Storage (DICOM PS3.3 A.38), Explicit VR Little Endian: every slice is a
frame, in any order, with its place and its rescale in functional groups (C.7.6.16).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from osteotrace.about import SOFTWARE_NAME, VERSION
from osteotrace.phantoms.dicom_series import (
    RESCALE_INTERCEPT_HU,
    STUDY_TIME,
    SeriesLabel,
    file_meta,
    header,
    uid,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pydicom import Dataset

    from osteotrace.geometry import Grid
    from osteotrace.phantoms.shapes import Array

ENHANCED_CT_IMAGE_STORAGE: Final = "1.2.840.10008.5.1.4.1.1.2.1"
# All 16 bits, so that frames of different rescales hold the same HU.
BITS_STORED: Final = 16
# Computed, not acquired: what only a scanner knows is then not asked for.
IMAGE_TYPE: Final = ("DERIVED", "PRIMARY", "VOLUME", "NONE")
HEAD: Final = ("69536005", "SCT", "Head")

_FRAME_CONTENT: Final = 0x00209111  # Frame Content Sequence
_DIMENSIONS: Final = (
    0x00209056,  # Stack ID
    0x00209057,  # In-Stack Position Number
    0x00209128,  # Temporal Position Index
)


class _Frame(NamedTuple):
    """One frame: its slice of a volume, and which stack and time point that is of."""

    pixels: Array
    grid: Grid
    k: int
    stack: int
    time: int


def write_enhanced_ct(
    file: Path,
    hounsfield: Array,
    grid: Grid,
    label: SeriesLabel,
    *,
    order: Sequence[int] | None = None,
    intercepts: Sequence[float] | None = None,
    slopes: Sequence[float] | None = None,
    more: Sequence[tuple[Array, Grid]] = (),
) -> Path:
    """Write volumes as the frames of one enhanced CT object.

    Parameters
    ----------
    file : Path
        Must not exist; its folder is made where it is missing.
    hounsfield : (slices, rows, columns) array
        HU; rounded to the steps of the rescale and clipped to what 16 bits hold.
    grid : Grid
        Where the voxels lie.
    label : SeriesLabel
        Names and numbers for the header.
    order : sequence of int, optional
        Frame n + 1 is the slice ``order[n]``; slices are counted through all volumes.
        Ascending by default.
    intercepts, slopes : sequence of float, optional
        Rescale of each slice, -1024 and 1 by default.
    more : sequence of (hounsfield, grid)
        Further volumes of the same rows and columns. One on the same `Grid` object is a
        later time point of its stack, one on another grid a further stack.

    Returns
    -------
    Path
        The file.
    """
    frames = _frames([(hounsfield, grid), *more])
    rescales = [
        (float(slope), float(intercept))
        for slope, intercept in zip(
            slopes or [1.0] * len(frames),
            intercepts or [RESCALE_INTERCEPT_HU] * len(frames),
            strict=True,
        )
    ]
    order = range(len(frames)) if order is None else order
    if sorted(order) != list(range(len(frames))):
        raise ValueError(f"{list(order)} is no order of {len(frames)} slices")
    dataset = header(label, _tags(label, len(frames), grid))
    # An enhanced object states both as AcquisitionDateTime.
    del dataset.AcquisitionDate, dataset.AcquisitionTime
    one_grid = all(frame.grid is grid for frame in frames)
    places = _place(grid) if one_grid else {}
    dataset.SharedFunctionalGroupsSequence = [_item(**_shared(label), **places)]
    dataset.PerFrameFunctionalGroupsSequence = [
        _item(
            **_frame_groups(frames[n], *rescales[n]),
            **({} if one_grid else _place(frames[n].grid)),
        )
        for n in order
    ]
    dataset.PixelData = b"".join(_stored(frames[n].pixels, *rescales[n]) for n in order)
    dataset.file_meta = file_meta(dataset)
    file.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(file, enforce_file_format=True, overwrite=False)
    return file


def _frames(volumes: Sequence[tuple[Array, Grid]]) -> list[_Frame]:
    """Return every slice of every volume in order, stacks and time points counted."""
    grids: list[Grid] = []
    frames: list[_Frame] = []
    for values, grid in volumes:
        if values.shape != grid.shape or grid.shape[1:] != volumes[0][1].shape[1:]:
            raise ValueError(f"voxels {values.shape}, grid {grid.shape}")
        first = next((n for n, known in enumerate(grids) if known is grid), len(grids))
        time = sum(known is grid for known in grids)
        grids.append(grid)
        stack = len({id(known) for known in grids[: first + 1]})
        frames += [
            _Frame(pixels, grid, k, stack, time + 1) for k, pixels in enumerate(values)
        ]
    return frames


def _stored(pixels: Array, slope: float, intercept: float) -> bytes:
    stored = np.round((pixels - intercept) / slope)
    return np.clip(stored, 0, 2**BITS_STORED - 1).astype("<u2").tobytes()


def _tags(label: SeriesLabel, count: int, grid: Grid) -> dict[str, Any]:
    organization = uid(label.study, label.name, "dimensions")
    return {
        "SOPClassUID": ENHANCED_CT_IMAGE_STORAGE,
        "SOPInstanceUID": uid(label.study, label.name, "enhanced"),
        "Modality": "CT",
        "ImageType": list(IMAGE_TYPE),
        "InstanceNumber": 1,
        "DeviceSerialNumber": "1",
        "SoftwareVersions": f"{SOFTWARE_NAME} {VERSION}",
        "AcquisitionDateTime": label.date + STUDY_TIME,
        "ContentQualification": "RESEARCH",
        "PixelPresentation": "MONOCHROME",
        "VolumetricProperties": "VOLUME",
        "VolumeBasedCalculationTechnique": "NONE",
        "PresentationLUTShape": "IDENTITY",
        "LossyImageCompression": "00",
        "AcquisitionContextSequence": [],
        "NumberOfFrames": count,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": grid.rows,
        "Columns": grid.columns,
        "BitsAllocated": 16,
        "BitsStored": BITS_STORED,
        "HighBit": BITS_STORED - 1,
        "PixelRepresentation": 0,
        "DimensionOrganizationSequence": [_item(DimensionOrganizationUID=organization)],
        "DimensionIndexSequence": [
            _item(
                DimensionOrganizationUID=organization,
                DimensionIndexPointer=pointer,
                FunctionalGroupPointer=_FRAME_CONTENT,
            )
            for pointer in _DIMENSIONS
        ],
    }


# Functional groups -------------------------------------------------------------------


def _shared(label: SeriesLabel) -> dict[str, Any]:
    """Return what holds for all frames, whatever their place (A.38.1.4)."""
    event = uid(label.study, label.name, "irradiation event")
    value, scheme, meaning = HEAD
    head = _item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)
    return {
        "CTImageFrameTypeSequence": [
            _item(
                FrameType=list(IMAGE_TYPE),
                PixelPresentation="MONOCHROME",
                VolumetricProperties="VOLUME",
                VolumeBasedCalculationTechnique="NONE",
            )
        ],
        "FrameAnatomySequence": [
            _item(FrameLaterality="U", AnatomicRegionSequence=[head])
        ],
        "IrradiationEventIdentificationSequence": [_item(IrradiationEventUID=event)],
        "FrameVOILUTSequence": [_item(WindowCenter=500, WindowWidth=2500)],
    }


def _place(grid: Grid) -> dict[str, Any]:
    """Return plane orientation and pixel measures (C.7.6.16.2.4, C.7.6.16.2.1)."""
    thickness = grid.spacing[0] if grid.shape[0] > 1 else 1.0
    cosines = [*grid.row_direction, *grid.column_direction]
    return {
        "PlaneOrientationSequence": [_item(ImageOrientationPatient=_decimals(cosines))],
        "PixelMeasuresSequence": [
            _item(
                PixelSpacing=_decimals(grid.pixel_spacing),
                SliceThickness=round(float(thickness), 6),
            )
        ],
    }


def _frame_groups(frame: _Frame, slope: float, intercept: float) -> dict[str, Any]:
    """Return a frame's content, position and rescale (C.7.6.16.2.2, .3, C.8.15.3.10)."""
    content = _item(
        StackID=str(frame.stack),
        InStackPositionNumber=frame.k + 1,
        TemporalPositionIndex=frame.time,
        DimensionIndexValues=[frame.stack, frame.k + 1, frame.time],
    )
    position = _item(ImagePositionPatient=_decimals(frame.grid.origins[frame.k]))
    rescale = _item(RescaleIntercept=intercept, RescaleSlope=slope, RescaleType="HU")
    return {
        "FrameContentSequence": [content],
        "PlanePositionSequence": [position],
        "PixelValueTransformationSequence": [rescale],
    }


def _decimals(values: Array | Sequence[float]) -> list[str]:
    from pydicom.valuerep import format_number_as_ds

    return [format_number_as_ds(float(value)) for value in values]


def _item(**elements: Any) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item
