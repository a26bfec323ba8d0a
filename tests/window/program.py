"""The real program on a screen: started as a process, used by hand, never asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.window.screen import HAND_MS, HEIGHT, WIDTH, Screen
from tests.window.words import find_word

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

REPOSITORY: Final = Path(__file__).resolve().parents[2]
STARTING_S: Final = 120.0
DOUBLE_CLICK_MS: Final = 60
# One notch of a mouse wheel, as X knows it.
_WHEEL_UP, _WHEEL_DOWN = 4, 5
# Names of keys: as people and napari write them, and as X does.
_X_NAMES: Final = {
    "Control": "ctrl", "Ctrl": "ctrl", "Shift": "shift", "Alt": "alt", "Del": "Delete",
    "PgUp": "Prior", "PageUp": "Prior", "PgDown": "Next", "PageDown": "Next",
    "PgDn": "Next", "Esc": "Escape", "Enter": "Return", "?": "question",
    "Space": "space", "Backspace": "BackSpace",
}  # fmt: skip


class Program:
    """osteotrace on a screen; killed, if it still runs, when the ``with`` block ends.

    Parameters
    ----------
    screen : Screen
    path : Path
        What it is told to open.
    home : Path
        Its own folder of state, settings and caches; kept from one start to the next.
    before : sequence of str
        A command that starts the program, in surroundings of its own.

    Attributes
    ----------
    actions : int
        Keys, clicks, drags and wheel turns so far; set it to 0 to count anew.
    """

    def __init__(
        self,
        screen: Screen,
        path: Path,
        home: Path,
        *,
        before: Sequence[str] = (),
    ) -> None:
        self.screen = screen
        self.home = home
        self.actions = 0
        own = {
            f"XDG_{kind}_HOME": str(home / kind.lower())
            for kind in ("STATE", "CONFIG", "CACHE", "DATA")
        }
        others = set(screen.windows())
        home.mkdir(parents=True, exist_ok=True)
        self._said = (home / "said.txt").open("ab")
        self.process = subprocess.Popen(
            [*before, sys.executable, "-m", "osteotrace_napari", str(path)],
            env=os.environ | screen.environment | own | {"HOME": str(home)},
            stdout=self._said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.window = self.wait("the window", lambda: self._new_window(others))
        self.wait("a window with its panel", self._is_whole)
        # What a window manager does for a person.
        self.wait("the window over the whole screen", self._fills_the_screen)
        screen.do("windowfocus", self.window)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _new_window(self, others: set[int]) -> int | None:
        new = [window for window in self.screen.windows() if window not in others]
        return new[-1] if new else None

    def _is_whole(self) -> bool:
        return find_word(self.screen.look(), "Research use only") is not None

    def _fills_the_screen(self) -> bool:
        """Ask for the whole screen, and tell whether the window rests there."""
        screen = self.screen
        screen.do("windowmove", self.window, 0, 0)
        screen.do("windowsize", self.window, WIDTH, HEIGHT)
        screen.rest()
        told = screen.do("getwindowgeometry", "--shell", self.window).split()
        return f"WIDTH={WIDTH}" in told and f"HEIGHT={HEIGHT}" in told

    @property
    def said(self) -> str:
        """What it wrote to its terminal."""
        return (self.home / "said.txt").read_text(errors="replace")

    def wait(
        self, what: str, seen: Callable[[], Any], patience: float = STARTING_S
    ) -> Any:
        """Look until something is seen; a program that ended is never waited for."""

        def seen_alive() -> Any:
            code = self.process.poll()
            if code is not None:
                raise RuntimeError(
                    f"the program ended with {code} before {what}:\n{self.said[-3000:]}"
                )
            return seen()

        return self.screen.wait(what, seen_alive, patience)

    # The hand --------------------------------------------------------------------

    def key(self, name: str, times: int = 1) -> None:
        """Press a key, written as ``Shift+C`` or ``Control-Shift-Z``."""
        self.actions += times
        self.screen.do("key", "--delay", HAND_MS, *[x_name(name)] * times)

    def type(self, text: str) -> None:
        """Type text; one action."""
        self.actions += 1
        self.screen.do("type", "--delay", HAND_MS, text)

    def click(self, at: tuple[int, int]) -> None:
        """Click at a place of the screen."""
        self.actions += 1
        self.screen.do("mousemove", *at, "sleep", HAND_MS / 1000, "click", 1)

    def double_click(self, at: tuple[int, int]) -> None:
        """Click twice in a moment: one action."""
        self.actions += 1
        twice = ("click", "--repeat", 2, "--delay", DOUBLE_CLICK_MS, 1)
        self.screen.do("mousemove", *at, "sleep", HAND_MS / 1000, *twice)

    def drag(
        self, start: tuple[int, int], end: tuple[int, int], *, steps: int = 12,
        button: int = 1,
    ) -> None:  # fmt: skip
        """Press, move in steps, release; no steps is a flick."""
        self.actions += 1
        words: list[object] = ["mousemove", *start, "sleep", HAND_MS / 1000]
        words += ["mousedown", button]
        for step in range(1, steps + 1):
            x, y = (
                round(a + (b - a) * step / steps) for a, b in zip(start, end, strict=True)
            )
            words += ["mousemove", x, y, "sleep", HAND_MS / 1000]
        self.screen.do(*words, "mousemove", *end, "mouseup", button)

    def wheel(self, notches: int, at: tuple[int, int]) -> None:
        """Turn the wheel at a place: away from the reader where positive."""
        self.actions += 1
        button = _WHEEL_UP if notches > 0 else _WHEEL_DOWN
        self.screen.do(
            "mousemove",
            *at,
            "click",
            "--repeat",
            abs(notches),
            "--delay",
            HAND_MS,
            button,
        )

    # Its end ---------------------------------------------------------------------

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self._said.close()

    def close(self) -> int:
        """Close it as a reader does, and return its exit code."""
        self.key("Control+Q")
        try:
            return self.process.wait(STARTING_S)
        finally:
            self.kill()


def x_name(key: str) -> str:
    """Return a key's name as X knows it."""
    if key in ("-", "+"):
        return {"-": "minus", "+": "plus"}[key]
    parts = key.replace("+", "-").split("-")
    named = [_X_NAMES.get(part, part) for part in parts]
    if len(named[-1]) == 1:
        named[-1] = named[-1].lower()
    return "+".join(named)
