"""What a comparison holds: frozen records, from one quantity's change up to the whole.

Studies are numbered from 0 by date; every pair and every step names two of them. A
comparison is plain data: it is shown, saved and drawn without the images.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from osteotrace.alignment import Alignment
from osteotrace.change import Change, IncidentFracture
from osteotrace.findings import DrugCourse, Finding, SeriesReference, StagingResult
from osteotrace.shown import Shown

COMPARISON_VERSION: Final = 1
# What a JSON text says that it holds.
RECORDS_KIND: Final = "osteotrace comparison"

# Where nothing says that a lesion was looked for, its absence is not known: it is then
# "not assessed", never "resolved".
State = Literal[
    "new",
    "growing",
    "stable",
    "shrinking",
    "resolved",
    "absent",
    "merged",
    "split",
    "not comparable",
    "not assessed",
]
Basis = Literal["tracked", "confirmed", "level", "overlap", "distance", "site", "carried"]
DifferenceKind = Literal[
    "modality", "kernel", "slice thickness", "voxels", "contrast", "sequence", "timing",
    "field strength", "device", "tube voltage", "reader", "method",
]  # fmt: skip
EventKind = Literal[
    "drug", "pain", "score", "laboratory", "procedure", "fracture", "statement", "study"
]


class ComparedStudy(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """One study of a comparison, and the reading of it.

    Parameters
    ----------
    number : int
        From 0, by date.
    assessment_uid, study_uid : str
        The reading (its SR's SOPInstanceUID once saved) and the StudyInstanceUID.
    date : str
        ISO 8601; empty where not known.
    name : str
        What people call it: ``"before"``, ``"after"``, ``"month 60"`` or its date.
    reader : str
    series : tuple of SeriesReference
    protocol : str
        Name of the protocol it was read by, or ``"interactive"``.
    carried : bool
        True where its findings were carried forward and are proposals.
    """

    number: int
    assessment_uid: str
    study_uid: str
    date: str
    name: str
    reader: str = ""
    series: tuple[SeriesReference, ...] = ()
    protocol: str = ""
    carried: bool = False


class Difference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way in which two studies were made differently.

    Parameters
    ----------
    kind : str
    earlier, later : str
        In words, e.g. ``"B70f"`` and ``"B30f"``.
    modality : str
        Of the series concerned, empty for all.
    matters_for : tuple of str
        Keys of `osteotrace.codes.QUANTITIES` whose repeatability does not apply.
    reason : str
        Why it matters for these, or why it does not matter.
    """

    kind: DifferenceKind
    earlier: str
    later: str
    modality: str = ""
    matters_for: tuple[str, ...] = ()
    reason: str = ""


class StudyPair(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Two studies that were laid over each other, or why they were not.

    Parameters
    ----------
    earlier, later : int
        Numbers of the studies.
    alignments : tuple of Alignment
        One a pair of frames of reference and region; empty where none holds.
    refusals : tuple of str
        Why a pair of series was not aligned, in words.
    differences : tuple of Difference
    """

    earlier: int
    later: int
    alignments: tuple[Alignment, ...] = ()
    refusals: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()


class Link(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why two findings of two dates are one lesion.

    Parameters
    ----------
    earlier_uid, later_uid : str
        Their tracking UIDs.
    basis : str
        ``tracked`` by one Tracking UID, ``confirmed`` by a reader, ``carried`` forward
        from the earlier one, or proposed by vertebral ``level``, ``overlap``,
        ``distance`` or ``site``.
    overlap : float or None
        Share of the smaller that lies in the larger, 0 to 1.
    distance_mm : float or None
        Between their middles, after the transform.
    u_mm : float or None
        Standard uncertainty of that place by the registration.
    confirmed_by : str
        Who confirmed it; empty while it is a proposal.
    reason : str
        In words, with what else would fit.
    """

    earlier_uid: str
    later_uid: str
    basis: Basis
    overlap: float | None = None
    distance_mm: float | None = None
    u_mm: float | None = None
    confirmed_by: str = ""
    reason: str = ""

    @property
    def proposed(self) -> bool:
        """True where no reader and no Tracking UID says so."""
        return not self.confirmed_by and self.basis not in ("tracked", "confirmed")


class QuantityChange(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """What became of one quantity of a lesion between two studies.

    Parameters
    ----------
    change : Change
        Both values, Δ, %, the limit and the verdict.
    per_month : float or None
        Δ a month; None where the time between is not known, or by partial dates only
        roughly, and for ranges.
    months : (fewest, most) or None
        Between both dates.
    u_registration : float
        Standard uncertainty that the transform adds, in the unit of the value; zero
        where both were marked by themselves.
    uncertainties : (earlier, later)
        Standard uncertainties of both values, None where there is none.
    inapplicable : tuple of str
        Differences of the studies for which the repeatability does not hold: the change
        is then shown and not judged.
    """

    change: Change
    per_month: float | None = None
    months: tuple[float, float] | None = None
    u_registration: float = 0.0
    uncertainties: tuple[float | None, float | None] = (None, None)
    inapplicable: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Key of `osteotrace.codes.QUANTITIES`."""
        return self.change.name

    @property
    def is_real(self) -> bool:
        """True where the change exceeds what reading it twice gives."""
        return self.change.verdict in ("increased", "decreased") and not self.inapplicable


class Seen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The findings that are one lesion at one date: several where it is in parts."""

    study: int
    findings: tuple[Finding, ...]


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of a lesion between two studies.

    Parameters
    ----------
    earlier, later : int
        Numbers of the studies.
    state : str
    primary : str
        Key of `osteotrace.codes.QUANTITIES`: the one quantity that decides the state.
    changes : tuple of QuantityChange
        The primary first; the others are shown and do not vote.
    reason : str
        Why the state is what it is, in words.
    proposed : bool
        True where it rests on a match or an absence that no reader has confirmed.
    """

    earlier: int
    later: int
    state: State
    primary: str = ""
    changes: tuple[QuantityChange, ...] = ()
    reason: str = ""
    proposed: bool = False


class Lesion(
    Shown, msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """One lesion over the dates.

    Parameters
    ----------
    tracking_uid : str
        Of its first finding: the lesion keeps it.
    label, kind, site, laterality : str
        As at the last date at which it was read.
    seen : tuple of Seen
        By date; dates at which nobody read it are left out.
    links : tuple of Link
    steps : tuple of Step
        One to each study after the first at which it was read, from the last at which it
        was read before; to a study that did not read it too: "not assessed". One that was
        first read later on begins with a step from the study before.
    whole : Step or None
        From the first date to the last, where there are more than two.
    part_of : str
        Tracking UID of the lesion that it is a fragment of; empty for others.
    """

    tracking_uid: str
    label: str
    kind: str
    site: str
    laterality: str = ""
    seen: tuple[Seen, ...] = ()
    links: tuple[Link, ...] = ()
    steps: tuple[Step, ...] = ()
    whole: Step | None = None
    part_of: str = ""

    @property
    def state(self) -> State:
        """What became of it in the end: first date to last."""
        last = self.steps[-1] if self.steps else None
        if self.whole is not None and (last is None or self.whole.later >= last.later):
            last = self.whole
        return "not assessed" if last is None else last.state


class StagingRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One staging system at one place, date by date.

    Parameters
    ----------
    system, site : str
        As in `osteotrace.findings.StagingResult`.
    results : tuple of StagingResult or None
        One a study, None where it was not staged.
    """

    system: str
    site: str
    results: tuple[StagingResult | None, ...]


class Event(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something on the time axis beside the studies.

    Parameters
    ----------
    kind : str
    what : str
        In words, e.g. ``"pamidronate, intravenous"`` or ``"pain VAS"``.
    start, end : str
        ISO 8601 dates as they were given, whole or partial; `end` empty for one moment,
        and for a course that goes on.
    value : float or None
        Of a score such as the pain VAS.
    unit : str
    site : str
    approximate : bool
    """

    kind: EventKind
    what: str
    start: str
    end: str = ""
    value: float | None = None
    unit: str = ""
    site: str = ""
    approximate: bool = False


class Comparison(
    Shown, msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """A patient's studies compared.

    Parameters
    ----------
    patient : str
        Pseudonym.
    recorded : str
        ISO 8601 date and time at which it was made.
    software : str
        Name and version.
    studies : tuple of ComparedStudy
        By date.
    pairs : tuple of StudyPair
        Each study with the next, and the first with the last.
    lesions : tuple of Lesion
    stagings : tuple of StagingRow
    fractures : tuple of IncidentFracture
        Vertebral fractures that arose, by level and date.
    events : tuple of Event
    drugs : tuple of DrugCourse
    notes : tuple of str
        What to mind of the whole, e.g. that a child grows.
    reader : str
        Who compared.
    """

    patient: str
    recorded: str
    software: str
    studies: tuple[ComparedStudy, ...]
    pairs: tuple[StudyPair, ...] = ()
    lesions: tuple[Lesion, ...] = ()
    stagings: tuple[StagingRow, ...] = ()
    fractures: tuple[IncidentFracture, ...] = ()
    events: tuple[Event, ...] = ()
    drugs: tuple[DrugCourse, ...] = ()
    notes: tuple[str, ...] = ()
    reader: str = ""
    records_kind: Literal["osteotrace comparison"] = RECORDS_KIND
    comparison_version: int = COMPARISON_VERSION

    def __getitem__(self, label: str) -> Lesion:
        """Return the one lesion of a label or tracking UID; KeyError without one."""
        found = [one for one in self.lesions if label in (one.label, one.tracking_uid)]
        if len(found) != 1:
            raise KeyError(f"{len(found)} lesions {label!r}")
        return found[0]
