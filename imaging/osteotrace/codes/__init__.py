"""Every coded concept and UCUM unit that osteotrace writes: one module a table.

Nothing here reads or writes: other modules look names up.
"""

from osteotrace.codes.concepts import (
    PRIVATE_SCHEME,
    PRIVATE_SCHEME_NAME,
    PRIVATE_SCHEME_UID,
    Concept,
    look_up,
    name_of,
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
from osteotrace.codes.sites import SITES, VERTEBRAE
from osteotrace.codes.stagings import STAGINGS, stage_concept
from osteotrace.codes.units import UNITS

__all__ = [
    "BASES",
    "CERTAINTIES",
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
    "PRESENCES",
    "PRIVATE_SCHEME",
    "PRIVATE_SCHEME_NAME",
    "PRIVATE_SCHEME_UID",
    "PROCEDURES",
    "QUANTITIES",
    "REPORT",
    "ROUTES",
    "ROUTE_CONCEPTS",
    "SITES",
    "STAGINGS",
    "TRUTH_VALUES",
    "UNITS",
    "USUAL_ROUTES",
    "VERTEBRAE",
    "Concept",
    "FactDefinition",
    "look_up",
    "name_of",
    "stage_concept",
]
