"""A patient's readings and transforms to a comparison: the whole, put together.

Nothing here reads a file or an image. What differs from one call to the next, the moment
at which it is made, is given.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from osteotrace.about import SOFTWARE_NAME, VERSION
from osteotrace.change import incident_fractures
from osteotrace.comparison.carried_links import carried_links
from osteotrace.comparison.differences import differences
from osteotrace.comparison.events import events_of
from osteotrace.comparison.lesions import Courses
from osteotrace.comparison.matching import Decided
from osteotrace.comparison.notes import notes_of
from osteotrace.comparison.places import Ways
from osteotrace.comparison.quantity_changes import Circumstances
from osteotrace.comparison.records import (
    ComparedStudy,
    Comparison,
    StagingRow,
    StudyPair,
)
from osteotrace.comparison.study_readings import (
    study_names,
    study_readings,
    with_dates,
)
from osteotrace.comparison.tracks import follow
from osteotrace.errors import OsteotraceError
from osteotrace.findings.carried_values import registration_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from osteotrace.change import Repeatability
    from osteotrace.comparison.records import Link
    from osteotrace.comparison.study_readings import StudyReading
    from osteotrace.findings import Case, DrugCourse, StagingResult
    from osteotrace.geometry import Grid
    from osteotrace.series.acquisition import Acquisition


def compare(
    case: Case,
    *,
    pairs: Sequence[StudyPair] = (),
    confirmed: Sequence[Link] = (),
    refused: Collection[tuple[str, str]] = (),
    repeatabilities: Mapping[str, Repeatability] | None = None,
    registration: Mapping[tuple[str, str, str], float] | None = None,
    acquisitions: Sequence[Acquisition] = (),
    extents: Mapping[str, Grid] | None = None,
    names: Mapping[str, str] | None = None,
    accepted_flags: Collection[str] = (),
    reader: str = "",
    now: datetime | None = None,
    until: str = "",
) -> Comparison:
    """Return a patient's studies beside each other: matched lesions and their change.

    Parameters
    ----------
    case : Case
        Two studies or more. Of several readings of one study that of `reader` counts,
        else the latest; the others are named in a note.
    pairs : sequence of StudyPair
        The transforms between studies, or why there are none; numbered as
        `study_readings` orders them.
    confirmed : sequence of Link
        What readers say is one lesion; with the basis ``carried``: marks that were
        carried forward from the earlier finding.
    refused : collection of (earlier UID, later UID)
        Tracking UIDs that readers say are not one lesion.
    repeatabilities : mapping of str to Repeatability, optional
        A site's own, by quantity.
    registration : mapping, optional
        What the transform adds to the uncertainty of a change, in its unit, by
        (assessment UID, tracking UID, quantity).
    acquisitions : sequence of Acquisition
        How the series were made.
    extents : mapping of str to Grid, optional
        What each series shows, by SeriesInstanceUID: tells whether a place was imaged.
    names : mapping of str to str, optional
        What to call studies, by assessment UID.
    accepted_flags : collection of str
        Flags of values that a reader has looked at and let pass.
    reader : str
        Who compares, and whose readings count where several people read a study.
    now : datetime, optional
        When it is made.
    until : str
        Last date that counts for fractures.

    Raises
    ------
    OsteotraceError
        If the case has fewer than two studies.
    """
    case = with_dates(case)
    readings = study_readings(case, reader=reader)
    _check_count(readings)
    # What a reading says itself of marks that were carried; what is given comes first.
    read = [one.assessment for one in readings]
    confirmed = (*carried_links(read), *confirmed)
    every = _pairs(readings, pairs, acquisitions)
    ways = Ways([one for pair in every for one in pair.alignments])
    fractures = incident_fractures(case, until=until)
    given = Circumstances(
        pairs={(one.earlier, one.later): one for one in every},
        acquisitions={one.series_uid: one for one in acquisitions},
        repeatabilities=repeatabilities or {},
        registration={**registration_of(read), **(registration or {})},
        accepted_flags=accepted_flags,
    )
    courses = Courses(readings, given, ways, extents or {}, fractures)
    decided = Decided.of(confirmed, refused)
    tracks = follow(readings, ways, decided, {key[:2] for key in given.registration})
    said = {one.later_uid: one for one in confirmed if one.basis == "carried"}
    carried = {uid for uid, one in said.items() if one.proposed}
    return Comparison(
        patient=case.patient,
        recorded=(now or datetime.now(UTC)).isoformat(timespec="seconds"),
        software=f"{SOFTWARE_NAME} {VERSION}",
        studies=_studies(readings, names or {}, carried),
        pairs=every,
        lesions=tuple(courses.lesion(track) for track in tracks),
        stagings=staging_rows(readings),
        fractures=fractures,
        events=events_of(case, readings, fractures),
        drugs=_drugs(case),
        notes=tuple(
            notes_of(case, readings, accepted_flags=accepted_flags, reader=reader)
        ),
        reader=reader,
    )


def _check_count(readings: Sequence[StudyReading]) -> None:
    if len(readings) < 2:
        count = "one study" if readings else "no study"
        raise OsteotraceError(
            f"{count} that was read",
            expected="two or more of one patient, each with its reading",
            advice="read the other study first; a study without findings compares too",
            usage=True,
        )


def _pairs(
    readings: Sequence[StudyReading],
    given: Sequence[StudyPair],
    acquisitions: Sequence[Acquisition],
) -> tuple[StudyPair, ...]:
    """Return the pairs of studies: each with the next, the first with the last."""
    known = {(one.earlier, one.later): one for one in given}
    wanted = [(one.number, other.number) for one, other in pairwise(readings)]
    wanted += [(0, len(readings) - 1)]
    made = {one.series_uid: one for one in acquisitions}
    for pair in dict.fromkeys(wanted):
        if pair not in known:
            sides = (
                [
                    made[one.series_uid]
                    for one in readings[number].assessment.series
                    if one.series_uid in made
                ]
                for number in pair
            )
            known[pair] = StudyPair(
                earlier=pair[0], later=pair[1], differences=differences(*sides)
            )
    return tuple(known[pair] for pair in sorted(known))


# Studies ------------------------------------------------------------------------------


def _studies(
    readings: Sequence[StudyReading], names: Mapping[str, str], carried: set[str]
) -> tuple[ComparedStudy, ...]:
    called = study_names(readings, names)
    return tuple(
        ComparedStudy(
            number=one.number,
            assessment_uid=one.assessment.assessment_uid,
            study_uid=one.assessment.study_uid,
            date=one.date,
            name=name,
            reader=one.assessment.reader,
            series=one.assessment.series,
            carried=any(
                uid in carried for _, uid, _ in registration_of([one.assessment])
            ),
            protocol=one.assessment.protocol,
        )
        for one, name in zip(readings, called, strict=True)
    )


# Stagings and drugs -------------------------------------------------------------------


def staging_rows(readings: Sequence[StudyReading]) -> tuple[StagingRow, ...]:
    """Return each staging system at each place, study by study."""
    rows: dict[tuple[str, str], dict[int, StagingResult]] = {}
    for one in readings:
        for result in one.assessment.stagings:
            # Staged anew in one reading: the last counts.
            rows.setdefault((result.system, result.site), {})[one.number] = result
    return tuple(
        StagingRow(
            system=system,
            site=site,
            results=tuple(found.get(one.number) for one in readings),
        )
        for (system, site), found in rows.items()
    )


def _drugs(case: Case) -> tuple[DrugCourse, ...]:
    read = (course for one in case.current() for course in one.drugs)
    return tuple(dict.fromkeys((*case.drugs, *read)))
