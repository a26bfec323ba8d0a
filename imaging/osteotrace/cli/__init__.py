"""The command line: arguments in, library call, result out.

One module a group of verbs; `main` turns every error into one line and an exit code:
0 all done, 1 an input was refused or failed (the rest is done), 2 wrong usage.
"""

from osteotrace.cli.program import main

__all__ = ["main"]
