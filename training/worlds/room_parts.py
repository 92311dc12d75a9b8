"""Parts of buildings inside a room: columns, beams, trusses, ducts, stairs, platforms, skylights, backdrops."""

from __future__ import annotations

import numpy as np

from training.worlds.builder import SceneBuilder
from training.worlds.lighting import Lamp
from training.worlds.materials import Material
from training.worlds.palette import Palette, any_colour, hsv
from training.worlds.placement import Floorplan
from training.worlds.rooms import Room, clearance, inside
from training.worlds.shapes import polyline_tubes, tubes

Rng = np.random.Generator
Size = tuple[float, float, float]


def columns(builder: SceneBuilder, rng: Rng, room: Room, floor: Floorplan) -> None:
    """A grid of columns or pillars that avoids the camera and the doors."""
    low, high = room.plan.min(0), room.plan.max(0)
    step = rng.uniform(2.5, 6.0, 2)
    counts = np.clip(np.round((high - low) / step), 1, 7).astype(int)
    if rng.random() < 0.3:
        counts[int(rng.integers(2))] = 1
    x, z = (low[axis] + (high - low)[axis] * (np.arange(counts[axis]) + 0.5) / counts[axis] for axis in range(2))
    points = np.stack(np.meshgrid(x, z), -1).reshape(-1, 2)
    wide = float(rng.uniform(0.08, 0.2) if rng.random() < 0.3 else rng.uniform(0.25, 0.7))
    points = points[inside(room.plan, points) & (clearance(room.plan, points) > wide)]
    palette = room.palette
    material = [palette.wall, palette.accent, palette.trim, palette.metal, palette.wood][int(rng.integers(5))]
    turned, moulded = rng.random() < 0.5, rng.random() < 0.4
    for x0, z0 in points:
        corners = np.array(
            [[x0 - wide, z0 - wide], [x0 + wide, z0 - wide], [x0 + wide, z0 + wide], [x0 - wide, z0 + wide]]
        )
        if not floor.take(corners):
            continue
        tag = builder.tag("column")
        if turned:
            builder.cylinder(
                (x0, z0), wide / 2, room.height, material, sides=18, top_radius=wide * rng.uniform(0.4, 0.5), **tag
            )
        else:
            builder.box((x0, z0), (wide, room.height, wide), material, **tag)
        if moulded:
            for bottom, high_part, more in (
                (0.0, 0.18, 0.12),
                (room.height - 0.2, 0.2, 0.14),
                (room.height - 0.36, 0.1, 0.06),
            ):
                builder.box((x0, z0), (wide + more, high_part, wide + more), material, bottom=bottom, **tag)


def sloped_ceiling(builder: SceneBuilder, rng: Rng, room: Room) -> bool:
    """Sometimes a gable, a shed or a vault, built inside the walls; returns whether it was built."""
    kind = rng.choice(["flat", "shed", "gable", "vault", "barrel"], p=[0.82, 0.04, 0.06, 0.04, 0.04])
    if kind == "flat" or room.height < 2.4:
        return False
    low, high = room.plan.min(0) - 0.05, room.plan.max(0) + 0.05
    across = 0 if rng.random() < 0.5 else 1
    span = np.linspace(0.0, 1.0, 2 if kind == "shed" else 3 if kind == "gable" else 17)
    holes = [opening.top for openings in room.openings.values() for opening in openings]
    eaves = max(room.height * rng.uniform(0.6, 0.85), max(holes, default=0.0) + 0.1)
    if eaves > room.height - 0.3:
        return False
    rise = room.height - eaves
    shape = {"shed": span, "gable": 1 - np.abs(2 * span - 1)}.get(
        str(kind), np.sqrt(np.maximum(1 - (2 * span - 1) ** 2, 0))
    )
    corners = np.empty((len(span) - 1, 4, 3))
    place = low[across] + span * (high[across] - low[across])
    other = 1 - across
    axis, cross = (0, 2) if across == 0 else (2, 0)
    level = -(eaves + rise * shape)
    for corner, (index, end) in enumerate(
        ((slice(None, -1), low), (slice(1, None), low), (slice(1, None), high), (slice(None, -1), high))
    ):
        corners[:, corner, axis], corners[:, corner, 1], corners[:, corner, cross] = (
            place[index],
            level[index],
            end[other],
        )
    builder.quads(corners, room.palette.ceiling, label="ceiling")
    return True


def beams(builder: SceneBuilder, rng: Rng, room: Room) -> None:
    """Beams below the ceiling, one way or both."""
    low, high = room.plan.min(0), room.plan.max(0)
    palette = room.palette
    material = palette.wood if rng.random() < 0.5 else palette.ceiling if rng.random() < 0.5 else palette.metal
    deep = min(rng.uniform(0.08, 0.5), room.height * 0.09)
    wide = deep * rng.uniform(0.5, 1.0)
    both = rng.random() < 0.2
    first = int(rng.integers(2))
    step = rng.uniform(0.5, 1.2) if rng.random() < 0.4 else rng.uniform(1.5, 4.0)
    middle, span = (low + high) / 2, high - low
    for axis in (0, 1) if both else (first,):
        count = int(np.clip(span[axis] / step, 1, 24))
        for index in range(count):
            at = middle.copy()
            at[axis] = low[axis] + span[axis] * (index + 0.5) / count
            size = (wide, deep, span[1]) if axis == 0 else (span[0], deep, wide)
            builder.box(at, size, material, bottom=room.height - deep, label="ceiling")


def trusses(builder: SceneBuilder, rng: Rng, room: Room) -> None:
    """Steel or timber trusses across a hall."""
    low, high = room.plan.min(0), room.plan.max(0)
    axis = int(np.argmax(high - low))
    count = int(np.clip((high - low)[axis] / rng.uniform(2.0, 5.0), 1, 10))
    deep, radius = room.height * rng.uniform(0.08, 0.2), rng.uniform(0.03, 0.08)
    panels = max(4, int((high - low)[1 - axis] / rng.uniform(0.8, 1.6)))
    material = room.palette.metal if rng.random() < 0.6 else Material(any_colour(rng))
    across = np.linspace(low[1 - axis], high[1 - axis], panels + 1)
    for index in range(count):
        at = low[axis] + (high - low)[axis] * (index + 0.5) / count
        nodes = np.empty((2, panels + 1, 3))
        nodes[..., 0 if axis == 0 else 2] = at
        nodes[..., 2 if axis == 0 else 0] = across
        nodes[0, :, 1], nodes[1, :, 1] = -(room.height - 0.1), -(room.height - 0.1 - deep)
        zigzag = nodes[np.arange(panels + 1) % 2, np.arange(panels + 1)]
        for line in (nodes[0], nodes[1], zigzag):
            builder.mesh(
                *polyline_tubes(line, radius if line is not zigzag else radius * 0.7, sides=4),
                material,
                label="ceiling",
            )


def ducts(builder: SceneBuilder, rng: Rng, room: Room) -> None:
    """Ventilation ducts and pipes below the ceiling."""
    low, high = room.plan.min(0) + 0.3, room.plan.max(0) - 0.3
    for _ in range(int(rng.integers(1, 5))):
        axis = int(rng.integers(2))
        radius = rng.uniform(0.03, 0.08) if rng.random() < 0.5 else min(rng.uniform(0.12, 0.4), room.height * 0.06)
        start, end = np.empty(3), np.empty(3)
        start[1] = end[1] = -(room.height - radius - rng.uniform(0.02, 0.2))
        start[0 if axis else 2] = end[0 if axis else 2] = rng.uniform(low[0 if axis else 1], high[0 if axis else 1])
        start[2 if axis else 0], end[2 if axis else 0] = low[1 if axis else 0], high[1 if axis else 0]
        material = room.palette.metal if rng.random() < 0.7 else room.palette.white
        builder.mesh(*tubes(start, end, radius, radius, sides=12), material)


def skylights(builder: SceneBuilder, rng: Rng, room: Room, power: float) -> list[Lamp]:
    """Bright panels in the ceiling that let daylight in; they count as windows."""
    low, high = room.plan.min(0), room.plan.max(0)
    rows = int(rng.integers(1, 4))
    size = np.array([rng.uniform(0.8, 3.0), rng.uniform(0.8, 4.0)])
    size = np.minimum(size, (high - low) * 0.4)
    lamps = []
    x = low[0] + (high[0] - low[0]) * (np.arange(rows) + 0.5) / rows
    glow = Material((1, 1, 1), emission=(power * 3, power * 3.1, power * 3.3))
    for x0 in x:
        z0 = (low[1] + high[1]) / 2
        corners = np.array([[x0 - size[0] / 2, z0 - size[1] / 2], [x0 + size[0] / 2, z0 + size[1] / 2]])
        if not inside(room.plan, corners).all():
            continue
        tag = builder.tag("windowpane")
        builder.box((x0, z0), (size[0], 0.02, size[1]), glow, bottom=room.height - 0.02, **tag)
        bars = max(2, int(size[1] / 0.9))
        for z in np.linspace(z0 - size[1] / 2, z0 + size[1] / 2, bars + 1):
            builder.box((x0, z), (size[0], 0.05, 0.05), room.palette.white, bottom=room.height - 0.06, **tag)
        area = float(size[0] * size[1]) * power
        center = (float(x0), -room.height + 0.05, float(z0))
        lamps.append(
            Lamp(center, (area, area * 1.03, area * 1.1), (size[0] / 2, 0, 0), (0, 0, size[1] / 2), (0.0, 1.0, 0.0))
        )
    return lamps


def stairs(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A flight of stairs along local x with a railing, solid or open below."""
    width, height, depth = size
    tag = builder.tag("stairs")
    steps = max(3, round(height / rng.uniform(0.16, 0.2)))
    tread, rise = width / steps, height / steps
    material = palette.wood if rng.random() < 0.5 else palette.floor if rng.random() < 0.5 else palette.wall
    solid = rng.random() < 0.6
    sign = 1 if rng.random() < 0.5 else -1
    for step in range(steps):
        x = sign * (-width / 2 + (step + 0.5) * tread)
        if solid:
            builder.box((x, 0), (tread, (step + 1) * rise, depth), material, **tag)
        else:
            builder.box((x, 0), (tread + 0.04, 0.05, depth), material, bottom=(step + 1) * rise - 0.05, **tag)
    front = depth / 2 - 0.04
    rail = palette.wood2 if rng.random() < 0.5 else palette.black
    for step in range(0, steps, 1 if rng.random() < 0.5 else 2):
        x = sign * (-width / 2 + (step + 0.5) * tread)
        builder.box(
            (x, front), (0.025, 0.9, 0.025), rail, bottom=(step + 1) * rise, label="stairs", instance=tag["instance"]
        )
    line = [
        [sign * (-width / 2 + 0.5 * tread), -rise - 0.9, front],
        [sign * (width / 2 - 0.5 * tread), -height - 0.9, front],
    ]
    builder.mesh(*tubes([line[0]], [line[1]], 0.03, 0.03, sides=6), rail, **tag)
    if not solid:
        for z in (-front, front):
            line = [[-sign * width / 2, -0.1, z], [sign * width / 2, -height + 0.05, z]]
            builder.mesh(*tubes([line[0]], [line[1]], 0.09, 0.09, sides=4), rail, **tag)


def platform(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A stage or a raised part of the floor with one or two steps."""
    width, height, depth = size
    builder.box(
        (0, -0.15), (width, height, depth - 0.3), palette.floor if rng.random() < 0.5 else palette.wood, label="floor"
    )
    builder.box(
        (0, depth / 2 - 0.15), (width * rng.uniform(0.3, 1.0), height / 2, 0.3), palette.wood, **builder.tag("stairs")
    )


def low_wall(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A wall that ends below the ceiling."""
    width, height, depth = size
    builder.box((0, 0), (width, height, depth), palette.wall if rng.random() < 0.6 else palette.accent, label="wall")
    if rng.random() < 0.5:
        builder.box((0, 0), (width + 0.04, 0.04, depth + 0.06), palette.trim, bottom=height, label="wall")


def railing(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A balustrade of bars or with glass."""
    width, height, _ = size
    tag = builder.tag("fence")
    bar = palette.metal if rng.random() < 0.5 else palette.wood
    builder.box((0, 0), (width, 0.05, 0.06), bar, bottom=height - 0.05, **tag)
    builder.box((0, 0), (width, 0.04, 0.04), bar, bottom=0.08, **tag)
    for x in np.arange(-width / 2 + 0.03, width / 2, rng.choice([0.11, 0.14, 0.6])):
        builder.box((float(x), 0), (0.025, height - 0.05, 0.025), bar, **tag)


def fireplace(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A chimney breast with a mantelpiece and a dark opening."""
    width, height, depth = size
    breast = palette.accent if rng.random() < 0.5 else palette.wall
    builder.box((0, 0), (width, height, depth), breast, label="wall")
    instance = builder.new_instance()
    builder.box((0, depth / 2 + 0.05), (width * 0.85, 1.05, 0.1), palette.trim, instance=instance)
    builder.box((0, depth / 2 + 0.08), (width * 0.95, 0.06, 0.24), palette.trim, bottom=1.05, instance=instance)
    builder.box(
        (0, depth / 2 + 0.055), (width * 0.5, 0.75, 0.1), Material((0.02, 0.02, 0.02), "mottle/0"), instance=instance
    )


def backdrop(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """Studio paper: hangs from a bar and runs out over the floor in a curve."""
    width, height, depth = size
    paper = Material((0.9, 0.9, 0.9) if rng.random() < 0.6 else any_colour(rng))
    radius = min(0.6, depth * 0.4)
    angle = np.linspace(0, np.pi / 2, 9)
    z = np.concatenate([[-depth / 2 + 0.1], -depth / 2 + 0.1 + radius * (1 - np.cos(angle)), [depth / 2]])
    y = np.concatenate([[-height], -0.004 - radius * (1 - np.sin(angle)), [-0.004]])
    half = width / 2
    for index in range(len(z) - 1):
        corners = [
            [-half, y[index], z[index]],
            [half, y[index], z[index]],
            [half, y[index + 1], z[index + 1]],
            [-half, y[index + 1], z[index + 1]],
        ]
        steep = abs(y[index + 1] - y[index]) > abs(z[index + 1] - z[index])
        builder.quad(corners, paper, label="wall" if steep else "floor")
    builder.mesh(
        *tubes([[-half - 0.2, -height, z[0]]], [[half + 0.2, -height, z[0]]], 0.04, 0.04, sides=8), palette.metal
    )
    for x in (-half - 0.1, half + 0.1):
        builder.box((x, z[0]), (0.03, height, 0.03), palette.black)


def board(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A blackboard or whiteboard on the wall."""
    width, height, depth = size
    tone = hsv(0.4, 0.3, 0.25) if rng.random() < 0.5 else (0.85, 0.86, 0.86)
    instance = builder.new_instance()
    builder.box(
        (0, -depth / 2 + 0.02),
        (width, height - 0.9, 0.03),
        Material(tone, "mottle/0", 2.0, 0.3, gloss=0.02),
        bottom=0.9,
        instance=instance,
    )
    builder.box((0, -depth / 2 + 0.05), (width, 0.03, 0.09), palette.metal, bottom=0.87, instance=instance)
