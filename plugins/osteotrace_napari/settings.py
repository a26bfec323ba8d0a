"""A reader's settings: keys, first windows, and the name in the record.

They lie in one JSON file in the user's configuration folder. napari's own preferences
hold none of them: a second store would differ from the first, and there a key that two
commands share could not be refused.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.errors import OsteotraceError
from osteotrace_napari import kept_files, keys

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME: Final = "settings.json"
DAMAGED_NAME: Final = "settings.damaged.json"
# The presets that a volume can open with, by modality, as commands.
FIRST_WINDOWS: Final = {"CT": ("window_1", "window_2"), "MR": ("window_3", "window_4")}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader has set; what is not set is as it comes.

    Parameters
    ----------
    keys : dict of str to str
        Keys that differ, by command of `keys.COMMANDS`; an empty one is none.
    reader : str
        Name in the record; empty for the login name.
    first_windows : dict of str to str
        Window that a volume of a modality opens with, a command of `FIRST_WINDOWS`.
    archive, studies_folder : str
        The archive that was asked last, and where what is fetched goes.
    """

    keys: dict[str, str] = {}
    reader: str = ""
    first_windows: dict[str, str] = {}
    archive: str = ""
    studies_folder: str = ""

    def __post_init__(self) -> None:
        for modality, command in self.first_windows.items():
            if command not in FIRST_WINDOWS.get(modality, ()):
                raise ValueError(f"{command} is no window for {modality}")

    def first_window(self, modality: str) -> int:
        """Return the number of the preset that a volume opens with."""
        offered = FIRST_WINDOWS.get(modality, ())
        chosen = self.first_windows.get(modality, "")
        return offered.index(chosen) if chosen in offered else 0


def load(folder: Path | None = None) -> Settings:
    """Read the settings and put their keys to use; as it comes without a sound file.

    Keys that are none or that two commands would share are left out.
    """
    settings = _read(_file(folder)) or Settings()
    settings = msgspec.structs.replace(settings, keys=_sound(settings.keys))
    keys.use(settings.keys)
    return settings


def save(settings: Settings, folder: Path | None = None) -> None:
    """Keep the settings and put their keys to use.

    A file that could not be read is set aside, never lost.

    Raises
    ------
    OsteotraceError
        If two commands would have one key, or the file cannot be written: then nothing
        changes.
    """
    keys.check(settings.keys)
    file = _file(folder)
    try:
        if file.is_file() and _read(file) is None:
            file.replace(file.with_name(DAMAGED_NAME))
        kept_files.replace(file, msgspec.json.format(msgspec.json.encode(settings)))
    except OSError as problem:
        raise OsteotraceError(
            f"settings that cannot be kept ({problem.strerror or problem})",
            expected="a folder of the user's own that can be written to",
            advice="make room or give the right to write there",
            where=str(file.parent),
        ) from problem
    keys.use(settings.keys)


def changes(wanted: dict[str, str]) -> dict[str, str]:
    """Return the keys that differ from the commands' own, in the table's spelling."""
    plain = {name: keys.plain(key) for name, key in wanted.items()}
    return {n: key for n, key in plain.items() if key != keys.command_of(n).key}


def _file(folder: Path | None) -> Path:
    return (kept_files.settings_folder() if folder is None else folder) / FILE_NAME


def _read(file: Path) -> Settings | None:
    """Return what a file says, None where it is not there or damaged."""
    with contextlib.suppress(OSError, msgspec.MsgspecError, ValueError):
        return msgspec.json.decode(file.read_bytes(), type=Settings)
    return None


def _sound(changed: dict[str, str]) -> dict[str, str]:
    """Return the changes of keys that hold together, the first ones first."""
    known = {command.name for command in keys.COMMANDS}
    plain = {n: keys.plain(key) for n, key in changed.items() if n in known}
    kept = {n: key for n, key in plain.items() if key or not changed[n]}
    try:
        keys.check(kept)
    except OsteotraceError:
        sound: dict[str, str] = {}
        for name, key in kept.items():
            with contextlib.suppress(OsteotraceError):
                keys.check({**sound, name: key})
                sound[name] = key
        return sound
    return kept
