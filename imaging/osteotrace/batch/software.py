"""Which versions measure: all processes of a run, and one that goes on, have the same."""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from osteotrace.about import SOFTWARE_NAME, VERSION

# Those whose code touches voxels, headers or numbers.
PACKAGES: Final = (
    "highdicom", "numpy", "pydicom", "python-gdcm", "scikit-image", "scipy", "SimpleITK",
)  # fmt: skip

Versions = tuple[tuple[str, str], ...]


@cache
def versions() -> Versions:
    """Return the names and versions of what measures in this process."""
    python = ".".join(map(str, sys.version_info[:2]))
    packages = ((name, _version(name)) for name in PACKAGES)
    return ((SOFTWARE_NAME, VERSION), ("Python", python), *packages)


def differing(first: Versions, second: Versions) -> str:
    """Return in words what differs between two sets of versions, or nothing."""
    other = dict(second)
    return ", ".join(
        f"{name} {one} and not {other.get(name, 'absent')}"
        for name, one in first
        if other.get(name) != one
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
