"""Growing and shrinking masks by an angle that is the same everywhere on the sphere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.geometry.compiled import compiled, frozen
from core.geometry.regions import Bits, Indices, runs_by_row
from core.geometry.sphere import erp_angles


def dilate(bits: Bits, angle: float, *, height: int | None = None, row: int = 0) -> Bits:
    """A mask and all pixels whose centres lie within an angle of the centre of a pixel inside.

    Args:
        bits: (height, width) bool, or a strip of its rows.
        angle: Radians, not negative.
        height: Of the grid that `bits` is a strip of; None when it is all of it.
        row: First row of the strip.

    Returns:
        Bool of the same shape, the caller's own.
    """
    if not angle >= 0:
        raise ValueError(f"expected an angle of at least 0, got {angle}")
    height = len(bits) if height is None else height
    first, start, stop = runs_by_row(bits)
    lat = erp_angles(height, 1)[1][row : row + len(bits)]
    wide = np.empty_like(bits, order="C")
    _dilate(frozen(first), frozen(start), frozen(stop), frozen(lat), (min(float(angle), np.pi), height), wide)
    return wide


def erode(bits: Bits, angle: float, *, height: int | None = None, row: int = 0) -> Bits:
    """A mask without all pixels whose centres lie within an angle of the centre of a pixel outside.

    Args:
        bits: As for `dilate`; what lies beyond a strip is not looked at.
        angle: As for `dilate`.
        height: As for `dilate`.
        row: As for `dilate`.
    """
    return ~dilate(~bits, angle, height=height, row=row)


@compiled
def _dilate(
    first: Indices,
    start: NDArray[np.int32],
    stop: NDArray[np.int32],
    lat: NDArray[np.float64],
    reach_of: tuple[float, int],
    wide: Bits,
) -> None:
    """A run in one row reaches a run in another, longer by as many columns to either side as the angle leaves room for.

    Runs are counted in at their ends, and pixels with more beginnings than ends before them are within. The number of
    columns is the haversine formula solved for the difference of longitudes; a centre on the border is within, whatever
    the last bits are.
    """
    angle, height = reach_of
    strip, width = wide.shape
    rows = int(np.ceil(angle / np.pi * height))
    reach = np.sin(angle / 2) ** 2
    change = np.zeros(width + 1, np.int32)
    for i in range(strip):
        everywhere, anywhere = False, False
        for k in range(max(0, i - rows), min(strip, i + rows + 1)):
            if first[k] == first[k + 1]:
                continue
            left_over = reach - np.sin((lat[i] - lat[k]) / 2) ** 2
            if left_over < -1e-12:
                continue
            room = max(left_over, 0.0) / (np.cos(lat[i]) * np.cos(lat[k]))
            anywhere = True
            if room >= 1:
                everywhere = True
                break
            cols = np.int64(np.floor(np.arcsin(np.sqrt(room)) * width / np.pi + 1e-9))
            for n in range(first[k], first[k + 1]):
                if stop[n] - start[n] + 2 * cols >= width:
                    everywhere = True
                    break
                left, right = start[n] - cols, stop[n] + cols
                if left < 0:
                    change[left + width] += 1
                    change[width] -= 1
                    left = 0
                if right > width:
                    change[0] += 1
                    change[right - width] -= 1
                    right = width
                change[left] += 1
                change[right] -= 1
            if everywhere:
                break
        if everywhere or not anywhere:
            wide[i, :] = everywhere
        else:
            inside = 0
            for j in range(width):
                inside += change[j]
                wide[i, j] = inside > 0
        if anywhere:
            change[:] = 0
