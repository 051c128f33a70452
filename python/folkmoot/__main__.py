"""The command line: ``folkmoot`` and ``python -m folkmoot``."""

from __future__ import annotations

import signal
import sys

from . import _native


def main() -> int:
    """Runs the command with the arguments of this program."""
    # The command ends waits on Ctrl-C by itself, and does so without Python's turn.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _native.cli_main(["folkmoot", *sys.argv[1:]], [sys.executable, "-m", "folkmoot"])


if __name__ == "__main__":
    sys.exit(main())
