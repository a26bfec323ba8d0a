"""Label maps in NIfTI and NRRD files, with the names that some programs put beside them.

Such a file knows no frame of reference and no images: it takes both from a volume whose
grid it has. TotalSegmentator names its labels in a header extension, Slicer in key/value
pairs; TPTBox tells them apart by their numbers.
"""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.regions import Mask
from osteotrace.segmentation import marked
from osteotrace.segmentation.label_maps import Label, LabelMap
from osteotrace.segmentation.label_names import (
    TABLES,
    standard_name,
    standard_name_of_codes,
    table_for,
)
from osteotrace.volume import nifti, nrrd

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from osteotrace.geometry import Grid
    from osteotrace.volume import Volume
    from osteotrace.volume.stored_image import StoredImage

# No segmentation names as many structures; an image taken for one has as many values.
MOST_LABELS: Final = 1000
# Floats hold whole numbers exactly up to here.
MOST_NUMBER: Final = 2.0**53
# Extensions of a NIfTI header are read up to here, bytes; TotalSegmentator's have 13,000.
MOST_EXTENSION_BYTES: Final = 1 << 22
# One row of the label table that TotalSegmentator writes, Connectome Workbench's format
# (CIFTI-2, LabelTable): its number and its name.
_NIFTI_LABEL: Final = re.compile(
    rb'<Label\s[^>]*?Key="(-?\d+)"[^>]*>\s*(?:<!\[CDATA\[(.*?)\]\]>|([^<]*))\s*</Label>',
    re.DOTALL,
)
# Key/value pairs of Slicer (Slicer developer guide, "Segmentation labelmap file format").
_SLICER_KEY: Final = re.compile(r"Segment(\d+)_(ID|Name|LabelValue|Layer|Tags)")
_SLICER_CODE: Final = re.compile(r"([A-Za-z0-9]+)\^([^~|^]+)\^")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """What a file says of one label: its layer, number, name, identifier and codes."""

    number: int
    name: str
    layer: int = 0
    identifier: str = ""
    codes: tuple[tuple[str, str], ...] = ()


def read_nifti(
    path: Path, like: Volume | None, table: str | Mapping[int, str] | None
) -> LabelMap:
    """Read the labels of a NIfTI file (`osteotrace.segmentation.labels.read_labels`)."""
    image = nifti.read(path)
    named = [_Named(number=n, name=name) for n, name in _nifti_names(path).items()]
    return _label_map([image], named, path.name, like, table)


def read_nrrd(
    path: Path, like: Volume | None, table: str | Mapping[int, str] | None
) -> LabelMap:
    """Read the labels of an NRRD file, Slicer's ``.seg.nrrd`` among them."""
    fields = nrrd.fields(path)
    kind = fields.get("Segmentation_SourceRepresentation", "Binary labelmap")
    if kind.lower() != "binary labelmap":
        raise OsteotraceError(
            f"a Slicer segmentation stored as {kind!r}",
            expected="a binary labelmap",
            advice="convert it to a binary labelmap in Slicer and save it again",
        )
    layers = nrrd.read_layers(path)
    return _label_map(list(layers), _slicer_names(fields), path.name, like, table)


def read_metaimage(
    path: Path, like: Volume | None, table: str | Mapping[int, str] | None
) -> LabelMap:
    """Read the labels of a MetaImage file, which holds no names."""
    return _label_map([nrrd.read_metaimage(path)], [], path.name, like, table)


def _nifti_names(path: Path) -> dict[int, str]:
    """Return the names in the header extensions of a NIfTI file, by number."""
    with path.open("rb") as raw:
        compressed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        file: Any = gzip.GzipFile(fileobj=raw) if compressed else raw
        start = file.read(nifti.NIFTI_2.itemsize)
        # `nifti.read` has found one of the four layouts in this file before.
        for layout in (nifti.NIFTI_1, nifti.NIFTI_2):
            for order in nifti.BYTE_ORDERS:
                size = int.from_bytes(start[:4], "little" if order == "<" else "big")
                if size == layout.itemsize:
                    header = np.frombuffer(start, layout.newbyteorder(order), count=1)[0]
                    end = min(int(header["vox_offset"]), MOST_EXTENSION_BYTES)
                    rest = file.read(max(0, end - len(start)))
                    return _label_table(start[layout.itemsize :] + rest)
    return {}


def _label_table(extensions: bytes) -> dict[int, str]:
    found = {}
    for number, quoted, plain in _NIFTI_LABEL.findall(extensions):
        name = (quoted or plain).decode("utf-8", "replace").strip()
        found[int(number)] = name
    return found


def _slicer_names(fields: Mapping[str, str]) -> list[_Named]:
    """Return the segments that the key/value pairs of a Slicer file describe."""
    segments: dict[int, dict[str, str]] = {}
    for key, value in fields.items():
        match = _SLICER_KEY.fullmatch(key)
        if match:
            segments.setdefault(int(match[1]), {})[match[2]] = value
    named = []
    for k, said in sorted(segments.items()):
        try:
            number, layer = int(said.get("LabelValue", k + 1)), int(said.get("Layer", 0))
        except ValueError:
            raise OsteotraceError(
                f"a Slicer segment whose number or layer is none (segment {k})",
                expected="whole numbers",
                advice="save the segmentation again",
            ) from None
        # The third part of a terminology entry is the type, after context and category.
        parts = said.get("Tags", "").partition("TerminologyEntry:")[2].split("~")
        codes = _SLICER_CODE.findall(parts[2]) if len(parts) > 2 else []
        name = said.get("Name") or said.get("ID") or f"label {number}"
        identifier = said.get("ID", "")
        named.append(
            _Named(number=number, name=name, layer=layer, identifier=identifier,
                   codes=tuple(codes))
        )  # fmt: skip
    return named


class _Names:
    """What the labels of a file are called: by itself, else by a table of numbers.

    Parameters
    ----------
    named : list of _Named
        What the file says.
    file_name : str
        It may point to a table.
    table : str, mapping or None
        The table that the caller names, or has.
    """

    def __init__(
        self,
        named: list[_Named],
        file_name: str,
        table: str | Mapping[int, str] | None,
    ) -> None:
        self._named = {(said.layer, said.number): said for said in named}
        pointed = table_for(file_name) if table is None else ""
        title = pointed or (table if isinstance(table, str) else "")
        if title and title not in TABLES:
            raise OsteotraceError(
                f"the table of label names {title!r}",
                expected="one of " + ", ".join(TABLES),
                advice="choose one of these, or give the numbers and names themselves",
                usage=True,
            )
        given = {} if table is None or isinstance(table, str) else table
        self._rows: Mapping[int, str] = TABLES[title] if title else given
        self._only_refines = bool(pointed and named)
        how = ", to which the name of the file points" if pointed else ""
        self.notes = (f"labels named by the table {title!r}{how}",) if title else ()

    def of(self, number: int, layer: int) -> _Named:
        """Return what is said of a label; ``"label 7"`` where nothing is."""
        name = self._rows.get(number) or f"label {number}"
        fallback = _Named(number=number, name=name, layer=layer)
        return self._named.get((layer, number), fallback)

    def standard(self, said: _Named) -> str:
        """Return the standard name of a label; may be empty."""
        own = standard_name(said.name) or standard_name_of_codes(said.codes)
        by_table = standard_name(self._rows.get(said.number, ""))
        # A table that only the file's name points to may not turn L1 into L2.
        if self._only_refines and by_table.split(" ")[0] != own:
            return own
        return by_table or own


def _label_map(
    layers: list[StoredImage],
    named: list[_Named],
    file_name: str,
    like: Volume | None,
    table: str | Mapping[int, str] | None,
) -> LabelMap:
    """Return the labels of one or more images at the same place."""
    names = _Names(named, file_name, table)
    labels = []
    for layer, image in enumerate(layers):
        ordered, grid = _placed(image, like)
        values = _whole_numbers(ordered)
        for number, box in boxes(values):
            said = names.of(number, layer)
            standard = names.standard(said)
            mask = _mask(values[box] == number, box, grid, like, standard or said.name)
            labels.append(
                Label(
                    number=number,
                    name=said.name,
                    standard_name=standard,
                    mask=mask,
                    tracking_identifier=said.identifier,
                )
            )
    if not labels:
        raise OsteotraceError(
            "an image in which every voxel is 0",
            expected="at least one labelled voxel",
            advice="check that the segmentation found anything",
        )
    notes: tuple[str, ...] = names.notes
    if not named and not notes and table is None:
        labels, notes = _named_by_file(labels, file_name)
    found = {label.name for label in labels}
    return LabelMap(
        labels=tuple(labels),
        grid=grid,
        frame_of_reference_uid=like.frame_of_reference_uid if like else "",
        series_uid=like.identity.series_uid if like else "",
        empty=tuple(said.name for said in named if said.name and said.name not in found),
        notes=(*layers[0].notes, *notes),
    )


def _named_by_file(
    labels: list[Label], file_name: str
) -> tuple[list[Label], tuple[str, ...]]:
    """Name the one label of a file such as ``vertebrae_L1.nii.gz`` by its file.

    Only where the whole name is understood: other names may be those of patients.
    """
    stem = file_name.split(".")[0]
    standard = standard_name(stem)
    if not standard or [label.number for label in labels] != [1]:
        return labels, ()
    (only,) = labels
    mask = msgspec.structs.replace(only.mask, role=standard)
    named = msgspec.structs.replace(only, name=stem, standard_name=standard, mask=mask)
    return [named], ("the label has the name of its file",)


def _placed(image: StoredImage, like: Volume | None) -> tuple[StoredImage, Grid]:
    """Return the image in the order of its slices, or of the volume that it lies on."""
    if like is None:
        return image.as_slices()
    matched = image.on(like.grid)
    if matched is not None:
        return matched, like.grid
    sizes = [" × ".join(map(str, sorted(shape, reverse=True)))
             for shape in (image.voxels.shape, like.grid.shape)]  # fmt: skip
    how = f"{sizes[0]} voxels, the image has {sizes[1]}"
    if sizes[0] == sizes[1]:
        how = "as many voxels as the image, but not at its places"
    raise OsteotraceError(
        f"labels that do not lie on the grid of the image ({how})",
        expected="labels on the image's own grid: these files name no frame of reference",
        advice="take the image that they were drawn on; or read them alone and resample "
        "them onto it with assume_same_space, where they are known to share its space",
    )


def _whole_numbers(image: StoredImage) -> NDArray[Any]:
    """Return labels as integers.

    Raises
    ------
    OsteotraceError
        If a value is no whole number, or below zero.
    """
    values = image.voxels
    if (image.slope, image.intercept) != (1.0, 0.0):
        values = values * image.slope + image.intercept
    if values.dtype.kind == "f":
        whole = np.rint(values)
        if not np.array_equal(whole, values) or np.abs(whole).max() > MOST_NUMBER:
            raise OsteotraceError(
                "values that are no whole numbers",
                expected="a label map: 0 for nothing, one whole number a label",
                advice="turn probabilities into labels first",
            )
        small = float(np.abs(whole).max()) < np.iinfo(np.int32).max
        values = whole.astype(np.int32 if small else np.int64)
    if values.dtype.kind == "i" and values.min() < 0:
        raise OsteotraceError(
            f"the value {values.min()}",
            expected="a label map: 0 for nothing, one whole number a label",
            advice="give the segmentation, not the image",
        )
    return values


def boxes(values: NDArray[Any]) -> list[tuple[int, tuple[slice, slice, slice]]]:
    """Return the labels in an array, ascending, with the box that holds each."""
    from scipy.ndimage import find_objects

    numbers: NDArray[Any] | None = None
    if int(values.max()) > np.iinfo(np.uint16).max:
        numbers = _numbers(values)
        ranks = np.empty(values.shape, np.uint16)
        # Slice by slice: an image taken for labels may be large.
        for plane, rank in zip(values, ranks, strict=True):
            rank[:] = np.searchsorted(numbers, plane)
        values = ranks
    found: list[tuple[int, tuple[slice, slice, slice]]] = []
    for k, box in enumerate(find_objects(values), 1):
        # The boxes of numbers that do not occur are None.
        if box:
            a, b, c = box
            found.append((k, (a, b, c)))
    if len(found) > MOST_LABELS:
        raise _too_many(len(found))
    if numbers is None:
        return found
    return [(int(numbers[k]), box) for k, box in found]


def _numbers(values: NDArray[Any]) -> NDArray[Any]:
    """Return 0 and the different values of an array, ascending."""
    known = np.zeros(1, values.dtype)
    for plane in values:
        known = np.union1d(known, plane)
        if len(known) > MOST_LABELS + 1:
            raise _too_many(len(known) - 1)
    return known


def _too_many(count: int) -> OsteotraceError:
    return OsteotraceError(
        f"{count} different values or more",
        expected=f"a label map of at most {MOST_LABELS} labels",
        advice="give the segmentation, not the image",
    )


def _mask(
    voxels: NDArray[np.bool_],
    box: tuple[slice, slice, slice],
    grid: Grid,
    like: Volume | None,
    role: str,
) -> Mask:
    if like is not None:
        return marked.in_window(like, voxels, box, role=role)
    return Mask.of(voxels, grid.cropped(box), role=role, frame_of_reference_uid="")
