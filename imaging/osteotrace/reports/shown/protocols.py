"""What is shown of a protocol: what it measures on which series, and what is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from osteotrace.codes import KINDS, QUANTITIES, SITES
from osteotrace.protocol import Protocol
from osteotrace.reports.shown.cards import Card, card_of, counted, table, title_of
from osteotrace.reports.shown.rows import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osteotrace.protocol import Entry
    from osteotrace.reports.tables import Row


@title_of.register(Protocol)
def _(protocol: Protocol) -> str:
    entries = counted(len(protocol.entries), "entry", "entries")
    return f"{protocol.name}: {entries}, {protocol.sha256[:12]}"


@card_of.register(Protocol)
def _(protocol: Protocol) -> Card:
    rows = [
        (
            row["label"],
            row["table"],
            _meaning(KINDS, row["kind"]),
            _meaning(SITES, row["site"]),
            _meaning(QUANTITIES, row["quantity"]),
            row["series"],
        )
        for row in map(_row, protocol.entries)
    ]
    columns = ("label", "entry", "what", "where", "first value", "series")
    return Card(
        kind="Protocol",
        title=title_of(protocol),
        facts=(
            ("what for", protocol.description),
            ("series", "; ".join(map(_said, protocol.series))),
            ("masks from", ", ".join(protocol.masks.sources)),
            ("stagings", ", ".join(protocol.staging.systems)),
            ("SHA-256", protocol.sha256),
        ),
        tables=(table(columns, rows),),
    )


@rows_of.register(Protocol)
def _(protocol: Protocol) -> tuple[tuple[str, ...], list[Row]]:
    names = ("label", "table", "kind", "site", "quantity", "series")
    return names, [_row(entry) for entry in protocol.entries]


def _row(entry: Entry) -> Row:
    described = f"{entry.modality} {entry.series}".strip()
    return {
        "label": entry.label,
        "table": type(entry).__name__.removesuffix("Entry").lower(),
        "kind": entry.kind,
        "site": entry.site,
        "quantity": getattr(entry, "quantity", entry.primary),
        "series": f"{described} {_said(entry.select)}".strip(),
    }


def _meaning(names: dict[str, Any], key: str) -> str:
    return str(names[key].meaning) if key in names else key


def _said(choice: msgspec.Struct | None) -> str:
    """Return what a choice of series asks for, without what it leaves open."""
    if choice is None:
        return ""
    return ", ".join(_asked(choice))


def _asked(choice: msgspec.Struct) -> Iterator[str]:
    for field in msgspec.structs.fields(choice):
        value = getattr(choice, field.name)
        if value != field.default:
            words = (
                value if isinstance(value, str) else " or ".join(map(str, _all(value)))
            )
            yield f"{field.name.replace('_', ' ')} {words}"


def _all(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
