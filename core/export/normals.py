"""Normals as files."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from core.colors import normal_colors
from core.errors import ExportError
from core.export.png import write_png
from core.prediction import Prediction


def write_npy(prediction: Prediction, stream: BinaryIO) -> None:
    """(h, w, 3) float32 unit vectors in the world frame, facing the camera; NaN where unknown."""
    np.save(stream, _normals(prediction), allow_pickle=False)


def write_png8(prediction: Prediction, stream: BinaryIO) -> None:
    """8-bit colour PNG: (n + 1) / 2 of x right, y down, z forward as red, green, blue."""
    write_png(
        normal_colors(_normals(prediction)),
        stream,
        facts={"Description": "n = value / 127.5 - 1; x right, y down, z forward"},
    )


def _normals(prediction: Prediction) -> NDArray[np.float32]:
    if prediction.normals is None:
        raise ExportError("This prediction has no normals; run a model that estimates them.")
    return prediction.normals
