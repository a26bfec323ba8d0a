"""Templates: the next finding of a tool starts from what was said of the last one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from osteotrace.findings import Finding
from osteotrace.protocol import Where
from osteotrace.protocol.entries import CaliperEntry, SequestraEntry, VertebraEntry
from osteotrace.session import Held
from osteotrace_napari import kept_files
from osteotrace_napari.templates import FILE_NAME, Templates

if TYPE_CHECKING:
    from pathlib import Path

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
SAID = {
    "kind": "palatal_bony_defect",
    "site": "hard_palate",
    "laterality": "left",
    "certainty": "probable",
}


def test_nothing_is_said_before_anything_was(tmp_path: Path) -> None:
    assert Templates(tmp_path).said("caliper") == {}


def test_the_next_finding_of_a_tool_starts_from_the_last_one(tmp_path: Path) -> None:
    templates = Templates(tmp_path)
    templates.remember(Held(finding=GAP, entry=CALIPER))
    assert templates.said("caliper") == SAID
    assert templates.said("sequestra") == {}


def test_what_is_remembered_is_there_in_the_next_window(tmp_path: Path) -> None:
    Templates(tmp_path).remember(Held(finding=GAP, entry=CALIPER))
    assert Templates(tmp_path).said("caliper") == SAID


def test_each_tool_has_its_own(tmp_path: Path) -> None:
    templates = Templates(tmp_path)
    templates.remember(Held(finding=GAP, entry=CALIPER))
    other = msgspec.structs.replace(GAP, kind="sequestrum", site="mandible")
    templates.remember(Held(finding=other, entry=SEQUESTRA))
    assert templates.said("caliper")["site"] == "hard_palate"
    assert templates.said("sequestra")["site"] == "mandible"


def test_a_vertebra_takes_no_site_from_the_last_one(tmp_path: Path) -> None:
    templates = Templates(tmp_path)
    level = msgspec.structs.replace(GAP, kind="vertebra", site="l1", laterality="")
    templates.remember(Held(finding=level, entry=VERTEBRA))
    assert "site" not in templates.said("vertebra")
    assert templates.said("vertebra")["certainty"] == "probable"


def test_a_part_and_what_was_not_marked_say_nothing_of_the_next(tmp_path: Path) -> None:
    templates = Templates(tmp_path)
    templates.remember(Held(finding=GAP, entry=SEQUESTRA, leader="2.25.9"))
    templates.remember(Held(finding=GAP))
    assert templates.said("sequestra") == {}
    assert not (tmp_path / FILE_NAME).exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"caliper": 3}',
        '{"caliper": {"kind": "no_such", "site": "jaw"}}',
        "\x00",
    ],
)
def test_a_damaged_file_is_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    templates = Templates(tmp_path)
    assert templates.said("caliper") == {}
    templates.remember(Held(finding=GAP, entry=CALIPER))
    assert Templates(tmp_path).said("caliper") == SAID


def test_a_full_disk_costs_the_habit_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept_files, "flush", full)
    templates = Templates(tmp_path)
    templates.remember(Held(finding=GAP, entry=CALIPER))
    assert templates.said("caliper") == SAID
    assert list(tmp_path.iterdir()) == []


def test_templates_lie_beside_the_drafts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    Templates().remember(Held(finding=GAP, entry=CALIPER))
    assert (tmp_path / "osteotrace" / FILE_NAME).is_file()
