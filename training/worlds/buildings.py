"""Buildings: walls with rows of windows, doors, shops, balconies, cornices and roofs.

Local frame of a facade: x along it from -width/2 to width/2, the street on the side of negative z, the wall at z = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.worlds.builder import SceneBuilder
from training.worlds.materials import Material
from training.worlds.palette import any_colour, hsv, variant
from training.worlds.shapes import tubes

Float = NDArray[np.floating]
Rng = np.random.Generator


@dataclass(frozen=True, eq=False)
class Style:
    """How one building looks.

    Attributes:
        wall: Its walls.
        trim: Cornices, frames around windows, plinth.
        frame: Window frames.
        panes: Glass: dark ones first, the lit one last.
        shop: Shop windows' glass.
        roof: Roof covering.
        leaf: Doors and shutters.
        metal: Railings.
        storey: Metres from floor to floor.
        ground_floor: Height of the lowest floor.
        bay: Metres from window to window.
        window: Width and height of a window.
        has_shutters, has_balconies, has_shops: What there is.
        top: "flat", "gable" or "hip".
        lit: Share of lit windows.
    """

    wall: Material
    trim: Material
    frame: Material
    panes: tuple[Material, ...]
    shop: Material
    roof: Material
    leaf: Material
    metal: Material
    storey: float
    ground_floor: float
    bay: float
    window: tuple[float, float]
    has_shutters: bool
    has_balconies: bool
    has_shops: bool
    top: str
    lit: float


def random_style(rng: Rng, *, is_night: bool, shops: float = 0.5, old: float = 0.6) -> Style:
    """A style: old or new, plastered, of brick, stone or concrete.

    Args:
        rng: Source of chance.
        is_night: Windows and shops are lit.
        shops: Chance of shops on the ground floor.
        old: Chance of an old house.
    """
    is_old = rng.uniform() < old
    kind = str(rng.choice(["plaster", "bricks", "stone", "concrete"], p=[0.55, 0.2, 0.15, 0.1]))
    if kind == "plaster":
        hue, saturation = rng.choice([0.08, 0.10, 0.12, 0.13, 0.03, 0.58]), 0.65 * rng.beta(1.2, 3)
        wall = Material(hsv(hue, saturation, rng.uniform(0.6, 0.97)), "plaster", scale=5.0, wear=0.2)
    elif kind == "bricks":
        wall = Material(
            hsv(rng.uniform(0.01, 0.08), rng.uniform(0.3, 0.65), rng.uniform(0.4, 0.75)),
            variant(rng, "bricks"),
            scale=1.6,
            contrast=0.9,
            wear=0.2,
        )
    elif kind == "stone":
        wall = Material(
            hsv(rng.uniform(0.07, 0.13), rng.uniform(0.1, 0.35), rng.uniform(0.6, 0.9)),
            variant(rng, "blocks"),
            scale=3.0,
            contrast=0.8,
            wear=0.4,
        )
    else:
        grey = rng.uniform(0.25, 0.6)
        wall = Material((grey, grey, grey * 0.97), "concrete", scale=4.0, wear=0.4)
    bright = rng.uniform(0.4, 0.85)
    trim = Material((bright, bright * 0.97, bright * 0.92), "plaster", scale=3.0)
    frame = Material(hsv(0.08, 0.4, 0.25) if rng.uniform() < 0.3 else hsv(0.1, 0.03, rng.choice([0.25, 0.9, 0.95])))
    glow = rng.uniform(0.5, 2.0) * np.array(rng.choice([(1.0, 0.72, 0.42), (1.0, 0.85, 0.65), (0.8, 0.9, 1.0)]))
    warm = (float(glow[0]), float(glow[1]), float(glow[2]))
    dark = [
        Material((0.02 + 0.05 * i, 0.022 + 0.05 * i, 0.026 + 0.05 * i), gloss=g, roughness=0.01)
        for i, g in enumerate((0.12, 0.25, 0.08))
    ]
    curtain = Material(hsv(0.1, 0.1, rng.uniform(0.4, 0.8)), gloss=0.06, roughness=0.02)
    lit = Material((0.7, 0.6, 0.5), "clouds", scale=1.5, emission=warm if is_night else (0.0, 0.0, 0.0), gloss=0.04)
    shop_light = tuple(float(c) * (1.5 if is_night else 0.12) for c in warm)
    return Style(
        wall=wall,
        trim=trim,
        frame=frame,
        panes=(dark[0], dark[1], dark[2], curtain, lit),
        shop=Material(
            (0.25, 0.22, 0.2),
            variant(rng, "books"),
            scale=4.0,
            contrast=0.7,
            gloss=0.1,
            roughness=0.01,
            emission=(shop_light[0], shop_light[1], shop_light[2]),
        ),
        roof=Material(
            hsv(*((0.03, 0.55, 0.5) if rng.uniform() < 0.5 else (0.6, 0.08, rng.uniform(0.2, 0.45)))),
            "roof_tiles",
            scale=3.0,
        ),
        leaf=Material(any_colour(rng, bright=(0.15, 0.6)), "panelling", scale=1.5),
        metal=Material((0.03, 0.03, 0.035), gloss=0.04, roughness=0.3),
        storey=float(rng.uniform(3.1, 4.0) if is_old else rng.uniform(2.7, 3.4)),
        ground_floor=float(rng.uniform(3.4, 5.0) if is_old else rng.uniform(2.8, 4.2)),
        bay=float(rng.uniform(2.2, 3.6)),
        window=(
            float(rng.uniform(0.9, 1.5) if is_old else rng.uniform(1.0, 2.1)),
            float(rng.uniform(1.6, 2.3) if is_old else rng.uniform(1.2, 1.9)),
        ),
        has_shutters=bool(is_old and rng.uniform() < 0.3),
        has_balconies=bool(rng.uniform() < 0.35),
        has_shops=bool(rng.uniform() < shops),
        top=str(rng.choice(["flat", "gable", "hip"], p=[0.25, 0.45, 0.3] if is_old else [0.8, 0.1, 0.1])),
        lit=float(rng.uniform(0.1, 0.6)) if is_night else 0.0,
    )


def rectangles(x: Float, height: Float, z: float, half_width: float, half_height: float) -> Float:
    """(n, 4, 3) upright rectangles about (x, height) in the plane z."""
    corners = np.empty((len(x), 4, 3))
    corners[..., 0] = np.asarray(x)[:, None] + half_width * np.array([-1, 1, 1, -1])
    corners[..., 1] = -np.asarray(height)[:, None] + half_height * np.array([-1, -1, 1, 1])
    corners[..., 2] = z
    return corners


def facade(rng: Rng, builder: SceneBuilder, style: Style, width: float, floors: int, *, entrance: bool) -> None:
    """What is on a wall: everything but the wall."""
    bays = max(1, int((width - 0.8) / style.bay))
    centers = (np.arange(bays) - (bays - 1) / 2) * style.bay
    storeys = np.arange(floors - 1)
    half_h = style.window[1] / 2
    sill = style.ground_floor + storeys * style.storey + 0.85 + half_h
    x, h = (grid.ravel() for grid in np.meshgrid(centers, sill))
    if len(x):
        _windows(rng, builder, style, x, h)
        if style.has_balconies:
            _balconies(rng, builder, style, centers, style.ground_floor + storeys * style.storey)
    if style.has_shops and entrance:
        _shops(rng, builder, style, width)
    else:
        low = np.full(bays, max(1.0, 0.26 * style.ground_floor) + half_h)
        door = int(rng.integers(bays)) if entrance else -1
        keep = np.arange(bays) != door
        if keep.any():
            _windows(rng, builder, style, centers[keep], low[keep])
        if entrance:
            _door(builder, style, float(centers[door]), float(rng.uniform(2.0, 2.6)), float(rng.uniform(0.9, 1.5)))
    top = style.ground_floor + (floors - 1) * style.storey
    for level, deep, tall in ((style.ground_floor - 0.15, 0.12, 0.25), (top - 0.35, 0.3, 0.4)):
        if rng.uniform() < 0.7:
            builder.box((0, -deep / 2), (width, tall, deep), style.trim, bottom=level, label="building")


def _windows(rng: Rng, builder: SceneBuilder, style: Style, x: Float, h: Float) -> None:
    half_w, half_h = style.window[0] / 2, style.window[1] / 2
    builder.quads(rectangles(x, h, -0.02, half_w + 0.14, half_h + 0.14), style.trim, label="building")
    builder.quads(rectangles(x, h, -0.03, half_w, half_h), style.frame, label="building")
    kinds = len(style.panes)
    chances = np.array([0.4, 0.2, 0.25, 0.15, 0.0]) * (1 - style.lit)
    chances[-1] = style.lit
    kind = rng.choice(kinds, len(x), p=chances / chances.sum())
    pane_w, pane_h = half_w / 2 - 0.06, half_h - 0.07
    for index in range(kinds):
        chosen = kind == index
        if chosen.any():
            both = np.concatenate([x[chosen] - half_w / 2, x[chosen] + half_w / 2])
            twice = np.concatenate([h[chosen], h[chosen]])
            builder.quads(rectangles(both, twice, -0.04, pane_w, pane_h), style.panes[index], label="building")
    ledge = np.stack([x - half_w - 0.1, -(h - half_h), 0 * x - 0.05], 1)
    builder.mesh(*tubes(ledge, ledge + np.array([2 * half_w + 0.2, 0, 0]), 0.09, 0.09), style.trim, label="building")
    if style.has_shutters:
        wide = half_w / 2
        both = np.concatenate([x - half_w - wide - 0.05, x + half_w + wide + 0.05])
        corners = rectangles(both, np.concatenate([h, h]), -0.06, wide, half_h)
        builder.quads(corners, style.leaf, label="building")


def _balconies(rng: Rng, builder: SceneBuilder, style: Style, centers: Float, levels: Float) -> None:
    columns = centers[rng.uniform(size=len(centers)) < 0.5]
    half, deep = style.bay * float(rng.uniform(0.35, 0.48)), float(rng.uniform(0.6, 1.3))
    solid = rng.uniform() < 0.3
    for level in levels:
        for x in columns:
            builder.box((x, -deep / 2), (2 * half, 0.15, deep), style.trim, bottom=level - 0.1, label="building")
            if solid:
                builder.box((x, -deep), (2 * half, 1.0, 0.08), style.trim, bottom=level, label="building")
    if solid or not len(columns):
        return
    x, h = (grid.ravel() for grid in np.meshgrid(columns, levels))
    corners = np.stack([x - half, -h - 1.0, np.full_like(x, -deep)], 1)
    rails = [tubes(corners, corners + np.array([2 * half, 0, 0]), 0.03, 0.03, sides=3)]
    for side in (0, 2 * half):
        rails.append(tubes(corners + np.array([side, 0, 0]), corners + np.array([side, 0, deep]), 0.03, 0.03, sides=3))
    bars = (corners[:, None] + np.linspace([0.0, 0, 0], [2 * half, 0, 0], 9)[None]).reshape(-1, 3)
    rails.append(tubes(bars, bars + np.array([0, 1.0, 0]), 0.015, 0.015, sides=3))
    for mesh in rails:
        builder.mesh(*mesh, style.metal, label="building")


def _shops(rng: Rng, builder: SceneBuilder, style: Style, width: float) -> None:
    """Shop windows between piers, with doors, a sign band and now and then awnings."""
    tall = style.ground_floor - float(rng.uniform(0.6, 1.1))
    count = max(1, round(width / float(rng.uniform(2.8, 5.0))))
    span = width / count
    x = (np.arange(count) - (count - 1) / 2) * span
    half = span / 2 - 0.25
    door = rng.uniform(size=count) < 0.35
    builder.quads(
        rectangles(x, np.full(count, tall / 2 + 0.15), -0.02, half + 0.08, tall / 2), style.frame, label="building"
    )
    panes = rectangles(x, np.full(count, tall / 2 + 0.2), -0.05, half, tall / 2 - 0.15)
    for center, pane, is_door in zip(x, panes, door, strict=True):
        builder.quad(pane, style.shop, label="windowpane", instance=builder.new_instance(), fit=False)
        if is_door:
            _door(builder, style, float(center), min(2.3, tall), 0.95, glazed=True)
    colour = Material(any_colour(rng, bright=(0.1, 0.9)))
    if rng.uniform() < 0.7:
        band = style.ground_floor - tall - 0.25
        builder.box(
            (0, -0.08),
            (width * float(rng.uniform(0.6, 0.98)), max(band, 0.3), 0.15),
            colour,
            bottom=tall + 0.15,
            label="building",
        )
    if rng.uniform() < 0.35:
        deep = float(rng.uniform(0.8, 1.6))
        cloth = Material(any_colour(rng), variant(rng, "stripes"), scale=1.0)
        corners = np.empty((count, 4, 3))
        corners[..., 0] = x[:, None] + half * np.array([-1, 1, 1, -1])
        corners[..., 1] = -np.array([tall + 0.3, tall + 0.3, tall - 0.35, tall - 0.35])
        corners[..., 2] = -np.array([0.1, 0.1, deep, deep])
        builder.quads(corners, cloth, label="building")


def _door(builder: SceneBuilder, style: Style, x: float, tall: float, wide: float, *, glazed: bool = False) -> None:
    instance = builder.new_instance()
    half = wide / 2
    frame = rectangles(np.array([x]), np.array([tall / 2]), -0.06, half + 0.12, tall / 2 + 0.1)
    builder.quads(frame, style.trim, label="building")
    builder.quads(
        rectangles(np.array([x]), np.array([tall / 2]), -0.08, half, tall / 2),
        style.leaf,
        label="door",
        instance=instance,
    )
    if glazed:
        pane = rectangles(np.array([x]), np.array([tall * 0.55]), -0.1, half * 0.75, tall * 0.4)
        builder.quads(pane, style.panes[1], label="door", instance=instance)


def roof(rng: Rng, builder: SceneBuilder, style: Style, width: float, depth: float, *, eaves: float) -> None:
    """The roof of a house whose front is at z = 0 and whose back at z = depth."""
    if style.top == "flat":
        for z in (0.15, depth - 0.15):
            builder.box((0, z), (width, 0.6, 0.3), style.trim, bottom=eaves, label="building")
        if rng.uniform() < 0.5:
            size = (width * 0.3, float(rng.uniform(1.5, 3)), depth * 0.3)
            builder.box(
                (float(rng.uniform(-0.25, 0.25)) * width, depth / 2), size, style.wall, bottom=eaves, label="building"
            )
        return
    tall = depth * float(rng.uniform(0.25, 0.5))
    half, over = width / 2, 0.35
    inset = 0.0 if style.top == "gable" else min(depth / 2, half * 0.8)
    corners = np.array([[-half, 0, -over], [half, 0, -over], [half, 0, depth + over], [-half, 0, depth + over]])
    ridge = np.array([[-half + inset, -tall, depth / 2], [half - inset, -tall, depth / 2]])
    vertices = np.concatenate([corners, ridge]) - [0, eaves, 0]
    builder.mesh(vertices, [[0, 1, 5], [0, 5, 4], [2, 3, 4], [2, 4, 5]], style.roof, label="building")
    side = style.wall if style.top == "gable" else style.roof
    builder.mesh(vertices, [[1, 2, 5], [3, 0, 4]], side, label="building")
    for _ in range(int(rng.integers(0, 4))):
        x, z = float(rng.uniform(-0.4, 0.4)) * width, depth * float(rng.uniform(0.3, 0.7))
        builder.box((x, z), (0.6, tall * 0.6 + 1.2, 0.6), style.trim, bottom=eaves + tall * 0.4, label="building")
    if rng.uniform() < 0.4 and width > 7:
        count = int(width / 3.5)
        for x in (np.arange(count) - (count - 1) / 2) * 3.5:
            builder.box(
                (x, depth * 0.2), (1.5, 1.5, depth * 0.25), style.trim, bottom=eaves + 0.15 * tall, label="building"
            )
            builder.quads(
                rectangles(np.array([x]), np.array([eaves + 0.15 * tall + 0.85]), depth * 0.075 - 0.03, 0.5, 0.5),
                style.panes[0],
                label="building",
            )


def house(
    rng: Rng, builder: SceneBuilder, style: Style, width: float, *, depth: float, floors: int, freestanding: bool
) -> None:
    """A house with its front at local z = 0; a freestanding one has windows on all sides."""
    eaves = style.ground_floor + (floors - 1) * style.storey
    builder.box((0, depth / 2), (width, eaves, depth), style.wall, label="building")
    builder.box((0, depth / 2), (width + 0.1, 0.5, depth + 0.1), style.trim, label="building")
    facade(rng, builder, style, width, floors, entrance=True)
    if freestanding:
        for x, z, yaw, wide in (
            (width / 2, depth / 2, -np.pi / 2, depth),
            (-width / 2, depth / 2, np.pi / 2, depth),
            (0.0, depth, np.pi, width),
        ):
            with builder.placed(x, z, yaw=yaw):
                facade(rng, builder, style, wide, floors, entrance=False)
    roof(rng, builder, style, width, depth, eaves=eaves)


def tower_block(rng: Rng, builder: SceneBuilder, width: float, depth: float, tall: float) -> None:
    """A high-rise, seen from some distance: its windows are a pattern."""
    if rng.uniform() < 0.4:
        wall = Material(
            (1.0, 1.0, 1.0), variant(rng, "curtain_wall"), scale=float(rng.uniform(12, 20)), gloss=0.08, roughness=0.02
        )
    else:
        colour = hsv(rng.choice([0.03, 0.08, 0.11, 0.6]), 0.5 * rng.beta(1.2, 4), rng.uniform(0.5, 0.95))
        wall = Material(colour, variant(rng, "facade"), scale=float(rng.uniform(9, 14)), gloss=0.02)
    builder.box((0, depth / 2), (width, tall, depth), wall, label="building")
    cap = Material(hsv(0.1, 0.05, rng.uniform(0.3, 0.7)))
    builder.box((0, depth / 2), (width * 0.5, 3, depth * 0.5), cap, bottom=tall, label="building")
    if rng.uniform() < 0.3:
        builder.box((width * 0.3, depth * 0.4), (width * 0.7, tall * 0.4, depth * 1.1), wall, label="building")
