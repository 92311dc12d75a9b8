"""Finding places for furniture: against walls or free, without overlap, off the doors and off the camera."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.worlds.rooms import Float, Room, inside

Rng = np.random.Generator

NEARBY = 0.45
"""Share of the tries that look for a place near the camera, where things are large in the picture."""


class Floorplan:
    """What stands where in a room."""

    def __init__(self, room: Room, camera: Float, *, clear: float) -> None:
        self._room = room
        self._camera = np.asarray(camera, np.float64)
        self._taken: list[Float] = []
        self._at_walls: list[tuple[int, float, float, float]] = []
        around = np.array([[-clear, -clear], [clear, -clear], [clear, clear], [-clear, clear]])
        self._taken.append(np.asarray(camera) + around)
        for edge, openings in room.openings.items():
            for opening in openings:
                if opening.bottom < 0.1:
                    middle, half = (opening.start + opening.end) / 2, (opening.end - opening.start) / 2
                    self._taken.append(self._rectangle(edge, middle, -0.45, half, 0.45))

    def find(
        self, rng: Rng, size: tuple[float, float, float], *, at_wall: bool, flat: bool = False
    ) -> tuple[float, float, float] | None:
        """A free place for a piece of (width, height, depth), and takes it.

        Returns:
            x, z and yaw of its middle, or None if none of some tries fits. Flat things may lie under others.
        """
        room = self._room
        for _ in range(24):
            if at_wall:
                edge = int(rng.integers(len(room.plan)))
                length = room.edge(edge)[2]
                if length < size[0] + 0.05:
                    continue
                low, high = size[0] / 2 + 0.02, length - size[0] / 2 - 0.02
                middle = rng.uniform(low, high)
                if rng.random() < NEARBY:
                    middle = np.clip(self._nearest(edge) + rng.normal(0, 1.2), low, high)
                if rng.random() < 0.25:
                    middle = rng.choice([size[0] / 2 + 0.02, length - size[0] / 2 - 0.02])
                gap = float(rng.choice([0.02, 0.04, 0.1]))
                corners = self._rectangle(edge, middle, -gap - size[2] / 2, size[0] / 2, size[2] / 2)
                if self._hides_window(edge, middle - size[0] / 2, middle + size[0] / 2, size[1]):
                    continue
                yaw = room.edge(edge)[3] + np.pi
            else:
                low, high = room.plan.min(0), room.plan.max(0)
                center = rng.uniform(low, high)
                if rng.random() < NEARBY:
                    away, angle = rng.uniform(0.9, 3.2), rng.uniform(0, 2 * np.pi)
                    center = self._camera + away * np.array([np.sin(angle), np.cos(angle)])
                yaw = float(rng.integers(4)) * np.pi / 2 + room.edge(0)[3]
                yaw += rng.normal(0, 0.3) if rng.random() < 0.3 else 0.0
                corners = center + _turned_corners(size[0] / 2 + 0.03, size[2] / 2 + 0.03, yaw)
            if not self._fits(corners, flat=flat):
                continue
            if not flat:
                self._taken.append(corners)
            if at_wall:
                self._at_walls.append((edge, middle - size[0] / 2, middle + size[0] / 2, size[1]))
            x, z = corners.mean(0)
            return float(x), float(z), float(yaw)
        return None

    def _nearest(self, edge: int) -> float:
        """Where along an edge the camera is."""
        a, b, length, _ = self._room.edge(edge)
        return float(np.dot(self._camera - a, b - a) / length)

    def take(self, corners: Float) -> bool:
        """Take a rectangle of (4, 2) corners if it is free and inside."""
        if not self._fits(corners, flat=False):
            return False
        self._taken.append(corners)
        return True

    def blocks_wall(self, edge: int, start: float, end: float, bottom: float) -> bool:
        """Whether a piece stands before a stretch of wall above a height."""
        return any(e == edge and s < end and f > start and top > bottom for e, s, f, top in self._at_walls)

    def _hides_window(self, edge: int, start: float, end: float, height: float) -> bool:
        openings = self._room.openings[edge]
        return any(o.start < end and o.end > start and o.bottom < height - 0.15 and o.kind != "taken" for o in openings)

    def _rectangle(self, edge: int, middle: float, out: float, half_along: float, half_out: float) -> Float:
        a, b, length, _ = self._room.edge(edge)
        along = (b - a) / length
        normal = np.array([-along[1], along[0]])
        center = a + along * middle + normal * out
        return np.array(
            [center + s * along * half_along + t * normal * half_out for s, t in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        )

    def _fits(self, corners: Float, *, flat: bool) -> bool:
        # The plan's own corners must not lie in it either, or a reflex corner could pierce it.
        points = np.concatenate([corners, (corners + np.roll(corners, 1, axis=0)) / 2])
        if not inside(self._room.plan, points).all() or _in_convex(corners, self._room.plan).any():
            return False
        return flat or not any(_convex_overlap(corners, other) for other in self._taken)


def _turned_corners(half_width: float, half_depth: float, yaw: float) -> Float:
    along, ahead = np.array([np.cos(yaw), -np.sin(yaw)]), np.array([np.sin(yaw), np.cos(yaw)])
    return np.array([s * along * half_width + t * ahead * half_depth for s, t in ((-1, -1), (1, -1), (1, 1), (-1, 1))])


def _in_convex(corners: Float, points: Float) -> NDArray[np.bool_]:
    edges = np.roll(corners, -1, axis=0) - corners
    offset = points[:, None] - corners
    turn = edges[:, 0] * offset[..., 1] - edges[:, 1] * offset[..., 0]
    within: NDArray[np.bool_] = np.all(turn > 1e-9, axis=1) | np.all(turn < -1e-9, axis=1)
    return within


def _convex_overlap(first: Float, second: Float) -> bool:
    """Separating axes of two rectangles."""
    for corners in (first, second):
        for edge in (corners[1] - corners[0], corners[3] - corners[0]):
            p, q = first @ edge, second @ edge
            if p.max() <= q.min() or q.max() <= p.min():
                return False
    return True
