# mypy: disable-error-code="no-any-return"
"""What the patterns of the bank look like: (512, 512[, 3]) multipliers of the albedo, tileable, about 1 on average.

Pictures, books, facades and the like are colours in their own right: their material is white.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.worlds.pattern_pictures import PICTURES
from training.worlds.pattern_tools import SIZE, Image, Rng, grid, line, noise, tinted


def _clouds(rng: Rng) -> Image:
    return 1 + 0.25 * noise(rng, 1.3)


def _mottle(rng: Rng) -> Image:
    return 1 + 0.2 * noise(rng, 0.9)


def _grain(rng: Rng) -> Image:
    return 1 + 0.15 * noise(rng, 0.3)


def _plaster(rng: Rng) -> Image:
    return 1 + 0.05 * noise(rng, 0.6) + 0.05 * noise(rng, 1.5)


def _wood(rng: Rng) -> Image:
    bend = noise(rng, 1.8, stretch=(8, 1))
    rings = np.sin(2 * np.pi * (grid()[1] * rng.integers(4, 9) + 0.35 * bend))
    fibre = noise(rng, 0.5, stretch=(40, 1))
    return 1 + 0.1 * rings + 0.09 * fibre + 0.06 * noise(rng, 1.5, stretch=(6, 1))


def _planks(rng: Rng) -> Image:
    """Floor boards along u, staggered."""
    boards, tone = int(rng.choice([5, 7, 9, 12])), rng.uniform(0.05, 0.2)
    u, v = grid()
    board = np.floor(v * boards).astype(int) % boards
    shifted = u + rng.random(boards).astype(np.float32)[board]
    pieces = int(rng.choice([1, 1, 2]))
    piece = np.floor(shifted * pieces).astype(int) % pieces
    shade = rng.normal(0, tone, (boards, pieces)).astype(np.float32)[board, piece]
    gaps = np.maximum(line(v * boards, 0.035), line(shifted * pieces, 0.004 * pieces))
    fibre = noise(rng, 0.6, stretch=(30, 1)) * 0.09 + noise(rng, 1.4, stretch=(8, 1)) * 0.06
    return tinted((1 + shade + fibre) * (1 - rng.uniform(0.2, 0.7) * gaps), rng, 0.02)


def _parquet(rng: Rng) -> Image:
    """Herringbone or basket weave."""
    u, v = grid()
    count = int(rng.choice([4, 6, 8]))
    cell_u, cell_v = np.floor(u * count).astype(int), np.floor(v * count).astype(int)
    upright = (cell_u + cell_v) % 2 == 0
    strips = int(rng.choice([3, 4, 5]))
    across = np.where(upright, u, v) * count * strips
    strip = np.floor(across).astype(int) % strips
    shade = rng.normal(0, 0.13, (count, count, strips)).astype(np.float32)[cell_v, cell_u, strip]
    fibre = np.where(upright, noise(rng, 0.6, stretch=(1, 20)), noise(rng, 0.6, stretch=(20, 1)))
    gaps = np.maximum(line(across, 0.06), np.maximum(line(u * count, 0.015), line(v * count, 0.015)))
    return (1 + shade + 0.07 * fibre) * (1 - 0.4 * gaps)


def _herringbone(rng: Rng) -> Image:
    u, v = grid()
    columns, ratio = int(rng.choice([4, 6])), int(rng.choice([4, 5]))
    column = np.floor(u * columns).astype(int)
    lean = np.where(column % 2 == 0, u * columns % 1, 1 - u * columns % 1)
    rows = columns * ratio // 2
    along = v * rows + lean * 1.0 * ratio / 2
    board = np.floor(along).astype(int) % rows
    shade = rng.normal(0, 0.14, (columns, rows)).astype(np.float32)[column, board]
    gaps = np.maximum(line(along, 0.07), line(u * columns, 0.02))
    return (1 + shade + 0.05 * noise(rng, 0.7)) * (1 - 0.45 * gaps)


def _tiles(rng: Rng) -> Image:
    """A 4 x 4 field of tiles with grout."""
    count = 4
    u, v = grid()
    row, column = np.floor(v * count).astype(int), np.floor(u * count).astype(int)
    shade = rng.normal(0, rng.uniform(0.01, 0.07), (count, count)).astype(np.float32)[row, column]
    width = rng.uniform(0.012, 0.04)
    grout = np.maximum(line(u * count, width), line(v * count, width))
    cloud = rng.uniform(0.02, 0.08) * noise(rng, 1.2)
    level = rng.choice([0.45, 0.6, 0.75, 1.2])
    return (1 + shade + cloud) * (1 - grout) + grout * np.float32(level)


def _checker(rng: Rng) -> Image:
    count = 4
    u, v = grid()
    dark = (np.floor(v * count) + np.floor(u * count)) % 2
    grout = np.maximum(line(u * count, 0.02), line(v * count, 0.02))
    value = np.where(dark > 0, np.float32(rng.uniform(0.1, 0.6)), np.float32(1.3)) + 0.05 * noise(rng, 1.2)
    return value * (1 - 0.3 * grout)


def _bricks(rng: Rng) -> Image:
    rows, columns = 12, 4
    u, v = grid()
    row = np.floor(v * rows).astype(int)
    shifted = u * columns + (row % 2) * 0.5
    column = np.floor(shifted).astype(int) % columns
    shade = rng.normal(0, 0.14, (rows, columns)).astype(np.float32)[row, column]
    mortar = np.maximum(line(v * rows, 0.13), line(shifted, 0.045))
    level = np.float32(rng.choice([0.55, 0.9, 1.5]))
    return tinted((1 + shade + 0.1 * noise(rng, 0.6)) * (1 - mortar) + mortar * level, rng, 0.04)


def _blocks(rng: Rng) -> Image:
    rows, columns = 5, 3
    u, v = grid()
    row = np.floor(v * rows).astype(int)
    shifted = u * columns + (row % 2) * 0.5
    column = np.floor(shifted).astype(int) % columns
    shade = rng.normal(0, 0.04, (rows, columns)).astype(np.float32)[row, column]
    joint = np.maximum(line(v * rows, 0.05), line(shifted, 0.03))
    return (1 + shade + 0.06 * noise(rng, 0.7)) * (1 - 0.3 * joint)


def _rubble(rng: Rng) -> Image:
    """Natural stones: cells of the nearest of many points, on a torus."""
    u, v = grid()
    centers = rng.random((90, 2)).astype(np.float32)
    first = np.full((SIZE, SIZE), 9, np.float32)
    second, owner = first.copy(), np.zeros((SIZE, SIZE), int)
    bend = 0.01 * noise(rng, 1.2)
    for index, (x, y) in enumerate(centers):
        dx, dy = np.abs((u - x + 0.5) % 1 - 0.5), np.abs((v - y + 0.5) % 1 - 0.5)
        distance = np.hypot(dx, 1.4 * dy) + bend
        nearer = distance < first
        second = np.where(nearer, first, np.minimum(second, distance))
        owner[nearer] = index
        first = np.minimum(first, distance)
    shade = rng.normal(0, 0.18, 90).astype(np.float32)[owner]
    joint = np.clip(1 - (second - first) / 0.012, 0, 1)
    return tinted((1 + shade + 0.12 * noise(rng, 0.8)) * (1 - 0.5 * joint), rng, 0.04)


def _concrete(rng: Rng) -> Image:
    u, v = grid()
    joints = np.maximum(line(u * 2, 0.008), line(v * 2, 0.008)) * rng.choice([0, 1])
    pores = (noise(rng, 0.2) > 3.0).astype(np.float32)
    return (1 + 0.1 * noise(rng, 1.4) + 0.04 * noise(rng, 0.5)) * (1 - 0.35 * joints) * (1 - 0.3 * pores)


def _carpet(rng: Rng) -> Image:
    return 1 + 0.12 * noise(rng, 0.1) + 0.05 * noise(rng, 1.4)


def _fabric(rng: Rng) -> Image:
    u, v = grid()
    weave = np.sin(2 * np.pi * 64 * u) * np.sin(2 * np.pi * 64 * v)
    return 1 + 0.07 * weave + 0.07 * noise(rng, 0.4) + 0.05 * noise(rng, 1.5)


def _plaid(rng: Rng) -> Image:
    u, v = grid()
    count = int(rng.integers(3, 8))
    colours = rng.uniform(0.3, 1.6, (2, 3))
    across, down = (u * count % 1 < rng.uniform(0.2, 0.6)), (v * count % 1 < rng.uniform(0.2, 0.6))
    image = np.where(across[..., None], colours[0], 1.0) * np.where(down[..., None], colours[1], 1.0)
    return image.astype(np.float32) * (1 + 0.06 * noise(rng, 0.3))[..., None]


def _marble(rng: Rng) -> Image:
    veins = np.abs(noise(rng, 1.5)) + 0.25 * np.abs(noise(rng, 1.1))
    return tinted(1.05 - 0.35 * np.exp(-veins * 7) + 0.06 * noise(rng, 1.5), rng, 0.015)


def _terrazzo(rng: Rng) -> Image:
    chips = noise(rng, 0.9)
    tint = rng.normal(1, 0.25, (4, 3))
    image = np.ones((SIZE, SIZE, 3))
    for index, level in enumerate((1.2, 1.6, -1.3, -1.8)):
        image[chips > level if level > 0 else chips < level] = tint[index]
    return image.astype(np.float32)


def _stripes(rng: Rng) -> Image:
    u, _ = grid()
    count = int(rng.integers(3, 10))
    band = (u * count % 1 < rng.uniform(0.2, 0.6))[..., None]
    return (np.where(band, rng.uniform(0.5, 1.2, 3), 1.0) * (1 + 0.02 * noise(rng, 0.5))[..., None]).astype(np.float32)


def _ornament(rng: Rng) -> Image:
    """Wallpaper: a mirrored motif, repeated in a half-drop."""
    count = int(rng.choice([4, 8]))
    side = SIZE // count
    motif = noise(rng, 1.3)[: side // 2, : side // 2]
    motif = np.concatenate([motif, motif[:, ::-1]], 1)
    motif = np.concatenate([motif, motif[::-1]], 0)
    motif = (motif > rng.uniform(-0.2, 0.8)).astype(np.float32)
    tiled = np.tile(motif, (count, count))
    for column in range(1, count, 2):
        block = slice(column * side, (column + 1) * side)
        tiled[:, block] = np.roll(tiled[:, block], side // 2, axis=0)
    tint = rng.uniform(0.5, 1.4, 3)
    return (1 + tiled[..., None] * (tint - 1)).astype(np.float32)


def _panelling(rng: Rng) -> Image:
    """Upright boards with grooves."""
    u, _ = grid()
    count = int(rng.integers(5, 12))
    shade = rng.normal(0, 0.09, count).astype(np.float32)[np.floor(u * count).astype(int)]
    fibre = noise(rng, 0.6, stretch=(1, 30)) * 0.09 + noise(rng, 1.3, stretch=(1, 6)) * 0.06
    return tinted((1 + shade + fibre) * (1 - 0.5 * line(u * count, 0.06)), rng, 0.02)


def _frames(rng: Rng) -> Image:
    """Wainscot: raised fields with light and dark edges."""
    u, v = grid()
    count = 2
    a, b = u * count % 1, v * count % 1
    image = np.ones((SIZE, SIZE), np.float32)
    for inset in (0.1, 0.14):
        inside = (a > inset) & (a < 1 - inset) & (b > inset) & (b < 1 - inset)
        rim = inside & ~((a > inset + 0.015) & (a < 0.985 - inset) & (b > inset + 0.015) & (b < 0.985 - inset))
        image[rim & (b < 0.5)] = 0.7
        image[rim & (b >= 0.5)] = 1.15
    return image * (1 + 0.02 * noise(rng, 0.6))


def _corrugated(rng: Rng) -> Image:
    u, _ = grid()
    wave = np.sin(2 * np.pi * u * int(rng.choice([8, 12, 16])))
    return 1 + 0.2 * wave + 0.07 * noise(rng, 1.2, stretch=(1, 4))


def _ceiling_tiles(rng: Rng) -> Image:
    u, v = grid()
    rails = np.maximum(line(u * 2, 0.035), line(v * 2, 0.035))
    specks = (noise(rng, 0.3) > 1.6).astype(np.float32)
    level = np.float32(rng.choice([0.6, 0.85, 1.1]))
    return (1 - 0.15 * specks) * (1 - rails) + rails * level


def _rust(rng: Rng) -> Image:
    spots = np.clip(noise(rng, 1.2) - 0.6, 0, 1)[..., None]
    return (1 + 0.06 * noise(rng, 0.8))[..., None] * (1 + spots * (np.array([1.1, 0.5, 0.25], np.float32) - 1))


def _stone_slabs(rng: Rng) -> Image:
    u, v = grid()
    rows, columns = 3, 3
    row = np.floor(v * rows).astype(int)
    shifted = u * columns + rng.random(rows).astype(np.float32)[row]
    column = np.floor(shifted).astype(int) % columns
    shade = rng.normal(0, 0.09, (rows, columns)).astype(np.float32)[row, column]
    joint = np.maximum(line(v * rows, 0.02), line(shifted, 0.02))
    return tinted((1 + shade + 0.1 * noise(rng, 1.1)) * (1 - 0.45 * joint), rng, 0.03)


def _coffers(rng: Rng) -> Image:
    """A painted coffered ceiling."""
    u, v = grid()
    a, b = np.abs(u * 4 % 1 - 0.5), np.abs(v * 4 % 1 - 0.5)
    depth = np.maximum(a, b)
    image = np.where(depth > 0.4, 1.2, np.where(depth > 0.35, 0.6, 0.9)).astype(np.float32)
    return image * (1 + 0.04 * noise(rng, 1.0))


DRAWINGS: dict[str, Callable[[Rng], Image]] = {
    **PICTURES,
    "blocks": _blocks,
    "bricks": _bricks,
    "carpet": _carpet,
    "ceiling_tiles": _ceiling_tiles,
    "checker": _checker,
    "clouds": _clouds,
    "coffers": _coffers,
    "concrete": _concrete,
    "corrugated": _corrugated,
    "fabric": _fabric,
    "frames": _frames,
    "grain": _grain,
    "herringbone": _herringbone,
    "marble": _marble,
    "mottle": _mottle,
    "ornament": _ornament,
    "panelling": _panelling,
    "parquet": _parquet,
    "plaid": _plaid,
    "plain": lambda _: np.ones((SIZE, SIZE), np.float32),
    "planks": _planks,
    "plaster": _plaster,
    "rubble": _rubble,
    "rust": _rust,
    "stone_slabs": _stone_slabs,
    "stripes": _stripes,
    "terrazzo": _terrazzo,
    "tiles": _tiles,
    "wood": _wood,
}
