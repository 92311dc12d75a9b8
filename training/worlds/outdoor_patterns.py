"""Patterns of the open air for the bank: grounds, plants, walls, rows of windows. Drawn here, tileable, mean near 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.worlds.pattern_drawings import DRAWINGS
from training.worlds.pattern_tools import SIZE, Image, noise

Rng = np.random.Generator


def cells(rng: Rng, count: int, jitter: float, *, stretch: int = 1) -> tuple[Image, Image, Image]:
    """Tileable cells around jittered points of a square lattice.

    Source: S. Worley, A Cellular Texture Basis Function, 1996.

    Args:
        rng: Random numbers.
        count: Cells along a side.
        jitter: 0 a lattice, 1 wholly random.
        stretch: Cells are so many times as wide as high.

    Returns:
        Distance to the nearest point and the gap to the second nearest, both in cell widths, and a random value
        per cell.
    """
    rows, columns = count * stretch, count
    offset = 0.5 + jitter * (rng.random((rows, columns, 2)) - 0.5)
    value = rng.random((rows, columns))
    y, x = np.meshgrid(*[(np.arange(SIZE) + 0.5) / SIZE] * 2, indexing="ij")
    y, x = y * rows, x * columns
    row, column = np.floor(y).astype(int), np.floor(x).astype(int)
    best = np.full(x.shape, np.inf)
    second = np.full(x.shape, np.inf)
    owner = np.zeros(x.shape)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            i, j = (row + dy) % rows, (column + dx) % columns
            away = np.hypot(row + dy + offset[i, j, 0] - y, column + dx + offset[i, j, 1] - x)
            nearer = away < best
            second = np.where(nearer, best, np.minimum(second, away))
            owner = np.where(nearer, value[i, j], owner)
            best = np.where(nearer, away, best)
    return best.astype(np.float32), (second - best).astype(np.float32), owner.astype(np.float32)


def _step(values: NDArray[np.floating], start: float, end: float) -> Image:
    t = np.clip((values - start) / (end - start), 0, 1)
    image: Image = (t * t * (3 - 2 * t)).astype(np.float32)
    return image


def _plane() -> tuple[Image, Image]:
    """Rows and columns of the tile, 0..1."""
    axis = (np.arange(SIZE, dtype=np.float32) + 0.5) / SIZE
    return np.broadcast_to(axis[:, None], (SIZE, SIZE)), np.broadcast_to(axis, (SIZE, SIZE))


def _tinted(image: Image, tint: Image, colour: tuple[float, float, float]) -> Image:
    """`image` with a colour mixed in by `tint` (0..1)."""
    return image[..., None] * (1 + tint[..., None] * (np.asarray(colour, np.float32) - 1))


def _grass(rng: Rng) -> Image:
    blades = 0.26 * noise(rng, 0.45, stretch=(1.0, 2.5)) + 0.16 * noise(rng, 1.0)
    patches = _step(noise(rng, 1.6), -0.6, 1.6)
    return _tinted(np.clip(1 + blades, 0.25, 2), patches, (1.5, 1.15, 0.9))


def _meadow(rng: Rng) -> Image:
    image = np.clip(1 + 0.32 * noise(rng, 0.7) + 0.18 * noise(rng, 1.3), 0.2, 2.2)
    coloured = _tinted(image, _step(noise(rng, 1.1), 0.2, 1.5), (1.9, 1.4, 1.1))
    flowers = noise(rng, 0.2) > 3.0
    coloured[flowers] = rng.choice([[2.5, 2.5, 2.5], [2.5, 2.2, 0.8], [2.3, 1.2, 2.3]])
    return coloured


def _soil(rng: Rng) -> Image:
    stones = noise(rng, 0.25) > 2.4
    image = np.clip(1 + 0.13 * noise(rng, 0.5) + 0.15 * noise(rng, 1.4), 0.4, 1.8)
    return np.where(stones, image * 1.5, image)


def _sand(rng: Rng) -> Image:
    y, x = _plane()
    ripples = np.sin(2 * np.pi * (14 * y + 2 * x) + 1.6 * noise(rng, 1.8))
    image: Image = (
        1 + 0.05 * ripples * _step(noise(rng, 1.6), -0.5, 1) + 0.04 * noise(rng, 0.3) + 0.06 * noise(rng, 1.5)
    )
    return image


def _tracks(rng: Rng) -> Image:
    """Bare ground that wheels and feet went over."""
    y, x = _plane()
    image = 1 + 0.1 * noise(rng, 1.2) + 0.06 * noise(rng, 0.4)
    bend = 0.05 * noise(rng, 2.2)
    for _ in range(5):
        middle, width = rng.random(), rng.uniform(0.012, 0.03)
        away = np.abs((x + bend * rng.normal() - middle + 0.5) % 1 - 0.5)
        inside = _step(-away, -width, -0.6 * width)
        image = image * (1 - inside * (0.14 + 0.12 * np.sin(2 * np.pi * 40 * y + 9 * away / width)))
    return np.clip(image, 0.3, 1.8)


def _gravel(rng: Rng) -> Image:
    _, gap, value = cells(rng, 40, 0.9)
    image: Image = (0.6 + 0.7 * value) * (0.5 + 0.6 * _step(gap, 0, 0.3)) + 0.05 * noise(rng, 1.2)
    return image


def _litter(rng: Rng) -> Image:
    """Dead leaves on a forest floor."""
    _, _, value = cells(rng, 48, 1.0)
    image = (0.6 + 0.6 * value) * np.clip(1 + 0.2 * noise(rng, 0.5) + 0.22 * noise(rng, 1.3), 0.3, 1.9)
    coloured = _tinted(image, value, (1.25, 0.95, 0.7))
    moss = _step(noise(rng, 1.5), 0.9, 1.6)
    return coloured * (1 - moss[..., None] * (1 - np.array([0.7, 1.15, 0.5], np.float32)))


def _cobbles(rng: Rng) -> Image:
    _, gap, value = cells(rng, int(rng.integers(18, 30)), rng.uniform(0.2, 0.5))
    image: Image = (0.75 + 0.5 * value) * (0.45 + 0.6 * _step(gap, 0.02, 0.22)) + 0.05 * noise(rng, 0.8)
    return image


def _cracked(rng: Rng) -> Image:
    _, gap, value = cells(rng, 12, 0.95)
    image: Image = (0.9 + 0.25 * value) * (0.35 + 0.7 * _step(gap, 0.02, 0.14)) + 0.06 * noise(rng, 0.9)
    return image


def _fans(rng: Rng) -> Image:
    """Paving that alternates between two tones in a large pattern."""
    y, x = _plane()
    number = int(rng.choice([2, 4]))
    kind = rng.integers(3)
    if kind == 0:
        tone = (np.floor(x * number) + np.floor(y * number)) % 2
    elif kind == 1:
        tone = (np.minimum(x * number % 1, y * number % 1) < 0.12).astype(np.float32)
    else:
        tone = (np.hypot(x * number % 1 - 0.5, y * number % 1 - 0.5) < 0.4).astype(np.float32)
    _, gap, value = cells(rng, 32, 0.2)
    image: Image = (0.75 + 0.5 * tone) * (0.9 + 0.2 * value) * (0.75 + 0.3 * _step(gap, 0.02, 0.2))
    return image


def _rock(rng: Rng) -> Image:
    ridges = 1 - np.abs(noise(rng, 1.2, stretch=(3.0, 1.0)))
    image: Image = np.clip(0.85 + 0.22 * ridges + 0.14 * noise(rng, 0.7) + 0.12 * noise(rng, 1.6), 0.25, 2)
    return image


def _snow(rng: Rng) -> Image:
    prints = _step(noise(rng, 0.9), 1.2, 2.0) * _step(noise(rng, 1.8), 0.0, 1.0)
    image: Image = 1 + 0.03 * noise(rng, 1.4) + 0.02 * noise(rng, 0.4) - 0.12 * prints
    return image


def _crops(rng: Rng) -> Image:
    _, x = _plane()
    rows = np.sin(2 * np.pi * 12 * x + 0.25 * noise(rng, 1.5))
    return np.clip(1 + 0.35 * rows + 0.25 * noise(rng, 0.5), 0.2, 2)


def _forest(rng: Rng) -> Image:
    """A wood from afar: crowns lit from above."""
    near, _, value = cells(rng, 20, 0.9)
    image: Image = np.clip((1.25 - 0.9 * near) * (0.6 + 0.8 * value) + 0.1 * noise(rng, 0.7), 0.1, 2.2)
    return image


def _roof_tiles(rng: Rng) -> Image:
    y, x = _plane()
    row = np.floor(y * 12).astype(int)
    across = x * 16 + 0.5 * (row % 2)
    tone = rng.random((12, 16))[row % 12, np.floor(across).astype(int) % 16]
    image: Image = (0.8 + 0.35 * tone) * (0.6 + 0.5 * (y * 12 % 1)) * (0.8 + 0.2 * np.abs(np.sin(np.pi * across)))
    return image


def _planks(rng: Rng) -> Image:
    _, x = _plane()
    number = int(rng.choice([6, 8, 10]))
    tone = rng.random(number)[np.floor(x * number).astype(int)]
    gap = _step(np.abs((x * number + 0.5) % 1 - 0.5), 0.02, 0.07)
    image: Image = (0.8 + 0.4 * tone + 0.08 * noise(rng, 1.0, stretch=(1, 10))) * (0.25 + 0.75 * gap)
    return image


DRAWINGS.update(
    {
        "turf": _grass,
        "meadow": _meadow,
        "soil": _soil,
        "sand": _sand,
        "tracks": _tracks,
        "pebbles": _gravel,
        "litter": _litter,
        "setts": _cobbles,
        "cracked": _cracked,
        "fans": _fans,
        "rock": _rock,
        "snow": _snow,
        "crops": _crops,
        "forest": _forest,
        "roof_tiles": _roof_tiles,
        "boards": _planks,
    }
)
