"""Textured meshes from depth and photo: the pixels' points joined over the sphere, cut where the depth jumps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from core.cloud import DEFAULT_OPTIONS, CloudOptions, Id, PointCloud, cloud_from_prediction
from core.geometry.compiled import compiled, frozen
from core.geometry.edges import EdgeFilter
from core.geometry.normals import normals_from_depth, turn_normals
from core.geometry.sphere import erp_angles
from core.geometry.warp import resize_erp
from core.panorama import Panorama
from core.prediction import Prediction
from core.progress import Progress, silent
from core.scene import Segment

Float = NDArray[np.float64]
Grid = NDArray[np.int32]
Sheet = tuple[PointCloud, NDArray[np.int32], NDArray[np.float32], NDArray[np.int32]]
Joined = Callable[[Grid, Grid], NDArray[np.bool_]]
MIN_TRIANGLES, MIN_TEXTURE = 100, 16
LEAST_ROWS, LEAST_COLUMNS = 2, 4
"""Fewer do not go around a sphere."""


@dataclass(frozen=True)
class MeshOptions:
    """How fine a mesh is.

    Attributes:
        triangles: At most so many; rows and columns are left out until they are.
        texture_width: A wider photograph is brought to this width.
    """

    triangles: int = 1_000_000
    texture_width: int = 8192

    def __post_init__(self) -> None:
        if self.triangles < MIN_TRIANGLES:
            raise ValueError(f"triangles must be at least {MIN_TRIANGLES}, got {self.triangles}")
        if self.texture_width < MIN_TEXTURE:
            raise ValueError(f"texture_width must be at least {MIN_TEXTURE}, got {self.texture_width}")


DEFAULT_MESH = MeshOptions()


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles between points of a cloud, with the photograph on them.

    At the seam and at the poles one point has several places in the texture, so that corners are told from points.

    Attributes:
        cloud: The points, each of them in some triangle.
        corners: (V,) int32 the point of each corner.
        uv: (V, 2) float32 its place in the texture: from the left, beyond 1 across the seam, and from the top.
        faces: (F, 3) int32 corners, counter-clockwise as the camera sees them.
        texture: (h, w, 3) sRGB uint8.
    """

    cloud: PointCloud
    corners: NDArray[np.int32]
    uv: NDArray[np.float32]
    faces: NDArray[np.int32]
    texture: NDArray[np.uint8]

    def __post_init__(self) -> None:
        count = len(self.corners)
        if self.uv.shape != (count, 2) or self.faces.ndim != 2 or self.faces.shape[1] != 3:
            raise ValueError(f"uv must be {(count, 2)} and faces (F, 3), got {self.uv.shape} and {self.faces.shape}")
        for array in (self.corners, self.uv, self.faces, self.texture):
            array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.faces)


def mesh_from_prediction(
    panorama: Panorama,
    prediction: Prediction,
    options: CloudOptions = DEFAULT_OPTIONS,
    mesh: MeshOptions = DEFAULT_MESH,
    segments: Sequence[Segment] = (),
    *,
    progress: Progress = silent,
) -> Mesh:
    """The points of a cloud joined with their neighbours on the sphere.

    Neighbours are not joined where the surface between them would meet the ray at less than the edge filter's angle,
    jumps by more than its share, and lies askew to the normal at either end: the same thresholds that tell flying
    points. The seam is closed like any other place; a pole is closed by one point when the whole ring around it is
    known. What is far or unknown stays open.

    Args:
        panorama: Gives texture and pose.
        prediction: With a depth.
        options: Which pixels become points; the stride is the least one, and `voxel` does not count.
        mesh: How fine it is.
        segments: Whose numbers the points get.
        progress: Hears of three steps.

    Raises:
        ValueError: The prediction has no depth.
    """
    if prediction.depth is None:
        raise ValueError("a mesh needs a prediction with depth")
    height, width = prediction.depth.shape
    stride = _stride(height, width, options.stride, mesh.triangles)
    progress(0, 3)
    every = cloud_from_prediction(panorama, prediction, replace(options, stride=1, voxel=None), segments)
    progress(1, 3)
    rows, cols = _lines(height, stride), np.arange(0, width, stride)
    known = np.full(height * width, -1, np.int32)
    known[every.pixels] = np.arange(len(every), dtype=np.int32)
    grid = known.reshape(height, width)[np.ix_(rows, cols)]
    cloud = replace(every.chosen(grid[grid >= 0]), options=replace(options, stride=stride, voxel=None), photo=None)
    grid[grid >= 0] = np.arange(len(cloud), dtype=np.int32)

    normals = cloud.normals
    rotation = np.eye(3) if options.raw_pose else panorama.level_from_world
    if normals is None:
        # Those of the depth itself are taken from one side where it breaks, so that they are right up to a clean jump.
        normals = turn_normals(normals_from_depth(prediction.depth).reshape(-1, 3)[cloud.pixels], rotation)
    joined = partial(_joined, cloud.points, normals, options.edges)
    lon, lat = erp_angles(height, width)
    u, v = lon[cols] / (2 * np.pi) + 0.5, 0.5 - lat[rows] / np.pi
    sheet = _sheet(cloud, grid, u, v, joined)
    progress(2, 3)
    for row, pole in ((0, -1.0), (len(rows) - 1, 1.0)):
        if (grid[row] >= 0).all() and joined(grid[row], np.roll(grid[row], -1)).all():
            sheet = _capped(sheet, grid[row], u, rotation @ (0.0, pole, 0.0), abs(float(np.sin(lat[rows[row]]))))
    progress(3, 3)
    cloud, corners, uv, faces = _without_unused(sheet)
    return Mesh(cloud, corners, uv, faces, _texture(panorama, mesh.texture_width))


def _stride(height: int, width: int, least: int, triangles: int) -> int:
    """How many rows and columns become one, so that a closed sphere has no more than so many triangles."""
    greatest = max(1, min(height // LEAST_ROWS, width // LEAST_COLUMNS))
    stride = min(least, greatest)
    while stride < greatest and 2 * len(_lines(height, stride)) * len(range(0, width, stride)) > triangles:
        stride += 1
    return stride


def _lines(height: int, stride: int) -> NDArray[np.int32]:
    """Every n-th row, and the last one: the rings around both poles are as small as they can be."""
    return np.unique(np.append(np.arange(0, height, stride), height - 1)).astype(np.int32)


def _sheet(
    cloud: PointCloud, grid: Grid, u: Float, v: Float, joined: Callable[[Grid, Grid], NDArray[np.bool_]]
) -> Sheet:
    """The grid without its poles: cloud, corners, places in the texture, faces.

    Args:
        cloud: The points.
        grid: (R, C) number of the point in each place, -1 for none; its columns go around.
        u: (C,) places of the columns in the texture.
        v: (R,) places of the rows.
        joined: Which pairs of points belong together.
    """
    east, south, southeast = np.roll(grid, -1, axis=1), grid[1:], np.roll(grid[1:], -1, axis=1)
    here, right = grid[:-1], east[:-1]
    across, down = joined(grid, east), joined(here, south)
    falling, rising = joined(here, southeast), joined(right, south)
    above, below, left = across[:-1], across[1:], down
    far_side = np.roll(down, -1, axis=1)
    # Either diagonal makes two triangles; the one that keeps more of them is taken, or else that which bends less.
    with_falling = np.stack([left & below & falling, falling & far_side & above], axis=-1)
    with_rising = np.stack([left & above & rising, rising & below & far_side], axis=-1)
    inverse = np.append(1 / np.linalg.norm(cloud.points, axis=-1), np.nan)
    bends = np.abs(inverse[here] - inverse[southeast]) < np.abs(inverse[right] - inverse[south])
    more, fewer = with_falling.sum(axis=-1), with_rising.sum(axis=-1)
    is_falling = np.where(more == fewer, bends, more > fewer)
    kept = np.where(is_falling[..., None], with_falling, with_rising)

    # The first column comes again behind the last one, at the right edge of the texture.
    count = len(cloud)
    first = grid[:, 0]
    again = np.full(len(first), -1, np.int32)
    again[first >= 0] = count + np.arange(np.count_nonzero(first >= 0), dtype=np.int32)
    corner = np.concatenate([grid, again[:, None]], axis=1)
    a, b, c, d = corner[:-1, :-1], corner[:-1, 1:], corner[1:, :-1], corner[1:, 1:]
    falling_faces = np.stack([np.stack([a, c, d], axis=-1), np.stack([a, d, b], axis=-1)], axis=-2)
    rising_faces = np.stack([np.stack([a, c, b], axis=-1), np.stack([b, c, d], axis=-1)], axis=-2)
    faces = np.where(is_falling[..., None, None], falling_faces, rising_faces)[kept]

    row, col = np.nonzero(grid >= 0)
    uv = np.concatenate(
        [np.stack([u[col], v[row]], axis=-1), np.stack([np.full(len(v), u[0] + 1), v], axis=-1)[first >= 0]]
    )
    corners = np.concatenate([np.arange(count, dtype=np.int32), first[first >= 0]])
    return cloud, corners, uv.astype(np.float32), faces


def _capped(sheet: Sheet, ring: Grid, u: Float, towards: Float, sine: float) -> Sheet:
    """A sheet with a pole closed by one point.

    Args:
        sheet: Cloud, corners, places, faces.
        ring: (C,) the points around the pole.
        u: (C,) their places in the texture.
        towards: (3,) direction of the pole.
        sine: Of the ring's latitude, its distance from the horizon.
    """
    cloud, corners, uv, faces = sheet
    # The inverse depth of a plane is linear in the direction, so that the mean around the ring knows that of the pole.
    distance = sine / np.mean(1 / np.linalg.norm(cloud.points[ring].astype(np.float64), axis=-1))
    is_top = bool(uv[ring[0], 1] < 0.5)
    point, columns = len(cloud), len(ring)
    cloud = _with_point(cloud, (towards * distance).astype(np.float32), ring)
    apex = len(corners) + np.arange(columns, dtype=np.int32)
    # The seam's own corner closes the circle.
    seam = np.flatnonzero((corners == ring[0]) & (uv[:, 0] > 1))[0]
    following = np.append(ring[1:], seam).astype(np.int32)
    step = np.diff(np.append(u, u[0] + 1))
    places = np.stack([u + step / 2, np.full(columns, 0.0 if is_top else 1.0)], axis=-1)
    fan = np.stack([apex, ring, following] if is_top else [apex, following, ring], axis=-1)
    return (
        cloud,
        np.concatenate([corners, np.full(columns, point, np.int32)]),
        np.concatenate([uv, places.astype(np.float32)]),
        np.concatenate([faces, fan.astype(np.int32)]),
    )


def _with_point(cloud: PointCloud, point: NDArray[np.float32], around: Grid) -> PointCloud:
    """A cloud with one point more, which is what most of those around it are."""

    def most(ids: NDArray[Id] | None) -> NDArray[Id] | None:
        if ids is None:
            return None
        values, counts = np.unique(ids[around], return_counts=True)
        return np.append(ids, values[counts.argmax()])

    normals = cloud.normals
    if normals is not None:
        mean = np.nan_to_num(normals[around]).mean(axis=0, dtype=np.float64)
        length = np.linalg.norm(mean)
        mean = mean / length if length > 0 else np.full(3, np.nan)
        normals = np.concatenate([normals, mean[None].astype(np.float32)])
    return replace(
        cloud,
        points=np.concatenate([cloud.points, point[None]]),
        colors=np.concatenate([cloud.colors, np.rint(cloud.colors[around].mean(axis=0))[None].astype(np.uint8)]),
        normals=normals,
        class_ids=most(cloud.class_ids),
        segment_ids=most(cloud.segment_ids),
        pixels=None,
    )


def _without_unused(sheet: Sheet) -> Sheet:
    """Only corners that are in a face, and only points that are a corner."""
    cloud, corners, uv, faces = sheet
    is_corner = np.zeros(len(corners), np.bool_)
    is_corner[faces] = True
    is_point = np.zeros(len(cloud), np.bool_)
    is_point[corners[is_corner]] = True
    new_corner, new_point = np.cumsum(is_corner) - 1, np.cumsum(is_point) - 1
    cloud = replace(cloud.chosen(is_point), pixels=None)
    return (
        cloud,
        new_point[corners[is_corner]].astype(np.int32),
        uv[is_corner],
        new_corner[faces].astype(np.int32),
    )


def _texture(panorama: Panorama, width: int) -> NDArray[np.uint8]:
    if panorama.width <= width:
        return panorama.rgb
    return np.asarray(resize_erp(panorama.rgb, round(panorama.height * width / panorama.width), width), np.uint8)


def _joined(
    points: NDArray[np.float32], normals: NDArray[np.float32], edges: EdgeFilter | None, first: Grid, second: Grid
) -> NDArray[np.bool_]:
    """Which pairs of points belong to one surface; false where one of a pair is -1."""
    limits = (2.0, math.inf, 2.0)
    if edges is not None:
        least, tilt = math.radians(edges.min_angle_deg), math.radians(edges.min_tilt_deg)
        limits = (math.cos(least), edges.min_jump, math.sin(tilt) if tilt < math.pi / 2 else 2.0)
    result: NDArray[np.bool_] = _are_joined(
        frozen(points), frozen(normals), frozen(first).reshape(-1), frozen(second).reshape(-1), limits
    ).reshape(first.shape)
    return result


@compiled
def _are_joined(
    points: NDArray[np.float32],
    normals: NDArray[np.float32],
    first: Grid,
    second: Grid,
    limits: tuple[float, float, float],
) -> NDArray[np.bool_]:
    """The loop behind `_joined`; limits: cosine of the least angle to the ray, least jump, sine of the largest tilt."""
    steepest, jump, askew = limits
    joined = np.zeros(len(first), np.bool_)
    for pair in range(len(first)):
        if first[pair] < 0 or second[pair] < 0:
            continue
        a, b = points[first[pair]], points[second[pair]]
        near = math.sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2])
        far = math.sqrt(b[0] * b[0] + b[1] * b[1] + b[2] * b[2])
        if abs(far - near) <= jump * min(near, far):
            joined[pair] = True
            continue
        length, along, middle, tilt, other = 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(3):
            edge = b[i] - a[i]
            ray = a[i] / near + b[i] / far
            length += edge * edge
            middle += ray * ray
            along += edge * ray
            tilt += edge * normals[first[pair], i]
            other += edge * normals[second[pair], i]
        if abs(along) <= steepest * math.sqrt(length * middle):
            joined[pair] = True
            continue
        # Comparing with an unknown normal is false, so that the jump is cut.
        reach = askew * math.sqrt(length)
        joined[pair] = abs(tilt) <= reach and abs(other) <= reach
    return joined
