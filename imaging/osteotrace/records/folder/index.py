"""What lies in a folder of records, read once and remembered while it does not change.

The index (`osteotrace.catalogue_index`) remembers for each file what it held and how the
file looked: size, times, number. Whatever looks different is read again; what is gone is
forgotten. A report whose study has other segmentations than before is read again, too,
because they hold its masks. Deleting the index costs time and nothing else.
"""

from __future__ import annotations

import os
import time
from pathlib import PurePath
from stat import S_ISREG
from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.catalogue_index import CatalogueIndex, default_path
from osteotrace.errors import OsteotraceError
from osteotrace.records.beside_readings import is_beside
from osteotrace.records.folder.contents import Contents, Record, SegmentationFile
from osteotrace.records.folder.files import (
    DICOM_SUFFIX,
    JSON_SUFFIX,
    misnamed,
    read_record,
    read_segmentation,
)

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME: Final = "records.sqlite"
# A file changed in the last two seconds may change again without looking different: FAT
# counts time in steps of 2 s.
CLOCK_STEP_NS: Final = 2_000_000_000


class Look(msgspec.Struct, frozen=True, array_like=True):
    """How a file looks from outside; another content has another look."""

    size: int
    changed_ns: int
    status_changed_ns: int
    number: int

    def is_settled(self, now_ns: int) -> bool:
        """Tell whether a change from now on would show."""
        newest = max(self.changed_ns, self.status_changed_ns)
        return now_ns - newest > CLOCK_STEP_NS


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A file as it was when it was read.

    Parameters
    ----------
    look : Look
        Of the file.
    segmentations : tuple of (str, Look)
        Names and looks of the segmentations of its study then.
    content : Record or SegmentationFile
        What the file holds.
    """

    look: Look
    segmentations: tuple[tuple[str, Look], ...]
    content: Record | SegmentationFile

    def is_settled(self, now_ns: int) -> bool:
        """Tell whether a change of the file or of a segmentation would show."""
        looks = (self.look, *(look for _, look in self.segmentations))
        return all(look.is_settled(now_ns) for look in looks)


def listed(folder: Path, *, index: bool = True) -> Contents:
    """Return what a folder holds, its files read where the index does not know them.

    Parameters and errors as in `osteotrace.records.record_folder.contents`.
    """
    now_ns = time.time_ns()
    looks = _looks(folder)
    place = os.path.realpath(folder)
    cache = CatalogueIndex(default_path().with_name(FILE_NAME)) if index else None
    try:
        stored = None if cache is None else cache.entries(place)
        known = _decoded(stored)
        reading = _Reading(folder, looks, known)
        entries = reading.entries()
        settled = {name: e for name, e in entries.items() if e.is_settled(now_ns)}
        encoded = msgspec.msgpack.encode(settled)
        if cache is not None:
            cache.put({} if encoded == stored else {place: encoded})
    finally:
        if cache is not None:
            cache.close()
    contents = [entry.content for entry in entries.values()]
    kept, refused = _told_apart(folder, [c for c in contents if isinstance(c, Record)])
    return Contents(
        folder=folder,
        records=tuple(kept),
        segmentations=tuple(c for c in contents if isinstance(c, SegmentationFile)),
        refused=tuple(sorted((*reading.refused, *refused), key=lambda one: one.where)),
    )


class _Reading:
    """One pass over a folder's files."""

    def __init__(
        self, folder: Path, looks: dict[str, Look], known: dict[str, Entry]
    ) -> None:
        self.refused: list[OsteotraceError] = []
        self._folder = folder
        self._looks = looks
        self._known = {
            name: entry for name, entry in known.items() if looks.get(name) == entry.look
        }
        self._masks: dict[str, list[SegmentationFile]] = {}

    def entries(self) -> dict[str, Entry]:
        """Return an entry for each file that holds a record or a segmentation."""
        found: dict[str, Entry] = {}
        for name, look in self._looks.items():
            segmentation = self._segmentation(name)
            if segmentation is not None:
                found[name] = Entry(look, (), segmentation)
                self._masks.setdefault(segmentation.study_uid, []).append(segmentation)
        for name in self._looks.keys() - found.keys():
            entry = self._record(name)
            if entry is not None:
                found[name] = entry
        return {name: found[name] for name in sorted(found)}

    def _segmentation(self, name: str) -> SegmentationFile | None:
        known = self._known.get(name)
        if known is not None:
            content = known.content
            return content if isinstance(content, SegmentationFile) else None
        if not name.endswith(DICOM_SUFFIX):
            return None
        return read_segmentation(self._folder / name)

    def _record(self, name: str) -> Entry | None:
        known = self._known.get(name)
        if (
            known is not None
            and isinstance(known.content, Record)
            and known.segmentations == self._masks_of(known.content.study_uid)
        ):
            return known
        masks = [
            self._folder / one.file
            for some in self._masks.values()
            for one in some
            if one.is_renamed
        ]
        try:
            record = read_record(self._folder / name, masks)
        except OsteotraceError as problem:
            if not is_beside(self._folder / name):
                self.refused.append(problem)
            return None
        return Entry(self._looks[name], self._masks_of(record.study_uid), record)

    def _masks_of(self, study_uid: str) -> tuple[tuple[str, Look], ...]:
        masks = self._masks.get(study_uid, ())
        return tuple((one.file, self._looks[one.file]) for one in masks)


def _looks(folder: Path) -> dict[str, Look]:
    """Return how each file that may be a record looks, by name in order."""
    found: dict[str, Look] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.endswith((DICOM_SUFFIX, JSON_SUFFIX)):
                    continue
                try:
                    # Windows states a file's number only when asked for that file.
                    state = os.stat(entry.path)
                except FileNotFoundError:  # Gone meanwhile, or a link that leads nowhere.
                    continue
                if S_ISREG(state.st_mode):
                    found[entry.name] = Look(
                        state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino
                    )
    except OSError as problem:
        raise OsteotraceError(
            f"a folder that cannot be read ({problem.strerror or problem})",
            expected="a folder of records",
            advice="check the path and its rights",
            where=str(folder),
            usage=True,
        ) from problem
    return {name: found[name] for name in sorted(found)}


def _decoded(stored: bytes | None) -> dict[str, Entry]:
    try:
        return {} if stored is None else msgspec.msgpack.decode(stored, type=_ENTRIES)
    except msgspec.MsgspecError:  # Of a version that kept something else.
        return {}


def _told_apart(
    folder: Path, records: list[Record]
) -> tuple[list[Record], list[OsteotraceError]]:
    """Return records: each once, named by no other, amending none that amends it."""
    known = {uid for r in records for uid in (r.assessment_uid, r.predecessor_uid)}
    by_uid: dict[str, Record] = {}
    refused = []
    # Of two files of a record, the one that is named by it is the first.
    for record in sorted(records, key=lambda r: _stem(r) != r.assessment_uid):
        if _stem(record) in known - {record.assessment_uid}:
            refused.append(misnamed(folder / record.file, record.assessment_uid))
            continue
        first = by_uid.setdefault(record.assessment_uid, record)
        if first is not record:
            refused.append(
                OsteotraceError(
                    f"a second file of the record {record.assessment_uid}",
                    expected=f"one file a record; the first is {first.file}",
                    advice="move the copy away",
                    where=str(folder / record.file),
                )
            )
    kept = []
    for record in by_uid.values():
        if not _amends_itself(record, by_uid):
            kept.append(record)
            continue
        refused.append(
            OsteotraceError(
                "an amendment of a record that amends it in turn",
                expected="amendments of what was there before them",
                advice="fetch these records from their source",
                where=str(folder / record.file),
            )
        )
    kept.sort(key=lambda r: (r.patient, r.study_date, r.recorded, r.assessment_uid))
    return kept, refused


def _stem(record: Record) -> str:
    return PurePath(record.file).stem


def _amends_itself(record: Record, by_uid: dict[str, Record]) -> bool:
    seen: set[str] = set()
    at: Record | None = record
    while at is not None and at.assessment_uid not in seen:
        seen.add(at.assessment_uid)
        at = by_uid.get(at.predecessor_uid)
    return at is record


_ENTRIES: Final = dict[str, Entry]
