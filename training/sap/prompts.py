"""What is pointed at in a clip, and where a person who looks at the answers clicks next, as SAM 2 simulates it.

Source: arXiv:2408.00714 and the released training configuration, where no other is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


class Opening(StrEnum):
    """How an object is first pointed at."""

    MASK = "mask"
    CLICK = "click"
    BOX = "box"


OPENING_CHANCES = {Opening.MASK: 0.5, Opening.CLICK: 0.25, Opening.BOX: 0.25}
MOST_PROMPTED, MOST_CORRECTED = 2, 2
"""Frames of a clip that are pointed at from the beginning, and that are corrected."""
CORRECTIONS = 7
"""Further clicks in a frame that is corrected."""
FROM_TRUTH = 0.1
"""How often such a click falls anywhere in the object, whatever was answered."""
BOX_NOISE, MOST_NOISE_PX = 0.1, 20.0
"""A box's sides are moved by at most this share of it, and at most so many pixels of a view of 1024."""
_TRAINED_PX = 1024


@dataclass(frozen=True)
class Script:
    """How a clip is gone through.

    Attributes:
        opening: How its objects are pointed at.
        order: Its frames: those that are pointed at from the beginning come first, then the others in their order.
        prompted: How many those are.
        corrected: Frames that are corrected.
    """

    opening: Opening
    order: tuple[int, ...]
    prompted: int
    corrected: frozenset[int]


def draw_script(frames: int, rng: np.random.Generator) -> Script:
    """A way through a clip of so many frames.

    The first frame is always pointed at. A picture on its own is a clip of one frame that gets clicks; a mask of it
    would leave nothing to be asked.
    """
    openings = list(OPENING_CHANCES)
    opening = openings[int(rng.choice(len(openings), p=list(OPENING_CHANCES.values())))]
    if frames == 1 and opening is Opening.MASK:
        opening = Opening.CLICK
    # Where masks are shown, one frame at least is left to be answered.
    most = frames - 1 if opening is Opening.MASK else frames
    prompted = min(most, int(rng.integers(1, MOST_PROMPTED + 1)))
    others = rng.permutation(np.arange(1, frames))
    first = (0, *(int(frame) for frame in others[: prompted - 1]))
    corrected: frozenset[int] = frozenset()
    if opening is not Opening.MASK:
        # What is pointed at is corrected before other frames are.
        candidates = (*first, *(int(frame) for frame in others[prompted - 1 :]))
        count = max(prompted, int(rng.integers(1, MOST_CORRECTED + 1)))
        corrected = frozenset(candidates[:count])
    rest = tuple(frame for frame in range(frames) if frame not in first)
    return Script(opening, first + rest, len(first), corrected)


def uniform_click(mask: Mask, rng: np.random.Generator) -> tuple[float, float] | None:
    """(u, v) of the middle of a pixel of a mask, any with the same chance; None when it is empty."""
    inside = np.flatnonzero(mask)
    if not len(inside):
        return None
    row, col = divmod(int(inside[int(rng.integers(len(inside)))]), mask.shape[1])
    return col + 0.5, row + 0.5


def rough_box(mask: Mask, rng: np.random.Generator) -> NDArray[np.float32] | None:
    """(4,) u0, v0, u1, v1 around a mask, its sides moved a little; None when it is empty."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    size = mask.shape[0]
    box = np.array([cols[0], rows[0], cols[-1] + 1, rows[-1] + 1], np.float64)
    sides = np.tile(box[2:] - box[:2], 2)
    most = np.minimum(BOX_NOISE * sides, MOST_NOISE_PX * size / _TRAINED_PX)
    moved: NDArray[np.float32] = np.clip(box + rng.uniform(-most, most), 0, size).astype(np.float32)
    return moved


def correcting_click(said: Mask, truth: Mask, rng: np.random.Generator) -> tuple[float, float, bool]:
    """The next click of someone who looks at an answer: (u, v) and whether it is positive.

    It falls into what is wrong, anywhere with the same chance; where nothing is, beside the object.

    Args:
        said: (s, s) the answer.
        truth: (s, s) what is right.
        rng: Random numbers.
    """
    if rng.random() < FROM_TRUTH:
        said = np.zeros_like(said)
    wrong = said != truth
    if not wrong.any():
        wrong = ~truth if not truth.all() else truth
    spot = uniform_click(wrong, rng)
    if spot is None:
        raise ValueError("expected masks with at least one pixel")
    positive = bool(truth[int(spot[1]), int(spot[0])])
    return spot[0], spot[1], positive
