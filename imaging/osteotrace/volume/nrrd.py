"""NRRD and MetaImage files, through SimpleITK, where their headers place them.

SimpleITK puts an image without a place at the origin of patient space and takes damaged
compressed voxels for whole ones: both are looked for here first. Fields: Teem's NRRD
format, "orientation information"; ITK's MetaIO.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.volume.stored_image import StoredImage

if TYPE_CHECKING:
    from pathlib import Path

# Spaces that SimpleITK turns into LPS, by both of their names.
PATIENT_SPACES: Final = {
    "left-posterior-superior": "LPS",
    "right-anterior-superior": "RAS",
    "left-anterior-superior": "LAS",
}
# What a MetaImage header calls the place of an image, its axes and their spacing.
META_PLACE: Final = (
    ("Offset", "Position", "Origin"),
    ("TransformMatrix", "Rotation", "Orientation"),
    ("ElementSpacing",),
)
# Where `to_image` keeps the notes of a volume, an NRRD key of its own.
NOTES_KEY: Final = "osteotrace_notes"
NOTES_DIVIDER: Final = " | "
# Header and divider; a detached NRRD header may end with its file.
NRRD_HEADER: Final = re.compile(rb"\A(NRRD.*?\n)(?:\r?\n|\Z)", re.DOTALL)
META_HEADER: Final = re.compile(rb"\A(.*?)ElementDataFile *= *LOCAL\r?\n", re.DOTALL)
# Slicer writes half a kilobyte of names and colours for every segment.
MOST_HEADER_BYTES: Final = 1 << 20
CHUNK: Final = 1 << 24


def read(path: Path) -> StoredImage:
    """Read an NRRD file.

    Parameters
    ----------
    path : Path
        ``.nrrd``, or ``.nhdr`` with its data file.

    Returns
    -------
    StoredImage

    Raises
    ------
    OsteotraceError
        If it is no NRRD file, is cut off or damaged, has no place in a patient space
        (LPS, RAS or LAS), or does not hold one volume of grey values.
    """
    _check_header(path)
    return _through_simpleitk(path)


def read_layers(path: Path) -> tuple[StoredImage, ...]:
    """Read an NRRD file that may hold a list of images at one place, as `read`.

    Slicer stores segments that overlap in such layers.
    """
    import SimpleITK as sitk

    _check_header(path)
    image = _loaded(path)
    count = image.GetNumberOfComponentsPerPixel()
    if count == 1:
        return (_stored(image),)
    layers = (sitk.VectorIndexSelectionCast(image, n) for n in range(count))
    return tuple(map(_stored, layers))


def fields(path: Path) -> dict[str, str]:
    """Return the fields and the key/value pairs of an NRRD header."""
    return _header(path, NRRD_HEADER, divider=":=?")[0]


def _check_header(path: Path) -> None:
    """Refuse an NRRD file without a place, or whose compressed voxels are damaged."""
    header, start = _header(path, NRRD_HEADER, divider=":=?")
    space = header.get("space", "").lower()
    if space not in PATIENT_SPACES and space.upper() not in PATIENT_SPACES.values():
        raise _no_place(f"the space {space!r}" if space else "no space")
    if "space origin" not in header or "space directions" not in header:
        raise _no_place("no space origin or no space directions")
    units = set(re.findall(r'"([^"]*)"', header.get("space units", ""))) - {"", "mm"}
    if units:
        raise _no_place(f"a space in {', '.join(sorted(units))}")
    if header.get("encoding", "").lower() in ("gzip", "gz"):
        voxels = path
        if "data file" in header:
            voxels, start = path.parent / header["data file"], 0
        if voxels.is_file() and not {"byte skip", "line skip"} & header.keys():
            _check_compressed(voxels, start)


def read_metaimage(path: Path) -> StoredImage:
    """Read a MetaImage file in one piece (``.mha``); otherwise as `read`."""
    header, start = _header(path, META_HEADER, divider="=")
    for names in META_PLACE:
        if not any(name in header for name in names):
            raise _no_place(f"no {names[0]}")
    if header.get("CompressedData", "").lower() == "true":
        _check_compressed(path, start)
    return _through_simpleitk(path)


def _header(
    path: Path, pattern: re.Pattern[bytes], *, divider: str
) -> tuple[dict[str, str], int]:
    """Return the fields of a text header, and where the voxels begin."""
    with path.open("rb") as file:
        content = file.read(MOST_HEADER_BYTES)
    found = pattern.match(content)
    if found is None:
        raise _unreadable("it has no whole header")
    fields = {}
    for line in found[1].decode("utf-8", "replace").splitlines():
        name, *value = re.split(divider, line, maxsplit=1)
        if value:
            fields[name.strip()] = value[0].strip()
    return fields, found.end()


def _check_compressed(path: Path, start: int) -> None:
    """Refuse compressed voxels that break off or whose checksum is wrong."""
    # 32 more window bits: zlib tells its own header from gzip's.
    stream = zlib.decompressobj(zlib.MAX_WBITS + 32)
    with path.open("rb") as file:
        file.seek(start)
        try:
            while not stream.eof:
                part = stream.unconsumed_tail or file.read(CHUNK)
                if not part:
                    raise _unreadable("its compressed data break off")
                stream.decompress(part, CHUNK)
        except zlib.error as problem:
            raise _unreadable("its compressed data are wrong") from problem


def _through_simpleitk(path: Path) -> StoredImage:
    return _stored(_loaded(path))


def _loaded(path: Path) -> Any:
    import SimpleITK as sitk

    try:
        return sitk.ReadImage(str(path))
    except RuntimeError as problem:
        reason = str(problem).strip().splitlines()[-1]
        # MetaIO finds voxels missing and gives the system's last error as the reason.
        cut = reason.startswith("Reason:")
        raise _unreadable("its voxels break off" if cut else reason) from problem


def _stored(image: Any) -> StoredImage:
    import SimpleITK as sitk

    kind = image.GetPixelIDTypeAsString()
    if image.GetNumberOfComponentsPerPixel() != 1 or "complex" in kind:
        raise OsteotraceError(
            f"voxels that are a {kind}",
            expected="one grey value a voxel, integer or float",
            advice="convert colour, vector or complex images first",
        )
    if image.GetDimension() != 3:
        raise OsteotraceError(
            f"an image of {' × '.join(str(n) for n in image.GetSize())} voxels",
            expected="one volume: three axes",
            advice="take one volume out of it (one time point, one component)",
        )
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    kept = image.GetMetaData(NOTES_KEY) if image.HasMetaDataKey(NOTES_KEY) else ""
    return StoredImage(
        # SimpleITK orders axes column, row, slice; its arrays the other way round.
        voxels=sitk.GetArrayFromImage(image),
        affine=affine[:, [2, 1, 0, 3]],
        notes=tuple(kept.split(NOTES_DIVIDER)) if kept else (),
    )


def _no_place(found: str) -> OsteotraceError:
    return OsteotraceError(
        found,
        expected="the place of the image in the patient, in mm: LPS, RAS or LAS",
        advice="convert the original DICOM again, or give a file that kept it",
    )


def _unreadable(reason: str) -> OsteotraceError:
    return OsteotraceError(
        f"an image that cannot be read ({' '.join(reason.split())[:160]})",
        expected="a whole NRRD or MetaImage file",
        advice="the file is damaged or cut off: fetch it again from its source",
    )
