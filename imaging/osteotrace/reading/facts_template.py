"""An empty file of facts to fill in: every question, with the answers it takes.

Where a case is given, its dates stand in it, and what blocks its stages stands first.
"""

from __future__ import annotations

import textwrap
from itertools import groupby
from typing import TYPE_CHECKING, Final

from osteotrace.codes import DRUGS, FACTS, ROUTES, UNITS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from osteotrace.codes import FactDefinition
    from osteotrace.findings import Case, StagingResult

_HEAD: Final = """\
# Clinical facts of one patient. Take the sign # away from a line to state it.
# A fact that is not stated is unknown; "unknown" says that it was asked and is not known.
# Dates are YYYY, YYYY-MM or YYYY-MM-DD. A number may carry its unit and a note:
#   crp = { value = 1.7, unit = "mg/L", note = "fasting" }
"""
_DRUGS: Final = """\
# One table a course of a drug. Drugs:
{drugs}
#[[drug]]
#drug = "denosumab"
#route = "subcutaneous"      # {routes}
#first_dose = "2020-02"
#last_dose = "2022-10-27"
#approximate = false         # true where a date is an estimate
#ongoing = false
#doses = 6
#dose = 60
#unit = "mg"                 # mg, mg/kg or mg/d
"""
_ALWAYS: Final = """\
# What holds at every date.
[always]
"""
_AT: Final = """\
# What held at one date; one table a date.
[[at]]
date = "{date}"
#until = "YYYY-MM-DD"        # where it held longer
#approximate = true          # where the date is an estimate
"""
_AT_SITE: Final = """\
# What held of one vertebra or bone unit; one table a date and bone.
#[[at]]
#date = "{date}"
#site = "l2"
"""
_WIDTH: Final = 88
# What holds at every date without a first day of its own; the rest is of a date.
_CONSTANT: Final = ("sex",)


def template(case: Case | None = None, results: Iterable[StagingResult] = ()) -> str:
    """Return a TOML file of facts with every line to be filled in commented out.

    Parameters
    ----------
    case : Case, optional
        The patient that it is for.
    results : iterable of StagingResult
        Its stages: what blocks them is asked first.
    """
    days = sorted({one.study_date for one in case.current()}) if case else []
    patient = case.patient if case else ""
    first = _asked(results)
    lines = [
        _HEAD,
        f'patient = "{patient}"' if patient else '#patient = "P-..."',
        'author = ""                 # who states all this\n',
        _DRUGS.format(drugs=_wrapped(", ".join(sorted(DRUGS))), routes=", ".join(ROUTES)),
        _ALWAYS,
        *_groups(_is_of_every_date, ()),
    ]
    for day in [*filter(None, days)] or ["YYYY-MM-DD"]:
        lines.append(_AT.format(date=day))
        if first:
            lines += ["# Asked first, because a stage depends on it", ""]
            lines += [line for name in first for line in _lines(name, FACTS[name])]
        lines += _groups(
            lambda name: not _is_of_every_date(name) and not FACTS[name].sited, first
        )
    lines.append(_AT_SITE.format(date=days[-1] if days else "YYYY-MM-DD"))
    lines += _groups(lambda name: FACTS[name].sited, ())
    return "\n".join(lines)


def _asked(results: Iterable[StagingResult]) -> tuple[str, ...]:
    """Return the facts that would answer what blocks, the best questions first."""
    every = list(results)
    best = [result.ask for result in every if result.ask is not None]
    others = [question for result in every for question in result.blocking]
    names = (name for question in (*best, *others) for name in question.facts)
    return tuple(
        name
        for name in dict.fromkeys(names)
        if not FACTS[name].sited and not _is_of_every_date(name)
    )


def _is_of_every_date(name: str) -> bool:
    """Tell whether a fact is asked for every date: a history, not a state such as age."""
    return name in _CONSTANT or FACTS[name].lasting


def _groups(wanted: Callable[[str], bool], without: Collection[str]) -> list[str]:
    order = tuple(dict.fromkeys(fact.group for fact in FACTS.values()))
    chosen = sorted(
        (
            (name, fact)
            for name, fact in FACTS.items()
            if wanted(name) and name not in without
        ),
        key=lambda pair: order.index(pair[1].group),
    )
    lines = []
    for group, pairs in groupby(chosen, key=lambda pair: pair[1].group):
        lines += [f"# {group}", ""]
        lines += [line for name, fact in pairs for line in _lines(name, fact)]
    return lines


def _lines(name: str, fact: FactDefinition) -> tuple[str, str, str]:
    """Return a question and the line that answers it, commented out."""
    match fact.answer:
        case "truth":
            given, answers = '"unknown"', "true, false"
        case "number":
            units = [f"{unit} ({UNITS[unit].meaning})" for unit in fact.units]
            of = "" if fact.units == ("1",) else " in " + " or ".join(units)
            given, answers = '"unknown"', f"a number{of}, {fact.limits}".rstrip(", ")
            if fact.unit_stated:
                answers += f', as {{ value = 1, unit = "{fact.units[0]}" }}'
        case "choice":
            given, answers = '"unknown"', "or one of those above"
        case _:
            given, answers = '""', "a text"
    choices = "".join(f' "{one}"' for one in fact.choices)
    question = _wrapped(fact.question + (f" One of:{choices}" if choices else ""))
    return question, f"#{name} = {given}   # {answers}", ""


def _wrapped(words: str) -> str:
    return "\n".join(
        textwrap.wrap(words, _WIDTH, initial_indent="# ", subsequent_indent="# ")
    )
