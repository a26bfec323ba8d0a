"""Parts of drawn masks: entries they can be given to, where they lie, what changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.protocol import TABLES, Where
from osteotrace.session.changes import MaskPatch
from osteotrace.session.mask_runs import runs_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.regions import Mask
    from osteotrace.session.changes import Held
    from osteotrace.volume import Volume

Window = tuple[slice, slice, slice]

# The key of an entry that a drawn mask is given as, by tool.
MASK_KEYS: Final[dict[str, str]] = {
    "sequestra": "region",
    "moth_eaten": "region",
    "gas": "region",
    "sclerotic_rim": "lesion",
    "periosteal_reaction": "region",
    "cement": "region",
    "marrow_edema": "edema",
    "intensity": "region",
    "vertebra": "body",
}


def mask_key(leader: Held) -> str:
    """Return the key of a held finding's entry that its mask is given as."""
    tool = next((name for name, kind in TABLES.items() if type(leader.entry) is kind), "")
    if tool not in MASK_KEYS or getattr(leader.entry, MASK_KEYS[tool]) is None:
        raise OsteotraceError(
            f"{leader.finding.label}, which was measured in no region",
            expected="a finding of a region, as " + ", ".join(MASK_KEYS),
            advice="choose another finding, or draw a new mask",
        )
    return MASK_KEYS[tool]


def drawn_region(leader: Held) -> Mask | Where:
    """Return the region that a held finding was measured in."""
    where: Where = getattr(leader.entry, mask_key(leader))
    return where if where.label is None else leader.masks[where.label]


def on_volume(volume: Volume, mask: Mask) -> tuple[Window, NDArray[np.bool_]]:
    """Return where a mask lies in a volume, and its voxels there."""
    return mask.box_on(volume.grid), mask.voxels


def extent(voxels: NDArray[np.bool_]) -> Window | None:
    """Return the smallest box that holds every marked voxel; None without any."""
    slices = np.flatnonzero(voxels.reshape(len(voxels), -1).any(axis=1))
    if len(slices) == 0:
        return None
    first = slice(int(slices[0]), int(slices[-1]) + 1)
    # Looked at slice by slice: most of an image has nothing marked in it.
    flat: NDArray[np.bool_] = np.asarray(voxels[first].any(axis=0))
    rows, columns = (np.flatnonzero(np.any(flat, axis=k)) for k in (1, 0))
    return (
        first,
        slice(int(rows[0]), int(rows[-1]) + 1),
        slice(int(columns[0]), int(columns[-1]) + 1),
    )


def patch(
    uid: str,
    key: tuple[str, int],
    shape: tuple[int, int, int],
    box: Window,
    turned: NDArray[np.bool_],
) -> MaskPatch:
    """Return the change that turns some voxels of a mask over.

    Parameters
    ----------
    uid : str
        Of the mask.
    key : tuple of str and int
        Its series, and the volume in it.
    shape : three ints
        Of the volume.
    box : window
    turned : bool array
        What is turned over in the box, at least one voxel.
    """
    inner = extent(turned)
    assert inner is not None
    a, b, c = (
        (side.start + part.start, side.start + part.stop)
        for side, part in zip(box, inner, strict=True)
    )
    series_uid, k = key
    return MaskPatch(
        uid=uid,
        series_uid=series_uid,
        k=k,
        shape=shape,
        box=(a, b, c),
        runs=runs_of(turned[inner]),
    )


def window_of(change: MaskPatch) -> Window:
    """Return where a change turns voxels over."""
    a, b, c = (slice(*ends) for ends in change.box)
    return a, b, c
