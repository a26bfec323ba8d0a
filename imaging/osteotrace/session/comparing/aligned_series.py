"""Two studies laid over each other: which series of each, and what came of it.

One pair of series stands for each pair of spaces: what is in one frame of reference moves
together. What came of a pair is kept, a refusal with its reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from osteotrace.alignment import Alignment
    from osteotrace.reading.comparing.in_hand import StudyInHand
    from osteotrace.series import VolumeHeader

    Progress = Callable[[int, int], None]
    PairKey = tuple[tuple[str, int], tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesPair:
    """A volume of the earlier study and one of the later that are laid over each other.

    Parameters
    ----------
    earlier, later : VolumeHeader
    """

    earlier: VolumeHeader
    later: VolumeHeader

    @property
    def key(self) -> PairKey:
        """What tells the pair from others."""
        return (
            (self.earlier.identity.series_uid, self.earlier.k),
            (self.later.identity.series_uid, self.later.k),
        )

    @property
    def frames(self) -> tuple[str, str]:
        """Both frames of reference, the earlier one first."""
        return (
            self.earlier.frame_of_reference_uid,
            self.later.frame_of_reference_uid,
        )

    @property
    def as_text(self) -> str:
        """Both series in words."""
        return " → ".join(
            " ".join(filter(None, (one.identity.modality, one.identity.date)))
            for one in (self.earlier, self.later)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Aligned:
    """What came of laying two series over each other.

    Parameters
    ----------
    pair : SeriesPair
    alignment : Alignment or None
        None where it was refused.
    problem : OsteotraceError or None
        Why it was.
    """

    pair: SeriesPair
    alignment: Alignment | None = None
    problem: OsteotraceError | None = None

    @property
    def as_text(self) -> str:
        """The registration with its error, or the refusal in full."""
        if self.alignment is not None:
            return self.alignment.as_text
        if self.problem is None:
            return "not aligned"
        told = self.problem
        return f"refused: {told.found}; expected {told.expected}; {told.advice}"


def series_pairs(earlier: StudyInHand, later: StudyInHand) -> tuple[SeriesPair, ...]:
    """Return which series are laid over each other: one pair a pair of spaces.

    As `osteotrace.reading.comparing` chooses them, by what was found on them; of studies
    of which nothing is read yet, each space of the later one meets the earlier one that
    is most like it.
    """
    from osteotrace.reading.comparing import aligning

    if earlier.images is None or later.images is None:
        return ()
    chosen = [
        SeriesPair(earlier=one, later=other)
        for one, other in aligning.series_pairs(earlier, later, [])
    ]
    if not chosen:
        chosen = [
            SeriesPair(earlier=one, later=ones[0])
            for ones in _by_frame(later.images.headers).values()
            if (one := likest(ones[0], earlier.images.headers)) is not None
        ]
    found: dict[tuple[str, str], SeriesPair] = {}
    for pair in chosen:
        found.setdefault(pair.frames, pair)
    return tuple(found.values())


def laid_over(
    pair: SeriesPair,
    earlier: StudyInHand,
    later: StudyInHand,
    progress: Progress | None = None,
) -> Aligned:
    """Load both series and align them; a refusal is what came of it.

    Parameters
    ----------
    pair : SeriesPair
    earlier, later : StudyInHand
        Whose lesions are left out: they may have changed.
    progress : callable, optional
        Called with what is done and what there is in all; it may raise to stop.
    """
    from osteotrace.reading.comparing import aligning

    if progress is not None:
        progress(0, 1)
    try:
        alignment = aligning.aligned((pair.earlier, pair.later), earlier, later, progress)
    except OsteotraceError as problem:
        return Aligned(pair=pair, problem=problem)
    return Aligned(pair=pair, alignment=alignment)


def _by_frame(headers: Iterable[VolumeHeader]) -> dict[str, list[VolumeHeader]]:
    """Return the volumes of each space, the largest first; without one they have none."""
    found: dict[str, list[VolumeHeader]] = {}
    for one in sorted(headers, key=lambda one: len(one.instances), reverse=True):
        if one.frame_of_reference_uid:
            found.setdefault(one.frame_of_reference_uid, []).append(one)
    return found


def likest(header: VolumeHeader, others: Iterable[VolumeHeader]) -> VolumeHeader | None:
    """Return the volume of one modality that is most like another; None without."""
    from osteotrace.reading.comparing import aligning

    modality = header.identity.modality
    same = [
        one
        for one in others
        if one.identity.modality == modality and one.frame_of_reference_uid
    ]
    return aligning.most_alike(header, same, {})
