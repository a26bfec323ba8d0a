"""A number with its honest uncertainty, or the reason why there is none.

`Measurement` and `NotMeasured` are the only values a measuring function returns, one
lesion's together in a `LesionReading`. Where only a range is honest, a measurement has an
interval and no uncertainty, and the reason why. The raw float is kept; rounding happens
here when a value is shown, never before.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from osteotrace.codes import QUANTITIES, Concept, look_up
from osteotrace.regions import ImagePoints, Mask, Points, Polyline
from osteotrace.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Iterable

# Two-sided 95 % point of the normal distribution.
COVERAGE_FACTOR_95: Final = 1.96
# A length whose standard uncertainty reaches this is shown to 0.1 mm, else to 0.01 mm.
COARSE_UNCERTAINTY_MM: Final = 0.1
# Of these an uncertainty may be far below one: it is shown to one digit, so that no value
# reads "± 0"; but no more decimals than this.
SMALL_UNITS: Final = ("mm2", "mm3", "1", "{ratio}")
MOST_DECIMALS: Final = 4
# How units are said after a number, where not as UCUM writes them.
SPOKEN: Final = {"[hnsf'U]": "HU", "{counts}": "", "{grade}": "", "{ratio}": ""}


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
    Shown, msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
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

    @property
    def is_range(self) -> bool:
        """True where only the interval is defended, not the value in its middle."""
        return self.uncertainty is None and self.interval95 is not None

    def __str__(self) -> str:
        return f"{self.name} {self.as_text}"

    @property
    def as_text(self) -> str:
        """The value as people read it: with ± u and unit, or as a range."""
        if self.is_range:
            assert self.interval95 is not None
            return shown_range(*self.interval95, self.unit)
        return shown(self.value, self.unit, self.uncertainty)


class NotMeasured(
    Shown, msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """A quantity that could not be measured, with the reason.

    Parameters
    ----------
    name, code
        As in `Measurement`.
    reason : str
        Why there is no value.
    method : Method
        Algorithm and version.
    sources : tuple of str
        The images that were looked at, named as in `osteotrace.regions`.
    """

    name: str
    code: Concept
    reason: str
    method: Method
    sources: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} not measured: {self.reason}"


Reading = Measurement | NotMeasured
Presence = Literal["present", "absent", "unknown"]


class LesionReading(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """What measuring one lesion gives.

    Parameters
    ----------
    measurements : tuple of Measurement or NotMeasured
        The primary value first.
    regions : tuple of Region
        What was marked and what was fitted; a measurement names its region by role.
    presence : str
        Of what is searched for in a region: ``absent`` where there is none, ``unknown``
        where something was left out that may be one. What was marked itself is there.
    """

    measurements: tuple[Measurement | NotMeasured, ...]
    regions: tuple[Polyline | Points | Mask | ImagePoints, ...] = ()
    presence: Presence = "present"

    @property
    def value(self) -> Measurement | NotMeasured:
        """The primary value, or why there is none."""
        return self.measurements[0]

    def __getitem__(self, name: str) -> Measurement | NotMeasured:
        """Return the measurement of a quantity by its name; KeyError without one."""
        for reading in self.measurements:
            if reading.name == name:
                return reading
        raise KeyError(name)


def measured(
    name: str,
    value: float,
    unit: str,
    *,
    method: Method,
    sources: tuple[str, ...],
    uncertainty: float | None = None,
    uncertainty_reason: str = "",
    interval95: tuple[float, float] | None = None,
    region: str = "",
    definition: str = "",
    flags: Iterable[str] = (),
    details: Iterable[Detail] = (),
) -> Measurement:
    """Return a measurement of a quantity of `osteotrace.codes.QUANTITIES`.

    Where there is an uncertainty and no interval, the interval is ±1.96 u. Each flag is
    kept once. Parameters as in `Measurement`.
    """
    value = float(value)
    if uncertainty is not None:
        uncertainty = float(uncertainty)
        if interval95 is None:
            reach = COVERAGE_FACTOR_95 * uncertainty
            interval95 = (value - reach, value + reach)
    if interval95 is not None and interval95[0] > interval95[1]:
        raise ValueError(f"the interval of {name} ends before it begins")
    return Measurement(
        name=name,
        code=look_up(QUANTITIES, name, "quantity"),
        value=value,
        unit=unit,
        method=method,
        sources=sources,
        uncertainty=uncertainty,
        uncertainty_reason=uncertainty_reason,
        interval95=interval95,
        region=region,
        definition=definition,
        flags=tuple(dict.fromkeys(flags)),
        details=tuple(details),
    )


def not_measured(
    name: str, reason: str, *, method: Method, sources: tuple[str, ...] = ()
) -> NotMeasured:
    """Return that a quantity of `osteotrace.codes.QUANTITIES` was not measured."""
    return NotMeasured(
        name=name,
        code=look_up(QUANTITIES, name, "quantity"),
        reason=reason,
        method=method,
        sources=sources,
    )


def _check_finite(what: str, number: float) -> None:
    """Refuse NaN and infinity: neither JSON nor DICOM holds them."""
    if not math.isfinite(number):
        raise ValueError(f"{what} is {number}, which is no finite number")


def decimals(unit: str, uncertainty: float | None) -> int:
    """Return how many decimals a value of this unit and uncertainty supports."""
    if unit == "mm":
        coarse = uncertainty is None or uncertainty >= COARSE_UNCERTAINTY_MM
        return 1 if coarse else 2
    usual = 2 if unit in {"1", "{ratio}"} else 0
    if not uncertainty or unit not in SMALL_UNITS:
        return usual
    return min(max(usual, -math.floor(math.log10(uncertainty))), MOST_DECIMALS)


def shown(value: float, unit: str, uncertainty: float | None) -> str:
    """Return a value as people read it, with ± u and unit.

    Examples
    --------
    >>> shown(12.0712, "mm", 0.021)
    '12.07 ± 0.02 mm'
    >>> shown(12.0712, "mm", 0.31)
    '12.1 ± 0.3 mm'
    >>> shown(12.4, "%", 0.41)
    '12 ± 0.4 %'
    >>> shown(3.21, "mm3", 0.32)
    '3.2 ± 0.3 mm3'
    >>> shown(-0.2, "%", 0.3)
    '0 ± 0.3 %'
    """
    places = decimals(unit, uncertainty)
    # The z takes the sign from what is shown as zero.
    text = f"{value:z.{places}f}"
    if uncertainty is not None:
        # A small u keeps a digit where the value's own decimals would round it to none.
        nothing = uncertainty > 0 and float(f"{uncertainty:.{places}f}") == 0
        text += f" ± {uncertainty:.1g}" if nothing else f" ± {uncertainty:.{places}f}"
    return f"{text} {SPOKEN.get(unit, unit)}".rstrip()


def shown_range(low: float, high: float, unit: str) -> str:
    """Return a range as people read it, its ends apart where they differ.

    Examples
    --------
    >>> shown_range(11.94, 31.2, "mm3")
    '12 to 31 mm3'
    >>> shown_range(0.12, 0.41, "mm3")
    '0.1 to 0.4 mm3'
    """
    places = decimals(unit, None)
    while places < MOST_DECIMALS and low < high and _same(low, high, places):
        places += 1
    words = f"{low:z.{places}f} to {high:z.{places}f}"
    return f"{words} {SPOKEN.get(unit, unit)}".rstrip()


def _same(low: float, high: float, places: int) -> bool:
    """Tell whether two numbers are shown alike."""
    return f"{low:z.{places}f}" == f"{high:z.{places}f}"
