"""A segmentation that stands alone as an assessment: one finding a segment.

What a segment is and where it lies is said by its codes; its voxels come from
`osteotrace.segmentation.labels`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import msgspec

from osteotrace.codes import LATERALITIES, SITES, Concept
from osteotrace.findings import Finding, SeriesReference
from osteotrace.records.dicom_objects import derived_uid
from osteotrace.records.foreign import document as foreign_document
from osteotrace.records.foreign.content import concept, find, one_line, same, spelled
from osteotrace.records.foreign.groups import kind_of, only_side
from osteotrace.records.foreign.report import shared_tracking, without_findings
from osteotrace.segmentation import dicom_frames
from osteotrace.segmentation.label_names import site_of
from osteotrace.segmentation.labels import read_labels

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from pydicom.dataset import Dataset

    from osteotrace.findings import Assessment, Laterality
    from osteotrace.segmentation.labels import Label
    from osteotrace.volume import Volume

# Segmentation Property Category (PS3.16 CID 7150).
ABNORMALITY: Final = Concept("49755003", "SCT", "Morphologically Abnormal Structure")


def read(path: str | os.PathLike[str], *, like: Volume | None = None) -> Assessment:
    """Read a segmentation as findings with masks.

    Parameters
    ----------
    path : path
        DICOM segmentation.
    like : Volume, optional
        The image that it was drawn on.

    Returns
    -------
    Assessment
        Segments without a voxel, and codes that are not known, stand in its
        ``not_understood``.

    Raises
    ------
    OsteotraceError
        If the file is damaged, no segmentation, or one that belongs to a record of
        osteotrace.
    """
    file = Path(path)
    labels = read_labels(file, like=like)
    with foreign_document.one_error(file):
        header = dicom_frames.read(file).header
        foreign_document.check_foreign(header)
        items = {int(item.SegmentNumber): item for item in header.SegmentSequence}
        read_so_far = [
            _finding(label, items[label.number], header, labels.series_uid)
            for label in labels
        ]
        findings = tuple(finding for finding, _ in read_so_far)
        series = [
            SeriesReference(
                series_uid=labels.series_uid,
                frame_of_reference_uid=labels.frame_of_reference_uid,
                modality="",
            )
        ]
        return msgspec.structs.replace(
            without_findings(header, _creator(header)),
            series=tuple(series if labels.series_uid else ()),
            findings=findings,
            not_understood=(
                *(line for _, lines in read_so_far for line in lines),
                *(f"segment {one_line(name)}: without a voxel" for name in labels.empty),
                *shared_tracking(findings, "findings"),
            ),
        )


def _finding(
    label: Label, item: Dataset, header: Dataset, series_uid: str
) -> tuple[Finding, list[str]]:
    """Return the finding of a segment, and what of its codes is not known."""
    stated = concept(item.get("SegmentedPropertyTypeCodeSequence"))
    regions = item.get("AnatomicRegionSequence") or ()
    at = concept(regions)
    sides = _sides(item, regions)
    kind, site, laterality = kind_of(stated, at), find(SITES, at), only_side(sides)
    unknown = []
    if not kind:
        # A segment of a bone is that bone; what else it may be its category says.
        anatomy = find(SITES, stated) or site_of(label.standard_name)[0]
        category = concept(item.get("SegmentedPropertyCategoryCodeSequence"))
        kind = "lesion" if same(category, ABNORMALITY) else "region"
        site = site or anatomy
        unknown += [] if anatomy else [("Segmented Property Type", stated)]
    unknown += [("Anatomic Region", at)] if at.value and not find(SITES, at) else []
    unknown += [] if laterality else [("Laterality", side) for side in sides]
    lines = [
        f"segment {label.number} {one_line(label.name)} / {what}: CODE {spelled(code)}"
        for what, code in unknown
    ]
    words = [f"{what} as reported: {spelled(code)}" for what, code in unknown]
    words += [one_line(str(item.get("SegmentDescription") or ""))]
    words += [f"drawn by: {one_line(label.algorithm)}"] if label.algorithm else []
    finding = Finding(
        tracking_uid=label.tracking_uid
        or derived_uid(f"segment {label.number} of {header.SOPInstanceUID}"),
        label=one_line(label.tracking_identifier) or one_line(label.name),
        kind=kind,
        site=site or "unspecified",
        laterality=laterality
        or _as_side("" if sides else site_of(label.standard_name)[1]),
        certainty="unknown",
        note="; ".join(word for word in words if word),
        regions=(label.mask,),
        series_uid=series_uid,
    )
    return finding, lines


def _sides(item: Dataset, regions: Iterable[Dataset]) -> list[Concept]:
    """Return what the modifiers of the type and of the region state of the side."""
    types = item.get("SegmentedPropertyTypeCodeSequence") or ()
    keywords = (
        "SegmentedPropertyTypeModifierCodeSequence",
        "AnatomicRegionModifierSequence",
    )
    stated = [
        concept([modifier])
        for code in (*types, *regions)
        for keyword in keywords
        for modifier in code.get(keyword) or ()
    ]
    return [code for code in stated if find(LATERALITIES, code)]


def _as_side(name: str) -> Laterality:
    return cast("Laterality", name)


def _creator(header: Dataset) -> str:
    name = one_line(str(header.get("ContentCreatorName") or ""))
    return " ".join(name.replace("^", " ").split())
