"""Labels by name on the voxels of a volume: source after source, the first that has one.

Within a source two files, or two labels of one file, with a name are an error: nobody
knows which is meant. Files that hold the same voxels under the name are no two: a saved
reading carries the masks that it was measured on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.segmentation.label_maps import bodies
from osteotrace.segmentation.label_names import LEVELS
from osteotrace.segmentation.labels import read_labels
from osteotrace.volume.stored_image import SAME_GRID_MM

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from osteotrace.regions import Mask
    from osteotrace.segmentation.label_maps import LabelMap
    from osteotrace.volume import Volume

# Files that an error lists of those that were passed over.
MOST_TOLD: Final = 5


@dataclass(slots=True)
class LabelPool:
    """Every label of one source that lies on the voxels of a volume.

    Parameters
    ----------
    twins : int
        Scans of another space on the same grid: files that name no space fit them too.
    table : str
        Names by number for files that state none.
    resample : bool
        Whether labels on another grid in the same space are moved onto the volume's.
    """

    twins: int = 0
    table: str = ""
    resample: bool = False
    _maps: dict[str, tuple[str, LabelMap]] = field(default_factory=dict)
    passed_over: list[str] = field(default_factory=list)

    @property
    def maps(self) -> list[LabelMap]:
        """The maps, in the order in which they were found."""
        return [labels for _, labels in self._maps.values()]

    def add(self, file: Path, volume: Volume) -> None:
        """Read a file, or keep why its labels are not used."""
        if str(file.resolve()) in self._maps:
            return
        try:
            labels = read_labels(file, like=volume, table=self.table or None)
        except OsteotraceError as problem:
            self.passed_over.append(f"{file.name}: {problem.found}")
            return
        if any(_are_one(labels, known) for known in self.maps):
            return
        self.add_map(file.name, labels, volume, key=str(file.resolve()))

    def add_map(
        self, name: str, labels: LabelMap, volume: Volume, *, key: str = ""
    ) -> None:
        """Take labels that are no file's, moved where that is asked for."""
        if self.resample and labels.grid is not volume.grid:
            try:
                labels = labels.resampled_onto(volume)
            except OsteotraceError as problem:
                self.passed_over.append(f"{name}: {problem.found}")
                return
        why = self._unfit(labels, volume)
        if why:
            self.passed_over.append(f"{name}: {why}")
        else:
            self._maps[key or name] = name, labels

    def _unfit(self, labels: LabelMap, volume: Volume) -> str:
        """Return why labels are not those of a volume, empty where they are."""
        own = labels.series_uid in ("", volume.identity.series_uid)
        if not own and not self.resample:
            return f"drawn on another series, {labels.series_uid}"
        if labels.grid is not volume.grid:
            return "on another grid than the image, onto which nothing moves it unasked"
        if self.twins and not labels.source:
            return (
                f"names no patient, and {self.twins} more of the scans have the same "
                "grid: measure each by itself, or give its labels as DICOM SEG"
            )
        return ""

    def has(self, name: str) -> bool:
        """Tell whether a map holds a label of a name."""
        return any(name in labels for labels in self.maps)

    def holding(self, name: str) -> LabelMap:
        """Return the one map that holds a label of a name.

        Raises
        ------
        OsteotraceError
            If none or more than one does with other voxels, or one holds it twice.
        """
        fitting = [(file, one) for file, one in self._maps.values() if name in one]
        if _say_one(name, [one for _, one in fitting]):
            fitting = fitting[:1]
        files = ", ".join(file for file, _ in fitting)
        if len(fitting) == 1:
            ((_, found),) = fitting
            try:
                found[name]
            except OsteotraceError as problem:
                raise no_label(f"{problem.found} in {files}", [self]) from problem
            return found
        where = f": {files}" if files else ""
        raise no_label(
            f"{len(fitting)} segmentations with the label {name!r}{where}", [self]
        )

    def fitting(self, pattern: str) -> dict[str, str]:
        """Return the names of labels that fit a pattern, and what stood for its ``*``."""
        found: dict[str, str] = {}
        for labels in self.maps:
            for label in labels:
                matches = (match_of(pattern, label.name),
                           match_of(pattern, label.standard_name))  # fmt: skip
                told = next((one for one in matches if one is not None), None)
                if told is not None:
                    found.setdefault(label.name, told)
        return found

    def levels(self) -> dict[str, str]:
        """Return the label of the body of each level, else of the whole vertebra."""
        standard = {label.standard_name for labels in self.maps for label in labels}
        if not any(f"{level} body" in standard for level in LEVELS):
            standard |= self._with_bodies()
        named = {level: f"{level} body" for level in LEVELS}
        own = {level: name for level, name in named.items() if name in standard}
        return own or {level: level for level in LEVELS if level in standard}

    def _with_bodies(self) -> set[str]:
        """Part bodies from vertebrae that one file names and another one divides."""
        for levels in self.maps:
            for parts in self.maps:
                if levels is parts or not _divide(levels, parts):
                    continue
                try:
                    cut = bodies(levels, parts)
                except OsteotraceError:
                    continue
                self._maps["bodies"] = "bodies of two files", cut
                return {label.standard_name for label in cut}
        return set()


class LabelSources:
    """The labels of a volume, source after source; each is looked into when needed.

    Parameters
    ----------
    pools : iterable of LabelPool
        Made one by one.
    """

    def __init__(self, pools: Iterable[LabelPool]) -> None:
        self._coming: Iterator[LabelPool] = iter(pools)
        self._made: list[LabelPool] = []

    def __iter__(self) -> Iterator[LabelPool]:
        yield from self._made
        for pool in self._coming:
            self._made.append(pool)
            yield pool

    def holding(self, name: str) -> LabelMap:
        """Return the map of the first source that holds a label of a name.

        Raises
        ------
        OsteotraceError
            If none does, or that source holds it twice.
        """
        for pool in self:
            if pool.has(name):
                return pool.holding(name)
        raise no_label(f"0 segmentations with the label {name!r}", self._made)

    def so_far(self, name: str) -> LabelMap:
        """Return as `holding`, of the sources that were looked into before."""
        for pool in self._made:
            if pool.has(name):
                return pool.holding(name)
        raise no_label(f"0 segmentations with the label {name!r}", self._made)

    def has(self, name: str) -> bool:
        """Tell whether a source holds a label of a name."""
        return any(pool.has(name) for pool in self)

    def fitting(self, pattern: str) -> dict[str, str]:
        """Return, of the first source with any, the labels that fit a pattern."""
        return next((found for pool in self if (found := pool.fitting(pattern))), {})

    def levels(self) -> dict[str, str]:
        """Return, of the first source with any, the labels of vertebrae by level."""
        return next((found for pool in self if (found := pool.levels())), {})


def match_of(pattern: str, name: str) -> str | None:
    """Return what stands for the first ``*`` of a pattern, None where it does not fit.

    Examples
    --------
    >>> match_of("* marrow edema", "Left femur marrow edema"), match_of("a*", "b")
    ('Left femur', None)
    """
    if not name:
        return None
    words = "(.*?)".join(re.escape(part) for part in pattern.split("*"))
    found = re.fullmatch(words, name, re.IGNORECASE | re.DOTALL)
    if found is None:
        return None
    return found[1].strip() if found.groups() else ""


def no_label(found: str, pools: Iterable[LabelPool]) -> OsteotraceError:
    """Return the error of a label that is not there, with those that are."""
    known: set[str] = set()
    passed: list[str] = []
    for pool in pools:
        known |= {label.name for one in pool.maps for label in one}
        passed += pool.passed_over
    over = passed_over_words(passed)
    return OsteotraceError(
        found,
        expected=f"one, among the labels {', '.join(sorted(known)) or '(none)'}",
        advice=f"correct the label, or give the segmentation with --masks{over}",
    )


def passed_over_words(reasons: Sequence[str]) -> str:
    """Return in words, to stand at an end, what was passed over; nothing if nothing."""
    told, rest = reasons[:MOST_TOLD], reasons[MOST_TOLD:]
    more = [f"and {len(rest)} more files"] if rest else []
    return "; passed over: " + "; ".join([*told, *more]) if told else ""


def _are_one(first: LabelMap, second: LabelMap) -> bool:
    """Tell whether two files are copies of one DICOM segmentation."""
    same = bool(first.source) and first.source == second.source
    return same and first.labels == second.labels


def _say_one(name: str, maps: Sequence[LabelMap]) -> bool:
    """Tell whether each map holds a label once, and all the same voxels."""
    try:
        masks = [labels[name].mask for labels in maps]
    except OsteotraceError:
        return False
    return all(_same_voxels(masks[0], other) for other in masks[1:])


def _same_voxels(first: Mask, second: Mask) -> bool:
    """Tell whether two masks on the grid of one volume are the same."""
    boxes = ((one.grid.shape, one.bits) for one in (first, second))
    return len(set(boxes)) == 1 and np.allclose(
        first.origins, second.origins, rtol=0, atol=SAME_GRID_MM
    )


def _divide(levels: LabelMap, parts: LabelMap) -> bool:
    """Tell whether one map names vertebrae and the other what is body of them."""
    whole = any(label.standard_name in LEVELS for label in levels)
    return whole and any(label.standard_name == "vertebral body" for label in parts)
