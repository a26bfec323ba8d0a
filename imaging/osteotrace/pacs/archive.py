"""Where an archive is and how it is spoken to; its secrets stay where they lie.

An `Archive` names the environment variable or the file that a password or a token is in.
The secret itself is read when a connection is made and is never part of a record, a
message or a log.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec

from osteotrace.errors import OsteotraceError

# PS3.8 9.3.2 and PS3.5 6.2: an application entity title has 1 to 16 characters.
AET_LENGTH: Final = 16
_MOST_PORT: Final = 65535
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
# A password or a token is a line; more is another kind of file.
_LONGEST_SECRET_BYTES: Final = 100_000


class WrongSetting(OsteotraceError):
    """A setting of an archive that cannot be; ``key`` names it."""

    key: str = ""


class Archive(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One archive: a DICOMweb service (``url``) or a DIMSE peer (``host``, ``port``).

    Parameters
    ----------
    name : str
        What users call it.
    url : str
        Of the DICOMweb service, such as ``https://pacs.example.org/dicom-web``.
    host, port, aet : str, int, str
        Of the DIMSE peer: its address, TCP port and application entity title.
    calling_aet : str
        How osteotrace calls itself to the peer, which often must know it.
    retrieve : {"get", "move"}
        C-GET, or C-MOVE to a listener that is opened for the time of the transfer.
    listen_port : int
        TCP port of that listener; the peer must know it with ``calling_aet``.
    tls : bool
        Whether DIMSE runs over TLS (PS3.15 B.9); DICOMweb does where ``url`` says https.
    ca_file : str
        PEM file of the authorities to trust; empty for those of the system.
    certificate_file, key_file : str
        PEM files of our own certificate and its key, where the archive asks for one.
    user : str
        For a password: HTTP Basic, or User Identity Negotiation (PS3.7 D.3.3.7).
    password_variable, password_file : str
        Environment variable or file, one of them, that holds the password.
    token_variable, token_file : str
        Environment variable or file that holds a bearer token, in place of a password.
    proxy : str
        URL of an HTTP proxy; those of the environment are not asked.
    allow_unencrypted : bool
        True lets a secret travel without TLS to another machine.
    may_change : tuple of str
        Keywords of the elements that this archive is known to change in what it stores,
        such as ``PatientName``; a difference in them is no refusal.
    timeout_s : float
        Longest wait for an answer, s.
    attempts : int
        How often a call is tried while the archive is busy or cannot be reached.
    first_pause_s : float
        Pause before the second attempt, s; each later one is twice as long.
    """

    name: str
    url: str = ""
    host: str = ""
    port: int = 0
    aet: str = ""
    calling_aet: str = "OSTEOTRACE"
    retrieve: Literal["get", "move"] = "get"
    listen_port: int = 0
    tls: bool = False
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    user: str = ""
    password_variable: str = ""
    password_file: str = ""
    token_variable: str = ""
    token_file: str = ""
    proxy: str = ""
    allow_unencrypted: bool = False
    may_change: tuple[str, ...] = ()
    timeout_s: float = 30.0
    attempts: int = 3
    first_pause_s: float = 1.0

    def __post_init__(self) -> None:
        for key, found, expected in _mistakes(self):
            raise self.wrong(key, found, expected)

    @property
    def web(self) -> bool:
        """True for DICOMweb, False for DIMSE."""
        return bool(self.url)

    @property
    def where(self) -> str:
        """The archive as messages name it."""
        return f"archive {self.name}"

    @property
    def encrypted(self) -> bool:
        """Whether what is said to it travels over TLS."""
        return self.url.startswith("https:") if self.web else self.tls

    def wrong(self, key: str, found: str, expected: str) -> WrongSetting:
        """Return the error of one of its settings."""
        problem = WrongSetting(
            found,
            expected=expected,
            advice=f"correct {key!r} of the archive",
            where=self.where,
            usage=True,
        )
        problem.key = key
        return problem

    def password(self) -> str:
        """Return the password, empty where the archive asks for none.

        Raises
        ------
        OsteotraceError
            If the variable is not set, or the file cannot be read or is open to others.
        """
        return self._secret("password", self.password_variable, self.password_file)

    def token(self) -> str:
        """Return the bearer token, empty where the archive asks for none.

        Raises
        ------
        OsteotraceError
            As `password`.
        """
        return self._secret("token", self.token_variable, self.token_file)

    def _secret(self, what: str, variable: str, file: str) -> str:
        if variable:
            secret = os.environ.get(variable, "")
        elif file:
            secret = self._secret_of_file(what, Path(file))
        else:
            return ""
        if not secret.strip():
            raise self.wrong(
                f"{what}_variable" if variable else f"{what}_file",
                f"no {what} in {variable or file}",
                f"the {what} of the archive there",
            )
        return secret.strip("\r\n")

    def _secret_of_file(self, what: str, file: Path) -> str:
        try:
            with file.open("rb") as stream:
                mode = os.fstat(stream.fileno()).st_mode
                content = stream.read(_LONGEST_SECRET_BYTES)
            text = content.decode("utf-8")
        except (OSError, UnicodeDecodeError) as problem:
            reason = getattr(problem, "strerror", None) or "not text"
            found = f"a file that cannot be read ({reason}): {file}"
            raise self.wrong(f"{what}_file", found, f"a file of one {what}") from problem
        if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise self.wrong(
                f"{what}_file",
                f"a file that others may read: {file}",
                f"a file of its owner alone (chmod 600 {file.name})",
            )
        return text


def _mistakes(archive: Archive) -> list[tuple[str, str, str]]:
    """Return what is wrong with an archive: setting, what was found, what is expected."""
    one = archive
    wrong: list[tuple[str, str, str]] = []
    if bool(one.url) == bool(one.host):
        both = "url and host" if one.url else "neither url nor host"
        wrong.append(("url", both, "url for DICOMweb, or host, port and aet for DIMSE"))
    elif one.url:
        wrong += _web_mistakes(one)
    else:
        wrong += _dimse_mistakes(one)
    for what in ("password", "token"):
        if getattr(one, f"{what}_variable") and getattr(one, f"{what}_file"):
            found = f"two places of the {what}"
            wrong.append((f"{what}_file", found, f"{what}_variable or {what}_file"))
    has_password = bool(one.password_variable or one.password_file)
    has_token = bool(one.token_variable or one.token_file)
    if has_password and has_token:
        wrong.append(("token_file", "a password and a token", "one of them"))
    if bool(one.user) != has_password:
        found = f"a {'user without a password' if one.user else 'password without user'}"
        wrong.append(("user", found, "user with password_variable or password_file"))
    if one.key_file and not one.certificate_file:
        found = "a key without its certificate"
        wrong.append(("certificate_file", found, "certificate_file"))
    if (has_password or has_token) and not (one.encrypted or one.allow_unencrypted):
        host = urlsplit(one.url).hostname if one.web else one.host
        # A proxy reads along.
        if host not in _LOOPBACK or one.proxy:
            found = "a secret that would travel unencrypted"
            wrong.append(("url" if one.web else "tls", found, "https, or tls = true"))
    wrong += [
        (key, f"{key} = {value}", expected)
        for key, value, fits, expected in (
            ("timeout_s", one.timeout_s, 0 < one.timeout_s < 1e6, "seconds above 0"),
            ("attempts", one.attempts, 1 <= one.attempts <= 100, "1 to 100"),
            ("first_pause_s", one.first_pause_s, 0 <= one.first_pause_s < 1e4, "s"),
        )
        if not fits
    ]
    return wrong


def _web_mistakes(one: Archive) -> list[tuple[str, str, str]]:
    try:
        parts = urlsplit(one.url)
    except ValueError:
        return [("url", "no URL", "the URL of a DICOMweb service")]
    like = "https://pacs.example.org/dicom-web"
    if parts.username is not None or parts.password is not None:
        return [("url", "a user or a secret in the URL", "user and password_variable")]
    if parts.query or parts.fragment:
        # Not repeated: some services take a secret there.
        return [("url", "a query in the URL", f"the URL alone, as {like}")]
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return [("url", f"{one.url!r}", f"the URL of a DICOMweb service, as {like}")]
    if "@" in one.proxy:
        found = "a user or a secret in the URL of the proxy"
        return [("proxy", found, "a proxy that asks for none")]
    dimse = [key for key in ("port", "aet", "listen_port", "tls") if getattr(one, key)]
    return [(key, f"{key} beside url", "settings of DICOMweb alone") for key in dimse]


def _dimse_mistakes(one: Archive) -> list[tuple[str, str, str]]:
    wrong: list[tuple[str, str, str]] = []
    if not 0 < one.port <= _MOST_PORT:
        wrong.append(("port", f"port {one.port}", f"1 to {_MOST_PORT}"))
    for key in ("aet", "calling_aet"):
        title = getattr(one, key)
        is_title = title.isascii() and title.isprintable() and "\\" not in title
        if not is_title or not 0 < len(title.strip()) <= AET_LENGTH:
            wrong.append((key, f"{title!r}", f"1 to {AET_LENGTH} ASCII characters"))
    if one.retrieve == "move" and not 0 < one.listen_port <= _MOST_PORT:
        found = f"listen_port {one.listen_port} with retrieve = 'move'"
        wrong.append(("listen_port", found, "the port that the archive sends to"))
    if one.proxy:
        wrong.append(("proxy", "proxy beside host", "a setting of DIMSE"))
    return wrong
