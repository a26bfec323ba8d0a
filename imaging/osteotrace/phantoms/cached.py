"""The sample cases in the user's cache folder, made when first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osteotrace.about import VERSION
from osteotrace.catalogue_index import default_path
from osteotrace.errors import OsteotraceError
from osteotrace.phantoms.cases import phantom_case
from osteotrace.phantoms.samples import write_case
from osteotrace.records.store import new_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Progress = Callable[[int, int], None]

FOLDER: Final = "samples"


def samples_folder() -> Path:
    """Return where sample cases are kept: below the user's cache folder, by version.

    Another version may make other phantoms.
    """
    return default_path().parent / FOLDER / VERSION


def sample_case(name: str, progress: Progress | None = None) -> Path:
    """Return the DICOM folder of a sample case, made where it is not there yet.

    Parameters
    ----------
    name : str
        From `osteotrace.phantoms.CASES`.
    progress : callable, optional
        Called with the number of series made so far and the number of all.

    Raises
    ------
    OsteotraceError
        If there is no case of that name, or it cannot be written; a case is there whole
        or not at all.
    """
    phantom_case(name)
    folder = samples_folder() / name
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with new_folder(folder) as draft:
            write_case(draft, name, progress)
    except OSError as problem:
        raise OsteotraceError(
            f"a sample case that cannot be kept ({problem.strerror or problem})",
            expected="a cache folder that can be written to",
            advice="make room or give the right to write there, or write the cases "
            "elsewhere with: osteotrace samples DIR",
            where=str(folder.parent),
        ) from problem
    except OsteotraceError:
        # Another window may have been quicker.
        if not folder.is_dir():
            raise
    return folder
