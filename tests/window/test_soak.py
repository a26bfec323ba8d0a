"""A long reading takes no more memory at its end than after its beginning."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.window.conftest import SAMPLES
from tests.window.readings import MAXILLA, gap_ends, truth

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.window.screen import Screen

pytestmark = [pytest.mark.plugin, pytest.mark.slow]

SCRIPT = Path(__file__).parent / "soak.py"
# What may be added to memory and objects.
LEAK = 1.05


@pytest.mark.parametrize(
    ("slices", "findings"),
    [(120, 8), pytest.param(3000, 500, marks=pytest.mark.slow)],
)
def test_slices_and_findings_leave_nothing_behind(
    screen: Screen,
    case: Callable[[str], Path],
    tmp_path: Path,
    tell: Callable[[str], None],
    slices: int,
    findings: int,
) -> None:
    ends = json.dumps(gap_ends(truth(SAMPLES, MAXILLA)))
    own = {f"XDG_{kind}_HOME": str(tmp_path / kind) for kind in ("STATE", "CONFIG")}
    ran = subprocess.run(
        [
            sys.executable,
            str(SCRIPT),
            str(case(MAXILLA)),
            ends,
            str(slices),
            str(findings),
        ],
        env=os.environ | screen.environment | own,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    weighed = json.loads(ran.stdout.splitlines()[-1])
    first, last = weighed["first"], weighed["last"]
    tell(
        f"{slices} slices, {findings} findings: {first['megabytes']:.0f} MB, then "
        f"{last['megabytes']:.0f} MB; {first['objects']} objects, then {last['objects']}"
    )
    assert last["megabytes"] <= LEAK * first["megabytes"], weighed
    assert last["objects"] <= LEAK * first["objects"], weighed
