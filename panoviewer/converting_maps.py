"""Maps of depth and normals in and out of ``panoviewer convert``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin
from PIL.Image import DecompressionBombError

from core.errors import UnsupportedImage
from core.export import depth, normals
from core.geometry.cube import CROSS, STRIP, cube_to_erp
from core.geometry.normals import turn_normals
from core.geometry.sampling import Image
from core.geometry.warp import resize_erp, turn_erp
from core.io.cube_files import cube_files
from core.io.deep import UnknownPixels
from core.io.exr import ExrError, read_exr, read_exr_header
from core.io.header import check_is_file
from core.panorama import is_full_sphere
from core.prediction import Prediction
from core.progress import silent
from panoviewer.converting_labels import check_size

MAPS = (".depth.npy", ".depth.exr", ".depth.tiff", ".normals.npy", ".normals.exr")
"""How names of maps end that `panoviewer predict` writes."""


_UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    EOFError,
    LookupError,
    OverflowError,
    DecompressionBombError,
)


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
    """A file of ``panoviewer predict``, or a cube map that was made of one: one file, or one of six.

    Raises:
        UnsupportedImage: It holds something else.
    """
    faces = cube_files(path, ending_of(path))
    if faces is None:
        check_is_file(path)
        values = _values(path)
        if not is_full_sphere(*values.shape[:2]):
            layout = next((layout for layout in (STRIP, CROSS) if layout.fits(*values.shape[:2])), None)
            if layout is None:
                height, width = values.shape[:2]
                raise UnsupportedImage(
                    "Expected a map twice as wide as high, or a cube map as 'panoviewer convert' writes it, got "
                    f"{width} x {height} (width x height): {path}"
                )
            values = _on_sphere(layout.cut(values))
    else:
        maps = [_values(face) for face in faces.paths]
        for face, file in zip(maps, faces.paths, strict=True):
            if face.shape != maps[0].shape or face.shape[0] != face.shape[1]:
                raise UnsupportedImage(f"Expected six squares of one size, got {face.shape[:2]}: {file}")
        values = _on_sphere(maps)
    level, is_metric = _reported(path)
    return Map(np.array(values), level, is_metric)


def ending_of(path: Path) -> str:
    """How the name of a map ends, as in `MAPS`."""
    return next(end for end in MAPS if path.name.lower().endswith(end))


def _on_sphere(faces: list[Image]) -> Image:
    size = len(faces[0])
    return unit_normals(cube_to_erp(faces, 2 * size, 4 * size))


def _values(path: Path) -> Image:
    """What a file holds, of any size."""
    is_depth = ".depth." in path.name.lower()
    try:
        suffix = path.suffix.lower()
        if suffix == ".npy":
            # Mapped, a file that promises more than it holds is refused before any memory is taken.
            values = np.load(path, "r", allow_pickle=False)
        else:
            values = _read_tiff(path) if suffix == ".tiff" else _read_exr(path, is_depth=is_depth)
        if not isinstance(values, np.ndarray):
            raise ValueError("it is an archive")
    except (*_UNREADABLE, ExrError, UnknownPixels) as error:
        raise UnsupportedImage(
            f"Expected a map as 'panoviewer predict' writes it, got none that can be read: {path}"
        ) from error
    has_shape = values.ndim == (2 if is_depth else 3) and (is_depth or values.shape[2] == 3) and values.size > 0
    if not has_shape or values.dtype != np.float32:
        shape = "(h, w)" if is_depth else "(h, w, 3)"
        raise UnsupportedImage(f"Expected float32 {shape}, got {values.dtype} {values.shape}: {path}")
    return values


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
    elif path.suffix.lower() == ".tiff":
        depth.write_tiff32(Prediction(depth=values, is_metric=is_metric), stream)
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


def _read_tiff(path: Path) -> NDArray[np.float32]:
    with TiffImagePlugin.TiffImageFile(path) as picture:
        check_size(picture, path)
        if picture.mode != "F":
            raise ValueError(f"its pixels are {picture.mode}")
        return np.asarray(picture)


def _reported(path: Path) -> tuple[NDArray[np.float64] | None, bool]:
    """The photograph's pose and whether depths are metres, from the report beside a map."""
    stem = path.name[: -len(ending_of(path))]
    try:
        report = json.loads(path.with_name(f"{stem}.json").read_bytes())
        level = np.array(report["pose"]["level_from_world"], np.float64)
        is_rotation = level.shape == (3, 3) and np.allclose(level @ level.T, np.eye(3), atol=1e-6)
        return (level if is_rotation else None), report.get("metric") is True
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None, False
