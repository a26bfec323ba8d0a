"""From a protocol's entries to findings: which measurement each entry stands for.

One function an entry type measures and names the finding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from osteotrace import geometry
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Finding
from osteotrace.measurements import (
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
from osteotrace.measurements.measurement import LesionReading, Method, not_measured
from osteotrace.protocol import entries as kinds
from osteotrace.reading.assessing import tracking_uid
from osteotrace.reading.calipers import caliper, caliper_finding
from osteotrace.regions import Points

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from osteotrace.protocol import Entry
    from osteotrace.reading.images import StudyImages
    from osteotrace.regions import Mask, Point
    from osteotrace.volume import Volume

Findings = tuple[Finding, ...]

# Who says why an entry was not measured.
METHOD: Final = Method(name="osteotrace protocol", version="1")


def findings_of(entries: Sequence[Entry], images: StudyImages) -> Findings:
    """Return the findings of a protocol's entries, in the order of the entries.

    What cannot be measured on the volume that its entry means is a finding without a
    value: the reason stands in it, and the other entries are measured.

    Raises
    ------
    OsteotraceError
        If there is no volume, or more than one, that an entry means.
    """
    return tuple(finding for entry in entries for finding in _found(entry, images))


def _found(entry: Entry, images: StudyImages) -> Findings:
    volume = images.volume(entry)
    try:
        return _FINDERS[type(entry)](entry, images)
    except OsteotraceError as problem:
        reason = f"{problem.found}; expected {problem.expected}; {problem.advice}"
        refusal = not_measured(entry.primary, reason, method=METHOD)
        reading = LesionReading(measurements=(refusal,))
        return (lesion_finding(entry, volume, reading),)


def lesion_finding(
    entry: Entry,
    volume: Volume,
    reading: LesionReading,
    *,
    part: str = "",
    site: str = "",
) -> Finding:
    """Return the finding that a lesion's reading stands for.

    Parameters
    ----------
    entry : Entry
        What asked for it.
    volume : Volume
        What it was read on.
    reading : LesionReading
    part : str
        Added to the entry's label where it stands for several findings.
    site : str
        In place of the entry's.
    """
    label = f"{entry.label}{part}"
    return Finding(
        tracking_uid=tracking_uid(volume.identity.study_uid, label),
        label=label,
        kind=entry.kind,
        site=site or entry.site,
        laterality=entry.laterality,
        note=entry.note,
        regions=reading.regions,
        measurements=reading.measurements,
        series_uid=volume.identity.series_uid,
    )


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


def points_of(volume: Volume, role: str, named: Mapping[str, Point]) -> Points:
    """Return the named points of an entry as a region; ``_`` in a name is a space."""
    stored = tuple(geometry.as_stored(point) for point in named.values())
    return Points(
        role=role,
        points=stored,
        point_roles=tuple(name.replace("_", " ") for name in named),
        frame_of_reference_uid=volume.frame_of_reference_uid,
        source_instances=tuple(image.source for image in volume.slices_between(stored)),
    )


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
    kinds.IntensityEntry: _on_regions(intensity.measure, ("region",)),
}
