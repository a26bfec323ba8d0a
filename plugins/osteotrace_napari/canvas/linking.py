"""Two studies of a patient linked in mm: where a place of one lies in the other.

Nothing here knows of a canvas. The transform is the library's; beside it stands what the
reader said: which of slice, cursor and zoom go together, and by how much the sides were
shifted by hand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from osteotrace.geometry import angle_deg

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from osteotrace.alignment import Alignment, RigidTransform
    from osteotrace.geometry import Array
    from osteotrace.regions import Point
    from osteotrace.volume import Volume

LinkName = Literal["slices", "cursor", "zoom"]
LINKS: Final[tuple[LinkName, ...]] = ("slices", "cursor", "zoom")
# Two planes whose angle shows as 0.0° are parallel.
PARALLEL_DEG: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """Two studies that are compared.

    Parameters
    ----------
    earlier, later : Volume
    alignment : Alignment or None
        From the earlier to the later one.
    why_not : str
        Why there is none, in words.
    """

    earlier: Volume
    later: Volume
    alignment: Alignment | None = None
    why_not: str = ""

    @property
    def transform(self) -> RigidTransform | None:
        """From the earlier frame of reference to the later one, if it is known."""
        return None if self.alignment is None else self.alignment.transform

    @property
    def volumes(self) -> tuple[Volume, Volume]:
        """The earlier and the later volume."""
        return self.earlier, self.later

    @property
    def days(self) -> tuple[str, str]:
        """The dates of the two, or which is which where a date is missing or twice."""
        first, second = (volume.identity.date for volume in self.volumes)
        if first and second and first != second:
            return first, second
        return "the earlier study", "the later study"

    def of_same_volumes(self, other: Pair | None) -> bool:
        """Tell whether another pair has the same two volumes on the same sides."""
        return (
            other is not None
            and other.earlier is self.earlier
            and other.later is self.later
        )


@dataclass(slots=True)
class Link:
    """How the two sides go together.

    Parameters
    ----------
    pair : Pair
    slices, cursor, zoom : bool
        What goes together. Without an alignment or a shift by hand nothing does.
    shift : (3,) array or None
        mm in the later frame, added to where the transform leads; without a transform
        it leads there alone.
    """

    pair: Pair
    slices: bool = True
    cursor: bool = True
    zoom: bool = True
    shift: Array | None = field(default=None)

    @property
    def can_link(self) -> bool:
        """Whether a place of one side has one in the other."""
        return self.pair.alignment is not None or self.shift is not None

    def is_on(self, name: LinkName) -> bool:
        """Tell whether slices, cursor or zoom go together now."""
        return self.can_link and bool(getattr(self, name))

    @property
    def any_on(self) -> bool:
        """Whether anything goes together now."""
        return any(self.is_on(name) for name in LINKS)

    def across(self, point: Point, source: Volume, target: Volume) -> Point | None:
        """Return where a place of one side lies in the other, LPS mm; None if unknown."""
        if source is target:
            return point
        if not self.can_link:
            return None
        transform = self.pair.transform
        place = np.array(point, dtype=np.float64)
        shift = np.zeros(3) if self.shift is None else self.shift
        if source is self.pair.earlier:
            place = shift + (place if transform is None else transform.apply(place))
        else:
            place = place - shift
            place = place if transform is None else transform.inverse.apply(place)
        x, y, z = place.tolist()
        return x, y, z

    def hold(self, earlier: Point, later: Point) -> None:
        """Link as the sides stand now: two places that are to go together."""
        self.shift = None
        transform = self.pair.transform
        there = np.array(earlier) if transform is None else transform.apply(earlier)
        self.shift = np.asarray(np.array(later) - there, dtype=np.float64)

    def status(self, point: Point | None) -> tuple[str, bool]:
        """Return what is known of the registration at a place, and if it is a warning.

        Parameters
        ----------
        point : (x, y, z) or None
            LPS mm of the earlier study.
        """
        alignment = self.pair.alignment
        if alignment is None:
            why = self.pair.why_not or "the two studies were not registered"
            words = [f"not aligned: {why}"]
        elif alignment.pair == "same frame":
            words = [alignment.as_text]
        else:
            at = alignment.centre if point is None else point
            words = [
                f"registration u {alignment.uncertainty_at(at):.2f} mm, "
                f"{alignment.similarity_measure} {alignment.similarity:.3f}"
            ]
        if self.shift is not None:
            words.append(f"shifted by hand, {np.linalg.norm(self.shift):.1f} mm")
        off = [name for name in LINKS if not self.is_on(name)]
        if off and (self.can_link or alignment is not None):
            words.append(
                "not linked" if len(off) == len(LINKS) else f"{', '.join(off)} not linked"
            )
        return " · ".join(words), alignment is None or self.shift is not None

    def angle_between(self, earlier: ArrayLike, later: ArrayLike) -> float:
        """Return the angle between two planes by what lies across them, 0 to 90°.

        Parameters
        ----------
        earlier, later : (3,) array
            Directions, each in its own study.
        """
        transform = self.pair.transform
        across = earlier if transform is None else transform.direction(earlier)
        angle = angle_deg(across, later)
        return min(angle, 180.0 - angle)
