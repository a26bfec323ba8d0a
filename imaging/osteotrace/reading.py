"""The workflows: a study and a protocol in, an Assessment out.

Everything a front door does with images is composed here from the layers below, once,
so that the library, the command line and the plugin get the identical number.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace import protocol as protocols
from osteotrace.about import SOFTWARE_NAME, UID_PREFIX, VERSION
from osteotrace.codes import KINDS, QUANTITIES, SITES, UNITS, look_up
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Assessment, Finding, SeriesReference, marked_volume
from osteotrace.measurements import caliper as calipers
from osteotrace.series import Catalogue, Series, VolumeHeader, scan
from osteotrace.uids import new_uid
from osteotrace.volume import Volume, open_image
from osteotrace.volume import load as load_volume
from osteotrace.volume.image_files import READERS

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import ArrayLike

    from osteotrace.findings import Laterality
    from osteotrace.measurements.caliper import CaliperReading
    from osteotrace.measurements.doubts import Walls
    from osteotrace.measurements.edge_pairs import Between
    from osteotrace.protocol import CaliperEntry, Protocol

INTERACTIVE: Final = "interactive"
SOFTWARE: Final = f"{SOFTWARE_NAME} {VERSION}"
# Namespace of the name-based tracking UIDs, fixed for ever (RFC 9562, version 5).
_TRACKING_NAMESPACE: Final = uuid.UUID("6f3c8a52-9f0e-5d0b-8b57-0f6f2f1e5a11")


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


def load(
    source: str | os.PathLike[str] | Series | VolumeHeader,
    *,
    series_uid: str | None = None,
    volume: int | None = None,
    allow_gaps: bool = False,
    unit: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Volume:
    """Read one volume.

    Parameters
    ----------
    source : path, Series or VolumeHeader
        A folder or file, or what `osteotrace.scan` found in one; a NIfTI or NRRD file.
    series_uid : str, optional
        SeriesInstanceUID, where the path holds more than one.
    volume : int, optional
        Number of the volume inside its series, where there is more than one.
    allow_gaps : bool
        Whether missing and duplicate slices will do; `Volume.notes` then say so.
    unit : str, optional
        UCUM unit of the values of a NIfTI or NRRD file, which does not say;
        ``"[hnsf'U]"`` for CT.
    progress : callable, optional
        Called with the slices read and the number of all.

    Returns
    -------
    Volume

    Raises
    ------
    OsteotraceError
        If nothing or more than one volume fits, or it cannot be measured.
    """
    if isinstance(source, VolumeHeader):
        return load_volume(source, allow_gaps=allow_gaps, progress=progress)
    if isinstance(source, Series):
        root = source.volumes[0].instances[0].path.parent
        catalogue = Catalogue(root=root, series=(source,), skipped=())
    elif is_image_file(source):
        if unit is not None:
            look_up(UNITS, unit, "unit")
        return open_image(Path(source), unit=unit)
    else:
        catalogue = scan(source)
    header = catalogue.choose(series_uid, volume, allow_gaps=allow_gaps)
    return load_volume(header, allow_gaps=allow_gaps, progress=progress)


def is_image_file(source: str | os.PathLike[str]) -> bool:
    """Tell whether a path names a NIfTI or NRRD file rather than DICOM."""
    return Path(source).is_file() and str(source).lower().endswith(tuple(READERS))


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
        series=tuple(series_reference(v) for v in read.values()),
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


def series_reference(read: Volume | VolumeHeader) -> SeriesReference:
    """Return what a record says of the series of a volume that was read."""
    return SeriesReference(
        series_uid=read.identity.series_uid,
        frame_of_reference_uid=read.frame_of_reference_uid,
        modality=read.identity.modality,
        description=read.identity.description,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyReading:
    """What became of one study: its assessment, or the error that prevented it.

    Parameters
    ----------
    study_uid, patient : str
        StudyInstanceUID and pseudonym.
    assessment : Assessment or None
        None where the study failed.
    error : OsteotraceError or None
        Why it failed.
    volumes : tuple of Volume
        The volumes that were read, for pictures.
    catalogue : Catalogue or None
        The study's series, for records that name their images.
    """

    study_uid: str
    patient: str
    assessment: Assessment | None = None
    error: OsteotraceError | None = None
    volumes: tuple[Volume, ...] = field(default=(), repr=False)
    catalogue: Catalogue | None = field(default=None, repr=False)


def measure(
    path: str | os.PathLike[str],
    protocol: Protocol | str | os.PathLike[str],
    *,
    reader: str = "",
    now: datetime | None = None,
    uids: Callable[[], str] = new_uid,
) -> Assessment:
    """Measure one study by a protocol.

    Parameters
    ----------
    path : path
        A folder that holds one study.
    protocol : Protocol, str or path
        A protocol, its name, or its file.
    reader : str
        Who is responsible for the reading.
    now : datetime, optional
        Time of the reading; the clock's by default.
    uids : callable
        Makes the assessment's UID; tracking UIDs follow from study and label.

    Returns
    -------
    Assessment

    Raises
    ------
    OsteotraceError
        If the path does not hold exactly one study, a series the protocol means is
        missing, ambiguous or in another frame of reference, or cannot be measured.
    """
    catalogue = scan(path)
    studies = by_study(catalogue)
    if len(studies) > 1:
        raise OsteotraceError(
            f"{len(studies)} studies",
            expected="one study",
            advice="give one study's folder, or use osteotrace.measure_studies",
            where=str(path),
            usage=True,
        )
    result = _read_study(studies[0], _protocol(protocol), reader, now, uids)
    if result.assessment is None:
        assert result.error is not None
        raise result.error
    return result.assessment


def measure_studies(
    path: str | os.PathLike[str],
    protocol: Protocol | str | os.PathLike[str],
    *,
    reader: str = "",
    now: datetime | None = None,
    uids: Callable[[], str] = new_uid,
) -> Iterator[StudyReading]:
    """Measure every study below a path; a study that fails does not stop the rest.

    Parameters and errors of the path and the protocol are those of `measure`; what goes
    wrong in a study is the ``error`` of its `StudyReading`.
    """
    checked = _protocol(protocol)
    studies = by_study(scan(path))
    return (_read_study(study, checked, reader, now, uids) for study in studies)


def by_study(catalogue: Catalogue) -> list[Catalogue]:
    """Return one catalogue a study, in the order of the series."""
    members: dict[str, list[Series]] = defaultdict(list)
    for series in catalogue:
        members[series.identity.study_uid].append(series)
    return [
        Catalogue(root=catalogue.root, series=tuple(group), skipped=catalogue.skipped)
        for group in members.values()
    ]


def _protocol(given: Protocol | str | os.PathLike[str]) -> Protocol:
    if isinstance(given, protocols.Protocol):
        return given
    return protocols.read(given)


def _read_study(
    study: Catalogue,
    protocol: Protocol,
    reader: str,
    now: datetime | None,
    uids: Callable[[], str],
) -> StudyReading:
    who = study.series[0].identity
    loaded: dict[tuple[str, int], Volume] = {}
    findings = []
    try:
        for entry in protocol.calipers:
            header = protocols.meant_volume(study, entry)
            key = (header.identity.series_uid, header.k)
            if key not in loaded:
                loaded[key] = load_volume(header)
            findings.append(_caliper_entry(loaded[key], entry))
        assessment = assess(
            loaded.values(),
            findings,
            reader=reader,
            now=now,
            assessment_uid=uids(),
            protocol=protocol,
        )
    except OsteotraceError as problem:
        return StudyReading(study_uid=who.study_uid, patient=who.patient, error=problem)
    return StudyReading(
        study_uid=who.study_uid,
        patient=who.patient,
        assessment=assessment,
        volumes=tuple(loaded.values()),
        catalogue=study,
    )


def _caliper_entry(volume: Volume, entry: CaliperEntry) -> Finding:
    reading = caliper(
        volume,
        entry.start,
        entry.end,
        snap=entry.snap,
        between=entry.between,
        walls=entry.walls,
    )
    return caliper_finding(
        reading,
        tracking_uid=tracking_uid(volume.identity.study_uid, entry.label),
        label=entry.label,
        kind=entry.kind,
        site=entry.site,
        laterality=entry.laterality,
        quantity=entry.quantity,
        note=entry.note,
    )
