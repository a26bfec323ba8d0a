"""Clinical facts of the sample cases, reduced from the case reports that they follow.

The text of a TOML file that `osteotrace.reading.case_facts` reads: one a patient, the
same for every study, as facts stand at their dates. What a report does not give is
unknown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from osteotrace.phantoms.cases import phantom_case

_FOLDER: Final = Path(__file__).with_name("case_facts")


def facts_toml(name: str) -> str:
    """Return the facts of the patient of a sample case; raises as `phantom_case`."""
    title = phantom_case(name).title
    patient = name.partition("_")[0]
    text = (_FOLDER / f"{patient}.toml").read_text(encoding="utf-8")
    return f"# What is stated of the patient of {name}. {title}.\n{text}"
