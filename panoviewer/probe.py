"""What is known along one direction: the text of the status line. No Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from core.geometry.sphere import angle_between, directions_to_lonlat, lonlat_to_pixels
from core.panorama import Panorama
from core.prediction import Prediction
from panoviewer.translation import tr


@dataclass(frozen=True)
class Probe:
    """Everything that is known along a direction of the photograph's frame.

    Attributes:
        lon, lat: Degrees.
        column, row: The pixel of the photograph.
        rgb: Its colour; None outside a partial photograph.
        depth: Along the ray, metres when `is_metric`; None when unknown.
        is_metric: Whether the depth is in metres.
        is_far: Whether the ray meets nothing.
        normal: (x, y, z), or None.
        class_name: What is there, or None.
    """

    lon: float
    lat: float
    column: int
    row: int
    rgb: tuple[int, int, int] | None
    depth: float | None = None
    is_metric: bool = True
    is_far: bool = False
    normal: tuple[float, float, float] | None = None
    class_name: str | None = None

    def text(self) -> str:
        """One line for the user."""
        color = tr("not photographed") if self.rgb is None else "RGB {} {} {}".format(*self.rgb)
        return _line([self.place(), tr("px {column}, {row}", column=self.column, row=self.row), color, *self.values()])

    def place(self) -> str:
        """The direction."""
        return tr("lon {lon:+.2f}°  lat {lat:+.2f}°", lon=self.lon, lat=self.lat)

    def values(self, other: Probe | None = None) -> list[str]:
        """What a model says; with another one's values for the same direction also how far `other` is from them."""
        parts = []
        if self.is_far:
            parts.append(tr("far"))
        elif self.depth is not None:
            depth = (
                tr("depth {depth:.2f} m", depth=self.depth)
                if self.is_metric
                else tr("depth {depth:.3f} (relative)", depth=self.depth)
            )
            off = "" if other is None or other.depth is None else f" (A {100 * (other.depth / self.depth - 1):+.1f} %)"
            parts.append(depth + off)
        if self.normal is not None:
            theirs = None if other is None else other.normal
            off = "" if theirs is None else f" ({math.degrees(angle_between(self.normal, theirs)):.1f}°)"
            parts.append(tr("normal") + " {:+.2f} {:+.2f} {:+.2f}".format(*self.normal) + off)
        if self.class_name is not None:
            parts.append(self.class_name)
        return parts


def compared(a: Probe, b: Probe) -> str:
    """One line for the user about a direction of which two models say something."""
    known = [("A", a.values()), ("B", b.values(a))]
    nothing = tr("nothing")
    return "      ".join([a.place(), *(f"{name}:  {_line(values) or nothing}" for name, values in known)])


def _line(parts: list[str]) -> str:
    return "   ·   ".join(parts)


def probe_direction(panorama: Panorama, prediction: Prediction | None, direction: ArrayLike) -> Probe:
    """Look up the pixel that a direction, (3,) in the photograph's frame, falls into, in every map."""
    lon, lat = directions_to_lonlat(direction)
    row, column = _pixel(lon, lat, panorama.height, panorama.width)
    seen = panorama.valid is None or bool(panorama.valid[row, column])
    red, green, blue = (int(value) for value in panorama.rgb[row, column])
    depth = normal = class_name = None
    is_far = False
    is_metric = prediction is None or prediction.is_metric
    if prediction is not None and prediction.maps():
        at = _pixel(lon, lat, *prediction.size)
        if prediction.depth is not None and math.isfinite(prediction.depth[at]):
            depth = float(prediction.depth[at])
        if prediction.far is not None:
            is_far = bool(prediction.far[at])
        if prediction.normals is not None and np.isfinite(prediction.normals[at]).all():
            x, y, z = (float(value) for value in prediction.normals[at])
            normal = x, y, z
        if prediction.classes is not None and prediction.classes[at] >= 0:
            class_name = prediction.class_names[int(prediction.classes[at])]
    return Probe(
        lon=math.degrees(float(lon)),
        lat=math.degrees(float(lat)),
        column=column,
        row=row,
        rgb=(red, green, blue) if seen else None,
        depth=depth,
        is_metric=is_metric,
        is_far=is_far,
        normal=normal,
        class_name=class_name,
    )


def _pixel(lon: ArrayLike, lat: ArrayLike, height: int, width: int) -> tuple[int, int]:
    """(row, column) of the pixel that a direction falls into, as indices of its own."""
    row, column = lonlat_to_pixels(lon, lat, height, width)
    return int(row), int(column)
