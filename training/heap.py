"""Memory that a training step frees is kept for the next one."""

from __future__ import annotations

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Parameters of mallopt, from glibc's malloc.h."""
_NEVER = -1


def keep_freed_memory() -> bool:
    """Tell the C library to keep freed memory; returns whether it heard.

    A step on the CPU takes and frees gigabytes in pieces of many megabytes. glibc gives such pieces back to the system
    at once and gets them again page by page: a fifth of the time of a step of pano-s went there.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, _NEVER))
