"""The way from any start to the places worth a closer look.

Candidates are fitted at the coarseness of the search, the better ones finer, and what
ends in one place is one. What remains is ranked: the best, and its rivals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.alignment.fitting import (
    FEW_STEPS,
    MOST_STEPS,
    SETTLED_MM,
    Fit,
    Target,
    by_correlation,
    by_information,
)
from osteotrace.alignment.judging import likeness
from osteotrace.alignment.poses import Pose
from osteotrace.alignment.sampling import edge_sample, even_sample
from osteotrace.alignment.searching import LEAST_OVERLAP, search, step_for
from osteotrace.volume import HOUNSFIELD

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from osteotrace.alignment.alignment import Pair
    from osteotrace.alignment.fitting import Sample
    from osteotrace.alignment.images import Prepared
    from osteotrace.alignment.transform import RigidTransform
    from osteotrace.geometry import Array

    Tell = Callable[[float], None]

# Candidates of the search that are fitted, and those of them that are fitted finer.
FITTED, FINER = 24, 6
# Points of the sample at each stage, and of the lattice that judges.
COARSE_POINTS, MIDDLE_POINTS, JUDGED_POINTS = 2_000, 8_000, 10_000
# Ends nearer than this many steps of the grid are one place.
SAME_PLACE: Final = 1.0
# How far from the best place others are looked for: vertebrae repeat after 15 to 40 mm.
PROBED_MM: Final = (17.0, 27.0, 37.0)
MOST_PROBES: Final = 3
# Where local fits begin, from the pose of the whole image.
LOCAL_TURN_DEG, LOCAL_SHIFT_MM = 4.0, 2.5
LOCAL_STEP_MM: Final = (1.0, 3.0)
# A step of the last fits by information moves no corner farther at the end, mm.
SETTLED_UNLIKE_MM: Final = 0.005
# Shares of the whole work, for progress.
SEARCHED, RANKED = 0.5, 0.75


@dataclass(frozen=True, slots=True, eq=False)
class Pairing:
    """Two studies made ready, and which of them is sampled.

    Parameters
    ----------
    pair : str
    earlier, later : Prepared
    """

    pair: Pair
    earlier: Prepared
    later: Prepared

    @property
    def alike(self) -> bool:
        """Both are CT: their grey values are the same, up to gain and offset."""
        return self.pair == "CT-CT"

    @property
    def later_is_sampled(self) -> bool:
        """The coarser image is sampled: its thick slices are then what they are."""
        coarse = [float(np.prod(p.spacing)) for p in (self.earlier, self.later)]
        return coarse[1] > coarse[0]

    @property
    def sampled(self) -> Prepared:
        """The image whose points are compared."""
        return self.later if self.later_is_sampled else self.earlier

    @property
    def read(self) -> Prepared:
        """The image in which they are read."""
        return self.earlier if self.later_is_sampled else self.later

    def forward(self, pose: Pose) -> Pose:
        """Return a pose from the sampled to the read image as earlier to later."""
        return pose.inverse if self.later_is_sampled else pose

    def start(self, transform: RigidTransform) -> Pose:
        """Return a transform from earlier to later as a pose of the sampled image."""
        way = transform.inverse if self.later_is_sampled else transform
        return Pose.from_transform(way, np.zeros(3))

    def fit(
        self,
        sample: Sample,
        target: Target,
        start: Pose,
        reach_mm: float,
        last: bool,
        robust: bool = False,
    ) -> Fit:
        """Fit a pose by what suits the pair; the last fits are the strict ones."""
        if self.alike:
            return by_correlation(
                sample,
                target,
                start,
                robust=robust,
                reach_mm=reach_mm,
                settled_mm=SETTLED_MM if last else 0.02 * reach_mm,
                most_steps=FEW_STEPS
                if len(sample.points) <= COARSE_POINTS
                else MOST_STEPS,
            )
        return by_information(
            sample,
            target,
            start,
            reach_mm=reach_mm,
            settled_mm=SETTLED_UNLIKE_MM if last else 0.01 * reach_mm,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where a fit ended, how alike the images are there, and how much was compared."""

    pose: Pose
    similarity: float
    overlap: float
    overlap_of_larger: float
    settled: bool

    @property
    def evidence(self) -> float:
        """What one image tells of the other, nats a point, times how much is compared.

        Likeness by chance is easily high where little is compared; this is not.
        """
        unexplained = max(1 - self.similarity**2, 1e-6)
        positive = self.similarity > 0
        return self.overlap * -0.5 * float(np.log(unexplained)) if positive else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """Both images at one coarseness."""

    pairing: Pairing
    step_mm: float
    sample: Sample
    lattice: Sample
    back: Sample
    target: Target
    back_target: Target

    @classmethod
    def of(cls, pairing: Pairing, step_mm: float, points: int) -> Level:
        """Return the level of cubes of a size."""
        own, other = pairing.sampled.coarse(step_mm), pairing.read.coarse(step_mm)
        return cls(
            pairing,
            step_mm,
            edge_sample(pairing.sampled, own, points, seed=1, onto_mm=0.0),
            even_sample(pairing.sampled, own, JUDGED_POINTS),
            even_sample(pairing.read, other, JUDGED_POINTS),
            Target(pairing.read, other),
            Target(pairing.sampled, own),
        )

    def fitted(self, start: Pose) -> Place:
        """Fit a pose at this level and judge where it ends."""
        pose = start.about(self.sample.points.mean(axis=0))
        fit = self.pairing.fit(
            self.sample, self.target, pose, 2 * self.step_mm, last=False
        )
        return self.judged(fit.pose, fit.settled)

    def judged(self, pose: Pose, settled: bool = True) -> Place:
        """Judge a pose by the even spread of points, from either side."""
        there = likeness(self.lattice, self.target, pose, alike=self.pairing.alike)
        back = likeness(
            self.back, self.back_target, pose.inverse, alike=self.pairing.alike
        )
        # The one that lies the more within the other says how much of it is compared.
        overlap = max(there.overlap, back.overlap)
        larger = min(there.overlap, back.overlap)
        return Place(pose, there.similarity, overlap, larger, settled)


def everywhere(pairing: Pairing, tell: Tell) -> tuple[list[Place], Level]:
    """Return the best place and its rivals, and the level at which they were judged."""
    step = step_for(pairing.earlier, pairing.later)
    candidates = _searched(pairing, step, tell)
    coarse = Level.of(pairing, step, COARSE_POINTS)
    places = _distinct([coarse.fitted(pose) for pose in candidates[:FITTED]], coarse)
    tell((SEARCHED + RANKED) / 2)
    finer = Level.of(pairing, step / 2, MIDDLE_POINTS)
    places = _distinct([finer.fitted(place.pose) for place in places[:FINER]], finer)
    for _ in range(MOST_PROBES):
        if not places:
            break
        best = places[0]
        probed = [finer.fitted(pose) for pose in _neighbours(best.pose, finer)]
        places = _distinct([*places, *probed], finer)
        if places[0] is best:
            break
    tell(RANKED)
    return places, finer


def _neighbours(pose: Pose, level: Level) -> list[Pose]:
    """Return a pose moved along the longest axis: a spine looks alike one level on."""
    corners = level.sample.corners()
    along = np.eye(3)[int(np.argmax(np.ptp(corners, axis=0)))]
    shifts = [way * mm * (pose.rotation @ along) for mm in PROBED_MM for way in (-1, 1)]
    return [pose.moved([0.0, 0.0, 0.0, *shift]) for shift in shifts]


def nearby(pairing: Pairing, start: Pose, tell: Tell) -> tuple[list[Place], Level]:
    """Return the same for a region that lies near where a global pose puts it."""
    step = float(np.clip(step_for(pairing.earlier), *LOCAL_STEP_MM))
    level = Level.of(pairing, step, MIDDLE_POINTS)
    begin = start.about(level.sample.points.mean(axis=0))
    places = [level.fitted(begin.moved(nudge)) for nudge in _nudges()]
    tell(RANKED)
    return _distinct(places, level), level


def _nudges() -> list[Array]:
    """Return no nudge, and one to either side along each axis, turned as well."""
    size = np.array([np.radians(LOCAL_TURN_DEG)] * 3 + [LOCAL_SHIFT_MM] * 3)
    ways = [np.zeros(6)]
    for axis in range(3):
        for way in (-1.0, 1.0):
            nudge = np.zeros(6)
            nudge[axis], nudge[3 + axis] = way, way
            ways.append(nudge * size)
    return ways


def _searched(pairing: Pairing, step: float, tell: Tell) -> list[Pose]:
    """Return the poses of the search, from the sampled to the read image."""
    first, second = pairing.sampled, pairing.read
    # Beside MR it is the CT that is told in classes.
    swapped = not pairing.alike and second.volume.unit == HOUNSFIELD
    if swapped:
        first, second = second, first
    found = search(
        first,
        second,
        step,
        alike=pairing.alike,
        progress=lambda share: tell(SEARCHED * share),
    )
    return [c.pose.inverse if swapped else c.pose for c in found]


def _distinct(places: Sequence[Place], level: Level) -> list[Place]:
    """Return places with enough overlap, the best first, each once."""
    corners = level.sample.corners()
    kept: list[Place] = []
    for place in sorted(places, key=lambda p: -p.evidence):
        near = (other.pose.apart(place.pose, corners) for other in kept)
        if place.overlap >= LEAST_OVERLAP and all(
            far > SAME_PLACE * level.step_mm for far in near
        ):
            kept.append(place)
    return kept
