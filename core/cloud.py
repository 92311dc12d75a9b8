"""Point clouds from depth and colour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from core.geometry.edges import EdgeFilter, flying_pixels
from core.geometry.normals import turn_normals
from core.geometry.points import points_from_depth
from core.geometry.warp import resize_erp
from core.panorama import Panorama, Part
from core.prediction import Prediction
from core.scene import Segment

Id = TypeVar("Id", np.int16, np.int32)

FRAMES: dict[str, NDArray[np.float64]] = {
    "z-up": np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], np.float64),
    "opencv": np.eye(3),
    "gltf": np.diag([1.0, -1.0, -1.0]),
    "ros": np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]], np.float64),
}
"""Rotations from our axes (x right, y down, z forward) into those of other programs:

z-up: x right, y forward, z up (CloudCompare, surveying, Blender's world); opencv: ours; gltf: x right, y up, z backward
(glTF, OpenGL); ros: x forward, y left, z up (REP 103).
"""
for _rotation in FRAMES.values():
    _rotation.flags.writeable = False

ENU = "enu"
"""The frame whose rotation hangs on the photograph's compass bearing: x east, y north, z up."""

FRAME_NAMES = (*FRAMES, ENU)

MIN_VOXEL = 1e-4
"""Smaller cubes would hold one point each, and their numbers would not fit in 32 bits."""

DEFAULT_EDGES = EdgeFilter()


@dataclass(frozen=True)
class CloudOptions:
    """Which pixels become points.

    Attributes:
        min_range: Nearer points are left out; in the unit of the depth.
        max_range: Farther points are left out.
        edges: How pixels between two surfaces are recognised and left out; None keeps them.
        stride: Only every n-th row and column.
        voxel: Edge length of cubes whose points are averaged into one; None keeps every point.
        raw_pose: Leave the cloud in the photograph's frame instead of levelling it by the photograph's pose.
    """

    min_range: float = 0.0
    max_range: float = math.inf
    edges: EdgeFilter | None = DEFAULT_EDGES
    stride: int = 1
    voxel: float | None = None
    raw_pose: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.min_range < self.max_range:
            raise ValueError(f"expected 0 <= min_range < max_range, got {self.min_range} and {self.max_range}")
        if self.stride < 1:
            raise ValueError(f"stride must be at least 1, got {self.stride}")
        if self.voxel is not None and not MIN_VOXEL <= self.voxel < math.inf:
            raise ValueError(f"voxel must be at least {MIN_VOXEL}, got {self.voxel}")


DEFAULT_OPTIONS = CloudOptions()


@dataclass(frozen=True, eq=False)
class PointCloud:
    """Coloured points in our axes: x right, y down, z forward.

    Attributes:
        points: (N, 3) float32, metres when `is_metric`; level when `is_level`, else in the photograph's frame.
        colors: (N, 3) sRGB uint8.
        normals: (N, 3) float32 unit vectors in the same frame; NaN where unknown; None when there are none.
        class_ids: (N,) int16 index into `class_names`, -1 for none; None when there are no classes.
        class_names: Names of the classes.
        segment_ids: (N,) int32 number of each point's segment, the topmost of several, -1 for none; None when there are
            no segments.
        segment_names: Numbers of the segments with their labels.
        pixels: (N,) int32, row * width + column of the pixel of the depth that each point is; None after averaging.
        is_metric: False when the points are right only up to one factor.
        is_level: True when gravity points along +y.
        options: How it was made.
        model: Name of the model that estimated the depth.
        camera_height: Metres from the floor to the camera, as far as it is known.
        depth_size: (height, width) of the depth, on whose grid `pixels` are counted.
        part: What of the sphere that the photograph shows; None when it shows everything.
        level_from_world: (3, 3) rotation that levels the photograph; it was applied when `is_level`.
        heading: Compass bearing of the photograph's centre in radians; None when unknown.
        source: The photograph's file.
        photo: (H, W, 3) sRGB uint8, the photograph on its full sphere and in its own frame, for formats that hold it
            beside the points; None when there is none.
    """

    points: NDArray[np.float32]
    colors: NDArray[np.uint8]
    normals: NDArray[np.float32] | None = None
    class_ids: NDArray[np.int16] | None = None
    class_names: tuple[str, ...] = ()
    segment_ids: NDArray[np.int32] | None = None
    segment_names: tuple[tuple[int, str], ...] = ()
    pixels: NDArray[np.int32] | None = None
    is_metric: bool = False
    is_level: bool = True
    options: CloudOptions = DEFAULT_OPTIONS
    model: str = ""
    camera_height: float | None = None
    depth_size: tuple[int, int] | None = None
    part: Part | None = None
    level_from_world: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))
    heading: float | None = None
    source: Path | None = None
    photo: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        count = len(self.points)
        for name in ("points", "colors", "normals", "class_ids", "segment_ids", "pixels"):
            array = getattr(self, name)
            if array is None:
                continue
            width = () if name in ("class_ids", "segment_ids", "pixels") else (3,)
            if array.shape != (count, *width):
                raise ValueError(f"{name} must be {(count, *width)}, got {array.shape}")
            array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.points)

    def chosen(self, which: NDArray[np.bool_] | NDArray[np.integer]) -> PointCloud:
        """Some of the points, by a mask or by their numbers."""
        return replace(
            self,
            points=self.points[which],
            colors=self.colors[which],
            normals=None if self.normals is None else self.normals[which],
            class_ids=None if self.class_ids is None else self.class_ids[which],
            segment_ids=None if self.segment_ids is None else self.segment_ids[which],
            pixels=None if self.pixels is None else self.pixels[which],
        )


def keep_mask(prediction: Prediction, options: CloudOptions) -> NDArray[np.bool_]:
    """Which pixels of a depth become points, before averaging: known, within range, not flying, on the stride.

    Args:
        prediction: With a depth; how coarse the grid was on which it was estimated, and the normals, tell what flies.
        options: The choices.

    Returns:
        (h, w) bool.

    Raises:
        ValueError: The prediction has no depth.
    """
    depth = prediction.depth
    if depth is None:
        raise ValueError("a cloud needs a prediction with depth")
    keep: NDArray[np.bool_] = np.isfinite(depth)
    with np.errstate(invalid="ignore"):
        keep &= depth > 0
        keep &= depth >= np.float32(options.min_range)
        keep &= depth <= np.float32(options.max_range)
    if options.edges is not None:
        native_height = None if prediction.native_size is None else prediction.native_size[0]
        keep &= ~flying_pixels(depth, options.edges, native_height=native_height, normals=prediction.normals)
    if prediction.far is not None:
        keep &= ~prediction.far
    if options.stride > 1:
        on_stride = np.zeros_like(keep)
        on_stride[:: options.stride, :: options.stride] = True
        keep &= on_stride
    return keep


def cloud_from_prediction(
    panorama: Panorama,
    prediction: Prediction,
    options: CloudOptions = DEFAULT_OPTIONS,
    segments: Sequence[Segment] = (),
) -> PointCloud:
    """The pixels of a depth as coloured points.

    Every point is exactly depth times ray of one pixel, turned by the pose, unless `options.voxel` averages them.
    Pixels that are far, unknown or outside a partial photograph are left out.

    Args:
        panorama: Gives colours and pose; it may be larger or smaller than the prediction.
        prediction: Depth, and normals and classes when it has them, in the photograph's frame.
        options: Which pixels become points.
        segments: Whose numbers the points get; later ones lie on top.

    Raises:
        ValueError: The prediction has no depth.
    """
    keep = keep_mask(prediction, options)
    depth = np.asarray(prediction.depth)
    height, width = depth.shape
    if panorama.valid is not None:
        keep &= resize_erp(panorama.valid, height, width)
    pixels = np.flatnonzero(keep).astype(np.int32)

    is_turned = not (options.raw_pose or panorama.is_level)
    rotation = panorama.level_from_world if is_turned else None
    rgb = panorama.rgb if panorama.rgb.shape[:2] == (height, width) else resize_erp(panorama.rgb, height, width)
    normals = None
    if prediction.normals is not None:
        normals = prediction.normals.reshape(-1, 3).take(pixels, axis=0)
        if rotation is not None:
            normals = turn_normals(normals, rotation)
    cloud = PointCloud(
        points=points_from_depth(depth, rotation).reshape(-1, 3).take(pixels, axis=0),
        colors=rgb.reshape(-1, 3).take(pixels, axis=0),
        normals=normals,
        class_ids=None if prediction.classes is None else prediction.classes.reshape(-1).take(pixels),
        class_names=prediction.class_names,
        segment_ids=_numbers(segments, height, width).reshape(-1).take(pixels) if segments else None,
        segment_names=tuple((segment.number, segment.label) for segment in segments),
        pixels=pixels,
        is_metric=prediction.is_metric,
        is_level=is_turned or panorama.is_level,
        options=options,
        model=prediction.model,
        camera_height=prediction.camera_height,
        depth_size=(height, width),
        part=panorama.part,
        level_from_world=panorama.level_from_world,
        heading=panorama.heading,
        source=panorama.path,
        photo=panorama.rgb,
    )
    return cloud if options.voxel is None else averaged(cloud, options.voxel)


def _numbers(segments: Sequence[Segment], height: int, width: int) -> NDArray[np.int32]:
    """The topmost segment of each pixel of a depth, -1 for none."""
    numbers = np.full(segments[0].mask.size, -1, np.int32)
    for segment in segments:
        segment.mask.paint(numbers, segment.number)
    return resize_erp(numbers, height, width)


def averaged(cloud: PointCloud, voxel: float) -> PointCloud:
    """One point per cube of edge `voxel`: mean position, colour and normal, the most frequent class and segment.

    The cubes are ordered by their position, so that the result does not depend on the order of a hash table.
    """
    if len(cloud) == 0:
        return replace(cloud, pixels=None)
    group, count = _group_by_cube(cloud.points, voxel)
    size = np.bincount(group, minlength=count)

    def mean(values: NDArray[np.generic]) -> NDArray[np.float64]:
        sums = [np.bincount(group, weights=values[:, axis], minlength=count) for axis in range(3)]
        averages: NDArray[np.float64] = np.stack(sums, axis=-1) / size[:, None]
        return averages

    normals = None
    if cloud.normals is not None:
        normals = mean(np.nan_to_num(cloud.normals, nan=0.0))
        length = np.linalg.norm(normals, axis=-1, keepdims=True)
        normals = np.divide(normals, length, out=np.full_like(normals, np.nan), where=length > 1e-6)
    return replace(
        cloud,
        points=mean(cloud.points).astype(np.float32),
        colors=np.rint(mean(cloud.colors)).astype(np.uint8),
        normals=None if normals is None else normals.astype(np.float32),
        class_ids=None if cloud.class_ids is None else _most_frequent(cloud.class_ids, group, count),
        segment_ids=None if cloud.segment_ids is None else _most_frequent(cloud.segment_ids, group, count),
        pixels=None,
    )


def _group_by_cube(points: NDArray[np.float32], voxel: float) -> tuple[NDArray[np.int64], int]:
    """The number of each point's cube, (N,), and how many cubes there are."""
    # Takes a second to import, and only thinning needs it.
    import open3d.core as o3c

    cubes = np.floor(points.astype(np.float64) / voxel).astype(np.int32)
    tensor = o3c.Tensor.from_numpy(cubes)
    table = o3c.HashSet(max(len(points) // 8, 1024), o3c.int32, o3c.SizeVector([3]))
    table.insert(tensor)
    slots = table.find(tensor)[0].numpy().astype(np.int64)
    used = table.active_buf_indices().numpy().astype(np.int64)
    keys = table.key_tensor().numpy()[used]
    number_of_slot = np.empty(int(used.max()) + 1, np.int64)
    number_of_slot[used[np.lexsort(keys.T[::-1])]] = np.arange(len(used))
    return number_of_slot[slots], len(used)


def _most_frequent(ids: NDArray[Id], group: NDArray[np.int64], count: int) -> NDArray[Id]:
    """The most frequent class or segment in each group; the smaller number where two are equally frequent."""
    order = np.argsort(ids, kind="stable")
    best = np.zeros(count, np.int64)
    winner = np.full(count, -1, ids.dtype)
    for number in np.unique(ids):
        start, stop = np.searchsorted(ids, [number, number + 1], sorter=order)
        votes = np.bincount(group[order[start:stop]], minlength=count)
        wins = votes > best
        best[wins] = votes[wins]
        winner[wins] = number
    return winner
