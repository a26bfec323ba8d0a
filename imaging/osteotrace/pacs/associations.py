"""Associations with a DIMSE peer: opened, refused in clear words, and released."""

from __future__ import annotations

import socket
import ssl
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from osteotrace.errors import OsteotraceError
from osteotrace.pacs import faults
from osteotrace.pacs.certificates import client_context

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from osteotrace.pacs.archive import Archive

# pynetdicom ships without types for what is used here.
Association = Any

# PS3.8 9.3.2.2: presentation contexts are numbered by the odd numbers to 255.
MOST_CONTEXTS: Final = 128
EXPLICIT: Final = "1.2.840.10008.1.2.1"
IMPLICIT: Final = "1.2.840.10008.1.2"
# Longest wait for the TCP connection, s; for answers it is the archive's timeout_s.
_CONNECT_S: Final = 10.0
# Time for a TLS peer to say that it wants another certificate, s.
_ALERT_S: Final = 2.0
# Larger than the usual 16 kB: one slice is some 500 kB.
_PDU_BYTES: Final = 131_072
# PS3.8 table 9-21: result 2 is transient; source 1 is the service user, whose reasons
# follow, source 3 the provider, which has too much to do.
_TRANSIENT: Final = 2
_SERVICE_USER: Final = 1
_SERVICE_PRESENTATION: Final = 3
_REASONS: Final = {
    1: "no reason given",
    2: "it does not know this kind of application",
    3: "it does not know our title (calling_aet)",
    7: "it does not answer to the title aet",
}
# PS3.7 D.3.3.7: user name with passcode, and a JSON web token.
_WITH_PASSCODE: Final = 2
_WITH_TOKEN: Final = 5


def contexts(pairs: Iterable[tuple[str, str | None]]) -> list[Any]:
    """Return presentation contexts for SOP classes, each in a transfer syntax.

    Parameters
    ----------
    pairs : iterable of (str, str or None)
        A SOP class and a transfer syntax; None for those that every peer knows.
    """
    from pynetdicom.presentation import build_context

    return [
        build_context(sop_class, [EXPLICIT, IMPLICIT] if syntax is None else syntax)
        for sop_class, syntax in pairs
    ]


@contextmanager
def associated(
    archive: Archive,
    asked: Sequence[Any],
    *,
    roles: Sequence[Any] = (),
    handlers: Sequence[Any] = (),
) -> Iterator[Association]:
    """Open an association; it is released when the block ends, aborted if it fails.

    Parameters
    ----------
    archive : Archive
        The peer.
    asked : sequence of presentation contexts
        At most `MOST_CONTEXTS`.
    roles : sequence of role selections
        For C-GET.
    handlers : sequence of pynetdicom handlers
        For what the peer sends.

    Raises
    ------
    OsteotraceError
        If the peer cannot be reached, refuses, or is not trusted.
    """
    from pynetdicom.ae import ApplicationEntity

    entity = ApplicationEntity(ae_title=archive.calling_aet)
    entity.connection_timeout = min(_CONNECT_S, archive.timeout_s)
    entity.acse_timeout = entity.dimse_timeout = archive.timeout_s
    # An association that waits for the next slice is no dead one.
    entity.network_timeout = archive.timeout_s * 2
    with faults.quiet("pynetdicom"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        association = entity.associate(
            archive.host,
            archive.port,
            contexts=list(asked),
            ae_title=archive.aet,
            max_pdu=_PDU_BYTES,
            ext_neg=[*roles, *_identity(archive)],
            tls_args=(client_context(archive), archive.host) if archive.tls else None,
            evt_handlers=[*handlers, *_prompt()],
        )
        if not association.is_established:
            raise _not_established(archive, association)
        try:
            _check_accepted(archive, association)
            yield association
        except BaseException:
            association.abort()
            raise
        if association.is_established:
            association.release()


def _prompt() -> list[Any]:
    """Return handlers that let small messages wait for nothing: 40 ms each, else."""
    from pynetdicom import evt

    def send_at_once(event: Any) -> None:
        _set_option(event, "TCP_NODELAY")

    def acknowledge_at_once(event: Any) -> None:
        # Linux forgets it with each message sent; other systems have no such option.
        _set_option(event, "TCP_QUICKACK")

    return [(evt.EVT_CONN_OPEN, send_at_once), (evt.EVT_DATA_SENT, acknowledge_at_once)]


def _set_option(event: Any, name: str) -> None:
    option = getattr(socket, name, None)
    connection = event.assoc.dul.socket
    if option is not None and connection is not None and connection.socket is not None:
        connection.socket.setsockopt(socket.IPPROTO_TCP, option, 1)


def _check_accepted(archive: Archive, association: Association) -> None:
    if not association.accepted_contexts:
        raise _nothing_accepted(archive)


def _nothing_accepted(archive: Archive) -> OsteotraceError:
    return OsteotraceError(
        "a peer that takes none of the requests or objects that it was offered",
        expected="a peer that lets us query, fetch and store objects of this kind",
        advice="check 'retrieve' of the archive, and ask its administrator",
        where=archive.where,
    )


def _identity(archive: Archive) -> list[Any]:
    """Return the user as User Identity Negotiation states it (PS3.7 D.3.3.7)."""
    token = archive.token()
    if not (archive.user or token):
        return []
    from pynetdicom.pdu_primitives import UserIdentityNegotiation

    identity = UserIdentityNegotiation()
    identity.positive_response_requested = False
    if token:
        identity.user_identity_type = _WITH_TOKEN
        identity.primary_field = token.encode()
    else:
        identity.user_identity_type = _WITH_PASSCODE
        identity.primary_field = archive.user.encode()
        identity.secondary_field = archive.password().encode()
    return [identity]


def _not_established(archive: Archive, association: Association) -> OsteotraceError:
    """Return the clear error for an association that did not come about."""
    if association.is_rejected:
        return _rejected(archive, association.acceptor.primitive)
    if association.rejected_contexts:
        return _nothing_accepted(archive)
    # pynetdicom does not tell what kept it from connecting: asked again, plainly.
    try:
        _knock(archive)
    except ssl.SSLError as problem:
        reason = getattr(problem, "verify_message", "") or problem.reason or "refused"
        return faults.mistrusted(archive, reason.replace("_", " ").lower())
    except TimeoutError:
        return faults.unreachable(archive, "no answer in time")
    except OSError as problem:
        return faults.unreachable(archive, problem.strerror or type(problem).__name__)
    hint = "" if archive.tls else "; does it want TLS?"
    return faults.busy(archive, f"no association came about{hint}")


def _rejected(archive: Archive, primitive: Any) -> OsteotraceError:
    with_secret = bool(archive.user or archive.token())
    overloaded = primitive.result_source == _SERVICE_PRESENTATION
    if primitive.result == _TRANSIENT and (overloaded or not with_secret):
        return faults.busy(archive, "it refuses the association for now")
    reason = "no reason given"
    if primitive.result_source == _SERVICE_USER:
        reason = _REASONS.get(primitive.diagnostic, f"reason {primitive.diagnostic}")
    if with_secret:
        reason += "; perhaps the user or the secret"
    return OsteotraceError(
        f"a peer that refuses the association ({reason})",
        expected=f"a peer {archive.aet!r} that knows {archive.calling_aet!r}",
        advice="check aet, calling_aet, user and secret of the archive, and ask its "
        "administrator to add us",
        where=archive.where,
    )


def _knock(archive: Archive) -> None:
    """Connect as TCP and TLS do, and let the system say what is wrong.

    Raises
    ------
    OSError
        If the peer cannot be reached; `ssl.SSLError` if it is not trusted, or does not
        trust us.
    """
    place = (archive.host, archive.port)
    with socket.create_connection(place, min(_CONNECT_S, archive.timeout_s)) as plain:
        if not archive.tls:
            return
        context = client_context(archive)
        with context.wrap_socket(plain, server_hostname=archive.host) as secured:
            # With TLS 1.3 a peer looks at our certificate after we have done with its.
            secured.settimeout(_ALERT_S)
            try:
                secured.recv(1)
            except TimeoutError:
                return
