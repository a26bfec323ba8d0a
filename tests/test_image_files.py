"""Files in the formats of researchers keep every voxel in its place, out and in."""

from __future__ import annotations

import gzip
import json
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import SimpleITK
from tests.fixtures.stacks import (
    ALL_KINDS,
    IRREGULAR,
    LEAN,
    RECTILINEAR,
    TILTED,
    UNEVENLY_SPACED,
    ramp_at,
    ramp_on,
    stack,
    volume_on,
    voxel_centres,
)

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import Grid
from osteotrace.measurements import caliper
from osteotrace.measurements.measurement import Measurement
from osteotrace.phantoms.walls import Walls, photograph
from osteotrace.volume import HOUNSFIELD, Volume, load, open_image, to_image, write_image

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

WRITTEN = (".nrrd", ".nii", ".nii.gz", ".mha")
READ = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha")


def numbered_on(grid: Grid) -> Volume:
    """Return a CT volume on a grid in which no two neighbours have one value."""
    index = np.arange(np.prod(grid.shape)).reshape(grid.shape)
    return volume_on(grid, (index * 7919 % 4096 - 1024).astype(np.int16))


def small(**changes: Any) -> Grid:
    """Return a grid of 5 slices, 6 rows and 7 columns far from the origin."""
    grid = stack(0.9 * np.arange(5), rows=6, columns=7, **changes)
    return moved(grid, np.array([-183.0, 61.5, -804.5]))


def moved(grid: Grid, by: NDArray[np.float64]) -> Grid:
    return Grid(
        row_direction=grid.row_direction,
        column_direction=grid.column_direction,
        pixel_spacing=grid.pixel_spacing,
        origins=grid.origins + by,
        rows=grid.rows,
        columns=grid.columns,
    )


def corners_of(image: Any) -> NDArray[np.float64]:
    """Return the (2, 2, 2, 3) LPS mm corners of an image by slice, row, column."""
    columns, rows, slices = (n - 1 for n in image.GetSize())
    return np.array(
        [
            [
                [image.TransformIndexToPhysicalPoint((c, r, s)) for c in (0, columns)]
                for r in (0, rows)
            ]
            for s in (0, slices)
        ]
    )


# --- out ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", RECTILINEAR)
@pytest.mark.parametrize("ending", WRITTEN)
def test_a_rectilinear_volume_is_written_as_it_is(
    tmp_path: Path, kind: str, ending: str
) -> None:
    source = numbered_on(moved(RECTILINEAR[kind], np.array([-183.0, 61.5, -404.5])))
    path = tmp_path / f"out{ending}"
    assert write_image(source, path) is source
    image = SimpleITK.ReadImage(str(path))
    assert np.array_equal(SimpleITK.GetArrayFromImage(image), source.rescaled())
    expected = source.grid.corners().reshape(2, 2, 2, 3)
    assert np.abs(corners_of(image) - expected).max() < 1e-4


@pytest.mark.parametrize("kind", IRREGULAR)
@pytest.mark.parametrize("ending", WRITTEN)
def test_a_tilted_or_uneven_volume_is_rectified_and_the_caller_is_told(
    tmp_path: Path, kind: str, ending: str
) -> None:
    source = ramp_on(IRREGULAR[kind])
    path = tmp_path / f"out{ending}"
    written = write_image(source, path)
    assert written.source_grid is source.grid
    assert written.notes[-1].startswith("resampled linearly from a stack that is")
    image = SimpleITK.ReadImage(str(path))
    expected = written.grid.corners().reshape(2, 2, 2, 3)
    assert np.abs(corners_of(image) - expected).max() < 1e-4
    middle = np.array([0.3, -0.6, 0.9])
    found = image.EvaluateAtPhysicalPoint(middle.tolist())
    assert found == pytest.approx(ramp_at(middle), abs=1e-3)


def test_an_image_of_a_tilted_volume_is_that_of_the_rectified_one() -> None:
    source = ramp_on(TILTED["tilted by +14° about rows"])
    image = to_image(source)
    written = source.rectified()
    assert np.array_equal(SimpleITK.GetArrayFromImage(image), written.voxels)
    assert image.GetMetaData("osteotrace_notes") == written.notes[0]


def test_an_nrrd_file_keeps_the_notes_of_its_volume(tmp_path: Path) -> None:
    source = ramp_on(TILTED["tilted by +14° about rows"])
    noted = replace(source, notes=("1 slice is missing",))
    written = write_image(noted, tmp_path / "noted.nrrd")
    assert len(written.notes) == 2
    assert open_image(tmp_path / "noted.nrrd").notes == written.notes


@pytest.mark.parametrize(
    ("stored", "slope", "intercept", "kind"),
    [
        ("uint16", 1.0, -1024.0, "int16"),
        ("uint16", 1.0, 0.0, "int16"),
        ("int16", 16.0, -1024.0, "int32"),
        ("uint32", 1.0, 4e9, "int64"),
        ("uint16", 0.5, 0.25, "float32"),
        ("float32", 1.0, 0.0, "float32"),
    ],
)
def test_values_are_whole_numbers_where_all_of_them_are(
    tmp_path: Path, stored: str, slope: float, intercept: float, kind: str
) -> None:
    grid = small()
    voxels = np.arange(np.prod(grid.shape)).reshape(grid.shape) * 19.0
    source = replace(
        volume_on(grid, voxels.astype(stored)),
        slope=np.full(5, slope),
        intercept=np.array([intercept, intercept, intercept + 10, intercept, intercept]),
    )
    write_image(source, tmp_path / "out.nrrd")
    image = SimpleITK.ReadImage(str(tmp_path / "out.nrrd"))
    array = SimpleITK.GetArrayFromImage(image)
    assert array.dtype == kind
    assert np.array_equal(array, source.rescaled())


def test_a_stored_value_beyond_the_type_of_the_rescaled_ones_is_kept() -> None:
    grid = small()
    source = replace(
        volume_on(grid, np.full(grid.shape, 60_000, dtype=np.uint16)),
        intercept=np.full(5, -50_000.0),
    )
    assert (SimpleITK.GetArrayFromImage(to_image(source)) == 10_000).all()


def test_a_single_slice_is_not_written(tmp_path: Path) -> None:
    single = volume_on(stack([0.0]), np.zeros((1, 76, 90), dtype=np.int16))
    with pytest.raises(OsteotraceError, match="a single slice, which has no gap"):
        write_image(single, tmp_path / "out.nrrd")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(OsteotraceError, match="could not be written whole"):
        write_image(numbered_on(small()), tmp_path / "nowhere" / "out.nrrd")


# --- in: what was written comes back -------------------------------------------------


@pytest.mark.parametrize("kind", RECTILINEAR)
@pytest.mark.parametrize("ending", READ)
def test_what_was_written_opens_with_every_voxel_in_its_place(
    tmp_path: Path, kind: str, ending: str
) -> None:
    source = numbered_on(RECTILINEAR[kind])
    path = tmp_path / f"in{ending}"
    write_image(source, path)
    opened = open_image(path)
    assert opened.voxels.dtype == np.int16
    assert np.array_equal(opened.voxels, source.voxels)
    assert np.abs(opened.grid.corners() - source.grid.corners()).max() < 1e-4


def test_an_opened_file_knows_its_name_and_no_patient(tmp_path: Path) -> None:
    write_image(numbered_on(small()), tmp_path / "scan.nrrd")
    opened = open_image(str(tmp_path / "scan.nrrd"))
    assert opened.frame_of_reference_uid == ""
    assert opened.instances == ()
    assert opened.notes == ()
    assert opened.unit == "1"
    identity = opened.identity
    assert (identity.description, identity.patient) == ("scan.nrrd", "P-UNKNOWN")
    assert (identity.study_uid, identity.series_uid, identity.modality) == ("", "", "")
    assert not opened.voxels.flags.writeable
    assert opened.slices_between(opened.grid.corners()) == ()
    assert open_image(tmp_path / "scan.nrrd", unit=HOUNSFIELD).unit == HOUNSFIELD


def test_a_gap_is_measured_on_an_opened_file_as_on_the_scan(tmp_path: Path) -> None:
    walls = Walls(gap_mm=9.3)
    scan = photograph(walls, seed=2)
    write_image(scan, tmp_path / "walls.nii.gz")
    opened = open_image(tmp_path / "walls.nii.gz", unit=HOUNSFIELD)
    ends = np.array(walls.edges()) + 0.4
    values = [caliper.measure(volume, *ends).value for volume in (scan, opened)]
    assert isinstance(values[0], Measurement)
    assert isinstance(values[1], Measurement)
    assert values[1].value == pytest.approx(values[0].value, abs=1e-4)
    assert values[1].sources == ()


def test_floats_stay_floats(tmp_path: Path) -> None:
    image = SimpleITK.GetImageFromArray(np.full((3, 4, 5), 0.25))
    SimpleITK.WriteImage(image, str(tmp_path / "double.nrrd"))
    opened = open_image(tmp_path / "double.nrrd")
    assert opened.voxels.dtype == np.float32
    assert (opened.rescaled() == 0.25).all()


# --- in: NIfTI as others write it ----------------------------------------------------


class Nifti:
    """A NIfTI-1 file of small size, taken apart and put together by hand."""

    def __init__(self, folder: Path, grid: Grid | None = None) -> None:
        self.source = numbered_on(grid or small(oblique=True))
        write_image(self.source, folder / "whole.nii")
        self.bytes = bytearray((folder / "whole.nii").read_bytes())
        self.folder = folder

    def put(self, offset: int, form: str, *values: float) -> Nifti:
        struct.pack_into("<" + form, self.bytes, offset, *values)
        return self

    def codes(self, qform: int, sform: int) -> Nifti:
        return self.put(252, "2h", qform, sform)

    def open(self, **options: Any) -> Volume:
        (self.folder / "made.nii").write_bytes(self.bytes)
        return open_image(self.folder / "made.nii", **options)


@pytest.fixture
def made(tmp_path: Path) -> Nifti:
    return Nifti(tmp_path)


@pytest.mark.parametrize("codes", [(1, 0), (0, 1), (0, 2)])
def test_either_of_qform_and_sform_places_a_file(
    made: Nifti, codes: tuple[int, int]
) -> None:
    opened = made.codes(*codes).open()
    assert np.array_equal(opened.voxels, made.source.voxels)
    off = opened.grid.corners() - made.source.grid.corners()
    assert np.abs(off).max() < 1e-3


def test_a_mirrored_qform_flips_the_slices(made: Nifti) -> None:
    opened = made.codes(1, 0).put(76, "f", -struct.unpack_from("<f", made.bytes, 76)[0])
    mirrored = opened.open()
    image = SimpleITK.ReadImage(str(made.folder / "made.nii"))
    for index in ((0, 0, 0), (6, 0, 4), (2, 5, 1)):
        place = image.TransformIndexToPhysicalPoint(index)
        at = np.round(mirrored.grid.to_index(place)).astype(int)
        assert mirrored.grid.to_patient(at) == pytest.approx(place, abs=1e-3)
        assert mirrored.voxels[tuple(at)] == image[index]


def test_a_sheared_sform_is_a_tilted_stack_whatever_the_qform_says(
    made: Nifti,
) -> None:
    """SimpleITK and ITK drop the shear in silence where a qform is there too."""
    affine = np.array(struct.unpack_from("<12f", made.bytes, 280)).reshape(3, 4)
    lean = affine.copy()
    lean[:, 2] += LEAN * 0.9 * affine[:, 1] / np.linalg.norm(affine[:, 1])
    opened = made.put(280, "12f", *lean.ravel()).open()
    assert abs(opened.grid.tilt_deg) == pytest.approx(14.0, abs=1e-3)
    for index in ((0, 0, 0), (4, 5, 6), (3, 0, 2)):
        slice_, row, column = index
        ras = lean @ [column, row, slice_, 1]
        place = opened.grid.to_patient(index)
        assert place == pytest.approx(ras * [-1, -1, 1], abs=1e-4)
    assert np.array_equal(opened.voxels, made.source.voxels)
    assert opened.notes == ("sform and qform differ by 0.90 mm: the sform is used",)


def test_an_image_sheared_between_rows_and_columns_has_its_slices_elsewhere(
    made: Nifti,
) -> None:
    affine = np.array(struct.unpack_from("<12f", made.bytes, 280)).reshape(3, 4)
    affine[:, 1] += 0.3 * affine[:, 0]
    opened = made.put(280, "12f", *affine.ravel()).open()
    stored = made.source.voxels
    for index in ((0, 0, 0), (4, 5, 6), (3, 1, 2)):
        place = affine @ [*index[::-1], 1] * [-1, -1, 1]
        at = opened.grid.to_index(place)
        assert at == pytest.approx(np.round(at), abs=1e-3)
        assert opened.voxels[tuple(np.round(at).astype(int))] == stored[index]


def test_an_image_sheared_along_two_axes_is_refused(made: Nifti) -> None:
    affine = np.array(struct.unpack_from("<12f", made.bytes, 280)).reshape(3, 4)
    affine[:, 1] += 0.3 * affine[:, 0]
    affine[:, 2] += 0.3 * affine[:, 0] + 0.2 * affine[:, 1]
    with pytest.raises(OsteotraceError, match="sheared along two axes"):
        made.put(280, "12f", *affine.ravel()).open()


def test_rescale_values_of_the_header_are_kept_beside_the_stored_integers(
    made: Nifti,
) -> None:
    opened = made.put(112, "2f", 2.5, -1000.0).open()
    assert np.array_equal(opened.voxels, made.source.voxels)
    assert np.array_equal(opened.rescaled(), 2.5 * made.source.voxels - 1000.0)


@pytest.mark.parametrize(("unit", "scale"), [(0, 1.0), (1, 1e3), (2, 1.0), (3, 1e-3)])
def test_metres_and_micrometres_become_millimetres(
    made: Nifti, unit: int, scale: float
) -> None:
    opened = made.put(123, "B", unit).open()
    expected = scale * made.source.grid.corners()
    assert opened.grid.corners() == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_files_of_the_other_byte_order_and_of_nifti_2_say_the_same(
    made: Nifti, tmp_path: Path
) -> None:
    grid = made.source.grid
    affine = struct.unpack_from("<12f", made.bytes, 280)
    two = bytearray(544)
    struct.pack_into(
        ">i8s2h8q", two, 0, 540, b"n+2\0\r\n\x1a\n", 4, 16, 3, 7, 6, 5, *[1] * 4
    )
    struct.pack_into(">8dq2d", two, 104, 1, 0.4, 0.5, 0.9, 0, 0, 0, 0, 544, 1, 0)
    struct.pack_into(">2i", two, 344, 0, 1)
    struct.pack_into(">12d", two, 400, *affine)
    struct.pack_into(">i", two, 500, 2)
    (tmp_path / "two.nii").write_bytes(two + made.source.voxels.astype(">i2").tobytes())
    opened = open_image(tmp_path / "two.nii")
    assert np.array_equal(opened.voxels, made.source.voxels)
    assert opened.voxels.dtype.isnative
    assert np.abs(opened.grid.corners() - grid.corners()).max() < 1e-3


def test_an_atlas_is_no_patient_and_the_volume_says_so(made: Nifti) -> None:
    (note,) = made.codes(1, 4).open().notes
    assert note == "its coordinates are MNI 152, not the patient's own"


@pytest.mark.parametrize(
    ("offset", "form", "values", "found"),
    [
        (252, "2h", (0, 0), "neither an sform nor a qform"),
        (40, "8h", (4, 7, 6, 1, 5, 1, 1, 1), "7 × 6 × 1 × 5 voxels"),
        (40, "8h", (2, 7, 30, 1, 1, 1, 1, 1), "7 × 30 voxels"),
        (40, "8h", (3, 7, 0, 5, 1, 1, 1, 1), "its header gives no size"),
        (40, "8h", (3, 7, 30, 1, 1, 1, 1, 1), "a single slice"),
        (40, "8h", (3, 32767, 32767, 32767, 1, 1, 1, 1), "bytes of voxels promised"),
        (70, "h", (128,), "NIfTI datatype 128"),
        (70, "h", (32,), "NIfTI datatype 32"),
        (280, "4f", (0, 0, 0, 0), "places no image in space"),
        (280, "f", (float("nan"),), "places no image in space"),
        (280, "f", (1e30,), "places no image in space"),
        (108, "f", (float("nan"),), "its voxels begin nowhere"),
        (108, "f", (1e25,), "its voxels begin nowhere"),
        (344, "4s", (b"ni1\0",), "a pair of files"),
        (344, "4s", (b"\0\0\0\0",), "without a NIfTI header"),
        (123, "B", (7,), "its unit of length"),
    ],
)
def test_a_header_that_cannot_be_right_is_refused(
    made: Nifti, offset: int, form: str, values: Any, found: str
) -> None:
    with pytest.raises(OsteotraceError, match=found) as caught:
        made.put(offset, form, *values).open()
    assert caught.value.where.endswith("made.nii")


def test_one_volume_with_a_fourth_axis_of_length_one_is_a_volume(made: Nifti) -> None:
    opened = made.put(40, "8h", 4, 7, 6, 5, 1, 1, 1, 1).open()
    assert np.array_equal(opened.voxels, made.source.voxels)


# --- in: NRRD and MetaImage as others write them --------------------------------------


@pytest.fixture
def nrrd_text(tmp_path: Path) -> bytes:
    write_image(numbered_on(small(oblique=True)), tmp_path / "whole.nrrd")
    image = SimpleITK.ReadImage(str(tmp_path / "whole.nrrd"))
    SimpleITK.WriteImage(image, str(tmp_path / "plain.nrrd"), False)
    return (tmp_path / "plain.nrrd").read_bytes()


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (1, 1, 1)),
        ("LPS", (1, 1, 1)),
        ("right-anterior-superior", (-1, -1, 1)),
        ("RAS", (-1, -1, 1)),
        ("left-anterior-superior", (1, -1, 1)),
        ("las", (1, -1, 1)),
    ],
)
def test_every_patient_space_of_an_nrrd_becomes_lps(
    tmp_path: Path, nrrd_text: bytes, space: str, signs: tuple[int, ...]
) -> None:
    text = nrrd_text.replace(b"left-posterior-superior", space.encode())
    (tmp_path / "spaced.nrrd").write_bytes(text)
    opened = open_image(tmp_path / "spaced.nrrd")
    source = numbered_on(small(oblique=True))
    places = voxel_centres(source.grid) * signs
    at = opened.grid.to_index(places)
    assert np.abs(at - np.round(at)).max() < 1e-3
    found = opened.voxels[tuple(np.moveaxis(np.round(at).astype(int), -1, 0))]
    assert np.array_equal(found, source.voxels)


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (b"space: left-posterior-superior", b"space dimension: 3", "found no space;"),
        (b"left-posterior-superior", b"scanner-xyz", "the space 'scanner-xyz'"),
        (b"space origin:", b"# space origin:", "no space origin"),
        (b"kinds:", b'space units: "um" "um" "um"\nkinds:', "a space in um"),
        (b"NRRD0", b"NARD0", "no whole header"),
    ],
)
def test_an_nrrd_without_a_place_in_the_patient_is_refused(
    tmp_path: Path, nrrd_text: bytes, old: bytes, new: bytes, found: str
) -> None:
    assert old in nrrd_text
    (tmp_path / "lost.nrrd").write_bytes(nrrd_text.replace(old, new))
    with pytest.raises(OsteotraceError, match=found):
        open_image(tmp_path / "lost.nrrd")


@pytest.mark.parametrize("name", ["Offset", "TransformMatrix", "ElementSpacing"])
def test_a_metaimage_without_a_place_in_the_patient_is_refused(
    tmp_path: Path, name: str
) -> None:
    write_image(numbered_on(small()), tmp_path / "whole.mha")
    text = (tmp_path / "whole.mha").read_bytes()
    (tmp_path / "lost.mha").write_bytes(text.replace(name.encode(), b"Comment", 1))
    with pytest.raises(OsteotraceError, match=f"found no {name};"):
        open_image(tmp_path / "lost.mha")


def test_a_sheared_nrrd_is_a_tilted_stack(tmp_path: Path) -> None:
    grid = small(about_rows=LEAN)
    image = SimpleITK.GetImageFromArray(numbered_on(grid).voxels)
    steps = grid.affine()[:3, [2, 1, 0]]
    spacing = np.linalg.norm(steps, axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((steps / spacing).ravel().tolist())
    image.SetOrigin(grid.origins[0].tolist())
    SimpleITK.WriteImage(image, str(tmp_path / "sheared.nrrd"))
    opened = open_image(tmp_path / "sheared.nrrd")
    assert opened.grid.tilt_deg == pytest.approx(14.0)
    assert opened.grid.origins == pytest.approx(grid.origins, abs=1e-6)


def test_more_than_one_value_a_voxel_or_one_volume_is_refused(tmp_path: Path) -> None:
    vectors = SimpleITK.GetImageFromArray(np.zeros((5, 6, 7, 3)), isVector=True)
    SimpleITK.WriteImage(vectors, str(tmp_path / "vectors.nrrd"))
    SimpleITK.WriteImage(vectors, str(tmp_path / "vectors.nii"))
    SimpleITK.WriteImage(vectors, str(tmp_path / "vectors.mha"))
    for ending in (".nrrd", ".nii", ".mha"):
        with pytest.raises(OsteotraceError, match=r"vector|7 × 6 × 5 × 1 × 3"):
            open_image(tmp_path / f"vectors{ending}")
    film = SimpleITK.GetImageFromArray(np.zeros((4, 5, 6, 7)), isVector=False)
    SimpleITK.WriteImage(film, str(tmp_path / "film.mha"))
    with pytest.raises(OsteotraceError, match="7 × 6 × 5 × 4 voxels"):
        open_image(tmp_path / "film.mha")


# --- in: damaged files ----------------------------------------------------------------


@pytest.mark.parametrize("ending", WRITTEN)
@pytest.mark.parametrize("left", [0, 3, 200, 0.5, 0.9, -2])
def test_a_file_cut_off_anywhere_is_refused_in_one_line(
    tmp_path: Path, ending: str, left: float
) -> None:
    write_image(numbered_on(small()), tmp_path / f"whole{ending}")
    whole = (tmp_path / f"whole{ending}").read_bytes()
    end = round(left * len(whole)) if 0 < left < 1 else int(left)
    (tmp_path / f"cut{ending}").write_bytes(whole[:end])
    with pytest.raises(OsteotraceError) as caught:
        open_image(tmp_path / f"cut{ending}")
    assert "\n" not in str(caught.value)
    assert caught.value.where.endswith(f"cut{ending}")


@pytest.mark.parametrize("ending", [".nrrd", ".nii.gz", ".mha"])
def test_compressed_voxels_that_were_changed_are_refused(
    tmp_path: Path, ending: str
) -> None:
    write_image(numbered_on(small()), tmp_path / f"whole{ending}")
    content = bytearray((tmp_path / f"whole{ending}").read_bytes())
    content[-30] ^= 0xFF
    (tmp_path / f"hurt{ending}").write_bytes(content)
    with pytest.raises(OsteotraceError, match=r"compressed data .*are wrong"):
        open_image(tmp_path / f"hurt{ending}")


@pytest.mark.parametrize("ending", READ)
def test_what_is_no_image_is_refused(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"junk{ending}"
    path.write_bytes(np.random.default_rng(1).bytes(2000))
    with pytest.raises(OsteotraceError):
        open_image(path)
    path.write_bytes(gzip.compress(b"a letter" * 100))
    with pytest.raises(OsteotraceError):
        open_image(path)


@pytest.mark.parametrize("name", ["scan.dcm", "scan.img", "scan", "scan.nii.bz2"])
def test_a_name_that_ends_in_no_known_format_is_wrong_usage(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(OsteotraceError, match=r"\.nii, \.nii\.gz, \.nrrd") as caught:
        open_image(tmp_path / name)
    assert caught.value.usage


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OsteotraceError, match="No such file"):
        open_image(tmp_path / "nothing.nii")
    (tmp_path / "folder.nii").mkdir()
    with pytest.raises(OsteotraceError, match="Is a directory"):
        open_image(tmp_path / "folder.nii")


# --- in: files that lie on the grid of a scan -----------------------------------------


def shuffled(volume: Volume, axes: tuple[int, ...], flips: tuple[int, ...]) -> Any:
    """Return the same voxels at the same places, stored in another order."""
    image = SimpleITK.PermuteAxes(to_image(volume), axes)
    return SimpleITK.Flip(image, [bool(flip) for flip in flips])


@pytest.mark.parametrize("ending", [".nrrd", ".nii.gz"])
@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 0, 2), (2, 1, 0)])
@pytest.mark.parametrize("flips", [(0, 0, 0), (1, 0, 0), (0, 1, 1), (1, 1, 1)])
def test_a_file_on_the_grid_of_a_scan_gets_its_order_and_its_identity(
    tmp_path: Path, ending: str, axes: tuple[int, ...], flips: tuple[int, ...]
) -> None:
    scan = numbered_on(small(oblique=True))
    path = tmp_path / f"mask{ending}"
    SimpleITK.WriteImage(shuffled(scan, axes, flips), str(path))
    opened = open_image(path, like=scan)
    assert np.array_equal(opened.voxels, scan.voxels)
    assert opened.grid is scan.grid
    assert opened.frame_of_reference_uid == scan.frame_of_reference_uid
    assert opened.instances == scan.instances
    assert opened.identity == scan.identity
    assert opened.notes == ()


@pytest.mark.parametrize("flips", [(0, 0, 0), (1, 0, 0), (0, 1, 1), (1, 1, 1)])
@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_a_file_in_any_order_opens_with_every_value_in_its_place(
    tmp_path: Path, axes: tuple[int, ...], flips: tuple[int, ...]
) -> None:
    scan = numbered_on(small(oblique=True))
    SimpleITK.WriteImage(shuffled(scan, axes, flips), str(tmp_path / "turned.nrrd"))
    opened = open_image(tmp_path / "turned.nrrd")
    at = opened.grid.to_index(voxel_centres(scan.grid))
    assert np.abs(at - np.round(at)).max() < 1e-6
    found = opened.voxels[tuple(np.moveaxis(np.round(at).astype(int), -1, 0))]
    assert np.array_equal(found, scan.voxels)


@pytest.mark.parametrize(("off", "matches"), [(0.005, True), (0.02, False)])
def test_a_file_matches_a_scan_within_a_hundredth_of_a_millimetre(
    tmp_path: Path, off: float, matches: bool
) -> None:
    scan = numbered_on(small())
    shifted = replace(scan, grid=moved(scan.grid, np.array([0.0, off, 0.0])))
    write_image(shifted, tmp_path / "mask.nrrd")
    opened = open_image(tmp_path / "mask.nrrd", like=scan)
    assert bool(opened.frame_of_reference_uid) is matches
    assert bool(opened.instances) is matches
    assert bool(opened.notes) is not matches


def test_a_file_of_another_grid_says_how_it_differs(tmp_path: Path) -> None:
    scan = numbered_on(small())
    shifted = replace(scan, grid=moved(scan.grid, np.array([0.3, -0.4, 0.0])))
    write_image(shifted, tmp_path / "shifted.nrrd")
    (note,) = open_image(tmp_path / "shifted.nrrd", like=scan).notes
    assert note == (
        "not on the grid of the DICOM volume (corners up to 0.50 mm off): "
        "frame of reference unknown"
    )
    write_image(numbered_on(stack()), tmp_path / "other.nrrd")
    (note,) = open_image(tmp_path / "other.nrrd", like=scan).notes
    assert "33 × 76 × 90 voxels, not 5 × 6 × 7" in note


def test_a_mask_of_a_rectified_scan_lies_on_the_rectified_grid(tmp_path: Path) -> None:
    tilted = numbered_on(TILTED["tilted by +14° about rows"])
    written = write_image(tilted, tmp_path / "scan.nrrd")
    opened = open_image(tmp_path / "scan.nrrd", like=written)
    assert opened.source_grid is tilted.grid
    points = tilted.grid.to_patient([[7.0, 30, 40], [9.2, 32, 44]])
    assert opened.slices_between(points) == tilted.instances[7:10]
    assert open_image(tmp_path / "scan.nrrd", like=tilted).instances == ()


def test_a_file_with_the_corners_of_an_uneven_scan_is_not_on_its_grid(
    tmp_path: Path,
) -> None:
    uneven = UNEVENLY_SPACED["uneven"]
    heights = np.linspace(0.0, np.ptp(uneven.slice_positions), len(uneven.origins))
    even = stack(heights)
    assert even.corners() == pytest.approx(uneven.corners())
    write_image(numbered_on(even), tmp_path / "even.nrrd")
    opened = open_image(tmp_path / "even.nrrd", like=numbered_on(uneven))
    assert opened.instances == ()


# --- in: real files -------------------------------------------------------------------

REAL_FOLDERS = {
    "spine_ct_j2k": (
        "example_ct.nii.gz",
        "example_seg_dicom.nii.gz",
        "spine_report/test_result/totalseg.nii.gz",
        "spine_report/test_result/totalseg_vertebrae_body.nii.gz",
        "spine_report/test_result/totalseg_vertebrae_pp_refined.nii.gz",
    ),
    "spine_mr_masks": (
        "sub-mri_label-6_T2w.nii.gz",
        "sub-mri_seg-subreg_label-6_msk.nii.gz",
        "sub-mri_seg-vert_label-6_msk.nii.gz",
    ),
}
REAL_FILES = [(scan, name) for scan, names in REAL_FOLDERS.items() for name in names]


@pytest.fixture(scope="session")
def nifti_truth(real_dicom: Path) -> dict[str, Any]:
    """Return what the manifest computed of each NIfTI file, by file name."""
    entries = json.loads((real_dicom / "MANIFEST.json").read_text())
    return {one["file"]: one for entry in entries for one in entry.get("nifti", [])}


@pytest.mark.parametrize(("scan", "name"), REAL_FILES)
def test_a_real_nifti_file_lies_where_its_affine_says(
    real_dicom: Path, nifti_truth: dict[str, Any], scan: str, name: str
) -> None:
    truth = nifti_truth[name.rsplit("/", 1)[-1]]
    opened = open_image(real_dicom / scan / name)
    values = opened.rescaled()
    assert sorted(opened.grid.shape) == sorted(truth["size"])
    assert sorted(opened.grid.spacing) == pytest.approx(
        sorted(truth["spacing"]), abs=1e-4
    )
    last = np.array(truth["size"]) - 1
    corners = [np.array(corner) * last for corner in np.ndindex(2, 2, 2)]
    places = np.array([np.array(truth["affine_lps"]) @ [*c, 1] for c in corners])[:, :3]
    at = np.round(opened.grid.to_index(places))
    assert opened.grid.to_patient(at) == pytest.approx(places, abs=0.01)
    assert (values.min(), values.max()) == (truth["min"], truth["max"])
    assert values.mean() == pytest.approx(truth["mean"], abs=1e-4)
    for label, part in truth.get("labels", {}).items():
        where = np.argwhere(opened.voxels == int(label))
        assert len(where) == part["voxels"]
        centroid = opened.grid.to_patient(where).mean(axis=0)
        assert centroid == pytest.approx(part["centroid_lps"], abs=0.01)


def test_a_real_label_map_lies_on_the_grid_of_its_scan(real_dicom: Path) -> None:
    from osteotrace.series import scan

    (series,) = scan(real_dicom / "spine_ct_j2k" / "example_ct_dicom")
    ct = load(series.volumes[0])
    labels = open_image(real_dicom / "spine_ct_j2k" / "example_seg_dicom.nii.gz", like=ct)
    assert labels.grid is ct.grid
    assert labels.frame_of_reference_uid == ct.frame_of_reference_uid
    vertebra = ct.rescaled()[labels.voxels == 32]
    lung_or_air = ct.rescaled()[labels.voxels == 0]
    assert np.median(vertebra) > 100 > np.median(lung_or_air)
    stored = open_image(real_dicom / "spine_ct_j2k" / "example_seg_dicom.nii.gz")
    assert stored.instances == ()


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_writing_and_opening_keeps_a_linear_field(tmp_path: Path, kind: str) -> None:
    write_image(ramp_on(ALL_KINDS[kind]), tmp_path / "field.nii.gz")
    opened = open_image(tmp_path / "field.nii.gz")
    point = np.array([1.7, -2.6, 0.9])
    at = np.floor(opened.grid.to_index(point)).astype(int)
    near = opened.grid.to_patient(at)
    assert opened.rescaled()[tuple(at)] == pytest.approx(ramp_at(near), abs=2e-3)
