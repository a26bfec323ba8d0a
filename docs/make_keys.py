"""Write the table of keys in docs/reading_room.md from the plugin's own."""

from __future__ import annotations

from pathlib import Path

from osteotrace_napari import keys

PAGE = Path(__file__).resolve().parent / "reading_room.md"
BEGIN, END = "<!-- keys -->", "<!-- end of keys -->"


def table() -> str:
    """Return every command by group, with its key where the reader changed none."""
    lines = []
    for group in keys.GROUPS:
        lines += [f"\n**{group}**\n", "| key | |", "|---|---|"]
        for command in keys.COMMANDS:
            if command.group == group:
                held = (command.key, *command.also)
                named = ", ".join(f"`{keys.shown(key)}`" for key in held)
                lines.append(f"| {named} | {command.title} |")
    lines += ["\n**Mouse**\n", "| | |", "|---|---|"]
    lines += [f"| {what} | {does} |" for what, does in keys.MOUSE]
    return "\n".join(lines)


def page(text: str) -> str:
    """Return the page with the table of keys as it is now."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
