"""What is said of a record where it is shown: a title, facts, tables, lines, a picture.

`title_of` and `card_of` are open: the module of a kind of record registers what it says.
A record of a layer above says it itself, as an `OwnCard`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

# Rows of a table that are shown; the data frame has all.
MOST_ROWS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as it is shown.

    Parameters
    ----------
    columns : tuple of str
    rows : tuple of tuple of str
        As many cells as there are columns.
    title : str
    left_out : int
        Rows that are there and not shown.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    left_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture on a card.

    Parameters
    ----------
    png : bytes
    caption : str
        What it shows, and where the patient's sides are.
    """

    png: bytes
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A record as it is shown.

    Parameters
    ----------
    kind : str
        What it is, e.g. ``"Assessment"``.
    title : str
        One line.
    facts : tuple of (name, value)
        Those without a value are left out.
    tables : tuple of Table
        Those without rows are left out.
    lines : tuple of str
        What to mind.
    picture : callable, optional
        Makes the picture where there is a screen for it; None where it cannot.
    """

    kind: str
    title: str
    facts: tuple[tuple[str, str], ...] = ()
    tables: tuple[Table, ...] = ()
    lines: tuple[str, ...] = ()
    picture: Callable[[], Picture | None] | None = None


@runtime_checkable
class OwnCard(Protocol):
    """A record of a layer above the reports, which says itself how it is shown.

    Its ``frame`` is its own, too.
    """

    def own_title(self) -> str:
        """Return what it is, in one line."""
        ...

    def own_card(self) -> Card:
        """Return what is said of it."""
        ...


@singledispatch
def title_of(thing: object) -> str:
    """Return what a record is, in one line."""
    if isinstance(thing, OwnCard):
        return thing.own_title()
    raise _no_card(thing)


@singledispatch
def card_of(thing: object) -> Card:
    """Return what is said of a record."""
    if isinstance(thing, OwnCard):
        return thing.own_card()
    raise _no_card(thing)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], title: str = ""
) -> Table:
    """Return a table of at most `MOST_ROWS` rows, without columns that say nothing."""
    every = [tuple(row) for row in rows]
    shown = every[:MOST_ROWS]
    told = [k for k in range(len(columns)) if any(row[k] for row in shown)]
    return Table(
        columns=tuple(columns[k] for k in told),
        rows=tuple(tuple(row[k] for k in told) for row in shown),
        title=title,
        left_out=len(every) - len(shown),
    )


def counted(number: int, one: str, several: str = "") -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1, "study", "studies"), counted(2, "study", "studies")
    ('1 study', '2 studies')
    >>> counted(0, "finding")
    '0 findings'
    """
    return f"{number} {one if number == 1 else several or f'{one}s'}"


def series_name(modality: str, description: str) -> str:
    """Return what a series is called, its modality said once.

    Examples
    --------
    >>> series_name("MR", "T2 TSE"), series_name("CT", "CT bone"), series_name("CT", "")
    ('MR T2 TSE', 'CT bone', 'CT')
    """
    if modality and description.startswith(modality):
        return description
    return f"{modality} {description}".strip() or "series"


def _no_card(thing: object) -> OsteotraceError:
    return OsteotraceError(
        f"{type(thing).__name__} to be shown",
        expected="a record of osteotrace",
        advice="give what osteotrace.scan, load, measure, stage or compare returned",
        usage=True,
    )
