"""A vertebra from the mask of its body, read off the mask or off the grey values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import as_stored
from osteotrace.measurements import cement
from osteotrace.measurements.measurement import (
    LesionReading,
    Measurement,
    Method,
    NotMeasured,
    measured,
)
from osteotrace.measurements.vertebra import levels
from osteotrace.measurements.vertebra.frame import (
    FRACTIONS,
    STRIP_MM,
    Body,
    Frame,
    NoFrame,
    first_frame,
    settled,
    tilted,
)
from osteotrace.measurements.vertebra.profiles import (
    Profiles,
    beside_mask,
    from_grey,
    from_surfaces,
)
from osteotrace.measurements.vertebra.quantities import (
    HEIGHT_NAMES,
    Said,
    height_measurements,
    loss_measurements,
)
from osteotrace.measurements.vertebra.records import (
    WHERE,
    BodyFrame,
    VertebraReading,
    plain,
)
from osteotrace.measurements.vertebra.smooth_plate import NotSeen
from osteotrace.regions import Mask, Polyline
from osteotrace.volume import HOUNSFIELD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    from osteotrace.geometry import Array
    from osteotrace.volume import Volume

METHOD: Final = Method(name="osteotrace vertebra, body mask", version="1")
DEFINITION: Final = (
    "heights between the outer surfaces of both endplates along their bisector, at 10, "
    "50 and 90 % of the depth (wall to wall at mid-height), mean over ±7 % of the depth "
    "and ±5 mm beside the mid-sagittal plane"
)
FROM_GREY: Final = "; endplates and walls fitted to the grey values as thin plates"
FROM_MASK: Final = "; read off the mask alone"
# A mask of fewer voxels, or flatter than this, has no two endplates.
LEAST_VOXELS: Final = 100
LEAST_HEIGHT_MM: Final = 4.0
# One body is lower than this many times its depth; two with their disc are higher.
HIGHEST: Final = 1.45
# Voxels longer than this along the body are too thick for a height (warning), or for
# a grade (refusal), mm.
THICK_MM: Final = 3.05
TOO_THICK_MM: Final = 6.0
# A piece of the mask this large beside the largest counts.
_PIECE_SHARE: Final = 0.2
# More of the mask than this behind the posterior wall is no body.
_ARCH_SHARE: Final = 0.03
_BEHIND_MM: Final = 4.0
_UP: Final = (0.0, 0.0, 1.0)
_ANTERIOR: Final = (0.0, -1.0, 0.0)


def from_mask(
    mask: Mask,
    *,
    level: str,
    volume: Volume | None = None,
    up: ArrayLike = _UP,
    anterior: ArrayLike = _ANTERIOR,
) -> VertebraReading:
    """Measure a vertebra from the mask of its body.

    Parameters
    ----------
    mask : Mask
        The vertebral body; of a whole vertebra the body is found in it, with a flag.
    level : str
        E.g. ``"L1"``.
    volume : Volume, optional
        The image that the mask was made on: endplates are then fitted to its grey values.
    up, anterior : (3,) array
        Rough directions of the body, LPS; within some 40 degrees.

    Returns
    -------
    VertebraReading

    Raises
    ------
    OsteotraceError
        If the level has no body, the mask does not lie on the volume or reaches its
        border, or the mask is no single vertebral body.
    """
    name = levels.checked(level)
    voxels, grid = mask.voxels, mask.grid
    if volume is not None:
        _check_place(mask, volume)
    if int(voxels.sum()) < LEAST_VOXELS or min(voxels.shape) < 2:
        raise _no_body(f"a mask of {int(voxels.sum())} voxels")
    try:
        found = _found(mask, up, anterior)
    except NoFrame as reason:
        raise _no_body(f"a mask without a vertebral body: {reason}") from reason
    said = [*found.doubts, *levels.doubts(name)]
    profiles, basis = from_surfaces(found.frame, found.surfaces, grid), FROM_MASK
    cemented = _cemented(volume, mask)
    if cemented:
        said.append("endplates not fitted to the image: cement outshines them")
    elif volume is not None:
        try:
            fitted = from_grey(volume, found.body, found.frame, found.surfaces)
            profiles = beside_mask(fitted, profiles)
            basis = FROM_GREY
        except (NotSeen, NoFrame) as reason:
            said.append(f"endplates not fitted to the image: {reason}")
    return _reading(
        mask, name, volume, found, profiles, said, DEFINITION + basis, cemented=cemented
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Found:
    body: Body
    frame: Frame
    surfaces: Any
    doubts: tuple[str, ...]


def _found(mask: Mask, up: ArrayLike, anterior: ArrayLike) -> _Found:
    """Return the body in a mask, with its frame."""
    grid, voxels = mask.grid, mask.voxels
    body = Body(voxels, grid)
    frame = first_frame(body.points, up=up, anterior=anterior)
    strip = _strip(mask, frame)
    frame = tilted(frame, strip)
    half = 0.5 * float(np.ptp((strip - frame.origin) @ frame.up))
    frame, surfaces = settled(body, frame, half)
    height = float(np.nanmax(surfaces.top)) - float(np.nanmin(surfaces.bottom))
    if height < LEAST_HEIGHT_MM or frame.depth < LEAST_HEIGHT_MM:
        raise NoFrame(f"it is {height:.1f} mm high and {frame.depth:.1f} mm deep")
    middle = surfaces.mean(surfaces.top - surfaces.bottom, 0.5, frame.depth)
    if middle > HIGHEST * frame.depth:
        raise NoFrame(
            f"it is {middle:.0f} mm high and {frame.depth:.0f} mm deep: two bodies in one"
        )
    behind = float(np.mean(frame.to_frame(body.points)[:, 1] > frame.depth + _BEHIND_MM))
    doubts = (
        (
            "the mask holds the posterior elements: the body was cut from them at its "
            "posterior wall; a mask of the body alone is better",
        )
        if behind > _ARCH_SHARE
        else ()
    )
    return _Found(body=body, frame=frame, surfaces=surfaces, doubts=doubts)


def _strip(mask: Mask, frame: Frame) -> Array:
    """Return LPS mm points of the body near the mid-sagittal plane.

    The foremost of the large pieces of the mask there: the arch lies behind the canal.
    """
    import SimpleITK as sitk

    index = np.argwhere(mask.voxels)
    points = mask.grid.to_patient(index)
    reach = max(STRIP_MM, 0.6 * float(np.max(mask.grid.spacing)))
    near = np.abs((points - frame.origin) @ frame.left) <= reach
    middle: NDArray[np.uint8] = np.zeros(mask.voxels.shape, dtype=np.uint8)
    middle[tuple(index[near].T)] = 1
    labels = sitk.GetArrayFromImage(
        sitk.ConnectedComponent(sitk.GetImageFromArray(middle), True)
    )
    own = labels[tuple(index[near].T)]
    sizes = np.bincount(own, minlength=2)
    large = [n for n in range(1, len(sizes)) if sizes[n] >= _PIECE_SHARE * sizes.max()]
    pieces = [points[near][own == n] for n in large]
    places = [(p - frame.origin) @ frame.posterior for p in pieces]
    first = int(np.argmin([place.mean() for place in places]))
    for place in places[:first] + places[first + 1 :]:
        shared = min(place.max(), places[first].max()) - max(
            place.min(), places[first].min()
        )
        if shared > 0.5 * min(np.ptp(place), np.ptp(places[first])):
            raise NoFrame("it holds two bodies, one above the other")
    return np.asarray(pieces[first])


def _check_place(mask: Mask, volume: Volume) -> None:
    """Refuse a mask off the volume, or cut off by its border."""
    inside = mask.on(volume.grid)
    for axis, name in enumerate(("slice", "row", "column")):
        for end, side in ((0, "first"), (-1, "last")):
            if np.take(inside, end, axis=axis).any():
                raise OsteotraceError(
                    f"a mask that reaches the {side} {name} of the image",
                    expected="a vertebral body that lies wholly in the image",
                    advice="measure a level that is not cut off",
                )


def _no_body(found: str) -> OsteotraceError:
    return OsteotraceError(
        found,
        expected="the mask of one vertebral body",
        advice="choose the label of one vertebral body, or mark six points",
    )


def _reading(
    mask: Mask,
    level: str,
    volume: Volume | None,
    found: _Found,
    profiles: Profiles,
    said: list[str],
    basis: str,
    *,
    cemented: bool,
) -> VertebraReading:
    thickness = profiles.voxel_mm
    flags = [*said, *profiles.doubts]
    if thickness > THICK_MM:
        flags.append(f"voxels are {thickness:.1f} mm long along the body (over 3 mm)")
    if cemented:
        flags.append(
            "bone cement in the body: neither density nor a new loss is judged here"
        )
    flags += volume.notes if volume is not None else ()
    sources = mask.source_instances
    if volume is not None:
        corners = mask.grid.corners()
        sources = tuple(image.source for image in volume.slices_between(corners))
    lines = _height_lines(profiles, mask, sources)
    out = Said(
        method=METHOD,
        sources=sources,
        flags=tuple(dict.fromkeys(flags)),
        basis=basis,
        regions=(lines[0].role, lines[1].role, lines[2].role),
    )
    volume_mm3 = _body_volume(mask, profiles.frame, out, bool(found.doubts))
    if thickness > TOO_THICK_MM:
        reason = f"voxels of {thickness:.1f} mm along the body are too thick for heights"
        refused = tuple(out.refused(name, reason) for name in HEIGHT_NAMES)
        return VertebraReading(
            level=level,
            reading=LesionReading(measurements=(*refused, volume_mm3), regions=(mask,)),
            basis=basis,
            method=METHOD,
            cemented=cemented,
        )
    rows: tuple[Measurement | NotMeasured, ...] = (
        *height_measurements(profiles.heights, out, profiles.terms),
        *loss_measurements(profiles.heights, out),
        *_shape_measurements(profiles, out),
        volume_mm3,
    )
    return VertebraReading(
        level=level,
        reading=LesionReading(measurements=rows, regions=(*lines, mask)),
        basis=basis,
        method=METHOD,
        heights=profiles.heights,
        frame=_body_frame(profiles),
        cemented=cemented,
    )


def _cemented(volume: Volume | None, mask: Mask) -> bool:
    if volume is None or volume.unit != HOUNSFIELD:
        return False
    return cement.found(volume, mask, margin_mm=1.0) is not None


def _height_lines(
    profiles: Profiles, mask: Mask, sources: tuple[str, ...]
) -> tuple[Polyline, ...]:
    """Return the three heights as lines from the superior to the inferior endplate."""
    lines = []
    for k, (where, f) in enumerate(zip(WHERE, FRACTIONS, strict=True)):
        s = f * profiles.frame.depth
        ends = [[0.0, s, profiles.upper[k]], [0.0, s, profiles.lower[k]]]
        a, b = profiles.frame.to_patient(ends)
        lines.append(
            Polyline(
                role=f"{where} height",
                points=(as_stored(a), as_stored(b)),
                frame_of_reference_uid=mask.frame_of_reference_uid,
                source_instances=sources,
            )
        )
    return tuple(lines)


def _shape_measurements(profiles: Profiles, said: Said) -> Iterator[Measurement]:
    yield said.measured(
        "wedge_angle",
        profiles.wedge_deg,
        "deg",
        profiles.u_endplate_deg * float(np.sqrt(2)),
        definition="angle between the endplate lines through their places at 10 and 90 % "
        "of the depth; positive where the front is lower",
    )
    for name, value in zip(("superior", "inferior"), profiles.depressions, strict=True):
        yield said.measured(
            f"endplate_depression_{name}",
            value,
            "mm",
            profiles.u_depression,
            definition="deepest point of the endplate's mean profile under the line "
            "between the highest points of its front and back quarter (from 5 to 95 %)",
        )


def _body_frame(profiles: Profiles) -> BodyFrame:
    frame = profiles.frame
    superior, inferior = (
        frame.posterior * np.cos(angle) + frame.up * np.sin(angle)
        for angle in profiles.endplate_angles
    )
    return BodyFrame(
        origin=plain(frame.origin),
        left=plain(frame.left),
        posterior=plain(frame.posterior),
        up=plain(frame.up),
        depth=float(frame.depth),
        superior=plain(superior),
        inferior=plain(inferior),
        u_endplate_deg=profiles.u_endplate_deg,
    )


def _body_volume(mask: Mask, frame: Frame, said: Said, cut: bool) -> Measurement:
    """Return the volume of the mask's voxels, cut at the posterior wall if need be."""
    grid = mask.grid
    index = np.argwhere(mask.voxels)
    if cut:
        behind = frame.to_frame(grid.to_patient(index))[:, 1] > frame.depth
        index = index[~behind]
    gaps = grid.slice_gaps
    own = np.concatenate([gaps[:1], 0.5 * (gaps[1:] + gaps[:-1]), gaps[-1:]])
    area = float(np.prod(grid.pixel_spacing))
    return measured(
        "body_volume",
        float(own[index[:, 0]].sum()) * area,
        "mm3",
        method=said.method,
        sources=said.sources,
        uncertainty_reason="the outline is the mask's own, which was not checked",
        region=mask.role,
        definition="voxels of the mask"
        + (" in front of the posterior wall" if cut else ""),
        flags=said.flags,
    )
