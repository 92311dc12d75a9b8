"""Classes as files."""

from __future__ import annotations

import json
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from core.colors import MISSING, class_palette
from core.errors import ExportError
from core.export.png import write_palette_png, write_png
from core.prediction import Prediction

NONE = 255


def write_png8(prediction: Prediction, stream: BinaryIO) -> None:
    """8-bit grey PNG: index into the class names, 255 for none; the names stand in a text chunk as a JSON list.

    Grey, because every reader hands out its values; of a palette, OpenCV hands out the colours.

    Raises:
        ExportError: There are no classes, or more than 255.
    """
    write_png(_indices(prediction), stream, facts=_names(prediction))


def write_preview(prediction: Prediction, stream: BinaryIO) -> None:
    """8-bit palette PNG to look at: the same indices and names, in the colours of the window; errors likewise."""
    names = prediction.class_names
    indices = _indices(prediction)
    palette = np.tile(np.array(MISSING, np.uint8), (256, 1))
    palette[: len(names)] = class_palette(max(len(names), 1), names)[: len(names)]
    write_palette_png(indices, palette, stream, facts=_names(prediction))


def _indices(prediction: Prediction) -> NDArray[np.uint8]:
    if prediction.classes is None:
        raise ExportError("This prediction has no classes; run a model that estimates them.")
    if len(prediction.class_names) > NONE:
        raise ExportError(f"An 8-bit PNG holds up to {NONE} classes, got {len(prediction.class_names)}.")
    return np.where(prediction.classes < 0, NONE, prediction.classes).astype(np.uint8)


def _names(prediction: Prediction) -> dict[str, str]:
    return {"Classes": json.dumps(prediction.class_names)}
