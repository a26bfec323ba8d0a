"""What a reader found: frozen records from one finding up to a patient's case.

A `Finding` is one lesion at one date with its regions and measurements; an
`Assessment` is one reader's reading of one study; a `Case` gathers a patient's
assessments over time. `to_json` and `from_json` are lossless and strict. Records know
nothing of files, images or viewers.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeVar

import msgspec

from osteotrace.codes import KINDS, QUANTITIES, SITES, UNITS, look_up
from osteotrace.errors import OsteotraceError
from osteotrace.measurements.measurement import Measurement, NotMeasured
from osteotrace.regions import ImagePoints, Mask, Points, Polyline

if TYPE_CHECKING:
    from collections.abc import Iterable

    from osteotrace.regions import Region
    from osteotrace.series import Instance

SCHEMA_VERSION: Final = 1

Presence = Literal["present", "absent", "unknown"]
Certainty = Literal["definite", "probable", "possible", "unknown"]
Laterality = Literal["left", "right", "bilateral", "unilateral", ""]
Source = Literal["measured", "entered", "derived"]


class Finding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One lesion as read at one date.

    Parameters
    ----------
    tracking_uid : str
        Tracking Unique Identifier (DCM 112040): the same lesion keeps it for years.
    label : str
        Tracking Identifier (DCM 112039), the short name people use, e.g. ``"PAL-1"``.
    kind : str
        Key of `osteotrace.codes.KINDS`.
    site : str
        Key of `osteotrace.codes.SITES`.
    laterality : str
        Key of `osteotrace.codes.LATERALITIES` or empty.
    presence : str
        ``absent`` means looked for and not there; not looked for is ``unknown``.
    certainty : str
        The reader's own.
    note : str
        Free text.
    regions : tuple of Region
        What was marked.
    measurements : tuple of Measurement or NotMeasured
        The first one is the finding's primary value.
    series_uid : str
        SeriesInstanceUID of the images that it was marked on, empty where not known: a
        frame of reference may hold several series.
    """

    tracking_uid: str
    label: str
    kind: str
    site: str
    laterality: Laterality = ""
    presence: Presence = "present"
    certainty: Certainty = "definite"
    note: str = ""
    regions: tuple[Polyline | Points | Mask | ImagePoints, ...] = ()
    measurements: tuple[Measurement | NotMeasured, ...] = ()
    series_uid: str = ""

    @property
    def source_instances(self) -> tuple[str, ...]:
        """Images that the finding was marked on, each once, named as in its regions."""
        uids = (uid for region in self.regions for uid in region.source_instances)
        return tuple(dict.fromkeys(uids))


class Fact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A clinical input: true, false or unknown, or a value, with who said it and when.

    Parameters
    ----------
    name : str
        Name of the criterion, e.g. ``"exposed_bone"``.
    value : bool, float, str or None
        None is unknown.
    unit : str
        UCUM unit of a number, else empty.
    source : str
        ``measured``, ``entered`` or ``derived``.
    author : str
        Who entered or accepted it.
    recorded : str
        ISO 8601 date and time.
    """

    name: str
    value: bool | float | str | None
    source: Source
    author: str
    recorded: str
    unit: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.value, float) and not math.isfinite(self.value):
            raise ValueError(f"{self.name} is {self.value}, which is no finite number")


class SeriesReference(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """A series that was read: its UIDs and what it is."""

    series_uid: str
    frame_of_reference_uid: str
    modality: str
    description: str = ""


class Assessment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One reader's reading of one study.

    Parameters
    ----------
    assessment_uid : str
        UID of this reading (the SR's SOPInstanceUID once it is saved as one).
    study_uid : str
        StudyInstanceUID.
    patient : str
        Pseudonym, never a name or identifier.
    study_date : str
        ISO 8601 date of the study, or empty.
    reader : str
        Who read it.
    recorded : str
        ISO 8601 date and time of the reading.
    series : tuple of SeriesReference
        The series that were read.
    findings : tuple of Finding
        What was found.
    facts : tuple of Fact
        Clinical inputs that hold at this date.
    protocol : str
        Name of the protocol, or ``"interactive"``.
    protocol_sha256 : str
        SHA-256 of the protocol's text, or empty.
    software : str
        Name and version of the software that made the record.
    predecessor_uid : str
        SOPInstanceUID of the record this one amends, or empty.
    """

    assessment_uid: str
    study_uid: str
    patient: str
    study_date: str
    reader: str
    recorded: str
    series: tuple[SeriesReference, ...]
    software: str
    findings: tuple[Finding, ...] = ()
    facts: tuple[Fact, ...] = ()
    protocol: str = "interactive"
    protocol_sha256: str = ""
    predecessor_uid: str = ""
    schema_version: int = SCHEMA_VERSION


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A patient over time: facts that belong to the patient, and the assessments."""

    patient: str
    assessments: tuple[Assessment, ...] = ()
    facts: tuple[Fact, ...] = ()
    schema_version: int = SCHEMA_VERSION


Record = Assessment | Case
RecordType = TypeVar("RecordType", Assessment, Case)


class _HasInstances(Protocol):
    @property
    def instances(self) -> tuple[Instance, ...]: ...


Marked = TypeVar("Marked", bound=_HasInstances)


def marked_volume(finding: Finding, volumes: Iterable[Marked]) -> Marked | None:
    """Return the volume, or volume header, whose images a finding was marked on.

    None where no volume has any of them.
    """
    marked = set(finding.source_instances)
    for volume in volumes:
        if any(instance.source in marked for instance in volume.instances):
            return volume
    return None


class _HasSpace(_HasInstances, Protocol):
    @property
    def frame_of_reference_uid(self) -> str: ...


def shares_space(finding: Finding, region: Region, volume: _HasSpace) -> bool:
    """Tell whether a region of a finding has its place in a volume.

    It has where both name one frame of reference. Volumes without one may lie anywhere:
    then only the images that were marked tell.
    """
    if region.frame_of_reference_uid != volume.frame_of_reference_uid:
        return False
    return bool(
        region.frame_of_reference_uid
        or not finding.source_instances
        or marked_volume(finding, [volume]) is not None
    )


def to_json(record: Record) -> bytes:
    """Return a record as indented UTF-8 JSON; floats keep every bit."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def from_json(text: bytes | str, kind: type[RecordType]) -> RecordType:
    """Read a record back, strictly.

    Parameters
    ----------
    text : bytes or str
        What `to_json` wrote.
    kind : type
        `Assessment` or `Case`.

    Raises
    ------
    OsteotraceError
        If the text is not JSON, a field is unknown, missing or of another type, a kind,
        site, quantity or unit is not in `osteotrace.codes`, or the record was written by
        a later version.
    """
    try:
        record = msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise OsteotraceError(
            f"a text that is no {kind.__name__}: {problem}",
            expected=f"{kind.__name__} JSON, schema version {SCHEMA_VERSION}",
            advice="use a file that osteotrace wrote, unedited",
        ) from problem
    if record.schema_version != SCHEMA_VERSION:
        raise OsteotraceError(
            f"schema version {record.schema_version}",
            expected=f"schema version {SCHEMA_VERSION}",
            advice="read it with the version of osteotrace that wrote it",
        )
    _check_words(record)
    return record


def _check_words(record: Record) -> None:
    """Refuse a record that names what `osteotrace.codes` does not."""
    assessments = record.assessments if isinstance(record, Case) else (record,)
    facts = [*record.facts, *(fact for one in assessments for fact in one.facts)]
    try:
        for finding in (finding for one in assessments for finding in one.findings):
            _check_finding(finding)
        for fact in facts:
            if fact.unit:
                look_up(UNITS, fact.unit, "unit")
    except OsteotraceError as problem:
        raise OsteotraceError(
            problem.found,
            expected=problem.expected,
            advice="use a file that osteotrace wrote, unedited",
        ) from problem


def _check_finding(finding: Finding) -> None:
    look_up(KINDS, finding.kind, "kind")
    look_up(SITES, finding.site, "site")
    for reading in finding.measurements:
        look_up(QUANTITIES, reading.name, "quantity")
        if isinstance(reading, Measurement):
            for unit in (reading.unit, *(detail.unit for detail in reading.details)):
                look_up(UNITS, unit, "unit")


def json_schema() -> dict[str, object]:
    """Return the JSON Schema (2020-12) of `Assessment`."""
    return msgspec.json.schema(Assessment)
