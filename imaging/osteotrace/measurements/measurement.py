"""A number with its honest uncertainty, or the reason why there is none.

`Measurement` and `NotMeasured` are the only things a measuring function returns.
The raw float is kept; rounding happens here when a value is shown, never before.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from osteotrace.codes import Concept

# Two-sided 95 % point of the normal distribution.
COVERAGE_FACTOR_95: Final = 1.96
# A length whose standard uncertainty reaches this is shown to 0.1 mm, else to 0.01 mm.
COARSE_UNCERTAINTY_MM: Final = 0.1


class Method(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a value came about: the algorithm's name and version."""

    name: str
    version: str


class Detail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One named number behind a measurement, such as a term of its uncertainty."""

    name: str
    value: float
    unit: str

    def __post_init__(self) -> None:
        _check_finite(self.name, self.value)


class Measurement(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """A value with unit, standard uncertainty, method and source.

    Parameters
    ----------
    name : str
        Short name of the quantity, a key of `osteotrace.codes.QUANTITIES`.
    code : Concept
        The coded quantity.
    value : float
        The raw value, unrounded.
    unit : str
        UCUM unit.
    method : Method
        Algorithm and version.
    sources : tuple of str
        The images the value was read from, named as in `osteotrace.regions`.
    uncertainty : float or None
        Standard uncertainty u in the unit of the value ("±" always means u).
    uncertainty_reason : str
        Why there is no uncertainty; empty where there is one.
    interval95 : (low, high) or None
        95 % interval in the unit of the value.
    region : str
        Role of the finding's region that the value was taken from.
    definition : str
        What exactly was measured, in words, where the method leaves a choice.
    flags : tuple of str
        Reasons to doubt the value; a value without flags is accepted.
    details : tuple of Detail
        Named numbers behind the value.
    """

    name: str
    code: Concept
    value: float
    unit: str
    method: Method
    sources: tuple[str, ...]
    uncertainty: float | None = None
    uncertainty_reason: str = ""
    interval95: tuple[float, float] | None = None
    region: str = ""
    definition: str = ""
    flags: tuple[str, ...] = ()
    details: tuple[Detail, ...] = ()

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"{self.name} is {self.value}: use NotMeasured instead")
        if (self.uncertainty is None) != bool(self.uncertainty_reason):
            raise ValueError("give either an uncertainty or the reason there is none")
        if self.uncertainty is not None:
            _check_finite(f"the uncertainty of {self.name}", self.uncertainty)
            if self.uncertainty < 0:
                raise ValueError(f"the uncertainty of {self.name} is negative")
        for end in self.interval95 or ():
            _check_finite(f"the interval of {self.name}", end)

    @property
    def accepted(self) -> bool:
        """True where nothing speaks against the value."""
        return not self.flags

    def __str__(self) -> str:
        return f"{self.name} {shown(self.value, self.unit, self.uncertainty)}"


class NotMeasured(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """A quantity that could not be measured, with the reason."""

    name: str
    code: Concept
    reason: str
    method: Method
    sources: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} not measured: {self.reason}"


Reading = Measurement | NotMeasured


def _check_finite(what: str, number: float) -> None:
    """Refuse NaN and infinity: neither JSON nor DICOM holds them."""
    if not math.isfinite(number):
        raise ValueError(f"{what} is {number}, which is no finite number")


def decimals(unit: str, uncertainty: float | None) -> int:
    """Return how many decimals a value of this unit and uncertainty supports."""
    if unit == "mm":
        coarse = uncertainty is None or uncertainty >= COARSE_UNCERTAINTY_MM
        return 1 if coarse else 2
    return 2 if unit in {"1", "{ratio}"} else 0


def shown(value: float, unit: str, uncertainty: float | None) -> str:
    """Return a value as people read it, with ± u and unit.

    Examples
    --------
    >>> shown(12.0712, "mm", 0.021)
    '12.07 ± 0.02 mm'
    >>> shown(12.0712, "mm", 0.31)
    '12.1 ± 0.3 mm'
    """
    places = decimals(unit, uncertainty)
    text = f"{value:.{places}f}"
    if uncertainty is not None:
        text += f" ± {uncertainty:.{places}f}"
    return f"{text} {unit}"
