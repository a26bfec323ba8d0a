"""Two whole readings of the real window by mouse and keys, saved and read back.

Nothing here asks the program: the reader finds the slices and the words on the screen,
clicks where the phantom's truth says a lesion is, and the files that were written say
what came of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pydicom
import pytest
from tests.window.album import Album
from tests.window.conftest import SAMPLES, draft_of, volume_of
from tests.window.program import Program
from tests.window.reader import Reader
from tests.window.readings import (
    LEVELS,
    MAXILLA,
    SPINE,
    Count,
    answer_a_question,
    label_levels,
    mark_sequestra,
    measure_gap,
    measure_vertebrae,
    save,
    truth,
)

import osteotrace as ot
from osteotrace.session import RECORDS_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.window.screen import Screen

    from osteotrace.findings import Assessment, Finding

pytestmark = [pytest.mark.plugin]

CALIPER_ACTIONS = 3
REGION_ACTIONS = 3
VERTEBRA_ACTIONS = 8


def protocol_of(study: Path, home: Path, target: Path) -> Path:
    """Write the reading's marks as a protocol, from the draft on disk."""
    with draft_of(study, home / "state" / "osteotrace" / "drafts") as session:
        target.write_text(session.protocol_text())
    return target


def saved_reading(study: Path) -> Assessment:
    """Return what was saved beside the study."""
    folder = study.parent / RECORDS_FOLDER
    files = {pydicom.dcmread(path).Modality: path for path in folder.glob("*.dcm")}
    return ot.read(files["SR"])


def numbers(findings: tuple[Finding, ...]) -> dict[tuple[str, str], tuple[float, object]]:
    """Return every number of a reading, by label and quantity."""
    return {
        (finding.label, reading.code.value): (reading.value, reading.uncertainty)
        for finding in findings
        for reading in finding.measurements
        if isinstance(reading, ot.Measurement)
    }


def test_the_maxilla_is_read_in_three_actions_a_finding_and_gives_the_same_numbers(
    screen: Screen,
    case: Callable[[str], Path],
    tmp_path: Path,
    tell: Callable[[str], None],
) -> None:
    study, home = case(MAXILLA), tmp_path / "home"
    built, album = truth(SAMPLES, MAXILLA), Album(screen)
    with Program(screen, study, home) as program:
        reader, count = Reader(program, volume_of(study)), Count(program)
        reader.look_for("axial")
        album.take("01_opened")
        measure_gap(reader, built, count, album)
        mark_sequestra(reader, built, count, album)
        answer_a_question(reader, album)
        save(reader, study.parent / RECORDS_FOLDER, album, "05_saved")
    tell(f"maxilla: actions a finding {count.actions}")
    assert count.actions["caliper"] <= CALIPER_ACTIONS
    assert count.actions["sequestra"] <= REGION_ACTIONS

    read = saved_reading(study)
    protocol = protocol_of(study, home, tmp_path / "reading.toml")
    again = ot.measure(study, protocol)
    assert numbers(read.findings) == numbers(again.findings)
    (answer,) = read.facts
    assert (answer.name, answer.value) == ("drug_antiresorptive", True)
    assert {"aaoms_2014", "aaoms_2022"} <= {stage.system for stage in read.stagings}
    found = {finding.label: finding for finding in read.findings}
    gap = found["CAL-1"].measurements[0]
    assert isinstance(gap, ot.Measurement)
    assert gap.value == pytest.approx(
        built["quantities"]["palatal_gap"]["value"], abs=0.1
    )


def test_the_spine_is_labelled_and_three_vertebrae_take_eight_actions_each_at_most(
    screen: Screen, tmp_path: Path, tell: Callable[[str], None], spine: Path
) -> None:
    study, home = spine / SPINE, tmp_path / "home"
    built, album = truth(spine, SPINE), Album(screen)
    with Program(screen, study, home) as program:
        reader, count = Reader(program, volume_of(study)), Count(program)
        program.double_click(reader.wait_for_words("CT spine bone"))
        reader.look_for("axial")
        label_levels(reader, built, album)
        measure_vertebrae(reader, built, count, album)
        save(reader, study.parent / RECORDS_FOLDER, album, "08_spine_saved")
    tell(f"spine: actions a finding {count.actions}")
    assert max(count.actions.values()) <= VERTEBRA_ACTIONS

    read = saved_reading(study)
    protocol = protocol_of(study, home, tmp_path / "reading.toml")
    assert numbers(read.findings) == numbers(ot.measure(study, protocol).findings)
    assert {f.label for f in read.findings} == {f"VERT-{level}" for level in LEVELS}
