"""How far a run is, how quick, and how long it will take."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Parameters
    ----------
    done, total : int
        Studies that are finished, those that failed too, and all of them.
    failed : int
        Studies that could not be measured.
    per_minute : float or None
        Studies a minute since this process began; None until it can be told.
    seconds_left : float or None
        Until all are done at this rate.
    """

    done: int
    total: int
    failed: int
    per_minute: float | None = None
    seconds_left: float | None = None

    def __str__(self) -> str:
        words = f"{self.done} of {self.total} studies, {self.failed} failed"
        if self.per_minute is not None and self.seconds_left is not None:
            left = _duration(self.seconds_left)
            words += f", {self.per_minute:.3g} a minute, {left} left"
        return words


@dataclass(slots=True)
class Pace:
    """Tells somebody how far a run is.

    Parameters
    ----------
    total : int
        All studies.
    before : int
        Studies that were done when this process began.
    tell : callable or None
    """

    total: int
    before: int
    tell: Callable[[Progress], None] | None
    _began: float = field(default_factory=time.monotonic)

    def say(self, done: int, failed: int) -> None:
        """Tell it."""
        if self.tell is None:
            return
        passed = time.monotonic() - self._began
        rate = left = None
        if done > self.before and passed > 0:
            rate = (done - self.before) / passed * 60
            left = (self.total - done) / rate * 60
        self.tell(Progress(done, self.total, failed, rate, left))


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
