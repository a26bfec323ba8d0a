"""One run of de-identifying: studies whole or not at all, then the records, whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from osteotrace.deidentify import records
from osteotrace.deidentify.content import cleaned_report
from osteotrace.deidentify.gathering import Refused
from osteotrace.deidentify.objects import burned_in, cleaned_object, mapped_uid
from osteotrace.errors import OsteotraceError
from osteotrace.pseudonym import pseudonym
from osteotrace.records.places import RECORDS_FOLDER
from osteotrace.records.store import new_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydicom.dataset import Dataset, FileDataset

    from osteotrace.deidentify.gathering import Progress, Source
    from osteotrace.deidentify.subject import Subject, Subjects

_PLAIN: Final = ("image", "segmentation", "report", "registration")
_CLEANING: Final = {"report": cleaned_report}
_DAMAGED: Final = "a DICOM file that cannot be read whole"
_RECORD: Final = (
    "a record that cannot be made anew: it was damaged or changed, or its images or "
    "patient are not here"
)
_NOT_IN_STUDY: Final = "a file that an earlier run left out, or that came after it"
_TWICE: Final = "a second file of one SOPInstanceUID"


@dataclass(slots=True)
class Run:
    """A run in hand: what it was given, and what it has done so far."""

    who: Subjects
    out: Path
    progress: Progress | None
    total: int = 0
    done: int = 0
    studies: int = 0
    already: int = 0
    lost_facts: int = 0
    lost_predecessors: int = 0
    made: int = 0
    images: dict[str, Path] = field(default_factory=dict)
    subjects: dict[str, Subject] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    written: list[tuple[Path, Path]] = field(default_factory=list)

    def tell(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, self.total)

    def take(self, sources: tuple[Source, ...]) -> None:
        """De-identify files: study by study, then osteotrace's own records."""
        masks = _own_masks(sources)
        studies: dict[str, list[Source]] = {}
        for one in _once(sources, self):
            if one.kind in _PLAIN and one.sop_uid not in masks:
                studies.setdefault(one.study_uid, []).append(one)
        for uid, objects in sorted(studies.items()):
            _study(self.who.secret.uid(uid), objects, self)
        _records(sources, masks, self)


def _own_masks(sources: Iterable[Source]) -> dict[str, Path]:
    """Return the segmentations that osteotrace's own readings hold, by UID."""
    from pydicom import dcmread

    from osteotrace.records.report_content.segments import segmentations_read

    masks = {s.sop_uid: s.path for s in sources if s.kind == "segmentation"}
    named: set[str] = set()
    for one in sources:
        if one.kind == "own reading":
            try:
                named |= set(segmentations_read(dcmread(one.path)))
            # Made anew below, where what is wrong is told.
            except Exception:
                continue
    return {uid: path for uid, path in masks.items() if uid in named}


def _once(sources: Iterable[Source], run: Run) -> list[Source]:
    """Return the files of each instance once: the first of several."""
    found: dict[str, Source] = {}
    for one in sources:
        if one.kind == "json":
            continue
        if one.sop_uid in found:
            run.refused.append(Refused(one.path, _TWICE))
            run.tell()
        else:
            found[one.sop_uid] = one
    return list(found.values())


# Studies ------------------------------------------------------------------------------


class _Nothing(Exception):
    """No file of a study could be taken."""


def _study(name: str, objects: list[Source], run: Run) -> None:
    """Make the folder of one study, whole."""
    folder = run.out / name
    if folder.is_dir():
        run.already += 1
        for one in objects:
            _known_already(one, folder, run)
        return
    kept: list[tuple[Source, Path, Subject, str]] = []
    try:
        with new_folder(folder) as draft:
            for one in objects:
                made = _object(one, draft, run)
                if made is not None:
                    kept.append((one, *made))
                run.tell()
            if not kept:
                raise _Nothing
    except _Nothing:
        return
    run.studies += 1
    for one, place, subject, patient in kept:
        final = folder / place
        run.images[final.stem] = final
        run.written.append((one.path, final))
        run.subjects.setdefault(patient, subject)


def _object(one: Source, draft: Path, run: Run) -> tuple[Path, Subject, str] | None:
    """Write one object into the draft of its study; None where it is refused."""
    made = _made_anew(one, run)
    if isinstance(made, Refused):
        run.refused.append(made)
        return None
    content, place, subject, patient = made
    file = draft / place
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    return place, subject, patient


def _made_anew(one: Source, run: Run) -> Refused | tuple[bytes, Path, Subject, str]:
    from pydicom import dcmread
    from pydicom.filewriter import correct_ambiguous_vr

    try:
        source = dcmread(one.path, force=True)
        _complete(source, one)
        reason = "" if run.who.options.burned_in else burned_in(source)
        if reason:
            return Refused(one.path, reason)
        syntax = source.file_meta.TransferSyntaxUID
        if syntax.is_implicit_VR:
            correct_ambiguous_vr(source, syntax.is_little_endian)
        subject = run.who.of(source)
        made = _CLEANING.get(one.kind, cleaned_object)(source, subject)
        content = records.file_bytes(made, source)
    except OSError:
        raise
    # Damaged DICOM raises eleven kinds; their texts repeat what the file says.
    except Exception as problem:
        return Refused(one.path, _DAMAGED, f"{type(problem).__name__}: {problem}")
    series = mapped_uid(one.series_uid, subject)
    place = Path(series, f"{mapped_uid(one.sop_uid, subject)}.dcm")
    return content, place, subject, _pseudonym(source)


def _complete(source: FileDataset, one: Source) -> None:
    """Give a file the encoding that it was read in, and what its meta information says.

    Some files have no meta information, others state their class or UID there alone.
    """
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import (
        ExplicitVRBigEndian,
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
    )

    meta = getattr(source, "file_meta", None) or FileMetaDataset()
    if "TransferSyntaxUID" not in meta:
        implicit, little = source.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    source.file_meta = meta
    source.SOPInstanceUID = one.sop_uid
    if not source.get("SOPClassUID"):
        source.SOPClassUID = meta.MediaStorageSOPClassUID


def _pseudonym(source: Dataset) -> str:
    get = source.get
    return pseudonym(str(get("PatientID") or ""), str(get("IssuerOfPatientID") or ""))


def _known_already(one: Source, folder: Path, run: Run) -> None:
    """Note what an earlier run made of a file."""
    from pydicom import dcmread

    run.tell()
    place = (
        folder
        / run.who.secret.uid(one.series_uid)
        / f"{run.who.secret.uid(one.sop_uid)}.dcm"
    )
    if not place.is_file():
        run.refused.append(Refused(one.path, _NOT_IN_STUDY))
        return
    header = dcmread(one.path, stop_before_pixels=True, force=True)
    subject = run.who.of(header)
    run.images[place.stem] = place
    run.written.append((one.path, place))
    run.subjects.setdefault(_pseudonym(header), subject)


# Records ------------------------------------------------------------------------------


def _records(sources: Iterable[Source], masks: dict[str, Path], run: Run) -> None:
    """Make the folder of osteotrace's own records, whole."""
    folder = run.out / RECORDS_FOLDER
    kinds: dict[str, list[Source]] = {}
    for one in sources:
        kinds.setdefault(one.kind, []).append(one)
    own = [k for k in kinds if k.startswith("own") or k == "json"]
    if not own or folder.is_dir():
        return
    known = records.Known(run.who, run.images, masks, run.subjects)
    steps = (
        (records.remade_json, kinds.get("json", [])),
        (records.remade_reading, records.in_order(kinds.get("own reading", []))),
        (records.remade_registration, kinds.get("own registration", [])),
        (records.remade_comparison, kinds.get("own comparison", [])),
    )
    made: list[tuple[Path, str]] = []
    try:
        with new_folder(folder) as draft:
            for step, ones in steps:
                for one in ones:
                    made += _record(step, one, draft, known, run)
            if not made:
                raise _Nothing
    except _Nothing:
        return
    run.made = len(made)
    run.written += [(source, folder / name) for source, name in made]


def _record(
    step: Callable[[Source, Path, records.Known], records.Remade],
    one: Source,
    draft: Path,
    known: records.Known,
    run: Run,
) -> list[tuple[Path, str]]:
    try:
        remade = step(one, draft, known)
    except OsteotraceError as problem:
        run.refused.append(Refused(one.path, _RECORD, str(problem)))
        return []
    except OSError:
        raise
    # One boundary for what damaged DICOM and JSON raise.
    except Exception as problem:
        detail = f"{type(problem).__name__}: {problem}"
        run.refused.append(Refused(one.path, _RECORD, detail))
        return []
    finally:
        run.tell()
    run.lost_facts += remade.lost_facts
    run.lost_predecessors += remade.lost_predecessor
    return [(one.path, file.name) for file in remade.files]
