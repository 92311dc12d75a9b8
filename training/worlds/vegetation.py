"""Trees, bushes, hedges and grass: trunks and branches of tubes, crowns of lumps with leaf cards around them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.worlds.builder import SceneBuilder
from training.worlds.materials import Material
from training.worlds.shapes import blobs, cards, grid, tubes

Float = NDArray[np.float64]
Rgb = tuple[float, float, float]

SEASONS: dict[str, tuple[Rgb, ...]] = {
    "summer": ((0.06, 0.13, 0.025), (0.05, 0.10, 0.02), (0.09, 0.15, 0.03), (0.045, 0.085, 0.03)),
    "spring": ((0.14, 0.24, 0.05), (0.11, 0.20, 0.04), (0.18, 0.24, 0.06), (0.08, 0.16, 0.03)),
    "autumn": ((0.22, 0.12, 0.04), (0.17, 0.06, 0.025), (0.24, 0.18, 0.05), (0.11, 0.12, 0.03)),
    "dry": ((0.14, 0.14, 0.06), (0.18, 0.15, 0.07), (0.11, 0.12, 0.05), (0.08, 0.09, 0.04)),
    "conifer": ((0.025, 0.06, 0.02), (0.03, 0.07, 0.03), (0.04, 0.08, 0.025), (0.03, 0.055, 0.035)),
}
"""Linear colours of leaves."""

SNOW = (0.75, 0.78, 0.84)


@dataclass(frozen=True, eq=False)
class Plants:
    """The plants of one world: colours are shared so that a wood looks like one wood.

    Attributes:
        leaves: Light and dark leaf materials in pairs.
        needles: The same for conifers.
        bark: Of trunks.
        bare: True in winter: broad-leaved trees carry no leaves.
    """

    leaves: tuple[tuple[Material, Material], ...]
    needles: tuple[Material, Material]
    bark: tuple[Material, ...]
    bare: bool


def random_plants(rng: np.random.Generator, *, season: str | None = None, snow: bool = False) -> Plants:
    """The plants of a season; any when none is given."""
    season = season or str(rng.choice(["summer", "spring", "autumn", "dry", "bare"], p=[0.48, 0.16, 0.12, 0.12, 0.12]))
    colours = SEASONS["dry" if season == "bare" else season]

    def pair(colour: Rgb) -> tuple[Material, Material]:
        light = np.asarray(colour) * np.exp(rng.normal(0, 0.18, 3) + rng.normal(0.1, 0.25))
        if snow:
            light = light * 0.4 + np.asarray(SNOW) * 0.6
        dark = light * (0.75 if snow else rng.uniform(0.35, 0.6))
        return _leaf(light), _leaf(dark)

    grey = rng.uniform(0.05, 0.22)
    bark = tuple(
        Material(_rgb(np.array([1.0, 0.82, 0.66]) * grey * rng.uniform(0.6, 1.5)), "bark", scale=0.8, contrast=0.9)
        for _ in range(3)
    )
    return Plants(
        leaves=tuple(pair(colour) for colour in colours),
        needles=pair(SEASONS["conifer"][int(rng.integers(4))]),
        bark=bark,
        bare=season == "bare",
    )


def _rgb(colour: NDArray[np.floating]) -> Rgb:
    r, g, b = np.clip(colour, 0.004, 0.92)
    return float(r), float(g), float(b)


def _leaf(colour: NDArray[np.floating]) -> Material:
    return Material(_rgb(colour), "foliage", scale=1.2, contrast=0.8)


def detail_at(distance: float) -> float:
    """How much of a plant's detail to build: 1 near, less with distance, as pixels grow."""
    return float(np.clip(10.0 / max(distance, 1.0), 0.06, 1.0))


def crown(
    rng: np.random.Generator,
    builder: SceneBuilder,
    centers: Float,
    radii: Float,
    pair: tuple[Material, Material],
    *,
    count: int,
    label: str,
    instance: int | None,
) -> None:
    """Lumps of foliage: dark cores with leaf cards over their surface, light ones above.

    Args:
        rng: Source of chance.
        builder: Where it goes.
        centers: (n, 3) points in the current frame, y down.
        radii: (n, 3) half axes.
        pair: Light and dark leaves.
        count: How many cards; their size follows, so that they cover the lumps whatever their number.
        label: "tree" or "plant".
        instance: Object number.
    """
    builder.mesh(
        *blobs(centers, radii * 0.72, rng.integers(0, 1 << 16, len(centers)), fine=count > 500),
        pair[1], label=label, instance=instance,
    )  # fmt: skip
    area = radii[:, 0] * (radii[:, 0] + 2 * radii[:, 1]) / 3
    owner = rng.choice(len(centers), count, p=area / area.sum())
    outwards = rng.normal(size=(count, 3))
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    place = centers[owner] + outwards * radii[owner] * rng.uniform(0.66, 1.15, (count, 1))
    leaf = np.sqrt(1.0 * 4 * np.pi * float(area.sum()) / (0.35 * count))
    size = leaf * rng.uniform(0.5, 1.4, count)
    corners = cards(place, outwards + rng.normal(0, 0.5, outwards.shape), size, rng.uniform(0, 2 * np.pi, count))
    light = outwards[:, 1] < rng.normal(0.3, 0.5, count)
    for material, chosen in ((pair[0], light), (pair[1], ~light)):
        if chosen.any():
            builder.quads(corners[chosen], material, label=label, instance=instance)


def _cards(detail: float, most: int) -> int:
    return int(np.clip(most * detail, 60, most))


def broadleaf(rng: np.random.Generator, builder: SceneBuilder, plants: Plants, height: float, detail: float) -> None:
    """A broad-leaved tree at the local origin."""
    if plants.bare and rng.uniform() < 0.85:
        bare_tree(rng, builder, plants, height, detail)
        return
    instance = builder.new_instance()
    clear = height * rng.uniform(0.18, 0.42)
    spread = height * rng.uniform(0.22, 0.42)
    tall = (height - clear) / 2
    count = int(np.clip(22 * detail**0.6, 4, 22))
    inner = rng.normal(size=(count, 3))
    inner /= np.linalg.norm(inner, axis=1, keepdims=True)
    inner *= rng.uniform(0.35, 0.75, (count, 1))
    size = rng.uniform(0.3, 0.5, count) * (1.0 + 0.4 * (1 - detail**0.6))
    centers = inner * [spread, tall, spread] + [0, -(clear + tall), 0]
    radii = size[:, None] * np.array([spread, min(tall, spread), spread]) * rng.uniform(0.8, 1.2, (count, 3))
    lean = rng.normal(0, 0.04, 2) * height
    trunk = max(0.06, height * rng.uniform(0.014, 0.028))
    fork = np.array([lean[0] * 0.5, -(clear + 0.4 * tall), lean[1] * 0.5])
    bark = plants.bark[int(rng.integers(len(plants.bark)))]
    builder.mesh(
        *tubes([[0, 0.2, 0]], [fork], trunk * 1.15, trunk * 0.7, sides=9 if detail > 0.3 else 5),
        bark, label="tree", instance=instance,
    )  # fmt: skip
    if detail > 0.2:
        builder.mesh(
            *tubes(np.broadcast_to(fork, centers.shape) * [1, 0.75, 1], centers, trunk * 0.45, trunk * 0.12),
            bark, label="tree", instance=instance,
        )  # fmt: skip
    pair = plants.leaves[int(rng.integers(len(plants.leaves)))]
    crown(rng, builder, centers, radii, pair, count=_cards(detail, 4000), label="tree", instance=instance)


def column_tree(rng: np.random.Generator, builder: SceneBuilder, plants: Plants, height: float, detail: float) -> None:
    """A poplar or a cypress."""
    instance = builder.new_instance()
    count = int(np.clip(14 * detail**0.5, 4, 14))
    along = (np.arange(count) + 0.5) / count
    width = height * rng.uniform(0.07, 0.14)
    profile = width * np.sin(np.pi * (0.12 + 0.86 * along)) ** 0.7
    centers = np.stack(
        [rng.normal(0, 0.2, count) * width, -height * (0.08 + 0.88 * along), rng.normal(0, 0.2, count) * width], 1
    )
    radii = np.stack([profile, np.full(count, height / count), profile], 1)
    builder.mesh(
        *tubes([[0, 0.2, 0]], [[0, -height * 0.3, 0]], width * 0.2, width * 0.15),
        plants.bark[0], label="tree", instance=instance,
    )  # fmt: skip
    pair = plants.needles if rng.uniform() < 0.5 else plants.leaves[0]
    crown(rng, builder, centers, radii, pair, count=_cards(detail, 4000), label="tree", instance=instance)


def conifer(rng: np.random.Generator, builder: SceneBuilder, plants: Plants, height: float, detail: float) -> None:
    """A spruce: whorls of drooping boughs around a dark cone."""
    instance = builder.new_instance()
    spread = height * rng.uniform(0.14, 0.24)
    clear = height * rng.uniform(0.03, 0.18)
    trunk = max(0.05, height * 0.016)
    builder.mesh(
        *tubes([[0, 0.2, 0]], [[0, -height, 0]], trunk, trunk * 0.1, sides=6),
        plants.bark[0], label="tree", instance=instance,
    )  # fmt: skip
    builder.cylinder(
        (0, 0), spread * 0.55, height * 0.96 - clear, plants.needles[1],
        bottom=clear, top_radius=0.02, sides=8, label="tree", instance=instance,
    )  # fmt: skip
    whorls = int(np.clip(18 * detail**0.5, 6, 18))
    boughs = int(np.clip(14 * detail**0.5, 6, 14))
    level = np.repeat((np.arange(whorls) + 0.5) / whorls, boughs) + rng.normal(0, 0.015, whorls * boughs)
    angle = rng.uniform(0, 2 * np.pi, whorls * boughs)
    reach = spread * (1 - np.clip(level, 0, 1)) * rng.uniform(0.75, 1.15, len(level)) + 0.15
    base = clear + level * (height * 0.97 - clear)
    out = np.stack([np.sin(angle), np.zeros_like(angle), np.cos(angle)], 1)
    side = np.stack([np.cos(angle), np.zeros_like(angle), -np.sin(angle)], 1)
    droop = np.minimum(reach * rng.uniform(0.25, 0.6, len(reach)), base)
    width = reach * rng.uniform(0.25, 0.4, len(reach)) * (1.6 if detail < 0.3 else 1.0)
    root = np.stack([np.zeros_like(base), -base, np.zeros_like(base)], 1)
    tip = root + out * reach[:, None] + np.stack([0 * droop, droop, 0 * droop], 1)
    middle = root + out * (0.62 * reach)[:, None] + np.stack([0 * droop, 0.4 * droop, 0 * droop], 1)
    corners = np.stack([root, middle - side * width[:, None], tip, middle + side * width[:, None]], 1)
    light = rng.uniform(size=len(corners)) < 0.6
    builder.quads(corners[light], plants.needles[0], label="tree", instance=instance)
    builder.quads(corners[~light], plants.needles[1], label="tree", instance=instance)


def pine(rng: np.random.Generator, builder: SceneBuilder, plants: Plants, height: float, detail: float) -> None:
    """A tall bare trunk with a crown near its top."""
    instance = builder.new_instance()
    trunk = height * rng.uniform(0.009, 0.016)
    bark = plants.bark[int(rng.integers(len(plants.bark)))]
    lean = rng.normal(0, 0.025, 2) * height
    top = np.array([lean[0], -height * 0.97, lean[1]])
    builder.mesh(
        *tubes([[0, 0.2, 0]], [top], trunk, trunk * 0.3, sides=8 if detail > 0.25 else 5),
        bark, label="tree", instance=instance,
    )  # fmt: skip
    stubs = int(24 * detail)
    if stubs > 2:
        level = rng.uniform(0.2, 0.9, stubs)
        start = level[:, None] * top
        angle = rng.uniform(0, 2 * np.pi, stubs)
        length = rng.uniform(0.3, 1.6, stubs)
        bend = np.stack([np.sin(angle) * length, rng.normal(0, 0.2, stubs) * length, np.cos(angle) * length], 1)
        builder.mesh(*tubes(start, start + bend, 0.035, 0.01, sides=3), bark, label="tree", instance=instance)
    count = int(np.clip(14 * detail**0.5, 4, 14))
    level = rng.uniform(0.62, 1.0, count)
    reach = height * rng.uniform(0.05, 0.11) * np.sqrt(1.15 - level) * 2
    angle = rng.uniform(0, 2 * np.pi, count)
    centers = level[:, None] * top + np.stack([np.sin(angle) * reach, 0 * reach, np.cos(angle) * reach], 1)
    wide = height * rng.uniform(0.04, 0.075, count)
    radii = np.stack([wide, wide * 0.55, wide], 1)
    crown(rng, builder, centers, radii, plants.needles, count=_cards(detail, 4000), label="tree", instance=instance)


def bare_tree(rng: np.random.Generator, builder: SceneBuilder, plants: Plants, height: float, detail: float) -> None:
    """A tree in winter: branches that fork."""
    instance = builder.new_instance()
    start, direction = np.array([[0.0, 0.2, 0.0]]), np.array([[0.0, -1.0, 0.0]])
    length, radius = np.array([height * 0.3]), np.array([height * 0.018])
    levels = 6 if detail > 0.6 else 5 if detail > 0.2 else 4
    parts = []
    for level in range(levels):
        end = start + direction * length[:, None]
        parts.append((start, end, radius, radius * 0.72))
        forks = 3 if level < 4 else 2
        owner = np.repeat(np.arange(len(start)), forks)
        bend = rng.normal(0, 0.55, (len(owner), 3))
        direction = direction[owner] + bend + [0, -0.12, 0]
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        start = end[owner] - direction * 0.05 * length[owner, None]
        length = length[owner] * rng.uniform(0.55, 0.85, len(owner))
        # Thinner twigs than a third of a pixel only flicker: they grow with distance.
        radius = np.maximum(radius[owner] * 0.6, 0.004 / max(detail, 0.1))
    joined = [np.concatenate(column) for column in zip(*parts, strict=True)]
    bark = plants.bark[int(rng.integers(len(plants.bark)))]
    builder.mesh(*tubes(*joined, sides=3), bark, label="tree", instance=instance)


def palm(rng: np.random.Generator, builder: SceneBuilder, plants: Plants, height: float, detail: float) -> None:
    """A palm: a bent trunk and arching fronds."""
    instance = builder.new_instance()
    lean = rng.normal(0, 0.12, 2) * height
    steps = np.linspace(0, 1, 6)
    points = np.stack([lean[0] * steps**2, -height * steps, lean[1] * steps**2], 1)
    builder.mesh(*tubes(points[:-1], points[1:], 0.2, 0.17, sides=7), plants.bark[0], label="tree", instance=instance)
    fronds = int(np.clip(26 * detail**0.4, 10, 26))
    reach = height * rng.uniform(0.2, 0.35)
    angle = np.arange(fronds) * 2.4 + rng.normal(0, 0.15, fronds)
    rise = rng.uniform(-0.5, 0.9, fronds)
    t = np.linspace(0, 1, 6)[None]
    out = reach * t * np.ones((fronds, 1))
    lift = reach * (rise[:, None] * t - 0.9 * t**2)
    width = 0.5 * np.sin(np.pi * np.clip(t * 0.92 + 0.06, 0, 1)) * np.ones((fronds, 1))
    s, c = np.sin(angle)[:, None], np.cos(angle)[:, None]
    spine = np.stack([points[-1, 0] + out * s, points[-1, 1] - lift, points[-1, 2] + out * c], -1)
    side = np.stack([c * width, 0.5 * np.abs(width), -s * width], -1)
    pair = plants.leaves[int(rng.integers(len(plants.leaves)))]
    for frond in range(fronds):
        mesh = grid(np.stack([spine[frond] - side[frond] * [1, -1, 1], spine[frond], spine[frond] + side[frond]]))
        builder.mesh(*mesh, pair[frond % 2], label="tree", instance=instance)


def bush(rng: np.random.Generator, builder: SceneBuilder, plants: Plants, height: float, detail: float) -> None:
    """A bush at the local origin."""
    if plants.bare and rng.uniform() < 0.4:
        bare_tree(rng, builder, plants, height, min(detail, 0.6))
        return
    instance = builder.new_instance()
    count = int(np.clip(8 * detail**0.5, 2, 8))
    spread = height * rng.uniform(0.5, 1.0)
    angle, reach = rng.uniform(0, 2 * np.pi, count), spread * rng.uniform(0.1, 0.8, count)
    size = height * rng.uniform(0.32, 0.5, count)
    centers = np.stack([np.sin(angle) * reach, -size * rng.uniform(0.7, 1.3, count), np.cos(angle) * reach], 1)
    radii = size[:, None] * rng.uniform(0.85, 1.2, (count, 3))
    pair = plants.leaves[int(rng.integers(len(plants.leaves)))]
    crown(rng, builder, centers, radii, pair, count=_cards(detail, 900), label="plant", instance=instance)


def hedge(
    rng: np.random.Generator,
    builder: SceneBuilder,
    plants: Plants,
    center_xz: tuple[float, float],
    length: float,
    *,
    height: float,
    width: float,
    yaw: float,
    detail: float,
    bottom: float = 0.0,
) -> None:
    """A clipped hedge, its length along local x."""
    instance = builder.new_instance()
    pair = plants.leaves[int(rng.integers(len(plants.leaves)))]
    with builder.placed(*center_xz, yaw=yaw, bottom=bottom):
        builder.box((0, 0), (length, height, width), pair[1], label="plant", instance=instance)
        count = int(np.clip(length * (height * 2 + width) * 60 * detail**2, 40, 2500))
        u, v = rng.uniform(-0.5, 0.5, count) * length, rng.uniform(0, 1, count)
        face = rng.choice(3, count, p=np.array([height, height, width]) / (2 * height + width))
        side = np.where(face == 0, -0.5, 0.5) * width
        z = np.where(face == 2, (v - 0.5) * width, side)
        y = np.where(face == 2, -height, -v * height)
        facing = np.stack([0 * z, np.where(face == 2, -1.0, 0.0), np.where(face == 2, 0.0, np.sign(side))], 1)
        corners = cards(
            np.stack([u, y, z], 1) + 0.04 * rng.normal(size=(count, 3)),
            facing + rng.normal(0, 0.35, (count, 3)),
            0.09 / max(detail, 0.2) * rng.uniform(0.7, 1.4, count),
            rng.uniform(0, 2 * np.pi, count),
        )
        light = rng.uniform(size=count) < 0.6
        builder.quads(corners[light], pair[0], label="plant", instance=instance)
        builder.quads(corners[~light], pair[1], label="plant", instance=instance)


def tufts(
    rng: np.random.Generator, builder: SceneBuilder, material: Material, feet: Float, *, height: float, label: str
) -> None:
    """Grass blades in bunches at (n, 3) points on the ground (y down)."""
    blades = 4
    count = len(feet) * blades
    foot = np.repeat(feet, blades, axis=0) + rng.normal(0, 0.08, (count, 3)) * [1, 0, 1]
    angle = rng.uniform(0, 2 * np.pi, count)
    tall = height * rng.uniform(0.4, 1.3, count)
    away = np.hypot(foot[:, 0], foot[:, 2])
    # Not thinner than half a pixel of the training pictures, or they only flicker.
    side = np.stack([np.cos(angle), 0 * angle, np.sin(angle)], 1) * np.maximum(0.05 * tall, 0.003 * away)[:, None]
    bend = rng.normal(0, 0.45, (count, 3)) * tall[:, None] * [1, 0, 1] + np.stack([0 * tall, -tall, 0 * tall], 1)
    builder.quads(np.stack([foot - side, foot + side, foot + bend, foot + 0.6 * bend], 1), material, label=label)


TREES: dict[str, Callable[[np.random.Generator, SceneBuilder, Plants, float, float], None]] = {
    "broadleaf": broadleaf,
    "conifer": conifer,
    "column": column_tree,
    "pine": pine,
    "palm": palm,
    "bare": bare_tree,
}
"""Kinds of tree: (rng, builder, plants, height, detail), at the local origin."""


def tree(
    rng: np.random.Generator,
    builder: SceneBuilder,
    plants: Plants,
    place: tuple[float, float, float],
    *,
    kind: str,
    height: float,
    distance: float,
    quality: float = 1.0,
) -> None:
    """One tree at (x, ground height, z), as detailed as its distance from the camera and `quality` ask for."""
    detail = detail_at(distance) * quality
    with builder.placed(place[0], place[2], yaw=float(rng.uniform(0, 2 * np.pi)), bottom=place[1]):
        TREES[kind](rng, builder, plants, height, detail)


def far_wood(
    rng: np.random.Generator, builder: SceneBuilder, plants: Plants, feet: Float, heights: Float, *, pointed: bool
) -> None:
    """Many distant trees at once, at (n, 3) points (y down): a lump or a cone each, with ragged edges."""
    group = rng.integers(0, 4, len(feet))
    for index in range(4):
        chosen = group == index
        if not chosen.any():
            continue
        tall, foot = heights[chosen], feet[chosen]
        count = len(tall)
        if pointed:
            pair = plants.needles
            mesh = tubes(foot, foot - np.stack([0 * tall, tall, 0 * tall], 1), tall * 0.2, 0.0, sides=5)
        else:
            pair = plants.leaves[index % len(plants.leaves)]
            centers = foot - np.stack([0 * tall, tall * 0.5, 0 * tall], 1)
            radii = tall[:, None] * np.array([0.45, 0.52, 0.45]) * rng.uniform(0.8, 1.3, (count, 3))
            mesh = blobs(centers, radii * 0.8, rng.integers(0, 99, count), fine=False)
            owner = np.repeat(np.arange(count), 26)
            outwards = rng.normal(size=(len(owner), 3)) - [0, 0.4, 0]
            outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
            place = centers[owner] + outwards * radii[owner] * rng.uniform(0.7, 1.1, (len(owner), 1))
            size = tall[owner] * rng.uniform(0.2, 0.45, len(owner))
            corners = cards(place, outwards, size, rng.uniform(0, 2 * np.pi, len(owner)))
            builder.quads(corners, pair[0], label="tree")
        builder.mesh(*mesh, pair[1], label="tree")
