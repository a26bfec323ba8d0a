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
    _done: int = 0
    _failed: int = 0

    def say(self, done: int = 0, failed: int = 0) -> None:
        """Tell it, with so many studies more that are done, and of them failed."""
        self._done += done
        self._failed += failed
        if self.tell is None:
            return
        passed = time.monotonic() - self._began
        far, rate, left = self.before + self._done, None, None
        if self._done and passed > 0:
            rate = self._done / passed * 60
            left = (self.total - far) / rate * 60
        self.tell(Progress(far, self.total, self._failed, rate, left))


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
