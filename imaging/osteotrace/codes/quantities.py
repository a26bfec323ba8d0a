"""What is measured: DCM, SCT and IBSI where they name the quantity, 99OSTEO elsewhere."""

from __future__ import annotations

from typing import Final

from osteotrace.codes.concepts import PRIVATE_SCHEME, Concept, table

QUANTITIES: Final[dict[str, Concept]] = {
    **table(
        "DCM",
        distance=("121206", "Distance"),
        height=("121207", "Height"),
        line_length=("121227", "Line segment length"),
        path_length=("121211", "Path length"),
        angle=("110859", "Angle"),
        attenuation=("112031", "Attenuation Coefficient"),
        mean_attenuation=("112181", "Mean Attenuation Coefficient"),
    ),
    **table(
        "SCT",
        length=("410668003", "Length"),
        width=("103355008", "Width"),
        long_axis=("103339001", "Long axis"),
        short_axis=("103340004", "Short axis"),
        area=("42798000", "Area"),
        region_area=("131184002", "Area of defined region"),
        volume=("118565006", "Volume"),
        cobb_angle=("285285000", "Cobb angle"),
    ),
    **table(
        "IBSI",
        longest_diameter=("L0JK", "Maximum 3D Diameter of a Mesh"),
        voxel_volume=("YEKZ", "Volume from Voxel Summation"),
        sphericity=("QCFX", "Sphericity"),
    ),
    # Lengths of a caliper and of a palatal defect.
    **table(
        PRIVATE_SCHEME,
        palatal_gap_ap=("M-GAPAP", "Palatal gap, antero-posterior"),
        palatal_gap_transverse=("M-GAPTR", "Palatal gap, transverse"),
        palatal_gap_area=("M-GAPAREA", "Palatal gap, projected area"),
        palatal_gap_on_line=("M-GAPPROJ", "Palatal gap, projected on the palatal line"),
        soft_tissue_notch=("M-NOTCHW", "Soft-tissue notch width"),
        soft_tissue_shortening=("M-SHORT", "Soft-tissue shortening"),
        length_along_line=(
            "M-LALONG",
            "Length along the line between the two fitted edges",
        ),
        length_perpendicular=(
            "M-LPERP",
            "Perpendicular length between the planes fitted to both edges",
        ),
        length_as_drawn=("M-LRAW", "Length between the two points as drawn"),
    ),
    # Fragments, destroyed bone, and what lies around them.
    **table(
        PRIVATE_SCHEME,
        fragment_count=("M-FRAGN", "Count of separate bone fragments"),
        excess_density_volume=("M-XVOL", "Volume from integrated excess density"),
        lucent_rim_width=("M-RIMW", "Lucent rim width"),
        separated_fraction=("M-SEPFR", "Separated surface fraction"),
        contrast_to_host=("M-HOSTCON", "Difference of attenuation to host cortex"),
        cortical_breach_fraction=("M-BRFR", "Cortical breach fraction"),
        breach_count=("M-BRN", "Cortical breach count"),
        breach_area=("M-BREACH", "Cortical breach area"),
        trabecular_lucent_fraction=(
            "M-TLFR",
            "Trabecular lucent fraction versus reference side",
        ),
        cortical_thickness=("M-CTXTH", "Cortical thickness"),
        gas_volume=("M-GASVOL", "Gas volume"),
        sclerotic_rim_thickness=("M-SCLTH", "Sclerotic rim thickness"),
        sclerotic_rim_completeness=("M-SCLCOMP", "Sclerotic rim completeness"),
        periosteal_thickness=("M-PERITH", "Periosteal reaction thickness"),
        periosteal_length=("M-PERILEN", "Periosteal reaction length"),
        cement_volume=("M-CEMVOL", "Bone cement volume"),
    ),
    # Vertebrae.
    **table(
        PRIVATE_SCHEME,
        height_anterior=("M-HA", "Vertebral height, anterior"),
        height_middle=("M-HM", "Vertebral height, middle"),
        height_posterior=("M-HP", "Vertebral height, posterior"),
        height_loss_own_anterior=("M-HLOWNA", "Anterior height loss vs own posterior"),
        height_loss_own_middle=("M-HLOWNM", "Middle height loss vs own posterior"),
        **{
            f"height_loss_{against}_{where}": (
                f"M-HL{code}{where[0].upper()}",
                f"{where.capitalize()} height loss vs {words}",
            )
            for against, code, words in (
                ("adjacent", "ADJ", "adjacent levels"),
                ("prior", "PRI", "prior"),
            )
            for where in ("anterior", "middle", "posterior")
        },
        # Where the height is not named: the largest loss, or one of a foreign record.
        height_loss_own=("M-HLOWN", "Height loss vs own posterior"),
        height_loss_adjacent=("M-HLADJ", "Height loss vs adjacent levels"),
        height_loss_prior=("M-HLPRI", "Height loss vs prior"),
        wedge_angle=("M-WEDGE", "Vertebral wedge angle"),
        local_kyphosis=("M-LKYPH", "Local kyphosis angle"),
        segmental_kyphosis=("M-SKYPH", "Segmental kyphosis angle"),
        endplate_depression_superior=("M-EDSUP", "Superior endplate depression"),
        endplate_depression_inferior=("M-EDINF", "Inferior endplate depression"),
        genant_grade=("M-GENANT", "Genant grade proposed from heights"),
        deformity_type=("M-VDEFTYPE", "Vertebral deformity type"),
        body_volume=("M-BODYVOL", "Vertebral body volume"),
    ),
    # Marrow, symmetry and intensity.
    **table(
        PRIVATE_SCHEME,
        edema_volume=("M-BMEVOL", "Marrow edema volume"),
        edema_percent=("M-BMEPCT", "Marrow edema percent of volume"),
        signal_ratio_to_muscle=("M-SIR", "Signal ratio to muscle"),
        bone_width_left=("M-WIDTHL", "Bone width, left"),
        bone_width_right=("M-WIDTHR", "Bone width, right"),
        bone_volume_left=("M-VOLL", "Bone volume, left"),
        bone_volume_right=("M-VOLR", "Bone volume, right"),
        asymmetry_index=("M-ASYI", "Asymmetry index of width"),
        asymmetry_index_volume=("M-ASYIV", "Asymmetry index of volume"),
        landmark_asymmetry=("M-ASYMM", "Left-right landmark asymmetry"),
        mirror_distance=("M-MIRROR", "Root mean square distance to the mirrored side"),
        premaxilla_depression=("M-PREMAXD", "Premaxilla depression"),
        mean_value=("M-MEAN", "Mean value in the region"),
        median_value=("M-MEDIAN", "Median value in the region"),
        value_sd=("M-SD", "Standard deviation of values in the region"),
        minimum_value=("M-MIN", "Minimum value in the region"),
        maximum_value=("M-MAX", "Maximum value in the region"),
    ),
}
