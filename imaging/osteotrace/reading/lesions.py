"""From a protocol's entries to findings: which measurement each entry stands for.

One function an entry type measures and names the finding; vertebrae are read together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from osteotrace.errors import NothingSelectedError, OsteotraceError
from osteotrace.measurements import (
    angle,
    cement,
    gas,
    intensity,
    marrow,
    moth_eaten,
    palate,
    rims,
    sequestra,
    symmetry,
)
from osteotrace.measurements.measurement import LesionReading
from osteotrace.protocol import entries as kinds
from osteotrace.reading.assessing import tracking_uid
from osteotrace.reading.calipers import caliper, caliper_finding
from osteotrace.reading.expanding import expanded
from osteotrace.reading.images import points_of
from osteotrace.reading.naming import lesion_finding, refused_finding, with_notes
from osteotrace.reading.vertebrae import vertebra_findings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from osteotrace.findings import Finding
    from osteotrace.protocol import Entry
    from osteotrace.reading.images import StudyImages
    from osteotrace.regions import Mask

Findings = tuple["Finding", ...]


def findings_of(entries: Sequence[Entry], images: StudyImages) -> Findings:
    """Return the findings of a protocol's entries, in the order of the entries.

    An entry that stands for several labels, levels or marks gives a finding for each.
    What cannot be measured on the volume that its entry means is a finding without a
    value: the reason stands in it, and the other entries are measured.

    Raises
    ------
    OsteotraceError
        If there is no volume, or more than one, that an entry means.
    NothingSelectedError
        If the study has no series that any entry means, or none of the labels and marks
        that the protocol can do without.
    """
    try:
        return _findings(expanded(entries, images), images)
    except OsteotraceError as problem:
        if any(images.means(entry) for entry in entries):
            raise
        raise NothingSelectedError(
            problem.found,
            expected=problem.expected,
            advice=problem.advice,
            where=problem.where,
        ) from problem


def _findings(entries: Sequence[Entry], images: StudyImages) -> Findings:
    levels = [entry for entry in entries if isinstance(entry, kinds.VertebraEntry)]
    vertebrae = vertebra_findings(levels, images)
    return tuple(
        finding
        for entry in entries
        for finding in (
            (vertebrae[entry.label],)
            if entry.label in vertebrae
            else _found(entry, images)
        )
    )


def _found(entry: Entry, images: StudyImages) -> Findings:
    volume = images.volume(entry)
    try:
        found = _FINDERS[type(entry)](entry, images)
        notes = images.notes_of(entry, volume)
        return tuple(with_notes(finding, notes) for finding in found)
    except OsteotraceError as problem:
        return (refused_finding(entry, volume, problem),)


def _caliper(entry: kinds.CaliperEntry, images: StudyImages) -> Findings:
    volume = images.volume(entry)
    reading = caliper(
        volume,
        entry.start,
        entry.end,
        snap=entry.snap,
        between=entry.between,
        walls=entry.walls,
    )
    finding = caliper_finding(
        reading,
        tracking_uid=tracking_uid(volume.identity.study_uid, entry.label),
        label=entry.label,
        kind=entry.kind,
        site=entry.site,
        laterality=entry.laterality,
        quantity=entry.quantity,
        note=entry.note,
    )
    return (finding,)


def _angle(entry: kinds.AngleEntry, images: StudyImages) -> Findings:
    volume = images.volume(entry)
    points = [point for point in (*entry.arms, *entry.lines) if point is not None]
    if len(points) == len(entry.arms):
        reading = angle.between_arms(volume, *points)
    else:
        first, second = (points[0], points[1]), (points[2], points[3])
        reading = angle.between_lines(volume, first, second, quantity=entry.quantity)
    return (lesion_finding(entry, volume, reading),)


def _palatal_defect(entry: kinds.PalatalDefectEntry, images: StudyImages) -> Findings:
    volume = images.volume(entry)
    start = entry.start if entry.seed is None else entry.seed
    assert start is not None
    return (lesion_finding(entry, volume, palate.bony_gap(volume, start, entry.end)),)


def _soft_tissue_gap(entry: kinds.SoftTissueGapEntry, images: StudyImages) -> Findings:
    volume = images.volume(entry)
    reading = palate.soft_tissue_gap(
        volume, entry.start, entry.end, meaning=entry.meaning
    )
    return (lesion_finding(entry, volume, reading),)


def _sequestra(entry: kinds.SequestraEntry, images: StudyImages) -> Findings:
    volume = images.volume(entry)
    found = sequestra.find(volume, images.region(volume, entry.region, "region"))
    return (
        lesion_finding(entry, volume, found.summary),
        *(
            lesion_finding(entry, volume, fragment, part=f"/{number}")
            for number, fragment in enumerate(found.fragments, start=1)
        ),
    )


def _marrow_edema(entry: kinds.MarrowEdemaEntry, images: StudyImages) -> Findings:
    volume = images.volume(entry)
    edema = images.optional(volume, entry.edema, "edema")
    if edema is None:
        assert entry.seed is not None
        assert entry.reference is not None
        edema = marrow.grow(
            volume,
            entry.seed,
            within=images.optional(volume, entry.within, "within"),
            reference=images.region(volume, entry.reference, "normal marrow"),
        )
    reading = marrow.measure(
        volume,
        edema,
        bone=images.optional(volume, entry.bone, "bone"),
        muscle=images.optional(volume, entry.muscle, "muscle"),
    )
    return (lesion_finding(entry, volume, reading),)


def _expansion(entry: kinds.ExpansionEntry, images: StudyImages) -> Findings:
    volume = images.volume(entry)
    plane = None
    if entry.midline is not None:
        landmarks = points_of(volume, "midline", entry.midline)
        plane = symmetry.plane_of_symmetry(landmarks, grid=volume.grid)
    reading = symmetry.expansion(
        volume,
        images.region(volume, entry.left, "left"),
        images.region(volume, entry.right, "right"),
        plane=plane,
        at=entry.at,
    )
    return (lesion_finding(entry, volume, reading),)


def _absent(entry: kinds.AbsentEntry, images: StudyImages) -> Findings:
    volume = images.volume(entry)
    nothing = LesionReading(measurements=(), presence="absent")
    return (lesion_finding(entry, volume, nothing),)


def _on_regions(
    measure: Callable[..., LesionReading], keys: Iterable[str]
) -> Callable[[Any, StudyImages], Findings]:
    """Return a finder that hands an entry's regions of these keys to a measurement.

    Regions that an entry leaves out are handed over as None, by keyword.
    """

    def find(entry: Entry, images: StudyImages) -> Findings:
        volume = images.volume(entry)
        given: dict[str, Mask | None] = {
            key: images.optional(volume, getattr(entry, key), key) for key in keys
        }
        return (lesion_finding(entry, volume, measure(volume, **given)),)

    return find


_FINDERS: Final[dict[type[Entry], Callable[..., Findings]]] = {
    kinds.CaliperEntry: _caliper,
    kinds.AngleEntry: _angle,
    kinds.PalatalDefectEntry: _palatal_defect,
    kinds.SoftTissueGapEntry: _soft_tissue_gap,
    kinds.SequestraEntry: _sequestra,
    kinds.MarrowEdemaEntry: _marrow_edema,
    kinds.GasEntry: _on_regions(gas.measure, ("region", "airway")),
    kinds.ScleroticRimEntry: _on_regions(rims.sclerotic_rim, ("lesion",)),
    kinds.PeriostealReactionEntry: _on_regions(rims.periosteal_reaction, ("region",)),
    kinds.MothEatenEntry: _on_regions(moth_eaten.measure, ("region", "reference")),
    kinds.CementEntry: _on_regions(cement.measure, ("region", "body")),
    kinds.ExpansionEntry: _expansion,
    kinds.AbsentEntry: _absent,
    kinds.IntensityEntry: _on_regions(intensity.measure, ("region",)),
}
