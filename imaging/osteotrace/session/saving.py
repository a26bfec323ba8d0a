"""What a reader has accepted as one DICOM record, once; the draft keeps the rest."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.findings import Assessment
    from osteotrace.series import Catalogue
    from osteotrace.session.draft import Draft

RECORDS_FOLDER: Final = "osteotrace-records"
# Drafts that an error names.
MOST_TOLD: Final = 5


def folder_beside(catalogue: Catalogue) -> Path:
    """Return the folder for records: beside the opened folder, never inside it."""
    return _dicom(catalogue.root.absolute()).parent / RECORDS_FOLDER


def _dicom(root: Path) -> Path:
    return root if root.is_dir() else root.parent


def save(
    draft: Draft,
    catalogue: Catalogue,
    folder: Path,
    *,
    staged: Callable[[Assessment], Assessment],
    note_saved: Callable[[Path], None],
) -> tuple[Path, ...]:
    """Write what is accepted in a draft, and tell the draft of it.

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
        Notes in the draft that the record of its present UID is there, and where.

    Returns
    -------
    tuple of Path
        The report, then its segmentations. Where nothing was accepted or stated since
        the last save into this folder, they are those of that save.

    Raises
    ------
    OsteotraceError
        If there is nothing to save, the folder lies inside the DICOM folder, or it
        cannot be written.
    """
    from osteotrace.records import sr, store

    _check_folder(folder, catalogue)
    last = draft.last_record
    if last is not None and draft.content() == draft.saved_content:
        path = store.record_path(folder, last.sop_instance_uid)
        if path.exists():
            return _files(path)
    assessment = staged(_accepted(draft))
    path = store.record_path(folder, assessment.assessment_uid)
    if path.exists():
        # A save that was interrupted before the draft could tell of it.
        is_whole = sr.read(path) == assessment
        note_saved(path)
        if is_whole:
            return _files(path)
        assessment = staged(_accepted(draft))
    path = sr.write(
        assessment,
        catalogue,
        folder,
        sop_instance_uid=assessment.assessment_uid,
        # The same reading gives the same bytes: a second try finds its own files.
        now=datetime.fromisoformat(assessment.recorded),
        predecessor=_predecessor(draft, folder),
    )
    note_saved(path)
    return _files(path)


def _files(report: Path) -> tuple[Path, ...]:
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
    if folder.resolve().is_relative_to(_dicom(catalogue.root).resolve()):
        raise OsteotraceError(
            "a folder inside the DICOM folder",
            expected="records beside the images they were read from",
            advice=f"choose another folder, such as {folder_beside(catalogue)}",
            where=str(folder),
        )
