"""Which vertebra is which: the reader's labels of all visible levels, from head to foot.

A reader clicks each vertebral body, names one of them, and the rest follow; the count of
thoracic and lumbar vertebrae, and any transitional level, are the reader's to confirm.
Nothing is guessed: labels have no name before one of them was given one. Records are
frozen; each function returns the labels as they are after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import as_stored, distance
from osteotrace.regions import Point

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike

# Vertebrae with ribs, and lumbar ones, that people are met with.
Thoracic = Literal[11, 12, 13]
Lumbar = Literal[4, 5, 6]
USUAL_THORACIC: Final = 12
USUAL_LUMBAR: Final = 5
# Two labels nearer than this mark one vertebra: no body is this low.
LEAST_APART_MM: Final = 3.0
# Levels that may be of a transitional form, between two parts of the spine.
JUNCTIONS: Final = ("T11", "T12", "T13", "L1", "L4", "L5", "L6", "S1")


class LabelledLevel(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """One vertebral body and what it is called.

    Parameters
    ----------
    level : str
        ``"L1"``; empty before it was named.
    point : (x, y, z)
        In the body, LPS mm, float32-representable.
    """

    level: str
    point: Point


class Levels(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The labelled levels of one frame of reference.

    Parameters
    ----------
    frame_of_reference_uid : str
        FrameOfReferenceUID (0020,0052) that the points live in.
    labels : tuple of LabelledLevel
        From head to foot.
    thoracic, lumbar : int
        How many vertebrae of either kind the spine is taken to have.
    transitional : tuple of str
        Levels of a transitional form, such as an L5 that is one with the sacrum.
    anchor : str
        The level that the reader named; the others follow from it.
    confirmed : bool
        Whether the reader confirmed names and count.
    """

    frame_of_reference_uid: str
    labels: tuple[LabelledLevel, ...] = ()
    thoracic: Thoracic = USUAL_THORACIC
    lumbar: Lumbar = USUAL_LUMBAR
    transitional: tuple[str, ...] = ()
    anchor: str = ""
    confirmed: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the labels, from head to foot."""
        return tuple(label.level for label in self.labels)

    @property
    def is_named(self) -> bool:
        """Whether the labels have names."""
        return bool(self.labels) and all(self.names)

    def point(self, level: str) -> Point | None:
        """Return where a level was labelled, None where it was not."""
        return next((x.point for x in self.labels if x.level == level.upper()), None)

    def nearest(self, point: ArrayLike) -> LabelledLevel | None:
        """Return the label nearest to an LPS mm point, None without labels."""
        return min(self.labels, key=lambda x: distance(x.point, point), default=None)

    def beside(self, level: str, *, downwards: bool = True) -> str:
        """Return the next labelled level in a direction; empty at the end."""
        names = [name for name in self.names if name]
        if level.upper() not in names:
            return ""
        at = names.index(level.upper()) + (1 if downwards else -1)
        return names[at] if 0 <= at < len(names) else ""


def column(thoracic: int = USUAL_THORACIC, lumbar: int = USUAL_LUMBAR) -> tuple[str, ...]:
    """Return the names of the vertebrae of a spine, from C1 to S5."""
    counts = (("C", 7), ("T", thoracic), ("L", lumbar), ("S", 5))
    return tuple(f"{part}{n}" for part, count in counts for n in range(1, count + 1))


def with_point(levels: Levels, point: ArrayLike) -> Levels:
    """Return the labels with one more body, not confirmed any more.

    Where the labels have names, the new one gets the name that is missing there, or the
    next at either end. Where none is missing it has no name, until the reader names one
    of the labels again: the others are never renamed.

    Raises
    ------
    OsteotraceError
        If a label lies there already, or the spine has no name for it.
    """
    new = LabelledLevel(level="", point=as_stored(point))
    near = levels.nearest(new.point)
    if near is not None and distance(near.point, new.point) < LEAST_APART_MM:
        raise OsteotraceError(
            f"a second label {distance(near.point, new.point):.1f} mm from "
            + (near.level or "the last one"),
            expected="one click in each vertebral body",
            advice="click the next body, or take the label away first",
            usage=True,
        )
    every = head_first((*levels.labels, new))
    at = every.index(new)
    upper, lower = levels.names[:at], levels.names[at:]
    order = column(levels.thoracic, levels.lumbar)
    return _relabelled(levels, every, [*upper, _between(order, upper, lower), *lower])


def _between(order: tuple[str, ...], upper: Sequence[str], lower: Sequence[str]) -> str:
    """Return the name of a body between others; empty where none is free there."""
    above, below = upper[-1] if upper else "", lower[0] if lower else ""
    if not upper and below:
        return _further(order, below, -1)
    if (not lower and above) or _steps(order, above, below) > 1:
        return _further(order, above, 1)
    return ""


def without_point(levels: Levels, point: ArrayLike) -> Levels:
    """Return the labels without the one nearest to a point, not confirmed any more.

    Names on the side away from the level that the reader named close up.
    """
    gone = levels.nearest(point)
    if gone is None:
        return levels
    at = levels.labels.index(gone)
    labels = (*levels.labels[:at], *levels.labels[at + 1 :])
    names, order = list(levels.names), column(levels.thoracic, levels.lumbar)
    upper, lower = names[:at], names[at + 1 :]
    if upper and lower and levels.is_named:
        if levels.anchor in lower:
            upper = [_further(order, name, 1) for name in upper]
        else:
            lower = [_further(order, name, -1) for name in lower]
    return _relabelled(levels, labels, [*upper, *lower])


def moved(levels: Levels, level: str, point: ArrayLike) -> Levels:
    """Return the labels with one of them somewhere else, by its name.

    Raises
    ------
    OsteotraceError
        If there is no such label.
    """
    if levels.point(level) is None:
        raise OsteotraceError(
            f"the level {level!r}, which is not labelled",
            expected="one of " + (", ".join(levels.names) or "the labels, once named"),
            advice="label the vertebra first",
            usage=True,
        )
    name = level.upper()
    places = (point if x.level == name else x.point for x in levels.labels)
    labels = head_first(LabelledLevel(level="", point=as_stored(x)) for x in places)
    return _relabelled(levels, labels, levels.names)


def named(levels: Levels, at: int, level: str) -> Levels:
    """Return the labels named from one of them; the others follow, up and down.

    Labels that have names keep their distance: none is closed up where a level between
    them is not labelled. They move on by one for each that has none.

    Parameters
    ----------
    at : int
        Which of the labels, 0 for the uppermost, -1 for the lowest.
    level : str
        What it is called.

    Raises
    ------
    OsteotraceError
        If there is no such level, or the labels reach beyond the spine.
    """
    if not -len(levels.labels) <= at < len(levels.labels):
        raise unlabelled()
    at %= len(levels.labels)
    return _named(levels, at, level, _steps_from(levels, at))


def _named(levels: Levels, at: int, level: str, steps: Sequence[int]) -> Levels:
    """Return the labels so many levels below the one that is named."""
    name = level.strip().upper()
    thoracic, lumbar = levels.thoracic, levels.lumbar
    # Whoever names a thirteenth or a sixth vertebra has counted it.
    if name == "T13":
        thoracic = 13
    if name == "L6":
        lumbar = 6
    names = column(thoracic, lumbar)
    if name not in names:
        raise OsteotraceError(
            f"the level {level!r} in a spine of {thoracic} thoracic and {lumbar} lumbar "
            "vertebrae",
            expected=f"a level from C1 to L{lumbar}, or S1",
            advice="name the vertebra, e.g. L1, or change the count first",
            usage=True,
        )
    places = [names.index(name) + step for step in steps]
    if min(places) < 0 or max(places) >= len(names):
        raise OsteotraceError(
            f"{len(levels.labels)} labels, number {at + 1} {name}: beyond the spine",
            expected="labels between C1 and the sacrum",
            advice="check the count of labels, or name another one",
            usage=True,
        )
    return msgspec.structs.replace(
        levels,
        labels=tuple(
            LabelledLevel(level=names[place], point=label.point)
            for place, label in zip(places, levels.labels, strict=True)
        ),
        thoracic=thoracic,
        lumbar=lumbar,
        anchor=name,
        confirmed=False,
    )


def _steps_from(levels: Levels, at: int) -> list[int]:
    """Return how many levels each label lies below one of them."""
    above = _steps_on(levels, levels.names[at::-1])
    return [-step for step in above[:0:-1]] + _steps_on(levels, levels.names[at:])


def _steps_on(levels: Levels, names: Sequence[str]) -> list[int]:
    """Return how many levels each label lies from the first, going one way."""
    order = column(levels.thoracic, levels.lumbar)
    steps, known = [0], (names[0], 0)
    for name in names[1:]:
        apart = known[1] + abs(_steps(order, known[0], name))
        steps.append(max(steps[-1] + 1, apart))
        if name:
            known = name, steps[-1]
    return steps


def shifted(levels: Levels, by: int) -> Levels:
    """Return the labels with every name so many levels further down: L1 becomes L2.

    Raises
    ------
    OsteotraceError
        If they have no names yet, or reach beyond the spine.
    """
    if not levels.is_named:
        raise unlabelled()
    names = column(levels.thoracic, levels.lumbar)
    first = names.index(levels.names[0]) + by
    if not 0 <= first < len(names):
        raise OsteotraceError(
            f"labels that would begin {abs(by)} beyond {levels.names[0]}",
            expected="labels between C1 and the sacrum",
            advice="name one of the labels instead",
            usage=True,
        )
    return named(levels, 0, names[first])


def counted(
    levels: Levels,
    *,
    thoracic: Thoracic | None = None,
    lumbar: Lumbar | None = None,
    transitional: Iterable[str] | None = None,
) -> Levels:
    """Return the labels for another count of vertebrae; the level named stays.

    Parameters
    ----------
    thoracic, lumbar : int, optional
        As in `Levels`; a sixth lumbar vertebra is a first sacral one that is free.
    transitional : iterable of str, optional
        Of `JUNCTIONS`.

    Raises
    ------
    OsteotraceError
        If a level cannot be transitional, or the level named does not exist then.
    """
    odd = tuple(levels.transitional if transitional is None else transitional)
    wrong = [level for level in odd if level not in JUNCTIONS]
    if wrong:
        raise OsteotraceError(
            f"{', '.join(wrong)} as a transitional level",
            expected="one of " + ", ".join(JUNCTIONS),
            advice="name a level between two parts of the spine",
            usage=True,
        )
    changed = msgspec.structs.replace(
        levels,
        thoracic=levels.thoracic if thoracic is None else thoracic,
        lumbar=levels.lumbar if lumbar is None else lumbar,
        transitional=odd,
        confirmed=False,
    )
    if not any(levels.names):
        return changed
    # There is a named level where there are names; see `_relabelled`.
    anchor, at = levels.anchor, levels.names.index(levels.anchor)
    return _named(changed, at, anchor, _steps_from(levels, at))


def confirmed(levels: Levels) -> Levels:
    """Return the labels as confirmed by the reader.

    Raises
    ------
    OsteotraceError
        If they have no names yet.
    """
    if not levels.is_named:
        raise unlabelled()
    return msgspec.structs.replace(levels, confirmed=True)


def _relabelled(
    levels: Levels, labels: Sequence[LabelledLevel], names: Sequence[str]
) -> Levels:
    """Return levels with these labels and names, from head to foot."""
    return msgspec.structs.replace(
        levels,
        labels=tuple(
            LabelledLevel(level=name, point=label.point)
            for label, name in zip(labels, names, strict=True)
        ),
        anchor=levels.anchor if levels.anchor in names else next(filter(None, names), ""),
        confirmed=False,
    )


def _steps(order: tuple[str, ...], upper: str, lower: str) -> int:
    """Return how many levels one name lies below another; 0 where one is not known."""
    if upper not in order or lower not in order:
        return 0
    return order.index(lower) - order.index(upper)


def _further(order: tuple[str, ...], level: str, by: int) -> str:
    """Return the name so many levels further down, or refuse what lies beyond."""
    at = order.index(level) + by if level in order else -1
    if not 0 <= at < len(order):
        raise OsteotraceError(
            f"a vertebra {'below' if by > 0 else 'above'} {level}",
            expected="labels between C1 and the sacrum",
            advice="check the names of the labels, or the count of vertebrae",
            usage=True,
        )
    return order[at]


def head_first(labels: Iterable[LabelledLevel]) -> tuple[LabelledLevel, ...]:
    """Return labels from head to foot."""
    # +z is towards the head.
    return tuple(sorted(labels, key=lambda label: -label.point[2]))


def unlabelled() -> OsteotraceError:
    """Return the refusal of levels that have no labels or names yet."""
    return OsteotraceError(
        "vertebrae that are not labelled",
        expected="a click in each visible vertebral body, and the name of one of them",
        advice="label the levels first",
        usage=True,
    )
