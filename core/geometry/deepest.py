"""The pixel of a mask that is farthest from everything outside, by angle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.geometry.compiled import compiled, frozen
from core.geometry.sphere import erp_angles

Columns = NDArray[np.uint16] | NDArray[np.uint32]
"""How many there are to somewhere."""


def deepest_pixel(bits: NDArray[np.bool_], origin: int, cols: int) -> tuple[int, int]:
    """Row and column of the pixel inside whose nearest pixel outside, between centres, is farthest.

    Of several the uppermost counts, and of these the first one eastwards from `origin`.

    Args:
        bits: (height, width) bool with pixels inside and outside.
        origin: First column of those that hold what is inside.
        cols: How many they are, around the circle.
    """
    height, width = bits.shape
    away = np.empty((height, width), np.uint16 if width < np.iinfo(np.uint16).max else np.uint32)
    nowhere = int(np.iinfo(away.dtype).max)
    _columns_to_outside(frozen(bits), nowhere, away)
    return _deepest(
        away,
        nowhere,
        frozen(np.cos(erp_angles(height, width)[1])),
        frozen(np.sin(np.arange(height) * (np.pi / height / 2)) ** 2),
        frozen(np.sin(np.arange(width // 2 + 1) * (np.pi / width)) ** 2),
        origin,
        cols,
    )


@compiled
def _columns_to_outside(bits: NDArray[np.bool_], nowhere: int, away: Columns) -> None:
    """Write columns from each pixel to the nearest one outside in its row, around the circle; `nowhere` without any."""
    height, width = bits.shape
    for i in range(height):
        until = 0
        while until < width and bits[i, until]:
            until += 1
        if until == width:
            away[i, :] = nowhere
            continue
        since = 0
        while bits[i, width - 1 - since]:
            since += 1
        for j in range(width):
            since = since + 1 if bits[i, j] else 0
            away[i, j] = since
        for j in range(width - 1, -1, -1):
            until = until + 1 if bits[i, j] else 0
            away[i, j] = until if until < away[i, j] else away[i, j]


@compiled
def _deepest(
    away: Columns,
    nowhere: int,
    cos_lat: NDArray[np.float64],
    by_rows: NDArray[np.float64],
    by_cols: NDArray[np.float64],
    origin: int,
    cols: int,
) -> tuple[int, int]:
    """Row and column of the pixel whose nearest pixel outside is farthest.

    Distances are haversines, exact for small angles, from tables of ``sin(angle / 2)^2``. The distance changes by no
    more than one moves, so a cell whose middle is too near is left out without looking into it (branch and bound).
    """
    height, width = away.shape
    per_row, per_col = np.pi / height, 2 * np.pi / width
    side = 1
    while side * 64 < max(height, cols):
        side *= 2
    across, down = (cols + side - 1) // side, (height + side - 1) // side
    bounds = np.empty(across * down, np.float64)
    order = np.zeros(across * down, np.int64)
    # Cells in work: top, left (counted from `origin`), side.
    stack = np.empty((128, 3), np.int64)
    best, best_value, best_row, best_col = 0.0, 0.0, -1, -1
    # First the middles of all coarse cells, so that the search begins with a good guess; then the most promising cells.
    for turn in range(-across * down, across * down):
        if turn == 0:
            order = np.argsort(-bounds)
        n = order[turn] if turn >= 0 else turn + across * down
        if turn > 0 and bounds[n] < 2 * np.arcsin(np.sqrt(best)):
            break
        stack[0, 0], stack[0, 1], stack[0, 2] = n // across * side, n % across * side, side
        count = 1
        while count > 0:
            count -= 1
            top, left, size = stack[count]
            row, col = min(top + size // 2, height - 1), min(left + size // 2, cols - 1)
            value = 0.0
            at = (origin + col) % width
            if away[row, at] > 0:
                value = 1.0
                for k in range(height):
                    if by_rows[k] >= value:
                        break
                    for other in range(row - k, row + k + 1, max(1, 2 * k)):
                        if 0 <= other < height and away[other, at] != nowhere:
                            across_rows = cos_lat[row] * cos_lat[other] * by_cols[away[other, at]]
                            value = min(value, by_rows[k] + across_rows)
            best = max(best, value)
            # Along the parallel and then along the meridian is never shorter than straight.
            reach = max(row - top, top + size - 1 - row) * per_row
            reach += max(col - left, left + size - 1 - col) * per_col * cos_lat[row]
            bound = 2 * np.arcsin(np.sqrt(value)) + reach + 1e-9
            if turn < 0:
                bounds[n] = bound
            elif size == 1:
                if value >= best * (1 - 1e-9) and (
                    value > best_value * (1 + 1e-9) or row < best_row or (row == best_row and col < best_col)
                ):
                    best_value, best_row, best_col = value, row, col
            elif bound >= 2 * np.arcsin(np.sqrt(best)):
                half = size // 2
                for part in range(4):
                    y, x = top + part // 2 * half, left + part % 2 * half
                    if y < height and x < cols:
                        stack[count, 0], stack[count, 1], stack[count, 2] = y, x, half
                        count += 1
    return best_row, (origin + best_col) % width
