"""What becomes of a protocol's findings: stages, records and pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from osteotrace.staging import system_names

if TYPE_CHECKING:
    from collections.abc import Iterator

Pictures = Literal["finding", "case", "none"]


class Stagings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which systems stage a study.

    Parameters
    ----------
    systems : tuple of str
        Of `osteotrace.staging.system_names`. Empty: every system that applies where
        clinical facts are given, and none elsewhere.
    """

    systems: tuple[str, ...] = ()

    def wrong(self) -> Iterator[tuple[str, str, str]]:
        """Yield what the types cannot tell: key, what was found, what was expected."""
        known = system_names()
        for name in self.systems:
            if name not in known:
                yield "systems", f"the system {name!r}", "of " + ", ".join(known)
        if len(set(self.systems)) < len(self.systems):
            yield "systems", "one system twice", "each system once"


class Results(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is written of each study beside its rows in the tables.

    Parameters
    ----------
    records : bool or None
        Whether DICOM SR and SEG are written. Not said: of one study that is measured by
        itself, and not of a tree.
    pictures : str or None
        One picture a ``finding``, one a ``case``, or ``none``. Not said: a finding of one
        study, a case of a tree.
    """

    records: bool | None = None
    pictures: Pictures | None = None

    def wrong(self) -> Iterator[tuple[str, str, str]]:
        """Yield what the types cannot tell: nothing."""
        return iter(())
