"""A saved record opened in a session, to be amended or added to.

A report of osteotrace, of other software, or a segmentation of the study that is read.
Where nothing was done yet it becomes what the next save amends; else its findings are
added as drafts. What is of another study, patient or frame of reference is refused.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.errors import OsteotraceError
from osteotrace.findings import leaders_of_parts
from osteotrace.reading.case_facts import CaseFacts, StatedOverride
from osteotrace.regions import Points, Polyline
from osteotrace.session import commands
from osteotrace.session.changes import Base, BaseChange, Held, StatementsChange

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from osteotrace.findings import Assessment, Finding
    from osteotrace.geometry import Grid
    from osteotrace.series import VolumeHeader
    from osteotrace.session.session import Session

_DICOM_PREFIX: Final = 132


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a record that was opened.

    Parameters
    ----------
    record : Path
        Its file.
    reader, recorded, software : str
        Who read it, when, and with what, as it says.
    findings : tuple of str
        Tracking UIDs of the findings that were taken over.
    amends : bool
        True where the next save amends it; else its findings are drafts.
    known : tuple of str
        Labels of findings that the reading held already: they stay as they are.
    placed : tuple of str
        Labels of findings that named no images: those that they lie on were added.
    not_understood : tuple of str
        Parts of it that could not be read as findings.
    """

    record: Path
    reader: str
    recorded: str
    software: str
    findings: tuple[str, ...]
    amends: bool
    known: tuple[str, ...] = ()
    placed: tuple[str, ...] = ()
    not_understood: tuple[str, ...] = ()

    @property
    def as_text(self) -> str:
        """What happened in a sentence or two."""
        if not (self.findings or self.amends):
            return f"Nothing to add: {self._why_nothing}."
        number = len(self.findings)
        what = f"{number} finding{'' if number == 1 else 's'}"
        by = f" read by {self.reader}" if self.reader else f" of {self.software}"
        how = (
            "the next save amends that record"
            if self.amends
            else "added as drafts to what is there"
        )
        told = [f"{what}{by}: {how}."]
        if self.known:
            told.append(f"Already here: {', '.join(self.known)}.")
        if self.placed:
            told.append(f"On the images where they lie: {', '.join(self.placed)}.")
        if self.not_understood:
            parts = len(self.not_understood)
            told.append(f"Not understood: {parts} part{'' if parts == 1 else 's'}.")
        return " ".join(told)

    @property
    def _why_nothing(self) -> str:
        if not self.known:
            return f"{self.record.name} has no finding"
        return f"every finding of {self.record.name} is in this reading already"


def open_record(session: Session, path: str | os.PathLike[str]) -> Opened:
    """Take a record of the study that is read into the session, as one command.

    Parameters
    ----------
    session : Session
        With the study loaded.
    path : path
        DICOM SR or JSON of osteotrace, a DICOM SR of other software, or a DICOM
        segmentation: of other software, or one that belongs to a report beside it.

    Raises
    ------
    OsteotraceError
        If it cannot be read, is of another patient, study or frame of reference, names
        images that are not open.
    """
    from osteotrace.records import assessments

    draft = session.draft
    file = _report_of(Path(path))
    record = assessments.read(file, images=session.catalogue)
    _check_same_study(session, record, file)
    headers = [_header(session, finding, file) for finding in record.findings]
    amends = not (draft.held or draft.predecessor_uid or draft.statements != CaseFacts())
    there = {one.uid for one in draft.held}
    found = tuple(map(_on_images, record.findings, headers))
    new = tuple(one for one in found if one.tracking_uid not in there)
    if not amends and not new:
        return _opened(record, file, known=tuple(one.label for one in found))
    for header in dict.fromkeys(filter(None, headers)):
        session.note_series(header)
    held = tuple(_held(new, session, accepted=amends))
    if amends:
        _begin(session, record, file, held)
    else:
        after = (*draft.held, *held)
        what = f"findings of {file.name} added"
        session.commit(what, *commands.changes(draft.held, after))
    return _opened(
        record,
        file,
        findings=tuple(one.uid for one in held),
        amends=amends,
        known=tuple(one.label for one in found if one not in new),
        placed=tuple(one.label for one in new if one not in record.findings),
    )


def _opened(
    record: Assessment,
    file: Path,
    *,
    findings: tuple[str, ...] = (),
    amends: bool = False,
    known: tuple[str, ...] = (),
    placed: tuple[str, ...] = (),
) -> Opened:
    return Opened(
        record=file,
        reader=record.reader,
        recorded=record.recorded,
        software=record.software,
        findings=findings,
        amends=amends,
        known=known,
        placed=placed,
        not_understood=record.not_understood,
    )


def _begin(
    session: Session, record: Assessment, file: Path, held: tuple[Held, ...]
) -> None:
    """Make a record what the next save amends, as one command."""
    draft, stated = session.draft, _stated(record)
    base = Base(
        uid=_uid_of(record, file),
        record=str(file.absolute()),
        not_understood=record.not_understood,
    )
    # Other changes may follow on what is stated; on an equal one none would.
    said = StatementsChange(before=draft.statements, after=stated)
    session.commit(
        f"{file.name} opened",
        BaseChange(before=draft.base, after=base),
        *commands.changes(draft.held, (*draft.held, *held)),
        *((said,) if stated != draft.statements else ()),
    )


def _report_of(file: Path) -> Path:
    """Return a record's file; of masks of osteotrace, the report that they belong to."""
    from pydicom import dcmread

    from osteotrace.records import dicom_objects
    from osteotrace.records.foreign import document

    if not _is_dicom(file) or document.origin(file) != "segmentation":
        return file
    with document.one_error(file):
        header = dcmread(file, stop_before_pixels=True)
        if not document.claims_to_be_own(header):
            return file
        uid = str(header.SOPInstanceUID).encode()
    for other in sorted(file.parent.glob("*.dcm")):
        size = other.stat().st_size
        if other == file or size > dicom_objects.LARGEST_REPORT_BYTES:
            continue
        if uid in other.read_bytes() and document.origin(other) == "own report":
            return other
    raise OsteotraceError(
        "masks of osteotrace without the report that they belong to",
        expected="the report beside them: its digest tells whether they are whole",
        advice="keep a record's files together, and open the report",
        where=str(file),
    )


def _is_dicom(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return stream.read(_DICOM_PREFIX)[128:] == b"DICM"
    except OSError:
        return False


def _uid_of(record: Assessment, file: Path) -> str:
    """Return the UID that an amendment names: of a foreign reading, its document's."""
    from osteotrace.records.foreign import document

    if _is_dicom(file) and document.origin(file) != "own report":
        return record.predecessor_uid
    return record.assessment_uid


def _check_same_study(session: Session, record: Assessment, file: Path) -> None:
    start = session.draft.start
    if start is None:
        raise OsteotraceError(
            "a record, and no study that is read",
            expected="the study that it was read on",
            advice="load one of its series first",
            where=str(file),
        )
    if record.patient and start.patient and record.patient != start.patient:
        raise OsteotraceError(
            f"a record of another patient, {record.patient}",
            expected=f"a record of {start.patient}, whose study is open",
            advice="open the study that it belongs to",
            where=str(file),
        )
    if record.study_uid != start.study_uid:
        other = f"another study, of {record.study_date or 'no stated date'}"
        raise OsteotraceError(
            f"a record of {other if record.study_uid else 'no study'}",
            expected=f"a record of the study that is open, of {start.study_date}",
            advice="open that study; its readings stand beside the findings as earlier "
            "ones where they are in the records folder",
            where=str(file),
        )


def _header(session: Session, finding: Finding, file: Path) -> VolumeHeader | None:
    """Return the open volume that a finding lies in; None for one that marks nothing.

    Raises
    ------
    OsteotraceError
        If it lies in another frame of reference, or on images that are not open.
    """
    if not finding.regions:
        return None
    marked = session.header_of(finding)
    headers = [one for series in session.catalogue or () for one in series.volumes]
    frames = {one.frame_of_reference_uid for one in headers}
    strange = {
        region.frame_of_reference_uid
        for region in finding.regions
        if region.frame_of_reference_uid and region.frame_of_reference_uid not in frames
    }
    if strange:
        raise OsteotraceError(
            f"{finding.label} in another frame of reference, {min(strange)}",
            expected="one of the images that are open: " + ", ".join(sorted(frames)),
            advice="open the images that it was drawn on; no transform to these is known",
            where=str(file),
        )
    if marked is not None:
        return marked
    spaces = {region.frame_of_reference_uid for region in finding.regions} - {""}
    inside = (
        one
        for one in headers
        if one.frame_of_reference_uid in spaces
        and finding.series_uid in ("", one.identity.series_uid)
    )
    found = next(inside, None)
    if found is None:
        raise OsteotraceError(
            f"{finding.label} on images that are not open",
            expected="the images that it was marked on",
            advice="open the folder of the whole study",
            where=str(file),
        )
    return found


def _on_images(finding: Finding, header: VolumeHeader | None) -> Finding:
    """Return a finding whose points name the images that they lie on.

    Other software may give points in the patient alone; a report has to name images.
    """
    if header is None or header.grid is None:
        return finding
    regions = tuple(
        msgspec.structs.replace(
            region, source_instances=_around(region, header, header.grid)
        )
        if isinstance(region, Points | Polyline) and not region.source_instances
        else region
        for region in finding.regions
    )
    if regions == finding.regions:
        return finding
    series_uid = finding.series_uid or header.identity.series_uid
    return msgspec.structs.replace(finding, regions=regions, series_uid=series_uid)


def _around(
    region: Points | Polyline, header: VolumeHeader, grid: Grid
) -> tuple[str, ...]:
    """Return the slices from the lowest point to the highest; none where they miss."""
    places = grid.to_index(region.points)[:, 0]
    first, last = math.floor(places.min()), math.ceil(places.max())
    images = header.instances[max(first, 0) : max(last + 1, 0)]
    return tuple(image.source for image in images)


def _held(
    findings: tuple[Finding, ...], session: Session, *, accepted: bool
) -> Iterator[Held]:
    """Yield findings as a session holds them, parts with their leader."""
    uids: list[str] = []
    for one in findings:
        # Other software may give one UID to several findings.
        is_own = one.tracking_uid and one.tracking_uid not in uids
        uids.append(one.tracking_uid if is_own else session.new_uid())
    leaders = leaders_of_parts(findings)
    for place, (finding, uid) in enumerate(zip(findings, uids, strict=True)):
        leader = leaders.get(place)
        yield Held(
            finding=msgspec.structs.replace(finding, tracking_uid=uid),
            accepted=accepted,
            leader="" if leader is None else uids[leader],
            part=""
            if leader is None
            else finding.label.removeprefix(findings[leader].label),
        )


def _stated(record: Assessment) -> CaseFacts:
    """Return what a record states, with the stages that its reader set at its date."""
    return CaseFacts(
        facts=record.facts,
        drugs=record.drugs,
        overrides=tuple(
            StatedOverride(
                system=result.system,
                stage=result.override.stage,
                reason=result.override.reason,
                author=result.override.author,
                date=result.date,
                site=result.site,
                recorded=result.override.recorded,
            )
            for result in record.stagings
            if result.override is not None and result.date == record.study_date
        ),
    )
