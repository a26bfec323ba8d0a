"""Marks of an earlier reading on later images: carried by the transform, then refitted.

Nobody clicks anew: clicks of two dates differ by more than most lesions change. What
a mark was measured by before, it is measured by again, where the transform puts it.
What was drawn around by hand is not carried: its outline would give the earlier value
back. Every such finding is a proposal and says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from osteotrace.alignment import RigidTransform, moved_mask
from osteotrace.errors import OsteotraceError
from osteotrace.findings.carried_values import with_registration
from osteotrace.measurements.measurement import Measurement, Method, not_measured
from osteotrace.protocol import CaliperEntry, Where
from osteotrace.protocol import entries as kinds
from osteotrace.reading.images import StudyImages
from osteotrace.reading.lesions import findings_of
from osteotrace.reading.marks import SEARCHED, series_keys
from osteotrace.regions import ImagePoints, Mask, Points, Polyline
from osteotrace.segmentation import marked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from osteotrace.findings import Finding
    from osteotrace.protocol import Entry
    from osteotrace.reading.comparing.marks import Marks
    from osteotrace.regions import Point
    from osteotrace.volume import Volume

METHOD: Final = Method(name="osteotrace carried mark", version="1")
# Corners of a regular tetrahedron at distance sqrt(3): their covariance is the identity,
# so that displacing by u times them is displacing by u along every axis.
TETRAHEDRON: Final = np.array([(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)], float)
# Fewest of the displaced marks that have to give a value.
FEWEST_DISPLACED: Final = 3
NOT_HELD: Final = (
    "not measured where the registration may put the marks as well: its place is not "
    "certain enough"
)

# What is fitted anew around points, or looked for inside a region.
_REFITTED: Final[tuple[type[Entry], ...]] = (
    kinds.PalatalDefectEntry,
    kinds.SoftTissueGapEntry,
    kinds.SequestraEntry,
    kinds.GasEntry,
    kinds.MothEatenEntry,
    kinds.PeriostealReactionEntry,
    kinds.CementEntry,
    kinds.IntensityEntry,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What a mark gave on the later images.

    Parameters
    ----------
    findings : tuple of Finding
        That of the mark first, with the tracking UID of the earlier one; then its parts.
    registration : dict
        Standard uncertainty that the transform adds, by tracking UID and quantity; the
        values tell it too.
    entry : Entry or None
        What it was measured by there; None where nothing was measured.
    masks : dict of str to Mask
        What labels of the entry mean on the later images.
    """

    findings: tuple[Finding, ...]
    registration: dict[tuple[str, str], float] = field(default_factory=dict)
    entry: Entry | None = None
    masks: dict[str, Mask] = field(default_factory=dict, repr=False)


def carried(
    finding: Finding,
    marks: Marks,
    later: Volume,
    transform: RigidTransform,
    *,
    u_mm: float,
    since: str,
    parts: Sequence[Finding] = (),
) -> Carried:
    """Measure a mark of an earlier reading on later images.

    Parameters
    ----------
    finding : Finding
        The earlier one; what is found keeps its tracking UID.
    marks : Marks
        What it was measured by.
    later : Volume
        Where it is looked for.
    transform : RigidTransform
        From the frame of the marks to that of `later`.
    u_mm : float
        Standard uncertainty of the place by the registration, one axis.
    since : str
        What notes call the earlier reading.
    parts : sequence of Finding
        What belongs to the earlier one, such as the fragments of sequestra: their place
        has to be shown whole too.

    Notes
    -----
    What the transform adds to a value is the standard deviation over four measurements
    with the marks displaced by `u_mm` along every axis (a tetrahedron). Where fewer than
    three of these give a value, the value is flagged.
    """
    why = why_not_carried(marks.entry)
    if why:
        return Carried(findings=(_unmeasured(finding, marks.entry, later, why, since),))
    try:
        _check_imaged((finding, *parts), later, transform)
        found = _measured(marks, later, transform)
    except OsteotraceError as problem:
        why = f"{problem.found}; expected {problem.expected}"
        return Carried(findings=(_unmeasured(finding, marks.entry, later, why, since),))
    own = _proposal(finding, found[0], since)
    spread = dict.fromkeys((one.name for one in own.measurements), 0.0)
    if u_mm:
        displaced = [
            _measured_or_none(marks, later, _shifted(transform, u_mm * corner))
            for corner in TETRAHEDRON
        ]
        own, spread = _with_spread(own, [one for one in displaced if one is not None])
    values = [one for one in own.measurements if isinstance(one, Measurement)]
    own = with_registration(own, {one.name: spread.get(one.name, 0.0) for one in values})
    entry, masks = _moved(marks, later, transform)
    return Carried(
        findings=(own, *(_possible(part, since) for part in found[1:])),
        registration={(own.tracking_uid, name): u for name, u in spread.items()},
        entry=entry,
        masks=masks,
    )


def _check_imaged(
    lesion: Sequence[Finding], later: Volume, transform: RigidTransform
) -> None:
    """Refuse a lesion whose place the later images do not show whole.

    A region that was looked into may reach beyond them; the lesion in it may not.
    """
    shown = [
        region
        for one in lesion
        for region in one.regions
        if not isinstance(region, ImagePoints)
        and region.frame_of_reference_uid == transform.from_frame_uid
    ]
    own = [region for region in shown if region.role not in SEARCHED] or shown
    points = [point for region in own for point in _points(region)]
    outside = ~later.grid.contains(transform.apply(np.array(points))) if points else ()
    if np.any(outside):
        share = 100 * float(np.mean(outside))
        raise OsteotraceError(
            f"a place of which {share:.0f} % lie outside the later images",
            expected="images that show all of it",
            advice="nothing is said of what was not imaged",
        )


def _points(region: Mask | Points | Polyline) -> Iterable[Point]:
    """Return the LPS mm points of a region: of a mask its voxels."""
    if not isinstance(region, Mask):
        return region.points
    at = region.grid.to_patient(np.argwhere(region.voxels))
    return [(float(x), float(y), float(z)) for x, y, z in at]


def why_not_carried(entry: Entry) -> str:
    """Return why a mark gives nothing on other images; empty where it is refitted."""
    if isinstance(entry, CaliperEntry):
        return "" if entry.snap else _NO_FIT
    if isinstance(entry, kinds.VertebraEntry):
        return "" if entry.points is not None else _OUTLINED
    if isinstance(entry, kinds.MarrowEdemaEntry):
        return "" if entry.seed is not None else _OUTLINED
    if isinstance(entry, kinds.AngleEntry):
        return _NO_FIT
    return "" if isinstance(entry, _REFITTED) else _OUTLINED


_NO_FIT: Final = (
    "it was measured between points as they were placed, which are not fitted to the "
    "images: place them on the later ones"
)
_OUTLINED: Final = (
    "its outline was drawn on the earlier images and says nothing of the later ones: "
    "mark it there"
)


class _MovedImages(StudyImages):
    """The later volume with the regions that were carried onto it."""

    def __init__(self, volume: Volume, masks: Mapping[str, Mask]) -> None:
        self._volume, self._moved = volume, masks

    @property
    def volumes(self) -> tuple[Volume, ...]:
        return (self._volume,)

    def volume(self, entry: Entry) -> Volume:
        return self._volume

    def region(self, volume: Volume, where: Where, role: str) -> Mask:
        if where.label is None:
            return super().region(volume, where, role)
        return msgspec.structs.replace(self._moved[where.label], role=role)

    def notes_of(self, entry: Entry, volume: Volume) -> tuple[str, ...]:
        return ()


def _measured(
    marks: Marks, later: Volume, transform: RigidTransform
) -> tuple[Finding, ...]:
    """Return what the moved marks give; the first stands for them."""
    entry, masks = _moved(marks, later, transform)
    images = _MovedImages(later, masks)
    series_uid = later.identity.series_uid
    return tuple(
        msgspec.structs.replace(one, series_uid=series_uid)
        for one in findings_of([entry], images)
    )


def _measured_or_none(
    marks: Marks, later: Volume, transform: RigidTransform
) -> Finding | None:
    try:
        return _measured(marks, later, transform)[0]
    except OsteotraceError:
        return None


def _moved(
    marks: Marks, later: Volume, transform: RigidTransform
) -> tuple[Entry, dict[str, Mask]]:
    """Return an entry with its points and balls moved, and its masks on later voxels."""
    keys: dict[str, object] = dict(series_keys(later))
    masks: dict[str, Mask] = {}
    for key in marks.entry.__struct_fields__:
        value = getattr(marks.entry, key)
        if isinstance(value, Where):
            keys[key] = _moved_region(key, value, marks, later, transform, masks)
        elif isinstance(value, dict):
            keys[key] = {name: transform.stored(point) for name, point in value.items()}
        elif isinstance(value, tuple) and len(value) == 3:
            keys[key] = transform.stored(value)
    return msgspec.structs.replace(marks.entry, **keys), masks


def _moved_region(
    key: str,
    where: Where,
    marks: Marks,
    later: Volume,
    transform: RigidTransform,
    masks: dict[str, Mask],
) -> Where:
    if where.centre is not None:
        centre: Point = transform.stored(where.centre)
        assert where.radius is not None
        # A ball that other images cut is looked into as far as they show it.
        masks[key] = marked.ball(later, centre, where.radius, role=key, cut_at_edge=True)
        return Where(label=key)
    masks[key] = moved_mask(marks.masks[key], transform, later)
    return Where(label=key)


def _shifted(transform: RigidTransform, by_mm: np.ndarray) -> RigidTransform:
    return RigidTransform.of(
        transform.rotation,
        transform.translation + by_mm,
        from_frame_uid=transform.from_frame_uid,
        to_frame_uid=transform.to_frame_uid,
    )


def _proposal(earlier: Finding, found: Finding, since: str) -> Finding:
    """Return what was found as the lesion that it is proposed to be."""
    return msgspec.structs.replace(
        _possible(found, since),
        tracking_uid=earlier.tracking_uid,
        label=earlier.label,
        kind=earlier.kind,
        site=earlier.site,
        laterality=earlier.laterality,
    )


def _possible(found: Finding, since: str) -> Finding:
    note = f"a proposal: carried forward from {since}, and measured again"
    return msgspec.structs.replace(found, certainty="possible", note=note)


def _unmeasured(
    earlier: Finding, entry: Entry, later: Volume, why: str, since: str
) -> Finding:
    """Return the finding that says why nothing was measured, and not that it is gone."""
    name = earlier.measurements[0].name if earlier.measurements else entry.primary
    return msgspec.structs.replace(
        earlier,
        presence="unknown",
        certainty="possible",
        note=f"a proposal: carried forward from {since}, not measured",
        regions=(),
        measurements=(not_measured(name, why, method=METHOD),),
        series_uid=later.identity.series_uid,
    )


def _with_spread(
    own: Finding, displaced: list[Finding]
) -> tuple[Finding, dict[str, float]]:
    """Return a finding, flagged where its place is not certain, with its spreads."""
    spread: dict[str, float] = {}
    measurements = []
    for reading in own.measurements:
        values = [
            other.value
            for one in displaced
            for other in one.measurements
            if isinstance(other, Measurement) and other.name == reading.name
        ]
        if isinstance(reading, Measurement):
            if len(values) >= FEWEST_DISPLACED:
                spread[reading.name] = float(np.std(values))
            else:
                flags = (*reading.flags, NOT_HELD)
                reading = msgspec.structs.replace(reading, flags=flags)
        measurements.append(reading)
    # Where it is found from a place nearby, or nothing tells, it is not gone.
    seen = {own.presence, *(one.presence for one in displaced)}
    told = len(displaced) >= FEWEST_DISPLACED or own.presence == "present"
    presence = own.presence if len(seen) == 1 and told else "unknown"
    found = msgspec.structs.replace(
        own, measurements=tuple(measurements), presence=presence
    )
    return found, spread
