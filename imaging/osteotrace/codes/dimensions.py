"""The units that a quantity may be stated in; any other number is not that quantity."""

from __future__ import annotations

from typing import Final

LENGTH_UNITS: Final = ("mm", "cm", "{pixels}")
AREA_UNITS: Final = ("mm2", "cm2")
VOLUME_UNITS: Final = ("mm3", "cm3", "ml")
ANGLE_UNITS: Final = ("deg",)
SHARE_UNITS: Final = ("%", "1", "{ratio}")
COUNT_UNITS: Final = ("{counts}", "1")
GRADE_UNITS: Final = ("{grade}", "1")
ATTENUATION_UNITS: Final = ("[hnsf'U]",)
# Signal of MR has no unit.
VALUE_UNITS: Final = ("[hnsf'U]", "1", "{counts}")

_BY_UNITS: Final[dict[tuple[str, ...], tuple[str, ...]]] = {
    LENGTH_UNITS: (
        *("distance", "height", "line_length", "path_length", "length", "width"),
        *("long_axis", "short_axis", "longest_diameter"),
        *("palatal_gap_ap", "palatal_gap_transverse", "palatal_gap_on_line"),
        *("soft_tissue_notch", "soft_tissue_shortening"),
        *("length_along_line", "length_perpendicular", "length_as_drawn"),
        *("lucent_rim_width", "cortical_thickness", "sclerotic_rim_thickness"),
        *("periosteal_thickness", "periosteal_length"),
        *("height_anterior", "height_middle", "height_posterior"),
        *("endplate_depression_superior", "endplate_depression_inferior"),
        *("bone_width_left", "bone_width_right"),
        *("landmark_asymmetry", "mirror_distance", "premaxilla_depression"),
    ),
    AREA_UNITS: ("area", "region_area", "palatal_gap_area", "breach_area"),
    VOLUME_UNITS: (
        *("volume", "voxel_volume", "excess_density_volume", "gas_volume"),
        *("cement_volume", "body_volume", "edema_volume"),
        *("bone_volume_left", "bone_volume_right"),
    ),
    ANGLE_UNITS: (
        *("angle", "cobb_angle", "wedge_angle", "local_kyphosis", "segmental_kyphosis"),
    ),
    SHARE_UNITS: (
        *("sphericity", "separated_fraction", "cortical_breach_fraction"),
        *("trabecular_lucent_fraction", "sclerotic_rim_completeness"),
        *("height_loss_own_anterior", "height_loss_own_middle"),
        *("height_loss_adjacent_anterior", "height_loss_prior_anterior"),
        *("height_loss_adjacent_middle", "height_loss_prior_middle"),
        *("height_loss_adjacent_posterior", "height_loss_prior_posterior"),
        *("height_loss_own", "height_loss_adjacent", "height_loss_prior"),
        *("edema_percent", "signal_ratio_to_muscle"),
        *("asymmetry_index", "asymmetry_index_volume"),
    ),
    COUNT_UNITS: ("fragment_count", "breach_count"),
    GRADE_UNITS: ("genant_grade", "deformity_type"),
    ATTENUATION_UNITS: ("attenuation", "mean_attenuation", "contrast_to_host"),
    VALUE_UNITS: (
        *("mean_value", "median_value", "value_sd", "minimum_value", "maximum_value"),
    ),
}
# UCUM units by short name of the quantity, every one of `osteotrace.codes.QUANTITIES`.
UNITS_OF: Final[dict[str, tuple[str, ...]]] = {
    name: units for units, names in _BY_UNITS.items() for name in names
}
