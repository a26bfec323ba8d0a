"""Work off the window's thread: the window stays alive, problems come back as words."""

from __future__ import annotations

import importlib
import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from napari.qt.threading import create_worker
from qtpy.compat import isalive
from qtpy.QtCore import QTimer

from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")
_log = logging.getLogger(__name__)

# How often the window looks how far the work is, ms: each time all of it is painted.
TELL_MS: Final = 200


class Stopped(Exception):
    """The reader does not want the result any more."""


@dataclass(frozen=True, slots=True)
class Calls:
    """What a job does, and whom it tells; see `start`."""

    work: Callable[..., Any]
    done: Callable[[Any], None]
    failed: Callable[[OsteotraceError], None]
    progress: Callable[[int, int], None] | None = None
    cancelled: Callable[[], None] | None = None


class Job:
    """Work that is being done beside the window; keep it until it ends.

    Parameters
    ----------
    calls : Calls
        Let go of at the end: napari keeps every worker that it ran, and with it the job.

    Attributes
    ----------
    is_done : bool
        Whether it ended, one way or another.
    """

    def __init__(self, calls: Calls) -> None:
        self.is_done = False
        self._calls: Calls | None = calls
        self._told: tuple[int, int] | None = None
        self._stop = threading.Event()
        self._timer = None if calls.progress is None else _teller(self, calls.progress)
        self._worker = create_worker(self._work, _connect={"returned": self._returned})

    def cancel(self) -> None:
        """Ask it to stop at its next step; what is done by then comes as ever."""
        self._stop.set()

    def abandon(self) -> None:
        """Ask it to stop and tell nobody any more: its window is closed."""
        self._stop.set()
        self._end()

    @property
    def told(self) -> tuple[int, int] | None:
        """What is done and what there is in all; None before the first step."""
        return self._told

    def tell(self, done: int, total: int) -> None:
        """Note how far the work is; called by the work, in its own thread.

        Raises
        ------
        Stopped
            If it was cancelled.
        """
        self._told = done, total
        if self._stop.is_set():
            raise Stopped

    # An exception that a worker returns or raises is shown as a traceback by napari, so
    # every outcome travels in a record.
    def _work(self) -> _Outcome:
        calls = self._calls
        if calls is None:
            return _Outcome()
        counted = {} if calls.progress is None else {"progress": self.tell}
        try:
            return _Outcome(results=(calls.work(**counted),))
        except Stopped:
            return _Outcome(stopped=True)
        except OsteotraceError as problem:
            return _Outcome(problems=(problem,))
        # What nobody foresaw must not become a traceback on a reader's screen.
        except Exception as problem:
            _log.exception("loading failed")
            return _Outcome(problems=(_unforeseen(problem),))

    def _returned(self, outcome: _Outcome) -> None:
        calls = self._calls
        self._end()
        if calls is None:
            return
        if outcome.stopped and calls.cancelled is not None:
            calls.cancelled()
        for problem in outcome.problems:
            calls.failed(problem)
        for result in outcome.results:
            calls.done(result)

    def _end(self) -> None:
        self.is_done = True
        self._calls = None
        timer, self._timer = self._timer, None
        if timer is not None and isalive(timer):
            timer.stop()
            timer.deleteLater()


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of work: at most one result or problem."""

    results: tuple[Any, ...] = ()
    problems: tuple[OsteotraceError, ...] = ()
    stopped: bool = False


def start(
    work: Callable[..., Result],
    *,
    done: Callable[[Result], None],
    failed: Callable[[OsteotraceError], None],
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], None] | None = None,
) -> Job:
    """Run work in a background thread; all other callables run in the window's.

    Parameters
    ----------
    work : callable
        Must touch no Qt object. Called without arguments; where there is ``progress``,
        with ``progress=``, to be called with what is done and what there is in all.
    done, failed : callable
        Called with the result, or with the problem.
    progress : callable, optional
        Called now and then with the numbers that the work told last.
    cancelled : callable, optional
        Called when work has stopped because it was cancelled.
    """
    return Job(Calls(work, done, failed, progress, cancelled))


def warm_up() -> None:
    """Have ready what the first picture needs, before it is waited for.

    napari reads its units and imports parts of scipy when the first layer is made.
    """
    import pint

    # Here and not beside the window: it is not made for two threads at once.
    pint.get_application_registry().Unit("mm")  # type: ignore[no-untyped-call]
    start(_import_scipy, done=_nothing, failed=_nothing)


def _import_scipy() -> None:
    importlib.import_module("scipy.ndimage")
    importlib.import_module("scipy.spatial.transform")


def _nothing(_: object) -> None:
    """Leave it at that."""


def _teller(job: Job, progress: Callable[[int, int], None]) -> QTimer:
    """Return a timer that tells the window how far the work is.

    The work itself reaches no Qt object: it leaves two numbers, and the window looks.
    """
    said: list[tuple[int, int]] = []

    def look() -> None:
        if job.told is not None and said != [job.told]:
            said[:] = [job.told]
            progress(*job.told)

    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(TELL_MS)
    return timer


def _unforeseen(problem: Exception) -> OsteotraceError:
    return OsteotraceError(
        f"an unexpected problem ({type(problem).__name__})",
        expected="a readable study",
        advice="report this with the file concerned, de-identified",
    )
