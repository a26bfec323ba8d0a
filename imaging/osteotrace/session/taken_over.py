"""Caliper readings that were measured outside of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from osteotrace.session import mark_entries
from osteotrace.session.changes import Held

if TYPE_CHECKING:
    from osteotrace.measurements.caliper import CaliperReading
    from osteotrace.session.session import Session


def caliper(session: Session, reading: CaliperReading, **said: Any) -> Held:
    """Return a caliper reading as an accepted finding, with the entry it would have."""
    from osteotrace.reading import caliper_finding

    said["label"] = said.get("label") or mark_entries.next_label(
        "caliper", session.draft.labels_used, {}
    )
    said["tracking_uid"] = said.get("tracking_uid") or session.new_uid()
    finding = caliper_finding(reading, **said)
    header = session.header_of(finding)
    if header is None:
        return Held(finding=finding, accepted=True)
    finding = msgspec.structs.replace(finding, series_uid=header.identity.series_uid)
    return mark_entries.rebuilt(
        Held(finding=finding, accepted=True), session.volume_of(finding)
    )
