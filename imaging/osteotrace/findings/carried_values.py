"""What a registration adds to the values of carried marks, kept with the values.

It stands among the terms behind each measurement: a saved record tells it again, so that
a change is judged alike on the day of the reading and years later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.measurements.measurement import Detail, Measurement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from osteotrace.findings.case import Assessment
    from osteotrace.findings.finding import Finding

# Name of the term, beside those such as "u noise".
U_REGISTRATION: Final = "u registration"


def with_registration(finding: Finding, added: Mapping[str, float]) -> Finding:
    """Return a finding whose values tell what the transform added to each.

    Parameters
    ----------
    finding : Finding
    added : mapping of str to float
        Standard uncertainty by quantity, in the unit of the value.
    """
    measurements = tuple(
        msgspec.structs.replace(
            one,
            details=(
                *(detail for detail in one.details if detail.name != U_REGISTRATION),
                Detail(U_REGISTRATION, added[one.name], one.unit),
            ),
        )
        if isinstance(one, Measurement) and one.name in added
        else one
        for one in finding.measurements
    )
    return msgspec.structs.replace(finding, measurements=measurements)


def registration_of(
    assessments: Iterable[Assessment],
) -> dict[tuple[str, str, str], float]:
    """Return what a transform added to the values of readings, as they tell it.

    Returns
    -------
    dict
        Standard uncertainty by assessment UID, tracking UID and quantity; values that
        were not carried have none.
    """
    return {
        (reading.assessment_uid, finding.tracking_uid, one.name): detail.value
        for reading in assessments
        for finding in reading.findings
        for one in finding.measurements
        if isinstance(one, Measurement)
        for detail in one.details
        if detail.name == U_REGISTRATION
    }
