"""Pictures of the screen for the documents, kept as they are while they look the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from tests.window.screen import Screen

REPOSITORY: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = REPOSITORY / "docs" / "pictures" / "reading_room"
# Colours are few: a palette halves the file and shows no less.
COLOURS: Final = 64
# A clock, a cursor or a shade of noise may differ; a window that changed may not.
SAME_SHARE: Final = 0.005
SAME_GREY: Final = 24.0


class Album:
    """Takes one picture a step.

    Parameters
    ----------
    screen : Screen
    folder : Path, optional
        Where they are kept; None keeps none.
    """

    def __init__(self, screen: Screen, folder: Path | None = FOLDER) -> None:
        self._screen = screen
        self._folder = folder

    def take(self, name: str) -> None:
        """Keep what is on the screen, unless the picture kept looks the same."""
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{name}.png"
        taken = Image.fromarray(self._screen.rest())
        if path.exists() and _look_the_same(Image.open(path), taken):
            return
        taken.quantize(COLOURS).save(path, optimize=True)


def _look_the_same(one: Image.Image, other: Image.Image) -> bool:
    if one.size != other.size:
        return False
    a, b = (np.asarray(each.convert("L"), dtype=float) for each in (one, other))
    return float((np.abs(a - b) > SAME_GREY).mean()) < SAME_SHARE
