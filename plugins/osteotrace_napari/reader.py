"""Open a DICOM folder or file in napari: drag, File > Open, ``viewer.open``."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LayerData = tuple[Any, ...]

# A folder is looked into no further than this many files before it is passed on.
PEEKED_FILES: Final = 200
# DICOM PS3.10 7.1: 128 bytes of preamble, then the prefix.
_PREAMBLE_BYTES: Final = 128
_PREFIX: Final = b"DICM"


def get_reader(path: str | list[str]) -> Callable[[Any], list[LayerData]] | None:
    """Return a reader for a path that holds DICOM, else None, fast."""
    first = Path(path[0] if isinstance(path, list) else path)
    return read if holds_dicom(first) else None


def holds_dicom(path: Path) -> bool:
    """Tell whether a file is DICOM, or one of the first files below a folder is."""
    files = _files(path) if path.is_dir() else iter([path])
    return any(_is_dicom(file) for file in islice(files, PEEKED_FILES))


def read(path: str | list[str]) -> list[LayerData]:
    """Open a path in the reading panel, or as a layer where there is no window.

    With a window the panel loads it in the background and napari is told that nothing
    is to be added now; without one the only loadable volume is returned.
    """
    import napari

    root = root_of([Path(p) for p in (path if isinstance(path, list) else [path])])
    viewer = napari.current_viewer()
    if viewer is None:
        return [volume_layer(root)]
    from osteotrace_napari.window import reading_panel

    reading_panel(viewer).open(root)
    return [(None,)]


def root_of(paths: list[Path]) -> Path:
    """Return what to open of some paths: slices given one by one are their folder."""
    first = paths[0]
    return first.parent if len(paths) > 1 and first.is_file() else first


def volume_layer(path: Path, *, modality: str = "") -> LayerData:
    """Return the one volume below a path that can be measured, as napari layer data.

    Raises
    ------
    OsteotraceError
        If there is none, or more than one of the modality.
    """
    from osteotrace.series import scan
    from osteotrace.volume import load
    from osteotrace_napari.canvas.layers import image_layer

    catalogue = scan(path)
    fitting = [s for s in catalogue if s.identity.modality == modality]
    uid = fitting[0].identity.series_uid if fitting else None
    return image_layer(load(catalogue.choose(uid)))


def _files(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder):
        for name in names:
            yield Path(root, name)


def _is_dicom(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return stream.read(_PREAMBLE_BYTES + 4)[_PREAMBLE_BYTES:] == _PREFIX
    except OSError:
        return False
