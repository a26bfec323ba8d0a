"""Where the records of a study lie when nobody says another place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from osteotrace.series import Catalogue

RECORDS_FOLDER: Final = "osteotrace-records"


def folder_beside(catalogue: Catalogue) -> Path:
    """Return the folder for records: beside the opened folder, never inside it."""
    from osteotrace.series.archives import is_archive

    root = catalogue.root.absolute()
    return (root if is_archive(root) else dicom_folder(root)).parent / RECORDS_FOLDER


def dicom_folder(root: Path) -> Path:
    """Return the folder that was opened, or that of the file that was."""
    return root if root.is_dir() else root.parent
