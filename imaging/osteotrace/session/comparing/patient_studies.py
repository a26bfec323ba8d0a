"""The studies of the session's patient: what is open beside the one that is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osteotrace.errors import OsteotraceError
from osteotrace.pseudonym import is_named
from osteotrace.session.comparing.known_studies import KnownStudy, known_studies

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    from osteotrace.findings import Assessment
    from osteotrace.reading.comparing.in_hand import StudyInHand
    from osteotrace.series import Catalogue, VolumeHeader
    from osteotrace.series.sources import Source
    from osteotrace.session.session import Session

    Progress = Callable[[int, int], None]


class PatientStudies:
    """The studies of a session's patient, and which two stand beside each other.

    Parameters
    ----------
    session : Session
        Whose study is read.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sources: list[Source] = []
        # Saved readings that were found beside what was opened.
        self._found: tuple[Assessment, ...] = ()
        self._chosen: tuple[str, str] = ("", "")

    def open(
        self, path: str | os.PathLike[str], progress: Progress | None = None
    ) -> Catalogue:
        """Read the headers of another folder of the patient; what is read stays.

        Saved readings beside that folder are known from now on.

        Raises
        ------
        OsteotraceError
            If nothing there is DICOM, none of it is of the patient, or the images that
            are read do not name theirs.
        """
        from osteotrace.series.sources import open_source

        start = self._session.draft.start
        if start is not None and not is_named(start.patient):
            raise OsteotraceError(
                "a study whose patient is not named",
                expected="images with a Patient ID (0010,0020): nobody knows whether two "
                "nameless patients are one",
                advice="give both studies one Patient ID, or compare them on the command "
                "line",
            )
        source = open_source(path, progress)
        patients = {one.identity.patient for one in source.catalogue}
        if start is not None and start.patient not in patients:
            source.close()
            raise OsteotraceError(
                f"studies of {', '.join(sorted(filter(None, patients))) or 'nobody'}",
                expected=f"a study of {start.patient or 'the patient'}, who is read",
                advice="choose a folder of the same patient: two patients are never "
                "compared",
            )
        self._sources.append(source)
        self._found = (*self._found, *_saved_beside(source.catalogue))
        return source.catalogue

    def close(self) -> None:
        """Let go of the folders that were opened to compare with."""
        for source in self._sources:
            source.close()
        self._sources.clear()
        self._found = ()

    @property
    def records(self) -> tuple[Assessment, ...]:
        """Every saved reading that is known and not hidden, each once."""
        shows = self._session.blinding.shows
        start = self._session.draft.start
        # Beside a folder may lie the records of many.
        own = (one for one in self._found if start and one.patient == start.patient)
        every = (*self._session.priors.records, *filter(shows, own))
        return tuple({one.assessment_uid: one for one in every}.values())

    @property
    def studies(self) -> tuple[KnownStudy, ...]:
        """The studies of the patient that are known, by date.

        Of a blinded reading only the study that is read, until its record is saved.
        """
        blinding = self._session.blinding
        every = known_studies(
            self._headers(), self.records, self._session.draft.assessment()
        )
        return tuple(
            one
            for one in every
            if one.is_read or not (blinding.is_blind or blinding.hides(one.study_uid))
        )

    @property
    def why_hidden(self) -> str:
        """Why nothing of other dates is shown; empty where it may be."""
        return self._session.blinding.why_hidden

    def choose(self, earlier_uid: str, later_uid: str) -> None:
        """Choose the two studies that stand beside each other, by StudyInstanceUID.

        They are put in the order of their dates.

        Raises
        ------
        OsteotraceError
            If one is not known, or both are one.
        """
        asked = {earlier_uid, later_uid}
        ordered = [one.study_uid for one in self.studies if one.study_uid in asked]
        if len(ordered) != 2:
            raise OsteotraceError(
                "a study that is not known, or one study twice",
                expected="two of the patient's studies",
                advice="choose two from the list",
                usage=True,
            )
        self._chosen = (ordered[0], ordered[1])

    @property
    def chosen(self) -> tuple[KnownStudy, KnownStudy] | None:
        """The earlier and the later study: as chosen, else the read one and its prior.

        None where there is but one.
        """
        studies = self.studies
        known = {one.study_uid: one for one in studies}
        if all(uid in known for uid in self._chosen):
            earlier, later = (known[uid] for uid in self._chosen)
            return earlier, later
        read = next((n for n, one in enumerate(studies) if one.is_read), None)
        if read is None or len(studies) < 2:
            return None
        # The first date has nothing before it: what followed stands beside it.
        at = max(read, 1)
        return studies[at - 1], studies[at]

    def in_hand(self, study: KnownStudy) -> StudyInHand:
        """Return a study with its reading and its images, each loaded once."""
        from osteotrace.session.comparing.in_hand import in_hand

        own = {one.identity.series_uid for one in study.headers}
        holding = (
            catalogue
            for catalogue in self._catalogues()
            if any(one.identity.series_uid in own for one in catalogue)
        )
        return in_hand(study, self._session, next(holding, None))

    def _catalogues(self) -> tuple[Catalogue, ...]:
        opened = (source.catalogue for source in self._sources)
        return (*self._session.catalogues, *opened)

    def _headers(self) -> Iterable[VolumeHeader]:
        for catalogue in self._catalogues():
            for series in catalogue:
                yield from series.volumes


def _saved_beside(catalogue: Catalogue) -> tuple[Assessment, ...]:
    """Return the saved readings beside a folder; none where nothing was saved."""
    from osteotrace.reading.cases import saved_cases
    from osteotrace.records.places import folder_beside

    folder = folder_beside(catalogue)
    try:
        found = saved_cases(folder) if folder.is_dir() else None
    except OsteotraceError:
        # A folder without a record says nothing.
        return ()
    cases = () if found is None else found.cases
    return tuple(one for case in cases for one in case.assessments)
