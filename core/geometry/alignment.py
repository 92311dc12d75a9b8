"""Measurements of overlapping tiles brought to one scale.

A tile measures something positive, such as the inverse of the range, only up to its own factor and shift: what it knows
is ``sum_k x_k B_k(d)`` with known functions B of the direction d and unknown numbers x. The numbers are those with
which tiles agree where they overlap. Differences count relative to the value, so that no tile gains by shrinking, and
less the larger they are (reweighted least squares with Cauchy's weights: P. Holland, R. Welsch, Robust Regression Using
Iteratively Reweighted Least-Squares, 1977), so that edges, which tiles see in different places, do not count.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import Camera
from core.geometry.sampling import Image, exact_map, sample, with_channels

F64 = NDArray[np.float64]

ROUNDS = 12
"""Of reweighting; the weights have settled by then."""
CAUCHY = 2.385
"""Times the standard deviation: where a difference counts half. Holland and Welsch's value, 95 % efficient."""
SHARPEST = 1e-5
"""Relative standard deviation below which differences are not told apart: that of interpolation."""
SHIFTS = 0.3
"""Standard deviation of the tiles' shifts that is expected, as a share of their values."""
INDEPENDENT = 30
"""Of a tile's measurements: their errors come in blotches. With `SHIFTS` it decides how much a shift must explain, and
matters only as far as tiles disagree: without disagreement, shifts are what they are."""
FEWEST = 16
"""Directions that two tiles must share to be tied to each other."""
_DEVIATION = 1.4826
_LEAST_SHARE = 0.1
"""Of the median value, below which differences count as of a larger one: that of a sky is nothing but noise."""
_NEGATIVE = 0.05
"""Of the mean, below which a value is negative and no zero with noise, as the inverse range of a sky may be."""


def even_directions(count: int) -> F64:
    """(count, 3) unit vectors spread evenly over the sphere.

    Source: R. Swinbank, R. J. Purser, Fibonacci grids, 2006.
    """
    at = np.arange(count) + 0.5
    down = 1 - 2 * at / count
    across = np.sqrt(1 - down**2)
    turn = np.pi * (1 + np.sqrt(5)) * at
    return np.stack([across * np.cos(turn), down, across * np.sin(turn)], axis=-1)


def sample_tile(tile: Image, camera: Camera, directions: F64) -> NDArray[np.float64]:
    """Values of a camera's float picture in some directions, interpolated linearly; NaN where it does not look.

    Args:
        tile: (h, w) float32, of the camera's size or, as its picture, coarser or finer.
        camera: That took it.
        directions: (n, 3).

    Returns:
        (n,) float64.
    """
    height, width = tile.shape[:2]
    u, v = camera.project(directions)
    with np.errstate(invalid="ignore"):
        seen = (u >= 0) & (u <= camera.width) & (v >= 0) & (v <= camera.height)
    values = np.full(len(directions), np.nan)
    if seen.any():
        at = exact_map(u[None, seen] * (width / camera.width), v[None, seen] * (height / camera.height), height, width)
        values[seen] = sample(with_channels(tile), at)[0, :, 0]
    return values


def border_weights(camera: Camera, directions: F64) -> F64:
    """(n,) weights of directions: 1 on the camera's axis, falling smoothly to 0 at its border; 0 beyond it."""
    u, v = camera.project(directions)
    to_side = np.nan_to_num(1 - np.abs(u / (camera.width / 2) - 1), nan=0.0).clip(0.0)
    to_end = np.nan_to_num(1 - np.abs(v / (camera.height / 2) - 1), nan=0.0).clip(0.0)
    weights: F64 = to_side * to_side * (3 - 2 * to_side) * to_end * to_end * (3 - 2 * to_end)
    return weights


def align_tiles(terms: F64, weights: F64) -> tuple[F64, NDArray[np.int64]]:
    """The numbers with which tiles agree where they overlap: a factor, and a shift where there are two.

    The value of tile i in direction d is ``terms[i, d] @ numbers[i]``. It is found up to one factor for each group of
    tiles that are tied together by overlaps; the mean of the group's values is made 1.

    Args:
        terms: (tiles, directions, k) with k = 1 or 2, NaN where a tile knows nothing: what was measured times a known
            positive function, and that function. Directions should be spread evenly.
        weights: (tiles, directions), not negative.

    Returns:
        numbers: (tiles, k). NaN for tiles whose factor, which is the first, or whose
            values would be negative.
        groups: (tiles,) number of each tile's group.
    """
    tiles, _, count = terms.shape
    known = np.isfinite(terms).all(axis=-1) & (weights > 0)
    pairs = []
    for i, j in _pairs(tiles):
        shared = np.flatnonzero(known[i] & known[j])
        if len(shared) >= FEWEST:
            pairs.append((i, j, shared, np.sqrt(weights[i, shared] * weights[j, shared])))
    groups = _groups(tiles, [(i, j) for i, j, _, _ in pairs])
    numbers = np.full((tiles, count), np.nan)
    for group in range(groups.max() + 1):
        members = np.flatnonzero(groups == group)
        at = {int(tile): n for n, tile in enumerate(members)}
        rows = [(at[i], at[j], terms[i, shared], terms[j, shared], weight) for i, j, shared, weight in pairs if i in at]
        if rows:
            numbers[members] = _agreeing(rows, len(members), count)
        elif known[members[0]].any():
            numbers[members[0]] = np.eye(count)[0]  # nothing to compare with: as it is
        _set_unit(numbers, members, terms, known)
    return numbers, groups


Rows = list[tuple[int, int, F64, F64, F64]]


def _agreeing(rows: Rows, tiles: int, count: int) -> F64:
    """The numbers (tiles, count) of one group, up to a factor; rows are pairs of tiles with what both see."""
    numbers = best = _alike_on_median(rows, tiles, count)
    least = np.inf
    for _ in range(ROUNDS + 1):
        values = [(a @ numbers[i], b @ numbers[j]) for i, j, a, b, _ in rows]
        middles = [(one + other) / 2 for one, other in values]
        floor = _LEAST_SHARE * float(np.median(np.abs(np.concatenate(middles))))
        scale = [np.maximum(np.abs(middle), max(floor, 1e-300)) for middle in middles]
        offs = [(one - other) / s for (one, other), s in zip(values, scale, strict=True)]
        deviation = _DEVIATION * float(np.median(np.abs(np.concatenate(offs))))
        if deviation < least:
            best, least = numbers, deviation
        weights = [
            given * _cauchy(off, deviation) / s**2 for (*_, given), off, s in zip(rows, offs, scale, strict=True)
        ]
        numbers = _least_quotient(rows, weights, tiles, count, (deviation / SHIFTS) ** 2 / INDEPENDENT)
    return best


def _alike_on_median(rows: Rows, tiles: int, count: int) -> F64:
    """Factors alone, from the medians of the pairs' ratios, which half of the measurements cannot spoil."""
    equations, ratios = [], []
    for i, j, a, b, _ in rows:
        positive = (a[:, 0] > 0) & (b[:, 0] > 0)
        if positive.any():
            equation = np.zeros(tiles)
            equation[i], equation[j] = 1.0, -1.0
            equations.append(equation)
            ratios.append(float(np.median(np.log(b[positive, 0] / a[positive, 0]))))
    numbers = np.zeros((tiles, count))
    numbers[:, 0] = np.exp(np.linalg.lstsq(np.array(equations), np.array(ratios), rcond=None)[0]) if ratios else 1.0
    return numbers


def _least_quotient(rows: Rows, weights: list[F64], tiles: int, count: int, prior: float) -> F64:
    """Numbers with the least squared differences for how much the first term varies: a smallest eigenvector.

    What varies, and not the values, must set the size: else measurements with errors would agree best with a factor of
    0, each tile a plane of its own. `prior` is the weight, for each measurement, of the expectation that the shifts are
    small.
    """
    size = tiles * count
    differences, varies = np.zeros((size, size)), np.zeros(tiles)
    sums = np.zeros((tiles, count, count))
    for (i, j, a, b, _), weight in zip(rows, weights, strict=True):
        w = weight[:, None]
        one, other = slice(i * count, (i + 1) * count), slice(j * count, (j + 1) * count)
        own, others, across = a.T @ (w * a), b.T @ (w * b), a.T @ (w * b)
        differences[one, one] += own
        differences[other, other] += others
        differences[one, other] -= across
        differences[other, one] -= across.T
        sums[i] += own
        sums[j] += others
    for tile, total in enumerate(sums):
        varies[tile] = total[0, 0]
        if count > 1:
            varies[tile] -= total[0, 1] ** 2 / total[1, 1] if total[1, 1] > 0 else 0.0
            differences[2 * tile + 1, 2 * tile + 1] += prior * total[1, 1]
        # A tile of one value says nothing about its factor, which is then 0.
        varies[tile] = varies[tile] if varies[tile] > 1e-9 * total[0, 0] else np.inf
    kept = differences[::count, ::count]
    shifts: NDArray[np.floating] = np.zeros((tiles, tiles))
    if count > 1:
        shifts = -np.linalg.lstsq(differences[1::2, 1::2], differences[1::2, ::2], rcond=None)[0]
        kept = kept + differences[::2, 1::2] @ shifts
    whiten = 1 / np.sqrt(varies)
    alike = (kept + kept.T) / 2 * np.outer(whiten, whiten)
    alike[np.diag_indices(tiles)] += np.where(whiten > 0, 0.0, 1e9)
    factors = whiten * np.linalg.eigh(alike)[1][:, 0]
    if factors @ np.where(whiten > 0, np.sqrt(varies), 0.0) < 0:
        factors = -factors
    return np.stack([factors, shifts @ factors][:count], axis=-1)


def _set_unit(numbers: F64, members: NDArray[np.int64], terms: F64, known: NDArray[np.bool_]) -> None:
    """Make the mean over the group's directions 1, and drop tiles that are mostly negative; in place."""
    values = {tile: terms[tile, known[tile]] @ numbers[tile] for tile in members if known[tile].any()}
    mean = float(np.mean(np.concatenate(list(values.values())))) if values else 0.0
    for tile in members:
        is_positive = tile in values and np.mean(values[tile] > -_NEGATIVE * mean) > 0.5
        if mean > 0 and is_positive and not _is_inverted(numbers[tile], terms[tile, known[tile]]):
            numbers[tile] /= mean
        else:
            numbers[tile] = np.nan


def _is_inverted(numbers: F64, terms: F64) -> bool:
    """True where a negative factor matters: not on a tile that sees one plane from its front, whose depth is all one.

    The other term is the one by which the measurement was multiplied.
    """
    if numbers[0] >= 0 or len(numbers) == 1:
        return bool(numbers[0] < 0)
    measured = numbers[0] * terms[:, 0] / terms[:, 1]
    middle = float(np.median(measured))
    return bool(np.median(np.abs(measured - middle)) > _NEGATIVE * abs(middle + numbers[1]))


def _cauchy(off: F64, deviation: float) -> F64:
    reach = CAUCHY * max(deviation, SHARPEST)
    robust: F64 = 1 / (1 + (off / reach) ** 2)
    return robust


def _pairs(count: int) -> Iterator[tuple[int, int]]:
    return ((i, j) for i in range(count) for j in range(i + 1, count))


def _groups(count: int, pairs: list[tuple[int, int]]) -> NDArray[np.int64]:
    """(count,) numbers from 0 of the connected parts of a graph."""
    part = np.arange(count)
    for i, j in pairs:
        part[part == part[j]] = part[i]
    groups: NDArray[np.int64] = np.unique(part, return_inverse=True)[1].astype(np.int64)
    return groups
