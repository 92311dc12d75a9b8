"""A prediction read back from what ``panoviewer predict`` wrote: a report ``STEM.json`` and maps beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import ProjectError
from core.io.checked_json import FieldError, Fields, naming, parse_object
from core.prediction import Prediction

MAX_REPORT_BYTES = 4 << 20
MAX_SIDE = 65_536
MAX_CLASSES = 32_767
NONE = 255
_SUFFIX = ".json"
_OPENGL = "x right, y up, z backward"
"""What a report says of pictures of normals that have OpenGL's axes."""
_ADVICE = "choose a report that 'panoviewer predict' wrote"
_AGAIN = "run 'panoviewer predict' again"


@dataclass(frozen=True, eq=False)
class SavedPrediction:
    """What lies in a set of files.

    Attributes:
        prediction: What the model said.
        source_name: Name of the photograph's file; empty when the report names none.
        source_sha256: Of its content; empty when the report names none.
    """

    prediction: Prediction
    source_name: str
    source_sha256: str


def read_prediction(report: Path) -> SavedPrediction:
    """Read a set of files.

    Args:
        report: ``STEM.json``. Of the maps beside it NPY files are preferred; pictures give their own precision, and
            OpenEXR is not read.

    Raises:
        ProjectError: The report is no report, a map that it names is missing or contradicts it, or there is no map.
    """
    with naming(report, _ADVICE):
        fields = parse_object(_content(report), max_bytes=MAX_REPORT_BYTES)
        fields.integer("schema", 1)
        size = fields.inner("size")
        height, width = size.integer("height", 1, MAX_SIDE), size.integer("width", 1, MAX_SIDE)
        outputs = set(fields.inner("outputs").names())
        names = tuple(str(name) for name in fields.values("class_names", MAX_CLASSES))
        is_metric, model, device = fields.flag("metric"), fields.text("model"), fields.text("device")
        seconds, camera_height = fields.number("seconds"), fields.number_or_none("camera_height")
        source = None if fields.is_null("source") else fields.inner("source")
        source_name = "" if source is None else source.text("file")
        source_sha256 = "" if source is None else source.digest("sha256")
        scale = fields.number("depth_png_scale") if fields.has("depth_png_scale") else None
        native = _native(fields)
        axes = fields.text("normals_axes") if fields.has("normals_axes") else ""
    stem, grid = report.name.removesuffix(_SUFFIX), (height, width)

    def read(*choices: tuple[str, Callable[[Path], NDArray[Any]]]) -> NDArray[Any] | None:
        for suffix, reader in choices:
            if stem + suffix in outputs:
                return reader(report.with_name(stem + suffix))
        return None

    depth = read(
        (".depth.npy", lambda path: _npy(path, grid)),
        (".depth.tiff", lambda path: _picture(path, grid, "TIFF", ("F",)).astype(np.float32)),
        (".depth.png", lambda path: _depth_png(path, grid, scale)),
    )
    normals = read(
        (".normals.npy", lambda path: _npy(path, (*grid, 3))),
        (".normals.png", lambda path: _normals_png(path, grid, axes)),
    )
    classes = read((".classes.png", lambda path: _classes_png(path, grid, len(names))))
    far = read((".far.png", lambda path: _picture(path, grid, "PNG", ("L",)) >= 128))
    if all(values is None for values in (depth, normals, classes)):
        raise ProjectError(f"Expected a report that names maps beside it, got one of no map; {_ADVICE}: {report}")
    prediction = Prediction(
        depth, normals, classes, names, far, camera_height, is_metric, model, device, seconds, native
    )
    return SavedPrediction(prediction, source_name, source_sha256)


def _content(report: Path) -> bytes:
    try:
        if report.stat().st_size > MAX_REPORT_BYTES:
            raise FieldError(f"a report of at most {MAX_REPORT_BYTES >> 20} MB", f"{report.stat().st_size >> 20} MB")
        return report.read_bytes()
    except OSError as error:
        raise FieldError("a readable report", error.strerror or str(error)) from error


def _native(fields: Fields) -> tuple[int, int] | None:
    if not fields.has("native_size") or fields.is_null("native_size"):
        return None
    native = fields.inner("native_size")
    return native.integer("height", 1), native.integer("width", 1)


def _npy(path: Path, shape: tuple[int, ...]) -> NDArray[np.float32]:
    try:
        # Mapped, a file that promises more than it holds is refused before any memory is taken.
        values = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(values, np.ndarray) or values.shape != shape or values.dtype.kind != "f":
            got = f"{values.dtype} {values.shape}" if isinstance(values, np.ndarray) else "an archive"
            raise ProjectError(f"Expected a map of {shape} numbers as its report says, got {got}; {_AGAIN}: {path}")
        return np.array(values, np.float32)
    except (OSError, ValueError, EOFError, SyntaxError, OverflowError) as error:
        raise ProjectError(
            f"Expected an NPY file of numbers, got another or none ({error}); {_AGAIN}: {path}"
        ) from error


def _picture(path: Path, grid: tuple[int, int], kind: str, modes: tuple[str, ...]) -> NDArray[Any]:
    try:
        with Image.open(path, formats=[kind]) as picture:
            if picture.size != (grid[1], grid[0]) or picture.mode not in modes:
                width, height = picture.size
                raise ProjectError(
                    f"Expected a picture of {grid[1]} x {grid[0]} pixels as its report says, got {width} x {height} "
                    f"({picture.mode}); {_AGAIN}: {path}"
                )
            return np.asarray(picture)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ProjectError(f"Expected a {kind} file, got another or none ({error}); {_AGAIN}: {path}") from error


def _depth_png(path: Path, grid: tuple[int, int], scale: float | None) -> NDArray[np.float32]:
    if scale is None or scale <= 0:
        raise ProjectError(f"Expected a report with the scale of this picture, got none; {_AGAIN}: {path}")
    steps = _picture(path, grid, "PNG", ("I;16", "I")).astype(np.float32)
    return np.where(steps > 0, steps * np.float32(scale), np.float32(np.nan))


def _normals_png(path: Path, grid: tuple[int, int], axes: str) -> NDArray[np.float32]:
    """Unit vectors again; `MISSING` of the colours is a length that no normal has."""
    normals = _picture(path, grid, "PNG", ("RGB",)).astype(np.float32) / np.float32(127.5) - 1
    if axes == _OPENGL:
        normals *= np.array([1, -1, -1], np.float32)
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    return np.where(np.abs(length - 1) < 0.1, normals / np.maximum(length, 1e-3), np.float32(np.nan))


def _classes_png(path: Path, grid: tuple[int, int], count: int) -> NDArray[np.int16]:
    classes = _picture(path, grid, "PNG", ("L", "P")).astype(np.int16)
    classes[classes == NONE] = -1
    if int(classes.max()) >= count:
        raise ProjectError(
            f"Expected a picture of the {count} classes of its report, got the number {int(classes.max())}; "
            f"{_AGAIN}: {path}"
        )
    return classes
