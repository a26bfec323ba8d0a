"""The entry that measures again what readers have marked in a study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osteotrace.protocol.choices import Patterns, patterns
from osteotrace.protocol.entry import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator

# The name of its TOML table.
MARKED: Final = "marked"


class MarkedEntry(Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What readers have marked in the study, measured again: a finding a mark.

    Points, lines and regions of saved readings, own ones and those of other software;
    ``marks`` has to be a source of ``[masks]``.

    Parameters
    ----------
    marks : str or tuple of str
        Patterns, one of which fits the label or the kind of the saved finding.
    kind, site : str
        What is recorded where the saved finding says nothing better.
    """

    marks: Patterns
    label: str = "{name}"
    kind: str = "lesion"
    site: str = "unspecified"

    def wrong(self) -> Iterator[tuple[str, str, str]]:
        if not all(one.strip() for one in patterns(self.marks)) or not self.marks:
            yield "marks", "an empty pattern", 'a text, "*" for every mark'
