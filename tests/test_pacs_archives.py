"""The file of archives, retries, content compared, and archives that misbehave."""

from __future__ import annotations

import io
import re
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRBigEndian, ImplicitVRLittleEndian

from osteotrace import pacs
from osteotrace.errors import OsteotraceError
from osteotrace.pacs import contents, faults, settings
from osteotrace.pacs.connection import Connection
from osteotrace.pacs.peer import Held

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from osteotrace.pacs.outgoing import Outgoing

GOOD = """
[hospital]
url = "https://pacs.example.org/dicom-web"
user = "reader"
password_variable = "HOSPITAL_PASSWORD"
ca_file = "authority.pem"

[research]
host = "10.0.0.7"
port = 104
aet = "RESEARCH"
calling_aet = "READING1"
retrieve = "move"
listen_port = 11112
timeout_s = 60
"""


def test_a_file_names_archives_in_both_protocols(tmp_path: Path) -> None:
    file = tmp_path / "archives.toml"
    file.write_text(GOOD)
    known = pacs.archives(file)
    assert list(known) == ["hospital", "research"]
    assert (known["hospital"].web, known["research"].web) == (True, False)
    # Paths are meant from the file's own folder.
    assert known["hospital"].ca_file == str(tmp_path / "authority.pem")
    assert known["research"].timeout_s == 60
    assert pacs.named("research", file) == known["research"]


def test_the_file_lies_with_the_users_settings(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    refusal: Callable[..., OsteotraceError],
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert "no file of archives" in refusal(lambda: pacs.named("hospital")).found
    (tmp_path / "osteotrace").mkdir()
    (tmp_path / "osteotrace" / "archives.toml").write_text(GOOD)
    assert pacs.named("hospital").user == "reader"


URL = 'url = "https://pacs.example.org/dicom-web"'
PEER = 'host = "10.0.0.7"\nport = 104\naet = "A"'


@pytest.mark.parametrize(
    ("table", "line", "told"),
    [
        (f'{URL}\npassword = "secret"', 3, "a password in the file's text"),
        (f'{URL}\ntoken = "secret"', 3, "a token in the file's text"),
        (
            'url = "https://me:secret@pacs.example.org"',
            2,
            "a user or a secret in the URL",
        ),
        (
            f'{URL}\nproxy = "http://me:secret@proxy.example.org"',
            3,
            "a user or a secret in the URL of the proxy",
        ),
        ('url = "https://pacs.example.org?key=secret"', 2, "a query in the URL"),
        ('url = "https://[pacs.example.org"', 2, "no URL"),
        (
            'url = "http://127.0.0.1"\nproxy = "http://proxy.example.org"\n'
            'user = "x"\npassword_variable = "A"',
            2,
            "a secret that would travel unencrypted",
        ),
        ('url = "ftp://pacs.example.org"', 2, "the URL of a DICOMweb service"),
        (f"{URL}\n{PEER}", 2, "url and host"),
        ('user = "x"', 1, "neither url nor host"),
        (f"{URL}\nport = 104", 3, "port beside url"),
        (f"{URL}\nretries = 3", 3, "unknown field `retries`"),
        (f'{URL}\nattempts = "many"', 3, "Expected `int`"),
        (f"{URL}\nattempts = 0", 3, "1 to 100"),
        (f'{URL}\nuser = "x"', 3, "user without a password"),
        (
            f'{URL}\nuser = "x"\npassword_variable = "A"\npassword_file = "b"',
            5,
            "two places",
        ),
        ('host = "h"\nport = 70000\naet = "A"', 3, "port 70000"),
        ('host = "h"\nport = 104\naet = "SEVENTEEN LETTERS"', 4, "1 to 16 ASCII"),
        (f'{PEER}\nretrieve = "push"', 5, "Invalid enum value 'push'"),
        (f'{PEER}\nretrieve = "move"', 1, "listen_port 0 with retrieve"),
        (
            'url = "http://pacs.example.org/x"\nuser = "x"\npassword_variable = "A"',
            2,
            "a secret that would travel unencrypted",
        ),
        (f'{PEER}\nuser = "x"\npassword_variable = "A"', 1, "travel unencrypted"),
        ('url = "https', 2, "text that is not TOML"),
    ],
)
def test_a_mistake_in_the_file_is_named_by_its_line(
    table: str,
    line: int,
    told: str,
    tmp_path: Path,
    refusal: Callable[..., OsteotraceError],
) -> None:
    content = f"[hospital]\n{table}\n".encode()
    problem = refusal(lambda: settings.parse(content, tmp_path / "archives.toml"))
    assert told in str(problem)
    assert "secret@" not in str(problem)
    assert "key=secret" not in str(problem)
    assert '"secret"' not in str(problem)
    if "TOML" not in told:
        assert problem.where.endswith(f"line {line}")
    assert problem.usage


def test_a_secret_that_is_not_there_is_one_line(
    monkeypatch: pytest.MonkeyPatch, refusal: Callable[..., OsteotraceError]
) -> None:
    monkeypatch.delenv("HOSPITAL_PASSWORD", raising=False)
    hospital = pacs.Archive(
        name="hospital",
        url="https://pacs.example.org",
        user="reader",
        password_variable="HOSPITAL_PASSWORD",
    )
    assert (
        "no password in HOSPITAL_PASSWORD"
        in refusal(lambda: pacs.connect(hospital)).found
    )
    monkeypatch.setenv("HOSPITAL_PASSWORD", "open sesame")
    pacs.connect(hospital).close()
    assert "sesame" not in repr(hospital)


def test_without_the_extra_one_line_names_it(
    monkeypatch: pytest.MonkeyPatch, refusal: Callable[..., OsteotraceError]
) -> None:
    import sys

    for package in ("dicomweb_client", "pynetdicom"):
        monkeypatch.setitem(sys.modules, package, None)
        monkeypatch.setitem(sys.modules, f"{package}.web", None)
    for archive in (
        pacs.Archive(name="a", url="http://127.0.0.1"),
        pacs.Archive(name="b", host="127.0.0.1", port=104, aet="B"),
    ):
        problem = refusal(lambda archive=archive: pacs.connect(archive))
        assert "osteotrace[pacs]" in problem.advice


AWAY = pacs.Archive(name="a", url="http://127.0.0.1", attempts=4, first_pause_s=0.5)


def test_a_busy_archive_is_asked_again_after_longer_and_longer_pauses() -> None:
    answers = [faults.busy(AWAY, "full"), faults.unreachable(AWAY, "down"), None]
    pauses: list[float] = []

    def call() -> str:
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        return "at last"

    assert faults.repeated(AWAY, call, pause=pauses.append) == "at last"
    assert pauses == [0.5, 1.0]


def test_an_archive_that_stays_away_is_given_up_and_a_refusal_is_never_repeated() -> None:
    pauses: list[float] = []

    def fail(problem: OsteotraceError) -> Callable[[], None]:
        def call() -> None:
            raise problem

        return call

    with pytest.raises(faults.Unavailable):
        faults.repeated(AWAY, fail(faults.busy(AWAY, "full")), pause=pauses.append)
    assert pauses == [0.5, 1.0, 2.0]
    refused = faults.wrong_credentials(AWAY, "401")
    with pytest.raises(OsteotraceError):
        faults.repeated(AWAY, fail(refused), pause=pauses.append)
    assert len(pauses) == 3


@pytest.fixture
def image(small_study: Path) -> Dataset:
    """Return an image with a sequence, a private element and texts in Latin-1."""
    found = pydicom.dcmread(small_study / "ct" / "000.dcm")
    found.SpecificCharacterSet = "ISO_IR 100"
    found.InstitutionName = "Zürich"
    block = found.private_block(0x0029, "OSTEOTRACE TEST", create=True)
    block.add_new(0x01, "LO", "private")
    inner = Dataset()
    inner.CodeValue, inner.CodeMeaning = "1", "one"
    found.ProcedureCodeSequence = [inner]
    return found


def rewritten(image: Dataset, syntax: str) -> Dataset:
    """Return an image as it is read from a file in another transfer syntax."""
    stream = io.BytesIO()
    other = deepcopy(image)
    other.file_meta.TransferSyntaxUID = UID(syntax)
    pydicom.dcmwrite(
        stream,
        other,
        implicit_vr=syntax == ImplicitVRLittleEndian,
        little_endian=syntax != ExplicitVRBigEndian,
        overwrite=True,
        force_encoding=True,
    )
    return contents.read(stream.getvalue(), "memory")


def test_another_encoding_is_the_same_content(image: Dataset) -> None:
    before = contents.content_of(image)
    for syntax in (ImplicitVRLittleEndian, pydicom.uid.ExplicitVRLittleEndian):
        assert (
            contents.differences(before, contents.content_of(rewritten(image, syntax)))
            == []
        )
    utf_8 = deepcopy(image)
    utf_8.SpecificCharacterSet = "ISO_IR 192"
    assert contents.differences(before, contents.content_of(utf_8)) == []


def change(image: Dataset, what: str) -> None:
    match what:
        case "text":
            image.InstitutionName = "Zurich"
        case "number":
            image.Rows = image.Rows + 1
        case "lost":
            del image.KVP
        case "added":
            image.PatientComments = "new"
        case "inner":
            image.ProcedureCodeSequence[0].CodeMeaning = "two"
        case "private":
            image[0x0029, 0x1001].value = "changed"
        case "pixel":
            image.PixelData = b"\1" + image.PixelData[1:]


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("text", "InstitutionName"),
        ("number", "Rows"),
        ("lost", "KVP"),
        ("added", "PatientComments"),
        ("inner", "ProcedureCodeSequence"),
        ("private", "(0029,1001)"),
        ("pixel", "PixelData"),
    ],
)
def test_each_change_of_content_is_named(image: Dataset, what: str, name: str) -> None:
    before = contents.content_of(image)
    change(image, what)
    assert contents.differences(before, contents.content_of(image)) == [name]
    assert contents.differences(before, contents.content_of(image), [name]) == []


def nested(depth: int) -> Dataset:
    """Return a dataset with sequences in sequences."""
    whole = Dataset()
    whole.SOPInstanceUID = UID("2.25.8")
    inner = whole
    for _ in range(depth):
        inner.ContentSequence = [Dataset()]
        inner = inner.ContentSequence[0]
    return whole


def test_what_nests_without_end_or_says_nonsense_is_one_line(
    refusal: Callable[..., OsteotraceError],
) -> None:
    assert contents.content_of(nested(32))
    for depth in (33, 5000):
        problem = refusal(lambda depth=depth: contents.content_of(nested(depth)))
        assert "nested deeper than 32 items" in problem.found
    # Three bytes where numbers take two each.
    rows = RawDataElement(Tag("Rows"), "US", 3, b"abc", 0, False, True)
    nonsense = Dataset({Tag("Rows"): rows})
    assert "no DICOM object" in refusal(lambda: contents.content_of(nonsense)).found


def test_pixels_compressed_otherwise_are_compared_as_pixels(
    image: Dataset, tmp_path: Path
) -> None:
    file = tmp_path / "native.dcm"
    image.save_as(file)
    content = contents.content_of(image)
    squeezed = deepcopy(image)
    squeezed.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)
    assert contents.differing(file, content, squeezed) == []
    changed = deepcopy(image)
    change(changed, "pixel")
    changed.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)
    assert contents.differing(file, content, changed) == ["PixelData"]


@pytest.mark.parametrize("cut", [40, 200, 5000])
def test_a_file_that_was_cut_short_is_refused(
    image: Dataset, cut: int, refusal: Callable[..., OsteotraceError]
) -> None:
    stream = io.BytesIO()
    image.save_as(stream)
    whole = stream.getvalue()
    assert refusal(lambda: contents.read(whole[:-cut], "memory")).where == "memory"


class OddPeer:
    """An archive that holds files, and does with them what a test says."""

    def __init__(self, files: Sequence[bytes]) -> None:
        self.files = list(files)
        self.named = [_held(file) for file in files]
        self.asked: list[int] = []
        self.answer: Callable[[int, list[bytes]], list[bytes]] = lambda _, files: files
        self.stored: list[str] = []

    def check(self) -> None: ...

    def close(self) -> None: ...

    def studies(self, query: pacs.Query) -> list[Dataset]:
        return []

    def instances(self, study_uid: str, series_uid: str = "") -> list[Held]:
        return self.named

    def holders(self, sop_uids: Sequence[str]) -> list[Held]:
        return [one for one in self.named if one.sop_uid in sop_uids]

    def retrieve(
        self, wanted: Sequence[Held], receive: Callable[[bytes], None], *, whole: bool
    ) -> None:
        self.asked.append(len(wanted))
        uids = {one.sop_uid for one in wanted}
        files = [file for file in self.files if _held(file).sop_uid in uids]
        for file in self.answer(len(self.asked), files):
            receive(file)
        if len(self.asked) == 1:
            raise faults.busy(AWAY, "broke off")

    def store(
        self, files: Sequence[Outgoing], stored: Callable[[Outgoing], None]
    ) -> None:
        for one in files:
            self.stored.append(one.sop_uid)
            stored(one)


def _held(file: bytes) -> Held:
    header = pydicom.dcmread(io.BytesIO(file), stop_before_pixels=True)
    return Held(header.StudyInstanceUID, header.SeriesInstanceUID, header.SOPInstanceUID)


@pytest.fixture
def odd(small_study: Path) -> OddPeer:
    """Return an archive that holds four CT slices and breaks off once."""
    return OddPeer(
        [(small_study / "ct" / f"{number:03}.dcm").read_bytes() for number in range(4)]
    )


def fetched_from(peer: Any, folder: Path) -> pacs.Fetched:
    patient = pacs.Archive(name="odd", url="http://127.0.0.1", first_pause_s=0)
    return Connection(patient, peer).fetch("2.25.1001", folder)


def test_what_came_before_a_break_is_not_asked_for_again(
    odd: OddPeer, tmp_path: Path
) -> None:
    odd.answer = lambda call, files: files[:3] if call == 1 else files
    assert fetched_from(odd, tmp_path / "in").n_instances == 4
    assert odd.asked == [4, 1]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda files: files[:3] if len(files) == 4 else [], "3 of 4 instances"),
        (lambda files: [files[0][:2000]], "bytes of pixels"),
        (lambda files: [b"<html>busy</html>"], "no DICOM file"),
        (
            lambda files: [files[0].replace(b"2.25.1001", b"2.25.1009")],
            "nobody asked for",
        ),
        (
            lambda files: [files[0].replace(b"2.25.1002.1", b"2.25.1002.9")],
            "nobody asked",
        ),
    ],
)
def test_an_archive_that_sends_something_else_leaves_no_folder(
    odd: OddPeer,
    tmp_path: Path,
    answer: Callable[[list[bytes]], list[bytes]],
    told: str,
    refusal: Callable[..., OsteotraceError],
) -> None:
    odd.answer = lambda call, files: answer(files) if files else []
    assert told in refusal(lambda: fetched_from(odd, tmp_path / "in")).found
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_no_uid_becomes_no_path(
    odd: OddPeer, tmp_path: Path, refusal: Callable[..., OsteotraceError]
) -> None:
    odd.named = [Held("2.25.1001", "../../elsewhere", "2.25.1")]
    problem = refusal(lambda: fetched_from(odd, tmp_path / "in"))
    assert "without proper UIDs" in problem.found
    assert list(tmp_path.iterdir()) == []


def test_an_archive_that_says_success_and_keeps_nothing_is_found_out(
    odd: OddPeer, small_study: Path, refusal: Callable[..., OsteotraceError]
) -> None:
    archive = pacs.Archive(name="odd", url="http://127.0.0.1", first_pause_s=0)
    file = small_study / "mr" / "000.dcm"
    problem = refusal(lambda: Connection(archive, odd).send([file]))
    assert odd.stored == [pydicom.dcmread(file).SOPInstanceUID]
    assert "not there when read back" in problem.found


def test_an_archive_that_changes_what_it_keeps_is_found_out(
    odd: OddPeer, small_study: Path, refusal: Callable[..., OsteotraceError]
) -> None:
    file = small_study / "mr" / "000.dcm"
    kept = pydicom.dcmread(file)
    kept.PatientName = "Other^Name"
    stream = io.BytesIO()
    kept.save_as(stream)
    odd.named = []
    odd.files = [stream.getvalue()]
    archive = pacs.Archive(name="odd", url="http://127.0.0.1", first_pause_s=0)
    problem = refusal(lambda: Connection(archive, odd).send([file]))
    assert "000.dcm kept with other content than was sent: PatientName" in problem.found
    allowed = pacs.Archive(
        name="odd",
        url="http://127.0.0.1",
        first_pause_s=0,
        may_change=("PatientName",),
    )
    assert len(Connection(allowed, odd).send([file]).stored) == 1


@pytest.mark.parametrize("day", ["2024-1-2", "20240102", "2024-W01-1", "yesterday"])
def test_a_query_takes_whole_dates_alone(
    day: str, refusal: Callable[..., OsteotraceError]
) -> None:
    assert repr(day) in refusal(lambda: pacs.Query(date_from=day)).found


def test_the_page_on_archives_says_what_is_so() -> None:
    import doctest

    from tests.test_documents import code_blocks, shell_commands

    from osteotrace.cli.program import VERBS

    page = Path(__file__).parents[1] / "docs" / "pacs.md"
    examples = [block for block in code_blocks(page, "python") if block.startswith(">>>")]
    parsed = doctest.DocTestParser().get_doctest("\n".join(examples), {}, "page", None, 0)
    printed: list[str] = []
    assert doctest.DocTestRunner().run(parsed, out=printed.append).attempted > 5
    assert not printed, "".join(printed)
    # Every setting has its row, and every row is a setting.
    (table,) = code_blocks(page, "toml")
    assert list(settings.parse(table.encode(), page)) == ["hospital", "research"]
    text = page.read_text()
    rows = text[text.index("| key |") : text.index("Paths are meant")]
    named = set(
        re.findall(r"`(\w+)`[,|\s]", "".join(re.findall(r"^\|([^|]+\|)", rows, re.M)))
    )
    assert named == set(pacs.Archive.__struct_fields__) - {"name"}
    assert {
        words[1] for words in shell_commands(page) if words[0] == "osteotrace"
    } <= set(VERBS)
