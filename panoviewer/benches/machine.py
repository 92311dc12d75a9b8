"""Where and when something was measured; without that no figure means anything."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from core.io.memory import format_bytes
from panoviewer.diagnostics import installation_facts

BUSY = 0.35
"""Share of the cores that others use, from which on a machine counts as busy."""
_PACKAGES = ("numpy", "numba", "opencv-python-headless", "opencv-python", "onnxruntime", "pillow", "torch")


def machine_facts() -> dict[str, Any]:
    """Hardware, date, versions and load."""
    facts = installation_facts()
    devices, packages = facts["devices"], facts["packages"]
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": devices["cpu"],
        "cores": devices["cores"],
        "memory_free": format_bytes(devices["memory_free_bytes"]),
        "gpus": devices["gpus"],
        "system": facts["system"],
        "panoviewer": facts["panoviewer"],
        "python": facts["python"],
        "packages": {name: packages[name] for name in (*_PACKAGES, "open3d-cpu", "open3d") if name in packages},
        "load": load(),
    }


def load() -> float | None:
    """Processes that wanted a core in the last minute, on average; None where the system does not tell."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def busy_note(before: float | None, after: float | None, cores: int | None) -> str:
    """A sentence on what else the machine did.

    Args:
        before: Load before anything was measured, which is none of our own.
        after: Load at the end.
        cores: Of the machine.
    """
    if before is None or after is None:
        return "This system does not tell how busy it was."
    loads = f"Load {before:.2f} before and {after:.2f} at the end, on {cores or '?'} cores"
    if before > BUSY * (cores or 1):
        return f"{loads}: others were at work, and the times are longer than on a quiet machine; ratios hold."
    return f"{loads}: hardly anything else was at work when it began."
