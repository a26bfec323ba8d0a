"""How records look to a script: one line, a text, a notebook's HTML, a data frame.

`cards` holds what is said of a record and asks the module of its kind (`catalogues`,
`readings`, `stagings`, `comparisons`, `protocols`); `drawing` lays a card out, `rows`
makes tables.
A record says that it can be shown by `osteotrace.shown.Shown`.
"""

from osteotrace.reports.shown import (
    catalogues,
    comparisons,
    protocols,
    readings,
    stagings,
)
from osteotrace.reports.shown.cards import (
    Card,
    OwnCard,
    Table,
    card_of,
    counted,
    table,
    title_of,
)
from osteotrace.reports.shown.drawing import html, line, text
from osteotrace.reports.shown.rows import frame, rows_of

__all__ = [
    "Card",
    "OwnCard",
    "Table",
    "card_of",
    "catalogues",
    "comparisons",
    "counted",
    "frame",
    "html",
    "line",
    "protocols",
    "readings",
    "rows_of",
    "stagings",
    "table",
    "text",
    "title_of",
]
