"""An archive spoken to over DICOMweb (PS3.18): QIDO-RS, WADO-RS and STOW-RS."""

from __future__ import annotations

import io
import warnings
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from osteotrace.pacs import answers, faults, multipart, wildcards
from osteotrace.pacs.certificates import check_files
from osteotrace.pacs.peer import Held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pydicom.dataset import Dataset

    from osteotrace.errors import OsteotraceError
    from osteotrace.pacs.archive import Archive
    from osteotrace.pacs.outgoing import Outgoing
    from osteotrace.pacs.records import Query

# Answers asked for at once; an archive may give fewer.
PAGE: Final = 500
# Files go out in messages of about this size, bytes.
MESSAGE_BYTES: Final = 50_000_000
# Longest wait for a connection, s; for the answer it is the archive's timeout_s.
_CONNECT_S: Final = 10.0
_REFUSED: Final = frozenset({401, 403})
_NOT_FOUND: Final = frozenset({404, 410})
# Too many requests, timeouts, and servers that are overloaded or restarting.
_PASSING: Final = frozenset({408, 425, 429, 502, 503, 504})
# As it is stored: decompressing would change what is read back.
_AS_STORED: Final = (("application/dicom", "*"),)
_CHATTY: Final = ("dicomweb_client", "urllib3", "requests")


class WebPeer:
    """A DICOMweb service; see `osteotrace.pacs.peer.Peer`."""

    def __init__(self, archive: Archive) -> None:
        web = faults.library("dicomweb_client.web")
        self._archive = archive
        self._session = _session(archive)
        self._client = web.DICOMwebClient(
            archive.url.rstrip("/"),
            session=self._session,
            timeout=(min(_CONNECT_S, archive.timeout_s), archive.timeout_s),
            # The form of UIDs is checked by osteotrace; scanners write leading zeros.
            permissive_uid=True,
        )
        # Else it would wait through all attempts before it says that nobody is there.
        self._client.set_http_retry_params(retry=False)

    def check(self) -> None:
        """Refuse where the service does not answer or does not let us in."""
        with self._guarded():
            self._client.search_for_studies(limit=1)

    def studies(self, query: Query) -> list[Dataset]:
        """Return what the service answers to a query for studies."""
        keys = query.keys()
        found = self._studies(keys, query.limit)
        plain = wildcards.in_plain_letters(keys)
        if not found and plain != keys:
            wider = self._studies(plain)
            found = [one for one in wider if wildcards.matches(one, keys)]
        return found

    def instances(self, study_uid: str, series_uid: str = "") -> list[Held]:
        """Return the instances of a study, or of one series of it; none is empty."""
        try:
            found = self._paged(
                self._client.search_for_instances,
                "SOPInstanceUID",
                study_instance_uid=study_uid,
                series_instance_uid=series_uid or None,
                fields=("SOPClassUID", "SeriesInstanceUID"),
            )
        except faults.NotThere:
            # Either the study or the whole service is not there.
            self.check()
            return []
        return [_held(one, study_uid, series_uid) for one in found]

    def holders(self, sop_uids: Sequence[str]) -> list[Held]:
        """Return where instances lie, in whatever study."""
        found: list[Held] = []
        for sop_uid in sop_uids:
            answered = self._paged(
                self._client.search_for_instances,
                "SOPInstanceUID",
                fields=("SOPClassUID", "SeriesInstanceUID", "StudyInstanceUID"),
                search_filters={"SOPInstanceUID": sop_uid},
            )
            held = (_held(one, "", "") for one in answered)
            found += [one for one in held if one.study_uid and one.series_uid]
        return found

    def retrieve(
        self, wanted: Sequence[Held], receive: Callable[[bytes], None], *, whole: bool
    ) -> None:
        """Have instances sent: a series at once, or one by one."""
        if whole:
            for at in dict.fromkeys((one.study_uid, one.series_uid) for one in wanted):
                self._stream(
                    lambda at=at: self._client.iter_series(*at, media_types=_AS_STORED),  # type: ignore[misc]
                    receive,
                )
            return
        for one in wanted:
            with suppress(faults.NotThere):
                self._stream(lambda one=one: iter([self._instance(one)]), receive)  # type: ignore[misc]

    def store(
        self, files: Sequence[Outgoing], stored: Callable[[Outgoing], None]
    ) -> None:
        """Send files, several in a message."""
        import pydicom

        for batch in _batches(files):
            datasets = (pydicom.dcmread(one.path) for one in batch)
            with self._guarded():
                answer = self._client.store_instances(datasets)
            refused = {
                str(item.get("ReferencedSOPInstanceUID", "")): item.get("FailureReason")
                for item in answer.get("FailedSOPSequence") or ()
            }
            for one in batch:
                if one.sop_uid in refused:
                    raise _not_taken(self._archive, one, refused[one.sop_uid])
                stored(one)

    def close(self) -> None:
        """Give the connection back."""
        self._session.close()

    def _studies(self, keys: dict[str, str], limit: int = 0) -> list[Dataset]:
        return self._paged(
            self._client.search_for_studies,
            "StudyInstanceUID",
            limit,
            fields=tuple(word for word in answers.STUDY_KEYWORDS if word not in keys),
            search_filters=keys,
        )

    def _instance(self, one: Held) -> Dataset:
        found: Dataset = self._client.retrieve_instance(
            one.study_uid, one.series_uid, one.sop_uid, media_types=_AS_STORED
        )
        return found

    def _stream(
        self, ask: Callable[[], Iterator[Dataset]], receive: Callable[[bytes], None]
    ) -> None:
        with self._guarded():
            arriving = ask()
        while True:
            # What the receiver raises is no fault of the archive.
            with self._guarded():
                dataset = next(arriving, None)
                content = None if dataset is None else _encoded(dataset)
            if content is None:
                return
            receive(content)

    def _paged(
        self, search: Any, keyword: str, limit: int = 0, **asked: Any
    ) -> list[Dataset]:
        """Return all answers to a search, page by page, each once."""
        from pydicom.dataset import Dataset

        found: dict[str, Dataset] = {}
        while True:
            page = min(PAGE, limit - len(found)) if limit else PAGE
            with self._guarded():
                answered = search(limit=page, offset=len(found), **asked)
                datasets = [Dataset.from_json(one) for one in answered]
                page_of = {str(one.get(keyword, "")): one for one in datasets}
            before = len(found)
            found |= page_of
            # An archive that knows no pages answers the same again.
            if len(found) == before or (limit and len(found) >= limit):
                return list(found.values())

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Turn whatever the transfer raises into one clear error without identities."""
        import requests

        with faults.quiet(*_CHATTY), warnings.catch_warnings():
            # Odd values and answers that are slightly off are judged by their content.
            warnings.simplefilter("ignore")
            # From None: what the libraries raise quotes the query, which names patients.
            try:
                yield
            except requests.RequestException as problem:
                raise _fault(self._archive, problem) from None
            # An answer that is no DICOM raises what it likes.
            except Exception as problem:
                said = type(problem).__name__
                raise faults.unexpected(self._archive, said) from None


def _session(archive: Archive) -> Any:
    """Return a session with the archive's certificates and credentials."""
    requests = faults.library("requests")
    check_files(archive)
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, wildcards.plain_adapter())
    # Neither .netrc nor variables decide who we are and whom we trust.
    session.trust_env = False
    session.hooks["response"] += [_check_own, multipart.check_whole]
    if archive.proxy:
        session.proxies = {"http": archive.proxy, "https": archive.proxy}
    if archive.ca_file:
        session.verify = archive.ca_file
    if archive.certificate_file:
        key = archive.key_file or archive.certificate_file
        session.cert = (archive.certificate_file, key)
    token, password = archive.token(), archive.password()
    if token:
        session.headers["Authorization"] = f"Bearer {token}"
    elif archive.user:
        # As bytes: requests would write them in Latin-1.
        session.auth = (archive.user.encode(), password.encode())
    return session


def _check_own(response: Any, **_: object) -> None:
    """Refuse to be sent elsewhere: the query names patients, and TLS may end there."""
    if response.is_redirect:
        import requests

        response.close()
        raise requests.TooManyRedirects(f"HTTP status {response.status_code}")


def _fault(archive: Archive, problem: Exception) -> OsteotraceError:
    """Return the clear error for what the HTTP library raised."""
    import requests

    if isinstance(problem, requests.exceptions.SSLError):
        return faults.mistrusted(archive, _reason(problem))
    if isinstance(problem, requests.ConnectTimeout):
        return faults.unreachable(archive, "no answer in time")
    if isinstance(problem, requests.Timeout):
        return faults.busy(archive, f"nothing for {archive.timeout_s:g} s")
    if isinstance(problem, requests.HTTPError) and problem.response is not None:
        return _status_fault(archive, problem.response.status_code)
    if isinstance(problem, requests.TooManyRedirects):
        return faults.sent_elsewhere(archive, str(problem))
    broken = (
        requests.exceptions.ChunkedEncodingError,
        requests.exceptions.ContentDecodingError,
    )
    if isinstance(problem, broken):
        return faults.busy(archive, "the connection broke off")
    if isinstance(problem, requests.ConnectionError):
        return faults.unreachable(archive, _reason(problem))
    return faults.unexpected(archive, type(problem).__name__)


def _status_fault(archive: Archive, status: int) -> OsteotraceError:
    if status in _REFUSED:
        return faults.wrong_credentials(archive, f"HTTP status {status}")
    if status in _PASSING:
        return faults.busy(archive, f"HTTP status {status}")
    if status in _NOT_FOUND:
        return faults.NotThere(
            f"nothing there (HTTP status {status})",
            expected="a DICOMweb service that holds what is asked for",
            advice="check the archive's url, its path too, and the UID",
            where=archive.where,
        )
    # 4xx: what is asked for is not done, such as storing (PS3.18 10.5.3).
    if 400 <= status < 500:
        return faults.refused(archive, f"HTTP status {status}")
    return faults.unexpected(archive, f"HTTP status {status}")


def _reason(problem: BaseException) -> str:
    """Return the system's own words for what went wrong, deep in a chain of errors."""
    seen: list[BaseException] = []
    waiting: list[object] = [problem]
    while waiting and len(seen) < 50:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or one in seen:
            continue
        seen.append(one)
        for name in ("verify_message", "strerror"):
            words = getattr(one, name, None)
            if isinstance(words, str) and words:
                return words
        waiting += [getattr(one, "reason", None), one.__cause__, one.__context__]
        waiting += one.args
    return "the connection broke off"


def _encoded(dataset: Dataset) -> bytes:
    """Return the bytes of a file, the elements as they came."""
    import pydicom

    stream = io.BytesIO()
    pydicom.dcmwrite(stream, dataset)
    return stream.getvalue()


def _held(answer: Dataset, study_uid: str, series_uid: str) -> Held:
    return Held(
        str(answer.get("StudyInstanceUID") or study_uid),
        str(answer.get("SeriesInstanceUID") or series_uid),
        str(answer.get("SOPInstanceUID") or ""),
        str(answer.get("SOPClassUID") or ""),
    )


def _batches(files: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    batch: list[Outgoing] = []
    size = 0
    for one in files:
        length = one.path.stat().st_size
        if batch and size + length > MESSAGE_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += length
    if batch:
        yield batch


def _not_taken(archive: Archive, one: Outgoing, reason: object) -> OsteotraceError:
    code = f"reason {reason:#06x}" if isinstance(reason, int) else "no reason given"
    return faults.not_taken(archive, one.path.name, code)
