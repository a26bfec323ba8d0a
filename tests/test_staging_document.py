"""The page on staging says what the staging systems are, and its examples run."""

from __future__ import annotations

import re
from pathlib import Path

from tests.test_documents import assert_examples_run

from osteotrace.codes import FACTS, STAGINGS
from osteotrace.staging import system_names

PAGE = Path(__file__).parent.parent / "docs/staging.md"


def test_the_table_of_systems_is_that_of_the_program() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (.+) \| (always|when named) \|$", PAGE.read_text(), re.M
    )
    enabled = system_names(enabled_only=True)
    assert rows == [
        (name, STAGINGS[name].meaning, "always" if name in enabled else "when named")
        for name in sorted(system_names())
    ]


def test_the_examples_of_the_page_run() -> None:
    assert_examples_run(PAGE, least=9)


def test_every_fact_that_the_rules_of_evidence_name_is_one() -> None:
    section = PAGE.read_text().split("## MRONJ")[1].split("## Brown")[0]
    named = set(re.findall(r"`([a-z_]+)`", section))
    assert named
    assert named <= set(FACTS)
