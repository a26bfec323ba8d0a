"""The labels of a file on a volume, called what the reader takes them for.

Segmentation files call a vertebra by the level that their program took it for. Where it
miscounted, one step names every level one further up or down. A file that lies elsewhere
than the volume is refused with the reason. Nothing here is recorded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.errors import OsteotraceError
from osteotrace.measurements.vertebra.levels import checked
from osteotrace.regions import Mask
from osteotrace.segmentation.label_names import LEVELS
from osteotrace.segmentation.labels import read_labels

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from osteotrace.segmentation.labels import LabelMap
    from osteotrace.volume import Volume

# Labels of a vertebra that it can be measured in: the body goes first.
MEASURED_PARTS: Final = ("body", "")


class NamedLabel(msgspec.Struct, frozen=True, kw_only=True):
    """One label of a file and what the reader takes it for.

    Parameters
    ----------
    number : int
        Of the label in its file.
    name : str
        As the file states it.
    meant : str
        Its standard name (`osteotrace.segmentation.label_names`) as it is called now,
        or empty.
    mask : Mask
        On the voxels of the volume.
    """

    number: int
    name: str
    meant: str
    mask: Mask

    @property
    def level(self) -> str:
        """The vertebral level, such as ``"L1"``; empty where it is none."""
        first = self.meant.partition(" ")[0]
        return first if first in LEVELS else ""

    @property
    def part(self) -> str:
        """The part of that level, such as ``"body"``; empty for the whole of it."""
        return self.meant.partition(" ")[2] if self.level else ""

    @property
    def is_measurable(self) -> bool:
        """Whether a vertebra can be measured in it."""
        if not self.level or self.part not in MEASURED_PARTS:
            return False
        try:
            checked(self.level)
        except OsteotraceError:
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenedLabels:
    """The labels of one file on one volume.

    Parameters
    ----------
    file : Path
    labels : tuple of NamedLabel
        In the order of the file.
    notes : tuple of str
        What was done to them or found about them on the way here, in words.
    """

    file: Path
    labels: tuple[NamedLabel, ...]
    notes: tuple[str, ...] = ()

    def __getitem__(self, number: int) -> NamedLabel:
        """Return the label of a number.

        Raises
        ------
        OsteotraceError
            If there is none.
        """
        for label in self.labels:
            if label.number == number:
                return label
        raise OsteotraceError(
            f"the label {number}",
            expected="one of " + ", ".join(str(label.number) for label in self.labels),
            advice="choose one of these labels",
            usage=True,
        )

    @property
    def vertebrae(self) -> dict[str, NamedLabel]:
        """The label that each level would be measured in, from head to foot."""
        found: dict[str, NamedLabel] = {}
        for part in MEASURED_PARTS:
            for label in self.labels:
                if label.is_measurable and label.part == part:
                    found.setdefault(label.level, label)
        return {level: found[level] for level in LEVELS if level in found}


def opened(
    file: str | os.PathLike[str],
    volume: Volume,
    *,
    table: str | Mapping[int, str] | None = None,
    resample: bool = False,
) -> OpenedLabels:
    """Read the labels of a file for a volume.

    Parameters
    ----------
    file : path
        DICOM SEG, NIfTI, NRRD or MetaImage, as `segmentation.labels.read_labels`.
    volume : Volume
    table : str or mapping of int to str, optional
        Names by number for files that state none.
    resample : bool
        Move labels of other voxels in the same frame of reference onto those of the
        volume, by the nearest voxel; the notes say so.

    Raises
    ------
    OsteotraceError
        If the file cannot be read, lies in another frame of reference or on other
        voxels, or holds no label on the volume.
    """
    path = Path(file)
    labels = read_labels(path, like=volume, table=table)
    notes = _doubts(labels, volume)
    if labels.grid is not volume.grid:
        if not resample:
            raise OsteotraceError(
                "labels on other voxels than those of the image",
                expected="labels that were drawn on this series",
                advice="open the series that they were drawn on, or have them moved onto "
                "this one by the nearest voxel",
                where=str(path),
            )
        labels = labels.resampled_onto(volume)
    return OpenedLabels(
        file=path,
        labels=tuple(
            NamedLabel(
                number=label.number,
                name=label.name,
                meant=label.standard_name,
                mask=label.mask,
            )
            for label in labels
        ),
        notes=tuple(dict.fromkeys((*labels.notes, *notes))),
    )


def _doubts(labels: LabelMap, volume: Volume) -> tuple[str, ...]:
    if labels.series_uid not in ("", volume.identity.series_uid):
        return ("drawn on another series of the same frame of reference",)
    if not labels.source:
        return ("names no patient: taken to be of this one by its voxels alone",)
    return ()


def shifted(labels: OpenedLabels, by: int, names: tuple[str, ...]) -> OpenedLabels:
    """Return labels with every level named so many further down the spine.

    Parameters
    ----------
    by : int
        1 makes L1 of T12, -1 T12 of L1; discs and bodies go with their level.
    names : tuple of str
        The levels of the spine, from head to foot (`levels.column`).

    Raises
    ------
    OsteotraceError
        If no label is a level, or one would lie beyond the spine.
    """
    levels = [label.level for label in labels.labels if label.level]
    places = [names.index(level) + by if level in names else -1 for level in levels]
    if not levels or min(places) < 0 or max(places) >= len(names):
        found = ", ".join(dict.fromkeys(levels)) or "no label of a vertebra"
        raise OsteotraceError(
            f"{found}, named {abs(by)} further {'down' if by > 0 else 'up'}",
            expected=f"levels between {names[0]} and {names[-1]}",
            advice="name single labels instead",
            usage=True,
        )
    return replace(
        labels,
        labels=tuple(
            _called(label, names[names.index(label.level) + by]) if label.level else label
            for label in labels.labels
        ),
    )


def renamed(labels: OpenedLabels, number: int, level: str) -> OpenedLabels:
    """Return labels with one of them called another level; empty for none.

    Raises
    ------
    OsteotraceError
        If there is no such level, or another label of the same part is called it.
    """
    label, name = labels[number], level.strip().upper()
    if name and name not in LEVELS:
        raise OsteotraceError(
            f"the level {level!r}",
            expected="a level such as L1, or none",
            advice="correct the name of the level",
            usage=True,
        )
    new = _called(label, name)
    twins = [other.name for other in labels.labels if name and other.meant == new.meant]
    if label.meant != new.meant and twins:
        raise OsteotraceError(
            f"{new.meant} twice, {twins[0]} and {label.name}",
            expected="one label a level",
            advice="rename the other label first, or shift all of them",
            usage=True,
        )
    return replace(
        labels,
        labels=tuple(new if one.number == number else one for one in labels.labels),
    )


def _called(label: NamedLabel, level: str) -> NamedLabel:
    """Return a label called another level; its part stays."""
    meant = f"{level} {label.part}".strip() if level else ""
    return msgspec.structs.replace(label, meant=meant)
