"""Work off the window's thread, one piece after the other, with words and progress."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from osteotrace_napari import loading, wording

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.errors import OsteotraceError
    from osteotrace_napari.panels.reading_dock import ReadingDock


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    words: str
    work: Callable[..., Any]
    done: Callable[[Any], object]
    failed: Callable[[OsteotraceError], None]
    counts: bool
    marks: bool


class Background:
    """A queue of work beside the window.

    Parameters
    ----------
    dock : ReadingDock
        Says what is being done, and what went wrong.
    """

    def __init__(self, dock: ReadingDock) -> None:
        self._dock = dock
        self._waiting: deque[_Piece] = deque()
        self._worker: loading.Job | None = None
        # Marks that are measured or wait to be, and what is done after one.
        self._marks: list[_Piece] = []
        self._then: dict[_Piece, Callable[[], None]] = {}

    @property
    def busy(self) -> bool:
        """Whether something is being done or waits."""
        return self._worker is not None

    def start(
        self,
        words: str,
        work: Callable[..., Any],
        done: Callable[[Any], object],
        *,
        failed: Callable[[OsteotraceError], None] | None = None,
        counts: bool = False,
        marks: bool = False,
    ) -> None:
        """Do work after what waits already; ``done`` or ``failed`` run in the window.

        Parameters
        ----------
        words : str
            What is being done.
        work : callable
            Must touch no Qt object; takes ``progress`` where it counts.
        done, failed : callable
            Called with the result or the problem, which is said in any case.
        counts : bool
            Whether the work tells how far it is; it can be cancelled then.
        marks : bool
            Whether it measures what the reader marked.
        """
        piece = _Piece(words, work, done, failed or _nothing_more, counts, marks)
        self._waiting.append(piece)
        if marks:
            self._marks.append(piece)
        if not self.busy:
            self._next()

    def cancel(self) -> None:
        """Stop what can be: loads, waiting or not; what was marked is measured."""
        self._waiting = deque(piece for piece in self._waiting if not piece.counts)
        if self._worker is not None:
            self._worker.cancel()

    def then(self, call: Callable[[], None]) -> bool:
        """Call once the mark handed over last is measured; False where none waits."""
        if not self._marks:
            return False
        self._then[self._marks[-1]] = call
        return True

    def close(self) -> None:
        """Drop all of it: the window is closed, and nothing must come back to it."""
        self._waiting.clear()
        if self._worker is not None:
            self._worker.abandon()

    def _next(self) -> None:
        if not self._waiting:
            self._worker = None
            self._dock.progress.hide()
            return
        piece = self._waiting.popleft()

        def done(result: Any) -> None:
            # What comes next sees what this one gave.
            self._worker = None
            try:
                then = self._ended(piece)
                piece.done(result)
                if then is not None:
                    then()
            finally:
                if self._worker is None:
                    self._next()

        def failed(problem: OsteotraceError) -> None:
            self._ended(piece)
            self._next()
            self._dock.say(wording.refusal(problem), problem=True)
            piece.failed(problem)

        def cancelled() -> None:
            self._ended(piece)
            self._next()
            self._dock.say("Stopped.")

        self._dock.say(piece.words)
        self._dock.show_progress(0, 0)
        self._dock.progress.show()
        self._worker = loading.start(
            piece.work,
            done=done,
            failed=failed,
            progress=self._dock.show_progress if piece.counts else None,
            cancelled=cancelled,
        )

    def _ended(self, piece: _Piece) -> Callable[[], None] | None:
        """Forget a piece, and return what was to be done after it."""
        if piece in self._marks:
            self._marks.remove(piece)
        return self._then.pop(piece, None)


def _nothing_more(problem: OsteotraceError) -> None:
    """Leave a problem said."""
