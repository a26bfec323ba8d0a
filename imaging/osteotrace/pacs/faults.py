"""What goes wrong with an archive, each as one clear error, and what is tried again."""

from __future__ import annotations

import time
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from osteotrace.pacs.archive import Archive

Answer = TypeVar("Answer")


class Unavailable(OsteotraceError):
    """An archive that is busy or away: the same call may do later."""


class NotThere(OsteotraceError):
    """What was asked for is not there, or the service itself is not."""


def unreachable(archive: Archive, reason: str) -> Unavailable:
    """Return the error of an archive that nobody answers for."""
    place = archive.url or f"{archive.host}, port {archive.port}"
    return Unavailable(
        f"no archive at {place} ({reason})",
        expected="an archive that answers there",
        advice="check its address and the network, or try again later",
        where=archive.where,
    )


def busy(archive: Archive, reason: str) -> Unavailable:
    """Return the error of an archive that broke off or asks to come again."""
    return Unavailable(
        f"an archive that did not finish its answer ({reason})",
        expected="the whole answer",
        advice="try again later, or give the archive a longer timeout_s",
        where=archive.where,
    )


def wrong_credentials(archive: Archive, reason: str) -> OsteotraceError:
    """Return the error of an archive that does not let us in."""
    return OsteotraceError(
        f"an archive that refuses the user or the secret ({reason})",
        expected="a user, password or token that it knows",
        advice="check 'user' and what password_variable, password_file, token_variable "
        "or token_file names",
        where=archive.where,
    )


def mistrusted(archive: Archive, reason: str) -> OsteotraceError:
    """Return the error of a TLS connection that did not come about."""
    return OsteotraceError(
        f"no trusted TLS connection ({reason})",
        expected="certificates that both sides trust",
        advice="check ca_file, certificate_file and key_file of the archive, and the "
        "name that its certificate is for",
        where=archive.where,
    )


def unexpected(archive: Archive, answer: str) -> OsteotraceError:
    """Return the error of an answer that is none."""
    return OsteotraceError(
        f"an answer that is of no use ({answer})",
        expected="an answer as DICOM's PS3.18 or PS3.4 has it",
        advice="check the archive's address (for DICOMweb the path, too) and ask its "
        "administrator",
        where=archive.where,
    )


def sent_elsewhere(archive: Archive, answer: str) -> OsteotraceError:
    """Return the error of an archive that names another address in place of an answer."""
    return OsteotraceError(
        f"an answer that sends us to another address ({answer})",
        expected="an archive that answers where its url says",
        advice="write the address itself as url of the archive: patients' names and our "
        "secret go nowhere else",
        where=archive.where,
    )


def refused(archive: Archive, reason: str) -> OsteotraceError:
    """Return the error of a request that an archive does not do."""
    return OsteotraceError(
        f"an archive that refuses the request ({reason})",
        expected="an archive that lets us query, fetch and store objects of this kind",
        advice="ask its administrator what it allows; for DIMSE also whether it knows "
        f"{archive.calling_aet!r}",
        where=archive.where,
    )


def not_taken(archive: Archive, file_name: str, reason: str) -> OsteotraceError:
    """Return the error of a file that an archive does not take."""
    return OsteotraceError(
        f"{file_name} refused by the archive ({reason})",
        expected="an archive that takes objects of this kind",
        advice="ask its administrator whether it accepts the object's SOP class and "
        "transfer syntax; what went before it is stored, and sending again goes on",
        where=archive.where,
    )


def no_such_study(archive: Archive, study_uid: str, series_uid: str) -> OsteotraceError:
    """Return the error of a study that an archive does not hold."""
    part = f"series {series_uid} of study {study_uid}" if series_uid else study_uid
    return OsteotraceError(
        f"no study {part}" if not series_uid else f"no {part}",
        expected="a study that the archive holds",
        advice="check the UID, or query the archive by patient or date",
        where=archive.where,
    )


def repeated(
    archive: Archive,
    call: Callable[[], Answer],
    *,
    pause: Callable[[float], None] | None = None,
) -> Answer:
    """Return what a call gives, tried again while the archive is away.

    Parameters
    ----------
    archive : Archive
        Says how often, and how long to wait in between.
    call : callable
        May be called more than once.
    pause : callable, optional
        Waits for a number of seconds.

    Raises
    ------
    Unavailable
        If the last attempt failed like the others.
    """
    wait = time.sleep if pause is None else pause
    for attempt in range(archive.attempts - 1):
        try:
            return call()
        except Unavailable:
            wait(archive.first_pause_s * 2**attempt)
    return call()


@contextmanager
def quiet(*names: str) -> Iterator[None]:
    """Keep libraries from logging what is asked: it names patients."""
    import logging

    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def library(name: str) -> Any:
    """Import a module of the extra that speaks to archives.

    Raises
    ------
    OsteotraceError
        If it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as problem:
        package = name.partition(".")[0].replace("_", "-")
        raise OsteotraceError(
            f"no package {package}",
            expected="the packages that speak to archives",
            advice='install them: pip install "osteotrace[pacs]"',
        ) from problem
