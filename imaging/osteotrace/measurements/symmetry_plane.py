"""The midsagittal plane from landmarks, and distances between landmarks of both sides.

Points are patient LPS mm; +x is the patient's left. Every distance carries what the
precision of the clicks makes of it, propagated through the fit of the plane.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.measurements.measurement import (
    Detail,
    LesionReading,
    Measurement,
    Method,
    NotMeasured,
    measured,
    not_measured,
)
from osteotrace.regions import Points

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike

    from osteotrace.geometry import Array, Grid

METHOD: Final = Method(name="osteotrace symmetry", version="1")
# Landmarks that lie in the midsagittal plane.
MIDLINE: Final = (
    "nasion",
    "sella",
    "basion",
    "anterior nasal spine",
    "posterior nasal spine",
)
# A click lies within half a voxel (SD) of its landmark, along each axis.
CLICK_VOXELS: Final = 0.5
# Landmarks whose second extent is below this lie on a line and fix no plane, mm.
LEAST_SPREAD_MM: Final = 5.0
# A midsagittal plane looks to the side: its normal lies this near to the x axis.
MOST_LEAN_DEG: Final = 45.0
# Step of the numerical derivative by a landmark's place, mm.
_STEP_MM: Final = 0.01
GROWTH: Final = "in a growing child a change in mm is confounded by growth"
_MEAN_RESIDUAL: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SymmetryPlane:
    """A midsagittal plane.

    Parameters
    ----------
    point : (3,) float64
        On the plane, LPS mm.
    normal : (3,) float64
        Unit vector towards the patient's left.
    residual_mm : float
        Root mean square distance of the landmarks; NaN for three, which fit any plane.
    landmarks : (n, 3) float64
        LPS mm.
    click_mm : (3,) float64
        SD of a landmark along x, y and z; NaN where it is not stated.
    frame_of_reference_uid : str
    sources : tuple of str
        The images that the landmarks were marked on.
    """

    point: Array
    normal: Array
    residual_mm: float
    landmarks: Array
    click_mm: Array
    frame_of_reference_uid: str = ""
    sources: tuple[str, ...] = ()

    def distance(self, points: ArrayLike) -> Array:
        """Return the signed distance of (..., 3) LPS points, positive on the left."""
        return np.asarray(
            (np.asarray(points, dtype=np.float64) - self.point) @ self.normal
        )

    def mirrored(self, points: ArrayLike) -> Array:
        """Return the mirror image of (..., 3) LPS points."""
        array = np.asarray(points, dtype=np.float64)
        return np.asarray(array - 2 * self.distance(array)[..., None] * self.normal)

    def uncertainty_of(self, read: Callable[[SymmetryPlane], float]) -> float:
        """Return what the clicks of the landmarks do to a number read with the plane."""
        start = read(self)
        variance = 0.0
        for number in range(len(self.landmarks)):
            for axis in range(3):
                moved = self.landmarks.copy()
                moved[number, axis] += _STEP_MM
                rate = (read(_fitted(moved, self)) - start) / _STEP_MM
                variance += (rate * float(self.click_mm[axis])) ** 2
        return float(np.sqrt(variance))


def click_precision(grid: Grid) -> Array:
    """Return the SD of a click along x, y and z, mm: half a voxel along each axis."""
    axes = np.stack([grid.normal, grid.column_direction, grid.row_direction])
    half = CLICK_VOXELS * np.nan_to_num(grid.spacing)
    return np.asarray(np.sqrt(((axes * half[:, None]) ** 2).sum(axis=0)))


def plane_of_symmetry(
    landmarks: Points | ArrayLike,
    *,
    grid: Grid | None = None,
    click_mm: float | Sequence[float] | None = None,
) -> SymmetryPlane:
    """Fit the midsagittal plane to landmarks on the midline, by total least squares.

    Parameters
    ----------
    landmarks : Points or (n, 3) array
        At least three, not on one line, away from diseased bone. The roles of `Points`
        are names of `MIDLINE`.
    grid : Grid, optional
        Of the image they were marked on: the clicks' SD is then half a voxel.
    click_mm : float or (x, y, z), optional
        SD of a click; overrides `grid`. Without either nothing measured with the plane
        has an uncertainty.

    Raises
    ------
    OsteotraceError
        If the landmarks are too few, unknown, on one line, or fix no sagittal plane.
    """
    frame = ""
    sources: tuple[str, ...] = ()
    if isinstance(landmarks, Points):
        _require_midline(landmarks.point_roles)
        frame, sources = landmarks.frame_of_reference_uid, landmarks.source_instances
        landmarks = landmarks.points
    points = np.asarray(landmarks, dtype=np.float64)
    if points.ndim != 2 or points.shape[1:] != (3,) or len(points) < 3:
        raise OsteotraceError(
            f"landmarks of shape {points.shape}",
            expected="at least three points in patient LPS mm",
            advice="mark nasion, sella and basion, or others on the midline",
            usage=True,
        )
    if not np.isfinite(points).all():
        raise OsteotraceError(
            "a landmark that is not finite",
            expected="three finite numbers a point: x, y, z in patient LPS mm",
            advice="mark the point again",
            usage=True,
        )
    if click_mm is None:
        clicks = np.full(3, np.nan) if grid is None else click_precision(grid)
    else:
        clicks = np.broadcast_to(np.asarray(click_mm, dtype=np.float64), (3,)).copy()
    _require_sagittal(points)
    blank = SymmetryPlane(
        point=points[0],
        normal=np.array([1.0, 0.0, 0.0]),
        residual_mm=float("nan"),
        landmarks=points,
        click_mm=clicks,
        frame_of_reference_uid=frame,
        sources=sources,
    )
    return _fitted(points, blank)


def _require_midline(roles: Sequence[str]) -> None:
    unknown = [role for role in roles if role not in MIDLINE]
    if unknown:
        raise OsteotraceError(
            f"landmarks off the midline: {', '.join(unknown)}",
            expected="roles among " + ", ".join(MIDLINE),
            advice="leave the others out, or correct their roles",
            usage=True,
        )


def _require_sagittal(points: Array) -> None:
    centred = points - points.mean(axis=0)
    _, extents, axes = np.linalg.svd(centred)
    if extents[1] < LEAST_SPREAD_MM:
        raise OsteotraceError(
            "landmarks on one line",
            expected=f"landmarks spread over {LEAST_SPREAD_MM:g} mm in two directions",
            advice="add one in front of or behind the line",
            usage=True,
        )
    lean = float(np.degrees(np.arccos(min(1.0, abs(axes[2][0])))))
    if lean > MOST_LEAN_DEG:
        raise OsteotraceError(
            f"landmarks in a plane whose normal leans {lean:.0f}° off left-right",
            expected="landmarks on the midline",
            advice="check that x, y, z are LPS mm and that no landmark lies aside",
            usage=True,
        )


def _fitted(points: Array, like: SymmetryPlane) -> SymmetryPlane:
    """Return the least-squares plane through points, with all else as in another."""
    middle = points.mean(axis=0)
    normal = np.linalg.svd(points - middle)[2][2]
    normal = normal if normal[0] > 0 else -normal
    away = (points - middle) @ normal
    residual = float(np.sqrt(np.mean(away**2))) if len(points) > 3 else float("nan")
    return replace(
        like, point=middle, normal=normal, residual_mm=residual, landmarks=points
    )


def plane_doubts(plane: SymmetryPlane) -> tuple[str, ...]:
    """Return what speaks against a plane of symmetry."""
    if plane.residual_mm > _MEAN_RESIDUAL:
        return (f"the landmarks lie {plane.residual_mm:.1f} mm off their plane",)
    return ()


def landmark_asymmetry(
    left_point: ArrayLike, right_point: ArrayLike, plane: SymmetryPlane
) -> Measurement:
    """Measure how much farther from the midline the left of two landmarks lies.

    Parameters
    ----------
    left_point, right_point : (3,) array
        The same landmark on both sides, such as the gonion, LPS mm.
    plane : SymmetryPlane

    Returns
    -------
    Measurement
        ``landmark_asymmetry``, mm, positive where the left one lies farther out. The
        distance from the left point to the right one's mirror image is a detail.

    Raises
    ------
    OsteotraceError
        If the sides are swapped, or a point is not finite.
    """
    left, right = _point(left_point), _point(right_point)
    if plane.distance(left) < plane.distance(right):
        raise OsteotraceError(
            "a left point on the right of the right one",
            expected="left and right as the patient's: +x is left in LPS",
            advice="swap the points",
            usage=True,
        )

    def difference(p: SymmetryPlane, a: Array = left, b: Array = right) -> float:
        return float(p.distance(a) + p.distance(b))

    apart = float(np.linalg.norm(left - plane.mirrored(right)))
    clicked = float(np.sqrt(2 * ((plane.normal * plane.click_mm) ** 2).sum()))
    fitted = plane.uncertainty_of(difference)
    known = bool(np.isfinite([clicked, fitted]).all())
    details = [Detail("from the mirrored right point", apart, "mm")]
    if known:
        details += [Detail("u clicks", clicked, "mm"), Detail("u plane", fitted, "mm")]
    return measured(
        "landmark_asymmetry",
        difference(plane),
        "mm",
        method=METHOD,
        sources=plane.sources,
        uncertainty=float(np.hypot(clicked, fitted)) if known else None,
        uncertainty_reason="" if known else NO_CLICKS,
        definition="distance of the left point from the plane of symmetry less that of "
        f"the right point; {GROWTH}",
        flags=plane_doubts(plane),
        details=details,
    )


NO_CLICKS: Final = "the precision of the landmarks is not stated"


def _point(point: ArrayLike) -> Array:
    array = np.asarray(point, dtype=np.float64)
    if array.shape != (3,) or not np.isfinite(array).all():
        raise OsteotraceError(
            f"the point {array.tolist()}",
            expected="three finite numbers: x, y, z in patient LPS mm",
            advice="correct the point",
            usage=True,
        )
    return array


def premaxilla_depression(
    nasion: ArrayLike,
    point_a: ArrayLike,
    frankfort: ArrayLike,
    plane: SymmetryPlane,
    *,
    prior: Measurement | None = None,
) -> LesionReading:
    """Measure how far point A lies behind the nasion perpendicular.

    Parameters
    ----------
    nasion, point_a : (3,) array
        LPS mm; point A of the bone, or A' of the soft tissue.
    frankfort : (n, 3) array
        At least three of both poria and both orbitalia: they fix the Frankfort plane.
    plane : SymmetryPlane
    prior : Measurement, optional
        An earlier ``premaxilla_depression``: the change is then a detail.

    Returns
    -------
    LesionReading
        ``premaxilla_depression``, mm, positive behind the line. Never a comparison with
        a population norm.

    Raises
    ------
    OsteotraceError
        If the points fix no Frankfort plane.
    """
    points = np.vstack([_point(nasion), _point(point_a), np.asarray(frankfort)])
    value = _behind(points, plane)
    if value is None:
        return LesionReading(
            measurements=(
                not_measured(
                    "premaxilla_depression",
                    "the points of the Frankfort plane lie on one line or fix no "
                    "horizontal plane",
                    method=METHOD,
                    sources=plane.sources,
                ),
            )
        )
    clicked = _click_uncertainty(points, plane)
    fitted = plane.uncertainty_of(lambda p: _behind(points, p) or 0.0)
    known = bool(np.isfinite([clicked, fitted]).all())
    u = float(np.hypot(clicked, fitted)) if known else None
    details = []
    if known:
        details += [Detail("u clicks", clicked, "mm"), Detail("u plane", fitted, "mm")]
    if prior is not None:
        details.append(Detail("change from prior", value - prior.value, "mm"))
        if u is not None and prior.uncertainty is not None:
            both = float(np.hypot(u, prior.uncertainty))
            details.append(Detail("u change from prior", both, "mm"))
    reading: Measurement | NotMeasured = measured(
        "premaxilla_depression",
        value,
        "mm",
        method=METHOD,
        sources=plane.sources,
        uncertainty=u,
        uncertainty_reason="" if known else NO_CLICKS,
        definition="distance of point A behind the line through nasion perpendicular to "
        "the Frankfort plane, in the plane of symmetry's direction; compare with a prior "
        f"of the same patient, never with a norm; {GROWTH}",
        flags=plane_doubts(plane),
        details=details,
    )
    return LesionReading(measurements=(reading,))


def _behind(points: Array, plane: SymmetryPlane) -> float | None:
    """Return mm of points[1] behind points[0]; the rest are the Frankfort points."""
    frankfort = points[2:]
    if len(frankfort) < 3 or not np.isfinite(frankfort).all():
        return None
    _, extents, axes = np.linalg.svd(frankfort - frankfort.mean(axis=0))
    up = axes[2] if axes[2][2] > 0 else -axes[2]
    if extents[1] < LEAST_SPREAD_MM or up[2] < np.cos(np.radians(MOST_LEAN_DEG)):
        return None
    posterior = np.cross(up, plane.normal)
    posterior /= np.linalg.norm(posterior)
    return float((points[1] - points[0]) @ posterior)


def _click_uncertainty(points: Array, plane: SymmetryPlane) -> float:
    """Return what the clicks of all points do to the depression, mm."""
    start = _behind(points, plane) or 0.0
    variance = 0.0
    for number in range(len(points)):
        for axis in range(3):
            moved = points.copy()
            moved[number, axis] += _STEP_MM
            rate = ((_behind(moved, plane) or 0.0) - start) / _STEP_MM
            variance += (rate * float(plane.click_mm[axis])) ** 2
    return float(np.sqrt(variance))
