"""Bool arrays as run lengths: a stroke of a brush is some dozens of bytes in a journal.

Runs alternate between unset and set voxels in C order, the first of unset ones; the run
that ends the array is left out where it is unset. Each length is a number of seven bits a
byte, the lowest first, the highest bit telling that more follow.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def runs_of(voxels: NDArray[np.bool_]) -> bytes:
    """Return the run lengths of a bool array."""
    flat = np.concatenate(([False], voxels.ravel(), [False]))
    turns = np.flatnonzero(flat[1:] != flat[:-1])
    return b"".join(_number(int(n)) for n in np.diff(turns, prepend=0))


def from_runs(runs: bytes, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """Return the array of a shape that run lengths stand for, None where they do not fit.

    Parameters
    ----------
    runs : bytes
        From `runs_of`.
    shape : tuple of int
    """
    lengths: list[int] = []
    length, shift = 0, 0
    for byte in runs:
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            lengths.append(length)
            length, shift = 0, 0
    voxels = np.zeros(math.prod(shape), dtype=bool)
    if shift or sum(lengths) > voxels.size:
        return None
    place = 0
    for number, length in enumerate(lengths):
        voxels[place : place + length] = number % 2
        place += length
    return voxels.reshape(shape)


def _number(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
