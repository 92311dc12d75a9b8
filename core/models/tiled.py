"""Perspective networks as panorama models: tiles of the sphere in, one prediction out.

A network of pictures sees the panorama through cameras that cover the sphere and overlap. What it says of each tile is
only right up to that tile's own scale, and often shift; both are found from the overlaps, for all tiles at once, so
that nothing jumps from tile to tile, across the seam or at the poles. The same calls serve whoever wants to learn from
a perspective network: `read_tiles` for the tiles alone, in this project's units and frame.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import DeviceFull
from core.geometry.alignment import align_tiles, border_weights, even_directions, sample_tile
from core.geometry.camera import Camera
from core.geometry.merge import merge_surfaces, merge_tiles, sized_like
from core.geometry.normals import turn_normals
from core.geometry.tiling import icosahedron_tiles
from core.geometry.warp import erp_to_camera
from core.panorama import is_full_sphere
from core.prediction import Prediction
from core.progress import Progress, silent, stage

F32 = NDArray[np.float32]
Bool = NDArray[np.bool_]

SAMPLES = 24_000
"""Directions in which tiles are compared: about 1.3 degrees apart."""
FAREST = 100.0
"""Times the median distance, beyond which what is only known up to a scale counts as far."""
LEAST_SEEN = 0.02
"""Share of a tile that must lie in the photograph for the network to be asked about it."""
READ = 0.9
"""Share of the time that the network takes."""
_TOGETHER = 8
_UNKNOWN = np.float32(np.nan)


class DepthKind(StrEnum):
    """What a network's `depth` of a tile is; z_depth is planar, along the camera's axis."""

    METRIC = "z_depth in metres"
    RELATIVE = "z_depth up to a factor"
    AFFINE = "z_depth up to a factor and a shift"
    INVERSE = "1 / z_depth up to a factor and a shift"


class TileNetwork(Protocol):
    """A network that reads square perspective pictures.

    Attributes:
        name: As it stands in predictions.
        device: Where it ran last, or where its weights are.
        size: Pixels along each side of the pictures that it reads.
        batch: How many are best read at once.
        depth_kind: What its depth is; None when it says nothing about depth.
        class_names: Of its classes in their order; empty when it knows none.
        notes: What it had to do to get by when it was last asked, in sentences.
    """

    @property
    def name(self) -> str: ...
    @property
    def device(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def batch(self) -> int: ...
    @property
    def depth_kind(self) -> DepthKind | None: ...
    @property
    def class_names(self) -> tuple[str, ...]: ...
    @property
    def notes(self) -> tuple[str, ...]: ...

    def __call__(self, tiles: NDArray[np.uint8], cameras: Sequence[Camera]) -> Mapping[str, NDArray[np.generic]]:
        """What the network says of some tiles.

        Args:
            tiles: (n, size, size, 3) sRGB uint8.
            cameras: That see them, for networks that know what to do with a field of view.

        Returns:
            Any of the following, of any one size (h, w) as high as wide:
            ``depth`` (n, h, w) float32 as `depth_kind` says, NaN where unknown;
            ``normals`` (n, h, w, 3) float32 in the camera's frame (x right, y down, z forward), facing it, NaN unknown;
            ``logits`` (n, h, w, classes) float32, whose softmax are chances;
            ``far`` (n, h, w) bool, where there is nothing at a measurable distance.

        Raises:
            DeviceFull: So many tiles at once do not fit into the memory; fewer will be tried.
        """
        ...


@dataclass(frozen=True, eq=False)
class TileReading:
    """What a network says of one tile; each map may be missing, and have a size of its own.

    Attributes:
        camera: That sees the tile.
        depth: (h, w) as the network's `depth_kind` says, NaN where unknown or not in the photograph.
        normals: (h, w, 3) unit vectors in the world frame, NaN where unknown.
        chances: (h, w, classes) of each class, NaN where not in the photograph.
        far: (h, w) bool.
    """

    camera: Camera
    depth: F32 | None = None
    normals: F32 | None = None
    chances: F32 | None = None
    far: Bool | None = None


class Tiled:
    """A perspective network as a `core.models.base.PanoramaModel`.

    Args:
        network: The network.
        fov_x: Radians that the 12 tiles around the corners of an icosahedron see. A quarter turn is what photographs
            often show, and lets every direction be seen twice on average.
    """

    def __init__(self, network: TileNetwork, *, fov_x: float = math.pi / 2) -> None:
        self.network = network
        self.cameras = icosahedron_tiles(network.size, fov_x)

    @property
    def device(self) -> str:
        """Where it ran last."""
        return self.network.device

    def predict(self, rgb: NDArray[np.uint8], *, progress: Progress = silent) -> Prediction:
        """See `core.models.base.PanoramaModel` and `predict_on_tiles`."""
        return predict_on_tiles(self.network, rgb, self.cameras, progress=progress)

    def predict_part(self, rgb: NDArray[np.uint8], valid: Bool, *, progress: Progress = silent) -> Prediction:
        """See `core.models.base.PartialModel` and `predict_on_tiles`."""
        return predict_on_tiles(self.network, rgb, self.cameras, valid=valid, progress=progress)


def predict_on_tiles(
    network: TileNetwork,
    rgb: NDArray[np.uint8],
    cameras: Sequence[Camera],
    *,
    valid: Bool | None = None,
    size: tuple[int, int] | None = None,
    progress: Progress = silent,
) -> Prediction:
    """What a perspective network says of a panorama.

    Args:
        network: The network.
        rgb: (H, W, 3) sRGB uint8, a full sphere of any size.
        cameras: Square ones that overlap, or depth cannot be brought to one scale; the network's `size`.
        valid: (H, W) False where a partial panorama saw nothing; tiles there are left out.
        size: (height, width) of the maps; as fine as the middle of the tiles when left out.
        progress: Called after each tile; may raise `Cancelled`.

    Returns:
        A prediction in the world frame. Depth of a network that measures is in metres; the tiles are brought to one
        scale that leaves the mean of their logarithms alone. Other depth has a median of 1.

    Raises:
        ValueError: `rgb` is something else.
        ModelUnavailable: A single tile does not fit into the device's memory.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or not is_full_sphere(*rgb.shape[:2]):
        raise ValueError(f"rgb must be a full sphere, uint8 (H, 2 H, 3), got {rgb.dtype} {rgb.shape}")
    started = time.perf_counter()
    readings: list[TileReading] = []
    notes: dict[str, None] = {}
    for reading in read_tiles(network, rgb, cameras, valid=valid, progress=stage(progress, 0.0, READ)):
        readings.append(reading)
        notes |= dict.fromkeys(network.notes)
    height, width = size or native_size(cameras[0])
    depth = normals = classes = far = None
    kind = network.depth_kind
    if kind is not None:
        tiles, tile_far = inverse_ranges(readings, kind)
        depth, far = _merged_depth(tiles, tile_far, [reading.camera for reading in readings], (height, width))
    progress(950, 1000)
    if any(reading.normals is not None for reading in readings):
        normals = _merged_normals(readings, (height, width))
    if network.class_names:
        classes = _merged_classes(readings, len(network.class_names), (height, width))
        sky = network.class_names.index("sky") if "sky" in network.class_names else None
        if sky is not None and depth is not None:
            # Whether something is sky and whether it is far are one question; who names it, knows better.
            far = classes == sky
    if far is not None and depth is not None:
        depth[far] = np.nan
    if depth is not None and kind is not DepthKind.METRIC and np.isfinite(depth).any():
        depth /= np.nanmedian(depth)
    progress(1000, 1000)
    return Prediction(
        depth=depth,
        normals=normals,
        classes=classes,
        class_names=network.class_names,
        far=far,
        is_metric=kind is DepthKind.METRIC,
        model=network.name,
        device=network.device,
        seconds=time.perf_counter() - started,
        native_size=(height, width),
        notes=tuple(notes),
    )


def native_size(camera: Camera) -> tuple[int, int]:
    """(height, width) of a panorama whose pixels are as fine as those in the middle of a camera's picture."""
    height = 2 * max(1, round(math.pi * camera.focal_px / 2))
    return height, 2 * height


def read_tiles(
    network: TileNetwork,
    rgb: NDArray[np.uint8],
    cameras: Sequence[Camera],
    *,
    valid: Bool | None = None,
    progress: Progress = silent,
) -> Iterator[TileReading]:
    """What a network says of each tile, in the order of the cameras, those without a photograph left out.

    Where the device has too little memory for a batch, half of it is tried, down to a single tile.

    Args:
        network: The network.
        rgb: (H, W, 3) sRGB uint8.
        cameras: With pictures of the network's `size`.
        valid: (H, W) False where the photograph saw nothing; unknown there.
        progress: Called after each tile; may raise `Cancelled`.

    Raises:
        ModelUnavailable: A single tile does not fit into the device's memory.
        ValueError: The network says something else than it promises.
    """
    seen = [None if valid is None else erp_to_camera(valid, camera) for camera in cameras]
    asked = [n for n, part in enumerate(seen) if part is None or part.mean() >= LEAST_SEEN]
    batch, done = max(1, network.batch), 0
    progress(0, len(asked))
    while done < len(asked):
        chosen = asked[done : done + batch]
        views = [cameras[n] for n in chosen]
        try:
            said = network(np.stack([erp_to_camera(rgb, camera) for camera in views]), views)
        except (DeviceFull, MemoryError):
            if len(chosen) == 1:
                raise
            batch = len(chosen) // 2
            continue
        _check(network, said, len(chosen))
        for place, n in enumerate(chosen):
            yield _reading({name: values[place] for name, values in said.items()}, cameras[n], seen[n])
            done += 1
            progress(done, len(asked))


def inverse_ranges(readings: Sequence[TileReading], kind: DepthKind) -> tuple[list[F32], list[Bool]]:
    """The inverse of the range on each tile, all tiles on one scale, and what is far.

    Returns:
        Maps of the readings' depths, positive, NaN where unknown or far: in 1 / metres, or with a mean of 1; and maps
        of what is far.
    """
    directions = even_directions(SAMPLES)
    weights = np.stack([border_weights(reading.camera, directions) for reading in readings]) if readings else None
    if weights is None:
        return [], []
    terms = np.stack([depth_terms(reading, kind, directions) for reading in readings])
    numbers, groups = align_tiles(terms, weights)
    if kind is DepthKind.METRIC:
        for group in np.unique(groups):
            own = (groups == group) & (numbers[:, 0] > 0)
            numbers[own] /= np.exp(np.mean(np.log(numbers[own, 0]))) if own.any() else 1.0
    tiles, far = [], []
    for reading, factors in zip(readings, numbers, strict=True):
        inverse = inverse_range(reading, kind, factors)
        is_far = np.zeros(inverse.shape, np.bool_) if reading.far is None else reading.far
        if kind is DepthKind.INVERSE:
            is_far = is_far | (inverse < 1 / FAREST)
        tiles.append(np.where(is_far | ~(inverse > 0), _UNKNOWN, inverse))
        far.append(is_far)
    return tiles, far


def depth_terms(reading: TileReading, kind: DepthKind, directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """What `core.geometry.alignment` asks for: (directions, k), k numbers times which are the range or its inverse."""
    depth = _depth_of(reading)
    cosine = directions @ reading.camera.world_from_camera[:, 2]
    if kind in (DepthKind.METRIC, DepthKind.RELATIVE):
        with np.errstate(divide="ignore", invalid="ignore"):
            inverse = np.where(depth > 0, np.reciprocal(depth), _UNKNOWN)
        return (cosine * sample_tile(inverse, reading.camera, directions))[:, None]
    values = sample_tile(depth, reading.camera, directions)
    along = cosine if kind is DepthKind.INVERSE else np.reciprocal(np.where(cosine > 0, cosine, np.nan))
    return np.stack([along * values, np.where(np.isfinite(values), along, np.nan)], axis=-1)


def inverse_range(reading: TileReading, kind: DepthKind, numbers: NDArray[np.float64]) -> F32:
    """(h, w) inverse of the range of a tile, whose scale is known, along its pixels' rays; NaN where unknown."""
    depth = _depth_of(reading).astype(np.float64)
    camera = sized_like(reading.camera, depth)
    cosine = camera.rays() @ camera.world_from_camera[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        if kind is DepthKind.INVERSE:
            inverse = numbers[0] * depth + numbers[1]
        elif kind is DepthKind.AFFINE:
            inverse = 1 / (numbers[0] * depth + numbers[1])
        else:
            inverse = numbers[0] / depth
    along: F32 = (cosine * inverse).astype(np.float32)
    return along


def _depth_of(reading: TileReading) -> F32:
    if reading.depth is None:
        raise ValueError("a network with a kind of depth said no depth")
    return reading.depth


def _check(network: TileNetwork, said: Mapping[str, NDArray[np.generic]], count: int) -> None:
    """A network that says something else than it promises must not be believed."""
    shapes = {"depth": 3, "far": 3, "normals": 4, "logits": 4}
    wrong = {
        name: values.shape
        for name, values in said.items()
        if name not in shapes or values.ndim != shapes[name] or len(values) != count or 0 in values.shape
    }
    last = {"normals": 3, "logits": len(network.class_names)}
    wrong |= {name: said[name].shape for name, size in last.items() if name in said and said[name].shape[-1] != size}
    promised = ["depth"] * (network.depth_kind is not None) + ["logits"] * bool(network.class_names)
    if wrong or not set(promised) <= said.keys():
        shown = {name: values.shape for name, values in said.items()}
        raise ValueError(f"expected {' and '.join(promised)} of {count} tiles from {network.name}, got {shown}")


def _reading(said: Mapping[str, NDArray[np.generic]], camera: Camera, seen: Bool | None) -> TileReading:
    """One tile in the world frame, unknown where the photograph saw nothing."""

    def visible(values: NDArray[np.generic]) -> Bool:
        height, width = values.shape[:2]
        if seen is None or seen.shape == (height, width):
            return np.ones((height, width), np.bool_) if seen is None else seen
        rows = ((np.arange(height) + 0.5) * (seen.shape[0] / height)).astype(np.int64)
        cols = ((np.arange(width) + 0.5) * (seen.shape[1] / width)).astype(np.int64)
        nearest: Bool = seen[rows[:, None], cols]
        return nearest

    def known(name: str) -> F32 | None:
        if name not in said:
            return None
        values = said[name].astype(np.float32)
        values[~visible(values) | ~np.isfinite(values).reshape(*values.shape[:2], -1).all(axis=-1)] = np.nan
        return values

    depth, normals, chances, far = known("depth"), known("normals"), known("logits"), None
    if normals is not None:
        normals = turn_normals(normals, camera.world_from_camera)
    if chances is not None:
        chances -= chances.max(axis=-1, keepdims=True)
        np.exp(chances, out=chances)
        chances /= chances.sum(axis=-1, keepdims=True)
    if "far" in said:
        far = said["far"].astype(np.bool_) & visible(said["far"])
    return TileReading(camera, depth, normals, chances, far)


def _merged_depth(
    tiles: Sequence[F32], tile_far: Sequence[Bool], cameras: Sequence[Camera], size: tuple[int, int]
) -> tuple[F32, Bool]:
    if not tiles:
        return np.full(size, _UNKNOWN), np.zeros(size, np.bool_)
    with np.errstate(divide="ignore"):
        depth = np.reciprocal(merge_surfaces(tiles, cameras, *size)[0])
    # What a tile does not know has no say in what is far.
    views = [
        np.where(is_far, np.float32(1), np.where(np.isfinite(tile), np.float32(0), _UNKNOWN))
        for tile, is_far in zip(tiles, tile_far, strict=True)
    ]
    spots = [sized_like(camera, view) for camera, view in zip(cameras, views, strict=True)]
    with np.errstate(invalid="ignore"):
        return depth, merge_tiles(views, spots, *size) >= 0.5


def _merged_normals(readings: Sequence[TileReading], size: tuple[int, int]) -> F32:
    tiles = [reading.normals for reading in readings if reading.normals is not None]
    views = [sized_like(reading.camera, reading.normals) for reading in readings if reading.normals is not None]
    return turn_normals(merge_tiles(tiles, views, *size), np.eye(3))


def _merged_classes(readings: Sequence[TileReading], count: int, size: tuple[int, int]) -> NDArray[np.int16]:
    """The likeliest class of the mean over the tiles, -1 where unknown; a few classes at a time, for the memory."""
    best, classes = np.full(size, -1, np.float32), np.full(size, -1, np.int16)
    tiles = [reading.chances for reading in readings if reading.chances is not None]
    views = [sized_like(reading.camera, reading.chances) for reading in readings if reading.chances is not None]
    for first in range(0, count if tiles else 0, _TOGETHER):
        merged = merge_tiles(
            [np.ascontiguousarray(tile[..., first : first + _TOGETHER]) for tile in tiles], views, *size
        )
        for number, chances in enumerate(np.moveaxis(merged, -1, 0)):
            with np.errstate(invalid="ignore"):
                better = chances > best
            best[better] = chances[better]
            classes[better] = first + number
    return classes
