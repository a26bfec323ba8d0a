"""Core objects to napari layer data and back: pure functions, no window.

The only place with napari's axis order and display coordinates. A volume is displayed in
its own axis-aligned frame: display coordinate = index × display scale, in mm, whatever
its obliquity; letters come from its cosines. Exact geometry stays in the library, and
every way back to patient LPS mm goes through its `Grid`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from osteotrace.geometry import patient_letters

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from osteotrace.geometry import Array, Grid
    from osteotrace.volume import Volume

Plane = Literal["axial", "coronal", "sagittal"]
PLANES: Final[tuple[Plane, ...]] = ("axial", "coronal", "sagittal")

# napari loses the last slice for many spacings unless they are whole multiples of this.
DISPLAY_QUANTUM_MM: Final = 2.0**-20
# A line that shows less than this share of its length is said to cross the plane.
FORESHORTENED_SHARE: Final = 0.98

# Per plane, in LPS: the patient axis across it, the one shown downwards and the one
# shown to the right, as radiologists read them (head first, patient's left at right).
_AXES: Final[dict[Plane, tuple[int, int, int]]] = {
    "axial": (2, 1, 0),
    "coronal": (1, 2, 0),
    "sagittal": (0, 2, 1),
}
_DOWNWARDS: Final[dict[Plane, float]] = {"axial": 1.0, "coronal": -1.0, "sagittal": -1.0}
_ACROSS: Final[dict[int, Plane]] = {0: "sagittal", 1: "coronal", 2: "axial"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneView:
    """How one plane of a grid is put on the canvas, by axis order and flips alone.

    Parameters
    ----------
    plane : str
        ``axial``, ``coronal`` or ``sagittal``.
    order : (slider, vertical, horizontal)
        Array axes in napari's display order; the first is scrolled through.
    orientation : (str, str)
        Where rising coordinates go: ``up`` or ``down``, ``left`` or ``right``.
    left, right, top, bottom : str
        Patient letters of the canvas sides.
    patient_axis : int
        The LPS axis across the plane.
    """

    plane: Plane
    order: tuple[int, int, int]
    orientation: tuple[str, str]
    left: str
    right: str
    top: str
    bottom: str
    patient_axis: int

    @property
    def signs(self) -> Array:
        """Of x and y: 1 where rising coordinates go right and down, else -1."""
        down, right = self.orientation
        return np.array(
            [1.0 if right == "right" else -1.0, 1.0 if down == "down" else -1.0]
        )


def display_scale(grid: Grid) -> tuple[float, float, float]:
    """Return mm between slices, rows and columns as napari is given them."""
    spacing = grid.spacing
    # A single slice has no gap: any will do.
    spacing = np.where(np.isnan(spacing), spacing[1], spacing)
    steps = np.round(spacing / DISPLAY_QUANTUM_MM) * DISPLAY_QUANTUM_MM
    return float(steps[0]), float(steps[1]), float(steps[2])


def placement(grid: Grid) -> dict[str, Any]:
    """Return what every layer on a grid is made with: one frame, exactly the same."""
    return {
        "scale": display_scale(grid),
        "translate": (0.0, 0.0, 0.0),
        "units": ("mm", "mm", "mm"),
        "axis_labels": _axis_labels(grid),
    }


def to_display(grid: Grid, points: ArrayLike) -> Array:
    """Turn (..., 3) patient LPS mm into (..., 3) display coordinates."""
    return np.asarray(grid.to_index(points) * display_scale(grid))


def to_patient(grid: Grid, display: ArrayLike) -> Array:
    """Turn (..., 3) display coordinates into (..., 3) patient LPS mm."""
    return grid.to_patient(np.asarray(display, dtype=np.float64) / display_scale(grid))


def image_values(volume: Volume) -> NDArray[Any]:
    """Return rescaled voxels, (slices, rows, columns), C order, for display.

    Integers stay integers where the rescale is whole; the measured voxels are untouched.
    """
    slope, intercept = volume.slope, volume.intercept
    if (slope == 1).all() and not intercept.any():
        return volume.voxels
    shifted = np.empty(volume.voxels.shape, image_values_type(volume))
    if shifted.dtype == np.int16:
        _shift(volume.voxels, intercept, shifted)
        return shifted
    for k, pixels in enumerate(volume.voxels):
        shifted[k] = pixels * slope[k] + intercept[k]
    return shifted


def _shift(stored: NDArray[Any], intercept: Array, shifted: NDArray[Any]) -> None:
    """Add whole numbers to integers: ten times as quick as by way of float64."""
    limits = np.iinfo(np.int16)
    wide = np.int32 if stored.itemsize < 4 else np.int64
    for k, pixels in enumerate(stored):
        values = np.add(pixels, int(intercept[k]), dtype=wide)
        np.clip(values, limits.min, limits.max, out=shifted[k], casting="unsafe")


def image_values_type(volume: Volume) -> np.dtype[Any]:
    """Return the type that `image_values` gives."""
    slope, intercept = volume.slope, volume.intercept
    if (slope == 1).all() and not intercept.any():
        return volume.voxels.dtype
    whole = (slope == 1).all() and (intercept == np.round(intercept)).all()
    stored_whole = np.issubdtype(volume.voxels.dtype, np.integer)
    return np.dtype(np.int16 if whole and stored_whole else np.float32)


def image_attributes(volume: Volume) -> dict[str, Any]:
    """Return what the image layer of a volume is made with."""
    return {
        "name": volume.identity.description or volume.identity.modality,
        "colormap": "gray",
        "interpolation2d": "linear",
        **placement(volume.grid),
    }


def image_layer(volume: Volume) -> tuple[NDArray[Any], dict[str, Any], str]:
    """Return a volume as napari layer data: values, attributes, ``"image"``.

    The layer names its volume, so that a reading window can take it over.
    """
    attributes = {**image_attributes(volume), "metadata": {"osteotrace": volume}}
    return image_values(volume), attributes, "image"


def share_space(one: Volume | None, other: Volume | None) -> bool:
    """Tell whether a point of one volume has its place in the other."""
    if one is None or other is None:
        return False
    uids = {one.frame_of_reference_uid, other.frame_of_reference_uid}
    # Volumes without a frame of reference may lie anywhere.
    return one is other or (len(uids) == 1 and "" not in uids)


def acquired_plane(grid: Grid) -> Plane:
    """Return the plane that the slices were acquired in, the nearest of the three."""
    return _ACROSS[_patient_axes(grid)[0]]


def plane_view(grid: Grid, plane: Plane, *, like: Grid | None = None) -> PlaneView:
    """Resolve a plane on a grid to axis order, flips and letters.

    Parameters
    ----------
    grid : Grid
    plane : str
    like : Grid, optional
        The grid that this one was moved from: axes and flips are taken from it, so that
        both are seen alike; the letters are those of the moved one.
    """
    told = grid if like is None else like
    array_axis = {patient: axis for axis, patient in enumerate(_patient_axes(told))}
    across, down, right = _AXES[plane]
    order = array_axis[across], array_axis[down], array_axis[right]
    goes_down = _directions(told)[order[1]][down] * _DOWNWARDS[plane] > 0
    goes_right = _directions(told)[order[2]][right] > 0
    vertical, horizontal = _directions(grid)[[order[1], order[2]]]
    downwards = vertical if goes_down else -vertical
    rightwards = horizontal if goes_right else -horizontal
    return PlaneView(
        plane=plane,
        order=order,
        orientation=("down" if goes_down else "up", "right" if goes_right else "left"),
        left=patient_letters(-rightwards),
        right=patient_letters(rightwards),
        top=patient_letters(-downwards),
        bottom=patient_letters(downwards),
        patient_axis=across,
    )


def across_plane(grid: Grid, plane: Plane, *, like: Grid | None = None) -> Array:
    """Return the (3,) LPS unit vector along which a plane of a grid is scrolled."""
    view = plane_view(grid, plane, like=like)
    return np.asarray(_directions(grid)[view.order[0]])


def slice_place(grid: Grid, view: PlaneView, index: int) -> str:
    """Return where a slice's centre lies along the patient axis, as ``"S 12.5 mm"``."""
    centre = (np.array(grid.shape) - 1) / 2
    centre[view.order[0]] = index
    place = grid.to_patient(centre)[view.patient_axis]
    letter = ("RL", "AP", "IS")[view.patient_axis][int(place >= 0)]
    return f"{letter} {abs(place):.1f} mm"


def slice_of(grid: Grid, view: PlaneView, points: ArrayLike) -> int:
    """Return the slice of a plane that is nearest to the middle of (n, 3) LPS points."""
    axis = view.order[0]
    middle = grid.to_index(points)[..., axis].mean()
    return int(np.clip(np.round(middle), 0, grid.shape[axis] - 1))


def canvas_positions(
    data: ArrayLike,
    *,
    scale: tuple[float, ...],
    view: PlaneView,
    centre: tuple[float, ...],
    zoom: float,
    size: tuple[float, float],
) -> Array:
    """Return where layer data lie on the canvas, (..., 2) x and y in pixels.

    Parameters
    ----------
    data : (..., 3) array
        Slice, row, column; the one across the plane does not count.
    centre, zoom : camera
        Display coordinates at the canvas centre, and pixels a mm.
    size : (width, height)
        Canvas size in pixels.
    """
    # The horizontal axis first: x, then y.
    shown = [view.order[2], view.order[1]]
    display = np.asarray(data, dtype=np.float64)[..., shown] * np.array(scale)[shown]
    off_centre = display - np.array([centre[-1], centre[-2]])
    return np.asarray(np.array(size) / 2 + view.signs * off_centre * zoom)


def _directions(grid: Grid) -> Array:
    """Return (3, 3) LPS unit vectors of rising slice, row and column index."""
    return np.stack([grid.normal, grid.column_direction, grid.row_direction])


def _patient_axes(grid: Grid) -> tuple[int, ...]:
    """Return for slice, row and column the LPS axis each stands for, all different."""
    cosines = np.abs(_directions(grid))
    return max(permutations(range(3)), key=lambda p: sum(cosines[range(3), list(p)]))


def _axis_labels(grid: Grid) -> tuple[str, ...]:
    return tuple(_ACROSS[axis] for axis in _patient_axes(grid))
