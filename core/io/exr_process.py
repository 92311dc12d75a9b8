"""Run by `core.io.exr` as a program: writes channels of an OpenEXR file to standard output as float32.

    exr_process.py FILE PART LIMIT CHANNEL...

LIMIT is the most address space in bytes. It imports nothing of this project, so that it begins fast.
"""

from __future__ import annotations

import os
import sys


def main(file: str, part: str, limit: str, *names: str) -> int:
    """The channels one after the other, row by row; 1 and a few words on standard error where that fails."""
    output = os.fdopen(os.dup(1), "wb")
    # The library talks on both streams, about nothing that a user could use.
    silent = os.open(os.devnull, os.O_WRONLY)
    errors = os.dup(2)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    try:
        import numpy as np
        import OpenEXR

        _limit(int(limit))
        channels = OpenEXR.File(file, separate_channels=True, num_threads=0).channels(int(part))
        for name in names:
            output.write(np.ascontiguousarray(channels[name].pixels, np.float32).data)
        output.flush()
    except MemoryError:
        os.write(errors, b"it needs too much memory")
        return 1
    except ImportError:
        os.write(errors, b"the package OpenEXR is missing")
        return 1
    except BrokenPipeError:
        return 1
    except Exception:  # whatever a damaged file makes the library raise
        os.write(errors, b"its pixels are damaged or incomplete")
        return 1
    return 0


def _limit(size: int) -> None:
    """Let no file take more memory than its header says."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (size, size))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
