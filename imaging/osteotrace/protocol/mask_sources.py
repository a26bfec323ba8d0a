"""Where a protocol's labels come from, in the order in which they are looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from osteotrace.protocol.choices import Patterns, patterns
from osteotrace.protocol.entry import Where
from osteotrace.segmentation.label_names import TABLES
from osteotrace.segmentation.totalsegmentator import MOST_SECONDS, TASKS

if TYPE_CHECKING:
    from collections.abc import Iterator

Source = Literal["seg", "beside", "marks", "threshold", "totalsegmentator"]
# What a pattern of label files may name of a study.
PLACEHOLDERS: Final = ("study_uid", "series_uid", "patient", "patient_id", "date")


class Threshold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A label that the image gives by itself: the voxels between two values.

    Parameters
    ----------
    label : str
        What entries call it.
    bone : bool
        Bone by a threshold that the image tells (`osteotrace.segmentation.thresholds`),
        CT alone; or
    above, below : float or None
        bounds, both included, in the unit of the image's values (HU on CT).
    within : Where or None
        Where it is looked for: a ball, a box or a label of an earlier source; the whole
        image by default.
    largest : bool
        The largest piece alone.
    """

    label: str
    bone: bool = False
    above: float | None = None
    below: float | None = None
    within: Where | None = None
    largest: bool = False

    def wrong(self) -> Iterator[tuple[str, str, str]]:
        """Yield what the types cannot tell: key, what was found, what was expected."""
        bounds = [value for value in (self.above, self.below) if value is not None]
        if not self.label.strip() or "*" in self.label:
            yield "label", f"the label {self.label!r}", "a short text without *"
        if self.bone == bool(bounds):
            yield "bone", "both or neither of bone and bounds", "one of the two"
        if not all(abs(value) < float("inf") for value in bounds):
            yield "above", "a bound that is no number", "finite numbers"
        if len(bounds) == 2 and bounds[0] >= bounds[1]:
            found = f"above {bounds[0]:g} and below {bounds[1]:g}"
            yield "above", found, "a lower bound below the upper one"


class Program(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run of TotalSegmentator.

    Parameters
    ----------
    task : str
        Of `osteotrace.segmentation.totalsegmentator.TASKS`; empty for the one that draws
        vertebral bodies, or everything, on images of the modality.
    device : str
        ``gpu``, ``cpu`` or ``gpu:1``.
    most_seconds : float
        It is ended when it takes longer.
    """

    task: str = ""
    device: str = "gpu"
    most_seconds: float = MOST_SECONDS

    def wrong(self) -> Iterator[tuple[str, str, str]]:
        """Yield what the types cannot tell: key, what was found, what was expected."""
        if self.task and self.task not in TASKS:
            yield "task", f"the task {self.task!r}", "one of " + ", ".join(TASKS)
        if not 0 < self.most_seconds < float("inf"):
            yield "most_seconds", f"{self.most_seconds} s", "a time above 0 s"


class MaskSources(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where labels come from.

    Parameters
    ----------
    sources : tuple of str
        In the order in which a label is looked for; the first that holds it is taken:
        ``seg`` (DICOM SEG in the study), ``beside`` (label files below the folder of
        masks, or beside the images), ``marks`` (saved readings of the study),
        ``threshold`` and ``totalsegmentator``. Empty: DICOM SEG in the study and every
        file below the folder of masks, and a label that two of them hold is an error.
    beside : str or tuple of str
        Paths of label files below the folder of masks, else below the study's own
        folder: shell patterns in which ``{study_uid}``, ``{series_uid}``, ``{patient}``
        (the pseudonym), ``{patient_id}`` and ``{date}`` are replaced. Empty: every label
        file there is.
    table : str
        Names by number, of `osteotrace.segmentation.label_names.TABLES`, for files that
        state none.
    resample : bool
        Whether labels of the same frame of reference on another grid are moved onto that
        of the image, which is noted with every value.
    threshold : tuple of Threshold
    totalsegmentator : Program
    """

    sources: tuple[Source, ...] = ()
    beside: Patterns = ()
    table: str = ""
    resample: bool = False
    threshold: tuple[Threshold, ...] = ()
    totalsegmentator: Program = Program()

    def wrong(self) -> Iterator[tuple[str, str, str]]:
        """Yield what the types cannot tell: key, what was found, what was expected."""
        if len(set(self.sources)) < len(self.sources):
            yield "sources", "one source twice", "each source once"
        for pattern in patterns(self.beside):
            if problem := _unsafe(pattern):
                yield (
                    "beside",
                    problem,
                    (
                        "a path below the folder of masks, with "
                        + ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
                        + " where wanted"
                    ),
                )
        if self.table and self.table not in TABLES:
            yield "table", f"the table {self.table!r}", "one of " + ", ".join(TABLES)

    def wrong_together(self) -> Iterator[tuple[str, str, str]]:
        """Yield, as `wrong`, what does not go together with the tables within."""
        if self.threshold and "threshold" not in self.sources:
            found = "a threshold that is no source"
            yield "sources", found, '"threshold" among the sources'
        if "threshold" in self.sources and not self.threshold:
            found = "a threshold without a label"
            yield "sources", found, "[[masks.threshold]] with one"
        if self.beside and self.sources and "beside" not in self.sources:
            yield "beside", "files that are no source", '"beside" among the sources'
        if self.totalsegmentator != Program() and "totalsegmentator" not in self.sources:
            found = "a program that is no source"
            yield "sources", found, '"totalsegmentator" among the sources'
        names = [one.label for one in self.threshold]
        if len(set(names)) < len(names):
            yield "threshold", "one label twice", "each label once"


def _unsafe(pattern: str) -> str:
    """Return why a pattern is no path below a folder, empty where it is."""
    if not pattern.strip():
        return "an empty path"
    if "\\" in pattern or "\0" in pattern or ":" in pattern:
        return f"{pattern!r} with a sign that is none of a path's"
    if pattern.startswith(("/", "~")) or ".." in pattern.split("/"):
        return f"{pattern!r}, which leads out of the folder"
    bare = pattern
    for name in PLACEHOLDERS:
        bare = bare.replace(f"{{{name}}}", "")
    return f"{pattern!r} with an unknown placeholder" if set("{}") & set(bare) else ""
