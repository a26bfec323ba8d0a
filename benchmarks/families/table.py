"""A row of the accuracy table: one method on one quantity of one phantom family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

OURS: Final = "osteotrace"
# Where seeds begin: far from those on which any constant of a measurement was set. A
# multiple of 5040, so that what alternates with a seed begins at its start.
FIRST_SEED: Final = 40_320


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one method reached.

    Parameters
    ----------
    family, quantity, condition : str
        Phantom family, what is measured, and under which conditions.
    method : str
        `OURS`, or the naive or peer method.
    reached : str
        Figures in words, e.g. ``"+0.01 ± 0.03 mm (200)"``.
    goal : str
        The goal in words; empty for peers.
    met : bool or None
        Whether the goal was reached; None where there is none.
    coverage : float or None
        Share of 95 % intervals that held the truth.
    """

    family: str
    quantity: str
    condition: str
    method: str
    reached: str
    goal: str = ""
    met: bool | None = None
    coverage: float | None = None


def bias_and_sd(errors: Sequence[float], unit: str, *, places: int = 3) -> str:
    """Return errors as ``"bias ± SD unit (count)"``."""
    values = np.asarray(errors, dtype=np.float64)
    bias, spread = values.mean(), values.std(ddof=1)
    return f"{bias:+.{places}f} ± {spread:.{places}f} {unit} ({len(values)})"


def markdown(rows: Iterable[Row]) -> str:
    """Return rows as a Markdown table, head included."""
    head = (
        "| family | quantity | condition | method | reached | goal | coverage |\n"
        "|---|---|---|---|---|---|---|"
    )
    return "\n".join([head, *(_line(row) for row in rows)])


def _line(row: Row) -> str:
    verdict = {None: "", True: " ✓", False: " **missed**"}[row.met]
    cover = "" if row.coverage is None else f"{100 * row.coverage:.0f} %"
    cells = (
        row.family,
        row.quantity,
        row.condition,
        row.method,
        row.reached,
        row.goal + verdict,
        cover,
    )
    return "| " + " | ".join(cells) + " |"
