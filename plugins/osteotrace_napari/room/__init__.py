"""The reading room: a session, the canvases and the panel, wired to each other.

`reading_room` composes it; one module a concern: ``opening`` studies and series,
``marking`` findings, ``painting`` masks, ``staging``, ``keeping`` records, ``commands``
the keys, ``background`` the work off the window's thread. Nothing here measures, stages
or reads DICOM: the session does.
"""

from osteotrace_napari.room.reading_room import ReadingRoom

__all__ = ["ReadingRoom"]
