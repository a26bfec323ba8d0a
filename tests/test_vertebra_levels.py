"""Six marks, radiographs, grades, and levels beside each other and beside a prior."""

from __future__ import annotations

import numpy as np
import pytest

from osteotrace import OsteotraceError
from osteotrace.geometry import as_stored
from osteotrace.measurements import vertebra
from osteotrace.measurements.measurement import Measurement, NotMeasured
from osteotrace.measurements.vertebra.grading import Loss, deformity, grade_range
from osteotrace.measurements.vertebra.marks import ROLES
from osteotrace.phantoms import vertebrae
from osteotrace.phantoms.in_memory import noisy
from osteotrace.phantoms.vertebrae import Vertebra
from osteotrace.regions import ImagePoints, Points


def marks(
    anterior: float, middle: float, posterior: float, *, tilt: float = 0.0, z: float = 0.0
) -> np.ndarray:
    """Return six marks around (0, 0, z), in the order of the roles."""
    heights = np.array([anterior, middle, posterior])
    y = np.array([-13.0, 0.0, 13.0])
    upper = np.stack([np.zeros(3), y, 0.5 * heights], axis=1)
    lower = upper * [1, 1, -1]
    turn = np.radians(tilt)
    rotation = np.array(
        [[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]]
    )
    places = np.concatenate([upper, lower]) @ rotation.T
    places[:, 2] += z
    return np.asarray(places)


def as_points(places: np.ndarray, roles: tuple[str, ...] = ROLES) -> Points:
    return Points(
        role="marks",
        points=tuple(as_stored(place) for place in places),
        point_roles=roles,
        frame_of_reference_uid="2.25.2",
        source_instances=("2.25.1.1",),
    )


def marked(
    level: str, *heights: float, tilt: float = 0.0, z: float = 0.0
) -> vertebra.VertebraReading:
    places = marks(*heights, tilt=tilt, z=z)
    return vertebra.from_points(as_points(places), level=level)


def number(row: Measurement | NotMeasured) -> Measurement:
    assert isinstance(row, Measurement), str(row)
    return row


def reason(row: Measurement | NotMeasured) -> str:
    assert isinstance(row, NotMeasured), str(row)
    return row.reason


# --- grades --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "grades"),
    [
        (0.0, (0, 0)),
        (19.9, (0, 0)),
        (20.0, (1, 1)),
        (24.9, (1, 1)),
        (25.0, (2, 2)),
        (39.9, (2, 2)),
        (40.0, (2, 3)),
        (40.1, (3, 3)),
    ],
)
def test_genant_cuts_are_20_25_and_40_and_exactly_40_is_both(
    loss: float, grades: tuple[int, int]
) -> None:
    assert grade_range(loss, loss) == grades


@pytest.mark.parametrize(
    ("anterior", "said"),
    [(25.0, "0"), (21.2, "0 to 1"), (18.0, "2"), (15.3, "2 to 3"), (12.0, "3")],
)
def test_a_grade_near_a_cut_says_both(anterior: float, said: str) -> None:
    reading = marked("L1", anterior, 25.0, 26.0)
    grade = number(reading.reading["genant_grade"])
    loss = number(reading.reading["height_loss_own_anterior"])
    assert loss.value == pytest.approx(100 * (1 - anterior / 26.0), abs=0.01)
    # 2 % a height: u of the loss is 100 · 0.02 · √2 · (anterior / posterior).
    assert loss.uncertainty == pytest.approx(2 * np.sqrt(2) * anterior / 26, rel=1e-3)
    assert grade.as_text == said
    assert grade.uncertainty_reason


def test_types_of_deformity_follow_the_largest_loss() -> None:
    def loss(where: str, value: float) -> Loss:
        return Loss(where=where, against="x", value=value, u=1.0)

    assert deformity([loss("anterior", 30), loss("middle", 10)]) == "wedge"
    assert deformity([loss("anterior", 5), loss("middle", 30)]) == "biconcave"
    assert deformity([loss("posterior", 41), loss("middle", 30)]) == "crush"
    assert deformity([loss("anterior", 31), loss("middle", 30)]) == "wedge or biconcave"
    assert deformity([loss("anterior", 5), loss("middle", 3)]) == "no deformity"
    assert deformity([loss("anterior", 20.5)]) == "no deformity or wedge"


# --- six points ----------------------------------------------------------------------


def test_six_points_give_heights_wedge_and_depressions() -> None:
    reading = marked("L2", 18.0, 16.0, 26.0, tilt=17.0)
    get = reading.reading
    assert number(get["height_anterior"]).value == pytest.approx(18.0, abs=1e-4)
    assert number(get["height_middle"]).value == pytest.approx(16.0, abs=1e-4)
    assert number(get["height_posterior"]).value == pytest.approx(26.0, abs=1e-4)
    wedge = 2 * np.degrees(np.arctan(4.0 / 26.0))
    assert number(get["wedge_angle"]).value == pytest.approx(wedge, abs=1e-3)
    sunk = (11.0 - 8.0) * np.cos(np.radians(wedge / 2))
    for name in ("superior", "inferior"):
        row = number(get[f"endplate_depression_{name}"])
        assert row.value == pytest.approx(sunk, abs=1e-3)


def test_the_order_of_the_points_does_not_matter() -> None:
    places = marks(18.0, 16.0, 26.0)
    mixed = [4, 0, 5, 2, 1, 3]
    turned = as_points(places[mixed], tuple(ROLES[k] for k in mixed))
    first = vertebra.from_points(as_points(places), level="L2")
    second = vertebra.from_points(turned, level="L2")
    assert second.reading.measurements == first.reading.measurements


def test_marks_2_mm_off_move_onto_the_endplates_of_the_image() -> None:
    shape = Vertebra(anterior=20.0)
    grid = vertebrae.grid_around(shape, (1.0, 0.7, 0.7), margin_mm=8.0)
    volume = noisy(vertebrae.clean_image(shape, grid), grid, noise=25.0, seed=2)
    y = np.array([-11.0, 0.0, 11.0])
    x = np.zeros(3)
    upper = np.stack([x, y, shape.superior(x, y)], axis=1)
    lower = np.stack([x, y, shape.inferior(x, y)], axis=1)
    off = np.array([1.5, -1.2, 1.0, -1.4, 1.2, 0.8])[:, None] * [0.0, 0.0, 1.0]
    places = np.concatenate([upper, lower]) + off
    reading = vertebra.from_points(as_points(places), level="L1", volume=volume)
    true = (upper - lower)[:, 2]
    found = [
        number(reading.reading[f"height_{w}"])
        for w in ("anterior", "middle", "posterior")
    ]
    for row, expected in zip(found, true, strict=True):
        # Marks move along the bisector, three degrees from z: the pair drifts apart.
        assert row.value == pytest.approx(expected, abs=0.5)
        assert row.region == "fitted endplates"
    assert {r.role for r in reading.reading.regions} == {"fitted endplates", "marks"}


def test_points_that_cannot_be_used_are_a_clear_error() -> None:
    places = marks(18.0, 16.0, 26.0)
    with pytest.raises(OsteotraceError, match="superior middle"):
        vertebra.from_points(as_points(places, ("a", *ROLES[1:])), level="L1")
    swapped = as_points(places[[2, 1, 0, 5, 4, 3]])
    with pytest.raises(OsteotraceError, match="do not fit their places"):
        vertebra.from_points(swapped, level="L1")
    upside = as_points(places[[3, 4, 5, 0, 1, 2]])
    with pytest.raises(OsteotraceError, match="superior above inferior"):
        vertebra.from_points(upside, level="L1")
    flat = places.copy()
    flat[4] = flat[1]
    with pytest.raises(OsteotraceError, match="the same place"):
        vertebra.from_points(as_points(flat), level="L1")
    with pytest.raises(OsteotraceError, match="from C3 to L5"):
        vertebra.from_points(as_points(places), level="sacrum")


# --- radiographs ---------------------------------------------------------------------


def on_film(*heights: float) -> ImagePoints:
    places = marks(*heights)
    return ImagePoints(
        role="marks",
        image_points=tuple(
            (float(300 + 4 * y), float(500 - 4 * z)) for _, y, z in places
        ),
        point_roles=ROLES,
        source_instances=("2.25.9",),
    )


def test_a_radiograph_gives_ratios_and_angles_but_no_mm() -> None:
    reading = vertebra.from_image_points(on_film(18.0, 16.0, 26.0), level="L1").reading
    loss = number(reading["height_loss_own_anterior"])
    assert loss.value == pytest.approx(100 * (1 - 18 / 26), abs=1e-6)
    assert number(reading["wedge_angle"]).value == pytest.approx(
        2 * np.degrees(np.arctan(4 / 26)), abs=1e-6
    )
    assert "no calibrated pixel spacing" in reason(reading["height_anterior"])
    assert "magnification" in reason(reading["endplate_depression_superior"])


def test_an_uncalibrated_spacing_gives_no_mm_and_a_calibrated_one_warns() -> None:
    film = on_film(18.0, 16.0, 26.0)
    plain = vertebra.from_image_points(film, level="L1", pixel_spacing=(0.25, 0.25))
    assert "no calibrated" in reason(plain.reading["height_anterior"])
    known = vertebra.from_image_points(
        film, level="L1", pixel_spacing=(0.25, 0.25), calibrated=True
    )
    height = number(known.reading["height_anterior"])
    assert height.value == pytest.approx(18.0, abs=1e-6)
    assert any("magnifies" in flag for flag in height.flags)
    with pytest.raises(OsteotraceError, match="pixel spacing"):
        vertebra.from_image_points(film, level="L1", pixel_spacing=(0.0, 1.0))


def test_pixels_that_are_no_squares_are_undone() -> None:
    square = on_film(18.0, 16.0, 26.0)
    squeezed = ImagePoints(
        role="marks",
        image_points=tuple((x / 2, y) for x, y in square.image_points),
        point_roles=ROLES,
        source_instances=("2.25.9",),
    )
    reading = vertebra.from_image_points(
        squeezed, level="L1", pixel_spacing=(0.25, 0.5)
    ).reading
    assert number(reading["wedge_angle"]).value == pytest.approx(
        2 * np.degrees(np.arctan(4 / 26)), abs=1e-6
    )


# --- levels beside each other --------------------------------------------------------


def spine() -> dict[str, vertebra.VertebraReading]:
    return {
        "T12": marked("T12", 24.0, 24.0, 25.0, z=60.0),
        "L1": marked("L1", 15.0, 18.0, 20.0, z=30.0),
        "L2": marked("L2", 26.0, 26.0, 27.0),
    }


def test_losses_refer_to_the_mean_of_the_nearest_intact_levels() -> None:
    result = vertebra.compare_levels(spine(), excluded=["L1"])["L1"]
    for where, own, mean in (
        ("anterior", 15.0, 25.0),
        ("middle", 18.0, 25.0),
        ("posterior", 20.0, 26.0),
    ):
        row = number(result[f"height_loss_adjacent_{where}"])
        assert row.value == pytest.approx(100 * (1 - own / mean), abs=1e-3)
        relative = np.hypot(0.02, 0.02 / np.sqrt(2))
        assert row.uncertainty == pytest.approx(100 * own / mean * relative, rel=0.01)
        assert "mean of T12 and L2" in row.definition
    assert number(result.value).value == 3
    assert "no prior reading" in reason(result["height_loss_prior_anterior"])


def test_a_crush_shows_only_against_the_neighbours() -> None:
    levels = spine() | {"L1": marked("L1", 15.5, 15.5, 15.5, z=30.0)}
    own = number(levels["L1"].reading["genant_grade"])
    assert own.value == 0
    result = vertebra.compare_levels(levels, excluded=["L1"])["L1"]
    grade = number(result["genant_grade"])
    assert (grade.value, grade.interval95) in [(3, (2.0, 3.0)), (2, (2.0, 3.0))]
    assert "crush" in grade.definition


def test_a_reference_on_one_side_is_marked_and_grades_nothing() -> None:
    levels = {k: v for k, v in spine().items() if k != "L2"}
    levels["L1"] = marked("L1", 15.5, 15.5, 15.5, z=30.0)
    result = vertebra.compare_levels(levels, excluded=["L1"])["L1"]
    row = number(result["height_loss_adjacent_posterior"])
    assert row.value == pytest.approx(38.0, abs=0.1)
    assert any(flag.startswith("one_sided") for flag in row.flags)
    assert number(result["genant_grade"]).value == 0
    assert any("both sides" in flag for flag in number(result["genant_grade"]).flags)


def test_no_intact_neighbour_within_3_levels_is_not_computable() -> None:
    levels = {
        "T12": marked("T12", 24.0, 24.0, 25.0),
        "L4": marked("L4", 20.0, 22.0, 25.0),
        "L3": marked("L3", 20.0, 22.0, 25.0),
    }
    result = vertebra.compare_levels(levels, excluded=["L3", "L4"])
    assert "within 3 levels" in reason(result["L4"]["height_loss_adjacent_anterior"])
    # T12 lies three levels above L3 and four above L4.
    assert number(result["L3"]["height_loss_adjacent_anterior"]).value > 0


def test_a_prior_shows_the_loss_of_the_same_level() -> None:
    before = {"L1": marked("L1", 24.0, 24.0, 25.0)}
    result = vertebra.compare_levels(spine(), excluded=["L1"], prior=before)["L1"]
    row = number(result["height_loss_prior_anterior"])
    assert row.value == pytest.approx(37.5, abs=1e-3)
    assert row.uncertainty == pytest.approx(62.5 * 0.02 * np.sqrt(2), rel=0.01)


def test_two_definitions_are_never_compared() -> None:
    levels = spine()
    film = vertebra.from_image_points(on_film(24.0, 24.0, 25.0), level="L2")
    result = vertebra.compare_levels(levels | {"L2": film}, excluded=["L1"])["L1"]
    assert "another definition or method" in reason(
        result["height_loss_adjacent_anterior"]
    )
    earlier = vertebra.compare_levels(
        levels,
        excluded=["L1"],
        prior={"L1": vertebra.from_image_points(on_film(24, 24, 25), level="L1")},
    )["L1"]
    assert isinstance(earlier["height_loss_prior_anterior"], NotMeasured)


def test_angles_between_levels_are_those_of_their_endplates() -> None:
    levels = {
        "T12": marked("T12", 25.0, 25.0, 25.0, tilt=12.0, z=60.0),
        "L1": marked("L1", 20.0, 22.0, 24.0, tilt=4.0, z=30.0),
        "L2": marked("L2", 26.0, 26.0, 26.0, tilt=-5.0),
    }
    result = vertebra.compare_levels(levels)["L1"]
    wedge = np.degrees(np.arctan(2.0 / 13.0 / 2))
    local = number(result["local_kyphosis"])
    assert local.value == pytest.approx(12.0 - 4.0 + wedge, abs=1e-3)
    assert number(result["cobb_angle"]).value == pytest.approx(17.0, abs=1e-3)
    assert local.uncertainty is not None
    top = vertebra.compare_levels(levels)["T12"]
    assert "level above was not measured" in reason(top["local_kyphosis"])


def test_a_reading_under_another_levels_name_is_a_clear_error() -> None:
    with pytest.raises(OsteotraceError, match="a reading of T12 under the name L1"):
        vertebra.compare_levels({"L1": spine()["T12"]})


def test_a_cemented_level_is_no_reference_and_its_loss_is_flagged() -> None:
    import msgspec

    levels = spine()
    levels["L2"] = msgspec.structs.replace(levels["L2"], cemented=True)
    result = vertebra.compare_levels(levels, excluded=["L1"])
    row = number(result["L1"]["height_loss_adjacent_anterior"])
    assert any(flag.startswith("one_sided") for flag in row.flags)
    own = number(result["L2"]["genant_grade"])
    assert any("cement" in flag for flag in own.flags)
