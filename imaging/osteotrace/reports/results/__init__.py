"""What measuring leaves: a folder a study, and tables over all of them.

::

    OUT/README.txt                what is what, and the research-use statement
    OUT/measurements.csv          one row a measurement; failed studies as rows
    OUT/measurements.parquet      the same, typed
    OUT/measurements_wide.csv     one row a study
    OUT/data_dictionary.csv       every column and quantity: type, unit, meaning
    OUT/contact_sheet.html        every case with its picture, doubts first
    OUT/<patient>_<date>_<study>/ assessment.json, pictures; DICOM SR and SEG where asked
"""

from osteotrace.reports.results.folders import Results, result_folder
from osteotrace.reports.results.run_tables import (
    CSV,
    DICTIONARY,
    PARQUET,
    README,
    TABLE,
    WIDE,
    write_tables,
)
from osteotrace.reports.results.studies import (
    NO_SR,
    RECORD,
    Pictures,
    folder_name,
    study_folder,
    write_study,
)

__all__ = [
    "CSV",
    "DICTIONARY",
    "NO_SR",
    "PARQUET",
    "README",
    "RECORD",
    "TABLE",
    "WIDE",
    "Pictures",
    "Results",
    "folder_name",
    "result_folder",
    "study_folder",
    "write_study",
    "write_tables",
]
