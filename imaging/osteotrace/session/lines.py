"""The lines of a journal, in the order that a reading goes through them."""

from __future__ import annotations

from typing import Final

import msgspec

from osteotrace.findings import SeriesReference
from osteotrace.session.changes import Change

JOURNAL_VERSION: Final = 3


class Started(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """The first line: which study is read, by whom, with what."""

    at: str
    assessment_uid: str
    study_uid: str
    patient: str
    study_date: str
    reader: str
    software: str
    journal_version: int = JOURNAL_VERSION


class Read(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """A series was loaded for reading."""

    series: SeriesReference


class Done(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """One command of the reader.

    Parameters
    ----------
    at : str
        ISO 8601 date and time.
    what : str
        The command in words, e.g. ``"caliper CAL-1 added"``.
    changes : tuple of Change
        What it changes, in order; taken back all together.
    """

    at: str
    what: str
    changes: tuple[Change, ...]


class Undone(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """The last command was taken back."""

    at: str


class Redone(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """The command taken back last was made again."""

    at: str


class Saving(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """A record is being written of the reading as it is here; commands may follow.

    Parameters
    ----------
    at : str
        ISO 8601 date and time.
    sop_instance_uid, folder : str
        Of the record, and where it goes; empty where an earlier version saved it.
    """

    at: str
    sop_instance_uid: str = ""
    folder: str = ""


class Saved(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """The reading was saved as it was when `Saving` began; the next record amends it.

    Parameters
    ----------
    at : str
        ISO 8601 date and time.
    sop_instance_uid, next_uid : str
        Of the record, and of the one that will amend it.
    record : str
        Its file; empty where an earlier version saved it.
    """

    at: str
    sop_instance_uid: str
    next_uid: str
    record: str = ""


class Closed(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """The reader closed the reading; a journal that does not end so was interrupted."""

    at: str


Line = Started | Read | Done | Undone | Redone | Saving | Saved | Closed
