"""Every case of a run on one page, doubts first, to be looked through by eye.

Pages need nothing else: no network; pictures, style and the filter's script are in them.
They stand beside the folders of the studies and lead there. Texts are escaped.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from osteotrace.about import RESEARCH_USE_SHORT, RESEARCH_USE_STATEMENT
from osteotrace.measurements.measurement import shown, shown_range
from osteotrace.reports.columns import NOT_SELECTED
from osteotrace.reports.pages import file_text, template
from osteotrace.reports.results.studies import CASE_PICTURE, SMALL_PICTURE, folder_name
from osteotrace.reports.results.wide import (
    NOT_MEASURED_STUDIES,
    STUDY_STATUSES,
    study_reason,
    study_status,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from osteotrace.reports.tables import Row

PAGE: Final = "contact_sheet.html"
_PACKAGE: Final = "osteotrace.reports.results"
TEMPLATE, STYLE, SCRIPT = "contact_sheet.html.j2", "contact_sheet.css", "filter.js"
# Cases on a page: some ten megabytes with their pictures.
CASES_A_PAGE: Final = 1000
# Values that a case shows; the rest is counted.
MOST_VALUES: Final = 6

WORDS: Final = {
    "failed": "failed",
    "not_measured": "value missing",
    "flagged": "doubts",
    "nothing_found": "nothing found",
    "accepted": "accepted",
    NOT_SELECTED: "not selected",
}


@dataclass(frozen=True, slots=True)
class Value:
    """A finding's own value as it is read, and its doubts."""

    label: str
    words: str
    status: str
    doubts: str


@dataclass(frozen=True, slots=True)
class Card:
    """A case on the sheet: whose, when, what was found, and what speaks against it."""

    patient: str
    date: str
    study: str
    folder: str
    status: str
    reason: str
    values: tuple[Value, ...]
    more: int
    geometry: str

    @property
    def measured(self) -> bool:
        """Whether there is anything of it but the reason why not."""
        return self.status not in NOT_MEASURED_STUDIES

    @property
    def word(self) -> str:
        """What became of the study, in words."""
        return WORDS[self.status]

    @property
    def searched(self) -> str:
        """What the filter looks through."""
        told = (f"{one.label} {one.words} {one.doubts}" for one in self.values)
        parts = (self.patient, self.date, self.study, self.word, self.reason)
        return " ".join([*parts, self.geometry, *told]).lower()


@dataclass(slots=True)
class Cases:
    """The cases of a run as they come."""

    _cards: list[Card] = field(default_factory=list)

    def add(self, rows: Sequence[Row]) -> None:
        """Note the rows of one study, all of them."""
        first = rows[0]
        own = [row for row in rows if row["primary"]]
        stages = [row for row in rows if row["status"] == "staged"]
        values = [_value(row) for row in (*own, *stages)]
        # A doubt is never among those that are only counted.
        values.sort(key=lambda one: one.status in ("accepted", "staged"))
        verdicts = dict.fromkeys(row["geometry"] for row in rows if row["geometry"])
        self._cards.append(
            Card(
                patient=first["patient"],
                date=first["study_date"],
                study=first["study_uid"],
                folder=folder_name(
                    first["patient"], first["study_date"], first["study_uid"]
                ),
                status=study_status(rows),
                reason=study_reason(first),
                values=tuple(values[:MOST_VALUES]),
                more=max(0, len(values) - MOST_VALUES),
                geometry="; ".join(
                    verdict for verdict in verdicts if verdict != "regular"
                ),
            )
        )

    def write(self, draft: Path, studies: Path) -> list[str]:
        """Write the sheet's pages.

        Parameters
        ----------
        draft : Path
            Folder that the pages are written to.
        studies : Path
            Folder that holds the folders of the studies, with their pictures.

        Returns
        -------
        list of str
            The names of the pages, at least one.
        """
        order = {status: place for place, status in enumerate(STUDY_STATUSES)}
        cards = sorted(self._cards, key=lambda card: order[card.status])
        counts = {
            status: sum(card.status == status for card in cards) for status in order
        }
        pages = range(-(-len(cards) // CASES_A_PAGE) or 1)
        names = [PAGE, *(f"contact_sheet_{n + 1}.html" for n in pages[1:])]
        for number, name in enumerate(names):
            start = number * CASES_A_PAGE
            part = cards[start : start + CASES_A_PAGE]
            template(_PACKAGE, TEMPLATE).stream(
                cards=_with_pictures(part, studies),
                counts={status: n for status, n in counts.items() if n},
                words=WORDS,
                n_cases=len(cards),
                first=start + 1,
                last=start + len(part),
                number=number,
                pages=names,
                **_fixed(),
            ).dump(str(draft / name), encoding="utf-8")
        return names


def _value(row: Row) -> Value:
    if row["status"] == "staged":
        return Value(_stage_label(row), row["stage"], "staged", row["flags"])
    doubts = row["flags"] or row["reason"]
    return Value(row["label"], value_words(row), row["status"], doubts)


def _stage_label(row: Row) -> str:
    return f"{row['quantity']} {row['label']}".strip()


def value_words(row: Row) -> str:
    """Return the value of a row as people read it."""
    if row["value"] is None:
        return "not measured"
    low, high = row["interval95_low"], row["interval95_high"]
    if row["u"] is None and low is not None and high is not None:
        return shown_range(low, high, row["unit"])
    return shown(row["value"], row["unit"], row["u"])


def _with_pictures(
    cards: Sequence[Card], studies: Path
) -> Iterator[tuple[Card, str, str]]:
    """Yield cards with where they lead and their pictures, read one by one."""
    for card in cards:
        folder = studies / card.folder
        link, picture = "", ""
        if folder.is_dir():
            whole = (folder / CASE_PICTURE).is_file()
            link = f"{card.folder}/{CASE_PICTURE if whole else ''}"
        if (folder / SMALL_PICTURE).is_file():
            content = (folder / SMALL_PICTURE).read_bytes()
            picture = f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"
        yield card, link, picture


@cache
def _fixed() -> dict[str, Any]:
    """Return what every page has; all of it is ours and holds no text of a record."""
    from markupsafe import Markup

    script = file_text(_PACKAGE, SCRIPT)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return {
        "style": Markup(file_text(_PACKAGE, STYLE)),
        "script": Markup(script),
        "script_digest": digest,
        "statement": RESEARCH_USE_STATEMENT,
        "short_statement": RESEARCH_USE_SHORT,
    }
