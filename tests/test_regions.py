"""A region is where a reader marked, in patient LPS mm, with its frame and images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from osteotrace import geometry
from osteotrace.errors import OsteotraceError
from osteotrace.geometry import Grid
from osteotrace.phantoms.in_memory import straight_grid
from osteotrace.regions import ImagePoints, Mask, Points, Polyline, extent

if TYPE_CHECKING:
    from numpy.typing import NDArray

A = (1.5, -2.25, 0.0)
B = (0.0, 4.0, 8.5)


def _line(*points: tuple[float, float, float]) -> Polyline:
    return Polyline(
        role="as drawn",
        points=points,
        frame_of_reference_uid="2.25.1",
        source_instances=("2.25.2",),
    )


def _points(roles: tuple[str, ...], *points: tuple[float, float, float]) -> Points:
    return Points(
        role="as clicked",
        points=points,
        point_roles=roles,
        frame_of_reference_uid="2.25.1",
        source_instances=(),
    )


def test_a_line_keeps_its_points_in_order() -> None:
    assert _line(A, B, A).points == (A, B, A)


def test_each_point_keeps_its_role() -> None:
    region = _points(("anterior", "posterior"), A, B)
    assert list(zip(region.point_roles, region.points, strict=True)) == [
        ("anterior", A),
        ("posterior", B),
    ]


def test_a_line_of_one_point_is_refused() -> None:
    with pytest.raises(OsteotraceError, match=r"1 point\(s\); expected at least 2"):
        _line(A)


def test_no_points_are_no_region() -> None:
    with pytest.raises(OsteotraceError, match="expected at least 1"):
        _points(())


def test_a_point_without_a_role_is_refused() -> None:
    with pytest.raises(OsteotraceError, match="2 points with 1 roles"):
        _points(("anterior",), A, B)


@pytest.mark.parametrize("x", [0.1, 12.070000000000001, float("nan"), float("inf")])
def test_a_coordinate_that_float32_does_not_hold_is_refused(x: float) -> None:
    with pytest.raises(OsteotraceError, match="finite coordinates that float32 holds"):
        _line(A, (x, 0.0, 0.0))


@pytest.mark.parametrize("x", [0.1, 12.070000000000001, -1e-30, 1234.5678, -0.0])
def test_a_coordinate_rounded_as_stored_is_taken(x: float) -> None:
    stored = geometry.as_stored((x, 0.0, 0.0))
    assert _line(A, stored).points[1] == stored


def test_a_region_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        _line(A, B).role = "other"  # type: ignore[misc]


def test_a_replaced_point_is_checked_too() -> None:
    with pytest.raises(OsteotraceError, match="float32"):
        msgspec.structs.replace(_line(A, B), points=(A, (0.1, 0.0, 0.0)))


def test_regions_are_equal_when_all_their_fields_are() -> None:
    assert _line(A, B) == _line(A, B)
    assert _line(A, B) != _line(B, A)


# Masks ------------------------------------------------------------------------------

GRID = straight_grid((6.0, 5.0, 8.0), (2.0, 0.5, 0.4), centre=(3.0, -20.0, 100.0))


def _mask(voxels: NDArray[np.bool_]) -> Mask:
    return Mask.of(voxels, GRID, role="drawn", frame_of_reference_uid="2.25.1")


def _some_voxels() -> NDArray[np.bool_]:
    voxels = np.zeros(GRID.shape, dtype=bool)
    voxels[1:3, 4:7, 2:11] = np.random.default_rng(3).random((2, 3, 9)) < 0.5
    return voxels


def test_a_mask_gives_its_voxels_back_where_they_were() -> None:
    mask = _mask(_some_voxels())
    assert mask.rows < GRID.rows
    np.testing.assert_array_equal(mask.on(GRID), _some_voxels())
    np.testing.assert_array_equal(mask.on(mask.grid), mask.voxels)


def test_a_mask_survives_json() -> None:
    mask = _mask(_some_voxels())
    assert msgspec.json.decode(msgspec.json.encode(mask), type=Mask) == mask


def test_an_empty_mask_is_refused() -> None:
    with pytest.raises(OsteotraceError, match="empty mask"):
        _mask(np.zeros(GRID.shape, dtype=bool))


@pytest.mark.parametrize(
    ("spacing", "centre"),
    [((2.0, 0.5, 0.4), (3.0, -20.0, 140.0)),
     ((2.0, 0.5, 0.4), (3.1, -20.0, 100.0)),
     ((2.0, 0.5, 0.5), (3.0, -20.0, 100.0)),
     ((1.0, 0.5, 0.4), (3.0, -20.0, 100.0))],
    ids=["off the volume", "a quarter of a voxel aside", "other pixels", "other slices"],
)  # fmt: skip
def test_a_mask_of_other_voxels_is_refused(
    spacing: tuple[float, ...], centre: tuple[float, ...]
) -> None:
    other = straight_grid((6.0, 5.0, 8.0), spacing, centre=centre)
    with pytest.raises(OsteotraceError, match="not those of the image"):
        _mask(_some_voxels()).on(other)


def test_a_mask_whose_far_voxels_lie_off_those_of_the_image_is_refused() -> None:
    image = straight_grid((256.0, 256.0, 2.0), (1.0, 0.5, 0.5), centre=(0.0, 0.0, 0.0))
    # Each turn and stretch is small beside a voxel, their sum at the far corner is not.
    turn, stretch = 0.9e-4, 1 + 0.9e-4
    turned = Grid(
        row_direction=np.array([np.cos(turn), np.sin(turn), 0.0]),
        column_direction=np.array([-np.sin(turn), np.cos(turn), 0.0]),
        pixel_spacing=image.pixel_spacing * stretch,
        origins=image.origins,
        rows=image.rows,
        columns=image.columns,
    )
    everywhere = np.ones(image.shape, dtype=bool)
    mask = Mask.of(everywhere, turned, role="drawn", frame_of_reference_uid="2.25.1")
    with pytest.raises(OsteotraceError, match="not those of the image"):
        mask.on(image)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"pixel_spacing": (0.0, 1.0)}, "on no grid"),
        ({"row_direction": (2.0, 0.0, 0.0)}, "on no grid"),
        ({"rows": -1, "columns": -1}, "on no grid"),
        ({"bits": bytes([1])}, "beyond its last voxel"),
        ({"bits": bytes([0])}, "without a voxel"),
        ({"bits": bytes([128, 0])}, "2 bytes"),
    ],
)
def test_a_record_that_is_no_mask_is_refused(
    changes: dict[str, object], found: str
) -> None:
    voxels = np.zeros(GRID.shape, dtype=bool)
    voxels[1, 5, 7] = True
    parts = msgspec.structs.asdict(_mask(voxels))
    with pytest.raises(OsteotraceError, match=found):
        Mask(**(parts | changes))


def test_a_mask_names_the_image_of_each_slice_or_none() -> None:
    with pytest.raises(ValueError, match="1 images, 4 slices"):
        Mask.of(
            np.ones(GRID.shape, dtype=bool),
            GRID,
            role="drawn",
            frame_of_reference_uid="2.25.1",
            source_instances=("2.25.7",),
        )


def test_the_extent_of_a_mask_is_its_box() -> None:
    corners = np.array(extent(_mask(_some_voxels())))
    expected = GRID.to_patient([[1, 4, 2], [2, 6, 10]])
    np.testing.assert_allclose([corners.min(axis=0), corners.max(axis=0)], expected)


def test_points_on_a_radiograph_have_no_patient_space() -> None:
    marked = ImagePoints(
        role="six points",
        image_points=((10.5, 20.25),),
        point_roles=("superior anterior",),
        source_instances=("2.25.9",),
    )
    assert marked.frame_of_reference_uid == ""
    assert extent(marked) == ()
