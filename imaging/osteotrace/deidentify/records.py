"""osteotrace's own records made anew, from their findings and the de-identified images.

A report carries a digest of what it says and refers to images and masks by UID: nothing
of the old file is edited. It is read, its findings are cleaned and mapped, and written
again on the images as they are called from now on.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from osteotrace.deidentify.findings import cleaned_record, lost_facts
from osteotrace.deidentify.objects import cleaned_object, mapped_uid, state_method
from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from pydicom.dataset import Dataset

    from osteotrace.deidentify.gathering import Source
    from osteotrace.deidentify.options import Options
    from osteotrace.deidentify.subject import Subject, Subjects
    from osteotrace.findings import Assessment


@dataclass(frozen=True, slots=True)
class Known:
    """What the run knows when it comes to the records.

    Parameters
    ----------
    who : Subjects
    images : mapping of str to Path
        De-identified files by their new SOPInstanceUID.
    masks : mapping of str to Path
        The old files of segmentations by their old SOPInstanceUID.
    subjects : dict of str to Subject
        By the old pseudonym: whose a JSON record is. Filled as files are read.
    """

    who: Subjects
    images: Mapping[str, Path]
    masks: Mapping[str, Path]
    subjects: dict[str, Subject] = field(default_factory=dict)

    def images_of(self, study_uid: str) -> dict[str, Path]:
        """Return the files of one study, by its new UID: what marks nothing takes any."""
        return {
            uid: file
            for uid, file in self.images.items()
            if file.parents[1].name == study_uid
        }


@dataclass(frozen=True, slots=True)
class Remade:
    """A record made anew.

    Parameters
    ----------
    files : tuple of Path
        The record first, then its masks.
    lost_facts : int
        How many facts went with their dates.
    lost_predecessor : bool
        Whether it amended a record that is not here: it stands for itself now.
    """

    files: tuple[Path, ...]
    lost_facts: int = 0
    lost_predecessor: bool = False


def remade_reading(source: Source, folder: Path, known: Known) -> Remade:
    """Write a reading anew, with its segmentations.

    Parameters
    ----------
    source : Source
        A structured report of osteotrace.
    folder : Path
        Of the records: an amendment's predecessor lies there already.
    known : Known

    Raises
    ------
    OsteotraceError
        If it was damaged or changed, or the images that it refers to are not there.
    """
    from osteotrace.records import sr
    from osteotrace.records.report_content.date_times import moment

    header = _header(source.path)
    subject = known.who.of(header)
    read = sr.read(source.path, segmentations=masks_of(header, known))
    reading = cleaned_record(read, subject)
    lost = _loses_predecessor(reading, folder)
    if lost:
        reading = msgspec.structs.replace(reading, predecessor_uid="")
    before = set(folder.iterdir())
    written = sr.write(
        reading,
        known.images_of(reading.study_uid),
        folder,
        series_uid=mapped_uid(source.series_uid, subject),
        now=moment(reading.recorded),
    )
    masks = sorted(set(folder.iterdir()) - before - {written})
    for file in (written, *masks):
        _stated(file, known.who.options)
    sr.read(written)
    return Remade((written, *masks), lost_facts(read, subject), lost)


def masks_of(header: Dataset, known: Known) -> list[Path]:
    """Return the old files of a report's segmentations."""
    from osteotrace.records.report_content.segments import segmentations_read

    return [known.masks[u] for u in segmentations_read(header) if u in known.masks]


def _loses_predecessor(reading: Assessment, folder: Path) -> bool:
    from osteotrace.records.store import record_path

    if not reading.predecessor_uid:
        return False
    place = record_path(folder, reading.predecessor_uid)
    return not (place.exists() or place.with_suffix(".json").exists())


def remade_json(source: Source, folder: Path, known: Known) -> Remade:
    """Write a reading or comparison of JSON anew; errors as `remade_reading`.

    JSON names its patient by a pseudonym alone: it must be one of the run's.
    """
    from osteotrace.comparison import Comparison
    from osteotrace.comparison import from_json as comparison_from_json
    from osteotrace.comparison import to_json as comparison_json
    from osteotrace.records import sealed_json, sealed_parts
    from osteotrace.records.comparison_report import COMPARISON
    from osteotrace.records.store import record_path, write_once

    content = source.path.read_bytes()
    record: Assessment | Comparison
    if sealed_parts.is_sealed(COMPARISON, content):
        record = comparison_from_json(sealed_parts.unsealed(COMPARISON, content))
    else:
        record = sealed_json.read(content)
    subject = known.subjects.get(record.patient)
    if subject is None:
        raise OsteotraceError(
            "a record of a patient of whom there is no image here",
            expected="images of the patient, which say who it is",
            advice="give the folder of the studies too",
        )
    if isinstance(record, Comparison):
        made = sealed_parts.sealed(
            COMPARISON, comparison_json(cleaned_record(record, subject))
        )
        name = mapped_uid(f"comparison {source.path.name}", subject)
        return Remade((write_once(folder / f"{name}.json", made),))
    reading = cleaned_record(record, subject)
    place = record_path(folder, reading.assessment_uid).with_suffix(".json")
    written = write_once(place, sealed_json.sealed(reading))
    return Remade((written,), lost_facts(record, subject))


def remade_registration(source: Source, folder: Path, known: Known) -> Remade:
    """Write a registration of osteotrace anew; errors as `remade_reading`."""
    from osteotrace.records import registration, sealed_parts
    from osteotrace.records.registrations import writing
    from osteotrace.records.store import record_path, write_once

    found = registration.read(source.path)
    header = _header(source.path)
    subject = known.who.of(header)
    made = cleaned_object(header, subject)
    if found.alignment is not None:
        alignment = cleaned_record(found.alignment, subject)
        block = made.private_block(
            writing.PRIVATE_GROUP, writing.PRIVATE_CREATOR, create=True
        )
        sealed = sealed_parts.sealed(writing.ALIGNMENT, msgspec.json.encode(alignment))
        text = sealed.decode().rstrip("\n")
        block.add_new(writing.ALIGNMENT_ELEMENT, "UT", text)
    made.SpecificCharacterSet = "ISO_IR 192"
    place = record_path(folder, str(made.SOPInstanceUID))
    written = write_once(place, file_bytes(made, header))
    registration.read(written)
    return Remade((written,))


def remade_comparison(source: Source, folder: Path, known: Known) -> Remade:
    """Write a comparison anew, on readings and registrations that are made already."""
    from osteotrace.records import comparison_report
    from osteotrace.records.report_content.date_times import moment
    from osteotrace.records.store import record_path

    header = _header(source.path)
    subject = known.who.of(header)
    comparison = cleaned_record(comparison_report.read(source.path), subject)
    named = {mapped_uid(uid, subject) for uid in _referenced(header)}
    own = [record_path(folder, one) for one in sorted(named)]
    readings = {one.assessment_uid for one in comparison.studies}
    written = comparison_report.write(
        comparison,
        known.images,
        folder,
        readings=[p for p in own if p.is_file() and p.stem in readings],
        registrations=[p for p in own if p.is_file() and p.stem not in readings],
        sop_instance_uid=mapped_uid(source.sop_uid, subject),
        series_uid=mapped_uid(source.series_uid, subject),
        now=moment(comparison.recorded),
    )
    _stated(written, known.who.options)
    comparison_report.read(written)
    return Remade((written,))


def _referenced(header: Dataset) -> Iterator[str]:
    """Yield the instances that a report names as evidence."""
    from osteotrace.records.registrations.writing import SPATIAL_REGISTRATION

    kinds = {SPATIAL_REGISTRATION, str(header.SOPClassUID)}
    for keyword in (
        "CurrentRequestedProcedureEvidenceSequence",
        "PertinentOtherEvidenceSequence",
    ):
        for study in header.get(keyword) or ():
            for series in study.get("ReferencedSeriesSequence") or ():
                for one in series.get("ReferencedSOPSequence") or ():
                    if str(one.get("ReferencedSOPClassUID")) in kinds:
                        yield str(one.ReferencedSOPInstanceUID)


def _header(path: Path) -> Dataset:
    from pydicom import dcmread

    return dcmread(path)


def _stated(file: Path, options: Options) -> None:
    """State in a file just made that identities were removed."""
    from osteotrace.records.dicom_objects import encoded

    document = _header(file)
    state_method(document, options)
    file.write_bytes(encoded(document))


def file_bytes(made: Dataset, source: Dataset) -> bytes:
    """Return the file of an object in the encoding of what it was made from.

    The preamble and the file meta information are new (PS3.10 section 7.1).
    """
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID

    from osteotrace.about import SOFTWARE_NAME, VERSION
    from osteotrace.records.dicom_objects import derived_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(str(made.SOPClassUID))
    meta.MediaStorageSOPInstanceUID = UID(str(made.SOPInstanceUID))
    meta.TransferSyntaxUID = source.file_meta.TransferSyntaxUID
    meta.ImplementationClassUID = UID(derived_uid(f"implementation of {SOFTWARE_NAME}"))
    meta.ImplementationVersionName = f"{SOFTWARE_NAME.upper()} {VERSION}"[:16]
    made.file_meta = meta
    made.preamble = b"\0" * 128
    stream = io.BytesIO()
    made.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def in_order(readings: Iterable[Source]) -> list[Source]:
    """Return readings so that what is amended comes before its amendments."""
    chain: dict[str, str] = {}
    by_uid = {one.sop_uid: one for one in readings}
    for uid, one in by_uid.items():
        header = _header(one.path)
        before = header.get("PredecessorDocumentsSequence") or ()
        chain[uid] = next(iter(_predecessors(before)), "")
    placed: dict[str, Source] = {}
    for uid in sorted(by_uid):
        row: list[str] = []
        while uid in by_uid and uid not in placed and uid not in row:
            row.append(uid)
            uid = chain[uid]
        placed.update({one: by_uid[one] for one in reversed(row)})
    return list(placed.values())


def _predecessors(studies: Iterable[Dataset]) -> Iterator[str]:
    for study in studies:
        for series in study.get("ReferencedSeriesSequence") or ():
            for one in series.get("ReferencedSOPSequence") or ():
                yield str(one.ReferencedSOPInstanceUID)
