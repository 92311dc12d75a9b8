"""Depth and far as files."""

from __future__ import annotations

import io
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from core.colors import depth_colors
from core.errors import ExportError
from core.export.exr import write_exr
from core.export.png import write_png
from core.prediction import Prediction

PNG_SCALES = (0.001, 1 / 256, 0.01, 0.1, 1.0)
"""Metres per step that a 16-bit PNG may use; the first that holds the largest depth is taken."""
LARGEST = 65535
_DESCRIPTION, _GDAL_NODATA = 270, 42113


def write_npy(prediction: Prediction, stream: BinaryIO) -> None:
    """(h, w) float32 distances along the ray, NaN where unknown or far."""
    np.save(stream, _depth(prediction), allow_pickle=False)


def write_exr32(prediction: Prediction, stream: BinaryIO) -> None:
    """OpenEXR of float32 distances along the ray; 0 where unknown or far, because compositors spread NaN.

    The same values stand in two channels: `Z`, which Nuke and Fusion take for depth, and `Y`, which Blender and viewers
    of pictures show as grey and which neither of them does with a file that has `Z` alone.
    """
    depth = np.nan_to_num(_depth(prediction), nan=0.0, posinf=0.0)
    facts = {
        "unit": "m" if prediction.is_metric else "relative",
        "unknown": "0",
        "comments": "distance along the ray from the camera, not along its axis; Y is the same as Z",
    }
    write_exr({"Z": depth, "Y": depth}, stream, facts=facts)


def write_tiff32(prediction: Prediction, stream: BinaryIO) -> None:
    """TIFF of float32 distances along the ray; NaN where unknown or far, which GDAL is told."""
    unit = "metres" if prediction.is_metric else "relative"
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[_DESCRIPTION] = f"depth along the ray, {unit}, NaN unknown"
    tags[_GDAL_NODATA] = "nan"
    tags.tagtype[_GDAL_NODATA] = 2
    held = io.BytesIO()
    Image.fromarray(_depth(prediction)).save(held, "TIFF", compression="tiff_adobe_deflate", tiffinfo=tags)
    stream.write(held.getbuffer())


def write_png16(prediction: Prediction, stream: BinaryIO, *, scale: float | None = None) -> None:
    """16-bit grey PNG: depth / scale, rounded; 0 where unknown or far. The scale stands in its text chunks.

    Args:
        prediction: Must have a depth.
        stream: Open for writing.
        scale: Metres (or units of a relative depth) per step; `png_scale` chooses when None.

    Raises:
        ExportError: The depth does not fit into 16 bits at this scale; nothing is clipped.
    """
    depth = _depth(prediction)
    largest = _largest(depth)
    if scale is None:
        scale = png_scale(prediction)
    if not scale > 0 or not largest <= (LARGEST + 0.5) * scale:
        raise ExportError(
            f"A 16-bit PNG at {scale:g} per step holds depths up to {LARGEST * scale:g}, got {largest:g}; "
            "choose a larger scale, or NPY."
        )
    with np.errstate(invalid="ignore"):
        steps = np.rint(depth / np.float32(scale))
        # 0 means unknown, so that the nearest depths take the first step.
        steps = np.where(depth > 0, np.clip(steps, 1, LARGEST), 0)
    unit = "m" if prediction.is_metric else "relative"
    facts = {
        "Unit": unit,
        "Scale": repr(scale),
        "Unknown": "0",
        "Description": f"depth along the ray = value * {scale!r}",
    }
    write_png(steps.astype(np.uint16), stream, facts=facts)


def png_scale(prediction: Prediction) -> float:
    """The finest of `PNG_SCALES` that holds every depth of the prediction.

    Raises:
        ExportError: The prediction has no depth, or none of the scales holds it.
    """
    largest = _largest(_depth(prediction))
    for scale in PNG_SCALES:
        if largest <= LARGEST * scale:
            return scale
    raise ExportError(f"A 16-bit PNG holds depths up to {LARGEST * PNG_SCALES[-1]:g}, got {largest:g}; choose NPY.")


def write_preview(prediction: Prediction, stream: BinaryIO) -> None:
    """8-bit colour PNG to look at: viridis over the logarithm of the depth."""
    write_png(depth_colors(_depth(prediction), prediction.far), stream)


def write_far(prediction: Prediction, stream: BinaryIO) -> None:
    """8-bit grey PNG: 255 where the ray meets nothing at a measurable distance, else 0."""
    if prediction.far is None:
        raise ExportError("This prediction does not say what is far; run a model that estimates depth.")
    write_png(prediction.far.astype(np.uint8) * np.uint8(255), stream)


def _depth(prediction: Prediction) -> NDArray[np.float32]:
    if prediction.depth is None:
        raise ExportError("This prediction has no depth; run a model that estimates it.")
    return prediction.depth


def _largest(depth: NDArray[np.float32]) -> float:
    known = depth[np.isfinite(depth)]
    return float(known.max(initial=0.0))
