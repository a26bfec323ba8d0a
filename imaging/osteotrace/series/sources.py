"""What a reader opens: a folder, a file, a DICOMDIR or a zip, as one catalogue."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from osteotrace.errors import OsteotraceError
from osteotrace.series.archives import Unpacked, is_archive, unpack
from osteotrace.series.scanning import scan

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from osteotrace.series.catalogue import Catalogue

    Progress = Callable[[int, int], None]

# The name that PS3.10 section 8.6 gives the file; discs write it in either case.
DICOMDIR: Final = "DICOMDIR"


@dataclass(frozen=True, slots=True)
class Source:
    """What was opened.

    Parameters
    ----------
    catalogue : Catalogue
        Its series; the root is what was opened.
    unpacked : Unpacked or None
        The files of an archive: `close` deletes them.
    """

    catalogue: Catalogue
    unpacked: Unpacked | None = None

    def close(self) -> None:
        """Let go of it; the images of an archive are gone after that."""
        if self.unpacked is not None:
            self.unpacked.close()


def open_source(path: str | os.PathLike[str], progress: Progress | None = None) -> Source:
    """Read the headers of what a reader opens.

    Parameters
    ----------
    path : path
        A DICOM folder or file; a DICOMDIR, which stands for its folder; a zip.
    progress : callable, optional
        Called now and then with what is done and what there is in all.

    Raises
    ------
    OsteotraceError
        As `scan` and `unpack`.
    """
    opened = Path(path)
    if is_archive(opened):
        return _from_archive(opened, progress)
    folder = opened
    if opened.name.upper() == DICOMDIR and opened.is_file():
        folder = opened.parent
    return Source(scan(folder, progress=progress))


def _from_archive(path: Path, progress: Progress | None) -> Source:
    first, second = _halves(progress)
    unpacked = unpack(path, first)
    try:
        # The index outlives the folder: it is not told of it.
        catalogue = scan(unpacked.folder, index=False, progress=second)
    except OsteotraceError as problem:
        unpacked.close()
        raise OsteotraceError(
            _found(problem, unpacked),
            expected="a zip of DICOM files",
            advice="choose the zip that holds the CT or MR images",
            where=str(path),
        ) from problem
    except BaseException:
        unpacked.close()
        raise
    return Source(replace(catalogue, root=path), unpacked)


def _found(problem: OsteotraceError, unpacked: Unpacked) -> str:
    if not unpacked.left_out:
        return f"a zip with {problem.found}"
    files = "file" if unpacked.left_out == 1 else "files"
    return f"no DICOM file in a zip ({unpacked.left_out} other {files})"


def _halves(progress: Progress | None) -> tuple[Progress | None, Progress | None]:
    """Return the first and the second half of one progress."""
    if progress is None:
        return None, None
    return (
        lambda done, total: progress(done, 2 * total),
        lambda done, total: progress(total + done, 2 * total),
    )
