"""Codes of the drugs, their classes and the routes they are given by.

DICOM publishes the routes (PS3.16 CID 11); a drug or a class that it has no code for has
one of 99OSTEO. What each drug is, is said in `osteotrace.codes.drugs`.
"""

from __future__ import annotations

from typing import Final

from osteotrace.codes.concepts import PRIVATE_SCHEME, Concept, table
from osteotrace.codes.drugs import (
    ANABOLIC,
    ANTI_INFLAMMATORY,
    ANTIANGIOGENIC,
    ANTIRESORPTIVE,
    GLUCOCORTICOID,
    IMMUNE_MODULATOR,
)


def _drugs(**values: str) -> dict[str, Concept]:
    """Return the concepts of drugs by name; the name is the meaning too."""
    return {
        (name := key.replace("_", " ")): Concept(value, PRIVATE_SCHEME, name.capitalize())
        for key, value in values.items()
    }


DRUG_CONCEPTS: Final[dict[str, Concept]] = _drugs(
    abaloparatide="P-ABALOPAR",
    adalimumab="P-ADALIM",
    aflibercept="P-AFLIBER",
    alendronate="P-ALENDRON",
    bevacizumab="P-BEVACIZ",
    clodronate="P-CLODRON",
    denosumab="P-DENOSUM",
    etanercept="P-ETANERC",
    etidronate="P-ETIDRON",
    hydrocortisone="P-HYDROCORT",
    ibandronate="P-IBANDRON",
    ibuprofen="P-IBUPROF",
    indomethacin="P-INDOMET",
    infliximab="P-INFLIX",
    methotrexate="P-METHOTREX",
    methylprednisolone="P-METHYLPRED",
    minodronate="P-MINODRON",
    naproxen="P-NAPROX",
    neridronate="P-NERIDRON",
    pamidronate="P-PAMIDRON",
    prednisolone="P-PREDNISOLON",
    prednisone="P-PREDNISON",
    risedronate="P-RISEDRON",
    romosozumab="P-ROMOSOZ",
    sirolimus="P-SIROLIM",
    sorafenib="P-SORAFEN",
    sunitinib="P-SUNITIN",
    teriparatide="P-TERIPAR",
    zoledronate="P-ZOLEDRON",
    other_antiresorptive="P-OTHANTIRES",
    other_antiangiogenic="P-OTHANTIANG",
    other_immune_modulator="P-OTHIMMUNE",
    other="P-OTHER",
)

DRUG_CLASS_CONCEPTS: Final[dict[str, Concept]] = {
    name: Concept(value, PRIVATE_SCHEME, meaning)
    for name, value, meaning in (
        (ANTIRESORPTIVE, "P-CANTIRES", "Antiresorptive drug"),
        (ANTIANGIOGENIC, "P-CANTIANG", "Antiangiogenic drug"),
        (IMMUNE_MODULATOR, "P-CIMMUNE", "Immune modulator"),
        (GLUCOCORTICOID, "P-CGLUCO", "Glucocorticoid"),
        (ANABOLIC, "P-CANABOL", "Bone anabolic drug"),
        (ANTI_INFLAMMATORY, "P-CNSAID", "Anti-inflammatory drug"),
        ("other", "P-COTHER", "Drug of another class"),
    )
}

ROUTE_CONCEPTS: Final[dict[str, Concept]] = table(
    "SCT",
    oral=("26643006", "Oral route"),
    intravenous=("47625008", "Intravenous route"),
    subcutaneous=("34206005", "Subcutaneous route"),
    intramuscular=("78421000", "Intramuscular route"),
    unknown=("261665006", "Unknown"),
)
