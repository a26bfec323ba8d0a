"""What a reader says of matches between dates, and which marks were carried forward.

Frozen records of the journal: whoever confirmed or refused a match stands beside it with
the time.
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


class CarriedMark(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mark that came through a transform from the reading of another date.

    Parameters
    ----------
    tracking_uid : str
        Of the lesion, the same at both dates.
    from_uid, from_date : str
        Assessment UID and date of the reading that it came from.
    digest : str
        Of the mark as it was carried: one that was marked anew since is no longer it.
    u_mm : float
        Standard uncertainty of the place by the registration, one axis.
    u_registration : dict of str to float
        Standard uncertainty that the transform adds to each quantity, in its unit.
    """

    tracking_uid: str
    from_uid: str
    from_date: str
    digest: str
    u_mm: float
    u_registration: dict[str, float] = {}


class Agreed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that was said of matches at one reading, and all marks carried into it."""

    matches: tuple[Agreement, ...] = ()
    carried: tuple[CarriedMark, ...] = ()

    def with_match(self, told: Agreement) -> Agreed:
        """Return these with another word on a pair, in place of what was said before."""
        others = (one for one in self.matches if one.pair != told.pair)
        return msgspec.structs.replace(self, matches=(*others, told))

    def with_carried(self, new: tuple[CarriedMark, ...]) -> Agreed:
        """Return these with marks that were carried, again or for the first time."""
        uids = {one.tracking_uid for one in new}
        others = (one for one in self.carried if one.tracking_uid not in uids)
        return msgspec.structs.replace(self, carried=(*others, *new))
