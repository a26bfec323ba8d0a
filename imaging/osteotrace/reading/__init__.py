"""The workflows: a study and a protocol in, an Assessment out.

Everything a front door does with images is composed here from the layers below, once,
so that the library, the command line and the plugin get the identical number.
``sources`` loads, ``calipers`` and ``lesions`` turn entries into findings, ``assessing``
gathers them, ``studies`` follows a protocol through one study or a tree.
"""

from osteotrace.reading.assessing import (
    INTERACTIVE,
    SOFTWARE,
    assess,
    content_uid,
    series_reference,
    tracking_uid,
)
from osteotrace.reading.calipers import caliper, caliper_finding
from osteotrace.reading.sources import is_image_file, load
from osteotrace.reading.studies import (
    StudyReading,
    by_study,
    measure,
    measure_studies,
    patient_and_date,
    protocol_of,
    read_study,
    volumes_of,
)

__all__ = [
    "INTERACTIVE",
    "SOFTWARE",
    "StudyReading",
    "assess",
    "by_study",
    "caliper",
    "caliper_finding",
    "content_uid",
    "is_image_file",
    "load",
    "measure",
    "measure_studies",
    "patient_and_date",
    "protocol_of",
    "read_study",
    "series_reference",
    "tracking_uid",
    "volumes_of",
]
