"""Vertebrae of a real lumbar CT (3 mm) and a real T2 MR (1.5 mm), with others' labels.

No truth exists here. On the CT a sub-voxel method gave 23.4 / 24.5 / 29.5 mm for L1 and
28.7 / 24.3 / 26.0 mm for L4, and the report that made the masks 21 / 24 / 27 and
28.5 / 22.5 / 22.5 mm, by definitions of their own: readings must lie near, in the same
order, and keep to the table below.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from osteotrace import OsteotraceError
from osteotrace.measurements import vertebra
from osteotrace.measurements.measurement import Measurement
from osteotrace.regions import Mask
from osteotrace.volume import HOUNSFIELD, open_image

if TYPE_CHECKING:
    from pathlib import Path

    from osteotrace.volume import Volume

# Anterior, middle and posterior height in mm: of the mask alone, and fitted to the image.
TABLE = {
    "L1": ((24.8, 24.5, 29.2), (22.9, 22.5, 26.9)),
    "L2": ((26.7, 27.4, 29.3), (26.7, 25.8, 26.9)),
    "L3": ((28.7, 26.4, 25.6), (27.6, 24.4, 26.2)),
    "L4": ((29.4, 24.5, 26.1), (28.6, 24.1, 24.2)),
    "L5": ((29.6, 26.3, 24.9), (28.8, 25.4, 23.5)),
}
LABELS = {"L5": 27, "L4": 28, "L3": 29, "L2": 30, "L1": 31, "T12": 32}
SUB_VOXEL = {"L1": (23.4, 24.5, 29.5), "L4": (28.7, 24.3, 26.0)}


@pytest.fixture(scope="module")
def lumbar(real_dicom: Path) -> tuple[Volume, dict[str, Mask]]:
    folder = real_dicom / "spine_ct_j2k"
    report = folder / "spine_report" / "test_result"
    image = replace(open_image(folder / "example_ct.nii.gz"), unit=HOUNSFIELD)
    levels = open_image(report / "totalseg.nii.gz").rescaled()
    bodies = open_image(report / "totalseg_vertebrae_body.nii.gz").rescaled() > 0
    masks = {
        name: Mask.of(
            (levels == label) & bodies,
            image.grid,
            role="body",
            frame_of_reference_uid=image.frame_of_reference_uid,
        )
        for name, label in LABELS.items()
    }
    return image, masks


def heights(reading: vertebra.VertebraReading) -> tuple[float, ...]:
    assert reading.heights is not None
    return tuple(np.round(reading.heights.values, 1).tolist())


@pytest.mark.parametrize("level", TABLE)
def test_lumbar_bodies_keep_to_the_table(
    lumbar: tuple[Volume, dict[str, Mask]], level: str
) -> None:
    image, masks = lumbar
    alone = vertebra.from_mask(masks[level], level=level)
    fitted = vertebra.from_mask(masks[level], level=level, volume=image)
    assert heights(alone) == pytest.approx(TABLE[level][0], abs=0.15)
    assert heights(fitted) == pytest.approx(TABLE[level][1], abs=0.15)
    # Bodies of one spine, read two ways: within a voxel of 3 mm and its half.
    assert np.abs(np.subtract(heights(alone), heights(fitted))).max() < 4.5


@pytest.mark.parametrize("level", SUB_VOXEL)
def test_the_mask_alone_agrees_with_a_published_sub_voxel_reading(
    lumbar: tuple[Volume, dict[str, Mask]], level: str
) -> None:
    found = heights(vertebra.from_mask(lumbar[1][level], level=level))
    assert found == pytest.approx(SUB_VOXEL[level], abs=1.5)


def test_a_level_that_the_scan_cuts_off_is_refused(
    lumbar: tuple[Volume, dict[str, Mask]],
) -> None:
    image, masks = lumbar
    with pytest.raises(OsteotraceError, match="reaches the last slice"):
        vertebra.from_mask(masks["T12"], level="T12", volume=image)


def test_a_body_label_on_mr_gives_plausible_heights(real_dicom: Path) -> None:
    folder = real_dicom / "spine_mr_masks"
    image = open_image(folder / "sub-mri_label-6_T2w.nii.gz")
    parts = open_image(folder / "sub-mri_seg-subreg_label-6_msk.nii.gz").rescaled()
    levels = open_image(folder / "sub-mri_seg-vert_label-6_msk.nii.gz").rescaled()
    body = Mask.of(
        (parts == 49) & (levels == 6),
        image.grid,
        role="body",
        frame_of_reference_uid=image.frame_of_reference_uid,
    )
    reading = vertebra.from_mask(body, level="C6", volume=image)
    assert heights(reading) == pytest.approx((27.2, 23.5, 28.3), abs=0.15)
    row = reading.reading["height_middle"]
    assert isinstance(row, Measurement)
    # Dark marrow beside a dark disc: said, and read off the mask.
    assert any("do not stand out" in flag for flag in row.flags)
