"""Two studies or more in, a comparison out: gathered, read, aligned, carried, staged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from osteotrace.comparison.comparing import compare as compared
from osteotrace.comparison.differences import differences
from osteotrace.comparison.records import Comparison, Difference, Link, StudyPair
from osteotrace.comparison.site_repeatabilities import read_repeatabilities
from osteotrace.comparison.study_readings import study_readings
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Case
from osteotrace.measurements.measurement import Measurement
from osteotrace.reading.case_facts import CaseFacts, read_facts
from osteotrace.reading.cases import stages, with_facts
from osteotrace.reading.comparing.aligning import paired
from osteotrace.reading.comparing.gathering import check_patient, gathered
from osteotrace.reading.comparing.proposing import carry_forward
from osteotrace.reading.comparing.reading_studies import (
    How,
    checked_masks,
    protocols_of,
    read_studies,
)
from osteotrace.reading.comparing.said import confirmed_links, refused_pairs
from osteotrace.series.acquisition import acquisition_of
from osteotrace.uids import new_uid

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

    from osteotrace.change import Repeatability
    from osteotrace.findings import Assessment
    from osteotrace.protocol import Protocol
    from osteotrace.reading.comparing.in_hand import StudyInHand
    from osteotrace.series import Catalogue
    from osteotrace.series.sources import Source
    from osteotrace.volume import Volume

    Path = str | os.PathLike[str]
    Progress = Callable[[int, int], None]

# Parts of the progress that each step has.
_PARTS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonReading:
    """A comparison, with what it was made from.

    Parameters
    ----------
    comparison : Comparison
    assessments : tuple of Assessment
        The reading of each study, by its number; proposals are among their findings.
    volumes : dict of int to tuple of Volume
        What was loaded of each study, by its number, for pictures.
    catalogues : dict of int to Catalogue
        The series of each study that has images, for records that name them.
    failures : tuple of OsteotraceError
        What could not be read or followed; the rest is done.
    """

    comparison: Comparison
    assessments: tuple[Assessment, ...]
    volumes: dict[int, tuple[Volume, ...]] = field(default_factory=dict, repr=False)
    catalogues: dict[int, Catalogue] = field(default_factory=dict, repr=False)
    failures: tuple[OsteotraceError, ...] = ()
    # The images of an archive are there as long as it is held.
    sources: tuple[Source, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        found = self.comparison
        states = ", ".join(f"{one.label} {one.state}" for one in found.lesions)
        return f"{len(found.studies)} studies of {found.patient}: {states or 'no lesion'}"


def compare(
    *paths: Path,
    protocols: Sequence[Protocol | Path] = (),
    records: Path | None = None,
    masks: Path | None = None,
    tree: Path | None = None,
    facts: Path | CaseFacts | None = None,
    confirmed: Sequence[Link | tuple[str, str]] = (),
    refused: Sequence[tuple[str, str]] = (),
    repeatability: Mapping[str, Repeatability] | Path | None = None,
    accepted_flags: Sequence[str] = (),
    reader: str = "",
    allow_two_patients: bool = False,
    register: bool = True,
    carry: bool = True,
    now: datetime | None = None,
    uids: Callable[[], str] = new_uid,
    progress: Progress | None = None,
) -> ComparisonReading:
    """Compare two or more studies of a patient.

    Parameters
    ----------
    *paths : path
        A folder, zip or DICOMDIR of one study or of several; a saved record; what
        ``measure`` wrote; with `tree`, a StudyInstanceUID.
    protocols : sequence of Protocol, str or path
        By which studies without a saved reading are measured: one for all, or one a
        study in the order of the paths.
    records : path, optional
        A folder of saved readings; those beside the studies are found by themselves.
    masks : path, optional
        Labels that a protocol names, as in `osteotrace.measure`.
    tree : path, optional
        A folder that holds the studies which are given by their UID.
    facts : path or CaseFacts, optional
        What is stated of the patient: every date is then staged.
    confirmed : sequence of Link, or of (earlier, later)
        What a reader says is one lesion: labels or tracking UIDs of two findings.
    refused : sequence of (earlier, later)
        What a reader says is not.
    repeatability : path, or mapping of str to Repeatability, optional
        A site's own coefficients by quantity, or their file.
    accepted_flags : sequence of str
        Words of the doubts that a reader has looked at and lets pass: a value whose
        other doubts are none is compared.
    reader : str
        Whose readings are compared where several people read a study, and who compares.
    allow_two_patients : bool
        True where two identifiers are of one patient.
    register : bool
        False compares without laying the studies over each other.
    carry : bool
        False carries no mark forward to studies that do not speak of it.
    now : datetime, optional
        Time of the comparison; the clock's by default.
    uids : callable
        Makes the UIDs of readings.
    progress : callable, optional
        Called with the parts done so far and all of them.

    Returns
    -------
    ComparisonReading

    Raises
    ------
    OsteotraceError
        If there are less than two studies, they are of two patients, one is given twice,
        or no study has a finding that could be followed.
    """
    at = now or datetime.now().astimezone()
    steps = _Steps(progress)
    found = gathered(paths, records=records, tree=tree, progress=steps.within)
    failures = list(found.failures)
    notes = _whose(found.studies, allow_two_patients=allow_two_patients)
    how = How(
        now=at,
        protocols=protocols_of(protocols),
        masks=checked_masks(masks),
        reader=reader,
        uids=uids,
    )
    _check_several(found.studies, failures, paths)
    studies = _by_date(read_studies(found.studies, how, failures))
    failures += _nothing_to_follow(studies)
    stated = facts if isinstance(facts, CaseFacts) else _facts(facts)
    read = [one.assessment for one in studies]
    task = _Task(
        studies=studies,
        others=found.stated,
        stated=stated,
        confirmed=confirmed_links(confirmed, read, reader=reader),
        let_pass=tuple(accepted_flags),
        keywords={
            "refused": refused_pairs(refused, read),
            "repeatabilities": _repeatabilities(repeatability),
            "reader": reader,
            "now": at,
        },
    )
    steps.plan(len(studies) - 1 if register else 0)
    task.pair(steps, register=register)
    if carry:
        notes += carry_forward(studies, task.pairs, task.comparison)
    task.stage(anew=facts is not None)
    for study in studies:
        failures += study.loaded_for_findings()
    return ComparisonReading(
        comparison=task.finished(notes),
        assessments=tuple(one.assessment for one in studies),
        volumes={number: one.volumes() for number, one in enumerate(studies)},
        catalogues={
            number: one.study.catalogue
            for number, one in enumerate(studies)
            if one.study.catalogue is not None
        },
        failures=tuple(failures),
        sources=found.sources,
    )


class _Steps:
    """The progress of a comparison: reading first, then every pair of studies."""

    def __init__(self, tell: Progress | None) -> None:
        self._tell, self._done, self._all = tell, 0, 1

    def plan(self, pairs: int) -> None:
        """Say how many pairs follow; what came before is done."""
        self._done, self._all = 1, 1 + pairs

    def within(self, done: int, total: int) -> None:
        """Tell how far the step at work is."""
        if self._tell is not None:
            part = round(_PARTS * done / max(total, 1))
            self._tell(_PARTS * self._done + part, _PARTS * self._all)

    def step(self) -> None:
        """Tell that a step is done."""
        self.within(1, 1)
        self._done += 1


@dataclass(slots=True, kw_only=True)
class _Task:
    """A comparison while it is made."""

    studies: list[StudyInHand]
    others: tuple[Assessment, ...]
    stated: CaseFacts
    confirmed: tuple[Link, ...]
    # Words of the flags that are let pass.
    let_pass: tuple[str, ...]
    keywords: dict[str, Any]
    pairs: list[StudyPair] = field(default_factory=list)

    @property
    def numbers(self) -> list[tuple[int, int]]:
        """Each study with the next, and the first with the last."""
        last = len(self.studies) - 1
        nexts = [(k, k + 1) for k in range(last)]
        return [*nexts, *([(0, last)] if last > 1 else [])]

    def pair(self, steps: _Steps, *, register: bool) -> None:
        """Lay the studies over each other, and list how they differ."""
        for one, other in self.numbers:
            pair = StudyPair(earlier=one, later=other)
            both = self.studies[one], self.studies[other]
            # The first is joined with the last through those between.
            if register and other == one + 1:
                pair = paired((one, other), *both, steps.within)
                steps.step()
            pair = msgspec.structs.replace(pair, differences=_differences(*both))
            self.pairs.append(pair)

    @property
    def case(self) -> Case:
        """The patient with every reading and what is stated."""
        own = tuple(one.assessment for one in self.studies)
        stated = tuple(fact for one in self.others for fact in one.facts)
        drugs = tuple(course for one in self.others for course in one.drugs)
        patient = own[0].patient
        case = Case(patient=patient, assessments=own, facts=stated, drugs=drugs)
        return with_facts(case, self.stated)

    def comparison(self) -> Comparison:
        """Return the comparison of what is read by now."""
        added = {
            (one.assessment.assessment_uid, *key): u
            for one in self.studies
            for key, u in one.registration.items()
        }
        read = [header for one in self.studies for header in one.read_on().values()]
        return compared(
            self.case,
            pairs=self.pairs,
            confirmed=(*self.confirmed, *self._carried()),
            registration=added,
            acquisitions=[acquisition_of(header) for header in read],
            extents={
                header.identity.series_uid: header.grid
                for header in read
                if header.grid is not None
            },
            accepted_flags=tuple(self._accepted()),
            **self.keywords,
        )

    def _accepted(self) -> Iterator[str]:
        """Yield the flags of all values that hold words which a reader lets pass."""
        for study in self.studies:
            for finding in study.assessment.findings:
                for one in finding.measurements:
                    for flag in one.flags if isinstance(one, Measurement) else ():
                        if any(words in flag for words in self.let_pass):
                            yield flag

    def _carried(self) -> Iterator[Link]:
        """Yield that what was carried forward is the lesion that it came from."""
        for one in self.studies:
            for uid in sorted(one.carried):
                yield Link(earlier_uid=uid, later_uid=uid, basis="carried")

    def stage(self, *, anew: bool) -> None:
        """Stage every date, beside what is known of the patient before it."""
        case = self.case
        known = case.stated() or case.drugs
        for one in self.studies:
            date = one.assessment.study_date
            if not date or not known or (one.assessment.stagings and not anew):
                continue
            results = stages(case, date, stated=self.stated)
            one.assessment = msgspec.structs.replace(one.assessment, stagings=results)

    def finished(self, notes: list[str]) -> Comparison:
        """Return the comparison, with what to mind, and which readings are proposals."""
        found = self.comparison()
        carried = {
            one.assessment.assessment_uid
            for one in self.studies
            if not one.is_read and one.carried
        }
        studies = tuple(
            msgspec.structs.replace(one, carried=one.assessment_uid in carried)
            for one in found.studies
        )
        return msgspec.structs.replace(
            found, studies=studies, notes=tuple(dict.fromkeys((*notes, *found.notes)))
        )


def _whose(studies: Sequence[object], *, allow_two_patients: bool) -> list[str]:
    try:
        note = check_patient(studies)  # type: ignore[arg-type]
    except OsteotraceError as problem:
        if not allow_two_patients:
            raise
        return [f"{problem.found}: compared as one patient, as was asked for"]
    return [note] if note else []


def _check_several(
    studies: Sequence[object], failures: list[OsteotraceError], paths: Sequence[Path]
) -> None:
    if len(studies) > 1:
        return
    if failures:
        raise failures[0]
    raise OsteotraceError(
        "one study" if studies else "no study",
        expected="two studies or more of one patient",
        advice="give the study before and the study after",
        where=" ".join(map(str, paths)),
        usage=True,
    )


def _by_date(studies: list[StudyInHand]) -> list[StudyInHand]:
    """Return studies by date, as a comparison numbers them."""
    own = {one.assessment.assessment_uid: one for one in studies}
    case = Case(
        patient=studies[0].study.patient,
        assessments=tuple(one.assessment for one in studies),
    )
    return [own[one.assessment.assessment_uid] for one in study_readings(case)]


def _nothing_to_follow(studies: list[StudyInHand]) -> list[OsteotraceError]:
    """Return what is wrong with a first study of which nothing can be followed.

    Raises
    ------
    OsteotraceError
        If no study has a finding.
    """
    with_findings = [one for one in studies if one.assessment.findings]
    first = studies[0]
    why = "a reading without a finding" if first.is_read else "no reading"
    problem = OsteotraceError(
        f"nothing to follow: {first.called} has {why}",
        expected="a study with findings before the others",
        advice="read it in the window, or give its record or --protocol",
        where=first.study.where,
    )
    if not with_findings:
        raise problem
    return [problem] if first is not with_findings[0] else []


def _repeatabilities(
    given: Mapping[str, Repeatability] | Path | None,
) -> Mapping[str, Repeatability] | None:
    if given is None or isinstance(given, Mapping):
        return given
    return read_repeatabilities(given)


def _facts(file: Path | None) -> CaseFacts:
    return CaseFacts() if file is None else read_facts(file)


def _differences(earlier: StudyInHand, later: StudyInHand) -> tuple[Difference, ...]:
    """Return how the series that were read differ; nothing where there are no images."""
    before, after = (
        [acquisition_of(header) for header in one.read_on().values()]
        for one in (earlier, later)
    )
    return differences(before, after) if before and after else ()
