"""Work off the window's thread: the window stays alive, problems come back as words."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeVar

from napari.qt.threading import create_worker

from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")
_log = logging.getLogger(__name__)


def start(
    work: Callable[[], Result],
    *,
    done: Callable[[Result], None],
    failed: Callable[[OsteotraceError], None],
) -> Any:
    """Run work in a background thread; ``done`` or ``failed`` run in the window's.

    Work must touch no Qt object. The worker is returned and must be kept until it ends.
    """

    # An exception that a worker returns or raises is shown as a traceback by napari, so
    # both outcomes travel in a list: the result, or nothing and the problem.
    def attempt() -> tuple[list[Result], list[OsteotraceError]]:
        try:
            return [work()], []
        except OsteotraceError as problem:
            return [], [problem]
        # What nobody foresaw must not become a traceback on a reader's screen.
        except Exception as problem:
            _log.exception("loading failed")
            return [], [_unforeseen(problem)]

    def returned(outcome: tuple[list[Result], list[OsteotraceError]]) -> None:
        results, problems = outcome
        for problem in problems:
            failed(problem)
        for result in results:
            done(result)

    return create_worker(attempt, _connect={"returned": returned})


def _unforeseen(problem: Exception) -> OsteotraceError:
    return OsteotraceError(
        f"an unexpected problem ({type(problem).__name__})",
        expected="a readable study",
        advice="report this with the file concerned, de-identified",
    )
