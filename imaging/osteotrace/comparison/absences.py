"""What a reading that looked for a lesion in vain says of lesions of other dates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osteotrace.comparison.matching import same_side
from osteotrace.comparison.places import lies_in, place_of

if TYPE_CHECKING:
    from osteotrace.comparison.matching import Decided
    from osteotrace.comparison.places import Ways
    from osteotrace.findings import Finding


def covers(absence: Finding, lesion: Finding, ways: Ways, decided: Decided) -> bool:
    """Tell whether an absence speaks of a lesion: of its kind, site, side and place.

    Without a transform, or without a place, the first three decide.
    """
    if not _alike(absence, lesion):
        return False
    if (lesion.tracking_uid, absence.tracking_uid) in decided.refused:
        return False
    where, looked = place_of([lesion]), place_of([absence])
    if where is None or looked is None:
        return True
    return lies_in(where, looked, ways, site=lesion.site) is not False


def was_missing(absence: Finding, lesion: Finding, decided: Decided) -> bool:
    """Tell whether an absence of an earlier date speaks of a lesion that is there now."""
    if absence.tracking_uid == lesion.tracking_uid:
        return True
    pair = absence.tracking_uid, lesion.tracking_uid
    return _alike(absence, lesion) and pair not in decided.refused


def _alike(absence: Finding, lesion: Finding) -> bool:
    kinds = absence.kind == lesion.kind and absence.site == lesion.site
    return kinds and same_side(absence, lesion)
