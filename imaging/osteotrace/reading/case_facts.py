"""Clinical facts of a patient from a TOML file, and the template of such a file.

What is wrong is named by file and key; a fact that no definition allows is refused, never
dropped::

    patient = "P-3f2a"        # pseudonym, as 'osteotrace scan' prints it; may be left out
    author = "Dr Kim"         # who states all this

    [[drug]]
    drug = "denosumab"
    route = "subcutaneous"
    first_dose = "2020-02"
    last_dose = "2022-10-27"

    [always]
    jaw_radiotherapy = false

    [[at]]
    date = "2023-07-15"
    approximate = true
    pain_vas = 7
    exposed_bone = "unknown"
    crp = { value = 1.7, unit = "mg/L" }

    [[at]]
    date = "2023-08-27"
    site = "l2"
    superior_endplate_deformed = true

    [[override]]
    system = "aaoms_2022"
    date = "2023-07-15"
    stage = "2"
    reason = "the fistula was probed"
"""

from __future__ import annotations

import tomllib
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from osteotrace.codes import DRUGS, FACTS, STAGINGS, look_up
from osteotrace.errors import OsteotraceError
from osteotrace.findings import DrugCourse, Fact, check_drug, check_fact
from osteotrace.findings.dates import days
from osteotrace.reading.toml_slips import said_right

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from osteotrace.codes import FactDefinition

# A patient's facts are a page or two; more is another kind of file.
MAX_BYTES: Final = 1_000_000
Made = TypeVar("Made", bound=msgspec.Struct)
Checked = TypeVar("Checked")

UNKNOWN: Final = "unknown"
_DATES: Final = ("date", "until", "first_dose", "last_dose")
# Keys of an [[at]] table, and of a fact given as a table, that are no facts themselves.
_FRAME: Final = (
    "date",
    "until",
    "approximate",
    "site",
    "laterality",
    "note",
    "author",
    "recorded",
)


class StatedOverride(msgspec.Struct, frozen=True, kw_only=True):
    """A stage that a reader sets at a date in place of the computed one, and why."""

    system: str
    stage: str
    reason: str
    author: str
    date: str
    site: str = ""
    recorded: str = ""


class CaseFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a file states of a patient.

    Parameters
    ----------
    patient : str
        Pseudonym, or empty where the file names none.
    facts : tuple of Fact
        With the dates at which they held.
    drugs : tuple of DrugCourse
        Courses of drugs.
    overrides : tuple of StatedOverride
        Stages that a reader sets.
    """

    patient: str = ""
    facts: tuple[Fact, ...] = ()
    drugs: tuple[DrugCourse, ...] = ()
    overrides: tuple[StatedOverride, ...] = ()


def read_facts(path: str | os.PathLike[str]) -> CaseFacts:
    """Read a patient's facts from a TOML file.

    Raises
    ------
    OsteotraceError
        If the file cannot be read, a key is none, an answer is not one of its fact's, a
        unit is not the fact's, or dates are out of order.
    """
    file = Path(path)
    try:
        content = file.read_bytes() if file.stat().st_size <= MAX_BYTES else None
    except OSError as problem:
        raise OsteotraceError(
            f"no file of facts ({problem.strerror})",
            expected="a TOML file as 'osteotrace stage --template' prints it",
            advice="check the path",
            where=str(file),
            usage=True,
        ) from problem
    if content is None:
        raise _wrong(file, "a file of over 1 MB", "a page of facts")
    return parse_facts(content, file)


def parse_facts(content: bytes, file: Path) -> CaseFacts:
    """Check the bytes of a file of facts; ``file`` names it in messages.

    Raises
    ------
    OsteotraceError
        As `read_facts`.
    """
    try:
        # Some editors put a byte order mark first.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise _wrong(
            file, "a text that is not UTF-8", "a file saved as UTF-8"
        ) from problem
    try:
        raw = _plain(tomllib.loads(text))
    except tomllib.TOMLDecodeError as problem:
        right = said_right(text, str(problem)) or "TOML"
        raise _wrong(file, f"text that is not TOML: {problem}", right) from problem
    heads = {
        key: _text(file, key, raw.pop(key, ""))
        for key in ("patient", "author", "recorded", "description")
    }
    who = {key: heads[key] for key in ("author", "recorded")}
    always = raw.pop("always", {})
    at, drugs, overrides = (
        _tables(file, key, raw.pop(key, [])) for key in ("at", "drug", "override")
    )
    if raw:
        raise _wrong(
            file, f"the key {next(iter(raw))!r}", "patient, author, always, at or drug"
        )
    if not isinstance(always, dict):
        raise _wrong(file, "always that is no table", "[always] and facts below it")
    facts = [
        *_facts(file, "[always]", always, who),
        *(fact for n, table in enumerate(at, 1) for fact in _at(file, n, table, who)),
    ]
    return CaseFacts(
        patient=heads["patient"],
        facts=tuple(facts),
        drugs=tuple(
            _drug(file, f"[[drug]] number {n}", table, who)
            for n, table in enumerate(drugs, 1)
        ),
        overrides=tuple(
            _override(file, f"[[override]] number {n}", table, who)
            for n, table in enumerate(overrides, 1)
        ),
    )


def _plain(value: Any) -> Any:
    """Return a TOML value with its dates as ISO 8601 texts."""
    if isinstance(value, dict):
        return {
            # A year alone is a number to TOML.
            key: str(one) if key in _DATES and type(one) is int else _plain(one)
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, date | datetime) else value


def _at(
    file: Path, number: int, table: dict[str, Any], who: dict[str, str]
) -> Iterator[Fact]:
    where = f"[[at]] number {number}"
    if not table.get("date"):
        raise _wrong(file, f"{where} without a date", 'date = "YYYY-MM-DD"')
    return _facts(file, where, table, who)


def _facts(
    file: Path, where: str, table: dict[str, Any], who: dict[str, str]
) -> Iterator[Fact]:
    """Yield the facts of a table; what frames them holds for each."""
    frame = who | {key: value for key, value in table.items() if key in _FRAME}
    if set(table) - set(_FRAME):
        _check_date(file, where, frame.get("date"))
    for name, given in table.items():
        if name in _FRAME:
            continue
        own = given if isinstance(given, dict) else {"value": given}
        yield _fact(file, f"{where}: {name}", name, frame | own)


def _check_date(file: Path, where: str, text: object) -> None:
    """Refuse a day that is none, or that has not come yet: a slip of the pen."""
    if not isinstance(text, str) or not text:
        return
    first, _ = _checked(file, where, lambda: days(text))
    if first > date.today():
        raise _wrong(file, f"{where} at {text}, in the future", "a day that has been")


def _fact(file: Path, where: str, name: str, fields: dict[str, Any]) -> Fact:
    definition = _checked(file, where, lambda: look_up(FACTS, name, "clinical fact"))
    value = fields.pop("value", None)
    value = None if value == UNKNOWN else value
    # True and false are numbers to Python, and no answer to a number or a choice.
    for key in ("site", "laterality"):
        if isinstance(fields.get(key), str):
            fields[key] = fields[key].strip().lower()
    if isinstance(value, int | float) and not isinstance(value, bool):
        if definition.answer == "number":
            value = float(value)
            if "unit" not in fields:
                fields["unit"] = _meant_unit(file, where, definition)
        if definition.answer == "choice":
            value = f"{value:g}"
    stated = {"name": name, "value": value, "source": "entered"} | fields
    fact = _made(file, where, stated, Fact)
    _checked(file, where, lambda: check_fact(fact))
    if definition.sited and not fact.site and not definition.site_optional:
        raise _wrong(file, f"{where} without a site", 'site = "l2", the bone it is of')
    _check_author(file, where, fact.author)
    return fact


def _meant_unit(file: Path, where: str, definition: FactDefinition) -> str:
    if definition.unit_stated:
        raise _wrong(
            file,
            f"{where} without a unit",
            f'{{ value = ..., unit = "..." }} in {" or ".join(definition.units)}',
        )
    return definition.units[0]


def _drug(
    file: Path, where: str, table: dict[str, Any], who: dict[str, str]
) -> DrugCourse:
    fields = who | table
    for key in ("drug", "route"):
        if isinstance(fields.get(key), str):
            fields[key] = fields[key].strip().lower()
    if fields.get("ongoing") == UNKNOWN:
        fields["ongoing"] = None
    course = _made(file, where, fields, DrugCourse)
    _checked(file, where, lambda: look_up(DRUGS, course.drug, "drug"))
    _checked(file, where, lambda: check_drug(course))
    _check_author(file, where, course.author)
    return course


def _override(
    file: Path, where: str, table: dict[str, Any], who: dict[str, str]
) -> StatedOverride:
    override = _made(file, where, who | table, StatedOverride)
    _checked(file, where, lambda: look_up(STAGINGS, override.system, "staging system"))
    _check_author(file, where, override.author)
    first, last = _checked(file, where, lambda: days(override.date))
    if first != last:
        raise _wrong(file, f"{where} at {override.date}", "the day that was staged")
    return override


def _check_author(file: Path, where: str, author: str) -> None:
    if not author.strip():
        raise _wrong(
            file,
            f"{where} without an author",
            'author = "..." at the top, or in its table: who states it',
        )


def _made(file: Path, where: str, fields: dict[str, Any], kind: type[Made]) -> Made:
    known = set(kind.__struct_fields__)
    strange = sorted(set(fields) - known)
    if strange:
        raise _wrong(file, f"{where} with {strange[0]!r}", ", ".join(sorted(known)))
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as problem:
        raise _wrong(file, f"{where}: {problem}", "a value of that type") from problem


def _checked(file: Path, where: str, check: Callable[[], Checked]) -> Checked:
    try:
        return check()
    except OsteotraceError as problem:
        raise OsteotraceError(
            f"{where}: {problem.found}",
            expected=problem.expected,
            advice=problem.advice,
            where=str(file),
            usage=True,
        ) from problem


def _text(file: Path, key: str, value: object) -> str:
    if not isinstance(value, str):
        raise _wrong(file, f"{key} = {value!r}", "a text")
    return value


def _tables(file: Path, key: str, value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise _wrong(file, f"{key} that is no list of tables", f"[[{key}]] tables")
    return value


def _wrong(file: Path, found: str, expected: str) -> OsteotraceError:
    return OsteotraceError(
        found,
        expected=expected,
        advice="correct the file; 'osteotrace stage --template' prints an empty one",
        where=str(file),
        usage=True,
    )
