"""Windows: which grey values are shown, by width and level."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.series.instances import SeriesIdentity

# A percentile of some hundred thousand voxels is as good as one of all of them.
_SAMPLED_VOXELS: Final = 400_000


@dataclass(frozen=True, slots=True)
class Window:
    """A named window; width and level in the unit of the image."""

    name: str
    width: float
    level: float

    @property
    def limits(self) -> tuple[float, float]:
        """The values shown black and white."""
        return self.level - self.width / 2, self.level + self.width / 2

    @property
    def as_text(self) -> str:
        """Width and level in two digits of the width at least."""
        decimals = max(1 - math.floor(math.log10(self.width)), 0) if self.width else 0
        return f"W {self.width:.{decimals}f}  L {self.level:.{decimals}f}"


# Hounsfield units.
BONE: Final = Window("Bone", 2000, 500)
SOFT_TISSUE: Final = Window("Soft tissue", 400, 40)

# The function key of the first preset: those of CT lie on F1 and F2, of MR on F3 and F4.
FIRST_KEY: Final = {"CT": 1, "MR": 3}

# Captures and photographs have eight bits and no unit.
BRIGHTNESS: Final = Window("Brightness", 255, 127.5)

# MR signal has no unit: percentiles of the image's own values, by preset.
_MR_PERCENTILES: Final = {
    "MR T1": (1.0, 99.5),
    "MR fluid-sensitive": (40.0, 99.9),
}

# Words of SeriesDescription (0008,103E) by which a fluid-sensitive series is known, and
# of one that is not although fat is suppressed.
_FLUID_SENSITIVE: Final = re.compile(
    r"(?<![a-z])(stir|tirm|t2(?!\d)|(pd)?fs(?![a-z])|fat[ _-]?sat|spa?ir(?![a-z]))", re.I
)
_T1: Final = re.compile(r"(?<![a-z])t1(?![0-9])", re.I)


def first_of(identity: SeriesIdentity) -> int:
    """Return the number of the preset that a series is read in, by its description."""
    said = identity.description
    bright = _FLUID_SENSITIVE.search(said) is not None and _T1.search(said) is None
    return int(identity.modality == "MR" and bright)


def presets(modality: str, values: NDArray[Any]) -> tuple[Window, ...]:
    """Return the windows that fit an image, the default first."""
    if modality != "MR" and values.dtype == np.uint8:
        return (BRIGHTNESS,)
    if modality == "CT":
        return BONE, SOFT_TISSUE
    sample = values.reshape(-1)[:: max(1, values.size // _SAMPLED_VOXELS)]
    return tuple(
        _between(name, *np.percentile(sample, ends))
        for name, ends in _MR_PERCENTILES.items()
    )


def _between(name: str, low: float, high: float) -> Window:
    # Values that are all the same still need a width.
    width = float(high - low) or 1.0
    return Window(name, width, float(low) + width / 2)
