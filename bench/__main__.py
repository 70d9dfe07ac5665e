"""``python -m bench NAME``: the same as ``zhecai bench NAME``, without the command line around it."""

import sys

from portal.cli import main

sys.exit(main(["bench", *sys.argv[1:]]))
