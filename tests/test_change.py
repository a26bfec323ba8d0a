"""Change is called beyond repeatability alone; every default names its source."""

import math
import re

import numpy as np
import pytest
from tests.test_documents import ROOT, assert_examples_run

from osteotrace.change import (
    PUBLISHED,
    Absolute,
    Percent,
    Repeatability,
    change,
    default_repeatability,
    repeatability_row,
    site_repeatability,
    why_not_comparable,
)
from osteotrace.codes import QUANTITIES
from osteotrace.errors import OsteotraceError
from osteotrace.measurements.measurement import (
    Measurement,
    Method,
    measured,
    not_measured,
)

METHOD = Method(name="a method", version="1")


def reading(
    name: str,
    value: float,
    unit: str = "mm",
    *,
    u: float | None = 0.05,
    between: tuple[float, float] | None = None,
    method: Method = METHOD,
    definition: str = "as defined",
    flags: tuple[str, ...] = (),
    sources: tuple[str, ...] = (),
) -> Measurement:
    """A measurement; a range where `between` is given and `u` is None."""
    return measured(
        name,
        value,
        unit,
        method=method,
        sources=sources,
        uncertainty=u,
        uncertainty_reason="" if u is not None else "only a range",
        interval95=between,
        definition=definition,
        flags=flags,
    )


# Verdicts at the edges of the repeatability ------------------------------------------


@pytest.mark.parametrize(
    ("later", "verdict"),
    [
        (60.0, "increased"),
        (38.2, "within measurement error"),
        (38.3, "within measurement error"),
        (26.5, "within measurement error"),
        (14.7, "within measurement error"),
        (14.6, "decreased"),
        (38.4, "increased"),
    ],
)
def test_a_change_counts_beyond_the_coefficient_and_not_at_it(
    later: float, verdict: str
) -> None:
    """Height loss against neighbours: 11.8 percentage points for one reader."""
    got = change(
        reading("height_loss_adjacent_anterior", 26.5, "%"),
        reading("height_loss_adjacent_anterior", later, "%"),
        same_reader=True,
    )
    assert got.verdict == verdict
    assert got.delta == pytest.approx(later - 26.5)
    assert got.limit == pytest.approx(11.8)


def test_two_readers_differ_by_more_than_one() -> None:
    pair = (
        reading("height_loss_adjacent_middle", 20.0, "%"),
        reading("height_loss_adjacent_middle", 32.2, "%"),
    )
    assert change(*pair, same_reader=True).verdict == "increased"
    assert change(*pair, same_reader=False).verdict == "within measurement error"


def test_a_change_is_later_less_earlier_and_its_share_of_the_earlier() -> None:
    got = change(
        reading("height_anterior", 25.0),
        reading("height_anterior", 20.0),
        same_reader=True,
    )
    assert (got.delta, got.percent) == (-5.0, -20.0)
    assert got.limit == pytest.approx(0.055 * 22.5)
    assert got.verdict == "decreased"


@pytest.mark.parametrize(
    ("later", "verdict"),
    [(120.0, "within measurement error"), (120.1, "increased"), (83.2, "decreased")],
)
def test_a_volume_is_compared_on_the_logarithmic_scale(
    later: float, verdict: str
) -> None:
    """20 %: more than 1.2 times as much, or less than 1/1.2 = 83.3 % of it."""
    got = change(
        reading("excess_density_volume", 100.0, "mm3", u=1.0),
        reading("excess_density_volume", later, "mm3", u=1.0),
        same_reader=True,
    )
    assert got.verdict == verdict
    assert got.limit_origin == "assumed"


def test_a_change_there_and_back_has_opposite_verdicts() -> None:
    small, large = (reading("edema_volume", v, "mm3", u=1.0) for v in (100.0, 121.0))
    assert change(small, large, same_reader=True).verdict == "increased"
    assert change(large, small, same_reader=True).verdict == "decreased"


@pytest.mark.parametrize(
    ("u", "verdict", "limit"),
    [(0.5, "increased", 5.0), (2.0, "within measurement error", 1.96 * math.sqrt(8))],
)
def test_uncertainties_larger_than_the_coefficient_count_in_its_place(
    u: float, verdict: str, limit: float
) -> None:
    got = change(
        reading("local_kyphosis", 10.0, "deg", u=u),
        reading("local_kyphosis", 15.3, "deg", u=u),
        same_reader=True,
    )
    assert got.verdict == verdict
    assert got.limit == pytest.approx(limit)
    assert (got.limit_origin == "assumed") == (u == 0.5)
    assert ("uncertainties" in got.limit_origin) == (u == 2.0)


def test_the_uncertainty_of_a_registration_widens_the_limit() -> None:
    got = change(
        reading("local_kyphosis", 10.0, "deg"),
        reading("local_kyphosis", 15.3, "deg"),
        same_reader=True,
        u_registration=1.0,
    )
    assert got.limit == pytest.approx(math.hypot(5.0, 1.96))
    assert got.verdict == "within measurement error"
    assert "registration" in got.limit_origin


# Coefficients that depend on how the reading was made --------------------------------


@pytest.mark.parametrize(
    ("points", "slice_mm", "limit"),
    [
        ("transferred", 0.6, 0.3 + 0.002 * 12.5),
        ("transferred", 1.0, 0.3 + 0.002 * 12.5),
        ("transferred", 2.0, 0.7),
        ("transferred", 3.0, 0.7),
        ("clicked", 0.6, 1.6),
        ("clicked", None, 1.6),
    ],
)
def test_a_fitted_gap_repeats_by_its_slices_and_by_how_its_points_were_placed(
    points: str, slice_mm: float | None, limit: float
) -> None:
    got = change(
        reading("palatal_gap_ap", 12.07),
        reading("palatal_gap_ap", 12.5),
        same_reader=True,
        points="transferred" if points == "transferred" else "clicked",
        slice_mm=slice_mm,
    )
    assert got.limit == pytest.approx(limit)
    assert got.limit_origin == "assumed"
    assert (got.verdict == "increased") == (limit < 0.43)


@pytest.mark.parametrize("slice_mm", [None, 5.0])
def test_transferred_points_on_slices_of_no_known_repeatability_do_not_compare(
    slice_mm: float | None,
) -> None:
    got = change(
        reading("palatal_gap_ap", 12.0),
        reading("palatal_gap_ap", 15.0),
        same_reader=True,
        points="transferred",
        slice_mm=slice_mm,
    )
    assert got.verdict == "not comparable"
    assert "slices" in got.reason


def test_two_readers_who_click_a_gap_anew_differ_as_readers_of_a_line_do() -> None:
    pair = reading("palatal_gap_ap", 12.0), reading("palatal_gap_ap", 13.9)
    assert change(*pair, same_reader=True).verdict == "increased"
    two = change(*pair, same_reader=False)
    assert (two.verdict, two.limit) == ("within measurement error", 2.0)
    again = change(*pair, same_reader=False, points="transferred", slice_mm=1.0)
    assert again.verdict == "increased"


@pytest.mark.parametrize(("voxel_mm", "limit"), [(0.3, 1.0), (0.5, 1.0), (0.8, 1.6)])
def test_a_drawn_line_repeats_to_a_millimetre_or_two_voxels(
    voxel_mm: float, limit: float
) -> None:
    got = change(
        reading("soft_tissue_notch", 6.5),
        reading("soft_tissue_notch", 9.0),
        same_reader=True,
        voxel_mm=voxel_mm,
    )
    assert got.limit == pytest.approx(limit)


def test_two_readers_never_repeat_better_than_one() -> None:
    got = change(
        reading("distance", 20.0),
        reading("distance", 25.0),
        same_reader=False,
        voxel_mm=3.0,
    )
    assert got.limit == pytest.approx(6.0)


def test_a_line_without_the_size_of_its_voxels_does_not_compare() -> None:
    got = change(reading("distance", 6.5), reading("distance", 9.0), same_reader=True)
    assert got.verdict == "not comparable"
    assert "voxels" in got.reason


def test_the_same_images_analysed_again_repeat_better_than_two_scans() -> None:
    pair = [
        reading("edema_volume", value, "mm3", u=1.0, sources=("1.2.3", "1.2.4"))
        for value in (1000.0, 1100.0)
    ]
    close = reading("edema_volume", 1020.0, "mm3", u=1.0, sources=("1.2.3", "1.2.4"))
    again = change(pair[0], close, same_reader=True)
    assert (again.verdict, again.limit) == ("within measurement error", 25.0)
    assert again.limit_origin.startswith("AJR 2004")
    other = reading("edema_volume", 1100.0, "mm3", u=1.0, sources=("1.2.9",))
    scans = change(pair[0], other, same_reader=True)
    assert (scans.verdict, scans.limit_origin) == ("within measurement error", "assumed")


def test_the_same_images_never_show_a_change_whoever_reads_them() -> None:
    first, last = (
        reading("edema_volume", value, "mm3", u=1.0, sources=("1.2.3", "1.2.4"))
        for value in (1000.0, 1300.0)
    )
    for pair, by in (((first, last), r"\+300 mm3"), ((last, first), "-300 mm3")):
        for same_reader in (True, False):
            got = change(*pair, same_reader=same_reader)
            assert got.verdict == "not comparable"
            assert "same images" in got.reason
            assert re.search(by, got.reason)


def test_the_repeat_of_one_reader_is_never_used_for_two() -> None:
    pair = [
        reading("edema_volume", value, "mm3", u=1.0, sources=("1.2.3",))
        for value in (1000.0, 1100.0)
    ]
    assert change(*pair, same_reader=True).verdict == "not comparable"
    two = change(*pair, same_reader=False)
    assert (two.verdict, two.limit) == ("within measurement error", 200.0)
    assert two.limit_origin == "assumed"


@pytest.mark.parametrize(
    ("name", "unit"),
    [("height_anterior", "mm"), ("edema_volume", "mm3"), ("local_kyphosis", "deg")],
)
def test_two_readers_judged_by_the_repeat_of_one_are_told_so(
    name: str, unit: str
) -> None:
    pair = [reading(name, value, unit) for value in (25.0, 23.4)]
    said = "one reader: two readers differ by more"
    assert said in change(*pair, same_reader=False).notes
    assert said not in change(*pair, same_reader=True).notes
    known = [reading("height_loss_adjacent", value, "%") for value in (25.0, 23.4)]
    assert said not in change(*known, same_reader=False).notes


# What does not compare ---------------------------------------------------------------

HEIGHT = reading("height_anterior", 25.0)


@pytest.mark.parametrize(
    ("later", "reason"),
    [
        (reading("height_middle", 20.0), "two quantities"),
        (reading("height_anterior", 20.0, "{pixels}"), "the other in {pixels}"),
        (
            reading("height_anterior", 20.0, method=Method(name="a method", version="2")),
            "two methods: a method 1 and a method 2",
        ),
        (reading("height_anterior", 20.0, definition="marks"), "two definitions"),
        (reading("height_anterior", 20.0, flags=("motion",)), "flagged: motion"),
        (
            not_measured("height_anterior", "no endplate", method=METHOD),
            "not measured at the later date: no endplate",
        ),
    ],
)
def test_two_readings_that_differ_in_kind_do_not_compare_and_say_why(
    later: Measurement, reason: str
) -> None:
    got = change(HEIGHT, later, same_reader=True)
    assert got.verdict == "not comparable"
    assert reason in got.reason
    assert got.delta is None
    assert got.earlier == 25.0
    assert got.as_text == f"not comparable: {got.reason}"


def test_slices_that_are_coarse_at_both_dates_alike_stand_in_no_way() -> None:
    coarse = ("slices of 2.7 mm: over 1.5 mm a jaw is read coarsely",)
    earlier = reading("height_anterior", 20.0, flags=coarse)
    later = reading("height_anterior", 20.1, flags=coarse)
    assert change(earlier, later, same_reader=True).verdict == "within measurement error"
    finer = change(HEIGHT, later, same_reader=True)
    assert finer.verdict == "not comparable"
    assert "coarsely" in finer.reason


def test_a_flag_that_a_reader_let_pass_stands_in_the_way_no_more() -> None:
    later = reading("height_anterior", 20.0, flags=("motion",))
    got = change(HEIGHT, later, same_reader=True, accepted_flags=("motion",))
    assert got.verdict == "decreased"


def test_numbers_that_a_reading_tells_of_itself_are_no_other_definition() -> None:
    first, last = (
        reading("palatal_gap_ap", 12.0, definition=f"near the hole, which is {n} mm")
        for n in ("12.31", "11.20")
    )
    assert why_not_comparable(first, last) == ""
    other = reading("palatal_gap_ap", 12.0, definition="along the drawn line")
    assert "two definitions" in why_not_comparable(first, other)


def test_a_height_at_another_place_is_another_definition() -> None:
    first, last = (
        reading("bone_width_left", 12.0, definition=f"{n} mm along the arch")
        for n in ("30.0", "40.0")
    )
    assert "two definitions" in why_not_comparable(first, last)


@pytest.mark.parametrize(
    ("name", "unit", "reason"),
    [
        ("cortical_thickness", "mm", "not followed over time"),
        ("mean_value", "[hnsf'U]", "only a site's own"),
        ("separated_fraction", "%", "no repeatability of separated_fraction is known"),
        ("genant_grade", "{grade}", "a class"),
    ],
)
def test_what_has_no_coefficient_is_not_called_changed(
    name: str, unit: str, reason: str
) -> None:
    got = change(reading(name, 1.0, unit), reading(name, 3.0, unit), same_reader=True)
    assert got.verdict == "not comparable"
    assert reason in got.reason


# Ranges ------------------------------------------------------------------------------


def _range(low: float, high: float) -> Measurement:
    return reading(
        "excess_density_volume", (low + high) / 2, "mm3", u=None, between=(low, high)
    )


@pytest.mark.parametrize(
    ("later", "verdict", "between"),
    [
        ((30.0, 40.0), "increased", (15.0, 30.0)),
        ((12.0, 20.0), "not comparable", None),
        ((2.0, 4.0), "decreased", (-13.0, -6.0)),
    ],
)
def test_ranges_compare_by_the_least_and_the_greatest_change_they_allow(
    later: tuple[float, float], verdict: str, between: tuple[float, float] | None
) -> None:
    got = change(_range(10.0, 15.0), _range(*later), same_reader=True)
    assert got.verdict == verdict
    assert got.between == between
    assert got.percent is None


def test_narrow_ranges_are_within_measurement_error() -> None:
    got = change(_range(100.0, 101.0), _range(102.0, 103.0), same_reader=True)
    assert got.verdict == "within measurement error"


def test_ranges_that_leave_it_open_say_what_change_they_allow() -> None:
    got = change(_range(10.0, 15.0), _range(12.0, 20.0), same_reader=True)
    assert got.reason == "only ranges: the change may be any from -3 to 10 mm3"


# In words ----------------------------------------------------------------------------


def test_a_change_below_repeatability_is_printed_as_within_measurement_error() -> None:
    got = change(
        reading("palatal_gap_ap", 12.0), reading("palatal_gap_ap", 12.4), same_reader=True
    )
    assert got.as_text == (
        "within measurement error (+0.4 mm, +3 %; repeatability 1.6 mm, assumed)"
    )
    assert str(got) == f"palatal_gap_ap {got.as_text}"


def test_a_change_beyond_repeatability_is_printed_with_its_source() -> None:
    got = change(HEIGHT, reading("height_anterior", 20.0), same_reader=True)
    assert got.as_text == (
        "decreased (-5.0 mm, -20 %; repeatability 1.2 mm, Edmondston, Osteoporos Int "
        "1999;10:7-13)"
    )


# A site's own readings ---------------------------------------------------------------


def test_a_sites_own_coefficient_comes_from_its_repeated_readings() -> None:
    """Pairs that differ by d: wSD = sqrt(sum d^2 / 2n); five pairs, d = 1, 2, 0, 1, 2."""
    pairs = [(10.0, 11.0), (12.0, 14.0), (9.0, 9.0), (20.0, 19.0), (15.0, 17.0)]
    found = site_repeatability("palatal_gap_ap", pairs, "mm")
    assert found.within_subject_sd == pytest.approx(1.0)
    assert found.coefficient == pytest.approx(2.772, abs=1e-3)
    assert (found.lesions, found.readings) == (5, 10)
    # Chi-square with 5 degrees of freedom: 0.8312 and 12.833 at 2.5 and 97.5 %.
    assert found.interval95 == pytest.approx(
        (2.772 * math.sqrt(5 / 12.833), 2.772 * math.sqrt(5 / 0.8312)), rel=1e-3
    )
    assert "10 readings of 5 lesions" in found.repeatability.source


def test_a_sites_own_coefficient_covers_95_percent_of_repeats() -> None:
    """A simulated site: 4,000 pairs of readings with an SD of 0.4 mm."""
    random = np.random.default_rng(5)
    truth = random.uniform(5, 40, 4000)
    pairs = truth[:, None] + random.normal(0, 0.4, (4000, 2))
    found = site_repeatability("palatal_gap_ap", pairs.tolist(), "mm")
    assert found.coefficient == pytest.approx(2.772 * 0.4, rel=0.03)
    inside = np.abs(np.diff(pairs, axis=1)) <= found.coefficient
    assert inside.mean() == pytest.approx(0.95, abs=0.012)


def test_a_relative_coefficient_is_of_the_logarithms() -> None:
    pairs = [(100.0, 110.0), (1000.0, 1100.0), (50.0, 55.0)]
    found = site_repeatability("edema_volume", pairs, "mm3", relative=True)
    sd = math.log(1.1) / math.sqrt(2)
    assert found.within_subject_sd == pytest.approx(sd)
    assert found.coefficient == pytest.approx(100 * (math.exp(2.772 * sd) - 1), rel=1e-3)


def test_a_sites_own_coefficient_overrides_the_default() -> None:
    own = site_repeatability(
        "cortical_thickness", [(2.0, 2.1), (2.5, 2.4), (1.9, 2.0)], "mm"
    )
    got = change(
        reading("cortical_thickness", 2.0),
        reading("cortical_thickness", 3.0),
        same_reader=True,
        repeatability=own.repeatability,
    )
    assert got.verdict == "increased"
    assert got.limit_origin == "the site's own 6 readings of 3 lesions by one reader"


def test_a_coefficient_of_another_quantity_is_refused() -> None:
    own = site_repeatability("gas_volume", [(2.0, 2.1), (2.5, 2.4)], "mm3")
    with pytest.raises(OsteotraceError, match="repeatability of gas_volume"):
        change(HEIGHT, HEIGHT, same_reader=True, repeatability=own.repeatability)


@pytest.mark.parametrize(
    "repeats", [[], [(1.0, 2.0)], [(1.0,), (2.0,)], [(1.0, math.nan), (1.0, 2.0)]]
)
def test_too_few_repeats_or_no_numbers_give_no_coefficient(
    repeats: list[tuple[float, ...]],
) -> None:
    with pytest.raises(OsteotraceError):
        site_repeatability("distance", repeats, "mm")


def test_a_relative_coefficient_needs_readings_above_zero() -> None:
    with pytest.raises(OsteotraceError, match="above zero"):
        site_repeatability("edema_volume", [(0.0, 1.0), (1.0, 2.0)], "mm3", relative=True)


@pytest.mark.parametrize("u", [-1.0, math.nan, math.inf])
def test_an_impossible_uncertainty_of_the_registration_is_refused(u: float) -> None:
    with pytest.raises(OsteotraceError):
        change(HEIGHT, HEIGHT, same_reader=True, u_registration=u)


# The defaults ------------------------------------------------------------------------


def test_every_row_of_published_precision_is_there_once() -> None:
    ids = [row.id for row in PUBLISHED]
    assert len(ids) == len(set(ids))
    named = [name for row in PUBLISHED for name in row.quantities]
    assert len(named) == len(set(named))
    assert set(named) <= set(QUANTITIES)


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: row.id)
def test_a_default_names_its_source_or_is_called_assumed(row: Repeatability) -> None:
    formulas = [row.same_reader, row.two_readers, row.same_images]
    assert any(formulas) == (row.use == "default")
    assert row.assumed or row.source
    assert row.published
    if row.evidence == "D":
        assert row.assumed


# Row, one reader, two readers where it is another, and whether it is assumed.
@pytest.mark.parametrize(
    ("row", "one", "two", "assumed"),
    [
        ("height loss against neighbours", Absolute(value=11.8, unit="%"), 12.5, False),
        ("sum of grades", Absolute(value=2, unit="{grade}"), 3.0, False),
        ("vertebral height", Percent(percent=5.5, of="mean"), None, False),
        ("segmental kyphosis", Absolute(value=5, unit="deg"), None, True),
        ("kyphosis of a fracture", Absolute(value=5, unit="deg"), None, True),
        ("bone volume", Percent(percent=10, of="smaller"), None, True),
        ("marrow edema volume", Percent(percent=20, of="smaller"), None, True),
        ("fragment volume", Percent(percent=20, of="smaller"), None, True),
        ("jaw cortical line", None, 2.0, True),
        ("asymmetry index", Absolute(value=10, unit="%"), None, True),
        ("count of fragments", Absolute(value=3, unit="{counts}"), None, True),
        ("gas and cement volume", Percent(percent=20, of="smaller"), None, True),
    ],
)
def test_the_defaults_are_those_of_the_clinical_table(
    row: str, one: object, two: float | None, assumed: bool
) -> None:
    told = repeatability_row(row)
    assert told.same_reader == one
    assert told.assumed == assumed
    value = told.two_readers.value if isinstance(told.two_readers, Absolute) else None
    assert value == two


def test_the_width_of_the_jaws_cortex_is_never_followed() -> None:
    row = default_repeatability("cortical_thickness")
    assert row is not None
    assert row.use == "never"
    with pytest.raises(KeyError):
        repeatability_row("nothing")


# The page ----------------------------------------------------------------------------

PAGE = ROOT / "docs/change.md"


def _as_row(row: Repeatability) -> str:
    origin = "assumed" if row.assumed else "published"
    said = (
        row.subject,
        row.published,
        row.as_text,
        origin if row.use == "default" else "none",
        row.source or "none",
    )
    return f"| {' | '.join(said)} |"


def test_the_page_lists_every_default_as_it_is() -> None:
    lines = PAGE.read_text().splitlines()
    start = lines.index("| quantity | published | coefficient | it is | source |") + 2
    assert lines[start : start + len(PUBLISHED)] == [_as_row(row) for row in PUBLISHED]
    assert lines[start + len(PUBLISHED)] == ""


def test_the_page_on_change_runs() -> None:
    assert_examples_run(PAGE, least=8)
