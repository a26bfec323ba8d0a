"""The sample cases: voxels are what physics says, and the truth beside them is true."""

import dataclasses
import hashlib
import json
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.special import erf

from osteotrace import geometry, phantoms, series, volume
from osteotrace.errors import OsteotraceError
from osteotrace.geometry import Grid
from osteotrace.phantoms import cases, dicom_series, samples, shapes
from osteotrace.phantoms.ground_truth import CaseTruth, TrueLength

Array = NDArray[np.float64]

ROOT = Path(__file__).parent.parent
COMMITTED = ROOT / "sample_dicom"
COMMITTED_LIMIT_BYTES = 30_000_000
QUANTITIES = ("palatal_gap", "soft_tissue_gap")
TWO_TISSUES = {"air": phantoms.Level(-1000.0), "bone": phantoms.Level(1000.0)}
EVERYWHERE = ((-50.0, -50.0, -50.0), (50.0, 50.0, 50.0))


@pytest.fixture(scope="module")
def maxilla() -> CaseTruth:
    return phantoms.truth("maxilla_after")


@pytest.fixture(scope="module")
def committed() -> dict[str, volume.Volume]:
    """The committed maxilla, by modality."""
    headers = [s.volumes[0] for s in series.scan(COMMITTED / "maxilla_after")]
    return {header.identity.modality: volume.load(header) for header in headers}


@pytest.fixture
def small_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """The maxilla on a few voxels: what the files are about, in no time."""
    whole = cases.phantom_case("maxilla_after")
    scans = tuple(
        dataclasses.replace(
            scan, grid=window(scan.grid, np.array(scan.grid.shape) // 2, (2, 4, 5))
        )
        for scan in whole.scans
    )
    small = dataclasses.replace(whole, scans=scans)
    monkeypatch.setitem(cases._CASES, "maxilla_after", lambda: small)
    monkeypatch.setattr(samples, "CASES", ("maxilla_after",))


def window(grid: Grid, middle: Array, halves: tuple[int, int, int]) -> Grid:
    """The voxels of a grid around an index."""
    low = np.round(middle).astype(int) - halves
    size = 2 * np.array(halves) + 1
    first = np.arange(low[0], low[0] + size[0])
    index = np.stack([first, np.full(size[0], low[1]), np.full(size[0], low[2])], -1)
    return Grid(
        row_direction=grid.row_direction,
        column_direction=grid.column_direction,
        pixel_spacing=grid.pixel_spacing,
        origins=grid.to_patient(index),
        rows=int(size[1]),
        columns=int(size[2]),
    )


def upright(spacing: tuple[float, float, float], shape: tuple[int, int, int]) -> Grid:
    """An axial grid around the origin."""
    return phantoms.grid_around(
        np.zeros(3),
        row_direction=(1, 0, 0),
        column_direction=(0, 1, 0),
        spacing_mm=spacing,
        shape=shape,
    )


def one_shape(shape: shapes.Shape) -> list[phantoms.Part]:
    layer = phantoms.Layer(shape=shape, tissue="bone")
    return [phantoms.Part(name="part", layers=(layer,), box=EVERYWHERE)]


def bone_fraction(
    shape: shapes.Shape, grid: Grid, *, psf: tuple[float, float, float] = (0, 0, 0)
) -> Array:
    """How much of each voxel a shape fills, as the renderer has it."""
    image = phantoms.render(
        one_shape(shape), TWO_TISSUES, grid, phantoms.Pose.turned(), psf_sigma_mm=psf
    )
    return np.asarray((image + 1000.0) / 2000.0)


# Shapes and voxels


def test_a_voxel_is_the_mean_over_its_box() -> None:
    grid = upright((0.6, 0.4, 0.45), (3, 3, 9))
    edge = 0.3
    filled = bone_fraction(shapes.halfspace(0, edge, above=False), grid)
    x = grid.to_patient(np.indices(grid.shape).reshape(3, -1).T)[:, 0]
    exact = np.clip((edge - x) / 0.45 + 0.5, 0, 1).reshape(grid.shape)
    # Two samples a voxel, with a ramp between: the edge keeps its place within 5 µm.
    np.testing.assert_allclose(filled, exact, atol=0.07)
    place = filled.sum(axis=2) * 0.45 - 4.5 * 0.45
    np.testing.assert_allclose(place, edge, atol=0.005)


@pytest.mark.parametrize("spacing", [(0.6, 0.4, 0.45), (3.0, 0.55, 0.6)])
def test_a_ball_keeps_its_size_on_any_voxels(
    spacing: tuple[float, float, float],
) -> None:
    radius = 5.0
    size = [int(14 / step) + 1 for step in spacing]
    grid = upright(spacing, (size[0], size[1], size[2]))
    ball = shapes.ellipsoid((0.1, -0.2, 0.3), (radius, radius, radius))
    content = bone_fraction(ball, grid).sum() * np.prod(spacing)
    assert np.cbrt(content * 3 / (4 * np.pi)) == pytest.approx(radius, abs=0.01)


def test_an_edge_is_blurred_by_the_point_spread_and_the_voxel_alone() -> None:
    grid = upright((0.6, 0.4, 0.3), (5, 21, 61))
    sigma = 0.6
    edge = bone_fraction(
        shapes.halfspace(0, 0.0, above=False), grid, psf=(0.5, 0.5, sigma)
    )[2, 10]
    x = grid.to_patient([[2, 10, k] for k in range(61)])[:, 0]
    width = np.hypot(sigma, 0.3 / np.sqrt(12))
    exact = 0.5 * (1 - erf(x / (np.sqrt(2) * width)))
    np.testing.assert_allclose(edge, exact, atol=0.005)


def test_later_layers_cover_earlier_ones() -> None:
    grid = upright((0.5, 0.5, 0.5), (5, 5, 5))
    ball = shapes.ellipsoid((0, 0, 0), (20, 20, 20))
    hole = shapes.ellipsoid((0, 0, 0), (10, 10, 10))
    part = phantoms.Part(
        name="shell",
        layers=(
            phantoms.Layer(shape=ball, tissue="bone"),
            phantoms.Layer(shape=hole, tissue="air"),
        ),
        box=EVERYWHERE,
    )
    image = phantoms.render([part], TWO_TISSUES, grid, phantoms.Pose.turned())
    assert (image == -1000.0).all()


def test_distances_are_exact_where_they_claim_to_be() -> None:
    points = np.array([[5.0, 0.0, 0.0], [2.0, 0.0, 0.0], [3.0, 4.0, 0.0]]).T
    box = shapes.rounded_box((0, 0, 0), (3, 1, np.inf))
    np.testing.assert_allclose(box(points), [2.0, -1.0, 3.0])
    sheet = shapes.tube([(0, 0), (0, 10)], (1.0, 1.0), axes=(0, 1))
    np.testing.assert_allclose(sheet(points), [4.0, 1.0, 2.0])


def test_a_pose_turns_there_and_back() -> None:
    pose = phantoms.Pose.turned(pitch_deg=6, roll_deg=2, yaw_deg=-3, origin=(4, -31, 112))
    points = np.array([[1.0, 2.0, 3.0], [-20.0, 7.0, 9.0]])
    np.testing.assert_allclose(pose.to_anatomy(pose.to_patient(points)).T, points)
    assert geometry.angle_deg(pose.direction((1, 0, 0)), (1, 0, 0)) == pytest.approx(
        3.6, abs=0.05
    )


# Noise


def test_noise_has_the_stated_deviation_and_correlation() -> None:
    spacing, width = (0.6, 0.4, 0.45), (0.9, 0.7, 0.7)
    noise = phantoms.correlated_noise(
        (60, 120, 120), spacing, sd=30.0, correlation_fwhm_mm=width, seed=5
    )
    assert noise.std() == pytest.approx(30.0, rel=0.01)
    assert noise.mean() == pytest.approx(0.0, abs=0.3)
    for axis in range(3):
        for lag in (1, 2, 3):
            shifted = np.roll(noise, lag, axis)
            found = (noise * shifted).mean() / noise.var()
            exact = 0.5 ** ((2 * lag * spacing[axis] / width[axis]) ** 2)
            assert found == pytest.approx(exact, abs=0.01), (axis, lag)


def test_noise_without_correlation_is_white() -> None:
    noise = phantoms.correlated_noise(
        (40, 80, 80), (3.0, 0.5, 0.5), sd=2.0, correlation_fwhm_mm=(0, 0, 0), seed=1
    )
    assert noise.std() == pytest.approx(2.0, rel=0.01)
    neighbours = (noise[1:] * noise[:-1]).mean() / noise.var()
    assert neighbours == pytest.approx(0.0, abs=0.01)


def test_the_seed_alone_decides_the_noise() -> None:
    def noise(*names: str) -> Array:
        return phantoms.correlated_noise(
            (3, 4, 5),
            (1, 1, 1),
            sd=1.0,
            correlation_fwhm_mm=(1, 1, 1),
            seed=phantoms.seed(*names),
        )

    np.testing.assert_array_equal(noise("a", "CT"), noise("a", "CT"))
    assert not np.array_equal(noise("a", "CT"), noise("a", "MR"))


# The truth of the maxilla


def test_the_true_values_are_the_published_ones(maxilla: CaseTruth) -> None:
    lengths = maxilla.quantities
    assert lengths["palatal_gap"].value == 12.07
    assert lengths["soft_tissue_gap"].value == 6.51


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_true_edges_lie_the_true_value_apart(maxilla: CaseTruth, quantity: str) -> None:
    length = maxilla.quantities[quantity]
    first, second = length.edges
    across = np.array(second.centre_lps_mm) - np.array(first.centre_lps_mm)
    assert across @ first.normal_into_gap_lps == pytest.approx(length.value, abs=1e-6)
    assert np.linalg.norm(across) == pytest.approx(length.value, abs=1e-6)
    np.testing.assert_allclose(
        first.normal_into_gap_lps, -np.array(second.normal_into_gap_lps)
    )


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_rough_points_are_one_to_two_mm_off_along_and_across(
    maxilla: CaseTruth, quantity: str
) -> None:
    for edge in maxilla.quantities[quantity].edges:
        off = np.array(edge.rough_point_lps_mm) - np.array(edge.centre_lps_mm)
        along = abs(off @ edge.normal_into_gap_lps)
        assert 1.0 <= np.linalg.norm(off) <= 2.0
        assert 0.5 < along < 0.9 * np.linalg.norm(off)
        assert geometry.as_stored(edge.rough_point_lps_mm) == edge.rough_point_lps_mm


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_no_wall_is_aligned_with_the_voxels(
    maxilla: CaseTruth, committed: dict[str, volume.Volume], quantity: str
) -> None:
    length = maxilla.quantities[quantity]
    grid = committed[length.modality].grid
    for axis in (grid.row_direction, grid.column_direction, grid.normal):
        angle = geometry.angle_deg(axis, length.edges[0].normal_into_gap_lps)
        assert min(abs(angle), abs(angle - 90), abs(angle - 180)) > 0.5


def profile(image: Array, grid: Grid, start: Array, step: Array, steps: Array) -> Array:
    points = start + steps[:, None] * step
    return np.asarray(map_coordinates(image, grid.to_index(points).T, order=1))


def wall_places(length: TrueLength, axes: Array) -> Array:
    """Offsets over the inner half of a wall's flat extent, mm LPS."""
    wide, high = length.flat_left_right_mm / 4, length.flat_superior_inferior_mm / 4
    return np.array(
        [a * wide * axes[0] + b * high * axes[2] for a in (-1, 0, 1) for b in (-1, 0, 1)]
    )


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_without_noise_each_wall_is_half_way_at_its_true_place(
    maxilla: CaseTruth, quantity: str
) -> None:
    length = maxilla.quantities[quantity]
    case = cases.phantom_case("maxilla_after")
    scan = case.scan(length.modality)
    axes = np.array(maxilla.series[length.modality].anatomical_axes_lps)
    steps = np.arange(-2.5, 2.51, 0.05)
    halves = (13, 16, 16) if length.modality == "CT" else (3, 14, 13)
    for edge in length.edges:
        centre = np.array(edge.centre_lps_mm)
        grid = window(scan.grid, scan.grid.to_index(centre), halves)
        near = dataclasses.replace(scan, grid=grid)
        image = cases.image(case, near, noise=False)
        crossings = []
        for place in wall_places(length, axes):
            normal = np.array(edge.normal_into_gap_lps)
            values = profile(image, grid, centre + place, normal, steps)
            half = (values[0] + values[-1]) / 2
            # From bone or soft tissue down into the gap.
            assert values[0] - values[-1] > 300
            crossings.append(float(np.interp(-half, -values, steps)))
        assert np.mean(crossings) == pytest.approx(0.0, abs=0.01)
        np.testing.assert_allclose(crossings, 0.0, atol=0.04)


def test_bone_behind_the_walls_is_dense_and_four_mm_deep(maxilla: CaseTruth) -> None:
    case = cases.phantom_case("maxilla_after")
    scan = case.scan("CT")
    for edge in maxilla.quantities["palatal_gap"].edges:
        centre = np.array(edge.centre_lps_mm)
        grid = window(scan.grid, scan.grid.to_index(centre), (4, 18, 5))
        near = dataclasses.replace(scan, grid=grid)
        image = cases.image(case, near, noise=False)
        depth = -np.array(edge.normal_into_gap_lps)
        behind = profile(image, grid, centre, depth, np.arange(1.5, 5.0, 0.25))
        assert behind[:8].min() > 1100
        assert behind.min() > 850


def test_the_tongue_is_a_homogeneous_block_of_25_mm(
    committed: dict[str, volume.Volume],
) -> None:
    ct = committed["CT"]
    middle = ct.grid.to_index([4.53, -10.51, 88.08])
    halves = 12.5 / ct.grid.spacing
    low, high = np.ceil(middle - halves), np.floor(middle + halves)
    assert (low >= 0).all()
    assert (high < ct.grid.shape).all()
    s, r, c = (slice(int(a), int(b) + 1) for a, b in zip(low, high, strict=True))
    block = ct.rescaled((s, r, c))
    assert block.mean() == pytest.approx(55.0, abs=0.5)
    assert block.std() == pytest.approx(30.0, rel=0.02)
    # Nowhere in it does another tissue begin: every 4 mm cube has the same mean.
    cubes = [
        block[k : k + 7, m : m + 10, n : n + 9].mean()
        for k in range(0, block.shape[0] - 6, 7)
        for m in range(0, block.shape[1] - 9, 10)
        for n in range(0, block.shape[2] - 8, 9)
    ]
    np.testing.assert_allclose(cubes, 55.0, atol=12.0)


# Files


def test_samples_read_back_as_regular_volumes(
    committed: dict[str, volume.Volume], maxilla: CaseTruth
) -> None:
    for modality, read in committed.items():
        made = maxilla.series[modality]
        assert read.grid.shape == made.shape_slice_row_column
        np.testing.assert_allclose(read.grid.spacing, made.spacing_mm_slice_row_column)
        assert len(set(made.spacing_mm_slice_row_column)) == 3
        assert read.frame_of_reference_uid == made.frame_of_reference_uid
        assert read.identity.series_uid == made.series_uid
        assert read.identity.study_uid == made.study_uid
        grid = cases.phantom_case("maxilla_after").scan(modality).grid
        np.testing.assert_allclose(read.grid.corners(), grid.corners(), atol=1e-6)


def test_ct_and_mr_share_a_study_and_no_frame_of_reference(maxilla: CaseTruth) -> None:
    ct, mr = maxilla.series["CT"], maxilla.series["MR"]
    assert ct.study_uid == mr.study_uid
    assert ct.frame_of_reference_uid != mr.frame_of_reference_uid


def test_a_reading_of_the_samples_is_as_true_as_promised(
    committed: dict[str, volume.Volume], maxilla: CaseTruth
) -> None:
    from osteotrace.measurements import caliper

    for length in maxilla.quantities.values():
        start, end = (edge.rough_point_lps_mm for edge in length.edges)
        reading = caliper.measure(committed[length.modality], start, end).value
        assert getattr(reading, "value", None) == pytest.approx(
            length.value, abs=length.tolerance
        )


def test_what_is_committed_is_what_the_code_says() -> None:
    assert (COMMITTED / "truth.json").read_text() == samples.truth_json()
    assert (COMMITTED / "README.md").read_text() == samples.readme()
    assert set(json.loads(samples.truth_json())["cases"]) == set(phantoms.CASES)


def test_the_committed_samples_are_small() -> None:
    size = sum(p.stat().st_size for p in COMMITTED.rglob("*") if p.is_file())
    assert size < COMMITTED_LIMIT_BYTES


def pinned() -> bool:
    """Whether what the samples depend on is at the versions of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    versions = dict(line.split("==") for line in lines if "==" in line)
    return all(
        metadata.version(name) == versions.get(name)
        for name in ("numpy", "scipy", "pydicom")
    )


@pytest.mark.parametrize("modality", ["MR", pytest.param("CT", marks=pytest.mark.slow)])
def test_writing_the_samples_again_gives_the_same_bytes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    committed: dict[str, volume.Volume],
    modality: str,
) -> None:
    whole = cases.phantom_case("maxilla_after")
    scans = tuple(scan for scan in whole.scans if scan.modality == modality)
    part = dataclasses.replace(whole, scans=scans)
    monkeypatch.setattr(samples, "phantom_case", lambda name: part)
    written = tmp_path / "maxilla_after"
    samples.write_case(written, "maxilla_after")
    kept = COMMITTED / "maxilla_after"
    names = sorted(p.relative_to(kept) for p in kept.glob(f"{modality}*/*.dcm"))
    assert names
    assert names == sorted(p.relative_to(written) for p in written.rglob("*.dcm"))
    if pinned():
        digests = [
            {str(n): hashlib.sha256((root / n).read_bytes()).hexdigest() for n in names}
            for root in (written, kept)
        ]
        assert digests[0] == digests[1]
    for found in series.scan(written):
        again = volume.load(found.volumes[0])
        was = committed[found.volumes[0].identity.modality]
        difference = again.voxels.astype(int) - was.voxels.astype(int)
        assert np.abs(difference).max() <= 1


@pytest.mark.usefixtures("small_case")
def test_each_file_says_that_it_is_synthetic(tmp_path: Path) -> None:
    from pydicom import dcmread

    phantoms.write_samples(tmp_path)
    files = list(tmp_path.rglob("*.dcm"))
    assert len(files) == 10
    for file in files:
        dataset = dcmread(file)
        assert dataset.PatientName == "OSTEOTRACE^PHANTOM"
        assert dataset.PatientID == "SYN-MAXILLA"
        assert dataset.ImageComments == "synthetic phantom, research use only"
        assert dataset.BurnedInAnnotation == "NO"
        assert dataset.Manufacturer == "osteotrace"
        assert dataset.file_meta.ImplementationVersionName == "OSTEO_PHANTOM_1"


@pytest.mark.usefixtures("small_case")
def test_writing_over_the_same_samples_changes_nothing(tmp_path: Path) -> None:
    first = phantoms.write_samples(tmp_path)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    assert phantoms.write_samples(tmp_path) == first
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


@pytest.mark.usefixtures("small_case")
@pytest.mark.parametrize("change", ["extra file", "changed byte", "missing file"])
def test_a_case_folder_with_other_content_is_refused(tmp_path: Path, change: str) -> None:
    (case,) = phantoms.write_samples(tmp_path)
    victim = case / "CT" / "0001.dcm"
    if change == "extra file":
        (case / "notes.txt").write_text("mine")
    elif change == "changed byte":
        victim.write_bytes(victim.read_bytes()[:-1] + b"\x7f")
    else:
        victim.unlink()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OsteotraceError, match="maxilla_after"):
        phantoms.write_samples(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.usefixtures("small_case")
def test_a_readme_of_someone_else_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(OsteotraceError, match=r"README\.md"):
        phantoms.write_samples(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["README.md"]
    assert (tmp_path / "README.md").read_text() == "mine"


@pytest.mark.usefixtures("small_case")
def test_nothing_is_left_of_a_case_that_could_not_be_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(folder: Path, *args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(samples._WRITERS, "MR", full_disk)
    with pytest.raises(OsteotraceError, match="No space left"):
        phantoms.write_samples(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_case_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(OsteotraceError, match="maxilla_after"):
        phantoms.write_samples(tmp_path / "new", ["femur"])
    assert list(tmp_path.iterdir()) == []


def test_a_series_of_ones_own_can_be_written_and_read(tmp_path: Path) -> None:
    grid = upright((0.7, 0.5, 0.6), (4, 6, 8))
    values = np.arange(grid.shape[0] * 48, dtype=np.float64).reshape(grid.shape)
    label = phantoms.SeriesLabel(study="benchmark", name="CT")
    files = phantoms.write_ct_series(tmp_path / "CT", values, grid, label)
    assert len(files) == 4
    (found,) = series.scan(tmp_path)
    read = volume.load(found.volumes[0])
    np.testing.assert_array_equal(read.rescaled(), values)
    np.testing.assert_allclose(read.grid.corners(), grid.corners(), atol=1e-9)


def test_uids_follow_from_names_alone() -> None:
    assert dicom_series.uid("a", "CT") == dicom_series.uid("a", "CT")
    assert dicom_series.uid("a", "CT") != dicom_series.uid("a", "MR")
    assert int(dicom_series.uid("a").removeprefix("2.25.")) < 2**128


def test_values_beyond_12_bits_are_clipped(tmp_path: Path) -> None:
    grid = upright((1.0, 1.1, 1.2), (2, 2, 2))
    values = np.full(grid.shape, 9000.0)
    values[0] = -5000.0
    label = phantoms.SeriesLabel(study="clipped", name="CT")
    phantoms.write_ct_series(tmp_path / "CT", values, grid, label)
    (found,) = series.scan(tmp_path)
    read = volume.load(found.volumes[0]).rescaled()
    assert (read.min(), read.max()) == (-1024.0, 3071.0)
