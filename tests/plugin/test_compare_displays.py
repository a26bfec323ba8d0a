"""What is displayed of two studies that are compared, without a window."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from tests.fixtures.pairs import alignment, as_mr, earlier_study, later_study, pose
from tests.fixtures.stacks import IRREGULAR, stack

from osteotrace.alignment import RigidTransform, same_space
from osteotrace.errors import OsteotraceError
from osteotrace.geometry import angle_deg
from osteotrace_napari.canvas import layers
from osteotrace_napari.canvas.compared_displays import ComparedDisplays
from osteotrace_napari.canvas.display import Displays
from osteotrace_napari.canvas.linking import Link, Pair
from osteotrace_napari.canvas.windows import Window

if TYPE_CHECKING:
    from osteotrace.volume import Volume
    from osteotrace_napari.canvas.display import Display

pytestmark = pytest.mark.plugin

MIDDLE = 16


@pytest.fixture(scope="module")
def transform() -> RigidTransform:
    return pose()


def compared(
    earlier: Volume, later: Volume, transform: RigidTransform, **said: Any
) -> ComparedDisplays:
    pair = Pair(earlier=earlier, later=later, alignment=alignment(transform, **said))
    return ComparedDisplays(Displays(), Link(pair), earlier)


def flat(value: float, transform: RigidTransform) -> tuple[Volume, Volume]:
    """Return an empty first study, and a second one of one value."""
    return (
        earlier_study(inside=0.0, outside=0.0),
        later_study(transform, inside=value, outside=value),
    )


def one_picture(made: ComparedDisplays, mode: Any) -> Display:
    return made.overlaid(mode, "axial", checker_mm=6.0, share=0.5)


def test_a_difference_is_that_of_the_values_and_nothing_where_one_has_none(
    transform: RigidTransform,
) -> None:
    first, second = flat(300.0, transform)
    display = one_picture(compared(first, second, transform), "difference")
    values = display.values[MIDDLE]
    imaged = second.grid.contains(
        transform.apply(
            first.grid.to_patient(
                np.moveaxis(np.indices(values.shape), 0, -1)
                @ np.array([[0, 1, 0], [0, 0, 1]])
                + [MIDDLE, 0, 0]
            )
        )
    )
    assert not imaged.all()
    assert np.array_equal(np.isfinite(values), imaged)
    assert np.abs(values[imaged] - 300.0).max() < 1e-3
    assert display.centred
    assert [preset.level for preset in display.presets] == [0.0, 0.0]
    assert display.badge == "2024-01-15 − 2023-06-20, HU, resampled"
    assert "two studies lie in one picture" in display.refuses
    # No change is grey, and neither colour.
    grey = np.asarray(display.colormap.map(np.array([0.5])))[0, :3]
    assert np.ptp(grey) < 0.05


def test_mr_is_matched_by_a_factor_that_is_said(transform: RigidTransform) -> None:
    first = as_mr(earlier_study(inside=400.0, outside=60.0))
    second = as_mr(later_study(transform, inside=1000.0, outside=150.0))
    made = compared(first, second, transform, pair="MR-MR")
    display = one_picture(made, "difference")
    said = re.fullmatch(
        r"2024-01-15 − 2023-06-20, later × (0\.\d+) \(median ratio\), resampled",
        display.badge,
    )
    assert said is not None
    assert float(said[1]) == pytest.approx(0.4, rel=0.02)
    assert np.nanmedian(np.abs(display.values[MIDDLE])) < 1.0


def test_ct_and_mr_have_no_difference_but_lie_side_by_side_each_in_its_own_window(
    transform: RigidTransform,
) -> None:
    first = as_mr(earlier_study(inside=400.0, outside=60.0))
    second = later_study(transform)
    made = compared(first, second, transform, pair="CT-MR")
    with pytest.raises(OsteotraceError, match="their difference means nothing"):
        one_picture(made, "difference")
    signal, bone = Window("", 200.0, 100.0), Window("", 2000.0, 500.0)
    display = made.with_windows(one_picture(made, "swipe"), signal, bone)
    seen = display.values[MIDDLE]
    low, high = signal.limits
    # 0 HU is a quarter of the bone window; 60 of 200 is the MR's own.
    assert (np.nanmedian(seen[:, 60:]) - low) / (high - low) == pytest.approx(0.25)
    assert np.median(seen[:, :30]) == 60.0


def test_two_ct_in_one_picture_keep_their_hounsfield_units(
    transform: RigidTransform,
) -> None:
    first, second = flat(120.0, transform)
    made = compared(first, second, transform)
    windows = Window("", 400.0, 40.0), Window("", 2000.0, 500.0)
    display = made.with_windows(one_picture(made, "swipe"), *windows)
    assert np.nanmax(np.abs(display.values[MIDDLE][:, 45:] - 120.0)) < 1e-3


def test_a_checkerboard_has_squares_of_a_size_in_mm(transform: RigidTransform) -> None:
    display = one_picture(compared(*flat(100.0, transform), transform), "checkerboard")
    values = np.nan_to_num(display.values[MIDDLE], nan=100.0)
    # 0.5 mm a row and 0.4 mm a column: 12 rows and 15 columns to a square of 6 mm.
    assert (values[:12, :15] == 0).all()
    assert values[:12, 15:30] == pytest.approx(100.0)
    assert values[12:24, :15] == pytest.approx(100.0)
    assert (values[12:24, 15:30] == 0).all()


@pytest.mark.parametrize("main", ["earlier", "later"])
def test_one_picture_of_both_lies_in_the_space_of_the_study_that_is_read(
    transform: RigidTransform, main: str
) -> None:
    first, second = flat(100.0, transform)
    pair = Pair(earlier=first, later=second, alignment=alignment(transform))
    read = getattr(pair, main)
    display = one_picture(ComparedDisplays(Displays(), Link(pair), read), "swipe")
    assert display.volume is read
    index = (5.0, 20.0, 30.0)
    place = first.grid.to_patient(index)
    there = place if main == "earlier" else transform.apply(place)
    assert display.shown.grid.to_patient(index) == pytest.approx(there)


@pytest.mark.parametrize("plane", layers.PLANES)
def test_the_later_study_is_laid_into_each_plane_of_a_tilted_earlier_one(
    transform: RigidTransform, plane: layers.Plane
) -> None:
    first = earlier_study(IRREGULAR["tilted by +14° about rows"])
    second = later_study(transform, IRREGULAR["oblique, tilted and uneven"])
    made = compared(first, second, transform)
    base, laid = made.earlier(plane), made.later(plane)
    one = layers.plane_view(base.shown.grid, plane)
    other = layers.plane_view(laid.shown.grid, plane, like=laid.like)
    assert (one.order, one.orientation) == (other.order, other.orientation)
    axis, count = one.order[0], base.shown.grid.shape[one.order[0]]
    key: list[Any] = [slice(None)] * 3
    key[axis] = count // 2
    values = base.values[tuple(key)].astype(float), laid.values[tuple(key)]
    inside = np.isfinite(values[1]) & (values[0] > -1)
    # Blobs of 1500, sampled linearly from slices up to 2 mm apart.
    assert inside.mean() > 0.3
    assert np.corrcoef(values[0][inside], values[1][inside])[0, 1] > 0.97


@pytest.mark.parametrize("degrees", [0.0, 12.0, 70.0])
def test_its_own_plane_is_the_nearest_one_and_says_its_angle(degrees: float) -> None:
    transform = pose(degrees)
    made = compared(earlier_study(), later_study(transform), transform)
    display, plane = made.own("axial")
    across = transform.direction([0.0, 0.0, 1.0])
    angles = {
        p: angle_deg(across, layers.across_plane(display.shown.grid, p))
        for p in layers.PLANES
    }
    nearest = min(min(a, 180 - a) for a in angles.values())
    assert min(angles[plane], 180 - angles[plane]) == pytest.approx(nearest)
    words = f"{nearest:.1f}° from 2023-06-20" if degrees else "parallel to 2023-06-20"
    assert display.badge == f"own plane, {words}"
    assert display.shown is display.volume


def test_one_frame_of_reference_is_said_not_to_be_registered() -> None:
    first = earlier_study()
    day = msgspec.structs.replace(first.identity, date="")
    second = earlier_study(stack(rows=40))
    link = Link(
        Pair(earlier=first, later=second, alignment=same_space("2.25.1", (0, 0, 0)))
    )
    assert link.status((1.0, 2.0, 3.0)) == (
        "one frame of reference: not registered",
        False,
    )
    assert link.across((1.0, 2.0, 3.0), first, second) == (1.0, 2.0, 3.0)
    # The same day twice says nothing of which is which.
    assert day.date == ""
    assert link.pair.days == ("the earlier study", "the later study")


def test_without_a_transform_no_plane_of_one_is_a_plane_of_the_other() -> None:
    first, second = earlier_study(), later_study(pose())
    made = ComparedDisplays(Displays(), Link(Pair(earlier=first, later=second)), first)
    with pytest.raises(OsteotraceError, match="not aligned"):
        made.later("axial")
    assert made.own("coronal")[0].badge == "own plane"
