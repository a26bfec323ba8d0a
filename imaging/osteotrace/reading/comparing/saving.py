"""A comparison as DICOM: its registrations, and the report that refers to the studies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from osteotrace.records import comparison_report, registration
from osteotrace.uids import new_uid

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from osteotrace.alignment import Alignment
    from osteotrace.reading.comparing.workflow import ComparisonReading
    from osteotrace.series import VolumeHeader


def save(
    found: ComparisonReading,
    folder: str | os.PathLike[str],
    *,
    now: datetime | None = None,
    uids: Callable[[], str] = new_uid,
) -> tuple[Path, ...]:
    """Write a comparison as a structured report, and each transform as an object.

    Parameters
    ----------
    found : ComparisonReading
    folder : path
        Made where it is missing; nothing in it is overwritten.
    now : datetime, optional
        Content Date and Time.
    uids : callable
        Makes the UIDs of the objects.

    Returns
    -------
    tuple of Path
        The registrations, then the report.

    Raises
    ------
    OsteotraceError
        If the images do not say what a record must, or it cannot be written.
    """
    place = Path(folder)
    moment = None if now is None else now.replace(tzinfo=None)
    written: list[Path] = []
    try:
        for alignment, volumes in _transforms(found):
            written.append(
                registration.write(
                    alignment,
                    *volumes,
                    place,
                    sop_instance_uid=uids(),
                    creator=found.comparison.reader,
                    now=moment,
                )
            )
        report = comparison_report.write(
            found.comparison,
            tuple(found.catalogues.values()),
            place,
            registrations=tuple(written),
            sop_instance_uid=uids(),
            now=moment,
        )
    except BaseException:
        # Registrations of a report that is not there would be half a record.
        for file in written:
            file.unlink(missing_ok=True)
        raise
    return (*written, report)


def _transforms(
    found: ComparisonReading,
) -> Iterator[tuple[Alignment, tuple[VolumeHeader, VolumeHeader]]]:
    """Yield the alignments of two frames of reference with volumes of both."""
    for pair in found.comparison.pairs:
        for alignment in pair.alignments:
            transform = alignment.transform
            ends = (
                (pair.earlier, transform.from_frame_uid),
                (pair.later, transform.to_frame_uid),
            )
            volumes = [_in_frame(found, *end) for end in ends]
            earlier, later = volumes
            same = transform.from_frame_uid == transform.to_frame_uid
            if earlier is not None and later is not None and not same:
                yield alignment, (earlier, later)


def _in_frame(found: ComparisonReading, study: int, frame: str) -> VolumeHeader | None:
    for series in found.catalogues.get(study, ()):
        for header in series.volumes:
            if header.measurable and header.frame_of_reference_uid == frame:
                return header
    return None
