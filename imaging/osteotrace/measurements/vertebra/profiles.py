"""Heights of a body and the terms of their uncertainty, from a mask or its image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.measurements.vertebra import refinement
from osteotrace.measurements.vertebra.frame import FRACTIONS, Frame
from osteotrace.measurements.vertebra.records import WHERE, Heights, heights_of
from osteotrace.measurements.vertebra.smooth_plate import NotSeen, thickness_log_sd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osteotrace.geometry import Array, Grid
    from osteotrace.measurements.vertebra.frame import Body, Surfaces
    from osteotrace.volume import Volume

# A height off a mask: error of its gridding and of its contour, shares of a voxel along
# the body (phantoms whose contour is off by a smooth field of 0.3 voxel, SD).
GRID_SHARE: Final = 0.17
CONTOUR_SHARE: Final = 0.21
# Of fitted endplates: what the voxel's extent along the body leaves, share of it.
VOXEL_SHARE: Final = 0.05
# Beyond this the share grows with the extent, mm.
_THICK_MM: Final = 1.25
# Fitted endplates farther than this from the mask's, voxels along the body plus mm.
_FAR: Final = (1.0, 0.5)
# A window that departs by more from the mask's form, likewise.
_BENT: Final = (0.75, 0.2)
# A fitted height this far from the mask's is doubtful, and this far is no endplate of
# this body: share of a voxel along the body, plus mm. A mask of true outline leaves 0.2
# of a voxel (SD); programs' masks on real scans leave up to a voxel.
_DOUBTFUL: Final = (0.6, 0.4)
_WRONG: Final = (2.5, 1.0)
# Noise of a window's height beyond which the image does not help, mm.
_MOST_NOISE_MM: Final = 1.2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Profiles:
    """Both endplates of a body, in its frame.

    Parameters
    ----------
    frame : Frame
    upper, lower : (3,) float64
        v of the endplates at `FRACTIONS` of the depth, mm.
    heights : Heights
    terms : tuple of mapping
        Of each height's standard uncertainty, mm.
    endplate_angles : (superior, inferior)
        Radians by which the endplate rises towards the back.
    u_endplate_deg : float
    depressions : (superior, inferior)
        mm.
    u_depression : float
        mm.
    voxel_mm : float
        Extent of a voxel along the body.
    doubts : tuple of str
    """

    frame: Frame
    upper: Array
    lower: Array
    heights: Heights
    terms: tuple[Mapping[str, float], ...]
    endplate_angles: tuple[float, float]
    u_endplate_deg: float
    depressions: tuple[float, float]
    u_depression: float
    voxel_mm: float
    doubts: tuple[str, ...] = ()

    @property
    def wedge_deg(self) -> float:
        """The angle between the endplates, positive where the front is lower."""
        return float(np.degrees(self.endplate_angles[0] - self.endplate_angles[1]))


def voxel_extent(grid: Grid, direction: Array) -> float:
    """Return the longest side of a voxel along a unit vector, mm."""
    frame = np.stack([grid.normal, grid.column_direction, grid.row_direction])
    return float((np.abs(frame @ direction) * grid.spacing).max())


def depression(fractions: Array, profile: Array, depth: float) -> float:
    """Return the deepest point under the line from rim to rim, mm.

    Parameters
    ----------
    fractions : (n,) array
        Of the depth, ascending.
    profile : (n,) array
        Outwards positive, mm.
    """
    front = np.flatnonzero((fractions <= 0.25) & np.isfinite(profile))
    back = np.flatnonzero((fractions >= 0.75) & np.isfinite(profile))
    a, b = front[np.argmax(profile[front])], back[np.argmax(profile[back])]
    places = fractions * depth
    slope = (profile[b] - profile[a]) / (places[b] - places[a])
    line = profile[a] + slope * (places - places[a])
    deepest = float(np.nanmax((line - profile)[a : b + 1]))
    return deepest / float(np.hypot(1.0, slope))


def _angles(upper: Array, lower: Array, depth: float) -> tuple[float, float]:
    run = (FRACTIONS[2] - FRACTIONS[0]) * depth
    first, second = (float(np.arctan((p[2] - p[0]) / run)) for p in (upper, lower))
    return first, second


def from_surfaces(frame: Frame, surfaces: Surfaces, grid: Grid) -> Profiles:
    """Return heights read off a mask alone."""
    upper, lower = (
        np.array([surfaces.mean(plate, f, frame.depth) for f in FRACTIONS])
        for plate in (surfaces.top, surfaces.bottom)
    )
    voxel = voxel_extent(grid, frame.up)
    terms = {"u grid": GRID_SHARE * voxel, "u contour": CONTOUR_SHARE * voxel}
    u = float(np.hypot(GRID_SHARE, CONTOUR_SHARE)) * voxel
    strip = surfaces.in_strip
    fractions = surfaces.s / frame.depth
    seen = (fractions >= 0.05) & (fractions <= 0.95)
    rows = [surfaces.top[strip][:, seen], -surfaces.bottom[strip][:, seen]]
    sunk = [
        depression(fractions[seen], np.nanmean(row, axis=0), frame.depth) for row in rows
    ]
    run = (FRACTIONS[2] - FRACTIONS[0]) * frame.depth
    return Profiles(
        frame=frame,
        upper=upper,
        lower=lower,
        heights=heights_of(upper - lower, u**2 * np.eye(3)),
        terms=(terms, terms, terms),
        endplate_angles=_angles(upper, lower, frame.depth),
        # Both ends of an endplate, each with half of a height's variance.
        u_endplate_deg=float(np.degrees(u / run)),
        depressions=(sunk[0], sunk[1]),
        u_depression=u,
        voxel_mm=voxel,
    )


def from_grey(volume: Volume, body: Body, frame: Frame, surfaces: Surfaces) -> Profiles:
    """Return heights between endplates fitted to the grey values.

    Raises
    ------
    NotSeen
        If the image shows no endplates near the mask's, or only too uncertainly.
    """
    reach = float(np.nanmax(surfaces.top)) - float(np.nanmin(surfaces.bottom))
    grey = refinement.grey_around(volume, frame, 0.5 * reach)
    frame, u_depth = refinement.refined_frame(volume, body, grey, frame, surfaces)
    surfaces = body.surfaces(frame, 0.5 * reach)
    plates = [
        refinement.endplate(volume, grey, frame, surfaces, upper=upper)
        for upper in (True, False)
    ]
    upper, lower = (np.array([w.v for w in plate.windows]) for plate in plates)
    noise = np.array([[w.u_noise for w in plate.windows] for plate in plates])
    heights = upper - lower
    if not (heights > 0).all() or np.hypot(*noise).max() > _MOST_NOISE_MM:
        raise NotSeen("the fitted endplates are too uncertain")
    voxel = voxel_extent(volume.grid, frame.up)
    terms, covariance = _budget(plates, noise, frame, u_depth, voxel)
    run = (FRACTIONS[2] - FRACTIONS[0]) * frame.depth
    u_ends = float(np.sqrt((noise[:, [0, 2]] ** 2).mean() + _voxel_u(voxel) ** 2 / 2))
    sunk = [
        depression(p.fractions, sign * p.profile, frame.depth)
        for sign, p in zip((1.0, -1.0), plates, strict=True)
    ]
    return Profiles(
        frame=frame,
        upper=upper,
        lower=lower,
        heights=heights_of(heights, covariance),
        terms=terms,
        endplate_angles=_angles(upper, lower, frame.depth),
        u_endplate_deg=float(np.degrees(np.sqrt(2) * u_ends / run)),
        depressions=(sunk[0], sunk[1]),
        u_depression=float(np.sqrt(1.5) * u_ends + 0.1),
        voxel_mm=voxel,
        doubts=tuple(_far_doubts(plates, voxel)),
    )


def beside_mask(fitted: Profiles, masked: Profiles) -> Profiles:
    """Return fitted heights, less certain where the mask's own heights differ.

    Parameters
    ----------
    fitted, masked : Profiles
        Of the same body, from `from_grey` and from `from_surfaces`.

    Raises
    ------
    NotSeen
        If a height differs by more than an outline can be wrong.
    """
    apart = fitted.heights.values - masked.heights.values
    far = np.abs(apart)
    voxel = fitted.voxel_mm
    if far.max() > _WRONG[0] * voxel + _WRONG[1]:
        raise NotSeen(f"a fitted height lies {far.max():.1f} mm from the mask's")
    doubtful = far > _DOUBTFUL[0] * voxel + _DOUBTFUL[1]
    if not doubtful.any():
        return fitted
    u_mask = np.where(doubtful, 0.5 * far, 0.0)
    covariance = np.array(fitted.heights.covariance) + np.diag(u_mask**2)
    told = [
        f"image and mask differ by {apart[k]:+.1f} mm in the {WHERE[k]} height"
        for k in np.flatnonzero(doubtful)
    ]
    return replace(
        fitted,
        heights=heights_of(fitted.heights.values, covariance),
        terms=tuple(
            {**terms, "u mask": float(u)}
            for terms, u in zip(fitted.terms, u_mask, strict=True)
        ),
        doubts=(*fitted.doubts, *told),
    )


def _voxel_u(voxel: float) -> float:
    """Return what the voxel's extent leaves: more than its share where it is thick."""
    return VOXEL_SHARE * voxel * max(1.0, voxel / _THICK_MM)


def _budget(
    plates: list[refinement.Endplate],
    noise: Array,
    frame: Frame,
    u_depth: float,
    voxel: float,
) -> tuple[tuple[Mapping[str, float], ...], Array]:
    """Return the terms of each height's uncertainty, mm, and their covariance."""
    thickness = 0.5 * sum(plate.thickness for plate in plates)
    u_plate = thickness * thickness_log_sd()
    fractions = plates[0].fractions
    height = plates[0].profile - plates[1].profile
    slopes = np.gradient(height, fractions * frame.depth)
    at = np.interp(FRACTIONS, fractions, slopes)
    # Each end of the depth is as uncertain as the other.
    share = np.array([np.hypot(1 - f, f) for f in FRACTIONS])
    u_frame = np.abs(at) * share * u_depth / np.sqrt(2)
    u_noise = np.hypot(*noise)
    own = u_noise**2 + u_frame**2 + _voxel_u(voxel) ** 2
    terms = tuple(
        {
            "u noise": float(u_noise[k]),
            "u plate": float(u_plate),
            "u frame": float(u_frame[k]),
            "u voxel": _voxel_u(voxel),
        }
        for k in range(len(FRACTIONS))
    )
    # Thickness and density of the plates are one error for all three heights.
    return terms, np.diag(own) + u_plate**2


def _far_doubts(plates: list[refinement.Endplate], voxel: float) -> list[str]:
    limit, bend = (a * voxel + b for a, b in (_FAR, _BENT))
    named = list(zip(("superior", "inferior"), plates, strict=True))
    far = [
        f"the {name} endplate was fitted {plate.from_mask:+.1f} mm from the mask's"
        for name, plate in named
        if abs(plate.from_mask) > limit
    ]
    bent = [
        f"the fitted {name} endplate departs from the mask's form by {plate.bent:.1f} mm"
        for name, plate in named
        if plate.bent > bend
    ]
    return [*far, *bent]
