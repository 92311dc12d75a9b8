"""Lamps on ceilings and walls: their bodies and the light that they give."""

from __future__ import annotations

import numpy as np

from training.worlds.builder import SceneBuilder
from training.worlds.lighting import Lamp, Rgb
from training.worlds.materials import Material, triple
from training.worlds.palette import hsv
from training.worlds.rooms import Float, Room, clearance, inside

Rng = np.random.Generator
KINDS = ("pendant", "panels", "tubes", "spots", "bulb", "chandelier", "globe")


def lamp_colour(rng: Rng) -> Rgb:
    """Colour of a light source, warm to cold, 1 on average."""
    warm = rng.beta(1.5, 1.5)
    red, green, blue = 1 + 0.55 * warm, 1.0 + 0.05 * warm, 1 - 0.6 * warm + 0.15 * (1 - warm)
    mean = (red + green + blue) / 3
    return (red / mean, green / mean, blue / mean)


def ceiling_lamps(
    builder: SceneBuilder, rng: Rng, room: Room, kind: str, power: float, *, base: float = 0.0, tint: Rgb | None = None
) -> list[Lamp]:
    """Lamps of one kind, spread over a room, that add up to a power.

    Args:
        builder: Takes their bodies.
        rng: Random numbers.
        room: Where they hang.
        kind: One of `KINDS`.
        power: Irradiance at one metre of all of them together.
        base: Height of the room's floor.
        tint: Colour, 1 on average; None: drawn.

    Returns:
        The light sources.
    """
    spots = _spots(
        rng,
        room,
        {"pendant": 9.0, "panels": 7.0, "tubes": 8.0, "spots": 2.5, "bulb": 14.0, "chandelier": 30.0, "globe": 12.0}[
            kind
        ],
    )
    tint = tint or lamp_colour(rng)
    each = triple(power / len(spots) * channel for channel in tint)
    # Radiance of the bodies: bright enough to be blown out beside what they light.
    glow = Material((1, 1, 1), emission=triple(3.0 * channel for channel in tint))
    off = rng.random(len(spots)) < (0.1 if len(spots) > 2 else 0.0)
    lamps = []
    size = rng.random()
    drop = room.height * rng.uniform(0.12, 0.35)
    turn = rng.choice([0.0, np.pi / 2])
    for (x, z), dark in zip(spots, off, strict=True):
        body = Material((0.7, 0.7, 0.7)) if dark else glow
        reach = _hang(builder, rng, (float(x), float(z)), room, kind, size, drop, float(turn), body)
        if not dark:
            lamps.append(_light((float(x), base, float(z)), room, kind, size, reach, float(turn), each))
    return lamps


def _spots(rng: Rng, room: Room, area_each: float) -> Float:
    """Places (n, 2) on a grid within the room."""
    low, high = room.plan.min(0), room.plan.max(0)
    span = high - low
    step = np.sqrt(area_each) * rng.uniform(0.8, 1.3)
    counts = np.maximum(1, np.minimum(np.round(span / step), 7)).astype(int)
    x, z = ((np.arange(n) + 0.5) / n for n in counts)
    points: Float = low + span * np.stack(np.meshgrid(x, z), -1).reshape(-1, 2)
    good: Float = points[inside(room.plan, points) & (clearance(room.plan, points) > 0.25)]
    if len(good):
        return good
    middle: Float = room.plan.mean(0)[None]
    return middle


def _hang(
    builder: SceneBuilder,
    rng: Rng,
    at: tuple[float, float],
    room: Room,
    kind: str,
    size: float,
    drop: float,
    turn: float,
    body: Material,
) -> float:
    """Build a lamp's body; returns how far below the ceiling its light is."""
    tag = builder.tag("lamp")
    top = room.height
    if kind == "panels":
        builder.box(at, (0.3 + 0.9 * size, 0.02, 0.6), body, bottom=top - 0.02, yaw=turn, **tag)
        return 0.04
    if kind == "tubes":
        hang = 0.02 + 0.6 * (size > 0.6)
        length = 0.8 + 1.2 * size
        builder.box(at, (length, 0.06, 0.14), room.palette.white, bottom=top - hang - 0.06, yaw=turn, **tag)
        builder.box(at, (length - 0.04, 0.04, 0.1), body, bottom=top - hang - 0.1, yaw=turn, **tag)
        return hang + 0.12
    if kind == "spots":
        builder.cylinder(at, 0.04 + 0.05 * size, 0.015, body, bottom=top - 0.012, sides=10, **tag)
        return 0.03
    if kind == "globe":
        radius = 0.1 + 0.15 * size
        builder.sphere((at[0], top - 0.6 * radius, at[1]), (radius, radius * 0.6, radius), body, fine=True, **tag)
        return radius * 1.3
    builder.cylinder(at, 0.006, drop, room.palette.black, bottom=top - drop, sides=5, **tag)
    if kind == "bulb":
        builder.sphere((at[0], top - drop - 0.05, at[1]), 0.05, body, **tag)
        return drop + 0.12
    if kind == "chandelier":
        arms = int(5 + 4 * size)
        radius = 0.25 + 0.4 * size
        for arm in range(arms):
            with builder.placed(at[0], at[1], yaw=arm * 2 * np.pi / arms):
                builder.box((0, radius / 2), (0.02, 0.02, radius), room.palette.metal, bottom=top - drop - 0.02, **tag)
                builder.cylinder((0, radius), 0.012, 0.1, room.palette.white, bottom=top - drop, sides=6, **tag)
                builder.sphere((0, top - drop + 0.13, radius), (0.025, 0.05, 0.025), body, **tag)
        return drop
    wide = 0.14 + 0.25 * size
    shade = room.palette.fabric if rng.random() < 0.5 else room.palette.metal
    builder.cylinder(at, wide, 0.24, shade, bottom=top - drop - 0.2, top_radius=wide * 0.4, sides=16, **tag)
    builder.cylinder(at, wide * 0.85, 0.02, body, bottom=top - drop - 0.22, sides=16, **tag)
    return drop + 0.26


def _light(
    at: tuple[float, float, float], room: Room, kind: str, size: float, reach: float, turn: float, power: Rgb
) -> Lamp:
    center = (at[0], -(at[1] + room.height - reach), at[2])
    along = (float(np.cos(turn)), 0.0, -float(np.sin(turn)))
    across = (float(np.sin(turn)), 0.0, float(np.cos(turn)))
    down = (0.0, 1.0, 0.0)
    if kind == "panels":
        half = 0.15 + 0.45 * size
        return Lamp(center, power, triple(half * a for a in along), triple(0.3 * a for a in across), down)
    if kind == "tubes":
        half = 0.4 + 0.6 * size
        return Lamp(center, power, triple(half * a for a in along), triple(0.05 * a for a in across), down, 0.7)
    if kind == "spots":
        return Lamp(center, power, (0.05, 0.0, 0.0), (0.0, 0.0, 0.05), down, 2.5)
    if kind == "pendant":
        return Lamp(center, power, (0.1, 0.0, 0.0), (0.0, 0.0, 0.1), down, 1.0)
    half = 0.4 if kind == "chandelier" else 0.1
    return Lamp(center, power, (half, 0.0, 0.0), (0.0, 0.0, half))


def wall_lamp(builder: SceneBuilder, x: float, height: float, power: float, tint: Rgb) -> Lamp:
    """A sconce in a wall's frame (x along it, z out), and its light in the ground frame."""
    tag = builder.tag("lamp")
    glow = Material((1, 1, 1), emission=triple(2.5 * channel for channel in tint))
    builder.box((x, -0.05), (0.06, 0.12, 0.08), Material(hsv(0.12, 0.4, 0.5), gloss=0.1), bottom=height - 0.1, **tag)
    builder.cylinder((x, -0.12), 0.05, 0.14, glow, bottom=height, top_radius=0.08, sides=10, **tag)
    center = builder.to_ground([x, -height - 0.07, -0.14])
    return Lamp(
        triple(float(c) for c in center), triple(power * channel for channel in tint), (0.04, 0, 0), (0, 0, 0.04)
    )
