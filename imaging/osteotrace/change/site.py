"""A site's own repeatability, from lesions that it read twice with nothing in between.

Few lesions leave the coefficient itself uncertain, so what a change has to exceed is
somewhat more: `SiteRepeatability.counted`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from osteotrace.change.repeatability import (
    ONE_READER,
    RC_FACTOR,
    Absolute,
    Formula,
    Percent,
    Repeatability,
)
from osteotrace.codes import QUANTITIES, look_up
from osteotrace.errors import OsteotraceError
from osteotrace.measurements.measurement import COVERAGE_FACTOR_95

if TYPE_CHECKING:
    from collections.abc import Sequence


class SiteRepeatability(msgspec.Struct, frozen=True, kw_only=True):
    """A site's own coefficient with its uncertainty.

    Parameters
    ----------
    repeatability : Repeatability
        To be given to `change`.
    within_subject_sd : float
        wSD in the unit; on the logarithmic scale where the coefficient is in %.
    coefficient : float
        RC, in the unit or in %.
    counted : float
        What a change has to exceed, in the unit or in %: the coefficient with Student's
        quantile in place of 1.96, more where few lesions were read twice.
    interval95 : (low, high)
        95 % interval of the coefficient, from the chi-square distribution.
    lesions, readings : int
        How many were read more than once, and how often altogether.
    """

    repeatability: Repeatability
    within_subject_sd: float
    coefficient: float
    counted: float
    interval95: tuple[float, float]
    lesions: int
    readings: int


def site_repeatability(
    quantity: str,
    repeats: Sequence[Sequence[float]],
    unit: str,
    *,
    relative: bool = False,
    two_readers: bool = False,
    scanned_twice: bool = False,
) -> SiteRepeatability:
    """Return the coefficient that a site's own repeated readings give.

    Parameters
    ----------
    quantity : str
        Key of `osteotrace.codes.QUANTITIES`.
    repeats : sequence of sequences of float
        For each lesion its readings, two or more, with nothing changed in between.
    unit : str
        Of the readings.
    relative : bool
        True for a coefficient in % (the logarithmic scale), as volumes and ratios need.
    two_readers : bool
        True where each lesion was read by different people: it then holds for two
        readers, and for one too, who repeats no worse.
    scanned_twice : bool
        True where each reading is of another scan, as two dates are. The coefficient
        then stands alone; else the uncertainty of each reading counts where it is more,
        since one image read twice does not show what another image would.

    Raises
    ------
    OsteotraceError
        If fewer than two lesions were read twice, or a reading is not finite, or not
        above zero where the coefficient is in %.

    Notes
    -----
    wSD² is the mean of the variances within lesions, weighted by their degrees of
    freedom (Bland & Altman, BMJ 1996;313:744, 10.1136/bmj.313.7059.744). A wSD of few
    lesions is itself uncertain: 2.77 times it calls some 11 % of unchanged lesions
    changed after five lesions and 6.5 % after twenty. Student's quantile in place of
    1.96 keeps it at 5 %, as the interval of one further observation does.
    """
    look_up(QUANTITIES, quantity, "quantity")
    groups = [np.array(one, float) for one in repeats if len(one) > 1]
    _check_repeats(groups, relative=relative)
    if relative:
        groups = [np.log(one) for one in groups]
    freedom = sum(one.size - 1 for one in groups)
    sd = math.sqrt(sum(float(((g - g.mean()) ** 2).sum()) for g in groups) / freedom)
    low, high = (_coefficient_of(sd * k, relative) for k in _spread(freedom))
    value = _coefficient_of(sd, relative)
    counted = _coefficient_of(sd * _few_lesions(freedom), relative)
    readings = sum(one.size for one in groups)
    who = "by two readers" if two_readers else "by one reader"
    formula: Formula = (
        Percent(percent=counted, of="smaller")
        if relative
        else Absolute(value=counted, unit=unit)
    )
    shown_unit = "%" if relative else unit
    told = Repeatability(
        id=f"site: {quantity}",
        quantities=(quantity,),
        subject=f"{len(groups)} lesions, {readings} readings {who}",
        published=f"{value:.3g} {shown_unit} ({low:.3g} to {high:.3g}), counted as "
        f"{counted:.3g} for its own uncertainty",
        source=f"the site's own {readings} readings of {len(groups)} lesions {who}",
        evidence="V",
        same_reader=formula,
        two_readers=formula if two_readers else None,
        scanned_twice=scanned_twice,
        note="" if two_readers else ONE_READER,
    )
    return SiteRepeatability(
        repeatability=told,
        within_subject_sd=sd,
        coefficient=value,
        counted=counted,
        interval95=(low, high),
        lesions=len(groups),
        readings=readings,
    )


def _coefficient_of(sd: float, relative: bool) -> float:
    return 100 * math.expm1(RC_FACTOR * sd) if relative else RC_FACTOR * sd


def _few_lesions(freedom: int) -> float:
    """Return how much more a standard deviation of so little freedom counts."""
    from scipy.stats import t

    return float(t.ppf(0.975, freedom)) / COVERAGE_FACTOR_95


def _spread(freedom: int) -> tuple[float, float]:
    """Return the 95 % interval of a standard deviation over its estimate."""
    from scipy.stats import chi2

    low, high = (math.sqrt(freedom / chi2.ppf(p, freedom)) for p in (0.975, 0.025))
    return low, high


def _check_repeats(groups: Sequence[np.ndarray], *, relative: bool) -> None:
    if len(groups) < 2:
        raise OsteotraceError(
            f"{len(groups)} lesions that were read twice or more",
            expected="two lesions at least; twenty give a coefficient within a third",
            advice="read more lesions twice",
            usage=True,
        )
    values = np.concatenate(groups)
    if not np.isfinite(values).all() or (relative and (values <= 0).any()):
        raise OsteotraceError(
            "a reading that is not finite" + (", or not above zero" if relative else ""),
            expected="numbers" + (" above zero" if relative else ""),
            advice="leave the lesion out, or use a coefficient in the unit",
            usage=True,
        )
