"""Drugs that bear on bone lesions, their classes, and the routes they are given by."""

from __future__ import annotations

from typing import Final

ANTIRESORPTIVE: Final = "antiresorptive"
ANTIANGIOGENIC: Final = "antiangiogenic"
IMMUNE_MODULATOR: Final = "immune modulator"
GLUCOCORTICOID: Final = "glucocorticoid"
ANABOLIC: Final = "anabolic"
ANTI_INFLAMMATORY: Final = "anti-inflammatory"

# Classes of drugs by international nonproprietary name.
DRUGS: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            "alendronate",
            "clodronate",
            "denosumab",
            "etidronate",
            "ibandronate",
            "minodronate",
            "neridronate",
            "pamidronate",
            "risedronate",
            "zoledronate",
            "other antiresorptive",
        ),
        ANTIRESORPTIVE,
    ),
    **dict.fromkeys(
        ("aflibercept", "bevacizumab", "sorafenib", "sunitinib", "other antiangiogenic"),
        ANTIANGIOGENIC,
    ),
    **dict.fromkeys(
        (
            "adalimumab",
            "etanercept",
            "infliximab",
            "methotrexate",
            "sirolimus",
            "other immune modulator",
        ),
        IMMUNE_MODULATOR,
    ),
    **dict.fromkeys(
        ("hydrocortisone", "methylprednisolone", "prednisolone", "prednisone"),
        GLUCOCORTICOID,
    ),
    **dict.fromkeys(("abaloparatide", "romosozumab", "teriparatide"), ANABOLIC),
    **dict.fromkeys(("naproxen", "ibuprofen", "indomethacin"), ANTI_INFLAMMATORY),
    "other": "other",
}

ROUTES: Final[dict[str, str]] = {
    "oral": "by mouth",
    "intravenous": "into a vein",
    "subcutaneous": "under the skin",
    "intramuscular": "into a muscle",
    "unknown": "not stated",
}
# The usual route, where another one stated is worth a question.
USUAL_ROUTES: Final[dict[str, str]] = {
    "denosumab": "subcutaneous",
    "pamidronate": "intravenous",
    "zoledronate": "intravenous",
}
