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
    note_saved: Callable[[], None],
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
        Notes in the draft that the record of its present UID is there.

    Raises
    ------
    OsteotraceError
        If there is nothing to save, the folder lies inside the DICOM folder, or it
        cannot be written.
    """
    from osteotrace.records import sr, store

    _check_folder(folder, catalogue)
    assessment = staged(_accepted(draft))
    path = store.record_path(folder, assessment.assessment_uid)
    if path.exists():
        # A save that was interrupted before the draft could tell of it.
        is_whole = sr.read(path) == assessment
        note_saved()
        if is_whole:
            return (path,)
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
    note_saved()
    return (path,)


def _predecessor(draft: Draft, folder: Path) -> Path | None:
    """Return the file of the record that is amended, where it lies elsewhere."""
    from osteotrace.records import record_folder

    base = draft.base
    if base is None or draft.predecessor_uid != base.uid:
        return None
    try:
        return record_folder.file_of(folder, base.uid)
    except OsteotraceError:
        return Path(base.record)


def _accepted(draft: Draft) -> Assessment:
    assessment = draft.assessment(accepted_only=True)
    assert assessment is not None
    if not (assessment.findings or assessment.facts or assessment.drugs):
        waiting = len(draft.held)
        raise OsteotraceError(
            "a reading without findings"
            + (f" that are accepted; {waiting} wait for it" if waiting else ""),
            expected="at least one accepted finding, or a statement, to save",
            advice="accept what you found" if waiting else "measure something first",
        )
    return assessment


def _check_folder(folder: Path, catalogue: Catalogue) -> None:
    if folder.resolve().is_relative_to(_dicom(catalogue.root).resolve()):
        raise OsteotraceError(
            "a folder inside the DICOM folder",
            expected="records beside the images they were read from",
            advice=f"choose another folder, such as {folder_beside(catalogue)}",
            where=str(folder),
        )
