"""Lengths, heights, angles and areas between points that a model's depth puts into directions.

    measured = measure(panorama, prediction, directions)
    print(measured.text())        # length 2.43 m · estimate · height over ground 0.80, 2.10 m

Everything follows from the points alone, ``depth * ray``, so that it is as right as the depth is: an estimate.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import PanoError
from core.geometry.points import depth_at
from core.geometry.sphere import angle_between, directions_to_lonlat, lonlat_to_directions, lonlat_to_pixels
from core.panorama import Panorama
from core.prediction import Prediction

Float = NDArray[np.float64]

NO_DEPTH = "There is no depth to measure with; run a model that estimates depth first."
UNKNOWN = "The depth is not known there; measure at another place."
FAR = "What is there lies too far away to be measured, such as the sky; measure at another place."
NO_GROUND = "The ground below the camera is not known; type the camera height to measure heights."
METRIC = "estimate"
SCALED = "estimate, scaled by a known length"
RELATIVE = "estimate without unit: type a true length or the camera height"
BELOW = math.radians(30)
"""The ground is looked for so far around straight down, where the model does not say how high the camera stands."""
LOOKS = 400
LEAST_KNOWN = 0.5
SMALL = 0.1
MOST_TOLD = 6
"""Of a line of more points, only the whole and the last one are told."""
SEPARATOR = "  ·  "


class CannotMeasure(PanoError):
    """There is no point in a direction, and why."""


@dataclass(frozen=True, eq=False)
class Measurement:
    """What points say together. Lengths are metres when `is_metric`, otherwise right up to one factor.

    Attributes:
        points: (n, 3) in the photograph's frame, in the order in which they were chosen, n > 0.
        level_from_world: (3, 3) rotation that makes gravity point along +y.
        ground: How far the ground lies below the camera; None when unknown.
        is_metric: Whether lengths are metres.
        is_scaled: Whether these metres are those of a length that somebody knows, such as the camera height.
    """

    points: Float
    level_from_world: Float = field(default_factory=lambda: np.eye(3))
    ground: float | None = None
    is_metric: bool = True
    is_scaled: bool = False

    @property
    def lengths(self) -> Float:
        """(n - 1,) straight distances from each point to the next."""
        return np.asarray(np.linalg.norm(np.diff(self.points, axis=0), axis=1))

    @property
    def length(self) -> float:
        """Of the line through all points: with two, their distance."""
        return float(self.lengths.sum())

    @property
    def distance(self) -> float:
        """Of the last point from the camera."""
        return float(np.linalg.norm(self.points[-1]))

    @property
    def heights(self) -> Float | None:
        """(n,) heights of the points over the ground, along gravity; None when the ground is not known."""
        if self.ground is None:
            return None
        heights: Float = self.ground - self.points @ self.level_from_world[1]
        return heights

    @property
    def angle(self) -> float | None:
        """Radians at the last point but one, between the lines to its neighbours; None below three points."""
        if len(self.points) < 3:
            return None
        before, corner, after = self.points[-3:]
        if not (before - corner).any() or not (after - corner).any():
            return None
        return float(angle_between(before - corner, after - corner))

    @property
    def area(self) -> float | None:
        """Of the polygon that the points span, closed from the last to the first; None below three points.

        It is the length of the polygon's vector area ``1/2 sum p_i x p_(i+1)``: that of the polygon itself where it is
        flat, and otherwise of its shadow on the plane on which that is largest.
        """
        if len(self.points) < 3:
            return None
        # About its own corner, so that a small polygon far away keeps its digits.
        arms = self.points - self.points[0]
        return float(np.linalg.norm(np.cross(arms[:-1], arms[1:]).sum(axis=0)) / 2)

    @property
    def note(self) -> str:
        """How far to trust the numbers."""
        if not self.is_metric:
            return RELATIVE
        return SCALED if self.is_scaled else METRIC

    def with_point(self, point: ArrayLike) -> Measurement:
        """The same with one point more, (3,)."""
        return replace(self, points=np.concatenate([self.points, np.asarray(point, np.float64)[None]]))

    def text(self, say: Callable[..., str] = str.format) -> str:
        """One line for the user: everything that so many points say, and how far to trust it.

        Args:
            say: Fills the values, given by name, into a text, as a translator may with a text of its own.
        """
        unit = " m" if self.is_metric else ""
        parts: list[str] = []
        if len(self.points) == 1:
            parts.append(say("{distance} from the camera", distance=number(self.distance) + unit))
        else:
            legs = f" ({' + '.join(map(number, self.lengths))})" if 2 < len(self.points) <= MOST_TOLD else ""
            parts.append(say("length {length}", length=f"{number(self.length)}{unit}{legs}"))
        parts.append(say(self.note))
        angle, area = self.angle, self.area
        if angle is not None:
            parts.append(say("angle {angle}", angle=f"{math.degrees(angle):.1f}°"))
        if area is not None:
            parts.append(say("area {area}", area=number(area) + (" m²" if self.is_metric else "")))
        heights = self.heights
        if heights is not None:
            told = heights if len(heights) <= MOST_TOLD else heights[-1:]
            parts.append(say("height over ground {heights}", heights=", ".join(map(number, told)) + unit))
        return SEPARATOR.join(parts)


def measure(
    panorama: Panorama, prediction: Prediction | None, directions: ArrayLike, *, is_scaled: bool = False
) -> Measurement:
    """What lies in some directions, measured.

    Args:
        panorama: Gives the pose.
        prediction: With a depth.
        directions: (n, 3) in the photograph's frame, n > 0.
        is_scaled: Whether its metres are those of a length that somebody knows.

    Raises:
        CannotMeasure: There is no depth, or none in one of the directions.
    """
    points = np.stack([locate(prediction, direction) for direction in np.asarray(directions, np.float64)])
    if prediction is None:
        raise CannotMeasure(NO_DEPTH)
    level = panorama.level_from_world
    ground = prediction.camera_height or ground_below(prediction, level)
    return Measurement(points, level, ground, prediction.is_metric, is_scaled)


def locate(prediction: Prediction | None, direction: ArrayLike) -> Float:
    """(3,) the point that a depth puts into a direction, (3,), both in the photograph's frame; see `depth_at`.

    Raises:
        CannotMeasure: There is no depth at all, or none there.
    """
    if prediction is None or prediction.depth is None:
        raise CannotMeasure(NO_DEPTH)
    if prediction.far is not None:
        row, col = lonlat_to_pixels(*directions_to_lonlat(direction), *prediction.size)
        if prediction.far[row, col]:
            raise CannotMeasure(FAR)
    depth = depth_at(prediction.depth, direction)
    if not math.isfinite(depth):
        raise CannotMeasure(UNKNOWN)
    ray = np.asarray(direction, np.float64)
    return np.asarray(depth * ray / np.linalg.norm(ray))


def ground_below(prediction: Prediction, level_from_world: ArrayLike) -> float | None:
    """How far the ground lies below the camera, by the depth around straight down.

    The median over a cap of `BELOW`: a tripod does not hide all of it.

    Args:
        prediction: With a depth.
        level_from_world: (3, 3) rotation that makes gravity point along +y.

    Returns:
        In the unit of the depth; None where most of the cap is unknown.
    """
    if prediction.depth is None:
        return None
    # Evenly over the cap: equal steps of height along a spiral of golden angles.
    down = 1 - (1 - math.cos(BELOW)) * (np.arange(LOOKS) + 0.5) / LOOKS
    lon = np.arange(LOOKS) * math.pi * (3 - math.sqrt(5))
    looks = lonlat_to_directions(lon, -np.arcsin(down)) @ np.asarray(level_from_world, np.float64)
    depths = prediction.depth[lonlat_to_pixels(*directions_to_lonlat(looks), *prediction.size)]
    known = np.isfinite(depths)
    if known.mean() < LEAST_KNOWN:
        return None
    return float(np.median(depths[known] * down[known]))


def number(value: float) -> str:
    """Centimetres, of small things millimetres, which no estimate goes below: 0.012, 2.43, 120.00."""
    text = f"{value:.{2 if abs(value) >= SMALL else 3}f}"
    return text.removeprefix("-") if float(text) == 0 else text
