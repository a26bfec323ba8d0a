"""Poses: where one image lies in another while the search for it goes on.

A pose turns about the middle of what is aligned, so that turning and moving hardly mix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from osteotrace.alignment.transform import RigidTransform

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from osteotrace.geometry import Array


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """A rigid motion: ``rotation @ (point - centre) + place``.

    Parameters
    ----------
    rotation : (3, 3) array
    centre : (3,) array
        LPS mm of the image that is sampled.
    place : (3,) array
        Where `centre` comes to lie, LPS mm of the other image.
    """

    rotation: Array
    centre: Array
    place: Array

    @classmethod
    def from_transform(cls, transform: RigidTransform, centre: ArrayLike) -> Pose:
        """Return a transform as a pose about a point of its earlier frame."""
        middle = np.asarray(centre, float)
        return cls(transform.rotation, middle, transform.apply(middle))

    def apply(self, points: Array) -> Array:
        """Return (n, 3) points where they come to lie."""
        return np.asarray((points - self.centre) @ self.rotation.T + self.place)

    def moved(self, step: ArrayLike) -> Pose:
        """Return the pose after a further turn (rotation vector, rad) and shift (mm)."""
        turn, shift = np.split(np.asarray(step, float), 2)
        return Pose(rotation_of(turn) @ self.rotation, self.centre, self.place + shift)

    def about(self, centre: ArrayLike) -> Pose:
        """Return the same motion written about another point."""
        middle = np.asarray(centre, float)
        return Pose(self.rotation, middle, self.apply(middle[None])[0])

    def towards(self, other: Pose, share: float) -> Pose:
        """Return the pose a share of the way to another one."""
        from scipy.spatial.transform import Rotation

        end = other.about(self.centre)
        turn = Rotation.from_matrix(end.rotation @ self.rotation.T).as_rotvec()
        return self.moved(share * np.concatenate([turn, end.place - self.place]))

    @property
    def inverse(self) -> Pose:
        """The motion back, about the place of the centre."""
        return Pose(self.rotation.T, self.place, self.centre)

    def apart(self, other: Pose, points: Array) -> float:
        """Return how far two poses take (n, 3) points apart at most, mm."""
        off = self.apply(points) - other.apply(points)
        return float(np.linalg.norm(off, axis=-1).max())

    @property
    def rotation_deg(self) -> float:
        """The angle of the rotation, degrees."""
        return self.transform("", "").rotation_deg

    def transform(self, from_frame_uid: str, to_frame_uid: str) -> RigidTransform:
        """Return the pose as the transform between two frames of reference."""
        # Products of rotations drift from a rotation by rounding.
        u, _, v = np.linalg.svd(self.rotation)
        turn = u @ v
        return RigidTransform.of(
            turn,
            self.place - turn @ self.centre,
            from_frame_uid=from_frame_uid,
            to_frame_uid=to_frame_uid,
        )


def rotation_of(vector: ArrayLike) -> Array:
    """Return the (3, 3) rotation about a vector by its length in radians."""
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_rotvec(np.asarray(vector, float)).as_matrix())


def turns_within(most_deg: float, apart_deg: float) -> Array:
    """Return rotations that cover all turns up to an angle, the least first.

    Rotation vectors on a body-centred cubic lattice, which covers space with the fewest
    points; towards large angles rotations lie closer than their vectors do.

    Parameters
    ----------
    most_deg : float
    apart_deg : float
        No turn up to `most_deg` lies farther than this from one that is returned.

    Returns
    -------
    (n, 3, 3) array
    """
    # A body-centred lattice of edge a leaves no point farther than a √5 / 4.
    edge = apart_deg * 4 / np.sqrt(5)
    count = int(np.ceil(most_deg / edge)) + 1
    steps = np.arange(-count, count + 1) * edge
    corners = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    vectors = np.concatenate([corners, corners + edge / 2])
    lengths = np.linalg.norm(vectors, axis=1)
    order = np.argsort(np.round(lengths, 9), kind="stable")
    kept = vectors[order][lengths[order] <= most_deg]
    return rotation_of(np.radians(kept))
