"""Where a protocol's labels come from, and what one entry finds of them in a study."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.fixtures.label_images import write_nifti

import osteotrace as ot
from osteotrace import reading
from osteotrace.errors import OsteotraceError
from osteotrace.measurements.measurement import Measurement, NotMeasured
from osteotrace.protocol import MaskSources, Where, parse
from osteotrace.protocol.entries import IntensityEntry
from osteotrace.protocol.mask_sources import Threshold
from osteotrace.reading.expanding import expanded
from osteotrace.reading.images import StudyImages
from osteotrace.reading.label_pools import match_of
from osteotrace.reading.mask_files import files_beside

if TYPE_CHECKING:
    from pathlib import Path

    from osteotrace.findings import Assessment, Finding
    from osteotrace.protocol import Protocol
    from osteotrace.regions import Mask
    from osteotrace.volume import Volume


@pytest.fixture(scope="module")
def scanned(small_study: Path) -> ot.Volume:
    """Return the CT of the small study."""
    return ot.load(small_study / "ct")


@pytest.fixture
def study(small_study: Path, tmp_path: Path) -> Path:
    """Return a copy of a study, so that labels can be put beside it."""
    return shutil.copytree(small_study, tmp_path / "study")


def nifti(file: Path, volume: Volume, *names: str, first: int = 4) -> Path:
    """Write labels on the grid of a volume, a slice each, from some slice on."""
    values = np.zeros(volume.grid.shape, np.uint8)
    for number in range(1, len(names) + 1):
        values[first + number] = number
    file.parent.mkdir(parents=True, exist_ok=True)
    return write_nifti(file, values, volume.grid, dict(enumerate(names, 1)))


def entry(label: str = "lesion", **more: Any) -> IntensityEntry:
    return IntensityEntry(label="A", modality="CT", region=Where(label=label), **more)


def region(
    study: Path,
    sources: MaskSources,
    masks: Path | None = None,
    label: str = "lesion",
) -> Mask:
    images = StudyImages(ot.scan(study), masks, sources=sources)
    return images.region(images.volume(entry()), Where(label=label), "region")


def height(mask: Mask) -> float:
    return mask.origins[0][2]


def test_the_first_source_that_holds_a_label_is_taken(
    study: Path, tmp_path: Path, scanned: Volume
) -> None:
    nifti(study / "labels.nii.gz", scanned, "lesion", first=4)
    by_values = Threshold(label="lesion", above=1000.0)
    beside = MaskSources(sources=("beside", "threshold"), threshold=(by_values,))
    own = region(study, beside)
    assert own.voxels.sum() == np.prod(scanned.grid.shape[1:])
    turned = MaskSources(sources=("threshold", "beside"), threshold=(by_values,))
    values = scanned.rescaled()
    assert region(study, turned).voxels.sum() == (values >= 1000.0).sum()
    # Without an order, two that hold a label are an error.
    other = nifti(tmp_path / "masks" / "a.nii.gz", scanned, "lesion", first=6)
    shutil.copy(study / "labels.nii.gz", other.parent / "b.nii.gz")
    with pytest.raises(OsteotraceError, match="2 segmentations with the label"):
        region(study, MaskSources(), other.parent)


def test_the_same_voxels_under_a_name_in_two_files_are_one_label(
    study: Path, tmp_path: Path, scanned: Volume
) -> None:
    """As of a study whose reading came back with the masks that it was measured on."""
    nifti(tmp_path / "masks" / "drawn.nii.gz", scanned, "lesion", "other", first=4)
    alone = region(study, MaskSources(), tmp_path / "masks")
    nifti(tmp_path / "masks" / "of_a_reading.nii.gz", scanned, "lesion", first=4)
    assert region(study, MaskSources(), tmp_path / "masks") == alone
    nifti(tmp_path / "masks" / "moved.nii.gz", scanned, "lesion", first=5)
    with pytest.raises(OsteotraceError, match="3 segmentations with the label"):
        region(study, MaskSources(), tmp_path / "masks")


def test_a_file_beside_another_study_of_the_tree_is_found_by_its_name(
    study: Path, scanned: Volume
) -> None:
    (identity,) = {one.identity.study_uid for one in ot.scan(study)}
    tree = study.parent
    nifti(tree / "labels" / identity / "a.nii.gz", scanned, "lesion")
    nifti(tree / "labels" / "2.25.9" / "a.nii.gz", scanned, "lesion")
    sources = MaskSources(sources=("beside",), beside="{study_uid}/*.nii.gz")
    assert region(study, sources, tree / "labels").voxels.any()
    with pytest.raises(OsteotraceError, match="0 segmentations"):
        region(study, MaskSources(sources=("seg",)), tree / "labels")


def test_what_a_header_says_leads_nowhere_else(small_study: Path, tmp_path: Path) -> None:
    import msgspec

    catalogue = ot.scan(small_study)
    (tmp_path / "masks").mkdir()
    (tmp_path / "a.nii.gz").write_bytes(b"x")
    evil = tuple(
        type(one)(
            identity=msgspec.structs.replace(one.identity, patient_id=".."),
            volumes=one.volumes,
        )
        for one in catalogue
    )
    study = type(catalogue)(root=catalogue.root, series=evil, skipped=())
    for pattern in ("{patient_id}/a.nii.gz", "{patient_id}/*"):
        assert files_beside(tmp_path / "masks", study, pattern) == []
    (tmp_path / "masks" / "link.nii.gz").symlink_to(tmp_path / "a.nii.gz")
    assert files_beside(tmp_path / "masks", study, "*.nii.gz") == []


def test_values_between_two_bounds_are_a_label_and_say_so(
    study: Path, scanned: Volume
) -> None:
    both = Threshold(label="wall", above=600.0, below=1500.0)
    one = Threshold(label="piece", above=600.0, largest=True)
    boxed = Threshold(
        label="half",
        above=600.0,
        within=Where(corners=((-20.0, -23.0, -7.0), (20.0, -0.25, 6.0))),
    )
    sources = MaskSources(sources=("threshold",), threshold=(both, one, boxed))
    images = StudyImages(ot.scan(study), sources=sources)
    volume = images.volume(entry())
    values = volume.rescaled()
    walls = images.region(volume, Where(label="wall"), "r").on(volume.grid)
    assert np.array_equal(walls, (values >= 600) & (values <= 1500))
    # Two walls of one size: the largest piece is one of them.
    piece = images.region(volume, Where(label="piece"), "r").voxels.sum()
    assert piece == pytest.approx((values >= 600).sum() / 2, rel=0.02)
    half = images.region(volume, Where(label="half"), "r")
    assert half.voxels.sum() < piece
    (note,) = images.notes_of(entry("wall"), volume)
    assert note.startswith("label 'wall' by threshold: from 600 to 1500 HU")


def test_bone_by_the_image_itself_lies_within_the_label_of_an_earlier_source(
    study: Path, scanned: Volume
) -> None:
    nifti(study / "labels.nii.gz", scanned, "region", first=8)
    bone = Threshold(label="bone", bone=True, within=Where(label="region"))
    sources = MaskSources(sources=("beside", "threshold"), threshold=(bone,))
    mask = region(study, sources, label="bone")
    assert mask.on(scanned.grid)[9].sum() == mask.voxels.sum()
    assert 0.2 < mask.voxels.sum() / np.prod(scanned.grid.shape[1:]) < 0.4
    late = MaskSources(sources=("threshold", "beside"), threshold=(bone,))
    with pytest.raises(OsteotraceError, match="threshold bone: 0 segmentations"):
        region(study, late, label="bone")


def test_a_program_that_is_not_there_is_told_in_one_line(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("osteotrace.segmentation.totalsegmentator.PROGRAM", "no-such")
    with pytest.raises(OsteotraceError) as caught:
        region(study, MaskSources(sources=("seg", "totalsegmentator")))
    told = str(caught.value)
    assert "totalsegmentator: no no-such" in told
    assert "osteotrace[segment]" in told
    assert "\n" not in told


# One entry, many findings ------------------------------------------------------------


def protocol(*entries: str, sources: str = '"seg", "beside"') -> Protocol:
    from pathlib import Path

    head = f'name = "many"\n[series]\nmodality = "CT"\n[masks]\nsources = [{sources}]\n'
    return parse((head + "\n".join(entries)).encode(), Path("many.toml"))


def measured(study: Path, asked: Protocol, masks: Path | None = None) -> Assessment:
    return reading.measure(study, asked, masks=masks)


def values(assessment: Assessment) -> dict[str, Finding]:
    return {finding.label: finding for finding in assessment.findings}


EACH = """\
[[intensity]]
label = "{match} values"
site = "unspecified"
region = { label = "* marrow" }
"""


def test_every_label_that_fits_a_pattern_is_a_finding_with_its_place(
    study: Path, scanned: Volume
) -> None:
    names = ("left femur marrow", "L3 Marrow", "muscle", "left marrow", "odd marrow")
    nifti(study / "labels.nii.gz", scanned, *names)
    found = values(measured(study, protocol(EACH)))
    places = {label: (one.site, one.laterality) for label, one in found.items()}
    assert places == {
        "left femur values": ("femur", "left"),
        "L3 values": ("l3", ""),
        "left values": ("unspecified", "left"),
        "odd values": ("unspecified", ""),
    }
    for one in found.values():
        assert isinstance(one.measurements[0], Measurement)
        assert one.tracking_uid == reading.tracking_uid(
            measured(study, protocol(EACH)).study_uid, one.label
        )


def test_a_region_that_follows_the_pattern_is_that_of_the_same_place(
    study: Path, scanned: Volume
) -> None:
    nifti(study / "labels.nii.gz", scanned, "L1 edema", "L2 edema", "L1 body", "muscle")
    asked = protocol(
        '[[marrow_edema]]\nlabel = "{match}"\nedema = { label = "* edema" }\n'
        'bone = { label = "{match} body", optional = true }\n'
        'muscle = { label = "muscle", optional = true }\n'
    )
    images = StudyImages(ot.scan(study), sources=asked.masks)
    first, second = expanded(asked.entries, images)
    assert (first.label, second.label) == ("L1", "L2")
    assert vars_of(first) == {"edema": "L1 edema", "bone": "L1 body", "muscle": "muscle"}
    assert vars_of(second) == {"edema": "L2 edema", "muscle": "muscle"}


def vars_of(one: Any) -> dict[str, str]:
    from osteotrace.protocol.entry import regions

    return {key: where.label or "" for key, where in regions(one)}


def test_an_entry_without_its_label_is_a_finding_that_says_so(
    study: Path, scanned: Volume
) -> None:
    nifti(study / "labels.nii.gz", scanned, "muscle")
    (finding,) = measured(study, protocol(EACH)).findings
    assert isinstance(finding.measurements[0], NotMeasured)
    assert "among the labels muscle" in finding.measurements[0].reason


def test_a_protocol_that_selects_nothing_says_what_there_is(
    study: Path, scanned: Volume
) -> None:
    nifti(study / "labels.nii.gz", scanned, "muscle")
    with pytest.raises(OsteotraceError) as caught:
        measured(study, protocol(EACH + "optional = true\n"))
    told = str(caught.value)
    assert "the protocol selects nothing" in told
    assert "CT 'Bone 0.8' with the labels muscle" in told
    # What is not there beside what is keeps nothing from being measured.
    both = protocol(EACH + "optional = true\n", EACH.replace("marrow", "muscle").replace(
        "* muscle", "mus*"
    ).replace("{match} values", "{name}"))  # fmt: skip
    assert list(values(measured(study, both))) == ["muscle"]


def test_one_label_that_two_patterns_fit_is_one_finding(
    study: Path, scanned: Volume
) -> None:
    nifti(study / "labels.nii.gz", scanned, "left femur marrow", "odd")
    wide = '[[intensity]]\nlabel = "{name}"\nsite = "jaw"\nregion = { label = "*" }\n'
    narrow = EACH.replace("{match} values", "{name}")
    found = values(measured(study, protocol(narrow, wide)))
    assert list(found) == ["left femur marrow", "odd"]
    assert found["left femur marrow"].site == "femur"
    gas = wide.replace("intensity", "gas")
    with pytest.raises(OsteotraceError, match="for two kinds of findings"):
        measured(study, protocol(narrow, gas))


def test_each_station_is_measured_and_a_label_that_comes_again_is_numbered(
    study: Path, scanned: Volume
) -> None:
    from pydicom import dcmread

    for file in sorted((study / "ct").iterdir()):
        image = dcmread(file)
        image.SeriesInstanceUID, image.FrameOfReferenceUID = "2.25.31", "2.25.32"
        image.ImagePositionPatient[2] += 100
        image.SOPInstanceUID = f"2.25.31.{image.InstanceNumber}"
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        (study / "ct2").mkdir(exist_ok=True)
        image.save_as(study / "ct2" / file.name)
    nifti(study / "ct" / "labels.nii.gz", scanned, "left femur marrow")
    below = ot.load(study / "ct2")
    nifti(study / "ct2" / "labels.nii.gz", below, "left femur marrow", "L3 marrow")
    with pytest.raises(OsteotraceError, match="2 volumes that fit"):
        measured(study, protocol(EACH))
    asked = protocol(EACH + "select = { each = true }\n")
    found = values(measured(study, asked))
    assert {label: one.series_uid for label, one in found.items()} == {
        "left femur values": scanned.identity.series_uid,
        "left femur values (2)": "2.25.31",
        "L3 values": "2.25.31",
    }


def test_each_labelled_vertebra_is_measured_and_those_asked_for_alone(
    study: Path, scanned: Volume
) -> None:
    nifti(study / "labels.nii.gz", scanned, "vertebrae_L2", "vertebrae_L1", "sacrum")
    every = protocol('[[vertebra]]\nlabel = "{level}"\nlevels = "all"\n')
    images = StudyImages(ot.scan(study), sources=every.masks)
    assert [one.label for one in expanded(every.entries, images)] == ["L1", "L2"]
    some = protocol('[[vertebra]]\nlabel = "V {level}"\nlevels = ["l2", "L5"]\n')
    found = values(measured(study, some))
    assert list(found) == ["V L2", "V L5"]
    (missing,) = found["V L5"].measurements
    assert isinstance(missing, NotMeasured)
    assert "0 segmentations with the label 'L5 body'" in missing.reason
    named = protocol(
        '[[vertebra]]\nlabel = "{level}"\nlevels = "all"\n'
        'body = { label = "vertebrae_{level}" }\n'
    )
    again = StudyImages(ot.scan(study), sources=named.masks)
    assert [one.label for one in expanded(named.entries, again)] == ["L1", "L2"]


@pytest.mark.parametrize(
    ("pattern", "name", "match"),
    [
        ("* marrow edema", "Left Femur marrow edema", "Left Femur"),
        ("*edema*", "edema", ""),
        ("lesion", "Lesion", ""),
        ("*(x)*", "a(x)b", "a"),
        ("a*", "", None),
        ("[ab]*", "a1", None),
    ],
)
def test_a_star_stands_for_any_text_and_nothing_else_does(
    pattern: str, name: str, match: str | None
) -> None:
    assert match_of(pattern, name) == match
