"""Templates: the next finding of a tool starts from the kind and site of the last one."""

from __future__ import annotations

import msgspec

from osteotrace.findings import Finding
from osteotrace.protocol import Where
from osteotrace.protocol.entries import CaliperEntry, SequestraEntry, VertebraEntry
from osteotrace.session import Held
from osteotrace_napari.templates import Templates

CALIPER = CaliperEntry(
    label="CAL-1",
    modality="CT",
    kind="lesion",
    site="jaw",
    quantity="distance",
    start=(0.0, 0.0, 0.0),
    end=(1.0, 0.0, 0.0),
)
SEQUESTRA = SequestraEntry(
    label="SEQ-1", modality="CT", region=Where(centre=(0.0, 0.0, 0.0), radius=5.0)
)
VERTEBRA = VertebraEntry(label="L1", modality="CT", level="L1", body=Where(label="L1"))
GAP = Finding(
    tracking_uid="2.25.1",
    label="CAL-1",
    kind="palatal_bony_defect",
    site="hard_palate",
    laterality="left",
    certainty="probable",
    note="of this one alone",
)
SAID = {"kind": "palatal_bony_defect", "site": "hard_palate"}
OTHER = msgspec.structs.replace(GAP, kind="sequestrum", site="mandible")


def templates() -> tuple[Templates, list[str]]:
    """Give templates, and the study that is read: the last one of the list."""
    study = ["2.25.100"]
    return Templates(lambda: study[-1]), study


def test_nothing_is_said_before_anything_was() -> None:
    assert templates()[0].said("caliper") == {}


def test_kind_and_site_go_on_side_and_certainty_never_do() -> None:
    kept, _ = templates()
    kept.remember(Held(finding=GAP, entry=CALIPER))
    assert kept.said("caliper") == SAID
    assert kept.said("sequestra") == {}


def test_each_tool_has_its_own() -> None:
    kept, _ = templates()
    kept.remember(Held(finding=GAP, entry=CALIPER))
    kept.remember(Held(finding=OTHER, entry=SEQUESTRA))
    assert kept.said("caliper")["site"] == "hard_palate"
    assert kept.said("sequestra")["site"] == "mandible"


def test_nothing_goes_on_to_another_study() -> None:
    """It may be another patient's jaw, and its other side."""
    kept, study = templates()
    kept.remember(Held(finding=OTHER, entry=SEQUESTRA))
    study.append("2.25.200")
    assert kept.said("sequestra") == {}
    kept.remember(Held(finding=GAP, entry=SEQUESTRA))
    study.append("2.25.100")
    assert kept.said("sequestra")["site"] == "mandible"


def test_nothing_goes_on_to_the_next_start() -> None:
    templates()[0].remember(Held(finding=GAP, entry=CALIPER))
    assert templates()[0].said("caliper") == {}


def test_a_vertebra_takes_nothing_from_the_last_one() -> None:
    kept, _ = templates()
    level = msgspec.structs.replace(GAP, kind="vertebra", site="l1", laterality="")
    kept.remember(Held(finding=level, entry=VERTEBRA))
    assert kept.said("vertebra") == {}


def test_a_part_and_what_was_not_marked_say_nothing_of_the_next() -> None:
    kept, _ = templates()
    kept.remember(Held(finding=GAP, entry=SEQUESTRA, leader="2.25.9"))
    kept.remember(Held(finding=GAP))
    assert kept.said("sequestra") == {}
