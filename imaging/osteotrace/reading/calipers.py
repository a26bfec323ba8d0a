"""The caliper's workflow: a distance on a volume, and the finding it stands for."""

from __future__ import annotations

import glob
from typing import TYPE_CHECKING

import msgspec

from osteotrace.codes import KINDS, QUANTITIES, SITES, look_up
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Finding
from osteotrace.measurements import caliper as calipers
from osteotrace.measurements.caliper import AS_DRAWN, choices_of
from osteotrace.measurements.measurement import NotMeasured
from osteotrace.protocol.entries import LENGTHS, CaliperEntry
from osteotrace.regions import Polyline

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from osteotrace.findings import Laterality
    from osteotrace.measurements.caliper import CaliperReading
    from osteotrace.measurements.doubts import Walls
    from osteotrace.measurements.edge_pairs import Between
    from osteotrace.volume import Volume


def caliper(
    volume: Volume,
    start: ArrayLike,
    end: ArrayLike,
    *,
    snap: bool = True,
    between: Between = "auto",
    walls: Walls = "any",
) -> CaliperReading:
    """Measure the distance between two edges near two rough points.

    The front door to `osteotrace.measurements.caliper.measure`; how it finds the edges
    and where its uncertainty comes from is told in docs/caliper.md.

    Parameters
    ----------
    volume : Volume
        CT or MR.
    start, end : (3,) array
        Rough points, patient LPS mm, each within 2.5 mm of its edge.
    snap : bool
        False keeps the points as drawn; the value is then the two-point length.
    between : {"auto", "gap", "structure"}
        What lies between the edges.
    walls : {"any", "bone"}
        With ``"bone"``, a CT gap with a soft-tissue wall is flagged.

    Returns
    -------
    CaliperReading
        Its ``value`` in mm with standard uncertainty, or why there is none; the fitted
        line as two LPS points.

    Raises
    ------
    OsteotraceError
        If a point lies outside the volume, the points coincide, or a choice is not
        one of those above.
    """
    return calipers.measure(volume, start, end, snap=snap, between=between, walls=walls)


def caliper_finding(
    reading: CaliperReading,
    *,
    tracking_uid: str,
    label: str,
    kind: str = "lesion",
    site: str = "jaw",
    laterality: Laterality = "",
    quantity: str = "distance",
    note: str = "",
) -> Finding:
    """Return the finding that a caliper reading stands for.

    Parameters
    ----------
    reading : CaliperReading
        From `osteotrace.measurements.caliper.measure`.
    quantity : str
        Key of `osteotrace.codes.QUANTITIES` that the value is recorded as, e.g.
        ``"palatal_gap_ap"``; the value itself is untouched.
    tracking_uid, label, kind, site, laterality, note
        As in `osteotrace.findings.Finding`.
    """
    look_up(KINDS, kind, "kind")
    look_up(SITES, site, "site")
    code = look_up(QUANTITIES, quantity, "quantity")
    primary = msgspec.structs.replace(reading.value, name=quantity, code=code)
    return Finding(
        tracking_uid=tracking_uid,
        label=label,
        kind=kind,
        site=site,
        laterality=laterality,
        note=note,
        regions=reading.regions,
        measurements=(primary, *reading.measurements[1:]),
    )


def marked_caliper(finding: Finding, volume: Volume) -> CaliperEntry:
    """Return the entry that a caliper of a record was measured by.

    Parameters
    ----------
    finding : Finding
    volume : Volume
        What it was read on.

    Raises
    ------
    OsteotraceError
        If it is no caliper: what was marked is not known then.
    """
    drawn = [
        region
        for region in finding.regions
        if isinstance(region, Polyline) and region.role == AS_DRAWN
    ]
    if len(drawn) != 1 or not finding.measurements:
        raise OsteotraceError(
            f"{finding.label}, of which only the result is known",
            expected="a finding that was marked here, or a caliper",
            advice="delete it and mark it again",
        )
    quantity = finding.measurements[0].name
    between, walls = choices_of(finding.measurements[0])
    return CaliperEntry(
        label=finding.label,
        modality=volume.identity.modality,
        kind=finding.kind,
        site=finding.site,
        laterality=finding.laterality,
        note=finding.note,
        series=glob.escape(volume.identity.description),
        series_uid=volume.identity.series_uid,
        frame_of_reference_uid=volume.frame_of_reference_uid,
        quantity=quantity if quantity in LENGTHS else "distance",
        start=drawn[0].points[0],
        end=drawn[0].points[-1],
        # Without snapping the line as drawn is the value, and there is no other line.
        snap=len(finding.regions) > 1 or isinstance(finding.measurements[0], NotMeasured),
        between=between,
        walls=walls,
    )
