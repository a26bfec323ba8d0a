"""How far a run is, how quick, and how long it will take."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

# Moments that the rate is taken over.
_LATELY: Final = 100
# Clocks of some systems stand still for as long.
_SHORTEST_SECONDS: Final = 0.02


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
    _done: int = 0
    _failed: int = 0
    # When so many were done: the first moments are no measure of the later ones.
    _lately: deque[tuple[float, int]] = field(
        default_factory=lambda: deque([(time.monotonic(), 0)], maxlen=_LATELY)
    )

    def say(self, done: int = 0, failed: int = 0) -> None:
        """Tell it, with so many studies more that are done, and of them failed."""
        self._done += done
        self._failed += failed
        if self.tell is None:
            return
        far, rate, left = self.before + self._done, None, None
        if done:
            self._lately.append((time.monotonic(), self._done))
            if self._lately[0][1] == 0 and len(self._lately) > 2:
                self._lately.popleft()  # The processes were being started.
            (start, first), (end, last) = self._lately[0], self._lately[-1]
            rate = (last - first) / max(end - start, _SHORTEST_SECONDS) * 60
            left = (self.total - far) / rate * 60
        self.tell(Progress(far, self.total, self._failed, rate, left))


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
