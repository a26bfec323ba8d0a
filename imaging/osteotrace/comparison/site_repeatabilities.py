"""A site's own repeatability coefficients as a file: made from repeats, and read back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.change import SiteRepeatability
from osteotrace.codes import QUANTITIES
from osteotrace.comparison.agreement_statistics import LEAST_PAIRS
from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from osteotrace.change import Repeatability
    from osteotrace.comparison.agreement_records import Agreement

FILE_VERSION: Final = 1


class SiteFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A site's own repeatability coefficients as a file, made from its own repeats.

    Parameters
    ----------
    readers : (first, second)
    recorded : str
        ISO 8601 date and time.
    repeatabilities : tuple of SiteRepeatability
    version : int
        Of this form.
    """

    readers: tuple[str, str]
    recorded: str
    repeatabilities: tuple[SiteRepeatability, ...]
    version: int = FILE_VERSION


def site_file(found: Agreement, *, recorded: str) -> bytes:
    """Return the coefficients of an agreement as indented UTF-8 JSON.

    Raises
    ------
    OsteotraceError
        If it has none.
    """
    own = tuple(
        one.repeatability for one in found.quantities if one.repeatability is not None
    )
    if not own:
        raise OsteotraceError(
            "readings that give no coefficient of any quantity",
            expected=f"{LEAST_PAIRS} lesions at least that were measured twice",
            advice="read more lesions twice; twenty give a coefficient within a third",
        )
    made = SiteFile(readers=found.readers, recorded=recorded, repeatabilities=own)
    return msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n"


def read_repeatabilities(path: str | os.PathLike[str]) -> Mapping[str, Repeatability]:
    """Read a site's own coefficients, by quantity.

    Raises
    ------
    OsteotraceError
        If the file cannot be read, is of another form or a later version, or names a
        quantity that is not known, or one twice.
    """
    file = Path(path)
    try:
        whole = msgspec.json.decode(file.read_bytes(), type=SiteFile)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise _no_site_file(f"a file that cannot be read ({problem})", file) from problem
    if whole.version != FILE_VERSION:
        raise _no_site_file(f"coefficients of version {whole.version}", file)
    known: dict[str, Repeatability] = {}
    for one in whole.repeatabilities:
        for quantity in one.repeatability.quantities:
            if quantity not in QUANTITIES:
                raise _no_site_file(f"a coefficient of {quantity!r}", file)
            if quantity in known:
                raise _no_site_file(f"two coefficients of {quantity}", file)
            known[quantity] = one.repeatability
    return known


def _no_site_file(found: str, file: Path) -> OsteotraceError:
    return OsteotraceError(
        found,
        expected=f"coefficients of a site, version {FILE_VERSION}",
        advice="use a file that 'osteotrace agreement --out' wrote",
        where=str(file),
        usage=True,
    )
