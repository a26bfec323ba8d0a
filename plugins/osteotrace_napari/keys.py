"""Every command of the reading room: its name, its key, what it does, where it belongs.

Keys are spelled as Qt spells them in portable text (``Ctrl+Shift+Z``, ``PgUp``). None is
a key that napari's Shapes, Points or Labels use bare. A reader may change them
(`osteotrace_napari.settings`); `use` says which keys hold now, for every window of the
process, as one person sits before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QKeyCombination, Qt
from qtpy.QtGui import QKeySequence

from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from collections.abc import Mapping

PORTABLE: Final = QKeySequence.SequenceFormat.PortableText

STUDY: Final = "Study and layout"
WINDOW: Final = "Window"
SLICES: Final = "Slices"
TOOLS: Final = "Find and measure"
MASK: Final = "Mask"
FINDINGS: Final = "Findings"
HELP: Final = "Help"
GROUPS: Final = (STUDY, WINDOW, SLICES, TOOLS, MASK, FINDINGS, HELP)


@dataclass(frozen=True, slots=True)
class Command:
    """One thing a reader can ask for.

    Parameters
    ----------
    name : str
        What the program calls it; a tool's is its key in `osteotrace.protocol`'s tables.
    key : str
        Its key where the reader has not changed it.
    title : str
        What it does, in words.
    group : str
        One of `GROUPS`.
    repeats : bool
        Whether a key that is held down does it again and again.
    also : tuple of str
        Further keys, which stay when the reader changes the first one.
    """

    name: str
    key: str
    title: str
    group: str
    repeats: bool = False
    also: tuple[str, ...] = ()


COMMANDS: Final[tuple[Command, ...]] = (
    Command("open_folder", "Ctrl+Shift+O", "open a folder", STUDY),
    Command("tab_study", "Ctrl+1", "Study tab", STUDY),
    Command("tab_findings", "Ctrl+2", "Findings tab", STUDY),
    Command("tab_measure", "Ctrl+3", "Measure tab", STUDY),
    Command("tab_stage", "Ctrl+4", "Stage tab", STUDY),
    Command("tab_compare", "Ctrl+5", "Compare tab", STUDY),
    Command("axial", "Alt+1", "axial plane", STUDY),
    Command("coronal", "Alt+2", "coronal plane", STUDY),
    Command("sagittal", "Alt+3", "sagittal plane", STUDY),
    Command("landmarks", "Shift+K", "plane through three landmarks", STUDY),
    Command("linked_views", "F6", "three linked planes", STUDY),
    Command("side_by_side", "F7", "before and after, or two series side by side", STUDY),
    Command("compare_mode", "Ctrl+F7", "next way to see both: swipe and others", STUDY),
    Command("compare_plane", "Shift+F7", "later study in its own plane", STUDY),
    Command("compare_link", "Ctrl+J", "before and after linked, or not", STUDY),
    Command("compare_hold", "Ctrl+Shift+J", "link before and after as shown", STUDY),
    Command("overlays", "F8", "marks and text on or off", STUDY),
    Command("layout", "F9", "napari's own layer docks", STUDY),
    Command("window_1", "F1", "bone (CT)", WINDOW),
    Command("window_2", "F2", "soft tissue (CT)", WINDOW),
    Command("window_3", "F3", "T1, whole signal (MR)", WINDOW),
    Command("window_4", "F4", "fluid-sensitive, bright signal (MR)", WINDOW),
    Command("reset", "F5", "reset window and zoom", WINDOW),
    Command("slice_back", "PgUp", "one slice back", SLICES, True, ("Up",)),
    Command("slice_on", "PgDown", "one slice on", SLICES, True, ("Down",)),
    Command("slices_back", "Shift+PgUp", "ten slices back", SLICES, True),
    Command("slices_on", "Shift+PgDown", "ten slices on", SLICES, True),
    Command("first_slice", "Home", "first slice", SLICES),
    Command("last_slice", "End", "last slice", SLICES),
    Command("slab_mode", "Shift+S", "slab: off, mean, maximum", SLICES),
    Command("slab_thicker", "Shift+Up", "thicker slab", SLICES, True),
    Command("slab_thinner", "Shift+Down", "thinner slab", SLICES, True),
    Command("caliper", "Shift+C", "caliper", TOOLS),
    Command("snap", "Shift+U", "caliper snapped to edges, or as drawn", TOOLS),
    Command("palatal_defect", "Shift+P", "palatal defect", TOOLS),
    Command("soft_tissue_gap", "Shift+T", "soft-tissue gap", TOOLS),
    Command("sequestra", "Shift+Q", "sequestra in a region", TOOLS),
    Command("moth_eaten", "Shift+E", "moth-eaten region", TOOLS),
    Command("gas", "Shift+G", "gas in a region", TOOLS),
    Command("sclerotic_rim", "Shift+I", "sclerotic rim of a lesion", TOOLS),
    Command("periosteal_reaction", "Shift+O", "periosteal reaction in a region", TOOLS),
    Command("marrow_edema", "Shift+D", "marrow edema", TOOLS),
    Command("expansion", "Shift+X", "bone expansion, left against right", TOOLS),
    Command("cement", "Shift+F", "bone cement in a region", TOOLS),
    Command("levels", "Shift+L", "label the visible vertebrae", TOOLS),
    Command("vertebra", "Shift+V", "vertebra, six points", TOOLS),
    Command("angle", "Shift+A", "angle", TOOLS),
    Command("intensity", "Shift+R", "values in a region", TOOLS),
    Command("mask", "Shift+M", "paint a mask", MASK),
    Command("mask_larger", "Ctrl+Up", "larger brush", MASK, True),
    Command("mask_smaller", "Ctrl+Down", "smaller brush", MASK, True),
    Command("mask_erase", "Shift+H", "erase or paint", MASK),
    Command("mask_threshold", "Ctrl+T", "fill by threshold", MASK),
    Command("mask_grow", "Ctrl+G", "grow from a seed", MASK),
    Command("mask_interpolate", "Ctrl+I", "fill between painted slices", MASK),
    Command("accept", "Return", "accept the finding", FINDINGS),
    Command("cancel", "Esc", "cancel, then put the tool away", FINDINGS),
    Command("next", "N", "next finding", FINDINGS),
    Command("previous", "Shift+N", "previous finding", FINDINGS),
    Command("edit", "Ctrl+E", "to the form: site, side, certainty, note", FINDINGS),
    Command("absent", "Ctrl+Shift+A", "looked for and absent", FINDINGS),
    Command("delete", "Shift+Del", "delete the finding", FINDINGS),
    Command("undo", "Ctrl+Z", "undo", FINDINGS, True),
    Command("redo", "Ctrl+Shift+Z", "redo", FINDINGS, True),
    Command("copy_text", "Ctrl+Shift+C", "copy the findings as text", FINDINGS),
    Command("save", "Ctrl+S", "save the reading as DICOM SR and SEG", FINDINGS),
    Command("help", "?", "this overview", HELP),
    Command("settings", "Ctrl+K", "keys and settings", HELP),
)  # fmt: skip

# What the mouse does, told beside the keys.
MOUSE: Final[tuple[tuple[str, str], ...]] = (
    ("Wheel", "slices"),
    ("Ctrl+Wheel", "zoom"),
    ("Right drag", "window width and level"),
    ("Shift+Move", "crosshair"),
    ("Drag an end", "move a point of the chosen mark"),
)

_BY_NAME: Final = {command.name: command for command in COMMANDS}
# The keys that the reader has changed; see `use`.
_changed: dict[str, str] = {}


def command_of(name: str) -> Command:
    """Return a command by its name; KeyError without one."""
    return _BY_NAME[name]


def use(changed: Mapping[str, str]) -> None:
    """Say which commands have another key than their own.

    Raises
    ------
    OsteotraceError
        If two commands would have one key; nothing changes then.
    """
    known = {name: plain(key) for name, key in changed.items() if name in _BY_NAME}
    check(known)
    _changed.clear()
    _changed.update(known)


def changed() -> dict[str, str]:
    """Return the keys that differ from the commands' own."""
    return dict(_changed)


def present(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the name of the command at each key, as the keys are now.

    Parameters
    ----------
    changes : mapping of str to str, optional
        Look with these changes instead of those in use.
    """
    changes = _changed if changes is None else changes
    held: dict[str, str] = {}
    for command in COMMANDS:
        for key in (changes.get(command.name, command.key), *command.also):
            if key:
                held[key] = command.name
    return held


def check(changes: Mapping[str, str]) -> None:
    """Refuse changes that leave one key to two commands.

    Raises
    ------
    OsteotraceError
        Which names the command that holds the key.
    """
    held: dict[str, str] = {}
    for command in COMMANDS:
        for key in (changes.get(command.name, command.key), *command.also):
            if key in held:
                # The one that was not asked for is the one in the way.
                asked = held[key] in changes
                raise taken(key, command.name if asked else held[key])
            if key:
                held[key] = command.name


def taken(key: str, holder: str) -> OsteotraceError:
    """Return the refusal of a key that another command has."""
    return OsteotraceError(
        f"the key {shown(key)}, which is that of “{_BY_NAME[holder].title}”",
        expected="a key that no other command has",
        advice="choose another one, or give that command another key first",
    )


def plain(key: str) -> str:
    """Return a key in the spelling of this table; empty where it is none."""
    sequence = QKeySequence(key, PORTABLE)
    return "" if sequence.isEmpty() else text_of(sequence[0])


def text_of(pressed: QKeyCombination) -> str:
    """Return the spelling of a key that was pressed.

    Both Enter keys are one, and a sign is itself whatever the keyboard needs for it.
    """
    key, held = pressed.key(), pressed.keyboardModifiers()
    held &= ~Qt.KeyboardModifier.KeypadModifier
    if key == Qt.Key.Key_Enter:
        key = Qt.Key.Key_Return
    if _is_sign(key):
        held &= ~Qt.KeyboardModifier.ShiftModifier
    combination = QKeyCombination(held, key)
    return str(QKeySequence(combination).toString(PORTABLE))


def shown(key: str) -> str:
    """Return a key as people read it: ``Enter``."""
    return key.replace("Return", "Enter")


def key_of(name: str) -> str:
    """Return the present key of a command as people read it; empty without one."""
    return shown(_changed.get(name, _BY_NAME[name].key))


def is_text(pressed: Any) -> bool:
    """Tell whether a key event types or edits text, or leaves a field.

    Such keys belong to a field while one has the focus; the others are commands there
    too.
    """
    held = pressed.modifiers()
    if held & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier):
        return False
    key = pressed.key()
    functions = Qt.Key.Key_F1 <= key <= Qt.Key.Key_F35
    return not functions and key not in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)


def _is_sign(key: Any) -> bool:
    """Tell whether a key is a printed sign that is neither letter, digit nor space."""
    code = int(key)
    return 0x20 < code < 0x100 and not chr(code).isalnum()
