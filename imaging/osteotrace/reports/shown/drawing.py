"""A card as one line, as text for a terminal, and as HTML for a notebook.

The HTML needs nothing else, and every text of a record in it is escaped.
"""

from __future__ import annotations

import base64
import io
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
        words += ["", *(_printable(said) for said in card.lines)]
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
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(
        box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0)
    )
    for number, column in enumerate(one.columns):
        whole = all(
            is_short(cell) for cell in (column, *(row[number] for row in one.rows))
        )
        drawn.add_column(Text(column), overflow="fold", no_wrap=whole)
    for row in one.rows:
        drawn.add_row(*(Text(_printable(cell)) for cell in row))
    page = io.StringIO()
    Console(file=page, width=WIDTH, color_system=None, force_terminal=False).print(drawn)
    lines = [words.rstrip() for words in page.getvalue().splitlines()]
    head = [one.title] if one.title else []
    return [*head, *filter(None, lines), *filter(None, [left_out(one)])]


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
