"""Cameras of the 3D view: one that circles around a point, one that stands where the photograph was taken.

No Qt, no OpenGL.

Axes are ours: x right, y down, z forward; "up" is -y.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.geometry.camera import Camera
from core.panorama import DEFAULT_VIEW
from panoviewer.look import dragged, resized, turned, zoomed

Float = NDArray[np.float64]

FOV_Y = math.radians(50)
HIGHEST = math.radians(89.9)
NEAR = 1 / 200
FAR = 200.0
STAND_NEAR = 0.005


@dataclass(frozen=True)
class Orbit:
    """Where the eye is and what it looks at.

    Attributes:
        centre: The point that stays in the middle of the picture.
        distance: From the eye to the centre.
        azimuth: Radians that the eye has walked around the centre; 0 looks along +z.
        elevation: Radians that the eye stands above the centre.
    """

    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)
    distance: float = 10.0
    azimuth: float = 0.0
    elevation: float = math.radians(30)

    @property
    def fov_y(self) -> float:
        """Radians from the lower to the upper edge of the picture."""
        return FOV_Y

    @property
    def axes(self) -> Float:
        """(3, 3) rows: right, down and forward of the eye."""
        ca, sa = math.cos(self.azimuth), math.sin(self.azimuth)
        ce, se = math.cos(self.elevation), math.sin(self.elevation)
        return np.array([[ca, 0, -sa], [-se * sa, ce, -se * ca], [ce * sa, se, ce * ca]])

    @property
    def eye(self) -> Float:
        """(3,) where the eye is."""
        eye: Float = np.asarray(self.centre) - self.distance * self.axes[2]
        return eye

    def clip_from_point(self, aspect: float) -> Float:
        """(4, 4) matrix from points to OpenGL's clip coordinates, whose w is the distance along the line of sight.

        Args:
            aspect: Width over height of the picture.
        """
        near, far = self.distance * NEAR, self.distance * FAR
        scale = 1 / math.tan(FOV_Y / 2)
        right, down, forward = self.axes
        view = np.eye(4)
        view[:3, :3] = right, -down, forward
        view[:3, 3] = -view[:3, :3] @ self.eye
        depth = (far + near) / (far - near), -2 * far * near / (far - near)
        lens = np.array([[scale / aspect, 0, 0, 0], [0, scale, 0, 0], [0, 0, *depth], [0, 0, 1, 0]])
        return np.asarray(lens @ view)

    def turned(self, right: float, down: float) -> Orbit:
        """After a drag by fractions of the picture's height: the cloud turns with the cursor."""
        elevation = min(max(self.elevation + down * math.pi, -HIGHEST), HIGHEST)
        return replace(self, azimuth=math.remainder(self.azimuth + right * math.pi, 2 * math.pi), elevation=elevation)

    def moved(self, right: float, down: float) -> Orbit:
        """After a drag by fractions of the picture's height: the cloud moves with the cursor, in the centre's plane."""
        span = 2 * self.distance * math.tan(FOV_Y / 2)
        shift = (self.axes[0] * right + self.axes[1] * down) * span
        return replace(self, centre=_point(np.asarray(self.centre) - shift))

    def nearer(self, factor: float, about: ArrayLike | None = None) -> Orbit:
        """With the distance divided by `factor`; a point to zoom `about` stays where it is in the picture."""
        centre = np.asarray(self.centre)
        if about is not None:
            centre = np.asarray(about) + (centre - np.asarray(about)) / factor
        return replace(self, centre=_point(centre), distance=self.distance / factor)

    def focused(self, point: ArrayLike) -> Orbit:
        """Circling around another point, from half as far."""
        return replace(self, centre=_point(point), distance=self.distance / 2)


@dataclass(frozen=True)
class Stand:
    """The eye stays at the origin, where the photograph was taken, and looks around as one does in the photograph.

    Attributes:
        camera: In the cloud's frame, of the size of the view.
    """

    camera: Camera = DEFAULT_VIEW

    @property
    def fov_y(self) -> float:
        """Radians from the lower to the upper edge of the picture."""
        return 2 * math.atan(self.camera.height / 2 / self.camera.focal_px)

    @property
    def axes(self) -> Float:
        """(3, 3) rows: right, down and forward of the eye."""
        return self.camera.world_from_camera.T

    @property
    def eye(self) -> Float:
        """(3,) where the eye is."""
        return np.zeros(3)

    @property
    def tangents(self) -> tuple[float, float]:
        """Of half the angle across and half the angle from bottom to top."""
        return self.camera.width / 2 / self.camera.focal_px, self.camera.height / 2 / self.camera.focal_px

    def clip_from_point(self, aspect: float) -> Float:  # noqa: ARG002, the camera knows it
        """(4, 4) as that of `Orbit`; there is no farthest distance."""
        right, down, forward = self.axes
        view = np.eye(4)
        view[:3, :3] = right, -down, forward
        across, upward = self.tangents
        lens = np.array([[1 / across, 0, 0, 0], [0, 1 / upward, 0, 0], [0, 0, 1, -2 * STAND_NEAR], [0, 0, 1, 0]])
        return np.asarray(lens @ view)

    def sized(self, height: int, width: int) -> Stand:
        """In a view of another size."""
        return Stand(resized(self.camera, height, width))

    def dragged(self, start: tuple[float, float], end: tuple[float, float]) -> Stand:
        """After a drag between two pixels (u, v): what was under the first is under the second."""
        return Stand(dragged(self.camera, start, end))

    def turned(self, right: float, down: float) -> Stand:
        """Looking elsewhere, by shares of the picture's height."""
        return Stand(turned(self.camera, right * self.fov_y, -down * self.fov_y))

    def nearer(self, factor: float, about: tuple[float, float]) -> Stand:
        """Magnified by a factor; what is seen at the pixel (u, v) stays there."""
        return Stand(zoomed(self.camera, about, factor))


def seen_piece(
    start: ArrayLike, end: ArrayLike, clip_from_point: Float, size: tuple[int, int]
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """What of the straight line between two points, (3,), lies before the eye: two pixels (u, v); None for nothing.

    Args:
        start: One point.
        end: The other one, or the same.
        clip_from_point: Of the view.
        size: (width, height) of the picture in pixels.
    """
    ends = np.array([np.append(start, 1.0), np.append(end, 1.0)], np.float64) @ clip_from_point[[0, 1, 3]].T
    least = 1e-3 * float(np.abs(ends[:, 2]).max())
    if least == 0 or (ends[:, 2] < least).all():
        return None
    for near, far in ((0, 1), (1, 0)):
        if ends[near, 2] < least:
            ends[near] += (least - ends[near, 2]) / (ends[far, 2] - ends[near, 2]) * (ends[far] - ends[near])
    width, height = size
    (x0, y0, w0), (x1, y1, w1) = ends.tolist()
    first = (x0 / w0 + 1) / 2 * width, (1 - y0 / w0) / 2 * height
    return first, ((x1 / w1 + 1) / 2 * width, (1 - y1 / w1) / 2 * height)


def framing(points: NDArray[np.float32]) -> Orbit:
    """The view from the outside and above that shows most of a cloud; (n, 3), of which a sample suffices."""
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) == 0:
        return Orbit()
    low, high = np.percentile(points, [5, 95], axis=0)
    radius = max(float(np.linalg.norm(high - low)) / 2, 1e-3)
    distance = 0.95 * radius / math.tan(FOV_Y / 2)
    return Orbit(_point((low + high) / 2), distance, azimuth=math.radians(-30), elevation=math.radians(35))


def picked(
    points: NDArray[np.float32],
    clip_from_point: Float,
    position: tuple[float, float],
    size: tuple[int, int],
    reach: float,
) -> int | None:
    """Index of the point under the cursor: of those within `reach` pixels of it the nearest to the eye.

    Args:
        points: (n, 3).
        clip_from_point: From `Orbit.clip_from_point`.
        position: Cursor (u, v) in pixels.
        size: (width, height) of the picture in pixels.
        reach: Pixels.
    """
    width, height = size
    clip = points @ clip_from_point[[0, 1, 3], :3].T.astype(np.float32) + clip_from_point[[0, 1, 3], 3].astype(
        np.float32
    )
    depth = clip[:, 2]
    target = np.array([2 * position[0] / width - 1, 1 - 2 * position[1] / height], np.float32)
    off_x = (clip[:, 0] - target[0] * depth) * (width / 2)
    off_y = (clip[:, 1] - target[1] * depth) * (height / 2)
    hits = np.flatnonzero((depth > 0) & (np.abs(off_x) <= reach * depth) & (np.abs(off_y) <= reach * depth))
    if len(hits) == 0:
        return None
    return int(hits[np.argmin(depth[hits])])


def _point(values: ArrayLike) -> tuple[float, float, float]:
    x, y, z = np.asarray(values, np.float64)
    return float(x), float(y), float(z)
