"""Which series of one study is laid over which of another, and what becomes of it.

A series is aligned with the one of its own modality that is most like it; CT with MR only
where there is no other. What is not aligned for certain is a refusal in words: findings
are then matched by what names them, never by place.
"""

from __future__ import annotations

import math
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.alignment import Alignment, align, same_space
from osteotrace.codes import SITES
from osteotrace.comparison.records import StudyPair
from osteotrace.errors import OsteotraceError
from osteotrace.reading.comparing.in_hand import plane_of
from osteotrace.regions import ImagePoints, Mask
from osteotrace.segmentation import marked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from osteotrace.findings import Finding
    from osteotrace.reading.comparing.in_hand import HeldImages, StudyInHand
    from osteotrace.regions import Region
    from osteotrace.series import VolumeHeader
    from osteotrace.volume import Volume

    Progress = Callable[[int, int], None]

WHOLE: Final = "whole image"
# Masks of these are the bone itself, which is what is aligned, and no lesion.
_ANATOMY: Final = ("vertebra", "bone_expansion", "facial_asymmetry")
_BONES: Final = (
    *("bone", "muscle", "reference", "left", "right", "body", "airway"),
    *("normal marrow", "within"),
)
# Around lines and points of a lesion, mm.
_MARGIN_MM: Final = 3.0
# A series twice as fine as another, or twice as large, is a step less alike.
_STEP: Final = math.log(2)


def paired(
    numbers: tuple[int, int],
    earlier: StudyInHand,
    later: StudyInHand,
    progress: Progress | None = None,
) -> StudyPair:
    """Return two studies laid over each other, series by series.

    Parameters
    ----------
    numbers : (int, int)
        Of both studies in the comparison.
    earlier, later : StudyInHand
    progress : callable, optional
        As `osteotrace.alignment.align` tells.
    """
    alignments: dict[tuple[str, str], Alignment] = {}
    refusals: list[str] = []
    if earlier.images is None or later.images is None:
        without = earlier if earlier.images is None else later
        refusals.append(f"there are no images of {without.called}")
        return StudyPair(earlier=numbers[0], later=numbers[1], refusals=tuple(refusals))
    for pair in series_pairs(earlier, later, refusals):
        frames = pair[0].frame_of_reference_uid, pair[1].frame_of_reference_uid
        if frames in alignments:
            continue
        try:
            alignments[frames] = aligned(pair, earlier, later, progress)
        except OsteotraceError as problem:
            refusals.append(f"{_named(*pair)}: {_reason(problem)}")
    return StudyPair(
        earlier=numbers[0],
        later=numbers[1],
        alignments=tuple(alignments.values()),
        refusals=tuple(dict.fromkeys(refusals)),
    )


def series_pairs(
    earlier: StudyInHand, later: StudyInHand, refusals: list[str]
) -> Iterator[tuple[VolumeHeader, VolumeHeader]]:
    """Yield the series to lay over each other: those that findings were read on.

    CT is laid over MR only where no two series of one modality join the studies.
    """
    assert earlier.images is not None
    assert later.images is not None
    before, after = earlier.read_on(), later.read_on()
    taken: set[str] = set()
    partners = [(one, _partner(one, later.images, after)) for one in before.values()]
    partners.sort(key=lambda pair: pair[1] is None or _is_ct(pair[0]) != _is_ct(pair[1]))
    for header, partner in partners:
        if partner is None or (taken and _is_ct(partner) != _is_ct(header)):
            refusals.append(_no_partner(header, later))
        else:
            taken.add(partner.frame_of_reference_uid)
            yield header, partner
            if header.frame_of_reference_uid == partner.frame_of_reference_uid:
                return
    for frame, header in after.items():
        if frame not in taken:
            same = _partner(header, earlier.images, before)
            if same is not None and _is_ct(same) == _is_ct(header):
                yield same, header


def _partner(
    header: VolumeHeader, images: HeldImages, read: dict[str, VolumeHeader]
) -> VolumeHeader | None:
    """Return the volume of another study that is most like a header; None without."""
    every = [one for one in images.headers if one.frame_of_reference_uid]
    own = [one for one in every if _is_ct(one) == _is_ct(header)]
    return most_alike(header, own or every, read)


def most_alike(
    header: VolumeHeader, candidates: list[VolumeHeader], read: dict[str, VolumeHeader]
) -> VolumeHeader | None:
    """Return the volume of another study that is most like one; None without any.

    Parameters
    ----------
    header : VolumeHeader
    candidates : list of VolumeHeader
        Of the other study.
    read : dict of str to VolumeHeader
        Those that findings were read on, by frame of reference: they come first.
    """
    if not candidates:
        return None
    return max(candidates, key=lambda one: _alike(header, one, read))


def _is_ct(header: VolumeHeader) -> bool:
    return header.identity.modality == "CT"


def _alike(
    header: VolumeHeader, other: VolumeHeader, read: dict[str, VolumeHeader]
) -> tuple[object, ...]:
    """Return how like two volumes are: what counts first stands first."""
    words = SequenceMatcher(
        None,
        header.identity.description.casefold(),
        other.identity.description.casefold(),
    ).ratio()
    (size, edge), (other_size, other_edge) = _measures(header), _measures(other)
    return (
        header.frame_of_reference_uid == other.frame_of_reference_uid,
        other.frame_of_reference_uid in read,
        plane_of(header) == plane_of(other),
        round(words, 1),
        -round(abs(math.log(edge / other_edge)) / _STEP),
        -round(abs(math.log(size / other_size)) / _STEP),
        len(other.instances),
        # The order of a folder decides nothing.
        other.identity.series_uid,
    )


def _measures(header: VolumeHeader) -> tuple[float, float]:
    """Return the size of a volume and the edge of its voxels, mm."""
    assert header.grid is not None
    voxel = float(np.prod(np.nan_to_num(header.grid.spacing, nan=1.0))) ** (1 / 3)
    return float(np.linalg.norm(np.ptp(header.grid.corners(), axis=0))), voxel


def aligned(
    pair: tuple[VolumeHeader, VolumeHeader],
    earlier: StudyInHand,
    later: StudyInHand,
    progress: Progress | None,
) -> Alignment:
    """Return one series laid over another, the lesions of both left out.

    Raises
    ------
    OsteotraceError
        If a series cannot be loaded, or they are not aligned for certain.
    """
    assert earlier.images is not None
    assert later.images is not None
    frame = pair[0].frame_of_reference_uid
    if frame and frame == pair[1].frame_of_reference_uid:
        grid = pair[0].grid
        assert grid is not None
        x, y, z = (float(mm) for mm in grid.corners().mean(axis=0))
        return same_space(frame, (x, y, z))
    volumes = earlier.images.held(pair[0]), later.images.held(pair[1])
    studies = (earlier, later)
    lesions = tuple(
        mask
        for study, volume in zip(studies, volumes, strict=True)
        for mask in lesions_on(study.assessment.findings, volume)
    )
    return align(*volumes, left_out=lesions, name=WHOLE, progress=progress)


def lesions_on(findings: tuple[Finding, ...], volume: Volume) -> Iterator[Mask]:
    """Yield the voxels of a volume that lesions lie on: what changes between dates.

    Bones that were marked to be measured are none.
    """
    for finding in findings:
        if finding.kind in _ANATOMY or finding.presence == "absent":
            continue
        for region in finding.regions:
            if region.frame_of_reference_uid == volume.frame_of_reference_uid:
                yield from _mask_of(region, volume)


def _mask_of(region: Region, volume: Volume) -> Iterator[Mask]:
    if isinstance(region, ImagePoints):
        return
    if isinstance(region, Mask):
        if region.role not in _BONES:
            yield region
        return
    points = np.array(region.points)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    reach = float(np.linalg.norm(points - middle, axis=1).max()) + _MARGIN_MM
    try:
        yield marked.ball(volume, middle, reach, role="lesion", cut_at_edge=True)
    except OsteotraceError:
        # What lies off the image hides nothing of it.
        return


def local(
    whole: Alignment,
    finding: Finding,
    earlier: StudyInHand,
    later: StudyInHand,
) -> Alignment | None:
    """Return the alignment of the bone that a finding lies in; None where it has none.

    Vertebrae and the lower jaw move against the rest; a mask of the body or of the jaw
    in the reading is what is aligned, near where the whole image puts it.

    Raises
    ------
    OsteotraceError
        If the bone is not aligned for certain.
    """
    bone = _bone_of(finding, earlier)
    if bone is None or earlier.images is None or later.images is None:
        return None
    ends = whole.transform.from_frame_uid, whole.transform.to_frame_uid
    volumes = []
    for images, frame in zip((earlier.images, later.images), ends, strict=True):
        held = [v for v in images.volumes if v.frame_of_reference_uid == frame]
        if not held:
            return None
        volumes.append(held[0])
    lesions = tuple(
        mask
        for study, volume in zip((earlier, later), volumes, strict=True)
        for mask in lesions_on(study.assessment.findings, volume)
        if mask != bone
    )
    return align(
        *volumes,
        region=bone,
        left_out=lesions,
        around=whole,
        name=SITES[finding.site].meaning,
    )


def _bone_of(finding: Finding, study: StudyInHand) -> Mask | None:
    """Return the marked bone of the site of a finding in its frame of reference."""
    frames = {region.frame_of_reference_uid for region in finding.regions}
    for one in study.assessment.findings:
        if one.site != finding.site or one.kind not in ("vertebra", "vcf", *_ANATOMY):
            continue
        for region in one.regions:
            if isinstance(region, Mask) and region.frame_of_reference_uid in frames:
                return region
    return None


def _named(earlier: VolumeHeader, later: VolumeHeader) -> str:
    one, other = (
        f"{h.identity.modality} {h.identity.description!r}" for h in (earlier, later)
    )
    return f"{one} and {other}"


def _no_partner(header: VolumeHeader, later: StudyInHand) -> str:
    assert later.images is not None
    held = sorted({f"{verdict} ({modality})" for modality, verdict in _verdicts(later)})
    what = f", only {', '.join(held)}" if held else ""
    who = header.identity
    return (
        f"{who.modality} {who.description!r}: {later.called} has no volume that it could "
        f"be laid over{what}"
    )


def _verdicts(study: StudyInHand) -> Iterator[tuple[str, str]]:
    """Yield the modality and the verdict of every volume of a study."""
    catalogue = study.study.catalogue
    for series in catalogue or ():
        for header in series.volumes:
            if series.identity.modality in ("CT", "MR", "CR", "DX"):
                yield (
                    series.identity.modality,
                    " ".join(header.verdicts).replace("_", " "),
                )


def _reason(problem: OsteotraceError) -> str:
    return f"{problem.found}; expected {problem.expected}"
