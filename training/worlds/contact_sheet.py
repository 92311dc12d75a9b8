"""Many samples on one picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.worlds.sample import WorldSample


def contact_sheet(samples: Sequence[WorldSample], columns: int, *, gap: int = 4) -> NDArray[np.uint8]:
    """The samples' pictures in rows.

    Args:
        samples: At least one, all of one size.
        columns: Pictures per row.
        gap: Dark pixels between them.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ValueError: Without samples.
    """
    if not samples:
        raise ValueError("a contact sheet needs at least one sample, got none")
    height, width = samples[0].rgb.shape[:2]
    rows = -(-len(samples) // columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 24, np.uint8)
    for index, sample in enumerate(samples):
        row, column = divmod(index, columns)
        top, left = row * (height + gap), column * (width + gap)
        sheet[top : top + height, left : left + width] = sample.rgb
    return sheet
