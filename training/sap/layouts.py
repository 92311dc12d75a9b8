"""Ways to look at a panorama, as cycles of square pictures: the zigzag's views and what SAP compares them with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import Camera
from core.geometry.sphere import erp_angles, lonlat_to_directions
from core.geometry.tiling import zigzag_tiles
from core.geometry.warp import erp_to_camera, resize_erp
from core.segment.merge import SeenView, merge_mask
from core.segment.options import Merge
from core.segment.zigzag import project_click, sees

Float = NDArray[np.float64]
Bits = NDArray[np.bool_]

QUARTER = math.pi / 2
GREY = 114
"""Beyond the poles, where a window holds nothing."""


class Look(Protocol):
    """One square picture of a panorama."""

    @property
    def axis(self) -> Float:
        """(3,) direction of its middle."""
        ...

    @property
    def fov(self) -> float:
        """Radians across it."""
        ...

    def see(self, erp: NDArray[Any], *, nearest: bool) -> NDArray[Any]:
        """The picture, (s, s) or (s, s, channels), of a panorama's (h, w) or (h, w, channels)."""
        ...

    def place(self, lon: float, lat: float) -> tuple[float, float] | None:
        """Continuous pixels (u, v) of a direction; None where it is not seen."""
        ...


@dataclass(frozen=True)
class PinholeLook:
    """A perspective view."""

    camera: Camera

    @property
    def axis(self) -> Float:
        """See `Look`."""
        return self.camera.world_from_camera[:, 2]

    @property
    def fov(self) -> float:
        """See `Look`."""
        return self.camera.fov_x

    def see(self, erp: NDArray[Any], *, nearest: bool) -> NDArray[Any]:
        """See `Look`."""
        return erp_to_camera(erp, self.camera, nearest=nearest)

    def place(self, lon: float, lat: float) -> tuple[float, float] | None:
        """See `Look`."""
        if not bool(sees(self.camera, lonlat_to_directions(lon, lat), -1e-9)):
            return None
        u, v = (min(max(x, 0.0), float(self.camera.width)) for x in project_click(self.camera, lon, lat))
        return u, v


@dataclass(frozen=True)
class WindowLook:
    """A piece of the equirectangular picture itself, with grey beyond the poles.

    Attributes:
        lon, lat: Of its middle, radians.
        span: Radians of longitude and of latitude along its sides.
        size: Pixels along each side.
    """

    lon: float
    lat: float
    span: float
    size: int

    @property
    def axis(self) -> Float:
        """See `Look`."""
        return lonlat_to_directions(self.lon, self.lat)

    @property
    def fov(self) -> float:
        """See `Look`; networks that want to know it have not learned from wider ones than a view's."""
        return min(self.span, QUARTER)

    def see(self, erp: NDArray[Any], *, nearest: bool) -> NDArray[Any]:
        """See `Look`."""
        height = round(self.size * math.pi / self.span)
        whole = resize_erp(erp, height, 2 * height, nearest=nearest, lon_offset=self.lon)
        top = round((0.5 - self.lat / math.pi) * height - self.size / 2)
        left = height - self.size // 2
        rows = slice(max(0, top), min(height, top + self.size))
        out = np.full((self.size, self.size, *erp.shape[2:]), GREY if erp.ndim == 3 else 0, erp.dtype)
        out[rows.start - top : rows.stop - top] = whole[rows, left : left + self.size]
        return out

    def place(self, lon: float, lat: float) -> tuple[float, float] | None:
        """See `Look`."""
        u, v = self.pixels(np.asarray(lon), np.asarray(lat))
        inside = 0 <= u <= self.size and 0 <= v <= self.size
        return (float(u), float(v)) if inside else None

    def pixels(self, lon: Float, lat: Float) -> tuple[Float, Float]:
        """Continuous pixels of directions, also outside."""
        turn = np.remainder(lon - self.lon + math.pi, 2 * math.pi) - math.pi
        return (turn / self.span + 0.5) * self.size, ((self.lat - lat) / self.span + 0.5) * self.size


class Looks(StrEnum):
    """What a panorama is looked at through."""

    VIEWS = "views"
    """Perspective views, as SAP's."""

    CROPS = "crops"
    """Pieces of the equirectangular picture around the same directions."""

    WHOLE = "whole"
    """The equirectangular picture shrunk to one square, with grey above and below."""


@dataclass(frozen=True)
class Layout:
    """A closed cycle of looks.

    Attributes:
        looks: Of which kind they are.
        overlap: Half a view with each neighbour: 8 x 3 looks (arXiv:2603.12759); without, 4 x 2, which leave the poles'
            surroundings and 3 % of the sphere out.
    """

    looks: Looks = Looks.VIEWS
    overlap: bool = True

    def cycle(self, size: int, turn: float = 0.0) -> tuple[Look, ...]:
        """The looks in the order of the zigzag, each `size` pixels square, turned by a yaw in radians."""
        if self.looks is Looks.WHOLE:
            return (WindowLook(math.remainder(turn, 2 * math.pi), 0.0, 2 * math.pi, size),)
        pitches = (QUARTER / 2, 0.0, -QUARTER / 2) if self.overlap else (QUARTER / 2, -QUARTER / 2)
        cameras = zigzag_tiles(size, yaw_step=QUARTER / 2 if self.overlap else QUARTER, pitches=pitches)
        turned = [replace(camera, yaw=math.remainder(camera.yaw + turn, 2 * math.pi)) for camera in cameras]
        if self.looks is Looks.VIEWS:
            return tuple(PinholeLook(camera) for camera in turned)
        return tuple(WindowLook(camera.yaw, camera.pitch, QUARTER, size) for camera in turned)


def merged_mask(looks: Sequence[Look], logits: NDArray[np.float32], height: int, width: int) -> Bits:
    """Where the largest logit of the looks that see a direction is positive (arXiv:2603.12759).

    Args:
        looks: All of one kind.
        logits: (n, a, a), one map for each look.
        height: Of the panorama's grid.
        width: Of the panorama's grid.

    Returns:
        (height, width) bool; False where no look sees.
    """
    views = [
        SeenView(look.camera, np.asarray(answer, np.float32))
        for look, answer in zip(looks, logits, strict=True)
        if isinstance(look, PinholeLook)
    ]
    if views:
        return merge_mask(views, height, width, Merge.MAX)
    lon, lat = np.meshgrid(*erp_angles(height, width))
    inside = np.zeros((height, width), np.bool_)
    for look, answer in zip(looks, logits, strict=True):
        if isinstance(look, WindowLook):
            u, v = look.pixels(lon, lat)
            seen = (u >= 0) & (u <= look.size) & (v >= 0) & (v <= look.size)
            # OpenCV counts from the middle of the first pixel.
            maps = [(along * (answer.shape[0] / look.size) - 0.5).astype(np.float32) for along in (u, v)]
            moved = cv2.remap(answer, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            inside |= seen & (moved > 0)
    return inside
