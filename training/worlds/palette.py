"""Colours and materials that go together: what a room's walls, floor, wood and fabrics are made of."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from training.worlds.materials import Material

Rng = np.random.Generator
Rgb = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Palette:
    """The materials of one building.

    Attributes:
        wall, floor, ceiling: The structure's.
        accent: Another wall.
        trim: Skirting, frames.
        door: Door leaves.
        wood, wood2: Furniture.
        fabric, fabric2: Upholstery, curtains.
        metal, white, black: For small parts.
    """

    wall: Material
    floor: Material
    ceiling: Material
    accent: Material
    trim: Material
    door: Material
    wood: Material
    wood2: Material
    fabric: Material
    fabric2: Material
    metal: Material
    white: Material
    black: Material


def hsv(hue: float, saturation: float, value: float) -> Rgb:
    """Linear RGB of a hue (0..1), saturation and value as they look on a screen."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return (red**2.2, green**2.2, blue**2.2)


def any_colour(rng: Rng, *, bright: tuple[float, float] = (0.2, 0.95)) -> Rgb:
    """A colour of any hue, more often muted than not."""
    return hsv(any_hue(rng), rng.beta(1.1, 2.6), rng.uniform(*bright))


def any_hue(rng: Rng) -> float:
    """A hue, warm ones and blues more often: what interiors are painted in."""
    kind = rng.random()
    if kind < 0.5:
        return float(rng.uniform(0.02, 0.15))
    if kind < 0.7:
        return float(rng.uniform(0.5, 0.66))
    return float(rng.random())


def variant(rng: Rng, family: str, count: int = 3) -> str:
    """One of a few variants of a pattern; few, so that the bank stays small."""
    return f"{family}/{rng.integers(count)}"


def wood(rng: Rng, *, gloss: float | None = None) -> Material:
    """Wood from birch to ebony, or painted."""
    tone = rng.choice(["light", "middle", "red", "dark", "grey", "painted"], p=[0.28, 0.25, 0.12, 0.17, 0.08, 0.1])
    albedo = {
        "light": hsv(rng.uniform(0.08, 0.12), rng.uniform(0.25, 0.5), rng.uniform(0.7, 0.9)),
        "middle": hsv(rng.uniform(0.06, 0.1), rng.uniform(0.45, 0.7), rng.uniform(0.45, 0.7)),
        "red": hsv(rng.uniform(0.02, 0.06), rng.uniform(0.55, 0.8), rng.uniform(0.3, 0.55)),
        "dark": hsv(rng.uniform(0.05, 0.09), rng.uniform(0.35, 0.65), rng.uniform(0.15, 0.35)),
        "grey": hsv(rng.uniform(0.07, 0.12), rng.uniform(0.05, 0.2), rng.uniform(0.4, 0.7)),
        "painted": any_colour(rng),
    }[str(tone)]
    contrast = 0.15 if tone == "painted" else float(rng.uniform(0.5, 1.2))
    shine = float(rng.choice([0.0, 0.02, 0.04])) if gloss is None else gloss
    return Material(albedo, variant(rng, "wood"), float(rng.uniform(0.6, 1.5)), contrast, gloss=shine, roughness=0.15)


def fabric(rng: Rng) -> Material:
    """Upholstery or cloth."""
    pattern = str(
        rng.choice(["fabric", "fabric", "carpet", "plaid", "ornament", "stripes"], p=[0.5, 0.2, 0.1, 0.06, 0.08, 0.06])
    )
    return Material(
        any_colour(rng, bright=(0.08, 0.95)),
        variant(rng, pattern, 2),
        float(rng.uniform(0.4, 1.2)),
        float(rng.uniform(0.4, 1)),
    )


def paint(rng: Rng, mood: str) -> Material:
    """Wall paint: white, pastel, strong, dark or of the mood's kind."""
    if mood == "white":
        albedo = hsv(rng.uniform(0.05, 0.17), rng.uniform(0.0, 0.1), rng.uniform(0.84, 0.97))
    elif mood == "pastel":
        albedo = hsv(any_hue(rng), rng.uniform(0.05, 0.3), rng.uniform(0.7, 0.93))
    elif mood == "strong":
        albedo = hsv(any_hue(rng), rng.uniform(0.3, 0.75), rng.uniform(0.35, 0.8))
    elif mood == "dark":
        albedo = hsv(any_hue(rng), rng.uniform(0.0, 0.5), rng.uniform(0.1, 0.4))
    else:
        albedo = hsv(rng.uniform(0.03, 0.15), rng.uniform(0.1, 0.45), rng.uniform(0.45, 0.85))
    return Material(
        albedo,
        variant(rng, "plaster", 2),
        float(rng.uniform(1, 3)),
        float(rng.uniform(0.05, 0.6)),
        wear=float(rng.choice([0, 0.02, 0.05, 0.15], p=[0.4, 0.3, 0.2, 0.1])),
    )


def wall(rng: Rng, kind: str) -> Material:
    """A wall covering by kind: a paint mood or a building material."""
    worn = float(rng.uniform(0, 0.4))
    if kind in {"white", "pastel", "strong", "dark", "earthy"}:
        return paint(rng, kind)
    if kind == "brick":
        albedo = hsv(rng.uniform(0.01, 0.09), rng.uniform(0.2, 0.7), rng.uniform(0.35, 0.85))
        return Material(albedo, variant(rng, "bricks"), float(rng.uniform(0.7, 1.3)), 1.0, wear=worn)
    if kind == "concrete":
        albedo = hsv(rng.uniform(0.05, 0.6), rng.uniform(0, 0.12), rng.uniform(0.35, 0.8))
        return Material(
            albedo,
            variant(rng, str(rng.choice(["concrete", "blocks"]))),
            float(rng.uniform(1.5, 4)),
            float(rng.uniform(0.5, 1.2)),
            wear=worn,
        )
    if kind == "wood":
        base = wood(rng)
        return Material(
            base.albedo,
            variant(rng, str(rng.choice(["panelling", "panelling", "frames"]))),
            float(rng.uniform(0.8, 2)),
            float(rng.uniform(0.6, 1.2)),
            gloss=0.02,
        )
    if kind == "stone":
        albedo = hsv(rng.uniform(0.04, 0.13), rng.uniform(0.05, 0.4), rng.uniform(0.3, 0.75))
        return Material(
            albedo,
            variant(rng, str(rng.choice(["rubble", "stone_slabs", "bricks"]))),
            float(rng.uniform(1, 3)),
            1.0,
            wear=worn,
        )
    if kind == "wallpaper":
        return Material(
            any_colour(rng, bright=(0.3, 0.95)),
            variant(rng, str(rng.choice(["ornament", "stripes"]))),
            float(rng.uniform(0.4, 1.5)),
            float(rng.uniform(0.2, 0.9)),
        )
    if kind == "tiles":
        return Material(
            any_colour(rng, bright=(0.5, 0.97)),
            variant(rng, "tiles"),
            float(rng.uniform(0.4, 1.2)),
            1.0,
            gloss=0.03,
            roughness=0.03,
        )
    albedo = hsv(rng.random(), rng.uniform(0, 0.2), rng.uniform(0.35, 0.85))
    return Material(albedo, variant(rng, "corrugated"), float(rng.uniform(1, 2.5)), 0.8, wear=worn)


def floor(rng: Rng, kind: str) -> Material:
    """A floor by kind."""
    if kind == "wood":
        base = wood(rng)
        family = str(rng.choice(["planks", "planks", "planks", "parquet", "herringbone"]))
        gloss = float(rng.choice([0.005, 0.02, 0.04, 0.07]))
        return Material(
            base.albedo,
            variant(rng, family, 4),
            float(rng.uniform(0.8, 1.8)),
            float(rng.uniform(0.5, 1.1)),
            gloss=gloss,
            roughness=float(rng.uniform(0.03, 0.25)),
        )
    if kind == "tiles":
        family = str(rng.choice(["tiles", "tiles", "tiles", "checker", "marble", "terrazzo", "stone_slabs"]))
        gloss = float(rng.choice([0.01, 0.03, 0.06]))
        albedo = hsv(rng.uniform(0.03, 0.15), rng.uniform(0, 0.4), rng.uniform(0.35, 0.95))
        return Material(
            albedo,
            variant(rng, family, 4),
            float(rng.uniform(0.8, 2.6)),
            float(rng.uniform(0.5, 1)),
            gloss=gloss,
            roughness=float(rng.uniform(0.01, 0.12)),
        )
    if kind == "carpet":
        return Material(
            hsv(any_hue(rng), rng.beta(1.2, 3.0), rng.uniform(0.15, 0.8)),
            variant(rng, str(rng.choice(["carpet", "carpet", "fabric", "tiles"]))),
            float(rng.uniform(0.8, 2)),
            0.8,
            wear=0.05,
        )
    if kind == "concrete":
        albedo = hsv(rng.uniform(0.04, 0.6), rng.uniform(0, 0.15), rng.uniform(0.35, 0.8))
        gloss = float(rng.choice([0.0, 0.01, 0.03, 0.06]))
        return Material(
            albedo,
            variant(rng, str(rng.choice(["concrete", "concrete", "mottle", "asphalt"]))),
            float(rng.uniform(2, 5)),
            float(rng.uniform(0.5, 1.2)),
            gloss=gloss,
            roughness=float(rng.uniform(0.05, 0.25)),
            wear=float(rng.uniform(0, 0.4)),
        )
    if kind == "stone":
        albedo = hsv(rng.uniform(0.04, 0.13), rng.uniform(0.05, 0.4), rng.uniform(0.25, 0.7))
        return Material(
            albedo,
            variant(rng, str(rng.choice(["stone_slabs", "paving", "checker", "rubble"]))),
            float(rng.uniform(1.2, 3)),
            0.9,
            gloss=float(rng.choice([0, 0.03])),
            wear=0.15,
        )
    if kind == "earth":
        return Material(
            hsv(rng.uniform(0.05, 0.1), 0.4, rng.uniform(0.2, 0.5)), variant(rng, "gravel", 2), 2.0, 1.0, wear=0.3
        )
    return Material(
        hsv(any_hue(rng), rng.beta(1.2, 3.0), rng.uniform(0.1, 0.8)),
        variant(rng, "mottle", 2),
        2.0,
        0.3,
        gloss=float(rng.choice([0.01, 0.04])),
        roughness=0.08,
    )


def make_palette(rng: Rng, *, walls: str, floors: str, ceiling: str) -> Palette:
    """Materials of a building whose walls, floors and ceilings are of the given kinds."""
    main = wall(rng, walls)
    if ceiling == "same":
        top = main
    elif ceiling == "tiles":
        top = Material(
            hsv(0.12, rng.uniform(0, 0.06), rng.uniform(0.8, 0.95)), variant(rng, "ceiling_tiles", 2), 1.2, 1.0
        )
    elif ceiling == "coffers":
        top = Material(
            hsv(rng.uniform(0.05, 0.15), rng.uniform(0, 0.5), rng.uniform(0.4, 0.95)),
            "coffers/0",
            float(rng.uniform(3, 6)),
            1.0,
        )
    else:
        top = wall(rng, ceiling)
    trim_tone = rng.random()
    if trim_tone < 0.65:
        trim = Material(hsv(0.1, rng.uniform(0, 0.08), rng.uniform(0.8, 0.97)))
    else:
        trim = wood(rng) if trim_tone < 0.9 else Material(hsv(0.1, 0.1, rng.uniform(0.05, 0.5)))
    door_tone = rng.random()
    door = (
        trim if door_tone < 0.3 else wood(rng) if door_tone < 0.75 else Material(any_colour(rng), "plaster/0", 1.0, 0.3)
    )
    accents = ["white", "pastel", "strong", "dark", "earthy", "brick", "wood", "wallpaper", "concrete"]
    return Palette(
        wall=main,
        floor=floor(rng, floors),
        ceiling=top,
        accent=wall(rng, str(rng.choice(accents))),
        trim=trim,
        door=door,
        wood=wood(rng),
        wood2=wood(rng),
        fabric=fabric(rng),
        fabric2=fabric(rng),
        metal=Material(hsv(0.6, 0.03, rng.uniform(0.3, 0.8)), gloss=0.15, roughness=0.15),
        white=Material(hsv(0.1, 0.02, rng.uniform(0.85, 0.96)), gloss=0.02, roughness=0.05),
        black=Material(hsv(0.1, 0.1, rng.uniform(0.08, 0.25)), gloss=0.02, roughness=0.1),
    )
