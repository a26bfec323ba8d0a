"""The value under the mouse: quick at once, whole when the mouse rests."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from osteotrace.errors import OsteotraceError
from osteotrace_napari.canvas.marks import Mark, caliper_lines
from osteotrace_napari.tools import live
from osteotrace_napari.tools.live import LiveValue

if TYPE_CHECKING:
    from osteotrace.regions import Point
    from osteotrace.volume import Volume
    from osteotrace_napari.canvas.view import ReadingView

pytestmark = pytest.mark.plugin

START: Point = (0.0, 0.0, 0.0)
PATIENCE_MS = 20_000


@dataclass
class Measuring:
    """A measurement that says what it was asked, and when a whole one may end."""

    asked: list[tuple[Point, bool]] = field(default_factory=list)
    shown: list[Mark | None] = field(default_factory=list)
    refuses: bool = False
    may_end: Event = field(default_factory=Event)

    def measure(self, volume: Volume, start: Point, end: Point, quick: bool) -> Mark:
        self.asked.append((end, quick))
        if self.refuses:
            raise OsteotraceError("no edge", expected="an edge", advice="mark it again")
        if not quick:
            assert self.may_end.wait(PATIENCE_MS / 1000)
        text = f"{end[1]:.0f} mm" if quick else f"{end[1]:.0f} ± 0.1 mm"
        return Mark(lines=caliper_lines((start, end)), text=text)

    @property
    def texts(self) -> list[str]:
        return ["" if mark is None else mark.text for mark in self.shown]


@pytest.fixture
def measuring() -> Measuring:
    made = Measuring()
    made.may_end.set()
    return made


@pytest.fixture
def value(measuring: Measuring, qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> LiveValue:
    monkeypatch.setattr(live, "REST_MS", 1)
    return LiveValue(measuring.measure, measuring.shown.append)


def test_the_first_move_shows_its_value_at_once(
    value: LiveValue, measuring: Measuring, ct_view: ReadingView
) -> None:
    value.follow(ct_view, START, (0.0, 5.0, 0.0))
    value.stop()
    assert measuring.texts == ["5 mm"]


def test_the_first_value_of_an_image_is_measured_before_there_is_a_line(
    value: LiveValue, measuring: Measuring, ct_view: ReadingView, qtbot: Any
) -> None:
    value.begin(ct_view)
    qtbot.waitUntil(lambda: len(measuring.asked) == 1, timeout=PATIENCE_MS)
    assert measuring.shown == []


def test_the_line_follows_where_there_is_no_time_for_a_value(
    value: LiveValue,
    measuring: Measuring,
    ct_view: ReadingView,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = iter([0.0, 0.0, 10.0, *[10.0] * 3])
    # The first value takes ten seconds of the window's clock.
    monkeypatch.setattr(live, "perf_counter", lambda: next(times, 30.0))
    monkeypatch.setattr(live, "REST_MS", 60_000)
    value.follow(ct_view, START, (0.0, 5.0, 0.0))
    value.follow(ct_view, START, (0.0, 6.0, 0.0))
    value.follow(ct_view, START, (0.0, 7.0, 0.0))
    assert [end for end, _ in measuring.asked] == [(0.0, 5.0, 0.0)]
    last = measuring.shown[-1]
    assert last is not None
    assert last.lines[0].points == (START, (0.0, 7.0, 0.0))
    assert last.text == "5 mm"
    value.stop()


def test_a_mouse_at_rest_gets_the_uncertainty(
    value: LiveValue, measuring: Measuring, ct_view: ReadingView, qtbot: Any
) -> None:
    value.follow(ct_view, START, (0.0, 5.0, 0.0))
    qtbot.waitUntil(lambda: "5 ± 0.1 mm" in measuring.texts, timeout=PATIENCE_MS)
    assert measuring.asked == [((0.0, 5.0, 0.0), True), ((0.0, 5.0, 0.0), False)]


def test_a_whole_value_that_comes_too_late_is_not_shown(
    value: LiveValue, measuring: Measuring, ct_view: ReadingView, qtbot: Any
) -> None:
    measuring.may_end.clear()
    value.follow(ct_view, START, (0.0, 5.0, 0.0))
    qtbot.waitUntil(lambda: not measuring.asked[-1][1], timeout=PATIENCE_MS)
    value.follow(ct_view, START, (0.0, 8.0, 0.0))
    measuring.may_end.set()
    qtbot.waitUntil(lambda: "8 ± 0.1 mm" in measuring.texts, timeout=PATIENCE_MS)
    assert "5 ± 0.1 mm" not in measuring.texts


def test_a_line_let_go_shows_nothing_more(
    value: LiveValue, measuring: Measuring, ct_view: ReadingView, qtbot: Any
) -> None:
    measuring.may_end.clear()
    value.follow(ct_view, START, (0.0, 5.0, 0.0))
    qtbot.waitUntil(lambda: not measuring.asked[-1][1], timeout=PATIENCE_MS)
    value.stop()
    measuring.may_end.set()
    value.follow(ct_view, START, (0.0, 9.0, 0.0))
    qtbot.waitUntil(lambda: "9 ± 0.1 mm" in measuring.texts, timeout=PATIENCE_MS)
    assert "5 ± 0.1 mm" not in measuring.texts


def test_what_cannot_be_measured_is_said_beside_the_line(
    value: LiveValue, measuring: Measuring, ct_view: ReadingView
) -> None:
    measuring.refuses = True
    value.follow(ct_view, START, (0.0, 5.0, 0.0))
    assert measuring.texts == ["no edge"]
    value.stop()
