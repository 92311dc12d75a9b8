"""Classes as files."""

from __future__ import annotations

import json
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from core.colors import MISSING, class_colors, class_palette
from core.errors import ExportError
from core.export.png import write_palette_png, write_png
from core.prediction import Prediction

NONE = 255


def write_png8(prediction: Prediction, stream: BinaryIO) -> None:
    """8-bit palette PNG: index into the class names, 255 for none; the names stand in a text chunk as a JSON list.

    The palette is that of the window. Pillow hands out the indices; OpenCV its colours.

    Raises:
        ExportError: There are no classes, or more than 255.
    """
    classes = _classes(prediction)
    if len(prediction.class_names) > NONE:
        raise ExportError(f"An 8-bit PNG holds up to {NONE} classes, got {len(prediction.class_names)}.")
    pixels = np.where(classes < 0, NONE, classes).astype(np.uint8)
    names = prediction.class_names
    palette = np.tile(np.array(MISSING, np.uint8), (256, 1))
    palette[: len(names)] = class_palette(max(len(names), 1), names)[: len(names)]
    write_palette_png(pixels, palette, stream, facts={"Classes": json.dumps(names)})


def write_preview(prediction: Prediction, stream: BinaryIO) -> None:
    """8-bit colour PNG to look at, in the palette of the window."""
    write_png(class_colors(_classes(prediction), prediction.class_names), stream)


def _classes(prediction: Prediction) -> NDArray[np.int16]:
    if prediction.classes is None:
        raise ExportError("This prediction has no classes; run a model that estimates them.")
    return prediction.classes
