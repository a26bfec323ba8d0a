"""Texts in a DICOMweb query: stars that stay stars, and letters that an archive garbles.

``*`` and ``?`` may stand in a URL's query as they are (RFC 3986 3.4), and some archives
take ``%2A`` for three letters; some take any escape so. What cannot be asked for in plain
letters is then asked for with wildcards, and the answers are matched here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydicom.dataset import Dataset

# Matched as text with wildcards (PS3.4 C.2.2.2.4), and may hold any letter.
_TEXTS: Final = ("PatientID", "PatientName", "AccessionNumber", "StudyDescription")
# Letters that a URL holds unescaped, and the wildcards.
_PLAIN: Final = re.compile(r"[A-Za-z0-9._~*?-]")


def plain_adapter() -> Any:
    """Return a transport that leaves wildcards in a query unescaped."""
    from requests.adapters import HTTPAdapter

    class _Plain(HTTPAdapter):
        def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            path, mark, query = (request.url or "").partition("?")
            request.url = f"{path}{mark}{query.replace('%2A', '*').replace('%3F', '?')}"
            return super().send(request, *args, **kwargs)

    return _Plain()


def in_plain_letters(keys: Mapping[str, str]) -> dict[str, str]:
    """Return matching keys with wildcards for all that a URL would have to escape.

    Examples
    --------
    >>> in_plain_letters({"PatientName": "Müller^Ann", "StudyDate": "20240102-"})
    {'PatientName': 'M*ller?Ann', 'StudyDate': '20240102-'}
    """
    return {key: _plain(value) if key in _TEXTS else value for key, value in keys.items()}


def matches(answer: Dataset, keys: Mapping[str, str]) -> bool:
    """Return whether an archive's answer has the texts that were asked for."""
    return all(
        _pattern(wanted).fullmatch(str(answer.get(keyword) or "").strip()) is not None
        for keyword, wanted in keys.items()
        if keyword in _TEXTS
    )


def _plain(text: str) -> str:
    # A letter beyond ASCII may be several to an archive that counts bytes.
    kept = (
        letter if _PLAIN.fullmatch(letter) else "?" if letter.isascii() else "*"
        for letter in text
    )
    return "".join(kept)


def _pattern(text: str) -> re.Pattern[str]:
    wild = re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(wild, re.IGNORECASE | re.DOTALL)
