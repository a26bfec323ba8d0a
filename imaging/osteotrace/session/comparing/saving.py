"""The comparison of a session as DICOM: its report, and a registration a transform."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osteotrace.errors import OsteotraceError
from osteotrace.reading.comparing.saving import save as save_records
from osteotrace.reading.comparing.workflow import ComparisonReading

if TYPE_CHECKING:
    from pathlib import Path

    from osteotrace.comparison import Comparison
    from osteotrace.series import Catalogue
    from osteotrace.session.session import Session


def save(
    session: Session,
    found: Comparison,
    catalogues: dict[int, Catalogue],
    folder: Path,
) -> tuple[Path, ...]:
    """Write a comparison that refers to saved readings; return the files.

    Parameters
    ----------
    session : Session
    found : Comparison
    catalogues : dict of int to Catalogue
        The series of each study that has images, by its number.
    folder : Path

    Raises
    ------
    OsteotraceError
        If the reading of the draft is not saved as it is compared, or it cannot be
        written; nothing is half there then.
    """
    draft = session.draft
    own = draft.assessment()
    is_compared = own is not None and any(
        one.study_uid == own.study_uid for one in found.studies
    )
    if is_compared and draft.content() != draft.saved_content:
        raise OsteotraceError(
            "a reading that is not saved as it is compared",
            expected="a comparison of readings that are records",
            advice="accept what you found and save the reading, then the comparison",
        )
    return save_records(
        ComparisonReading(comparison=found, assessments=(), catalogues=catalogues),
        folder,
        uids=session.new_uid,
    )
