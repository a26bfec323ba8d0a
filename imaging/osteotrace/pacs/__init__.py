"""Archives of images (PACS): find studies, fetch them, send readings, read them back.

Over DICOMweb and over DIMSE, with the same calls and the same answers::

    from osteotrace import pacs

    archive = pacs.named("hospital")
    with pacs.connect(archive) as connection:
        found = connection.find(pacs.Query(patient_id="12345", modality="CT"))
        fetched = connection.fetch(found[0].study_uid, "studies/first")
        sent = connection.send(["results/records/2.25.17.dcm"])

What is fetched is there whole or not at all. What is sent is read back and compared with
the file by its content, and a file is refused before anything is sent where the archive
holds other content under the same SOP Instance UID: archives answer "success" to such a
file and keep the old one.
"""

from osteotrace.pacs.archive import Archive
from osteotrace.pacs.connection import Connection, connect
from osteotrace.pacs.records import Fetched, Query, Sent, StudyFound
from osteotrace.pacs.settings import archives, archives_file, named

__all__ = [
    "Archive",
    "Connection",
    "Fetched",
    "Query",
    "Sent",
    "StudyFound",
    "archives",
    "archives_file",
    "connect",
    "named",
]
