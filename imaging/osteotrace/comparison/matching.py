"""Which findings of a later date are which lesions of before.

One Tracking UID makes two findings one lesion, and so does a reader who says so. All else
is proposed: by vertebral level, by the overlap or the distance of their places through a
transform, or, where none is there, by kind, site and side. Proposals never stand alone:
those that fit nearly as well are named, and what a reader refused is not offered again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from osteotrace.codes import VERTEBRAE
from osteotrace.comparison.places import Ways, nearness, place_of
from osteotrace.comparison.records import Link

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from osteotrace.comparison.places import Nearness, Place
    from osteotrace.comparison.records import Basis
    from osteotrace.findings import Finding

# A vertebra that was measured may have broken since: its level makes it the same.
OF_A_LEVEL: Final = ("vertebra", "vcf")
# Any length may be of these: without a transform they tell no lesion from another.
ANY_KIND: Final = ("lesion", "region")
ANY_SITE: Final = ("", "unspecified")
# Bones that are measured as a whole are the same by what they are: where their widths
# were read says nothing of it.
WHOLE_BONES: Final = ("bone_expansion", "facial_asymmetry", "remodelling")
# Masks that share less of the smaller one touch; they are not one lesion.
LEAST_OVERLAP: Final = 0.1
# A second lesion that lies in the first by two thirds is a part of it: split, merged. A
# neighbour that has moved or grown into its place lies there by less.
PART_OVERLAP: Final = 2 / 3

# How good a match is by its basis, the best first: one of a worse basis is looked for
# only among what the better ones leave.
_RANKS: Final[tuple[Basis, ...]] = ("level", "overlap", "distance", "site")
# What makes two findings less alike, beside their place: another label, one read on
# another modality, one that names no side. Choices of this project.
_OTHER_LABEL, _OTHER_MODALITY, _NO_SIDE = 0.5, 0.6, 0.8
# The worst fit that is a match still counts a little.
_LEAST_FIT: Final = 0.01
# A match is named as a rival where it fits at least this share as well.
RIVAL: Final = 0.6
# Of what is said there is nothing better.
_SAID: Final = 2.0


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A finding of before and one of a later date that may be one lesion.

    Parameters
    ----------
    earlier, later : int
        Their places in the sequences that were compared.
    link : Link
        Why they may be one.
    fit : float
        How well they fit among those of one basis, 0 to about 1; 2 where it was said.
    taken : bool
        True where the assignment took it.
    """

    earlier: int
    later: int
    link: Link
    fit: float
    taken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A lesion of one date as matching sees it.

    Parameters
    ----------
    findings : tuple of Finding
        As it was last read: several where it is in parts.
    modality : str
        That it was read on; empty where it is not known.
    uids : tuple of str
        Every Tracking UID that it has had.
    place : Place or None
    is_part : bool
        True for a fragment: its number says nothing about which one it was before.
    carried : bool
        False where it is known that its marks were not carried forward: what is told of
        another date's carried marks is not told of it.
    """

    findings: tuple[Finding, ...]
    modality: str = ""
    uids: tuple[str, ...] = ()
    place: Place | None = None
    is_part: bool = False
    carried: bool = True

    @classmethod
    def of(
        cls,
        *findings: Finding,
        modality: str = "",
        uids: Iterable[str] = (),
        is_part: bool = False,
        carried: bool = True,
    ) -> Mark:
        """Return the mark of one lesion's findings."""
        own = (*uids, *(one.tracking_uid for one in findings))
        return cls(
            findings=findings,
            modality=modality,
            uids=tuple(dict.fromkeys(own)),
            place=place_of(findings),
            is_part=is_part,
            carried=carried,
        )

    @property
    def first(self) -> Finding:
        """The finding that names it."""
        return self.findings[0]


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """What readers have said of pairs of findings, by their Tracking UIDs.

    Parameters
    ----------
    confirmed : mapping of (earlier, later) to Link
        Pairs that are one lesion, and those that were carried forward.
    refused : set of (earlier, later)
        Pairs that are not: they are never proposed again.
    """

    confirmed: dict[tuple[str, str], Link] = {}
    refused: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def of(
        cls, confirmed: Iterable[Link] = (), refused: Collection[tuple[str, str]] = ()
    ) -> Decided:
        """Return decisions as readers gave them, one after the other."""
        links = {(one.earlier_uid, one.later_uid): one for one in confirmed}
        return cls(confirmed=links, refused=frozenset(map(tuple, refused)))  # type: ignore[arg-type]


def propose(
    earlier: Sequence[Mark],
    later: Sequence[Mark],
    *,
    ways: Ways | None = None,
    decided: Decided | None = None,
) -> tuple[Candidate, ...]:
    """Return every pair that may be one lesion, and which of them are taken.

    Parameters
    ----------
    earlier, later : sequence of Mark
    ways : Ways, optional
        The transforms between both dates.
    decided : Decided, optional
        What readers have said.

    Returns
    -------
    tuple of Candidate
        By their places in both. A lesion is taken twice where it was split, and a later
        finding where several have merged; else each is taken once at most, so that all
        fit best together. A link that could as well have been another says which.
    """
    ways, decided = ways or Ways(), decided or Decided()
    every = [
        found
        for i, one in enumerate(earlier)
        for j, other in enumerate(later)
        if (found := _candidate(i, one, j, other, ways, decided)) is not None
    ]
    sure = {(c.earlier, c.later) for c in every if c.fit == _SAID}
    taken = sure | _assigned(every, sure, len(earlier), len(later))
    taken |= _parts(every, taken, sure)
    marked = [
        msgspec.structs.replace(c, taken=(c.earlier, c.later) in taken) for c in every
    ]
    return tuple(_with_rivals(one, marked, earlier, later) for one in marked)


def compatible(one: Finding, other: Finding) -> bool:
    """Tell whether two findings may be of one lesion by their kinds and quantities."""
    if one.kind in OF_A_LEVEL and other.kind in OF_A_LEVEL:
        return one.site == other.site or not {one.site, other.site} <= set(VERTEBRAE)
    if one.kind != other.kind:
        return False
    names = [{reading.name for reading in each.measurements} for each in (one, other)]
    return not all(names) or bool(names[0] & names[1])


def same_side(one: Finding, other: Finding) -> bool:
    """Tell whether two findings may lie on one side: alike, or one says nothing."""
    sides = {one.laterality, other.laterality} - {""}
    return len(sides) <= 1


def _candidate(
    i: int, one: Mark, j: int, other: Mark, ways: Ways, decided: Decided
) -> Candidate | None:
    said = _said(one, other, decided)
    if isinstance(said, Link):
        return Candidate(earlier=i, later=j, link=said, fit=_SAID)
    if said or not compatible(one.first, other.first):
        return None
    near = nearness(one.place, other.place, ways, site=one.first.site)
    basis, share = _basis(one, other, near)
    if basis is None:
        return None
    link = Link(
        earlier_uid=one.first.tracking_uid,
        later_uid=other.first.tracking_uid,
        basis=basis,
        overlap=near.overlap if near else None,
        distance_mm=near.distance_mm if near else None,
        u_mm=near.u_mm if near else None,
        reason=_reason(basis, one, near),
    )
    fit = (share + _LEAST_FIT) * _likeness(one, other)
    return Candidate(earlier=i, later=j, link=link, fit=fit)


def _said(one: Mark, other: Mark, decided: Decided) -> Link | bool:
    """Return the link that was told, True where it was refused, False where nothing."""
    pairs = [(a, b) for a in one.uids for b in other.uids]
    for pair in pairs:
        link = decided.confirmed.get(pair)
        if link is not None and (link.basis != "carried" or other.carried):
            return link
    if any(pair in decided.refused for pair in pairs):
        return True
    shared = next((a for a, b in pairs if a == b and a), "")
    if not shared:
        return False
    return Link(earlier_uid=shared, later_uid=shared, basis="tracked")


def _basis(one: Mark, other: Mark, near: Nearness | None) -> tuple[Basis | None, float]:
    """Return by what two marks may be one, and how well they fit, 0 to 1."""
    first, second = one.first, other.first
    if first.site == second.site and first.site in VERTEBRAE and not one.is_part:
        share = 0.5 if near is None else max(1 - near.distance_mm / near.gate_mm, 0.0)
        return ("level", share) if same_side(first, second) else (None, 0.0)
    if near is not None and first.kind not in WHOLE_BONES:
        if (near.overlap or 0.0) >= LEAST_OVERLAP:
            return "overlap", near.overlap or 0.0
        if near.within:
            return "distance", 1 - near.distance_mm / near.gate_mm
        return None, 0.0
    named = first.kind not in ANY_KIND and first.site not in ANY_SITE
    if one.is_part:
        # Fragments of one leader are alike in kind and place: a number is all they have.
        named = first.label == second.label
    alike = first.site == second.site and same_side(first, second)
    return ("site", 1.0) if named and alike else (None, 0.0)


def _likeness(one: Mark, other: Mark) -> float:
    first, second = one.first, other.first
    like = 1.0
    if first.label != second.label and not one.is_part:
        like *= _OTHER_LABEL
    if first.laterality != second.laterality:
        like *= _NO_SIDE
    if len({one.modality, other.modality} - {""}) > 1:
        like *= _OTHER_MODALITY
    return like


def _reason(basis: Basis, one: Mark, near: Nearness | None) -> str:
    site = one.first.site
    if basis == "level":
        away = near is not None and not near.within
        words = f"level {site.upper()}"
        if away and near is not None:
            words += f"; through the transform {near.distance_mm:.0f} mm apart: check it"
        return words
    if near is None:
        told = "its number" if one.is_part else "kind, site and side"
        return f"{told}, without a transform"
    if basis == "site":
        return "kind, site and side: a bone measured as a whole"
    apart = f"middles {near.distance_mm:.1f} mm apart (u {near.u_mm:.2f} mm)"
    if basis == "overlap":
        return f"{100 * (near.overlap or 0):.0f} % overlap, {apart}"
    return f"place, {apart}"


def _assigned(
    every: Sequence[Candidate], sure: set[tuple[int, int]], rows: int, columns: int
) -> set[tuple[int, int]]:
    """Return the pairs that fit best together, each lesion and finding once.

    The sum of all fits of one basis is the largest there is, so that a close match is
    not given up for two remote ones.
    """
    from scipy.optimize import linear_sum_assignment

    taken: set[tuple[int, int]] = set()
    used = [{pair[k] for pair in sure} for k in (0, 1)]
    for basis in _RANKS:
        fits = np.zeros((rows, columns))
        for c in every:
            free = c.earlier not in used[0] and c.later not in used[1]
            if free and c.link.basis == basis and c.fit < _SAID:
                fits[c.earlier, c.later] = c.fit
        if not fits.any():
            continue
        for i, j in zip(*linear_sum_assignment(fits, maximize=True), strict=True):
            if fits[i, j] > 0:
                taken.add((int(i), int(j)))
                used[0].add(int(i))
                used[1].add(int(j))
    return taken


def _parts(
    every: Sequence[Candidate],
    taken: set[tuple[int, int]],
    sure: set[tuple[int, int]],
) -> set[tuple[int, int]]:
    """Return further pairs of a lesion that was split, or of several that merged.

    A finding that nothing else is matched with is a part of the lesion that holds most
    of it, or of which it holds most. Who has told what a lesion is has told its parts.
    """
    found: set[tuple[int, int]] = set()
    matched = [{pair[k] for pair in taken} for k in (0, 1)]
    told = [{pair[k] for pair in sure} for k in (0, 1)]
    for c in sorted(every, key=lambda c: (-c.fit, c.earlier, c.later)):
        if c.link.basis not in ("overlap", "level"):
            continue
        if c.earlier in told[0] or c.later in told[1]:
            continue
        alone = (c.earlier not in matched[0]) + (c.later not in matched[1])
        if alone == 1 and (c.link.overlap or 0.0) >= PART_OVERLAP:
            found.add((c.earlier, c.later))
            matched[0].add(c.earlier)
            matched[1].add(c.later)
    return found


def _with_rivals(
    one: Candidate,
    every: Sequence[Candidate],
    earlier: Sequence[Mark],
    later: Sequence[Mark],
) -> Candidate:
    """Return a candidate that names what it could be matched with as well."""
    if one.fit == _SAID:
        return one
    rivals = [
        c
        for c in every
        if (c.earlier == one.earlier) != (c.later == one.later)
        # Another basis is no rival, and a part of the same split or merged lesion none.
        and c.link.basis == one.link.basis
        and not (one.taken and c.taken)
        and c.fit >= RIVAL * one.fit
    ]
    if not rivals:
        return one
    best = min(rivals, key=lambda c: (-c.fit, c.earlier, c.later))
    if best.earlier == one.earlier:
        named = f"{later[best.later].first.label} of the later date"
    else:
        named = f"{earlier[best.earlier].first.label} of the earlier date"
    reason = f"{one.link.reason}; {named} fits too" + _how_well(best)
    link = msgspec.structs.replace(one.link, reason=reason)
    return msgspec.structs.replace(one, link=link)


def _how_well(rival: Candidate) -> str:
    if rival.link.basis == "overlap":
        return f" ({100 * (rival.link.overlap or 0):.0f} % overlap)"
    if rival.link.distance_mm is not None:
        return f" ({rival.link.distance_mm:.1f} mm)"
    return ""
