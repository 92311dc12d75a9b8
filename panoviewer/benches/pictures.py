"""What is measured on: the bundled sample at any width, and a room whose depth is known without a network."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.geometry.sphere import erp_rays
from core.geometry.warp import resize_erp
from core.io.images import read_panorama
from core.panorama import Panorama
from panoviewer.diagnostics import SAMPLE

_HALF_SIZE = (3.0, 1.5, 4.0)
"""Metres from the camera to the walls, to floor and ceiling, and to the ends of the room."""
_RIPPLE = 0.02
"""Share by which the walls of the room are uneven."""

_TEXTURE = 4
"""Grey levels of noise."""


def textured(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pixels with the noise of a camera: what is smooth takes less space and time than any photograph."""
    noise = np.random.default_rng(0).integers(-_TEXTURE, _TEXTURE + 1, pixels.shape, np.int8)
    rough: NDArray[np.uint8] = np.clip(pixels.astype(np.int16) + noise, 0, 255).astype(np.uint8)
    return rough


def sample_path() -> Path:
    """The bundled panorama."""
    return Path(str(files("resources"))) / SAMPLE


def sample_panorama(width: int) -> Panorama:
    """The bundled panorama at some width."""
    panorama = read_panorama(sample_path())
    if panorama.width == width:
        return panorama
    return Panorama(rgb=resize_erp(panorama.rgb, width // 2, width))


def room_depth(height: int, width: int) -> NDArray[np.float32]:
    """(height, width) metres to the walls of a box-shaped room that are not quite even."""
    rays = erp_rays(height, width)
    with np.errstate(divide="ignore"):
        depth = np.min(np.asarray(_HALF_SIZE, np.float32) / np.abs(rays), axis=-1)
    ripple = 1 + _RIPPLE * np.sin(40 * rays[..., 0]) * np.cos(40 * rays[..., 1])
    uneven: NDArray[np.float32] = (depth * ripple).astype(np.float32)
    return uneven
