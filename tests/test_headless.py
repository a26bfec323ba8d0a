"""The measuring library imports no viewer, and nothing heavy before it is used."""

import subprocess
import sys

EVERY_MODULE = """
import importlib, pkgutil, sys, osteotrace
for module in pkgutil.walk_packages(osteotrace.__path__, "osteotrace."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
loaded = {name.split(".")[0] for name in sys.modules}
viewer = {"napari", "qtpy", "magicgui", "superqt", "PyQt6", "PySide6"}
print(sorted(loaded & (viewer | {"osteotrace_napari"})))
"""

AFTER = """
import sys
{what}
loaded = {{name.split(".")[0] for name in sys.modules}}
heavy = {{"numpy", "scipy", "pydicom", "SimpleITK", "matplotlib", "pandas", "rich",
         "highdicom", "skimage", "msgspec"}}
print(sorted(loaded & heavy))
"""


def printed_by(code: str) -> str:
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return found.stdout.strip()


def test_no_module_of_the_library_loads_a_viewer() -> None:
    assert printed_by(EVERY_MODULE) == "[]"


def test_importing_the_library_loads_nothing_heavy() -> None:
    assert printed_by(AFTER.format(what="import osteotrace")) == "[]"


def test_importing_the_command_line_loads_nothing_heavy() -> None:
    assert printed_by(AFTER.format(what="import osteotrace.cli")) == "[]"


def test_every_name_of_the_front_door_opens() -> None:
    code = "import osteotrace as ot; print(all(getattr(ot, n) for n in ot.__all__))"
    assert printed_by(code) == "True"


def test_an_unknown_name_is_an_attribute_error() -> None:
    code = "import osteotrace as ot; print(hasattr(ot, 'diagnose'))"
    assert printed_by(code) == "False"
