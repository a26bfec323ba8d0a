"""File > Open Sample: every sample case, made when first asked for, beside the window."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from osteotrace_napari.reader import LayerData

# What napari's manifest names a sample by: no place on any disk.
SCHEME: Final = "osteotrace://sample/"


def name_of(path: object) -> str:
    """Return the sample case that an address of the manifest names, else nothing."""
    text = str(path)
    return text.removeprefix(SCHEME) if text.startswith(SCHEME) else ""


def read(path: str | list[str]) -> list[LayerData]:
    """Open a sample case in the reading room, or its CT where there is no window.

    The case is made where it is not there yet: with a window in the background, with
    its progress in the dock, and napari is told that nothing is to be added now.
    """
    import napari

    from osteotrace.phantoms.cached import sample_case

    name = name_of(path[0] if isinstance(path, list) else path)
    viewer = napari.current_viewer()
    if viewer is None:
        from osteotrace_napari.reader import volume_layer

        return [volume_layer(sample_case(name), modality="CT")]
    open_sample(viewer, name)
    return [(None,)]


def open_sample(viewer: Any, name: str) -> None:
    """Make a sample case where it is not there yet, then open it in the reading room."""
    from osteotrace.phantoms.cached import sample_case
    from osteotrace_napari.window import reading_room

    room = reading_room(viewer)
    room.background.start(
        "Making the sample case; it is kept for the next time …",
        partial(sample_case, name),
        room.opening.open,
        counts=True,
    )
