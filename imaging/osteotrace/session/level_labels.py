"""The labelled vertebrae of a session: each change of them is one undoable command."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import as_stored
from osteotrace.session import levels as labels
from osteotrace.session.changes import LevelsChange
from osteotrace.session.levels import LabelledLevel, Levels, column, head_first

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import ArrayLike

    from osteotrace.regions import Mask, Point
    from osteotrace.session.session import Session
    from osteotrace.volume import Volume


class LevelLabels:
    """The labels of the levels of each frame of reference.

    Parameters
    ----------
    session : Session
        What holds them, and keeps each change of them on disk.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, volume: Volume) -> Levels | None:
        """Return the labels in a volume's frame of reference, None without any."""
        return self._in(volume.frame_of_reference_uid)

    def add(self, volume: Volume, point: ArrayLike) -> Levels:
        """Label one more body; see `levels.with_point`.

        Raises
        ------
        OsteotraceError
            Also where the point lies beside the images.
        """
        if not (np.isfinite(point).all() and volume.grid.contains(point)):
            raise OsteotraceError(
                "a click beside the image",
                expected="one click in each vertebral body",
                advice="click into a body that is seen",
                usage=True,
            )
        return self._change(
            "level labelled", labels.with_point(self._begun(volume), point)
        )

    def remove(self, volume: Volume, point: ArrayLike) -> Levels:
        """Take the label nearest to a point away."""
        return self._change(
            "label of a level removed", labels.without_point(self._begun(volume), point)
        )

    def move(self, volume: Volume, level: str, point: ArrayLike) -> Levels:
        """Put the label of a level somewhere else."""
        return self._change(
            f"label of {level} moved", labels.moved(self._begun(volume), level, point)
        )

    def name(self, volume: Volume, at: int, level: str) -> Levels:
        """Name one of the labels; the others follow. See `levels.named`."""
        return self._change(
            f"levels named from {level}", labels.named(self._begun(volume), at, level)
        )

    def shift(self, volume: Volume, by: int) -> Levels:
        """Name every label so many levels further down."""
        return self._change(
            f"levels shifted by {by}", labels.shifted(self._begun(volume), by)
        )

    def count(self, volume: Volume, **counts: Any) -> Levels:
        """Count another number of vertebrae, or other transitional levels.

        Parameters as in `levels.counted`.
        """
        return self._change(
            "vertebrae counted", labels.counted(self._begun(volume), **counts)
        )

    def confirm(self, volume: Volume) -> Levels:
        """Confirm names and count."""
        return self._change("levels confirmed", labels.confirmed(self._begun(volume)))

    def take_from(self, masks: Mapping[str, Mask]) -> Levels:
        """Take labels from masks in place of those that are there, to be confirmed."""
        return self._change("levels taken from masks", levels_from_masks(masks))

    def _in(self, frame: str) -> Levels | None:
        every = self._session.draft.levels
        return next((x for x in every if x.frame_of_reference_uid == frame), None)

    def _begun(self, volume: Volume) -> Levels:
        self._session.check_read(volume)
        frame = volume.frame_of_reference_uid
        return self._in(frame) or Levels(frame_of_reference_uid=frame)

    def _change(self, what: str, after: Levels) -> Levels:
        frame, before = after.frame_of_reference_uid, self._session.draft.levels
        kept = tuple(x for x in before if x.frame_of_reference_uid != frame)
        every = (*kept, after) if after.labels else kept
        if every != before:
            self._session.commit(what, LevelsChange(before=before, after=every))
        return after


def levels_from_masks(masks: Mapping[str, Mask]) -> Levels:
    """Return labels proposed from masks of vertebrae: one in the middle of each.

    Parameters
    ----------
    masks : mapping of str to Mask
        By label: ``"L1"``, ``"vertebrae_L1"`` or ``"L1 body"``, which goes first; labels
        that name no vertebra are left out.

    Raises
    ------
    OsteotraceError
        If no label names a vertebra, or the masks lie in different frames of reference.
    """
    from osteotrace.segmentation.label_names import standard_name

    whole: dict[str, Mask] = {}
    bodies: dict[str, Mask] = {}
    known = set(column(13, 6))
    for label, mask in masks.items():
        level, _, part = standard_name(label).partition(" ")
        if level in known and part in ("", "body"):
            (bodies if part else whole)[level] = mask
    chosen = {**whole, **bodies}
    frames = {mask.frame_of_reference_uid for mask in chosen.values()}
    if len(frames) != 1:
        raise OsteotraceError(
            f"masks of {len(chosen)} vertebrae in {len(frames)} frames of reference",
            expected="masks named after vertebrae, such as L1, in one frame of reference",
            advice="import masks of this study, and check what their labels are called",
            usage=True,
        )
    proposed = (
        LabelledLevel(level=level, point=_middle(mask)) for level, mask in chosen.items()
    )
    return Levels(
        frame_of_reference_uid=frames.pop(),
        labels=head_first(proposed),
        thoracic=13 if "T13" in chosen else labels.USUAL_THORACIC,
        lumbar=6 if "L6" in chosen else labels.USUAL_LUMBAR,
        transitional=tuple(level for level in ("T13", "L6") if level in chosen),
        anchor=min(chosen, key=column(13, 6).index),
    )


def gaps(levels: Levels) -> list[str]:
    """Return what is missing or doubled among the names, in sentences."""
    order, said = column(13, 6), []
    if any(levels.names) and not levels.is_named:
        count = levels.names.count("")
        one = "a label has" if count == 1 else f"{count} labels have"
        said.append(f"{one} no name: remove it, or name one label again")
    places = [order.index(name) for name in levels.names if name in order]
    for upper, lower in itertools.pairwise(places):
        between = [
            name
            for name in order[upper + 1 : lower]
            if name in column(levels.thoracic, levels.lumbar)
        ]
        if lower <= upper:
            said.append(f"{order[lower]} lies below {order[upper]}")
        elif between:
            one = " is" if len(between) == 1 else " are"
            said.append(f"{', '.join(between)}{one} not labelled")
    return said


def doubts(levels: Levels | None, level: str, points: Iterable[ArrayLike]) -> list[str]:
    """Return what the labels say against a vertebra that is measured, in sentences.

    Parameters
    ----------
    levels : Levels or None
        None where the levels of this frame of reference were not labelled.
    level : str
        What the vertebra is called.
    points : iterable of (x, y, z)
        Its marks, LPS mm.
    """
    name = level.strip().upper()
    if levels is None or not any(levels.names):
        return [f"levels not labelled: {name} is as the reader called it"]
    said = []
    if not levels.confirmed:
        said.append("levels not confirmed")
    if name not in levels.names:
        said.append(f"{name} is not among the labelled levels")
    marks = np.array([np.asarray(point, dtype=np.float64) for point in points])
    near = levels.nearest(marks.mean(axis=0)) if len(marks) else None
    if near is not None and name in levels.names and near.level != name:
        other = f"the label of {near.level}" if near.level else "a label without a name"
        said.append(f"the marks of {name} lie nearest to {other}")
    if name in levels.transitional:
        said.append(f"{name} is labelled as a transitional level")
    return said


def _middle(mask: Mask) -> Point:
    return as_stored(mask.grid.to_patient(np.argwhere(mask.voxels)).mean(axis=0))
