"""What came of laying series over each other, as long as the session lasts.

A refusal is kept with its reason as a transform is: what was tried is not tried again
unless it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from osteotrace.alignment import Alignment
    from osteotrace.session.comparing.aligned_series import Aligned, PairKey
    from osteotrace.session.comparing.known_studies import KnownStudy
    from osteotrace.volume import Volume


class Transforms:
    """The transforms between the studies of a patient that are known so far.

    Attributes
    ----------
    version : object
        Another one whenever a transform came.
    """

    def __init__(self) -> None:
        self._aligned: dict[PairKey, Aligned] = {}
        # Of single bones, by both studies.
        self._local: dict[tuple[str, str], tuple[Alignment, ...]] = {}
        self.version = object()

    def keep(self, aligned: Iterable[Aligned]) -> None:
        """Keep what came of pairs of series."""
        self._aligned |= {one.pair.key: one for one in aligned}
        self.version = object()

    def keep_local(
        self, earlier: KnownStudy, later: KnownStudy, found: tuple[Alignment, ...]
    ) -> None:
        """Keep the transforms of single bones between two studies."""
        if found:
            key = earlier.study_uid, later.study_uid
            self._local[key] = (*self._local.get(key, ()), *found)
            self.version = object()

    def results(self, earlier: KnownStudy, later: KnownStudy) -> tuple[Aligned, ...]:
        """Return what came of laying two studies over each other."""
        firsts, lasts = (
            {(one.identity.series_uid, one.k) for one in study.headers}
            for study in (earlier, later)
        )
        return tuple(
            one
            for (first, last), one in self._aligned.items()
            if first in firsts and last in lasts
        )

    def alignments(self, earlier: KnownStudy, later: KnownStudy) -> tuple[Alignment, ...]:
        """Return the transforms between two studies, those of single bones too."""
        whole = (one.alignment for one in self.results(earlier, later))
        local = self._local.get((earlier.study_uid, later.study_uid), ())
        return (*(one for one in whole if one is not None), *local)

    def refusals(self, earlier: KnownStudy, later: KnownStudy) -> tuple[str, ...]:
        """Return why series of two studies were not aligned, in words."""
        return tuple(
            f"{one.pair.as_text} {one.as_text}"
            for one in self.results(earlier, later)
            if one.problem is not None
        )

    def between(self, earlier: Volume, later: Volume) -> Aligned | None:
        """Return what joins the spaces of two volumes, or why nothing does.

        None where it was not tried.
        """
        frames = earlier.frame_of_reference_uid, later.frame_of_reference_uid
        found = [one for one in self._aligned.values() if one.pair.frames == frames]
        found.sort(key=lambda one: one.alignment is None)
        return found[0] if found else None
