"""A rigid transform between two frames of reference: points of the earlier to the later.

Pure geometry in LPS mm; nothing here knows of images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from osteotrace import geometry
from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from osteotrace.geometry import Array

Row = tuple[float, float, float, float]

# How far a matrix may be from a rotation: DICOM's decimal strings carry 16 characters.
ORTHONORMAL_TOLERANCE: Final = 1e-6


class RigidTransform(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """A rotation and a translation from one frame of reference to another.

    Parameters
    ----------
    matrix : four rows of four
        From (x, y, z, 1) of the earlier frame to that of the later one, LPS mm: the
        Frame of Reference Transformation Matrix (3006,00C6) of PS3.3 C.20.2.1.1.
    from_frame_uid, to_frame_uid : str
        FrameOfReferenceUID of the earlier and of the later study.

    Raises
    ------
    OsteotraceError
        If the matrix is no rotation and translation.
    """

    matrix: tuple[Row, Row, Row, Row]
    from_frame_uid: str
    to_frame_uid: str

    def __post_init__(self) -> None:
        matrix = np.array(self.matrix, dtype=np.float64)
        turn = matrix[:3, :3]
        rigid = (
            np.isfinite(matrix).all()
            and np.abs(turn @ turn.T - np.eye(3)).max() <= ORTHONORMAL_TOLERANCE
            and np.linalg.det(turn) > 0
            and (matrix[3] == (0, 0, 0, 1)).all()
        )
        if not rigid:
            raise OsteotraceError(
                "a matrix that is no rotation with a translation",
                expected="a rigid transform, LPS mm",
                advice="register the studies again; scaling and shearing change lengths",
            )

    @classmethod
    def of(
        cls,
        rotation: ArrayLike,
        translation: ArrayLike,
        *,
        from_frame_uid: str,
        to_frame_uid: str,
    ) -> RigidTransform:
        """Return the transform ``rotation @ point + translation``.

        Parameters
        ----------
        rotation : (3, 3) array
        translation : (3,) array
            mm.
        """
        turn, shift = np.asarray(rotation, float), np.asarray(translation, float)
        rows = [(*map(float, turn[k]), float(shift[k])) for k in range(3)]
        x, y, z = rows
        return cls(
            matrix=(x, y, z, (0.0, 0.0, 0.0, 1.0)),  # type: ignore[arg-type]
            from_frame_uid=from_frame_uid,
            to_frame_uid=to_frame_uid,
        )

    @property
    def rotation(self) -> Array:
        """The (3, 3) rotation."""
        return np.array(self.matrix, dtype=np.float64)[:3, :3]

    @property
    def translation(self) -> Array:
        """The (3,) translation, mm."""
        return np.array(self.matrix, dtype=np.float64)[:3, 3]

    @property
    def rotation_deg(self) -> float:
        """The angle of the rotation, degrees, 0 to 180."""
        turn = self.rotation
        # The skew part keeps small angles exact where arccos of the trace loses them.
        skew = turn - turn.T
        sine = float(np.linalg.norm([skew[2, 1], skew[0, 2], skew[1, 0]])) / 2
        return float(np.degrees(np.arctan2(sine, (np.trace(turn) - 1) / 2)))

    def apply(self, points: ArrayLike) -> Array:
        """Return (..., 3) LPS mm points of the earlier frame in the later one."""
        return np.asarray(np.asarray(points, float) @ self.rotation.T + self.translation)

    def direction(self, vectors: ArrayLike) -> Array:
        """Return (..., 3) directions of the earlier frame in the later one."""
        return np.asarray(np.asarray(vectors, float) @ self.rotation.T)

    def stored(self, point: ArrayLike) -> tuple[float, float, float]:
        """Return one LPS mm point in the later frame, rounded as records hold it."""
        return geometry.as_stored(self.apply(point))

    @property
    def inverse(self) -> RigidTransform:
        """The transform from the later frame to the earlier one."""
        back = self.rotation.T
        return RigidTransform.of(
            back,
            -back @ self.translation,
            from_frame_uid=self.to_frame_uid,
            to_frame_uid=self.from_frame_uid,
        )

    def then(self, after: RigidTransform) -> RigidTransform:
        """Return this transform followed by another.

        Raises
        ------
        OsteotraceError
            If the other does not begin in the frame in which this one ends.
        """
        if after.from_frame_uid != self.to_frame_uid:
            raise OsteotraceError(
                f"a transform from the frame of reference {after.from_frame_uid}",
                expected=f"one from {self.to_frame_uid}",
                advice="join transforms in the order of the studies",
            )
        return RigidTransform.of(
            after.rotation @ self.rotation,
            after.apply(self.translation),
            from_frame_uid=self.from_frame_uid,
            to_frame_uid=after.to_frame_uid,
        )
