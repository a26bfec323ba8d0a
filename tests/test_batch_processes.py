"""Processes that die, hang or never start: one study suffers, and no other."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.fixtures import deadly_process
from tests.fixtures.study_trees import ASKED, COUNT, study_uid, write_study

from osteotrace.batch import isolation, measure_tree
from osteotrace.batch.journal import LINES
from osteotrace.processes import started
from osteotrace.reports import results

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.fixtures.study_trees import Measured

    from osteotrace.errors import OsteotraceError

ALWAYS, ONCE = study_uid(1), study_uid(4)


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[int]]:
    """Return a function that lets runs start another module, and lists the processes."""

    def start_instead(module: str) -> list[int]:
        numbers: list[int] = []

        def start(_: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
            process = started(module, environment)
            numbers.append(process.pid)
            return process

        monkeypatch.setattr(isolation, "started", start)
        return numbers

    return start_instead


def test_a_study_that_kills_its_process_is_tried_alone_once_and_is_then_a_row(
    undisturbed: Measured,
    processes: Callable[[str], list[int]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    numbers = processes(deadly_process.__name__)
    deadly = tmp_path / "deadly"
    deadly.mkdir()
    (deadly / ALWAYS).write_text("dies whenever it is tried")
    (deadly / ONCE).write_text("1")
    monkeypatch.setenv(deadly_process.VARIABLE, str(deadly))
    out = tmp_path / "out"
    run = measure_tree(undisturbed.tree, undisturbed.protocol, out, workers=2, **ASKED)
    assert (run.n_done, run.n_failed) == (COUNT - 1, 1)
    # Twice, and not a third time.
    assert (deadly / ALWAYS).read_text() == "es whenever it is tried"
    assert (deadly / ONCE).read_text() == ""
    (failed,) = run.failures()
    assert failed.study_uid == ALWAYS
    assert "SIGKILL" in str(failed.error)
    assert rows_but(undisturbed.out, ALWAYS) == rows_but(out, ALWAYS)
    assert all(gone(number) for number in numbers)


def test_a_study_that_kills_its_process_takes_no_other_of_its_patient_with_it(
    undisturbed: Measured,
    processes: Callable[[str], list[int]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    processes(deadly_process.__name__)
    deadly, facts = tmp_path / "deadly", tmp_path / "facts.toml"
    deadly.mkdir()
    # Of three studies of one patient the second in time.
    facts.write_text('author = "Dr A"\n[always]\njaw_radiotherapy = false\n')
    for number in range(3):
        write_study(tmp_path / "tree", number, patient="TEST-A")
    (deadly / study_uid(1)).write_text("dies whenever it is tried")
    monkeypatch.setenv(deadly_process.VARIABLE, str(deadly))
    call = (tmp_path / "tree", undisturbed.protocol)
    run = measure_tree(*call, tmp_path / "out", facts=facts, **ASKED)
    assert (run.n_done, run.n_failed) == (2, 1)
    assert [one.study_uid for one in run.failures()] == [study_uid(1)]
    # The others are staged beside each other, as in a tree without that study.
    shutil.rmtree(tmp_path / "tree" / "s0001")
    whole = measure_tree(*call, tmp_path / "whole", facts=facts, **ASKED)
    assert rows_but(tmp_path / "out", study_uid(1)) == rows_but(whole.folder, "")


def rows_but(out: Path, study: str) -> list[dict[str, str]]:
    with (out / results.CSV).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [row for row in rows if row["study_uid"] != study]


def gone(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_process_that_does_not_start_ends_the_run_with_one_line(
    undisturbed: Measured,
    processes: Callable[[str], list[int]],
    tmp_path: Path,
    refusal: Callable[[Callable[[], object]], OsteotraceError],
) -> None:
    processes("tests.fixtures.no_such_module")
    out = tmp_path / "out"
    error = refusal(
        lambda: measure_tree(undisturbed.tree, undisturbed.protocol, out, **ASKED)
    )
    assert "does not start" in error.found
    assert (out / results.CSV).is_file()


def test_a_study_that_takes_too_long_is_given_up(
    undisturbed: Measured,
    processes: Callable[[str], list[int]],
    tmp_path: Path,
) -> None:
    processes("tests.fixtures.idle_process")
    run = measure_tree(
        *(undisturbed.tree, undisturbed.protocol, tmp_path / "out"),
        workers=COUNT,
        seconds=0.05,
        **ASKED,
    )
    assert run.n_failed == COUNT
    assert all("longer than 0.05 s" in str(one.error) for one in run.failures())


@pytest.mark.slow
def test_the_command_killed_from_outside_goes_on_to_the_same_table(
    undisturbed: Measured, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    call = [
        *(sys.executable, "-m", "osteotrace.cli", "measure", str(undisturbed.tree)),
        *("--protocol", str(undisturbed.protocol), "--out", str(out)),
        *("--pictures", "none", "--workers", "2"),
    ]
    command = subprocess.Popen(call, stdout=subprocess.DEVNULL)
    while command.poll() is None and not lines_in(out):
        pass
    command.send_signal(signal.SIGKILL)
    assert command.wait() == -signal.SIGKILL
    assert lines_in(out) > 0
    subprocess.run([*call, "--resume"], check=True, stdout=subprocess.DEVNULL)
    assert timeless(out) == timeless(undisturbed.out)


def lines_in(out: Path) -> int:
    file = out / LINES
    return file.read_bytes().count(b"\n") if file.exists() else 0


def timeless(out: Path) -> list[dict[str, Any]]:
    return [row | {"recorded": ""} for row in rows_but(out, "")]
