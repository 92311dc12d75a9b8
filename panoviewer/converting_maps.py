"""Maps of depth and normals in and out of ``panoviewer convert``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from core.errors import UnsupportedImage
from core.export import depth, normals
from core.geometry.normals import turn_normals
from core.geometry.sampling import Image
from core.geometry.warp import resize_erp, turn_erp
from core.io.deep import UnknownPixels
from core.io.exr import ExrError, read_exr, read_exr_header
from core.panorama import is_full_sphere
from core.prediction import Prediction
from core.progress import silent

MAPS = (".depth.npy", ".depth.exr", ".normals.npy", ".normals.exr")
"""How names of maps end that `panoviewer predict` writes."""


@dataclass(frozen=True, eq=False)
class Map:
    """A map of the full sphere.

    Attributes:
        values: (h, w) distances along the ray or (h, w, 3) normals by the axes x right, y down, z forward, float32, NaN
            where unknown.
        level_from_world: (3, 3) pose of the photograph; None when no report lies beside the map.
        is_metric: The report says metres.
    """

    values: Image
    level_from_world: NDArray[np.float64] | None
    is_metric: bool


def read_map(path: Path) -> Map:
    """A file of ``panoviewer predict``.

    Raises:
        UnsupportedImage: It holds something else.
    """
    is_depth = ".depth." in path.name.lower()
    try:
        is_array = path.suffix.lower() == ".npy"
        # Mapped, a file that promises more than it holds is refused before any memory is taken.
        values = np.load(path, "r", allow_pickle=False) if is_array else _read_exr(path, is_depth=is_depth)
        if not isinstance(values, np.ndarray):
            raise ValueError("it is an archive")
    except (OSError, ValueError, EOFError, OverflowError, ExrError, UnknownPixels) as error:
        raise UnsupportedImage(
            f"Expected a map as 'panoviewer predict' writes it, got none that can be read: {path}"
        ) from error
    expected = (None, None) if is_depth else (None, None, 3)
    has_shape = values.ndim == len(expected) and (is_depth or values.shape[2] == 3)
    if not has_shape or values.dtype != np.float32 or not is_full_sphere(*values.shape[:2]):
        shape = "(h, w)" if is_depth else "(h, w, 3)"
        raise UnsupportedImage(f"Expected float32 {shape} with w = 2 h, got {values.dtype} {values.shape}: {path}")
    level, is_metric = _reported(path)
    return Map(np.array(values), level, is_metric)


def turned_map(values: Image, turn: NDArray[np.float64], width: int | None) -> Image:
    """A map in another frame and of another size; normals are turned where they stand, too."""
    if not np.allclose(turn, np.eye(3), atol=1e-12):
        values = turn_erp(values, turn)
        values = turn_normals(values, turn) if values.ndim == 3 else values
    if width is None:
        return values
    return unit_normals(resize_erp(values, max(2, width // 2), 2 * max(2, width // 2)))


def unit_normals(values: Image) -> Image:
    """Normals of unit length again, which means have shortened; distances as they are."""
    return turn_normals(np.ascontiguousarray(values), np.eye(3)) if values.ndim == 3 else values


def write_map(values: Image, path: Path, stream: BinaryIO, *, is_metric: bool) -> None:
    """As `panoviewer predict` writes it, in the format that the name says."""
    if path.suffix.lower() == ".npy":
        np.save(stream, values, allow_pickle=False)
    elif values.ndim == 2:
        depth.write_exr32(Prediction(depth=values, is_metric=is_metric), stream)
    else:
        normals.write_exr16(Prediction(normals=values), stream)


def _read_exr(path: Path, *, is_depth: bool) -> NDArray[np.float32]:
    with path.open("rb") as stream:
        header = read_exr_header(stream)
    values = read_exr(path, header, silent)
    if is_depth:
        distances: NDArray[np.float32] = np.where(values[..., 0] > 0, values[..., 0], np.float32(np.nan))
        return distances
    if header.axes == normals.AXES["opengl"].encode():
        values = values * np.array([1, -1, -1], np.float32)
    values[(values == 0).all(axis=-1)] = np.nan
    return values


def _reported(path: Path) -> tuple[NDArray[np.float64] | None, bool]:
    """The photograph's pose and whether depths are metres, from the report beside a map."""
    stem = next(path.name[: -len(end)] for end in MAPS if path.name.lower().endswith(end))
    try:
        report = json.loads(path.with_name(f"{stem}.json").read_bytes())
        level = np.array(report["pose"]["level_from_world"], np.float64)
        is_rotation = level.shape == (3, 3) and np.allclose(level @ level.T, np.eye(3), atol=1e-6)
        return (level if is_rotation else None), report.get("metric") is True
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None, False
