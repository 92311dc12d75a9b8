"""How fast panoramas, views, depth and clouds are turned into each other, beside other ways to do it."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.cloud import CloudOptions, PointCloud, cloud_from_prediction
from core.export import export
from core.geometry.camera import Camera
from core.geometry.merge import merge_tiles
from core.geometry.normals import normals_from_depth
from core.geometry.points import points_from_depth
from core.geometry.tiling import zigzag_tiles
from core.geometry.warp import erp_to_camera
from core.panorama import Panorama
from core.prediction import Prediction
from panoviewer.benches import other_ways
from panoviewer.benches.measuring import Work, on_the_clock, side_by_side, threads
from panoviewer.benches.pictures import room_depth, sample_panorama
from panoviewer.benches.rows import Plan, Row, Unit, at_most, faster_at_least, times_at_most

VIEW_PX = 1024
YAW_STEP = math.pi / 3
"""Between the views that are merged: six, in three rows, 18 in all."""
CLOUD_S = 1.0


def measure(plan: Plan, tell: Callable[[str], None]) -> Iterator[Row]:
    """Rows on the bundled sample and a room of known depth; all on one core."""
    with threads(1):
        tell("views of a panorama")
        yield from map(plan.judged, _view_rows(plan))
        tell("merging views")
        yield from map(plan.judged, _merge_rows(plan))
        tell("points and normals")
        depth = room_depth(plan.height, plan.width)
        yield from map(plan.judged, _depth_rows(plan, depth))
        tell("clouds and their files")
        yield from map(plan.judged, _cloud_rows(plan, depth))


def _view_rows(plan: Plan) -> Iterator[Row]:
    rgb = sample_panorama(plan.width).rgb
    side = plan.scaled(VIEW_PX)
    camera = Camera(yaw=0.3, pitch=0.2, roll=0.0, fov_x=math.pi / 2, height=side, width=side)
    bare = other_ways.bare_remap(camera, plan.height, plan.width)
    found, beside = side_by_side([lambda: erp_to_camera(rgb, camera), lambda: bare(rgb)], plan.repeats)
    task = f"view of {side} x {side}"
    yield Row(
        f"{task} from cached maps",
        plan.size,
        1,
        Unit.SECONDS,
        found,
        "cv2.remap, int16 maps",
        beside,
        times_at_most(1.5),
    )
    cameras = _new_cameras(side)
    works: list[Work] = [lambda: erp_to_camera(rgb, next(cameras))]
    e2p = other_ways.py360convert_view()
    if e2p is not None:
        works.append(lambda: e2p(rgb, next(cameras)))
    found, *others = side_by_side(works, plan.repeats)
    yield Row(
        f"{task}, a new one each time",
        plan.size,
        1,
        Unit.SECONDS,
        found,
        "py360convert.e2p",
        others[0] if others else None,
        faster_at_least(30),
        note="" if others else "py360convert is not installed: pip install py360convert.",
    )


def _new_cameras(side: int) -> Iterator[Camera]:
    """Cameras none of which shares a map with another."""
    number = 0
    while True:
        number += 1
        yield Camera(yaw=0.1, pitch=0.01 * number, roll=0.0, fov_x=math.pi / 2, height=side, width=side)


def _merge_rows(plan: Plan) -> Iterator[Row]:
    cameras = zigzag_tiles(plan.scaled(VIEW_PX), yaw_step=YAW_STEP)
    tiles = [erp_to_camera(room_depth(plan.height, plan.width), camera) for camera in cameras]
    size = (plan.height, plan.width)
    cached = other_ways.cached_merge(cameras, *size)
    task = f"{len(tiles)} views of {cameras[0].width} x {cameras[0].width} merged"
    found, beside = side_by_side([lambda: merge_tiles(tiles, cameras, *size), lambda: cached(tiles)], plan.repeats)
    yield Row(task, plan.size, 1, Unit.SECONDS, found, "cached maps, cv2.remap", beside, times_at_most(1.5))
    works: list[Work] = [
        lambda: merge_tiles(tiles, cameras, *size),
        lambda: other_ways.naive_merge(tiles, cameras, *size),
    ]
    found, beside = side_by_side(works, plan.repeats)
    yield Row(task, plan.size, 1, Unit.SECONDS, found, "maps of the whole each time", beside, faster_at_least(20))


def _depth_rows(plan: Plan, depth: NDArray[np.float32]) -> Iterator[Row]:
    count = f"{depth.size / 1e6:.1f} M"
    found, beside = side_by_side(
        [lambda: points_from_depth(depth), lambda: other_ways.points_by_pixel(depth)], plan.repeats
    )
    yield Row(
        f"depth to {count} points", plan.size, 1, Unit.SECONDS, found, "per pixel, float64", beside, faster_at_least(15)
    )
    found, beside = side_by_side(
        [lambda: normals_from_depth(depth), lambda: other_ways.normals_in_numpy(depth)], plan.repeats
    )
    yield Row(
        f"normals of {count} pixels", plan.size, 1, Unit.SECONDS, found, "numpy, float32", beside, faster_at_least(8)
    )


def _cloud_rows(plan: Plan, depth: NDArray[np.float32]) -> Iterator[Row]:
    panorama = sample_panorama(plan.width)
    prediction = Prediction(depth=depth, normals=normals_from_depth(depth), is_metric=True)
    build = cloud_of(panorama, prediction)
    cloud = build()
    (found,) = side_by_side([build], plan.repeats)
    task = f"cloud of {len(cloud) / 1e6:.1f} M points with normals"
    yield Row(task, plan.size, 1, Unit.SECONDS, found, goal=at_most(CLOUD_S))
    with tempfile.TemporaryDirectory(prefix="panoviewer-bench-") as folder:
        ours, theirs = Path(folder) / "ours.ply", Path(folder) / "theirs.ply"
        write = other_ways.open3d_writer(cloud, theirs)
        # Waiting for the disk counts, which seconds on the core leave out.
        found, beside = map(on_the_clock, side_by_side([lambda: export(cloud, ours), write], plan.repeats))
        size = f"{ours.stat().st_size / 1e6:.0f} MB"
        yield Row(
            f"PLY of it written, {size}", plan.size, 1, Unit.SECONDS, found, "open3d.t.io", beside, faster_at_least(3)
        )
        works: list[Work] = [lambda: other_ways.read_ply(ours), lambda: other_ways.read_ply_with_open3d(ours)]
        found, beside = side_by_side(works, plan.repeats)
        yield Row(
            "the same read back",
            plan.size,
            1,
            Unit.SECONDS,
            found,
            "open3d.t.io",
            beside,
            faster_at_least(10),
            note="Its rows lie in the file as numpy reads them at once.",
        )


def cloud_of(panorama: Panorama, prediction: Prediction) -> Callable[[], PointCloud]:
    """Builds a cloud of every pixel but those that fly."""
    return lambda: cloud_from_prediction(panorama, prediction, CloudOptions())
