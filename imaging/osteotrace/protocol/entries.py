"""What a protocol can ask for: one entry type a measurement, each with its own keys.

Entries are checked by the TOML reader; nothing here measures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Literal

from osteotrace.errors import OsteotraceError
from osteotrace.measurements.angle import ANGLES
from osteotrace.measurements.doubts import Walls
from osteotrace.measurements.edge_pairs import Between
from osteotrace.measurements.vertebra.levels import checked
from osteotrace.protocol.entry import Entry, Where
from osteotrace.regions import Point

if TYPE_CHECKING:
    from collections.abc import Iterator

# Landmarks that fix a plane.
LEAST_LANDMARKS: Final = 3
# What a caliper's length may be recorded as.
LENGTHS: Final = (
    "distance", "palatal_gap_ap", "palatal_gap_transverse", "palatal_gap_on_line",
    "soft_tissue_notch", "soft_tissue_shortening", "longest_diameter",
    "lucent_rim_width", "cortical_thickness", "sclerotic_rim_thickness",
    "periosteal_thickness", "periosteal_length", "height_anterior", "height_middle",
    "height_posterior", "endplate_depression_superior", "endplate_depression_inferior",
    "bone_width_left", "bone_width_right", "landmark_asymmetry", "premaxilla_depression",
)  # fmt: skip
# The six points of a vertebra, by the key that a protocol gives each.
SIX_POINTS: Final = tuple(
    f"{endplate}_{place}"
    for endplate in ("superior", "inferior")
    for place in ("anterior", "middle", "posterior")
)


class CaliperEntry(Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One caliper.

    Parameters
    ----------
    quantity : str
        One of `LENGTHS`, keys of `osteotrace.codes.QUANTITIES`: what the value is
        recorded as.
    start, end : (x, y, z)
        Rough points.
    snap : bool
        False measures between the points as they are.
    between, walls : str
        As in `osteotrace.measurements.caliper.measure`.
    """

    quantity: str
    start: Point
    end: Point
    snap: bool = True
    between: Between = "auto"
    walls: Walls = "any"

    def wrong(self) -> Iterator[tuple[str, str, str]]:
        if self.quantity not in LENGTHS:
            yield (
                "quantity",
                f"{self.quantity!r}, which is no length",
                "one of " + ", ".join(LENGTHS),
            )
        yield from _same(self.start, self.end)


class AngleEntry(Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An angle: three points, or two lines.

    Parameters
    ----------
    quantity : str
        One of `osteotrace.measurements.angle.ANGLES`; three points are an ``angle``.
    start, vertex, end : (x, y, z)
        The ends of the arms and where they meet, or
    first_start, first_end, second_start, second_end : (x, y, z)
        the ends of both lines.
    """

    quantity: str = "angle"
    start: Point | None = None
    vertex: Point | None = None
    end: Point | None = None
    first_start: Point | None = None
    first_end: Point | None = None
    second_start: Point | None = None
    second_end: Point | None = None
    primary: ClassVar[str] = "angle"
    kind: str = "region"
    site: str = "jaw"

    @property
    def arms(self) -> tuple[Point | None, ...]:
        """The three points: start, vertex, end."""
        return self.start, self.vertex, self.end

    @property
    def lines(self) -> tuple[Point | None, ...]:
        """The ends of the first line, then those of the second."""
        return self.first_start, self.first_end, self.second_start, self.second_end

    def wrong(self) -> Iterator[tuple[str, str, str]]:
        if self.quantity not in ANGLES:
            found = f"{self.quantity!r}, which is no angle"
            yield "quantity", found, "one of " + ", ".join(ANGLES)
        given = [sum(p is not None for p in part) for part in (self.arms, self.lines)]
        if given not in ([3, 0], [0, 4]):
            key = "start" if given[0] else "first_start"
            found = f"{given[0]} of start, vertex, end and {given[1]} ends of lines"
            yield key, found, "start, vertex and end, or both ends of two lines"
        elif given[0] and self.quantity != "angle":
            yield (
                "quantity",
                f"{self.quantity!r} of three points",
                "'angle', or two lines",
            )


class PalatalDefectEntry(Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A palatal bony defect: two rough points on its stumps, or one seed in it."""

    start: Point | None = None
    end: Point | None = None
    seed: Point | None = None
    primary: ClassVar[str] = "palatal_gap_ap"
    kind: str = "palatal_bony_defect"
    site: str = "hard_palate"

    def wrong(self) -> Iterator[tuple[str, str, str]]:
        pair = (self.start is not None) + (self.end is not None)
        if (pair, self.seed is not None) not in {(2, False), (0, True)}:
            key = "start" if self.start is not None else "seed"
            yield key, f"{pair} of start and end", "start and end, or a seed alone"
        elif self.start is not None:
            yield from _same(self.start, self.end)


class SoftTissueGapEntry(Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A soft-tissue gap: two rough points, and what the distance between them means."""

    start: Point
    end: Point
    meaning: Literal["notch_width", "shortening"] = "notch_width"
    primary: ClassVar[str] = "soft_tissue_notch"
    kind: str = "soft_tissue_defect"
    site: str = "premaxilla"

    def wrong(self) -> Iterator[tuple[str, str, str]]:
        yield from _same(self.start, self.end)


class SequestraEntry(Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sequestra inside a marked region: one finding for all, and one a fragment."""

    region: Where
    primary: ClassVar[str] = "fragment_count"
    kind: str = "sequestrum"
    site: str = "jaw"


class GasEntry(Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Gas inside a marked region; ``airway`` is what does not count."""

    region: Where
    airway: Where | None = None
    primary: ClassVar[str] = "gas_volume"
    kind: str = "gas"
    site: str = "jaw"


class MothEatenEntry(Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Moth-eaten destruction inside a region; ``reference`` is the unaffected side."""

    region: Where
    reference: Where | None = None
    primary: ClassVar[str] = "cortical_breach_fraction"
    kind: str = "moth_eaten"
    site: str = "jaw"

    def wrong(self) -> Iterator[tuple[str, str, str]]:
        if self.region == self.reference:
            yield "reference", "the region itself", "a region of the unaffected side"


class ScleroticRimEntry(Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sclerotic rim around a lesion."""

    lesion: Where
    primary: ClassVar[str] = "sclerotic_rim_thickness"
    kind: str = "sclerotic_rim"
    site: str = "jaw"


class PeriostealReactionEntry(
    Entry, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """Periosteal reaction inside a marked region."""

    region: Where
    primary: ClassVar[str] = "periosteal_thickness"
    kind: str = "periosteal_reaction"
    site: str = "jaw"


class VertebraEntry(Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A vertebra, by its six points or by the mask of its body.

    Parameters
    ----------
    level : str
        ``"L1"`` and so on; the site follows from it. Or
    levels : ``"all"`` or tuple of str
        every level with a label, or these, each of them a finding; ``{level}`` in the
        label and in the body is the level.
    points : mapping of str to (x, y, z)
        The six of `SIX_POINTS`, or
    body : Where
        the mask of the body; with ``levels`` it may be left out: the label of the body,
        else of the whole vertebra, by its standard name.
    fractured, cemented : bool
        Whether the level is no reference for its neighbours. Of ``levels`` those are none
        that are graded as fractured or hold cement.
    """

    level: str = ""
    levels: Literal["all"] | tuple[str, ...] = ()
    points: dict[str, Point] | None = None
    body: Where | None = None
    fractured: bool = False
    cemented: bool = False
    primary: ClassVar[str] = "height_anterior"
    kind: str = "vertebra"
    site: str = "spine"

    def wrong(self) -> Iterator[tuple[str, str, str]]:
        if self.levels:
            yield from self._wrong_levels(self.levels)
            return
        try:
            checked(self.level)
        except OsteotraceError as problem:
            yield "level", problem.found, problem.expected
        if (self.points is None) == (self.body is None):
            yield "points", "both or neither of points and body", "one of the two"
        if self.points is not None and set(self.points) != set(SIX_POINTS):
            yield "points", ", ".join(self.points), "the six " + ", ".join(SIX_POINTS)
        if self.points is not None and len(set(self.points.values())) < len(self.points):
            yield "points", "one place for two of them", "six different points"

    def _wrong_levels(
        self, levels: str | tuple[str, ...]
    ) -> Iterator[tuple[str, str, str]]:
        for level in () if isinstance(levels, str) else levels:
            try:
                checked(level)
            except OsteotraceError as problem:
                yield "levels", problem.found, problem.expected
        if not isinstance(levels, str) and len(set(levels)) < len(levels):
            yield "levels", "one level twice", "each level once"
        if self.level or self.points is not None:
            key = "level" if self.level else "points"
            yield key, f"{key} beside levels", "levels alone, or one level"
        label = None if self.body is None else self.body.label
        if self.body is not None and "{level}" not in (label or ""):
            yield "body", "one body for several levels", 'a label with "{level}" in it'


class CementEntry(Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bone cement inside a region; ``body`` tells what leaked out of the vertebra."""

    region: Where
    body: Where | None = None
    primary: ClassVar[str] = "cement_volume"
    kind: str = "cement"
    site: str = "spine"


class MarrowEdemaEntry(Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Marrow edema: a marked region, or a seed that is grown to it.

    Parameters
    ----------
    edema : Where
        The accepted region, or
    seed, reference : (x, y, z) and Where
        a point in the edema and a region of normal marrow; ``within`` bounds the growing.
    bone, muscle : Where
        What the percentage and the signal ratio refer to.
    """

    edema: Where | None = None
    seed: Point | None = None
    reference: Where | None = None
    within: Where | None = None
    bone: Where | None = None
    muscle: Where | None = None
    primary: ClassVar[str] = "edema_volume"
    kind: str = "marrow_edema"
    site: str = "jaw"

    def wrong(self) -> Iterator[tuple[str, str, str]]:
        if (self.edema is None) == (self.seed is None):
            yield "edema", "both or neither of edema and seed", "one of the two"
        grown_from = {"reference": self.reference, "within": self.within}
        for key, where in grown_from.items():
            if self.seed is None and where is not None:
                yield key, f"{key} without a seed", "a seed, or no other key beside edema"
        if self.seed is not None and self.reference is None:
            yield "reference", "a seed without a reference", "a region of normal marrow"


class ExpansionEntry(Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bone expansion: the masks of the same bone on the left and on the right.

    Parameters
    ----------
    left, right : Where
        The bone on either side of the patient.
    midline : mapping of str to (x, y, z)
        Landmarks that the plane of symmetry is fitted to (`MIDLINE` of
        `osteotrace.measurements.symmetry_plane`); without them it lies half way.
    at : float
        mm along the bone from the midline where the width is measured; half way along
        the shorter side by default.
    """

    left: Where
    right: Where
    midline: dict[str, Point] | None = None
    at: float | None = None
    primary: ClassVar[str] = "asymmetry_index"
    kind: str = "bone_expansion"
    site: str = "mandible"

    def wrong(self) -> Iterator[tuple[str, str, str]]:
        if self.left == self.right:
            yield "right", "the region of the left side", "that of the other side"
        if self.midline is not None and len(self.midline) < LEAST_LANDMARKS:
            found = f"{len(self.midline)} landmarks"
            yield "midline", found, f"at least {LEAST_LANDMARKS} on the midline"


class IntensityEntry(Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Statistics of the values in a region."""

    region: Where
    primary: ClassVar[str] = "mean_value"
    kind: str = "region"
    site: str = "jaw"


class AbsentEntry(Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A lesion that was looked for on a series and is not there: nothing is measured.

    It is what a follow-up says of a lesion that is gone; where nobody looked, nothing
    is said.
    """


# The entry types by the name of their TOML table, those that measure.
TABLES: Final[dict[str, type[Entry]]] = {
    "caliper": CaliperEntry,
    "angle": AngleEntry,
    "palatal_defect": PalatalDefectEntry,
    "soft_tissue_gap": SoftTissueGapEntry,
    "sequestra": SequestraEntry,
    "gas": GasEntry,
    "moth_eaten": MothEatenEntry,
    "sclerotic_rim": ScleroticRimEntry,
    "periosteal_reaction": PeriostealReactionEntry,
    "vertebra": VertebraEntry,
    "cement": CementEntry,
    "marrow_edema": MarrowEdemaEntry,
    "expansion": ExpansionEntry,
    "intensity": IntensityEntry,
}
# What a protocol states beside.
ABSENT: Final = "absent"


def _same(start: Point | None, end: Point | None) -> Iterator[tuple[str, str, str]]:
    if start == end:
        yield "end", "an end that is the start", "two different points"
