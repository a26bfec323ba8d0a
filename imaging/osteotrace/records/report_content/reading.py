"""From the content tree of a structured report back to the assessment it was made of.

Reads what `sr_writing` writes and nothing else; the digest is checked before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from osteotrace.codes import (
    CERTAINTIES,
    KINDS,
    LATERALITIES,
    PRESENCES,
    QUANTITIES,
    REPORT,
    SITES,
    name_of,
)
from osteotrace.errors import OsteotraceError
from osteotrace.findings import (
    SCHEMA_VERSION,
    Assessment,
    Finding,
    SeriesReference,
)
from osteotrace.measurements.measurement import (
    Detail,
    Measurement,
    Method,
    NotMeasured,
)
from osteotrace.records.report_content.items import (
    SPACINGS,
    child,
    children,
    code_below,
    concept_of,
    has_number,
    moment_below,
    name_of_item,
    number_of,
    text_below,
    texts_below,
    uid_below,
    unit_of,
)
from osteotrace.records.report_content.regions import regions_read, sources_read
from osteotrace.records.report_content.stagings import is_staging, staging_of
from osteotrace.records.report_content.statements import drugs_read, facts_read

# Version 1 lacks what version 2 added, and has facts under names of any kind.
READABLE_VERSIONS: Final = (1, SCHEMA_VERSION)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydicom.dataset import Dataset

    from osteotrace.findings import Certainty, Laterality, Presence
    from osteotrace.measurements.measurement import Reading
    from osteotrace.records.segmentations.reading import Segmentation


def assessment(
    document: Dataset, segmentations: Mapping[str, Segmentation] | None = None
) -> Assessment:
    """Return the assessment that a structured report of osteotrace holds.

    Parameters
    ----------
    document : Dataset
        The report, or the root of its content tree.
    segmentations : mapping of str to Segmentation
        Those that hold its masks, by SOPInstanceUID.

    Raises
    ------
    OsteotraceError
        If the report was written by a later version, or is none of osteotrace.
    """
    reading = child(document, REPORT["reading"])
    version = number_of(child(reading, REPORT["schema_version"]))
    if version not in READABLE_VERSIONS:
        raise OsteotraceError(
            f"schema version {version:g}",
            expected=f"schema version {' or '.join(map(str, READABLE_VERSIONS))}",
            advice="read it with the version of osteotrace that wrote it",
        )
    measured = child(document, REPORT["imaging_measurements"])
    known = segmentations or {}
    groups = list(children(measured, REPORT["measurement_group"], "CONTAINER"))
    return Assessment(
        assessment_uid=uid_below(reading, REPORT["assessment_uid"]),
        study_uid=uid_below(reading, REPORT["study_uid"]),
        patient=text_below(reading, REPORT["patient"]),
        study_date=moment_below(reading, REPORT["study_date"]),
        reader=text_below(reading, REPORT["reader"]),
        recorded=moment_below(reading, REPORT["recorded"]),
        series=tuple(map(_series, children(reading, REPORT["series"]))),
        software=text_below(reading, REPORT["software"]),
        findings=tuple(
            _finding(group, known) for group in groups if not is_staging(group)
        ),
        facts=facts_read(
            document,
            version=int(version),
            study_date=moment_below(reading, REPORT["study_date"]),
        ),
        drugs=drugs_read(document),
        stagings=tuple(staging_of(group) for group in groups if is_staging(group)),
        not_understood=texts_below(reading, REPORT["not_understood"]),
        protocol=text_below(reading, REPORT["protocol"]),
        protocol_sha256=text_below(reading, REPORT["protocol_sha256"]),
        predecessor_uid=uid_below(reading, REPORT["predecessor_uid"]),
    )


def _series(item: Dataset) -> SeriesReference:
    return SeriesReference(
        series_uid=uid_below(item, REPORT["series_uid"]),
        frame_of_reference_uid=uid_below(item, REPORT["frame_of_reference_uid"]),
        modality=text_below(item, REPORT["series_modality"]),
        description=text_below(item, REPORT["series_description"]),
        spacing_mm=_spacing_mm(item),
    )


def _spacing_mm(item: Dataset) -> tuple[float, float, float] | None:
    found = [_property(item, name) for name in SPACINGS]
    match found:
        case [float(between), float(rows), float(columns)]:
            return between, rows, columns
        case _:
            return None


def _finding(group: Dataset, segmentations: Mapping[str, Segmentation]) -> Finding:
    site = child(group, REPORT["finding_site"])
    sides = [code_below(site, REPORT["laterality"])] if "ContentSequence" in site else []
    laterality = name_of(LATERALITIES, sides[0]) if sides else ""
    presence = name_of(PRESENCES, code_below(group, REPORT["presence"]))
    certainty = name_of(CERTAINTIES, code_below(group, REPORT["certainty"]))
    regions = regions_read(group, segmentations)
    parts = [region.source_instances for region in regions]
    values = []
    for item in children(group, value_type="NUM"):
        parts.append(sources_read(item, parts))
        values.append(_value(item, parts[-1]))
    return Finding(
        tracking_uid=uid_below(group, REPORT["tracking_uid"]),
        label=text_below(group, REPORT["tracking_identifier"]),
        kind=name_of(KINDS, code_below(group, REPORT["finding"])),
        site=name_of(SITES, concept_of(site.ConceptCodeSequence)),
        laterality=cast("Laterality", laterality),
        presence=cast("Presence", presence),
        certainty=cast("Certainty", certainty),
        note=text_below(group, REPORT["comment"]),
        regions=regions,
        measurements=tuple(values),
        series_uid=uid_below(group, REPORT["series_uid"]),
    )


def _value(item: Dataset, sources: tuple[str, ...]) -> Reading:
    concept = name_of_item(item)
    name = name_of(QUANTITIES, concept)
    method = Method(
        name=text_below(item, REPORT["algorithm_name"]),
        version=text_below(item, REPORT["algorithm_version"]),
    )
    if not has_number(item):
        return NotMeasured(
            name=name,
            code=concept,
            reason=text_below(item, REPORT["not_measured"]),
            method=method,
            sources=sources,
        )
    uncertainty = _property(item, "uncertainty")
    low, high = _property(item, "interval95_low"), _property(item, "interval95_high")
    return Measurement(
        name=name,
        code=concept,
        value=number_of(item),
        unit=unit_of(item),
        method=method,
        sources=sources,
        uncertainty=uncertainty,
        uncertainty_reason=text_below(item, REPORT["uncertainty_reason"]),
        interval95=None if low is None or high is None else (low, high),
        region=text_below(item, REPORT["region_used"]),
        definition=text_below(item, REPORT["definition"]),
        flags=texts_below(item, REPORT["flag"]),
        details=tuple(map(_detail, children(item, REPORT["detail"], "NUM"))),
    )


def _property(item: Dataset, name: str) -> float | None:
    return next(map(number_of, children(item, REPORT[name], "NUM")), None)


def _detail(item: Dataset) -> Detail:
    name = text_below(item, REPORT["detail_name"])
    return Detail(name=name, value=number_of(item), unit=unit_of(item))
