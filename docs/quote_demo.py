"""Put what the demonstration prints into the README, and its picture beside it.

`make pictures` runs it, with the file that holds the output of scripts/demo.
"""

import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PICTURE = "caliper_1_PAL-1.png"


def quoted(printed: str) -> str:
    """Return the output from the table on, without this run's UID."""
    lines = [line.rstrip() for line in printed.splitlines()]
    first = next(n for n, line in enumerate(lines) if ", study of " in line)
    return re.sub(r"2\.25\.\d+\.dcm", "2.25.….dcm", "\n".join(lines[first:]).strip())


def main() -> None:
    """Rewrite the one ``text`` block of the README and copy the picture."""
    block = f"```text\n{quoted(Path(sys.argv[1]).read_text())}\n```"
    readme = README.read_text()
    README.write_text(re.sub(r"```text\n.*?\n```", lambda _: block, readme, flags=re.S))
    (picture,) = (ROOT / "demo/results").glob(f"*/{PICTURE}")
    shutil.copyfile(picture, ROOT / "docs/pictures/caliper.png")


if __name__ == "__main__":
    main()
