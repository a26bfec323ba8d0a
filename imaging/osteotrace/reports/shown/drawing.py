"""A card as one line, as text for a terminal, and as HTML for a notebook.

The HTML needs nothing else, and every text of a record in it is escaped.
"""

from __future__ import annotations

import base64
import io
import textwrap
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

from osteotrace.about import RESEARCH_USE_SHORT
from osteotrace.reports.shown.cards import card_of, title_of

if TYPE_CHECKING:
    from jinja2 import Template

    from osteotrace.reports.shown.cards import Table

TEMPLATE: Final = "card.html.j2"
STYLE: Final = "card.css"
# Characters of a line of text.
WIDTH: Final = 100
# Characters of a cell that is not broken into lines, such as a value with its u.
SHORT: Final = 20
# Share of a line that unbroken cells may take.
SHARE_OF_SHORT: Final = 0.6
# Columns of longer cells that fit beside each other; more are written one after another.
MOST_LONG_COLUMNS: Final = 3


def line(thing: object) -> str:
    """Return a record as one line, a faulty one too: debuggers ask for it."""
    try:
        title = title_of(thing)
    except LookupError as problem:
        title = f"with an unknown code: {problem}"
    return f"<{type(thing).__name__} {_printable(title)}>"


def text(thing: object) -> str:
    """Return a record as text, the short research-use statement last."""
    card = card_of(thing)
    words = [_printable(card.title)]
    width = max((len(name) for name, value in card.facts if value), default=0)
    words += [
        f"  {name:<{width}}  {_printable(value)}" for name, value in card.facts if value
    ]
    for one in card.tables:
        if one.rows:
            words += ["", *_table_lines(one)]
    if card.lines:
        said = (textwrap.wrap(_printable(one), WIDTH) for one in card.lines)
        words += ["", *(line for lines in said for line in lines)]
    return "\n".join([*words, "", RESEARCH_USE_SHORT])


def html(thing: object) -> str:
    """Return a record as HTML for a notebook, escaped, with the short statement."""
    from markupsafe import Markup

    card = card_of(thing)
    picture = None if card.picture is None else card.picture()
    source = ""
    if picture is not None:
        encoded = base64.b64encode(picture.png).decode("ascii")
        source = f"data:image/png;base64,{encoded}"
    return _template().render(
        card=card,
        facts=[(name, value) for name, value in card.facts if value],
        tables=[one for one in card.tables if one.rows],
        picture=picture,
        source=source,
        # Ours, and without a text of a record.
        style=Markup(_text(STYLE)),
        statement=RESEARCH_USE_SHORT,
    )


def left_out(one: Table) -> str:
    """Return how many rows are not shown, and where they are; empty where all are."""
    return f"and {one.left_out} more: see .frame()" if one.left_out else ""


def is_short(cell: str) -> bool:
    """Tell whether a cell stays on one line."""
    return len(cell) <= SHORT


def _table_lines(one: Table) -> list[str]:
    columns = zip(one.columns, *one.rows, strict=True)
    long = sum(not all(map(is_short, cells)) for cells in columns)
    lines = _columns(one) if long <= MOST_LONG_COLUMNS else _one_by_one(one)
    head = [one.title] if one.title else []
    return [*head, *filter(None, lines), *filter(None, [left_out(one)])]


def _columns(one: Table) -> list[str]:
    """Return the lines of a table, its cells below each other."""
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(
        box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0)
    )
    whole = _unbroken(one)
    for column in one.columns:
        drawn.add_column(Text(column), overflow="fold", no_wrap=column in whole)
    for row in one.rows:
        drawn.add_row(*(Text(_printable(cell)) for cell in row))
    page = io.StringIO()
    Console(file=page, width=WIDTH, color_system=None, force_terminal=False).print(drawn)
    return [words.rstrip() for words in page.getvalue().splitlines()]


def _one_by_one(one: Table) -> list[str]:
    """Return the lines of a table that is too wide: a row's cells after each other."""
    lines: list[str] = []
    for row in one.rows:
        words = " · ".join(_printable(cell) for cell in row if cell)
        first = "" if row[0] else "    "
        lines += textwrap.wrap(
            words, WIDTH, initial_indent=first, subsequent_indent="    "
        )
    return lines


def _unbroken(one: Table) -> set[str]:
    """Return the columns whose cells stay on one line, where the others have room."""
    cells = zip(one.columns, *one.rows, strict=True)
    widths = {column[0]: max(map(len, column)) for column in cells}
    short = {name: width for name, width in widths.items() if width <= SHORT}
    return set(short) if sum(short.values()) <= WIDTH * SHARE_OF_SHORT else set()


def _printable(words: str) -> str:
    """Return a text of a header or a record without what steers a terminal."""
    return "".join(sign if sign.isprintable() else " " for sign in words)


@cache
def _template() -> Template:
    from jinja2 import DictLoader, Environment, StrictUndefined

    environment = Environment(
        autoescape=True,
        loader=DictLoader({TEMPLATE: _text(TEMPLATE)}),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(left_out=left_out, is_short=is_short)
    return environment.get_template(TEMPLATE)


@cache
def _text(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
