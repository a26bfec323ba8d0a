"""The front door says of each of its names what goes in, comes out and can fail."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re

import msgspec
import pytest

import osteotrace as ot
from osteotrace import measurements
from osteotrace.alignment import align
from osteotrace.deidentify import deidentify_tree
from osteotrace.pacs import connect
from osteotrace.volume import to_image, write_image

HEADING = re.compile(r"^(\w[\w ]*)\n-{3,}$", re.MULTILINE)
# A parameter and what it may be: ``row, column : int``, ``*paths : path``, ``name``.
PARAMETER = re.compile(r"^(\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: : \S.*)?$", re.MULTILINE)
VERBS = [name for name in ot.__all__ if inspect.isfunction(getattr(ot, name))]
# What takes a whole record and only says it again.
# Fields that say what a JSON text holds; nobody gives them.
OF_THE_FORMAT = {"schema_version", "records_kind", "comparison_version"}
NEVER_FAILS = {"paragraph"}
# What measuring one lesion gives.
READINGS = {"LesionReading", "CaliperReading", "VertebraReading", "SequestraReading"}
# What a module calls the end of another's measuring.
PART = "reading"
RECORDS = [name for name in ot.__all__ if inspect.isclass(getattr(ot, name))]


def sections(thing: object) -> dict[str, str]:
    """The sections of a docstring by their headings; the summary under the empty one."""
    text = inspect.cleandoc(inspect.getdoc(thing) or "")
    first, *rest = HEADING.split(text)
    return {"": first.strip()} | dict(zip(rest[::2], rest[1::2], strict=True))


def documented(thing: object) -> set[str]:
    """The parameters that a docstring names."""
    found = PARAMETER.findall(sections(thing).get("Parameters", ""))
    return {name.lstrip("*") for names in found for name in names.split(", ")}


def assert_is_whole(function: object, *, of: str) -> None:
    """Fail where a function's parameters, result or errors are not documented."""
    assert callable(function)
    signature = inspect.signature(function)
    told = sections(function)
    assert told[""], f"{of} says nothing"
    given = set(signature.parameters) - {"self"}
    missing = given - documented(function)
    assert not missing, f"{of} does not document {sorted(missing)}"
    strange = documented(function) - given
    assert not strange, f"{of} documents {sorted(strange)}, which it does not take"
    if signature.return_annotation not in (None, "None"):
        assert "Returns" in told or "Yields" in told, f"{of} does not say what it returns"


@pytest.mark.parametrize("name", VERBS)
def test_every_function_says_what_goes_in_comes_out_and_fails(name: str) -> None:
    function = getattr(ot, name)
    assert_is_whole(function, of=f"osteotrace.{name}")
    if inspect.signature(function).parameters and name not in NEVER_FAILS:
        assert "Raises" in sections(function), f"osteotrace.{name} names no error"


@pytest.mark.parametrize("name", RECORDS)
def test_every_record_says_what_its_fields_are(name: str) -> None:
    record = getattr(ot, name)
    fields = set(getattr(record, "__struct_fields__", ()))
    fields |= set(getattr(record, "__dataclass_fields__", ()))
    public = {one for one in fields if not one.startswith("_")}
    missing = public - OF_THE_FORMAT - documented(record) - attributes(record)
    assert not missing, f"osteotrace.{name} does not say what {sorted(missing)} is"


def attributes(record: type) -> set[str]:
    found = PARAMETER.findall(sections(record).get("Attributes", ""))
    return {name for names in found for name in names.split(", ")}


@pytest.mark.parametrize("name", RECORDS)
def test_every_method_of_a_record_is_documented(name: str) -> None:
    record = getattr(ot, name)
    for own, method in vars(record).items():
        if own.startswith("_") or not inspect.isfunction(method):
            continue
        assert inspect.getdoc(method), f"osteotrace.{name}.{own} says nothing"


def measuring_functions() -> dict[str, object]:
    """Every function that measures one lesion, by its place; no part of another."""
    found: dict[str, object] = {}
    for one in pkgutil.walk_packages(measurements.__path__, f"{measurements.__name__}."):
        for name, function in vars(importlib.import_module(one.name)).items():
            own = inspect.isfunction(function) and function.__module__ == one.name
            gives = str(getattr(function, "__annotations__", {}).get("return"))
            if own and gives in READINGS and name != PART and not name.startswith("_"):
                found[f"{one.name}.{name}"] = function
    return found


def test_every_measuring_function_behind_the_door_is_documented_as_well() -> None:
    behind = {
        **measuring_functions(),
        "align": align,
        "to_image": to_image,
        "write_image": write_image,
        "connect": connect,
        "deidentify_tree": deidentify_tree,
    }
    assert len(behind) > 20
    for name, function in behind.items():
        assert_is_whole(function, of=name)
        assert "Raises" in sections(function), f"{name} names no error"


def test_the_examples_of_numpydoc_are_understood() -> None:
    def made(first: int, *others: int) -> int:
        """Return a sum.

        Parameters
        ----------
        first : int
            In mm.
        *others : int

        Returns
        -------
        int
        """
        return first + sum(others)

    assert documented(made) == {"first", "others"}
    assert_is_whole(made, of="made")


def test_a_parameter_that_is_left_out_is_found() -> None:
    def made(first: int, second: int) -> int:
        """Return a sum.

        Parameters
        ----------
        first : int

        Returns
        -------
        int
        """
        return first + second

    with pytest.raises(AssertionError, match="does not document \\['second'\\]"):
        assert_is_whole(made, of="made")


def test_every_record_keeps_its_type_in_json() -> None:
    # What prints well is still the same record.
    concept = ot.Fact(
        name="age", value=77.0, unit="a", source="entered", author="x", recorded="y"
    )
    assert msgspec.json.decode(msgspec.json.encode(concept), type=ot.Fact) == concept
