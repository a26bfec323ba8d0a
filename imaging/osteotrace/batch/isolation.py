"""A task measured in a process of its own: what it breaks, it breaks for itself alone.

The processes stay for the next task. They are the same on this machine and in a Dask
worker, whose own process reads no image: a study that crashes a reader or needs all
memory takes no worker and no other study with it.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Final

import msgspec

from osteotrace.batch.study_process import GREETING, Answered, Asked
from osteotrace.batch.tasks import Outcome, Problem
from osteotrace.processes import receive, send, started

if TYPE_CHECKING:
    import subprocess

    from osteotrace.batch.tasks import Task

# One thread a process: as many studies at once as there are processes, no more.
_ENVIRONMENT: Final = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1",
}
# What may be printed before the greeting, bytes.
_PRINTED_BYTES: Final = 1 << 16
# What is told of a process that ended by these, instead of their numbers.
_SIGNALS: Final = {
    signal.SIGSEGV: "it read memory that is not its own (SIGSEGV)",
    signal.SIGABRT: "it gave up (SIGABRT)",
    signal.SIGTERM: "it was told to end (SIGTERM)",
}
_KILLED: Final = "it was killed, as systems do where memory runs out (SIGKILL)"


class StudyProcess:
    """A process that measures one task after another."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] = started(
            "osteotrace.batch.study_process", _ENVIRONMENT
        )
        self._greeted = False
        self._late = threading.Event()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def run(self, task: Task) -> Outcome:
        """Measure a task; where the process ends over it, the outcome says how."""
        if not self._greets():
            self.end()
            return Outcome(stop=_no_start(_ending(self._process.returncode)))
        seconds = task.settings.seconds
        clock = None if seconds is None else threading.Timer(seconds, self._end_late)
        if clock is not None:
            clock.daemon = True
            clock.start()
        try:
            answer = self._answer(Asked(pickle.dumps(task)))
        except (OSError, ValueError, msgspec.MsgspecError):
            answer = None
        finally:
            if clock is not None:
                clock.cancel()
        if answer is not None:
            outcome: Outcome = pickle.loads(answer.outcome)
            return outcome
        self.end()
        if self._late.is_set():
            return Outcome(died=f"it took longer than {seconds:g} s")
        return Outcome(died=_ending(self._process.returncode))

    def _greets(self) -> bool:
        """Wait until it is ready; False where it is not what it should be."""
        if not self._greeted:
            assert self._process.stdout is not None
            with suppress(OSError, ValueError):
                _await_greeting(self._process.stdout)
                self._greeted = True
        return self._greeted

    @property
    def usable(self) -> bool:
        """Whether it can be given another task."""
        return self._process.poll() is None

    def end(self) -> None:
        """End it, whatever it is doing, and wait until it is gone."""
        self._process.kill()
        with suppress(BrokenPipeError):
            self._process.__exit__(None, None, None)  # Closes the pipes and waits.

    def kill(self) -> None:
        """End it from another thread; whoever waits for its answer clears up."""
        self._process.kill()

    def _end_late(self) -> None:
        self._late.set()
        self._process.kill()

    def _answer(self, request: Asked) -> Answered | None:
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None
        assert answers is not None
        send(requests, request)
        return receive(answers, Answered)


class _Processes:
    """The processes of this process, idle and busy."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[StudyProcess] = []
        self._busy: set[StudyProcess] = set()
        self._runs = 0

    def take(self) -> tuple[StudyProcess, int]:
        """Return a process that waits, or a new one; and the run it belongs to."""
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.usable:
                    break
                process.end()
            else:
                process = StudyProcess()
            self._busy.add(process)
            return process, self._runs

    def give_back(self, process: StudyProcess, run: int) -> None:
        """Keep a process for the next task, unless the run was ended meanwhile."""
        with self._lock:
            self._busy.discard(process)
            if process.usable and run == self._runs:
                self._idle.append(process)
                return
        process.end()

    def end_idle(self) -> None:
        """End those that wait."""
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            process.end()

    def end_all(self) -> None:
        """End every process, the busy ones too."""
        with self._lock:
            self._runs += 1
            for process in self._busy:
                process.kill()
        self.end_idle()


_PROCESSES: Final = _Processes()


def isolated(task: Task) -> Outcome:
    """Measure a task in a process of its own, one that is there already if possible.

    Parameters
    ----------
    task : Task

    Returns
    -------
    Outcome
        That of `osteotrace.batch.studies.measured`; ``died`` says how the process ended
        where it gave none.
    """
    try:
        process, run = _PROCESSES.take()
    except OSError as problem:
        return Outcome(stop=_no_process(problem))
    try:
        return process.run(task)
    finally:
        _PROCESSES.give_back(process, run)


def end_idle() -> None:
    """End every process that `isolated` started here and that has no task."""
    _PROCESSES.end_idle()


def end_all() -> None:
    """End every process that `isolated` started here; tasks in work end with them."""
    _PROCESSES.end_all()


def _await_greeting(stream: IO[bytes]) -> None:
    """Pass over what was printed before the greeting; ValueError where none comes."""
    seen = bytearray()
    while not seen.endswith(GREETING):
        byte = stream.read(1)
        if not byte or len(seen) > _PRINTED_BYTES:
            raise ValueError("no greeting")
        seen += byte


def _ending(code: int) -> str:
    if os.name == "posix" and code < 0:
        if -code == signal.SIGKILL:
            return _KILLED
        return _SIGNALS.get(signal.Signals(-code), f"it ended by signal {-code}")
    return f"it ended with code {code}"


def _no_start(ending: str) -> Problem:
    return Problem(
        found=f"a process that measures and does not start: {ending}",
        expected="a process of this Python with osteotrace",
        advice="run 'osteotrace doctor' there, and go on with --resume",
    )


def _no_process(problem: OSError) -> Problem:
    return Problem(
        found=f"no process to be had ({problem.strerror or problem})",
        expected="memory and the right for one process more",
        advice="ask for fewer --workers, and go on with --resume",
    )
