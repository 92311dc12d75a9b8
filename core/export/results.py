"""What a model said about one photograph as a set of files with a common name, and whether such a set is complete."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from core.errors import ExportError
from core.export import depth, export, normals
from core.export.provenance import pose_facts
from core.io.atomic import atomic_file, export_errors
from core.io.digest import content_sha256, file_sha256
from core.io.kept_scale import CAMERA_HEIGHT, FACTOR
from core.io.placement import Assume
from core.models import Size, find_model, weights_file
from core.models.base import Task
from core.panorama import Level, Panorama
from core.prediction import Prediction

SCHEMA = 2
FORMATS = ("npy", "exr", "png", "tiff")
"""What depth is written as; normals as all of these but TIFF."""
UNKNOWN = {"npy": "NaN", "exr": 0, "png": 0, "tiff": "NaN"}
"""What stands for a depth that is unknown or far."""
_OWN_KEYS = frozenset({"weights_sha256", "native_size", "class_names", "outputs"})
"""By any of these a report is known, also one of another version."""
NOTHING_THERE = "there is nothing yet"
FRAME = "world: x right, y down, z forward, in the photograph's frame"


@dataclass(frozen=True)
class ResultOptions:
    """What decides the content of the files.

    Attributes:
        model: Its name in the catalogue, or the place of one that the user brings.
        tasks: What is written.
        size: "full" or "native".
        formats: Of `FORMATS`.
        assume: What is assumed of a photograph that is not 2:1 and does not say what it shows.
        camera_height: Metres, when known.
        normals_axes: Of the pictures of normals; see `core.export.normals.AXES`.
        scale: What is known of sizes beside the photograph, as settings; empty for nothing.
        level: Pitch and roll in radians where a person has said what is level; None for the photograph's own pose.
        detail: The perspective network, as `model`, on whose tiles full-size depth is refined; empty for none.
    """

    model: str
    tasks: tuple[Task, ...] = tuple(Task)
    size: Size = "full"
    formats: tuple[str, ...] = ("npy",)
    assume: Assume | None = None
    camera_height: float | None = None
    normals_axes: normals.Axes = "opencv"
    detail: str = ""
    scale: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    level: Level | None = None


def result_suffixes(options: ResultOptions) -> list[str]:
    """The endings of the files that `write_results` writes before the report, in their order."""
    npy, exr, png, tiff = (name in options.formats for name in FORMATS)
    chosen = {
        Task.DEPTH: [
            (npy, ".depth.npy"),
            (exr, ".depth.exr"),
            (tiff, ".depth.tiff"),
            (png, ".depth.png"),
            (png, ".depth.preview.png"),
            (True, ".far.png"),
        ],
        Task.NORMALS: [(npy, ".normals.npy"), (exr, ".normals.exr"), (png, ".normals.png")],
        Task.CLASSES: [(True, ".classes.png"), (png, ".classes.preview.png")],
    }
    return [suffix for task in Task if task in options.tasks for wanted, suffix in chosen[task] if wanted]


def result_path(target: Path, suffix: str) -> Path:
    """The file of a set: the target's name with a suffix behind it."""
    return target.with_name(target.name + suffix)


def write_results(panorama: Panorama, prediction: Prediction, target: Path, options: ResultOptions) -> list[Path]:
    """Write a set of files: ``TARGET.depth.npy`` and so on, ``TARGET.json`` last.

    The report of an earlier run is removed first, so that a report always describes the files beside it.

    Args:
        panorama: The photograph; its file must still exist.
        prediction: Has the maps of `options.tasks`.
        target: Folder and common name; the folder must exist.
        options: What was asked for.

    Returns:
        The files.

    Raises:
        ExportError: A file cannot be written, or another program's file has the report's name.
    """
    report_path = result_path(target, ".json")
    refuse_foreign_report(report_path)
    report = _report(panorama, prediction, options)
    with export_errors(report_path):
        report_path.unlink(missing_ok=True)
    paths = []
    for suffix in result_suffixes(options):
        value = prediction
        if suffix == ".far.png" and prediction.far is None:
            value = replace(prediction, far=np.zeros(prediction.size, np.bool_))
        is_picture = suffix in (".normals.exr", ".normals.png")
        axes = {"axes": options.normals_axes} if is_picture else {}
        paths.append(export(value, result_path(target, suffix), **axes))
    report["outputs"] = {path.name: {"bytes": path.stat().st_size, "sha256": content_sha256(path)} for path in paths}
    with atomic_file(report_path) as stream:
        stream.write(json.dumps(report, indent=1, allow_nan=False).encode() + b"\n")
    return [*paths, report_path]


def why_unfinished(source: Path, target: Path, options: ResultOptions) -> str | None:
    """What is wrong with a set of files that an earlier run left.

    Args:
        source: The photograph.
        target: Folder and common name, as for `write_results`.
        options: What is asked for now.

    Returns:
        A clause for a sentence, `NOTHING_THERE` when no run has left anything, or None when nothing is wrong: every
        file is there to the last bit, was made with these options and weights, and from this photograph.
    """
    report_path = result_path(target, ".json")
    paths = [result_path(target, suffix) for suffix in result_suffixes(options)]
    if not any(path.is_file() for path in (report_path, *paths)):
        return NOTHING_THERE
    report = _read_report(report_path)
    if report is None:
        return f"{report_path.name} is missing or no report of this version"
    made_with = report.get("options")
    known = _of_its_model(made_with, report) if isinstance(made_with, dict) else {}
    wanted = _of_its_model(_plain(options), report)
    if known != wanted:
        other = ", ".join(name for name, value in wanted.items() if name not in known or known[name] != value)
        return f"it was made with other options ({other or 'unknown ones'})"
    if report.get("weights_sha256") != _weights_sha256(options.model):
        return f"it was made with other weights of {wanted['model']}"
    if options.detail and report.get("detail_weights_sha256") != _weights_sha256(options.detail):
        return f"it was made with other weights of {wanted['detail']}"
    if not _is_recorded(source, report.get("source")):
        return f"{source.name} has changed since"
    outputs = report.get("outputs")
    for path in paths:
        if not path.is_file():
            return f"{path.name} is missing"
        if not isinstance(outputs, dict) or not _is_recorded(path, outputs.get(path.name)):
            return f"{path.name} is not what was written"
    return None


def _of_its_model(options: dict[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    """Options without the known sizes that the model of a report does not go by, such as the factor of another."""
    scale = options.get("scale")
    if not isinstance(scale, dict):
        return options
    name = f"{FACTOR}{report.get('model')}" if report.get("camera_height") is None else CAMERA_HEIGHT
    others = {key: value for key, value in options.items() if key != "scale"}
    return others | ({"scale": {name: scale[name]}} if name in scale else {})


def _is_recorded(path: Path, facts: object) -> bool:
    """True when a file has the size and the content that a report says; the size first, because it costs nothing."""
    try:
        if not isinstance(facts, dict) or facts.get("bytes") != path.stat().st_size:
            return False
        return facts.get("sha256") == content_sha256(path)
    except OSError:
        return False  # what cannot be read is no result, and a photograph that cannot be is told of by its reader


def is_of_another(path: Path, source: Path) -> bool:
    """True where a report tells of a file with another name; the same name with other content is a newer version."""
    name = _told_source(path)
    return name is not None and name != source.name


def refuse_foreign_report(path: Path, source: Path | None = None) -> None:
    """Keep what is not to be replaced under the name of a report.

    Args:
        path: Of the report.
        source: The photograph of the new one, if it has a file.

    Raises:
        ExportError: Somebody else has written such a file, for instance annotations, or it is the report of another
            photograph.
    """
    try:
        if not path.is_file():
            return
    except (OSError, ValueError):
        return  # a name that no file can have is told of by whoever wants to read or write it
    with export_errors(path):
        data = path.read_bytes()
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return  # nobody can read it: more likely a report that was damaged than anything else
    # A report of another version, or one that somebody changed, is still one.
    if found and not (isinstance(found, dict) and not _OWN_KEYS.isdisjoint(found)):
        raise ExportError(
            f"Expected the report of an earlier run or no file, got another program's; choose another folder: {path}"
        )
    if source is not None and is_of_another(path, source):
        raise ExportError(
            f"Expected no results or those of {source.name}, got those of {_told_source(path)}; choose another "
            f"folder: {path}"
        )


def _told_source(path: Path) -> str | None:
    """The name of the photograph that a report of any version tells of."""
    report = _read_json(path)
    facts = None if report is None else report.get("source")
    name = facts.get("file") if isinstance(facts, dict) else None
    return name if isinstance(name, str) else None


def _read_report(path: Path) -> dict[str, Any] | None:
    """The report; None when there is none or something else lies in its place."""
    report = _read_json(path)
    return report if report is not None and report.get("schema") == SCHEMA else None


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes()) if path.is_file() else None
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _report(panorama: Panorama, prediction: Prediction, options: ResultOptions) -> dict[str, Any]:
    height, width = prediction.size
    part = panorama.part
    report: dict[str, Any] = {
        "schema": SCHEMA,
        "source": None if panorama.path is None else _source(panorama.path),
        "model": prediction.model,
        "weights_sha256": _weights_sha256(options.model),
        "device": prediction.device,
        "seconds": round(prediction.seconds, 3),
        "size": {"height": height, "width": width},
        "native_size": None
        if prediction.native_size is None
        else dict(zip(("height", "width"), prediction.native_size, strict=True)),
        "unit": "m" if prediction.is_metric else "relative",
        "metric": prediction.is_metric,
        "frame": FRAME,
        "camera_height": _finite(prediction.camera_height),
        "camera_height_from": "user"
        if options.camera_height is not None or CAMERA_HEIGHT in options.scale
        else "model",
        "class_names": list(prediction.class_names),
        "crop": None if part is None else asdict(part),
        "pose": pose_facts(panorama.level_from_world, panorama.heading),
        "notes": [*panorama.notes, *prediction.notes],
    }
    if Task.DEPTH in options.tasks and "png" in options.formats:
        report["depth_png_scale"] = depth.png_scale(prediction)
    if Task.NORMALS in options.tasks and {"png", "exr"} & set(options.formats):
        report["normals_axes"] = normals.AXES[options.normals_axes]
    if Task.DEPTH in options.tasks:
        report["depth_unknown"] = {name: UNKNOWN[name] for name in FORMATS if name in options.formats}
    if options.detail:
        report["detail_weights_sha256"] = _weights_sha256(options.detail)
    report["options"] = _plain(options)
    return report


def _plain(options: ResultOptions) -> dict[str, Any]:
    """Options as JSON reads them back; the order of tasks and formats does not matter."""
    plain = asdict(replace(options, scale={}))
    plain |= {"scale": dict(options.scale), "level": options.level and list(options.level)}
    for name in ("scale", "level"):
        if not plain[name]:
            del plain[name]
    # Where a model of the user's lies is nobody's business; the hash of its weights tells it from others.
    plain["model"] = find_model(options.model).name
    if options.detail:
        plain["detail"] = find_model(options.detail).name
    else:
        del plain["detail"]
    plain["tasks"] = _sorted(options.tasks)
    plain["formats"] = _sorted(options.formats)
    # As it comes back from the file: without tuples.
    plain["assume"] = json.loads(json.dumps(plain["assume"]))
    return plain


def _sorted(names: Iterable[str]) -> list[str]:
    return sorted({str(name) for name in names})


def _source(path: Path) -> dict[str, Any]:
    return {"file": path.name, "bytes": path.stat().st_size, "sha256": file_sha256(path)}


def _weights_sha256(model: str) -> str | None:
    """What tells one version of a model from the next; None where its weights are no bundled file."""
    weights = weights_file(find_model(model))
    return file_sha256(weights) if weights.is_file() else None


def _finite(number: float | None) -> float | None:
    return None if number is None or not math.isfinite(number) else number
