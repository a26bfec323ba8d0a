"""Reading blinded: order, dates, roles, priors and other readers' marks stay hidden.

A study is hidden until the reader's own reading of it is saved. Studies have letters in
an order that a seed decides, the same for everybody who is given that seed. What hides
what survives a restart; ending it early is kept too, and the record of each reading says
whether it was read blinded.
"""

from __future__ import annotations

import hashlib
import os
from string import ascii_uppercase
from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.errors import OsteotraceError
from osteotrace.session.journal import drafts_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from pathlib import Path

    from osteotrace.findings import Assessment
    from osteotrace.session.session import Session

# What the record's protocol says beside how it was read.
BLINDED: Final = "interactive, blinded"
UNBLINDED: Final = "interactive, blinding ended before it was saved"
HIDDEN: Final = (
    "Blinded: other dates, priors and other readers' marks are shown once your own "
    "reading is saved."
)
STATE_VERSION: Final = 1


class BlindedStudies(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """Studies that are read blinded, and how far that is.

    Parameters
    ----------
    seed : str
        Decides their order.
    reader : str
    began : str
        ISO 8601 date and time.
    studies : tuple of str
        StudyInstanceUIDs in the order that they are shown in.
    read : tuple of str
        Those whose reading by this reader is saved.
    ended : str
        When it was ended before all were read; empty while it goes on.
    """

    seed: str
    reader: str
    began: str
    studies: tuple[str, ...]
    read: tuple[str, ...] = ()
    ended: str = ""
    version: int = STATE_VERSION


def shown_order(studies: Iterable[str], seed: str) -> tuple[str, ...]:
    """Return studies in an order that the seed decides, whatever order they come in.

    Examples
    --------
    >>> shown_order(["2.25.1", "2.25.2", "2.25.3"], "a")
    ('2.25.2', '2.25.1', '2.25.3')
    >>> shown_order(["2.25.3", "2.25.1", "2.25.2"], "b")
    ('2.25.1', '2.25.3', '2.25.2')
    """

    def key(uid: str) -> tuple[str, str]:
        return hashlib.sha256(f"{seed}\0{uid}".encode()).hexdigest(), uid

    return tuple(sorted(set(studies), key=key))


def letter(number: int) -> str:
    """Return A, B and so on for 0, 1 and so on; AA follows Z.

    Examples
    --------
    >>> letter(0), letter(25), letter(26)
    ('A', 'Z', 'AA')
    """
    most = len(ascii_uppercase)
    before = "" if number < most else letter(number // most - 1)
    return before + ascii_uppercase[number % most]


class Blinding:
    """Whether a session is blinded, and what may be shown of each study.

    Parameters
    ----------
    session : Session
    now : callable
        Returns the present time with its zone.
    """

    def __init__(self, session: Session, now: Callable[[], datetime]) -> None:
        self._session = session
        self._now = now
        self._known: tuple[Path, BlindedStudies | None] | None = None

    # What may be shown -----------------------------------------------------------

    @property
    def is_on(self) -> bool:
        """True while studies below the opened folder are read blinded."""
        state = self._state
        return state is not None and not state.ended and not self._all_read(state)

    @property
    def is_blind(self) -> bool:
        """True while the study that is read is hidden."""
        start = self._session.draft.start
        return start is not None and self.hides(start.study_uid)

    @property
    def shows_priors(self) -> bool:
        """True where earlier readings and other dates may be shown beside this study."""
        return not self.is_blind

    @property
    def shows_roles(self) -> bool:
        """True where studies may be called before and after: none is hidden."""
        return not self.is_on

    @property
    def why_hidden(self) -> str:
        """What to say in the place of what is hidden; empty where nothing is."""
        return HIDDEN if self.is_blind else ""

    def hides(self, study_uid: str) -> bool:
        """Tell whether a study's date and records are hidden."""
        state = self._state
        return self.is_on and state is not None and study_uid not in state.read

    def shows(self, reading: Assessment) -> bool:
        """Tell whether a saved reading may be shown, whoever made it."""
        return not self.is_blind and not self.hides(reading.study_uid)

    def order(self, studies: Iterable[str]) -> tuple[str, ...]:
        """Return StudyInstanceUIDs in the order to show them: as given where not blind.

        While any of them is hidden the seed decides, so that the order tells nothing.
        """
        given = tuple(studies)
        state = self._state
        if state is None or not self.is_on:
            return given
        return shown_order(given, state.seed)

    def name(self, study_uid: str, otherwise: str = "") -> str:
        """Return what to call a study: its letter while blinded, else as it is called."""
        state = self._state
        if state is None or not self.is_on:
            return otherwise
        known = state.studies
        if study_uid in known:
            return f"study {letter(known.index(study_uid))}"
        # One that came later has no place in the order: it tells nothing of itself.
        return "another study"

    def date(self, study_uid: str, otherwise: str = "") -> str:
        """Return the date to show of a study: nothing while it is hidden."""
        return "" if self.hides(study_uid) else otherwise

    # Begin and end -----------------------------------------------------------------

    def begin(self, seed: str) -> BlindedStudies:
        """Read the studies below the opened folder blinded from now on.

        Parameters
        ----------
        seed : str
            Any text; readers who are to see one order are given the same.

        Raises
        ------
        OsteotraceError
            If nothing is open, the seed is empty, it has begun already, or the draft of
            the study that is read holds something: who marked it had seen the date.
        """
        self._known = None
        path, draft = self._file, self._session.draft
        if path is None:
            raise _refused("no study that is open", "open the folder of the studies")
        if not seed.strip():
            raise _refused("an empty seed", "give any text; it decides the order")
        if self.is_on:
            raise _refused("a blinded reading that has begun", "go on with it")
        if draft.start is not None and (draft.held or draft.undone or draft.done):
            raise _refused(
                "a draft that holds marks made with the date in sight",
                "begin the reading anew, then read it blinded",
            )
        uids = (series.identity.study_uid for series in self._session.catalogue or ())
        state = BlindedStudies(
            seed=seed,
            reader=self._session.reader,
            began=self._time(),
            studies=shown_order(filter(None, uids), seed),
        )
        self._write(path, state)
        return state

    def end(self) -> None:
        """Show everything before all studies are read; their readings say so then."""
        self._known = None
        path, state = self._file, self._state
        if path is not None and state is not None and self.is_on:
            self._write(path, msgspec.structs.replace(state, ended=self._time()))

    def note_saved(self, study_uid: str) -> None:
        """Show a study from now on: the reader's own reading of it is saved."""
        # Another window of the reader may have saved another of the studies.
        self._known = None
        path, state = self._file, self._state
        if path is not None and state is not None and self.hides(study_uid):
            read = (*state.read, study_uid)
            self._write(path, msgspec.structs.replace(state, read=read))

    def marked(self, reading: Assessment) -> Assessment:
        """Return a reading that is to be saved, with how it was read in its protocol."""
        if self.hides(reading.study_uid):
            return msgspec.structs.replace(reading, protocol=BLINDED)
        state = self._state
        if state is None or not state.ended or reading.study_uid in state.read:
            return reading
        if reading.study_uid not in state.studies:
            return reading
        return msgspec.structs.replace(reading, protocol=UNBLINDED)

    def check_record(self) -> None:
        """Refuse to open a saved record while the study that is read is hidden.

        Raises
        ------
        OsteotraceError
            With what to do first.
        """
        if self.is_blind:
            raise _refused(
                "a saved record beside a blinded reading",
                "save your own reading first; it is shown then",
            )

    # The file ------------------------------------------------------------------------

    @property
    def _file(self) -> Path | None:
        """Where it is kept: one file a reader and opened folder."""
        catalogue = self._session.catalogue
        if catalogue is None:
            return None
        whose = f"{self._session.reader}\0{catalogue.root.absolute()}"
        digest = hashlib.sha256(whose.encode("utf-8", "surrogateescape")).hexdigest()
        folder = self._session.drafts_folder or drafts_folder()
        return folder / f"{digest[:32]}.blinding.json"

    @property
    def _state(self) -> BlindedStudies | None:
        path = self._file
        if path is None:
            return None
        if self._known is None or self._known[0] != path:
            self._known = path, _read(path)
        return self._known[1]

    def _write(self, path: Path, state: BlindedStudies) -> None:
        """Replace the file in one step, so that a crash never shows what was hidden."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        try:
            with open(draft, "wb", opener=_owner_only) as stream:
                stream.write(msgspec.json.encode(state))
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(draft, path)
        except OSError as problem:
            draft.unlink(missing_ok=True)
            raise _refused(
                f"a place that cannot be written to ({problem.strerror or problem})",
                "make room in the folder of drafts",
            ) from problem
        self._known = path, state

    def _time(self) -> str:
        return self._now().isoformat(timespec="seconds")

    @staticmethod
    def _all_read(state: BlindedStudies) -> bool:
        return set(state.studies) <= set(state.read)


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _read(path: Path) -> BlindedStudies | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise _damaged(path, str(problem.strerror or problem)) from problem
    try:
        state = msgspec.json.decode(content, type=BlindedStudies)
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise _damaged(path, str(problem)) from problem
    if state.version != STATE_VERSION:
        raise _damaged(path, f"version {state.version}")
    return state


def _damaged(path: Path, why: str) -> OsteotraceError:
    # Taken for none, it would show what is hidden.
    return OsteotraceError(
        f"the state of a blinded reading that cannot be read ({why})",
        expected="the file as it was written",
        advice="remove it to read these studies with everything in sight",
        where=str(path),
    )


def _refused(found: str, advice: str) -> OsteotraceError:
    return OsteotraceError(
        found,
        expected="a blinded reading from its first mark to its record",
        advice=advice,
        usage=True,
    )
