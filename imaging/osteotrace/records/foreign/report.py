"""Structured reports of other software as assessments, as far as they say.

Reads the measurement groups of TID 1500 in Enhanced, Comprehensive and Comprehensive 3D
SR: dcmqi and 3D Slicer, highdicom, OHIF and cornerstone3D, and whoever else follows the
template. A report of another template gives an assessment without findings. Whatever was
not understood stands in `Assessment.not_understood`, one line an item.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.codes import REPORT, Concept
from osteotrace.findings import Assessment, SeriesReference
from osteotrace.measurements.measurement import Method
from osteotrace.pseudonym import pseudonym
from osteotrace.records.dicom_objects import derived_uid
from osteotrace.records.foreign import content as foreign_content
from osteotrace.records.foreign import document as foreign_document
from osteotrace.records.foreign.content import one_line, same
from osteotrace.records.foreign.groups import Report, finding
from osteotrace.records.foreign.measurements import REPORTED_BY
from osteotrace.records.store import record_path
from osteotrace.segmentation import dicom_frames
from osteotrace.uids import is_uid

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence

    from pydicom.dataset import Dataset

    from osteotrace.findings import Finding
    from osteotrace.records.foreign.content import Item
    from osteotrace.records.foreign.groups import Masks
    from osteotrace.records.foreign.regions import Headers
    from osteotrace.regions import Mask
    from osteotrace.segmentation.labels import LabelMap
    from osteotrace.series import Catalogue

NO_IMAGES: Final = (*dicom_frames.STORAGE_CLASSES, *foreign_document.REPORTS)
PERSON_OBSERVER: Final = Concept("121008", "DCM", "Person Observer Name")
# Language and observers (TID 1204, TID 1001 to 1004): no part of what was found.
_CONTEXT: Final = tuple(
    Concept(value, "DCM", meaning)
    for value, meaning in (
        ("121049", "Language of Content Item and Descendants"),
        ("121046", "Country of Language"),
        ("121005", "Observer Type"),
        ("121012", "Device Observer UID"),
        ("121013", "Device Observer Name"),
        ("121014", "Device Observer Manufacturer"),
        ("121015", "Device Observer Model Name"),
        ("121016", "Device Observer Serial Number"),
    )
)


def read(
    path: str | os.PathLike[str],
    *,
    images: Mapping[str, Path] | Catalogue | None = None,
    segmentations: Iterable[str | os.PathLike[str]] = (),
) -> Assessment:
    """Read a structured report of other software.

    Parameters
    ----------
    path : path
        Enhanced, Comprehensive or Comprehensive 3D SR.
    images : mapping of str to Path, or Catalogue, optional
        The images by SOPInstanceUID, or the scan that they were found by: coordinates
        on an image become points in the patient with it, and stay on the image without.
    segmentations : iterable of path
        DICOM segmentations that the report refers to, or folders that hold them as
        ``<SOPInstanceUID>.dcm``: their segments become masks.

    Returns
    -------
    Assessment
        Its ``not_understood`` lists what could not be read.

    Raises
    ------
    OsteotraceError
        If the file is damaged, too large, no such report, or says that it is
        osteotrace's own; or a segmentation cannot be read or is osteotrace's own.
    """
    file = Path(path)
    document = foreign_document.report(file)
    with foreign_document.one_error(file):
        root = foreign_content.tree(document).take()
        series = dict(_evidence(document))
        report = Report(
            sop_instance_uid=str(document.SOPInstanceUID),
            method=Method(name=f"{REPORTED_BY}{software_of(document)}", version=""),
            series=series,
            headers=_headers(images),
            masks=_masks(file, segmentations),
        )
        reader = _reader(root)
        _take_context(root)
        groups = [
            item
            for item in root.every()
            if item.kind == "CONTAINER" and same(item.name, REPORT["measurement_group"])
        ]
        findings = tuple(finding(group, n, report) for n, group in enumerate(groups, 1))
        return msgspec.structs.replace(
            without_findings(document, reader),
            series=tuple(
                SeriesReference(series_uid=uid, frame_of_reference_uid="", modality="")
                for uid in dict.fromkeys(series.values())
            ),
            findings=findings,
            not_understood=(
                *foreign_content.not_taken(root),
                *shared_tracking(findings, "Measurement Groups"),
            ),
        )


def shared_tracking(findings: Sequence[Finding], named: str) -> Iterator[str]:
    """Yield a line for every tracking UID that more than one finding has."""
    places: dict[str, list[int]] = {}
    for number, one in enumerate(findings, start=1):
        places.setdefault(one.tracking_uid, []).append(number)
    for uid, numbers in places.items():
        if len(numbers) > 1:
            listed = ", ".join(map(str, numbers))
            yield f"{named} {listed}: one Tracking Unique Identifier, {uid}"


def without_findings(document: Dataset, reader: str) -> Assessment:
    """Return whose, when and by what software a record is, with nothing found yet.

    The reading has a UID of its own and names the record as its predecessor: saved as a
    record of osteotrace it must not take the place of the one that it was read from.
    """
    own_uid = derived_uid(f"reading of {document.SOPInstanceUID}")
    date, time = (str(document.get(f"Content{part}") or "") for part in ("Date", "Time"))
    return Assessment(
        assessment_uid=own_uid,
        study_uid=str(document.StudyInstanceUID),
        patient=pseudonym(
            str(document.get("PatientID") or ""),
            str(document.get("IssuerOfPatientID") or ""),
        ),
        study_date=_iso(str(document.get("StudyDate") or ""), ""),
        reader=reader,
        recorded=_iso(date, time),
        series=(),
        software=software_of(document),
        protocol="",
        predecessor_uid=str(document.SOPInstanceUID),
    )


def software_of(document: Dataset) -> str:
    """Return manufacturer, model and version of what made a record, as it says."""
    stated: list[str] = []
    # dcmjs, which OHIF writes with, fills in these.
    if document.get("Manufacturer") == "Unspecified":
        return "OHIF or other software that writes with dcmjs"
    for keyword in ("Manufacturer", "ManufacturerModelName", "SoftwareVersions"):
        value = document.get(keyword)
        several = [value] if isinstance(value, str) or value is None else value
        stated += [one_line(str(part)) for part in several if part]
    return " ".join(dict.fromkeys(part for part in stated if part)) or "other software"


def _evidence(document: Dataset) -> Iterator[tuple[str, str]]:
    """Yield SOPInstanceUID and SeriesInstanceUID of the images a report refers to."""
    for keyword in (
        "CurrentRequestedProcedureEvidenceSequence",
        "PertinentOtherEvidenceSequence",
    ):
        for study in document.get(keyword) or []:
            for series in study.get("ReferencedSeriesSequence") or []:
                uid = str(series.get("SeriesInstanceUID") or "")
                for one in series.get("ReferencedSOPSequence") or []:
                    name = str(one.get("ReferencedSOPInstanceUID") or "")
                    is_image = one.get("ReferencedSOPClassUID") not in NO_IMAGES
                    if is_image and is_uid(uid) and is_uid(name):
                        yield name, uid


def _reader(root: Item) -> str:
    names = root.below(PERSON_OBSERVER, "PNAME")
    if not names:
        return ""
    return " ".join(one_line(names[0].take().text).replace("^", " ").split())


def _take_context(root: Item) -> None:
    """Take what says how the report was made, and the list of the images it was read on.

    What the list says of an image stands in the image itself.
    """
    for item in root.children:
        if any(same(item.name, known) for known in (*_CONTEXT, REPORT["image_library"])):
            item.take_all()


def _headers(images: Mapping[str, Path] | Catalogue | None) -> Headers:
    """Return what gives the header of an image."""
    from pydicom import dcmread

    files: Mapping[str, Path] = {}
    if isinstance(images, Mapping):
        files = images
    elif images is not None:
        files = {
            instance.sop_instance_uid: instance.path
            for series in images
            for volume in series.volumes
            for instance in volume.instances
        }

    @cache
    def header(uid: str) -> Dataset | None:
        return dcmread(files[uid], stop_before_pixels=True) if uid in files else None

    return header


def _masks(file: Path, paths: Iterable[str | os.PathLike[str]]) -> Masks:
    """Return what gives a segment by its segmentation and number.

    Segmentations are those given, and ``<SOPInstanceUID>.dcm`` in a folder given or
    beside the report.
    """
    given = [Path(path) for path in paths]
    folders = [*(path for path in given if path.is_dir()), file.parent]
    files = [path for path in given if not path.is_dir()]

    @cache
    def labels(uid: str) -> dict[int, Mask]:
        if uid in named():
            return named()[uid]
        places = (record_path(folder, uid) for folder in folders)
        found = next((place for place in places if place.is_file()), None)
        labels = _foreign_labels(found) if found else None
        # A file of that name may hold another segmentation.
        return _by_number(labels) if labels and labels.source == uid else {}

    @cache
    def named() -> dict[str, dict[int, Mask]]:
        maps = map(_foreign_labels, files)
        return {labels.source: _by_number(labels) for labels in maps}

    return lambda uid, number: labels(uid).get(number) if is_uid(uid) else None


def _foreign_labels(file: Path) -> LabelMap:
    """Return the labels of a segmentation, none of osteotrace's own.

    Its own are read with their report alone, whose digest tells whether they are whole.
    """
    from pydicom import dcmread

    from osteotrace.segmentation.labels import read_labels

    labels = read_labels(file)
    if dicom_frames.storage_class(file) in dicom_frames.STORAGE_CLASSES:
        with foreign_document.one_error(file):
            header = dcmread(file, stop_before_pixels=True)
            foreign_document.check_foreign(header)
    return labels


def _by_number(labels: LabelMap) -> dict[int, Mask]:
    return {label.number: label.mask for label in labels}


def _iso(date: str, time: str) -> str:
    """Return a DICOM date and time in ISO 8601, empty where there is no date."""
    for form, value in (("%Y%m%d%H%M%S", date + time[:6]), ("%Y%m%d", date)):
        try:
            moment = datetime.datetime.strptime(value, form)
        except ValueError:
            continue
        return moment.isoformat() if "H" in form else moment.date().isoformat()
    return ""
