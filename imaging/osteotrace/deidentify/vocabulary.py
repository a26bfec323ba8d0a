"""Texts cleaned to the words of a vocabulary: what is no word of it is no more there.

Descriptions of images keep words of imaging; sentences that osteotrace wrote into its
records keep the words that its own code writes. Numbers stay where they are too short
for an identity or a date.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

from osteotrace.about import SOFTWARE_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

# What stands in place of words that were removed.
REMOVED: Final = "[removed]"
_RUN: Final = re.compile(r"\w+(?:\.\w+)*", re.UNICODE)
_GAPS: Final = re.compile(
    rf"{re.escape(REMOVED)}(?:[\s.,;:/()'_-]*{re.escape(REMOVED)})+"
)
_EMPTY_BRACKETS: Final = re.compile(r"[(\[{<][\s.,;:/_-]*[)\]}>]")
# Numbers of up to three digits, or decimals: a measured value, not an identity.
_NUMBER: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,6})?(e-?[0-9]{1,2})?")
_WITH_UNIT: Final = re.compile(
    r"[0-9]{1,3}(\.[0-9]{1,3})?(mm|cm|ms|s|deg|kv|t|x|d|w)", re.IGNORECASE
)
# Vertebrae, grades and ranges of them; teeth by number have two digits and pass above.
_LEVEL: Final = re.compile(r"[cCtTlLsS][0-9]{1,2}|[fF][0-9]|[IVX]{1,4}")
# A known word with its number, such as a stage or a phase.
_NUMBERED: Final = re.compile(r"([^\W\d_]{3,})([0-9]{1,2})")
# Signs between words. Others, such as letters of another script, are words.
_PLAIN: Final = frozenset(" \t\n.,;:!?/()[]{}<>=+-–—−±×·*%°'\"&|#_~≤≥²³→µ…@^")
# The longest text that is worth cleaning; a record's sentences are shorter.
_LONGEST: Final = 20_000


@cache
def imaging_words() -> frozenset[str]:
    """Return the words that images may be described by, lower case."""
    return _words("imaging_words.txt")


@cache
def software_words() -> frozenset[str]:
    """Return the words that osteotrace writes into records, lower case."""
    return _words("software_words.txt") | imaging_words()


def _words(name: str) -> frozenset[str]:
    text = resources.files(__package__).joinpath(name).read_text("utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return frozenset(word.lower() for line in lines for word in line.split())


def cleaned(
    text: str,
    words: frozenset[str],
    excluded: frozenset[str] = frozenset(),
    *,
    allow: Callable[[str], bool] = lambda _: False,
    gap: str = REMOVED,
) -> str:
    """Return a text with the words of a vocabulary alone.

    Parameters
    ----------
    text : str
    words : frozenset of str
        Lower case.
    excluded : frozenset of str
        Words that go although they are in the vocabulary: of names, lower case.
    allow : callable
        Tells of a word beyond them whether it may stay.
    gap : str
        Stands for words that were removed; empty leaves no trace of them.

    Examples
    --------
    >>> cleaned("Sag T1 of Mr Doe 4711", frozenset({"sag", "of"}), gap="")
    'Sag T1 of'
    """

    def judged(match: re.Match[str]) -> str:
        return _kept(match[0], words, excluded, allow, gap)

    plain = "".join(
        sign if sign in _PLAIN or sign.isalnum() else gap for sign in text[:_LONGEST]
    )
    told = _GAPS.sub(gap, _RUN.sub(judged, plain))
    return told if gap else _without_gaps(told)


def _without_gaps(text: str) -> str:
    """Return a text without the signs that stood between words that are gone."""
    closed = _EMPTY_BRACKETS.sub("", text)
    return " ".join(closed.split()).strip(" ,;:/-_.'\"&|#~=+^@!?")


def _kept(
    run: str,
    words: frozenset[str],
    excluded: frozenset[str],
    allow: Callable[[str], bool],
    gap: str,
) -> str:
    """Return a run of letters, digits, points and low lines, or what stands for it."""
    if allow(run):
        return run
    known = run.lower()
    if known in excluded:
        return gap
    if known in words or _NUMBER.fullmatch(run) or _WITH_UNIT.fullmatch(run):
        return run
    if _LEVEL.fullmatch(run):
        return run
    numbered = _NUMBERED.fullmatch(known)
    if numbered is not None and numbered[1] in words and numbered[1] not in excluded:
        return run
    parts = re.split(r"([._])", run)
    if len(parts) > 1:
        return "".join(
            part if part in "._" else _kept(part, words, excluded, allow, gap)
            for part in parts
        )
    return gap


def words_of(text: str) -> frozenset[str]:
    """Return the words of a name or number, lower case, to be excluded elsewhere.

    The software's own name is none: records would not be told apart without it.
    """
    found = (word.lower() for word in re.split(r"[\W_]+", text) if len(word) > 1)
    return frozenset(found) - {SOFTWARE_NAME}
