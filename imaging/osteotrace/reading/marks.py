"""What a saved finding was measured by: the entry and the masks that measure it again.

From the points, lines and regions that its record holds; a result alone says nothing of
where to look.
"""

from __future__ import annotations

import glob
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace import geometry
from osteotrace.errors import OsteotraceError
from osteotrace.measurements.caliper import AS_DRAWN
from osteotrace.protocol import SIX_POINTS, Where
from osteotrace.protocol import entries as kinds
from osteotrace.reading.calipers import marked_caliper
from osteotrace.regions import Mask, Points, Polyline

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.findings import Finding
    from osteotrace.protocol import Entry
    from osteotrace.regions import Point
    from osteotrace.volume import Volume

# What a record calls the region that was looked into.
SEARCHED: Final = ("marked region", "region")
_BY_PRIMARY: Final[dict[str, Callable[..., Entry]]] = {
    kinds.SequestraEntry.primary: kinds.SequestraEntry,
    kinds.GasEntry.primary: kinds.GasEntry,
    kinds.MothEatenEntry.primary: kinds.MothEatenEntry,
    kinds.PeriostealReactionEntry.primary: kinds.PeriostealReactionEntry,
    kinds.IntensityEntry.primary: kinds.IntensityEntry,
}

Rebuilt = tuple["Entry", dict[str, Mask]]


def rebuilt(finding: Finding, volume: Volume) -> Rebuilt:
    """Return what a finding of osteotrace was measured by.

    Parameters
    ----------
    finding : Finding
    volume : Volume
        What it was read on.

    Returns
    -------
    entry : Entry
        It names the volume's series.
    masks : dict of str to Mask
        What its labels mean.

    Raises
    ------
    OsteotraceError
        If only its result is known.
    """
    drawn = [r for r in finding.regions if isinstance(r, Polyline) and r.role == AS_DRAWN]
    primary = finding.measurements[0].name if finding.measurements else ""
    if len(drawn) == 1 and primary in kinds.LENGTHS:
        return marked_caliper(finding, volume), {}
    outlines = [r for r in finding.regions if isinstance(r, Polyline)]
    if primary == kinds.PalatalDefectEntry.primary and outlines:
        points = np.concatenate([np.array(one.points) for one in outlines])
        middle = geometry.as_stored((points.min(axis=0) + points.max(axis=0)) / 2)
        return kinds.PalatalDefectEntry(**_said(finding, volume), seed=middle), {}
    searched = [r for r in finding.regions if isinstance(r, Mask) and r.role in SEARCHED]
    entry_type = _BY_PRIMARY.get(primary)
    if entry_type is None or not searched:
        raise _result_only(finding)
    entry = entry_type(**_said(finding, volume), region=Where(label="region"))
    return entry, {"region": searched[0]}


def marked_again(finding: Finding, volume: Volume) -> Rebuilt:
    """Return what measures again what a reader, or other software, has marked.

    As `rebuilt`; beside, six points of a vertebra, three points as an angle, a line or
    two points as a caliper, and a mask by its kind: marrow edema, the body of a vertebra,
    cement, a region whose values are told.

    Parameters, values returned and errors are those of `rebuilt`.
    """
    try:
        return rebuilt(finding, volume)
    except OsteotraceError:
        pass
    said = _said(finding, volume)
    masks = [one for one in finding.regions if isinstance(one, Mask)]
    for region in finding.regions:
        if isinstance(region, Points) and (six := _six(region)):
            return kinds.VertebraEntry(**said, level=finding.site, points=six), {}
    if masks:
        return _of_mask(finding, said, masks[0])
    points = _points(finding)
    if len(points) == 2:
        return _line(finding, said, points), {}
    if len(points) == 3:
        said |= dict(zip(("start", "vertex", "end"), points, strict=True))
        return kinds.AngleEntry(**said), {}
    if len(points) == 1 and finding.kind == "palatal_bony_defect":
        return kinds.PalatalDefectEntry(**said, seed=points[0]), {}
    raise _result_only(finding)


def _of_mask(finding: Finding, said: dict[str, Any], mask: Mask) -> Rebuilt:
    where = Where(label="region")
    entry: Entry
    match finding.kind:
        case "marrow_edema":
            entry = kinds.MarrowEdemaEntry(**said, edema=where)
        case "vertebra" | "vcf":
            entry = kinds.VertebraEntry(**said, level=finding.site, body=where)
        case "cement":
            entry = kinds.CementEntry(**said, region=where)
        case _:
            entry = kinds.IntensityEntry(**said, region=where)
    return entry, {"region": mask}


def _line(finding: Finding, said: dict[str, Any], points: list[Point]) -> Entry:
    """Return two points as a palatal defect, where they mark one, or a caliper."""
    keys: dict[str, Any] = {**said, "start": points[0], "end": points[1]}
    if finding.kind == "palatal_bony_defect":
        return kinds.PalatalDefectEntry(**keys)
    name = finding.measurements[0].name if finding.measurements else ""
    quantity = name if name in kinds.LENGTHS else "distance"
    return kinds.CaliperEntry(**keys, quantity=quantity)


def _points(finding: Finding) -> list[Point]:
    """Return the points of the one line, or the one set of points, of a finding."""
    lines = [r for r in finding.regions if isinstance(r, Polyline)]
    sets = [r for r in finding.regions if isinstance(r, Points)]
    drawn = [one for one in lines if one.role == AS_DRAWN] or lines
    found = drawn or sets
    return [geometry.as_stored(point) for point in found[0].points] if found else []


def _six(region: Points) -> dict[str, Point] | None:
    names = [role.replace(" ", "_") for role in region.point_roles]
    if set(names) != set(SIX_POINTS):
        return None
    return dict(zip(names, region.points, strict=True))


def _said(finding: Finding, volume: Volume) -> dict[str, Any]:
    return {
        "label": finding.label,
        "kind": finding.kind,
        "site": finding.site,
        "laterality": finding.laterality,
        "note": finding.note,
    } | series_keys(volume)


def series_keys(volume: Volume) -> dict[str, str]:
    """Return the keys of an entry that mean the series of a volume."""
    return {
        "modality": volume.identity.modality,
        "series": glob.escape(volume.identity.description),
        "series_uid": volume.identity.series_uid,
        "frame_of_reference_uid": volume.frame_of_reference_uid,
    }


def _result_only(finding: Finding) -> OsteotraceError:
    return OsteotraceError(
        f"{finding.label}, of which only the result is known",
        expected="a finding that was marked by points or looked for in a region",
        advice="mark it on the later images",
    )
