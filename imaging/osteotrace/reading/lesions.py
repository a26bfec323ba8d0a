"""From a protocol's entries to findings: which measurement each entry stands for.

`StudyImages` gives an entry its volume and its regions; one function an entry type
measures and names the finding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osteotrace.protocol import CaliperEntry, Entry, meant_volume
from osteotrace.reading.assessing import tracking_uid
from osteotrace.reading.calipers import caliper, caliper_finding
from osteotrace.volume import load as load_volume

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from osteotrace.findings import Finding
    from osteotrace.series import Catalogue
    from osteotrace.volume import Volume


class StudyImages:
    """The volumes and masks of one study, loaded when an entry asks for them.

    Parameters
    ----------
    study : Catalogue
        The study's series.
    masks : Path or None
        Where label files lie beside the study's own DICOM SEG.
    """

    def __init__(self, study: Catalogue, masks: Path | None) -> None:
        self._study, self._masks = study, masks
        self._volumes: dict[tuple[str, int], Volume] = {}

    @property
    def volumes(self) -> tuple[Volume, ...]:
        """What was loaded so far."""
        return tuple(self._volumes.values())

    def volume(self, entry: Entry) -> Volume:
        """Return the one volume that an entry means; errors as `meant_volume`."""
        header = meant_volume(self._study, entry)
        key = (header.identity.series_uid, header.k)
        if key not in self._volumes:
            self._volumes[key] = load_volume(header)
        return self._volumes[key]


def findings_of(entries: Sequence[Entry], images: StudyImages) -> tuple[Finding, ...]:
    """Return the findings of a protocol's entries, in the order of the entries.

    Raises
    ------
    OsteotraceError
        If a volume or a region that an entry means is not there.
    """
    return tuple(
        finding for entry in entries for finding in _FINDERS[type(entry)](entry, images)
    )


def _caliper(entry: CaliperEntry, images: StudyImages) -> tuple[Finding, ...]:
    volume = images.volume(entry)
    reading = caliper(
        volume,
        entry.start,
        entry.end,
        snap=entry.snap,
        between=entry.between,
        walls=entry.walls,
    )
    finding = caliper_finding(
        reading,
        tracking_uid=tracking_uid(volume.identity.study_uid, entry.label),
        label=entry.label,
        kind=entry.kind,
        site=entry.site,
        laterality=entry.laterality,
        quantity=entry.quantity,
        note=entry.note,
    )
    return (finding,)


_FINDERS: Final[dict[type[Entry], Callable[..., tuple[Finding, ...]]]] = {
    CaliperEntry: _caliper,
}
