"""The role of a study in a patient's course: before, after, follow-up.

By default the order of the dates says it; what a reader sets is kept in the user's own
state folder, one small file a study, named by a digest. No DICOM is written.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from osteotrace.errors import OsteotraceError
from osteotrace.records.publication import OWNER_ONLY_FOLDER, flush, flush_folder
from osteotrace.session.journal import drafts_folder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from osteotrace.series import Series

Role = Literal["", "before", "after", "follow-up"]
# In the order in which they are offered; the empty one says that nothing is known.
ROLES: Final[tuple[Role, ...]] = ("before", "after", "follow-up", "")
FOLDER: Final = "roles"


class _Stated(msgspec.Struct, frozen=True):
    role: Role


class StudyRoles:
    """The roles of studies, as readers set them.

    Parameters
    ----------
    folder : Path, optional
        Where they are kept; beside the drafts by default. Made when one is set.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = drafts_folder().parent / FOLDER if folder is None else folder

    def of(self, series: Iterable[Series]) -> dict[str, Role]:
        """Return the role of each study by StudyInstanceUID: as set, else by date."""
        roles = by_date(series)
        return {uid: self.stated(uid, default) for uid, default in roles.items()}

    def stated(self, study_uid: str, default: Role = "") -> Role:
        """Return the role that was set for a study, the default where none was."""
        # A damaged file is as good as none: the reader sets it again.
        with contextlib.suppress(OSError, msgspec.MsgspecError, ValueError):
            content = self._file(study_uid).read_bytes()
            return msgspec.json.decode(content, type=_Stated).role
        return default

    def set(self, study_uid: str, role: Role) -> None:
        """Keep the role of a study, on disk before it returns.

        Raises
        ------
        OsteotraceError
            If there is no such role, or it cannot be written; what was there stays.
        """
        if role not in ROLES:
            raise OsteotraceError(
                f"the role {role!r}",
                expected="before, after, follow-up or none",
                advice="choose one of them",
                usage=True,
            )
        try:
            self._write(self._file(study_uid), msgspec.json.encode(_Stated(role)))
        except OSError as problem:
            raise OsteotraceError(
                f"a role that cannot be kept ({problem.strerror or problem})",
                expected="a folder of the user's own that can be written to",
                advice="make room or give the right to write there",
                where=str(self._folder),
            ) from problem

    def _file(self, study_uid: str) -> Path:
        digest = hashlib.sha256(study_uid.encode()).hexdigest()
        return self._folder / f"{digest[:32]}.json"

    def _write(self, file: Path, content: bytes) -> None:
        """Replace a file as a whole: after a crash it is the old one or the new one."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=OWNER_ONLY_FOLDER)
        # Only its owner can read a file of mkstemp.
        handle, name = tempfile.mkstemp(dir=self._folder)
        draft = Path(name)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            flush(draft)
            draft.replace(file)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        flush_folder(self._folder)


def by_date(series: Iterable[Series]) -> dict[str, Role]:
    """Return the role of each study that the order of dates within a patient gives.

    The first date is before, the second after, later ones follow-up. Studies of one date
    share their role; a patient's only date, and a study without one, have none.
    """
    patients: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for one in series:
        who = one.identity
        known = patients[who.patient_id, who.issuer]
        known[who.study_uid] = max(known.get(who.study_uid, ""), who.date)
    found: dict[str, Role] = {}
    for studies in patients.values():
        dates = sorted({date for date in studies.values() if date})
        for uid, date in studies.items():
            found[uid] = _by_rank(dates.index(date), len(dates)) if date else ""
    return found


def _by_rank(rank: int, dates: int) -> Role:
    if dates == 1:
        return ""
    return ROLES[min(rank, 2)]
