"""Labels with their names: what a segmentation file holds, as masks.

Labels stay on the grid that they were drawn on. They may overlap.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.regions import Mask
from osteotrace.segmentation.label_names import LEVELS, standard_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from osteotrace.geometry import Grid
    from osteotrace.volume import Volume

# Names that an error lists of those that there are.
MOST_NAMES: Final = 40


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """One named label.

    Parameters
    ----------
    number : int
        The segment's number, or the voxels' value.
    name : str
        As the file states it; ``"label 7"`` where it states none.
    standard_name : str
        What osteotrace calls it (`osteotrace.segmentation.label_names`); may be empty.
    mask : Mask
        Its voxels.
    tracking_uid, tracking_identifier : str
        Tracking UID and Tracking ID (0062,0021), (0062,0020), or the identifier that
        Slicer gave; may be empty.
    algorithm : str
        Who or what drew it: SegmentAlgorithmType and SegmentAlgorithmName (0062,0008),
        (0062,0009), as stated; may be empty.
    """

    number: int
    name: str
    standard_name: str
    mask: Mask
    tracking_uid: str = ""
    tracking_identifier: str = ""
    algorithm: str = ""

    def __repr__(self) -> str:
        meant = f" = {self.standard_name}" if self.standard_name else ""
        return f"Label({self.number}, {self.name!r}{meant})"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelMap:
    """The labels of one segmentation.

    Iterates over its labels; ``labels["L1"]`` and ``labels[31]`` look one up.

    Parameters
    ----------
    labels : tuple of Label
        Those that hold a voxel, in the order of the file.
    grid : Grid
        Where they were drawn.
    frame_of_reference_uid : str
        FrameOfReferenceUID (0020,0052); empty where it is unknown.
    series_uid : str
        SeriesInstanceUID of the images that they were drawn on; may be empty.
    source : str
        SOPInstanceUID of the DICOM segmentation; empty for other files.
    empty : tuple of str
        Names of labels that the file declares and that hold no voxel.
    notes : tuple of str
        What was done to the labels or found about them on the way here, in words.
    """

    labels: tuple[Label, ...]
    grid: Grid = field(repr=False)
    frame_of_reference_uid: str
    series_uid: str = ""
    source: str = ""
    empty: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Label]:
        return iter(self.labels)

    def __len__(self) -> int:
        return len(self.labels)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str | int) and bool(self._matches(key))

    def __getitem__(self, key: str | int) -> Label:
        """Return the one label of a number, a name in the file or a standard name.

        Raises
        ------
        OsteotraceError
            If no label matches, or more than one does.
        """
        found = self._matches(key)
        if len(found) == 1:
            return found[0]
        there = [label.standard_name or label.name for label in self.labels]
        beyond = (
            "" if len(there) <= MOST_NAMES else f" and {len(there) - MOST_NAMES} more"
        )
        wanted = f"the label {key!r}"
        if key in self.empty:
            wanted = f"the label {key!r} without a voxel"
        if found:
            each = ", ".join(f"{label.number} {label.name!r}" for label in found)
            wanted = f"{len(found)} labels for {key!r} ({each})"
        raise OsteotraceError(
            wanted,
            expected=f"one of {', '.join(there[:MOST_NAMES])}{beyond}",
            advice="choose one of these labels, by its name or number",
            usage=True,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the labels, as the file states them."""
        return tuple(label.name for label in self.labels)

    def _matches(self, key: str | int) -> list[Label]:
        if isinstance(key, int):
            return [label for label in self.labels if label.number == key]
        exact = [label for label in self.labels if label.name == key]
        if exact:
            return exact
        if not key.strip():
            return []
        wanted = standard_name(key) or key.lower()
        return [
            label
            for label in self.labels
            if wanted in (label.standard_name, label.name.lower())
        ]

    def resampled_onto(
        self,
        volume: Volume,
        *,
        method: Literal["nearest", "gaussian"] = "nearest",
        assume_same_space: bool = False,
    ) -> LabelMap:
        """Return the labels on the grid of a volume.

        Parameters
        ----------
        volume : Volume
            In the same frame of reference.
        method : ``"nearest"`` or ``"gaussian"``
            The label of the nearest voxel; or the one with most weight under a Gaussian
            of 0.8 voxels (SimpleITK's label interpolator): smoother, but curved surfaces
            move inwards (3 % of the volume of a ball of 8 voxels) and thin labels go.
        assume_same_space : bool
            Take labels without a frame of reference as lying in that of the volume.

        Returns
        -------
        LabelMap
            Its notes say what was done; labels that no voxel is left of are among
            ``empty``. The labels themselves where they lie on that grid already.

        Raises
        ------
        OsteotraceError
            If frames of reference differ or are unknown, there is one slice only, whose
            extent across it nobody knows, or nothing is left.
        """
        from osteotrace.segmentation.label_resampling import resampled

        return resampled(self, volume, method, assume_same_space=assume_same_space)


def bodies(levels: LabelMap, parts: LabelMap) -> LabelMap:
    """Return the vertebral bodies, level by level, of two maps of the same grid.

    Programs label whole vertebrae in one file and their bodies, without levels, in
    another.

    Parameters
    ----------
    levels : LabelMap
        Whole vertebrae: standard names such as ``"L1"``.
    parts : LabelMap
        Labels with the standard name ``"vertebral body"``.

    Returns
    -------
    LabelMap
        Labels with standard names such as ``"L1 body"``; levels without a voxel in a
        body are among its ``empty``.

    Raises
    ------
    OsteotraceError
        If there are no levels or no bodies, or the maps lie on different grids or in
        different frames of reference.
    """
    whole = [label for label in levels if label.standard_name in LEVELS]
    body = [label for label in parts if label.standard_name == "vertebral body"]
    if not whole or not body:
        raise OsteotraceError(
            f"{len(whole)} vertebrae and {len(body)} labels of vertebral bodies",
            expected="labels named by level, and labels named vertebral body",
            advice="give the map of the vertebrae first and that of their parts second",
            usage=True,
        )
    if levels.frame_of_reference_uid != parts.frame_of_reference_uid:
        raise other_frame(levels.frame_of_reference_uid, parts.frame_of_reference_uid)
    inside = np.logical_or.reduce([label.mask.on(levels.grid) for label in body])
    cut = []
    for label in whole:
        mask = _overlap(label, inside, levels.grid)
        if mask is not None:
            standard = f"{label.standard_name} body"
            cut.append(msgspec.structs.replace(label, standard_name=standard, mask=mask))
    found = {label.number for label in cut}
    note = "bodies are the voxels of a vertebra that the body labels hold too"
    return replace(
        levels,
        labels=tuple(cut),
        empty=tuple(f"{label.name} body" for label in whole if label.number not in found),
        notes=(*levels.notes, *(n for n in parts.notes if n not in levels.notes), note),
    )


def _overlap(label: Label, inside: NDArray[Any], grid: Grid) -> Mask | None:
    """Return what a label has in common with some voxels of a grid, if anything."""
    both = label.mask.on(grid) & inside
    if not both.any():
        return None
    mask = Mask.of(
        both,
        grid,
        role=f"{label.standard_name} body",
        frame_of_reference_uid=label.mask.frame_of_reference_uid,
    )
    heights = label.mask.grid.slice_positions
    kept = (heights >= mask.grid.slice_positions[0] - 1e-6) & (
        heights <= mask.grid.slice_positions[-1] + 1e-6
    )
    images = label.mask.source_instances
    if len(images) == len(kept):
        images = tuple(name for name, keep in zip(images, kept, strict=True) if keep)
    return msgspec.structs.replace(mask, source_instances=images)


def other_frame(found: str, expected: str) -> OsteotraceError:
    """Return the error of labels in another frame of reference, or in none."""
    return OsteotraceError(
        f"labels in the frame of reference {found or 'of nobody'}",
        expected=f"labels in {expected or 'a known frame of reference'}",
        advice="take labels that were drawn on this image, or register both first",
    )
