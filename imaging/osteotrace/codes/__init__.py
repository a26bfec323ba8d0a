"""Every coded concept and UCUM unit that osteotrace writes: one module a table.

Nothing here reads or writes: other modules look names up.
"""

from osteotrace.codes.beyond_dicom import BEYOND_DICOM, Equivalent, equivalents_of
from osteotrace.codes.changes import STATES, VERDICTS
from osteotrace.codes.concepts import (
    PRIVATE_SCHEME,
    PRIVATE_SCHEME_NAME,
    PRIVATE_SCHEME_UID,
    Concept,
    look_up,
    name_of,
)
from osteotrace.codes.descriptions import (
    COURSES,
    DESCRIPTORS,
    DEVICES,
    MORPHOLOGIES,
    PLANES,
    SEVERITIES,
    SIGNALS,
    TIME_POINTS,
    TISSUES,
)
from osteotrace.codes.drugs import DRUGS, ROUTES, USUAL_ROUTES
from osteotrace.codes.facts import FACT_CONCEPTS, FACTS, FactDefinition
from osteotrace.codes.images import IMAGE_DESCRIPTORS, MODALITIES, PROCEDURES
from osteotrace.codes.kinds import KINDS
from osteotrace.codes.pharmaceuticals import (
    DRUG_CLASS_CONCEPTS,
    DRUG_CONCEPTS,
    ROUTE_CONCEPTS,
)
from osteotrace.codes.qualifiers import (
    BASES,
    CERTAINTIES,
    EVIDENCES,
    FACT_SOURCES,
    LATERALITIES,
    PRESENCES,
    TRUTH_VALUES,
)
from osteotrace.codes.quantities import QUANTITIES
from osteotrace.codes.report import ENGLISH, REPORT
from osteotrace.codes.reserved import RESERVED
from osteotrace.codes.sites import BONE_UNITS, SITES, VERTEBRAE
from osteotrace.codes.stagings import STAGINGS, stage_concept
from osteotrace.codes.units import UNITS

__all__ = [
    "BASES",
    "BEYOND_DICOM",
    "BONE_UNITS",
    "CERTAINTIES",
    "COURSES",
    "DESCRIPTORS",
    "DEVICES",
    "DRUGS",
    "DRUG_CLASS_CONCEPTS",
    "DRUG_CONCEPTS",
    "ENGLISH",
    "EVIDENCES",
    "FACTS",
    "FACT_CONCEPTS",
    "FACT_SOURCES",
    "IMAGE_DESCRIPTORS",
    "KINDS",
    "LATERALITIES",
    "MODALITIES",
    "MORPHOLOGIES",
    "PLANES",
    "PRESENCES",
    "PRIVATE_SCHEME",
    "PRIVATE_SCHEME_NAME",
    "PRIVATE_SCHEME_UID",
    "PROCEDURES",
    "QUANTITIES",
    "REPORT",
    "RESERVED",
    "ROUTES",
    "ROUTE_CONCEPTS",
    "SEVERITIES",
    "SIGNALS",
    "SITES",
    "STAGINGS",
    "STATES",
    "TIME_POINTS",
    "TISSUES",
    "TRUTH_VALUES",
    "UNITS",
    "USUAL_ROUTES",
    "VERDICTS",
    "VERTEBRAE",
    "Concept",
    "Equivalent",
    "FactDefinition",
    "equivalents_of",
    "look_up",
    "name_of",
    "stage_concept",
]
