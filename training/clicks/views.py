"""Perspective views with nested regions: what a click may mean in them, and how they lie on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import PanoError
from core.geometry.camera import pixel_solid_angles
from core.io.atomic import atomic_file
from training.archives import BROKEN

_QUALITY = 95


class Level(IntEnum):
    """What a region is to someone who points at it; the order of the network's readings."""

    UNKNOWN = -1
    PART = 0
    OBJECT = 1
    GROUP = 2


@dataclass(frozen=True, eq=False)
class RegionView:
    """A square view and the regions known in it.

    Attributes:
        rgb: (s, s, 3) uint8 sRGB.
        leaves: (s, s) uint16: a region holds a range of these numbers.
        spans: (n, 2) int32 first number, and the one after the last, of each region.
        levels: (n,) int8 of `Level`.
        weights: (n,) float32 how much each is worth learning.
        whole: (n,) float32 steradians of the whole thing on the sphere, also beyond the view; NaN where not known.
        fov: Radians across the view.
        source: Name of the picture that it was taken from.
    """

    rgb: NDArray[np.uint8]
    leaves: NDArray[np.uint16]
    spans: NDArray[np.int32]
    levels: NDArray[np.int8]
    weights: NDArray[np.float32]
    whole: NDArray[np.float32]
    fov: float
    source: str

    @property
    def size(self) -> int:
        """Pixels along each side."""
        return int(self.rgb.shape[0])

    def mask(self, region: int) -> NDArray[np.bool_]:
        """(s, s) bool of a region."""
        first, end = self.spans[region]
        inside: NDArray[np.bool_] = (self.leaves >= first) & (self.leaves < end)
        return inside

    def solid_angles(self) -> NDArray[np.float32]:
        """(s, s) steradians of each pixel, to first order."""
        return pixel_solid_angles(self.size, self.fov)


def write_views(views: Sequence[RegionView], path: Path) -> None:
    """Store views as one NPZ, whole or not at all: pictures as JPEG, numbers of leaves as PNG."""
    pictures = [_encoded(".jpg", view.rgb[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, _QUALITY)) for view in views]
    leaves = [_encoded(".png", view.leaves, ()) for view in views]
    packed = {
        "pictures": np.concatenate([*pictures, np.zeros(0, np.uint8)]),
        "picture_ends": np.cumsum([len(data) for data in pictures], dtype=np.int64),
        "leaves": np.concatenate([*leaves, np.zeros(0, np.uint8)]),
        "leaves_ends": np.cumsum([len(data) for data in leaves], dtype=np.int64),
        "spans": np.concatenate([*(view.spans for view in views), np.zeros((0, 2), np.int32)]),
        "levels": np.concatenate([*(view.levels for view in views), np.zeros(0, np.int8)]),
        "weights": np.concatenate([*(view.weights for view in views), np.zeros(0, np.float32)]),
        "whole": np.concatenate([*(view.whole for view in views), np.zeros(0, np.float32)]),
        "region_ends": np.cumsum([len(view.spans) for view in views], dtype=np.int64),
        "fov": np.array([view.fov for view in views]),
        "source": np.array([view.source for view in views], dtype=np.str_),
    }
    with atomic_file(path) as stream:
        np.savez(stream, allow_pickle=False, **packed)


def _encoded(kind: str, image: NDArray[np.generic], options: Sequence[int]) -> NDArray[np.uint8]:
    done, data = cv2.imencode(kind, np.ascontiguousarray(image), list(options))
    if not done:
        raise ValueError(f"a picture of {image.shape} and {image.dtype} cannot be stored as {kind}")
    return np.asarray(data, np.uint8).ravel()


@dataclass(frozen=True, eq=False)
class _Packed:
    """A view as it is kept in memory: compressed, as on disk."""

    picture: NDArray[np.uint8]
    leaves: NDArray[np.uint8]
    spans: NDArray[np.int32]
    levels: NDArray[np.int8]
    weights: NDArray[np.float32]
    whole: NDArray[np.float32]
    fov: float
    source: str

    def unpack(self) -> RegionView:
        rgb = np.asarray(cv2.imdecode(self.picture, cv2.IMREAD_COLOR_RGB), np.uint8)
        leaves = np.asarray(cv2.imdecode(self.leaves, cv2.IMREAD_UNCHANGED), np.uint16)
        return RegionView(rgb, leaves, self.spans, self.levels, self.weights, self.whole, self.fov, self.source)


class ViewFolder:
    """The views of a folder, kept in memory as they are on disk.

    Args:
        folder: Where `panoviewer-train clicks` wrote.

    Raises:
        PanoError: There are none.
    """

    def __init__(self, folder: Path) -> None:
        self._views: list[_Packed] = []
        for path in sorted(folder.glob("*.npz")):
            self._views.extend(_read_packed(path))
        if not self._views:
            raise PanoError(f"Expected views with regions, got none. Run 'panoviewer-train clicks' first: {folder}")

    def __len__(self) -> int:
        return len(self._views)

    def view(self, index: int) -> RegionView:
        """One of them, ready to use."""
        return self._views[index].unpack()

    def promise(self) -> NDArray[np.float64]:
        """(n,) how much each view is worth learning: the mean weight of its three best regions."""
        return np.array([float(np.mean(np.sort(view.weights)[-3:])) for view in self._views])

    @property
    def sources(self) -> list[str]:
        """The picture that each view was taken from."""
        return [view.source for view in self._views]


def _read_packed(path: Path) -> list[_Packed]:
    try:
        with np.load(path, allow_pickle=False) as packed:
            data = {name: packed[name] for name in packed.files}
        pictures = np.split(data["pictures"], data["picture_ends"])
        leaves = np.split(data["leaves"], data["leaves_ends"])
        spans, levels, weights, whole = (
            np.split(data[name], data["region_ends"]) for name in ("spans", "levels", "weights", "whole")
        )
        return [
            _Packed(pictures[i], leaves[i], spans[i], levels[i], weights[i], whole[i], float(fov), str(source))
            for i, (fov, source) in enumerate(zip(data["fov"], data["source"], strict=True))
        ]
    except BROKEN as error:
        raise PanoError(
            f"Expected a file of views with regions, got one that cannot be read; remove it and make it again: {path}"
        ) from error
