"""The comparison of the reading in hand: studies, transforms, matches, what was carried.

What is chosen and aligned belongs to the session; what a reader says of a match is a
command of the journal. Nothing here registers by itself: `prepare_alignment` is run where
there is time for it, and `keep` takes what came of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from osteotrace.errors import OsteotraceError
from osteotrace.findings import leaders_of_parts
from osteotrace.session.comparing import carried_marks, compared, matches
from osteotrace.session.comparing.aligned_series import (
    Aligned,
    SeriesPair,
    laid_over,
    likest,
    series_pairs,
)
from osteotrace.session.comparing.patient_studies import PatientStudies
from osteotrace.session.comparing.standards import Standards
from osteotrace.session.comparing.transforms import Transforms
from osteotrace.session.statements import is_same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from pathlib import Path

    from osteotrace.alignment import Alignment
    from osteotrace.comparison import Comparison
    from osteotrace.findings import Finding
    from osteotrace.series import VolumeHeader
    from osteotrace.session.comparing.carried_marks import CarriedMarks
    from osteotrace.session.comparing.known_studies import KnownStudy
    from osteotrace.session.session import Session

    Progress = Callable[[int, int], None]


class Comparing(PatientStudies):
    """The comparison of a session's reading with others of its patient.

    Parameters
    ----------
    session : Session
        Whose study is read.
    now : callable
        Returns the present time with its zone.

    Attributes
    ----------
    transforms : Transforms
        Between the studies.
    standards : Standards
        What changes are judged by.
    """

    def __init__(self, session: Session, now: Callable[[], datetime]) -> None:
        super().__init__(session)
        self._now = now
        self.transforms = Transforms()
        self.standards = Standards()
        self._refused: dict[str, str] = {}
        # The last two comparisons with what they were made from.
        self._made: list[tuple[tuple[object, ...], Comparison]] = []

    # Transforms --------------------------------------------------------------------

    @property
    def pairs(self) -> tuple[SeriesPair, ...]:
        """The series of the chosen studies that are laid over each other."""
        chosen = self.chosen
        return () if chosen is None else series_pairs(*map(self.in_hand, chosen))

    def prepare_alignment(self, progress: Progress | None = None) -> tuple[Aligned, ...]:
        """Lay the chosen studies over each other; `keep` takes what came of it.

        Nothing is changed: it takes its time and may run beside the thread that changes
        the session.

        Parameters
        ----------
        progress : callable, optional
            Called with what is done and what there is in all; it may raise to stop.

        Raises
        ------
        OsteotraceError
            If there are no two studies with images.
        """
        chosen = self.chosen
        pairs = self.pairs
        if chosen is None or not pairs:
            raise OsteotraceError(
                "no two series that could be laid over each other",
                expected="two studies whose images are open",
                advice="open the folder of the other study too",
            )
        earlier, later = map(self.in_hand, chosen)
        return tuple(
            laid_over(pair, earlier, later, _part(progress, number, len(pairs)))
            for number, pair in enumerate(pairs)
        )

    def keep(self, aligned: Iterable[Aligned]) -> None:
        """Keep what came of pairs of series, a refusal with its reason."""
        self.transforms.keep(aligned)

    def partner(self, header: VolumeHeader) -> VolumeHeader | None:
        """Return what stands beside a volume of one chosen study: one of the other.

        The one that it is laid over, else the one that is most like it; None where it is
        of neither study, or the other has no images.
        """
        chosen = self.chosen
        key = header.identity.series_uid, header.k
        for pair in self.pairs:
            if pair.key[0] == key:
                return pair.later
            if pair.key[1] == key:
                return pair.earlier
        for one, other in (chosen, chosen[::-1]) if chosen else ():
            if header.identity.study_uid == one.study_uid:
                return likest(header, other.headers)
        return None

    # Marks of another date ------------------------------------------------------------

    @property
    def to_carry(self) -> tuple[Finding, ...]:
        """What was found at the other date and the draft does not speak of.

        Empty where the study that is read is not the later one.
        """
        chosen = self.chosen
        found = None if chosen is None or not chosen[1].is_read else self.comparison()
        if chosen is None or found is None:
            return ()
        spoken = {
            finding.tracking_uid
            for lesion in found.lesions
            if len(lesion.seen) > 1
            for finding in lesion.seen[0].findings
        }
        parts = leaders_of_parts(chosen[0].findings)
        return tuple(
            finding
            for place, finding in enumerate(chosen[0].findings)
            if finding.tracking_uid not in spoken
            and finding.presence == "present"
            and finding.regions
            and place not in parts
        )

    def prepare_carried(self, progress: Progress | None = None) -> CarriedMarks:
        """Measure marks of the earlier study on the one that is read; change nothing.

        It takes its time, as `prepare_alignment`; `carry` holds what came of it.

        Raises
        ------
        OsteotraceError
            If the study that is read is not the later one, or no transform is known.
        """
        chosen = self.chosen
        known = () if chosen is None else self.transforms.alignments(*chosen)
        if chosen is None or not chosen[1].is_read or not known:
            raise OsteotraceError(
                "marks with no transform to the study that is read",
                expected="an earlier study that was aligned with the one that is read",
                advice="align both studies first",
            )
        earlier, later = map(self.in_hand, chosen)
        return carried_marks.measured(self.to_carry, earlier, later, known, progress)

    def carry(self, found: CarriedMarks) -> tuple[Finding, ...]:
        """Hold carried marks as proposals, as one undoable command.

        Errors as `osteotrace.session.comparing.carried_marks.hold`.
        """
        chosen = self.chosen
        if chosen is not None:
            self.transforms.keep_local(*chosen, found.alignments)
        self._refused = dict(found.refused)
        return carried_marks.hold(self._session, found)

    @property
    def not_carried(self) -> dict[str, str]:
        """Why marks of the other date could not be carried, by their labels."""
        return self._refused

    # Matches ------------------------------------------------------------------------

    def confirm(self, earlier_uid: str, later_uid: str, *, by_hand: bool = False) -> None:
        """Say as the reader that two findings of the chosen dates are one lesion.

        Parameters
        ----------
        earlier_uid, later_uid : str
            Their tracking UIDs.
        by_hand : bool
            Whether nothing had proposed it.

        Raises
        ------
        OsteotraceError
            If neither date is the one that is read, the draft has no such finding, or
            no reader is named.
        """
        matches.confirm(
            self._session,
            earlier_uid,
            later_uid,
            draft_is_later=self._draft_is_later(),
            elsewhere=self._elsewhere(),
            at=self._time(),
            by_hand=by_hand,
        )

    def refuse(self, earlier_uid: str, later_uid: str) -> None:
        """Say as the reader that two findings are two lesions; errors as `confirm`."""
        matches.refuse(
            self._session,
            earlier_uid,
            later_uid,
            draft_is_later=self._draft_is_later(),
            at=self._time(),
        )

    @property
    def said_by(self) -> dict[str, str]:
        """Who said that a match is one lesion, and when, by its earlier finding."""
        return {
            one.earlier_uid: f"{one.by}, {one.at[:10]}"
            for one in self._session.draft.agreed.matches
            if one.is_same
        }

    @property
    def drafts(self) -> frozenset[str]:
        """Tracking UIDs of the draft's findings that are not accepted yet."""
        return frozenset(one.uid for one in self._session.held if not one.accepted)

    def _draft_is_later(self) -> bool:
        chosen = self.chosen
        if chosen is None or not any(one.is_read for one in chosen):
            raise OsteotraceError(
                "a match between two readings that are saved",
                expected="one of the two studies as the one that is read",
                advice="load one of them, then confirm: a saved record is never changed",
                usage=True,
            )
        return chosen[1].is_read

    def _elsewhere(self) -> set[str]:
        """Return the tracking UIDs that readings of other dates hold."""
        return {
            finding.tracking_uid
            for study in self.studies
            if not study.is_read
            for finding in study.findings
        }

    def _time(self) -> str:
        return self._now().isoformat(timespec="seconds")

    # The comparison -----------------------------------------------------------------

    def comparison(self) -> Comparison | None:
        """Return the two chosen studies compared, the draft as it is now.

        None where there is but one study, or nothing was read at the other.

        Raises
        ------
        OsteotraceError
            If they cannot be compared, with the reason.
        """
        chosen = self.chosen
        if chosen is None or any(one.reading is None for one in chosen):
            return None
        return self._compared(chosen)

    def over_time(self) -> Comparison | None:
        """Return every study of which there is a reading compared, by date."""
        read = tuple(one for one in self.studies if one.reading is not None)
        return self._compared(read) if len(read) > 1 else None

    def _compared(self, studies: tuple[KnownStudy, ...]) -> Comparison:
        """Return studies compared, made anew only where something has changed."""
        session, draft = self._session, self._session.draft
        # Records are never changed in place: the same ones compare alike.
        state = (
            *(draft.held, draft.statements, draft.agreed, draft.assessment_uid),
            *(self.transforms.version, self.standards.version, *self.records),
            *(one.study_uid for one in studies),
        )
        for known, made in self._made:
            if is_same(known, state):
                return made
        made = compared.compared(
            session, [*map(self.in_hand, studies)], self._between, now=self._now()
        )
        self._made = [(state, made), *self._made[:1]]
        return made

    def _between(
        self, earlier_uid: str, later_uid: str
    ) -> tuple[tuple[Alignment, ...], tuple[str, ...]]:
        """Return the transforms between two studies, and refusals in words."""
        known = {one.study_uid: one for one in self.studies}
        both = known[earlier_uid], known[later_uid]
        return self.transforms.alignments(*both), self.transforms.refusals(*both)

    def write_report(self, path: Path, progress: Progress | None = None) -> Path:
        """Write every date compared as one HTML file, with pictures; return its path.

        It loads what the pictures need and takes its time.

        Raises
        ------
        OsteotraceError
            If there is nothing to compare, an image cannot be loaded, or the file is
            there already.
        """
        from osteotrace.reports.comparison import key_pictures, write_page

        found = self._to_tell()
        known = {one.study_uid: one for one in self.studies}
        volumes = {}
        for place, one in enumerate(found.studies):
            if progress is not None:
                progress(place, len(found.studies) + 1)
            study = self.in_hand(known[one.study_uid])
            study.loaded_for_findings()
            volumes[one.number] = study.volumes()
        return write_page(path, found, key_pictures(found, volumes))

    def save(self, folder: Path | None = None) -> tuple[Path, ...]:
        """Write every date compared as a DICOM SR, and each transform beside it.

        Parameters
        ----------
        folder : Path, optional
            Where the records of the reading go, unless told.

        Returns
        -------
        tuple of Path
            The Spatial Registration objects, then the report.

        Raises
        ------
        OsteotraceError
            If there is nothing to compare, the reading is not saved as it is compared,
            or it cannot be written.
        """
        from osteotrace.session.comparing import saving

        found = self._to_tell()
        known = {one.study_uid: one for one in self.studies}
        catalogues = {}
        for one in found.studies:
            own = self.in_hand(known[one.study_uid]).study.catalogue
            if own is not None:
                catalogues[one.number] = own
        place = self._session.records_folder() if folder is None else folder
        return saving.save(self._session, found, catalogues, place)

    def _to_tell(self) -> Comparison:
        """Return every date compared, or refuse one date alone."""
        found = self.over_time()
        if found is None:
            raise OsteotraceError(
                "one reading",
                expected="readings of two dates or more",
                advice="read the other study first",
            )
        return found


def _part(progress: Progress | None, number: int, of: int) -> Progress | None:
    """Return the progress of one of several pieces of work as a part of the whole."""
    if progress is None:
        return None
    told = progress

    def tell(done: int, total: int) -> None:
        told(round(100 * (number + done / max(total, 1))), 100 * of)

    return tell
