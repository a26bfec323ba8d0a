"""From an assessment to the content tree of a structured report (PS3.16 TID 1500).

One Measurement Group a finding: TID 1410 where its value was read from a line, TID 1411
where from a mask, TID 1501 elsewhere (see ``regions``). Every number is INFERRED FROM the
region it was read from, so that viewers that know the templates alone show the right one.
What no template has a place for hangs below under 99OSTEO concepts.
"""

from __future__ import annotations

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
from osteotrace.records.dicom_objects import derived_uid
from osteotrace.records.report_content.items import (
    CONTAINS,
    HAS_CONCEPT_MOD,
    HAS_OBS_CONTEXT,
    HAS_PROPERTIES,
    SPACINGS,
    code,
    coded,
    container,
    holding,
    image,
    moment,
    no_number,
    number,
    person_name,
    same_code,
    text,
    texts,
    uid,
    uids,
)
from osteotrace.records.report_content.regions import (
    MarkedRegion,
    region_of_interest,
    regions_written,
    shapes,
    sources_of_value_written,
)
from osteotrace.records.report_content.segments import segmentations_written
from osteotrace.records.report_content.source_images import (
    image_library,
    procedures,
    references,
)
from osteotrace.records.report_content.stagings import staging_group
from osteotrace.records.report_content.statements import drugs_written, facts_written

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from highdicom.sr import ContentItem, ContentSequence
    from pydicom.dataset import Dataset

    from osteotrace.findings import Assessment, Finding, SeriesReference
    from osteotrace.measurements.measurement import Measurement, Method
    from osteotrace.records.seg import SegmentReference
    from osteotrace.records.segmentations.planes import Key

NO_FINDING: Final = "No finding was recorded."


def content_tree(
    assessment: Assessment,
    headers: Mapping[str, Dataset],
    segments: Mapping[Key, SegmentReference] | None = None,
    digests: Mapping[str, str] | None = None,
) -> ContentItem:
    """Return the root of the content tree that says what an assessment says.

    Parameters
    ----------
    assessment : Assessment
        The reading.
    headers : mapping of str to Dataset
        Header of each image that the assessment refers to, by SOPInstanceUID, in the
        order of the Image Library.
    segments : mapping of (finding, region) to SegmentReference
        The segment that each mask was written as.
    digests : mapping of str to str
        SHA-256 of what each segmentation holds, by SOPInstanceUID.

    Raises
    ------
    OsteotraceError
        If a number is not finite, a UID is none, or a name is not in
        `osteotrace.codes`.
    """
    from highdicom.sr import LanguageOfContentItemAndDescendants

    known = segments or {}
    groups = []
    for f, finding in enumerate(assessment.findings):
        marked = tuple(
            MarkedRegion(region, known.get((f, r)), headers)
            for r, region in enumerate(finding.regions)
        )
        groups.append(_group(finding, marked, headers))
    groups += _staging_groups(assessment)
    empty = [text(REPORT["comment"], NO_FINDING, CONTAINS)]
    return container(
        REPORT["imaging_measurement_report"],
        [
            *LanguageOfContentItemAndDescendants(coded(ENGLISH)),
            *observers(assessment.reader, assessment.software),
            *procedures(headers),
            *image_library(headers, references(assessment)),
            container(REPORT["imaging_measurements"], groups or empty),
            *facts_written(assessment.facts),
            *drugs_written(assessment.drugs),
            *segmentations_written(known.values(), digests or {}),
            _reading(assessment),
            text(REPORT["comment"], about.RESEARCH_USE_STATEMENT_ASCII, CONTAINS),
        ],
        template="1500",
    )


def evidence_tree(
    headers: Mapping[str, Dataset], segmentations: Sequence[Dataset]
) -> ContentItem:
    """Return a content tree that refers to the images and segmentations of a report.

    highdicom copies and searches the tree it is given, which for a study of masks takes
    as long as all the rest.
    """
    objects = [*headers.values(), *segmentations]
    items = [image(one, CONTAINS) for one in objects]
    return container(REPORT["imaging_measurement_report"], items, template="1500")


# Context -----------------------------------------------------------------------------


def observers(reader: str, software: str) -> ContentSequence:
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
            uid=derived_uid(software),
            name=" ".join(software.split()) or about.SOFTWARE_NAME,
            model_name=about.SOFTWARE_NAME,
        ),
    )
    name = person_name(reader)
    if not name:
        return ObservationContext(observer_device_context=device)
    person = ObserverContext(
        codes.DCM.Person, PersonObserverIdentifyingAttributes(name=name)
    )
    return ObservationContext(
        observer_person_context=person, observer_device_context=device
    )


# Findings ----------------------------------------------------------------------------


def _group(
    finding: Finding, marked: Sequence[MarkedRegion], headers: Mapping[str, Dataset]
) -> ContentItem:
    """Return the Measurement Group of a finding (TID 1410, TID 1411 or TID 1501)."""
    template, regions_of_interest = region_of_interest(finding, marked)
    return container(
        REPORT["measurement_group"],
        [
            text(REPORT["tracking_identifier"], finding.label, HAS_OBS_CONTEXT),
            uid(REPORT["tracking_uid"], finding.tracking_uid, HAS_OBS_CONTEXT),
            code(REPORT["finding"], look_up(KINDS, finding.kind, "kind"), CONTAINS),
            site_written(finding.site, finding.laterality),
            *regions_of_interest,
            *(
                value_written(
                    reading, marked, sources_of_value_written(finding, n, headers)
                )
                for n, reading in enumerate(finding.measurements)
            ),
            code(REPORT["presence"], PRESENCES[finding.presence], CONTAINS),
            code(REPORT["certainty"], CERTAINTIES[finding.certainty], CONTAINS),
            *texts(REPORT["comment"], finding.note, CONTAINS),
            *uids(REPORT["series_uid"], finding.series_uid, CONTAINS),
            *regions_written(marked),
        ],
        template=template,
    )


def site_written(name: str, laterality: str) -> ContentItem:
    """Return a site as a CODE item, with its side where it has one."""
    site = code(REPORT["finding_site"], look_up(SITES, name, "site"), HAS_CONCEPT_MOD)
    if not laterality:
        return site
    side = look_up(LATERALITIES, laterality, "laterality")
    return holding(site, [code(REPORT["laterality"], side, HAS_CONCEPT_MOD)])


# Measurements ------------------------------------------------------------------------


def value_written(
    reading: Measurement | NotMeasured,
    marked: Sequence[MarkedRegion],
    sources: Sequence[ContentItem],
) -> ContentItem:
    """Return a value as a NUM item, with the regions that it was read from."""
    known = look_up(QUANTITIES, reading.name, "quantity")
    if not same_code(known, reading.code):
        raise OsteotraceError(
            f"the quantity {reading.name!r} with the code {reading.code.value} of "
            f"{reading.code.scheme}",
            expected=f"the code {known.value} of {known.scheme}",
            advice="take the code from osteotrace.codes.QUANTITIES",
        )
    if isinstance(reading, NotMeasured):
        reason = text(REPORT["not_measured"], reading.reason, HAS_PROPERTIES)
        return holding(
            no_number(reading.code, CONTAINS),
            [*_method(reading.method), reason, *sources],
        )
    used = [one for one in marked if one.region.role == reading.region]
    inferred_from = [item for one in used for item in shapes(one)]
    return holding(
        number(reading.code, reading.value, reading.unit, CONTAINS),
        [*_method(reading.method), *_properties(reading), *sources, *inferred_from],
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
            *(
                number(REPORT[name], value, "mm", CONTAINS)
                for name, value in zip(SPACINGS, series.spacing_mm or (), strict=False)
            ),
        ],
    )
