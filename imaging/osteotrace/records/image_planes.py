"""Where the pixels of one image lie in the patient, as a report's coordinates count them.

Image coordinates are (column, row) from the outer corner of the first pixel, whose
centre is (0.5, 0.5) (PS3.3 C.18.6.1.1); patient coordinates are LPS, mm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.geometry import Grid, unit_vector
from osteotrace.records.report_content.source_images import values

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from pydicom.dataset import Dataset

    from osteotrace.geometry import Array

_COUNTS: Final = {
    "PixelSpacing": 2,
    "ImagePositionPatient": 3,
    "ImageOrientationPatient": 6,
}
HALF_PIXEL: Final = 0.5
# Decimal strings carry about six digits (DICOM VR DS).
SAME_SPACING: Final = 1e-6


class ImagePlane:
    """The plane of one image or frame.

    Parameters
    ----------
    header : Dataset
        Of the image.
    frame : int
        Frame of a multi-frame object from 1, else 0.

    Raises
    ------
    ValueError
        If the image does not say where its pixels lie, as a radiograph does not.
    """

    def __init__(self, header: Dataset, frame: int = 0) -> None:
        spacing, position, cosines = (_values(header, key, frame) for key in _COUNTS)
        row = unit_vector(cosines[:3])
        self.frame_of_reference_uid = str(header.get("FrameOfReferenceUID", ""))
        self.grid = Grid(
            row_direction=row,
            column_direction=unit_vector(cosines[3:]),
            pixel_spacing=spacing,
            origins=position[np.newaxis],
            rows=int(header.Rows),
            columns=int(header.Columns),
        )

    @property
    def has_square_pixels(self) -> bool:
        """True where rows lie as far apart as columns do."""
        down, along = self.grid.pixel_spacing
        return bool(abs(down - along) <= SAME_SPACING * along)

    def to_patient(self, points: ArrayLike) -> Array:
        """Return the (n, 3) LPS mm of (n, 2) columns and rows."""
        columns, rows = np.asarray(points, np.float64).T
        index = np.stack([0 * rows, rows - HALF_PIXEL, columns - HALF_PIXEL], axis=-1)
        return self.grid.to_patient(index)

    def to_image(self, points: ArrayLike) -> Array:
        """Return the (n, 2) columns and rows of (n, 3) LPS mm, put onto the plane."""
        grid = self.grid
        offset = np.asarray(points, np.float64) - grid.origins[0]
        columns = offset @ grid.row_direction / grid.pixel_spacing[1]
        rows = offset @ grid.column_direction / grid.pixel_spacing[0]
        return np.stack([columns, rows], axis=-1) + HALF_PIXEL

    def off_plane_mm(self, points: ArrayLike) -> float:
        """Return how far the farthest of some points lies beside the plane."""
        offset = np.asarray(points, np.float64) - self.grid.origins[0]
        return float(np.abs(offset @ self.grid.normal).max())


def _values(header: Dataset, keyword: str, frame: int) -> Array:
    """Return the numbers that an image or one of its frames states."""
    stated = values(header, keyword, (frame,) if frame else ())
    if len(stated) != _COUNTS[keyword]:
        raise ValueError(f"an image without {keyword}")
    return np.array(stated)
