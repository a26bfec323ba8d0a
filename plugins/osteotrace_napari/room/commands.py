"""What each key does: the commands of `osteotrace_napari.keys` on a room."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from osteotrace_napari import keys, layout
from osteotrace_napari.canvas.layers import PLANES
from osteotrace_napari.canvas.windows import FIRST_KEY
from osteotrace_napari.panels.view_controls import SLAB_MODES, SLABS_MM

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace_napari.canvas.layers import Plane
    from osteotrace_napari.room.reading_room import ReadingRoom

FAST_SLICES: Final = 10
# What each key does to two studies that are compared.
_COMPARE: Final = {
    "compare_mode": "next_mode",
    "compare_plane": "toggle_own_plane",
    "compare_link": "toggle_link",
    "compare_hold": "link_as_shown",
}


def commands_of(room: ReadingRoom) -> dict[str, Callable[[], object]]:
    """Return what each command does; tools that are not there have none."""
    tools = {
        name: partial(room.take_up, name)
        for name in room.tool_box.tools
        if name in {command.name for command in keys.COMMANDS}
    }
    painting = room.painting.commands()
    return {
        **_seeing(room),
        **_scrolling(room),
        **tools,
        **painting,
        **_finding(room),
    }


def _seeing(room: ReadingRoom) -> dict[str, Callable[[], object]]:
    dock = room.dock
    tabs = {
        "tab_study": dock.study,
        "tab_findings": dock.findings,
        "tab_measure": dock.measure,
        "tab_stage": dock.stage,
        "tab_compare": dock.compare,
    }
    return {
        "open_folder": room.opening.ask_folder,
        **{name: partial(dock.tabs.setCurrentWidget, tab) for name, tab in tabs.items()},
        **{plane: partial(_plane, room, plane) for plane in PLANES},
        "linked_views": partial(_linked, room),
        "side_by_side": room.comparing.toggle,
        **{name: partial(_compare, room, way) for name, way in _COMPARE.items()},
        "overlays": partial(_overlays, room),
        "layout": partial(layout.toggle_own_docks, room.viewer),
        **{f"window_{n}": partial(_window, room, n) for n in range(1, 5)},
        "reset": partial(_reset, room),
    }


def _scrolling(room: ReadingRoom) -> dict[str, Callable[[], object]]:
    return {
        "slice_back": partial(_scroll, room, -1),
        "slice_on": partial(_scroll, room, 1),
        "slices_back": partial(_scroll, room, -FAST_SLICES),
        "slices_on": partial(_scroll, room, FAST_SLICES),
        "first_slice": partial(_scroll_to, room, 0),
        "last_slice": partial(_scroll_to, room, -1),
        "slab_mode": partial(_slab_mode, room),
        "slab_thicker": partial(_slab_step, room, 1),
        "slab_thinner": partial(_slab_step, room, -1),
    }


def _finding(room: ReadingRoom) -> dict[str, Callable[[], object]]:
    marking, keeping, following = room.marking, room.keeping, room.following
    return {
        "snap": lambda: room.spine.snap(not room.snapped),
        "accept": following.accept,
        "cancel": partial(_cancel, room),
        "next": partial(following.step, 1),
        "previous": partial(following.step, -1),
        "edit": room.dock.findings.start_form,
        "absent": room.dock.findings.start_absent,
        "delete": marking.delete,
        "undo": partial(_taken_back, room, "undo"),
        "redo": partial(_taken_back, room, "redo"),
        "copy_text": keeping.copy_text,
        "save": keeping.save,
        "help": room.helping.show_keys,
        "settings": room.helping.ask_settings,
    }


def _plane(room: ReadingRoom, plane: Plane) -> None:
    room.ask(lambda: room.arrangement.set_plane(plane))
    room.refresh()


def _linked(room: ReadingRoom) -> None:
    if room.ask(lambda: room.arrangement.show_planes(not room.arrangement.is_linked)):
        room.refresh()


def _compare(room: ReadingRoom, way: str) -> None:
    comparing = room.arrangement.comparing
    if not comparing.is_on:
        room.say("Nothing is compared: choose an earlier and a later study first.")
        return
    if room.ask(getattr(comparing, way)):
        room.say(comparing.as_text)


def _overlays(room: ReadingRoom) -> None:
    if room.arrangement.comparing.is_on:
        # What is known of the registration stays: a comparison is not seen without.
        bare = not room.arrangement.main.is_bare
        for view in room.views:
            view.show_bare(bare)
        return
    main = room.arrangement.main.overlay
    visible = main is not None and main.isHidden()
    for view in room.views:
        if view.overlay is not None:
            view.overlay.setVisible(visible)


def _window(room: ReadingRoom, key: int) -> None:
    volume = room.view.volume
    if volume is not None:
        room.set_window(key - FIRST_KEY.get(volume.identity.modality, 1))


def _reset(room: ReadingRoom) -> None:
    room.set_window(room.first_window)
    room.arrangement.fit()


def _scroll(room: ReadingRoom, by: int) -> None:
    if room.view.volume is not None:
        room.view.go_to_slice(room.view.slice_index + by)


def _scroll_to(room: ReadingRoom, index: int) -> None:
    """Go to a slice, counted from the end where it is negative."""
    view = room.view
    if view.volume is not None:
        view.go_to_slice(index % view.slice_count)


def _slab_mode(room: ReadingRoom) -> None:
    """Go from one slice to each way of showing a slab, and back to one slice."""
    mm, mode = room.view.slab
    modes = list(SLAB_MODES)
    if not mm:
        room.set_slab(SLABS_MM[1], modes[0])
    elif mode == modes[-1]:
        room.set_slab(SLABS_MM[0], modes[0])
    else:
        room.set_slab(mm, modes[modes.index(mode) + 1])


def _slab_step(room: ReadingRoom, by: int) -> None:
    mm, mode = room.view.slab
    number = SLABS_MM.index(mm) + by
    room.set_slab(SLABS_MM[min(max(number, 0), len(SLABS_MM) - 1)], mode)


def _cancel(room: ReadingRoom) -> None:
    if room.pointer.cancel():
        pass
    elif room.busy:
        room.background.cancel()
    elif not room.archive.stop():
        room.comparing.stop()
    room.show_state()


def _taken_back(room: ReadingRoom, way: str) -> None:
    # A point of what is being marked is the last thing that was done.
    if way == "undo" and room.pointer.take_back():
        room.show_state()
        return
    words: list[str] = []
    if room.ask(lambda: words.append(getattr(room.session, way)())) and words[0]:
        done = "Undone" if way == "undo" else "Done again"
        room.say(f"{done}: {words[0]}.")
    room.spine.show_labels()
    room.refresh()
