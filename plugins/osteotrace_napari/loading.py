"""Work off the window's thread: the window stays alive, problems come back as words."""

from __future__ import annotations

import importlib
import logging
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from napari.qt.threading import create_worker
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


class Job:
    """Work that is being done beside the window; keep it until it ends.

    Attributes
    ----------
    is_done : bool
        Whether it ended, one way or another.
    """

    def __init__(self) -> None:
        self.is_done = False
        self.worker: Any = None
        self._told: tuple[int, int] | None = None
        self._stop = threading.Event()

    def cancel(self) -> None:
        """Ask it to stop at its next step; what is done by then comes as ever."""
        self._stop.set()

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
    job = Job()
    asked = work if progress is None else partial(work, progress=job.tell)
    timer = _teller(job, progress)
    stopped: list[bool] = []

    # An exception that a worker returns or raises is shown as a traceback by napari, so
    # both outcomes travel in a list: the result, or nothing and the problem.
    def attempt() -> tuple[list[Result], list[OsteotraceError]]:
        try:
            return [asked()], []
        except Stopped:
            stopped.append(True)
            return [], []
        except OsteotraceError as problem:
            return [], [problem]
        # What nobody foresaw must not become a traceback on a reader's screen.
        except Exception as problem:
            _log.exception("loading failed")
            return [], [_unforeseen(problem)]

    def returned(outcome: tuple[list[Result], list[OsteotraceError]]) -> None:
        job.is_done = True
        if timer is not None:
            timer.stop()
            timer.deleteLater()
        if stopped and cancelled is not None:
            cancelled()
        results, problems = outcome
        for problem in problems:
            failed(problem)
        for result in results:
            done(result)

    job.worker = create_worker(attempt, _connect={"returned": returned})
    return job


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


def _teller(job: Job, progress: Callable[[int, int], None] | None) -> QTimer | None:
    """Return a timer that tells the window how far the work is.

    The work itself reaches no Qt object: it leaves two numbers, and the window looks.
    """
    if progress is None:
        return None
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
