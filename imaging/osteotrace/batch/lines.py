"""The lines of a run: what each study came to, chained, whole lines only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from osteotrace.batch.tasks import StudyOutcome
from osteotrace.records.chained_lines import BEGINNING, chained, unchained

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from osteotrace.batch.tasks import Row


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A study in a line: its outcome, with what its rows share written once."""

    study: StudyOutcome
    shared: dict[str, Any]

    @classmethod
    def of(cls, study: StudyOutcome) -> Kept:
        """Return a study as it is written."""
        first = study.rows[0] if study.rows else {}
        shared = {
            name: value
            for name, value in first.items()
            if all(_same(row.get(name), value) for row in study.rows)
        }
        rows = [
            {name: value for name, value in row.items() if name not in shared}
            for row in study.rows
        ]
        # Where it waited is of no use any more.
        return cls(
            study=msgspec.structs.replace(study, rows=rows, draft=""), shared=shared
        )

    @property
    def rows(self) -> list[Row]:
        """The rows, whole."""
        return [self.shared | row for row in self.study.rows]


class Line(msgspec.Struct, frozen=True):
    """A finished task."""

    studies: tuple[Kept, ...]
    checksum: str = ""


class _Bare(msgspec.Struct, frozen=True):
    """A line before it is chained."""

    studies: tuple[Kept, ...]


class Lines:
    """The whole lines of a file, from the first on; what follows a torn one is none.

    Parameters
    ----------
    file : Path

    Attributes
    ----------
    end : int
        Where the next line will begin, bytes.
    folders : dict
        StudyInstanceUID by name of the study's folder.
    """

    def __init__(self, file: Path) -> None:
        self.file, self.end = file, 0
        self.folders: dict[str, str] = {}
        self._failed: set[str] = set()
        self._not_selected: set[str] = set()
        self._where: dict[str, tuple[tuple[str, str, str], int]] = {}
        self._before = BEGINNING
        with file.open("rb") as stream:
            for written in stream:
                found = unchained(written[:-1], self._before)
                line = None if found is None else _decoded(written)
                if found is None or line is None or not written.endswith(b"\n"):
                    break
                self._note(line.studies, len(written), found[1])

    def __len__(self) -> int:
        """How many studies they tell of."""
        return len(self._where)

    @property
    def n_failed(self) -> int:
        """How many of them could not be measured."""
        return len(self._failed)

    @property
    def n_not_selected(self) -> int:
        """In how many of them the protocol means nothing."""
        return len(self._not_selected)

    def has_measured(self, study_uid: str) -> bool:
        """Tell whether a study is done; any other one may be tried again."""
        others = self._failed, self._not_selected
        return study_uid in self._where and not any(study_uid in one for one in others)

    def written(self, tasks: list[tuple[StudyOutcome, ...]]) -> bytes:
        """Return the next lines as they have to stand in the file."""
        content, before = bytearray(), self._before
        for studies in tasks:
            bare = _Bare(tuple(Kept.of(study) for study in studies))
            line, before = chained(msgspec.json.encode(bare), before)
            content += line
        return bytes(content)

    def add(self, content: bytes) -> None:
        """Note that lines from `written` stand in the file now."""
        for written in content.splitlines(keepends=True):
            found, line = unchained(written[:-1], self._before), _decoded(written)
            assert found is not None
            assert line is not None
            self._note(line.studies, len(written), found[1])

    def studies(self) -> Iterator[Kept]:
        """Yield what is kept of each study, by patient, date and UID."""
        with self.file.open("rb") as stream:
            for uid, (_, at) in sorted(self._where.items(), key=lambda one: one[1][0]):
                stream.seek(at)
                line = _decoded(stream.readline())
                assert line is not None
                yield next(one for one in line.studies if one.study.study_uid == uid)

    def _note(self, studies: tuple[Kept, ...], length: int, checksum: bytes) -> None:
        for kept in studies:
            one = kept.study
            self._where[one.study_uid] = (
                (one.patient, one.date, one.study_uid),
                self.end,
            )
            self._failed.discard(one.study_uid)
            self._not_selected.discard(one.study_uid)
            if one.error is not None:
                (self._failed if one.selected else self._not_selected).add(one.study_uid)
            if one.folder:
                self.folders[one.folder] = one.study_uid
        self.end += length
        self._before = checksum


def _same(one: object, other: object) -> bool:
    return type(one) is type(other) and one == other


def _decoded(written: bytes) -> Line | None:
    try:
        return msgspec.json.decode(written, type=Line)
    except msgspec.MsgspecError:
        return None
