"""Colours with a meaning, the same on the canvas and in the panel."""

from __future__ import annotations

from typing import Final

from osteotrace_napari import wording

STATE_COLOURS: Final = {
    wording.ACCEPTED: "#ffd60a",
    wording.FLAGGED: "#ff9f43",
    wording.NOT_MEASURED: "#ff8787",
    wording.STATED: "#c8d3de",
}
# How far a finding has come.
PROGRESS_COLOURS: Final = {
    wording.DRAFT: "#7ae7ff",
    wording.TAKEN: "#ffd60a",
    wording.SAVED: "#7bd88f",
}
LIVE_COLOUR: Final = "#7ae7ff"
# Of a mark carried over from another study, which nobody has confirmed.
PROPOSED_COLOUR: Final = "#d6a8ff"
PROBLEM_COLOUR: Final = "#ff8787"
WARNING_COLOUR: Final = "#ff9f43"
QUIET_COLOUR: Final = "#9fb0c0"
TEXT_COLOUR: Final = "#e8edf2"
CHOSEN_COLOUR: Final = "#2c4a66"
LINE_COLOUR: Final = "#3a424d"
# Of what lies over the panel: as dark as the panel itself.
PANEL_COLOUR: Final = "#262930"
