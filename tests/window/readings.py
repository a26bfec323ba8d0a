"""Two whole readings by mouse and keys, with a count of what each finding took."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from tests.window.album import Album
    from tests.window.program import Program
    from tests.window.reader import Reader

Point = tuple[float, float, float]

MAXILLA: Final = "maxilla_before"
SPINE: Final = "spine_2023-07"
GAP: Final = "palatal_gap"
SEQUESTRA: Final = "SEQ"
LEVELS: Final = ("T12", "L1", "L2")
# Every body that the images show from top to bottom.
BODIES: Final = ("T12", "L1", "L2", "L3", "L4", "L5")
# What narrows the most stages while nothing is known of the patient.
FIRST_QUESTION: Final = "antiresorptive drug"
# A reader clicks beside the edge, not on it.
BESIDE_MM: Final = 1.0
# The order in which the window asks for the corners of a vertebra.
CORNERS: Final = (
    "superior_anterior",
    "superior_middle",
    "superior_posterior",
    "inferior_posterior",
    "inferior_middle",
    "inferior_anterior",
)


@dataclass(slots=True)
class Count:
    """Actions a finding took: a key, a click or a drag is one."""

    program: Program
    actions: dict[str, int] = field(default_factory=dict)

    def begin(self) -> None:
        """Begin a finding, the view on its slice."""
        self.program.actions = 0

    def end(self, finding: str) -> None:
        """Note what it took."""
        self.actions[finding] = self.program.actions


def truth(samples: Path, case: str) -> dict[str, Any]:
    """Return what a sample case was built to have."""
    cases = json.loads((samples / "truth.json").read_text())["cases"]
    return dict(cases[case])


def gap_ends(case: dict[str, Any]) -> tuple[Point, Point]:
    """Return two points beside the edges of the palatal gap, in one sagittal slice."""
    edges = case["quantities"][GAP]["edges"]
    centres = np.array([edge["centre_lps_mm"] for edge in edges])
    into = np.array([edge["normal_into_gap_lps"] for edge in edges])
    ends = centres - BESIDE_MM * into
    ends[:, 0] = centres[:, 0].mean()
    return _point(ends[0]), _point(ends[1])


def sequestra_ball(case: dict[str, Any]) -> tuple[Point, Point]:
    """Return the middle of the region with the sequestra, and a point on its rim."""
    ball = case["findings"][SEQUESTRA]["balls"]["region"]
    centre = np.array(ball["centre_lps_mm"])
    return _point(centre), _point(centre + np.array([ball["radius_mm"], 0.0, 0.0]))


def corners(case: dict[str, Any], level: str) -> list[Point]:
    """Return the six rough points of a vertebra, in the order they are asked for."""
    rough = case["findings"][level]["rough_points_lps_mm"]
    return [_point(np.array(rough[corner])) for corner in CORNERS]


def body(case: dict[str, Any], level: str) -> Point:
    """Return the middle of a vertebral body."""
    return _point(np.array(case["findings"][level]["rough_points_lps_mm"]["centre"]))


def _point(place: Any) -> Point:
    x, y, z = (float(number) for number in place)
    return x, y, z


def measure_gap(reader: Reader, case: dict[str, Any], count: Count, album: Album) -> None:
    """Find the gap on a sagittal slice and measure it: key, drag, Enter."""
    start, end = gap_ends(case)
    reader.show("sagittal")
    reader.go_to(start)
    count.begin()
    reader.press("caliper")
    reader.drag(start, end)
    reader.wait_for_words("CAL-1")
    album.take("02_caliper")
    reader.press("accept")
    count.end("caliper")
    reader.wait_for_words("CAL-1 accepted")
    reader.press("cancel")


def mark_sequestra(
    reader: Reader, case: dict[str, Any], count: Count, album: Album
) -> None:
    """Mark the region that holds the sequestra: key, drag, Enter."""
    centre, rim = sequestra_ball(case)
    reader.show("axial")
    reader.go_to(centre)
    count.begin()
    reader.press("sequestra")
    reader.drag(centre, rim)
    reader.wait_for_words("SEQ-1")
    album.take("03_sequestra")
    reader.press("accept")
    count.end("sequestra")
    reader.wait_for_words("SEQ-1 accepted")
    reader.press("cancel")


def answer_a_question(reader: Reader, album: Album) -> None:
    """Say yes to the question that narrows most, in the Stage tab."""
    reader.press("tab_stage")
    reader.wait_for_words("Most decisive questions")
    reader.wait_for_words(FIRST_QUESTION)
    reader.click_words("Yes")
    reader.wait_for_no_words(FIRST_QUESTION)
    album.take("04_staged")


def save(reader: Reader, records: Path, album: Album, picture: str) -> None:
    """Save the reading, and see the files it was told to be in."""
    reader.press("save")
    reader.program.wait("a record", lambda: any(records.glob("*.dcm")))
    reader.wait_for_words("Saved")
    album.take(picture)


def label_levels(reader: Reader, case: dict[str, Any], album: Album) -> None:
    """Click into each body, name the lowest, confirm names and count."""
    reader.show("sagittal")
    reader.go_to(body(case, LEVELS[0]))
    reader.press("levels")
    for level in BODIES:
        reader.click(body(case, level))
    reader.press("tab_measure")
    reader.click_words("not named", nth=-1)
    reader.click_words("is called")
    reader.program.type(BODIES[-1])
    reader.program.key("Return")
    reader.wait_for_words(f"{BODIES[0]} to {BODIES[-1]}")
    reader.click_words("Confirm levels")
    reader.wait_for_words(f"to {BODIES[-1]}, confirmed")
    album.take("06_levels")
    reader.press("cancel")


def measure_vertebrae(
    reader: Reader, case: dict[str, Any], count: Count, album: Album
) -> None:
    """Mark three vertebrae: key, six clicks, Enter; the next level is chosen already."""
    for n, level in enumerate(LEVELS):
        count.begin()
        if n == 0:
            reader.press("vertebra")
        for at, corner in enumerate(corners(case, level)):
            reader.click(corner)
            if (n, at) == (1, 2):
                album.take("07_six_points")
        reader.wait_for_words(f"VERT-{level}")
        reader.press("accept")
        count.end(level)
        reader.wait_for_words(f"VERT-{level} accepted")
    reader.press("cancel")
