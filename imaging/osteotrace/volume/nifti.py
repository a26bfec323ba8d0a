"""NIfTI-1 and NIfTI-2 files, header and voxels.

Read here and not by a toolkit: SimpleITK 2.5 takes a file cut off for a whole one, its
last slices zero, and drops the shear of an sform whose file has a qform as well. Fields
and their meaning: nifti1.h and nifti2.h of the NIfTI data format working group.
"""

from __future__ import annotations

import gzip
import math
import zlib
from typing import IO, TYPE_CHECKING, Any, Final, Literal

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import EVENNESS_MM
from osteotrace.volume.stored_image import StoredImage

if TYPE_CHECKING:
    from pathlib import Path

    from osteotrace.geometry import Array

_FIELDS: Final = (
    "magic", "datatype", "dim", "pixdim", "vox_offset", "scl_slope", "scl_inter",
    "qform_code", "sform_code", "quatern", "qoffset", "srow", "xyzt_units",
)  # fmt: skip
NIFTI_1: Final = np.dtype(
    {
        "names": _FIELDS,
        "formats": ["S4", "i2", "8i2", "8f4", "f4", "f4", "f4",
                    "i2", "i2", "3f4", "3f4", "(3,4)f4", "u1"],
        "offsets": [344, 70, 40, 76, 108, 112, 116, 252, 254, 256, 268, 280, 123],
        "itemsize": 348,
    }
)  # fmt: skip
NIFTI_2: Final = np.dtype(
    {
        "names": _FIELDS,
        "formats": ["S8", "i2", "8i8", "8f8", "i8", "f8", "f8",
                    "i4", "i4", "3f8", "3f8", "(3,4)f8", "i4"],
        "offsets": [4, 12, 16, 104, 168, 176, 184, 344, 348, 352, 376, 400, 500],
        "itemsize": 540,
    }
)  # fmt: skip
BYTE_ORDERS: Final[tuple[Literal["<"], Literal[">"]]] = ("<", ">")
# Codes of `datatype` that hold one grey value a voxel.
GREY_VALUES: Final = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4",
    1024: "i8", 1280: "u8",
}  # fmt: skip
# Lowest three bits of `xyzt_units` in mm; files that name no unit mean mm.
LENGTH_UNITS: Final = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
# `sform_code` of coordinates in an atlas: the distances are not the patient's own.
ATLAS_CODES: Final = {3: "Talairach", 4: "MNI 152", 5: "a template's"}
RAS_TO_LPS: Final = np.diag([-1.0, -1.0, 1.0, 1.0])
CHUNK: Final = 1 << 24
# Extensions may lie between header and voxels; none is as large as this, bytes.
MOST_OFFSET: Final = 1 << 32


def read(path: Path) -> StoredImage:
    """Read a NIfTI file in one piece, compressed or not.

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz``; what it is shows in its first bytes.

    Returns
    -------
    StoredImage
        Voxels (k, j, i). The sform places it, the qform where there is no sform.

    Raises
    ------
    OsteotraceError
        If it is no NIfTI file, is cut off or damaged, holds more than one grey value a
        voxel or more than one volume, or has neither sform nor qform.
    """
    with path.open("rb") as raw:
        compressed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        file: Any = gzip.GzipFile(fileobj=raw) if compressed else raw
        try:
            return _image(file)
        except (gzip.BadGzipFile, zlib.error, EOFError) as problem:
            raise _damaged("its compressed data break off or are wrong") from problem


def _image(file: IO[bytes]) -> StoredImage:
    header = _header(file)
    shape = _shape(header)
    kind = GREY_VALUES.get(int(header["datatype"]))
    if kind is None:
        raise OsteotraceError(
            f"voxels of NIfTI datatype {int(header['datatype'])}",
            expected="one grey value a voxel, integer or float",
            advice="convert colour, complex or bit images first",
        )
    # Numbers beyond reason become infinite; `StoredImage` refuses them.
    with np.errstate(all="ignore"):
        affine, notes = _placed(header)
    start = float(header["vox_offset"])
    if not 0 <= start <= MOST_OFFSET:
        raise _damaged("its voxels begin nowhere")
    stored = np.dtype(kind)
    if not header.dtype["dim"].base.isnative:
        stored = stored.newbyteorder()
    content = _content(file, int(start), math.prod(shape) * stored.itemsize)
    voxels = np.frombuffer(content, dtype=stored).reshape(shape)
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    # A slope of zero means that values are as stored.
    if slope == 0 or not np.isfinite([slope, intercept]).all():
        slope, intercept = 1.0, 0.0
    return StoredImage(
        voxels=voxels.astype(stored.newbyteorder("="), copy=False),
        affine=affine,
        slope=slope,
        intercept=intercept,
        notes=notes,
    )


def _header(file: IO[bytes]) -> Any:
    start = file.read(NIFTI_2.itemsize)
    for layout in (NIFTI_1, NIFTI_2):
        for order in BYTE_ORDERS:
            size = int.from_bytes(start[:4], "little" if order == "<" else "big")
            if len(start) < layout.itemsize or size != layout.itemsize:
                continue
            header = np.frombuffer(start, dtype=layout.newbyteorder(order), count=1)[0]
            if header["magic"][:2] == b"ni":
                raise OsteotraceError(
                    "the header of a pair of files (.hdr and .img)",
                    expected="header and voxels in one file",
                    advice="write it again as .nii or .nii.gz",
                )
            if header["magic"][:2] == b"n+":
                return header
    raise OsteotraceError(
        "a file without a NIfTI header",
        expected="NIfTI-1 or NIfTI-2",
        advice="check that the file is what its name says, and whole",
    )


def _shape(header: Any) -> tuple[int, int, int]:
    """Return the sizes along k, j and i."""
    count = int(header["dim"][0])
    sizes = [int(n) for n in header["dim"][1 : count + 1]] if 0 < count < 8 else []
    if min(sizes, default=0) < 1:
        raise _damaged("its header gives no size")
    if len(sizes) < 3 or math.prod(sizes[3:]) > 1:
        raise OsteotraceError(
            f"an image of {' × '.join(str(n) for n in sizes)} voxels",
            expected="one volume: three axes",
            advice="take one volume out of it (one time point, one component)",
        )
    return sizes[2], sizes[1], sizes[0]


def _placed(header: Any) -> tuple[Array, tuple[str, ...]]:
    """Return the matrix from (k, j, i, 1) to LPS mm, and what is odd about it."""
    unit = LENGTH_UNITS.get(int(header["xyzt_units"]) & 7)
    if unit is None:
        raise _damaged("its unit of length is none")
    found = []
    if header["sform_code"] > 0:
        found.append(_sform(header))
    if header["qform_code"] > 0:
        found.append(_qform(header))
    if not found:
        raise OsteotraceError(
            "neither an sform nor a qform",
            expected="the place of the image in the patient",
            advice="convert the original DICOM again, or give a file that kept it",
        )
    notes = []
    atlas = ATLAS_CODES.get(int(header["sform_code"]))
    if atlas:
        notes.append(f"its coordinates are {atlas}, not the patient's own")
    if len(found) > 1:
        apart = unit * _farthest_apart(found[0], found[1], _shape(header))
        if not apart <= EVENNESS_MM:
            notes.append(f"sform and qform differ by {apart:.2f} mm: the sform is used")
    scale = np.diag([unit, unit, unit, 1.0])
    affine = RAS_TO_LPS @ scale @ found[0]
    return affine[:, [2, 1, 0, 3]], tuple(notes)


def _sform(header: Any) -> Array:
    affine = np.eye(4)
    affine[:3] = header["srow"]
    return affine


def _qform(header: Any) -> Array:
    """Return the matrix that the quaternion stands for (nifti1.h, method 2)."""
    b, c, d = np.asarray(header["quatern"], dtype=np.float64)
    a = np.sqrt(max(0.0, 1.0 - (b * b + c * c + d * d)))
    length = np.sqrt(a * a + b * b + c * c + d * d)
    a, b, c, d = np.array([a, b, c, d]) / length
    affine = np.eye(4)
    affine[:3, :3] = [
        [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
        [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
        [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ]
    steps = np.array(header["pixdim"][1:4], dtype=np.float64)
    # The sign of the first pixdim tells a mirrored image.
    steps[2] *= -1.0 if header["pixdim"][0] < 0 else 1.0
    affine[:3, :3] *= steps
    affine[:3, 3] = header["qoffset"]
    return affine


def _farthest_apart(one: Array, other: Array, shape: tuple[int, int, int]) -> float:
    last = np.array(shape[::-1]) - 1
    corners = np.indices((2, 2, 2)).reshape(3, -1) * last[:, None]
    off = (one - other)[:3] @ np.vstack([corners, np.ones(8)])
    return float(np.linalg.norm(off, axis=0).max())


def _content(file: IO[bytes], start: int, size: int) -> bytearray:
    """Return the bytes of the voxels, all of them."""
    # A start within the header is what some writers put for "at once after it".
    file.seek(max(start, NIFTI_1.itemsize))
    content = bytearray()
    # Piece by piece: a header may promise more than any memory holds.
    while len(content) < size and (part := file.read(min(CHUNK, size - len(content)))):
        content += part
    if len(content) < size:
        raise _damaged(f"{size} bytes of voxels promised, {len(content)} found")
    # To the end, where a compressed file keeps its checksum.
    while file.read(CHUNK):
        pass
    return content


def _damaged(reason: str) -> OsteotraceError:
    return OsteotraceError(
        f"a damaged NIfTI file ({reason})",
        expected="a whole one",
        advice="the file is damaged or cut off: fetch it again from its source",
    )
