"""A comparison while it is made: studies laid over each other, compared, staged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from osteotrace.comparison.comparing import compare as compared
from osteotrace.comparison.differences import differences
from osteotrace.comparison.records import Comparison, Difference, Link, StudyPair
from osteotrace.findings import Case
from osteotrace.measurements.measurement import Measurement
from osteotrace.reading.cases import stages, with_facts
from osteotrace.reading.comparing.aligning import paired
from osteotrace.series.acquisition import acquisition_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from osteotrace.findings import Assessment
    from osteotrace.reading.case_facts import CaseFacts
    from osteotrace.reading.comparing.in_hand import StudyInHand

    Progress = Callable[[int, int], None]

# Parts of the progress that each step has.
_PARTS: Final = 100


class Steps:
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
class Task:
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

    def pair(self, steps: Steps, *, register: bool) -> None:
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


def _differences(earlier: StudyInHand, later: StudyInHand) -> tuple[Difference, ...]:
    """Return how the series that were read differ; nothing where there are no images."""
    before, after = (
        [acquisition_of(header) for header in one.read_on().values()]
        for one in (earlier, later)
    )
    return differences(before, after) if before and after else ()
