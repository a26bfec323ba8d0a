"""File > Open Sample: every case is offered, made once, and opened beside the window."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from osteotrace.errors import OsteotraceError
from osteotrace.phantoms import CASES, cached
from osteotrace.series import scan
from osteotrace_napari import reader, sample_data

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace_napari.room import ReadingRoom

PATIENCE_MS = 60_000


@pytest.fixture
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a cache folder with nothing in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, small_study: Path) -> list[str]:
    """Let a small study stand for every case; return the names of those made."""
    import shutil

    names: list[str] = []

    def write(
        folder: Path, name: str, progress: Callable[[int, int], None] | None = None
    ) -> None:
        names.append(name)
        for number, series in enumerate(sorted(small_study.iterdir())):
            if progress is not None:
                progress(number, 3)
            shutil.copytree(series, folder / series.name)

    monkeypatch.setattr(cached, "write_case", write)
    return names


# What is offered


def test_napari_offers_every_sample_case() -> None:
    from npe2 import PluginManifest

    manifest = PluginManifest.from_file(Path(reader.__file__).with_name("napari.yaml"))
    offered = manifest.contributions.sample_data or []
    assert sorted(sample.key for sample in offered) == sorted(CASES)
    assert len({sample.display_name for sample in offered}) == len(CASES)
    for sample in offered:
        assert sample_data.name_of(sample.uri) == sample.key
        assert sample.reader_plugin == "osteotrace"


def test_addresses_of_samples_are_told_from_paths() -> None:
    assert reader.get_reader("osteotrace://sample/maxilla_after") is sample_data.read
    assert sample_data.name_of("/data/osteotrace/sample") == ""
    assert sample_data.name_of(Path("sample")) == ""


# Where it is kept


def test_a_case_is_made_once_whole_below_the_cache_folder(
    own_cache: Path, made: list[str]
) -> None:
    folder = cached.sample_case("maxilla_after")
    assert folder.is_relative_to(own_cache / "osteotrace" / "samples")
    assert len(scan(folder)) == 3
    assert cached.sample_case("maxilla_after") == folder
    assert made == ["maxilla_after"]


def test_what_was_stopped_or_failed_leaves_nothing(
    own_cache: Path, made: list[str]
) -> None:
    class Stopped(Exception):
        pass

    def stop(done: int, _: int) -> None:
        if done == 2:
            raise Stopped

    with pytest.raises(Stopped):
        cached.sample_case("maxilla_after", stop)
    assert [p for p in own_cache.rglob("*") if p.is_file()] == []
    assert len(scan(cached.sample_case("maxilla_after"))) == 3
    assert made == ["maxilla_after"] * 2


def test_a_case_that_another_window_made_meanwhile_is_used(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = cached.samples_folder() / "maxilla_after"

    def write(draft: Path, name: str, progress: object = None) -> None:
        (draft / "a").write_text("mine")
        folder.mkdir(parents=True)
        (folder / "a").write_text("theirs")

    monkeypatch.setattr(cached, "write_case", write)
    assert cached.sample_case("maxilla_after") == folder
    assert (folder / "a").read_text() == "theirs"


def test_no_other_name_becomes_a_folder(own_cache: Path) -> None:
    for name in ("../elsewhere", "", "maxilla"):
        with pytest.raises(OsteotraceError, match="no sample case"):
            cached.sample_case(name)
    assert not own_cache.exists()


def test_a_cache_that_cannot_be_written_says_what_to_do(
    own_cache: Path, made: list[str]
) -> None:
    own_cache.write_text("a file, no folder")
    with pytest.raises(OsteotraceError, match="osteotrace samples DIR"):
        cached.sample_case("maxilla_after")


def test_a_true_case_is_what_the_command_line_writes(own_cache: Path) -> None:
    told: list[tuple[int, int]] = []
    folder = cached.sample_case("crmo_1_before", lambda *t: told.append(t))
    descriptions = {series.identity.study_description for series in scan(folder)}
    assert all("synthetic" in words for words in descriptions)
    assert told[0][0] == 0
    assert told[-1][0] == told[-1][1]


# In napari


def test_without_a_window_the_ct_comes_as_a_layer(
    own_cache: Path, made: list[str], small_study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari.current_viewer", lambda: None)
    # Of two CT volumes only one can be measured.
    ((values, _, kind),) = sample_data.read("osteotrace://sample/spine_2023-07")
    assert kind == "image"
    assert values.shape == (20, 96, 70)


@pytest.mark.plugin
def test_a_sample_is_made_beside_the_window_and_opened(
    viewer: Any,
    room: ReadingRoom,
    own_cache: Path,
    made: list[str],
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held, write = threading.Event(), vars(cached)["write_case"]

    def slow(folder: Path, name: str, progress: Any = None) -> None:
        assert held.wait(PATIENCE_MS / 1000)
        write(folder, name, progress)

    monkeypatch.setattr(cached, "write_case", slow)
    viewer.open_sample("osteotrace", "crmo_1_after")
    # The window is not held up by it.
    assert room.busy
    assert "sample case" in room.dock.message.text()
    held.set()
    qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)
    described = {h.identity.description for h in room.dock.study.headers()}
    assert described == {"Scout", "Bone 0.8", "T2 sag"}
    assert made == ["crmo_1_after"]
    viewer.open_sample("osteotrace", "crmo_1_after")
    qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)
    assert made == ["crmo_1_after"]
