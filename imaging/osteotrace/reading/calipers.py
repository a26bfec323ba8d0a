"""The caliper's workflow: a distance on a volume, and the finding it stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from osteotrace.codes import KINDS, QUANTITIES, SITES, look_up
from osteotrace.findings import Finding
from osteotrace.measurements import caliper as calipers

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

    The front door to `osteotrace.measurements.caliper.measure`, with its parameters,
    result and errors.
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
