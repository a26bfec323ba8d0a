"""How far two readings of one thing differ: the repeatability coefficient of a quantity.

RC = 1.96 √2 wSD = 2.77 wSD: with 95 % probability two readings of an unchanged lesion
differ by less (Gerke, BMC Med Imaging 2016;16:54, 10.1186/s12880-016-0159-3). A site that
repeated its own readings uses its own coefficient: `site.site_repeatability`.
"""

from __future__ import annotations

import math
from typing import Final, Literal

import msgspec

from osteotrace.findings.staging_results import Evidence
from osteotrace.measurements.measurement import COVERAGE_FACTOR_95

# RC over the within-subject standard deviation.
RC_FACTOR: Final = COVERAGE_FACTOR_95 * math.sqrt(2)
# Slices up to here count as thin, and up to here as thick; beyond nothing is known, mm.
THIN_SLICES_MM: Final = 1.0
THICK_SLICES_MM: Final = 3.0

# What to mind of a coefficient of one reader.
ONE_READER: Final = "one reader: two readers differ by more"

Placing = Literal["transferred", "clicked"]
Use = Literal["default", "site only", "never", "category"]


class Absolute(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A coefficient in the unit of the value."""

    value: float
    unit: str

    @property
    def as_text(self) -> str:
        """The formula in words."""
        unit = {"%": " percentage points", "deg": " deg", "{grade}": "", "{counts}": ""}
        return f"{self.value:g}{unit.get(self.unit, f' {self.unit}')}"


class Percent(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A share of the value: of the mean of both, or of the smaller one.

    That of the smaller one is a limit on the logarithmic scale: 20 % says that the
    larger is over 1.2 times the smaller.
    """

    percent: float
    of: Literal["mean", "smaller"]

    @property
    def as_text(self) -> str:
        """The formula in words."""
        return f"{self.percent:g} % of the {'mean' if self.of == 'mean' else 'smaller'}"


class LengthOrVoxels(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The larger of a length and a number of voxels."""

    mm: float
    voxels: float

    @property
    def as_text(self) -> str:
        """The formula in words."""
        return f"the larger of {self.mm:g} mm and {self.voxels:g} voxels"


class FittedCaliper(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A caliper between fitted edges: by how its points were placed, and the slices.

    Parameters
    ----------
    thin_mm, thin_percent : float
        Points transferred and fitted anew, slices up to 1 mm: mm, and % of the length.
    thick_mm : float
        The same on slices up to 3 mm.
    clicked_mm : float
        Points clicked anew.
    """

    thin_mm: float
    thin_percent: float
    thick_mm: float
    clicked_mm: float

    @property
    def as_text(self) -> str:
        """The formula in words."""
        return (
            f"points transferred: {self.thin_mm:g} mm + {self.thin_percent:g} % of the "
            f"length at slices up to {THIN_SLICES_MM:g} mm, {self.thick_mm:g} mm up to "
            f"{THICK_SLICES_MM:g} mm; clicked anew: {self.clicked_mm:g} mm"
        )


Formula = Absolute | Percent | LengthOrVoxels | FittedCaliper


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """How two readings were made.

    Parameters
    ----------
    same_reader : bool
        True where one person made both.
    same_images : bool
        True where both were made on the same images.
    points : str
        ``transferred`` through a registration and fitted anew, or ``clicked`` anew.
    slice_mm : float or None
        The thicker spacing of the slices of the two; None where not known.
    voxel_mm : float or None
        The longest edge of a voxel of the two; None where not known.
    """

    same_reader: bool
    same_images: bool = False
    points: Placing = "clicked"
    slice_mm: float | None = None
    voxel_mm: float | None = None


_WITHOUT_COEFFICIENT: Final[dict[Use, str]] = {
    "site only": "a site's own only",
    "never": "not followed over time",
    "category": "a class: none",
}


class Repeatability(msgspec.Struct, frozen=True, kw_only=True):
    """The coefficient of some quantities, and where it comes from.

    Parameters
    ----------
    id : str
        Short name of the row.
    quantities : tuple of str
        Keys of `osteotrace.codes.QUANTITIES`; empty for what is no measurement.
    subject : str
        What was repeated, in words.
    published : str
        What the source prints.
    source : str
        Paper or page; for a site's own, how many readings.
    evidence : str
        How the source was checked, as in `osteotrace.findings.FiredRule`.
    assumed : bool
        True where the coefficient is a choice of this project, not the source's.
    same_reader, two_readers : Formula or None
        The coefficient; that of two readers counts where it is larger.
    same_images : Formula or None
        That of one reader reading the same images again, where it differs; never
        assumed, and never of two readers.
    use : str
        ``default``; ``site only`` where no coefficient but a site's own holds; ``never``
        where it is not to be followed over time; ``category`` where classes are told
        apart by agreement and not by a coefficient.
    scanned_twice : bool
        True where each repeat was another scan: what an image leaves uncertain is in the
        coefficient, and the uncertainties of two readings do not count besides.
    note : str
        What to mind.
    """

    id: str
    subject: str
    published: str
    source: str
    evidence: Evidence
    quantities: tuple[str, ...] = ()
    assumed: bool = False
    same_reader: Formula | None = None
    two_readers: Formula | None = None
    same_images: Formula | None = None
    use: Use = "default"
    scanned_twice: bool = False
    note: str = ""

    def formulas(self, conditions: Conditions) -> tuple[Formula, ...]:
        """Return the formulas that hold for two readings, of which the largest counts."""
        if self._is_again(conditions) and self.same_images is not None:
            return (self.same_images,)
        rows = [self.same_reader]
        # Points that were transferred are fitted alike, whoever does it.
        alike = isinstance(self.same_reader, FittedCaliper) and (
            conditions.points == "transferred"
        )
        if not conditions.same_reader and not alike:
            rows.append(self.two_readers)
        return tuple(row for row in rows if row is not None)

    @property
    def as_text(self) -> str:
        """The coefficient in words, of every kind of pair it is known for."""
        if self.use != "default":
            return _WITHOUT_COEFFICIENT[self.use]
        rows = (
            ("", self.same_reader),
            ("two readers: ", self.two_readers),
            ("same images: ", self.same_images),
        )
        return "; ".join(f"{who}{row.as_text}" for who, row in rows if row is not None)

    def is_assumed(self, conditions: Conditions) -> bool:
        """Tell whether the coefficient for two readings is a choice of this project."""
        published = self._is_again(conditions) and self.same_images is not None
        return self.assumed and not published

    @staticmethod
    def _is_again(conditions: Conditions) -> bool:
        """Tell whether one reader read the same images again."""
        return conditions.same_images and conditions.same_reader

    def is_of_one_reader(self, conditions: Conditions) -> bool:
        """Tell whether two readers are judged by how one repeats, for want of theirs."""
        transferred = isinstance(self.same_reader, FittedCaliper) and (
            conditions.points == "transferred"
        )
        return (
            not conditions.same_reader
            and self.same_reader is not None
            and self.two_readers is None
            and not transferred
        )


def coefficient(
    formula: Formula, earlier: float, later: float, unit: str, conditions: Conditions
) -> float | str:
    """Return the coefficient for two values in their unit, or why there is none."""
    if isinstance(formula, Absolute):
        if formula.unit != unit:
            return f"the repeatability is known in {formula.unit}, not in {unit}"
        return formula.value
    if isinstance(formula, Percent):
        sizes = abs(earlier), abs(later)
        size = min(sizes) if formula.of == "smaller" else sum(sizes) / 2
        return formula.percent / 100 * size
    if unit != "mm":
        return f"the repeatability is known in mm, not in {unit}"
    if isinstance(formula, LengthOrVoxels):
        if conditions.voxel_mm is None:
            return "the repeatability depends on the voxels, whose size is not given"
        return max(formula.mm, formula.voxels * conditions.voxel_mm)
    return _of_caliper(formula, earlier, later, conditions)


def _of_caliper(
    formula: FittedCaliper, earlier: float, later: float, conditions: Conditions
) -> float | str:
    if conditions.points == "clicked":
        return formula.clicked_mm
    slice_mm = conditions.slice_mm
    if slice_mm is None:
        return "the repeatability depends on the slices, whose spacing is not given"
    if slice_mm <= THIN_SLICES_MM:
        return formula.thin_mm + formula.thin_percent / 100 * max(earlier, later)
    if slice_mm <= THICK_SLICES_MM:
        return formula.thick_mm
    return f"no repeatability is known for slices of {slice_mm:g} mm"
