"""A reading in progress, without a window: what is open, marked, said and undone.

``session`` is the front door; ``draft`` holds state and changes, ``journal`` keeps them
on disk, ``marking`` turns marks into findings, ``commands`` says what each command does,
``saving`` writes records.
"""

from osteotrace.records.places import RECORDS_FOLDER
from osteotrace.session.changes import DrawnMask, Held
from osteotrace.session.draft import Recovery
from osteotrace.session.levels import Levels
from osteotrace.session.marking import LoadedVolume
from osteotrace.session.session import Session

__all__ = [
    "RECORDS_FOLDER",
    "DrawnMask",
    "Held",
    "Levels",
    "LoadedVolume",
    "Recovery",
    "Session",
]
