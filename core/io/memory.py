"""How much memory a picture may take."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path

_SHARE = 0.6
"""Of the memory that is free; the rest is for the views and for the work that follows opening."""

_MMAP_THRESHOLD = -3
_LARGE_BLOCK = 4 << 20

_CGROUP = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")
_CGROUP_FILES = {
    "": ("memory.max", "memory.current", "inactive_file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}
"""Limit, use, and what of it is only a copy of files, which the system gives up first; by the folder below the root in
which each of the two versions of cgroups keeps its groups."""


def default_memory_budget() -> int:
    """Bytes that opening one picture may take on this machine now."""
    return int(available_memory() * _SHARE)


def available_memory() -> int:
    """Bytes that can be had without swapping: what the system reports as free, within the limit of a container."""
    free = _meminfo_available() if Path("/proc/meminfo").exists() else _physical_memory()
    return max(min([free, *_left_in_container()]), 0)


def return_large_blocks() -> None:
    """Let the C library give blocks of several MB back to the system as soon as they are free.

    That of GNU keeps up to 32 MB each, and what is still needed lies between them: 0.2 GB of what a large network
    takes. Where there is another library, nothing happens. Source: mallopt(3), M_MMAP_THRESHOLD.
    """
    if sys.platform == "linux":
        set_option = getattr(ctypes.CDLL(None), "mallopt", None)
        if set_option is not None:
            set_option(_MMAP_THRESHOLD, _LARGE_BLOCK)


def format_bytes(size: float) -> str:
    """A size for a sentence: '640 MB', '5.4 GB'."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{max(size / 1e6, 1):,.0f} MB"


def _meminfo_available() -> int:
    fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines() if ":" in line)
    return int(fields["MemAvailable"].split()[0]) * 1024


def _left_in_container() -> list[int]:
    """Bytes left below each memory limit of the Linux containers that this process is in; empty where there is none."""
    left = []
    for group, (limit_file, used_file, copies) in _groups():
        try:
            limit = (group / limit_file).read_text().strip()
            used = (group / used_file).read_text().strip()
            details = (group / "memory.stat").read_text().split()
        except OSError:
            continue
        if limit.isdigit() and used.isdigit():
            given_up = dict(zip(details[::2], details[1::2], strict=False)).get(copies, "0")
            left.append(int(limit) - int(used) + int(given_up))
    return left


def _groups() -> Iterator[tuple[Path, tuple[str, str, str]]]:
    """Folders of the group of this process and of all groups around it, each with the names of its files.

    A container often shows its own group as the root; a batch system or a service does not. Source: cgroups(7).
    """
    own = dict.fromkeys(_CGROUP_FILES, "")
    try:
        for line in _OWN_GROUPS.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers or "memory" in controllers.split(","):
                own["memory" if controllers else ""] = path.lstrip("/")
    except (OSError, ValueError):
        pass  # there are none, or only the root is known
    for version, path in own.items():
        root = _CGROUP / version
        for group in (root / path, *(root / path).parents):
            yield group, _CGROUP_FILES[version]
            if group == root:
                break


def _physical_memory() -> int:
    """Installed memory, where the system does not say how much of it is free."""
    if hasattr(os, "sysconf"):
        return int(os.sysconf("SC_PAGE_SIZE")) * int(os.sysconf("SC_PHYS_PAGES"))

    class MemoryStatus(ctypes.Structure):
        """MEMORYSTATUSEX of the Windows API."""

        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            ("total_physical", ctypes.c_ulonglong),
            ("available_physical", ctypes.c_ulonglong),
            ("others", ctypes.c_ulonglong * 5),
        )

    status = MemoryStatus()
    status.length = ctypes.sizeof(status)
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009, exists on Windows only
    kernel.GlobalMemoryStatusEx(ctypes.byref(status))
    return int(status.available_physical)
