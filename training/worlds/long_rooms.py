"""Bridges and passages of glass, winter gardens, attics: one long room along z under a roof of its own."""

from __future__ import annotations

import numpy as np

from training.worlds.bookshelves import low_shelf
from training.worlds.glass_roofs import closed_roof, gable, glass_roof
from training.worlds.hall_bays import BAYS
from training.worlds.hall_scene import HallScene
from training.worlds.materials import Material
from training.worlds.shapes import tubes

FURNITURE = {
    "rug": 1,
    "sofa": 1,
    "armchair": 2,
    "bed": 1,
    "desk": 1,
    "coffee table": 1,
    "chair": 2,
    "stool": 2,
    "boxes": 3,
    "low shelf": 2,
    "cabinet": 1,
    "person": 1,
}
PLANTS = {
    "plant": 14,
    "bench": 2,
    "round table": 2,
    "chair": 4,
    "sofa": 1,
    "person": 2,
}


def glass_bridge(scene: HallScene) -> float:
    """An enclosed bridge: bands of glass on both sides, a roof of glass or a white vault."""
    rng = scene.rng
    half, long = float(rng.uniform(1.0, 2.6)), float(rng.uniform(6.0, 40.0))
    eaves = float(rng.uniform(2.1, 3.2))
    _long_room(
        scene,
        half,
        long,
        eaves,
        glazed=bool(rng.random() < 0.55),
        pieces={
            "person": 3,
            "plant": 2,
            "bench": 2,
        },
    )
    return float(np.hypot(half, long))


def winter_garden(scene: HallScene) -> float:
    """A glasshouse with plants."""
    rng = scene.rng
    half, long = float(rng.uniform(2.0, 6.0)), float(rng.uniform(3.0, 14.0))
    _long_room(scene, half, long, float(rng.uniform(2.4, 5.0)), glazed=True, pieces=PLANTS)
    return float(np.hypot(half, long))


def _long_room(
    scene: HallScene, half: float, long: float, eaves: float, *, glazed: bool, pieces: dict[str, int]
) -> None:
    rng, builder, palette = scene.rng, scene.builder, scene.palette
    scene.camera = (
        float(rng.uniform(-0.6, 0.6)) * max(half - 0.6, 0.1),
        min(scene.eye(), eaves - 0.3),
        float(rng.uniform(-0.8, 0.8)) * long,
    )
    outline = [
        [-half - 0.1, -long - 0.1],
        [half + 0.1, -long - 0.1],
        [half + 0.1, long + 0.1],
        [-half - 0.1, long + 0.1],
    ]
    builder.horizontal_polygon(outline, 0.0, palette.floor, label="floor")
    builder.box((0, 0), (2 * half + 0.4, 0.3, 2 * long + 0.4), palette.wall, bottom=-0.35, label="wall")
    sill = float(rng.choice([0.06, 0.3, 0.9]))
    top = eaves - float(rng.choice([0.1, 0.3, 0.5]))
    step, slant = float(rng.uniform(1.0, 3.0)), float(rng.choice([0.0, 0.0, 0.5, 1.0]))
    bar, frame = float(rng.uniform(0.04, 0.16)), (palette.black, palette.white, palette.metal)[int(rng.integers(3))]
    pane = Material((0.9, 0.95, 0.95), gloss=0.05, roughness=0.0, glass=True)
    for side in (-1, 1):
        tag = builder.tag("windowpane")
        x = side * half
        builder.box((x, 0), (0.16, sill, 2 * long), palette.wall, label="wall")
        builder.box((x, 0), (0.16, eaves - top + 0.1, 2 * long), palette.wall, bottom=top, label="wall")
        builder.quad([[x, -top, -long], [x, -top, long], [x, -sill, long], [x, -sill, -long]], pane, **tag)
        count = max(2, round(2 * long / step))
        z = np.linspace(-long, long, count + 1)
        foot = np.stack([0 * z + x, 0 * z - sill, z], 1)
        head = np.stack(
            [0 * z + x, 0 * z - top, z + slant * (top - sill) * 0.6 * np.where(np.arange(count + 1) % 2, 1, -1)], 1
        )
        head[:, 2] = np.clip(head[:, 2], -long, long)
        builder.mesh(*tubes(foot, head, bar / 2, bar / 2, sides=4), frame, **tag)
        for level in (sill, top, sill + 0.35 * (top - sill)):
            builder.box((x, 0), (bar, bar * 0.8, 2 * long), frame, bottom=level - bar * 0.4, **tag)
        if rng.random() < 0.5:
            rail = builder.tag("fence")
            builder.box((x - side * 0.16, 0), (0.06, 0.06, 2 * long), palette.wood, bottom=0.95, **rail)
            for at in np.arange(-long + 0.5, long, 2.0):
                builder.box((x - side * 0.14, float(at)), (0.04, 0.95, 0.04), palette.metal, **rail)
        if scene.day:
            scene.window_light(
                (x - side * 0.05, -long), (x - side * 0.05, long), sill, top, inward=(-float(side), 0.0, 0.0)
            )
    shape = str(rng.choice(["flat", "gable", "barrel"]))
    rise = 0.0 if shape == "flat" else half * float(rng.uniform(0.4, 0.9))
    build = glass_roof if glazed else closed_roof
    build(scene, (-half, half), (-long, long), eaves, shape=shape, rise=rise)
    _ends(scene, half, long, eaves, shape, rise)
    if not scene.day or rng.random() < 0.4:
        power = float(np.exp(rng.uniform(np.log(0.03), np.log(0.3)))) * 4 * half * long
        scene.line_lamp((0.0, 0.0), (-long * 0.9, long * 0.9), eaves + 0.6 * rise - 0.15, power)
        if shape == "flat":
            strip = builder.tag("lamp")
            builder.box((0, 0), (0.15, 0.04, 1.8 * long), scene.glow, bottom=eaves - 0.06, **strip)
    scene.furnish((-half + 0.25, half - 0.25), (-long + 0.3, long - 0.3), pieces, filling=float(rng.uniform(0.1, 0.8)))


def _ends(scene: HallScene, half: float, long: float, eaves: float, shape: str, rise: float) -> None:
    """End walls with doors, up to the roof."""
    builder, rng = scene.builder, scene.rng
    for yaw in (0.0, np.pi):
        with builder.placed(0, 0, yaw=yaw), builder.placed(0, long):
            BAYS[str(rng.choice(["door", "door", "plain", "window"]))](scene, 2 * half + 0.2, eaves, 0.2)
            with builder.placed(0, 0.01):
                gable(scene, half, eaves, shape=shape, rise=rise)


def attic(scene: HallScene) -> float:
    """Under a gable: sloping ceilings, low walls with low shelves, roof windows; the eyes are above the furniture."""
    rng, builder, palette = scene.rng, scene.builder, scene.palette
    half, long = float(rng.uniform(1.8, 4.5)), float(rng.uniform(2.2, 8.0))
    eye = max(scene.eye(), 1.3)
    knee = float(rng.uniform(0.3, 1.3))
    # The ridge is well above the head, whatever the slope.
    rise = max(half * float(rng.uniform(0.5, 1.1)), eye + 0.85 - knee)
    scene.camera = (float(rng.uniform(-0.35, 0.35)) * half, eye, float(rng.uniform(-0.7, 0.7)) * (long - 0.6))
    while knee + rise * (1 - abs(scene.camera[0]) / half) < eye + 0.4:
        scene.camera = (scene.camera[0] * 0.7, eye, scene.camera[2])
    builder.box((0, 0), (2 * half + 0.4, 0.2, 2 * long + 0.4), palette.floor, bottom=-0.2, label="floor")
    closed_roof(scene, (-half, half), (-long, long), knee, shape="gable", rise=rise)
    for side in (-1, 1):
        builder.box((side * (half + 0.1), 0), (0.2, knee + 0.1, 2 * long + 0.4), palette.wall, label="wall")
        _roof_windows(scene, side, half, long, knee, rise)
        _low_shelves(scene, side, half, long, min(knee + 0.25 * rise, 1.2))
    line = np.array([[-half, -knee - 0.02], [0, -knee - rise - 0.03], [half, -knee - 0.02]])
    for yaw in (0.0, np.pi):
        with builder.placed(0, 0, yaw=yaw), builder.placed(0, long):
            high = min(2.3, knee + rise * 0.7)
            wide = 2 * half * max(1 - (high - knee) / rise, 0.2) + (0.4 if high > knee else 0.0)
            BAYS[str(rng.choice(["window", "door", "plain"]))](scene, wide, high, 0.2)
            low = [[-half - 0.1, 0, 0.02], [half + 0.1, 0, 0.02]]
            gable = [*np.insert(line, 2, 0.02, axis=1), low[1], low[0]]
            _gable(scene, np.array(gable), wide, high)
    power = float(np.exp(rng.uniform(np.log(0.03), np.log(0.25)))) * 4 * half * long
    if not scene.day or rng.random() < 0.5:
        height = knee + rise - 0.35
        scene.line_lamp((0.0, 0.0), (-0.4 * long, 0.4 * long), height, power, down=False)
        for z in (-0.4 * long, 0.4 * long):
            builder.sphere((0.0, height, z), 0.12, scene.glow, **builder.tag("lamp"))
    inner = max(half - 1.0, 0.8)
    scene.furnish((-inner, inner), (-long + 0.2, long - 0.2), FURNITURE, filling=float(rng.uniform(0.2, 0.9)))
    return float(np.hypot(half, long))


def _gable(scene: HallScene, outline: np.ndarray, wide: float, high: float) -> None:
    """The end wall around its middle bay: left, right and above."""
    (left, ridge, right, low_right, low_left), z = outline, float(outline[0, 2])
    bay = [[-wide / 2, -high, z], [wide / 2, -high, z], [wide / 2, 0, z], [-wide / 2, 0, z]]
    corners = [
        [low_left, left, bay[0], bay[3]],
        [low_right, right, bay[1], bay[2]],
        [left, ridge, ridge, bay[0]],
        [right, ridge, ridge, bay[1]],
        [bay[0], ridge, ridge, bay[1]],
    ]
    scene.builder.quads(np.array(corners, np.float64), scene.palette.wall, label="wall")


def _roof_windows(scene: HallScene, side: int, half: float, long: float, knee: float, rise: float) -> None:
    rng, builder = scene.rng, scene.builder
    wide, low, high = float(rng.uniform(0.5, 1.2)), float(rng.uniform(0.25, 0.4)), float(rng.uniform(0.55, 0.8))
    level = float(np.mean(scene.sky.zenith)) * float(rng.uniform(1.0, 2.5)) if scene.day else 0.003
    glow = Material((0.9, 0.95, 1.0), "clouds", 2.0, 0.3, emission=(level, level, level * 1.05))
    frame = scene.palette.white if rng.random() < 0.5 else scene.palette.wood
    for at in np.linspace(-0.6, 0.6, int(rng.integers(0, 4))) * long:
        tag = builder.tag("windowpane")
        # A little below the slope, along its inner normal.
        ends = np.array([[side * half * (1 - t), -(knee + rise * t) + 0.04, 0.0] for t in (low, high)])
        across = np.array([[0, 0, at - wide / 2], [0, 0, at + wide / 2]])
        corners = [ends[1] + across[0], ends[1] + across[1], ends[0] + across[1], ends[0] + across[0]]
        builder.quad(corners, glow, **tag)
        builder.mesh(*tubes(corners, np.roll(corners, -1, axis=0), 0.045, 0.045, sides=4), frame, **tag)
        if scene.day:
            scene.panel_light(np.array(corners), level)


def _low_shelves(scene: HallScene, side: int, half: float, long: float, tall: float) -> None:
    """A row of shelves or chests along a low wall, their tops below the eyes."""
    rng, builder = scene.rng, scene.builder
    z, same = -long + 0.1, int(rng.integers(1 << 30))
    share = float(rng.choice([0.0, 0.5, 1.0], p=[0.2, 0.4, 0.4]))
    wide, deep = float(rng.uniform(0.8, 1.6)), 0.34
    while z + wide < long - 0.05:
        if rng.random() < share:
            with builder.placed(side * (half - deep / 2 - 0.03 - 0.3), z + wide / 2, yaw=-side * np.pi / 2):
                low_shelf(builder, np.random.default_rng(same), (wide, min(max(tall, 0.45), 1.1), deep), scene.palette)
        z += wide + 0.01
