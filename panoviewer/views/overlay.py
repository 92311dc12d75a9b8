"""Layers of a prediction as one picture to lay over the photograph. No Qt."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from core.colors import FAR, class_colors, depth_colors, normal_colors
from core.prediction import Prediction

MAX_OVERLAY_WIDTH = 4096
"""Predictions are smooth; a wider overlay would only cost memory and time."""


class Layer(StrEnum):
    """What can be laid over the photograph, from the bottom to the top."""

    DEPTH = "depth"
    NORMALS = "normals"
    CLASSES = "classes"
    FAR = "far"


@dataclass(frozen=True)
class LayerStyle:
    """How one layer is drawn: whether, and how strongly (0 to 1)."""

    visible: bool = False
    opacity: float = 0.8


@dataclass(frozen=True)
class OverlayStyle:
    """How all layers are drawn.

    Attributes:
        layers: One style for each layer.
        color_map: Name of the depth's colour map.
        limits: Depths of its first and last colour; None for the prediction's own.
        isolated_class: Show this class only; None for all.
    """

    layers: dict[Layer, LayerStyle] = field(
        default_factory=lambda: {layer: LayerStyle() for layer in Layer}, hash=False, compare=True
    )
    color_map: str = "turbo"
    limits: tuple[float, float] | None = None
    isolated_class: int | None = None

    def with_layer(self, layer: Layer, **changes: object) -> OverlayStyle:
        """The same with one layer changed."""
        changed = replace(self.layers[layer], **changes)  # type: ignore[arg-type]
        return replace(self, layers={**self.layers, layer: changed})

    def only(self, layer: Layer | None) -> OverlayStyle:
        """The same with that layer alone visible, or none."""
        layers = {name: replace(style, visible=name is layer) for name, style in self.layers.items()}
        return replace(self, layers=layers)

    def visible(self) -> list[Layer]:
        """The layers that are drawn, from the bottom to the top."""
        return [layer for layer, style in self.layers.items() if style.visible and style.opacity > 0]


class Composer:
    """Paints the overlay of one prediction; keeps the colours of each layer, so that only changes cost time."""

    def __init__(self, prediction: Prediction, limits: tuple[float, float]) -> None:
        """Begin with nothing painted.

        Args:
            prediction: What to paint.
            limits: Of the depth's colours when the style names none.
        """
        self._prediction = prediction
        self._step = max(1, -(-prediction.size[1] // MAX_OVERLAY_WIDTH))
        self._limits = limits
        self._colors: dict[Layer, tuple[object, NDArray[np.uint8]]] = {}

    def compose(self, style: OverlayStyle) -> NDArray[np.uint8] | None:
        """The visible layers, each over those below it.

        Returns:
            (h, w, 4) uint8 RGBA with premultiplied alpha; None when there is nothing to show.
        """
        result: NDArray[np.uint8] | None = None
        for layer in style.visible():
            colors = self._layer(layer, style)
            if colors is None:
                continue
            opacity = round(style.layers[layer].opacity * 255)
            result = _over(colors, opacity, result)
        return result

    def _layer(self, layer: Layer, style: OverlayStyle) -> NDArray[np.uint8] | None:
        """(h, w, 4) straight RGBA of one layer, alpha 0 or 255; None when the prediction has no such map."""
        key: object = None
        if layer is Layer.DEPTH:
            key = style.color_map, style.limits
        elif layer is Layer.CLASSES:
            key = style.isolated_class
        known = self._colors.get(layer)
        if known is None or known[0] != key:
            painted = self._paint(layer, style)
            if painted is None:
                return None
            known = key, painted
            self._colors[layer] = known
        return known[1]

    def _paint(self, layer: Layer, style: OverlayStyle) -> NDArray[np.uint8] | None:
        prediction, step = self._prediction, self._step
        part = np.s_[step // 2 :: step, step // 2 :: step]
        if layer is Layer.DEPTH and prediction.depth is not None:
            depth = prediction.depth[part]
            rgb = depth_colors(depth, limits=style.limits or self._limits, name=style.color_map)
            return _with_alpha(rgb, np.isfinite(depth))
        if layer is Layer.NORMALS and prediction.normals is not None:
            normals = prediction.normals[part]
            return _with_alpha(normal_colors(normals), np.isfinite(normals[..., 0]))
        if layer is Layer.CLASSES and prediction.classes is not None:
            classes = prediction.classes[part]
            shown = classes >= 0 if style.isolated_class is None else classes == style.isolated_class
            return _with_alpha(class_colors(classes, prediction.class_names), shown)
        if layer is Layer.FAR and prediction.far is not None:
            far = prediction.far[part]
            return _with_alpha(np.broadcast_to(np.array(FAR, np.uint8), (*far.shape, 3)), far)
        return None


def _with_alpha(rgb: NDArray[np.uint8], shown: NDArray[np.bool_]) -> NDArray[np.uint8]:
    rgba = np.empty((*shown.shape, 4), np.uint8)
    rgba[..., :3] = rgb
    rgba[..., 3] = shown.view(np.uint8) * np.uint8(255)
    return rgba


def _over(colors: NDArray[np.uint8], opacity: int, below: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """Straight `colors` with alpha 0 or 255, drawn with an opacity of 255ths over a premultiplied picture."""
    result = np.empty_like(colors)
    factor = np.uint16(opacity)
    # Row by row in bands, so that the 16-bit intermediates stay in the cache.
    for start in range(0, len(colors), 32):
        band = np.s_[start : start + 32]
        alpha = (colors[band][..., 3:] // 255) * factor.astype(np.uint8)
        top = colors[band].astype(np.uint16) * alpha
        top[..., 3:] = np.uint16(255) * alpha
        if below is not None:
            top += below[band].astype(np.uint16) * (255 - alpha.astype(np.uint16))
        top += 127
        result[band] = top // 255
    return result
