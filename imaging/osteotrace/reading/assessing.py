"""From findings to an assessment: one reader's reading of one study."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.about import SOFTWARE_NAME, UID_PREFIX, VERSION
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Assessment, Finding, SeriesReference, marked_volume
from osteotrace.uids import new_uid

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from osteotrace.protocol import Protocol
    from osteotrace.series import VolumeHeader
    from osteotrace.volume import Volume

INTERACTIVE: Final = "interactive"
SOFTWARE: Final = f"{SOFTWARE_NAME} {VERSION}"
# Namespaces of name-based UIDs, for tracking and for whole readings, fixed for ever
# (RFC 9562, version 5).
_TRACKING_NAMESPACE: Final = uuid.UUID("6f3c8a52-9f0e-5d0b-8b57-0f6f2f1e5a11")

_CONTENT_NAMESPACE: Final = uuid.UUID("0d8f2c9e-52f4-5b7c-9a3e-61f0c8a4d7b3")


def tracking_uid(study_uid: str, label: str) -> str:
    """Return the tracking UID of a protocol's finding: the same for the same input.

    Parameters
    ----------
    study_uid : str
        StudyInstanceUID.
    label : str
        Tracking identifier of the finding.
    """
    return f"{UID_PREFIX}{uuid.uuid5(_TRACKING_NAMESPACE, f'{study_uid}/{label}').int}"


def content_uid(assessment: Assessment) -> str:
    """Return a UID that follows from what a reading says, its own UID and time aside.

    The same images, protocol and software give the same UID wherever and whenever they
    are read; a reading that says anything else has another one.
    """
    said = msgspec.structs.replace(assessment, assessment_uid="", recorded="")
    digest = hashlib.sha256(msgspec.json.encode(said)).hexdigest()
    return f"{UID_PREFIX}{uuid.uuid5(_CONTENT_NAMESPACE, digest).int}"


def assess(
    volumes: Iterable[Volume],
    findings: Sequence[Finding],
    *,
    reader: str = "",
    now: datetime | None = None,
    assessment_uid: str = "",
    protocol: Protocol | None = None,
) -> Assessment:
    """Return the assessment of one study from what was read on its volumes.

    Parameters
    ----------
    volumes : iterable of Volume
        The volumes that were read, all of one study.
    findings : sequence of Finding
        What was found; a finding that does not say its series gets it from its images.
    reader : str
        Who read it.
    now : datetime, optional
        Time of the reading; the clock's by default.
    assessment_uid : str
        UID of the reading; a fresh one by default.
    protocol : Protocol, optional
        The protocol that was followed; none for an interactive reading.

    Raises
    ------
    OsteotraceError
        If the volumes are not of one study.
    """
    volumes = tuple(volumes)
    read = {v.identity.series_uid: v for v in volumes}
    studies = {v.identity.study_uid for v in read.values()}
    if len(studies) != 1:
        raise OsteotraceError(
            f"volumes of {len(studies)} studies",
            expected="volumes of one study",
            advice="make one assessment a study",
        )
    first = next(iter(read.values())).identity
    return Assessment(
        assessment_uid=assessment_uid or new_uid(),
        study_uid=first.study_uid,
        patient=first.patient,
        study_date=first.date,
        reader=reader,
        recorded=(now or datetime.now().astimezone()).isoformat(timespec="seconds"),
        series=_references(volumes),
        findings=tuple(_with_series(finding, volumes) for finding in findings),
        software=SOFTWARE,
        protocol_sha256="" if protocol is None else protocol.sha256,
        protocol=INTERACTIVE if protocol is None else protocol.name,
    )


def _with_series(finding: Finding, volumes: Sequence[Volume]) -> Finding:
    if finding.series_uid:
        return finding
    volume = marked_volume(finding, volumes)
    series_uid = "" if volume is None else volume.identity.series_uid
    return msgspec.structs.replace(finding, series_uid=series_uid)


def _references(volumes: Iterable[Volume]) -> tuple[SeriesReference, ...]:
    """Return each series once, without a spacing where its volumes differ in it."""
    named: dict[str, SeriesReference] = {}
    for reference in map(series_reference, volumes):
        other = named.get(reference.series_uid, reference)
        same = other.spacing_mm == reference.spacing_mm
        named[reference.series_uid] = (
            reference if same else msgspec.structs.replace(reference, spacing_mm=None)
        )
    return tuple(named.values())


def _spacing_mm(read: Volume | VolumeHeader) -> tuple[float, float, float] | None:
    """Return the spacing that the images were stored with; None of a single one."""
    grid = getattr(read, "source_grid", None) or read.grid
    if grid is None or grid.shape[0] == 1:
        return None
    between, rows, columns = map(float, grid.spacing)
    return between, rows, columns


def series_reference(read: Volume | VolumeHeader) -> SeriesReference:
    """Return what a record says of the series of a volume that was read."""
    return SeriesReference(
        series_uid=read.identity.series_uid,
        frame_of_reference_uid=read.frame_of_reference_uid,
        modality=read.identity.modality,
        description=read.identity.description,
        spacing_mm=_spacing_mm(read),
    )
