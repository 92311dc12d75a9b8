"""Resampling between the sphere, turned spheres and pinhole cameras."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.geometry.angles import angles, rays_of_grid
from core.geometry.camera import Camera
from core.geometry.maps import Maps, footprint, view_map
from core.geometry.polar import smooth_near_poles, widest_mean
from core.geometry.sampling import (
    Image,
    Map,
    PictureMap,
    area_taps,
    as_kind_of,
    combine,
    exact_map,
    is_label,
    pick,
    picture_map,
    sample,
    shrink,
    size_of,
    uses_picture_map,
    window,
    with_channels,
)
from core.geometry.sphere import directions_to_erp, erp_angles

COARSER = math.sqrt(2)
"""Linear interpolation leaves no pixel out up to a ratio of 2 and hardly aliases below this one."""
_EIGHTHS = 8
"""Of a turn: the step of the zigzag."""

BLOCK = 1 << 20
"""Pixels whose directions are held in memory at once where maps are not kept."""


def resize_erp(image: Image, height: int, width: int, *, nearest: bool = False, lon_offset: float = 0.0) -> Image:
    """A panorama on another grid, of any size, turned by any yaw in the same pass.

    Every output pixel is the mean over its area, but over no less than the area of one input pixel: exact area
    filtering when minifying, linear interpolation when enlarging. Columns wrap; a pole reflects. Rolling `image` by k
    columns and adding ``2 pi k / W`` to `lon_offset` gives the same result to the last few bits.

    Args:
        image: (H, W) or (H, W, channels); see `core.geometry.sampling` for how each type is treated. Vectors such as
            normals are averaged, which shortens them.
        height: Rows of the result.
        width: Columns of the result.
        nearest: Take the input pixel under each output pixel's centre instead; always so for labels.
        lon_offset: Longitude in `image`, radians, that comes to longitude 0 in the result.

    Returns:
        (height, width) or (height, width, channels) of the same type.
    """
    if height < 1 or width < 1:
        raise ValueError(f"a panorama needs at least one pixel, got {height} x {width} (height x width)")
    old_height, old_width = size_of(image)
    shift = math.remainder(lon_offset, 2 * math.pi) / (2 * math.pi) * old_width
    if (height, width) == (old_height, old_width) and abs(shift - round(shift)) < 1e-9:
        return np.roll(image, -round(shift), axis=1)
    v = (np.arange(height, dtype=np.float64) + 0.5) * (old_height / height)
    u = (np.arange(width, dtype=np.float64) + 0.5) * (old_width / width) + shift
    if nearest or is_label(image):
        # A centre on the border of two pixels belongs to the second one, whatever the last bits are.
        rows = np.floor(v + 1e-6).astype(np.int64)
        cols = np.floor(u + 1e-6).astype(np.int64) % old_width
        picked: Image = np.take(np.take(image, rows, axis=0), cols, axis=1)
        return picked
    means = combine(with_channels(image), area_taps(v, old_height / height), area_taps(u, old_width / width))
    return as_kind_of(means, image)


def sample_erp(image: Image, directions: ArrayLike, *, nearest: bool = False) -> Image:
    """Values of a panorama in any directions, interpolated linearly; columns wrap and a pole reflects.

    Args:
        image: (H, W) or (H, W, channels); see `core.geometry.sampling` for how each type is treated.
        directions: (..., 3) in the world frame, of any length but zero.
        nearest: Take the pixel that each direction falls into instead; always so for labels.

    Returns:
        (...) or (..., channels) of the same type.
    """
    directions = np.asarray(directions, np.float64)
    height, width = size_of(image)
    u, v = directions_to_erp(directions.reshape(1, -1, 3), height, width)
    return _look_up(image, [(u, v)], nearest=nearest).reshape(directions.shape[:-1] + image.shape[2:])


def turn_erp(image: Image, turned_from_world: ArrayLike, *, nearest: bool = False) -> Image:
    """A panorama turned by any rotation, on the same grid.

    What lies in direction d comes to lie in direction ``turned_from_world @ d``. A turn about the vertical by whole
    columns is exact. Vectors in the map, such as normals, must be turned too: see `turn_normals`.

    Args:
        image: (H, W) or (H, W, channels); see `core.geometry.sampling` for how each type is treated.
        turned_from_world: (3, 3) rotation.
        nearest: Take the nearest pixel instead of interpolating; always so for labels.

    Returns:
        The same shape and type.
    """
    rotation = np.asarray(turned_from_world, np.float64)
    if rotation.shape != (3, 3) or not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-6):
        raise ValueError(f"expected a (3, 3) rotation, got {rotation}")
    height, width = size_of(image)
    if abs(rotation[1, 1] - 1) < 1e-14:
        yaw = math.atan2(rotation[0, 2], rotation[0, 0])
        return resize_erp(image, height, width, nearest=nearest, lon_offset=-yaw)
    scale, along_column, along_row = rays_of_grid(*erp_angles(height, width), rotation)
    rows = max(1, BLOCK // width)

    def blocks() -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        for row in range(0, height, rows):
            part = slice(row, row + rows)
            turns, v = angles(scale[part], along_column[part], along_row)
            yield (turns + 0.5) * width, v * height

    return _look_up(image, blocks(), nearest=nearest).reshape(image.shape)


def _look_up(
    image: Image, blocks: Iterable[tuple[NDArray[np.float64], NDArray[np.float64]]], *, nearest: bool
) -> Image:
    """Values at continuous pixels (u, v), given in (rows, columns) blocks, that lie on the sphere; blocks stacked."""
    height, width = size_of(image)
    parts = []
    if nearest or is_label(image):
        for u, v in blocks:
            # A direction straight at the seam or down may come out as the width or the height itself.
            rows = np.minimum(v.astype(np.int64), height - 1)
            cols = np.minimum(u.astype(np.int64), width - 1)
            parts.append(image[rows, cols])
        return np.concatenate(parts)
    padded = window(with_channels(image), -1, -1, height + 2, width + 2)
    for u, v in blocks:
        if uses_picture_map(image, height + 2, width + 2, *u.shape):
            where: Map | PictureMap = picture_map(u + 1, v + 1)
        else:
            where = exact_map(u + 1, v + 1, height + 2, width + 2)
        parts.append(as_kind_of(sample(padded, where), image))
    return np.concatenate(parts)


def erp_to_camera(image: Image, camera: Camera, *, nearest: bool = False) -> Image:
    """What a camera at the sphere's centre sees of a panorama.

    Interpolated linearly from cached maps. Where the panorama's pixels are finer than the camera's, each value is the
    mean over the camera's pixel; near the poles, where the columns crowd, too.

    Args:
        image: (H, W) or (H, W, channels); see `core.geometry.sampling` for how each type is treated. 8-bit pictures are
            interpolated at 32nds of a pixel.
        camera: Decides the size of the result.
        nearest: Take the nearest pixel instead; always so for labels.

    Returns:
        (camera.height, camera.width) or (camera.height, camera.width, channels) of the same type.
    """
    flat = image if image.ndim == 3 else image[..., None]
    height, width = size_of(image)
    if nearest or is_label(image):
        view = view_map(camera, height, width, Maps.NEAREST)
        picked = pick(window(flat, *view.window), view.exact)
        return picked if image.ndim == 3 else picked[..., 0]
    if height <= COARSER * math.pi * camera.focal_px:
        kind = Maps.PICTURE if uses_picture_map(image, height + 2, width + 2, *camera.size) else Maps.EXACT
        view = view_map(camera, height, width, kind)
        return as_kind_of(sample(with_channels(window(flat, *view.window)), view.where), image)
    return _minified_view(image, camera)


def _minified_view(image: Image, camera: Camera) -> Image:
    """Sampled from a grid as fine as the finest pixels of the camera, which are those at its border, then averaged."""
    height, width = size_of(image)
    times = min(3, round(1 / math.cos(camera.fov_x / 2) ** 2))
    finer = replace(camera, height=camera.height * times, width=camera.width * times)
    # An eighth of a turn is a whole number of columns here, too: what is seen turns with the panorama, to the last bit.
    columns = _EIGHTHS * round(2 * math.pi * finer.focal_px / _EIGHTHS)
    size = (max(2, min(height, round(math.pi * finer.focal_px))), max(2, min(width, columns)))
    kind = Maps.PICTURE if uses_picture_map(image, size[0] + 2, size[1] + 2, *finer.size) else Maps.EXACT
    view = view_map(finer, *size, kind)
    seen = sample(_reduced_window(with_channels(image), size, view.window), view.where)
    if times > 1:
        seen = shrink(seen, camera.height, camera.width)
    return as_kind_of(seen, image)


def _reduced_window(image: Image, size: tuple[int, int], part: tuple[int, int, int, int]) -> Image:
    """`window` of a smaller grid of the same panorama, of which only what is needed is computed."""
    row, col, rows, cols = part
    height, width = size
    first, last = max(0, row), min(height, row + rows)
    margin = widest_mean(height, first, last)
    start, count = col - margin, cols + 2 * margin
    whole = count >= width or row < 0 or row + rows > height
    if whole:
        start, count = 0, width
    v_scale, u_scale = image.shape[0] / height, image.shape[1] / width
    means = combine(
        image,
        area_taps((np.arange(first, last) + 0.5) * v_scale, v_scale),
        area_taps((np.arange(start, start + count) + 0.5) * u_scale, u_scale),
    )
    means = as_kind_of(smooth_near_poles(means, height, first), image)
    if whole:
        # The strip is the whole panorama as far as the rows that are asked for go.
        return window(means, row - first, col, rows, cols)
    return means[:, margin : margin + cols]


def camera_to_erp(image: Image, camera: Camera, height: int, width: int) -> tuple[Image, NDArray[np.float32]]:
    """A camera's picture laid back onto the sphere.

    Args:
        image: (h, w) or (h, w, channels) of the camera's size; see `core.geometry.sampling` for how each type is
            treated. Where the panorama's pixels are coarser than the camera's, they are means over its pixels.
        camera: That took the picture.
        height: Rows of the panorama.
        width: Columns of the panorama.

    Returns:
        Values (height, width) or (height, width, channels) of the same type, and weights (height, width) float32: 1
        where the camera saw the pixel's centre, else 0, where floats are NaN and other values 0.
    """
    if size_of(image) != camera.size:
        raise ValueError(f"the picture must have its camera's size {camera.size}, got {image.shape[:2]}")
    flat = image if image.ndim == 3 else image[..., None]
    spot = footprint(camera, height, width)
    if is_label(image):
        seen = pick(flat, spot.where)
    else:
        seen = as_kind_of(sample(spot.shrunk(with_channels(image)), spot.where), flat)
    values = np.full((height, width, flat.shape[2]), np.nan if image.dtype.kind == "f" else 0, image.dtype)
    weights = np.zeros((height, width, 1), np.float32)
    spot.spread(seen[0], values)
    spot.spread(np.ones((spot.count, 1), np.float32), weights)
    return values.reshape(height, width, *image.shape[2:]), weights[..., 0]
