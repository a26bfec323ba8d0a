"""How two series were made differently, and which changes that leaves unjudged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.fixtures.compared import case, compared, finding, reading

from osteotrace.codes import QUANTITIES
from osteotrace.comparison import Difference, StudyPair, compare, differences
from osteotrace.comparison.differences import MATTERS, in_words
from osteotrace.series.acquisition import Acquisition

if TYPE_CHECKING:
    from osteotrace.findings import Assessment

BEFORE, AFTER = "2023-06-20", "2024-01-15"
CT = Acquisition(
    series_uid="2.25.1",
    modality="CT",
    kernel="B70f",
    slice_thickness_mm=1.0,
    spacing_mm=(1.0, 0.5, 0.5),
    kvp=120.0,
    manufacturer="MAKER",
    model="One",
)
MR = Acquisition(
    series_uid="2.25.2",
    modality="MR",
    description="STIR sag",
    spacing_mm=(3.0, 0.6, 0.6),
    scanning_sequence=("SE", "IR"),
    echo_time_ms=30.0,
    repetition_time_ms=4000.0,
    inversion_time_ms=160.0,
    field_strength_t=1.5,
)


def other(one: Acquisition, **changes: object) -> Acquisition:
    return msgspec.structs.replace(one, series_uid="2.25.9", **changes)


def test_every_row_names_quantities_and_where_it_is_known_from() -> None:
    assert len({row.kind for row in MATTERS}) == len(MATTERS)
    for row in MATTERS:
        assert set(row.quantities) <= set(QUANTITIES)
        assert row.reason
        assert row.source


@pytest.mark.parametrize(
    ("one", "changes", "kind", "words", "matters", "does_not"),
    [
        (CT, {"kernel": "B30f"}, "kernel", "CT kernel B70f, then B30f", "mean_value",
         "palatal_gap_ap"),
        (CT, {"kernel": "B30f"}, "kernel", "CT kernel B70f, then B30f",
         "cortical_breach_fraction", "excess_density_volume"),
        (CT, {"slice_thickness_mm": 3.0}, "slice thickness",
         "CT slice thickness 1 mm, then 3 mm", "mean_value", "height_anterior"),
        (CT, {"spacing_mm": (3.0, 0.5, 0.5)}, "voxels",
         "CT voxels 1 × 0.5 × 0.5 mm, then 3 × 0.5 × 0.5 mm", "excess_density_volume",
         "palatal_gap_ap"),
        (CT, {"kvp": 80.0}, "tube voltage", "CT tube voltage 120 kV, then 80 kV",
         "mean_attenuation", "gas_volume"),
        (CT, {"contrast_agent": "iohexol"}, "contrast",
         "CT contrast none named, then iohexol", "mean_value", "gas_volume"),
        (CT, {"model": "Two"}, "device", "CT device MAKER One, then MAKER Two",
         "mean_value", "edema_volume"),
        (MR, {"description": "T2 TSE sag", "inversion_time_ms": None,
              "scanning_sequence": ("SE",)}, "sequence", "MR sequence STIR, then T2",
         "edema_volume", "height_anterior"),
        (MR, {"echo_time_ms": 60.0}, "timing", "MR timing TE 30 ms, then TE 60 ms",
         "signal_ratio_to_muscle", "soft_tissue_notch"),
        (MR, {"field_strength_t": 3.0}, "field strength",
         "MR field strength 1.5 T, then 3 T", "edema_volume", "asymmetry_index"),
    ],
)  # fmt: skip
def test_a_difference_is_told_with_what_it_matters_for(
    one: Acquisition,
    changes: dict[str, object],
    kind: str,
    words: str,
    matters: str,
    does_not: str,
) -> None:
    (found,) = differences([one], [other(one, **changes)])
    assert found.kind == kind
    assert in_words(found) == words
    assert matters in found.matters_for
    assert does_not not in found.matters_for
    assert found.reason


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"kernel": ""},
        {"slice_thickness_mm": 1.1},
        {"spacing_mm": None},
        {"kvp": None},
        {"model": "one", "manufacturer": "maker"},
    ],
)
def test_what_is_alike_or_not_stated_is_no_difference(changes: dict[str, object]) -> None:
    assert differences([CT], [other(CT, **changes)]) == ()


def test_voxels_a_little_larger_are_told_and_matter_for_nothing() -> None:
    (found,) = differences([CT], [other(CT, spacing_mm=(1.25, 0.5, 0.5))])
    assert (found.kind, found.matters_for) == ("voxels", ())


def test_small_changes_of_the_times_are_one_sequence() -> None:
    changed = other(MR, echo_time_ms=33.0, repetition_time_ms=4500.0)
    assert differences([MR], [changed]) == ()


def test_another_modality_leaves_lengths_alone() -> None:
    (found,) = differences([CT], [MR])
    assert found.kind == "modality"
    assert "edema_volume" in found.matters_for
    assert "mean_value" in found.matters_for
    assert not {"palatal_gap_ap", "height_anterior"} & set(found.matters_for)
    (both,) = differences([CT, MR], [MR])
    assert both.matters_for == ()


def test_each_series_is_compared_with_the_one_most_like_it() -> None:
    soft = other(CT, kernel="B30f")
    assert differences([CT, soft], [soft]) == ()
    t1 = other(MR, description="T1", inversion_time_ms=None, echo_time_ms=12.0)
    assert differences([MR, t1], [t1, MR]) == ()


# In a comparison ---------------------------------------------------------------------


def readings(quantity: str, kind: str, first: float, last: float) -> list[Assessment]:
    made = []
    for date, number in ((BEFORE, first), (AFTER, last)):
        one = reading(date)
        uid = one.series[0].series_uid
        values: dict[str, Any] = {quantity: number}
        of_it = finding("A", kind, uid="2.25.3", series=uid, **values)
        made.append(msgspec.structs.replace(one, findings=(of_it,)))
    return made


@pytest.mark.parametrize(
    ("quantity", "kind", "changes", "state"),
    [
        ("gas_volume", "gas", {"kernel": "B30f"}, "growing"),
        ("gas_volume", "gas", {"spacing_mm": (3.0, 0.5, 0.5)}, "not comparable"),
        ("cortical_breach_fraction", "moth_eaten", {"kernel": "B30f"}, "not comparable"),
    ],
)
def test_a_change_is_shown_and_not_judged_where_the_repeatability_does_not_hold(
    quantity: str, kind: str, changes: dict[str, object], state: str
) -> None:
    first, last = readings(quantity, kind, 40.0, 90.0)
    uids = [one.series[0].series_uid for one in (first, last)]
    made = [
        msgspec.structs.replace(CT, series_uid=uids[0]),
        msgspec.structs.replace(CT, series_uid=uids[1], **changes),
    ]
    found = compare(case(first, last), acquisitions=made)
    (one,) = found.lesions
    assert one.state == state
    (change,) = one.steps[0].changes
    assert change.change.delta == 50.0
    assert bool(change.inapplicable) is (state == "not comparable")
    assert change.is_real is (state != "not comparable")
    assert [d.kind for d in found.pairs[0].differences] == [
        "kernel" if "kernel" in changes else "voxels"
    ]


def test_the_differences_of_the_studies_count_where_the_series_are_not_known() -> None:
    first, last = readings("mean_value", "lesion", 400.0, 900.0)
    told = Difference(
        kind="kernel", earlier="B70f", later="B30f", modality="CT",
        matters_for=("mean_value",),
    )  # fmt: skip
    pair = StudyPair(earlier=0, later=1, differences=(told,))
    found = compare(case(first, last), pairs=[pair])
    (change,) = found.lesions[0].steps[0].changes
    assert change.inapplicable == ("CT kernel B70f, then B30f",)
    of_mr = msgspec.structs.replace(told, modality="MR")
    pair = StudyPair(earlier=0, later=1, differences=(of_mr,))
    found = compare(case(first, last), pairs=[pair])
    assert found.lesions[0].steps[0].changes[0].inapplicable == ()


def test_what_the_record_itself_says_of_the_voxels_counts() -> None:
    def gas(date: str, thick: float) -> Assessment:
        one = finding("G", uid="2.25.3", gas_volume=40.0 * thick)
        return reading(date, one, spacing=(thick, 0.5, 0.5))

    assert compared(gas(BEFORE, 1.0), gas(AFTER, 1.3)).lesions[0].state == "growing"
    found = compared(gas(BEFORE, 1.0), gas(AFTER, 3.0))
    assert found.lesions[0].state == "not comparable"
    assert "voxels" in found.lesions[0].steps[0].reason


def test_a_lesion_of_two_modalities_compares_by_its_lengths() -> None:
    def both(date: str, mm: float, volume: float, modality: str) -> Assessment:
        one = finding("D", "soft_tissue_defect", uid="2.25.3", soft_tissue_notch=mm)
        edema = finding("E", "marrow_edema", uid="2.25.4", edema_volume=volume)
        return reading(date, one, edema, modalities=(modality,))

    found = compared(both(BEFORE, 6.5, 900.0, "MR"), both(AFTER, 9.5, 90.0, "CT"))
    states = {one.label: one.state for one in found.lesions}
    assert states == {"D": "growing", "E": "not comparable"}
