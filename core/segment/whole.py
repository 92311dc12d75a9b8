"""The whole panorama shrunk to one picture, for comparison: what a network for plain pictures makes of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.sphere import lonlat_to_erp
from core.geometry.warp import resize_erp
from core.progress import Progress, silent
from core.scene import Box, Click
from core.segment.network import ClickNetwork, ViewPrompt

_GREY = 114
"""Of the bars above and below, which make the picture square."""


@dataclass(frozen=True, eq=False)
class WholeAnswer:
    """An answer on the panorama's grid.

    Attributes:
        logits: (h, 2 h) float32, > 0 inside.
        quality: Estimate of its IoU.
    """

    logits: NDArray[np.float32]
    quality: float

    def bits(self, height: int, width: int) -> NDArray[np.bool_]:
        """The mask on another grid."""
        inside: NDArray[np.bool_] = np.asarray(resize_erp(self.logits, height, width) > 0)
        return inside


def answer_whole(
    network: ClickNetwork,
    rgb: NDArray[np.uint8],
    clicks: Sequence[Click],
    box: Box | None,
    reading: int | None,
    *,
    progress: Progress = silent,
) -> WholeAnswer:
    """What a network says about a panorama that is shrunk to one of its views, with grey above and below.

    Clicks are given one after another, each with the answer before it. A box across the seam is cut there: its wider
    part counts.
    """
    size, rows = network.view_size, network.view_size // 2
    top = (size - rows) // 2
    picture = np.full((size, size, 3), _GREY, np.uint8)
    picture[top : top + rows] = resize_erp(rgb, rows, size)
    progress(0, 1 + len(clicks))
    features = network.attend(network.encode(picture), [])
    rectangle = _rectangle(box, rows, size, top) if box is not None else None
    u, v = lonlat_to_erp([click.lon for click in clicks], [click.lat for click in clicks], rows, size)
    points = np.stack([u, v + top], axis=1).astype(np.float32).reshape(-1, 2)
    positive = np.array([click.positive for click in clicks], np.bool_)
    logits = None
    quality = 0.0
    for count in range(0 if box is not None else 1, len(clicks) + 1):
        if box is None and not positive[:count].any():
            continue
        progress(count, 1 + len(clicks))
        answer = network.decode(features, ViewPrompt(points[:count], positive[:count], rectangle, logits))
        chosen = answer.chosen if reading is None else min(reading, len(answer.logits) - 1)
        logits, quality = answer.logits[chosen], float(answer.quality[chosen])
    if logits is None:
        raise ValueError("expected a positive click or a box")
    scale = logits.shape[0] / size
    strip = logits[round(top * scale) : round((top + rows) * scale)]
    return WholeAnswer(np.ascontiguousarray(strip, np.float32), quality)


def _rectangle(box: Box, rows: int, size: int, top: int) -> tuple[float, float, float, float]:
    (west, east), (south, north) = lonlat_to_erp([box.west, box.east], [box.south, box.north], rows, size)
    if east < west:
        west, east = (west, float(size)) if size - west >= east else (0.0, east)
    if math.isclose(west, east):
        west, east = 0.0, float(size)
    return float(west), float(north) + top, float(east), float(south) + top
