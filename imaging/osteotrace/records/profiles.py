"""A reading as other viewers take it: parts of it in reports of their own dialect.

``ohif`` gives one length a caliper, as cornerstone3D's adapters hydrate it; ``slicer``
gives single points, and masks with a segmentation, as QuantitativeReporting reads them.
Each is derived from the record and says so, under UIDs of its own; the record itself
stays what it is.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from osteotrace import about
from osteotrace.codes import ENGLISH, REPORT
from osteotrace.errors import OsteotraceError
from osteotrace.measurements.measurement import Measurement
from osteotrace.records import profile_groups, seg
from osteotrace.records.dicom_objects import (
    derived_uid,
    encoded,
    new_report,
    one_error,
)
from osteotrace.records.foreign.document import EXPORT
from osteotrace.records.report_content.items import CONTAINS, coded, container, text
from osteotrace.records.report_content.source_images import (
    headers,
    image_library,
    procedures,
    references,
)
from osteotrace.records.store import record_path, write_once
from osteotrace.uids import new_uid

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from highdicom.sr import ContentItem
    from pydicom.dataset import Dataset

    from osteotrace.findings import Assessment
    from osteotrace.series import Catalogue

Profile = Literal["ohif", "slicer"]

VIEWERS: Final[dict[str, str]] = {"ohif": "OHIF", "slicer": "3D Slicer"}
# Stands behind the record in a study's list.
SERIES_NUMBER: Final = 9101
_EXPECTED: Final = "findings with points, lines or masks on DICOM images"
_ADVICE: Final = "check the source images, or export tables or markups"


def write(
    assessment: Assessment,
    images: Mapping[str, Path] | Catalogue,
    folder: str | os.PathLike[str],
    *,
    profile: Profile,
    record: str | os.PathLike[str] | None = None,
    now: datetime.datetime | None = None,
) -> tuple[Path, ...]:
    """Write what a viewer shows of a reading, as new DICOM objects.

    Parameters
    ----------
    assessment : Assessment
        The reading.
    images : mapping of str to Path, or Catalogue
        Files of the images by SOPInstanceUID, or the scan that they were found by.
    folder : path
        Where the objects go, as ``<SOPInstanceUID>.dcm``.
    profile : ``"ohif"`` or ``"slicer"``
        What the viewer understands.
    record : path, optional
        The DICOM SR that the reading was saved as; the export names it as the document
        that it was derived from.
    now : datetime, optional
        Content Date and Time; by default the present.

    Returns
    -------
    tuple of Path
        The files: reports, and before them the segmentations that they refer to.

    Raises
    ------
    OsteotraceError
        If nothing of the reading is what the viewer shows, an image is missing, the
        record is another one, or a file cannot be written. A report gets its name after
        its segmentations.
    """
    place = Path(folder)
    when = now or datetime.datetime.now()
    found = f"a reading that cannot be exported for {VIEWERS[profile]}"
    with one_error(place, found, expected=_EXPECTED, advice=_ADVICE):
        previous = None if record is None else [_header_of(assessment, Path(record))]
        parts = _PARTS[profile](assessment)
        if not parts:
            raise OsteotraceError(
                f"a reading without {profile_groups.SHOWN[profile]}",
                expected=f"something that {VIEWERS[profile]} shows",
                advice="export tables or markups instead",
                usage=True,
            )
        objects = [
            made
            for part in parts
            for made in _objects(part, assessment, images, profile, previous, when)
        ]
        contents = {str(made.SOPInstanceUID): encoded(made) for made in objects}
        return tuple(
            write_once(record_path(place, name), content)
            for name, content in contents.items()
        )


_PARTS: Final = {
    "ohif": profile_groups.calipers,
    "slicer": profile_groups.points_and_masks,
}


def _header_of(assessment: Assessment, record: Path) -> Dataset:
    from pydicom import dcmread

    header = dcmread(record, stop_before_pixels=True)
    if header.SOPInstanceUID != assessment.assessment_uid:
        raise OsteotraceError(
            f"the record {header.SOPInstanceUID}",
            expected=f"the record of this reading, {assessment.assessment_uid}",
            advice="name the file that the reading was read from",
            where=str(record),
            usage=True,
        )
    return header


def _objects(
    part: Assessment,
    whole: Assessment,
    images: Mapping[str, Path] | Catalogue,
    profile: Profile,
    previous: list[Dataset] | None,
    now: datetime.datetime,
) -> list[Dataset]:
    """Return the report of a part of a reading, its segmentations before it."""
    own_uid = new_uid()
    sources = headers(part, images)
    masks = seg.documents(part, sources, record_uid=own_uid, now=now)
    segments = {key: one for made in masks for key, one in made.segments.items()}
    tracking = {
        key: str(made.dataset.SegmentSequence[one.number - 1].TrackingUID)
        for made in masks
        for key, one in made.segments.items()
    }
    groups = (
        profile_groups.lengths(part, sources)
        if profile == "ohif"
        else profile_groups.points_or_segments(part, segments, tracking)
    )
    segmentations = [made.dataset for made in masks]
    report = _report(
        groups,
        sources,
        segmentations,
        part,
        note=_note(part, whole, profile),
        profile=profile,
        sop_instance_uid=own_uid,
        previous=previous,
        now=now,
    )
    return [*segmentations, report]


def _note(part: Assessment, whole: Assessment, profile: Profile) -> str:
    """Return what the export is, and how much of the record it leaves out."""
    absent = [one for one in whole.findings if one.presence != "present"]
    left = len(whole.findings) - len(part.findings)
    regions = _regions(whole) - _regions(part)
    values = _values(whole) - _values_shown(part, profile)
    words = [
        f"Derived for {VIEWERS[profile]} from the record {whole.assessment_uid}; it is "
        "not the record, which alone is whole.",
        f"Findings of the record that are not here: {left}.",
        f"Of these absent, or not known to be present: {len(absent)}.",
        f"Marked regions of the record that are not here: {regions}.",
        f"Values of the record that are not here: {values}.",
        about.RESEARCH_USE_STATEMENT_ASCII,
    ]
    return " ".join(words)


def _regions(one: Assessment) -> int:
    return sum(len(finding.regions) for finding in one.findings)


def _values(one: Assessment) -> int:
    """Return how many numbers were measured."""
    return sum(
        isinstance(value, Measurement)
        for finding in one.findings
        for value in finding.measurements
    )


def _values_shown(part: Assessment, profile: Profile) -> int:
    if profile == "ohif":
        return _values(part)
    return sum(
        len(profile_groups.values_shown(region, finding))
        for finding in part.findings
        for region in finding.regions
    )


def _report(
    groups: Sequence[ContentItem],
    sources: Mapping[str, Dataset],
    segmentations: Sequence[Dataset],
    part: Assessment,
    *,
    note: str,
    profile: Profile,
    sop_instance_uid: str,
    previous: list[Dataset] | None,
    now: datetime.datetime,
) -> Dataset:
    from highdicom.sr import LanguageOfContentItemAndDescendants

    content = container(
        REPORT["imaging_measurement_report"],
        [
            *LanguageOfContentItemAndDescendants(coded(ENGLISH)),
            *profile_groups.observer(part),
            *procedures(sources),
            *image_library(sources, references(part)),
            container(REPORT["imaging_measurements"], groups),
            text(REPORT["comment"], note, CONTAINS),
        ],
        template="1500",
    )
    title = f"{EXPORT} for {VIEWERS[profile]}"
    return new_report(
        content,
        [*sources.values(), *segmentations],
        sop_instance_uid=sop_instance_uid,
        series_uid=derived_uid(f"export series of {sop_instance_uid}"),
        series_number=SERIES_NUMBER,
        model=title,
        description=f"{title}, research use only",
        previous=previous,
        now=now,
    )
