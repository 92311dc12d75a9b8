"""Normals as files."""

from __future__ import annotations

from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from core.colors import normal_colors
from core.errors import ExportError
from core.export.exr import write_exr
from core.export.png import write_png
from core.prediction import Prediction

Axes = Literal["opencv", "opengl"]
AXES: dict[str, str] = {"opencv": "x right, y down, z forward", "opengl": "x right, y up, z backward"}
"""Axes that pictures of normals may have; the green of the two is turned over. Arrays always have OpenCV's."""


def write_npy(prediction: Prediction, stream: BinaryIO) -> None:
    """(h, w, 3) float32 unit vectors in the world frame, facing the camera; NaN where unknown."""
    np.save(stream, _normals(prediction), allow_pickle=False)


def write_png8(prediction: Prediction, stream: BinaryIO, *, axes: Axes = "opencv") -> None:
    """8-bit colour PNG: (n + 1) / 2 of x, y, z as red, green, blue."""
    write_png(
        normal_colors(_in_axes(prediction, axes)),
        stream,
        facts={"Description": f"n = value / 127.5 - 1; {AXES[axes]}"},
    )


def write_exr16(prediction: Prediction, stream: BinaryIO, *, axes: Axes = "opencv") -> None:
    """OpenEXR of x, y, z as half R, G, B, right to 0.03 degrees; 0 where unknown, because compositors spread NaN."""
    normals = np.nan_to_num(_in_axes(prediction, axes), nan=0.0).astype(np.float16)
    channels = {letter: normals[..., c] for c, letter in enumerate("RGB")}
    write_exr(channels, stream, facts={"axes": AXES[axes], "unknown": "0"})


def _in_axes(prediction: Prediction, axes: Axes) -> NDArray[np.float32]:
    """The normals by the axes of a convention."""
    normals = _normals(prediction)
    return normals if axes == "opencv" else normals * np.array([1, -1, -1], np.float32)


def _normals(prediction: Prediction) -> NDArray[np.float32]:
    if prediction.normals is None:
        raise ExportError("This prediction has no normals; run a model that estimates them.")
    return prediction.normals
