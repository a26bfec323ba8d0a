"""Instances on their way from a DIMSE peer: by C-GET, or by C-MOVE to a listener."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from osteotrace.errors import OsteotraceError
from osteotrace.pacs import faults
from osteotrace.pacs.associations import (
    EXPLICIT,
    IMPLICIT,
    MOST_CONTEXTS,
    associated,
    contexts,
)
from osteotrace.pacs.certificates import listener_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from osteotrace.pacs.archive import Archive
    from osteotrace.pacs.peer import Held

GET: Final = "1.2.840.10008.5.1.4.1.2.2.3"
MOVE: Final = "1.2.840.10008.5.1.4.1.2.2.2"
# Compressed transfer syntaxes, each offered alone: what is stored so comes so.
_COMPRESSED: Final = (
    "1.2.840.10008.1.2.4.50",  # JPEG Baseline
    "1.2.840.10008.1.2.4.51",  # JPEG Extended
    "1.2.840.10008.1.2.4.57",  # JPEG Lossless
    "1.2.840.10008.1.2.4.70",  # JPEG Lossless, first-order prediction
    "1.2.840.10008.1.2.4.80",  # JPEG-LS Lossless
    "1.2.840.10008.1.2.4.81",  # JPEG-LS Near-lossless
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 Lossless
    "1.2.840.10008.1.2.4.91",  # JPEG 2000
    "1.2.840.10008.1.2.4.201",  # HTJ2K Lossless
    "1.2.840.10008.1.2.4.202",  # HTJ2K Lossless RPCL
    "1.2.840.10008.1.2.4.203",  # HTJ2K
    "1.2.840.10008.1.2.5",  # RLE
    "1.2.840.10008.1.2.1.99",  # Deflated Explicit VR Little Endian
)
# Contexts that an association has room for beside that of C-GET itself.
_ROOM: Final = MOST_CONTEXTS - 1
_CLASSES_AT_ONCE: Final = _ROOM // (len(_COMPRESSED) + 1)
# Offered where the peer does not say what it holds.
_USUAL: Final = (
    "1.2.840.10008.5.1.4.1.1.2",  # CT
    "1.2.840.10008.5.1.4.1.1.2.1",  # Enhanced CT
    "1.2.840.10008.5.1.4.1.1.4",  # MR
    "1.2.840.10008.5.1.4.1.1.4.1",  # Enhanced MR
    "1.2.840.10008.5.1.4.1.1.66.4",  # Segmentation
    "1.2.840.10008.5.1.4.1.1.88.33",  # Comprehensive SR
    "1.2.840.10008.5.1.4.1.1.88.34",  # Comprehensive 3D SR
    "1.2.840.10008.5.1.4.1.1.66.1",  # Spatial Registration
    "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture
)
# PS3.7 annex C and PS3.4 C.4.3.1.4.
_DONE: Final = frozenset({0x0000, 0xB000})
_PENDING: Final = frozenset({0xFF00, 0xFF01})
_CANNOT_TAKE: Final = 0xA700
_NO_DESTINATION: Final = 0xA801


def retrieve(
    archive: Archive,
    wanted: Sequence[Held],
    receive: Callable[[bytes], None],
    *,
    whole: bool,
) -> None:
    """Have instances sent; see `osteotrace.pacs.peer.Peer.retrieve`."""
    if archive.retrieve == "move":
        with _listening(archive, receive) as taking:
            asked = contexts([(MOVE, None)])
            with associated(archive, asked) as association:
                for keys in _requests(wanted, whole=whole):
                    answers = association.send_c_move(keys, archive.calling_aet, MOVE)
                    _follow(archive, answers, taking)
        return
    for group in _by_classes(wanted):
        _get(archive, group, receive, whole=whole)


def _get(
    archive: Archive,
    wanted: Sequence[Held],
    receive: Callable[[bytes], None],
    *,
    whole: bool,
) -> None:
    from pynetdicom import evt
    from pynetdicom.presentation import build_role

    classes = list(dict.fromkeys(one.sop_class_uid for one in wanted))
    if not all(classes):
        classes = list(dict.fromkeys([*filter(None, classes), *_USUAL]))
    offered = [(one, None) for one in classes]
    with_room = classes[: (_ROOM - len(offered)) // len(_COMPRESSED)]
    compressed = [(one, syntax) for one in with_room for syntax in _COMPRESSED]
    taking = Taking(receive)
    with associated(
        archive,
        contexts([(GET, None), *offered, *compressed]),
        roles=[build_role(one, scp_role=True) for one in classes],
        handlers=[(evt.EVT_C_STORE, taking.take)],
    ) as association:
        for keys in _requests(wanted, whole=whole):
            _follow(archive, association.send_c_get(keys, GET), taking)


class Taking:
    """Takes what a peer sends, and remembers what kept it from doing so."""

    def __init__(self, receive: Callable[[bytes], None]) -> None:
        self.problem: BaseException | None = None
        self._receive = receive
        # A peer may send over several associations at once.
        self._lock = threading.Lock()

    def take(self, event: Any) -> int:
        """Give one instance on, and answer the peer with a status."""
        with self._lock:
            if self.problem is not None:
                return _CANNOT_TAKE
            try:
                self._receive(event.encoded_dataset())
            # It belongs to the caller, who is in another place of the program.
            except BaseException as problem:
                self.problem = problem
                return _CANNOT_TAKE
        return 0


def _follow(archive: Archive, answers: Any, taking: Taking) -> None:
    """Wait until a request is done; the caller's own troubles come first."""
    from osteotrace.pacs.dimse import status_of

    for answer, _ in answers:
        if taking.problem is not None:
            raise taking.problem
        status = status_of(archive, answer)
        if status in _PENDING or status in _DONE:
            continue
        if status == _NO_DESTINATION:
            raise OsteotraceError(
                f"a peer that does not know where {archive.calling_aet!r} is",
                expected="a peer that sends to our listen_port",
                advice="ask its administrator to add our title, address and port "
                f"{archive.listen_port}, or use retrieve = 'get'",
                where=archive.where,
            )
        raise faults.refused(archive, f"status {status:#06x}")


def _requests(wanted: Sequence[Held], *, whole: bool) -> Iterator[Any]:
    """Yield what to ask for: whole series, or instance by instance."""
    from pydicom.dataset import Dataset

    series = dict.fromkeys((one.study_uid, one.series_uid) for one in wanted)
    asked = (
        [(*at, "") for at in series]
        if whole
        else [(one.study_uid, one.series_uid, one.sop_uid) for one in wanted]
    )
    for study_uid, series_uid, sop_uid in asked:
        keys = Dataset()
        keys.QueryRetrieveLevel = "IMAGE" if sop_uid else "SERIES"
        keys.StudyInstanceUID = study_uid
        keys.SeriesInstanceUID = series_uid
        if sop_uid:
            keys.SOPInstanceUID = sop_uid
        yield keys


def _by_classes(wanted: Sequence[Held]) -> Iterator[list[Held]]:
    """Yield instances in groups whose SOP classes fit into one association."""
    classes = iter(dict.fromkeys(one.sop_class_uid for one in wanted))
    while group := set(islice(classes, _CLASSES_AT_ONCE)):
        yield [one for one in wanted if one.sop_class_uid in group]


@contextmanager
def _listening(archive: Archive, receive: Callable[[bytes], None]) -> Iterator[Taking]:
    """Listen for what C-MOVE sends, until the block ends."""
    from pynetdicom import evt
    from pynetdicom.ae import ApplicationEntity
    from pynetdicom.presentation import AllStoragePresentationContexts

    taking = Taking(receive)
    entity = ApplicationEntity(ae_title=archive.calling_aet)
    entity.require_called_aet = True
    entity.acse_timeout = entity.dimse_timeout = archive.timeout_s
    for context in AllStoragePresentationContexts:
        syntaxes = [EXPLICIT, IMPLICIT, *_COMPRESSED]
        entity.add_supported_context(context.abstract_syntax, syntaxes)
    secured = listener_context(archive) if archive.tls else None
    with faults.quiet("pynetdicom"):
        try:
            server = entity.start_server(
                (_own_address(archive), archive.listen_port),
                block=False,
                ssl_context=secured,
                evt_handlers=[(evt.EVT_C_STORE, taking.take)],
            )
        except OSError as problem:
            found = f"port {archive.listen_port}, which cannot be listened on"
            reason = problem.strerror or type(problem).__name__
            raise archive.wrong(
                "listen_port", f"{found} ({reason})", "a free port"
            ) from None
        try:
            yield taking
        finally:
            server.shutdown()


def _own_address(archive: Archive) -> str:
    """Return the address that the archive sees us at, so that no other is listened on."""
    try:
        family, kind, _, _, place = socket.getaddrinfo(
            archive.host, archive.port, type=socket.SOCK_DGRAM
        )[0]
        # Nothing is sent: the system only chooses the way.
        with socket.socket(family, kind) as probe:
            probe.connect(place)
            return str(probe.getsockname()[0])
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
        raise faults.unreachable(archive, reason) from None
