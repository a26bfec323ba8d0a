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
# Images are grey and a panel has few colours: one palette of both halves the file.
GREYS, COLOURS = 160, 96
# A pixel whose channels differ by less is grey.
GREY_WITHIN: Final = 10
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
        _with_palette(taken).save(path, optimize=True)


def _with_palette(picture: Image.Image) -> Image.Image:
    pixels = np.asarray(picture).reshape(-1, 3)
    coloured = pixels[np.ptp(pixels, axis=1) >= GREY_WITHIN]
    colours = Image.fromarray(coloured[None]).quantize(COLOURS).getpalette() or []
    greys = np.linspace(0, 255, GREYS).round().astype(int).repeat(3).tolist()
    palette = Image.new("P", (1, 1))
    palette.putpalette([*greys, *colours[: 3 * COLOURS]])
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)


def _look_the_same(one: Image.Image, other: Image.Image) -> bool:
    if one.size != other.size:
        return False
    a, b = (np.asarray(each.convert("L"), dtype=float) for each in (one, other))
    return float((np.abs(a - b) > SAME_GREY).mean()) < SAME_SHARE
