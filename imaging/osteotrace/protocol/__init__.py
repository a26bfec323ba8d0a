"""Protocols: what is measured where on which series, as TOML files that are checked.

``entry`` says what every entry has, ``entries`` what a protocol can ask for;
``toml_files`` reads and checks one.
"""

from osteotrace.protocol.choices import SeriesChoice
from osteotrace.protocol.entries import (
    SIX_POINTS,
    TABLES,
    CaliperEntry,
)
from osteotrace.protocol.entry import Entry, Where
from osteotrace.protocol.mask_sources import MaskSources
from osteotrace.protocol.outcomes import Results, Stagings
from osteotrace.protocol.toml_files import (
    MAX_BYTES,
    Protocol,
    meant_volume,
    names,
    parse,
    read,
)

__all__ = [
    "MAX_BYTES",
    "SIX_POINTS",
    "TABLES",
    "CaliperEntry",
    "Entry",
    "MaskSources",
    "Protocol",
    "Results",
    "SeriesChoice",
    "Stagings",
    "Where",
    "meant_volume",
    "names",
    "parse",
    "read",
]
