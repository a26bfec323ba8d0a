"""A study in a zip, on a disc with a DICOMDIR, in one file: opened or refused."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
import tempfile
import zipfile
from typing import TYPE_CHECKING

import pytest
from pydicom.fileset import FileSet

from osteotrace.errors import OsteotraceError
from osteotrace.series import archives, scan
from osteotrace.series.archives import is_archive, unpack
from osteotrace.series.sources import open_source
from osteotrace.session import Session
from osteotrace.volume import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(autouse=True)
def own_temporary_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the folder for temporary files, nobody else's."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def zipped(small_study: Path, tmp_path: Path) -> Path:
    """Return the small study as a zip, with what a disc carries beside it."""
    path = tmp_path / "study.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", "a viewer comes with this disc" * 20)
        archive.writestr("autorun.inf", "[autorun]")
        for file in sorted(small_study.rglob("*.dcm")):
            archive.write(file, f"DICOM/{file.relative_to(small_study)}")
    return path


def crafted(path: Path, change: Callable[[zipfile.ZipFile], None]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        change(archive)
    return path


def refusal(path: Path) -> OsteotraceError:
    """Return the error of a zip, which names it and leaves nothing behind."""
    with pytest.raises(OsteotraceError) as refused:
        open_source(path)
    assert refused.value.where == str(path)
    assert os.listdir(tempfile.gettempdir()) == []
    return refused.value


# What is opened


def test_a_zip_gives_the_series_and_the_voxels_of_its_folder(
    zipped: Path, small_study: Path
) -> None:
    source = open_source(zipped)
    found = {s.identity.series_uid: s for s in source.catalogue}
    for series in scan(small_study):
        same = found.pop(series.identity.series_uid)
        assert same.identity == series.identity
        for mine, theirs in zip(same.volumes, series.volumes, strict=True):
            assert mine.verdicts == theirs.verdicts
            if theirs.measurable:
                assert (load(mine).voxels == load(theirs).voxels).all()
    assert found == {}
    source.close()


def test_the_catalogue_stands_for_the_zip_and_its_files_go_when_it_is_closed(
    zipped: Path, own_temporary_folder: Path
) -> None:
    source = open_source(zipped)
    assert source.catalogue.root == zipped
    files = [i.path for s in source.catalogue for v in s.volumes for i in v.instances]
    assert all(file.is_relative_to(own_temporary_folder) for file in files)
    (folder,) = own_temporary_folder.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    source.close()
    assert not folder.exists()


def test_what_is_not_dicom_is_not_unpacked(zipped: Path) -> None:
    unpacked = unpack(zipped)
    assert unpacked.left_out == 2
    names = [file.name for file in unpacked.folder.rglob("*") if file.is_file()]
    assert len(names) == 20 + 9 + 1
    # No name of the archive becomes a path.
    assert all(name.isdigit() for name in names)
    unpacked.close()


def test_progress_runs_once_from_nothing_to_all(zipped: Path) -> None:
    told: list[tuple[int, int]] = []
    open_source(zipped, lambda done, total: told.append((done, total))).close()
    shares = [done / total for done, total in told]
    assert shares == sorted(shares)
    assert shares[0] < 0.1
    assert shares[-1] == 1.0
    assert any(0.5 <= share < 1 for share in shares)


def test_a_folder_tells_its_progress_too(small_study: Path) -> None:
    told: list[tuple[int, int]] = []
    open_source(small_study, lambda done, total: told.append((done, total)))
    assert told[-1] == (30, 30)


def test_a_dicomdir_stands_for_its_disc(small_study: Path, tmp_path: Path) -> None:
    disc = FileSet()
    for file in sorted((small_study / "ct").iterdir()):
        disc.add(file)
    disc.write(tmp_path / "disc")
    (series,) = open_source(tmp_path / "disc" / "DICOMDIR").catalogue
    assert series.n_instances == 20
    assert series.volumes[0].verdicts == ("regular",)


def test_one_file_is_opened_alone(small_study: Path) -> None:
    file = sorted((small_study / "ct").iterdir())[3]
    (series,) = open_source(file).catalogue
    assert series.n_instances == 1


def test_an_archive_is_told_by_its_bytes_and_not_by_its_name(
    zipped: Path, small_study: Path, tmp_path: Path
) -> None:
    assert is_archive(zipped)
    plain = zipped.rename(tmp_path / "export")
    assert is_archive(plain)
    assert open_source(plain).catalogue.root == plain
    assert not is_archive(next((small_study / "ct").iterdir()))
    assert not is_archive(tmp_path)
    assert not is_archive(tmp_path / "gone")


def test_a_session_deletes_an_archive_when_it_closes_or_opens_something_else(
    zipped: Path, small_study: Path, own_temporary_folder: Path, tmp_path: Path
) -> None:
    session = Session(drafts=tmp_path / "drafts")
    session.open(zipped)
    assert session.records_folder() == tmp_path / "osteotrace-records"
    session.open(small_study)
    assert list(own_temporary_folder.iterdir()) == []
    catalogue = session.open(zipped)
    header = next(v for s in catalogue for v in s.volumes if v.measurable)
    session.load(header)
    # Another study's draft may be taken up: the images stay.
    assert len(list(own_temporary_folder.iterdir())) == 1
    session.close()
    assert list(own_temporary_folder.iterdir()) == []


def test_what_was_open_stays_open_where_the_next_thing_is_refused(
    zipped: Path, own_temporary_folder: Path, tmp_path: Path
) -> None:
    session = Session(drafts=tmp_path / "drafts")
    catalogue = session.open(zipped)
    with pytest.raises(OsteotraceError):
        session.open(tmp_path / "gone")
    assert session.catalogue is catalogue
    assert len(list(own_temporary_folder.iterdir())) == 1
    session.close()


def test_the_files_go_with_a_process_that_does_not_close_them(
    zipped: Path, own_temporary_folder: Path
) -> None:
    program = (
        "import sys, tempfile; tempfile.tempdir = sys.argv[2]\n"
        "from osteotrace.series.sources import open_source\n"
        "kept = open_source(sys.argv[1])\n"
    )
    subprocess.run(
        [sys.executable, "-c", program, zipped, own_temporary_folder], check=True
    )
    assert list(own_temporary_folder.iterdir()) == []


def test_what_a_killed_process_left_is_deleted_the_next_time(
    zipped: Path, own_temporary_folder: Path
) -> None:
    program = (
        "import os, signal, sys, tempfile; tempfile.tempdir = sys.argv[2]\n"
        "from osteotrace.series.sources import open_source\n"
        "kept = open_source(sys.argv[1]); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run(
        [sys.executable, "-c", program, zipped, own_temporary_folder], check=False
    )
    (left,) = own_temporary_folder.iterdir()
    other = own_temporary_folder / "osteotrace-zip-notes"
    other.mkdir()
    running = open_source(zipped)
    assert not left.exists()
    assert other.exists()
    # What a living process holds is left to it.
    again = open_source(zipped)
    assert running.unpacked is not None
    assert running.unpacked.folder.exists()
    again.close()
    running.close()


# What is refused


@pytest.mark.parametrize(
    "name",
    ["../evil.dcm", "a/../../evil.dcm", "/etc/evil.dcm", "C:\\evil.dcm", "..\\evil.dcm"],
)
def test_an_entry_that_leaves_the_archive_refuses_all_of_it(
    tmp_path: Path, small_study: Path, name: str
) -> None:
    file = next((small_study / "ct").iterdir())
    entry = zipfile.ZipInfo("named below")
    entry.filename = name
    bad = crafted(tmp_path / "bad.zip", lambda a: a.writestr(entry, file.read_bytes()))
    with zipfile.ZipFile(bad, "a") as archive:
        archive.write(file, "good.dcm")
    assert "outside its folder" in refusal(bad).found
    assert not (tmp_path / "evil.dcm").exists()


def test_a_link_is_not_followed_and_not_made(tmp_path: Path, small_study: Path) -> None:
    def link(archive: zipfile.ZipFile) -> None:
        entry = zipfile.ZipInfo("link.dcm")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/hostname")
        archive.write(next((small_study / "ct").iterdir()), "a.dcm")

    unpacked = unpack(crafted(tmp_path / "a.zip", link))
    assert [f for f in unpacked.folder.rglob("*") if f.is_symlink()] == []
    assert unpacked.left_out == 1
    unpacked.close()


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    def bomb(archive: zipfile.ZipFile) -> None:
        with archive.open("zeros.dcm", "w") as entry:
            for _ in range(300):
                entry.write(bytes(1 << 20))

    bad = crafted(tmp_path / "bomb.zip", bomb)
    assert bad.stat().st_size < 1 << 20
    assert "times when unpacked" in refusal(bad).found


def test_more_files_bytes_or_disk_than_there_may_be_are_refused(
    zipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(archives, "MOST_FILES", 31)
        assert "a zip of 32 files" in refusal(zipped).found
    with monkeypatch.context() as patch:
        patch.setattr(archives, "MOST_BYTES", 1000)
        assert "GiB unpacked" in refusal(zipped).found
    usage = archives.shutil.disk_usage(tempfile.gettempdir())  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        nearly_full = usage._replace(free=archives._SPARE_BYTES + 1000)
        patch.setattr("shutil.disk_usage", lambda _: nearly_full)
        with pytest.raises(OsteotraceError, match="GiB free for a zip of"):
            open_source(zipped)
    assert os.listdir(tempfile.gettempdir()) == []


def test_an_entry_that_says_less_than_it_holds_is_refused(zipped: Path) -> None:
    content = bytearray(zipped.read_bytes())
    with zipfile.ZipFile(zipped) as archive:
        size = archive.getinfo("DICOM/ct/000.dcm").file_size
    said, less = (n.to_bytes(4, "little") for n in (size, size - 1000))
    assert content.count(said) >= 2
    zipped.write_bytes(bytes(content).replace(said, less))
    assert "cannot be read" in refusal(zipped).found


def test_a_password_is_asked_for_in_words(zipped: Path) -> None:
    content = bytearray(zipped.read_bytes())
    # The first bit of the flags: eight bytes into each entry of the directory.
    at = content.find(b"PK\x01\x02")
    content[at + 8] |= 1
    zipped.write_bytes(content)
    assert "needs a password" in refusal(zipped).found


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_zip_cut_off_is_refused(zipped: Path, share: float) -> None:
    content = zipped.read_bytes()
    zipped.write_bytes(content[: int(share * len(content))])
    assert "cannot be read" in refusal(zipped).found


@pytest.mark.parametrize("seed", range(24))
def test_a_damaged_zip_opens_or_is_one_error(zipped: Path, seed: int) -> None:
    import random

    content = bytearray(zipped.read_bytes())
    chance = random.Random(seed)
    # Half of the damage hits the directory, which the rest hangs on.
    start = len(content) - 4000 if seed % 2 else 0
    for _ in range(40):
        content[chance.randrange(start, len(content))] = chance.randrange(256)
    zipped.write_bytes(content)
    with contextlib.suppress(OsteotraceError):
        open_source(zipped).close()
    assert os.listdir(tempfile.gettempdir()) == []


def test_a_zip_without_dicom_says_so(tmp_path: Path) -> None:
    junk = crafted(tmp_path / "a.zip", lambda a: a.writestr("notes.txt", "no image" * 30))
    assert refusal(junk).found == "no DICOM file in a zip (1 other file)"
    empty = crafted(tmp_path / "b.zip", lambda a: None)
    assert refusal(empty).found == "a zip with an empty folder"


def test_stopping_leaves_nothing_behind(zipped: Path, own_temporary_folder: Path) -> None:
    class Stopped(Exception):
        pass

    def stop_at(share: float) -> Callable[[int, int], None]:
        def stop(done: int, total: int) -> None:
            if done >= share * total:
                raise Stopped

        return stop

    for share in (0.1, 0.7):
        with pytest.raises(Stopped):
            open_source(zipped, stop_at(share))
        assert list(own_temporary_folder.iterdir()) == []


def test_a_full_disk_is_said_and_nothing_stays(
    zipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archives, "_copy", full)
    assert "No space left on device" in refusal(zipped).found


def test_records_of_a_zip_are_kept_beside_it(zipped: Path, tmp_path: Path) -> None:
    session = Session(reader="Dr Kim", drafts=tmp_path / "drafts")
    catalogue = session.open(zipped)
    session.load(catalogue.choose("2.25.1002"))
    assert session.records_folder() == zipped.parent / "osteotrace-records"
    session.accept(session.absent("gas", "maxilla").tracking_uid)
    (file,) = session.save(zipped.parent / "records")
    assert file.parent == zipped.parent / "records"
    session.close()
