"""The small picture of a series: the middle image, in one window, quickly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.fixtures.odd_series import STRAIGHT, Stack, only_volume, write_stack

from osteotrace.errors import OsteotraceError
from osteotrace.series import scan
from osteotrace.volume.thumbnails import thumbnail

if TYPE_CHECKING:
    from pathlib import Path

    from osteotrace.series import VolumeHeader

ROWS, COLUMNS = 40, 60


def ct(folder: Path, values: np.ndarray, **options: object) -> VolumeHeader:
    stack = Stack(
        heights=tuple(float(k) for k in range(len(values))),
        rows=ROWS,
        columns=COLUMNS,
        spacing=(0.8, 0.4),
        row=STRAIGHT["row"],
        column=STRAIGHT["column"],
    )
    return only_volume(scan(write_stack(folder, stack, values=values)))


def test_it_is_the_middle_image(tmp_path: Path) -> None:
    values = np.zeros((5, ROWS, COLUMNS)) - 1000
    values[2] = 400.0
    # 400 HU stand in the middle between -300 and 1100.
    assert (thumbnail(ct(tmp_path / "a", values)) == 128).all()


def test_pixels_are_as_wide_as_high_and_the_longer_side_has_the_size(
    tmp_path: Path,
) -> None:
    header = ct(tmp_path / "a", np.zeros((2, ROWS, COLUMNS)))
    # 40 rows of 0.8 mm are 32 mm, 60 columns of 0.4 mm are 24 mm.
    assert thumbnail(header, size=32).shape == (32, 24)
    assert thumbnail(header).shape == (96, 72)


def test_a_small_picture_holds_means(tmp_path: Path) -> None:
    values = np.zeros((2, ROWS, COLUMNS))
    values[:, ::2] = 800.0
    assert (thumbnail(ct(tmp_path / "a", values), size=20) == 128).all()


def test_no_other_file_is_opened(tmp_path: Path) -> None:
    header = ct(tmp_path / "a", np.zeros((5, ROWS, COLUMNS)))
    for k, instance in enumerate(header.instances):
        if k != 2:
            instance.path.unlink()
    assert thumbnail(header).shape == (96, 72)


def test_signal_of_any_scale_fills_the_range(small_study: Path) -> None:
    header = next(
        v for s in scan(small_study) if s.identity.modality == "MR" for v in s.volumes
    )
    picture = thumbnail(header)
    assert picture.min() == 0
    assert picture.max() == 255


def test_values_beside_the_window_are_seen_too(tmp_path: Path) -> None:
    values = np.zeros((3, ROWS, COLUMNS)) - 1000
    values[:, :20] = -600.0
    picture = thumbnail(ct(tmp_path / "a", values))
    assert picture.min() == 0
    assert picture.max() == 255


def test_an_image_of_one_value_is_no_problem(small_study: Path) -> None:
    header = next(
        v for s in scan(small_study) for v in s.volumes if v.verdicts == ("localizer",)
    )
    assert thumbnail(header).dtype == np.uint8


@pytest.mark.parametrize(
    "name", ["jaw_ct_cerr", "compressed_mr", "enh_mr_philips", "spine_ct_j2k"]
)
def test_real_series_have_one(real_dicom: Path, name: str) -> None:
    for series in scan(real_dicom / name):
        picture = thumbnail(series.volumes[0])
        assert max(picture.shape) == 96
        assert picture.std() > 10


def test_what_is_gone_is_an_error(tmp_path: Path) -> None:
    header = ct(tmp_path / "a", np.zeros((3, ROWS, COLUMNS)))
    header.instances[1].path.unlink()
    with pytest.raises(OsteotraceError, match="No such file"):
        thumbnail(header)
