"""One line of the findings table: a finding, how far it has come, and its prior value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from osteotrace_napari import wording

if TYPE_CHECKING:
    from osteotrace.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorValue:
    """What the same quantity was at an earlier date.

    Parameters
    ----------
    value : str
        As people read it, with ± u and unit.
    date : str
        Of the earlier study.
    verdict : str
        What became of it: a verdict of `osteotrace.change`, or empty.
    sentence : str
        The verdict with its numbers and where its limit comes from.
    proposed : bool
        Whether it may be of another lesion: its kind and site alone are the same.
    """

    value: str
    date: str
    verdict: str = ""
    sentence: str = ""
    proposed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow:
    """A finding as the table shows it.

    Parameters
    ----------
    finding : Finding
    accepted : bool
        Whether the reader has accepted it.
    saved : bool
        Whether a saved record holds it as it is.
    leader : str
        Tracking UID of the finding that it is a part of, or empty.
    prior : PriorValue or None
        Its value at an earlier date.
    """

    finding: Finding
    accepted: bool = False
    saved: bool = False
    leader: str = ""
    prior: PriorValue | None = None

    @property
    def uid(self) -> str:
        """Tracking UID of the finding."""
        return self.finding.tracking_uid

    @property
    def progress(self) -> str:
        """``draft``, ``accepted`` or ``saved``."""
        return wording.progress(accepted=self.accepted, saved=self.saved)
