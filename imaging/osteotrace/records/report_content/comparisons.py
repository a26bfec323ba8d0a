"""From a comparison of studies to the content tree of a structured report (TID 1500).

One Measurement Group a lesion and date with its values, and one a lesion and step with
what became of it: Δ of each quantity under a Derivation, the verdict and its limit as
codes and numbers. All groups of a lesion share one Tracking UID and say their time point
(TID 1502). The whole comparison to the bit stands below as JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from osteotrace import about
from osteotrace.codes import (
    CERTAINTIES,
    ENGLISH,
    KINDS,
    PRESENCES,
    QUANTITIES,
    REPORT,
    STATES,
    VERDICTS,
    look_up,
)
from osteotrace.findings.dates import days
from osteotrace.records.dicom_objects import derived_uid
from osteotrace.records.report_content.items import (
    CONTAINS,
    HAS_CONCEPT_MOD,
    HAS_OBS_CONTEXT,
    HAS_PROPERTIES,
    code,
    coded,
    container,
    holding,
    moment,
    no_number,
    number,
    text,
    texts,
    uid,
    uids,
)
from osteotrace.records.report_content.source_images import image_library, procedures
from osteotrace.records.report_content.stagings import staging_group
from osteotrace.records.report_content.statements import drugs_written, truth
from osteotrace.records.report_content.writing import (
    NO_FINDING,
    observers,
    site_written,
    value_written,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from highdicom.sr import ContentItem
    from pydicom.dataset import Dataset

    from osteotrace.comparison import (
        ComparedStudy,
        Comparison,
        Lesion,
        QuantityChange,
        Step,
        StudyPair,
    )
    from osteotrace.findings import Finding


def content_tree(
    comparison: Comparison,
    headers: Mapping[str, Dataset],
    referred: Mapping[str, tuple[int, ...]],
    reports: Sequence[Dataset],
) -> ContentItem:
    """Return the root of the content tree that says what a comparison says.

    Parameters
    ----------
    comparison : Comparison
    headers : mapping of str to Dataset
        Header of each image of both studies that its findings refer to.
    referred : mapping of str to tuple of int
        The frames of each that are meant.
    reports : sequence of Dataset
        Headers of the readings and registrations that it was made from.
    """
    from highdicom.sr import LanguageOfContentItemAndDescendants

    groups = [
        *(
            group
            for lesion in comparison.lesions
            for group in _lesion(comparison, lesion)
        ),
        *_stagings(comparison),
    ]
    empty = [text(REPORT["comment"], NO_FINDING, CONTAINS)]
    return container(
        REPORT["imaging_measurement_report"],
        [
            *LanguageOfContentItemAndDescendants(coded(ENGLISH)),
            *observers(comparison.reader, comparison.software),
            *procedures(headers),
            *image_library(headers, referred),
            container(REPORT["imaging_measurements"], groups or empty),
            *drugs_written(comparison.drugs),
            _comparison(comparison, reports),
            text(REPORT["comment"], about.RESEARCH_USE_STATEMENT_ASCII, CONTAINS),
        ],
        template="1500",
    )


# Lesions ------------------------------------------------------------------------------


def _lesion(comparison: Comparison, lesion: Lesion) -> Iterable[ContentItem]:
    """Give the groups of one lesion: its readings, then what became of it."""
    for seen in lesion.seen:
        for finding in seen.findings:
            point = _time_point(comparison, comparison.studies[seen.study])
            yield _reading(lesion, finding, point)
    whole = () if lesion.whole is None else (lesion.whole,)
    for step in (*lesion.steps, *whole):
        point = _time_point(comparison, comparison.studies[step.later])
        yield _step(comparison, lesion, step, point)


def _head(lesion: Lesion, label: str, point: Sequence[ContentItem]) -> list[ContentItem]:
    return [
        text(REPORT["tracking_identifier"], label, HAS_OBS_CONTEXT),
        uid(REPORT["tracking_uid"], lesion.tracking_uid, HAS_OBS_CONTEXT),
        *point,
    ]


def _reading(
    lesion: Lesion, finding: Finding, point: Sequence[ContentItem]
) -> ContentItem:
    """Return the values of a lesion at one date (TID 1501); its report has the marks."""
    return container(
        REPORT["measurement_group"],
        [
            *_head(lesion, finding.label, point),
            code(REPORT["finding"], look_up(KINDS, finding.kind, "kind"), CONTAINS),
            site_written(finding.site, finding.laterality),
            *(value_written(reading, (), ()) for reading in finding.measurements),
            code(REPORT["presence"], PRESENCES[finding.presence], CONTAINS),
            code(REPORT["certainty"], CERTAINTIES[finding.certainty], CONTAINS),
            *texts(REPORT["comment"], finding.note, CONTAINS),
        ],
        template="1501",
    )


def _step(
    comparison: Comparison, lesion: Lesion, step: Step, point: Sequence[ContentItem]
) -> ContentItem:
    """Return what became of a lesion between two dates (TID 1501)."""
    earlier = comparison.studies[step.earlier]
    primary = [
        code(REPORT["primary_quantity"], QUANTITIES[name], CONTAINS)
        for name in (step.primary,)
        if name in QUANTITIES
    ]
    return container(
        REPORT["measurement_group"],
        [
            *_head(lesion, lesion.label, point),
            code(REPORT["finding"], look_up(KINDS, lesion.kind, "kind"), CONTAINS),
            site_written(lesion.site, lesion.laterality),
            *map(_change, step.changes),
            code(REPORT["state"], look_up(STATES, step.state, "state"), CONTAINS),
            *texts(REPORT["state_reason"], step.reason, CONTAINS),
            *primary,
            truth("proposed", step.proposed, CONTAINS),
            text(REPORT["compared_with"], _name(earlier), CONTAINS),
        ],
        template="1501",
    )


def _change(one: QuantityChange) -> ContentItem:
    """Return the difference of a quantity, or why there is none."""
    found = one.change
    concept = look_up(QUANTITIES, found.name, "quantity")
    verdict = code(REPORT["verdict"], VERDICTS[found.verdict], HAS_PROPERTIES)
    told = [
        text(REPORT["not_comparable"], reason, HAS_PROPERTIES)
        for reason in (*filter(None, (found.reason,)), *one.inapplicable)
    ]
    derived = code(REPORT["derivation"], REPORT["delta"], HAS_CONCEPT_MOD)
    if found.delta is None:
        return holding(no_number(concept, CONTAINS), [derived, verdict, *told])
    numbers = (
        ("change_limit", found.limit, found.unit),
        ("change_percent", found.percent, "%"),
    )
    return holding(
        number(concept, found.delta, found.unit, CONTAINS),
        [
            derived,
            verdict,
            *told,
            *(
                number(REPORT[name], value, unit, HAS_PROPERTIES)
                for name, value, unit in numbers
                if value is not None
            ),
            *texts(REPORT["limit_origin"], found.limit_origin, HAS_PROPERTIES),
        ],
    )


# Time points and stages ---------------------------------------------------------------


def _name(study: ComparedStudy) -> str:
    return study.name or study.date or f"study {study.number + 1}"


def _time_point(comparison: Comparison, study: ComparedStudy) -> list[ContentItem]:
    """Return the time point of a study (TID 1502): its name, order and days since."""
    from highdicom.sr import LongitudinalTemporalOffsetFromEvent, TimePointContext
    from pydicom.sr.codedict import codes

    baseline = coded(REPORT["baseline"])
    since = _days_between(comparison.studies[0].date, study.date)
    offset = None
    if since is not None and study.number:
        offset = LongitudinalTemporalOffsetFromEvent(since, codes.UCUM.Day, baseline)
    point = TimePointContext(
        time_point=_name(study),
        time_point_type=None if study.number else baseline,
        time_point_order=study.number + 1,
        subject_time_point_identifier=study.date or None,
        temporal_offset_from_event=offset,
    )
    return [*point]


def _days_between(first: str, last: str) -> int | None:
    """Return the days between two whole dates; None where one is not whole."""
    if not first or not last:
        return None
    (start, also), (end, too) = days(first), days(last)
    return (end - start).days if (start, end) == (also, too) else None


def _stagings(comparison: Comparison) -> Iterable[ContentItem]:
    """Give the stages of each date as groups, with their time points."""
    for n, row in enumerate(comparison.stagings, start=1):
        tracking = f"staging row {n} of {row.system} {row.site} {comparison.recorded}"
        for study, result in zip(comparison.studies, row.results, strict=False):
            if result is not None:
                group = staging_group(result, derived_uid(tracking))
                yield holding(group, _time_point(comparison, study))


# The comparison itself ----------------------------------------------------------------


def _comparison(comparison: Comparison, reports: Sequence[Dataset]) -> ContentItem:
    """Return what was compared: the readings, how they were aligned, and every bit."""
    known = {str(one.SOPInstanceUID): one for one in reports}
    readings = {study.assessment_uid for study in comparison.studies}
    others = [one for key, one in known.items() if key not in readings]
    return container(
        REPORT["comparison"],
        [
            *(_study(study, known) for study in comparison.studies),
            *(_referred(REPORT["spatial_registration"], one) for one in others),
            *(item for pair in comparison.pairs for item in _pair(comparison, pair)),
            *(_fracture(comparison, n) for n in range(len(comparison.fractures))),
            *(text(REPORT["comparison_note"], n, CONTAINS) for n in comparison.notes),
            *moment(REPORT["recorded"], comparison.recorded, CONTAINS),
            text(
                REPORT["comparison_exact"],
                msgspec.json.encode(comparison).decode(),
                CONTAINS,
            ),
        ],
    )


def _study(study: ComparedStudy, known: Mapping[str, Dataset]) -> ContentItem:
    report = known.get(study.assessment_uid)
    own = [] if report is None else [_referred(REPORT["compared_reading"], report)]
    return container(
        REPORT["compared_study"],
        [
            *uids(REPORT["study_uid"], study.study_uid, CONTAINS),
            *moment(REPORT["study_date"], study.date, CONTAINS),
            text(REPORT["study_name"], _name(study), CONTAINS),
            uid(REPORT["assessment_uid"], study.assessment_uid, CONTAINS),
            *own,
            *texts(REPORT["reader"], study.reader, CONTAINS),
            *texts(REPORT["protocol"], study.protocol, CONTAINS),
        ],
    )


def _referred(concept: object, header: Dataset) -> ContentItem:
    from highdicom.sr import CompositeContentItem

    return CompositeContentItem(
        name=coded(concept),  # type: ignore[arg-type]
        referenced_sop_class_uid=header.SOPClassUID,
        referenced_sop_instance_uid=header.SOPInstanceUID,
        relationship_type=CONTAINS,
    )


def _pair(comparison: Comparison, pair: StudyPair) -> list[ContentItem]:
    """Return how two studies were aligned, or why not, and made differently, in words."""
    ends = (comparison.studies[n] for n in (pair.earlier, pair.later))
    which = " to ".join(map(_name, ends))
    aligned = (*(one.as_text for one in pair.alignments), *pair.refusals)
    return [
        *(text(REPORT["alignment"], f"{which}: {how}", CONTAINS) for how in aligned),
        *(
            text(
                REPORT["difference"],
                f"{which}: {one.kind}, {one.earlier} and {one.later}",
                CONTAINS,
            )
            for one in pair.differences
        ),
    ]


def _fracture(comparison: Comparison, number: int) -> ContentItem:
    one = comparison.fractures[number]
    seen = f"first seen {one.first_seen or 'at an unknown date'}"
    without = f", last without it {one.last_without}" if one.last_without else ""
    said = f"incident fracture {one.site.upper()}, {one.certainty}, {seen}{without}"
    return text(REPORT["comparison_note"], said, CONTAINS)
