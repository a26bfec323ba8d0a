"""How many slices a turning wheel goes: a touchpad turns it by small parts."""

from __future__ import annotations

import math


class Wheel:
    """Counts whole steps of a wheel that may turn by less."""

    def __init__(self) -> None:
        self._rest = 0.0

    def turned(self, by: float) -> int:
        """Return how many whole steps a turn completes; back, it begins anew."""
        if by * self._rest < 0:
            self._rest = 0.0
        self._rest += by
        steps = math.trunc(self._rest)
        self._rest -= steps
        return steps
