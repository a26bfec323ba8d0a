"""Headers read by several processes are those read by one, whatever the others do."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from osteotrace.processes import receive
from osteotrace.series import many_headers
from osteotrace.series.header_process import (
    GREETING,
    Headers,
    Stretch,
    read_stretch,
)
from osteotrace.series.many_headers import FILES_PER_PROCESS, read_many

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from tests.fixtures.synthetic import WriteSeries

PATIENCE_S = 30.0


@pytest.fixture
def stretches(write_series: WriteSeries, ramp: NDArray[Any]) -> list[Stretch]:
    """Return each file of a series as a stretch of its own."""
    folder = write_series(ramp)
    return [
        Stretch(os.fsencode(folder), [os.fsencode(file.name)], [file.stat().st_size])
        for file in sorted(folder.iterdir())
    ]


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Have two processes whatever the machine; see that none outlives its test."""
    processes: list[subprocess.Popen[bytes]] = []
    make = subprocess.Popen

    def noted(*args: Any, **options: Any) -> subprocess.Popen[bytes]:
        process = make(*args, **options)
        processes.append(process)
        return process

    monkeypatch.setattr(subprocess, "Popen", noted)
    monkeypatch.setattr(many_headers, "_count", lambda files: 2)
    yield processes
    for process in processes:
        assert process.wait(PATIENCE_S) is not None


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Have this process read nothing before another has: the event tells."""
    event = threading.Event()

    def noted(stream: Any, kind: type[Headers]) -> Headers | None:
        answer = receive(stream, kind)
        if answer is not None:
            event.set()
        return answer

    def patient(stretch: Stretch) -> Headers:
        assert event.wait(PATIENCE_S), "no other process has read anything"
        return read_stretch(stretch)

    monkeypatch.setattr(many_headers, "receive", noted)
    monkeypatch.setattr(many_headers, "read_stretch", patient)
    return event


def read(stretches: list[Stretch]) -> list[Headers]:
    return list(read_many(stretches, lambda read: None))


def other_program(file: Path, command: str) -> str:
    file.write_text(f"#!/bin/sh\n{command}\n")
    file.chmod(0o755)
    return str(file)


def python(program: str) -> str:
    """Return the shell command that greets in our place, then goes on as told."""
    greet = f"import sys, time; out = sys.stdout.buffer; out.write({GREETING!r}); "
    return f"exec {shlex.quote(sys.executable)} -c {shlex.quote(greet + program)}"


def test_other_processes_give_the_same(
    stretches: list[Stretch], answered: threading.Event
) -> None:
    assert read(stretches) == [read_stretch(stretch) for stretch in stretches]
    assert answered.is_set()


@pytest.mark.parametrize(
    "noise",
    [
        "print('hello', flush=True)",
        "import os; os.write(1, b'no line end')",
        "import threading, time\n"
        "def talk():\n    while True: time.sleep(0.001) or print('hello', flush=True)\n"
        "threading.Thread(target=talk, daemon=True).start()",
    ],
    ids=["a line", "bytes", "all the time"],
)
def test_what_a_process_prints_is_no_answer(
    stretches: list[Stretch],
    answered: threading.Event,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    noise: str,
) -> None:
    customised = tmp_path / "customised"
    customised.mkdir()
    (customised / "sitecustomize.py").write_text(noise)
    monkeypatch.setenv("PYTHONPATH", str(customised))
    assert read(stretches) == [read_stretch(stretch) for stretch in stretches]
    assert answered.is_set()


@pytest.mark.skipif(os.name != "posix", reason="the other programs are shell scripts")
@pytest.mark.parametrize(
    "command",
    [
        "exec sleep 60",
        "sleep 7 & wait",
        "exec yes",
        "echo a line, then the end",
        python(r"out.write(b'\xff' * 99); out.flush(); time.sleep(60)"),
        python(r"out.write(b'\0\0\0\x04junk'); out.flush(); time.sleep(60)"),
        python(r"out.write(b'\0\0\0\4\x93\x90\x90\x90'); out.flush(); time.sleep(60)"),
        python(r"out.write(b'\1\0\0\0short'); out.flush()"),
        python(r"out.flush(); time.sleep(60)"),
    ],
    ids=[
        "silent", "with a child", "never silent", "ends", "too long", "junk",
        "no headers", "cut off", "hangs",
    ],
)  # fmt: skip
def test_another_program_in_the_place_of_python_holds_nothing_up(
    stretches: list[Stretch],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    expected = [read_stretch(stretch) for stretch in stretches]
    monkeypatch.setattr(sys, "executable", other_program(tmp_path / "other", command))
    monkeypatch.setattr(many_headers, "STRETCH_SECONDS", 0.5)
    monkeypatch.setattr(many_headers, "_END_SECONDS", 0.5)

    def slow(stretch: Stretch) -> Headers:
        time.sleep(0.2)  # For the others to come in.
        return read_stretch(stretch)

    monkeypatch.setattr(many_headers, "read_stretch", slow)
    begun = time.monotonic()
    assert read(stretches) == expected
    assert time.monotonic() - begun < PATIENCE_S / 2


def test_who_does_not_greet_in_time_is_ended(
    stretches: list[Stretch],
    started: list[subprocess.Popen[bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if os.name != "posix":
        pytest.skip("the other program is a shell script")
    monkeypatch.setattr(sys, "executable", other_program(tmp_path / "a", "exec sleep 60"))
    monkeypatch.setattr(many_headers, "GREETING_SECONDS", 0.0)
    found = read_many(stretches, lambda read: None)
    next(found)
    assert [process.wait(PATIENCE_S) for process in started] == [-9, -9]
    assert len(list(found)) == len(stretches) - 1


@pytest.mark.parametrize(("name", "value"), [("executable", ""), ("frozen", True)])
def test_without_an_interpreter_there_are_no_processes(
    monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    if hasattr(os, "sched_getaffinity"):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    files = 3 * FILES_PER_PROCESS
    assert many_headers._count(files) == 2
    monkeypatch.setattr(sys, name, value, raising=False)
    assert many_headers._count(files) == 0


def test_an_interrupt_ends_the_processes(
    stretches: list[Stretch], started: list[subprocess.Popen[bytes]]
) -> None:
    def interrupt(read: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(read_many(stretches, interrupt))
    assert [process.poll() is not None for process in started] == [True, True]
