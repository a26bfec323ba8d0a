"""Marrow edema in the reading room: a seed and normal marrow give its true volume."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from tests.fixtures.fake_mouse import FakeMouse, view_of

import osteotrace as ot
from osteotrace import phantoms
from osteotrace.measurements.measurement import Measurement
from osteotrace.session import Session
from osteotrace_napari.tools.edema import MarrowEdema
from osteotrace_napari.tools.pointer import Pointer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from osteotrace.volume import Volume
    from osteotrace_napari.canvas.marks import Mark
    from osteotrace_napari.canvas.view import ReadingView
    from osteotrace_napari.tools.grips import Grip

pytestmark = pytest.mark.plugin

CASE = "mandible_month00"
# Of the sample: amid the edema of the left half, and amid the marrow of the right one.
SEED = (15.5, 20.9, -5.9)
NORMAL = (-17.5, 12.6, -5.9)
EDGE = (-17.5, 14.6, -5.9)


class NoMarks:
    def grips(self, view: ReadingView) -> tuple[Grip, ...]:
        return ()


@dataclass
class Bench:
    """A pointer with the tool in hand, and what the tool showed and handed over."""

    volume: Volume
    recorded: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    shown: list[Mark | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.view = view_of(self.volume)
        self.view.go_to([SEED])
        self.mouse = FakeMouse(self.view)
        self.tool = MarrowEdema(
            preview=self.shown.append,
            record=lambda tool, view, **where: self.recorded.append((tool, where)),
        )
        self.pointer = Pointer(NoMarks())  # type: ignore[arg-type]
        self.pointer.attach(self.view)
        self.pointer.take_up(self.tool)

    def drag(self) -> None:
        self.mouse.press(NORMAL)
        self.mouse.move(EDGE)
        self.mouse.release(EDGE)


@pytest.fixture(scope="module")
def folder(samples_with: Callable[[str], Path]) -> Path:
    return samples_with(CASE) / CASE


@pytest.fixture(scope="module")
def stir(folder: Path) -> Volume:
    return ot.load(next(s for s in ot.scan(folder) if s.identity.modality == "MR"))


@pytest.fixture
def bench(stir: Volume) -> Bench:
    return Bench(stir)


def test_a_click_and_a_drag_measure_the_true_volume(
    bench: Bench, folder: Path, tmp_path: Path
) -> None:
    bench.mouse.click(SEED)
    assert "now drag in normal marrow" in bench.tool.prompt
    bench.drag()
    ((name, where),) = bench.recorded
    assert set(where) == {"seed", "reference"}
    truth = phantoms.truth(CASE).findings["EDEMA"].values["edema_volume"]
    session = Session(reader="tester", drafts=tmp_path)
    catalogue = session.open(folder)
    volume = session.load(catalogue.choose(bench.volume.identity.series_uid))
    (finding,) = session.measure(name, volume, **where)
    session.close()
    found = finding.measurements[0]
    assert isinstance(found, Measurement)
    assert found.value == pytest.approx(truth.value, abs=truth.tolerance)


def test_seed_and_ball_stay_to_be_seen_until_the_finding_is_there(bench: Bench) -> None:
    bench.mouse.click(SEED)
    bench.drag()
    mark = bench.shown[-1]
    assert mark is not None
    assert mark.spots[0].point == pytest.approx(SEED, abs=1.5)
    assert [ball.radius for ball in mark.balls] == [2.0]
    # The next one begins with a seed.
    assert bench.tool.prompt == "Marrow edema: click into it."


def test_escape_takes_the_ball_back_then_the_seed_then_puts_the_tool_away(
    bench: Bench,
) -> None:
    bench.mouse.click(SEED)
    bench.mouse.click(NORMAL)
    assert "how far it reaches" in bench.tool.prompt
    bench.pointer.cancel()
    assert "now drag in normal marrow" in bench.tool.prompt
    bench.pointer.cancel()
    assert bench.tool.prompt == "Marrow edema: click into it."
    bench.pointer.cancel()
    assert bench.pointer.tool is None
    assert bench.recorded == []
