"""A folder of records grows by readings and amendments, and names what it cannot read."""

from __future__ import annotations

import doctest
import logging
import os
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from pydicom import dcmread
from record_index import copies
from tests.fixtures.assessments import assessment, caliper_finding
from tests.fixtures.faulty_disk import FaultyDisk, Killed
from tests.fixtures.small_study import CT_FRAME_UID

from osteotrace import series
from osteotrace.catalogue_index import CatalogueIndex, default_path
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Fact, to_json
from osteotrace.phantoms.in_memory import straight_grid
from osteotrace.records import assessments, publication, record_folder, sr, store
from osteotrace.records.folder import index as record_index
from osteotrace.records.folder.files import read_record
from osteotrace.regions import Mask

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fixtures.faulty_disk import Abilities

    from osteotrace.findings import Assessment
    from osteotrace.records.folder.contents import Record
    from osteotrace.series import Catalogue


@pytest.fixture(scope="module")
def catalogue(small_study: Path) -> Catalogue:
    return series.scan(small_study)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep an index for each test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the index trust what was written just now, as on a disk with a fine clock."""
    monkeypatch.setattr(record_index, "CLOCK_STEP_NS", -1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "records"


def facts(uid: str, *, amends: str = "", reader: str = "tester") -> Assessment:
    """Return what was stated of a patient at a date without images."""
    stated = Fact(
        name="exposed_bone",
        value=True,
        source="entered",
        author=reader,
        recorded="2024-05-01T10:20:30+02:00",
    )
    return msgspec.structs.replace(
        assessment(uid=uid),
        study_uid="",
        series=(),
        reader=reader,
        facts=(stated,),
        predecessor_uid=amends,
    )


def with_mask(uid: str) -> Assessment:
    grid = straight_grid((6.0, 6.0, 3.2), (0.8, 0.5, 0.6), centre=(0.0, 0.0, 0.0))
    mask = Mask.of(
        np.ones(grid.shape, dtype=bool),
        grid,
        role="fragment",
        frame_of_reference_uid=CT_FRAME_UID,
    )
    finding = msgspec.structs.replace(
        caliper_finding(), regions=(*caliper_finding().regions, mask)
    )
    return assessment(finding, uid=uid)


def uids(records: tuple[Record, ...]) -> list[str]:
    return [record.assessment_uid for record in records]


def test_a_reading_of_images_is_a_report_and_facts_alone_are_json(
    folder: Path, catalogue: Catalogue
) -> None:
    reading, stated = assessment(caliper_finding(), uid="2.25.1"), facts("2.25.2")
    report = record_folder.add(folder, reading, catalogue)
    text = record_folder.add(folder, stated)
    assert (report.name, text.name) == ("2.25.1.dcm", "2.25.2.json")
    assert record_folder.read(folder, "2.25.1") == reading == sr.read(report)
    assert record_folder.read(folder, "2.25.2") == stated == assessments.read(text)
    kinds = {r.assessment_uid: r.kind for r in record_folder.contents(folder).records}
    assert kinds == {"2.25.1": "SR", "2.25.2": "JSON"}


def test_everything_in_the_folder_is_its_owners_alone(
    folder: Path, catalogue: Catalogue
) -> None:
    record_folder.add(folder, with_mask("2.25.1"), catalogue)
    record_folder.add(folder, facts("2.25.2"))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = list(folder.iterdir())
    assert len(files) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    record_folder.contents(folder)
    index = default_path().with_name(record_index.FILE_NAME)
    assert stat.S_IMODE(index.stat().st_mode) == 0o600


def test_a_reading_of_images_is_not_added_without_them(folder: Path) -> None:
    with pytest.raises(OsteotraceError, match="without its images"):
        record_folder.add(folder, assessment(caliper_finding()))
    assert not folder.exists()


def test_a_record_is_never_replaced(folder: Path, catalogue: Catalogue) -> None:
    path = record_folder.add(folder, facts("2.25.1"))
    before = path.read_bytes()
    with pytest.raises(OsteotraceError, match="ever overwritten"):
        record_folder.add(folder, facts("2.25.1", reader="another"))
    with pytest.raises(OsteotraceError, match="a record of the same UID"):
        record_folder.add(folder, assessment(caliper_finding(), uid="2.25.1"), catalogue)
    assert [file.read_bytes() for file in folder.iterdir()] == [before]


# Amendments --------------------------------------------------------------------------


def test_an_amendment_takes_the_place_of_what_it_amends_and_both_are_kept(
    folder: Path, catalogue: Catalogue
) -> None:
    first = assessment(caliper_finding(), uid="2.25.1")
    second = msgspec.structs.replace(
        first, assessment_uid="2.25.2", predecessor_uid="2.25.1", findings=()
    )
    record_folder.add(folder, first, catalogue)
    record_folder.add(folder, second, catalogue)
    found = record_folder.contents(folder)
    assert uids(found.records) == ["2.25.1", "2.25.2"]
    assert uids(found.current()) == ["2.25.2"]
    assert uids(found.amendments("2.25.1")) == ["2.25.2"]
    assert found.divergences() == ()
    (case,) = record_folder.cases(folder)
    assert case.assessments == (first, second)
    assert case.current() == (second,)


def test_a_report_amends_facts_that_are_kept_as_json(
    folder: Path, catalogue: Catalogue
) -> None:
    record_folder.add(folder, facts("2.25.1"))
    amendment = msgspec.structs.replace(
        assessment(caliper_finding(), uid="2.25.2"), predecessor_uid="2.25.1"
    )
    path = record_folder.add(folder, amendment, catalogue)
    assert record_folder.read(folder, "2.25.2") == amendment
    assert uids(record_folder.contents(folder).current()) == ["2.25.2"]
    # What is not DICOM cannot be named as a predecessor document.
    assert "PredecessorDocumentsSequence" not in dcmread(path)


def test_masks_are_no_record_that_can_be_amended(
    folder: Path, catalogue: Catalogue
) -> None:
    record_folder.add(folder, with_mask("2.25.1"), catalogue)
    (masks,) = record_folder.contents(folder).segmentations
    amendment = msgspec.structs.replace(
        assessment(caliper_finding(), uid="2.25.2"),
        predecessor_uid=masks.sop_instance_uid,
    )
    with pytest.raises(OsteotraceError, match=r"no record of its own \(Segmentation"):
        record_folder.add(folder, amendment, catalogue)
    assert uids(record_folder.contents(folder).records) == ["2.25.1"]


def test_two_amendments_of_one_record_are_both_kept_and_both_named(folder: Path) -> None:
    record_folder.add(folder, facts("2.25.1"))
    record_folder.add(folder, facts("2.25.2", amends="2.25.1", reader="one"))
    record_folder.add(folder, facts("2.25.3", amends="2.25.1", reader="other"))
    record_folder.add(folder, facts("2.25.4", amends="2.25.3", reader="other"))
    found = record_folder.contents(folder)
    (divergence,) = found.divergences()
    assert divergence.amended_uid == "2.25.1"
    assert [(r.assessment_uid, r.reader) for r in divergence.amendments] == [
        ("2.25.2", "one"),
        ("2.25.3", "other"),
    ]
    assert uids(found.current()) == ["2.25.2", "2.25.4"]
    (case,) = record_folder.cases(folder)
    assert [one.assessment_uid for one in case.current()] == ["2.25.2", "2.25.4"]


def test_an_amendment_of_what_is_not_there_is_not_added(folder: Path) -> None:
    record_folder.add(folder, facts("2.25.1"))
    with pytest.raises(OsteotraceError, match=r"no record 2\.25\.9"):
        record_folder.add(folder, facts("2.25.2", amends="2.25.9"))
    assert uids(record_folder.contents(folder).records) == ["2.25.1"]


def test_an_amendment_whose_predecessor_was_taken_away_stays_and_is_named(
    folder: Path,
) -> None:
    record_folder.add(folder, facts("2.25.1")).rename(folder.with_name("away.json"))
    folder.with_name("away.json").rename(folder / "2.25.1.json")
    record_folder.add(folder, facts("2.25.2", amends="2.25.1"))
    assert record_folder.contents(folder).without_predecessor() == ()
    (folder / "2.25.1.json").unlink()
    found = record_folder.contents(folder)
    assert uids(found.without_predecessor()) == ["2.25.2"]
    assert uids(found.current()) == ["2.25.2"]


def test_records_that_amend_each_other_are_named_and_the_rest_is_read(
    folder: Path,
) -> None:
    from osteotrace.records.sealed_json import sealed

    record_folder.add(folder, facts("2.25.1"))
    for uid, other in (("2.25.2", "2.25.3"), ("2.25.3", "2.25.2")):
        (folder / f"{uid}.json").write_bytes(sealed(facts(uid, amends=other)))
    found = record_folder.contents(folder)
    assert uids(found.records) == ["2.25.1"]
    assert [one.found for one in found.refused] == [
        "an amendment of a record that amends it in turn"
    ] * 2


def test_a_copy_under_another_name_is_named_and_not_counted_twice(folder: Path) -> None:
    path = record_folder.add(folder, facts("2.25.1"))
    (folder / "copy.json").write_bytes(path.read_bytes())
    found = record_folder.contents(folder)
    assert len(found.records) == 1
    (problem,) = found.refused
    assert "a second file of the record 2.25.1" in problem.found
    path.unlink()
    assert record_folder.read(folder, "2.25.1") == facts("2.25.1")


@pytest.mark.parametrize("images", [True, False], ids=["reports", "JSON"])
def test_two_files_whose_names_were_exchanged_are_named_and_not_taken_for_another(
    folder: Path, catalogue: Catalogue, images: bool
) -> None:
    made = [
        assessment(caliper_finding(), uid=uid) if images else facts(uid)
        for uid in ("2.25.1", "2.25.2")
    ]
    other = msgspec.structs.replace(made[1], patient="P-OTHER222")
    given = catalogue if images else None
    paths = [record_folder.add(folder, one, given) for one in (made[0], other)]
    paths[0].rename(folder / "between")
    paths[1].rename(paths[0])
    (folder / "between").rename(paths[1])
    for uid in ("2.25.1", "2.25.2"):
        with pytest.raises(OsteotraceError, match="named by another record's UID"):
            record_folder.read(folder, uid)
    found = record_folder.contents(folder)
    assert found.records == ()
    assert [one.where for one in found.refused] == [str(path) for path in paths]
    assert "the name 2.25.2" in found.refused[0].expected
    assert record_folder.read_cases(folder).cases == ()


def test_of_two_files_of_a_record_the_one_of_its_name_is_read(folder: Path) -> None:
    path = record_folder.add(folder, facts("2.25.2"))
    (folder / "2.25.1.json").write_bytes(path.read_bytes())
    found = record_folder.contents(folder)
    assert [record.file for record in found.records] == ["2.25.2.json"]
    with pytest.raises(OsteotraceError, match="named by another record's UID"):
        record_folder.read(folder, "2.25.1")


# Cases -------------------------------------------------------------------------------


def test_records_are_gathered_by_patient_over_time(
    folder: Path, catalogue: Catalogue
) -> None:
    later = msgspec.structs.replace(facts("2.25.1"), study_date="2024-06-01")
    other = msgspec.structs.replace(facts("2.25.2"), patient="P-OTHER222")
    reading = assessment(caliper_finding(), uid="2.25.3")
    for one in (later, other):
        record_folder.add(folder, one)
    record_folder.add(folder, reading, catalogue)
    mine, others = record_folder.cases(folder)
    assert (mine.patient, mine.assessments) == ("P-ABCDEFGH", (reading, later))
    assert (others.patient, others.assessments) == ("P-OTHER222", (other,))
    assert record_folder.read_cases(folder, patient="P-OTHER222").cases == (others,)


# Damage ------------------------------------------------------------------------------


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def edit(path: Path) -> None:
    content = path.read_bytes()
    assert b"P-ABCDEFGH" in content
    path.write_bytes(content.replace(b"P-ABCDEFGH", b"P-ABCDEFGJ"))


def fill_with_junk(path: Path) -> None:
    path.write_bytes(b'{"osteotrace_record": ' + b"[" * 200_000)


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("damage", [cut, empty, edit, fill_with_junk])
def test_a_damaged_file_is_named_and_the_rest_is_read(
    folder: Path, catalogue: Catalogue, damage: Callable[[Path], None]
) -> None:
    reports = [
        record_folder.add(folder, assessment(caliper_finding(), uid=uid), catalogue)
        for uid in ("2.25.1", "2.25.2")
    ]
    texts = [record_folder.add(folder, facts(uid)) for uid in ("2.25.3", "2.25.4")]
    assert len(record_folder.contents(folder).records) == 4
    time.sleep(0.05)
    damage(reports[0])
    damage(texts[0])
    read = record_folder.read_cases(folder)
    (case,) = read.cases
    assert {one.assessment_uid for one in case.assessments} == {"2.25.2", "2.25.4"}
    assert [one.where for one in read.refused] == [str(reports[0]), str(texts[0])]
    for uid in ("2.25.1", "2.25.3"):
        with pytest.raises(OsteotraceError):
            record_folder.read(folder, uid)


@pytest.mark.parametrize("bit", range(8))
def test_no_json_record_with_a_changed_bit_is_taken_for_what_it_was(
    folder: Path, bit: int
) -> None:
    from osteotrace.records.sealed_json import sealed, unsealed

    content = sealed(facts("2.25.1"))
    taken = 0
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 1 << bit
        try:
            back = unsealed(bytes(changed))
        except OsteotraceError:
            continue
        assert back == facts("2.25.1")
        taken += 1
    # Space and line end stand for each other, four bits apart; nothing else does.
    assert taken <= content.count(b" ") + content.count(b"\n")


def test_a_json_record_may_be_laid_out_anew(folder: Path) -> None:
    from osteotrace.records.sealed_json import sealed, unsealed

    content = sealed(facts("2.25.1"))
    compact = msgspec.json.format(content, indent=-1)
    assert len(compact) < len(content)
    assert unsealed(compact) == unsealed(content.replace(b"\n", b"\r\n"))


def test_files_that_are_no_records_are_named_once_each(
    folder: Path, small_study: Path
) -> None:
    record_folder.add(folder, facts("2.25.1"))
    image = next(file for file in small_study.rglob("*.dcm"))
    (folder / "image.dcm").write_bytes(image.read_bytes())
    (folder / "plain.json").write_bytes(to_json(facts("2.25.2")))
    (folder / "notes.txt").write_text("not looked at")
    (folder / "older").mkdir()
    found = record_folder.contents(folder)
    assert uids(found.records) == ["2.25.1"]
    assert {os.path.basename(one.where): one.found for one in found.refused} == {
        "image.dcm": "a DICOM file of another kind (CT Image Storage)",
        "plain.json": "a JSON file without the digest of a record",
    }


def test_a_folder_that_is_not_there_is_one_clear_error(folder: Path) -> None:
    with pytest.raises(OsteotraceError, match="cannot be read"):
        record_folder.contents(folder)
    with pytest.raises(OsteotraceError, match="no record"):
        record_folder.read(folder, "2.25.1")


# Masks -------------------------------------------------------------------------------


@pytest.mark.usefixtures("settled")
def test_a_report_lives_with_its_segmentations(
    folder: Path, catalogue: Catalogue
) -> None:
    reading = with_mask("2.25.1")
    record_folder.add(folder, reading, catalogue)
    record_folder.add(folder, facts("2.25.2"))
    found = record_folder.contents(folder)
    (segmentation,) = found.segmentations
    assert uids(found.records) == ["2.25.1", "2.25.2"]
    assert found.refused == ()

    # By another name it is found as well.
    file = folder / segmentation.file
    file.rename(folder / "IM0001.dcm")
    assert record_folder.read(folder, "2.25.1") == reading
    assert uids(record_folder.contents(folder).records) == ["2.25.1", "2.25.2"]

    # Changed or gone, the report whose masks it holds is refused, and no other.
    content = bytearray((folder / "IM0001.dcm").read_bytes())
    content[-30] ^= 0xFF
    time.sleep(0.05)
    (folder / "IM0001.dcm").write_bytes(content)
    for _ in range(2):
        changed = record_folder.contents(folder)
        assert uids(changed.records) == ["2.25.2"]
        assert [one.where for one in changed.refused] == [str(folder / "2.25.1.dcm")]
        (folder / "IM0001.dcm").unlink(missing_ok=True)


# The index ---------------------------------------------------------------------------


def kept(folder: Path) -> bytes | None:
    """Return what the index keeps of a folder."""
    index = CatalogueIndex(default_path().with_name(record_index.FILE_NAME))
    try:
        return index.entries(os.path.realpath(folder))
    finally:
        index.close()


def reads(
    monkeypatch: pytest.MonkeyPatch,
) -> list[str]:
    """Return the list that the names of files go to as they are read whole."""
    read: list[str] = []

    def noted(path: Path, *others: object) -> Record:
        read.append(path.name)
        return read_record(path, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(record_index, "read_record", noted)
    return read


@pytest.mark.usefixtures("settled")
def test_what_does_not_change_is_read_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = reads(monkeypatch)
    for n in range(5):
        record_folder.add(folder, facts(f"2.25.{n}"))
    first = record_folder.contents(folder)
    assert sorted(read) == [f"2.25.{n}.json" for n in range(5)]
    assert record_folder.contents(folder) == first
    assert len(read) == 5
    record_folder.add(folder, facts("2.25.9"))
    record_folder.contents(folder)
    assert read[5:] == ["2.25.9.json"]


def test_what_was_written_just_now_is_not_trusted_to_stay(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = reads(monkeypatch)
    record_folder.add(folder, facts("2.25.1"))
    for _ in range(2):
        record_folder.contents(folder)
    assert read == ["2.25.1.json"] * 2


def rewrite_in_place(path: Path) -> None:
    """Change a sign and put the time of change back."""
    state = path.stat()
    content = path.read_bytes().replace(b"tester", b"testes")
    with path.open("r+b") as stream:
        stream.write(content)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def exchange(path: Path) -> None:
    """Put another file of the same size and time in its place."""
    state = path.stat()
    other = path.with_name("other")
    other.write_bytes(path.read_bytes().replace(b"tester", b"testes"))
    os.utime(other, ns=(state.st_atime_ns, state.st_mtime_ns))
    other.rename(path)


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("change", [rewrite_in_place, exchange])
def test_a_change_behind_the_back_of_the_index_is_noticed(
    folder: Path, change: Callable[[Path], None]
) -> None:
    paths = [record_folder.add(folder, facts(f"2.25.{n}")) for n in range(3)]
    assert len(record_folder.contents(folder).records) == 3
    time.sleep(0.05)
    change(paths[1])
    found = record_folder.contents(folder)
    assert uids(found.records) == ["2.25.0", "2.25.2"]
    assert [one.where for one in found.refused] == [str(paths[1])]
    assert found == record_folder.contents(folder, index=False) or (
        str(found.refused) == str(record_folder.contents(folder, index=False).refused)
    )


@pytest.mark.usefixtures("settled")
def test_files_added_and_removed_behind_its_back_are_noticed(folder: Path) -> None:
    from osteotrace.records.sealed_json import sealed

    path = record_folder.add(folder, facts("2.25.1"))
    record_folder.contents(folder)
    path.unlink()
    (folder / "anything.json").write_bytes(sealed(facts("2.25.7")))
    assert uids(record_folder.contents(folder).records) == ["2.25.7"]
    before = kept(folder)
    assert before is not None
    assert b"2.25.1" not in before


@pytest.mark.usefixtures("settled")
def test_a_record_read_is_checked_whatever_the_index_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = record_folder.add(folder, facts("2.25.1"))
    record_folder.contents(folder)
    looks = record_index._looks(folder)
    edit(path)
    # As a disk that tells the same of another content.
    monkeypatch.setattr(record_index, "_looks", lambda _: looks)
    assert uids(record_folder.contents(folder).records) == ["2.25.1"]
    read = record_folder.read_cases(folder)
    assert (read.cases, len(read.refused)) == ((), 1)
    with pytest.raises(OsteotraceError, match="SHA-256"):
        record_folder.read(folder, "2.25.1")


@pytest.mark.usefixtures("settled")
def test_a_damaged_index_is_made_anew(folder: Path) -> None:
    record_folder.add(folder, facts("2.25.1"))
    first = record_folder.contents(folder)
    before = kept(folder)
    index = default_path().with_name(record_index.FILE_NAME)
    index.write_bytes(os.urandom(8192))
    assert record_folder.contents(folder) == first
    assert record_folder.contents(folder) == first
    assert kept(folder) == before


def check_rebuilding(folder: Path, catalogue: Catalogue, count: int) -> None:
    plain = assessment(caliper_finding(), uid="2.25.300000001")
    templates = [
        record_folder.add(folder, one, catalogue)
        for one in (plain, with_mask("2.25.4000000001"))
    ]
    copies(templates, count - len(templates))
    assert len(list(folder.iterdir())) == count + 1  # One segmentation.
    found = record_folder.contents(folder)
    assert (len(found.records), found.refused) == (count, ())
    first = kept(folder)
    index = default_path().with_name(record_index.FILE_NAME)
    index.unlink()
    start = time.perf_counter()
    again = record_folder.contents(folder)
    spent = time.perf_counter() - start
    logging.getLogger(__name__).info("%d reports indexed in %.1f s", count, spent)
    assert again == found
    assert kept(folder) == first
    assert record_folder.contents(folder) == found


@pytest.mark.usefixtures("settled")
def test_an_index_that_was_deleted_is_rebuilt_as_it_was(
    folder: Path, catalogue: Catalogue
) -> None:
    check_rebuilding(folder, catalogue, 40)


@pytest.mark.slow
@pytest.mark.usefixtures("settled")
def test_an_index_of_a_thousand_reports_is_rebuilt_as_it_was(
    folder: Path, catalogue: Catalogue
) -> None:
    check_rebuilding(folder, catalogue, 1000)


# Side by side ------------------------------------------------------------------------

_READER = """
import errno, os, sys
import msgspec
from osteotrace.findings import from_json, Assessment
from osteotrace.records import record_folder
folder, reader, links = sys.argv[1], sys.argv[2], sys.argv[3] == "links"

def refuse(*_):
    raise OSError(errno.EPERM, "Operation not permitted")

if not links:
    os.link = refuse
base = from_json(sys.stdin.buffer.read(), Assessment)
last = base.assessment_uid
for n in range(50):
    # Every third amends the record that both know, the others the reader's own last.
    amends = base.assessment_uid if n % 3 == 0 else last
    one = msgspec.structs.replace(
        base, assessment_uid=f"2.25.{reader}.{n}", predecessor_uid=amends,
        reader=reader, recorded=f"2024-05-01T10:{n:02}:00+02:00",
    )
    record_folder.add(folder, one)
    last = one.assessment_uid
    if n % 10 == 0:
        record_folder.contents(folder)
"""


@pytest.mark.parametrize("links", ["links", "no links"])
def test_two_readers_side_by_side_lose_nothing(folder: Path, links: str) -> None:
    base = facts("2.25.1")
    record_folder.add(folder, base)
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", _READER, str(folder), reader, links],
            stdin=subprocess.PIPE,
        )
        for reader in ("7", "8")
    ]
    for process in readers:
        assert process.stdin is not None
        process.stdin.write(to_json(base))
        process.stdin.close()
    assert [process.wait(120) for process in readers] == [0, 0]
    found = record_folder.contents(folder)
    assert found.refused == ()
    assert found == record_folder.contents(folder, index=False)
    expected = {f"2.25.{reader}.{n}" for reader in (7, 8) for n in range(50)}
    assert set(uids(found.records)) == expected | {"2.25.1"}
    # 17 amendments of each reader name the first record: none hides another.
    (divergence,) = (d for d in found.divergences() if d.amended_uid == "2.25.1")
    assert len(divergence.amendments) == 34
    assert {record.reader for record in divergence.amendments} == {"7", "8"}
    assert len(found.current()) == 34
    (case,) = record_folder.cases(folder)
    assert len(case.assessments) == 101
    assert sorted(path.name for path in folder.glob(".osteotrace-*")) == []


@pytest.mark.parametrize("abilities", ["links", "Windows"])
def test_a_report_that_was_killed_on_its_way_is_whole_or_can_be_added_again(
    tmp_path: Path, catalogue: Catalogue, abilities: Abilities
) -> None:
    reading = with_mask("2.25.1")
    # What is imported and looked up once only would be counted as calls of writing.
    record_folder.add(tmp_path / "first", reading, catalogue)
    undisturbed = FaultyDisk(abilities)
    with undisturbed.in_use():
        record_folder.add(tmp_path / "undisturbed", reading, catalogue)
    expected = {f.name: f.read_bytes() for f in (tmp_path / "undisturbed").iterdir()}
    assert len(expected) == 2
    naming = [n for n, c in enumerate(undisturbed.calls, 1) if c in ("link", "rename")]
    assert len(naming) >= 2
    for step in naming:
        folder = tmp_path / str(step)
        with (
            pytest.raises(Killed),
            FaultyDisk(abilities).fail(step, "killed after").in_use(),
        ):
            record_folder.add(folder, reading, catalogue)
        report = folder / "2.25.1.dcm"
        if report.exists():
            assert record_folder.read(folder, "2.25.1") == reading
        else:
            with suppress(OsteotraceError):  # Where a claim had only to be finished.
                record_folder.add(folder, reading, catalogue)
        left = {f.name: f.read_bytes() for f in folder.iterdir() if f.is_file()}
        assert left == expected
        assert uids(record_folder.contents(folder).records) == ["2.25.1"]


@pytest.mark.parametrize("turn", ["after the first name", "before the second"])
def test_one_reading_added_twice_at_once_keeps_its_masks(
    folder: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, turn: str
) -> None:
    reading, publish = with_mask("2.25.1"), publication.publish
    named: list[str] = []

    def publish_beside_another(draft: Path, path: Path) -> None:
        named.append(path.name)
        if turn == "before the second" and path.name == "2.25.1.dcm":
            monkeypatch.setattr(store, "publish", publish)
            record_folder.add(folder, reading, catalogue)
        publish(draft, path)
        if turn == "after the first name":
            monkeypatch.setattr(store, "publish", publish)
            record_folder.add(folder, reading, catalogue)

    monkeypatch.setattr(store, "publish", publish_beside_another)
    with pytest.raises(OsteotraceError, match="a file that exists"):
        record_folder.add(folder, reading, catalogue)
    assert named[0] != "2.25.1.dcm"
    assert record_folder.read(folder, "2.25.1") == reading
    assert len(list(folder.iterdir())) == 2


def test_masks_that_another_call_withdraws_meanwhile_are_saved_with_the_report(
    folder: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, publish = with_mask("2.25.1"), publication.publish
    record_folder.add(folder, reading, catalogue)
    (folder / "2.25.1.dcm").unlink()
    (mask,) = folder.iterdir()

    def publish_after_a_withdrawal(draft: Path, path: Path) -> None:
        mask.unlink(missing_ok=True)
        publish(draft, path)
        monkeypatch.setattr(store, "publish", publish)

    monkeypatch.setattr(store, "publish", publish_after_a_withdrawal)
    record_folder.add(folder, reading, catalogue)
    assert record_folder.read(folder, "2.25.1") == reading


def test_a_save_whose_answer_was_lost_keeps_its_masks(
    folder: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, publish = with_mask("2.25.1"), publication.publish

    def publish_and_fail(draft: Path, path: Path) -> None:
        publish(draft, path)
        if path.name == "2.25.1.dcm":
            raise OSError("the network went away")

    monkeypatch.setattr(store, "publish", publish_and_fail)
    with pytest.raises(OsteotraceError, match="cannot be written"):
        record_folder.add(folder, reading, catalogue)
    assert record_folder.read(folder, "2.25.1") == reading


def test_what_a_killed_writer_left_is_cleared_away_by_the_next(folder: Path) -> None:
    from osteotrace.records.publication import new_draft

    record_folder.add(folder, facts("2.25.1"))
    left = new_draft(folder / "2.25.2.json")
    left.write_bytes(b"half")
    for path in (left, left.parent, left.parents[1]):
        os.utime(path, (0, 0))
    assert uids(record_folder.contents(folder).records) == ["2.25.1"]
    record_folder.add(folder, facts("2.25.3"))
    assert sorted(p.name for p in folder.iterdir()) == ["2.25.1.json", "2.25.3.json"]


def test_the_examples_on_the_page_run() -> None:
    page = Path(__file__).parents[1].joinpath("docs", "records.md").read_text()
    section = page.split("## The folder of records")[1].split("\n## ")[0]
    example = doctest.DocTestParser().get_doctest(section, {}, "records.md", None, 0)
    printed: list[str] = []
    outcome = doctest.DocTestRunner().run(example, out=printed.append)
    assert outcome.attempted > 10
    assert not printed, "".join(printed)
