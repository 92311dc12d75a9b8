"""What is installed here, and what a picture says about itself; imports neither torch nor Qt."""

from __future__ import annotations

import math
import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from core.errors import NotAFullSphere, ProjectError, UnsupportedImage
from core.io.header import ImageHeader, read_header
from core.io.images import read_preview
from core.io.kept_level import kept_level, unsaved
from core.io.kept_scale import read_scale
from core.io.memory import available_memory, default_memory_budget, format_bytes
from core.io.placement import place
from core.known_scale import KnownScale
from core.models import MODELS, SEGMENTERS, weights_file
from panoviewer import __version__

WINDOW_MODULES = {
    "PySide6": "PySide6-Essentials",
    "pyqtgraph": "pyqtgraph",
    "vispy": "vispy",
}
"""Modules that the window needs, with the names of their packages."""

PACKAGES = (
    "numpy",
    "numba",
    "opencv-python-headless",
    "opencv-python",
    "onnxruntime",
    "open3d-cpu",
    "open3d",
    "pillow",
    "rich",
    "safetensors",
    "torch",
    *WINDOW_MODULES.values(),
)
SAMPLE = "sample.jpg"
NVIDIA_SECONDS = 10
PROBE_WIDTH = 64


def program_version() -> str:
    """The version of PanoViewer, installed or not."""
    return __version__


def missing_window_packages() -> list[str]:
    """Names of the packages that the window needs and that are not installed."""
    return [package for module, package in WINDOW_MODULES.items() if find_spec(module) is None]


def installation_facts() -> dict[str, Any]:
    """Versions, devices, models and bundled files as plain values."""
    packages = {name: found for name in PACKAGES if (found := _version(name))}
    return {
        "panoviewer": program_version(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": packages,
        "window": {
            "available": not missing_window_packages(),
            "missing": missing_window_packages(),
            "opengl": "tried when the window opens",
        },
        "devices": {
            "cpu": _cpu_name(),
            "cores": os.cpu_count(),
            "memory_free_bytes": available_memory(),
            "gpus": _nvidia_gpus(),
            "torch_build": packages.get("torch"),
        },
        "models": [
            {
                "name": spec.name,
                "title": spec.title,
                "tasks": [str(task) for task in spec.tasks] or ["clicks"],
                "weights": _file(weights_file(spec)),
                "source": spec.source,
                "licence": spec.licence,
            }
            for spec in (*MODELS, *SEGMENTERS)
        ],
        "sample": _file(Path(str(files("resources"))) / SAMPLE),
    }


def picture_facts(path: Path) -> dict[str, Any]:
    """What a picture file says, and whether its pixels can be read.

    Raises:
        UnsupportedImage: It is not a picture that can be opened.
    """
    header = read_header(path)
    gpano = header.gpano
    degrees = {
        "pose_heading_deg": gpano.pose_heading,
        "pose_pitch_deg": gpano.pose_pitch,
        "pose_roll_deg": gpano.pose_roll,
        "view_heading_deg": gpano.view_heading,
        "view_pitch_deg": gpano.view_pitch,
        "view_roll_deg": gpano.view_roll,
        "view_fov_deg": gpano.view_fov_x,
    }
    return {
        "file": str(path),
        "format": header.format,
        "mode": header.mode,
        "width": header.width,
        "height": header.height,
        "orientation": header.orientation,
        "icc_profile": header.icc_profile is not None,
        "projection": gpano.projection,
        **{name: None if angle is None else round(math.degrees(angle), 6) for name, angle in degrees.items()},
        **_placement_facts(header),
        "kept": _kept_facts(path),
        "memory_needed_bytes": header.needed_bytes,
        "memory_budget_bytes": default_memory_budget(),
    }


def report(facts: dict[str, Any], indent: str = "") -> str:
    """Facts as lines for people; sizes in bytes are written out."""
    lines = []
    for name, value in facts.items():
        title = name.removesuffix("_bytes").removesuffix("_deg").replace("_", " ")
        if isinstance(value, dict):
            lines += [f"{indent}{title}:", report(value, indent + "  ")]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            lines.append(f"{indent}{title}:")
            lines += [report(entry, indent + "  ") for entry in value]
        else:
            lines.append(f"{indent}{title}: {_text(name, value)}")
    return "\n".join(lines)


def _text(name: str, value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if name.endswith("_bytes") and isinstance(value, int):
        return format_bytes(value)
    return f"{value}°" if name.endswith("_deg") else str(value)


def _kept_facts(path: Path) -> dict[str, Any]:
    """What a person has set for the photograph and its folder, by which all commands go."""
    level, scale, problems = None, KnownScale(), []
    for read in (kept_level, read_scale):
        try:
            found = read(path)
        except ProjectError as error:
            problems.append(str(error))
            continue
        if isinstance(found, KnownScale):
            scale = found
        else:
            level = found
    pitch, roll = (None, None) if level is None else (round(math.degrees(angle), 6) for angle in level)
    return {
        "pitch_deg": pitch,
        "roll_deg": roll,
        "camera_height": scale.camera_height,
        "depth_factors": dict(scale.factors) or None,
        "unsaved_edits": bool(unsaved(path)),
        "problem": " ".join(problems) or None,
    }


def _placement_facts(header: ImageHeader) -> dict[str, Any]:
    """Which part of the sphere the picture shows, what is assumed, and what stands in the way of opening it."""
    damage = _damage(header.path)
    try:
        placement = place(header, None)
    except NotAFullSphere as error:
        problem = f"{error} {damage or ''}".strip()
        return {"sphere": None, "crop": None, "opens_on": None, "problem": problem, "notes": list(header.gpano.notes)}
    view = placement.first_view(header.gpano)
    crop = None
    if not placement.is_whole:
        crop = {name: getattr(placement, name) for name in ("left", "top", "width", "height")}
    return {
        "sphere": f"{placement.full_width} x {placement.full_height}",
        "crop": crop,
        "opens_on": {
            "yaw_deg": round(math.degrees(view.yaw), 6) + 0.0,
            "pitch_deg": round(math.degrees(view.pitch), 6) + 0.0,
            "roll_deg": round(math.degrees(view.roll), 6) + 0.0,
            "fov_deg": round(math.degrees(view.fov_x), 6),
        },
        "problem": damage,
        "notes": [*header.gpano.notes, *placement.notes],
    }


def _damage(path: Path) -> str | None:
    """Why the pixels of a picture cannot be read, found by reading them as small as the format allows."""
    try:
        read_preview(path, PROBE_WIDTH, assume="full")
    except UnsupportedImage as error:
        return str(error)
    return None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _file(path: Path) -> dict[str, Any]:
    is_there = path.is_file()
    return {"file": path.name, "there": is_there, "size_bytes": path.stat().st_size if is_there else None}


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.lower().startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _nvidia_gpus() -> list[str]:
    """Names, memory and driver of NVIDIA GPUs, as their driver's own tool says; empty where there is none."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = [tool, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=NVIDIA_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in answer.stdout.splitlines() if line.strip()] if answer.returncode == 0 else []
