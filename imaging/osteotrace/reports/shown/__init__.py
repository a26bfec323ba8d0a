"""How records look to a script: one line, a text, a notebook's HTML, a data frame.

`cards` holds what is said of a record and asks the module of its kind (`catalogues`,
`readings`, `stagings`, `comparisons`); `drawing` lays a card out; `rows` makes tables.
A record says that it can be shown by `osteotrace.shown.Shown`.
"""

from osteotrace.reports.shown import catalogues, comparisons, readings, stagings
from osteotrace.reports.shown.cards import Card, Table, card_of, title_of
from osteotrace.reports.shown.drawing import html, line, text
from osteotrace.reports.shown.rows import frame, rows_of

__all__ = [
    "Card",
    "Table",
    "card_of",
    "catalogues",
    "comparisons",
    "frame",
    "html",
    "line",
    "readings",
    "rows_of",
    "stagings",
    "text",
    "title_of",
]
