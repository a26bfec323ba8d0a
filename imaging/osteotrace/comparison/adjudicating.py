"""Where two readings of one study agree and where they differ, lesion by lesion.

What a third person decides on: `osteotrace.findings.adjudication`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from osteotrace.change import change
from osteotrace.comparison.agreement_pairs import ReadTwice, paired
from osteotrace.comparison.records import Basis
from osteotrace.findings import Finding
from osteotrace.measurements.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from osteotrace.findings import Assessment
    from osteotrace.measurements.measurement import Reading


class LesionOfBoth(msgspec.Struct, frozen=True, kw_only=True):
    """One lesion as two people read it.

    Parameters
    ----------
    first, second : Finding or None
        None where that reader did not mark it.
    basis : str or None
        By what they are one lesion.
    differences : tuple of str
        How they differ, in words; none where they agree.
    """

    first: Finding | None
    second: Finding | None
    basis: Basis | None = None
    differences: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What people call it."""
        named = self.first or self.second
        assert named is not None
        return named.label


def lesions_of_both(first: Assessment, second: Assessment) -> tuple[LesionOfBoth, ...]:
    """Return every lesion of two readings of one study, and how both differ on it.

    Values agree where two readings of one thing may differ by as much: within the
    repeatability of two readers. The primary value alone decides.
    """
    twice = ReadTwice(
        readers=(first.reader, second.reader),
        studies=((first.study_uid, first, second),),
    )
    pairs, _ = paired(twice)
    voxel = _voxel_mm(first)
    found = [
        LesionOfBoth(
            first=one.first,
            second=one.second,
            basis=one.basis,
            differences=tuple(_differences(one.first, one.second, voxel)),
        )
        for one in pairs
    ]
    seen = {one.first.tracking_uid for one in pairs}
    also = {one.second.tracking_uid for one in pairs}
    found += [
        LesionOfBoth(first=one, second=None, differences=(_alone(first),))
        for one in first.findings
        if one.tracking_uid not in seen
    ]
    found += [
        LesionOfBoth(first=None, second=one, differences=(_alone(second),))
        for one in second.findings
        if one.tracking_uid not in also
    ]
    return tuple(found)


def _alone(reading: Assessment) -> str:
    return f"marked by {reading.reader} alone"


def _differences(one: Finding, other: Finding, voxel: float | None) -> Iterable[str]:
    """Give each way in which two findings of one lesion differ."""
    for name in ("kind", "site", "laterality", "presence", "certainty"):
        mine, theirs = getattr(one, name), getattr(other, name)
        if mine != theirs:
            yield f"{name}: {mine or 'not said'} and {theirs or 'not said'}"
    pair = _primary(one, other)
    if pair is None:
        return
    found = change(*pair, same_reader=False, voxel_mm=voxel)
    if found.verdict != "within measurement error":
        yield f"{pair[0].code.meaning}: {found.as_text}"


def _primary(one: Finding, other: Finding) -> tuple[Reading, Reading] | None:
    """Return the first quantity that both have; None where none was measured."""
    theirs = {reading.name: reading for reading in other.measurements}
    for reading in one.measurements:
        same = theirs.get(reading.name)
        if same is not None and isinstance(reading, Measurement):
            return reading, same
    return None


def _voxel_mm(reading: Assessment) -> float | None:
    """Return the longest edge of a voxel of the series; None where none is known."""
    edges = [max(one.spacing_mm) for one in reading.series if one.spacing_mm]
    return max(edges, default=None)
