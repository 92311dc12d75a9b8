"""Rooms: a plan, walls with openings, floor and ceiling."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import atan2, hypot

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.worlds.builder import SceneBuilder
from training.worlds.materials import Material
from training.worlds.palette import Palette

Float = NDArray[np.float64]
Rng = np.random.Generator


@dataclass(frozen=True)
class Opening:
    """A hole in a wall: metres along it and above the floor; what fills it is the kind's business."""

    start: float
    end: float
    bottom: float
    top: float
    kind: str = "passage"


@dataclass(eq=False)
class Room:
    """One room while it is planned.

    Attributes:
        plan: (n, 2) ground corners, clockwise as seen with z upwards, so that the outside is on the left of every edge.
        height: Metres from floor to ceiling.
        palette: Its materials.
        thickness: Of the walls, outwards.
        openings: Per edge.
        accents: Edges with the accent material.
    """

    plan: Float
    height: float
    palette: Palette
    thickness: float = 0.2
    openings: dict[int, list[Opening]] = field(default_factory=dict)
    accents: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.plan = clockwise(self.plan)
        self.openings = {edge: [] for edge in range(len(self.plan))}

    def edge(self, index: int) -> tuple[Float, Float, float, float]:
        """Start, end, length and yaw of an edge; in the frame of that yaw x runs along it and z points out."""
        a, b = self.plan[index], self.plan[(index + 1) % len(self.plan)]
        return a, b, hypot(*(b - a)), atan2(-(b[1] - a[1]), b[0] - a[0])

    def free_stretches(self, index: int, width: float, margin: float = 0.15) -> list[float]:
        """Possible starts of a new opening of a width on an edge that has some already, on a 5 cm raster."""
        length = self.edge(index)[2]
        taken = [(opening.start - margin, opening.end + margin) for opening in self.openings[index]]
        starts = np.arange(margin, length - width - margin + 1e-9, 0.05)
        return [float(s) for s in starts if all(s + width <= low or s >= high for low, high in taken)]


def clockwise(plan: ArrayLike) -> Float:
    """The (n, 2) polygon with the outside on the left of its edges, seen with z upwards."""
    plan = np.asarray(plan, np.float64)
    x, z = plan.T
    area = np.sum(x * np.roll(z, -1) - np.roll(x, -1) * z)
    return plan if area < 0 else plan[::-1].copy()


def inside(plan: Float, points: ArrayLike) -> NDArray[np.bool_]:
    """Which (m, 2) points lie in a simple polygon."""
    points = np.asarray(points, np.float64)
    a, b = plan, np.roll(plan, -1, axis=0)
    above_a, above_b = a[:, 1] > points[:, None, 1], b[:, 1] > points[:, None, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        cross = a[:, 0] + (points[:, None, 1] - a[:, 1]) / (b[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0])
    hits = (above_a != above_b) & (points[:, None, 0] < cross)
    odd: NDArray[np.bool_] = hits.sum(1) % 2 == 1
    return odd


def clearance(plan: Float, points: ArrayLike) -> Float:
    """Distance (m,) of (m, 2) points to the nearest wall of a plan."""
    points = np.asarray(points, np.float64)[:, None]
    a, b = plan[None], np.roll(plan, -1, axis=0)[None]
    along = b - a
    share = np.clip(np.sum((points - a) * along, -1) / np.sum(along * along, -1), 0, 1)
    distance: Float = np.linalg.norm(points - a - share[..., None] * along, axis=-1).min(1)
    return distance


def overlaps(plan: Float, other: Float) -> bool:
    """Whether two plans share some area, judged by a raster of points; touching is allowed."""
    return bool(inside(plan, _raster(other)).any() or inside(other, _raster(plan)).any())


def _raster(plan: Float) -> Float:
    low, high = plan.min(0), plan.max(0)
    x, z = np.meshgrid(np.linspace(low[0] + 0.05, high[0] - 0.05, 9), np.linspace(low[1] + 0.05, high[1] - 0.05, 9))
    points = np.stack([x.ravel(), z.ravel()], 1)
    return points[inside(plan, points)]


def sample_plan(rng: Rng, width: float, depth: float) -> Float:
    """A room's plan about the origin: rectangular, L, T, U, with a niche, chamfered or oblique."""
    w, d = width / 2, depth / 2
    kind = rng.choice(
        ["rectangle", "ell", "tee", "you", "niche", "chamfer", "oblique", "bay"],
        p=[0.46, 0.15, 0.05, 0.05, 0.12, 0.06, 0.06, 0.05],
    )
    a, b = rng.uniform(0.25, 0.6) * width, rng.uniform(0.25, 0.6) * depth
    if kind == "ell":
        plan = [(-w, -d), (w, -d), (w, d - b), (w - a, d - b), (w - a, d), (-w, d)]
    elif kind == "tee":
        a = min(a, width * 0.35)
        plan = [
            (-w, -d),
            (w, -d),
            (w, -d + b),
            (w - a, -d + b),
            (w - a, d),
            (-w + a, d),
            (-w + a, -d + b),
            (-w, -d + b),
        ]
    elif kind == "you":
        c = width * rng.uniform(0.2, 0.35)
        plan = [(-w, -d), (w, -d), (w, d), (w - c, d), (w - c, -d + b), (-w + c, -d + b), (-w + c, d), (-w, d)]
    elif kind == "niche":
        out, x = rng.uniform(0.3, 1.2), rng.uniform(-w + 0.3, w - a - 0.2) if width > a + 0.6 else -a / 2
        out = out if rng.random() < 0.6 else -min(out, depth * 0.3)
        plan = [(-w, -d), (w, -d), (w, d), (x + a, d), (x + a, d + out), (x, d + out), (x, d), (-w, d)]
    elif kind == "chamfer":
        c = min(width, depth) * rng.uniform(0.15, 0.4)
        plan = [(-w, -d), (w, -d), (w, d - c), (w - c, d), (-w, d)]
    elif kind == "oblique":
        s = rng.uniform(-0.25, 0.25, 4) * min(width, depth)
        plan = [(-w + s[0], -d), (w, -d + s[1]), (w + s[2], d), (-w, d + s[3])]
    elif kind == "bay":
        out, x = rng.uniform(0.4, 1.0), width * rng.uniform(0.15, 0.3)
        plan = [(-w, -d), (w, -d), (w, d), (x, d), (x * 0.6, d + out), (-x * 0.6, d + out), (-x, d), (-w, d)]
    else:
        plan = [(-w, -d), (w, -d), (w, d), (-w, d)]
    return clockwise(plan)


def build_shell(builder: SceneBuilder, room: Room, rng: Rng, *, skip_ceiling: bool = False, trim: bool = True) -> None:
    """Walls with their holes, floor, ceiling, skirting and cornice of a room."""
    palette = room.palette
    builder.horizontal_polygon(room.plan, 0.0, palette.floor, label="floor")
    if not skip_ceiling:
        builder.horizontal_polygon(room.plan, room.height, palette.ceiling, label="ceiling")
    count = len(room.plan)
    skirting = rng.uniform(0.05, 0.16) if trim and rng.random() < 0.75 else 0.0
    cornice = rng.uniform(0.04, 0.16) if trim and not skip_ceiling and rng.random() < 0.3 else 0.0
    dado = rng.uniform(0.8, 1.4) if rng.random() < 0.15 and room.height > 2.2 else 0.0
    for index in range(count):
        a, _, length, yaw = room.edge(index)
        material = palette.accent if index in room.accents else palette.wall
        starts_convex, ends_convex = _is_convex(room.plan, index), _is_convex(room.plan, (index + 1) % count)
        with builder.placed(a[0], a[1], yaw=yaw):
            low = -room.thickness if starts_convex else 0.0
            high = length + (room.thickness if ends_convex else 0.0)
            for opening in room.openings[index]:
                if opening.bottom < 0.05:
                    # The floor goes on under doors and passages.
                    middle, wide = (opening.start + opening.end) / 2, opening.end - opening.start
                    size = (wide, 0.05, room.thickness + 0.03)
                    builder.box((middle, size[2] / 2), size, palette.floor, bottom=-0.05, label="floor")
            _pierced(builder, low, high, 0.0, room.height + 0.1, room.thickness, room.openings[index], material, "wall")
            for bottom, top, out, cover in (
                (0.0, dado, 0.008, palette.accent),
                (0.0, skirting, 0.015, palette.trim),
                (room.height - cornice, room.height, cornice * 0.8, palette.trim),
            ):
                if top - bottom > 0.01:
                    clad(builder, length, bottom, top, out, room.openings[index], cover)


def clad(
    builder: SceneBuilder,
    length: float,
    bottom: float,
    top: float,
    out: float,
    openings: list[Opening],
    material: Material,
    label: str | None = "wall",
) -> None:
    """A layer `out` metres thick on the inner side of a wall, between two heights, around its openings."""
    crossing = [o for o in openings if o.bottom < top - 1e-6 and o.top > bottom + 1e-6]
    with builder.placed(0.0, -out):
        _pierced(builder, 0.0, length, bottom, top, out, crossing, material, label)


def _pierced(
    builder: SceneBuilder,
    low: float,
    high: float,
    bottom: float,
    top: float,
    thickness: float,
    openings: list[Opening],
    material: Material,
    label: str | None,
) -> None:
    at = low
    for opening in [*sorted(openings, key=lambda o: o.start), Opening(high, high, 0, 0)]:
        pieces = [(at, opening.start, bottom, top)]
        pieces.append((opening.start, opening.end, bottom, min(opening.bottom, top)))
        pieces.append((opening.start, opening.end, max(opening.top, bottom), top))
        for x0, x1, y0, y1 in pieces:
            if x1 - x0 > 1e-3 and y1 - y0 > 1e-3:
                size = (x1 - x0, y1 - y0, thickness)
                builder.box(((x0 + x1) / 2, thickness / 2), size, material, bottom=y0, label=label)
        at = opening.end


def _is_convex(plan: Float, index: int) -> bool:
    a, b, c = plan[index - 1], plan[index], plan[(index + 1) % len(plan)]
    return bool((b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0]) < 0)
