"""Stages as people read them: words in place of the keys that records keep."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

import pytest
from tests.fixtures.four_cases import finding, mandible, maxilla, reading, spine

from osteotrace import staging
from osteotrace.codes import FACTS, KINDS
from osteotrace.findings import Case, Fact, StagingResult
from osteotrace.reports import stagings
from osteotrace.reports.criterion_words import WORDS, in_words, words_of
from osteotrace.staging import systems
from osteotrace.staging.profile import tables as profile_tables
from osteotrace.staging.rule_table import RuleTable

if TYPE_CHECKING:
    from collections.abc import Iterator

DATES = {
    "maxilla": (maxilla, "2023-06-20"),
    "maxilla, later": (maxilla, "2024-01-29"),
    "mandible": (mandible, "2012-10-11"),
    "spine": (spine, "2023-09-27"),
}


def _results(name: str) -> tuple[StagingResult, ...]:
    make, date = DATES[name]
    return staging.stage(make(), date)


def _criteria(results: tuple[StagingResult, ...]) -> set[str]:
    reasons = {one.criterion for result in results for one in result.reasons}
    return reasons | {one.criterion for result in results for one in result.blocking}


@pytest.mark.parametrize("name", DATES)
def test_no_line_that_people_read_holds_a_key(name: str) -> None:
    results = _results(name)
    keys = {key for key in {*_criteria(results), *FACTS, *KINDS} if "_" in key}
    assert keys
    said = "\n".join(line for result in results for line in stagings.lines(result))
    assert [key for key in keys if key in said] == []
    assert "because: " in said


@pytest.mark.parametrize("name", DATES)
def test_what_is_not_known_is_listed_in_words(name: str) -> None:
    for result in _results(name):
        if not result.blocking:
            continue
        (line,) = (
            one for one in stagings.lines(result) if one.startswith("  not known: ")
        )
        listed = line.removeprefix("  not known: ").split(", ")
        assert all("_" not in one and len(one) < 70 for one in listed)
        assert listed == list(
            dict.fromkeys(
                words_of(one.criterion, site=result.site) for one in result.blocking
            )
        )


def test_records_keep_the_keys() -> None:
    (result,) = staging.stage(maxilla(), "2023-06-20", systems=["aaoms_2022"])
    assert "path_fracture" in {one.criterion for one in result.blocking}
    assert "over_8_weeks" in {one.criterion for one in result.reasons}


def _tables(value: object) -> Iterator[RuleTable]:
    """Yield the rule tables that a module's value holds."""
    if isinstance(value, RuleTable):
        yield value
    elif isinstance(value, dict):
        yield from _tables(tuple(value.values()))
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _tables(one)


def _every_table() -> dict[str, RuleTable]:
    modules = [profile_tables]
    for module in pkgutil.iter_modules(systems.__path__):
        modules.append(importlib.import_module(f"{systems.__name__}.{module.name}"))
    values = (value for module in modules for value in vars(module).values())
    found = [table for value in values for table in _tables(value)]
    return {f"{one.system} {one.criteria[0].name}": one for one in found}


TABLES = _every_table()


@pytest.mark.parametrize("name", TABLES)
def test_the_criteria_of_a_table_have_words_of_their_own(name: str) -> None:
    criteria = TABLES[name].criteria
    words = [words_of(one.name) for one in criteria]
    assert len(set(words)) == len(words)
    assert not any("_" in one or len(one) > 70 for one in words)


def test_words_are_kept_of_criteria_and_facts_alone() -> None:
    criteria = {one.name for table in TABLES.values() for one in table.criteria}
    assert {"over_8_weeks", "posterior_wall", "premaxilla_depression"} <= criteria
    assert set(WORDS) - criteria <= set(FACTS)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "over_8_weeks, jaw_metastasis",
            "bone exposed or probed for over 8 weeks, metastasis of the jaw",
        ),
        ("l2.frame_lost unknown", "loss of the vertebral frame (L2 vertebra) unknown"),
        ("sent by_mail", "sent by_mail"),
        ("pus yes: pain of a tooth", "pus yes: pain of a tooth"),
        ("PAL-1 palatal_bony_defect present", "PAL-1 palatal bony defect present"),
    ],
)
def test_a_line_keeps_what_is_no_key(line: str, words: str) -> None:
    assert in_words(line, {"over_8_weeks"}).lower() == words.lower()


def test_a_contradiction_is_told_in_words() -> None:
    facts = tuple(
        Fact(
            name="exposed_bone",
            value=value,
            source="entered",
            author="Dr A",
            recorded="",
            date="2024-05-01",
        )
        for value in (True, False)
    )
    case = Case(
        patient="P",
        facts=facts,
        assessments=(reading("2024-05-01", finding("SEQ-1", "sequestrum", "maxilla")),),
    )
    (result,) = staging.stage(case, "2024-05-01", systems=["aaoms_2022"])
    lines = list(stagings.lines(result))
    assert any(
        one.startswith("  contradiction: exposed bone is stated in two ways")
        for one in lines
    )
