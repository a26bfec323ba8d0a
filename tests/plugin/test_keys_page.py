"""The page on the reading room lists every key as it is."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

pytestmark = pytest.mark.plugin

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_on_the_reading_room_lists_every_key_as_it_is() -> None:
    made = runpy.run_path(str(DOCS / "make_keys.py"))
    text = (DOCS / "reading_room.md").read_text()
    assert made["page"](text) == text
