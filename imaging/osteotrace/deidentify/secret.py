"""The secret that names are mapped with: the same name and secret give the same one.

Each mapping is an HMAC-SHA256 of what it replaces, so that nobody without the secret can
go back or test a guess, and several runs and sites with one secret agree.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from osteotrace.about import UID_PREFIX
from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    import os

# A shorter one can be guessed.
LEAST_BYTES: Final = 16
_MOST_BYTES: Final = 1 << 16
# Signs of base 32 in a word: 60 bits.
_LETTERS: Final = 12
_DAYS_IN_A_WEEK: Final = 7
# Dates are moved back by one to ten years.
_LEAST_WEEKS: Final = 53
_WEEKS: Final = 468


@dataclass(frozen=True, slots=True)
class Secret:
    """What mappings are keyed with.

    Parameters
    ----------
    content : bytes
        At least 16; never printed.

    Raises
    ------
    OsteotraceError
        If it is shorter.
    """

    content: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.content) < LEAST_BYTES:
            raise OsteotraceError(
                f"a secret of {len(self.content)} bytes",
                expected=f"at least {LEAST_BYTES}, by chance",
                advice="make one with: python -c 'import secrets; "
                "print(secrets.token_hex(32))' > secret.txt",
                usage=True,
            )

    def digest(self, kind: str, text: str) -> bytes:
        """Return 32 bytes that stand for a text of one kind."""
        message = f"osteotrace\x1f{kind}\x1f{text}".encode("utf-8", "surrogatepass")
        return hmac.digest(self.content, message, hashlib.sha256)

    def uid(self, old: str) -> str:
        """Return the UID in place of another (PS3.5 B.2, a UUID's)."""
        made = uuid.UUID(bytes=self.digest("uid", old)[:16], version=5)
        return f"{UID_PREFIX}{made.int}"

    def word(self, kind: str, old: str, prefix: str = "X") -> str:
        """Return a word in place of a text: the prefix, then 12 signs of base 32."""
        letters = base64.b32encode(self.digest(kind, old)).decode()[:_LETTERS]
        return f"{prefix}{letters}"

    def days(self, patient: str) -> int:
        """Return by how many days a patient's dates move, back: whole weeks."""
        number = int.from_bytes(self.digest("days", patient)[:8], "big")
        return -_DAYS_IN_A_WEEK * (_LEAST_WEEKS + number % _WEEKS)

    @property
    def check(self) -> str:
        """A word that tells whether two runs used one secret, and nothing else of it."""
        return self.word("check", "")


def read_secret(path: str | os.PathLike[str]) -> Secret:
    """Read a secret from a file; line ends at its end count for nothing.

    Raises
    ------
    OsteotraceError
        If the file cannot be read, or holds less than 16 bytes or more than 65,536.
    """
    place = Path(path)
    try:
        with place.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except OSError as problem:
        raise OsteotraceError(
            f"a secret that cannot be read ({problem.strerror})",
            expected="a file with a secret of your own",
            advice="check the path given with --secret-file",
            usage=True,
        ) from problem
    if len(content) > _MOST_BYTES:
        raise OsteotraceError(
            f"a secret of more than {_MOST_BYTES} bytes",
            expected="a short file with a secret of your own",
            advice="check the path given with --secret-file",
            usage=True,
        )
    return Secret(content.rstrip(b"\r\n"))
