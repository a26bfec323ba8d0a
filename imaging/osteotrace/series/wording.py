"""A volume's verdict in words, for tables and windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osteotrace.series.stacks import is_tilted

if TYPE_CHECKING:
    from osteotrace.geometry import Grid
    from osteotrace.series.catalogue import VolumeHeader

VERDICTS: Final = {
    "regular": "regular",
    "tilted": "tilted",
    "uneven": "uneven gaps",
    "missing_slices": "slices missing",
    "duplicate_positions": "several images at one position",
    "single_slice": "a single slice",
    "localizer": "a localizer",
    "projection": "a radiograph: no patient space",
    "not_an_image": "no CT or MR slice with a place in the patient",
    "no_spacing": "no pixel spacing: no mm",
    "unreadable": "geometry that cannot be read",
}

# What objects that are no images are, by Modality (0008,0060).
OBJECTS: Final = {
    "SEG": "a segmentation",
    "SR": "a structured report",
    "RTSTRUCT": "contours",
    "RTDOSE": "a dose map",
    "RTPLAN": "a treatment plan",
    "PR": "a presentation state",
    "KO": "a selection of key images",
    "REG": "a registration",
    "DOC": "a document",
}


def verdict_in_words(header: VolumeHeader) -> str:
    """Return what the geometry verdict means, with its figures.

    Examples
    --------
    ``"regular"``, ``"tilted by -14.0°"``, ``"2 slices missing"``,
    ``"uneven gaps of 1.1 to 7 mm"``
    """
    return ", ".join(_words(header, verdict) for verdict in header.verdicts)


def tilt_in_words(grid: Grid) -> str:
    """Return how far a stack leans, such as ``"tilted by -14.0°"``; empty if upright."""
    if not is_tilted(grid):
        return ""
    if abs(grid.tilt_deg) < 0.05:
        return VERDICTS["tilted"]
    return f"tilted by {grid.tilt_deg:.1f}°"


def _words(header: VolumeHeader, verdict: str) -> str:
    grid = header.grid
    modality = header.identity.modality
    if verdict == "not_an_image" and modality in OBJECTS:
        return OBJECTS[modality]
    if grid is None:
        return VERDICTS[verdict]
    gaps = grid.slice_gaps
    if verdict == "tilted":
        return tilt_in_words(grid)
    if verdict == "uneven" and not grid.has_even_gaps:
        return f"uneven gaps of {gaps.min():.4g} to {gaps.max():.4g} mm"
    if verdict == "missing_slices":
        count = round(float((gaps / gaps.min() - 1).sum()))
        return f"{count} slice{'s' if count > 1 else ''} missing"
    return VERDICTS[verdict]
