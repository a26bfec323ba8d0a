"""What a reader says of matches between dates: frozen records of the journal.

Whoever confirmed or refused a match stands beside it with the time.
"""

from __future__ import annotations

import msgspec


class Agreement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A reader's word on whether two findings of two dates are one lesion.

    Parameters
    ----------
    earlier_uid, later_uid : str
        Their tracking UIDs at the time, by date.
    is_same : bool
        False where the reader says that they are two lesions.
    by, at : str
        Who said so, and when (ISO 8601).
    by_hand : bool
        True where nothing had proposed it.
    was_uid : str
        Tracking UID that the finding of the draft had before it took the lesion's;
        empty where it kept its own.
    """

    earlier_uid: str
    later_uid: str
    is_same: bool
    by: str
    at: str
    by_hand: bool = False
    was_uid: str = ""

    @property
    def pair(self) -> tuple[str, str]:
        """The two tracking UIDs, the earlier one first."""
        return self.earlier_uid, self.later_uid


class Agreed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that was said of matches at one reading."""

    matches: tuple[Agreement, ...] = ()

    def with_match(self, told: Agreement) -> Agreed:
        """Return these with another word on a pair, in place of what was said before."""
        others = (one for one in self.matches if one.pair != told.pair)
        return msgspec.structs.replace(self, matches=(*others, told))
