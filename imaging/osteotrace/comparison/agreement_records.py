"""What comparing two readings of the same studies gave: frozen records."""

from __future__ import annotations

import msgspec

from osteotrace.change import SiteRepeatability
from osteotrace.comparison.agreement_pairs import LesionPair
from osteotrace.comparison.agreement_statistics import (
    IntraclassCorrelation,
    LimitsOfAgreement,
    WeightedKappa,
)


class ValuePair(msgspec.Struct, frozen=True, kw_only=True):
    """One quantity of one lesion as read twice.

    Parameters
    ----------
    study_uid, label : str
        Of the first reading.
    first, second : float
    """

    study_uid: str
    label: str
    first: float
    second: float


class QuantityAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """How far two readings of one quantity agree.

    Parameters
    ----------
    quantity : str
        Key of `osteotrace.codes.QUANTITIES`.
    unit : str
    pairs : tuple of ValuePair
    absolute, consistency : IntraclassCorrelation or None
    limits : LimitsOfAgreement or None
    repeatability : SiteRepeatability or None
        The site's own coefficient from these pairs.
    notes : tuple of str
        Why a number is missing, what was left out and why, and what to mind.
    """

    quantity: str
    unit: str
    pairs: tuple[ValuePair, ...]
    absolute: IntraclassCorrelation | None = None
    consistency: IntraclassCorrelation | None = None
    limits: LimitsOfAgreement | None = None
    repeatability: SiteRepeatability | None = None
    notes: tuple[str, ...] = ()


class ClassPair(msgspec.Struct, frozen=True, kw_only=True):
    """One stage or class of one place as given twice, in the system's own words."""

    study_uid: str
    place: str
    first: str
    second: str


class ClassAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """How far two classifications agree.

    Parameters
    ----------
    name : str
        Key of `osteotrace.codes.STAGINGS`, or ``"presence"``.
    classes : tuple of str
        In their order.
    pairs : tuple of ClassPair
    linear, quadratic : WeightedKappa or None
    notes : tuple of str
        Why a number is missing, and what did not compare.
    """

    name: str
    classes: tuple[str, ...]
    pairs: tuple[ClassPair, ...]
    linear: WeightedKappa | None = None
    quadratic: WeightedKappa | None = None
    notes: tuple[str, ...] = ()


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """Two readings of the same studies beside each other.

    Parameters
    ----------
    readers : (first, second)
        One name twice where one person read twice.
    studies : int
        How many were read by both.
    lesions : tuple of LesionPair
    alone : tuple of (reader, label)
        Findings that one of both marked and the other did not.
    quantities : tuple of QuantityAgreement
    classes : tuple of ClassAgreement
    notes : tuple of str
    """

    readers: tuple[str, str]
    studies: int
    lesions: tuple[LesionPair, ...] = ()
    alone: tuple[tuple[str, str], ...] = ()
    quantities: tuple[QuantityAgreement, ...] = ()
    classes: tuple[ClassAgreement, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def by_one_reader(self) -> bool:
        """True where one person read twice."""
        return self.readers[0] == self.readers[1]
