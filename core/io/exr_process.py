"""Run by `core.io.exr` as a program: writes channels of an OpenEXR file to standard output as float32, pixel by pixel.

    exr_process.py FILE PART LIMIT STEP CHANNEL...

LIMIT is the most address space in bytes beside that of the libraries. Where STEP is not 0, every so many pixels of
every so many rows come before all of them. It imports nothing of this project, so that it
begins fast.
"""

from __future__ import annotations

import os
import sys

BLOCK = 1 << 18
"""Pixels that are written at once."""
MOST_THREADS = 4


def main(file: str, part: str, limit: str, step: str, *names: str) -> int:
    """The named channels of each pixel, row by row; 1 and a few words on standard error where that fails."""
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
        # Each thread maps memory of its own, which the limit has room for up to a few of them.
        threads = min(MOST_THREADS, os.cpu_count() or 1)
        channels = OpenEXR.File(file, separate_channels=True, num_threads=threads).channels(int(part))
        planes = [channels[name].pixels for name in names]
        if step != "0":
            small = [plane[:: int(step), :: int(step)] for plane in planes]
            output.write(np.stack(small, axis=-1, dtype=np.float32).data)
            output.flush()
        rows = max(1, BLOCK // planes[0].shape[1])
        for top in range(0, len(planes[0]), rows):
            pixels = np.stack([plane[top : top + rows] for plane in planes], axis=-1, dtype=np.float32)
            output.write(pixels.data)
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
    """Let no file take more memory than its header says, beside what the libraries have mapped by now."""
    if sys.platform == "linux":
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            mapped = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + size, mapped + size))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
