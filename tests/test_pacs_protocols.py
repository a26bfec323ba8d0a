"""What is of one protocol alone: C-MOVE, credentials, TLS, titles, odd servers."""

from __future__ import annotations

import logging
import ssl
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

import pydicom
import pytest
from pydicom.uid import UID
from tests.fixtures.orthanc import (
    OUR_AET,
    PASSWORD_VARIABLE,
    Orthanc,
    free_port,
    running,
    tls_front,
)
from tests.fixtures.small_study import STUDY_UID

from osteotrace import pacs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import trustme
    from pynetdicom.events import Event

    from osteotrace.errors import OsteotraceError


@pytest.fixture
def a_slice(small_study: Path) -> Path:
    """Return one CT slice."""
    return small_study / "ct" / "000.dcm"


def test_a_study_comes_by_move_to_a_listener(
    orthanc: Orthanc, small_study: Path, a_slice: Path, tmp_path: Path
) -> None:
    moving = orthanc.dimse(retrieve="move", listen_port=orthanc.listen_port)
    with pacs.connect(moving) as archive:
        # What is sent is read back by C-MOVE, too.
        sent = archive.send([a_slice, small_study / "mr" / "000.dcm"])
        assert archive.send([a_slice]).already_there == sent.stored[:1]
        fetched = archive.fetch(STUDY_UID, tmp_path / "back")
        assert fetched.n_instances == 2
        (back,) = fetched.folder.rglob(f"{sent.stored[0]}.dcm")
        assert pydicom.dcmread(back) == pydicom.dcmread(a_slice)


def test_a_peer_that_does_not_know_where_we_are_is_one_line(
    orthanc: Orthanc,
    a_slice: Path,
    tmp_path: Path,
    refusal: Callable[..., OsteotraceError],
) -> None:
    with pacs.connect(orthanc.dimse()) as archive:
        archive.send([a_slice])
    elsewhere = orthanc.dimse(
        retrieve="move", listen_port=free_port(), timeout_s=5.0, attempts=1
    )
    with pacs.connect(elsewhere) as archive:
        problem = refusal(lambda: archive.fetch(STUDY_UID, tmp_path / "back"))
    assert "status 0x" in problem.found
    assert "\n" not in str(problem)
    assert not (tmp_path / "back").exists()


def test_a_taken_listen_port_is_one_line(
    orthanc: Orthanc,
    a_slice: Path,
    tmp_path: Path,
    refusal: Callable[..., OsteotraceError],
) -> None:
    with pacs.connect(orthanc.dimse()) as archive:
        archive.send([a_slice])
    taken = orthanc.dimse(retrieve="move", listen_port=orthanc.http_port)
    with pacs.connect(taken) as archive:
        problem = refusal(lambda: archive.fetch(STUDY_UID, tmp_path / "back"))
    assert "cannot be listened on" in problem.found


@pytest.mark.parametrize("title", ["aet", "calling_aet"])
def test_a_title_that_the_peer_does_not_know_is_one_line(
    orthanc: Orthanc, title: str, refusal: Callable[..., OsteotraceError]
) -> None:
    with pacs.connect(orthanc.dimse(**{title: "SOMEBODY"})) as archive:
        problem = refusal(lambda: archive.find(pacs.Query()))
    assert "'SOMEBODY'" in str(problem)
    assert "\n" not in str(problem)


@pytest.mark.parametrize("secret", ["wrong", "pa55 word"])
def test_a_wrong_password_is_one_line_without_the_password(
    orthanc: Orthanc,
    secret: str,
    tmp_path: Path,
    refusal: Callable[..., OsteotraceError],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, secret)
    with pacs.connect(orthanc.web()) as archive:
        for action in (
            archive.check,
            lambda: archive.find(pacs.Query()),
            lambda: archive.fetch("2.25.1", tmp_path / "back"),
        ):
            problem = refusal(action)
            assert "refuses the user or the secret" in problem.found
            assert secret not in str(problem)
    assert list(tmp_path.iterdir()) == []


def test_no_password_at_all_is_one_line(
    orthanc: Orthanc, refusal: Callable[..., OsteotraceError]
) -> None:
    with pacs.connect(orthanc.web(user="", password_variable="")) as archive:
        assert "refuses the user" in refusal(archive.check).found


def test_a_path_that_is_no_service_is_one_line(
    orthanc: Orthanc, tmp_path: Path, refusal: Callable[..., OsteotraceError]
) -> None:
    url = f"http://127.0.0.1:{orthanc.http_port}/elsewhere"
    with pacs.connect(orthanc.web(url=url)) as archive:
        assert "nothing there" in refusal(lambda: archive.find(pacs.Query())).found
        fetch = refusal(lambda: archive.fetch(STUDY_UID, tmp_path / "back"))
    assert "nothing there" in fetch.found


def test_the_password_may_lie_in_a_file_of_its_owner(
    orthanc: Orthanc, tmp_path: Path, refusal: Callable[..., OsteotraceError]
) -> None:
    from tests.fixtures.orthanc import PASSWORD

    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n", encoding="utf-8")
    file.chmod(0o600)
    kept = orthanc.web(password_variable="", password_file=str(file))
    with pacs.connect(kept) as archive:
        archive.check()
    file.chmod(0o644)
    assert "others may read" in refusal(lambda: pacs.connect(kept)).found


@pytest.mark.parametrize("protocol", ["web", "dimse"])
def test_no_log_names_a_patient_or_a_secret(
    orthanc: Orthanc, protocol: str, a_slice: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from tests.fixtures.orthanc import PASSWORD

    caplog.set_level(logging.DEBUG)
    with pacs.connect(getattr(orthanc, protocol)()) as archive:
        archive.send([a_slice])
        archive.find(pacs.Query(patient_id="TEST-1", patient_name="Test^One"))
    for secret in ("TEST-1", "Test^One", "Test%5EOne", PASSWORD, STUDY_UID):
        assert secret not in caplog.text


def test_nothing_goes_out_in_a_syntax_that_the_peer_does_not_take(
    orthanc: Orthanc,
    a_slice: Path,
    tmp_path: Path,
    refusal: Callable[..., OsteotraceError],
) -> None:
    # Private SOP class: no archive knows it.
    odd = pydicom.dcmread(a_slice)
    odd.SOPClassUID = UID("1.2.826.0.1.3680043.9.9.9")
    odd.file_meta.MediaStorageSOPClassUID = odd.SOPClassUID
    odd.save_as(tmp_path / "odd.dcm")
    with pacs.connect(orthanc.dimse()) as archive:
        problem = refusal(lambda: archive.send([tmp_path / "odd.dcm"]))
    assert "takes none of the requests or objects" in problem.found
    odd.SOPInstanceUID = UID("2.25.31")
    odd.save_as(tmp_path / "odd.dcm")
    both = [a_slice, tmp_path / "odd.dcm"]
    with pacs.connect(orthanc.dimse()) as archive:
        assert "odd.dcm refused" in refusal(lambda: archive.send(both)).found


def test_compressed_pixels_come_as_they_are_stored(
    orthanc: Orthanc, tmp_path: Path, a_slice: Path
) -> None:
    squeezed = pydicom.dcmread(a_slice)
    squeezed.compress("1.2.840.10008.1.2.5")
    squeezed.save_as(tmp_path / "rle.dcm")
    for number, known in enumerate((orthanc.web(), orthanc.dimse())):
        with pacs.connect(known) as archive:
            archive.send([tmp_path / "rle.dcm"])
            fetched = archive.fetch(STUDY_UID, tmp_path / f"back{number}")
        (back,) = fetched.folder.rglob("*.dcm")
        assert pydicom.dcmread(back).file_meta.TransferSyntaxUID.name == "RLE Lossless"
        assert pydicom.dcmread(back).PixelData == squeezed.PixelData


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return an authority that signs the tests' certificates."""
    import trustme

    return trustme.CA()


@pytest.fixture(scope="module")
def certificates(
    authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Return PEM files: the authority, the archive's, ours, and one of a stranger."""
    import trustme

    folder = tmp_path_factory.mktemp("certificates")
    files = {"ca_file": folder / "ca.pem", "stranger": folder / "stranger.pem"}
    authority.cert_pem.write_to_path(str(files["ca_file"]))
    trustme.CA().cert_pem.write_to_path(str(files["stranger"]))
    for name in ("archive", "ours"):
        issued = authority.issue_cert("127.0.0.1", "localhost")
        files[f"{name}_both"] = folder / f"{name}.pem"
        issued.private_key_and_cert_chain_pem.write_to_path(str(files[f"{name}_both"]))
        files[f"{name}_key"] = folder / f"{name}.key"
        issued.private_key_pem.write_to_path(str(files[f"{name}_key"]))
        files[f"{name}_certificate"] = folder / f"{name}.crt"
        issued.cert_chain_pems[0].write_to_path(str(files[f"{name}_certificate"]))
    return {name: str(file) for name, file in files.items()}


@pytest.fixture(scope="module")
def secured(
    certificates: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Orthanc]:
    """Run an Orthanc that is spoken to over TLS alone, and wants our certificate."""
    listen_port = free_port()
    ours = {"AET": OUR_AET, "Host": "127.0.0.1", "Port": listen_port, "UseDicomTls": True}
    front = ssl.create_default_context(
        ssl.Purpose.CLIENT_AUTH, cafile=certificates["ca_file"]
    )
    front.verify_mode = ssl.CERT_REQUIRED
    front.load_cert_chain(certificates["archive_both"])
    with (
        running(
            tmp_path_factory.mktemp("secured"),
            listen_port=listen_port,
            DicomTlsEnabled=True,
            DicomTlsCertificate=certificates["archive_certificate"],
            DicomTlsPrivateKey=certificates["archive_key"],
            DicomTlsTrustedCertificates=certificates["ca_file"],
            DicomTlsRemoteCertificateRequired=True,
            DicomModalities={"tests": ours},
        ) as own,
        tls_front(own.http_port, front) as port,
    ):
        yield replace(own, http_port=port)


@pytest.fixture
def make_secured(
    secured: Orthanc, certificates: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., pacs.Archive]:
    """Return what makes the secured archive in a protocol, with changes."""
    from tests.fixtures.orthanc import PASSWORD

    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    ours = {
        "ca_file": certificates["ca_file"],
        "certificate_file": certificates["ours_certificate"],
        "key_file": certificates["ours_key"],
    }

    def make(protocol: str, **changes: Any) -> pacs.Archive:
        if protocol == "web":
            url = f"https://127.0.0.1:{secured.http_port}/dicom-web"
            return secured.web(**({"url": url, **ours} | changes))
        move = {"retrieve": "move", "listen_port": secured.listen_port}
        more = move if protocol == "move" else {}
        return secured.dimse(**({"tls": True, **ours, **more} | changes))

    return make


@pytest.mark.parametrize("protocol", ["web", "dimse", "move"])
def test_a_slice_goes_and_comes_over_tls(
    make_secured: Callable[..., pacs.Archive],
    protocol: str,
    a_slice: Path,
    tmp_path: Path,
) -> None:
    with pacs.connect(make_secured(protocol)) as archive:
        archive.send([a_slice])
        fetched = archive.fetch(STUDY_UID, tmp_path / "back")
    (back,) = fetched.folder.rglob("*.dcm")
    assert pydicom.dcmread(back) == pydicom.dcmread(a_slice)


@pytest.mark.parametrize("protocol", ["web", "dimse"])
def test_an_archive_that_another_authority_signed_is_not_spoken_to(
    make_secured: Callable[..., pacs.Archive],
    certificates: dict[str, str],
    protocol: str,
    refusal: Callable[..., OsteotraceError],
) -> None:
    stranger = make_secured(protocol, ca_file=certificates["stranger"])
    with pacs.connect(stranger) as archive:
        problem = refusal(archive.check)
    assert "no trusted TLS connection" in problem.found
    assert "certificate" in problem.found
    assert "\n" not in str(problem)


@pytest.mark.parametrize("protocol", ["web", "dimse"])
def test_an_archive_that_wants_our_certificate_says_so(
    make_secured: Callable[..., pacs.Archive],
    protocol: str,
    refusal: Callable[..., OsteotraceError],
) -> None:
    nameless = make_secured(protocol, certificate_file="", key_file="")
    with pacs.connect(nameless) as archive:
        problem = refusal(archive.check)
    assert "no trusted TLS connection" in problem.found


def test_plain_words_to_a_peer_that_wants_tls_are_one_line(
    make_secured: Callable[..., pacs.Archive], refusal: Callable[..., OsteotraceError]
) -> None:
    with pacs.connect(make_secured("dimse", tls=False, timeout_s=5.0)) as archive:
        problem = refusal(archive.check)
    assert "does it want TLS?" in problem.found


def test_a_user_and_a_passcode_reach_a_dimse_peer(
    monkeypatch: pytest.MonkeyPatch, refusal: Callable[..., OsteotraceError]
) -> None:
    from pynetdicom import AE, evt

    def is_known(event: Event) -> tuple[bool, bytes | None]:
        return (
            event.primary_field == b"reader" and event.secondary_field == b"right",
            None,
        )

    monkeypatch.setenv(PASSWORD_VARIABLE, "right")
    entity = AE(ae_title="PEER")
    entity.add_supported_context("1.2.840.10008.1.1")
    port = free_port()
    server = entity.start_server(
        ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_USER_ID, is_known)]
    )
    known = pacs.Archive(
        name="peer",
        host="127.0.0.1",
        port=port,
        aet="PEER",
        user="reader",
        password_variable=PASSWORD_VARIABLE,
        first_pause_s=0,
    )
    try:
        with pacs.connect(known) as archive:
            archive.check()
            monkeypatch.setenv(PASSWORD_VARIABLE, "wrong")
            problem = refusal(archive.check)
    finally:
        server.shutdown()
    assert "perhaps the user or the secret" in problem.found
    assert "wrong" not in str(problem)


class OddServer(BaseHTTPRequestHandler):
    """Answers every request as a test says."""

    status, kind, content = 200, "application/dicom+json", b"[]"
    location = ""
    length: int | None = 0
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(self.status)
        self.send_header("Content-Type", self.kind)
        if self.location:
            self.send_header("Location", self.location)
        if self.length is not None:
            self.send_header("Content-Length", str(len(self.content) + self.length))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def odd_server() -> Iterator[tuple[type[OddServer], pacs.Archive]]:
    """Return a server that can be told what to answer, and it as an archive."""

    class Own(OddServer):
        asked: ClassVar[list[str]] = []

    with ThreadingHTTPServer(("127.0.0.1", 0), Own) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        yield Own, pacs.Archive(name="odd", url=url, first_pause_s=0, timeout_s=5)
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "told", "calls"),
    [
        (403, "refuses the user or the secret (HTTP status 403)", 1),
        (404, "nothing there (HTTP status 404)", 1),
        (409, "refuses the request (HTTP status 409)", 1),
        (500, "an answer that is of no use (HTTP status 500)", 1),
        (503, "did not finish its answer (HTTP status 503)", 3),
    ],
)
def test_a_status_is_one_line_and_only_a_busy_archive_is_asked_again(
    odd_server: tuple[type[OddServer], pacs.Archive],
    status: int,
    told: str,
    calls: int,
    refusal: Callable[..., OsteotraceError],
) -> None:
    server, known = odd_server
    server.status = status
    with pacs.connect(known) as archive:
        problem = refusal(lambda: archive.find(pacs.Query(patient_id="TEST-1")))
    assert told in problem.found
    assert "TEST-1" not in str(problem)
    assert len(server.asked) == calls


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_nobody_is_asked_but_the_archive_itself(
    odd_server: tuple[type[OddServer], pacs.Archive],
    status: int,
    refusal: Callable[..., OsteotraceError],
) -> None:
    server, known = odd_server
    server.status, server.location = status, f"{known.url}/elsewhere?PatientID=1"
    with pacs.connect(known) as archive:
        problem = refusal(lambda: archive.find(pacs.Query(patient_id="TEST-1")))
    assert f"sends us to another address (HTTP status {status})" in problem.found
    assert "TEST-1" not in str(problem)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "content", [b"<html>Login</html>", b"[1]", b'[{"00100020": 7}]', b"\xff\xfe"]
)
def test_an_answer_that_is_no_dicom_is_one_line(
    odd_server: tuple[type[OddServer], pacs.Archive],
    content: bytes,
    refusal: Callable[..., OsteotraceError],
) -> None:
    server, known = odd_server
    server.content = content
    with pacs.connect(known) as archive:
        problem = refusal(lambda: archive.find(pacs.Query()))
    assert "an answer that is of no use" in problem.found
    assert "\n" not in str(problem)


@pytest.mark.parametrize("length", [0, 1000, None])
def test_an_answer_that_breaks_off_is_not_taken_for_whole(
    odd_server: tuple[type[OddServer], pacs.Archive],
    length: int | None,
    a_slice: Path,
    refusal: Callable[..., OsteotraceError],
) -> None:
    from osteotrace.pacs.dicomweb import WebPeer
    from osteotrace.pacs.peer import Held

    server, known = odd_server
    whole = a_slice.read_bytes()
    head = b"--frontier\r\nContent-Type: application/dicom\r\n\r\n"
    server.kind = 'multipart/related; type="application/dicom"; boundary=frontier'
    wanted = [Held(STUDY_UID, "2.25.1", "2.25.2")]
    came: list[bytes] = []
    peer = WebPeer(known)
    server.content = head + whole + b"\r\n--frontier--"
    peer.retrieve(wanted, came.append, whole=True)
    assert came == [whole]
    # The file is whole, by accident; the answer is not.
    server.content, server.length = head + whole, length
    problem = refusal(lambda: peer.retrieve(wanted, came.append, whole=True))
    peer.close()
    assert "broke off" in problem.found


def test_an_object_goes_in_the_one_encoding_that_a_peer_takes(a_slice: Path) -> None:
    from pynetdicom import AE, evt

    from osteotrace.pacs import contents
    from osteotrace.pacs.dimse import DimsePeer
    from osteotrace.pacs.outgoing import outgoing

    stored: list[bytes] = []

    def keep(event: Event) -> int:
        stored.append(event.encoded_dataset())
        return 0

    entity = AE(ae_title="PEER")
    entity.add_supported_context("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2")
    port = free_port()
    server = entity.start_server(
        ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, keep)]
    )
    known = pacs.Archive(name="peer", host="127.0.0.1", port=port, aet="PEER")
    going = outgoing([a_slice])
    try:
        DimsePeer(known).store(going, lambda one: None)
    finally:
        server.shutdown()
    kept = contents.read(stored[0], "peer")
    assert kept.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2"
    assert contents.differences(going[0].content, contents.content_of(kept)) == []
