"""What a reader at a window asks of an archive: find studies, fetch them, send a reading.

A call opens a connection of its own, so that each may run in a thread of its own. What a
window shows is a frozen `ArchiveSheet`; nothing here knows a window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from osteotrace.errors import OsteotraceError
from osteotrace.pacs.connection import connect
from osteotrace.pacs.records import Query
from osteotrace.pacs.settings import archives, archives_file, named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from osteotrace.pacs.records import Sent, StudyFound

    Progress = Callable[[int, int], None]

# A list that one can look through.
MOST_LISTED: Final = 100
NO_DATE: Final = "no date"
_WILDCARDS: Final = "*?"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownArchives:
    """The archives that can be chosen.

    Parameters
    ----------
    names : tuple of str
        As the file names them, in its order.
    why_none : str
        Where there are none: how and where to name one, or what is wrong with the file.
    """

    names: tuple[str, ...] = ()
    why_none: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRow:
    """A study of an archive as it is listed.

    Parameters
    ----------
    study_uid : str
        StudyInstanceUID (0020,000D).
    patient, day, modalities, description, images : str
        What its columns say.
    """

    study_uid: str
    patient: str
    day: str
    modalities: str
    description: str
    images: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSheet:
    """What a window shows of the archives.

    Parameters
    ----------
    known : KnownArchives
    chosen : str
        Name of the archive that is asked; empty for the first.
    rows : tuple of FoundRow
        What was found last.
    told : str
        How much that is.
    folder : str
        Where fetched studies go; empty before one is chosen.
    hidden : bool
        Whether names, dates and descriptions are hidden.
    can_send : bool
        Whether a reading is saved.
    """

    known: KnownArchives = KnownArchives()
    chosen: str = ""
    rows: tuple[FoundRow, ...] = ()
    told: str = ""
    folder: str = ""
    hidden: bool = False
    can_send: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Studies that lie in a folder now, a folder a patient and a study.

    Parameters
    ----------
    folder : Path
        The patient's, where all are of one; else that of all patients.
    n_fetched, n_already_there, n_instances : int
        Studies that came and that lay there, and the instances that came.
    n_patients : int
        Of how many patients they are.
    """

    folder: Path
    n_fetched: int
    n_already_there: int
    n_instances: int
    n_patients: int

    @property
    def as_text(self) -> str:
        """What came, in a line."""
        parts = []
        if self.n_fetched:
            parts.append(
                f"Fetched {_count(self.n_fetched, 'study', 'studies')} of "
                f"{_count(self.n_instances, 'image', 'images')}"
            )
        if self.n_already_there:
            there = f"{_count(self.n_already_there, 'study', 'studies')} already there"
            parts.append(there)
        return f"{', '.join(parts)}: {self.folder}"


def known_archives(file: Path | None = None) -> KnownArchives:
    """Return the archives of a file, `osteotrace.pacs.archives_file` by default."""
    place = archives_file() if file is None else file
    if not place.exists():
        return KnownArchives(
            why_none=f"No archive is named yet: write {place}, a table an archive; "
            "docs/pacs.md says how."
        )
    try:
        names = tuple(archives(place))
    except OsteotraceError as problem:
        return KnownArchives(why_none=str(problem))
    if not names:
        return KnownArchives(why_none=f"{place} names no archive; docs/pacs.md says how.")
    return KnownArchives(names=names)


def asked(
    *,
    patient_id: str = "",
    patient_name: str = "",
    date_from: str = "",
    date_to: str = "",
    modality: str = "",
) -> Query:
    """Return the query that a form means; blanks around an answer are none.

    Parameters
    ----------
    patient_id : str
        PatientID (0010,0020); ``*`` and ``?`` stand for any characters.
    patient_name : str
        Family name, or its first letters, or ``Family^Given``.
    date_from, date_to : str
        First and last StudyDate, ISO 8601.
    modality : str
        One of the study's.

    Raises
    ------
    OsteotraceError
        If nothing says whose or when, or a date is none.
    """
    name = patient_name.strip()
    if name and not any(letter in name for letter in _WILDCARDS):
        # People know a family name, or how it begins.
        name += "*"
    query = Query(
        patient_id=patient_id.strip(),
        patient_name=name,
        date_from=date_from.strip(),
        date_to=date_to.strip(),
        modality=modality,
        limit=MOST_LISTED,
    )
    says_which = (query.patient_id, name, query.date_from, query.date_to)
    if not any(answer.strip(_WILDCARDS) for answer in says_which):
        raise OsteotraceError(
            "nothing that says which studies",
            expected="a patient's ID or name, or dates",
            advice="fill one of them in: an archive may hold a million studies",
            usage=True,
        )
    return query


def find(archive: str, query: Query, file: Path | None = None) -> tuple[StudyFound, ...]:
    """Return the studies of a named archive that a query means, newest first.

    Raises
    ------
    OsteotraceError
        As `osteotrace.pacs.named` and `osteotrace.pacs.Connection.find`.
    """
    with connect(named(archive, file)) as connection:
        return connection.find(query)


def rows(
    found: Iterable[StudyFound],
    *,
    identities: bool = False,
    names: Mapping[str, str] | None = None,
) -> tuple[FoundRow, ...]:
    """Return studies as they are listed.

    Parameters
    ----------
    found : iterable of StudyFound
    identities : bool
        Name the patients in place of their pseudonyms.
    names : mapping of str to str, optional
        What studies are called whose dates are hidden, by StudyInstanceUID, in the order
        to list them. Identities and descriptions are hidden with them.
    """
    if names is None:
        return tuple(_row(one, identities=identities) for one in found)
    by_uid = {one.study_uid: one for one in found}
    return tuple(
        FoundRow(
            study_uid=uid,
            patient=by_uid[uid].patient,
            day=name,
            modalities=" ".join(by_uid[uid].modalities),
            description="",
            images=str(by_uid[uid].n_instances or ""),
        )
        for uid, name in names.items()
        if uid in by_uid
    )


def told_of(found: Sequence[StudyFound]) -> str:
    """Say how many studies were found, and whether there may be more."""
    if not found:
        return "No study fits."
    more = ": there may be more, ask more closely" if len(found) == MOST_LISTED else ""
    return f"{_count(len(found), 'study', 'studies')} found{more}"


def fetch(
    archive: str,
    studies: Sequence[StudyFound],
    folder: Path,
    *,
    progress: Progress | None = None,
    file: Path | None = None,
) -> Taken:
    """Fetch studies into a folder a patient and a study; what is there stays as it is.

    Parameters
    ----------
    archive : str
        Its name.
    studies : sequence of StudyFound
        One or more.
    folder : Path
        Of all that is fetched; made where it is missing.
    progress : callable, optional
        Called with the instances that came and those that there are in all; an exception
        that it raises stops the call.

    Returns
    -------
    Taken
        Where they lie.

    Raises
    ------
    OsteotraceError
        As `osteotrace.pacs.Connection.fetch`; studies that came before stay.
    """
    left = [one for one in studies if not _is_there(_place(folder, one))]
    came = 0
    with connect(named(archive, file)) as connection:
        for number, one in enumerate(left):
            after = sum(later.n_instances for later in left[number + 1 :])
            got = connection.fetch(
                one.study_uid,
                _place(folder, one),
                progress=_counted(progress, came, after),
            )
            came += got.n_instances
    patients = {one.patient for one in studies}
    return Taken(
        folder=folder / patients.pop() if len(patients) == 1 else folder,
        n_fetched=len(left),
        n_already_there=len(studies) - len(left),
        n_instances=came,
        n_patients=len({one.patient for one in studies}),
    )


def send(
    archive: str,
    files: Sequence[Path],
    *,
    progress: Progress | None = None,
    file: Path | None = None,
) -> Sent:
    """Send the files of a reading to a named archive, and read each back.

    Raises
    ------
    OsteotraceError
        As `osteotrace.pacs.Connection.send`.
    """
    with connect(named(archive, file)) as connection:
        return connection.send(files, progress=progress)


def sent_as_text(sent: Sent, archive: str) -> str:
    """Say in a line what became of a reading.

    Examples
    --------
    >>> from osteotrace.pacs import Sent
    >>> sent_as_text(Sent(stored=("2.25.1", "2.25.2")), "hospital")
    'Sent to hospital: 2 files, read back and found the same.'
    """
    told = []
    if sent.stored:
        files = _count(len(sent.stored), "file", "files")
        told.append(f"Sent to {archive}: {files}, read back and found the same.")
    if sent.already_there:
        files = _count(len(sent.already_there), "file", "files")
        told.append(f"{files} already there with the same content ({archive}).")
    return " ".join(told)


def _row(one: StudyFound, *, identities: bool) -> FoundRow:
    who = one.patient
    if identities:
        # The ID first: where there is little room, it tells namesakes apart.
        names = _printable(one.patient_id), _as_spoken(one.patient_name)
        who = "  ·  ".join(filter(None, names))
    return FoundRow(
        study_uid=one.study_uid,
        patient=who,
        day=_printable(one.date) or NO_DATE,
        modalities=_printable(" ".join(one.modalities)),
        description=_printable(one.description),
        images=str(one.n_instances or ""),
    )


def _as_spoken(name: str) -> str:
    """Return a PN as people write it: Family, Given."""
    family, _, rest = _printable(name.partition("=")[0]).partition("^")
    given = " ".join(rest.replace("^", " ").split())
    return ", ".join(filter(None, (family.strip(), given)))


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _place(folder: Path, one: StudyFound) -> Path:
    return folder / one.patient / one.study_uid


def _is_there(place: Path) -> bool:
    # A study gets its name when all of it lies there.
    return place.is_dir() and any(place.iterdir())


def _counted(progress: Progress | None, before: int, after: int) -> Progress | None:
    """Return what counts the instances of one study among those of all."""
    if progress is None:
        return None
    return lambda done, of: progress(before + done, before + of + after)


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
