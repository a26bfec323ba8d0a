"""What lies around a fragment: the lucent rim, the gap all around it, its neighbours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.volume.resampling import interpolated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.geometry import Array
    from osteotrace.measurements.blurred_shapes import Shape, Window
    from osteotrace.measurements.bone_pieces import Pieces

# Outward lines end here, mm; a gap begins within them or not at all.
FARTHEST_MM: Final = 6.0
GAP_WITHIN_MM: Final = 2.0
STEP_MM: Final = 0.25
# Under this share of the fragment's own density a line runs through a lucent gap; the
# other two shares give the uncertainty.
LUCENT_SHARE: Final = 0.5
LUCENT_SHARES: Final = (0.4, 0.6)
# Bone is met at half of the way from lucent to bone.
BONE_SHARE: Final = 0.5
# The rim between two fitted surfaces is uncertain by this, mm, and by a share of a voxel.
RIM_UNCERTAINTY_MM: Final = 0.1
VOXEL_SHARE: Final = 0.1
# A share of lines that touch another fragment before any gap.
TOUCHING_SHARE: Final = 0.05
SMALLEST_UNCERTAINTY: Final = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What lies around one fragment.

    Parameters
    ----------
    separated, separated_uncertainty : float
        Share of the surface with a lucent gap towards other bone.
    rim : float or None
        Median distance to bone that is no fragment, mm.
    why_no_rim : str
        Where there is none.
    rim_uncertainty, narrow, wide : float
        mm; narrow and wide are the tenth and ninetieth percentile.
    touching : bool
        True where no gap is seen towards another fragment.
    """

    separated: float = 1.0
    separated_uncertainty: float = 0.0
    rim: float | None = None
    why_no_rim: str = ""
    rim_uncertainty: float = 0.0
    narrow: float = 0.0
    wide: float = 0.0
    touching: bool = False


def rim_and_separation(
    pieces: Pieces, window: Window, shape: Shape, host: frozenset[int]
) -> Surroundings:
    """Look outwards from a fragment's surface.

    Parameters
    ----------
    pieces : Pieces
    window : Window
    shape : Shape
        The fragment's.
    host : set of int
        Numbers of the pieces that are no fragments.
    """
    lattice = pieces.lattice
    corner = np.array(window.corner)
    start = shape.surface / window.steps + corner
    outward = _outward(shape, window)
    along = np.arange(0.0, GAP_WITHIN_MM + STEP_MM, STEP_MM)
    places = start[:, None] + along[None, :, None] * (outward / lattice.steps)[:, None]
    seen = interpolated(pieces.sharp, places)
    number = _nearest(pieces.labels, places)
    own = number == _most(pieces.labels, start)
    is_host = np.isin(number, np.fromiter(host, dtype=np.int64))
    plateau = max(shape.density / max(pieces.bone - pieces.lucent, 1e-6), 1e-6)
    shares = []
    for share in (LUCENT_SHARE, *LUCENT_SHARES):
        lucent = np.nan_to_num(seen, nan=0.0) < share * plateau
        shares.append(_gap_first(lucent, is_host & (seen > BONE_SHARE)))
    lucent = np.nan_to_num(seen, nan=0.0) < LUCENT_SHARE * plateau
    other = ~own & ~is_host & (number > 0)
    touching = 1 - _gap_first(lucent, other)
    spread = max(0.5 * abs(shares[2] - shares[1]), SMALLEST_UNCERTAINTY)
    rim = _rim(pieces, shape.surface + corner * window.steps, host)
    return replace(
        rim,
        separated=shares[0],
        separated_uncertainty=spread,
        touching=bool(touching > TOUCHING_SHARE),
    )


def _gap_first(lucent: NDArray[np.bool_], met: NDArray[np.bool_]) -> float:
    """Return the share of lines that find a gap before they meet something."""
    count = lucent.shape[1]
    first_gap = np.where(lucent.any(axis=1), lucent.argmax(axis=1), count)
    first_met = np.where(met.any(axis=1), met.argmax(axis=1), count)
    return float(((first_gap < first_met) | (first_met == count)).mean())


def _outward(shape: Shape, window: Window) -> Array:
    """Return the unit normals of the surface points, mm axes of the lattice."""
    slopes: list[Array] = list(np.gradient(shape.level_set, *window.steps.tolist()))
    places = shape.surface / window.steps
    normal = -np.stack([interpolated(slope, places) for slope in slopes], axis=-1)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    return np.asarray(normal / np.maximum(length, 1e-9))


def _nearest(labels: NDArray[np.int32], places: Array) -> NDArray[np.int32]:
    index = np.round(places).astype(np.intp)
    inside = ((index >= 0) & (index < np.array(labels.shape))).all(axis=-1)
    index = np.clip(index, 0, np.array(labels.shape) - 1)
    found = labels[index[..., 0], index[..., 1], index[..., 2]]
    return np.where(inside, found, 0).astype(np.int32)


def _most(labels: NDArray[np.int32], places: Array) -> int:
    found = _nearest(labels, places)
    found = found[found > 0]
    return int(np.bincount(found).argmax()) if len(found) else 0


def _rim(pieces: Pieces, surface: Array, host: frozenset[int]) -> Surroundings:
    from scipy.spatial import cKDTree

    bone = _host_surface(pieces, host)
    if not len(bone):
        return Surroundings(why_no_rim="no bone around the fragment")
    distance, _ = cKDTree(bone).query(surface)
    if float(np.median(distance)) > FARTHEST_MM:
        why = f"most of its surface lies over {FARTHEST_MM:g} mm from bone"
        return Surroundings(why_no_rim=why)
    narrow, middle, wide = (float(q) for q in np.quantile(distance, [0.1, 0.5, 0.9]))
    voxel = VOXEL_SHARE * float(pieces.lattice.native.grid.spacing.max())
    return Surroundings(
        rim=middle,
        rim_uncertainty=float(np.hypot(RIM_UNCERTAINTY_MM, voxel)),
        narrow=narrow,
        wide=wide,
    )


def _host_surface(pieces: Pieces, host: frozenset[int]) -> Array:
    """Return where bone that is no fragment reaches its half value, lattice mm."""
    labels, sharp = pieces.labels, pieces.sharp
    is_host = np.isin(labels, np.fromiter(host, dtype=np.int64))
    found = []
    for axis in range(3):
        own, grey = np.moveaxis(is_host, axis, 0), np.moveaxis(sharp, axis, 0)
        a, b = grey[:-1] - BONE_SHARE, grey[1:] - BONE_SHARE
        bright_host = np.where(a > 0, own[:-1], own[1:])
        crossing = ((a > 0) != (b > 0)) & bright_host
        index = np.stack(np.nonzero(crossing), axis=1).astype(np.float64)
        index[:, 0] += a[crossing] / (a[crossing] - b[crossing])
        found.append(np.insert(index[:, 1:], axis, index[:, 0], axis=1))
    return np.asarray(np.concatenate(found) * pieces.lattice.steps)
