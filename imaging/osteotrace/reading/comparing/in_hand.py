"""One study of a comparison while it is worked on: its reading, its loaded volumes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.reading.images import StudyImages
from osteotrace.volume import load

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from osteotrace.findings import Assessment, Finding
    from osteotrace.protocol import Entry, MaskSources
    from osteotrace.reading.comparing.gathering import GatheredStudy
    from osteotrace.series import Catalogue, VolumeHeader
    from osteotrace.volume import Volume


class HeldImages(StudyImages):
    """The volumes and masks of one study, each loaded once.

    Parameters
    ----------
    study : Catalogue
    masks : Path or None
        As in `StudyImages`.
    scans : iterable of VolumeHeader
        As in `StudyImages`.
    sources : MaskSources or None
        As in `StudyImages`.
    """

    def __init__(
        self,
        study: Catalogue,
        masks: Path | None = None,
        scans: Iterable[VolumeHeader] = (),
        *,
        sources: MaskSources | None = None,
    ) -> None:
        super().__init__(study, masks, scans, sources=sources)
        self.headers = tuple(
            header
            for series in study
            for header in series.volumes
            if header.measurable and header.grid is not None
        )

    def held(self, header: VolumeHeader) -> Volume:
        """Return a volume of the study, loaded where it is not yet.

        Raises
        ------
        OsteotraceError
            If it cannot be read.
        """
        key = header.identity.series_uid, header.k
        if key not in self._volumes:
            self._volumes[key] = load(header)
        return self._volumes[key]

    def header_of(self, finding: Finding) -> VolumeHeader | None:
        """Return the volume that a finding was read on; None where it is not here."""
        named = [
            one
            for one in self.headers
            if finding.series_uid in ("", one.identity.series_uid)
        ]
        if len(named) <= 1:
            return named[0] if named and finding.series_uid else None
        marked = set(finding.source_instances)
        for one in named:
            if any(image.source in marked for image in one.instances):
                return one
        return named[0] if finding.series_uid else None


@dataclass(slots=True, kw_only=True)
class StudyInHand:
    """A study of a comparison with the reading of it that counts.

    Parameters
    ----------
    study : GatheredStudy
    images : HeldImages or None
        None where there are no images of it.
    assessment : Assessment
        Without a finding where nobody read it.
    is_read : bool
        False where nobody did.
    entries : dict of str to Entry
        What a protocol asked for, by the tracking UID of the finding that it gave.
    carried : set of str
        Tracking UIDs of findings that were carried forward: proposals.
    registration : dict
        Standard uncertainty that a transform added, by tracking UID and quantity.
    """

    study: GatheredStudy
    images: HeldImages | None
    assessment: Assessment
    is_read: bool = True
    entries: dict[str, Entry] = field(default_factory=dict)
    carried: set[str] = field(default_factory=set)
    registration: dict[tuple[str, str], float] = field(default_factory=dict)

    @property
    def called(self) -> str:
        """What notes call it: its date; they are kept, and a path may name a patient."""
        return self.study.called if self.study.date else "a study without a date"

    def read_on(self) -> dict[str, VolumeHeader]:
        """Return the volumes that findings were read on, by frame of reference.

        Of several in one frame the one with the most findings.
        """
        counted: dict[tuple[str, int], int] = {}
        headers: dict[tuple[str, int], VolumeHeader] = {}
        for finding in self.assessment.findings:
            header = None if self.images is None else self.images.header_of(finding)
            if header is not None:
                key = header.identity.series_uid, header.k
                headers[key] = header
                counted[key] = counted.get(key, 0) + 1
        found: dict[str, VolumeHeader] = {}
        for key in sorted(counted, key=lambda one: counted[one], reverse=True):
            found.setdefault(headers[key].frame_of_reference_uid, headers[key])
        return found

    def volumes(self) -> tuple[Volume, ...]:
        """Return what was loaded of it."""
        return () if self.images is None else self.images.volumes

    def loaded_for_findings(self) -> tuple[OsteotraceError, ...]:
        """Load every volume that findings were read on; return what could not be."""
        failures = []
        for finding in self.assessment.findings:
            header = None if self.images is None else self.images.header_of(finding)
            if header is not None and self.images is not None:
                try:
                    self.images.held(header)
                except OsteotraceError as problem:
                    failures.append(problem)
        return tuple(dict.fromkeys(failures))


def plane_of(header: VolumeHeader) -> int:
    """Return the axis of the patient that a volume's slices follow: 0 x, 1 y, 2 z."""
    assert header.grid is not None
    normal = np.cross(header.grid.row_direction, header.grid.column_direction)
    return int(np.argmax(np.abs(normal)))
