"""The sphere in torch: weights of pixels, points, normals, neighbours and views of maps (b, channels, h, w).

Rays, cameras and stencils are those of `core.geometry`. Gradients pass through to the maps where nothing else is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from core.geometry.camera import Camera
from core.geometry.normals import column_steps
from core.geometry.sphere import directions_to_erp, erp_rays, solid_angle
from core.models.networks.sphere_layers import pad_sphere

_LEAST_WEIGHT = 1e-6


def image_means(values: Tensor, weights: Tensor) -> Tensor:
    """(b,) weighted mean of each picture's (b, 1, h, w); 0 where nothing weighs.

    Means are taken of each picture and not of a batch, so that a loss does not depend on how a batch is split among
    processes. Values without weight may be anything but must be finite.
    """
    return (values * weights).sum(dim=(1, 2, 3)) / weights.sum(dim=(1, 2, 3)).clamp_min(_LEAST_WEIGHT)


def distortion_map(height: int, width: int, like: Tensor) -> Tensor:
    """(1, 1, height, width) area of each pixel on the sphere over their mean: what undoes the oversampling of poles.

    It is the cosine of latitude at the pixels' centres, scaled to mean 1, because a row's exact area,
    ``sin(top) - sin(bottom)``, is ``2 sin(pi / 2h) cos(centre)``.
    """
    return _areas(height, width).to(like)


@lru_cache(maxsize=8)
def _areas(height: int, width: int) -> Tensor:
    area = solid_angle(height, width)
    return torch.from_numpy((area / area.mean()).astype(np.float32))[None, None].expand(1, 1, height, width)


def rays(height: int, width: int, like: Tensor) -> Tensor:
    """(1, 3, height, width) unit rays through the pixels' centres."""
    return _rays(height, width).to(like)


@lru_cache(maxsize=8)
def _rays(height: int, width: int) -> Tensor:
    return torch.from_numpy(erp_rays(height, width).transpose(2, 0, 1).copy())[None]


def surface_normals(depth: Tensor) -> Tensor:
    """Unit normals of the surface that ranges describe, facing the camera.

    The cross product of the chords between the neighbours on either side: exact on a plane, whatever its slope. Columns
    wrap and continue across the poles, near which they are compared over longer steps; see
    `core.geometry.normals.normals_from_depth`, which in addition picks its side at edges.

    Args:
        depth: (b, 1, h, w) in any unit, finite and positive.

    Returns:
        (b, 3, h, w).
    """
    batch, _, height, width = depth.shape
    seen = rays(height, width, depth)
    points = depth * seen
    left, right = (index.to(depth.device)[None, None].expand(batch, 3, -1, -1) for index in _stencil(height, width))
    across = points.gather(3, right) - points.gather(3, left)
    beyond = pad_sphere(points, 1)[..., 1:-1]
    down = beyond[:, :, 2:] - beyond[:, :, :-2]
    normals = F.normalize(torch.linalg.cross(down, across, dim=1), dim=1)
    outward = (normals.detach() * seen).sum(dim=1, keepdim=True) > 0
    return torch.where(outward, -normals, normals)


def surrounded(known: Tensor) -> Tensor:
    """(b, 1, h, w) bool: pixels that are known together with the four neighbours that `surface_normals` looks at."""
    batch, _, height, width = known.shape
    left, right = (index.to(known.device)[None, None].expand(batch, 1, -1, -1) for index in _stencil(height, width))
    beyond = pad_sphere(known, 1)[..., 1:-1]
    inside: Tensor = known & known.gather(3, left) & known.gather(3, right) & beyond[:, :, 2:] & beyond[:, :, :-2]
    return inside


@lru_cache(maxsize=8)
def _stencil(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Columns (height, width) to the left and to the right of every pixel."""
    step = torch.from_numpy(column_steps(height, width))[:, None]
    columns = torch.arange(width)[None]
    return (columns - step) % width, (columns + step) % width


@torch.no_grad()
def sobel(values: Tensor) -> Tensor:
    """Magnitude of Sobel's gradient of each channel: a lasting step of 1 between two pixels gives 4 on both.

    Columns wrap and continue across the poles. For truths: no gradient passes through.
    """
    channels = values.shape[1]
    smooth, differ = values.new_tensor([1.0, 2.0, 1.0]), values.new_tensor([-1.0, 0.0, 1.0])
    kernels = torch.stack([smooth[:, None] * differ, differ[:, None] * smooth])[:, None]
    padded = pad_sphere(values, 1).flatten(0, 1)[:, None]
    magnitudes: Tensor = F.conv2d(padded, kernels).square().sum(dim=1).sqrt()
    return magnitudes.reshape(-1, channels, *magnitudes.shape[1:])


def views(maps: Tensor, cameras: Sequence[Camera]) -> Tensor:
    """What cameras of one square size see of maps, interpolated linearly.

    Args:
        maps: (b, channels, h, w).
        cameras: n of them, each with pictures of size x size pixels.

    Returns:
        (b, channels, n, size, size).
    """
    height, width = maps.shape[2:]
    size = cameras[0].width
    grid = _view_grid(tuple(cameras), height, width).to(maps)
    seen = F.grid_sample(pad_sphere(maps, 1), grid.expand(len(maps), -1, -1, -1), align_corners=False)
    return seen.reshape(*maps.shape[:2], len(cameras), size, size)


@lru_cache(maxsize=8)
def _view_grid(cameras: tuple[Camera, ...], height: int, width: int) -> Tensor:
    """(1, n size, size, 2) where the cameras' pixels lie on a map continued by one pixel, from -1 to 1."""
    directions = np.concatenate([camera.rays() for camera in cameras])
    u, v = directions_to_erp(directions, height, width)
    grid = np.stack([2 * (u + 1) / (width + 2) - 1, 2 * (v + 1) / (height + 2) - 1], axis=-1)
    return torch.from_numpy(grid.astype(np.float32))[None]
