"""Where an exported file comes from: facts that travel inside it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from core.cloud import PointCloud
from core.export.fields import NO_CLASS, instance_names, label_names
from core.geometry.camera import angles_from_rotation
from core.io.digest import file_sha256


def cloud_facts(cloud: PointCloud, frame: str) -> dict[str, str]:
    """What a reader of a point cloud has to know, as plain text by name.

    Holds nothing that differs between two exports of the same cloud, and no folder of the photograph.
    """
    options = cloud.options
    facts = {
        "generator": "PanoViewer",
        "frame": frame,
        "level": "yes" if cloud.is_level else "no, in the photograph's own frame",
        "units": "m" if cloud.is_metric else "relative",
        "scale": "metric" if cloud.is_metric else "relative, right up to one factor",
        "origin": "the camera",
    }
    if cloud.source is not None:
        facts["source"] = cloud.source.name
        if cloud.source.is_file():
            facts["source_sha256"] = file_sha256(cloud.source)
    if cloud.model:
        facts["model"] = cloud.model
    facts["camera_height"] = "unknown" if cloud.camera_height is None else f"{cloud.camera_height:.6g}"
    facts["crop"] = "none" if cloud.part is None else _plain(asdict(cloud.part))
    pose = pose_facts(cloud.level_from_world, cloud.heading)
    facts["pose"] = _plain({name: pose[name] for name in ("heading_deg", "pitch_deg", "roll_deg")})
    if cloud.depth_size is not None:
        facts["depth_size"] = "{1} x {0}".format(*cloud.depth_size)
    facts["range"] = f"{options.min_range:g} {options.max_range:g}"
    facts["edge_filter"] = "off" if options.edges is None else _plain(asdict(options.edges))
    facts["stride"] = str(options.stride)
    facts["voxel"] = "off" if options.voxel is None else f"{options.voxel:g}"
    return facts


def cloud_numbers(cloud: PointCloud) -> dict[str, Any]:
    """Those of the same facts that are numbers, by the same names, as JSON takes them."""
    height, width = cloud.depth_size or (None, None)
    return {
        "camera_height": cloud.camera_height,
        "crop": None if cloud.part is None else asdict(cloud.part),
        "pose": pose_facts(cloud.level_from_world, cloud.heading),
        "depth_size": None if cloud.depth_size is None else {"height": height, "width": width},
    }


def comment_lines(cloud: PointCloud, frame: str) -> list[str]:
    """The facts and the names of labels and instances, a line of printable ASCII each, for headers that are text."""
    lines = [f"{name}={one_line(value)}" for name, value in cloud_facts(cloud, frame).items()]
    lines += [f"label {index}={one_line(name)}" for index, name in label_names(cloud).items()]
    return lines + [f"instance {number}={one_line(name)}" for number, name in instance_names(cloud).items()]


def one_line(text: str) -> str:
    """Text in printable ASCII; a header has no place for line breaks and other alphabets."""
    return text.encode("unicode_escape").decode("ascii")


def cloud_meta(cloud: PointCloud, frame: str) -> dict[str, Any]:
    """Everything that is known of a cloud but its points, as JSON takes it."""
    meta: dict[str, Any] = {
        **cloud_facts(cloud, frame),
        **cloud_numbers(cloud),
        "class_names": list(cloud.class_names),
    }
    if cloud.segment_ids is not None:
        meta["segment_names"] = {str(number): name for number, name in cloud.segment_names}
    return meta


def write_beside(cloud: PointCloud, stream: BinaryIO, *, frame: str = "z-up", name: str) -> None:
    """The JSON beside a file whose own format has no place for it, or whose readers drop it.

    Args:
        cloud: The points.
        stream: Open for writing.
        frame: That of the file.
        name: Of the file that this speaks of.
    """
    known = {} if cloud.class_ids is None else {"label_none": NO_CLASS if len(cloud.class_names) < NO_CLASS else 65535}
    facts = {"file": name, "points": len(cloud), **cloud_meta(cloud, frame), **known}
    stream.write(json_bytes(facts, indent=1) + b"\n")


def json_bytes(values: Mapping[str, Any], *, indent: int | None = None) -> bytes:
    """JSON in UTF-8. What a file's name holds that is no text becomes the JSON escape of its surrogate."""
    text = json.dumps(values, indent=indent, ensure_ascii=False, allow_nan=False)
    return text.encode(errors="backslashreplace")


def pose_facts(level_from_world: NDArray[np.float64], heading: float | None) -> dict[str, Any]:
    """GPano's angles in degrees, and the rotation that levels the photograph."""
    yaw, pitch, roll = angles_from_rotation(level_from_world)
    return {
        "heading_deg": None if heading is None else round(math.degrees(heading), 6),
        "yaw_deg": round(math.degrees(yaw), 6) + 0.0,
        "pitch_deg": round(math.degrees(pitch), 6) + 0.0,
        "roll_deg": round(-math.degrees(roll), 6) + 0.0,
        "level_from_world": np.asarray(level_from_world).tolist(),
    }


def _plain(values: Mapping[str, float | None]) -> str:
    return " ".join(f"{name}={'unknown' if value is None else format(value, '.10g')}" for name, value in values.items())
