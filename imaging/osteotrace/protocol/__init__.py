"""Protocols: what is measured where on which series, as TOML files that are checked.

``entry`` says what every entry has, ``entries`` what a protocol can ask for; ``choices``
tells which series are meant, ``mask_sources`` where labels come from, ``outcomes`` what
becomes of findings. ``toml_files`` reads and checks one; ``meant`` finds the volume.
"""

from osteotrace.protocol.choices import SeriesChoice
from osteotrace.protocol.entries import (
    SIX_POINTS,
    TABLES,
    CaliperEntry,
)
from osteotrace.protocol.entry import Entry, Where
from osteotrace.protocol.mask_sources import MaskSources
from osteotrace.protocol.meant import (
    Fitting,
    fitting_volumes,
    meant_volume,
    meant_volumes,
)
from osteotrace.protocol.outcomes import Results, Stagings
from osteotrace.protocol.toml_files import (
    MAX_BYTES,
    Protocol,
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
    "Fitting",
    "MaskSources",
    "Protocol",
    "Results",
    "SeriesChoice",
    "Stagings",
    "Where",
    "fitting_volumes",
    "meant_volume",
    "meant_volumes",
    "names",
    "parse",
    "read",
]
