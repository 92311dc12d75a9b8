"""The difference of two predictions as a picture to lay over the photograph, and what its colours mean. No Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.colors import colormap
from core.comparison import Comparison, Overlap
from panoviewer.translation import tr
from panoviewer.views.overlay import MAX_OVERLAY_WIDTH, Layer

OPACITY = 0.85
SHARES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Relative differences that a legend may end at; the first that leaves out at most one pixel in twenty is taken."""
ANGLES_DEG = (5.0, 10.0, 20.0, 45.0, 90.0, 180.0)
DIFFERS = (240, 120, 40)
# Apart for all eyes. Source of the colours: M. Okabe, K. Ito, Color Universal Design, 2008.
MASK_COLORS = {Overlap.ONLY_A: (0, 114, 178), Overlap.ONLY_B: (230, 159, 0), Overlap.BOTH: (160, 165, 170)}
_PERCENTILE = 95
_SAMPLE_ROWS = 512
"""Enough of a grid to choose the end of a legend."""
_BLUE, _PALE, _RED = (33, 90, 190), (238, 238, 234), (190, 40, 40)


@dataclass(frozen=True, eq=False)
class Legend:
    """What the colours of a difference mean.

    Attributes:
        colors: (n, 3) uint8 from the first value to the last, or one for each of `labels` when it is `is_list`.
        labels: Of the ends and, where there are three, of the middle; or of the colours.
        is_list: Each colour means one thing.
    """

    colors: NDArray[np.uint8]
    labels: tuple[str, ...]
    is_list: bool = False


def diverging() -> NDArray[np.uint8]:
    """(256, 3) sRGB from blue over a pale grey to red."""
    at = np.linspace(0, 1, 256)
    return np.stack(
        [np.rint(np.interp(at, (0, 0.5, 1), channel)) for channel in zip(_BLUE, _PALE, _RED, strict=True)], axis=-1
    ).astype(np.uint8)


def paint_difference(comparison: Comparison, layer: Layer) -> tuple[NDArray[np.uint8], Legend] | None:
    """The difference in one layer.

    Returns:
        (h, w, 4) premultiplied RGBA, transparent where there is nothing to compare, and the legend; None when one of
        the predictions has no such layer.
    """
    if layer.value not in comparison.shared():
        return None
    step = max(1, -(-comparison.size[1] // MAX_OVERLAY_WIDTH))
    part = np.s_[step // 2 :: step, step // 2 :: step]
    if layer is Layer.DEPTH:
        values = comparison.depth_difference()[part]
        limit = _limit(np.abs(values), SHARES)
        label = f"{100 * limit:.0f} %"
        legend = Legend(
            diverging(), (tr("A nearer by {label}", label=label), tr("equal"), tr("A farther by {label}", label=label))
        )
        return _ramp(values, -limit, limit, legend.colors), legend
    if layer is Layer.NORMALS:
        values = np.degrees(comparison.normal_angle()[part])
        limit = _limit(values, ANGLES_DEG)
        legend = Legend(colormap("inferno"), ("0°", f"{limit:.0f}°"))
        return _ramp(values, 0.0, limit, legend.colors), legend
    if layer is Layer.CLASSES:
        differ = comparison.classes_differ()[part]
        legend = Legend(np.array([DIFFERS], np.uint8), (tr("another class"),), is_list=True)
        return _premultiplied(np.broadcast_to(legend.colors[0], (*differ.shape, 3)), differ == 1), legend
    return paint_overlap(comparison.far_overlap()[part])


def paint_overlap(held: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Legend]:
    """Which of two masks hold a pixel, as a picture like that of `paint_difference`; `held` is (h, w) of `Overlap`."""
    table = np.zeros((len(Overlap), 3), np.uint8)
    for which, color in MASK_COLORS.items():
        table[which] = color
    legend = Legend(
        np.array(list(MASK_COLORS.values()), np.uint8), (tr("only in A"), tr("only in B"), tr("in both")), is_list=True
    )
    return _premultiplied(table[held], held != Overlap.NEITHER), legend


def _limit(values: NDArray[np.floating], choices: tuple[float, ...]) -> float:
    sample = values[:: max(1, len(values) // _SAMPLE_ROWS), :: max(1, len(values) // _SAMPLE_ROWS)]
    known = sample[np.isfinite(sample)]
    needed = float(np.percentile(known, _PERCENTILE)) if known.size else 0.0
    return next((choice for choice in choices if choice >= needed * (1 - 1e-6)), choices[-1])


def _ramp(values: NDArray[np.floating], low: float, high: float, colors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    shown = np.isfinite(values)
    index = (np.where(shown, values, low) - low) * ((len(colors) - 1) / (high - low))
    return _premultiplied(colors[np.rint(index.clip(0, len(colors) - 1)).astype(np.intp)], shown)


def _premultiplied(rgb: NDArray[np.uint8], shown: NDArray[np.bool_]) -> NDArray[np.uint8]:
    alpha = math.floor(255 * OPACITY)
    rgba = np.empty((*shown.shape, 4), np.uint8)
    rgba[..., :3] = (rgb.astype(np.uint16) * alpha + 127) // 255 * shown[..., None]
    rgba[..., 3] = shown * np.uint8(alpha)
    return rgba
