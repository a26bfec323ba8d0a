"""Label names: what other programs write, and what osteotrace calls it."""

from __future__ import annotations

import pytest

from osteotrace.codes import LATERALITIES, SITES
from osteotrace.segmentation.label_names import (
    LEVELS,
    TABLES,
    site_of,
    standard_name,
    standard_name_of_codes,
    table_for,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vertebrae_L1", "L1"),
        ("vertebrae_T12", "T12"),
        ("L3", "L3"),
        ("l3 vertebra", "L3"),
        ("Vertebra C7", "C7"),
        ("L2_body", "L2 body"),
        ("vertebral body L4", "L4 body"),
        ("L1_ivd", "L1 disc"),
        ("L1-L2 disc", "L1 disc"),
        ("L5/S1 disc", "L5 disc"),
        ("T13-L1 disc", "T13 disc"),
        ("T11_endplate", "T11 endplate"),
        ("vertebrae_body", "vertebral body"),
        ("Vertebra_Corpus_border", "vertebral body"),
        ("intervertebral_discs", "disc"),
        ("Spinal_Canal", "spinal canal"),
        ("rib_left_4", "left rib 4"),
        ("femur_right", "right femur"),
        ("Left femur", "left femur"),
        ("clavicula_left", "left clavicle"),
        ("sacrum", "sacrum"),
        ("teeth_upper", "upper teeth"),
    ],
)
def test_a_name_becomes_a_standard_name(name: str, expected: str) -> None:
    assert standard_name(name) == expected


@pytest.mark.parametrize(
    "name",
    ["", "T2w", "T2 lesion", "lesion T1", "Liver", "L1 L3 disc", "L1-L2", "edema L1",
     "femur 2", "left right femur", "label 20", "L7", "T14", "bodybuilder", "L1 left"],
)  # fmt: skip
def test_a_name_that_is_not_wholly_understood_has_no_standard_name(name: str) -> None:
    assert standard_name(name) == ""


def test_the_numbers_of_totalsegmentator_name_its_vertebrae() -> None:
    total = TABLES["totalsegmentator total"]
    expected = {26: "S1", 27: "L5", 31: "L1", 32: "T12", 43: "T1", 44: "C7", 50: "C1"}
    assert {n: standard_name(total[n]) for n in expected} == expected
    assert standard_name(total[92]) == "left rib 1"
    assert standard_name(total[115]) == "right rib 12"
    on_mr = TABLES["totalsegmentator vertebrae_mr"]
    assert [standard_name(on_mr[n]) for n in (1, 2, 6, 7, 25)] == [
        "sacrum", "L5", "L1", "T12", "C1",
    ]  # fmt: skip
    bodies = TABLES["totalsegmentator vertebrae_pp_refined"]
    assert [standard_name(bodies[n]) for n in (1, 19, 20, 24)] == [
        "C1 body", "T12 body", "L1 body", "L5 body",
    ]  # fmt: skip


def test_the_numbers_of_tptbox_name_its_vertebrae_and_their_parts() -> None:
    levels = TABLES["tptbox vertebrae"]
    expected = {
        1: "C1", 7: "C7", 8: "T1", 19: "T12", 28: "T13", 20: "L1", 24: "L5", 25: "L6",
        26: "S1", 27: "coccyx", 119: "T12 disc", 220: "L1 endplate",
    }  # fmt: skip
    assert {n: standard_name(levels[n]) for n in expected} == expected
    parts = TABLES["tptbox subregions"]
    expected = {
        41: "vertebral arch", 42: "spinous process", 43: "left costal process",
        46: "right superior articular process", 49: "vertebral body",
        50: "vertebral body", 60: "spinal cord", 61: "spinal canal", 62: "endplate",
        100: "disc",
    }  # fmt: skip
    assert {n: standard_name(parts[n]) for n in expected} == expected


def test_every_name_in_a_table_is_understood() -> None:
    unknown = {
        name
        for table in TABLES.values()
        for name in table.values()
        if not standard_name(name) and not name.startswith("Cocc_")
    }
    assert unknown == set()


def test_a_level_has_one_name_however_its_table_numbers_it() -> None:
    for level in LEVELS:
        assert standard_name(f"vertebrae_{level}") == level


def test_a_code_names_its_level_or_structure() -> None:
    assert standard_name_of_codes([("SCT", "66794005")]) == "L1"
    assert standard_name_of_codes([("SCT", "0"), ("SCT", "90228003")]) == "hard palate"
    assert standard_name_of_codes([("DCM", "66794005")]) == ""


@pytest.mark.parametrize(
    ("standard", "expected"),
    [("L1 body", ("l1", "")), ("T12", ("t12", "")), ("left femur", ("femur", "left")),
     ("right rib 4", ("rib", "right")), ("left hip bone", ("pelvis", "left")),
     ("vertebral body", ("spine", "")), ("S1", ("sacrum", "")), ("T13", ("", "")),
     ("hard palate", ("hard_palate", "")), ("spinal cord", ("", "")), ("", ("", ""))],
)  # fmt: skip
def test_a_standard_name_gives_the_site_of_a_finding(
    standard: str, expected: tuple[str, str]
) -> None:
    site, side = site_of(standard)
    assert (site, side) == expected
    assert site == "" or site in SITES
    assert side == "" or side in LATERALITIES


def test_a_file_name_points_to_its_table() -> None:
    assert table_for("sub-mri_seg-vert_label-6_msk.nii.gz") == "tptbox vertebrae"
    assert table_for("sub-mri_seg-subreg_label-6_msk.nii.gz") == "tptbox subregions"
    assert table_for("totalseg_vertebrae_pp_refined.nii.gz").endswith("pp_refined")
    assert table_for("totalseg.nii.gz") == ""
