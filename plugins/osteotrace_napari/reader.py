"""Open a DICOM folder, file, DICOMDIR or zip: drag, File > Open, ``viewer.open``."""

from __future__ import annotations

import os
import zipfile
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO

LayerData = tuple[Any, ...]

# A folder or zip is looked into no further than this many files before it is passed on.
PEEKED_FILES: Final = 200
# DICOM PS3.10 7.1: 128 bytes of preamble, then the prefix.
_PREAMBLE_BYTES: Final = 128
_PREFIX: Final = b"DICM"


def get_reader(path: str | list[str]) -> Callable[[Any], list[LayerData]] | None:
    """Return a reader for a path that holds DICOM, else None, fast."""
    from osteotrace_napari import sample_data

    first = path[0] if isinstance(path, list) else path
    if sample_data.name_of(first):
        return sample_data.read
    return read if holds_study(Path(first)) else None


def holds_study(path: Path) -> bool:
    """Tell whether a file is DICOM, or one of the first files in a folder or zip is."""
    from osteotrace.series.archives import is_archive

    if path.is_dir():
        return any(_is_dicom(file) for file in islice(_files(path), PEEKED_FILES))
    return _zip_holds_dicom(path) if is_archive(path) else _is_dicom(path)


def read(path: str | list[str]) -> list[LayerData]:
    """Open a path in the reading room, or as a layer where there is no window.

    With a window the room loads it in the background and napari is told that nothing
    is to be added now; without one the only loadable volume is returned.
    """
    import napari

    root = root_of([Path(p) for p in (path if isinstance(path, list) else [path])])
    viewer = napari.current_viewer()
    if viewer is None:
        return [volume_layer(root)]
    from osteotrace_napari.window import reading_room

    reading_room(viewer).opening.open(root)
    return [(None,)]


def root_of(paths: list[Path]) -> Path:
    """Return what to open of some paths: slices given one by one are their folder."""
    first = paths[0]
    return first.parent if len(paths) > 1 and first.is_file() else first


def volume_layer(path: Path, *, modality: str = "") -> LayerData:
    """Return the one volume of a path that can be measured, as napari layer data.

    Raises
    ------
    OsteotraceError
        If there is none, or more than one of the modality.
    """
    from osteotrace.series.sources import open_source
    from osteotrace.volume import load
    from osteotrace_napari.canvas.layers import image_layer

    source = open_source(path)
    try:
        fitting = [s for s in source.catalogue if s.identity.modality == modality]
        uid = fitting[0].identity.series_uid if fitting else None
        return image_layer(load(source.catalogue.choose(uid)))
    finally:
        source.close()


def _files(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder):
        for name in names:
            yield Path(root, name)


def _is_dicom(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return _begins_as_dicom(stream)
    except OSError:
        return False


def _zip_holds_dicom(file: Path) -> bool:
    # Whatever is wrong with an archive is said where it is opened.
    try:
        with zipfile.ZipFile(file) as archive:
            entries = (e for e in archive.infolist() if not e.is_dir())
            return any(
                _begins_as_dicom(archive.open(entry))
                for entry in islice(entries, PEEKED_FILES)
            )
    except Exception:
        return True


def _begins_as_dicom(stream: IO[bytes]) -> bool:
    return stream.read(_PREAMBLE_BYTES + len(_PREFIX))[_PREAMBLE_BYTES:] == _PREFIX
