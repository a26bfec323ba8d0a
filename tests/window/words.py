"""Words on the screen, found by their shape: what a reader reads before they click.

A word is drawn with the font that the tests' packages install and sought in the picture,
in the few sizes that a panel has. There is no other look at buttons and fields.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage.feature import match_template

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FONT_FOLDER: Final = "/usr/share/fonts/truetype/dejavu"
# Faces and their sizes in pixels, those that the window has most of first.
_PLAIN, _BOLD = "DejaVuSans.ttf", "DejaVuSans-Bold.ttf"
FACES: Final = ((_PLAIN, 13), (_PLAIN, 12), (_PLAIN, 11), (_BOLD, 13))
# A word may begin between two pixels.
OFFSETS: Final = (0.0, 0.5)
# Where most words stand: the panel, right of the images.
PANEL: Final = slice(1090, None)
# Hinting differs a little between the two who draw; another word is far below.
FOUND: Final = 0.8
# Nothing else looks like it: other sizes need not be tried.
SURE: Final = 0.93


def find_word(
    picture: NDArray[np.uint8], word: str, *, nth: int = 0
) -> tuple[int, int] | None:
    """Return the screen's (x, y) of the middle of a word, None where it is not seen.

    Parameters
    ----------
    picture : (rows, columns, 3) array
    word : str
        One word or a few, as they stand on one line of the panel.
    nth : int
        Which of several, from the top.
    """
    grey = picture[:, PANEL].astype(np.float32).mean(axis=-1)
    best: list[tuple[int, int]] = []
    top = FOUND
    for (font, size), offset in product(FACES, OFFSETS):
        drawn = _drawn(word, font, size, offset)
        match = np.abs(match_template(grey, drawn))
        if match.max() > top:
            top = float(match.max())
            best = _peaks(match, drawn.shape)
        if top > SURE:
            break
    return best[nth] if nth < len(best) else None


@cache
def _drawn(word: str, font: str, size: int, offset: float) -> NDArray[np.float32]:
    face = ImageFont.truetype(f"{_FONT_FOLDER}/{font}", size)
    left, upper, right, lower = face.getbbox(word)
    image = Image.new("L", (round(right - left) + 3, round(lower - upper) + 2))
    ImageDraw.Draw(image).text((1 - left + offset, 1 - upper), word, fill=255, font=face)
    return np.asarray(image, dtype=np.float32)


def _peaks(match: NDArray[np.float32], shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return the middles of all places that match about as well as the best."""
    left, found = match.copy(), []
    least = max(FOUND, float(match.max()) - 0.08)
    while left.max() >= least:
        row, column = np.unravel_index(int(left.argmax()), left.shape)
        x, y = int(column) + shape[1] // 2, int(row) + shape[0] // 2
        found.append((PANEL.start + x, y))
        rows = slice(max(0, row - shape[0]), row + shape[0])
        left[rows, max(0, column - shape[1]) : column + shape[1]] = 0
    return sorted(found, key=lambda at: (at[1], at[0]))
