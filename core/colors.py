"""Colours for quantities: colour maps for numbers, a palette for classes, normals as colours."""

from __future__ import annotations

from functools import cache, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

_TABLES = {
    "viridis": cv2.COLORMAP_VIRIDIS,
    "cividis": cv2.COLORMAP_CIVIDIS,
    "inferno": cv2.COLORMAP_INFERNO,
    "turbo": cv2.COLORMAP_TURBO,
}
COLORMAPS = (*_TABLES, "grey")
"""Names of the colour maps; all but turbo are perceptually uniform, cividis and grey also for colour-blind eyes."""

MISSING = (24, 24, 28)
FAR = (148, 178, 214)
"""sRGB colours of unknown and of far pixels; outside every colour map."""

NATURAL_COLORS: dict[str, tuple[int, int, int]] = {
    "wall": (200, 190, 170),
    "floor": (160, 110, 70),
    "ceiling": (225, 225, 235),
    "windowpane": (120, 220, 240),
    "door": (130, 60, 30),
    "table": (220, 150, 60),
    "chair": (230, 90, 40),
    "sofa": (190, 40, 80),
    "bed": (240, 160, 180),
    "cabinet": (150, 130, 40),
    "shelf": (190, 170, 90),
    "curtain": (170, 80, 170),
    "painting": (255, 60, 160),
    "lamp": (255, 240, 60),
    "plant": (60, 200, 80),
    "person": (220, 20, 60),
    "column": (150, 150, 160),
    "stairs": (110, 90, 140),
    "building": (140, 100, 100),
    "sky": (110, 170, 250),
    "road": (80, 80, 95),
    "sidewalk": (150, 120, 160),
    "grass": (130, 220, 50),
    "earth": (120, 90, 50),
    "tree": (30, 120, 40),
    "car": (20, 40, 220),
    "fence": (200, 120, 200),
    "pole": (255, 200, 120),
    "water": (20, 110, 160),
    "mountain": (90, 130, 120),
}
"""What things look like, by their names in ADE20K."""
_ENOUGH = 12.0
_CROWDED = 20.0
"""Distances in CIELAB below `_ENOUGH` count this many times as much as unlikeness."""

# Dichromatic vision as matrices on linear RGB. Source: G. Machado, M. Oliveira, L. Fernandes, A Physiologically-based
# Model for Simulation of Color Vision Deficiency, IEEE TVCG 2009, severity 1.0.
_PROTANOPIA = np.array(
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
)
_DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
VISIONS: dict[str, NDArray[np.float64]] = {
    "normal": np.eye(3),
    "protanopia": _PROTANOPIA,
    "deuteranopia": _DEUTERANOPIA,
}


@cache
def colormap(name: str) -> NDArray[np.uint8]:
    """The 256 sRGB colours of a colour map, (256, 3) uint8, read-only; `name` is one of `COLORMAPS`."""
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    table = np.repeat(ramp, 3, axis=1) if name == "grey" else cv2.applyColorMap(ramp, _TABLES[name])[:, 0, ::-1]
    table = np.ascontiguousarray(table, np.uint8)
    table.flags.writeable = False
    return table


def colorize(
    values: NDArray[np.floating], low: float, high: float, *, name: str = "viridis", logarithmic: bool = False
) -> NDArray[np.uint8]:
    """Numbers as colours.

    Args:
        values: (...) numbers; NaN becomes `MISSING`.
        low: The value of the first colour; smaller ones take it too.
        high: The value of the last colour; larger ones take it too.
        name: One of `COLORMAPS`.
        logarithmic: Spread the colours evenly over the logarithm; `low` must then be positive.

    Returns:
        (..., 3) uint8 sRGB.
    """
    table = np.concatenate([colormap(name), np.array([MISSING], np.uint8)])
    scaled = np.asarray(values, np.float32)
    if logarithmic:
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = np.log(scaled)
        low, high = float(np.log(low)), float(np.log(high))
    index = (scaled - np.float32(low)) * np.float32(255 / max(high - low, 1e-12))
    missing = np.isnan(index)
    index = np.rint(np.clip(np.nan_to_num(index, nan=0.0), 0, 255)).astype(np.int16)
    index[missing] = 256
    picture: NDArray[np.uint8] = table[index]
    return picture


def depth_limits(depth: NDArray[np.floating]) -> tuple[float, float]:
    """The 1st and 99th percentile of the known depths, apart and positive: limits for `colorize`."""
    sample = depth[:: max(1, depth.shape[0] // 256), :: max(1, depth.shape[1] // 512)]
    known = sample[np.isfinite(sample) & (sample > 0)]
    if known.size == 0:
        return 1.0, 2.0
    low, high = (float(value) for value in np.percentile(known, [1, 99]))
    return low, max(high, low * 1.01)


def depth_colors(
    depth: NDArray[np.floating],
    far: NDArray[np.bool_] | None = None,
    *,
    limits: tuple[float, float] | None = None,
    name: str = "viridis",
) -> NDArray[np.uint8]:
    """A depth as a picture: near is dark in viridis, colours follow the logarithm, far pixels are `FAR`.

    Args:
        depth: (h, w), NaN where unknown or far.
        far: (h, w) where the ray meets nothing.
        limits: Depths of the first and the last colour; `depth_limits` when None.
        name: One of `COLORMAPS`.

    Returns:
        (h, w, 3) uint8 sRGB.
    """
    low, high = limits or depth_limits(depth)
    picture = colorize(depth, low, high, name=name, logarithmic=True)
    if far is not None:
        picture[far] = FAR
    return picture


def normal_colors(normals: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Normals as the usual colours, (n + 1) / 2 of x, y, z as red, green, blue; `MISSING` where unknown.

    Args:
        normals: (..., 3) unit vectors.

    Returns:
        (..., 3) uint8.
    """
    missing = np.isnan(normals[..., 0])
    colors = np.rint((np.nan_to_num(normals, nan=0.0) + 1) * 127.5).clip(0, 255).astype(np.uint8)
    colors[missing] = MISSING
    picture: NDArray[np.uint8] = colors
    return picture


def class_colors(classes: NDArray[np.integer], names: tuple[str, ...] = ()) -> NDArray[np.uint8]:
    """Classes as colours of `class_palette`; `MISSING` where there is none (-1).

    Args:
        classes: (...) index of the class.
        names: Names of the classes, for colours that suit them.

    Returns:
        (..., 3) uint8 sRGB.
    """
    palette = class_palette(max(int(classes.max(initial=-1)) + 1, len(names), 1), names)
    picture: NDArray[np.uint8] = np.concatenate([palette, np.array([MISSING], np.uint8)])[classes]
    return picture


def class_palette(count: int, names: tuple[str, ...] = ()) -> NDArray[np.uint8]:
    """Colours of classes that stay apart for normal, protanopic and deuteranopic eyes.

    Each colour keeps its distance in CIELAB, as the worst of the three visions sees it, from all before it and from
    `MISSING`. Among those that do, a class whose name is known takes the one most like the thing itself (a blue sky),
    any other the one farthest from the rest. A class keeps its colour whatever comes after it.

    Args:
        count: How many.
        names: Names of the first classes.

    Returns:
        (count, 3) uint8 sRGB.
    """
    return _palette(count, names[:count])


@lru_cache(maxsize=16)
def _palette(count: int, names: tuple[str, ...]) -> NDArray[np.uint8]:
    levels = np.linspace(0, 255, 14).round().astype(np.uint8)
    candidates = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    # White would be lost on a bright picture.
    candidates = candidates[lab_as_seen(candidates, "normal")[:, 0] < 93]
    seen = _seen(candidates)
    nearest = _apart(seen, _seen(np.array([MISSING], np.uint8))[0])
    chosen = np.empty(count, np.int64)
    for number in range(count):
        likeness = NATURAL_COLORS.get(names[number]) if number < len(names) else None
        merit = nearest
        if likeness is not None:
            unlike = np.linalg.norm(seen[:, 0] - _seen(np.array([likeness], np.uint8))[0, 0], axis=-1)
            merit = _CROWDED * np.minimum(nearest, _ENOUGH) - unlike
        chosen[number] = int(merit.argmax())
        nearest = np.minimum(nearest, _apart(seen, seen[chosen[number]]))
    palette = candidates[chosen]
    palette.flags.writeable = False
    return palette


def _seen(colors: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(N, visions, 3) CIELAB of (N, 3) colours, normal vision first."""
    return np.stack([lab_as_seen(colors, vision) for vision in VISIONS], axis=1)


def _apart(seen: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) distance of colours as seen by every vision, (N, visions, 3), from another, (visions, 3)."""
    distance = np.linalg.norm(seen - other, axis=-1)
    apart: NDArray[np.float64] = 0.95 * distance.min(axis=1) + 0.05 * distance[:, 0]
    return apart


def lab_as_seen(colors: NDArray[np.uint8], vision: str) -> NDArray[np.float64]:
    """CIELAB (D65) of (N, 3) sRGB colours as eyes of a kind in `VISIONS` see them, (N, 3)."""
    srgb = colors / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ VISIONS[vision].T, 0, 1)
    xyz_from_rgb = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ xyz_from_rgb.T / xyz_from_rgb.sum(axis=1)
    root = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = root.T
    lab: NDArray[np.float64] = np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
    return lab
