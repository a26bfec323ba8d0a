"""One bad place in a tree is a row of what was left out, and the scan goes on."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from osteotrace.deidentify import Secret, deidentify_tree
from osteotrace.errors import OsteotraceError
from osteotrace.records.store import new_folder
from osteotrace.series import Catalogue, scan
from osteotrace.series.folders import walk

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from tests.fixtures.synthetic import WriteSeries

posix = pytest.mark.skipif(os.name != "posix", reason="made with what POSIX offers")


@pytest.fixture
def folder(write_series: WriteSeries, ramp: NDArray[Any]) -> Path:
    return write_series(ramp)


def left_out(catalogue: Catalogue) -> dict[str, str]:
    """Return the reasons by name, having seen that the images were found."""
    (series,) = catalogue
    assert series.n_instances == 5
    return {row.path.name: row.reason for row in catalogue.skipped}


@posix
def test_a_tree_that_is_deeper_than_paths_are_long_is_read_down_to_there(
    folder: Path,
) -> None:
    name, here = "d" * 250, os.open(folder, os.O_RDONLY)
    for _ in range(20):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    try:
        assert left_out(scan(folder)) == {
            name: "a folder that cannot be read (File name too long)"
        }
    finally:
        shutil.rmtree(folder / name)


@posix
def test_a_file_beyond_the_longest_path_is_not_called_a_link(folder: Path) -> None:
    path, longest = folder, os.pathconf(folder, "PC_PATH_MAX")
    while len(os.fsencode(path)) < longest - 250:
        path = path / ("d" * 100)
    path.mkdir(parents=True)
    here = os.open(path, os.O_RDONLY)
    os.close(os.open("f" * 250, os.O_CREAT, dir_fd=here))
    os.close(here)
    try:
        assert left_out(scan(folder)) == {
            "f" * 250: "a file that cannot be reached (File name too long)"
        }
    finally:
        shutil.rmtree(folder / ("d" * 100))


def test_a_folder_that_may_not_be_entered_is_a_row(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "closed").mkdir()
    stat = os.stat

    def refused(path: Any, **options: Any) -> os.stat_result:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return stat(path, **options)

    monkeypatch.setattr(os, "stat", refused)
    assert left_out(scan(folder)) == {
        "closed": "a folder that cannot be read (Permission denied)"
    }


def test_a_folder_that_vanishes_during_the_walk_is_a_row(folder: Path) -> None:
    (folder / "gone").mkdir()
    found = walk(str(folder))
    next(found)
    (folder / "gone").rmdir()
    (row,) = (problem for part in found for problem in part.problems)
    assert row == (
        str(folder / "gone"),
        "a folder that cannot be read (No such file or directory)",
    )


@posix
@pytest.mark.parametrize("target", ["absent", "image0001.dcm/below", "link"])
def test_a_link_that_leads_nowhere_is_called_that(folder: Path, target: str) -> None:
    (folder / "link").symlink_to(folder / target)
    assert left_out(scan(folder))["link"].startswith("a link that leads nowhere (")


@posix
def test_a_pipe_among_the_files_is_a_row(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    assert left_out(scan(folder)) == {"pipe": "neither a file nor a folder"}


@posix
@pytest.mark.parametrize("inside", [False, True])
def test_a_pipe_alone_is_refused_and_not_waited_for(tmp_path: Path, inside: bool) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OsteotraceError, match="neither a file nor a folder"):
        scan(tmp_path if inside else pipe)


@pytest.mark.parametrize("name", ["n" * 300, "with a \0 in it", "d/" * 5000])
def test_a_path_that_cannot_be_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OsteotraceError) as caught:
        scan(tmp_path / name)
    assert caught.value.usage


def test_a_study_that_is_not_there_whole_yet_is_not_there(
    folder: Path, tmp_path: Path
) -> None:
    """As after a fetch that was killed, or while one goes on."""
    out = tmp_path / "studies"
    shutil.copytree(folder, out / "whole")
    with new_folder(out / "coming") as draft:
        shutil.copytree(folder, draft / "series")
        assert scan(out).root == out
        assert left_out(scan(out)) == {}
        done = deidentify_tree(out, tmp_path / "clean", Secret(b"a test's own secret"))
        assert (done.objects, done.refused) == (5, ())
        # Its writer may look.
        assert left_out(scan(draft)) == {}
