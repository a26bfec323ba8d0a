"""What a reader has accepted as one DICOM record, once; the draft keeps the rest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.errors import OsteotraceError
from osteotrace.records.places import dicom_folder
from osteotrace.records.places import folder_beside as folder_beside

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.findings import Assessment
    from osteotrace.series import Catalogue
    from osteotrace.session.draft import Draft

# Drafts that an error names.
MOST_TOLD: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ToSave:
    """A reading as it is to be written; the draft may go on.

    Parameters
    ----------
    assessment : Assessment
        What is accepted, with what is stated and its stages.
    report : Path
        Where its report goes.
    predecessor : Path or None
        The report that it amends, where it is known.
    is_there : bool
        Whether a record already holds all of it.
    """

    assessment: Assessment
    report: Path
    predecessor: Path | None = None
    is_there: bool = False


def to_save(
    draft: Draft,
    catalogue: Catalogue,
    folder: Path,
    *,
    staged: Callable[[Assessment], Assessment],
    note_saved: Callable[[str, Path], None],
    new_uid: Callable[[], str],
) -> ToSave:
    """Return what is to be written of a draft, as it is now.

    Parameters
    ----------
    draft : Draft
        A reading that was started.
    catalogue : Catalogue
        The images that it was read on.
    folder : Path
        Where the record goes.
    staged : callable
        Returns a reading with what is stated, and its stages.
    note_saved : callable
        Notes in the draft that the record of a UID is there, and where: a save that was
        interrupted could not.
    new_uid : callable
        Returns a new UID.

    Raises
    ------
    OsteotraceError
        If there is nothing to save, or the folder lies inside the DICOM folder.
    """
    from osteotrace.records import sr, store

    _check_folder(folder, catalogue)
    _note_finished(draft, folder, note_saved)
    last = draft.last_record
    if last is not None and draft.content() == draft.saved_content:
        path = store.record_path(folder, last.sop_instance_uid)
        if path.exists():
            return ToSave(assessment=_accepted(draft), report=path, is_there=True)
    assessment = staged(_to_write(draft, folder, new_uid))
    path = store.record_path(folder, assessment.assessment_uid)
    # Earlier versions did not note that a save began.
    if path.exists():
        is_whole = sr.read(path) == assessment
        note_saved(assessment.assessment_uid, path)
        if is_whole:
            return ToSave(assessment=assessment, report=path, is_there=True)
        assessment = staged(_accepted(draft))
        path = store.record_path(folder, assessment.assessment_uid)
    return ToSave(
        assessment=assessment, report=path, predecessor=_predecessor(draft, folder)
    )


def _note_finished(
    draft: Draft, folder: Path, note_saved: Callable[[str, Path], None]
) -> None:
    """Note the record that an interrupted save had written, wherever it was to go."""
    from osteotrace.records import store

    begun = draft.writing
    if begun is None:
        return
    uid = draft.assessment_uid
    path = store.record_path(Path(begun.folder) if begun.folder else folder, uid)
    if path.exists():
        note_saved(uid, path)


def _to_write(draft: Draft, folder: Path, new_uid: Callable[[], str]) -> Assessment:
    """Return what is accepted, under a UID that no other content was written under."""
    reading, begun = _accepted(draft), draft.writing
    if begun is None:
        return reading
    if Path(begun.folder) == folder.absolute() and draft.stands_at(begun.place):
        return reading
    # Parts of what was interrupted may lie there, or a record where nobody can look.
    return msgspec.structs.replace(reading, assessment_uid=new_uid())


def write(saved: ToSave, catalogue: Catalogue) -> tuple[Path, ...]:
    """Write a reading; return its report, then its segmentations.

    Raises
    ------
    OsteotraceError
        If it cannot be written; nothing is half there then.
    """
    from osteotrace.records import sr

    report = saved.report
    if not saved.is_there:
        report = sr.write(
            saved.assessment,
            catalogue,
            report.parent,
            sop_instance_uid=saved.assessment.assessment_uid,
            # The same reading gives the same bytes: a second try finds its own files.
            now=datetime.fromisoformat(saved.assessment.recorded),
            predecessor=saved.predecessor,
        )
    return files_of(report)


def saved_files(draft: Draft) -> tuple[Path, ...]:
    """Return the files of the record saved last: its report, then its segmentations.

    Raises
    ------
    OsteotraceError
        If there is none, it does not hold all that is accepted, or it is not there.
    """
    last = draft.last_record
    expected = "a saved reading, its record where it was saved"
    if last is None or draft.content() != draft.saved_content:
        raise OsteotraceError(
            "no saved reading"
            if last is None
            else "a reading that changed after it was saved",
            expected=expected,
            advice="save it first",
            usage=True,
        )
    report = Path(last.record)
    if not last.record or not report.is_file():
        raise OsteotraceError(
            "a record that is not where it was saved",
            expected=expected,
            advice="put it back there, or send its new place with 'osteotrace send'",
            where=last.record,
        )
    return files_of(report)


def files_of(report: Path) -> tuple[Path, ...]:
    """Return a report with its segmentations, which lie beside it."""
    from pydicom import dcmread

    from osteotrace.records import store
    from osteotrace.records.report_content.segments import segmentations_read

    uids = segmentations_read(dcmread(report))
    return (report, *(store.record_path(report.parent, uid) for uid in uids))


def _predecessor(draft: Draft, folder: Path) -> Path | None:
    """Return the file of the record that is amended; None where it is looked for."""
    from osteotrace.records import record_folder

    uid, known = draft.predecessor_uid, ""
    if draft.base is not None and draft.base.uid == uid:
        known = draft.base.record
    last = draft.last_record
    if last is not None and last.sop_instance_uid == uid:
        known = last.record
    if not known:
        return None
    try:
        return record_folder.file_of(folder, uid)
    except OsteotraceError:
        return Path(known)


def _accepted(draft: Draft) -> Assessment:
    assessment = draft.assessment(accepted_only=True)
    assert assessment is not None
    is_said = assessment.findings or assessment.facts or assessment.drugs
    # A record may be amended to hold nothing: what it held was wrong then.
    if not (is_said or draft.last_record):
        drafts = [one.finding.label for one in draft.held if not one.leader]
        raise OsteotraceError(
            "nothing that is accepted"
            + (
                f": {len(drafts)} draft(s) wait for it, {_listed(drafts)}"
                if drafts
                else ""
            ),
            expected="at least one accepted finding, or a statement, to save",
            advice="accept what you found, then save" if drafts else "measure something",
        )
    return assessment


def _listed(labels: list[str]) -> str:
    more = len(labels) - MOST_TOLD
    return ", ".join(labels[:MOST_TOLD]) + (f" and {more} more" if more > 0 else "")


def _check_folder(folder: Path, catalogue: Catalogue) -> None:
    from osteotrace.series.archives import is_archive

    root = catalogue.root
    # Nothing is written into a ZIP file: beside it is beside its images.
    if not is_archive(root) and folder.resolve().is_relative_to(
        dicom_folder(root).resolve()
    ):
        raise OsteotraceError(
            "a folder inside the DICOM folder",
            expected="records beside the images they were read from",
            advice=f"choose another folder, such as {folder_beside(catalogue)}",
            where=str(folder),
        )
