"""Cube maps: six square pictures of 90 degrees that meet at their edges, and how they lie in one flat picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.compiled import compiled, frozen
from core.geometry.sampling import Image, as_kind_of, with_channels
from core.geometry.sphere import erp_angles, lonlat_to_directions
from core.geometry.tiling import cube_tiles

FACES = ("front", "right", "back", "left", "up", "down")
"""As in `core.geometry.tiling.cube_tiles`; the lower edge of `up` and the upper edge of `down` meet `front`."""
BLOCK = 1 << 18
"""Pixels whose directions are held in memory at once."""
NO_FACE = -1


@dataclass(frozen=True)
class Layout:
    """Where the faces lie in one picture.

    Attributes:
        name: By which it is chosen.
        rows, cols: Of its cells.
        cells: Row and column of each face, in the order of `FACES`.
        upside_down: Faces that are turned by half a turn.
    """

    name: str
    rows: int
    cols: int
    cells: tuple[tuple[int, int], ...]
    upside_down: tuple[int, ...] = ()

    def fits(self, height: int, width: int) -> bool:
        """True for pictures of exactly this shape."""
        return height * self.cols == width * self.rows and height % self.rows == 0

    def cut(self, picture: Image) -> list[Image]:
        """The faces of a flat picture, in the order of `FACES`."""
        size = picture.shape[0] // self.rows
        faces = [picture[row * size : (row + 1) * size, col * size : (col + 1) * size] for row, col in self.cells]
        return [face[::-1, ::-1] if number in self.upside_down else face for number, face in enumerate(faces)]

    def join(self, faces: list[Image]) -> Image:
        """The flat picture of faces, 0 (NaN for floats) in cells without one."""
        size, channels = faces[0].shape[0], faces[0].shape[2:]
        empty = np.nan if faces[0].dtype.kind == "f" else 0
        picture = np.full((self.rows * size, self.cols * size, *channels), empty, faces[0].dtype)
        for number, (row, col) in enumerate(self.cells):
            face = faces[number][::-1, ::-1] if number in self.upside_down else faces[number]
            picture[row * size : (row + 1) * size, col * size : (col + 1) * size] = face
        return picture


def _strip(name: str, order: str, *, upright: bool = False) -> Layout:
    places = [order.index(face[0].upper()) for face in FACES]
    if upright:
        return Layout(name, 6, 1, tuple((place, 0) for place in places))
    return Layout(name, 1, 6, tuple((0, place) for place in places))


STRIP = _strip("strip", "FRBLUD")
CROSS = Layout("cross", 3, 4, ((1, 1), (1, 2), (1, 3), (1, 0), (0, 1), (2, 1)))
TALL_CROSS = Layout("tall cross", 4, 3, ((1, 1), (1, 2), (3, 1), (1, 0), (0, 1), (2, 1)), upside_down=(2,))
ORDERS = {"FRBLUD": "front, right, back, left, up, down", "RLUDFB": "OpenGL's", "LFRBUD": "krpano's"}
"""Orders of faces in strips that are known; the first is what is written."""
STRIPS = {
    (upright, order): _strip("tall strip" if upright else "strip", order, upright=upright)
    for upright in (False, True)
    for order in ORDERS
}


def order_of_strip(picture: Image) -> str:
    """Which of `ORDERS` a strip has: the one by which the edges of its faces fit together best.

    Args:
        picture: (6 n, n) or (n, 6 n), perhaps with channels.
    """
    upright = picture.shape[0] > picture.shape[1]
    misfits = {order: _misfit(STRIPS[upright, order].cut(picture)) for order in ORDERS}
    return min(ORDERS, key=lambda order: misfits[order])


def _misfit(faces: list[Image]) -> float:
    """Mean difference along the twelve edges."""
    front, right, back, left, up, down = (face.astype(np.float32) for face in faces)
    ring = (front, right, back, left)
    pairs = [(a[:, -1], b[:, 0]) for a, b in zip(ring, (*ring[1:], front), strict=True)]
    pairs += [(up[-1], front[0]), (up[:, -1], right[0][::-1]), (up[0], back[0][::-1]), (up[:, 0], left[0])]
    pairs += [(down[0], front[-1]), (down[:, -1], right[-1]), (down[-1], back[-1][::-1]), (down[:, 0], left[-1][::-1])]
    return float(np.mean([np.nanmean(np.abs(a - b)) for a, b in pairs]))


def cube_to_erp(faces: list[Image], height: int, width: int) -> Image:
    """A cube map on the ERP grid, interpolated linearly also across the edges of the faces.

    Args:
        faces: Six (n, n) or (n, n, channels) of one type, in the order of `FACES`; not labels.
        height: Rows of the result.
        width: Columns of the result.

    Returns:
        (height, width) or (height, width, channels) of the same type.
    """
    size = faces[0].shape[0]
    if len(faces) != len(FACES) or any(face.shape != faces[0].shape or face.shape[1] != size for face in faces):
        raise ValueError(f"expected six equal squares, got {[face.shape for face in faces]}")
    stack = np.stack([with_channels(np.ascontiguousarray(face)) for face in faces])
    cameras = np.stack([camera.world_from_camera for camera in cube_tiles(2)])
    padded = _with_borders(stack, cameras)
    lon, lat = erp_angles(height, width)
    erp = np.empty((height, width, stack.shape[3]), stack.dtype)
    turned = frozen(cameras.transpose(0, 2, 1))
    count = max(1, BLOCK // width)
    for top in range(0, height, count):
        rays = lonlat_to_directions(lon[None, :], lat[top : top + count, None])
        values = np.empty((*rays.shape[:2], stack.shape[3]), np.float32)
        _look_up(padded, turned, NO_FACE, rays, values)
        erp[top : top + count] = values if erp.dtype.kind == "f" else as_kind_of(values, erp)
    return erp if faces[0].ndim == 3 else erp[..., 0]


def _with_borders(stack: Image, cameras: NDArray[np.float64]) -> NDArray[np.float32] | Image:
    """(6, n + 2, n + 2, channels): each face with a border of what its neighbours show there."""
    size = stack.shape[1]
    padded = np.pad(stack, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    along = np.arange(-1, size + 1) + 0.5
    ends = np.array([-0.5, size + 0.5])
    bare = padded.copy()
    turned = frozen(cameras.transpose(0, 2, 1))
    for face in range(len(stack)):
        for u, v in ((along[None, :], ends[:, None]), (ends[None, :], along[:, None])):
            x, y = np.broadcast_arrays(2 * u / size - 1, 2 * v / size - 1)
            rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ cameras[face].T
            values = np.empty((*x.shape, stack.shape[3]), np.float32)
            _look_up(bare, turned, face, rays, values)
            rows = np.rint(np.broadcast_to(v, x.shape) + 0.5).astype(np.int64)
            cols = np.rint(np.broadcast_to(u, x.shape) + 0.5).astype(np.int64)
            padded[face, rows, cols] = values if stack.dtype.kind == "f" else as_kind_of(values, stack[0])
    return padded


@compiled
def _look_up(
    padded: Image,
    camera_from_world: NDArray[np.float64],
    left_out: int,
    rays: NDArray[np.float64],
    values: NDArray[np.float32],
) -> None:
    """Values in directions, (h, w, 3), from the other faces than one."""
    size = padded.shape[1] - 2
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            x, y, z = rays[i, j, 0], rays[i, j, 1], rays[i, j, 2]
            best, face = -1.0, 0
            for k in range(6):
                depth = camera_from_world[k, 2, 0] * x + camera_from_world[k, 2, 1] * y + camera_from_world[k, 2, 2] * z
                if k != left_out and depth > best:
                    best, face = depth, k
            turn = camera_from_world[face]
            u = ((turn[0, 0] * x + turn[0, 1] * y + turn[0, 2] * z) / best + 1) / 2 * size + 0.5
            v = ((turn[1, 0] * x + turn[1, 1] * y + turn[1, 2] * z) / best + 1) / 2 * size + 0.5
            col = min(max(int(np.floor(u)), 0), size)
            row = min(max(int(np.floor(v)), 0), size)
            a, b = np.float32(u - col), np.float32(v - row)
            for c in range(values.shape[2]):
                upper = padded[face, row, col, c] * (1 - a) + padded[face, row, col + 1, c] * a
                lower = padded[face, row + 1, col, c] * (1 - a) + padded[face, row + 1, col + 1, c] * a
                values[i, j, c] = upper * (1 - b) + lower * b
