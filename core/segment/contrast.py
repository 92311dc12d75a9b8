"""What a border between two pixels costs: much within one colour, little across an edge of the picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.geometry.compiled import compiled, frozen
from core.segment.min_cut import OFFSETS

Index = NDArray[np.int32]
"""(h + 2, w + 2) number of the node of each pixel of a picture, row by row from 0; -1 for pixels without one and for
the frame around the picture."""


def number_pixels(nodes: NDArray[np.bool_]) -> Index:
    """Numbers for the chosen pixels, (h, w) bool."""
    index = np.full((nodes.shape[0] + 2, nodes.shape[1] + 2), -1, np.int32)
    index[1:-1, 1:-1][nodes] = np.arange(np.count_nonzero(nodes), dtype=np.int32)
    return index


def neighbours_of(index: Index) -> NDArray[np.int32]:
    """(n, 8) numbers of each node's neighbours in the order of `OFFSETS`, -1 where there is none."""
    height, width = index.shape[0] - 2, index.shape[1] - 2
    nodes = index[1:-1, 1:-1] >= 0
    shifted = [index[1 + down : 1 + down + height, 1 + right : 1 + right + width][nodes] for down, right in OFFSETS]
    return np.ascontiguousarray(np.stack(shifted, axis=1))


def border_costs(rgb: NDArray[np.uint8], index: Index, *, contrast: float, floor: float) -> NDArray[np.float32]:
    """Costs of a border between each node and its neighbours.

    ``contrast * (floor + (1 - floor) exp(-d / 2 m)) / length`` for a squared colour difference d whose mean over all
    pairs is m: what counts as an edge depends on the picture. Source: C. Rother, V. Kolmogorov, A. Blake, GrabCut,
    SIGGRAPH 2004, equation 11.

    Args:
        rgb: (h, w, 3).
        index: Of its pixels.
        contrast: Cost of a border of one pixel's length within one colour.
        floor: Share of it that remains at the strongest edge.

    Returns:
        (n, 8) in the order of `OFFSETS`; 0 where there is no neighbour.
    """
    import cv2

    smooth = cv2.GaussianBlur(rgb, (0, 0), 0.7).astype(np.float32)
    costs = np.zeros((int(index.max()) + 1, 8), np.float32)
    _fill_costs(frozen(smooth), frozen(index), contrast, floor, costs)
    return costs


@compiled
def _fill_costs(
    rgb: NDArray[np.float32], index: Index, contrast: float, floor: float, costs: NDArray[np.float32]
) -> None:
    """The loop behind `border_costs`."""
    height, width, channels = rgb.shape
    total, pairs = 0.0, 0
    for i in range(height):
        for j in range(width):
            here = index[i + 1, j + 1]
            if here < 0:
                continue
            for k in range(4):
                down = 0 if k == 0 else 1
                right = 1 if k == 0 else k - 2
                there = index[i + 1 + down, j + 1 + right]
                if there < 0:
                    continue
                square = 0.0
                for c in range(channels):
                    step = rgb[i, j, c] - rgb[i + down, j + right, c]
                    square += step * step
                costs[here, 4 + k] = square
                costs[there, 3 - k] = square
                total += square
                pairs += 1
    sharpness = 0.5 * pairs / max(total, 1e-3 * pairs + 1e-9)
    for i in range(height):
        for j in range(width):
            here = index[i + 1, j + 1]
            if here < 0:
                continue
            for k in range(8):
                down = -1 if k < 3 else (0 if k < 5 else 1)
                right = k - 1 if k < 3 else (2 * (k - 3) - 1 if k < 5 else k - 6)
                if index[i + 1 + down, j + 1 + right] < 0:
                    costs[here, k] = 0.0
                    continue
                length = 1.0 if down == 0 or right == 0 else 1.4142135623730951
                costs[here, k] = contrast * (floor + (1 - floor) * np.exp(-sharpness * costs[here, k])) / length
