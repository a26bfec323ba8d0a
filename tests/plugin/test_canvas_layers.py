"""Layer data: display and patient coordinates, planes, flips, letters. No window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from osteotrace.geometry import Grid
from osteotrace_napari.canvas import layers

if TYPE_CHECKING:
    from osteotrace.geometry import Array
    from osteotrace_napari.canvas.layers import Plane


def turned(*, degrees: float, about: tuple[float, float, float]) -> Array:
    """Return the matrix that turns by an angle about an axis (Rodrigues)."""
    x, y, z = np.array(about) / np.linalg.norm(about)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    turn = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return np.asarray(turn)


def grid(
    row: tuple[float, float, float],
    column: tuple[float, float, float],
    *,
    turn: Array | None = None,
    spacing: tuple[float, float, float] = (1.3, 0.45, 0.6),
) -> Grid:
    turn = np.eye(3) if turn is None else turn
    r, c = turn @ np.array(row), turn @ np.array(column)
    normal = np.cross(r, c)
    origin = np.array([-11.3, 7.7, 101.9])
    return Grid(
        row_direction=r,
        column_direction=c,
        pixel_spacing=np.array(spacing[1:]),
        origins=origin + np.arange(9)[:, None] * spacing[0] * normal,
        rows=31,
        columns=23,
    )


AXIAL = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0), (0.0, 0.0, -1.0)
SAGITTAL = (0.0, 1.0, 0.0), (0.0, 0.0, -1.0)
# Feet first and face down: every flip differs from the usual ones.
PRONE = (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0)
OBLIQUE = turned(degrees=17.0, about=(1.0, 2.0, 0.5))


@pytest.mark.parametrize("frame", [AXIAL, CORONAL, SAGITTAL, PRONE])
@pytest.mark.parametrize("spacing", [(1.3, 0.45, 0.6), (0.35, 1 / 3, 0.7)])
def test_points_go_to_the_display_and_back(
    frame: tuple[tuple[float, float, float], tuple[float, float, float]],
    spacing: tuple[float, float, float],
) -> None:
    oblique = grid(*frame, turn=OBLIQUE, spacing=spacing)
    points = np.random.default_rng(5).uniform(-40, 140, (200, 3))
    back = layers.to_patient(oblique, layers.to_display(oblique, points))
    assert np.abs(back - points).max() < 1e-9


def test_display_coordinates_are_index_times_scale() -> None:
    oblique = grid(*AXIAL, turn=OBLIQUE)
    index = np.array([3.0, 11.0, 7.0])
    display = layers.to_display(oblique, oblique.to_patient(index))
    assert display == pytest.approx(index * layers.display_scale(oblique), abs=1e-9)


@pytest.mark.parametrize("spacing", [0.35, 0.1, 1 / 3, 0.6, 1.25])
def test_the_display_scale_is_whole_quanta_near_the_spacing(spacing: float) -> None:
    scale = np.array(layers.display_scale(grid(*AXIAL, spacing=(spacing,) * 3)))
    quanta = scale / layers.DISPLAY_QUANTUM_MM
    assert (quanta == np.round(quanta)).all()
    assert np.abs(scale - spacing).max() <= layers.DISPLAY_QUANTUM_MM / 2


def test_every_layer_of_a_grid_is_placed_alike_in_mm() -> None:
    placed = layers.placement(grid(*SAGITTAL))
    assert placed["units"] == ("mm", "mm", "mm")
    assert placed["translate"] == (0.0, 0.0, 0.0)
    assert placed["axis_labels"] == ("sagittal", "axial", "coronal")


@pytest.mark.parametrize(
    ("frame", "plane"),
    [(AXIAL, "axial"), (PRONE, "axial"), (CORONAL, "coronal"), (SAGITTAL, "sagittal")],
)
def test_the_acquired_plane_is_the_nearest_one(
    frame: tuple[tuple[float, float, float], tuple[float, float, float]], plane: Plane
) -> None:
    assert layers.acquired_plane(grid(*frame)) == plane
    assert layers.acquired_plane(grid(*frame, turn=OBLIQUE)) == plane


@pytest.mark.parametrize("frame", [AXIAL, CORONAL, SAGITTAL, PRONE])
@pytest.mark.parametrize(
    ("plane", "sides"),
    [("axial", "RLAP"), ("coronal", "RLSI"), ("sagittal", "APSI")],
)
def test_a_plane_is_shown_as_readers_know_it_however_it_was_acquired(
    frame: tuple[tuple[float, float, float], tuple[float, float, float]],
    plane: Plane,
    sides: str,
) -> None:
    view = layers.plane_view(grid(*frame), plane)
    assert (view.left, view.right, view.top, view.bottom) == tuple(sides)


def test_letters_of_an_oblique_plane_name_both_directions() -> None:
    tilted = grid(*AXIAL, turn=turned(degrees=30, about=(1, 0, 0)))
    view = layers.plane_view(tilted, "axial")
    assert (view.left, view.right) == ("R", "L")
    assert (view.top, view.bottom) == ("AI", "PS")


@pytest.mark.parametrize("frame", [AXIAL, CORONAL, SAGITTAL, PRONE])
@pytest.mark.parametrize("plane", layers.PLANES)
def test_a_step_towards_a_letter_goes_to_that_side_of_the_canvas(
    frame: tuple[tuple[float, float, float], tuple[float, float, float]], plane: Plane
) -> None:
    placed = grid(*frame)
    view = layers.plane_view(placed, plane)
    towards = {"L": (1, 0, 0), "R": (-1, 0, 0), "P": (0, 1, 0), "A": (0, -1, 0)}
    towards |= {"S": (0, 0, 1), "I": (0, 0, -1)}
    middle = placed.to_patient((np.array(placed.shape) - 1) / 2)

    def pixel(point: Array) -> Array:
        position = layers.canvas_positions(
            placed.to_index(point),
            scale=layers.display_scale(placed),
            view=view,
            centre=tuple(layers.to_display(placed, middle)[list(view.order)]),
            zoom=4.0,
            size=(800, 600),
        )
        return position

    assert pixel(middle) == pytest.approx([400, 300])
    for side, step in (
        (view.left, [-20, 0]),
        (view.right, [20, 0]),
        (view.top, [0, -20]),
        (view.bottom, [0, 20]),
    ):
        moved = pixel(middle + 5.0 * np.array(towards[side]))
        assert moved - [400, 300] == pytest.approx(step, abs=0.01)


def test_a_slice_is_named_by_its_place_in_the_patient() -> None:
    axial = grid(*AXIAL)
    assert layers.slice_place(axial, layers.plane_view(axial, "axial"), 2) == "S 104.5 mm"
    assert layers.slice_place(axial, layers.plane_view(axial, "sagittal"), 0) == (
        "R 11.3 mm"
    )
