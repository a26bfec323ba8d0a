"""From an assessment to the content tree of a structured report (PS3.16 TID 1500).

One Measurement Group a finding: TID 1410 where a line was marked, TID 1501 elsewhere.
Every region stands in the group with its role and images; the first line is the
group's Image Region too, and every number is INFERRED FROM the region it was read
from, so that viewers that know the templates alone show the right line.
What no template has a place for hangs below under 99OSTEO concepts.
"""

from __future__ import annotations

import uuid
from itertools import groupby
from typing import TYPE_CHECKING, Final

from osteotrace import about
from osteotrace.codes import (
    CERTAINTIES,
    ENGLISH,
    KINDS,
    LATERALITIES,
    PRESENCES,
    QUANTITIES,
    REPORT,
    SITES,
    look_up,
)
from osteotrace.errors import OsteotraceError
from osteotrace.measurements.measurement import NotMeasured
from osteotrace.records.content_items import (
    CONTAINS,
    HAS_CONCEPT_MOD,
    HAS_OBS_CONTEXT,
    HAS_PROPERTIES,
    INFERRED_FROM,
    code,
    coded,
    container,
    holding,
    image,
    moment,
    no_number,
    number,
    person_name,
    points,
    same_code,
    text,
    texts,
    uid,
    uids,
)
from osteotrace.records.source_images import image_library, procedures, references
from osteotrace.records.sr_stagings import staging_group
from osteotrace.records.sr_statements import drugs_written, facts_written
from osteotrace.regions import Points, Polyline
from osteotrace.uids import source_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from highdicom.sr import ContentItem, ContentSequence
    from pydicom.dataset import Dataset

    from osteotrace.findings import Assessment, Finding, SeriesReference
    from osteotrace.measurements.measurement import Measurement, Method
    from osteotrace.records.content_items import Relation
    from osteotrace.regions import Region

# Namespace of the UIDs that osteotrace derives from a text (RFC 9562, version 5).
_UID_NAMESPACE: Final = uuid.UUID("0b7b1a56-7d3c-5b53-9d0c-52f64f1a7c5e")
NO_FINDING: Final = "No finding was recorded."


def derived_uid(text: str) -> str:
    """Return the UID that osteotrace derives from a text, the same every time."""
    return f"{about.UID_PREFIX}{uuid.uuid5(_UID_NAMESPACE, text).int}"


def content_tree(assessment: Assessment, headers: Mapping[str, Dataset]) -> ContentItem:
    """Return the root of the content tree that says what an assessment says.

    Parameters
    ----------
    assessment : Assessment
        The reading.
    headers : mapping of str to Dataset
        Header of each image that the assessment refers to, by SOPInstanceUID, in the
        order of the Image Library.

    Raises
    ------
    OsteotraceError
        If a number is not finite, a UID is none, or a name is not in
        `osteotrace.codes`.
    """
    from highdicom.sr import LanguageOfContentItemAndDescendants

    groups = [_group(finding, headers) for finding in assessment.findings]
    groups += _staging_groups(assessment)
    empty = [text(REPORT["comment"], NO_FINDING, CONTAINS)]
    return container(
        REPORT["imaging_measurement_report"],
        [
            *LanguageOfContentItemAndDescendants(coded(ENGLISH)),
            *_observers(assessment),
            *procedures(headers),
            *image_library(headers, references(assessment)),
            container(REPORT["imaging_measurements"], groups or empty),
            *facts_written(assessment.facts),
            *drugs_written(assessment.drugs),
            _reading(assessment),
            text(REPORT["comment"], about.RESEARCH_USE_STATEMENT, CONTAINS),
        ],
        template="1500",
    )


# Context -----------------------------------------------------------------------------


def _observers(assessment: Assessment) -> ContentSequence:
    """Return the reader and the software as observers (TID 1002)."""
    from highdicom.sr import (
        DeviceObserverIdentifyingAttributes,
        ObservationContext,
        ObserverContext,
        PersonObserverIdentifyingAttributes,
    )
    from pydicom.sr.codedict import codes

    device = ObserverContext(
        codes.DCM.Device,
        DeviceObserverIdentifyingAttributes(
            uid=derived_uid(assessment.software),
            name=" ".join(assessment.software.split()) or about.SOFTWARE_NAME,
            model_name=about.SOFTWARE_NAME,
        ),
    )
    name = person_name(assessment.reader)
    if not name:
        return ObservationContext(observer_device_context=device)
    person = ObserverContext(
        codes.DCM.Person, PersonObserverIdentifyingAttributes(name=name)
    )
    return ObservationContext(
        observer_person_context=person, observer_device_context=device
    )


# Findings ----------------------------------------------------------------------------


def _group(finding: Finding, headers: Mapping[str, Dataset]) -> ContentItem:
    """Return the Measurement Group of a finding (TID 1410, or TID 1501)."""
    lines = [region for region in finding.regions if isinstance(region, Polyline)]
    image_region = [_line(line, "image_region", CONTAINS) for line in lines[:1]]
    return container(
        REPORT["measurement_group"],
        [
            text(REPORT["tracking_identifier"], finding.label, HAS_OBS_CONTEXT),
            uid(REPORT["tracking_uid"], finding.tracking_uid, HAS_OBS_CONTEXT),
            code(REPORT["finding"], look_up(KINDS, finding.kind, "kind"), CONTAINS),
            _site(finding),
            *image_region,
            *(
                _reading_of_quantity(reading, finding.regions, headers)
                for reading in finding.measurements
            ),
            code(REPORT["presence"], PRESENCES[finding.presence], CONTAINS),
            code(REPORT["certainty"], CERTAINTIES[finding.certainty], CONTAINS),
            *texts(REPORT["comment"], finding.note, CONTAINS),
            *uids(REPORT["series_uid"], finding.series_uid, CONTAINS),
            *(_region(region, headers) for region in finding.regions),
        ],
        template="1410" if image_region else "1501",
    )


def _site(finding: Finding) -> ContentItem:
    site = code(
        REPORT["finding_site"], look_up(SITES, finding.site, "site"), HAS_CONCEPT_MOD
    )
    if not finding.laterality:
        return site
    side = look_up(LATERALITIES, finding.laterality, "laterality")
    return holding(site, [code(REPORT["laterality"], side, HAS_CONCEPT_MOD)])


def _line(line: Polyline, concept: str, relation: Relation) -> ContentItem:
    frame = line.frame_of_reference_uid
    return points(REPORT[concept], "POLYLINE", line.points, frame, relation)


def _shapes(region: Region) -> list[ContentItem]:
    """Return the coordinates of a region as items that something is inferred from."""
    if isinstance(region, Polyline):
        return [_line(region, "line", INFERRED_FROM)]
    # `source_images.lack` has refused every other region.
    assert isinstance(region, Points)
    return _named_points(region)


def _named_points(region: Points) -> list[ContentItem]:
    return [
        holding(
            points(
                REPORT["point"],
                "POINT",
                [point],
                region.frame_of_reference_uid,
                INFERRED_FROM,
            ),
            texts(REPORT["role"], role, HAS_CONCEPT_MOD),
        )
        for point, role in zip(region.points, region.point_roles, strict=True)
    ]


def _region(region: Region, headers: Mapping[str, Dataset]) -> ContentItem:
    shape = REPORT["line"] if isinstance(region, Polyline) else REPORT["points"]
    return holding(
        code(REPORT["region"], shape, CONTAINS),
        [
            *texts(REPORT["role"], region.role, HAS_PROPERTIES),
            *_shapes(region),
            *_images(region.source_instances, headers),
        ],
    )


def _images(sources: Iterable[str], headers: Mapping[str, Dataset]) -> list[ContentItem]:
    """Return the images in order; frames of one object in a row are one item."""
    items: list[ContentItem] = []
    runs = groupby(map(source_parts, sources), key=lambda part: (part[0], part[1] > 0))
    for (instance, of_frames), run in runs:
        frames = [frame for _, frame in run]
        referred = [frames] if of_frames else [[] for _ in frames]
        items += [image(headers[instance], INFERRED_FROM, some) for some in referred]
    return items


# Measurements ------------------------------------------------------------------------


def _reading_of_quantity(
    reading: Measurement | NotMeasured,
    regions: tuple[Region, ...],
    headers: Mapping[str, Dataset],
) -> ContentItem:
    known = look_up(QUANTITIES, reading.name, "quantity")
    if not same_code(known, reading.code):
        raise OsteotraceError(
            f"the quantity {reading.name!r} with the code {reading.code.value} of "
            f"{reading.code.scheme}",
            expected=f"the code {known.value} of {known.scheme}",
            advice="take the code from osteotrace.codes.QUANTITIES",
        )
    sources = _images(reading.sources, headers)
    if isinstance(reading, NotMeasured):
        reason = text(REPORT["not_measured"], reading.reason, HAS_PROPERTIES)
        return holding(
            no_number(reading.code, CONTAINS),
            [*_method(reading.method), reason, *sources],
        )
    used = [region for region in regions if region.role == reading.region]
    shapes = [item for region in used for item in _shapes(region)]
    return holding(
        number(reading.code, reading.value, reading.unit, CONTAINS),
        [*_method(reading.method), *_properties(reading), *sources, *shapes],
    )


def _method(method: Method) -> list[ContentItem]:
    """Return the algorithm's identification (TID 4019)."""
    return [
        text(REPORT["algorithm_name"], method.name, HAS_CONCEPT_MOD),
        text(REPORT["algorithm_version"], method.version, HAS_CONCEPT_MOD),
    ]


def _properties(measurement: Measurement) -> list[ContentItem]:
    unit = measurement.unit
    numbers = {"uncertainty": measurement.uncertainty}
    if measurement.interval95 is not None:
        numbers["interval95_low"], numbers["interval95_high"] = measurement.interval95
    details = (
        holding(
            number(REPORT["detail"], detail.value, detail.unit, HAS_PROPERTIES),
            [text(REPORT["detail_name"], detail.name, HAS_CONCEPT_MOD)],
        )
        for detail in measurement.details
    )
    return [
        *texts(REPORT["definition"], measurement.definition, HAS_CONCEPT_MOD),
        *texts(REPORT["region_used"], measurement.region, HAS_CONCEPT_MOD),
        *(
            number(REPORT[name], value, unit, HAS_PROPERTIES)
            for name, value in numbers.items()
            if value is not None
        ),
        *texts(
            REPORT["uncertainty_reason"],
            measurement.uncertainty_reason,
            HAS_PROPERTIES,
        ),
        *(text(REPORT["flag"], flag, HAS_PROPERTIES) for flag in measurement.flags),
        *details,
    ]


# The reading itself ------------------------------------------------------------------


def _staging_groups(assessment: Assessment) -> list[ContentItem]:
    return [
        staging_group(
            result, derived_uid(f"staging {number} of {assessment.assessment_uid}")
        )
        for number, result in enumerate(assessment.stagings, start=1)
    ]


def _reading(assessment: Assessment) -> ContentItem:
    """Return what the reading is: of which study, by whom, when, how."""
    return container(
        REPORT["reading"],
        [
            number(REPORT["schema_version"], assessment.schema_version, "1", CONTAINS),
            uid(REPORT["assessment_uid"], assessment.assessment_uid, CONTAINS),
            uid(REPORT["study_uid"], assessment.study_uid, CONTAINS),
            *moment(REPORT["study_date"], assessment.study_date, CONTAINS),
            *texts(REPORT["patient"], assessment.patient, CONTAINS),
            *texts(REPORT["reader"], assessment.reader, CONTAINS),
            *moment(REPORT["recorded"], assessment.recorded, CONTAINS),
            *texts(REPORT["software"], assessment.software, CONTAINS),
            *texts(REPORT["protocol"], assessment.protocol, CONTAINS),
            *texts(REPORT["protocol_sha256"], assessment.protocol_sha256, CONTAINS),
            *uids(REPORT["predecessor_uid"], assessment.predecessor_uid, CONTAINS),
            *map(_series, assessment.series),
            *(
                text(REPORT["not_understood"], part, CONTAINS)
                for part in assessment.not_understood
            ),
        ],
    )


def _series(series: SeriesReference) -> ContentItem:
    frame = series.frame_of_reference_uid
    description = series.description
    return container(
        REPORT["series"],
        [
            uid(REPORT["series_uid"], series.series_uid, CONTAINS),
            *uids(REPORT["frame_of_reference_uid"], frame, CONTAINS),
            *texts(REPORT["series_modality"], series.modality, CONTAINS),
            *texts(REPORT["series_description"], description, CONTAINS),
        ],
    )
