"""Which places a finding speaks of: what lies within what, and both sides of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from osteotrace.findings import Finding

_MAXILLA: Final = frozenset(
    {
        "alveolar_process_of_maxilla",
        "hard_palate",
        "hard_palate_mucosa",
        "maxillary_dental_arch",
        "maxillary_sinus",
        "premaxilla",
    }
)
_MANDIBLE: Final = frozenset(
    {
        "alveolar_process_of_mandible",
        "body_of_mandible",
        "condyle_of_mandible",
        "mandibular_dental_arch",
        "ramus_of_mandible",
    }
)
# The two bones which together are the jaw, and sites that name it whole.
_BONES: Final = frozenset({"maxilla", "mandible"})
_WHOLE_JAW: Final = ("jaw", "facial_bones")
_JAW: Final = _BONES | _MAXILLA | _MANDIBLE
_PARTS: Final = {
    "maxilla": _MAXILLA,
    "mandible": _MANDIBLE,
    "hard_palate": frozenset({"hard_palate_mucosa", "palatine_bone"}),
    "jaw": _JAW,
    "facial_bones": _JAW | {"jaw", "palatine_bone", "zygoma"},
}


def lies_within(site: str, whole: str) -> bool:
    """Tell whether a site is another one or a part of it.

    Examples
    --------
    >>> lies_within("body_of_mandible", "mandible"), lies_within("maxilla", "mandible")
    (True, False)
    """
    return site == whole or site in _PARTS.get(whole, ())


def are_both_sides(sides: Collection[str]) -> bool:
    """Tell whether lateralities leave no side out; a place without one is whole.

    Examples
    --------
    >>> are_both_sides({""}), are_both_sides({"left"}), are_both_sides({"left", "right"})
    (True, False, True)
    """
    return bool({"", "bilateral"} & set(sides)) or {"left", "right"} <= set(sides)


def leave_nothing_out(
    absent: Iterable[Finding], sites: Collection[str] | None, laterality: str | None
) -> bool:
    """Tell whether what was looked for and not found was looked for everywhere asked.

    Parameters
    ----------
    absent : iterable of Finding
        What was looked for and is not there, at the sites and the side that are asked.
    sites : collection of str, optional
        Where it is asked; of the jaw, it is the jaw by name or both its bones. None asks
        of no place: then any absence answers.
    laterality : str, optional
        The side that is asked; by default both.
    """
    if sites is None:
        return True
    sides: dict[str, set[str]] = {}
    for finding in absent:
        sides.setdefault(finding.site, set()).add(finding.laterality)
    whole = {
        site
        for site, found in sides.items()
        if laterality is not None or are_both_sides(found)
    }
    if "jaw" in sites:
        return bool(whole.intersection(_WHOLE_JAW)) or whole >= _BONES
    return whole >= set(sites)


def denies(absent: Finding, present: Finding) -> bool:
    """Tell whether a finding that is absent speaks of the place of one that is there."""
    sides = absent.laterality in ("", "bilateral", present.laterality)
    return (
        absent.kind == present.kind
        and lies_within(present.site, absent.site)
        and (sides or present.laterality == "bilateral")
    )
