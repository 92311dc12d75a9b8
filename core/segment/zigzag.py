"""The views that an object is followed through, their order, and where clicks and boxes lie in them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import Camera
from core.geometry.sphere import lonlat_to_directions
from core.geometry.tiling import zigzag_tiles
from core.scene import Box, Click
from core.segment.network import ViewPrompt
from core.segment.options import Order, SegmentOptions

Float = NDArray[np.float64]
Bits = NDArray[np.bool_]

PITCHES_DEG = {24: (45.0, 0.0, -45.0), 48: (45.0, 15.0, -15.0, -45.0)}
YAW_STEP_DEG = {24: 45.0, 48: 30.0}
BORDER_SAMPLES = 64
"""Directions along each side of a view at which an object is asked whether it goes on."""
BOX_SLACK = 0.1
"""Share of a box by which an object may stick out of it."""
_BOX_SAMPLES = 16


@dataclass(frozen=True)
class Frame:
    """One view of the set.

    Attributes:
        camera: That sees it.
        column: Of the set, eastwards.
        row: Of the set, downwards.
    """

    camera: Camera
    column: int
    row: int


@dataclass(frozen=True)
class FrameSet:
    """All views that look everywhere, numbered column by column from the top, independent of any click.

    Attributes:
        frames: By number.
        columns, rows: Of the set.
        order: In which a path visits them.
        margin: Share of a view along each side that counts as its border.
    """

    frames: tuple[Frame, ...]
    columns: int
    rows: int
    order: Order
    margin: float

    @classmethod
    def of(cls, options: SegmentOptions, size: int) -> FrameSet:
        """The views of the options, `size` pixels square."""
        pitches = PITCHES_DEG[options.views]
        cameras = zigzag_tiles(
            size,
            fov_x=options.fov_x,
            yaw_step=math.radians(YAW_STEP_DEG[options.views]),
            pitches=tuple(math.radians(pitch) for pitch in pitches),
        )
        rows = len(pitches)
        frames = []
        for n, camera in enumerate(cameras):
            column, step = divmod(n, rows)
            frames.append(Frame(camera, column, step if column % 2 == 0 else rows - 1 - step))
        frames.sort(key=lambda frame: (frame.column, frame.row))
        return cls(tuple(frames), len(cameras) // rows, rows, options.order, options.margin)

    def __len__(self) -> int:
        return len(self.frames)

    def camera(self, number: int) -> Camera:
        """The camera of a view."""
        return self.frames[number].camera

    def path(self, start: int) -> tuple[int, ...]:
        """The views in the order of a visit that begins at one of them and ends at its neighbour.

        The zigzag goes down the first column wherever it begins, so that a panorama that is turned by columns is
        visited in the same way.
        """
        first = self.frames[start]
        steps = []
        if self.order is Order.RASTER:
            steps = [(row, column) for row in range(self.rows) for column in range(self.columns)]
            begin = first.row * self.columns
        else:
            for column in range(self.columns):
                rows = range(self.rows) if column % 2 == 0 else reversed(range(self.rows))
                steps += [(row, column) for row in rows]
            begin = first.row
        steps = steps[begin:] + steps[:begin]
        return tuple((first.column + column) % self.columns * self.rows + row for row, column in steps)

    def place(self, number: int, lon: float, lat: float) -> tuple[float, float] | None:
        """Where a direction lies in a view, continuous pixels (u, v); None when outside or on its border."""
        u, v = project_click(self.camera(number), lon, lat)
        size = self.camera(number).width
        edge = self.margin * size
        return (u, v) if edge <= u <= size - edge and edge <= v <= size - edge else None

    def best(self, lon: float, lat: float) -> int:
        """The view whose axis is nearest to a direction; of several the upper one, then the one to the east."""

        def distance(number: int) -> tuple[float, int, float]:
            camera = self.camera(number)
            turn = _turn(camera.yaw - lon)
            near = math.sin(camera.pitch) * math.sin(lat) + math.cos(camera.pitch) * math.cos(lat) * math.cos(turn)
            return -round(near, 9), self.frames[number].row, -round(turn, 9)

        return min(range(len(self)), key=distance)

    def nearest_first(self, lon: float, lat: float) -> tuple[int, ...]:
        """All views, by the angle between their axes and a direction."""
        axis = lonlat_to_directions(lon, lat)
        return tuple(np.argsort(-np.round(self.axes @ axis, 9), kind="stable").tolist())

    @cached_property
    def axes(self) -> Float:
        """(n, 3) directions in which the views look."""
        return np.stack([frame.camera.world_from_camera[:, 2] for frame in self.frames])

    @cached_property
    def border_seen(self) -> Bits:
        """(n, 4 BORDER_SAMPLES, n): whether the samples on one view's border lie well within another view."""
        seen = np.stack([self.seen(border_directions(frame.camera)) for frame in self.frames])
        own = np.arange(len(self))
        seen[own, :, own] = False
        return seen

    def seen(self, directions: Float) -> Bits:
        """(k, n): whether (k, 3) directions lie well within each view; on its border where no view is any better.

        At 90 degrees the poles lie on the border of every view that sees them.
        """
        well = np.stack([sees(frame.camera, directions, self.margin) for frame in self.frames], axis=-1)
        badly = np.flatnonzero(~well.any(axis=1))
        if len(badly):
            well[badly] = np.stack([sees(frame.camera, directions[badly], -1e-9) for frame in self.frames], axis=-1)
        return well


@lru_cache(maxsize=8)
def frame_set(options: SegmentOptions, size: int) -> FrameSet:
    """`FrameSet.of`, kept with what it has worked out."""
    return FrameSet.of(options, size)


def project_click(camera: Camera, lon: float, lat: float) -> tuple[float, float]:
    """Continuous pixels (u, v) of a direction in a view; NaN when it lies behind.

    The same to the last bit when both are turned by one yaw.
    """
    still = replace(camera, yaw=0.0)
    u, v = still.project(lonlat_to_directions(_turn(lon - camera.yaw), lat))
    return float(u), float(v)


def sees(camera: Camera, directions: Float, margin: float = 0.0) -> Bits:
    """Whether a camera sees (..., 3) directions, leaving out a share of its picture along each side."""
    u, v = camera.project(directions)
    edge_u, edge_v = margin * camera.width, margin * camera.height
    # A direction behind the camera is NaN, which lies nowhere.
    seen: Bits = (u >= edge_u) & (u <= camera.width - edge_u) & (v >= edge_v) & (v <= camera.height - edge_v)
    return seen


def border_directions(camera: Camera) -> Float:
    """(4 BORDER_SAMPLES, 3) directions along the sides of a view: upper, lower, left, right."""
    along = (np.arange(BORDER_SAMPLES) + 0.5) / BORDER_SAMPLES
    zero, one = np.zeros(BORDER_SAMPLES), np.ones(BORDER_SAMPLES)
    u = np.concatenate([along, along, zero, one]) * camera.width
    v = np.concatenate([zero, one, along, along]) * camera.height
    return camera.directions(u, v)


def border_touched(logits: NDArray[np.float32], margin: float) -> Bits:
    """(4 BORDER_SAMPLES,) bool, as in `border_directions`: whether an object reaches a view's border there."""
    size = logits.shape[0]
    depth = max(1, round(margin * size))
    inside = logits > 0
    cells = np.minimum(((np.arange(BORDER_SAMPLES + 1)) * size) // BORDER_SAMPLES, size - 1)
    sides = (inside[:depth].any(0), inside[-depth:].any(0), inside[:, :depth].any(1), inside[:, -depth:].any(1))
    # A sample stands for all pixels up to the next one, so that a thin object does not slip between two.
    return np.concatenate([np.logical_or.reduceat(side, cells[:-1]) for side in sides])


def clicks_prompt(
    camera: Camera,
    places: Sequence[tuple[float, float]],
    positive: Sequence[bool],
    box: tuple[float, float, float, float] | None,
    prior: NDArray[np.float32] | None,
) -> ViewPrompt:
    """A prompt from pixels of a view; a prior that knows nothing is none."""
    if prior is not None and (prior.shape[0] == 0 or np.isnan(prior).all()):
        prior = None
    points = np.array(places, np.float32).reshape(-1, 2)
    return ViewPrompt(np.clip(points, 0, camera.width), np.array(positive, np.bool_).reshape(-1), box, prior)


def box_centre(box: Box) -> tuple[float, float]:
    """Longitude and latitude of a box's middle."""
    return _wrapped(box.west + _box_width(box) / 2), (box.south + box.north) / 2


def box_in_view(camera: Camera, box: Box, at_least: float = 0.9) -> tuple[float, float, float, float] | None:
    """The smallest upright rectangle of a view that holds a box, cut off at the view's sides; (u0, v0, u1, v1).

    None where the view holds less than `at_least` of the box: a rectangle around a piece of it would mislead.
    """
    still = replace(camera, yaw=0.0)
    share = (np.arange(_BOX_SAMPLES) + 0.5) / _BOX_SAMPLES
    west = _turn(box.west - camera.yaw)
    lon, lat = np.meshgrid(west + share * _box_width(box), box.south + share * (box.north - box.south))
    if np.mean(sees(still, lonlat_to_directions(lon, lat))) < at_least:
        return None
    share = np.linspace(0, 1, 4 * _BOX_SAMPLES + 1)
    lons, lats = west + share * _box_width(box), box.south + share * (box.north - box.south)
    around = np.concatenate(
        [np.stack(np.broadcast_arrays(lons, lat), 1) for lat in (box.south, box.north)]
        + [np.stack(np.broadcast_arrays(lon, lats), 1) for lon in (lons[0], lons[-1])]
    )
    u, v = still.project(lonlat_to_directions(around[:, 0], around[:, 1]))
    u, v = u[~np.isnan(u)], v[~np.isnan(v)]
    size = float(camera.width)
    rectangle = tuple(float(min(max(x, 0.0), size)) for x in (u.min(), v.min(), u.max(), v.max()))
    return rectangle[0], rectangle[1], rectangle[2], rectangle[3]


def in_box(box: Box, directions: Float) -> Bits:
    """Whether (..., 3) directions lie in a box, or as far beside it as an object may stick out."""
    x, y, z = np.moveaxis(directions, -1, 0)
    lon, lat = np.arctan2(x, z), np.arctan2(-y, np.hypot(x, z))
    wide, high = _box_width(box), box.north - box.south
    inside: Bits = (np.mod(lon - box.west + BOX_SLACK * wide, 2 * math.pi) <= (1 + 2 * BOX_SLACK) * wide) & (
        (lat >= box.south - BOX_SLACK * high) & (lat <= box.north + BOX_SLACK * high)
    )
    return inside


def click_directions(clicks: Sequence[Click]) -> Float:
    """(n, 3)."""
    return lonlat_to_directions([click.lon for click in clicks], [click.lat for click in clicks]).reshape(-1, 3)


def _box_width(box: Box) -> float:
    return math.fmod(math.fmod(box.east - box.west, 2 * math.pi) + 2 * math.pi, 2 * math.pi)


def _turn(angle: float) -> float:
    """An angle in [-pi, pi], without the last bits, which depend on how many turns it was computed with."""
    return round(math.remainder(angle, 2 * math.pi), 12)


def _wrapped(lon: float) -> float:
    return math.remainder(lon, 2 * math.pi)
