"""File > Open Sample: the sample cases, opened as a reader would open them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import osteotrace
from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from osteotrace_napari.reader import LayerData


def maxilla_after_ct() -> list[LayerData]:
    """Return the CT of the maxilla after treatment; the reading panel takes it over."""
    import napari

    from osteotrace_napari.canvas.layers import image_layer
    from osteotrace_napari.reader import volume_layer

    folder = sample_folder("maxilla_after")
    viewer = napari.current_viewer()
    if viewer is None:
        return [volume_layer(folder, modality="CT")]
    from osteotrace_napari.window import reading_panel

    return [image_layer(reading_panel(viewer).open_now(folder, modality="CT"))]


def sample_folder(name: str) -> Path:
    """Return the folder of a sample case.

    Raises
    ------
    OsteotraceError
        If the sample cases are not there.
    """
    folder = Path(osteotrace.__file__).parents[2] / "sample_dicom" / name
    if not folder.is_dir():
        raise OsteotraceError(
            "no sample cases",
            expected=f"the folder {name} in sample_dicom",
            advice="write them with: osteotrace samples DIR, then open DIR",
            where=str(folder),
        )
    return folder
