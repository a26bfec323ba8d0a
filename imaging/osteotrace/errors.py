"""The one error that osteotrace raises for input it cannot use.

Every boundary (files, command line, plugin) turns what goes wrong into this class,
so that a user always reads what was found, what was expected, and what to do.
"""

from __future__ import annotations


class OsteotraceError(Exception):
    """Input that cannot be used, with the way out.

    Parameters
    ----------
    found : str
        What was found, in words.
    expected : str
        What would have been right.
    advice : str
        What the user can do about it.
    where : str, optional
        The file, tag or option concerned.
    usage : bool, default False
        True where the call itself is wrong or ambiguous (exit code 2), False where
        an input was refused or failed (exit code 1).
    """

    def __init__(
        self,
        found: str,
        *,
        expected: str,
        advice: str,
        where: str = "",
        usage: bool = False,
    ) -> None:
        self.found = _text(found)
        self.expected = _text(expected)
        self.advice = _text(advice)
        self.where = _text(where)
        self.usage = usage
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}found {self.found}; expected {self.expected}; {self.advice}"

    def __reduce__(self) -> tuple[object, ...]:
        """Cross process borders whole (keyword-only arguments defeat the default)."""
        said = (self.found, self.expected, self.advice, self.where, self.usage)
        return _rebuild, (type(self), *said)

    def as_dict(self) -> dict[str, str]:
        """Return the parts by name, for ``--json`` and tables."""
        return {
            "found": self.found,
            "expected": self.expected,
            "advice": self.advice,
            "where": self.where,
        }


class NothingSelectedError(OsteotraceError):
    """A study in which a protocol means nothing: it has failed at nothing."""


def _text(words: str) -> str:
    """Return words that every file can hold: names of files may be no Unicode."""
    return words.encode("utf-8", "backslashreplace").decode("utf-8")


def _rebuild(
    kind: type[OsteotraceError],
    found: str,
    expected: str,
    advice: str,
    where: str,
    usage: bool,
) -> OsteotraceError:
    return kind(found, expected=expected, advice=advice, where=where, usage=usage)
