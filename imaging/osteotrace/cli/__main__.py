"""``python -m osteotrace.cli``, where the installed command is not on the path."""

import sys

from osteotrace.cli import main

sys.exit(main())
