"""What a hole in the palate that is open to a side still shows.

No outline closes around it, so it has no area; across the sides that it is not open to,
its width in the plane of the seed remains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace import geometry
from osteotrace.measurements import edge_pairs, edges, noise
from osteotrace.measurements.measurement import (
    Detail,
    LesionReading,
    Measurement,
    NotMeasured,
    measured,
    not_measured,
)
from osteotrace.measurements.palatal_sizes import (
    AP_EDGES,
    BONY,
    METHOD,
    SCALE_SHARE,
    TRANSVERSE_EDGES,
    polyline,
    voxel_place,
)
from osteotrace.measurements.profiles import Bundle

if TYPE_CHECKING:
    from osteotrace.geometry import Array
    from osteotrace.measurements.edges import Edge
    from osteotrace.measurements.palatal_hole import Hole
    from osteotrace.regions import Polyline
    from osteotrace.volume import Volume

# Image looked at around the wall of an open hole, mm.
WALL_REACH_MM: Final = 6.0


def reading(volume: Volume, hole: Hole, seed: Array) -> LesionReading:
    """Return what an open hole still shows: its extent across the open side."""
    sides = " and ".join(hole.open_sides)
    sources = tuple(image.source for image in volume.slices_between(seed[None]))
    regions: list[Polyline] = []
    readings: list[Measurement | NotMeasured] = []
    for axis, name in ((0, BONY[0]), (1, BONY[1])):
        own = ("anterior", "posterior") if axis == 0 else ("right", "left")
        missing = [side for side in own if side in hole.open_sides]
        if missing:
            stump = " and ".join(f"no {side} stump" for side in missing)
            reason = f"{stump}: the hole is open to the {' and '.join(missing)} side"
            readings.append(not_measured(name, reason, method=METHOD, sources=sources))
            continue
        across, lines = _across_seed(volume, hole, axis, name, sides)
        readings.append(across)
        regions += lines
    reason = f"the hole is open to the {sides} side: it has no closed outline"
    readings.append(not_measured(BONY[2], reason, method=METHOD, sources=sources))
    reason = f"the hole is open to the {sides} side: no stumps to lay the line through"
    readings.append(not_measured(BONY[3], reason, method=METHOD, sources=sources))
    return LesionReading(measurements=tuple(readings), regions=tuple(regions))


def _across_seed(
    volume: Volume, hole: Hole, axis: int, name: str, sides: str
) -> tuple[Measurement | NotMeasured, list[Polyline]]:
    """Measure an open hole between its two walls in the plane of the seed."""
    image, middle = hole.image, len(hole.image.values) // 2
    line = image.values[:, middle] if axis == 0 else image.values[middle]
    bone = np.flatnonzero(line > image.level)
    rough = image.side[[bone[bone < middle].max(), bone[bone > middle].min()]]
    walls = [_wall(hole, axis, float(place)) for place in rough]
    plane = "sagittal" if axis == 0 else "coronal"
    if walls[0] is None or walls[1] is None:
        reason = f"no edge can be fitted in the {plane} plane of the seed"
        return not_measured(name, reason, method=METHOD), []
    ends = np.zeros((2, 2))
    ends[:, axis] = [wall.t for wall in walls if wall is not None]
    points = hole.surface.points(ends)
    role = AP_EDGES if axis == 0 else TRANSVERSE_EDGES
    ends_line = polyline(volume, role, points)
    value = geometry.distance(*ends_line.points)
    terms = {
        "u edge noise": float(
            np.hypot(noise.white_noise(walls[0]), noise.white_noise(walls[1]))
        ),
        "u voxel": float(np.sqrt(2.0)) * voxel_place(hole.surface),
        "u scale": SCALE_SHARE * value,
    }
    measurement = measured(
        name,
        value,
        "mm",
        method=METHOD,
        sources=ends_line.source_instances,
        uncertainty=float(np.sqrt(sum(term**2 for term in terms.values()))),
        region=role,
        definition=f"distance in the {plane} plane of the seed between the two fitted "
        "bony edges, on the middle of the palate; error-function edges with free local "
        "plateaus; voxels interpolated linearly",
        flags=(
            f"the hole is open to the {sides} side: taken in the {plane} plane of the "
            "seed, not where it is greatest",
            *volume.notes,
        ),
        details=[Detail(term, size, "mm") for term, size in terms.items()],
    )
    return measurement, [ends_line]


def _wall(hole: Hole, axis: int, place: float) -> Edge | None:
    """Fit one wall on lines along an axis, through the layers of the plate."""
    surface = hole.surface
    t = place + np.arange(-WALL_REACH_MM, WALL_REACH_MM + 0.1, 0.2)
    aside = np.linspace(-1.0, 1.0, 5) * edge_pairs.HALF_WIDTH_MM
    heights = np.linspace(surface.layers[0], surface.layers[-1], 5)
    flat = np.zeros((len(aside), len(t), 2))
    flat[..., axis], flat[..., 1 - axis] = t, aside[:, None]
    values = np.stack([hole.window.at(surface.points(flat, h)) for h in heights])
    if not np.isfinite(values).all():
        return None
    v, u = (grid.ravel() for grid in np.meshgrid(heights, aside, indexing="ij"))
    bundle = Bundle(values=values.reshape(-1, len(t)), t=t, u=u, v=v)
    rising = [c for c in edges.candidates(bundle, place) if c.slope * place > 0]
    best = max(rising, key=lambda c: c.score(place), default=None)
    return None if best is None else edges.fit(bundle, best)
