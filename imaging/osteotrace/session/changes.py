"""What a command changes: findings, statements, levels, drawn masks, what is agreed.

A change knows how to be made on a draft and how to be taken back; it refuses a draft that
does not hold what was there before it.
"""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from osteotrace.errors import OsteotraceError
from osteotrace.findings import Finding
from osteotrace.protocol import TABLES, Entry
from osteotrace.reading.case_facts import CaseFacts
from osteotrace.regions import Mask
from osteotrace.session.comparing.agreements import Agreed
from osteotrace.session.levels import Levels
from osteotrace.session.mask_runs import from_runs

if TYPE_CHECKING:
    from typing import Self

    import numpy as np
    from numpy.typing import NDArray

    from osteotrace.session.draft import Draft

    AnyEntry = Entry
else:
    AnyEntry = functools.reduce(operator.or_, TABLES.values())


class Held(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A finding as a session holds it.

    Parameters
    ----------
    finding : Finding
        What is recorded once it is saved.
    accepted : bool
        Whether the reader has accepted it; what is not accepted is not saved.
    entry : Entry or None
        The entry of a protocol that it was measured by; None where it came otherwise.
    masks : mapping of str to Mask
        Labels that the entry names.
    leader : str
        Tracking UID of the finding that this one is a part of, or empty.
    part : str
        What its label adds to the entry's, such as ``"/2"``.
    edited : tuple of str
        Fields of the finding that the reader has set: a new measurement leaves them.
    registration : mapping of str to float
        Standard uncertainty that the transform adds to each quantity, of a mark that was
        carried from another date; of one that was marked here it is empty.
    """

    finding: Finding
    accepted: bool = False
    entry: AnyEntry | None = None
    masks: dict[str, Mask] = {}
    leader: str = ""
    part: str = ""
    edited: tuple[str, ...] = ()
    registration: dict[str, float] = {}

    @property
    def uid(self) -> str:
        """Tracking UID of the finding."""
        return self.finding.tracking_uid


class FindingChange(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """A finding was added (nothing before), changed, or deleted (nothing after).

    Parameters
    ----------
    before, after : Held or None
        The finding on either side of the change.
    position : int
        Its place among the findings.
    """

    before: Held | None
    after: Held | None
    position: int

    def reversed(self) -> Self:
        """Return the change that takes this one back."""
        return msgspec.structs.replace(self, before=self.after, after=self.before)

    def make(self, draft: Draft) -> None:
        """Make the change; refused where what was before it is not there."""
        held = draft.held
        if self.before is None:
            fits = 0 <= self.position <= len(held)
        else:
            fits = 0 <= self.position < len(held)
            fits = fits and held[self.position] == self.before
        if not fits:
            raise impossible("a change of a finding that is not there")
        end = self.position + (self.before is not None)
        new = () if self.after is None else (self.after,)
        draft.held = (*held[: self.position], *new, *held[end:])
        draft.labels_used.update(one.finding.label for one in new)


class StatementsChange(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """What is stated of the patient, before and after: facts, drugs, overrides."""

    before: CaseFacts
    after: CaseFacts

    def reversed(self) -> Self:
        """Return the change that takes this one back."""
        return msgspec.structs.replace(self, before=self.after, after=self.before)

    def make(self, draft: Draft) -> None:
        """Make the change; refused where other things are stated."""
        if draft.statements != self.before:
            raise impossible("a change of statements that are not there")
        draft.statements = self.after


class Base(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The saved record that a reading began from.

    Parameters
    ----------
    uid : str
        Its SOPInstanceUID, which the next record names as its predecessor.
    record : str
        Its file.
    not_understood : tuple of str
        Parts of it that could not be read, which the next record keeps listed.
    """

    uid: str
    record: str
    not_understood: tuple[str, ...] = ()


class BaseChange(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """The record that the reading amends, before and after."""

    before: Base | None
    after: Base | None

    def reversed(self) -> Self:
        """Return the change that takes this one back."""
        return msgspec.structs.replace(self, before=self.after, after=self.before)

    def make(self, draft: Draft) -> None:
        """Make the change; a record saved since is what the next one amends."""
        if draft.base != self.before:
            raise impossible("a change of a base that is not there")
        if draft.predecessor_uid == ("" if self.before is None else self.before.uid):
            draft.predecessor_uid = "" if self.after is None else self.after.uid
        draft.base = self.after


class LevelsChange(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """The labelled vertebrae in sight, before and after."""

    before: tuple[Levels, ...]
    after: tuple[Levels, ...]

    def reversed(self) -> Self:
        """Return the change that takes this one back."""
        return msgspec.structs.replace(self, before=self.after, after=self.before)

    def make(self, draft: Draft) -> None:
        """Make the change; refused where other levels are labelled."""
        if draft.levels != self.before:
            raise impossible("a change of levels that are not there")
        draft.levels = self.after


class AgreedChange(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """What is said of matches with other dates, before and after."""

    before: Agreed
    after: Agreed

    def reversed(self) -> Self:
        """Return the change that takes this one back."""
        return msgspec.structs.replace(self, before=self.after, after=self.before)

    def make(self, draft: Draft) -> None:
        """Make the change; refused where other things are agreed."""
        if draft.agreed != self.before:
            raise impossible("a change of matches that are not there")
        draft.agreed = self.after


class MaskPatch(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """Voxels of a drawn mask that were turned over: exclusive-or, its own reverse.

    Parameters
    ----------
    uid : str
        Of the mask; one that is not there yet is begun.
    series_uid : str
        SeriesInstanceUID of the volume that it is drawn on.
    k : int
        Which volume of the series (`VolumeHeader.k`).
    shape : (slices, rows, columns)
        Of that volume.
    box : three (start, stop)
        Part of the volume that the runs fill, in C order.
    runs : bytes
        Run lengths of the voxels turned over (`mask_runs.runs_of`).
    """

    uid: str
    series_uid: str
    k: int
    shape: tuple[int, int, int]
    box: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
    runs: bytes

    def reversed(self) -> Self:
        """Return the change that takes this one back."""
        return self

    def make(self, draft: Draft) -> None:
        """Turn the voxels over; a mask without a voxel left is gone."""
        mask = draft.masks.get(self.uid)
        if mask is None:
            mask = DrawnMask.empty(self.series_uid, self.k, self.shape)
        if (mask.series_uid, mask.k, mask.voxels.shape) != (
            self.series_uid,
            self.k,
            self.shape,
        ):
            raise impossible("a stroke on another image than its mask's")
        if not all(
            0 <= a < b <= n for (a, b), n in zip(self.box, self.shape, strict=True)
        ):
            raise impossible("a stroke outside its image")
        a, b, c = (slice(*ends) for ends in self.box)
        part = mask.voxels[a, b, c]
        turned = from_runs(self.runs, part.shape)
        if turned is None:
            raise impossible("a stroke that does not fill its box")
        part ^= turned
        draft.masks[self.uid] = mask
        if not part.any() and not mask.voxels.any():
            del draft.masks[self.uid]


@dataclass(frozen=True, slots=True, eq=False)
class DrawnMask:
    """A mask in hand: the voxels drawn so far on one volume.

    Parameters
    ----------
    series_uid : str
        SeriesInstanceUID of the volume.
    k : int
        Which volume of the series.
    voxels : (slices, rows, columns) bool array
        Changed in place by `MaskPatch` and by nothing else.
    """

    series_uid: str
    k: int
    voxels: NDArray[np.bool_]

    @classmethod
    def empty(cls, series_uid: str, k: int, shape: tuple[int, int, int]) -> DrawnMask:
        """Return a mask without a voxel."""
        import numpy as np

        return cls(series_uid, k, np.zeros(shape, dtype=bool))


Change = (
    FindingChange
    | StatementsChange
    | BaseChange
    | LevelsChange
    | AgreedChange
    | MaskPatch
)


def impossible(found: str) -> OsteotraceError:
    """Return the error of a line that cannot follow the lines before it."""
    return OsteotraceError(
        f"a draft with {found}",
        expected="a draft that osteotrace wrote, unedited",
        advice="begin this reading anew; the draft is set aside and its lines are "
        "readable JSON",
    )
