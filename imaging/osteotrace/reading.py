"""The workflows: a study and a protocol in, an Assessment out.

Everything a front door does with images is composed here from the layers below, once,
so that the library, the command line and the plugin get the identical number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from osteotrace.codes import KINDS, QUANTITIES, SITES, look_up
from osteotrace.findings import Finding

if TYPE_CHECKING:
    from osteotrace.findings import Laterality
    from osteotrace.measurements.caliper import CaliperReading


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
    import msgspec

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
