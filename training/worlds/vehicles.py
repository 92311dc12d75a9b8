"""Cars, vans, buses, lorries and bicycles, built from parts; local z points forward, the wheels stand on the ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.worlds.builder import SceneBuilder
from training.worlds.materials import Material
from training.worlds.palette import any_colour
from training.worlds.shapes import extruded_profile, polyline_tubes, tubes

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CarParts:
    """Materials that all cars of a world share.

    Attributes:
        glass: Windows.
        tyre: Rubber and other black parts.
        rim: Wheels and bumpers.
        head: Headlights, burning at night.
        tail: Rear lights.
    """

    glass: Material
    tyre: Material
    rim: Material
    head: Material
    tail: Material


def car_parts(*, is_night: bool) -> CarParts:
    """The shared materials; lights burn at night."""
    return CarParts(
        glass=Material((0.02, 0.022, 0.025), gloss=0.12, roughness=0.01),
        tyre=Material((0.02, 0.02, 0.02), roughness=0.6),
        rim=Material((0.35, 0.35, 0.36), gloss=0.2, roughness=0.3),
        head=Material((0.8, 0.8, 0.8), emission=(4.0, 3.8, 3.2) if is_night else (0.0, 0.0, 0.0), gloss=0.1),
        tail=Material((0.5, 0.02, 0.02), emission=(2.0, 0.1, 0.08) if is_night else (0.0, 0.0, 0.0), gloss=0.1),
    )


def paint(rng: np.random.Generator) -> Material:
    """Car paint: black, white and grey more often than colours."""
    if rng.uniform() < 0.68:
        grey = float(rng.choice([0.015, 0.05, 0.16, 0.3, 0.6, 0.8]))
        colour = (grey, grey, grey * 1.03)
    else:
        colour = any_colour(rng)
    return Material(colour, gloss=0.06, roughness=0.02)


SHAPES: dict[str, tuple[float, float, float, tuple[tuple[float, float], ...], tuple[tuple[float, float], ...]]] = {
    # Length, width, height; body and cabin as (share of length from the rear, share of height).
    "saloon": (4.6, 1.8, 1.45,
        ((0.0, 0.25), (0.0, 0.58), (0.02, 0.66), (0.16, 0.68), (0.72, 0.66), (0.96, 0.54), (1.0, 0.42), (1.0, 0.22)),
        ((0.10, 0.66), (0.24, 1.0), (0.55, 1.0), (0.73, 0.65))),
    "hatchback": (4.0, 1.75, 1.5,
        ((0.0, 0.25), (0.0, 0.60), (0.02, 0.66), (0.70, 0.64), (0.96, 0.52), (1.0, 0.40), (1.0, 0.22)),
        ((0.01, 0.64), (0.08, 1.0), (0.55, 1.0), (0.75, 0.62))),
    "estate": (4.8, 1.85, 1.75,
        ((0.0, 0.25), (0.0, 0.60), (0.02, 0.64), (0.74, 0.63), (0.97, 0.56), (1.0, 0.42), (1.0, 0.24)),
        ((0.01, 0.62), (0.05, 1.0), (0.60, 1.0), (0.75, 0.62))),
    "van": (5.2, 2.0, 2.2,
        ((0.0, 0.18), (0.0, 0.97), (0.03, 1.0), (0.72, 1.0), (0.80, 0.93), (0.88, 0.56), (0.99, 0.44), (1.0, 0.17)),
        ()),
}  # fmt: skip


def car(
    rng: np.random.Generator, builder: SceneBuilder, parts: CarParts, *, kind: str | None = None, is_far: bool = False
) -> None:
    """A car at the local origin; a far one goes without its small parts."""
    kind = kind or str(rng.choice(list(SHAPES), p=[0.3, 0.32, 0.25, 0.13]))
    length, width, height, body, cabin = SHAPES[kind]
    length, height = length * rng.uniform(0.93, 1.07), height * rng.uniform(0.97, 1.05)
    instance = builder.new_instance()
    colour = paint(rng)
    half = width / 2

    def points(shares: tuple[tuple[float, float], ...]) -> Float:
        return np.array([((z - 0.5) * length, h * height) for z, h in shares])

    profile = points(body)
    narrow = half * np.where(profile[:, 1] > 0.55 * height, 0.97, 1.0)
    if kind == "van":
        narrow = half * np.where(profile[:, 1] > 0.9 * height, 0.92, 1.0)
    builder.mesh(*extruded_profile(profile, narrow), colour, label="car", instance=instance)
    if cabin:
        _cabin(builder, points(cabin), half, colour, parts=parts, instance=instance)
    else:
        _van_windows(rng, builder, parts, (length, half, height), instance)
    _wheels(builder, length, half, height, parts=parts, instance=instance)
    if is_far:
        return
    front, back = length / 2 + 0.005, -length / 2 - 0.005
    light = 0.46 * height if kind != "van" else 0.36 * height
    for side in (-1, 1):
        x = side * (half - 0.26)
        _plate(builder, x, light, front - 0.03, (0.32, 0.14), material=parts.head, instance=instance)
        _plate(builder, x, light + 0.08, back, (0.26, 0.2), material=parts.tail, instance=instance)
        mirror = (half + 0.06) * side, 0.22 * length
        builder.box(mirror, (0.16, 0.11, 0.08), colour, bottom=0.66 * height, label="car", instance=instance)
    _plate(builder, 0, 0.3 * height, front, (half * 1.1, 0.16), material=parts.tyre, instance=instance)
    _plate(
        builder,
        0,
        0.36 * height,
        back - 0.005,
        (0.5, 0.11),
        material=parts.head if rng.uniform() < 0.5 else parts.rim,
        instance=instance,
    )


def _cabin(
    builder: SceneBuilder, profile: Float, half: float, colour: Material, *, parts: CarParts, instance: int
) -> None:
    """Windows all around under a painted roof with painted pillars."""
    top = profile[:, 1] > profile[:, 1].mean()
    narrow = half * np.where(top, 0.74, 0.92)
    builder.mesh(*extruded_profile(profile, narrow), parts.glass, label="car", instance=instance)
    roof = profile[top]
    lid = np.array(
        [
            [roof[0, 0] - 0.05, roof[0, 1] - 0.03],
            [roof[0, 0], roof[0, 1] + 0.02],
            [roof[-1, 0], roof[-1, 1] + 0.02],
            [roof[-1, 0] + 0.05, roof[-1, 1] - 0.03],
        ]
    )
    builder.mesh(*extruded_profile(lid, half * 0.755), colour, label="car", instance=instance)
    low, high = profile[~top], profile[top]
    middle = np.array([[0.5 * (low[0, 0] + low[1, 0]), low[0, 1]], [0.5 * (high[0, 0] + high[1, 0]), high[0, 1]]])
    lines = [(low[0], high[0]), (middle[0], middle[1]), (low[1], high[1])]
    start = np.array([[s * half * 0.925, -a[1], a[0]] for a, _ in lines for s in (-1, 1)])
    end = np.array([[s * half * 0.745, -b[1], b[0]] for _, b in lines for s in (-1, 1)])
    builder.mesh(*tubes(start, end, 0.045, 0.04, sides=4), colour, label="car", instance=instance)


def _van_windows(
    rng: np.random.Generator,
    builder: SceneBuilder,
    parts: CarParts,
    size: tuple[float, float, float],
    instance: int,
) -> None:
    length, half, height = size
    a, b = 0.325 * length, 0.375 * length
    corners = np.array(
        [
            [x, -h * height, z]
            for x, h, z in (
                (-0.8 * half, 0.91, a - 0.01),
                (0.8 * half, 0.91, a - 0.01),
                (0.92 * half, 0.6, b + 0.01),
                (-0.92 * half, 0.6, b + 0.01),
            )
        ]
    )
    builder.quad(corners + np.array([0, -0.02, 0.04]), parts.glass, label="car", instance=instance)
    spans = [(0.12, 0.28)]
    if rng.uniform() < 0.5:
        spans += [(-0.46, -0.22), (-0.19, 0.08)]
    for start, end in spans:
        for side in (-1, 1):
            x = side * (half + 0.008)
            pane = [[x, -h * height, z * length] for h, z in ((0.86, start), (0.86, end), (0.6, end), (0.6, start))]
            builder.quad(pane, parts.glass, label="car", instance=instance)


def _wheels(
    builder: SceneBuilder, length: float, half: float, height: float, *, parts: CarParts, instance: int
) -> None:
    radius = min(0.22 * height, 0.36)
    for z in (-0.31 * length, 0.31 * length):
        for side in (-1, 1):
            _wheel(builder, (side * (half - 0.08), z), radius, 0.1, parts=parts, instance=instance)


def _wheel(
    builder: SceneBuilder,
    place: tuple[float, float],
    radius: float,
    half_width: float,
    *,
    parts: CarParts,
    instance: int,
    label: str | None = "car",
) -> None:
    angle = np.arange(14) * (2 * np.pi / 14)
    circle = np.stack([np.cos(angle), np.sin(angle)], 1)
    for material, share, wide in ((parts.tyre, 1.0, half_width), (parts.rim, 0.62, half_width + 0.012)):
        vertices, triangles = extruded_profile(circle * radius * share + np.array([place[1], radius]), wide)
        builder.mesh(vertices + np.array([place[0], 0, 0]), triangles, material, label=label, instance=instance)


def _plate(
    builder: SceneBuilder,
    x: float,
    height: float,
    z: float,
    size: tuple[float, float],
    *,
    material: Material,
    instance: int,
    label: str | None = "car",
) -> None:
    w, h = size[0] / 2, size[1] / 2
    corners = [[x - w, -height - h, z], [x + w, -height - h, z], [x + w, -height + h, z], [x - w, -height + h, z]]
    builder.quad(corners, material, label=label, instance=instance)


def bus(rng: np.random.Generator, builder: SceneBuilder, parts: CarParts) -> None:
    """A bus or a tram: ADE20K has classes of its own for them, so they carry no label here."""
    length, width, height = float(rng.uniform(9, 13)), 2.5, float(rng.uniform(2.9, 3.4))
    instance = builder.new_instance()
    colour = Material(any_colour(rng, bright=(0.4, 0.95)), gloss=0.05, roughness=0.05)
    builder.box((0, 0), (width, height - 0.35, length), colour, bottom=0.35, instance=instance)
    builder.box((0, 0), (width + 0.03, 1.15, length * 0.96), parts.glass, bottom=1.35, instance=instance)
    builder.box((0, 0), (width * 0.94, 1.5, length + 0.03), parts.glass, bottom=1.2, instance=instance)
    posts = np.linspace(-0.48, 0.48, 9) * length
    for z in posts:
        builder.box((0, z), (width + 0.05, 1.15, 0.1), colour, bottom=1.35, instance=instance)
    for z in (-0.3 * length, 0.32 * length):
        for side in (-1, 1):
            _wheel(builder, (side * (width / 2 - 0.12), z), 0.48, 0.14, parts=parts, instance=instance, label=None)
    for side in (-1, 1):
        _plate(
            builder,
            side * 0.95,
            0.75,
            length / 2 + 0.02,
            (0.35, 0.2),
            material=parts.head,
            instance=instance,
            label=None,
        )
        _plate(
            builder,
            side * 0.95,
            0.85,
            -length / 2 - 0.02,
            (0.25, 0.35),
            material=parts.tail,
            instance=instance,
            label=None,
        )


def lorry(rng: np.random.Generator, builder: SceneBuilder, parts: CarParts) -> None:
    """A lorry: cab and box, without a label for the same reason."""
    instance = builder.new_instance()
    length, height = float(rng.uniform(5, 8)), float(rng.uniform(2.8, 3.8))
    cab = Material(any_colour(rng), gloss=0.05, roughness=0.05)
    box = Material(any_colour(rng, bright=(0.6, 0.95)), "corrugated" if rng.uniform() < 0.4 else "plain", scale=1.0)
    builder.box((0, -0.5), (2.45, height - 0.95, length), box, bottom=0.95, instance=instance)
    builder.box((0, -0.2), (1.0, 0.5, length + 1.5), parts.tyre, bottom=0.5, instance=instance)
    front = length / 2 + 0.75
    builder.box((0, front - 0.2), (2.4, 2.2, 1.8), cab, bottom=0.5, instance=instance)
    builder.box((0, front - 0.1), (2.43, 0.8, 1.7), parts.glass, bottom=1.6, instance=instance)
    for z in (-0.32 * length, -0.15 * length, front - 0.3):
        for side in (-1, 1):
            _wheel(builder, (side * 1.08, z), 0.48, 0.14, parts=parts, instance=instance, label=None)


def bicycle(rng: np.random.Generator, builder: SceneBuilder, parts: CarParts) -> None:
    """A parked bicycle, without a label."""
    instance = builder.new_instance()
    frame = Material(any_colour(rng), gloss=0.05)
    angle = np.linspace(0, 2 * np.pi, 17)
    for z in (-0.52, 0.52):
        ring = np.stack([0 * angle, -0.34 - 0.33 * np.sin(angle), z + 0.33 * np.cos(angle)], 1)
        builder.mesh(*polyline_tubes(ring, 0.02, sides=4), parts.tyre, instance=instance)
    joints = np.array([[0, -0.34, -0.52], [0, -0.3, -0.05], [0, -0.85, -0.18], [0, -0.82, 0.36], [0, -0.34, 0.52]])
    start = joints[[0, 0, 1, 1, 2, 3]]
    end = joints[[1, 2, 2, 3, 3, 4]]
    builder.mesh(*tubes(start, end, 0.02, 0.02), frame, instance=instance)
    builder.box((0, -0.2), (0.13, 0.06, 0.25), parts.tyre, bottom=0.92, instance=instance)
    builder.box((0, 0.38), (0.5, 0.03, 0.03), parts.tyre, bottom=1.0, instance=instance)
