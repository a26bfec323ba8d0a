"""The journal of a draft on disk: an append-only file of its lines.

One JSON object a line, forced to disk before `Journal.append` returns. Each carries a
checksum over its content and the checksum of the line before, so that a line that was
changed, lost or doubled breaks the chain. A line that a crash tore off at the end is
dropped; damage anywhere else is an error, never a guess. Journals of versions 1 and 2
held bare findings, and those of version 1 no checksums; they are read, and continued.
Each reader of a study has a journal. Journals live in the user's state folder, readable
by their owner alone, under a digest of Study Instance UID and reader: no identifier
stands in a file name. One that is set aside keeps its name with a number behind it.
"""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final

import msgspec

from osteotrace.errors import OsteotraceError
from osteotrace.findings import Finding
from osteotrace.records import chained_lines
from osteotrace.records.file_lock import lock
from osteotrace.records.publication import OWNER_ONLY_FOLDER, flush_name
from osteotrace.records.store import OWNER_ONLY_FILE
from osteotrace.session.changes import FindingChange, Held
from osteotrace.session.lines import JOURNAL_VERSION, Done, Line, Started

JOURNAL_SUFFIX: Final = ".jsonl"
# The version without checksums.
_UNCHAINED_VERSION: Final = 1


class _BareChange(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="Change"
):
    """A change of one finding, as journals of versions 1 and 2 held it."""

    at: str
    before: Finding | None
    after: Finding | None
    position: int

    def done(self) -> Done:
        """Return the command that it stands for; a save then wrote every finding."""
        before, after = (
            None if one is None else Held(finding=one, accepted=True)
            for one in (self.before, self.after)
        )
        how = {(True, False): "added", (False, True): "deleted"}.get(
            (before is None, after is None), "changed"
        )
        one = self.after or self.before
        label = "" if one is None else one.label
        change = FindingChange(before=before, after=after, position=self.position)
        return Done(at=self.at, what=f"{label} {how}".strip(), changes=(change,))


_DECODER: Final = msgspec.json.Decoder(Line | _BareChange)


def _encoded(line: Line) -> bytes:
    """Return a line as the file holds it; refused where that reads as something else."""
    try:
        text = msgspec.json.encode(line)
        is_same = _DECODER.decode(text) == line
        problem = "a number that is none"
    except (msgspec.MsgspecError, UnicodeError, TypeError) as error:
        is_same, problem = False, str(error)
    if not is_same:
        raise OsteotraceError(
            f"a value that no draft can hold ({problem})",
            expected="values of the kind that a reading states, and plain text",
            advice="correct it and try again; nothing was changed",
            usage=True,
        )
    return text


def drafts_folder() -> Path:
    """Return the folder of the journals, below ``XDG_STATE_HOME`` or its like."""
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or Path.home()
        return Path(local) / "osteotrace" / "drafts"
    state = os.environ.get("XDG_STATE_HOME", "")
    # The XDG base directory specification has relative paths ignored.
    home = Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state"
    return home / "osteotrace" / "drafts"


def _name(study_uid: str, reader: str) -> str:
    digest = hashlib.sha256(f"{study_uid}\0{reader}".encode()).hexdigest()
    return f"{digest[:32]}{JOURNAL_SUFFIX}"


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
        self.path = folder / _name(study_uid, reader)
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
            If it could not be written whole, or could not be read again; the file is
            then as it was before.
        """
        text, checksum = _encoded(line) + b"\n", None
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

    @staticmethod
    def is_there(study_uid: str, reader: str, *, folder: Path | None = None) -> bool:
        """Tell whether there is such a journal."""
        folder = drafts_folder() if folder is None else folder
        return (folder / _name(study_uid, reader)).exists()

    @classmethod
    def set_aside(
        cls, study_uid: str, reader: str, *, folder: Path | None = None
    ) -> Path | None:
        """Give the journal another name, damaged or not; its content stays.

        Returns
        -------
        Path or None
            Where it is now; None where there was none.

        Raises
        ------
        OsteotraceError
            If another session holds it, or it cannot be renamed.
        """
        path = (drafts_folder() if folder is None else folder) / _name(study_uid, reader)
        journal = cls.__new__(cls)
        journal.path = path
        try:
            journal._file = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
        except FileNotFoundError:
            return None
        except OSError as problem:
            raise journal._unwritable(problem) from problem
        try:
            journal._lock()
            names = (
                path.with_name(f"{path.stem}.aside-{n}{JOURNAL_SUFFIX}") for n in count(1)
            )
            aside = next(name for name in names if not os.path.lexists(name))
            if sys.platform == "win32":
                # Windows renames no open file.
                journal.close()
            path.rename(aside)
            flush_name(aside)
        except OSError as problem:
            raise journal._unwritable(problem) from problem
        finally:
            journal.close()
        return aside

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
        for number, part in enumerate(parts, start=1):
            content = part
            if self._checksum is not None:
                follows = chained_lines.unchained(part, self._checksum)
                if follows is None:
                    raise self._damaged(number)
                content, self._checksum = follows
            try:
                line = _DECODER.decode(content)
            except (msgspec.MsgspecError, UnicodeError, RecursionError) as problem:
                raise self._damaged(number) from problem
            lines.append(line.done() if isinstance(line, _BareChange) else line)
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
            advice="begin this reading anew: the draft is set aside, not deleted",
            where=str(self.path),
        )

    def _unwritable(self, problem: OSError) -> OsteotraceError:
        return OsteotraceError(
            f"a draft that cannot be written ({problem.strerror})",
            expected="room and permission in the state folder",
            advice="free the disk, or set XDG_STATE_HOME to a folder of your own",
            where=str(self.path),
        )
