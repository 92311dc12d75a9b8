"""Perspective networks that know the answer: they look at a room through the cameras of their tiles."""

from typing import ClassVar

import numpy as np

from core.errors import DeviceFull
from core.models.tiled import DepthKind

HALF_SIZE = np.array((3.0, 1.6, 4.0))
STANDS = np.array((0.7, -0.3, 1.1))
CLASS_NAMES = ("wall", "floor", "ceiling")


def room(rays):
    """Range, normals and class of a box room seen from a place that is not its middle; exactly."""
    rays = np.asarray(rays, np.float64)
    ahead = np.where(rays > 0, 1.0, -1.0)
    ranges = (ahead * HALF_SIZE - STANDS) * ahead / np.maximum(np.abs(rays), 1e-12)
    axis = ranges.argmin(axis=-1)
    hit = np.take_along_axis(ahead, axis[..., None], -1)[..., 0]
    normals = np.eye(3)[axis] * -hit[..., None]
    return ranges.min(axis=-1), normals, np.where(axis != 1, 0, np.where(hit > 0, 1, 2)).astype(np.int16)


def creases(rays, within):
    """True where another wall begins within some radians."""
    rays = np.asarray(rays, np.float64)
    here = room(rays)[1]
    near = np.zeros(rays.shape[:-1], bool)
    for step in np.random.default_rng(0).normal(size=(24, 3)):
        other = rays + within * step / np.linalg.norm(step)
        near |= (room(other)[1] != here).any(axis=-1)
    return near


class RoomNetwork:
    """Reads the room; the depth of each tile has a factor and a shift of its own, as its kind allows."""

    name, device = "room", "cpu"
    notes = ()

    def __init__(self, kind=DepthKind.INVERSE, *, size=96, batch=5, seed=0, most=99):
        self.depth_kind, self.size, self.batch, self.most = kind, size, batch, most
        self.class_names = CLASS_NAMES
        self.random = np.random.default_rng(seed)
        self.asked = []

    def __call__(self, tiles, cameras):
        assert tiles.shape == (len(cameras), self.size, self.size, 3)
        assert tiles.dtype == np.uint8
        if len(tiles) > self.most:
            raise DeviceFull("Device fake has too little free memory for this model; choose cpu.")
        self.asked.append(len(tiles))
        said = [self.one(camera) for camera in cameras]
        return {name: np.stack([one[name] for one in said]) for name in said[0]}

    def one(self, camera):
        rays = camera.rays()
        ranges, normals, classes = room(rays)
        z_depth = ranges * (rays @ camera.world_from_camera[:, 2])
        factor, shift = np.exp(self.random.uniform(-1.5, 1.5)), self.random.uniform(-0.3, 0.6)
        depth = {
            DepthKind.METRIC: lambda: z_depth * np.exp(self.random.uniform(-0.2, 0.2)),
            DepthKind.RELATIVE: lambda: z_depth * factor,
            DepthKind.AFFINE: lambda: (z_depth + shift) * factor,
            DepthKind.INVERSE: lambda: (1 / z_depth + shift) * factor,
        }[self.depth_kind]()
        return {
            "depth": depth.astype(np.float32),
            "normals": (normals @ camera.world_from_camera).astype(np.float32),
            "logits": 6 * np.eye(3, dtype=np.float32)[classes],
        }


class Panes:
    """A network that says the same of every pixel: `said` by name."""

    name, device, size, batch = "panes", "cpu", 32, 3
    notes = ()
    class_names: ClassVar = ()

    def __init__(self, kind, **said):
        self.depth_kind, self.said = kind, said

    def __call__(self, tiles, cameras):
        shape = (len(tiles), self.size, self.size)
        return {name: np.broadcast_to(value, shape + np.shape(value)).copy() for name, value in self.said.items()}
