"""Words on the screen, found by their shape: what a reader reads before they click.

A word is drawn with the font that the tests' packages install and sought in the picture,
in the few sizes that a window has. There is no other look at buttons and fields.
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
_FONTS: Final = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")
SIZES_PX: Final = (13, 12, 14, 15, 16, 11)
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
        One word or a few, as they stand on one line.
    nth : int
        Which of several, from the top.
    """
    grey = picture.astype(np.float32).mean(axis=-1)
    best: list[tuple[int, int]] = []
    top = FOUND
    for font, size in product(_FONTS, SIZES_PX):
        drawn = _drawn(word, font, size)
        match = np.abs(match_template(grey, drawn))
        if match.max() > top:
            top = float(match.max())
            best = _peaks(match, drawn.shape)
        if top > SURE:
            break
    return best[nth] if nth < len(best) else None


@cache
def _drawn(word: str, font: str, size: int) -> NDArray[np.float32]:
    face = ImageFont.truetype(f"{_FONT_FOLDER}/{font}", size)
    left, upper, right, lower = face.getbbox(word)
    image = Image.new("L", (round(right - left) + 2, round(lower - upper) + 2))
    ImageDraw.Draw(image).text((1 - left, 1 - upper), word, fill=255, font=face)
    return np.asarray(image, dtype=np.float32)


def _peaks(match: NDArray[np.float32], shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return the middles of all places that match about as well as the best."""
    left, found = match.copy(), []
    least = max(FOUND, float(match.max()) - 0.08)
    while left.max() >= least:
        row, column = np.unravel_index(int(left.argmax()), left.shape)
        found.append((int(column) + shape[1] // 2, int(row) + shape[0] // 2))
        rows = slice(max(0, row - shape[0]), row + shape[0])
        left[rows, max(0, column - shape[1]) : column + shape[1]] = 0
    return sorted(found, key=lambda at: (at[1], at[0]))
