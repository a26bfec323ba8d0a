"""Records of schema version 1 as records of today.

Version 1 had facts under names of any kind, with values and units of any kind. One
without a date held at the date of the study; today it would hold at every date.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from osteotrace.codes import FACTS
from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from collections.abc import MutableMapping


def date_anew(fact: MutableMapping[str, object], study_date: str) -> None:
    """Give a fact of a reading, in place, the date of the study that it held at."""
    if not fact.get("date"):
        fact["date"] = study_date


def name_anew(fact: MutableMapping[str, object]) -> None:
    """Keep a fact of version 1, in place, in words that today's vocabulary has.

    Parameters
    ----------
    fact : mapping
        Fields of a `Fact`. One whose name is not in `osteotrace.codes.FACTS`, or whose
        answer its definition does not take, becomes the fact ``other`` with the value as
        text; its note holds name, value and unit as they were.
    """
    name, value, unit = fact.get("name"), fact.get("value"), fact.get("unit", "")
    fields = isinstance(name, str) and isinstance(unit, str) and not fact.get("note")
    if not fields or not isinstance(value, bool | int | float | str | None):
        return
    if _holds_today(str(name), value, str(unit)):
        return
    fact["note"] = f"{name}: {value} {unit}".rstrip()
    fact["name"], fact["unit"] = "other", ""
    fact["value"] = None if value is None else str(value)


def _holds_today(name: str, value: bool | float | str | None, unit: str) -> bool:
    if name not in FACTS:
        return False
    try:
        if value is not None:
            FACTS[name].check_answer(value, unit)
    except OsteotraceError:
        return False
    return True
