"""What a script is given prints well: at the prompt, in a notebook, as a data frame.

A record says here that it can be shown; how is said in `osteotrace.reports.shown`, which
is found by its name when somebody looks: no record imports a report.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


class Shown:
    """A record that shows itself: one line, a text, a notebook's HTML, a data frame."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(_drawing().line(self))

    def __str__(self) -> str:
        return self.described()

    def _repr_html_(self) -> str:
        return str(_drawing().html(self))

    def described(self) -> str:
        """Return as text what a notebook shows of it."""
        return str(_drawing().text(self))

    def frame(self) -> pd.DataFrame:
        """Return what it holds as a data frame, numbers with every digit.

        Returns
        -------
        pandas.DataFrame
            One row a volume of what was scanned or loaded, a measurement of what was
            read, a stage, or a step of a lesion of a comparison.
        """
        framed: pd.DataFrame = _drawing().frame(self)
        return framed


def _drawing() -> Any:
    return importlib.import_module("osteotrace.reports.shown")
