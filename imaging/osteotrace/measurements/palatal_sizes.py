"""The sizes of a closed hole in the palate, each with its uncertainty and its doubts.

All of them come from the one fitted rim: the greatest antero-posterior extent in a
sagittal plane, the greatest transverse extent in a coronal plane, the area inside, and
the antero-posterior extent projected on the palatal line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from osteotrace import geometry
from osteotrace.codes import QUANTITIES
from osteotrace.measurements import caliper, outlines
from osteotrace.measurements.measurement import (
    Detail,
    LesionReading,
    Measurement,
    Method,
    NotMeasured,
    measured,
)
from osteotrace.measurements.palatal_surface import DENSITY_STEP_MM, Midsagittal
from osteotrace.measurements.region_values import THICK_SLICES_MM
from osteotrace.regions import Polyline
from osteotrace.segmentation.thresholds import METAL_HU
from osteotrace.volume import HOUNSFIELD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import ArrayLike

    from osteotrace.geometry import Array
    from osteotrace.measurements.palatal_hole import Hole
    from osteotrace.measurements.palatal_rim import Rim
    from osteotrace.measurements.palatal_surface import Surface
    from osteotrace.measurements.palatal_uncertainty import RimNoise
    from osteotrace.volume import Volume

METHOD: Final = Method(name="osteotrace palatal defect", version="1")

AP_EDGES: Final = "AP edges"
TRANSVERSE_EDGES: Final = "transverse edges"
OUTLINE: Final = "outline"
PALATAL_LINE: Final = "palatal line"
BONY: Final = (
    "palatal_gap_ap",
    "palatal_gap_transverse",
    "palatal_gap_area",
    "palatal_gap_on_line",
)

# Extents are smoothed over this much of the rim on each side, mm, as a caliper's bundle.
CHORD_MM: Final = 1.2
# How far into each stump the palatal line is fitted, mm.
STUMP_MM: Final = 10.0
# A hole narrower than this many sigma of its edges has no inner plateau left.
LEAST_WIDTH_SIGMAS: Final = 5.0
# Metal this near to the rim, mm, may have moved it.
METAL_NEAR_MM: Final = 8.0
MOST_METAL_VOXELS: Final = 5
# Share of the rim that may have no edge of its own before it is said.
UNFITTED_SAID: Final = 0.05
# Of the correction for curvature this share is uncertain, set on phantoms. The half
# that a single edge is given would cover 100 % of the areas: blur is read all around.
CURVATURE_SHARE: Final = 0.07
# Place of an edge by where between two voxels the palate lies: this times the square of
# the voxel across the plate over its thickness; and how far along the rim that goes
# together, mm. Both were set by the coverage on the phantoms of the accuracy table.
VOXEL_SHARE: Final = 0.19
VOXEL_ALONG_MM: Final = 0.6
# Place of the bone under a lining that is thinner than the blur resolves, mm: likewise.
LINING_MM: Final = 0.02
# A wall is flat where the rim bends less than this (1/mm) over a caliper's width (mm); a
# chord between flat walls stands for the longest one where it has this share of it.
FLAT_BEND: Final = 1 / 25.0
FLAT_WALL_MM: Final = 1.5
FLAT_SHARE: Final = 0.95
# How well the palatal line's direction repeats between seeds, degrees, and the area on
# the rim's plane, as a share: on a thick anterior palate, whose middle is ill defined.
LINE_DEG: Final = 2.0
PLANE_SHARE: Final = 0.002
# Lengths times this share: the scanner's scale.
SCALE_SHARE: Final = 0.0005


@dataclass(frozen=True, slots=True, eq=False)
class Defect:
    """A closed hole with its rim, and everything that is said about it."""

    volume: Volume
    hole: Hole
    rim: Rim
    halves: tuple[Array, ...]
    noise: RimNoise
    plane: Midsagittal

    @property
    def reading(self) -> LesionReading:
        """Every quantity, and the lines they were taken from."""
        ap, ap_line = self._extent(0)
        transverse, transverse_line = self._extent(1)
        area, outline = self._area()
        on_line, line = self._on_line(ap, ap_line)
        return LesionReading(
            measurements=(ap, transverse, area, on_line),
            regions=(ap_line, transverse_line, outline, line),
        )

    def _extent(self, axis: int) -> tuple[Measurement, Polyline]:
        """Return the greatest extent along an axis of the frame: AP or transverse."""
        name, role = (BONY[0], AP_EDGES) if axis == 0 else (BONY[1], TRANSVERSE_EDGES)
        ends = np.stack(outlines.longest_chord(self.rim.outline, axis, over=CHORD_MM))
        edges = polyline(self.volume, role, self.hole.surface.points(ends))
        across_walls = self._across_walls(name, role, axis, edges)
        if across_walls is not None:
            return across_walls
        value = geometry.distance(*edges.points)
        normal = self._normal(role)
        details = [*_vector("plane normal", normal), *self._offset(edges, role)]
        terms = self._terms(lambda line: _chord(line, axis), "mm", 1)
        terms.append(Detail("u scale", SCALE_SHARE * value, "mm"))
        across = "sagittal" if axis == 0 else "coronal"
        measurement = self._measured(
            name,
            value,
            "mm",
            terms,
            region=role,
            definition=f"greatest distance in one {across} plane between the two fitted "
            f"bony edges of the hole, on the middle of the palate; {self._sagittal}",
            details=details,
        )
        return measurement, edges

    def _across_walls(
        self, name: str, role: str, axis: int, edges: Polyline
    ) -> tuple[Measurement, Polyline] | None:
        """Return the caliper's perpendicular length where both walls are flat."""
        ends = self._flat_walls(axis)
        if ends is None:
            return None
        points = self.hole.surface.points(ends)
        reading = caliper.measure(self.volume, *points, between="gap", walls="bone")
        value, line = reading.value, reading.fitted
        if isinstance(value, NotMeasured) or line is None:
            return None
        if value.region != caliper.PERPENDICULAR:
            return None
        raw = geometry.distance(*edges.points)
        said = (
            f"{value.definition}, near the greatest extent of the hole, which is "
            f"{raw:.2f} mm; {self._sagittal}"
        )
        changed = msgspec.structs.replace(
            value,
            name=name,
            code=QUANTITIES[name],
            region=role,
            method=METHOD,
            definition=said,
            flags=tuple(dict.fromkeys([*value.flags, *self._doubts()])),
            details=(
                *value.details,
                *_vector("plane normal", self._normal(role)),
                *self._offset(edges, role),
                *self._facts(),
            ),
        )
        return changed, msgspec.structs.replace(line, role=role)

    def _flat_walls(self, axis: int) -> Array | None:
        """Return the ends of a chord near the longest between flat walls, (2, 2)."""
        line, bend = self.rim.outline, self.rim.bend
        places = np.arange(line[:, 1 - axis].min(), line[:, 1 - axis].max(), 0.25)
        found = []
        for place, crossings in zip(
            places, outlines.chords(line, axis, places), strict=True
        ):
            if len(crossings) != 2:
                continue
            ends = np.full((2, 2), place)
            ends[:, axis] = crossings
            away = np.linalg.norm(line[:, None] - ends, axis=2) < FLAT_WALL_MM
            flat = [
                near.any() and np.abs(bend[near]).max() < FLAT_BEND for near in away.T
            ]
            if all(flat):
                found.append(ends)
        longest = _chord(line, axis)
        near = [e for e in found if e[1, axis] - e[0, axis] > FLAT_SHARE * longest]
        return near[len(near) // 2] if near else None

    def _normal(self, role: str) -> Array:
        """Return the normal of the sagittal or the coronal plane."""
        return np.asarray(self.hole.surface.frame.axes[1 if role == AP_EDGES else 0])

    def _area(self) -> tuple[Measurement, Polyline]:
        rim = self.hole.surface.points(self.rim.outline)
        outline = polyline(self.volume, OUTLINE, np.concatenate([rim, rim[:1]]))
        value, normal = projected_area(outline.points)
        terms = self._terms(outlines.area, "mm2", 2)
        terms.append(Detail("u scale", 2 * SCALE_SHARE * value, "mm2"))
        terms.append(Detail("u palatal plane", PLANE_SHARE * value, "mm2"))
        measurement = self._measured(
            BONY[2],
            value,
            "mm2",
            terms,
            region=OUTLINE,
            definition="area inside the fitted bony rim of the hole on the middle of the "
            "palate, projected on the rim's plane of least squares",
            details=[*_vector("palatal plane normal", normal)],
        )
        return measurement, outline

    def _on_line(self, ap: Measurement, edges: Polyline) -> tuple[Measurement, Polyline]:
        """Project the AP extent on the line through what is left of the palate."""
        ends = np.array(edges.points)
        stumps = self._stumps(ends)
        middle = stumps.mean(axis=0)
        direction = np.linalg.svd(stumps - middle)[2][0]
        reach = (stumps - middle) @ direction
        line = middle + np.outer([reach.min(), reach.max()], direction)
        palatal = polyline(self.volume, PALATAL_LINE, line)
        along = np.subtract(*np.array(palatal.points))
        value = abs(float((ends[1] - ends[0]) @ geometry.unit_vector(along)))
        terms = [detail for detail in ap.details if detail.name.startswith("u ")]
        aside = float(np.sqrt(max(geometry.distance(*ends) ** 2 - value**2, 0.0)))
        lean = aside * float(np.radians(LINE_DEG))
        terms.append(Detail("u palatal line", lean, "mm"))
        measurement = self._measured(
            BONY[3],
            value,
            "mm",
            terms,
            region=PALATAL_LINE,
            definition="the antero-posterior gap projected on the line of least squares "
            f"through the middle of the bone up to {STUMP_MM:g} mm before and behind it "
            "in the same sagittal plane",
            details=(),
        )
        return measurement, palatal

    def _stumps(self, ends: Array) -> Array:
        """Return the middle of the bone before and behind the gap, (n, 3) LPS mm."""
        frame, image = self.hole.surface.frame, self.hole.image
        flat = frame.to_local(ends)[:, :2]
        steps = np.arange(0.5, STUMP_MM, 0.5)
        b = float(flat[:, 1].mean())
        a = np.concatenate([flat[0, 0] - steps[::-1], flat[1, 0] + steps])
        a = a[np.abs(a) < image.reach]
        row, column = (
            np.round((x + image.reach) / DENSITY_STEP_MM).astype(int)
            for x in (a, np.full_like(a, b))
        )
        bone = image.values[row, column] > image.level
        places = np.stack([a, np.full_like(a, b)], axis=1)[bone]
        return np.concatenate([ends, self.hole.surface.points(places)])

    def _terms(
        self, size: Callable[[Array], float], unit: str, power: int
    ) -> list[Detail]:
        """Return the terms of u that the size of an outline shows."""
        rim = self.rim
        whole = size(rim.outline)
        drawn = [size(rim.moved(moved)) for moved in self.noise.displacements]
        u_noise = float(np.std(drawn, ddof=1))
        pulled = abs(whole - size(rim.moved(-rim.shift)))
        parts = [size(line) for line in self.halves]
        halves = 0.5 * abs(parts[0] - parts[1]) if len(parts) == 2 else 0.0
        # An edge's error at both ends of a chord, or all along the rim of an area.
        place = voxel_place(self.hole.surface)
        around = outlines.perimeter(rim.outline)
        spread = np.sqrt(2.0) if power == 1 else np.sqrt(VOXEL_ALONG_MM * around)
        lining = 0.0 if rim.lining is None else LINING_MM
        terms = {
            "u edge noise": u_noise,
            "u curvature": CURVATURE_SHARE * pulled,
            # The upper and the lower half of the plate see other noise too.
            "u definition": float(np.sqrt(max(0.0, halves**2 - u_noise**2))),
            "u voxel": spread * place,
            "u lining": lining * (2.0 if power == 1 else around),
        }
        return [Detail(name, float(term), unit) for name, term in terms.items()]

    def _measured(
        self,
        name: str,
        value: float,
        unit: str,
        terms: Sequence[Detail],
        *,
        region: str,
        definition: str,
        details: Sequence[Detail],
    ) -> Measurement:
        return measured(
            name,
            value,
            unit,
            method=METHOD,
            sources=self._sources(self.hole.surface.points(self.rim.outline)),
            uncertainty=float(np.sqrt(sum(term.value**2 for term in terms))),
            region=region,
            definition=f"{definition}; {_HOW}",
            flags=(*self._doubts(), *self.volume.notes),
            details=(*terms, *details, *self._facts()),
        )

    def _facts(self) -> Iterator[Detail]:
        yield Detail("edge blur", self.rim.sigma, "mm")
        yield Detail("plate thickness", self.hole.surface.thickness, "mm")
        yield Detail("bone plateau", self.hole.image.plateau, HOUNSFIELD)
        yield Detail("soft tissue", self.hole.image.soft, HOUNSFIELD)

    def _doubts(self) -> Iterator[str]:
        surface, rim = self.hole.surface, self.rim
        if surface.gap > THICK_SLICES_MM:
            yield (
                f"voxels of {surface.gap:.1f} mm across the palate "
                f"(over {THICK_SLICES_MM:g} mm)"
            )
        if surface.gap > surface.thickness:
            yield "the palate is thinner than the voxels across it"
        if outlines.least_width(rim.outline)[0] < LEAST_WIDTH_SIGMAS * rim.sigma:
            yield "the hole is hardly wider than the blur of its edges"
        if rim.unfitted > UNFITTED_SAID:
            yield f"{100 * rim.unfitted:.0f} % of the rim has no bony edge of its own"
        if rim.lining is not None:
            yield (
                "the hole holds air: the soft tissue that lines its bone was fitted as "
                f"{rim.lining:.1f} mm thick"
            )
        yield from self._metal_nearby()

    def _metal_nearby(self) -> Iterator[str]:
        box = self.volume.grid.box_around(
            self.hole.surface.points(self.rim.outline), METAL_NEAR_MM
        )
        metal = np.count_nonzero(self.volume.rescaled(box) > METAL_HU)
        if metal > MOST_METAL_VOXELS:
            yield f"metal within {METAL_NEAR_MM:g} mm of the rim"

    def _offset(self, edges: Polyline, role: str) -> Iterator[Detail]:
        if role == AP_EDGES and self.plane.point is not None:
            middle = np.mean(edges.points, axis=0)
            offset = float((middle - self.plane.point) @ self.plane.lateral)
            yield Detail("offset from the midsagittal plane, left positive", offset, "mm")

    @property
    def _sagittal(self) -> str:
        if self.plane.point is None:
            return (
                "sagittal is across the patient's left-right axis, as no midsagittal "
                "plane was given"
            )
        return "sagittal is parallel to the given midsagittal plane"

    def _sources(self, points: Array) -> tuple[str, ...]:
        return tuple(image.source for image in self.volume.slices_between(points))


_HOW: Final = (
    "error-function edges with free local plateaus all around the rim, the pull of the "
    "blur on a curved edge put back; voxels interpolated linearly"
)


def voxel_place(surface: Surface) -> float:
    """Return the standard uncertainty of an edge's place from the voxels, mm."""
    return VOXEL_SHARE * surface.gap**2 / surface.thickness


def _chord(line: Array, axis: int) -> float:
    # Many outlines are measured: coarser steps, as the ends are smoothed anyway.
    first, last = outlines.longest_chord(line, axis, over=CHORD_MM, step=0.25)
    return float(last[axis] - first[axis])


def _vector(name: str, vector: Array) -> Iterator[Detail]:
    for letter, part in zip("xyz", vector, strict=True):
        yield Detail(f"{name} {letter}", float(part), "1")


def projected_area(points: ArrayLike) -> tuple[float, Array]:
    """Return the area inside a closed line in space, projected on its plane.

    Parameters
    ----------
    points : (n, 3) array
        LPS mm; the last point repeats the first.

    Returns
    -------
    float
        mm2.
    (3,) float64
        Unit normal of the plane of least squares through the points, towards superior.
    """
    corners = np.asarray(points, dtype=np.float64)[:-1]
    own = corners - corners.mean(axis=0)
    normal = np.linalg.svd(own)[2][2]
    normal = normal * (np.sign(normal[2]) or 1.0)
    twice = np.cross(own, np.roll(own, -1, axis=0)).sum(axis=0)
    return 0.5 * abs(float(twice @ normal)), normal


def polyline(volume: Volume, role: str, points: Array) -> Polyline:
    """Return a stored line through (n, 3) LPS mm points."""
    return Polyline(
        role=role,
        points=tuple(geometry.as_stored(point) for point in points),
        frame_of_reference_uid=volume.frame_of_reference_uid,
        source_instances=tuple(i.source for i in volume.slices_between(points)),
    )
