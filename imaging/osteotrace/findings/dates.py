"""Dates as people give them: a day, a month or a year, and the days that one may mean."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date
from typing import Final

from osteotrace.errors import OsteotraceError

# Mean length of a month of the Gregorian calendar.
DAYS_A_MONTH: Final = 30.436875
DAYS_A_WEEK: Final = 7
# Up to here an interval is told in days.
MOST_DAYS: Final = 60
_PARTIAL: Final = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")


def days(text: str) -> tuple[date, date]:
    """Return the first and the last day that a date may mean.

    Parameters
    ----------
    text : str
        ``YYYY``, ``YYYY-MM`` or ``YYYY-MM-DD`` (ISO 8601); a time after it is left out.

    Raises
    ------
    OsteotraceError
        If it is no date.

    Examples
    --------
    >>> days("2023-02")
    (datetime.date(2023, 2, 1), datetime.date(2023, 2, 28))
    """
    found = _PARTIAL.fullmatch(text.split("T")[0])
    try:
        if found is None:
            raise ValueError(text)
        year, month, day = (int(part) if part else 0 for part in found.groups())
        first = date(year, month or 1, day or 1)
    except ValueError:
        raise OsteotraceError(
            f"{text[:40]!r} as a date",
            expected="YYYY, YYYY-MM or YYYY-MM-DD",
            advice="correct the date",
        ) from None
    if day:
        return first, first
    last_month = month or 12
    return first, date(year, last_month, monthrange(year, last_month)[1])


def months_between(earlier: str, later: str) -> tuple[float, float]:
    """Return the fewest and the most months from one date to another.

    Examples
    --------
    >>> low, high = months_between("2022-10-27", "2023-08-27")
    >>> round(low, 1), round(high, 1)
    (10.0, 10.0)
    """
    first, last = days(earlier), days(later)
    return (
        (last[0] - first[1]).days / DAYS_A_MONTH,
        (last[1] - first[0]).days / DAYS_A_MONTH,
    )


def interval(earlier: str, later: str) -> str:
    """Return how long one date lies before another, in words; empty where not known.

    Examples
    --------
    >>> interval("2023-09-03", "2023-09-27")
    '24 days'
    >>> interval("2023-06-20", "2024-01-15")
    '7 months'
    >>> interval("2019", "2024-01-15")
    '48 to 60 months'
    """
    if not earlier or not later:
        return ""
    fewest, most = months_between(earlier, later)
    unit, ends = "month", (fewest, most)
    if most * DAYS_A_MONTH <= MOST_DAYS:
        unit, ends = "day", (fewest * DAYS_A_MONTH, most * DAYS_A_MONTH)
    low, high = (round(end) for end in ends)
    number = f"{low}" if low == high else f"{low} to {high}"
    return f"{number} {unit}{'' if number == '1' else 's'}"


def not_after(one: str, other: str) -> bool | None:
    """Tell whether a date lies on or before another; None where partial dates overlap."""
    first, last = days(one), days(other)
    if first[1] <= last[0]:
        return True
    return False if first[0] > last[1] else None
