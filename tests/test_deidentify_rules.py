"""What may stay of an element, a text and a code, and which files are not taken."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_VR
from pydicom.tag import Tag
from tests.fixtures.small_study import CT_SERIES_UID, STUDY_UID
from tests.fixtures.synthetic import SeriesSpec, write_to

import osteotrace as ot
from osteotrace.deidentify import Options, Secret, deidentify_tree, read_secret
from osteotrace.deidentify.coded import UNKNOWN_SCHEME, cleaned_code
from osteotrace.deidentify.content import tracking_identifier
from osteotrace.deidentify.elements import rules
from osteotrace.deidentify.objects import cleaned_object
from osteotrace.deidentify.subject import Subject
from osteotrace.deidentify.vocabulary import cleaned, imaging_words, software_words

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.command_line import Outcome

    from osteotrace.errors import OsteotraceError

SECRET = Secret(b"no secret at all, only a test")
FREE_TEXTS = {"LO", "SH", "ST", "LT", "UT", "UC", "PN", "AE", "UR", "UN"}


def subject(**said: Any) -> Subject:
    return Subject(secret=SECRET, options=Options(**said), patient="\x1f4711")


def named(*names: str) -> Subject:
    return Subject(secret=SECRET, options=Options(), patient="1", names=frozenset(names))


# Elements ----------------------------------------------------------------------------


def test_what_the_profile_removes_is_kept_only_in_a_way_that_an_option_allows() -> None:
    from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as table

    profile = {
        tag: name.removesuffix("_TAGS")
        for name in vars(table)
        if name.endswith("_TAGS") and name != "ALL_TAGS"
        for tag in getattr(table, name)
        if len(tag) == 2
    }
    kept: dict[str, set[str]] = {}
    for tag, rule in rules().items():
        action = profile.get((tag >> 16, tag & 0xFFFF))
        if action is None:
            continue
        if rule.treatment == "uid":
            assert action == "U", Tag(tag)
        kept.setdefault(rule.treatment, set()).add(action)
    # Nothing that the table names stays as it is; sequences are cleaned item by item.
    assert set(kept) <= {
        "uid", "date", "empty", "dummy", "words", "device", "patient", "items",
    }  # fmt: skip
    assert kept["items"] <= {"X_Z_U_STAR", "D"}
    assert kept["uid"] == {"U"}


def test_no_free_text_stays_but_by_words_of_a_vocabulary() -> None:
    for tag, rule in rules().items():
        if dictionary_VR(tag) in FREE_TEXTS:
            assert rule.treatment in ("words", "dummy", "empty", "device", "label")


def test_an_element_that_nobody_named_goes_and_a_known_one_of_another_kind_too() -> None:
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3.4"
    data.InstitutionName = "Somewhere"
    data.add_new(0x00111001, "LO", "private")
    data.add_new("SliceThickness", "LO", "2.5")
    data.SpacingBetweenSlices = "2.5"
    made = cleaned_object(data, subject())
    assert "InstitutionName" not in made
    assert "SliceThickness" not in made
    assert not [element for element in made if element.tag.is_private]
    assert made.SpacingBetweenSlices == 2.5
    assert made.SOPClassUID == data.SOPClassUID
    assert made.SOPInstanceUID == SECRET.uid("1.2.3.4")


def test_an_age_of_ninety_or_more_is_ninety() -> None:
    data = Dataset()
    data.PatientAge, data.PatientSex, data.PatientWeight = "097Y", "F", "62.5"
    kept = cleaned_object(data, subject(patient=True))
    assert (kept.PatientAge, kept.PatientSex, kept.PatientWeight) == ("090Y", "F", 62.5)
    removed = cleaned_object(data, subject())
    assert removed.PatientSex == ""
    assert "PatientAge" not in removed


def test_a_lookup_table_longer_than_it_says_goes() -> None:
    table = Dataset()
    table.LUTDescriptor = [4, 0, 16]
    table.add_new("LUTData", "OW", b"\1\0\2\0\3\0\4\0")
    data = Dataset()
    data.ModalityLUTSequence = [table]
    assert cleaned_object(data, subject()).ModalityLUTSequence[0].LUTData
    table.add_new("LUTData", "OW", b"\1\0\2\0\3\0\4\0Smith")
    assert "LUTData" not in cleaned_object(data, subject()).ModalityLUTSequence[0]


# Texts and codes ---------------------------------------------------------------------


def test_a_description_keeps_words_of_imaging_and_short_numbers() -> None:
    def described(text: str, *names: str) -> str:
        return cleaned(text, imaging_words(), frozenset(names), gap="")

    assert described("CT Maxilla axial bone 0.6 mm") == "CT Maxilla axial bone 0.6 mm"
    assert described("t2_tse_sag_Mueller") == "t2_tse_sag"
    assert described("Sag T1 (Doe, 4711) L5") == "Sag T1 L5"
    assert described("Schädel 12345678 20231104") == ""
    assert described("Bone head", "head") == "Bone"


def test_a_sentence_of_the_software_keeps_its_words_and_shows_what_went() -> None:
    text = "gap between two walls of Frau Schmidt, 12.07 mm"
    assert (
        cleaned(text, software_words()) == "gap between two walls of [removed], 12.07 mm"
    )


@pytest.mark.parametrize(
    ("code", "kept"),
    [
        (("410668003", "SCT", "Length"), ("410668003", "SCT", "Length")),
        # The meaning is what the vocabulary says, not what the file does.
        (("410668003", "SCT", "John Smith"), ("410668003", "SCT", "Length")),
        (("mm", "UCUM", "Smith"), ("mm", "UCUM", "millimeter")),
        # Not known here, but of the form that codes of the scheme have.
        (("RID99999", "RADLEX", "bone Smith"), ("RID99999", "RADLEX", "bone")),
    ],
)
def test_a_published_code_stays_with_the_meaning_of_its_vocabulary(
    code: tuple[str, str, str], kept: tuple[str, str, str]
) -> None:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code
    assert cleaned_code(item, subject()) == kept


def test_a_code_of_ones_own_becomes_one_without_a_meaning_that_still_tells_apart() -> (
    None
):
    made = []
    for value in ("Smith", "Smith", "Jones"):
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator = value, "99SITE"
        item.CodeMeaning = f"Patient {value}"
        made.append(cleaned_code(item, subject()))
    assert made[0] == made[1] != made[2]
    assert made[0][1] == UNKNOWN_SCHEME
    assert "Smith" not in str(made)


def test_a_viewers_mark_on_a_tracking_identifier_stays_and_its_label_is_judged() -> None:
    who = named("doe")
    start = "Cornerstone3DTools@^0.1.0:Length"
    assert tracking_identifier(start, who) == start
    assert tracking_identifier(f"{start}:lesion", who) == f"{start}:lesion"
    assert tracking_identifier(f"{start}:Doe", who).startswith(f"{start}:T-")
    assert tracking_identifier("jaw of Doe", who).startswith("T-")


# Files that are not taken --------------------------------------------------------------


def one_image(folder: Path, **tags: Any) -> Path:
    def edit(data: Dataset, _: int) -> None:
        for keyword, value in tags.items():
            setattr(data, keyword, value)

    voxels = np.arange(2 * 6 * 5).reshape(2, 6, 5)
    return write_to(folder, SeriesSpec(voxels=voxels, edit=edit))


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"BurnedInAnnotation": "YES"}, "burned into it"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "picture of a screen"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "not supported"),
    ],
)
def test_pixels_that_may_hold_text_are_taken_only_when_asked_for(
    tags: dict[str, Any], words: str, tmp_path: Path
) -> None:
    folder = one_image(tmp_path / "in", **tags)
    done = deidentify_tree(folder, tmp_path / "out", SECRET)
    assert [words in one.reason for one in done.refused] == [True, True]
    assert done.studies == 0
    asked = Options(burned_in=True)
    taken = deidentify_tree(folder, tmp_path / "taken", SECRET, asked)
    assert (taken.objects, taken.refused) == (2, ())


def test_what_is_no_object_of_ours_is_counted_and_never_named(
    small_study: Path, tmp_path: Path, osteotrace: Callable[..., Outcome]
) -> None:
    folder = one_image(tmp_path / "in")
    (folder / "Mueller.txt").write_text("Mueller")
    # What a run of measuring leaves beside its records.
    (folder / "run.json").write_text('{"format": 1}')
    content = next(folder.glob("*.dcm")).read_bytes()
    (folder / "Mueller_cut.dcm").write_bytes(content[:400])
    (folder / "Mueller_twice.dcm").write_bytes(content)
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET.content)
    out, listed = tmp_path / "out", tmp_path / "list.csv"
    call = ["deidentify", folder, "--out", out, "--secret-file", secret]
    done = osteotrace(*call, "--private-list", listed)
    assert done.code == 1
    assert "1 study, 2 images" in done.out
    for reason in (
        "damaged",
        "not DICOM",
        "a JSON file that is no record",
        "a second file of one SOPInstanceUID",
    ):
        assert f"left out 1: {reason}" in done.err or reason in done.err
    assert "Mueller" not in done.out + done.err
    assert str(folder) not in done.out + done.err
    assert "--private-list" not in done.err
    # Who may see both gets the list, and nobody else.
    rows = list(csv.DictReader(listed.read_text().splitlines()))
    assert sum("Mueller" in row["file"] for row in rows) == 3
    assert sum(bool(row["became"]) for row in rows) == 2
    assert listed.stat().st_mode & 0o777 == 0o600


def test_an_image_that_is_cut_off_is_left_out_and_not_passed_on(tmp_path: Path) -> None:
    folder = one_image(tmp_path / "in")
    first = min(folder.glob("*.dcm"))
    first.write_bytes(first.read_bytes()[:-20])
    done = deidentify_tree(folder, tmp_path / "out", SECRET)
    assert [one.path for one in done.refused] == [first]
    assert done.objects == 1


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--keep-dates", "--shift-dates"], "both --keep-dates and --shift-dates"),
        (["--out", "{in}/out"], "a result inside"),
        (["--secret-file", "{short}"], "a secret of 5 bytes"),
        (["--secret-file", "{none}"], "a secret that cannot be read"),
        (["--private-list", "{out}/list.csv"], "a private list inside the result"),
    ],
)
def test_a_call_that_would_leak_or_contradicts_itself_is_refused_before_the_work(
    extra: list[str], words: str, tmp_path: Path, osteotrace: Callable[..., Outcome]
) -> None:
    places = {
        "in": one_image(tmp_path / "in"),
        "short": tmp_path / "short",
        "none": tmp_path / "none",
        "out": tmp_path / "out",
    }
    places["short"].write_text("short")
    (tmp_path / "secret").write_bytes(SECRET.content)
    call = ["deidentify", places["in"], "--out", places["out"]]
    call += ["--secret-file", tmp_path / "secret"]
    done = osteotrace(*call, *(one.format(**places) for one in extra))
    assert done.code == 2
    assert words in done.err
    assert not places["out"].exists()
    assert not (places["in"] / "out").exists()


def test_nothing_to_take_and_a_link_back_into_the_source_are_refused(
    tmp_path: Path, refusal: Callable[..., OsteotraceError]
) -> None:
    folder = one_image(tmp_path / "in")
    (tmp_path / "link").symlink_to(folder)
    inside = tmp_path / "link" / "out"
    problem = refusal(lambda: deidentify_tree(folder, inside, SECRET))
    assert "a result inside" in problem.found
    (tmp_path / "empty").mkdir()
    out = tmp_path / "out"
    problem = refusal(lambda: deidentify_tree(tmp_path / "empty", out, SECRET))
    assert "no file at the path" in problem.found
    assert not out.exists()


def test_a_secret_is_read_without_the_end_of_its_line_and_is_never_shown(
    tmp_path: Path,
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(SECRET.content + b"\r\n")
    assert read_secret(file) == SECRET
    assert "secret at all" not in repr(SECRET)


def test_every_encoding_keeps_its_pixels_and_numbers(tmp_path: Path) -> None:
    from pydicom import dcmwrite
    from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

    for name, syntax in (
        ("little", ImplicitVRLittleEndian),
        ("big", ExplicitVRBigEndian),
    ):
        folder = one_image(tmp_path / name, SmallestImagePixelValue=3)
        for file in folder.glob("*.dcm"):
            data = dcmread(file)
            if name == "big":
                pixels = np.frombuffer(data.PixelData, "<u2").astype(">u2")
                data.PixelData = pixels.tobytes()
            data.file_meta.TransferSyntaxUID = syntax
            dcmwrite(file, data, enforce_file_format=True, overwrite=True)
        done = deidentify_tree(folder, tmp_path / f"{name} out", SECRET)
        assert done.refused == ()
        for source, made in done.written:
            old, new = dcmread(source), dcmread(made)
            assert new.file_meta.TransferSyntaxUID == syntax
            assert new.PixelData == old.PixelData
            assert new.SmallestImagePixelValue == 3
            assert new.ImagePositionPatient == old.ImagePositionPatient


def test_a_study_is_one_patient_though_a_file_leaves_the_issuer_out(
    small_study: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number, file in enumerate(sorted((small_study / "ct").iterdir())[:3]):
        data = dcmread(file)
        if number == 1:
            data.IssuerOfPatientID = "A hospital"
        data.save_as(folder / file.name)
    done = deidentify_tree(folder, tmp_path / "out", SECRET)
    patients = {str(dcmread(made).PatientID) for _, made in done.written}
    assert len(patients) == 1
    study = done.folder / SECRET.uid(STUDY_UID) / SECRET.uid(CT_SERIES_UID)
    assert len(list(study.iterdir())) == 3
    assert ot.scan(done.folder)
