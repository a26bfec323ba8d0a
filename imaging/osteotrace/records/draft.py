"""The draft of a reading on disk: an append-only journal of its committed changes.

One JSON object a line, forced to disk before `Journal.append` returns. Each carries a
checksum over its content and the checksum of the line before, so that a line that was
changed, lost or doubled breaks the chain. A line that a crash tore off at the end is
dropped; damage anywhere else is an error, never a guess. Journals of version 1 had no
checksums; they are read, and continued without.
Each reader of a study has a journal. Journals live in the user's state folder, readable
by their owner alone, under a digest of Study Instance UID and reader: no identifier
stands in a file name.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.errors import OsteotraceError
from osteotrace.findings import Assessment, Finding, SeriesReference
from osteotrace.records import chained_lines
from osteotrace.records.file_lock import lock
from osteotrace.records.publication import OWNER_ONLY_FOLDER, flush_name
from osteotrace.records.store import OWNER_ONLY_FILE

if TYPE_CHECKING:
    from typing import Self

JOURNAL_VERSION: Final = 2
# The version without checksums.
_UNCHAINED_VERSION: Final = 1
# Changes that can be taken back; older ones stay made.
UNDO_DEPTH: Final = 200


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

    def assessment(self) -> Assessment:
        """Return the reading as it begins, without findings."""
        return Assessment(
            assessment_uid=self.assessment_uid,
            study_uid=self.study_uid,
            patient=self.patient,
            study_date=self.study_date,
            reader=self.reader,
            recorded=self.at,
            series=(),
            software=self.software,
        )


class Read(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """A series was loaded for reading."""

    series: SeriesReference


class Change(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """A finding was added (nothing before), edited, or deleted (nothing after).

    Parameters
    ----------
    at : str
        ISO 8601 date and time.
    before, after : Finding or None
        The finding on either side of the change.
    position : int
        Its place among the findings.
    """

    at: str
    before: Finding | None
    after: Finding | None
    position: int

    def reversed(self) -> Self:
        """Return the change that takes this one back."""
        return msgspec.structs.replace(self, before=self.after, after=self.before)

    def made_to(self, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
        """Return the findings with this change made.

        Raises
        ------
        OsteotraceError
            If what was there before the change is not there.
        """
        if self.before is None:
            fits = 0 <= self.position <= len(findings)
        else:
            fits = 0 <= self.position < len(findings)
            fits = fits and findings[self.position] == self.before
        if not fits:
            raise _impossible("a change of a finding that is not there")
        end = self.position + (self.before is not None)
        new = () if self.after is None else (self.after,)
        return (*findings[: self.position], *new, *findings[end:])


class Undone(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """The last change was taken back."""

    at: str


class Redone(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """The change taken back last was made again."""

    at: str


class Saved(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """The reading was saved as a record; what follows amends that record."""

    at: str
    sop_instance_uid: str
    next_uid: str


Line = Started | Read | Change | Undone | Redone | Saved


def drafts_folder() -> Path:
    """Return the folder of the journals, below ``XDG_STATE_HOME`` or its like."""
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or Path.home()
        return Path(local) / "osteotrace" / "drafts"
    state = os.environ.get("XDG_STATE_HOME", "")
    # The XDG base directory specification has relative paths ignored.
    home = Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state"
    return home / "osteotrace" / "drafts"


@dataclass(slots=True)
class Draft:
    """What the lines of a journal come to: the reading, and what can be taken back.

    Parameters
    ----------
    assessment : Assessment or None
        The reading as it stands, None before the first line.
    done : deque of Change
        Changes that `Undone` takes back, the last one first.
    undone : list of Change
        Changes that `Redone` makes again, the last one first.
    labels_used : int
        Findings ever added, those deleted since included: no label is given twice.
    last_saved : str
        Time of the last change, ISO 8601, or empty.
    """

    assessment: Assessment | None = None
    done: deque[Change] = field(default_factory=lambda: deque(maxlen=UNDO_DEPTH))
    undone: list[Change] = field(default_factory=list)
    labels_used: int = 0
    last_saved: str = ""

    def apply(self, line: Line) -> None:
        """Let what a line says happen.

        Raises
        ------
        OsteotraceError
            If it cannot follow the lines before it.
        """
        if isinstance(line, Started):
            if self.assessment is not None:
                raise _impossible("two beginnings")
            self.assessment = line.assessment()
            return
        if self.assessment is None:
            raise _impossible("a first line that starts no reading")
        if isinstance(line, Read):
            self.assessment = msgspec.structs.replace(
                self.assessment, series=(*self.assessment.series, line.series)
            )
        elif isinstance(line, Saved):
            self.assessment = msgspec.structs.replace(
                self.assessment,
                assessment_uid=line.next_uid,
                predecessor_uid=line.sop_instance_uid,
            )
        else:
            change = self._change(line)
            self.assessment = msgspec.structs.replace(
                self.assessment,
                findings=change.made_to(self.assessment.findings),
                recorded=line.at,
            )
            self.last_saved = line.at

    def _change(self, line: Change | Undone | Redone) -> Change:
        """Move a change between the stacks; return what it does to the findings."""
        if isinstance(line, Change):
            self.done.append(line)
            self.undone.clear()
            self.labels_used += line.before is None
            return line
        if not (self.done if isinstance(line, Undone) else self.undone):
            raise _impossible("an undo or redo of a change that is not there")
        if isinstance(line, Undone):
            self.undone.append(self.done.pop())
            return self.undone[-1].reversed()
        self.done.append(self.undone.pop())
        return self.done[-1]


def _impossible(found: str) -> OsteotraceError:
    return OsteotraceError(
        f"a draft with {found}",
        expected="a draft that osteotrace wrote, unedited",
        advice="move the draft away to start anew; its lines are readable JSON",
    )


class Journal:
    """The journal of one reader's draft of a study, held by one session at a time.

    Parameters
    ----------
    study_uid : str
        StudyInstanceUID (0020,000D).
    reader : str
        Who reads; readers do not see each other's drafts.
    folder : Path, optional
        Where journals lie; `drafts_folder` by default.

    Attributes
    ----------
    path : Path
        The file.
    lines : tuple of Line
        What the file held when it was opened.

    Raises
    ------
    OsteotraceError
        If another session holds the journal, it is damaged, or it cannot be written.
    """

    def __init__(
        self, study_uid: str, reader: str, *, folder: Path | None = None
    ) -> None:
        folder = drafts_folder() if folder is None else folder
        # Of the last line, empty before the first; None where lines carry none.
        self._checksum: bytes | None = chained_lines.BEGINNING
        digest = hashlib.sha256(f"{study_uid}\0{reader}".encode()).hexdigest()
        self.path = folder / f"{digest[:32]}.jsonl"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=OWNER_ONLY_FOLDER)
            # Windows writes other line ends unless told not to.
            binary = getattr(os, "O_BINARY", 0)
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | binary
            self._file = os.open(self.path, flags, OWNER_ONLY_FILE)
        except OSError as problem:
            raise self._unwritable(problem) from problem
        try:
            self._lock()
            flush_name(self.path)
            self.lines = self._replay()
        except OSError as problem:
            self.close()
            raise self._unwritable(problem) from problem
        except BaseException:
            self.close()
            raise

    def append(self, line: Line) -> None:
        """Write a line and force it to disk.

        Raises
        ------
        OsteotraceError
            If it could not be written whole; the file is then as it was before.
        """
        text, checksum = msgspec.json.encode(line) + b"\n", None
        if self._checksum is not None:
            text, checksum = chained_lines.chained(text[:-1], self._checksum)
        try:
            self._cut()
            if os.write(self._file, text) != len(text):
                raise OSError(0, "the disk is full")
            os.fsync(self._file)
        except OSError as problem:
            # Where even this fails, the next line is not written before it succeeds.
            with suppress(OSError):
                self._cut()
            raise self._unwritable(problem) from problem
        self._size += len(text)
        self._checksum = checksum

    def close(self) -> None:
        """Let go of the file and its lock; closing twice is allowed."""
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    def _lock(self) -> None:
        if not lock(self._file):
            raise OsteotraceError(
                "the draft of this study open in another window",
                expected="one window a study and reader",
                advice="close the other window first",
                where=str(self.path),
            )

    def _cut(self) -> None:
        """Take away what was written after the last whole line."""
        if os.fstat(self._file).st_size != self._size:
            os.ftruncate(self._file, self._size)
            os.fsync(self._file)

    def _replay(self) -> tuple[Line, ...]:
        *parts, rest = self.path.read_bytes().split(b"\n")
        if parts and not chained_lines.carries_checksum(parts[0]):
            self._checksum = None
        lines: list[Line] = []
        decoder = msgspec.json.Decoder(Line)
        for number, part in enumerate(parts, start=1):
            content = part
            if self._checksum is not None:
                follows = chained_lines.unchained(part, self._checksum)
                if follows is None:
                    raise self._damaged(number)
                content, self._checksum = follows
            try:
                lines.append(decoder.decode(content))
            except (msgspec.MsgspecError, UnicodeError, RecursionError) as problem:
                raise self._damaged(number) from problem
        self._check_start(lines)
        if self._is_changed_end(rest):
            raise self._damaged(len(parts) + 1)
        self._size = sum(len(part) + 1 for part in parts)
        self._cut()  # A crash tore the last line: it never was committed.
        return tuple(lines)

    def _is_changed_end(self, rest: bytes) -> bool:
        """Tell whether what looks torn is a whole line whose line end was changed."""
        # A crash leaves a line's start, or zeros where its end was to be.
        if self._checksum is None or rest.endswith(b"\0"):
            return False
        return chained_lines.unchained(rest[:-1], self._checksum) is not None

    def _check_start(self, lines: list[Line]) -> None:
        """Refuse a journal that begins with something else, or as another version."""
        if not lines:
            return
        start = lines[0]
        if not isinstance(start, Started):
            raise self._damaged(1)
        if start.journal_version > JOURNAL_VERSION:
            raise OsteotraceError(
                f"a draft of version {start.journal_version}",
                expected=f"version {JOURNAL_VERSION} or before",
                advice="open it with the version of osteotrace that wrote it",
                where=str(self.path),
            )
        chained = self._checksum is not None
        if chained == (start.journal_version == _UNCHAINED_VERSION):
            raise self._damaged(1)

    def _damaged(self, number: int) -> OsteotraceError:
        return OsteotraceError(
            f"a damaged draft (line {number})",
            expected="a journal that osteotrace wrote, unedited",
            advice="move the file away to begin this reading anew",
            where=str(self.path),
        )

    def _unwritable(self, problem: OSError) -> OsteotraceError:
        return OsteotraceError(
            f"a draft that cannot be written ({problem.strerror})",
            expected="room and permission in the state folder",
            advice="free the disk, or set XDG_STATE_HOME to a folder of your own",
            where=str(self.path),
        )
