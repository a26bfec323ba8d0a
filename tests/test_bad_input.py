"""Bad input: one clear line on standard error, exit code 1 or 2, nothing half-written.

The line says what was found, what was expected and what to do.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.fixtures.small_study import CT_SERIES_UID
from tests.fixtures.synthetic import SERIES_UID, wall_gap_options

import osteotrace as ot
from osteotrace import findings, series

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from pydicom import Dataset
    from tests.fixtures.command_line import Outcome
    from tests.fixtures.synthetic import WriteSeries

    Run = Callable[..., Outcome]

FROM_TO = ("--from", "4.9,0.9,6.8", "--to", "15.8,-0.3,5.6")


def check_one_clear_line(outcome: Outcome, code: int, *words: str) -> None:
    assert outcome.code == code
    assert outcome.out == ""
    assert outcome.err.count("\n") == 1
    assert "Traceback" not in outcome.err
    assert outcome.err.startswith("osteotrace: ")
    for part in ("found ", "; expected ", "; "):
        assert part in outcome.err
    for word in words:
        assert word in outcome.err


def empty_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def text_file(tmp_path: Path) -> Path:
    file = tmp_path / "letter.txt"
    file.write_text("Dear colleague")
    return file


def folder_of_text(tmp_path: Path) -> Path:
    folder = tmp_path / "letters"
    folder.mkdir()
    text_file(folder)
    return folder


def missing(tmp_path: Path) -> Path:
    return tmp_path / "missing"


NO_IMAGES: list[tuple[Callable[[Path], Path], int, str]] = [
    (empty_folder, 1, "an empty folder"),
    (text_file, 1, "a file that is not DICOM"),
    (folder_of_text, 1, "1 × a file that is not DICOM"),
    (missing, 2, "no such file or folder"),
]


@pytest.mark.parametrize(("make", "code", "found"), NO_IMAGES)
@pytest.mark.parametrize("verb", ["scan", "caliper", "convert", "measure"])
def test_a_path_without_images(
    osteotrace: Run,
    small_protocol: Path,
    tmp_path: Path,
    verb: str,
    make: Callable[[Path], Path],
    code: int,
    found: str,
) -> None:
    path = make(tmp_path)
    options: dict[str, tuple[object, ...]] = {
        "scan": (),
        "caliper": FROM_TO,
        "convert": ("--out", tmp_path / "out.nrrd"),
        "measure": ("--out", tmp_path / "out", "--protocol", small_protocol),
    }
    outcome = osteotrace(verb, path, *options[verb])
    check_one_clear_line(outcome, code, str(path), found)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.nrrd").exists()


@pytest.mark.parametrize("kept", [150, 600, -30])
def test_a_truncated_image_alone(
    osteotrace: Run, write_series: WriteSeries, ramp: NDArray[Any], kept: int
) -> None:
    file = write_series(ramp) / "image0003.dcm"
    file.write_bytes(file.read_bytes()[:kept])
    check_one_clear_line(osteotrace("caliper", file, *FROM_TO), 1, str(file.parent))


def test_a_truncated_image_among_whole_ones(
    osteotrace: Run, write_series: WriteSeries, tmp_path: Path
) -> None:
    folder = write_series(**wall_gap_options())
    file = folder / "image0003.dcm"
    file.write_bytes(file.read_bytes()[:-300])
    out = tmp_path / "out.nrrd"
    for verb in (("caliper", folder, *FROM_TO), ("convert", folder, "--out", out)):
        outcome = osteotrace(*verb)
        missing = f"missing_slices (series {SERIES_UID}, volume 0"
        check_one_clear_line(outcome, 1, missing, f"damaged and left out: {file.name}")
    assert not out.exists()
    scanned = osteotrace("scan", folder)
    assert (scanned.code, scanned.err.count("\n")) == (1, 1)
    assert f"{file}: found an image cut off" in scanned.err


def no_spacing(data: Dataset, _: int) -> None:
    del data.PixelSpacing


def test_a_series_without_pixel_spacing(
    osteotrace: Run, write_series: WriteSeries
) -> None:
    folder = write_series(**wall_gap_options(), edit=no_spacing)
    outcome = osteotrace("caliper", folder, *FROM_TO)
    check_one_clear_line(outcome, 1, "no_spacing", "without PixelSpacing (0028,0030)")


def test_a_series_with_a_repeated_slice(
    osteotrace: Run, write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    folder = write_series(ramp, heights=(0.0, 0.6, 0.6, 1.2, 1.8))
    outcome = osteotrace("caliper", folder, *FROM_TO)
    check_one_clear_line(outcome, 1, "duplicate_positions", "allow gaps")


@pytest.mark.parametrize(
    ("start", "end", "code", "found"),
    [
        ("4.9,0.9,6.8", "400,0,0", 2, "the end point (400.00, 0.00, 0.00) outside"),
        ("4.9,0.9,6.8", "4.9,0.9,6.8", 2, "0.00 mm apart"),
        ("nan,0,0", "15.8,-0.3,5.6", 2, "'nan,0,0'"),
        ("inf,0,0", "15.8,-0.3,5.6", 2, "'inf,0,0'"),
        ("4.9,0.9", "15.8,-0.3,5.6", 2, "'4.9,0.9'"),
        ("a,b,c", "15.8,-0.3,5.6", 2, "'a,b,c'"),
        ("", "15.8,-0.3,5.6", 2, "--from"),
    ],
)
def test_points_that_cannot_be_measured_between(
    osteotrace: Run, wall_gap: Path, start: str, end: str, code: int, found: str
) -> None:
    outcome = osteotrace("caliper", wall_gap, "--from", start, "--to", end)
    check_one_clear_line(outcome, code, found)


def test_a_caliper_over_nothing_but_soft_tissue(osteotrace: Run, wall_gap: Path) -> None:
    over_air = ("--from", "8.7,0.4,6.1", "--to", "11.7,0.4,6.1")
    outcome = osteotrace("caliper", wall_gap, *over_air)
    check_one_clear_line(outcome, 1, "--no-snap")


def test_two_series_that_could_be_meant_are_listed(
    osteotrace: Run, small_study: Path
) -> None:
    outcome = osteotrace("caliper", small_study, *FROM_TO)
    check_one_clear_line(outcome, 2, f"--series {CT_SERIES_UID} --volume 0")


def test_a_series_that_is_not_there(osteotrace: Run, small_study: Path) -> None:
    outcome = osteotrace("caliper", small_study, *FROM_TO, "--series", "1.2.3")
    check_one_clear_line(outcome, 2, "no volume", CT_SERIES_UID)


def test_an_unknown_protocol(osteotrace: Run, small_study: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    outcome = osteotrace("measure", small_study, "--out", out, "--protocol", "maxila")
    check_one_clear_line(outcome, 2, "no protocol 'maxila'")
    assert not out.exists()


def test_a_protocol_with_a_mistake(
    osteotrace: Run, small_study: Path, small_protocol: Path, tmp_path: Path
) -> None:
    small_protocol.write_text(small_protocol.read_text().replace("hard_palate", "nose"))
    out = tmp_path / "out"
    options = ("--out", out, "--protocol", small_protocol)
    outcome = osteotrace("measure", small_study, *options)
    check_one_clear_line(outcome, 2, f"{small_protocol}, line 6", "'nose'")
    assert not out.exists()


def test_a_protocol_for_another_scan(
    osteotrace: Run, wall_gap: Path, small_protocol: Path, tmp_path: Path
) -> None:
    out = tmp_path / "deep" / "out"
    options = ("--out", out, "--protocol", small_protocol)
    outcome = osteotrace("measure", wall_gap, *options)
    check_one_clear_line(outcome, 1, "no series for PAL-1")
    assert not out.parent.exists()


def test_an_output_folder_that_is_not_empty(
    osteotrace: Run, small_study: Path, small_protocol: Path, tmp_path: Path
) -> None:
    options = ("--out", tmp_path, "--protocol", small_protocol)
    outcome = osteotrace("measure", small_study, *options)
    check_one_clear_line(outcome, 2, "a folder that is not empty")
    assert list(tmp_path.iterdir()) == [small_protocol]


@pytest.mark.parametrize("call", ["fsync", "link", "rename"])
def test_a_disk_that_is_full_or_locked(
    osteotrace: Run,
    wall_gap: Path,
    small_study: Path,
    small_protocol: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    verbs: dict[str, tuple[object, ...]] = {
        "link": ("convert", wall_gap),
        "fsync": ("measure", small_study, "--protocol", small_protocol),
        "rename": ("measure", small_study, "--protocol", small_protocol),
    }
    outcome = osteotrace(*verbs[call], "--out", tmp_path / "deep" / "out.nrrd")
    check_one_clear_line(outcome, 1, "No space left on device")
    assert list(tmp_path.iterdir()) == [small_protocol]


@pytest.mark.parametrize("more", [(), ("--workers", "1")])
def test_measure_refuses_its_output_before_it_reads_an_image(
    osteotrace: Run,
    wall_gap: Path,
    small_protocol: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    more: tuple[str, ...],
) -> None:
    def scan(path: object) -> None:
        raise AssertionError("it was scanned")

    monkeypatch.setattr("osteotrace.cli.options.scan", scan)
    taken = text_file(tmp_path)
    for out, code in ((taken / "out", 1), (taken, 2), (tmp_path, 2)):
        outcome = osteotrace(
            *("measure", wall_gap, "--out", out, "--protocol", small_protocol), *more
        )
        check_one_clear_line(outcome, code, str(out))
    assert taken.read_text() == "Dear colleague"


@pytest.mark.parametrize("verb", ["measure", "convert", "export", "samples"])
def test_an_output_below_a_file(
    osteotrace: Run, wall_gap: Path, small_protocol: Path, tmp_path: Path, verb: str
) -> None:
    done = osteotrace("caliper", wall_gap, *FROM_TO, "--no-snap", "--json")
    reading = findings.from_json(done.out, findings.Assessment)
    record = ot.save(reading, tmp_path / "reading.json")
    blocked = text_file(tmp_path) / "out.nrrd"
    arguments: dict[str, tuple[object, ...]] = {
        "measure": (wall_gap, "--out", blocked, "--protocol", small_protocol),
        "convert": (wall_gap, "--out", blocked),
        "export": (record, "--format", "csv", "--out", blocked),
        "samples": (blocked,),
    }
    outcome = osteotrace(verb, *arguments[verb])
    check_one_clear_line(outcome, 1, str(blocked))
    assert text_file(tmp_path).read_text() == "Dear colleague"


def test_a_file_that_exists_is_not_replaced(
    osteotrace: Run, wall_gap: Path, tmp_path: Path
) -> None:
    out = tmp_path / "ct.nrrd"
    out.write_text("mine")
    outcome = osteotrace("convert", wall_gap, "--out", out)
    check_one_clear_line(outcome, 2, str(out), "overwritten")
    assert out.read_text() == "mine"


def test_a_format_that_is_not_written(
    osteotrace: Run, wall_gap: Path, tmp_path: Path
) -> None:
    outcome = osteotrace("convert", wall_gap, "--out", tmp_path / "ct.png")
    check_one_clear_line(outcome, 2, ".nrrd, .nii, .nii.gz")


@pytest.mark.parametrize("content", [b"", b"{}", b"\x00" * 128 + b"DICM" + b"x" * 40])
def test_a_record_that_is_none(osteotrace: Run, tmp_path: Path, content: bytes) -> None:
    record, out = tmp_path / "record", tmp_path / "out.csv"
    record.write_bytes(content)
    outcome = osteotrace("export", record, "--format", "csv", "--out", out)
    check_one_clear_line(outcome, 1, str(record))
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("mesure",), "No such command 'mesure'"),
        (("caliper",), "Missing"),
        (("caliper", "x", "--form", "1,2,3"), "--form"),
        (("scan", "x", "y"), "unexpected extra argument"),
        (("export", "x", "--format", "docx", "--out", "y"), "docx"),
        (("caliper", "x", *FROM_TO, "--volume", "one"), "--volume"),
    ],
)
def test_a_call_that_is_wrong(
    osteotrace: Run, arguments: tuple[str, ...], found: str
) -> None:
    outcome = osteotrace(*arguments)
    check_one_clear_line(outcome, 2, found, "--help")


@pytest.mark.parametrize(
    "arguments",
    [
        ("scan", "missing"),
        ("caliper", "missing", *FROM_TO),
        ("caliper", "missing", "--from", "1", "--to", "2"),
        ("measure", "missing", "--out", "out", "--protocol", "none"),
        ("export", "missing", "--format", "csv", "--out", "out"),
        ("open", "missing"),
        ("mesure",),
    ],
)
def test_with_json_the_error_is_json(osteotrace: Run, arguments: tuple[str, ...]) -> None:
    outcome = osteotrace(*arguments, "--json")
    assert outcome.code == 2
    assert outcome.out == ""
    error = json.loads(outcome.err)["error"]
    assert set(error) == {"found", "expected", "advice", "where"}
    assert all(error[part] for part in ("found", "expected", "advice"))


def test_a_name_with_a_line_break_is_still_one_line(
    osteotrace: Run, tmp_path: Path
) -> None:
    outcome = osteotrace("scan", tmp_path / "a\nb\x1b[31m")
    assert outcome.err.count("\n") == 1
    assert "\x1b" not in outcome.err


@pytest.mark.parametrize("case", ["text", "truncated", "usage"])
def test_the_same_as_a_real_process(
    write_series: WriteSeries, ramp: NDArray[Any], tmp_path: Path, case: str
) -> None:
    image = write_series(ramp) / "image0003.dcm"
    image.write_bytes(image.read_bytes()[:-30])
    arguments: dict[str, tuple[object, ...]] = {
        "text": ("scan", text_file(tmp_path)),
        "truncated": ("convert", image.parent, "--out", tmp_path / "out.nii.gz"),
        "usage": ("caliper", image.parent, "--from", "1,2,x", "--to", "1,2,3"),
    }
    before = sorted(tmp_path.rglob("*"))
    done = subprocess.run(
        [sys.executable, "-m", "osteotrace.cli", *map(str, arguments[case])],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (2 if case == "usage" else 1)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def run_limited(*arguments: object, file_bytes: int = 0, out: Path | None = None) -> Any:
    """Run the command as a process, with a limit on the size of its files if asked."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

    with (out or Path(os.devnull)).open("w") as stdout:
        return subprocess.run(
            [sys.executable, "-m", "osteotrace.cli", *map(str, arguments)],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            preexec_fn=limit if file_bytes else None,
        )


def check_one_line_of_a_process(done: Any, *words: str) -> None:
    assert done.returncode == 1
    # The NIfTI library says on its own account what it could not write.
    (line,) = [x for x in done.stderr.splitlines() if not x.startswith("** ERROR: NWAD")]
    assert line.startswith("osteotrace: ")
    assert "; expected " in line
    for word in words:
        assert word in line


@pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz", "ct.nrrd"])
def test_an_image_that_does_not_fit_on_the_disk_is_not_published(
    wall_gap: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / name
    check_one_line_of_a_process(
        run_limited("convert", wall_gap, "--out", out, file_bytes=40_000)
    )
    assert list(tmp_path.iterdir()) == []


def test_results_that_do_not_fit_on_the_disk_leave_nothing(
    small_study: Path, small_protocol: Path, tmp_path: Path
) -> None:
    options = ("--protocol", small_protocol, "--out", tmp_path / "results")
    done = run_limited("measure", small_study, *options, file_bytes=2_000)
    check_one_line_of_a_process(done, "File too large")
    assert list(tmp_path.iterdir()) == [small_protocol]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_output_that_nothing_takes(wall_gap: Path) -> None:
    done = run_limited("scan", wall_gap, out=Path("/dev/full"))
    check_one_line_of_a_process(done, "No space left on device")


@pytest.mark.parametrize(
    ("problem", "words"),
    [(MemoryError(), "too little memory"), (OSError(5, "Input/output error"), "output")],
)
def test_what_no_layer_foresaw_is_one_line_too(
    osteotrace: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    problem: Exception,
    words: str,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise problem

    monkeypatch.setattr(series, "scan", fail)
    check_one_clear_line(osteotrace("scan", tmp_path), 1, words)
