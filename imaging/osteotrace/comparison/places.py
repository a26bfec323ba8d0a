"""Where lesions lie, and how far the place of one at a later date is from it.

Places of two dates are compared through transforms alone; between one frame of reference
and itself nothing moves.
"""

from __future__ import annotations

import math
import re
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.codes import SITES
from osteotrace.measurements.measurement import Measurement
from osteotrace.regions import ImagePoints, Mask, extent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from osteotrace.alignment import Alignment, RigidTransform
    from osteotrace.findings import Finding
    from osteotrace.geometry import Array
    from osteotrace.regions import Region

# Transforms are joined up to this many, as where the first of several dates is laid over
# the last through those between; each adds its error.
MOST_STEPS: Final = 8
# A lesion is looked for within this of its place at least, mm: two clicks on one edge lie
# that far apart (measurement notes of this project, real scans).
LEAST_REACH_MM: Final = 2.0
# How many standard uncertainties of the registration are let pass.
COVERAGE: Final = 3.0
# Voxels of a mask that are looked at to tell an overlap; more do not tell it better.
MOST_VOXELS: Final = 50_000


@dataclass(frozen=True, eq=False)
class Place:
    """Where a finding lies; what it takes to compare places is worked out once.

    Parameters
    ----------
    frame_uid : str
    points : (n, 3) array
        What it spans, LPS mm: the points of lines, the corners of masks.
    masks : tuple of Mask
    """

    frame_uid: str
    points: Array
    masks: tuple[Mask, ...] = ()

    @cached_property
    def voxels(self) -> tuple[_Voxels, ...]:
        """The voxels of each mask."""
        return tuple(_Voxels(one) for one in self.masks)

    @cached_property
    def middle(self) -> Array:
        """The middle: of the voxels of masks, else of the points."""
        if not self.masks:
            return np.asarray(self.points.mean(axis=0))
        centres = np.concatenate([one.centres for one in self.voxels])
        return np.asarray(centres.mean(axis=0))

    @cached_property
    def reach(self) -> float:
        """Half of the diagonal of the box around it, mm."""
        return float(np.linalg.norm(np.ptp(self.points, axis=0))) / 2


class _Voxels:
    """A mask unpacked: which voxels of its box are marked, and where they lie."""

    def __init__(self, mask: Mask) -> None:
        self._grid, self._inside = mask.grid, mask.voxels
        marked = np.flatnonzero(self._inside)
        self.count = len(marked)
        # Evenly picked where there are many.
        picked = marked[:: -(-len(marked) // MOST_VOXELS)]
        index = np.stack(np.unravel_index(picked, self._inside.shape), axis=-1)
        self.centres: Array = self._grid.to_patient(index)

    @property
    def spacing(self) -> Array:
        """Of slices, rows and columns, mm; NaN between slices of a single one."""
        return self._grid.spacing

    def hold(self, points: Array) -> NDArray[np.bool_]:
        """Tell for (n, 3) LPS mm points whether each lies in a marked voxel."""
        at = np.round(self._grid.to_index(points))
        last = np.array(self._grid.shape) - 1
        within = ((at >= 0) & (at <= last)).all(axis=-1)
        nearest = np.clip(at, 0, last).astype(np.intp)
        return np.asarray(within & self._inside[tuple(np.moveaxis(nearest, -1, 0))])

    def size(self, gap_mm: float) -> float:
        """Return the volume, mm3, of a single slice with the gap that is given."""
        thick = self.spacing[0] if np.isfinite(self.spacing[0]) else gap_mm
        return float(self.count * thick * self.spacing[1] * self.spacing[2])


def place_of(findings: Iterable[Finding]) -> Place | None:
    """Return where findings lie, one lesion's together; None where nothing says.

    It is where the primary value was read; regions of a radiograph have no place, and of
    several frames of reference the first counts.
    """
    regions = [region for one in findings for region in _telling(one)]
    if not regions:
        return None
    frame = regions[0].frame_of_reference_uid
    regions = [one for one in regions if one.frame_of_reference_uid == frame]
    points = np.array([point for region in regions for point in extent(region)])
    masks = tuple(one for one in regions if isinstance(one, Mask))
    return Place(frame, points, masks)


def _telling(finding: Finding) -> list[Region]:
    """Return the regions that the primary value was read from, else all."""
    placed = [
        one
        for one in finding.regions
        if not isinstance(one, ImagePoints) and one.frame_of_reference_uid
    ]
    role = next(
        (m.region for m in finding.measurements if isinstance(m, Measurement)), ""
    )
    return [one for one in placed if role and one.role == role] or list(placed)


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """How one frame of reference is reached from another: some transforms in a row.

    Parameters
    ----------
    steps : tuple of (Alignment, bool)
        True where the alignment is gone backwards. None of them: one frame of reference.
    """

    steps: tuple[tuple[Alignment, bool], ...] = ()

    def apply(self, points: ArrayLike) -> Array:
        """Return (..., 3) LPS mm points in the frame that is reached."""
        at = np.asarray(points, float)
        for alignment, backwards in self.steps:
            at = _transform(alignment, backwards=backwards).apply(at)
        return at

    def uncertainty_at(self, point: ArrayLike) -> float:
        """Return the standard uncertainty of where a point lies, one axis, mm."""
        at, squares = np.asarray(point, float), 0.0
        for alignment, backwards in self.steps:
            there = _transform(alignment, backwards=backwards).apply(at)
            squares += alignment.uncertainty_at(there if backwards else at) ** 2
            at = there
        return math.sqrt(squares)


def _transform(alignment: Alignment, *, backwards: bool) -> RigidTransform:
    return alignment.transform.inverse if backwards else alignment.transform


class Ways:
    """The transforms of a comparison, and the ways that they open.

    Parameters
    ----------
    alignments : iterable of Alignment
    """

    def __init__(self, alignments: Iterable[Alignment] = ()) -> None:
        self._from: dict[str, list[tuple[str, Alignment, bool]]] = {}
        for one in alignments:
            ends = one.transform.from_frame_uid, one.transform.to_frame_uid
            if ends[0] != ends[1]:
                self._from.setdefault(ends[0], []).append((ends[1], one, False))
                self._from.setdefault(ends[1], []).append((ends[0], one, True))

    def between(self, earlier: str, later: str, *, site: str = "") -> Way | None:
        """Return the shortest way between two frames of reference; None without one.

        Of several alignments of two frames that of the site's own bone is taken, else
        the one with the least uncertainty.
        """
        if not earlier or not later:
            return None
        ways: dict[str, Way] = {earlier: Way()}
        pending = deque([earlier])
        while pending and later not in ways:
            frame = pending.popleft()
            way = ways[frame]
            if len(way.steps) == MOST_STEPS:
                continue
            for end in dict.fromkeys(end for end, _, _ in self._from.get(frame, ())):
                if end not in ways:
                    step = _best([e for e in self._from[frame] if e[0] == end], site)
                    ways[end] = Way((*way.steps, step))
                    pending.append(end)
        return ways.get(later)


def _best(
    edges: Sequence[tuple[str, Alignment, bool]], site: str
) -> tuple[Alignment, bool]:
    _, alignment, backwards = min(
        edges, key=lambda edge: (not _is_of(edge[1], site), edge[1].u_mm)
    )
    return alignment, backwards


def _is_of(alignment: Alignment, site: str) -> bool:
    """Tell whether a registration was limited to the bone of a site."""
    region = alignment.region.lower()
    names = (site.replace("_", " "), SITES[site].meaning.lower()) if site in SITES else ()
    # Whole words: T1 is not T12.
    return any(re.search(rf"\b{re.escape(name)}\b", region) for name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearness:
    """How the places of two findings of two dates lie to each other.

    Parameters
    ----------
    overlap : float or None
        Share of the smaller mask that lies in the larger; None where one has no mask or
        they lie far apart.
    distance_mm : float
        Between the middles.
    u_mm : float
        Standard uncertainty of that place by the registration.
    gate_mm : float
        Up to here the places may be of one lesion.
    """

    overlap: float | None
    distance_mm: float
    u_mm: float
    gate_mm: float

    @property
    def within(self) -> bool:
        """True where the places may be of one lesion."""
        return self.distance_mm <= self.gate_mm


def nearness(
    earlier: Place | None, later: Place | None, ways: Ways, *, site: str = ""
) -> Nearness | None:
    """Return how two places lie to each other; None where no transform joins them."""
    if earlier is None or later is None:
        return None
    way = ways.between(earlier.frame_uid, later.frame_uid, site=site)
    if way is None:
        return None
    middle = earlier.middle
    u_mm = way.uncertainty_at(middle)
    apart = float(np.linalg.norm(way.apply(middle) - later.middle))
    reach = max(earlier.reach, later.reach, LEAST_REACH_MM)
    # What lies apart by more than both reach shares no voxel.
    touch = apart <= earlier.reach + later.reach
    return Nearness(
        overlap=_overlap(earlier.voxels, later.voxels, way) if touch else None,
        distance_mm=apart,
        u_mm=u_mm,
        gate_mm=reach + COVERAGE * u_mm,
    )


def lies_in(place: Place, later: Place, ways: Ways, *, site: str = "") -> bool | None:
    """Tell whether the middle of a place lies in what a later one spans.

    None where no transform joins them. A mask's own voxels count, else the ball around
    the points; the uncertainty of the transform is let pass.
    """
    way = ways.between(place.frame_uid, later.frame_uid, site=site)
    if way is None:
        return None
    middle = place.middle
    there, u_mm = way.apply(middle), way.uncertainty_at(middle)
    slack = max(COVERAGE * u_mm, LEAST_REACH_MM)
    if not later.masks:
        return bool(np.linalg.norm(there - later.middle) <= later.reach + slack)
    apart = min(
        float(np.linalg.norm(one.centres - there, axis=1).min()) for one in later.voxels
    )
    return apart <= slack


def _overlap(
    earlier: Sequence[_Voxels], later: Sequence[_Voxels], way: Way
) -> float | None:
    """Return the share of the smaller of two lesions that lies in the larger."""
    if not earlier or not later:
        return None
    # A mask in a single slice says nothing of its thickness: it has that of the others.
    gaps = [float(one.spacing[0]) for one in (*earlier, *later)]
    known = [gap for gap in gaps if np.isfinite(gap)]
    gap = float(np.median(known)) if known else 1.0
    common = 0.0
    for one in earlier:
        at = way.apply(one.centres)
        inside = np.logical_or.reduce([other.hold(at) for other in later])
        common += float(inside.mean()) * one.size(gap)
    smaller = min(sum(one.size(gap) for one in each) for each in (earlier, later))
    return min(common / smaller, 1.0)
