"""Markups of 3D Slicer (``.mrk.json``) as findings: points, lines, curves and angles.

Slicer states points in patient RAS or LPS and names no images and no frame of reference:
who reads them says which volume they lie in. Its measurements are kept as it reported
them. Points that were never placed are left out, and listed.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from osteotrace import about
from osteotrace.codes.dimensions import UNITS_OF
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Assessment, Finding, SeriesReference
from osteotrace.geometry import as_stored, distance
from osteotrace.measurements.measurement import Method, measured
from osteotrace.records.dicom_objects import derived_uid
from osteotrace.regions import Points, Polyline
from osteotrace.uids import new_uid

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from osteotrace.measurements.measurement import Measurement
    from osteotrace.regions import Point, Region
    from osteotrace.volume import Volume

    Record = dict[str, Any]

SLICER: Final = "3D Slicer"
METHOD: Final = Method(name=f"as reported by {SLICER}", version="")
# A file beyond this is no list of points.
LARGEST_FILE_BYTES: Final = 50_000_000
# What a markup is by its type (vtkMRMLMarkupsJsonStorageNode); ROI and plane have
# geometry of their own beside their control points.
_LINES: Final = ("Line", "Curve", "ClosedCurve")
_POINTS: Final = ("Fiducial", "Angle", "Plane")
# Signs of x, y, z towards LPS, which is meant where none is stated. Early files have
# numbers: 0 for RAS, 1 for LPS.
_TO_LPS: Final = {
    "RAS": (-1.0, -1.0, 1.0),
    "0": (-1.0, -1.0, 1.0),
    "LPS": (1.0, 1.0, 1.0),
    "1": (1.0, 1.0, 1.0),
}
# How `osteotrace.reports.markups` names what it exports.
_EXPORTED_NAME: Final = re.compile(r"(?P<label>.*) \((?P<role>[^()]*)\)", re.DOTALL)
_LENGTH_UNITS: Final = {"mm": 1.0, "cm": 10.0, "um": 1e-3, "m": 1000.0}
# Slicer's names of measurements (vtkMRMLMeasurement) by markup type.
_QUANTITIES: Final = {
    ("Line", "length"): "length",
    ("Curve", "length"): "path_length",
    ("ClosedCurve", "length"): "path_length",
    ("Angle", "angle"): "angle",
}
_UNITS: Final = {"mm": "mm", "cm": "cm", "deg": "deg", "°": "deg", "mm2": "mm2"}


def are_in(content: bytes) -> bool:
    """Tell whether a JSON text says that it holds markups."""
    return b'"markups"' in content[:100_000] and b'"assessment_uid"' not in content


def read(
    path: str | os.PathLike[str], *, like: Volume | None = None, reader: str = ""
) -> Assessment:
    """Read the markups of a file as findings.

    Parameters
    ----------
    path : path
        ``.mrk.json``, schema 1.0.0 to 1.0.3.
    like : Volume, optional
        What the points were placed in: it gives study, series and frame of reference.
        Without it they are empty.
    reader : str
        Who placed them; Slicer does not say.

    Returns
    -------
    Assessment
        One finding a markup, of the kind region; the markups that osteotrace exported of
        one finding are one again. What could not be read stands in ``not_understood``.

    Raises
    ------
    OsteotraceError
        If the file is no such JSON, or names a space or a unit that is not known.
    """
    file = Path(path)
    not_understood: list[str] = []
    try:
        document = _parsed(file)
        found = (
            finding
            for number, markup in enumerate(document["markups"], start=1)
            for finding in _findings(markup, number, file.name, like, not_understood)
        )
        findings = tuple(_merged(found))
    except OsteotraceError as problem:
        raise OsteotraceError(
            problem.found,
            expected=problem.expected,
            advice=problem.advice,
            where=str(file),
            usage=problem.usage,
        ) from problem
    except OSError as problem:
        raise OsteotraceError(
            f"a file that cannot be read ({problem.strerror})",
            expected="3D Slicer's Markups JSON",
            advice="check the path",
            where=str(file),
            usage=True,
        ) from problem
    except (
        KeyError,
        TypeError,
        ValueError,
        OverflowError,
        AttributeError,
        RecursionError,
    ) as problem:
        raise OsteotraceError(
            f"a text that is no markups file ({type(problem).__name__}: {problem})",
            expected="3D Slicer's Markups JSON, schema 1.0.0 to 1.0.3",
            advice="save the markups from 3D Slicer again",
            where=str(file),
        ) from problem
    return Assessment(
        assessment_uid=new_uid(),
        study_uid=like.identity.study_uid if like else "",
        patient=like.identity.patient if like else "",
        study_date=like.identity.date if like else "",
        reader=reader,
        recorded="",
        series=_series(like),
        software=SLICER,
        findings=findings,
        not_understood=tuple(not_understood),
        protocol="",
    )


def _parsed(file: Path) -> Record:
    if file.stat().st_size > LARGEST_FILE_BYTES:
        raise ValueError(f"{file.stat().st_size:,} bytes")
    # Slicer writes no NaN; Python would read one.
    document = json.loads(file.read_bytes(), parse_constant=_no_number)
    if not isinstance(document, dict) or not isinstance(document.get("markups"), list):
        raise ValueError("no list of markups")
    return document


def _no_number(text: str) -> float:
    raise ValueError(f"{text} as a number")


def _series(like: Volume | None) -> tuple[SeriesReference, ...]:
    if like is None:
        return ()
    identity = like.identity
    return (
        SeriesReference(
            series_uid=identity.series_uid,
            frame_of_reference_uid=like.frame_of_reference_uid,
            modality=identity.modality,
            description=identity.description,
        ),
    )


def _merged(findings: Iterable[tuple[Finding, bool]]) -> Iterator[Finding]:
    """Yield findings, the markups that osteotrace exported of one finding in one."""
    last: Finding | None = None
    last_own = False
    for finding, own in findings:
        if last is not None and own and last_own and finding.label == last.label:
            last = msgspec.structs.replace(
                last,
                regions=last.regions + finding.regions,
                note="; ".join(note for note in (last.note, finding.note) if note),
            )
            continue
        if last is not None:
            yield last
        last, last_own = finding, own
    if last is not None:
        yield last


def _findings(
    markup: Record, number: int, name: str, like: Volume | None, lines: list[str]
) -> Iterator[tuple[Finding, bool]]:
    """Yield the finding of a markup, and whether osteotrace exported it.

    What of it is not understood goes to the lines.
    """
    kind = str(markup["type"])
    label = str(markup.get("name") or "") or f"markup {number}"
    own = str(markup.get("description") or "").endswith(about.RESEARCH_USE_SHORT)
    exported = _EXPORTED_NAME.fullmatch(label) if own else None
    role = kind.lower()
    if exported is not None:
        label, role = exported["label"], exported["role"]
    where = f"markup {number} {label}"
    if kind not in (*_LINES, *_POINTS):
        lines.append(f"{where}: of the type {kind}")
        return
    points, roles = _placed(markup, where, lines)
    if not points:
        lines.append(f"{where}: without a point that was placed")
        return
    region = _region(kind, role, points, roles, like)
    if "normal" in markup:
        lines.append(f"{where}: the normal {markup['normal']}")
    finding = Finding(
        tracking_uid=derived_uid(f"markup {number} {label} of {name} {points!r}"),
        label=label,
        kind="region",
        site="unspecified",
        certainty="unknown",
        note=_note(markup),
        regions=(region,),
        measurements=tuple(_readings(markup, kind, region, where, lines)),
        series_uid=like.identity.series_uid if like else "",
    )
    yield finding, exported is not None


def _note(markup: Record) -> str:
    """Return what the reader wrote, without the notice that our own export adds."""
    text = str(markup.get("description") or "")
    return text.removesuffix(about.RESEARCH_USE_SHORT).strip()


def _placed(
    markup: Record, where: str, lines: list[str]
) -> tuple[list[Point], list[str]]:
    """Return the points that were placed, LPS mm, and what each is called."""
    space = str(markup.get("coordinateSystem", "LPS"))
    unit = markup.get("coordinateUnits", "mm")
    # Units may be a code of UCUM in three parts since schema 1.0.2.
    unit = unit[0] if isinstance(unit, list) and unit else unit
    if space not in _TO_LPS or unit not in _LENGTH_UNITS:
        raise OsteotraceError(
            f"{where} in {space} and {unit}",
            expected="RAS or LPS, in " + ", ".join(_LENGTH_UNITS),
            advice="transform the markups into the patient and save them again",
        )
    signs, scale = _TO_LPS[space], _LENGTH_UNITS[unit]
    points, roles = [], []
    for number, point in enumerate(markup.get("controlPoints") or (), start=1):
        role = str(point.get("label") or f"point {number}")
        status = str(point.get("positionStatus", "defined"))
        position = point.get("position")
        if status != "defined" or not position:
            lines.append(f"{where}: the point {role} is {status}")
            continue
        x, y, z = (
            sign * scale * float(mm) for sign, mm in zip(signs, position, strict=True)
        )
        if not all(map(math.isfinite, (x, y, z))):
            raise ValueError(f"a point at {position}")
        points.append(as_stored((x, y, z)))
        roles.append(role)
    return points, roles


def _region(
    kind: str, role: str, points: list[Point], roles: list[str], like: Volume | None
) -> Region:
    frame = like.frame_of_reference_uid if like else ""
    images = _images(points, like)
    if kind in _LINES and len(points) > 1:
        closed = kind == "ClosedCurve" and points[0] != points[-1]
        return Polyline(
            role=role,
            points=tuple([*points, points[0]] if closed else points),
            frame_of_reference_uid=frame,
            source_instances=images,
        )
    return Points(
        role=role,
        points=tuple(points),
        point_roles=tuple(roles),
        frame_of_reference_uid=frame,
        source_instances=images,
    )


def _images(points: Iterable[Point], like: Volume | None) -> tuple[str, ...]:
    """Return the images that points lie on, those in between too."""
    if like is None or not like.instances:
        return ()
    slices = [float(like.grid.to_index(point)[0]) for point in points]
    last = len(like.instances) - 1
    low, high = (min(max(round(end), 0), last) for end in (min(slices), max(slices)))
    return tuple(instance.source for instance in like.instances[low : high + 1])


def _readings(
    markup: Record, kind: str, region: Region, where: str, lines: list[str]
) -> Iterator[Measurement]:
    """Yield the measurements that Slicer states and this vocabulary has."""
    for one in markup.get("measurements") or ():
        if not one.get("enabled", True) or one.get("value") is None:
            continue
        name = _QUANTITIES.get((kind, str(one.get("name"))), "")
        unit = _UNITS.get(_unit(one.get("units")), "")
        value = float(one["value"])
        if unit not in UNITS_OF.get(name, ()) or not math.isfinite(value):
            lines.append(f"{where} / {one.get('name')}: {value:g} {one.get('units')}")
            continue
        yield measured(
            name,
            value,
            unit,
            method=METHOD,
            sources=region.source_instances,
            uncertainty_reason=f"not stated by {SLICER}",
            region=region.role,
            flags=_disagreement(name, value, unit, region),
        )


def _unit(stated: object) -> str:
    """Return a unit as text; Slicer writes a text or a code of UCUM in three parts."""
    return str(stated[0]) if isinstance(stated, list) and stated else str(stated or "")


def _disagreement(name: str, value: float, unit: str, region: Region) -> list[str]:
    """Return what the points say against a stated length of a straight line."""
    if name != "length" or not isinstance(region, Polyline):
        return []
    drawn, stated = distance(*region.points[:2]), value * _LENGTH_UNITS[unit]
    if abs(drawn - stated) <= max(0.01, 1e-3 * drawn):
        return []
    return [f"the line is {drawn:.2f} mm long, {stated:.2f} mm are stated"]
