"""Lesions that a later reading does not speak of, looked for on its images.

Nothing of this is a reading: what is found is a proposal for a reader, and what cannot be
measured says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np

from osteotrace.alignment import RigidTransform
from osteotrace.codes import SITES
from osteotrace.comparison.places import Way, Ways, place_of
from osteotrace.errors import OsteotraceError
from osteotrace.findings import leaders_of_parts
from osteotrace.measurements.measurement import NotMeasured
from osteotrace.reading.assessing import series_reference
from osteotrace.reading.comparing import aligning
from osteotrace.reading.comparing.carrying import Carried, carried
from osteotrace.reading.comparing.marks import marks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from osteotrace.comparison.records import Comparison, StudyPair
    from osteotrace.findings import Assessment, Finding
    from osteotrace.reading.comparing.in_hand import StudyInHand
    from osteotrace.series import VolumeHeader
    from osteotrace.volume import Volume

# What a reading is called whose findings are proposals alone.
PROTOCOL: Final = "carried forward"
# Bones that are measured are no lesions to be looked for.
_NO_LESION: Final = ("vertebra",)


class Numbered(NamedTuple):
    """A study with its number in the comparison."""

    number: int
    study: StudyInHand


def carry_forward(
    studies: list[StudyInHand],
    pairs: list[StudyPair],
    comparison: Callable[[], Comparison],
) -> list[str]:
    """Add to each later study what its reading does not speak of; return notes.

    Parameters
    ----------
    studies : list of StudyInHand
        By date; proposals are added to their readings.
    pairs : list of StudyPair
        Local alignments are added to them, and why one failed.
    comparison : callable
        Returns the comparison of what is read by then.
    """
    notes: list[str] = []
    for number in range(1, len(studies)):
        later = studies[number]
        if later.images is None or not any(pair.alignments for pair in pairs):
            continue
        added = []
        for before, finding in _not_spoken_of(comparison(), number):
            both = Numbered(before, studies[before]), Numbered(number, later)
            try:
                found = proposed(finding, *both, pairs)
            except OsteotraceError as problem:
                notes.append(f"{finding.label} is not carried forward: {problem.found}")
            else:
                if found is not None and found[0].entry is None and later.is_read:
                    notes.append(_left_out(finding, later, found[0]))
                elif found is not None:
                    added.append(found)
        if added:
            _add(later, added)
    return notes


def _left_out(finding: Finding, later: StudyInHand, found: Carried) -> str:
    """Return why a lesion that a reading does not speak of was not looked for."""
    reason = found.findings[0].measurements[0]
    assert isinstance(reason, NotMeasured)
    return f"{finding.label} is not looked for in {later.called}: {reason.reason}"


def _not_spoken_of(found: Comparison, number: int) -> Iterator[tuple[int, Finding]]:
    """Yield the latest earlier findings of lesions that a study does not speak of."""
    for lesion in found.lesions:
        if any(seen.study == number for seen in lesion.seen):
            continue
        before = [
            seen
            for seen in lesion.seen
            if seen.study < number
            and any(one.presence == "present" for one in seen.findings)
        ]
        if before:
            for finding in before[-1].findings:
                yield before[-1].study, finding


def proposed(
    finding: Finding, earlier: Numbered, later: Numbered, pairs: list[StudyPair]
) -> tuple[Carried, Volume] | None:
    """Return what a finding gives on the images of a later study, and which they are.

    None where it is a bone that was measured and no lesion, a part that comes with its
    leader, or nothing joins its images with the later ones.

    Raises
    ------
    OsteotraceError
        If it is not known what the finding was measured by.
    """
    before, after = earlier.study, later.study
    if finding.kind in _NO_LESION or _is_part(finding, before.assessment):
        return None
    assert before.images is not None
    header = before.images.header_of(finding)
    onto = None if header is None else _laid_over(header, after, pairs)
    if header is None or onto is None:
        return None
    marks = marks_of(finding, before)
    assert after.images is not None
    volume = after.images.held(onto)
    _align_bone(finding, earlier, later, pairs)
    frames = header.frame_of_reference_uid, onto.frame_of_reference_uid
    way = _ways(pairs).between(*frames, site=finding.site)
    assert way is not None
    place = place_of([finding])
    middle = marks.volume.grid.corners().mean(axis=0) if place is None else place.middle
    found = carried(
        finding,
        marks,
        volume,
        _transform(way, frames),
        u_mm=way.uncertainty_at(middle),
        since=before.called,
        parts=_parts(finding, before.assessment),
    )
    return found, volume


def _is_part(finding: Finding, reading: Assessment) -> bool:
    places = leaders_of_parts(reading.findings)
    uids = {reading.findings[place].tracking_uid for place in places}
    return finding.tracking_uid in uids


def _parts(finding: Finding, reading: Assessment) -> tuple[Finding, ...]:
    every = reading.findings
    return tuple(
        every[place]
        for place, leader in leaders_of_parts(every).items()
        if every[leader].tracking_uid == finding.tracking_uid
    )


def _ways(pairs: list[StudyPair]) -> Ways:
    return Ways(one for pair in pairs for one in pair.alignments)


def _laid_over(
    header: VolumeHeader, later: StudyInHand, pairs: list[StudyPair]
) -> VolumeHeader | None:
    """Return the later volume that a finding is looked for on; None without one.

    It is of the same modality, and a transform joins both.
    """
    assert later.images is not None
    ways = _ways(pairs)
    joined = [
        one
        for one in later.images.headers
        if one.identity.modality == header.identity.modality
        and ways.between(header.frame_of_reference_uid, one.frame_of_reference_uid)
    ]
    return aligning.most_alike(header, joined, later.read_on())


def _transform(way: Way, frames: tuple[str, str]) -> RigidTransform:
    """Return the transforms of a way as one."""
    whole = RigidTransform.of(
        np.eye(3), np.zeros(3), from_frame_uid=frames[0], to_frame_uid=frames[0]
    )
    for alignment, backwards in way.steps:
        step = alignment.transform
        whole = whole.then(step.inverse if backwards else step)
    return whole


def _align_bone(
    finding: Finding, earlier: Numbered, later: Numbered, pairs: list[StudyPair]
) -> None:
    """Add the alignment of the bone that a finding lies in to the pair of both studies.

    Where the bone is not aligned for certain the whole image counts, and the pair says
    so.
    """
    name = SITES[finding.site].meaning
    frames = {region.frame_of_reference_uid for region in finding.regions}
    for place, pair in enumerate(pairs):
        if (pair.earlier, pair.later) != (earlier.number, later.number):
            continue
        if any(name in (*a.notes, a.region) for a in pair.alignments) or any(
            text.startswith(name) for text in pair.refusals
        ):
            continue
        for whole in pair.alignments:
            if whole.transform.from_frame_uid not in frames or not whole.starts:
                continue
            try:
                own = aligning.local(whole, finding, earlier.study, later.study)
                more = () if own is None else (own,)
                pairs[place] = msgspec.structs.replace(
                    pair, alignments=(*pair.alignments, *more)
                )
            except OsteotraceError as problem:
                told = f"{name} by itself: {problem.found}"
                pairs[place] = msgspec.structs.replace(
                    pair, refusals=(*pair.refusals, told)
                )
            break


def _add(later: StudyInHand, found: list[tuple[Carried, Volume]]) -> None:
    """Add proposals to the reading of a study."""
    reading = later.assessment
    findings = [one for each, _ in found for one in each.findings]
    known = {one.series_uid for one in reading.series}
    series = {
        volume.identity.series_uid: series_reference(volume)
        for _, volume in found
        if volume.identity.series_uid not in known
    }
    later.carried.update(one.tracking_uid for one in findings)
    for each, _ in found:
        later.registration |= each.registration
    later.assessment = msgspec.structs.replace(
        reading,
        findings=(*reading.findings, *_told_apart(findings, reading.findings)),
        series=(*reading.series, *series.values()),
        protocol=reading.protocol if later.is_read else PROTOCOL,
    )


def _told_apart(added: list[Finding], known: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return proposals under labels that the reading does not have yet."""
    taken = {one.label for one in known}
    return tuple(
        msgspec.structs.replace(one, label=f"{one.label} (carried)")
        if one.label in taken
        else one
        for one in added
    )
