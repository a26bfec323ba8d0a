"""Lesions with their course: what became of each from date to date, and in the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from osteotrace.comparison.places import place_of
from osteotrace.comparison.quantity_changes import Side
from osteotrace.comparison.records import Lesion, Seen
from osteotrace.comparison.states import (
    NOT_DESCRIBED,
    Turn,
    begun,
    gone,
    not_assessed,
    step,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from osteotrace.change import IncidentFracture
    from osteotrace.comparison.places import Ways
    from osteotrace.comparison.quantity_changes import Circumstances
    from osteotrace.comparison.records import Step
    from osteotrace.comparison.study_readings import StudyReading
    from osteotrace.comparison.tracks import Track
    from osteotrace.findings import Finding
    from osteotrace.geometry import Grid


class Courses:
    """Turns lesions that were followed into records.

    Parameters
    ----------
    readings : sequence of StudyReading
    given : Circumstances
    ways : Ways
    extents : mapping of str to Grid
        What each series shows, by its UID; without it only what was read tells whether a
        place was imaged.
    fractures : sequence of IncidentFracture
    """

    def __init__(
        self,
        readings: Sequence[StudyReading],
        given: Circumstances,
        ways: Ways,
        extents: Mapping[str, Grid],
        fractures: Sequence[IncidentFracture] = (),
    ) -> None:
        self._readings, self._given = readings, given
        self._ways, self._extents = ways, extents
        self._fractures = fractures

    def lesion(self, track: Track) -> Lesion:
        """Return a lesion with its steps."""
        numbers = sorted(track.seen)
        first, last = track.seen[numbers[0]][0], track.seen[numbers[-1]][0]
        named = track.seen[track.last_marked][0]
        steps = tuple(self._steps(track, numbers))
        leader = track.leader
        return Lesion(
            tracking_uid=first.tracking_uid,
            label=named.label if last.presence == "absent" else last.label,
            kind=named.kind if last.presence == "absent" else last.kind,
            site=named.site,
            laterality=named.laterality,
            seen=tuple(Seen(study=n, findings=track.seen[n]) for n in numbers),
            links=tuple(track.links),
            steps=steps,
            whole=self._whole(track, numbers, steps),
            part_of=""
            if leader is None
            else leader.seen[min(leader.seen)][0].tracking_uid,
        )

    def _side(self, track: Track, number: int, joined: tuple[Finding, ...] = ()) -> Side:
        return Side(study=self._readings[number], findings=(*track.seen[number], *joined))

    def _steps(self, track: Track, numbers: list[int]) -> list[Step]:
        """Return a step to every study from the first that describes the lesion on."""
        found = []
        if numbers[0] > 0:
            found.append(self._first(track, numbers[0]))
        last = numbers[0]
        for study in self._readings[numbers[0] + 1 :]:
            if study.number in track.seen:
                found.append(self._between(track, last, study.number))
                last = study.number
            elif study.number in track.gone:
                reason = track.gone[study.number]
                side = self._side(track, last)
                found.append(gone(side, study, reason, proposed=True))
            elif not track.ended:
                reason = self._why_not(track.seen[last], self._readings[last], study)
                found.append(not_assessed(self._readings[last], study, reason))
        return found

    def _between(self, track: Track, earlier: int, later: int) -> Step:
        turn = track.turns.get(later, Turn())
        sides = self._side(track, earlier, turn.joined), self._side(track, later)
        found = step(*sides, self._given, turn)
        return self._fractured(found, sides[1])

    def _fractured(self, found: Step, later: Side) -> Step:
        """Return the step to a new fracture, proposed unless a reader accepted it."""
        if found.state != "new" or later.first.kind != "vcf":
            return found
        accepted = any(
            one.site == later.first.site
            and one.first_seen == later.study.date
            and not one.suspected
            for one in self._fractures
        )
        return msgspec.structs.replace(found, proposed=not accepted)

    def _first(self, track: Track, number: int) -> Step:
        """Return the step to the first study that describes a lesion."""
        side, before = self._side(track, number), self._readings[number - 1]
        why = self._why_not(side.findings, side.study, before)
        if side.first.presence == "absent" or why != _nobody(before):
            told = why if why != _nobody(before) else NOT_DESCRIBED
            return msgspec.structs.replace(
                not_assessed(before, side.study, told), proposed=False
            )
        found = begun(before, side, NOT_DESCRIBED, proposed=True)
        if side.first.kind == "vcf":
            return self._fractured(found, side)
        return found

    def _whole(
        self, track: Track, numbers: list[int], steps: Sequence[Step]
    ) -> Step | None:
        """Return what became of it from the first date to the last that it was read.

        Of one that arose in between it is new still; what became of it since is told in
        words, for it has no values of the first date.
        """
        read = [one for one in steps if one.later in track.seen]
        if len(read) < 2:
            return None
        turns = [track.turns.get(number, Turn()) for number in numbers[1:]]
        proposed = any(one.proposed for one in turns)
        turn = Turn(proposed=proposed, part="merged" if track.ended else "")
        sides = self._side(track, numbers[0]), self._side(track, numbers[-1])
        found = step(*sides, self._given, turn)
        first = steps[0]
        if first.state != "new" or first.later != numbers[0]:
            return found
        return msgspec.structs.replace(
            found,
            earlier=first.earlier,
            state="resolved" if found.state == "resolved" else "new",
            changes=(),
            reason=f"{first.reason}; since {sides[0].study.called} {found.state}: "
            + found.reason,
            proposed=proposed or first.proposed,
        )

    def _why_not(
        self, findings: tuple[Finding, ...], read: StudyReading, study: StudyReading
    ) -> str:
        """Return why a study says nothing of a lesion that another one describes."""
        modality = read.modality_of(findings[0])
        if modality and study.modalities and modality not in study.modalities:
            return f"no {modality} was read on {study.called}"
        outside = self._outside(findings, study)
        return outside or _nobody(study)

    def _outside(self, findings: tuple[Finding, ...], study: StudyReading) -> str:
        """Return that a lesion's place was not imaged; empty where that is not known."""
        place = place_of(findings)
        if place is None:
            return ""
        imaged = []
        for one in study.assessment.series:
            grid = self._extents.get(one.series_uid)
            frame = one.frame_of_reference_uid
            way = self._ways.between(place.frame_uid, frame, site=findings[0].site)
            if grid is not None and way is not None:
                imaged.append(bool(np.any(grid.contains(way.apply(place.middle)))))
        if imaged and not any(imaged):
            return f"its place lies outside the images of {study.called}"
        return ""


def _nobody(study: StudyReading) -> str:
    return f"nobody says of {study.called} whether it is there"
