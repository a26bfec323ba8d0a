"""Verbs about the installation: samples, open and doctor."""

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from osteotrace import about
from osteotrace.cli import output
from osteotrace.cli.options import Json
from osteotrace.errors import OsteotraceError

VIEWER_MODULE = "osteotrace_napari"
VIEWER_EXTRA = 'pip install "osteotrace[napari]"'

# Programs that are useful beside osteotrace: what each does, and its Debian package.
PROGRAMS = {
    "dciodvfy": ("checks written DICOM records", "dicom3tools"),
    "dsrdump": ("prints and checks DICOM SR", "dcmtk"),
    "xvfb-run": ("runs the viewer without a screen (tests)", "xvfb"),
}


def samples(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder for them.", show_default=False)
    ],
    case: Annotated[
        list[str] | None,
        typer.Option(
            "--case",
            metavar="NAME",
            help="Only this case; may be given again.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Write the sample cases: synthetic CT and MR studies with known values."""
    from osteotrace import phantoms

    written = phantoms.write_samples(folder, case or None)
    if json:
        done = {"folder": str(folder), "cases": [place.name for place in written]}
        output.print_json(done)
    else:
        for place in written:
            typer.echo(place)


def open_viewer(
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="[PATH]",
            help="A DICOM folder, file, DICOMDIR or zip.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> int:
    """Open the napari viewer, with a study loaded, and wait until it is closed."""
    if path is not None and not path.exists():
        raise OsteotraceError(
            "no such file or folder",
            expected="a DICOM folder, file, DICOMDIR or zip",
            advice="check the path",
            where=str(path),
            usage=True,
        )
    for check in (_viewer(), _qt(), _display()):
        if not check.present:
            raise OsteotraceError(
                f"no {check.name}",
                expected="napari, Qt and a display to open a window on",
                advice=check.advice,
            )
    command = [sys.executable, "-m", VIEWER_MODULE]
    if path is not None:
        command.append(str(path.resolve()))
    with subprocess.Popen(command) as viewer:
        if json:
            output.print_json({"command": command, "process": viewer.pid})
            sys.stdout.flush()
    if viewer.returncode < 0:
        raise OsteotraceError(
            f"a viewer that was ended by signal {-viewer.returncode}",
            expected="a window that is closed",
            advice="what was marked is in its draft: open the study again; where no "
            "window came, check the display with 'osteotrace doctor'",
        )
    return 1 if viewer.returncode else 0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that may be installed.

    Parameters
    ----------
    name : str
        What it is.
    present : bool
        Whether it is there.
    needed : bool
        Whether the library and the command line need it.
    version : str
        Its version or place, where known.
    advice : str
        How to get it, where it is absent.
    """

    name: str
    present: bool
    needed: bool
    version: str = ""
    advice: str = ""


def doctor(json: Json = False) -> int:
    """Say what is installed, what is missing and how to get it."""
    checks = [_python(), *_libraries(), _viewer(), _qt(), _display(), *_programs()]
    healthy = all(check.present for check in checks if check.needed)
    if json:
        software = {"osteotrace": about.VERSION, "platform": platform.platform()}
        output.print_json(
            {**software, "healthy": healthy, "checks": [asdict(c) for c in checks]}
        )
    else:
        typer.echo(f"osteotrace {about.VERSION} on {platform.platform()}")
        for check in checks:
            typer.echo(_line(check))
        typer.echo("All that is needed is there." if healthy else "Something is missing.")
    return 0 if healthy else 1


def _line(check: Check) -> str:
    if check.present:
        return f"  ok       {check.name} {check.version}".rstrip()
    state = "MISSING" if check.needed else "absent "
    return f"  {state}  {check.name}: {check.advice}"


def _python() -> Check:
    return Check("Python", True, True, platform.python_version())


def _libraries() -> list[Check]:
    """Return a check for each library that the installed distribution requires."""
    try:
        requirements = metadata.requires(about.SOFTWARE_NAME) or []
    except metadata.PackageNotFoundError:
        return [Check(about.SOFTWARE_NAME, False, True, "", "pip install osteotrace")]
    wanted = [_name(line) for line in requirements if "extra ==" not in line]
    return [_distribution(name, "pip install --upgrade osteotrace") for name in wanted]


def _name(requirement: str) -> str:
    end = next((n for n, c in enumerate(requirement) if c in " ;<>=!~["), None)
    return requirement[:end]


def _distribution(name: str, advice: str, *, needed: bool = True) -> Check:
    try:
        return Check(name, True, needed, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check(name, False, needed, "", advice)


def _viewer() -> Check:
    return _distribution("napari", VIEWER_EXTRA, needed=False)


def _qt() -> Check:
    for name in ("PySide6", "PyQt6"):
        if importlib.util.find_spec(name) is not None:
            return _distribution(name, VIEWER_EXTRA, needed=False)
    return Check("PySide6", False, False, "", VIEWER_EXTRA)


def _display() -> Check:
    display = os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY") or ""
    present = bool(display) or sys.platform in {"darwin", "win32"}
    advice = "log in to a desktop, use 'ssh -X', or prefix the command with 'xvfb-run -a'"
    return Check("display", present, False, display, advice)


def _programs() -> list[Check]:
    return [
        Check(
            name,
            (place := shutil.which(name)) is not None,
            False,
            place or "",
            f"{use}: apt-get install {package}",
        )
        for name, (use, package) in PROGRAMS.items()
    ]
