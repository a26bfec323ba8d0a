"""What measuring one vertebra gives, and how its heights vary together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from osteotrace.measurements.measurement import LesionReading, Method

if TYPE_CHECKING:
    from osteotrace.geometry import Array

WHERE: Final = ("anterior", "middle", "posterior")
Vector = tuple[float, float, float]


class Heights(msgspec.Struct, frozen=True, kw_only=True):
    """Three heights of one body, with their covariance.

    Parameters
    ----------
    anterior, middle, posterior : float
        In `unit`.
    covariance : 3 × 3
        In `unit` squared, in that order.
    unit : str
        ``"mm"``, or ``"{pixels}"`` on a radiograph without calibration.
    """

    anterior: float
    middle: float
    posterior: float
    covariance: tuple[Vector, Vector, Vector]
    unit: str = "mm"

    @property
    def values(self) -> Array:
        """The three heights."""
        return np.array([self.anterior, self.middle, self.posterior])

    @property
    def u(self) -> Array:
        """Their standard uncertainties."""
        return np.sqrt(np.diag(np.array(self.covariance)))

    def relative(self, k: int) -> float:
        """Return the relative standard uncertainty of the k-th height."""
        return float(self.u[k] / self.values[k])

    def own_loss(self, k: int) -> tuple[float, float]:
        """Return the loss of the k-th height against the posterior one, and u, %."""
        height, reference = self.values[k], self.values[2]
        slope = np.zeros(3)
        slope[k] = -100 / reference
        slope[2] += 100 * height / reference**2
        variance = slope @ np.array(self.covariance) @ slope
        return 100 * (1 - height / reference), float(np.sqrt(variance))


def heights_of(values: Array, covariance: Array, unit: str = "mm") -> Heights:
    """Return heights from arrays."""
    rows = [(float(a), float(b), float(c)) for a, b, c in covariance]
    return Heights(
        anterior=float(values[0]),
        middle=float(values[1]),
        posterior=float(values[2]),
        covariance=(rows[0], rows[1], rows[2]),
        unit=unit,
    )


class BodyFrame(msgspec.Struct, frozen=True, kw_only=True):
    """Where a body and its endplates lie.

    Parameters
    ----------
    origin : (x, y, z)
        LPS mm on the anterior wall at mid-height. On a radiograph (column, row, 0).
    left, posterior, up : (x, y, z)
        Unit vectors, LPS. On a radiograph in the image's plane, ``left`` out of it.
    depth : float
        mm from wall to wall.
    superior, inferior : (x, y, z)
        Unit vectors from front to back along the endplates.
    u_endplate_deg : float
        Standard uncertainty of each endplate's direction, degrees.
    """

    origin: Vector
    left: Vector
    posterior: Vector
    up: Vector
    depth: float
    superior: Vector
    inferior: Vector
    u_endplate_deg: float


class VertebraReading(msgspec.Struct, frozen=True, kw_only=True):
    """What measuring one vertebra gives.

    Parameters
    ----------
    level : str
        E.g. ``"L1"``.
    reading : LesionReading
        Its measurements and regions.
    basis : str
        How heights were defined and read, in words: only heights of the same basis and
        method are compared.
    method : Method
    heights : Heights or None
        None where they could not be measured.
    frame : BodyFrame or None
    cemented : bool
        True where bone cement was found in the body: neither its density nor a new loss
        of its height says what it would in bone.
    """

    level: str
    reading: LesionReading
    basis: str
    method: Method
    heights: Heights | None = None
    frame: BodyFrame | None = None
    cemented: bool = False


def plain(vector: Array) -> Vector:
    """Return a vector as a tuple of floats."""
    x, y, z = (float(number) for number in vector)
    return x, y, z
