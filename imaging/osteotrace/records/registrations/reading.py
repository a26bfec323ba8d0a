"""The transforms that a Spatial Registration object holds, whoever wrote it.

Each item takes points of its own frame of reference to the registered one (PS3.3
C.20.2.1.1); several matrices of an item are multiplied in their order. Only what is rigid
is taken: a scaled or sheared study changes every length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.alignment.transform import ORTHONORMAL_TOLERANCE
from osteotrace.errors import OsteotraceError
from osteotrace.records.registrations.writing import SPATIAL_REGISTRATION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    Matrix = NDArray[np.float64]

DEFORMABLE: Final = "1.2.840.10008.5.1.4.1.1.66.3"
# Other software may print six digits: a rotation that is off by no more is one, rounded.
ROUNDED: Final = 1e-4
# Distance from the middle at which the effect of rounding is told, mm.
REACH_MM: Final = 250.0


def check_kind(document: Dataset) -> None:
    """Refuse what is no Spatial Registration object.

    Raises
    ------
    OsteotraceError
        With what it is instead.
    """
    kind = document.get("SOPClassUID")
    if kind == SPATIAL_REGISTRATION:
        return
    if kind == DEFORMABLE:
        raise OsteotraceError(
            "a Deformable Spatial Registration",
            expected="a rigid Spatial Registration",
            advice="register the studies rigidly: bending changes every length",
        )
    raise OsteotraceError(
        f"a DICOM file of another kind ({getattr(kind, 'name', kind)})",
        expected="a Spatial Registration",
        advice="choose a registration object (modality REG)",
    )


def matrices(document: Dataset, frames: Mapping[str, str]) -> dict[str, Matrix]:
    """Return what takes each frame of reference to the registered one.

    Parameters
    ----------
    document : Dataset
        The object.
    frames : mapping of str to str
        FrameOfReferenceUID by SOPInstanceUID, for items that name images alone.

    Returns
    -------
    dict of str to (4, 4) array
        By FrameOfReferenceUID, the registered one among them.

    Raises
    ------
    OsteotraceError
        If a matrix is not rigid, an item names no space, or two disagree.
    """
    registered = str(document.get("FrameOfReferenceUID") or "")
    if not registered:
        raise _unreadable("a registration without a Frame of Reference UID (0020,0052)")
    found: dict[str, Matrix] = {registered: np.eye(4)}
    for number, item in enumerate(document.get("RegistrationSequence") or [], start=1):
        frame = _frame(item, frames)
        if not frame:
            raise _unreadable(
                f"item {number} of a registration, which names images and no frame of "
                "reference"
            )
        matrix = _product(item, number)
        known = found.get(frame)
        if known is not None and np.abs(known - matrix).max() > ROUNDED:
            raise _unreadable(f"two matrices for the frame of reference {frame}")
        found.setdefault(frame, matrix)
    return found


def _frame(item: Dataset, frames: Mapping[str, str]) -> str:
    named = str(item.get("FrameOfReferenceUID") or "")
    images = item.get("ReferencedImageSequence") or []
    of_images = {frames.get(str(one.ReferencedSOPInstanceUID), "") for one in images}
    return named or (of_images.pop() if len(of_images) == 1 else "")


def _product(item: Dataset, number: int) -> Matrix:
    """Return the matrices of an item multiplied in their order (C.20.2.1.1)."""
    whole = np.eye(4)
    steps = [
        step
        for spatial in item.get("MatrixRegistrationSequence") or []
        for step in spatial.get("MatrixSequence") or []
    ]
    if not steps:
        raise _unreadable(f"item {number} of a registration without a matrix")
    for step in steps:
        values = step.get("FrameOfReferenceTransformationMatrix") or []
        if len(values) != 16:
            raise _unreadable(f"item {number} with a matrix of {len(values)} numbers")
        matrix = np.array([float(value) for value in values]).reshape(4, 4)
        _check_rigid(matrix, str(step.get("FrameOfReferenceTransformationMatrixType")))
        whole = whole @ matrix
    return whole


def _check_rigid(matrix: Matrix, kind: str) -> None:
    """Refuse a matrix that does more than turn and shift.

    What it does decides, not what it says it is: RIGID is written beside scales, and
    AFFINE beside rotations.
    """
    fits = np.isfinite(matrix).all() and np.abs(matrix[3] - (0, 0, 0, 1)).max() < ROUNDED
    if not fits:
        raise _not_rigid(f"a {kind} matrix that is no transform of points")
    scales = np.linalg.svd(matrix[:3, :3], compute_uv=False)
    if np.abs(scales - 1).max() > ROUNDED:
        low, high = scales.min(), scales.max()
        raise _not_rigid(
            f"a {kind} matrix that scales lengths by {low:.4f} to {high:.4f}"
        )
    if np.linalg.det(matrix[:3, :3]) < 0:
        raise _not_rigid(f"a {kind} matrix that mirrors")


def nearest_rigid(matrix: Matrix) -> tuple[Matrix, str]:
    """Return the rotation nearest to a rounded one, with its shift, and what was done.

    Returns
    -------
    ((4, 4) array, str)
        The words are empty where nothing had to be done.
    """
    turn = matrix[:3, :3]
    if np.abs(turn @ turn.T - np.eye(3)).max() <= ORTHONORMAL_TOLERANCE:
        return matrix, ""
    left, _, right = np.linalg.svd(turn)
    whole = matrix.copy()
    whole[:3, :3] = left @ right
    most = float(np.linalg.norm(whole[:3, :3] - turn, ord=2)) * REACH_MM
    return whole, (
        f"its matrix was rounded: the nearest rotation was taken, {most:.2g} mm at most "
        f"within {REACH_MM:g} mm"
    )


def _not_rigid(found: str) -> OsteotraceError:
    return OsteotraceError(
        found,
        expected="a rotation and a shift: anything else changes every length",
        advice="register the studies again, rigidly",
    )


def _unreadable(found: str) -> OsteotraceError:
    return OsteotraceError(
        found,
        expected="one rigid matrix a frame of reference (PS3.3 C.20.2)",
        advice="export the registration again from the software that made it",
    )
