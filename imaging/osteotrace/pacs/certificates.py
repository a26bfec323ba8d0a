"""The certificates that an archive's connections are made with."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from osteotrace.pacs.archive import Archive

_FILES = ("ca_file", "certificate_file", "key_file")


def check_files(archive: Archive) -> None:
    """Refuse certificate files that are not there.

    Raises
    ------
    OsteotraceError
        If one cannot be read.
    """
    for key in _FILES:
        file = getattr(archive, key)
        if not file:
            continue
        try:
            Path(file).open("rb").close()
        except OSError as problem:
            found = f"a file that cannot be read ({problem.strerror}): {file}"
            raise archive.wrong(key, found, "a PEM file") from problem


def client_context(archive: Archive) -> ssl.SSLContext:
    """Return the TLS context of an archive's client side (PS3.15 B.9).

    Raises
    ------
    OsteotraceError
        If a certificate or its key cannot be read.
    """
    return _context(archive, ssl.Purpose.SERVER_AUTH)


def listener_context(archive: Archive) -> ssl.SSLContext:
    """Return the TLS context of the listener that C-MOVE sends to.

    Raises
    ------
    OsteotraceError
        As `client_context`; or if the archive has no certificate to listen with.
    """
    if not archive.certificate_file:
        found = "no certificate to listen with over TLS"
        raise archive.wrong("certificate_file", found, "a certificate and its key")
    context = _context(archive, ssl.Purpose.CLIENT_AUTH)
    # The archive must show a certificate of its own: anyone could send to a listener.
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _context(archive: Archive, purpose: ssl.Purpose) -> ssl.SSLContext:
    check_files(archive)
    try:
        context = ssl.create_default_context(purpose, cafile=archive.ca_file or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if archive.certificate_file:
            key = archive.key_file or archive.certificate_file
            context.load_cert_chain(archive.certificate_file, key)
    except (ssl.SSLError, OSError) as problem:
        reason = getattr(problem, "reason", None) or type(problem).__name__
        found = f"certificates that cannot be used ({reason})"
        raise archive.wrong("ca_file", found, "PEM files that fit") from problem
    return context
