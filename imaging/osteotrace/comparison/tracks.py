"""Lesions followed from date to date: which findings are one, and where each was seen.

One study after the other is matched with every lesion that is known so far, each as it
was last seen; so a lesion that a date passed over is found again at the next.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from osteotrace.comparison.absences import counts_parts, covers, was_missing
from osteotrace.comparison.matching import (
    Decided,
    Mark,
    compatible,
    propose,
    same_side,
)
from osteotrace.comparison.states import Turn
from osteotrace.findings import leaders_of_parts

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from osteotrace.comparison.matching import Candidate
    from osteotrace.comparison.places import Ways
    from osteotrace.comparison.records import Link
    from osteotrace.comparison.study_readings import StudyReading
    from osteotrace.findings import Finding


@dataclass(slots=True, kw_only=True, eq=False)
class Track:
    """A lesion while it is being followed.

    Parameters
    ----------
    seen : dict
        Its findings by the number of the study.
    turns : dict
        What happened at a study, by its number.
    links : list of Link
    leader : Track or None
        The lesion that it is a fragment of.
    ended : bool
        True where it has merged into another one.
    gone : dict
        Why a study that does not describe it says that it is gone, by its number.
    """

    seen: dict[int, tuple[Finding, ...]] = field(default_factory=dict)
    turns: dict[int, Turn] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    leader: Track | None = None
    ended: bool = False
    gone: dict[int, str] = field(default_factory=dict)

    @property
    def is_absence(self) -> bool:
        """True where it was looked for and never there."""
        return all(
            one.presence == "absent" for each in self.seen.values() for one in each
        )

    @property
    def last_marked(self) -> int:
        """The last study at which it was there or might be; else the last at all."""
        there = [
            number
            for number, each in self.seen.items()
            if any(one.presence != "absent" for one in each)
        ]
        return max(there or self.seen)

    def mark(self, readings: Sequence[StudyReading]) -> Mark:
        """Return the lesion as it was last there."""
        number = self.last_marked
        findings = self.seen[number]
        return Mark.of(
            *findings,
            modality=readings[number].modality_of(findings[0]),
            uids=[one.tracking_uid for each in self.seen.values() for one in each],
            is_part=self.leader is not None,
        )


def follow(
    readings: Sequence[StudyReading],
    ways: Ways,
    decided: Decided,
    carried: Collection[tuple[str, str]] = (),
) -> tuple[Track, ...]:
    """Return the lesions of some studies, in the order in which they were first read.

    Parameters
    ----------
    readings : sequence of StudyReading
    ways : Ways
    decided : Decided
    carried : collection of (assessment UID, tracking UID)
        Findings of which it is known that their marks were carried forward.
    """
    followed = _Following(readings, ways, decided, carried)
    for study in readings:
        followed.take(study)
    return followed.result()


class _Following:
    """The lesions known so far."""

    def __init__(
        self,
        readings: Sequence[StudyReading],
        ways: Ways,
        decided: Decided,
        carried: Collection[tuple[str, str]],
    ) -> None:
        self._readings, self._ways, self._decided = readings, ways, decided
        self._carried = frozenset(carried)
        self._carried_ever = {uid for _, uid in carried}
        self._tracks: list[Track] = []
        # Absences in the course of any lesion; and in that of one that was ever there.
        self._told: set[int] = set()
        self._used: set[int] = set()

    def result(self) -> tuple[Track, ...]:
        """Return the lesions, without absences that another lesion's course tells."""
        return tuple(
            one
            for one in self._tracks
            if not (
                one.is_absence
                and any(id(f) in self._used for each in one.seen.values() for f in each)
            )
        )

    def take(self, study: StudyReading) -> None:
        """Match the findings of the next study with the lesions known so far."""
        findings = study.assessment.findings
        leaders = leaders_of_parts(findings)
        alone = [one for place, one in enumerate(findings) if place not in leaders]
        there = [one for one in alone if one.presence != "absent"]
        absent = [one for one in alone if one.presence == "absent"]
        open_ones = [t for t in self._tracks if not t.ended and t.leader is None]
        marked = [
            t
            for t in open_ones
            if not t.is_absence and not self._is_told_gone(t, there, absent)
        ]
        owner = self._match(study, marked, there, None)
        self._absences(study, open_ones, absent)
        for one in there:
            if id(one) not in owner:
                owner[id(one)] = self._begin(study, one)
        for one in absent:
            if id(one) not in self._told:
                self._tracks.append(Track(seen={study.number: (one,)}))
        self._take_parts(study, leaders, owner)

    def _is_told_gone(
        self, track: Track, there: Sequence[Finding], absent: Sequence[Finding]
    ) -> bool:
        """Tell whether a reading says of a lesion by its name that it is gone.

        What else is there is another lesion then, unless the reading or a reader says
        that it is this one.
        """
        own = {one.tracking_uid for each in track.seen.values() for one in each}
        label = track.seen[track.last_marked][0].label
        said = {later for earlier, later in self._decided.confirmed if earlier in own}
        if any(one.tracking_uid in own | said or one.label == label for one in there):
            return False
        return any(_is_same(track, one) for one in absent)

    def _take_parts(
        self, study: StudyReading, leaders: dict[int, int], owner: dict[int, Track]
    ) -> None:
        """Match fragments with those of the same lesion."""
        findings = study.assessment.findings
        parts: dict[int, list[Finding]] = {}
        for place, leader in leaders.items():
            parts.setdefault(leader, []).append(findings[place])
        known = {id(t): t for t in self._tracks if t.leader is not None}
        of_leader = {id(findings[place]): place for place in parts}
        tracks = {id(track): track for track in owner.values()}
        for track in tracks.values():
            own = track.seen.get(study.number, ())
            now = [f for one in own for f in parts.get(of_leader.get(id(one), -1), [])]
            before = [t for t in known.values() if t.leader is track and not t.ended]
            matched = self._match(study, before, now, track)
            for one in now:
                if id(one) not in matched:
                    self._begin(study, one, leader=track)
            # Where no part is told and none was counted, nobody looked for parts.
            looked = any(one.presence == "present" for one in own) and (
                bool(now) or any(counts_parts(one) for one in own)
            )
            for each in before:
                if study.number not in each.seen and looked:
                    each.gone[study.number] = (
                        f"not among the {len(now)} parts of {own[0].label} that were "
                        f"found on {study.called}"
                    )
        for each in known.values():
            absent = () if each.leader is None else each.leader.seen.get(study.number, ())
            if absent and all(one.presence == "absent" for one in absent):
                self._say_absent(study, each, absent[0], each.leader)

    def _match(
        self,
        study: StudyReading,
        tracks: Sequence[Track],
        findings: Sequence[Finding],
        leader: Track | None,
    ) -> dict[int, Track]:
        """Give findings to the lesions they are of; return the lesion by finding."""
        marks = [
            Mark.of(
                one,
                modality=study.modality_of(one),
                is_part=leader is not None,
                carried=self._may_be_carried(study, one),
            )
            for one in findings
        ]
        before = [track.mark(self._readings) for track in tracks]
        found = propose(before, marks, ways=self._ways, decided=self._decided)
        taken = [one for one in found if one.taken]
        owner: dict[int, Track] = {}
        for later in sorted({one.later for one in taken}):
            group = [one for one in taken if one.later == later]
            best = max(group, key=lambda one: (one.fit, one.link.overlap or 0.0))
            track = tracks[best.earlier]
            self._give(study, track, findings[later], best)
            owner[id(findings[later])] = track
            for one in group:
                if one is not best:
                    self._merge(study, tracks[one.earlier], track, findings[later], one)
        return owner

    def _may_be_carried(self, study: StudyReading, finding: Finding) -> bool:
        """Tell whether marks may have been carried: they were, or nothing says when."""
        uid = finding.tracking_uid
        if uid not in self._carried_ever:
            return True
        return (study.assessment.assessment_uid, uid) in self._carried

    def _give(
        self, study: StudyReading, track: Track, finding: Finding, by: Candidate
    ) -> None:
        """Add a finding to a lesion: a second one splits it."""
        had = track.seen.get(study.number, ())
        track.seen[study.number] = (*had, finding)
        track.links.append(by.link)
        told = by.link.reason if by.link.proposed else ""
        turn = track.turns.get(study.number)
        if had and turn is not None:
            labels = " and ".join(one.label for one in track.seen[study.number])
            many = len(had) + 1 > len(track.seen[self._before(track, study)])
            turn = Turn(
                link=turn.link,
                part="split" if many else turn.part,
                told="; ".join(filter(None, (f"seen as {labels}", turn.told, told))),
                proposed=turn.proposed or by.link.proposed,
            )
        else:
            turn = Turn(
                link=by.link,
                told="; ".join(filter(None, (self._back(track, study), _matched(told)))),
                proposed=by.link.proposed,
            )
        track.turns[study.number] = turn

    def _back(self, track: Track, study: StudyReading) -> str:
        """Return that a lesion is there again that was gone; empty where it is not so."""
        before = track.seen[self._before(track, study)]
        marked = [n for n, each in track.seen.items() if each[0].presence == "present"]
        if before[0].presence != "absent" or not marked[:-1]:
            return ""
        return f"there again: it had been on {self._readings[marked[-2]].called}"

    def _before(self, track: Track, study: StudyReading) -> int:
        return max(number for number in track.seen if number < study.number)

    def _merge(
        self,
        study: StudyReading,
        gone: Track,
        into: Track,
        finding: Finding,
        by: Candidate,
    ) -> None:
        """End a lesion that has merged into another one."""
        names = [self._label(one, study) for one in (gone, into)]
        both = [track.seen[self._before(track, study)] for track in (gone, into)]
        told = _matched(by.link.reason) if by.link.proposed else ""
        gone.seen[study.number] = (finding,)
        gone.links.append(by.link)
        gone.ended = True
        gone.turns[study.number] = Turn(
            link=by.link,
            part="merged",
            told="; ".join(filter(None, (f"with {names[1]}", told))),
            proposed=by.link.proposed,
            joined=both[1],
        )
        turn = into.turns[study.number]
        into.turns[study.number] = Turn(
            link=turn.link,
            part="merged",
            told="; ".join(filter(None, (f"with {names[0]}", turn.told))),
            proposed=turn.proposed or by.link.proposed,
            joined=(*turn.joined, *both[0]),
        )

    def _label(self, track: Track, study: StudyReading) -> str:
        return track.seen[self._before(track, study)][0].label

    def _absences(
        self, study: StudyReading, tracks: Sequence[Track], absent: Sequence[Finding]
    ) -> None:
        """Say of lesions that were looked for and not found that they are absent."""
        open_ones = [t for t in tracks if study.number not in t.seen]
        own: dict[int, Finding] = {}
        for one in absent:
            for track in open_ones:
                if _is_same(track, one):
                    own.setdefault(id(track), one)
        for track in open_ones:
            said = own.get(id(track)) or self._spoken_of(track, absent, own)
            if said is not None:
                self._say_absent(study, track, said, None)

    def _spoken_of(
        self, track: Track, absent: Sequence[Finding], own: dict[int, Finding]
    ) -> Finding | None:
        """Return the absence that speaks of a lesion's kind and place."""
        last = track.seen[track.last_marked][0]
        # What was looked for under another lesion's name says nothing of this one.
        taken = {id(one) for one in own.values()}
        for one in absent:
            if id(one) not in taken and covers(one, last, self._ways, self._decided):
                return one
        return None

    def _say_absent(
        self, study: StudyReading, track: Track, absence: Finding, leader: Track | None
    ) -> None:
        last = track.seen[track.last_marked][0]
        told = "" if absence.label == last.label else f"said of {absence.label}"
        if leader is not None:
            told = f"nothing of {absence.label} is there"
        # What was carried forward is nobody's word, whoever read the rest.
        link = self._decided.confirmed.get((absence.tracking_uid, absence.tracking_uid))
        nobody = not study.assessment.reader.strip() or (
            link is not None and link.proposed
        )
        self._told.add(id(absence))
        if not track.is_absence:
            self._used.add(id(absence))
        track.seen[study.number] = (absence,)
        track.turns[study.number] = Turn(told=told, proposed=nobody)

    def _begin(
        self, study: StudyReading, finding: Finding, *, leader: Track | None = None
    ) -> Track:
        """Return a new lesion, with the dates that had looked for it in vain."""
        for known in self._tracks:
            # One Tracking UID twice in one reading is one lesion, marked in two ways.
            now = known.seen.get(study.number, ())
            if any(one.tracking_uid == finding.tracking_uid for one in now):
                known.seen[study.number] = (*now, finding)
                return known
        track = Track(leader=leader)
        for earlier in self._readings[: study.number]:
            for one in earlier.assessment.findings:
                if one.presence == "absent" and was_missing(
                    one, finding, self._ways, self._decided
                ):
                    track.seen[earlier.number] = (one,)
                    self._used.add(id(one))
                    nobody = not earlier.assessment.reader.strip()
                    track.turns[study.number] = Turn(proposed=nobody)
        track.seen[study.number] = (finding,)
        self._tracks.append(track)
        return track


def _matched(reason: str) -> str:
    return f"matched by {reason}" if reason else ""


def _is_same(track: Track, finding: Finding) -> bool:
    """Tell whether a finding is named as a lesion was: by its UID, or its label too."""
    every = [one for each in track.seen.values() for one in each]
    if any(one.tracking_uid == finding.tracking_uid for one in every):
        return True
    last = track.seen[track.last_marked][0]
    named = (
        (last.label, last.kind, last.site),
        (finding.label, finding.kind, finding.site),
    )
    return named[0] == named[1] and same_side(last, finding) and compatible(last, finding)
