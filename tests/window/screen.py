"""A screen of our own: Xvfb, seen through its frame buffer, touched through xdotool.

Nothing here knows the program that runs on it. What a person can do with a mouse, a
keyboard and two eyes is all there is: no Qt, no napari, no fixture of either.
"""

from __future__ import annotations

import mmap
import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from numpy.typing import NDArray

WIDTH, HEIGHT = 1600, 1000
# For slow machines; nothing waits this long that goes well.
PATIENCE_S: Final = 60.0
LOOK_S: Final = 0.05
# A picture is at rest when it stayed the same this long.
REST_S: Final = 0.25
# A hand is never faster than this between two points of a drag.
HAND_MS: Final = 16
_XVFB_SCREEN: Final = "Xvfb_screen0"


class Screen:
    """One Xvfb with nothing on it; ends with the ``with`` block.

    Parameters
    ----------
    folder : Path
        Where the frame buffer is kept while the screen lives.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        told, tell = os.pipe()
        self._server = subprocess.Popen(
            [
                "Xvfb", "-displayfd", str(tell), "-fbdir", str(folder),
                "-screen", "0", f"{WIDTH}x{HEIGHT}x24", "-nolisten", "tcp",
                # On a busy machine a key is let go late, which is no second press.
                "-r",
            ],
            pass_fds=(tell,), stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(tell)
        with os.fdopen(told) as answer:
            number = answer.readline().strip()
        if not number:
            raise RuntimeError("Xvfb did not start; scripts/system_packages installs it")
        self.display = f":{number}"
        with (folder / _XVFB_SCREEN).open("rb") as file:
            self._memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Put the screen away; whatever runs on it ends."""
        self._memory.close()
        self._server.terminate()
        self._server.wait()

    @property
    def environment(self) -> dict[str, str]:
        """The variables that put a program on this screen."""
        return {"DISPLAY": self.display, "QT_QPA_PLATFORM": "xcb"}

    # Eyes ------------------------------------------------------------------------

    def look(self) -> NDArray[np.uint8]:
        """Return what is on the screen now, (rows, columns, red green blue)."""
        header = np.frombuffer(self._memory, ">u4", 25)
        size, width, height = int(header[0]), int(header[4]), int(header[5])
        start, stride = size + 12 * int(header[19]), int(header[12])
        raw = np.frombuffer(self._memory, np.uint8, stride * height, start)
        pixels = raw.reshape(height, stride)[:, : 4 * width].reshape(height, width, 4)
        return np.ascontiguousarray(pixels[..., 2::-1])

    def wait(
        self, what: str, seen: Callable[[], Any], patience: float = PATIENCE_S
    ) -> Any:
        """Look until something is seen, and return it.

        Raises
        ------
        TimeoutError
            If it was never seen; the last picture is in the message's file.
        """
        give_up = time.monotonic() + patience
        while True:
            found = seen()
            if found is not None and found is not False:
                return found
            if time.monotonic() > give_up:
                path = Path(os.environ.get("TMPDIR", "/tmp")) / "osteotrace_window.png"
                self.save(path)
                raise TimeoutError(f"never seen: {what}; the screen is in {path}")
            time.sleep(LOOK_S)

    def rest(self) -> NDArray[np.uint8]:
        """Wait until the picture stays as it is, and return it."""
        last, since = self.look(), time.monotonic()
        give_up = since + PATIENCE_S
        while time.monotonic() - since < REST_S and time.monotonic() < give_up:
            time.sleep(LOOK_S)
            picture = self.look()
            if not np.array_equal(picture, last):
                last, since = picture, time.monotonic()
        return last

    def save(self, path: Path) -> None:
        """Write what is on the screen as PNG."""
        Image.fromarray(self.look()).save(path, optimize=True)

    # Hands -----------------------------------------------------------------------

    def do(self, *words: object) -> str:
        """Run xdotool once and return what it prints."""
        done = subprocess.run(
            ["xdotool", *map(str, words)],
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"xdotool {words}: {done.stderr.strip()}")
        return done.stdout.strip()

    def windows(self) -> list[int]:
        """Return every window that is shown, oldest first."""
        found = subprocess.run(
            ["xdotool", "search", "--onlyvisible", "--name", "."],
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return [int(line) for line in found.stdout.split()]
