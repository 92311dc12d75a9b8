"""``python -m panoviewer``."""

import os
import sys

from panoviewer.interrupts import INTERRUPTED, interruptible, was_interrupted


def main() -> int:
    """The console script: the command line, which may be interrupted already while it is loaded."""
    # Threads that have nothing to do must leave their core to others. They would spin in vain, and where another
    # program is at work, too, two threads would take ten times as long as one. Libraries read it when they are loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    code = INTERRUPTED
    try:
        with interruptible(leave_in_peace=True):
            from panoviewer import cli

            code = cli.main()
    except BaseException as error:
        # A library written in C that is interrupted while it is loaded says ImportError or SystemError.
        if not (was_interrupted() and isinstance(error, Exception | KeyboardInterrupt)):
            raise
        sys.stderr.write("panoviewer: Interrupted.\n")
    if was_interrupted():
        # Everything is tidied up. Python would take its time to unload what was being loaded, and end with a signal
        # instead of the code when the interrupt came inside of an `exec`, which imports use.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
