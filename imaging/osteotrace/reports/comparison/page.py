"""A comparison as one HTML file that a clinician reads, prints and keeps.

It needs nothing else: no network, no script; pictures and styles are in it. Printing it
from a browser gives the PDF. Every text of a record is escaped.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from osteotrace.about import RESEARCH_USE_SHORT, RESEARCH_USE_STATEMENT
from osteotrace.records import store
from osteotrace.reports.comparison import content, context
from osteotrace.reports.comparison.timeline_figure import enlarged_span, timeline_picture
from osteotrace.reports.pages import file_text, template

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from osteotrace.comparison import Comparison
    from osteotrace.reports.comparison.key_pictures import KeyPicture

_PACKAGE: Final = "osteotrace.reports.comparison"
TEMPLATE: Final = "page.html.j2"
STYLE: Final = "page.css"
# What stays itself within a CSS string; anything else is written as its number.
_PLAIN: Final = re.compile(r"[^A-Za-z0-9]")


def write_page(
    path: Path, comparison: Comparison, pictures: Sequence[KeyPicture] = ()
) -> Path:
    """Write a comparison as one self-contained HTML file.

    Parameters
    ----------
    path : Path
        Must not exist; the file is written whole or not at all.
    comparison : Comparison
    pictures : sequence of KeyPicture
        From `osteotrace.reports.comparison.key_pictures`.

    Returns
    -------
    Path
        The path given.

    Raises
    ------
    OsteotraceError
        If the file exists or cannot be written.
    """
    return store.write_once(path, page(comparison, pictures).encode())


def page(comparison: Comparison, pictures: Sequence[KeyPicture] = ()) -> str:
    """Return the page as text; the same for the same comparison and pictures."""
    from markupsafe import Markup

    lesions = content.lesion_blocks(comparison, pictures)
    # Both are ours and hold no text of a record but the pseudonym, escaped for CSS.
    style = file_text(_PACKAGE, STYLE).replace("PATIENT", in_css(comparison.patient))
    return template(_PACKAGE, TEMPLATE).render(
        comparison=comparison,
        style=Markup(style),
        statement=RESEARCH_USE_STATEMENT,
        short_statement=RESEARCH_USE_SHORT,
        studies=context.study_rows(comparison),
        recorded=context.moment(comparison.recorded),
        whole=context.whole_interval(comparison),
        notes=context.notes(comparison),
        lesions=lesions,
        summary=content.counted(lesions),
        papers=content.papers(lesions),
        is_shorter=content.is_shorter(lesions),
        stages=context.stage_rows(comparison),
        fractures=context.fracture_rows(comparison),
        timelines=_timelines(comparison),
        events=context.event_rows(comparison),
        pairs=context.pair_blocks(comparison),
        origin=list(context.origin(comparison)),
    )


def in_css(words: str) -> str:
    """Return a text as the content of a CSS string, every sign but plain ones escaped."""
    return _PLAIN.sub(lambda found: f"\\{ord(found.group()):06x} ", words)


def _timelines(comparison: Comparison) -> list[dict[str, Any]]:
    """Return the timeline, and once more the days of the studies where it hides them."""
    part = enlarged_span(comparison)
    shown = [timeline_picture(comparison, plots=part is None)]
    titles = ["The whole course" if part else ""]
    if part is not None:
        shown.append(timeline_picture(comparison, between=part))
        titles.append("The days of the studies, enlarged")
    return [
        {"title": title, "source": content.data_uri(svg, "image/svg+xml")}
        for title, svg in zip(titles, shown, strict=True)
    ]
