"""What a session's changes are judged by: the site's coefficients, doubts let pass.

Both hold as long as the session lasts; a comparison that rests on them says so.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from osteotrace.comparison.site_repeatabilities import read_repeatabilities
from osteotrace.measurements.measurement import Measurement

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from osteotrace.change import Repeatability
    from osteotrace.comparison import Comparison


class Standards:
    """The coefficients and the doubts of a session.

    Attributes
    ----------
    repeatabilities : mapping of str to Repeatability
        The site's own, by quantity; of the others the default holds.
    source : str
        Name of the file that they come from; empty without one.
    accepted_flags : frozenset of str
        Flags of values that the reader has looked at and lets pass.
    version : object
        Another one whenever something was changed.
    """

    def __init__(self) -> None:
        self.repeatabilities: Mapping[str, Repeatability] = {}
        self.source = ""
        self.accepted_flags: frozenset[str] = frozenset()
        self.version = object()

    def use(self, path: str | os.PathLike[str] | None) -> None:
        """Judge by the coefficients of a file, or by the default ones without it.

        Raises
        ------
        OsteotraceError
            If it is no file of coefficients; those in use stay then.
        """
        found = {} if path is None else read_repeatabilities(path)
        self.repeatabilities, self.source = found, Path(path).name if path else ""
        self.version = object()

    def accept_flag(self, flag: str, accepted: bool = True) -> None:
        """Let a doubt about values pass, or no longer."""
        own = {flag}
        self.accepted_flags = (
            self.accepted_flags | own if accepted else self.accepted_flags - own
        )
        self.version = object()


def doubts(comparison: Comparison) -> tuple[str, ...]:
    """Return the flags of the values that are compared, each once."""
    return tuple(
        dict.fromkeys(
            flag
            for lesion in comparison.lesions
            for seen in lesion.seen
            for finding in seen.findings
            for flag in _flags(finding.measurements)
        )
    )


def _flags(values: Iterable[object]) -> Iterable[str]:
    for one in values:
        if isinstance(one, Measurement):
            yield from one.flags
