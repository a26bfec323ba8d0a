"""What a reader said of the last finding of each tool: the next one starts from it.

Kind and site go on within one study, while the window is open. Side and certainty are of
one finding alone, and nothing goes on to another study: it may be another patient's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osteotrace.protocol.entries import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.session import Held

_TOOLS: Final = {entry: tool for tool, entry in TABLES.items()}
# The level of a vertebra is its site, and whether it broke is its own.
_NOTHING_GOES_ON: Final = ("vertebra",)


class Templates:
    """What was said last, by study and tool.

    Parameters
    ----------
    study : callable
        Returns the StudyInstanceUID (0020,000D) that is read now.
    """

    def __init__(self, study: Callable[[], str]) -> None:
        self._study = study
        self._said: dict[tuple[str, str], dict[str, str]] = {}

    def said(self, tool: str) -> dict[str, str]:
        """Return what to say of the next finding of a tool, empty where nothing is known.

        Its keys are those that `osteotrace.session.Session.add` takes.
        """
        return dict(self._said.get((self._study(), tool), {}))

    def remember(self, held: Held) -> None:
        """Take kind and site of a finding for the next one of its tool."""
        tool = "" if held.entry is None else _TOOLS.get(type(held.entry), "")
        if tool and not held.leader and tool not in _NOTHING_GOES_ON:
            finding = held.finding
            said = {"kind": finding.kind, "site": finding.site}
            self._said[self._study(), tool] = said
