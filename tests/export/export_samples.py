"""A small prediction and cloud with every map, for the tests of the formats."""

from dataclasses import replace

import numpy as np

from core.cloud import CloudOptions, PointCloud
from core.prediction import Prediction


def small_prediction(height=6, width=12, **changes):
    rng = np.random.default_rng(1)
    depth = rng.uniform(0.5, 20, (height, width)).astype(np.float32)
    depth[0, :3] = np.nan
    normals = rng.normal(size=(height, width, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    normals[0, 1] = np.nan
    far = np.zeros((height, width), bool)
    far[0, 0] = True
    classes = rng.integers(-1, 3, (height, width)).astype(np.int16)
    prediction = Prediction(
        depth=depth,
        normals=normals,
        classes=classes,
        class_names=("wall", "floor", "tree; plant"),
        far=far,
        camera_height=1.6,
        is_metric=True,
        model="fake",
        device="cpu",
        seconds=0.5,
        native_size=(3, 6),
    )
    return replace(prediction, **changes)


def small_cloud(count=1000, **changes):
    rng = np.random.default_rng(2)
    normals = rng.normal(size=(count, 3)).astype(np.float32)
    cloud = PointCloud(
        points=rng.normal(size=(count, 3)).astype(np.float32),
        colors=rng.integers(0, 256, (count, 3), np.uint8),
        normals=normals / np.linalg.norm(normals, axis=-1, keepdims=True),
        class_ids=rng.integers(-1, 3, count).astype(np.int16),
        class_names=("wall", "floor", "tree; plant"),
        pixels=np.arange(count, dtype=np.int32),
        is_metric=True,
        options=CloudOptions(min_range=0.5, max_range=30, stride=2),
        model="fake",
    )
    return replace(cloud, **changes)


def full_cloud(count=1000, **changes):
    """A small cloud with a normal that is not known, and with segments."""
    cloud = small_cloud(count)
    normals = cloud.normals.copy()
    normals[: min(count, 1)] = np.nan
    numbers = np.random.default_rng(3).choice([-1, 3, 70_000], count).astype(np.int32)
    names = ((3, "door"), (70_000, "ключ"))
    return replace(cloud, **{"normals": normals, "segment_ids": numbers, "segment_names": names} | changes)
