"""What a reading that looked for a lesion in vain says of lesions of other dates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osteotrace.comparison.matching import same_side
from osteotrace.comparison.places import lies_in, place_of
from osteotrace.measurements.measurement import Measurement

if TYPE_CHECKING:
    from osteotrace.comparison.matching import Decided
    from osteotrace.comparison.places import Ways
    from osteotrace.findings import Finding

# What a search for parts counts.
_COUNT_OF_PARTS: Final = "fragment_count"


def covers(absence: Finding, lesion: Finding, ways: Ways, decided: Decided) -> bool:
    """Tell whether an absence speaks of a lesion: of its kind, site, side and place.

    Without a transform, or without a place, the first three decide.
    """
    if (lesion.tracking_uid, absence.tracking_uid) in decided.refused:
        return False
    return _alike(absence, lesion) and _holds(absence, lesion, ways)


def was_missing(absence: Finding, lesion: Finding, ways: Ways, decided: Decided) -> bool:
    """Tell whether an absence of an earlier date speaks of a lesion that is there now.

    As `covers`; what has its Tracking UID speaks of it in any place.
    """
    if absence.tracking_uid == lesion.tracking_uid:
        return True
    if (absence.tracking_uid, lesion.tracking_uid) in decided.refused:
        return False
    return _alike(absence, lesion) and _holds(absence, lesion, ways)


def _holds(absence: Finding, lesion: Finding, ways: Ways) -> bool:
    """Tell whether the place that was looked at holds a lesion, as far as is known."""
    where, looked = place_of([lesion]), place_of([absence])
    if where is None or looked is None:
        return True
    return lies_in(where, looked, ways, site=lesion.site) is not False


def _alike(absence: Finding, lesion: Finding) -> bool:
    kinds = absence.kind == lesion.kind and absence.site == lesion.site
    return kinds and same_side(absence, lesion)


def counts_parts(finding: Finding) -> bool:
    """Tell whether parts were looked for and counted, even where it lists none."""
    return any(
        isinstance(one, Measurement) and one.name == _COUNT_OF_PARTS
        for one in finding.measurements
    )
