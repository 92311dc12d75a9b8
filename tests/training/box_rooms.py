"""Empty rooms with a known range for every ray, for the tests of this folder."""

import numpy as np

from core.geometry.sphere import erp_rays
from training.worlds.classes import CLASS_NAMES
from training.worlds.sample import WorldSample


def box_room_sample(seed: int, height: int) -> WorldSample:
    """An empty room of another size and colour for every seed; the range of a ray is min(half_size / |ray|)."""
    rng = np.random.default_rng(seed)
    rays = erp_rays(height, 2 * height).astype(np.float64)
    towards = np.where(rays > 0, rng.uniform(1.0, 4.0, 3), rng.uniform(1.0, 4.0, 3))
    towards[..., 1] = np.where(rays[..., 1] > 0, 1.5, rng.uniform(0.8, 2.0))
    times = towards / np.maximum(np.abs(rays), 1e-12)
    axis = times.argmin(axis=-1)
    normals = np.zeros_like(rays)
    hit = np.take_along_axis(rays, axis[..., None], -1)
    np.put_along_axis(normals, axis[..., None], -np.sign(hit), -1)
    names = np.where(axis == 1, np.where(rays[..., 1] > 0, "floor", "ceiling"), "wall")
    classes = np.select([names == name for name in ("wall", "floor", "ceiling")], list(range(3))).astype(np.uint8)
    assert CLASS_NAMES[:3] == ("wall", "floor", "ceiling")
    colours = rng.integers(40, 255, (3, 3))
    shade = (0.5 + 0.5 * np.abs(normals @ np.array([0.3, 0.8, 0.5])))[..., None]
    return WorldSample(
        rgb=(colours[classes] * shade).astype(np.uint8),
        depth=times.min(axis=-1).astype(np.float32),
        normals=normals.astype(np.float32),
        classes=classes,
        instances=np.zeros((height, 2 * height), np.uint16),
        far=np.zeros((height, 2 * height), bool),
        camera_height=1.5,
        ceiling_height=float(towards[0, 0, 1]),
        indoor=True,
        seed=seed,
    )
