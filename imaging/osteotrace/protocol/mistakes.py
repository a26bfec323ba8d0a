"""What msgspec says of a value of a wrong type, in the words of who wrote the file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

# It ends its messages with the place, such as "at `$[...][0].start[2]`".
_PLACE: Final = re.compile(r" - at `\$\[\.\.\.\](?:\[(\d+)\])?\.?(\w*).*`$")
_FIELD: Final = re.compile(r"(unknown|missing required) field `(\w+)`")
_TYPES: Final = re.compile(r"Expected `(.+)`, got `(.+)`")
_LENGTH: Final = re.compile(r"Expected `array` of length (\d+)(?:, got (\d+))?")
_WORDS: Final = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
    "datetime": "a date",
    "date": "a date",
    "time": "a time",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """What is wrong, and where.

    Parameters
    ----------
    number : int or None
        Which entry of the table it is about.
    key, inside : str
        The key that is wrong, and the key of the table that it stands in; may be empty.
    found, expected : str
        In words; ``expected`` is empty where the message does not tell.
    """

    number: int | None
    key: str
    inside: str
    found: str
    expected: str = ""


def mistake_of(message: str) -> Mistake:
    """Return a message of msgspec taken apart."""
    place = _PLACE.search(message)
    said = _PLACE.sub("", message)
    inside = place[2] if place is not None else ""
    key, found, expected = inside, said, ""
    if field := _FIELD.search(said):
        key = field[2]
        found = f"{'the unknown' if field[1] == 'unknown' else 'no'} key {key!r}"
    elif length := _LENGTH.search(said):
        found = f"{length[2]} values" if length[2] else "another number of values"
        expected = f"{length[1]} values"
    elif types := _TYPES.search(said):
        found, expected = _words(types[2]), _words(types[1])
    elif said.startswith("Invalid enum value "):
        value = said.removeprefix("Invalid enum value ")
        found = f"{value}, which is none of the choices"
    return Mistake(
        number=int(place[1]) if place is not None and place[1] else None,
        key=key,
        inside=inside,
        found=found,
        expected=expected,
    )


def _words(types: str) -> str:
    return " or ".join(_WORDS.get(one, one) for one in types.split(" | "))
