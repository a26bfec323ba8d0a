"""Take the pictures of docs/tutorial.md anew: both readings, by mouse and keys.

The readings are tests (`tests/window/test_readings.py`); what they leave is replaced here
even where it looks the same. They bring their own screen.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PICTURES = REPOSITORY / "docs" / "pictures" / "reading_room"
READINGS = REPOSITORY / "tests" / "window" / "test_readings.py"


def main() -> None:
    """Remove the pictures and read again."""
    for picture in PICTURES.glob("*.png"):
        picture.unlink()
    command = [sys.executable, "-m", "pytest", "--quiet", str(READINGS)]
    done = subprocess.run(command, cwd=REPOSITORY, check=False)
    for picture in sorted(PICTURES.glob("*.png")):
        print(picture.relative_to(REPOSITORY))
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
