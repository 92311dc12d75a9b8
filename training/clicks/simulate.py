"""Where a person would click: inside what is meant, and then where the answer is most wrong."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

_INWARD = 1.5
"""Power of the distance to the border by which a click prefers the interior."""


def depths(mask: Mask) -> NDArray[np.float32]:
    """(h, w) pixels from each pixel of a mask to the nearest one outside it; the picture's border is outside."""
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1], np.float32)


def random_click(mask: Mask, rng: np.random.Generator) -> tuple[int, int] | None:
    """Row and column of a random pixel of a mask, rather inside than at the border; None when it is empty."""
    chance = depths(mask).ravel() ** _INWARD
    sums = np.cumsum(chance, dtype=np.float64)
    if sums.size == 0 or sums[-1] <= 0:
        return None
    row, col = divmod(int(np.searchsorted(sums, rng.random() * sums[-1], side="right")), mask.shape[1])
    return min(row, mask.shape[0] - 1), col


def central_click(mask: Mask) -> tuple[int, int] | None:
    """Row and column of the pixel that is farthest from the border of a mask; None when it is empty."""
    if not mask.any():
        return None
    row, col = divmod(int(np.argmax(depths(mask))), mask.shape[1])
    return row, col


def largest_piece(mask: Mask) -> Mask:
    """The connected piece of a mask with the most pixels, where pixels touch by their sides."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count < 2:
        return mask
    piece: Mask = labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return piece


def correction(said: Mask, meant: Mask, rng: np.random.Generator | None) -> tuple[int, int, bool] | None:
    """The next click of someone who looks at an answer.

    Args:
        said: (h, w) the answer.
        meant: (h, w) what was meant.
        rng: For a click anywhere in the largest error; None: in its middle.

    Returns:
        Row, column, and whether the click is positive; None when nothing is wrong.
    """
    missing, extra = meant & ~said, said & ~meant
    if not (missing.any() or extra.any()):
        return None
    pieces = [largest_piece(missing), largest_piece(extra)]
    positive = pieces[0].sum() >= pieces[1].sum()
    piece = pieces[0] if positive else pieces[1]
    spot = central_click(piece) if rng is None else random_click(piece, rng)
    return None if spot is None else (*spot, bool(positive))


def sloppy_logits(mask: Mask, rng: np.random.Generator) -> NDArray[np.float32]:
    """Logits of an answer that is roughly right: grown or shrunk, shifted, blurred, with pieces missing or too many.

    Args:
        mask: (h, w) what is right.
        rng: Random numbers.

    Returns:
        (h, w) float32.
    """
    height, width = mask.shape
    rough = mask.astype(np.uint8)
    across = max(2.0, float(np.sqrt(mask.sum())))
    reach = int(rng.integers(0, max(2, round(0.12 * across))))
    if reach:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        change = cv2.dilate if rng.random() < 0.5 else cv2.erode
        rough = np.asarray(change(rough, kernel), np.uint8)
    for value in (0, 1):
        if rng.random() < 0.4:
            spot = (int(rng.integers(width)), int(rng.integers(height)))
            radius = max(1, int(across * rng.uniform(0.05, 0.35)))
            near = mask[max(0, spot[1] - radius) : spot[1] + radius, max(0, spot[0] - radius) : spot[0] + radius]
            if near.any() and not near.all():
                cv2.circle(rough, spot, radius, value, -1)
    shift = rng.normal(0, 0.03 * across, 2)
    moved = cv2.warpAffine(
        rough.astype(np.float32), np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32), (width, height),
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    blurred = cv2.GaussianBlur(moved, (0, 0), float(rng.uniform(0.4, max(0.6, 0.06 * across))))
    sharpness = rng.uniform(3, 9)
    logits: NDArray[np.float32] = ((2 * blurred - 1) * sharpness).astype(np.float32)
    return logits
