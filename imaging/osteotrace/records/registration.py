"""An alignment as a DICOM Spatial Registration object: written once, read back equal.

The object says in DICOM's own terms which points of the earlier study lie where in the
later one (PS3.3 A.39, C.20.2), so that other software follows. Its error, similarity and
starts, which DICOM has no place for, stand in a private block with every bit of the
matrix. An object of other software is read as a transform whose uncertainty nobody knows.
"""

from __future__ import annotations

import datetime
import io
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from osteotrace.alignment import Alignment, RigidTransform
from osteotrace.errors import OsteotraceError
from osteotrace.records import sealed_parts
from osteotrace.records.dicom_objects import (
    LARGEST_REPORT_BYTES,
    READABLE_SYNTAXES,
    derived_uid,
    encoded,
    one_error,
)
from osteotrace.records.registrations import reading, writing
from osteotrace.records.store import record_path, write_once
from osteotrace.uids import new_uid

if TYPE_CHECKING:
    import os

    from pydicom.dataset import Dataset

    from osteotrace.series import Catalogue, VolumeHeader
    from osteotrace.volume import Volume

NO_UNCERTAINTY: Final = "no uncertainty known: other software states none"
# Decimal strings have 16 characters: what a matrix may differ by from every bit, mm.
DECIMAL_TOLERANCE: Final = 1e-9
_EXPECTED: Final = "a DICOM Spatial Registration object"


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """What a registration object says.

    Parameters
    ----------
    transform : RigidTransform
        Earlier to later, or between the frames that were asked for.
    alignment : Alignment or None
        With its error and how we know; None for an object of other software.
    sop_instance_uid : str
    notes : tuple of str
        What to mind, such as that no uncertainty is known.
    """

    transform: RigidTransform
    alignment: Alignment | None
    sop_instance_uid: str
    notes: tuple[str, ...] = ()


def write(
    alignment: Alignment,
    earlier: Volume | VolumeHeader,
    later: Volume | VolumeHeader,
    folder: str | os.PathLike[str],
    *,
    sop_instance_uid: str | None = None,
    series_uid: str | None = None,
    instance_number: int = 1,
    creator: str = "",
    now: datetime.datetime | None = None,
) -> Path:
    """Write an alignment as a new Spatial Registration object of the later study.

    Parameters
    ----------
    alignment : Alignment
    earlier, later : Volume or VolumeHeader
        What was aligned: their images are named, patient and study are the later one's.
    folder : path
        Where it is kept, as ``<SOPInstanceUID>.dcm``.
    sop_instance_uid, series_uid : str, optional
        A new UID; the series' is derived from it. Alignments of one pair may share a
        series.
    instance_number : int
        Within that series.
    creator : str
        Who aligned.
    now : datetime, optional
        Content Date and Time. With it and a UID, the same input gives the same bytes.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OsteotraceError
        If the volumes are not those of the alignment, share one frame of reference or
        are of two patients, or the file exists or cannot be written.
    """
    uid = sop_instance_uid or new_uid()
    path = record_path(Path(folder), uid)
    found = "an alignment that no registration object can be made of"
    advice = "check the source images, or keep the alignment as JSON"
    with one_error(path, found, expected=_EXPECTED, advice=advice):
        _check_volumes(alignment, earlier, later)
        made = writing.document(
            alignment,
            earlier,
            later,
            sop_instance_uid=uid,
            series_uid=series_uid or derived_uid(f"REG series of {uid}"),
            instance_number=instance_number,
            creator=creator,
            now=now or datetime.datetime.now(),
        )
        content = encoded(made)
        if _registration(content, "", "", {}).alignment != alignment:
            raise OsteotraceError(
                "an alignment that DICOM would not give back as it is",
                expected="text without control characters, and finite numbers",
                advice="clean its notes",
            )
        return write_once(path, content)


def read(
    path: str | os.PathLike[str],
    *,
    from_frame_uid: str = "",
    to_frame_uid: str = "",
    images: Catalogue | None = None,
) -> Registration:
    """Read a Spatial Registration object, of osteotrace or of other software.

    Parameters
    ----------
    path : path
    from_frame_uid, to_frame_uid : str
        Frames of reference of the earlier and of the later study; by default to the
        registered space, from the one other that the object names.
    images : Catalogue, optional
        For an object that names images and no frame of reference.

    Raises
    ------
    OsteotraceError
        If the file is no such object, damaged or edited, scales, shears, mirrors or
        bends, or does not join these frames of reference.
    """
    file = Path(path)
    advice = "use a whole, unedited object"
    with one_error(file, "a file that cannot be read", expected=_EXPECTED, advice=advice):
        if file.stat().st_size > LARGEST_REPORT_BYTES:
            raise OsteotraceError(
                f"a file of {file.stat().st_size:,} bytes",
                expected=_EXPECTED,
                advice="choose a registration object (modality REG)",
            )
        frames = {
            instance.sop_instance_uid: instance.frame_of_reference_uid
            for series in images or ()
            for volume in series.volumes
            for instance in volume.instances
        }
        return _registration(file.read_bytes(), from_frame_uid, to_frame_uid, frames)


def _check_volumes(
    alignment: Alignment, earlier: Volume | VolumeHeader, later: Volume | VolumeHeader
) -> None:
    transform = alignment.transform
    frames = earlier.frame_of_reference_uid, later.frame_of_reference_uid
    if frames != (transform.from_frame_uid, transform.to_frame_uid):
        raise OsteotraceError(
            f"volumes in the frames of reference {frames[0]} and {frames[1]}",
            expected=f"{transform.from_frame_uid} and {transform.to_frame_uid}, which "
            "were aligned",
            advice="give the volumes that were aligned, the earlier one first",
        )
    if frames[0] == frames[1] or not all(frames):
        raise OsteotraceError(
            "two series of one frame of reference",
            expected="two spaces to be joined",
            advice="nothing was registered: there is nothing to save",
        )
    if earlier.identity.patient != later.identity.patient:
        raise OsteotraceError(
            f"images of two patients, {earlier.identity.patient} and "
            f"{later.identity.patient}",
            expected="one patient: a registration object is filed under one",
            advice="correct the identities, or keep the comparison as JSON",
        )


def _registration(
    content: bytes, from_frame_uid: str, to_frame_uid: str, frames: dict[str, str]
) -> Registration:
    from pydicom import dcmread

    document = dcmread(io.BytesIO(content))
    if document.file_meta.get("TransferSyntaxUID") not in READABLE_SYNTAXES:
        raise OsteotraceError(
            f"the transfer syntax {document.file_meta.get('TransferSyntaxUID')}",
            expected="little endian, not deflated",
            advice="convert it with another DICOM program first",
        )
    reading.check_kind(document)
    alignment = _sealed_alignment(document)
    known = reading.matrices(document, frames)
    if alignment is not None:
        _check_agrees(alignment, known, str(document.FrameOfReferenceUID))
        asked = from_frame_uid, to_frame_uid
        own = alignment.transform.from_frame_uid, alignment.transform.to_frame_uid
        if any(one not in ("", mine) for one, mine in zip(asked, own, strict=True)):
            raise _joins_others(known, *asked)
        return Registration(
            transform=alignment.transform,
            alignment=alignment,
            sop_instance_uid=str(document.SOPInstanceUID),
        )
    transform, notes = _foreign(document, known, from_frame_uid, to_frame_uid)
    return Registration(
        transform=transform,
        alignment=None,
        sop_instance_uid=str(document.SOPInstanceUID),
        notes=(NO_UNCERTAINTY, *notes),
    )


def _sealed_alignment(document: Dataset) -> Alignment | None:
    """Return what the private block holds; None where there is none of osteotrace."""
    try:
        block = document.private_block(writing.PRIVATE_GROUP, writing.PRIVATE_CREATOR)
        text = str(block[writing.ALIGNMENT_ELEMENT].value)
    except KeyError:
        return None
    inner = sealed_parts.unsealed(writing.ALIGNMENT, text.encode())
    return msgspec.json.decode(inner, type=Alignment)


def _check_agrees(
    alignment: Alignment, known: dict[str, reading.Matrix], registered: str
) -> None:
    """Refuse an object whose matrix is not that of its sealed alignment."""
    transform = alignment.transform
    stated = known.get(transform.from_frame_uid)
    meant = np.array(transform.matrix)
    room = DECIMAL_TOLERANCE * np.maximum(1.0, np.abs(meant))
    agrees = (
        registered == transform.to_frame_uid
        and stated is not None
        and (np.abs(stated - meant) <= room).all()
    )
    if not agrees:
        raise OsteotraceError(
            "a registration whose matrix or frames are not those of its alignment",
            expected="content as it was saved",
            advice="the file was edited, or its UIDs were replaced, as de-identification "
            "does: register the studies again",
        )


def _foreign(
    document: Dataset,
    known: dict[str, reading.Matrix],
    from_frame_uid: str,
    to_frame_uid: str,
) -> tuple[RigidTransform, tuple[str, ...]]:
    """Return the transform between two frames that an object of other software joins."""
    target = to_frame_uid or str(document.FrameOfReferenceUID)
    others = [frame for frame in known if frame != target]
    start = from_frame_uid or (others[0] if len(others) == 1 else "")
    if start not in known or target not in known or start == target:
        raise _joins_others(known, from_frame_uid, to_frame_uid)
    whole, rounded = reading.nearest_rigid(np.linalg.inv(known[target]) @ known[start])
    transform = RigidTransform.of(
        whole[:3, :3], whole[:3, 3], from_frame_uid=start, to_frame_uid=target
    )
    return transform, (rounded,) if rounded else ()


def _joins_others(
    known: dict[str, reading.Matrix], from_frame_uid: str, to_frame_uid: str
) -> OsteotraceError:
    wanted = f"from {from_frame_uid or 'any'} to {to_frame_uid or 'any'}"
    return OsteotraceError(
        f"a registration of the frames of reference {', '.join(known)}",
        expected=f"one {wanted}, and which two are meant where there are several",
        advice="name both frames of reference, or choose the object of these studies",
    )
