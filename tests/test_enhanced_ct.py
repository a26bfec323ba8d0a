"""Enhanced multi-frame CT: every frame in its place with its own rescale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.fixtures.odd_series import (
    CORONAL,
    TAN_14,
    Stack,
    check_places,
    grid_of,
    only_volume,
    place_values,
    volumes_of,
)

from osteotrace.phantoms.dicom_series import SeriesLabel
from osteotrace.phantoms.enhanced_ct import write_enhanced_ct
from osteotrace.series import scan
from osteotrace.volume import HOUNSFIELD, load

if TYPE_CHECKING:
    from pathlib import Path

ENHANCED = Stack(heights=(0.0, 0.6, 1.2, 1.8, 2.4, 3.0))
LABEL = SeriesLabel(study="odd series", name="enhanced")


def test_an_enhanced_ct_loads_frame_by_frame_with_its_own_rescales(
    tmp_path: Path,
) -> None:
    slopes = [0.05, 0.06, 0.07, 0.05, 0.1, 0.09]
    intercepts = [-200.0, -180.0, -210.0, -190.5, -220.0, -205.0]
    order = [3, 0, 5, 1, 4, 2]
    write_enhanced_ct(
        tmp_path / "enhanced",
        place_values(ENHANCED),
        ENHANCED.grid(),
        LABEL,
        order=order,
        slopes=slopes,
        intercepts=intercepts,
    )
    header = only_volume(scan(tmp_path))
    assert header.verdicts == ("regular",)
    assert [i.frame for i in header.instances] == [order.index(n) + 1 for n in range(6)]
    volume = load(header)
    assert volume.unit == HOUNSFIELD
    assert volume.slope.tolist() == slopes
    assert volume.intercept.tolist() == intercepts
    check_places(volume)


@pytest.mark.parametrize(
    ("stack", "verdict"),
    [
        (Stack(lean=(0.0, TAN_14)), "tilted"),
        (Stack(lean=(0.0, -TAN_14)), "tilted"),
        (Stack(heights=(0.0, 4.0, 11.0, 12.1)), "uneven"),
        (Stack(heights=(0.0, 0.6, 1.8, 2.4)), "missing_slices"),
    ],
)
def test_an_enhanced_ct_is_judged_like_single_frames(
    tmp_path: Path, stack: Stack, verdict: str
) -> None:
    slopes = [0.1] * len(stack.heights)
    file = tmp_path / "enhanced"
    write_enhanced_ct(file, place_values(stack), stack.grid(), LABEL, slopes=slopes)
    header = only_volume(scan(file))
    assert header.verdicts == (verdict,)
    check_places(load(header, allow_gaps=verdict == "missing_slices"))


def test_stacks_and_time_points_of_one_enhanced_ct_are_volumes(tmp_path: Path) -> None:
    axial, coronal = Stack().grid(), Stack(**CORONAL).grid()
    write_enhanced_ct(
        tmp_path / "enhanced",
        place_values(Stack()),
        axial,
        LABEL,
        order=[*range(14, -1, -1)],
        slopes=[0.1] * 15,
        more=[
            (place_values(Stack(), 50.0), axial),
            (place_values(Stack(**CORONAL)), coronal),
        ],
    )
    volumes = volumes_of(scan(tmp_path))
    assert [v.verdicts for v in volumes] == [("regular",)] * 3
    upright = [v for v in volumes if np.allclose(grid_of(v).normal, (0, 1, 0))]
    (across,) = upright
    first, second = [v for v in volumes if v is not across]
    check_places(load(across))
    check_places(load(first))
    check_places(load(second), 50.0)
