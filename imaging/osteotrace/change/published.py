"""Published precision and the default coefficients taken from it, one row a source.

Where nothing was published, or the source gives no coefficient, the default is a choice
of this project and is called "assumed".
"""

from __future__ import annotations

from typing import Final

from osteotrace.change.repeatability import (
    Absolute,
    FittedCaliper,
    LengthOrVoxels,
    Percent,
    Repeatability,
)

_WHERE: Final = ("anterior", "middle", "posterior")
_TWO_READERS_LINE: Final = Absolute(value=2.0, unit="mm")
_LINE: Final = LengthOrVoxels(mm=1.0, voxels=2)

SPINE: Final = (
    Repeatability(
        id="height loss against neighbours",
        quantities=(
            "height_loss_adjacent",
            *(f"height_loss_adjacent_{where}" for where in _WHERE),
        ),
        subject="height loss % vs adjacent levels, CT",
        published="limits of agreement at most ±11.75 (one reader), ±12.53 (two); ICC "
        "0.59-0.90 / 0.53-0.82",
        source="Buckens, PLoS ONE 2013;8:e71204, 10.1371/journal.pone.0071204",
        evidence="V",
        same_reader=Absolute(value=11.8, unit="%"),
        two_readers=Absolute(value=12.5, unit="%"),
        note="borrowed: the source compares with one nearest unfractured vertebra, not "
        "with the mean of two",
    ),
    Repeatability(
        id="height loss against itself",
        quantities=(
            "height_loss_own",
            "height_loss_own_anterior",
            "height_loss_own_middle",
        ),
        subject="height loss % vs the own posterior height",
        published="nothing found",
        source="borrowed from the loss against neighbours (Buckens 2013)",
        evidence="D",
        assumed=True,
        same_reader=Absolute(value=11.8, unit="%"),
        two_readers=Absolute(value=12.5, unit="%"),
    ),
    Repeatability(
        id="sum of grades",
        subject="vertebral fracture present on CT; cumulative grade",
        published="kappa 0.73-0.84 / 0.56-0.81; worst grade weighted 0.84-0.90 / "
        "0.84-0.94; cumulative grade limits ±1.99 / ±2.69",
        source="Buckens, PLoS ONE 2013;8:e71204, 10.1371/journal.pone.0071204",
        evidence="V",
        same_reader=Absolute(value=2.0, unit="{grade}"),
        two_readers=Absolute(value=3.0, unit="{grade}"),
    ),
    Repeatability(
        id="grade of one level",
        quantities=("genant_grade", "deformity_type"),
        subject="semiquantitative grade on CT scout",
        published="kappa between readers 0.56-0.59 (grade 1 and up), 0.68-0.72 (grade 2 "
        "and up)",
        source="Samelson, Osteoporos Int 2011, 10.1007/s00198-010-1290-6",
        evidence="V",
        use="category",
        note="grade 1 alone is of low confidence; a rise by a grade is judged as an "
        "incident fracture",
    ),
    Repeatability(
        id="vertebral height",
        quantities=tuple(f"height_{where}" for where in _WHERE),
        subject="anterior, middle, posterior height (radiographs, cadaver)",
        published="repeat CV under 2 %; accuracy error 2.6-4.3 %",
        source="Edmondston, Osteoporos Int 1999;10:7-13",
        evidence="V",
        same_reader=Percent(percent=5.5, of="mean"),
        note="2.77 times the CV of 2 %",
    ),
    Repeatability(
        id="segmental kyphosis",
        quantities=("segmental_kyphosis", "cobb_angle"),
        subject="segmental kyphosis, CT",
        published="ICC thoracic 0.824/0.801, lumbar 0.874/0.835",
        source="Eur Spine J 2010, 10.1007/s00586-009-1231-2",
        evidence="V",
        assumed=True,
        same_reader=Absolute(value=5.0, unit="deg"),
    ),
    Repeatability(
        id="kyphosis of a fracture",
        quantities=("local_kyphosis", "wedge_angle"),
        subject="kyphosis in osteoporotic vertebral fractures, radiographs",
        published="42-98 % of repeats within 5 deg, depending on the method",
        source="Lee, J Clin Neurosci 2007;14:961-5, 10.1016/j.jocn.2006.08.005",
        evidence="V",
        assumed=True,
        same_reader=Absolute(value=5.0, unit="deg"),
        note="the method must match",
    ),
    Repeatability(
        id="OF class",
        subject="OF class",
        published="kappa 0.63; between readers ICC 0.62, one reader weighted kappa 0.74; "
        "CT and MRI 0.63 vs MRI 0.49",
        source="10.1177/2192568217717972; 10.1007/s00586-022-07201-2; "
        "10.1186/s12891-022-06056-4",
        evidence="V",
        use="category",
        note="a change needs two readers",
    ),
    Repeatability(
        id="AO Spine type",
        subject="AO Spine type / subtype",
        published="kappa 0.77 / 0.26-0.78",
        source="Reinhold 2013, 10.1007/s00586-013-2738-0",
        evidence="V",
        use="category",
    ),
)

JAW: Final = (
    Repeatability(
        id="density",
        quantities=(
            *("mean_value", "median_value", "minimum_value", "maximum_value", "value_sd"),
            *("attenuation", "mean_attenuation", "contrast_to_host"),
        ),
        subject="jaw bone density, CBCT",
        published="ICC volume 0.864, region 0.968; kappa necrosis 0.575, sclerosis "
        "0.617, periosteal thickening 0.885",
        source="Guggenberger, Skeletal Radiol 2014;43:1669, 10.1007/s00256-014-1951-1",
        evidence="V",
        use="site only",
        note="raw MR signal and CBCT grey values of two scanners never compare",
    ),
    Repeatability(
        id="jaw cortical width",
        quantities=("cortical_thickness",),
        subject="jaw cortical width",
        published="ICC 0.48 (MRONJ), 0.29, 0.34",
        source="Iwata, Kobe J Med Sci 2017, PMC5436531",
        evidence="V",
        use="never",
    ),
    Repeatability(
        id="lines on skulls",
        quantities=(
            *("distance", "length", "width", "height", "long_axis", "short_axis"),
            *("line_length", "path_length", "length_as_drawn", "landmark_asymmetry"),
            *("bone_width_left", "bone_width_right", "premaxilla_depression"),
        ),
        subject="CBCT/CT lines on skulls",
        published="mean difference 0.1 mm; under 0.6 % in 3D on wires, anatomy worse",
        source="Gribel, Angle Orthod 2011;81:28; Ludlow 2006, PMC3644804",
        evidence="V",
        assumed=True,
        same_reader=_LINE,
        two_readers=_TWO_READERS_LINE,
        note="two readers: as the jaw cortical line",
    ),
    Repeatability(
        id="jaw cortical line",
        subject="jaw cortical line, 11 readers",
        published="1.13 mm (CT), 1.15 mm (MR); ICC 0.22 / 0.43",
        source="medRxiv 2020.07.21.20154880",
        evidence="V",
        assumed=True,
        two_readers=_TWO_READERS_LINE,
        note="no quantity of its own: taken for every line that two readers click",
    ),
    Repeatability(
        id="bone volume",
        quantities=("bone_volume_left", "bone_volume_right"),
        subject="cleft bone volume, CT",
        published="ICC 0.90 and up",
        source="Kochhar, Dent J 2021;9:14",
        evidence="V",
        assumed=True,
        same_reader=Percent(percent=10.0, of="smaller"),
    ),
    Repeatability(
        id="fitted calipers",
        quantities=(
            *("palatal_gap_ap", "palatal_gap_transverse", "palatal_gap_on_line"),
            *("length_along_line", "length_perpendicular"),
        ),
        subject="palatal gap and other fitted CT calipers",
        published="no paper found; resampled real scans of this project",
        source="resampled real scans (docs/caliper.md)",
        evidence="D",
        assumed=True,
        same_reader=FittedCaliper(
            thin_mm=0.3, thin_percent=0.2, thick_mm=0.7, clicked_mm=1.6
        ),
        two_readers=_TWO_READERS_LINE,
        note="none where a value is flagged; two readers who click: as the jaw cortical "
        "line",
    ),
    Repeatability(
        id="fragment size and soft-tissue gap",
        quantities=("longest_diameter", "soft_tissue_notch", "soft_tissue_shortening"),
        subject="size of a sequestrum, soft-tissue gap on MRI",
        published="no paper found",
        source="",
        evidence="D",
        assumed=True,
        same_reader=_LINE,
    ),
    Repeatability(
        id="fragment volume",
        quantities=("excess_density_volume", "volume", "voxel_volume"),
        subject="volume of a sequestrum",
        published="no paper found",
        source="",
        evidence="D",
        assumed=True,
        same_reader=Percent(percent=20.0, of="smaller"),
    ),
)

MARROW: Final = (
    Repeatability(
        id="CNO on MRI",
        subject="CNO on MRI, each bone",
        published="mean kappa over 0.7, most over 0.9; femur and tibia lower",
        source="Zhao, J Rheumatol 2020 (CROMRIS)",
        evidence="V",
        use="category",
        note="a change is one of the grade",
    ),
    Repeatability(
        id="marrow edema volume",
        quantities=("edema_volume", "edema_percent"),
        subject="marrow edema volume (knee, STIR)",
        published="analysed again CV 0.89 %; two methods on the same scans differ by "
        "39-123 %",
        source="AJR 2004;182:1399; 10.1186/1471-2474-15-447",
        evidence="V",
        assumed=True,
        same_images=Percent(percent=2.5, of="smaller"),
        same_reader=Percent(percent=20.0, of="smaller"),
        note="the method must match; 2.5 % is 2.77 times the CV and holds for the same "
        "images alone, 20 % between scans is assumed",
    ),
)

# What no paper was found for and a comparison decides by: choices of this project, from
# what its phantoms show of one reading.
ASSUMED: Final = (
    Repeatability(
        id="asymmetry index",
        quantities=("asymmetry_index_volume", "asymmetry_index"),
        subject="asymmetry index of the jaw, volume or width",
        published="no paper found; on phantoms a half of the mandible within 5 %",
        source="phantoms of this project: both sides of both readings, 2 × 5 %",
        evidence="D",
        assumed=True,
        same_reader=Absolute(value=10.0, unit="%"),
        note="percentage points; an index holds while a child grows",
    ),
    Repeatability(
        id="count of fragments",
        quantities=("fragment_count",),
        subject="count of sequestra",
        published="no paper found; on phantoms 27 to 30 of 30 found at slices up to 1 mm",
        source="phantoms of this project",
        evidence="D",
        assumed=True,
        same_reader=Absolute(value=3.0, unit="{counts}"),
        note="thicker slices miss more: 20 to 24 of 30",
    ),
    Repeatability(
        id="gas and cement volume",
        quantities=("gas_volume", "cement_volume"),
        subject="volume of gas, of cement",
        published="no paper found",
        source="",
        evidence="D",
        assumed=True,
        same_reader=Percent(percent=20.0, of="smaller"),
        note="as the volume of a sequestrum",
    ),
    Repeatability(
        id="cortical breach fraction",
        quantities=("cortical_breach_fraction",),
        subject="cortical breach fraction",
        published="no paper found; on phantoms an intact thin cortex reads up to 7 %",
        source="phantoms of this project: a cortex of 0.75 mm without a hole",
        evidence="D",
        assumed=True,
        same_reader=Absolute(value=7.0, unit="%"),
    ),
    Repeatability(
        id="rims and depressions",
        quantities=(
            *("sclerotic_rim_thickness", "periosteal_thickness", "periosteal_length"),
            *("lucent_rim_width", "endplate_depression_superior"),
            *("endplate_depression_inferior", "mirror_distance"),
        ),
        subject="thickness of a rim or periosteal reaction, endplate depression, "
        "distance to the mirrored side",
        published="no paper found",
        source="",
        evidence="D",
        assumed=True,
        same_reader=_LINE,
        note="as the size of a sequestrum",
    ),
)

PUBLISHED: Final[tuple[Repeatability, ...]] = (*SPINE, *JAW, *MARROW, *ASSUMED)

_BY_QUANTITY: Final = {name: row for row in PUBLISHED for name in row.quantities}


def default_repeatability(quantity: str) -> Repeatability | None:
    """Return the row of a quantity (a key of `QUANTITIES`); None where there is none."""
    return _BY_QUANTITY.get(quantity)


def repeatability_row(row_id: str) -> Repeatability:
    """Return a row by its id; KeyError without one."""
    for row in PUBLISHED:
        if row.id == row_id:
            return row
    raise KeyError(row_id)
