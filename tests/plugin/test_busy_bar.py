"""The bar of work beside the window: seldom drawn, and still while nothing is done."""

from __future__ import annotations

from typing import Any

import pytest

from osteotrace_napari.panels import busy_bar
from osteotrace_napari.panels.busy_bar import STEPS, BusyBar

pytestmark = pytest.mark.plugin

PATIENCE_MS = 20_000


@pytest.fixture
def bar(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> BusyBar:
    monkeypatch.setattr(busy_bar, "STEP_MS", 1)
    made = BusyBar()
    qtbot.addWidget(made)
    return made


def test_a_bar_that_nobody_counts_for_moves_on_while_it_is_seen(
    bar: BusyBar, qtbot: Any
) -> None:
    assert not bar._timer.isActive()
    bar.show()
    seen: set[int] = set()
    bar.valueChanged.connect(seen.add)
    qtbot.waitUntil(lambda: seen == set(range(1, STEPS + 1)), timeout=PATIENCE_MS)
    bar.hide()
    assert not bar._timer.isActive()


def test_qts_own_busy_bar_is_never_drawn(bar: BusyBar) -> None:
    for done, of in ((0, 0), (3, 9), (0, 0)):
        bar.show_progress(done, of)
        assert bar.maximum() > 0


def test_what_is_counted_is_shown_as_it_is(bar: BusyBar) -> None:
    bar.show()
    bar.show_progress(3, 300)
    assert (bar.value(), bar.maximum()) == (3, 300)
    assert not bar._timer.isActive()
    bar.show_progress(0, 0)
    assert bar._timer.isActive()
