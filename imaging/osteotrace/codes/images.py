"""What a report says of the images that were read."""

from __future__ import annotations

from typing import Final

from osteotrace.codes.concepts import Concept, table

# Modalities of the images that are read (PS3.16 CID 29).
MODALITIES: Final[dict[str, Concept]] = table(
    "DCM",
    CT=("CT", "Computed Tomography"),
    MR=("MR", "Magnetic Resonance"),
)

# What was done to make those images (PS3.16 CID 100).
PROCEDURES: Final[dict[str, Concept]] = {
    "CT": Concept("25045-6", "LN", "CT unspecified body region"),
    "MR": Concept("25056-3", "LN", "MRI unspecified body region"),
    "": Concept("363679005", "SCT", "Imaging procedure"),
}

# What describes one image of a report's library (PS3.16 TID 1602 and TID 1604): the
# header element, the place within it, the concept and its unit.
IMAGE_DESCRIPTORS: Final[tuple[tuple[str, int, Concept, str], ...]] = (
    ("Rows", 0, Concept("110910", "DCM", "Pixel Data Rows"), "{pixels}"),
    ("Columns", 0, Concept("110911", "DCM", "Pixel Data Columns"), "{pixels}"),
    ("PixelSpacing", 1, Concept("111026", "DCM", "Horizontal Pixel Spacing"), "mm"),
    ("PixelSpacing", 0, Concept("111066", "DCM", "Vertical Pixel Spacing"), "mm"),
    ("SliceThickness", 0, Concept("112225", "DCM", "Slice Thickness"), "mm"),
    *(
        (
            "ImagePositionPatient",
            n,
            Concept(f"11090{1 + n}", "DCM", f"Image Position (Patient) {axis}"),
            "mm",
        )
        for n, axis in enumerate("XYZ")
    ),
    *(
        (
            "ImageOrientationPatient",
            n,
            Concept(f"11090{4 + n}", "DCM", f"Image Orientation (Patient) {axis}"),
            "{-1:1}",
        )
        for n, axis in enumerate(
            ("Row X", "Row Y", "Row Z", "Column X", "Column Y", "Column Z")
        )
    ),
)
