"""Names of vertebral levels, their order, and which of them have a body to measure."""

from __future__ import annotations

from typing import Final

from osteotrace.errors import OsteotraceError

# Place along the spine; a transitional level lies between or beyond the usual ones.
_RANKS: Final = {
    **{f"C{n}": float(n) for n in range(1, 8)},
    **{f"T{n}": 7.0 + n for n in range(1, 13)},
    "T13": 19.5,
    **{f"L{n}": 19.0 + n for n in range(1, 7)},
}
_TRANSITIONAL: Final = ("T13", "L6")
_WITHOUT_BODY: Final = ("C1", "C2", "S1", "S2", "S3", "S4", "S5", "SACRUM", "COCCYX")
# A reference level lies at most this many levels away (clinical rule).
FARTHEST_REFERENCE: Final = 3


def checked(level: str) -> str:
    """Return the name of a level in capitals.

    Raises
    ------
    OsteotraceError
        If there is no such level, or it has no body with two endplates (C1, C2,
        sacrum).
    """
    name = str(level).strip().upper()
    if name in _WITHOUT_BODY:
        raise OsteotraceError(
            f"the level {name}",
            expected="a level from C3 to L5, whose body has two endplates",
            advice="heights of this level are not defined; leave it out",
            usage=True,
        )
    if name not in _RANKS:
        raise OsteotraceError(
            f"the level {level!r}",
            expected="a level from C3 to L5 (T13 and L6 where they exist)",
            advice="name the level of the vertebra, e.g. L1",
            usage=True,
        )
    return name


def doubts(level: str) -> tuple[str, ...]:
    """Return what a level's name says against its comparison with others."""
    if level in _TRANSITIONAL:
        return (f"{level} is a transitional level: its form differs from its neighbours",)
    return ()


def steps_between(first: str, second: str) -> float:
    """Return how many levels the second lies below the first."""
    return _RANKS[second] - _RANKS[first]
