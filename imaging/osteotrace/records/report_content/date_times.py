"""ISO 8601 dates and times as DICOM DA and DT (PS3.5 6.2), where nothing gets lost."""

from __future__ import annotations

import datetime
from typing import Final

_DATETIME_FORMS: Final = (
    "%Y%m%d%H%M%S",
    "%Y%m%d%H%M%S%z",
    "%Y%m%d%H%M%S.%f",
    "%Y%m%d%H%M%S.%f%z",
)

# Of four digits without leading zeros; dicom3tools of 2022 takes no later one.
_YEARS: Final = range(1000, 3000)
# PS3.5 6.2, VR DT.
_FARTHEST_WEST: Final = datetime.timedelta(hours=-12)
_FARTHEST_EAST: Final = datetime.timedelta(hours=14)


def dicom_date(iso: str) -> str | None:
    """Return the DICOM DA that gives exactly this ISO text back, if there is one."""
    try:
        date = datetime.date.fromisoformat(iso)
    except ValueError:
        return None
    return f"{date:%Y%m%d}" if date.isoformat() == iso and date.year in _YEARS else None


def dicom_datetime(iso: str) -> str | None:
    """Return the DICOM DT that gives exactly this ISO text back, if there is one."""
    try:
        time = datetime.datetime.fromisoformat(iso)
    except ValueError:
        return None
    offset = time.utcoffset()
    if time.year not in _YEARS or (offset is not None and not _is_offset(offset)):
        return None
    fraction = f".{time.microsecond:06d}" if time.microsecond else ""
    stamp = f"{time:%Y%m%d%H%M%S}{fraction}{time:%z}"
    return stamp if iso_datetime(stamp) == iso else None


def moment(iso: str) -> datetime.datetime:
    """Return the time that an ISO text states; the present where it states none.

    A record of other software, or marks from a viewer, need not say when it was made.
    """
    try:
        return datetime.datetime.fromisoformat(iso)
    except ValueError:
        return datetime.datetime.now()


def _is_offset(offset: datetime.timedelta) -> bool:
    """Return whether a DT may state an offset: of whole minutes, -1200 to +1400."""
    # dcmtk 3.6.7 refuses a whole report for the offset +0000, valid as it is.
    return (
        offset != datetime.timedelta(0)
        and offset % datetime.timedelta(minutes=1) == datetime.timedelta(0)
        and _FARTHEST_WEST <= offset <= _FARTHEST_EAST
    )


def iso_datetime(stamp: str) -> str | None:
    """Return the ISO 8601 text of a DICOM DT, or None where it is none."""
    for form in _DATETIME_FORMS:
        try:
            return datetime.datetime.strptime(stamp, form).isoformat()
        except ValueError:
            continue
    return None
