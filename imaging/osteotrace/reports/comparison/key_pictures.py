"""The picture of a lesion at each date: one plane, one field, one window, its mark drawn.

The plane is chosen at the first date at which the lesion was marked and laid into the
other studies through the alignments. Where none holds, each date has a plane of its own
and the caption says so. Pictures are for eyes only: no number is read from one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from osteotrace import geometry
from osteotrace.findings import marked_volume, shares_space
from osteotrace.measurements.gas import REGION
from osteotrace.regions import extent
from osteotrace.reports.comparison import words
from osteotrace.reports.comparison.frames import Way, way
from osteotrace.reports.comparison.picture_drawing import Window, drawn, window_of
from osteotrace.reports.comparison.picture_planes import (
    field_of,
    main_region,
    main_regions,
    plane_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from osteotrace.comparison import Comparison, Lesion
    from osteotrace.findings import Finding
    from osteotrace.regions import Region
    from osteotrace.reports.figures.planes import Plane
    from osteotrace.volume import Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPicture:
    """A lesion at one date.

    Parameters
    ----------
    tracking_uid : str
        Of the lesion.
    study : int
        Number of the study.
    png : bytes
        Square, with letters, a scale bar, the mark and the word RESEARCH.
    caption : str
        Plane, window, and how the plane was found in this study.
    letters : (left, right, top, bottom)
        Patient letters at the sides.
    plane : str
        In words, e.g. ``"sagittal, through the line"``.
    same_plane : bool
        True where the plane is that of the lesion's first picture.
    is_marked : bool
        True where a mark of this date is drawn.
    """

    tracking_uid: str
    study: int
    png: bytes
    caption: str
    letters: tuple[str, str, str, str]
    plane: str
    same_plane: bool
    is_marked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shot:
    """What one picture is made of."""

    study: int
    volume: Volume
    plane: Plane
    findings: tuple[Finding, ...]
    way: Way | None
    is_first: bool = False


def key_pictures(
    comparison: Comparison, volumes: Mapping[int, Sequence[Volume]]
) -> tuple[KeyPicture, ...]:
    """Return the pictures of every lesion, by lesion and then by date.

    Parameters
    ----------
    comparison : Comparison
    volumes : mapping of int to sequence of Volume
        Those of each study, by its number. A study without any has no pictures.

    Returns
    -------
    tuple of KeyPicture
        The parts of a lesion, such as fragments, are drawn in its own pictures.
    """
    whole = [
        lesion
        for lesion in comparison.lesions
        if words.leader_of(lesion, comparison.lesions) is None
    ]
    return tuple(
        picture for lesion in whole for picture in _of_lesion(comparison, lesion, volumes)
    )


def _of_lesion(
    comparison: Comparison, lesion: Lesion, volumes: Mapping[int, Sequence[Volume]]
) -> Iterator[KeyPicture]:
    shots = _shots(comparison, lesion, volumes)
    window: Window | None = None
    for shot in shots:
        window = window_of(shot.volume, lesion.kind, like=window)
        yield _picture(lesion, shot, window, _how(shot, shots))


def _shots(
    comparison: Comparison, lesion: Lesion, volumes: Mapping[int, Sequence[Volume]]
) -> list[_Shot]:
    """Return what to show at each date, the studies in order."""
    marked = {
        seen.study: found
        for seen in lesion.seen
        if (found := _marked(seen.findings, volumes.get(seen.study, ()))) is not None
    }
    if not marked:
        return []
    first = min(marked)
    finding, shown, volume = marked[first]
    plane = plane_of(finding, shown, volume.grid)
    lead = _Shot(
        study=first,
        volume=volume,
        plane=plane,
        findings=_findings(comparison, lesion, first),
        way=None,
        is_first=True,
    )
    shots = {first: lead}
    for study in sorted(volumes):
        if study != first:
            other = _elsewhere(comparison, lesion, study, lead, volumes, marked)
            if other is not None:
                shots[study] = other
    return _one_field([shots[study] for study in sorted(shots)])


def _elsewhere(
    comparison: Comparison,
    lesion: Lesion,
    study: int,
    first: _Shot,
    volumes: Mapping[int, Sequence[Volume]],
    marked: Mapping[int, tuple[Finding, list[Region], Volume]],
) -> _Shot | None:
    """Return how another study shows the lesion, in the plane of the first if it can."""
    own = marked.get(study)
    findings = _findings(comparison, lesion, study)
    preferred = own[2] if own else None
    frame = first.volume.frame_of_reference_uid
    for volume in _alike(first.volume, volumes[study], preferred):
        found = way(comparison, frame, volume.frame_of_reference_uid, first.plane.centre)
        if found is None or not frame:
            continue
        plane = _moved(first.plane, found)
        if volume.grid.contains(plane.centre[None]).any():
            return _Shot(study=study, volume=volume, plane=plane, findings=findings,
                         way=found)  # fmt: skip
    if own is None:
        return None
    plane = plane_of(own[0], own[1], own[2].grid)
    return _Shot(study=study, volume=own[2], plane=plane, findings=findings, way=None)


def _findings(comparison: Comparison, lesion: Lesion, study: int) -> tuple[Finding, ...]:
    """Return the findings of a lesion and its parts at a date."""
    whole = [
        one
        for one in comparison.lesions
        if one is lesion or words.leader_of(one, [lesion]) is not None
    ]
    return tuple(
        finding
        for one in whole
        for seen in one.seen
        if seen.study == study
        for finding in seen.findings
    )


def _marked(
    findings: Sequence[Finding], volumes: Sequence[Volume]
) -> tuple[Finding, list[Region], Volume] | None:
    """Return the first finding with a mark in a volume, those marks, and the volume."""
    for finding in findings:
        named = marked_volume(finding, volumes)
        for volume in (*([named] if named else []), *volumes):
            shown = _shown(finding, volume)
            if shown:
                return finding, shown, volume
    return None


def _shown(finding: Finding, volume: Volume) -> list[Region]:
    """Return the regions of a finding that lie in a volume."""
    return [
        region
        for region in finding.regions
        if extent(region) and shares_space(finding, region, volume)
    ]


def _alike(
    first: Volume, others: Sequence[Volume], preferred: Volume | None
) -> list[Volume]:
    """Return the volumes that show what the first one shows, the most alike first.

    Parameters
    ----------
    preferred : Volume or None
        The one on which the lesion was marked at that date.
    """

    def unlike(volume: Volume) -> tuple[bool, bool, bool]:
        return (
            volume.identity.modality != first.identity.modality,
            volume is not preferred,
            volume.identity.description != first.identity.description,
        )

    return sorted(others, key=unlike)


def _moved(plane: Plane, found: Way) -> Plane:
    """Return a plane laid into another study."""
    return replace(
        plane,
        centre=found.transform.apply(plane.centre),
        right=found.transform.direction(plane.right),
        down=found.transform.direction(plane.down),
    )


def _one_field(shots: list[_Shot]) -> list[_Shot]:
    """Give every picture one width: equal mm are equal pixels at every date."""
    width = max(_width(shot) for shot in shots)
    return [replace(shot, plane=replace(shot.plane, width=width)) for shot in shots]


def _width(shot: _Shot) -> float:
    """Return the width that holds the marks of a date, no wider than the images."""
    marks = [
        extent(region)
        for finding in shot.findings
        for region in main_regions(finding, _shown(finding, shot.volume))
    ]
    wanted = field_of(shot.plane, marks) if marks else 0.0
    return max(wanted, shot.plane.width if shot.way is None else 0.0)


# Words -------------------------------------------------------------------------------


def _picture(lesion: Lesion, shot: _Shot, window: Window, told: str) -> KeyPicture:
    marks = [
        (region, region == main_region(finding, shown) and region.role != REGION)
        for finding in shot.findings
        for shown in [_shown(finding, shot.volume)]
        for region in shown
    ]
    plane = shot.plane
    return KeyPicture(
        tracking_uid=lesion.tracking_uid,
        study=shot.study,
        png=drawn(shot.volume, plane, marks, window),
        caption="; ".join(filter(None, (plane.name, window.words, told))),
        letters=_letters(plane),
        plane=plane.name,
        same_plane=shot.way is not None,
        is_marked=bool(marks),
    )


def _how(shot: _Shot, shots: list[_Shot]) -> str:
    """Return how the plane of the first picture was found in another study."""
    if shot.way is None:
        others = [one.way for one in shots if not one.is_first]
        leads = shot.is_first and (not others or any(others))
        return "" if leads else "own plane: not registered"
    if not shot.way.regions:
        return "same plane, one frame of reference"
    parts = ", ".join(dict.fromkeys(shot.way.regions))
    error = f"{shot.way.u_mm:.2f}"
    return f"same plane by registration ({parts}, u {error} mm)"


def _letters(plane: Plane) -> tuple[str, str, str, str]:
    left, right, top, bottom = (
        geometry.patient_letters(way)
        for way in (-plane.right, plane.right, -plane.down, plane.down)
    )
    return left, right, top, bottom
