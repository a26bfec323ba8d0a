"""What may be installed beside osteotrace: versions that are known to break are not."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


def pyside6_admits(version: str, *, python: str) -> bool:
    """Tell whether a PySide6 may be installed for the plugin under a Python."""
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    asked = [Requirement(line) for line in project["optional-dependencies"]["napari"]]
    wanted = [
        requirement
        for requirement in asked
        if requirement.name == "PySide6"
        and (
            requirement.marker is None
            or requirement.marker.evaluate({"python_version": python})
        )
    ]
    assert wanted, f"no PySide6 is asked for under Python {python}"
    return all(version in requirement.specifier for requirement in wanted)


@pytest.mark.parametrize("python", ["3.11"])
def test_the_pyside6_that_aborts_before_python_3_12_is_excluded_there(
    python: str,
) -> None:
    # "none_dealloc" after some 800 to 2,300 slice changes.
    assert not pyside6_admits("6.12.0", python=python)
    assert pyside6_admits("6.11.3", python=python)
    assert pyside6_admits("6.12.1", python=python)


@pytest.mark.parametrize("python", ["3.12", "3.13", "3.14"])
def test_it_is_admitted_where_it_works(python: str) -> None:
    assert pyside6_admits("6.12.0", python=python)
