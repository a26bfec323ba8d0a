"""Colours with a meaning, the same on the canvas and in the panel."""

from __future__ import annotations

from typing import Final

from osteotrace_napari import wording

STATE_COLOURS: Final = {
    wording.ACCEPTED: "#ffd60a",
    wording.FLAGGED: "#ff9f43",
    wording.NOT_MEASURED: "#ff8787",
}
LIVE_COLOUR: Final = "#7ae7ff"
PROBLEM_COLOUR: Final = "#ff8787"
QUIET_COLOUR: Final = "#9fb0c0"
