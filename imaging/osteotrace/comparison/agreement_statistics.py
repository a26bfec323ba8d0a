"""How well two readings of the same things agree: ICC, weighted kappa, Bland-Altman.

Each answers something else. The intraclass correlation says how much of the spread is
between lesions and not between readings; kappa how far two classifications agree beyond
chance; limits of agreement how far two readings of one lesion lie apart, in its unit.
Too few pairs give no number.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.measurements.measurement import COVERAGE_FACTOR_95

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

# With fewer pairs an interval spans nearly all there is (a choice of this project).
LEAST_PAIRS: Final = 5
# A trend below this chance is called one.
SIGNIFICANCE: Final = 0.05
_TAIL: Final = 0.975

Interval = tuple[float, float]
Agreed = Literal["absolute", "consistency"]
Weights = Literal["linear", "quadratic"]


class IntraclassCorrelation(msgspec.Struct, frozen=True, kw_only=True):
    """Intraclass correlation of single readings, two-way (McGraw & Wong 1996).

    Parameters
    ----------
    kind : str
        ``absolute`` is ICC(A,1), in which a reader who always reads more counts as
        disagreement; ``consistency`` is ICC(C,1), in which that is left out.
    value : float
    interval95 : (low, high)
    lesions, readings_each : int
    """

    kind: Agreed
    value: float
    interval95: Interval
    lesions: int
    readings_each: int


class WeightedKappa(msgspec.Struct, frozen=True, kw_only=True):
    """Agreement of two classifications beyond chance, near misses counted in part.

    Parameters
    ----------
    weights : str
    value : float
    standard_error : float
        Of large samples (Fleiss, Cohen & Everitt, Psychol Bull 1969;72:323).
    interval95 : (low, high)
        Within -1 and 1.
    pairs : int
    same : int
        Pairs in one class.
    """

    weights: Weights
    value: float
    standard_error: float
    interval95: Interval
    pairs: int
    same: int


class LimitsOfAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """Bland and Altman's bias and limits of agreement, second less first.

    Parameters
    ----------
    bias : float
        Mean difference, in the unit of the values.
    bias_interval95 : (low, high)
    sd : float
        Standard deviation of the differences.
    lower, upper : float
        bias ∓ 1.96 sd.
    lower_interval95, upper_interval95 : (low, high)
    slope : float or None
        Of the differences over the means; None where all means are alike.
    slope_p : float or None
        Chance of such a slope where there is none.
    pairs : int
    """

    bias: float
    bias_interval95: Interval
    sd: float
    lower: float
    upper: float
    lower_interval95: Interval
    upper_interval95: Interval
    slope: float | None
    slope_p: float | None
    pairs: int

    @property
    def is_biased(self) -> bool:
        """True where zero lies outside the interval of the bias."""
        low, high = self.bias_interval95
        return not low <= 0 <= high

    @property
    def is_proportional(self) -> bool:
        """True where the differences grow or fall with the size."""
        return self.slope_p is not None and self.slope_p < SIGNIFICANCE


def intraclass_correlation(
    readings: ArrayLike, kind: Agreed = "absolute"
) -> IntraclassCorrelation | str:
    """Return the intraclass correlation of a table, or why there is none.

    Parameters
    ----------
    readings : (lesions, readings) array
        One row a lesion, one column a reader.
    kind : ``"absolute"`` or ``"consistency"``

    Notes
    -----
    McGraw & Wong, Psychol Methods 1996;1:30, tables 4 and 7; ICC(2,1) and ICC(3,1) of
    Shrout & Fleiss, Psychol Bull 1979;86:420.
    """
    table = _table(readings)
    if isinstance(table, str):
        return table
    n, k = table.shape
    rows, columns, error = _mean_squares(table)
    if rows == 0:
        return "the lesions do not differ from each other: there is nothing to tell apart"
    if kind == "consistency":
        value = (rows - error) / (rows + (k - 1) * error)
        interval = _interval_of_consistency(rows, error, n, k)
    else:
        whole = rows + (k - 1) * error + k / n * (columns - error)
        value = (rows - error) / whole
        interval = _interval_of_agreement(rows, columns, error, value, n, k)
    return IntraclassCorrelation(
        kind=kind, value=value, interval95=interval, lesions=n, readings_each=k
    )


def _mean_squares(table: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the mean squares of a two-way table: rows, columns, and what is left."""
    n, k = table.shape
    centred = table - table.mean()
    by_row = k * float((centred.mean(axis=1) ** 2).sum())
    by_column = n * float((centred.mean(axis=0) ** 2).sum())
    left = centred - centred.mean(axis=1)[:, None] - centred.mean(axis=0)[None, :]
    # Rounding alone is no error: readings that agree to the bit leave none.
    rest = float((left**2).sum())
    rest = 0.0 if rest < 1e-24 * max(float((table**2).sum()), 1e-300) else rest
    return by_row / (n - 1), by_column / (k - 1), rest / ((n - 1) * (k - 1))


def _interval_of_consistency(rows: float, error: float, n: int, k: int) -> Interval:
    from scipy.stats import f

    if error == 0:
        return 1.0, 1.0
    ratio, within = rows / error, (n - 1) * (k - 1)
    low = ratio / f.ppf(_TAIL, n - 1, within)
    high = ratio * f.ppf(_TAIL, within, n - 1)
    return float((low - 1) / (low + k - 1)), float((high - 1) / (high + k - 1))


def _interval_of_agreement(
    rows: float, columns: float, error: float, value: float, n: int, k: int
) -> Interval:
    from scipy.stats import f

    # Readings that are the same to the bit differ by rounding at most.
    if math.isclose(value, 1.0, rel_tol=1e-12):
        return 1.0, 1.0
    a = k * value / (n * (1 - value))
    b = 1 + k * value * (n - 1) / (n * (1 - value))
    between, rest = (a * columns) ** 2 / (k - 1), (b * error) ** 2 / ((n - 1) * (k - 1))
    freedom = (a * columns + b * error) ** 2 / (between + rest)
    spread = k * columns + (k * n - k - n) * error
    up, down = f.ppf(_TAIL, n - 1, freedom), f.ppf(_TAIL, freedom, n - 1)
    low = n * (rows - up * error) / (up * spread + n * rows)
    high = n * (down * rows - error) / (spread + n * down * rows)
    return float(low), float(high)


def weighted_kappa(
    first: Sequence[int],
    second: Sequence[int],
    classes: int,
    weights: Weights = "linear",
) -> WeightedKappa | str:
    """Return weighted kappa of two classifications, or why there is none.

    Parameters
    ----------
    first, second : sequence of int
        Class of each lesion, from 0, in their order.
    classes : int
        How many classes there are, whether used or not.
    weights : ``"linear"`` or ``"quadratic"``
        How much a miss by some classes counts (Cohen, Psychol Bull 1968;70:213).
    """
    if len(first) < LEAST_PAIRS:
        return _too_few(len(first))
    shares = np.zeros((classes, classes))
    np.add.at(shares, (np.asarray(first), np.asarray(second)), 1.0)
    n, same = len(first), int(np.trace(shares))
    shares /= n
    apart = np.abs(np.subtract.outer(np.arange(classes), np.arange(classes)))
    apart = apart / max(classes - 1, 1)
    weight = 1 - (apart if weights == "linear" else apart**2)
    mine, theirs = shares.sum(axis=1), shares.sum(axis=0)
    observed = float((weight * shares).sum())
    expected = float(mine @ weight @ theirs)
    if math.isclose(expected, 1.0):
        return "all are of one class: agreement beyond chance cannot be told"
    value = (observed - expected) / (1 - expected)
    rows, columns = weight @ theirs, weight.T @ mine
    spread = weight * (1 - expected) - (rows[:, None] + columns[None, :]) * (1 - observed)
    middle = observed * expected - 2 * expected + observed
    variance = float((shares * spread**2).sum()) - middle**2
    error = math.sqrt(max(variance, 0.0) / n) / (1 - expected) ** 2
    reach = COVERAGE_FACTOR_95 * error
    return WeightedKappa(
        weights=weights,
        value=value,
        standard_error=error,
        interval95=(max(value - reach, -1.0), min(value + reach, 1.0)),
        pairs=n,
        same=same,
    )


def limits_of_agreement(first: ArrayLike, second: ArrayLike) -> LimitsOfAgreement | str:
    """Return bias and limits of agreement of two readings, or why there are none.

    Parameters
    ----------
    first, second : (n,) array
        Readings of the same lesions, in one unit.

    Notes
    -----
    Bland & Altman, Stat Methods Med Res 1999;8:135: a limit has the variance
    sd² (1/n + 1.96²/(2 (n - 1))). A proportional error is a slope of the differences
    over the means.
    """
    from scipy.stats import linregress, t

    table = _table(np.column_stack([first, second]))
    if isinstance(table, str):
        return table
    n = len(table)
    differences, means = table[:, 1] - table[:, 0], table.mean(axis=1)
    bias, sd = float(differences.mean()), float(differences.std(ddof=1))
    factor = float(t.ppf(_TAIL, n - 1))
    at_bias = factor * sd / math.sqrt(n)
    at_limit = factor * sd * math.sqrt(1 / n + COVERAGE_FACTOR_95**2 / (2 * (n - 1)))
    reach = COVERAGE_FACTOR_95 * sd
    slope = slope_p = None
    if np.ptp(means) > 0 and np.ptp(differences) > 0:
        fit = linregress(means, differences)
        slope, slope_p = float(fit.slope), float(fit.pvalue)
    return LimitsOfAgreement(
        bias=bias,
        bias_interval95=(bias - at_bias, bias + at_bias),
        sd=sd,
        lower=bias - reach,
        upper=bias + reach,
        lower_interval95=(bias - reach - at_limit, bias - reach + at_limit),
        upper_interval95=(bias + reach - at_limit, bias + reach + at_limit),
        slope=slope,
        slope_p=slope_p,
        pairs=n,
    )


def _table(readings: ArrayLike) -> NDArray[np.float64] | str:
    """Return readings as a table, or why they are too few.

    Raises
    ------
    OsteotraceError
        If they are no table of finite numbers with two columns or more.
    """
    table = np.asarray(readings, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 2 or not np.isfinite(table).all():
        raise OsteotraceError(
            f"readings of the shape {table.shape}, or not finite",
            expected="one row a lesion, one column a reading, finite numbers",
            advice="leave out what was not read twice",
            usage=True,
        )
    return table if len(table) >= LEAST_PAIRS else _too_few(len(table))


def _too_few(pairs: int) -> str:
    return f"{pairs} pairs: {LEAST_PAIRS} at least give a number"
