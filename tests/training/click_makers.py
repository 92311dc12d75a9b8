"""Made views and worlds with known regions."""

import math

import numpy as np

from training.clicks.views import Level, RegionView
from training.worlds.classes import CLASS_NAMES
from training.worlds.sample import WorldSample


def disc_and_square(seed=0):
    """A noisy grey picture with a red disc and a blue square, and the masks of both."""
    rng = np.random.default_rng(seed)
    rgb = np.full((128, 128, 3), 120.0)
    rows, cols = np.mgrid[:128, :128]
    disc = (rows - 40) ** 2 + (cols - 44) ** 2 < 20**2
    square = (abs(rows - 88) < 18) & (abs(cols - 86) < 18)
    rgb[disc], rgb[square] = (190, 60, 50), (50, 70, 180)
    return np.clip(rgb + rng.normal(0, 4, rgb.shape), 0, 255).astype(np.uint8), disc, square


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


def made_view(seed=0):
    rgb, disc, square = disc_and_square(seed)
    leaves = np.where(disc, 1, np.where(square, 2, 0)).astype(np.uint16)
    return RegionView(
        rgb=rgb,
        leaves=leaves,
        spans=np.array([[1, 2], [2, 3], [1, 3]], np.int32),
        levels=np.array([Level.OBJECT, Level.OBJECT, Level.GROUP], np.int8),
        weights=np.array([1, 1, 0.3], np.float32),
        whole=np.array([0.1, np.nan, 0.3], np.float32),
        fov=math.radians(60),
        source="made.jpg",
    )


def made_world(seed=7):
    """A grey panorama with two touching chairs, one of them over the seam, and a table apart."""
    height, width = 128, 256
    instances = np.zeros((height, width), np.uint16)
    instances[50:80, :20] = 3
    instances[50:80, -20:] = 3
    instances[50:80, 20:40] = 4
    instances[60:75, 120:150] = 9
    names = {0: "wall", 3: "chair", 4: "chair", 9: "table"}
    classes = np.vectorize(lambda k: CLASS_NAMES.index(names[int(k)]))(instances).astype(np.uint8)
    rgb = np.random.default_rng(seed).integers(0, 12, (height, width, 3)).astype(np.uint8)
    rgb += (classes * 20 + instances * 8).astype(np.uint8)[..., None]
    return WorldSample(
        rgb=rgb,
        depth=np.ones((height, width), np.float32),
        normals=np.zeros((height, width, 3), np.float32),
        classes=classes,
        instances=instances,
        far=np.zeros((height, width), bool),
        camera_height=1.5,
        ceiling_height=1.0,
        indoor=True,
        seed=seed,
    )
