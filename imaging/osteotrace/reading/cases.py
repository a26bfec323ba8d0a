"""A patient's case from what was saved: records below a path, and a file of facts.

Staging follows: `stages` gives every system's result at a date, with the stages that a
reader has set kept beside the computed ones.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace import staging
from osteotrace.about import UNFINISHED
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Case, overridden
from osteotrace.reading.case_facts import CaseFacts, read_facts
from osteotrace.records import assessments as records
from osteotrace.records.beside_readings import is_beside

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from osteotrace.findings import Assessment, StagingResult

# SOP classes of structured reports begin so; images beside them are passed by.
_SR_CLASSES: Final = b"1.2.840.10008.5.1.4.1.1.88."
_SUFFIXES: Final = (".json", ".dcm")
# Where the class stands in the meta information, at the latest.
_META_BYTES: Final = 1024
# Media Storage SOP Class UID (0002,0002), explicit VR little endian (PS3.10 7.1).
_META_CLASS: Final = re.compile(
    rb"\x02\x00\x02\x00UI(?P<length>[\x01-\x40])\x00(?P<uid>[0-9.]+\x00?)"
)
_UID: Final = re.compile(r"(?=.{1,64}$)(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+", re.ASCII)
# The name of a record in what ``measure`` wrote.
_MEASURED: Final = "assessment.json"
# Keys at the start of a record; damage may have taken one of them.
_KEYS: Final = (
    b'"osteotrace_record"',
    b'"assessment_uid"',
    b'"study_uid"',
    b'"study_date"',
)


class CaseReading(msgspec.Struct, frozen=True, kw_only=True):
    """The cases below a path, and the records that could not be read.

    Parameters
    ----------
    cases : tuple of Case
        One a patient, by pseudonym.
    failures : tuple of OsteotraceError
        One a record.
    """

    cases: tuple[Case, ...]
    failures: tuple[OsteotraceError, ...] = ()


def saved_cases(path: str | os.PathLike[str]) -> CaseReading:
    """Read every record at or below a path, one case a patient.

    Parameters
    ----------
    path : path
        A record (DICOM SR or JSON), a folder of records, or what ``measure`` wrote.

    Raises
    ------
    OsteotraceError
        If there is no record there, or the one file given cannot be read.
    """
    place = Path(path)
    if not place.is_dir():
        one = records.read(place)
        return CaseReading(cases=(Case(patient=one.patient, assessments=(one,)),))
    found: dict[str, tuple[Path, Assessment]] = {}
    failures: list[OsteotraceError] = []
    for file in _record_files(place, failures):
        try:
            one = records.read(file)
        except OsteotraceError as problem:
            if not is_beside(file):
                failures.append(problem)
            continue
        # JSON and SR of one reading are equal: they are one.
        first, kept = found.setdefault(one.assessment_uid, (file, one))
        if kept != one:
            failures.append(_two_readings(kept, first, one, file))
    if not found:
        raise failures[0] if failures else _no_record(place)
    cases = _by_patient(one for _, one in found.values())
    return CaseReading(cases=tuple(cases), failures=tuple(failures))


def _record_files(folder: Path, failures: list[OsteotraceError]) -> Iterator[Path]:
    """Give each file that may be a record; note what cannot be looked into."""

    def note(problem: OSError) -> None:
        failures.append(_unreadable(problem))

    files: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=note):
        folders[:] = [name for name in folders if not name.startswith(UNFINISHED)]
        files += [Path(parent, name) for name in names if name.endswith(_SUFFIXES)]
    for file in sorted(files):
        try:
            if S_ISREG(file.stat().st_mode) and _may_be_record(file):
                yield file
        except OSError as problem:
            failures.append(_unreadable(problem))


def _may_be_record(file: Path) -> bool:
    """Tell by name and first bytes whether a file may hold a reading, whole or not.

    What is named as records are is one. Of other JSON files, one with a record's keys or
    with nothing in it; of other DICOM files, all that do not say clearly that they are
    none.
    """
    with file.open("rb") as stream:
        start = stream.read(_META_BYTES)
    if file.suffix == ".json":
        named = file.name == _MEASURED or _UID.fullmatch(file.stem) is not None
        return named or not start.strip(b"\0 \r\n") or any(key in start for key in _KEYS)
    return _SR_CLASSES in start or not _states_a_class(start)


def _states_a_class(start: bytes) -> bool:
    """Tell whether a file begins as DICOM and its meta information has a whole class."""
    if start[128:132] != b"DICM":
        return False
    stated = _META_CLASS.search(start, 132)
    if stated is None or len(stated["uid"]) != stated["length"][0]:
        return False
    return _UID.fullmatch(stated["uid"].rstrip(b"\0").decode("ascii")) is not None


def _unreadable(problem: OSError) -> OsteotraceError:
    return OsteotraceError(
        f"what cannot be read ({problem.strerror or problem})",
        expected="a file or a folder that may be read",
        advice="check its rights and its disk: it may hold a record",
        where=str(problem.filename or ""),
    )


def _two_readings(
    first: Assessment, first_file: Path, other: Assessment, other_file: Path
) -> OsteotraceError:
    """Say what differs between two files that claim to be the same reading."""
    differing = [
        name
        for name in first.__struct_fields__
        if getattr(first, name) != getattr(other, name)
    ]
    return OsteotraceError(
        f"another reading of the UID {first.assessment_uid} "
        f"(it differs in {', '.join(differing)})",
        expected=f"the same as {first_file}, which is used",
        advice="keep the one that is right, and give the other a UID of its own",
        where=str(other_file),
    )


def _by_patient(assessments: Iterable[Assessment]) -> Iterator[Case]:
    gathered: dict[str, list[Assessment]] = {}
    for one in assessments:
        gathered.setdefault(one.patient, []).append(one)
    for patient, ones in sorted(gathered.items()):
        ones.sort(key=lambda one: (one.study_date, one.recorded, one.assessment_uid))
        yield Case(patient=patient, assessments=tuple(ones))


def _no_record(place: Path) -> OsteotraceError:
    return OsteotraceError(
        "no record",
        expected="a saved reading: a DICOM SR or JSON that osteotrace wrote",
        advice="give a record, a folder of records, or the folder of 'measure --out'",
        where=str(place),
        usage=True,
    )


def with_facts(case: Case, stated: CaseFacts) -> Case:
    """Return a case with what a file states added to it.

    Raises
    ------
    OsteotraceError
        If the file is of another patient.
    """
    if stated.patient and case.patient and stated.patient != case.patient:
        raise _of_another_patient(stated, [case])
    return msgspec.structs.replace(
        case,
        patient=case.patient or stated.patient,
        facts=(*case.facts, *stated.facts),
        drugs=(*case.drugs, *stated.drugs),
    )


def _of_another_patient(
    stated: CaseFacts,
    cases: Sequence[Case],
    failures: Sequence[OsteotraceError] = (),
) -> OsteotraceError:
    advice = "give the file that belongs to these records"
    if not all(case.patient for case in cases):
        advice += ", or leave the patient out of it if they are the same"
    if failures:
        # The record that is asked for may be one of these.
        places = ", ".join(one.where for one in failures)
        advice += f"; what could not be read: {places}"
    return OsteotraceError(
        f"facts of the patient {stated.patient}",
        expected=f"facts of {' or '.join(map(_name, cases))}, whose records these are",
        advice=advice,
        usage=True,
    )


def _name(case: Case) -> str:
    return case.patient or "a patient without a pseudonym"


def one_case(
    path: str | os.PathLike[str] | None,
    facts: str | os.PathLike[str] | None = None,
) -> tuple[Case, CaseFacts, tuple[OsteotraceError, ...]]:
    """Return one patient's case from records, a file of facts, or both.

    Returns
    -------
    case : Case
    stated : CaseFacts
        What the file of facts holds, its overrides included.
    failures : tuple of OsteotraceError
        Records that could not be read.

    Raises
    ------
    OsteotraceError
        If neither is given, the facts are of a patient who has no record there, or they
        name none and the records are of several. Records without a patient are nobody's:
        facts that name a patient are not added to them.
    """
    stated = CaseFacts() if facts is None else read_facts(facts)
    if path is None:
        if facts is None:
            raise OsteotraceError(
                "nothing to stage",
                expected="saved records, a file of facts, or both",
                advice="give a path, or --facts FILE",
                usage=True,
            )
        return with_facts(Case(patient=""), stated), stated, ()
    read = saved_cases(path)
    chosen = [case for case in read.cases if stated.patient in ("", case.patient)]
    if not chosen:
        raise _of_another_patient(stated, read.cases, read.failures)
    if len(chosen) > 1:
        raise OsteotraceError(
            f"records of {len(chosen)} patients: " + ", ".join(map(_name, chosen)),
            expected="one patient",
            advice='name one in the file of facts (patient = "...")',
            where=str(path),
            usage=True,
        )
    return with_facts(chosen[0], stated), stated, read.failures


def stages(
    case: Case,
    date: str | None = None,
    *,
    systems: Collection[str] | None = None,
    stated: CaseFacts | None = None,
) -> tuple[StagingResult, ...]:
    """Stage a case at a date; stages that a reader has set are kept beside.

    Parameters
    ----------
    case, date, systems
        As in `osteotrace.staging.stage`.
    stated : CaseFacts, optional
        Whose overrides of the date apply.

    Raises
    ------
    OsteotraceError
        As `osteotrace.staging.stage`; also where a stage is set that is none of its
        system's, or for what was not staged.
    """
    results = {
        (one.system, one.site): one for one in staging.stage(case, date, systems=systems)
    }
    day = date or next((one.date for one in results.values()), "")
    for override in stated.overrides if stated else ():
        key = override.system, override.site
        chosen = systems is None or override.system in systems
        if override.date != day or not chosen:
            continue
        if key not in results:
            raise OsteotraceError(
                f"a stage set by {override.author} for {override.system} "
                f"{override.site}".rstrip(),
                expected=f"a system that was staged at {day}",
                advice="correct the [[override]] in the file of facts",
                usage=True,
            )
        results[key] = overridden(
            results[key],
            override.stage,
            reason=override.reason,
            author=override.author,
            recorded=override.recorded,
        )
    return tuple(results.values())


def staged(
    assessment: Assessment,
    stated: CaseFacts,
    earlier: Iterable[Assessment] = (),
    *,
    systems: Collection[str] | None = None,
) -> Assessment:
    """Return a reading with the facts stated of its patient, and its stages, within it.

    Parameters
    ----------
    assessment : Assessment
        The reading; its study date is staged.
    stated : CaseFacts
        What is known of the patient; facts keep the dates at which they held.
    earlier : iterable of Assessment
        Readings of other dates of the same patient.
    systems : collection of str, optional
        As in `stages`.

    Raises
    ------
    OsteotraceError
        If the facts are of another patient, or as `stages`.
    """
    others = (one for one in earlier if one.patient == assessment.patient)
    case = Case(patient=assessment.patient, assessments=(*others, assessment))
    whole = with_facts(case, stated)
    date = assessment.study_date
    return msgspec.structs.replace(
        assessment,
        facts=(*assessment.facts, *stated.facts),
        drugs=(*assessment.drugs, *stated.drugs),
        stagings=stages(whole, date, systems=systems, stated=stated) if date else (),
    )
