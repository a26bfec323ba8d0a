"""Settings: what a reader changed is there the next time, and no two keys are one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from osteotrace.errors import OsteotraceError
from osteotrace_napari import kept_files, keys, settings
from osteotrace_napari.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Keep the settings of a test its own, and the keys as they were."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    before = keys.changed()
    yield
    keys.use(before)


def written(text: str) -> Path:
    """Write a settings file by hand."""
    file = kept_files.settings_folder() / settings.FILE_NAME
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_without_a_file_everything_is_as_it_comes() -> None:
    assert settings.load() == Settings()
    assert keys.changed() == {}


def test_what_is_saved_is_loaded_and_its_keys_are_in_use() -> None:
    wanted = Settings(
        keys={"caliper": "Ctrl+L", "gas": ""},
        reader="Reader A",
        first_windows={"CT": "window_2"},
    )
    settings.save(wanted)
    assert keys.key_of("caliper") == "Ctrl+L"
    keys.use({})
    assert settings.load() == wanted
    assert keys.key_of("caliper") == "Ctrl+L"
    assert keys.key_of("gas") == ""


def test_a_volume_opens_with_the_window_that_was_chosen() -> None:
    wanted = Settings(first_windows={"CT": "window_2", "MR": "window_4"})
    assert [wanted.first_window(m) for m in ("CT", "MR", "CR")] == [1, 1, 0]
    assert Settings().first_window("CT") == 0


def test_a_key_that_is_taken_is_refused_and_nothing_changes() -> None:
    settings.save(Settings(keys={"caliper": "Ctrl+L"}))
    with pytest.raises(OsteotraceError, match="sequestra in a region"):
        settings.save(Settings(keys={"caliper": "Shift+Q"}))
    assert keys.key_of("caliper") == "Ctrl+L"
    assert settings.load().keys == {"caliper": "Ctrl+L"}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('{"keys": {"caliper": "Shift+Q", "gas": "Ctrl+L"}}', {"gas": "Ctrl+L"}),
        ('{"keys": {"no_such": "Ctrl+L", "gas": "ctrl+l"}}', {"gas": "Ctrl+L"}),
        ('{"keys": {"gas": "no such key"}}', {}),
        ('{"keys": {"gas": "Ctrl+L", "cement": "Ctrl+L"}}', {"gas": "Ctrl+L"}),
        ('{"keys": {"gas": "Shift+Q", "sequestra": "Shift+G"}}', None),
    ],
)
def test_a_file_changed_by_hand_keeps_what_holds_together(
    text: str, kept: dict[str, str] | None
) -> None:
    written(text)
    loaded = settings.load()
    expected = {"gas": "Shift+Q", "sequestra": "Shift+G"} if kept is None else kept
    assert loaded.keys == expected
    assert keys.changed() == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"keys": 3}',
        '{"first_windows": {"CT": "window_3"}}',
        "\x00\xff",
    ],
)
def test_a_damaged_file_is_as_none_and_is_set_aside_when_saving(text: str) -> None:
    file = written(text)
    assert settings.load() == Settings()
    settings.save(Settings(reader="Reader A"))
    assert settings.load().reader == "Reader A"
    assert file.with_name(settings.DAMAGED_NAME).read_text() == text


def test_settings_of_a_later_version_are_read_as_far_as_they_are_known() -> None:
    written('{"reader": "Reader A", "colours": "night"}')
    assert settings.load().reader == "Reader A"


def test_a_folder_that_cannot_be_written_to_says_so_and_keeps_the_old(
    tmp_path: Path,
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "osteotrace").write_text("a file where the folder should be")
    with pytest.raises(OsteotraceError, match="cannot be kept"):
        settings.save(Settings(keys={"caliper": "Ctrl+L"}))
    assert keys.key_of("caliper") == "Shift+C"


def test_a_write_that_fails_leaves_the_old_file_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.save(Settings(reader="Reader A"))

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept_files, "flush", full)
    with pytest.raises(OsteotraceError, match="No space left"):
        settings.save(Settings(reader="Reader B"))
    folder = kept_files.settings_folder()
    assert [file.name for file in folder.iterdir()] == [settings.FILE_NAME]
    assert settings.load().reader == "Reader A"


def test_only_its_owner_reads_the_file() -> None:
    settings.save(Settings(reader="Reader A"))
    file = kept_files.settings_folder() / settings.FILE_NAME
    assert file.stat().st_mode & 0o077 == 0


# The dialog


@pytest.fixture
def dialog(qtbot: Any) -> Any:
    if not os.environ.get("DISPLAY"):
        pytest.fail("no display: run it under xvfb-run, as make test does")
    from osteotrace_napari.panels.settings import SettingsDialog

    made = SettingsDialog(Settings(keys={"gas": ""}, reader="Reader A"))
    qtbot.addWidget(made)
    made.show()
    return made


def press(qtbot: Any, dialog: Any, name: str, key: str) -> None:
    """Select a command and press a key, as a reader does."""
    from qtpy.QtGui import QKeySequence

    dialog.list.choose(name)
    combination = QKeySequence(key)[0]
    qtbot.keyClick(dialog.list, combination.key(), combination.keyboardModifiers())


@pytest.mark.plugin
def test_every_command_is_offered_with_the_key_it_has(dialog: Any) -> None:
    for command in keys.COMMANDS:
        own = "none" if command.name == "gas" else keys.shown(command.key)
        assert dialog.list.said(command.name) == own


@pytest.mark.plugin
def test_a_pressed_key_becomes_the_commands_own(dialog: Any, qtbot: Any) -> None:
    press(qtbot, dialog, "caliper", "Ctrl+L")
    press(qtbot, dialog, "window_2", "F12")
    assert dialog.wanted.keys == {"gas": "", "caliper": "Ctrl+L", "window_2": "F12"}
    assert dialog.list.said("caliper") == "Ctrl+L"


@pytest.mark.plugin
def test_a_taken_key_is_refused_with_the_command_that_has_it(
    dialog: Any, qtbot: Any
) -> None:
    press(qtbot, dialog, "caliper", "Shift+Q")
    assert "sequestra in a region" in dialog.problem.text()
    assert dialog.wanted.keys == {"gas": ""}
    # The key of gas is free, as gas has none.
    press(qtbot, dialog, "caliper", "Shift+G")
    assert dialog.problem.text() == ""
    assert dialog.wanted.keys == {"gas": "", "caliper": "Shift+G"}


@pytest.mark.plugin
def test_backspace_leaves_a_command_without_a_key_and_all_come_back(
    dialog: Any, qtbot: Any
) -> None:
    press(qtbot, dialog, "angle", "Backspace")
    assert dialog.wanted.keys == {"gas": "", "angle": ""}
    dialog.own.click()
    assert dialog.wanted.keys == {}


@pytest.mark.plugin
def test_shift_alone_and_escape_are_no_keys_to_take(dialog: Any, qtbot: Any) -> None:
    from qtpy.QtCore import Qt

    dialog.list.choose("angle")
    qtbot.keyClick(dialog.list, Qt.Key.Key_Shift)
    qtbot.keyClick(dialog.list, Qt.Key.Key_Escape)
    assert dialog.wanted.keys == {"gas": ""}


@pytest.mark.plugin
def test_keeping_hands_over_everything_that_was_said(dialog: Any, qtbot: Any) -> None:
    dialog.reader.setText(" Reader B ")
    dialog.windows["CT"].setCurrentIndex(1)
    with qtbot.waitSignal(dialog.chosen) as heard:
        dialog.accept()
    assert heard.args == [
        Settings(keys={"gas": ""}, reader="Reader B", first_windows={"CT": "window_2"})
    ]


@pytest.mark.plugin
def test_what_is_kept_is_in_use_at_once_and_a_refusal_leaves_the_dialog_open(
    qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from osteotrace_napari.panels.settings import ask

    used: list[Settings] = []
    dialog = ask(Settings(), done=used.append)
    qtbot.addWidget(dialog)
    dialog.take_key("caliper", "Ctrl+L")

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(kept_files, "flush", full)
        dialog.accept()
    assert "No space left" in dialog.problem.text()
    assert dialog.isVisible()
    assert used == []
    dialog.accept()
    assert used == [Settings(keys={"caliper": "Ctrl+L"})]
    assert keys.key_of("caliper") == "Ctrl+L"
