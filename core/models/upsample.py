"""From a network's small maps to the photograph's size, with edges where the photograph has them.

Near an edge of the maps, each pixel of the photograph first decides by its colour and place to which side it belongs:
sky or not, near or far surface, one wall or the other, one class or another. Its values are then interpolated from
that side alone. Nothing is invented between two surfaces, and away from edges the colours have no say, so that texture
does not leak into the geometry. The vote is that of joint bilateral upsampling (J. Kopf et al., Joint Bilateral
Upsampling, SIGGRAPH 2007) with the range scaled by the local contrast.

Depth is interpolated as its inverse, which is linear on any plane, and each small pixel is continued along its slope.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.geometry.compiled import compiled, frozen
from core.geometry.normals import turn_normals
from core.geometry.warp import resize_erp
from core.prediction import Prediction
from core.progress import Progress, silent

JUMP = 1.08
"""Ratio of depths within reach of one pixel from which on they belong to two surfaces."""

CREASE = math.cos(math.radians(15.0))
"""Normals that differ by more from their mean belong to two surfaces."""

LEAST_CONTRAST = 6.0
"""Standard deviation of colours, in 8-bit steps, below which differences are noise."""

KNOWN, UNKNOWN, FAR = 0, 1, 2

BAND_PIXELS = 1 << 19
"""Computed at once, a tenth of a second's work, so that it can be stopped soon."""

Rgb = NDArray[np.uint8]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


def upsample_prediction(prediction: Prediction, rgb: Rgb, *, progress: Progress = silent) -> Prediction:
    """The prediction on the photograph's grid, guided by its colours.

    Rolling the photograph and the maps by the same angle rolls the result.

    Args:
        prediction: On any grid. On one that is finer than the photograph's, it is averaged instead.
        rgb: (H, W, 3) sRGB uint8 that it was made from.
        progress: Called with the rows that are done; may raise `Cancelled`.

    Returns:
        (H, W) maps. Depth lies within the range of the small map's depths around each pixel and is NaN where far or
        unknown; normals are unit vectors; classes are among those around each pixel. `native_size` is set.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"rgb must be uint8 (H, W, 3), got {rgb.dtype} {rgb.shape}")
    if not prediction.maps() or prediction.size == rgb.shape[:2]:
        return prediction
    prediction = replace(prediction, native_size=prediction.native_size or prediction.size)
    if rgb.shape[0] <= prediction.size[0]:
        return _averaged(prediction, *rgb.shape[:2])
    return _guided(prediction, rgb, progress)


def _averaged(prediction: Prediction, height: int, width: int) -> Prediction:
    """On a coarser grid; depths are averaged as inverses, as they are interpolated."""
    depth, normals, classes, far = prediction.depth, prediction.normals, prediction.classes, prediction.far
    return replace(
        prediction,
        depth=None if depth is None else _inverse(resize_erp(_inverse(depth), height, width)),
        normals=None if normals is None else turn_normals(resize_erp(normals, height, width), np.eye(3)),
        classes=None if classes is None else resize_erp(classes, height, width),
        far=None if far is None else resize_erp(far, height, width),
    )


def _guided(prediction: Prediction, rgb: Rgb, progress: Progress) -> Prediction:
    height, width = rgb.shape[:2]
    rows, cols = prediction.size
    depth, normals, classes, far = prediction.depth, prediction.normals, prediction.classes, prediction.far
    state = np.full((rows, cols), KNOWN, np.uint8)
    if depth is not None:
        state[~(np.isfinite(depth) & (depth > 0))] = UNKNOWN
    if far is not None:
        state[far] = FAR
    inverse = np.ones((rows, cols), np.float32) if depth is None else np.where(state == KNOWN, _inverse(depth), np.nan)
    wide = _padded(inverse, 4)
    small = (
        frozen(_padded(state)),
        frozen(np.stack([wide[2:-2, 2:-2], _slope(wide, 0), _slope(wide, 1)], axis=-1)),
        frozen(_padded(np.zeros((rows, cols, 3), np.float32) if normals is None else normals)),
        frozen(_padded(np.zeros((rows, cols), np.int16) if classes is None else classes)),
        frozen(_padded(resize_erp(rgb, rows, cols).astype(np.float32))),
    )
    cells = _cells(*small)
    out = (
        np.empty((height, width), np.float32),
        np.empty((height, width, 3) if normals is not None else (0, 0, 3), np.float32),
        np.empty((height, width), np.int16),
        np.empty((height, width), np.bool_),
    )
    reach = _reach(height, rows), _reach(width, cols)
    picture = frozen(rgb)
    band = max(1, BAND_PIXELS // width)
    for top in range(0, height, band):
        progress(top, height)
        _upsample(small, cells, reach, picture, out, (top, min(top + band, height)))
    progress(height, height)
    return replace(
        prediction,
        depth=None if depth is None else out[0],
        normals=None if normals is None else out[1],
        classes=None if classes is None else out[2],
        far=None if far is None else out[3],
    )


def _inverse(depth: F32) -> F32:
    with np.errstate(divide="ignore"):
        return np.reciprocal(depth)


def _padded(values: NDArray[Any], margin: int = 2) -> NDArray[Any]:
    """A few more pixels on each side, round the seam and across the poles."""
    across = np.roll(values, values.shape[1] // 2, axis=1)
    margin_rows = [k % values.shape[0] for k in range(margin)]
    tall = np.concatenate([across[margin_rows[::-1]], values, across[::-1][margin_rows]])
    columns = np.arange(-margin, values.shape[1] + margin) % values.shape[1]
    return tall[:, columns]


def _slope(padded: F32, axis: int) -> F32:
    """Change per pixel of a map padded by 4, for the same padded by 2: the difference to the smoother side.

    That is the side on which the next difference is most alike; see `normals_from_depth`. 0 where both sides jump.
    """
    before, here, after = (np.roll(padded, shift, axis) for shift in (1, 0, -1))
    bend = np.abs(before + after - 2 * here)
    bend[np.isnan(bend)] = np.inf
    left, right = np.roll(bend, 1, axis), np.roll(bend, -1, axis)
    slope = np.where(left < right, here - before, after - here)
    slope = np.where(bend <= np.minimum(left, right), (after - before) / 2, slope)
    least = np.minimum(np.minimum(left, right), bend)
    # Too close to the unknown for a second difference, a first one that is no jump will do.
    for one in (here - before, after - here):
        slope = np.where(np.isinf(least) & (np.abs(one) < (JUMP - 1) * here), one, slope)
        least = np.where(np.isinf(least) & (np.abs(one) < (JUMP - 1) * here), 0.0, least)
    slope = np.where(least < (JUMP - 1) * here, slope, 0.0).astype(np.float32)
    result: F32 = slope[2:-2, 2:-2]
    return result


def _reach(size: int, small: int) -> tuple[I64, F64, F64]:
    """For each pixel along one axis: its first of 4 padded small pixels, its distance from it, their weights.

    The weights are those of the cubic B-spline: positive, smooth, and 1 in sum.
    """
    at = (np.arange(size) + 0.5) * (small / size) - 0.5
    first = np.floor(at + 1e-9).astype(np.int64)
    t = at - first
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=-1) / 6
    return frozen(first + 1), frozen(t + 1), frozen(np.clip(weights, 0.0, None))


@compiled
def _cells(state: NDArray[np.uint8], inverse: F32, normals: F32, labels: NDArray[np.int16], colors: F32) -> F32:
    """What is to know about each group of 4 x 4 small pixels.

    Returns:
        (rows, columns, 3): least and greatest inverse depth, and the scale of squared differences of colour, or 0
        where the group holds no edge.
    """
    cells = np.empty((state.shape[0] - 3, state.shape[1] - 3, 3), np.float32)
    for i in range(cells.shape[0]):
        for j in range(cells.shape[1]):
            plain = True
            low = low_here = np.inf
            high = high_here = 0.0
            spread = 0.0
            for c in range(3):
                mean = 0.0
                square = 0.0
                for t in range(16):
                    value = np.float64(colors[i + t // 4, j + t % 4, c])
                    mean += value / 16
                    square += value * value / 16
                spread += max(0.0, square - mean * mean)
            for t in range(16):
                row = i + t // 4
                col = j + t % 4
                if state[row, col] != KNOWN or labels[row, col] != labels[i, j]:
                    plain = False
                    continue
                value = np.float64(inverse[row, col, 0])
                low = min(low, value)
                high = max(high, value)
                value += (1.5 - t // 4) * inverse[row, col, 1] + (1.5 - t % 4) * inverse[row, col, 2]
                low_here = min(low_here, value)
                high_here = max(high_here, value)
                same = np.float32(0)
                length = np.float32(0)
                for c in range(3):
                    same += normals[row, col, c] * normals[i, j, c]
                    length += normals[row, col, c] * normals[row, col, c]
                if not (same > CREASE or length == 0):
                    plain = False
            cells[i, j, 0] = low
            cells[i, j, 1] = high
            contrast = max(spread / 2, 3 * LEAST_CONTRAST * LEAST_CONTRAST)
            cells[i, j, 2] = 0 if plain and high_here < JUMP * low_here else contrast
    return cells


Small = tuple[NDArray[np.uint8], F32, F32, NDArray[np.int16], F32]
Reach = tuple[tuple[I64, F64, F64], tuple[I64, F64, F64]]
Out = tuple[F32, F32, NDArray[np.int16], NDArray[np.bool_]]


@compiled
def _upsample(small: Small, cells: F32, reach: Reach, rgb: Rgb, out: Out, band: tuple[int, int]) -> None:
    """The loop behind `upsample_prediction` for some rows; 16 small pixels around each pixel, numbered by rows."""
    state, inverse, normals, labels, colors = small
    (first_row, from_row, row_weights), (first_col, from_col, col_weights) = reach
    depth_out, normals_out, labels_out, far_out = out
    with_normals = normals_out.size > 0
    place = np.empty(16, np.float64)
    vote = np.empty(16, np.float64)
    value = np.empty(16, np.float64)
    likeness = np.empty(16, np.float64)
    member = np.empty(16, np.bool_)
    mean = np.empty(3, np.float64)
    for i in range(band[0], band[1]):
        row = first_row[i]
        for j in range(rgb.shape[1]):
            col = first_col[j]
            contrast = np.float64(cells[row, col, 2])
            if contrast == 0:
                total = 0.0
                for t in range(4):
                    part = 0.0
                    for s in range(4):
                        slope = inverse[row + t, col + s, 1] * (from_row[i] - t)
                        slope += inverse[row + t, col + s, 2] * (from_col[j] - s)
                        part += col_weights[j, s] * (inverse[row + t, col + s, 0] + slope)
                    total += row_weights[i, t] * part
                depth_out[i, j] = 1 / min(max(total, np.float64(cells[row, col, 0])), np.float64(cells[row, col, 1]))
                if with_normals:
                    length = 0.0
                    for c in range(3):
                        total = 0.0
                        for t in range(4):
                            part = 0.0
                            for s in range(4):
                                part += col_weights[j, s] * normals[row + t, col + s, c]
                            total += row_weights[i, t] * part
                        mean[c] = total
                        length += total * total
                    length = math.sqrt(length)
                    for c in range(3):
                        normals_out[i, j, c] = mean[c] / length
                labels_out[i, j] = labels[row + 1, col + 1]
                far_out[i, j] = False
                continue

            total = 0.0
            far = 0.0
            unknown = 0.0
            for n in range(16):
                r, s = row + n // 4, col + n % 4
                place[n] = row_weights[i, n // 4] * col_weights[j, n % 4]
                off = 0.0
                for c in range(3):
                    difference = np.float64(rgb[i, j, c]) - colors[r, s, c]
                    off += difference * difference
                off = 1 + off / contrast
                vote[n] = place[n] / (off * off) + 1e-12
                total += vote[n]
                if state[r, s] == FAR:
                    far += vote[n]
                elif state[r, s] == UNKNOWN:
                    unknown += vote[n]
            winner = FAR if far > 0.5 * total else (UNKNOWN if unknown > 0.5 * (total - far) else KNOWN)
            for n in range(16):
                member[n] = state[row + n // 4, col + n % 4] == winner
            far_out[i, j] = winner == FAR
            depth_out[i, j] = np.nan
            low, high = np.inf, 0.0

            if winner == KNOWN:
                for n in range(16):
                    r, s = row + n // 4, col + n % 4
                    slope = inverse[r, s, 1] * (from_row[i] - n // 4) + inverse[r, s, 2] * (from_col[j] - n % 4)
                    value[n] = max(inverse[r, s, 0] + slope, 0.2 * inverse[r, s, 0])
                # Two surfaces, of which one may be two again.
                for _ in range(2):
                    low = np.inf
                    high = 0.0
                    for n in range(16):
                        if member[n]:
                            low = min(low, value[n])
                            high = max(high, value[n])
                    if high < JUMP * low:
                        break
                    middle = math.sqrt(low * high)
                    balance = 0.0
                    for n in range(16):
                        if member[n]:
                            balance += vote[n] if value[n] > middle else -vote[n]
                    for n in range(16):
                        member[n] = member[n] and (value[n] > middle) == (balance > 0)
                low = np.inf
                high = 0.0
                for n in range(16):
                    if member[n]:
                        low = min(low, np.float64(inverse[row + n // 4, col + n % 4, 0]))
                        high = max(high, np.float64(inverse[row + n // 4, col + n % 4, 0]))

            if with_normals:
                for splits in range(3):
                    mean[:] = 0
                    for n in range(16):
                        if member[n] and normals[row + n // 4, col + n % 4, 0] == normals[row + n // 4, col + n % 4, 0]:
                            for c in range(3):
                                mean[c] += (place[n] + 1e-12) * normals[row + n // 4, col + n % 4, c]
                    length = math.sqrt(mean[0] * mean[0] + mean[1] * mean[1] + mean[2] * mean[2])
                    mean /= length
                    # The normal farthest from the mean and the one farthest from that stand for the two sides.
                    one, other = -1, -1
                    least = CREASE
                    for n in range(16):
                        r, s = row + n // 4, col + n % 4
                        if member[n]:
                            same = normals[r, s, 0] * mean[0] + normals[r, s, 1] * mean[1] + normals[r, s, 2] * mean[2]
                            if same < least:
                                one, least = n, same
                    if one < 0 or splits == 2:
                        break
                    least = 2.0
                    for n in range(16):
                        same = 0.0
                        for c in range(3):
                            same += normals[row + n // 4, col + n % 4, c] * normals[row + one // 4, col + one % 4, c]
                        likeness[n] = same
                        if member[n] and same < least:
                            other, least = n, same
                    balance = 0.0
                    for n in range(16):
                        same = 0.0
                        for c in range(3):
                            same += (
                                normals[row + n // 4, col + n % 4, c] * normals[row + other // 4, col + other % 4, c]
                            )
                        likeness[n] -= same
                        if member[n]:
                            balance += vote[n] if likeness[n] > 0 else -vote[n]
                    for n in range(16):
                        member[n] = member[n] and (likeness[n] > 0) == (balance > 0)
                for c in range(3):
                    normals_out[i, j, c] = mean[c]

            if winner == KNOWN:
                weight = 0.0
                total = 0.0
                for n in range(16):
                    if member[n]:
                        weight += place[n] + 1e-12
                        total += (place[n] + 1e-12) * value[n]
                depth_out[i, j] = 1 / min(max(total / weight, low), high)

            best = -1.0
            for n in range(16):
                if member[n]:
                    label = labels[row + n // 4, col + n % 4]
                    total = 0.0
                    for m in range(16):
                        if member[m] and labels[row + m // 4, col + m % 4] == label:
                            total += vote[m]
                    if total > best:
                        best = total
                        labels_out[i, j] = label
