"""The one quantity that decides what became of a lesion, by its kind.

Several quantities of a lesion may say different things of it; a vote would depend on
which were measured. So one is named for each kind, before anything is measured, with what
stands in for it where it was not measured; the others are shown and do not decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from osteotrace.measurements.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from osteotrace.measurements.measurement import Reading

Growth = Literal["larger", "smaller", "away from zero"]


class Primary(msgspec.Struct, frozen=True, kw_only=True):
    """A quantity that decides a state, and which of its changes is growth.

    Parameters
    ----------
    quantity : str
        Key of `osteotrace.codes.QUANTITIES`.
    growth : str
        ``larger``, or ``smaller`` where less means that the lesion has grown, as the
        height of a compressed vertebra; ``away from zero`` where the sign says the side
        alone, as of an index of asymmetry.
    """

    quantity: str
    growth: Growth = "larger"

    def has_grown(self, earlier: float, later: float) -> bool:
        """Tell whether a change that is real is growth; else the lesion has shrunk."""
        if self.growth == "away from zero":
            return abs(later) > abs(earlier)
        return (later > earlier) == (self.growth == "larger")


def _larger(*quantities: str) -> tuple[Primary, ...]:
    return tuple(Primary(quantity=name) for name in dict.fromkeys(quantities))


def _smaller(*quantities: str) -> tuple[Primary, ...]:
    return tuple(Primary(quantity=name, growth="smaller") for name in quantities)


def _index(*quantities: str) -> tuple[Primary, ...]:
    return tuple(Primary(quantity=name, growth="away from zero") for name in quantities)


# Any length or size of a lesion, the most telling first: volumes tell growth of a shape
# that is no ball, diameters and lengths one of its directions.
_VOLUMES: Final = ("volume", "voxel_volume")
_LENGTHS: Final = (
    *("longest_diameter", "long_axis", "length_perpendicular", "length_along_line"),
    *("length", "distance", "width", "height", "path_length", "line_length"),
    *("short_axis", "length_as_drawn"),
)
_SIZE: Final = (*_VOLUMES, "area", "region_area", *_LENGTHS)
_VERTEBRA: Final = (
    # The anterior height is lost in wedges and crushes, the middle one in biconcave
    # bodies alone; losses in % are second: their reference may break too.
    *_smaller("height_anterior", "height_middle", "height_posterior"),
    *_larger(
        *("height_loss_adjacent_anterior", "height_loss_adjacent_middle"),
        *("height_loss_adjacent", "height_loss_own_anterior"),
        *("height_loss_own_middle", "height_loss_own", "wedge_angle"),
    ),
)
# An index compares the patient with himself and so holds in a child that grows; widths
# and volumes in mm do not (clinical rule).
_ASYMMETRY: Final = (
    *_index("asymmetry_index_volume", "asymmetry_index"),
    *_larger("landmark_asymmetry", "mirror_distance"),
)

# By kind, the primary quantity first, then what stands in for it, in order.
PRIMARY: Final[dict[str, tuple[Primary, ...]]] = {
    # Of a fragment its volume; the summary of a search has a count alone.
    "sequestrum": _larger("excess_density_volume", *_SIZE, "fragment_count"),
    "moth_eaten": _larger(
        *("cortical_breach_fraction", "trabecular_lucent_fraction"),
        *("breach_area", "breach_count"),
    ),
    "osteolysis": _larger(*_SIZE),
    "irregular_cortex": _larger(
        "breach_area", "cortical_breach_fraction", "breach_count", *_SIZE
    ),
    "gas": _larger("gas_volume", *_SIZE),
    "fistula": _larger("width", "area", *_LENGTHS),
    "palatal_bony_defect": _larger(
        *("palatal_gap_ap", "palatal_gap_transverse", "palatal_gap_area"),
        *("palatal_gap_on_line", *_LENGTHS),
    ),
    "soft_tissue_defect": _larger("soft_tissue_notch", "soft_tissue_shortening", *_SIZE),
    "sclerotic_rim": _larger("sclerotic_rim_thickness", "sclerotic_rim_completeness"),
    "diffuse_sclerosis": _larger(*_SIZE),
    "involucrum": _larger("volume", "voxel_volume", "periosteal_thickness", *_LENGTHS),
    "periosteal_reaction": _larger(
        "periosteal_thickness", "periosteal_length", *_LENGTHS
    ),
    "marrow_edema": _larger("edema_volume", "edema_percent", *_SIZE),
    "soft_tissue_edema": _larger(*_SIZE),
    "bone_expansion": _ASYMMETRY,
    "facial_asymmetry": _ASYMMETRY,
    "remodelling": _ASYMMETRY,
    "vcf": _VERTEBRA,
    "vertebra": _VERTEBRA,
    "endplate_depression": _larger(
        "endplate_depression_superior", "endplate_depression_inferior"
    ),
    "cement": _larger("cement_volume", *_SIZE),
    "intravertebral_cleft": _larger(*_SIZE),
    "pathological_fracture": _larger("width", *_LENGTHS),
    "oroantral_communication": _larger("width", "area", *_LENGTHS),
    "region": _larger(*_SIZE),
    "lesion": _larger(*_SIZE),
    # A node is followed by its short axis (RECIST 1.1, Eur J Cancer 2009;45:228).
    "lymphadenopathy": _larger("short_axis", *_SIZE),
    "abscess": _larger(*_SIZE),
    "mass": _larger(*_SIZE),
}


def primaries(kind: str) -> tuple[Primary, ...]:
    """Return what decides the state of a kind of lesion, in order."""
    return PRIMARY.get(kind, _larger(*_SIZE))


def deciding(
    kind: str, earlier: Sequence[Reading], later: Sequence[Reading]
) -> Primary | None:
    """Return the quantity that decides the state: the first that both dates measured.

    Where none of those of the kind was, it is the first value of the later reading that
    both measured, larger taken as growth; None where no quantity was measured at both.
    """
    both = _measured(earlier) & _measured(later)
    for one in primaries(kind):
        if one.quantity in both:
            return one
    shared = (one.name for one in later if one.name in both)
    name = next(shared, None)
    return None if name is None else Primary(quantity=name)


def _measured(readings: Iterable[Reading]) -> set[str]:
    return {one.name for one in readings if isinstance(one, Measurement)}
