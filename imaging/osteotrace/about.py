"""What the software is: its version, its DICOM identity and its research-use statement.

Nothing here computes; every other module may read it.
"""

VERSION = "0.1.0"

SOFTWARE_NAME = "osteotrace"
# Folders are called so while somebody writes in them: what they hold is not whole.
UNFINISHED = f".{SOFTWARE_NAME}-"

# Root for UIDs that osteotrace makes: a UUID-derived arc (DICOM PS3.5 B.2).
UID_PREFIX = "2.25."

RESEARCH_USE_SHORT = "Research use only. Not a medical device."

RESEARCH_USE_STATEMENT = (
    "Research use only. Not a medical device. This software measures and records; it "
    "does not diagnose or recommend treatment, and has not been cleared or approved by "
    "any authority (e.g. EU MDR 2017/745, US FDA). Results depend on image quality, on "
    "where the user places points, and on facts the user enters; they can be wrong. "
    "Stages and scores are decision tables from the cited papers, shown as intervals "
    "when facts are missing; the functional–aesthetic profile is a proposal without "
    "validation. A qualified clinician must check every image, number and stage against "
    "the original images and the patient before any use. Do not use for emergency "
    "decisions. CBCT values are not Hounsfield units. Change smaller than the stated "
    "repeatability is not evidence of change. Do not upload identifiable data; "
    "de-identify first. No warranty; see licence."
)

# For DICOM: a PACS may convert a record to a character set that has no dash.
RESEARCH_USE_STATEMENT_ASCII = RESEARCH_USE_STATEMENT.replace("\N{EN DASH}", "-")
