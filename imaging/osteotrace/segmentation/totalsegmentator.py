"""Labels drawn by TotalSegmentator, where it and its weights are installed.

It runs as a program of its own, on a NIfTI copy of the image in a folder that only this
user can read and that is gone afterwards. Nothing is downloaded and nothing is sent: the
weights have to be there before, and its usage statistics are turned off for the run.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.errors import OsteotraceError
from osteotrace.segmentation.labels import read_labels
from osteotrace.volume import write_image

if TYPE_CHECKING:
    from osteotrace.segmentation.label_maps import LabelMap
    from osteotrace.volume import Volume

PROGRAM: Final = "TotalSegmentator"
EXTRA: Final = 'pip install "osteotrace[segment]"'
# A whole trunk on a processor without a graphics card takes the better part of an hour.
MOST_SECONDS: Final = 4 * 3600.0
# How much of what the program printed last an error repeats.
MOST_SAID: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task of TotalSegmentator 2 that draws bone or what lies around it.

    Parameters
    ----------
    modality : ``"CT"`` or ``"MR"``
        What it is trained on.
    weights : tuple of int
        Numbers of the weights that it loads (totalsegmentator/map_tasks_config.py), the
        coarse ones that it crops with among them.
    download : str
        What ``totalseg_download_weights -t`` calls them.
    table : str
        The table that names its labels where the file names them otherwise.
    """

    modality: str
    weights: tuple[int, ...]
    download: str
    table: str = ""


TASKS: Final[dict[str, Task]] = {
    "total": Task(
        modality="CT", weights=(291, 292, 293, 294, 295), download="total"
    ),
    "total_fast": Task(modality="CT", weights=(297,), download="total_fast"),
    "vertebrae_body": Task(modality="CT", weights=(305,), download="vertebrae_body"),
    "vertebrae_pp_refined": Task(
        modality="CT", weights=(803, 305), download="vertebrae_pp",
        table="totalsegmentator vertebrae_pp_refined",
    ),
    "head_glands_cavities": Task(
        modality="CT", weights=(775, 298), download="head_glands_cavities"
    ),
    "craniofacial_structures": Task(
        modality="CT", weights=(115, 298), download="craniofacial_structures"
    ),
    "total_mr": Task(modality="MR", weights=(850, 851), download="total_mr"),
    "vertebrae_mr": Task(modality="MR", weights=(756,), download="vertebrae_mr"),
}  # fmt: skip


def run(
    volume: Volume,
    *,
    task: str = "total",
    program: str | os.PathLike[str] | None = None,
    device: str = "gpu",
    most_seconds: float = MOST_SECONDS,
) -> LabelMap:
    """Return the labels that TotalSegmentator draws on a volume.

    Parameters
    ----------
    volume : Volume
        CT or MR, as the task needs. A tilted or uneven one is rectified first: the
        labels lie on that grid, and a note says so.
    task : str
        One of `TASKS`; ``"total_fast"`` is ``total`` at 3 mm.
    program : path, optional
        The program, as a rule the one beside this Python or on the search path.
    device : str
        ``"gpu"`` (the processor where there is none), ``"cpu"`` or ``"gpu:1"``.
    most_seconds : float
        It is ended when it takes longer.

    Raises
    ------
    OsteotraceError
        If the program or its weights are not there, the image is not of the task's
        kind, or the program fails, takes too long, or draws nothing.
    """
    chosen = _chosen(task, volume)
    executable = _program(program)
    weights = _weights(task, chosen)
    # Readable by this user alone: `TemporaryDirectory` sees to it.
    with TemporaryDirectory(prefix="osteotrace-") as name:
        folder = Path(name)
        image, drawn = folder / "image.nii.gz", folder / "labels.nii.gz"
        written = write_image(volume, image)
        home = _quiet_home(folder)
        fast = ["--fast"] if task.endswith("_fast") else []
        command = [
            executable, "-i", str(image), "-o", str(drawn), "--ml",
            "--task", task.removesuffix("_fast"), *fast, "--device", device,
        ]  # fmt: skip
        environment = {
            **os.environ,
            "TOTALSEG_WEIGHTS_PATH": str(weights),
            "TOTALSEG_HOME_DIR": str(home),
        }
        said = _finished(command, environment, most_seconds)
        if not drawn.is_file():
            raise _failed(f"it wrote no labels ({said})")
        labels = read_labels(drawn, like=written, table=chosen.table or None)
    version = _version()
    by = f"AUTOMATIC {PROGRAM} {version}".strip()
    return replace(
        labels,
        labels=tuple(
            msgspec.structs.replace(label, algorithm=f"{by} {task}") for label in labels
        ),
        notes=(
            *written.notes,
            f"labels drawn by {PROGRAM} {version or '(version unknown)'}, task {task}, "
            "not checked by anybody",
            *labels.notes,
        ),
    )


def weights_folder() -> Path:
    """Return where TotalSegmentator keeps its weights (totalsegmentator/config.py)."""
    if given := os.environ.get("TOTALSEG_WEIGHTS_PATH"):
        return Path(given)
    return _home() / "nnunet" / "results"


def _home() -> Path:
    given = os.environ.get("TOTALSEG_HOME_DIR")
    return Path(given) if given else Path.home() / ".totalsegmentator"


def _chosen(task: str, volume: Volume) -> Task:
    if task not in TASKS:
        raise OsteotraceError(
            f"the task {task!r}",
            expected="one of " + ", ".join(TASKS),
            advice="choose one of these",
            usage=True,
        )
    chosen, modality = TASKS[task], volume.identity.modality
    # What came from a NIfTI file says no modality.
    if modality and modality != chosen.modality:
        raise OsteotraceError(
            f"a {modality} image for the task {task}",
            expected=f"a {chosen.modality} image, on which it was trained",
            advice="choose one of the tasks for this image: "
            + ", ".join(name for name, t in TASKS.items() if t.modality == modality),
            usage=True,
        )
    return chosen


def _program(given: str | os.PathLike[str] | None) -> str:
    if given is not None:
        found = shutil.which(given)
    else:
        beside = Path(sys.executable).with_name(PROGRAM)
        found = shutil.which(beside) or shutil.which(PROGRAM)
    if found is None:
        raise OsteotraceError(
            f"no {PROGRAM}" + (f" at {os.fspath(given)}" if given else ""),
            expected=f"the program {PROGRAM}, which the extra 'segment' brings",
            advice=f"{EXTRA}, then fetch its weights with totalseg_download_weights; or "
            "give labels that were drawn elsewhere (DICOM SEG, NIfTI, NRRD)",
        )
    return found


def _weights(task: str, chosen: Task) -> Path:
    folder = weights_folder()
    missing = [n for n in chosen.weights if not any(folder.glob(f"Dataset{n:03d}_*"))]
    if missing:
        raise OsteotraceError(
            f"no weights {', '.join(map(str, missing))} of {PROGRAM}",
            expected=f"those of the task {task}, downloaded before",
            advice=f"totalseg_download_weights -t {chosen.download} (tasks that need a "
            "licence: totalseg_set_license first)",
            where=str(folder),
        )
    return folder


def _quiet_home(folder: Path) -> Path:
    """Return a home for one run: the user's own settings, but no usage statistics."""
    home = folder / "home"
    home.mkdir()
    settings = {"totalseg_id": "osteotrace", "prediction_counter": 0}
    with suppress(OSError, ValueError):
        own = json.loads((_home() / "config.json").read_text())
        settings.update(own if isinstance(own, dict) else {})
    settings |= {"send_usage_stats": False, "statistics_disclaimer_shown": True}
    (home / "config.json").write_text(json.dumps(settings))
    return home


def _finished(command: list[str], environment: dict[str, str], most: float) -> str:
    """Run a command to its end and return the last of what it printed."""
    try:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # Its own children end with it.
            start_new_session=True,
        )
    except OSError as problem:
        raise _failed(f"it does not start: {problem.strerror}") from problem
    try:
        printed, _ = process.communicate(timeout=most)
    except subprocess.TimeoutExpired:
        raise _failed(f"it was still at it after {most:.0f} s") from None
    finally:
        # Also where this program is interrupted meanwhile.
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    said = " ".join(printed.decode("utf-8", "replace").split())[-MOST_SAID:]
    if process.returncode != 0:
        raise _failed(f"exit code {process.returncode}: {said}")
    return said or "and said nothing"


def _version() -> str:
    try:
        return metadata.version(PROGRAM)
    except metadata.PackageNotFoundError:
        return ""


def _failed(reason: str) -> OsteotraceError:
    return OsteotraceError(
        f"a run of {PROGRAM} that failed ({reason})",
        expected="a label map",
        advice="run it alone on the image to see what is wrong, or give labels that were "
        "drawn elsewhere",
    )
