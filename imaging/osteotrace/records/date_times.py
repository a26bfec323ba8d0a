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


def dicom_date(iso: str) -> str | None:
    """Return the DICOM DA that gives exactly this ISO text back, if there is one."""
    try:
        date = datetime.date.fromisoformat(iso)
    except ValueError:
        return None
    return f"{date:%Y%m%d}" if date.isoformat() == iso and date.year >= 1000 else None


def dicom_datetime(iso: str) -> str | None:
    """Return the DICOM DT that gives exactly this ISO text back, if there is one."""
    try:
        time = datetime.datetime.fromisoformat(iso)
    except ValueError:
        return None
    # dcmtk 3.6.7 refuses a whole report for the offset +0000, valid as it is.
    if time.utcoffset() == datetime.timedelta(0):
        return None
    fraction = f".{time.microsecond:06d}" if time.microsecond else ""
    stamp = f"{time:%Y%m%d%H%M%S}{fraction}{time:%z}"
    return stamp if iso_datetime(stamp) == iso else None


def iso_datetime(stamp: str) -> str | None:
    """Return the ISO 8601 text of a DICOM DT, or None where it is none."""
    for form in _DATETIME_FORMS:
        try:
            return datetime.datetime.strptime(stamp, form).isoformat()
        except ValueError:
            continue
    return None
