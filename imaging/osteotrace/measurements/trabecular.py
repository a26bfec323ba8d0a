"""Lucent trabecular bone against the reference side.

Marrow is what the envelope holds behind the cortex. What is darker than half way from
soft tissue to the reference side's marrow is lucent, and so is a part of the reference
side: that part is taken off, as destruction falls on dark and bright marrow alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.measurements.bone_envelope import STEP_MM, distances
from osteotrace.measurements.measurement import (
    COVERAGE_FACTOR_95,
    Detail,
    Method,
    measured,
    not_measured,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from osteotrace.geometry import Array
    from osteotrace.measurements.bone_envelope import Window
    from osteotrace.measurements.cortical_surface import CorticalSurface
    from osteotrace.measurements.measurement import Reading

METHOD: Final = Method(name="lucent marrow against the reference side", version="1")
NAME: Final = "trabecular_lucent_fraction"
# Marrow smaller than this says nothing, mm³.
LEAST_MARROW_MM3: Final = 100.0
# Where more of the reference side is lucent itself, its marrow is soft tissue's equal.
MOST_REFERENCE: Final = 0.25
# Marrow is cut into cubes of this side to see how far its lucent share strays, mm.
CUBE_MM: Final = 4.0
# How far the fraction strays from the true share on phantoms: in points, as the part of
# the marrow next to the cortex is not looked at, and as a share of itself.
MODEL_POINTS: Final = 1.5
MODEL_SHARE: Final = 0.12
DEFINITION: Final = (
    "share of the marrow space darker than half way from soft tissue to the reference "
    "side's median marrow, over what is as dark on the reference side: (f - f0)/(1 - f0)"
)


def lucent_fraction(
    window: Window,
    surface: CorticalSurface,
    other: Window | None,
    beyond: CorticalSurface | None,
    *,
    sources: tuple[str, ...],
    flags: Iterable[str],
) -> Reading:
    """Return the lucent share of a region's marrow against the reference side.

    Parameters
    ----------
    window, surface
        Of the lesion.
    other, beyond
        Of the reference side; None without one.
    """

    def refused(reason: str) -> Reading:
        return not_measured(NAME, reason, method=METHOD, sources=sources)

    if other is None or beyond is None:
        return refused("no reference side was given")
    own, theirs = _marrow(window, surface), _marrow(other, beyond)
    for mask, what in ((own, "region"), (theirs, "reference side")):
        size = float(mask.sum()) * STEP_MM**3
        if size < LEAST_MARROW_MM3:
            return refused(
                f"only {size:.0f} mm³ of marrow in the {what}, at least "
                f"{LEAST_MARROW_MM3:.0f} are needed"
            )
    soft = 0.5 * (surface.levels.soft + beyond.levels.soft)
    level = 0.5 * (soft + float(np.median(other.even[theirs])))
    lesion, base = _share(window, own, level), _share(other, theirs, level)
    if level <= soft or base.share > MOST_REFERENCE:
        return refused(
            "the marrow of the reference side is no denser than soft tissue: lucent "
            "marrow cannot be told from intact"
        )
    fraction = (lesion.share - base.share) / (1 - base.share)
    # Both sides have their own texture; holes are no part of it.
    noise = base.variance * (1 / lesion.cubes + 1 / base.cubes)
    u_texture = float(np.sqrt(noise)) / (1 - base.share)
    u_model = float(np.hypot(MODEL_POINTS / 100, MODEL_SHARE * fraction))
    share, u = 100 * fraction, 100 * float(np.hypot(u_texture, u_model))
    reach = COVERAGE_FACTOR_95 * u
    return measured(
        NAME,
        share,
        "%",
        method=METHOD,
        sources=sources,
        uncertainty=u,
        interval95=(share - reach, min(100.0, share + reach)),
        definition=DEFINITION,
        flags=flags,
        details=(
            Detail("u texture and noise", 100 * u_texture, "%"),
            Detail("u definition", 100 * u_model, "%"),
            Detail("lucent on the lesion's side", 100 * lesion.share, "%"),
            Detail("lucent on the reference side", 100 * base.share, "%"),
            Detail("level", level, window.unit),
        ),
    )


@dataclass(frozen=True, slots=True)
class _Lucent:
    """A lucent share, its variance between cubes, and how many cubes there are."""

    share: float
    variance: float
    cubes: float


def _marrow(window: Window, surface: CorticalSurface) -> NDArray[np.bool_]:
    """Return the voxels of the region behind the cortex, on the even grid."""
    deep = distances(surface.filled) < surface.inner_mm
    return np.asarray(deep & window.region)


def _share(window: Window, marrow: NDArray[np.bool_], level: float) -> _Lucent:
    lucent = window.even[marrow] < level
    cells = np.floor(np.argwhere(marrow) * (STEP_MM / CUBE_MM)).astype(int)
    _, label = np.unique(cells, axis=0, return_inverse=True)
    label = label.ravel()
    size: Array = np.bincount(label).astype(np.float64)
    share = np.bincount(label, lucent) / size
    mean = float(lucent.mean())
    effective = float(size.sum() ** 2 / (size**2).sum())
    variance = float((size * (share - mean) ** 2).sum() / size.sum())
    return _Lucent(mean, variance, effective)
