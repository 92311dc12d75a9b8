"""What stands close to the camera outdoors: fences of many kinds, poles, steps, people; large in the picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.worlds import street_furniture as furniture
from training.worlds.materials import Material
from training.worlds.outdoor_scene import OutdoorScene, tinted
from training.worlds.palette import any_colour, variant
from training.worlds.people import person
from training.worlds.shapes import tubes
from training.worlds.terrain import Relief
from training.worlds.town import LEVEL

FENCES = ("pickets", "rails", "boards", "bars", "panels", "wires", "mesh")
POLES = ("mast", "tube", "lamp", "sign", "bollards")


def foreground(
    scene: OutdoorScene, relief: Relief = LEVEL, *, fences: float = 0.3, poles: float = 0.3, steps: float = 0.0
) -> None:
    """Some of it, each with a probability, between one and a few metres from the camera."""
    rng = scene.rng
    if scene.camera_height > 4:
        return
    if rng.uniform() < fences:
        near_fence(scene, relief)
    if rng.uniform() < poles:
        for _ in range(int(rng.integers(1, 4))):
            _near_pole(scene, relief)
    if rng.uniform() < steps:
        _near_steps(scene)
    if rng.uniform() < 0.25:
        for _ in range(int(rng.integers(1, 4))):
            x, z, angle = _near_spot(scene, 1.3, 4.0)
            with scene.builder.placed(x, z, yaw=angle + float(rng.normal(0, 1.5)), bottom=_level(relief, x, z)):
                person(rng, scene.builder)


def _near_spot(scene: OutdoorScene, near: float, far: float) -> tuple[float, float, float]:
    """A ground point and the direction in which it lies."""
    away = float(np.exp(scene.rng.uniform(np.log(near), np.log(far))))
    angle = float(scene.rng.uniform(0, 2 * np.pi))
    return scene.camera_xz[0] + away * np.sin(angle), scene.camera_xz[1] + away * np.cos(angle), angle


def _level(relief: Relief, x: float, z: float) -> float:
    # The ground beside a kerb: what stands on the kerb reaches down to it.
    return float(relief.height(x, z))


def near_fence(scene: OutdoorScene, relief: Relief) -> None:
    """A fence of one kind that passes the camera at one to a few metres, panel by panel over the ground."""
    rng, builder = scene.rng, scene.builder
    x, z, angle = _near_spot(scene, 1.1, 5.0)
    kind, tall, long = str(rng.choice(FENCES)), float(rng.uniform(0.8, 2.0)), float(rng.uniform(1.8, 3.0))
    wood = Material(tinted(rng, (0.3, 0.22, 0.15), 0.5), variant(rng, "wood"), scale=1.2)
    paint = Material(any_colour(rng, bright=(0.1, 0.98)), gloss=0.02)
    material = {"rails": wood, "boards": wood, "pickets": wood if rng.uniform() < 0.5 else paint}.get(kind, paint)
    material = furniture.STEEL if kind in {"wires", "mesh"} and rng.uniform() < 0.7 else material
    instance, same = builder.new_instance(), int(rng.integers(1 << 30))
    reach, shift = int(rng.integers(2, 14)), float(rng.uniform(-0.5, 0.5)) * long
    turn = angle + float(rng.normal(0, 0.3))
    for index in range(-reach, reach + 1):
        along = index * long + shift
        px, pz = x + along * np.cos(turn), z - along * np.sin(turn)
        if np.hypot(px - scene.camera_xz[0], pz - scene.camera_xz[1]) < 0.9:
            continue
        with builder.placed(px, pz, yaw=turn, bottom=_level(relief, px, pz) - 0.03):
            _panel(scene, kind, long, tall, material, instance, np.random.default_rng(same))


def _panel(
    scene: OutdoorScene,
    kind: str,
    long: float,
    tall: float,
    material: Material,
    instance: int,
    rng: np.random.Generator,
) -> None:
    """One panel along local x about the origin with the post at its left end."""
    builder, half = scene.builder, long / 2
    tag: dict[str, Any] = {"label": "fence", "instance": instance}
    thick = float(rng.uniform(0.05, 0.12))
    builder.box((-half, 0), (thick, tall + 0.1, thick), material, **tag)
    if kind == "boards":
        builder.box((0, 0), (long, tall, 0.03), material, bottom=0.05, **tag)
        return
    if kind == "panels":
        builder.box((0, 0), (long - thick, tall * 0.85, 0.04), material, bottom=tall * 0.12, **tag)
        return
    rails = {"rails": 3, "wires": 5}.get(kind, 2)
    wide = {"wires": 0.008, "mesh": 0.02}.get(kind, float(rng.uniform(0.02, 0.04)))
    levels = tall * (np.arange(rails) + 0.7) / rails
    start = np.stack([0 * levels - half, -levels, 0 * levels], 1)
    builder.mesh(*tubes(start, start + np.array([long, 0, 0]), wide, wide), material, **tag)
    if kind in {"pickets", "bars"}:
        step = float(rng.uniform(0.1, 0.18))
        flat = float(rng.uniform(0.05, 0.09)) if kind == "pickets" else 0.02
        for x in np.arange(-half + step / 2, half, step):
            builder.box((float(x), 0.03), (flat, tall * 0.97, 0.02), material, bottom=0.03, **tag)
    elif kind == "mesh":
        x = np.arange(-half, half, 0.12)
        foot = np.stack([x, 0 * x - 0.05, 0 * x], 1)
        builder.mesh(*tubes(foot, foot + np.array([0, 0.05 - tall, 0]), 0.006, 0.006, sides=3), material, **tag)
        y = np.arange(0.1, tall, 0.2)
        left = np.stack([0 * y - half, -y, 0 * y], 1)
        builder.mesh(*tubes(left, left + np.array([long, 0, 0]), 0.006, 0.006, sides=3), material, **tag)


def _near_pole(scene: OutdoorScene, relief: Relief) -> None:
    rng, builder = scene.rng, scene.builder
    x, z, angle = _near_spot(scene, 1.0, 6.0)
    kind = str(rng.choice(POLES))
    with builder.placed(x, z, yaw=angle + float(rng.choice([0, np.pi / 2])), bottom=_level(relief, x, z)):
        if kind == "lamp":
            furniture.street_lamp(scene, tall=float(rng.uniform(3.5, 8)), arm=1.2, lantern=bool(rng.uniform() < 0.4))
        elif kind == "sign":
            furniture.sign(scene)
        elif kind == "bollards":
            for index in range(int(rng.integers(1, 6))):
                with builder.placed(index * 1.4, 0.6):
                    furniture.bollard(scene)
        else:
            _mast(scene, wooden=kind == "mast")


def _mast(scene: OutdoorScene, *, wooden: bool) -> None:
    """A telegraph pole with cross-arms, or a painted tube."""
    rng, builder = scene.rng, scene.builder
    tag, tall = builder.tag("pole"), float(rng.uniform(3.0, 9.0))
    radius = float(rng.uniform(0.1, 0.18) if wooden else rng.uniform(0.05, 0.14))
    wood = Material(tinted(rng, (0.2, 0.15, 0.1), 0.3), "bark", scale=1.0)
    material = wood if wooden else furniture.STEEL if rng.uniform() < 0.5 else Material(any_colour(rng), gloss=0.03)
    builder.cylinder((0, 0), radius, tall, material, top_radius=radius * 0.7, sides=10, **tag)
    if wooden:
        for drop in (0.4, 1.0)[: int(rng.integers(1, 3))]:
            builder.box((0, 0), (1.6, 0.1, 0.1), material, bottom=tall - drop, **tag)


def _near_steps(scene: OutdoorScene) -> None:
    """A broad flight of steps that leads up to a terrace or a wall."""
    rng, builder = scene.rng, scene.builder
    x, z, angle = _near_spot(scene, 1.6, 7.0)
    count, wide, tread = int(rng.integers(3, 22)), float(rng.uniform(2.0, 14.0)), float(rng.uniform(0.28, 0.42))
    rise = float(rng.uniform(0.13, 0.18))
    pattern = variant(rng, str(rng.choice(["blocks", "stone_slabs"])))
    stone = Material(tinted(rng, (0.42, 0.4, 0.36), 0.25), pattern, scale=2.0, wear=0.3)
    with builder.placed(x, z, yaw=angle):
        tag = builder.tag("stairs")
        for step in range(count):
            size = (wide, (step + 1) * rise, tread)
            builder.box((0, (step + 0.5) * tread), size, stone, **tag)
        top, deep = count * rise, float(rng.uniform(1.0, 4.0))
        builder.box((0, count * tread + deep / 2), (wide, top, deep), stone, label="wall")
        if rng.uniform() < 0.6:
            for side in (-1, 1):
                rail = builder.tag("fence")
                ends = np.array([[side * wide * 0.48, -0.95, 0.1], [side * wide * 0.48, -0.95 - top, count * tread]])
                builder.mesh(*tubes(ends[:1], ends[1:], 0.03, 0.03, sides=6), furniture.IRON, **rail)
                for t in np.linspace(0, 1, max(2, count // 3)):
                    foot = ends[0] * (1 - t) + ends[1] * t
                    builder.mesh(
                        *tubes([foot], foot[None] + np.array([[0, 0.95, 0]]), 0.025, 0.025), furniture.IRON, **rail
                    )
