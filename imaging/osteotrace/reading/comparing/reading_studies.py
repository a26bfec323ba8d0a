"""The reading of each study that is compared: a saved one, or one by a protocol."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from osteotrace import protocol as protocol_files
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Assessment
from osteotrace.reading.assessing import SOFTWARE, assess, tracking_uid
from osteotrace.reading.comparing.in_hand import HeldImages, StudyInHand
from osteotrace.reading.expanding import expanded
from osteotrace.reading.images import label_files
from osteotrace.reading.lesions import findings_of
from osteotrace.uids import new_uid

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from osteotrace.protocol import Protocol
    from osteotrace.reading.comparing.gathering import GatheredStudy


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How studies are read.

    Parameters
    ----------
    protocols : tuple of Protocol
        One for all studies, or one a study in the order in which they were given.
    masks : Path or None
        Labels that a protocol names.
    reader : str
        Whose saved readings are compared, and who answers for what is measured.
    now : datetime
    uids : callable
        Makes UIDs of readings.
    """

    now: datetime
    protocols: tuple[Protocol, ...] = ()
    masks: Path | None = None
    reader: str = ""
    uids: Callable[[], str] = field(default=new_uid)

    def protocol_for(self, place: int) -> Protocol | None:
        """Return the protocol of the study at a place in the order given."""
        if len(self.protocols) == 1:
            return self.protocols[0]
        return self.protocols[place] if self.protocols else None


def protocols_of(
    given: Sequence[Protocol | str | os.PathLike[str]],
) -> tuple[Protocol, ...]:
    """Return protocols, read where they are names or files; errors as `protocol.read`."""
    return tuple(
        one if isinstance(one, protocol_files.Protocol) else protocol_files.read(one)
        for one in given
    )


def checked_masks(given: str | os.PathLike[str] | None) -> Path | None:
    """Return the path of the masks; raises where nothing is there."""
    if given is None:
        return None
    label_files(Path(given))
    return Path(given)


def read_studies(
    studies: Sequence[GatheredStudy], how: How, failures: list[OsteotraceError]
) -> list[StudyInHand]:
    """Return the studies with the reading of each that is compared.

    A study that nobody read is measured by its protocol; without one, or where the
    protocol is that of another frame of reference, its reading holds no finding. What
    goes wrong is added to `failures`.

    Raises
    ------
    OsteotraceError
        If there are as many protocols as neither one nor the studies.
    """
    if len(how.protocols) > 1 and len(how.protocols) != len(studies):
        raise OsteotraceError(
            f"{len(how.protocols)} protocols for {len(studies)} studies",
            expected="one protocol for all, or one a study in their order",
            advice="give --protocol once, or once a study",
            usage=True,
        )
    scans = [
        header
        for study in studies
        for series in study.catalogue or ()
        for header in series.volumes
    ]
    frames = {header.frame_of_reference_uid for header in scans}
    return [
        _read(
            study,
            None
            if study.catalogue is None
            else HeldImages(
                study.catalogue,
                how.masks,
                scans,
                sources=None if (one := how.protocol_for(place)) is None else one.masks,
            ),
            how,
            _meant(how.protocol_for(place), study, frames),
            failures,
        )
        for place, study in enumerate(studies)
    ]


def _meant(
    protocol: Protocol | None, study: GatheredStudy, frames: set[str]
) -> Protocol | None:
    """Return a protocol, None where its points are those of another study here."""
    if protocol is None or study.catalogue is None:
        return protocol
    named = {entry.frame_of_reference_uid for entry in protocol.entries} - {""}
    own = {
        header.frame_of_reference_uid
        for series in study.catalogue
        for header in series.volumes
    }
    return None if named & (frames - own) and not named & own else protocol


def _read(
    study: GatheredStudy,
    images: HeldImages | None,
    how: How,
    protocol: Protocol | None,
    failures: list[OsteotraceError],
) -> StudyInHand:
    saved = _chosen(study.readings, how.reader)
    if saved is not None:
        own = protocol is not None and saved.protocol_sha256 == protocol.sha256
        return StudyInHand(
            study=study,
            images=images,
            assessment=saved,
            entries=_entries(study.study_uid, protocol, images) if own else {},
        )
    if protocol is not None and images is not None:
        try:
            assessment = _measured(images, how, protocol)
        except OsteotraceError as problem:
            failures.append(problem)
        else:
            return StudyInHand(
                study=study,
                images=images,
                assessment=assessment,
                entries=_entries(study.study_uid, protocol, images),
            )
    return StudyInHand(
        study=study, images=images, assessment=_unread(study, how), is_read=False
    )


def _chosen(readings: Sequence[Assessment], reader: str) -> Assessment | None:
    own = [one for one in readings if reader and one.reader == reader]
    return max(own or readings, key=lambda one: one.recorded, default=None)


def _entries(
    study_uid: str, protocol: Protocol | None, images: HeldImages | None
) -> dict[str, protocol_files.Entry]:
    entries = () if protocol is None else protocol.entries
    if images is not None:
        # Where the study no longer holds what was measured, its record is what there is.
        with suppress(OsteotraceError):
            entries = expanded(entries, images)
    return {tracking_uid(study_uid, entry.label): entry for entry in entries}


def _measured(images: HeldImages, how: How, protocol: Protocol) -> Assessment:
    findings = findings_of(protocol.entries, images)
    return assess(
        images.volumes,
        findings,
        reader=how.reader,
        now=how.now,
        assessment_uid=how.uids(),
        protocol=protocol,
    )


def _unread(study: GatheredStudy, how: How) -> Assessment:
    return Assessment(
        assessment_uid=how.uids(),
        study_uid=study.study_uid,
        patient=study.patient,
        study_date=study.date,
        reader="",
        recorded=how.now.isoformat(timespec="seconds"),
        series=(),
        software=SOFTWARE,
    )
