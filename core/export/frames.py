"""The one door through which points and normals leave our axes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.cloud import FRAMES
from core.errors import ExportError


def frame_rotation(frame: str) -> NDArray[np.float64]:
    """(3, 3) rotation from our axes into those of a frame, a key of `core.cloud.FRAMES`.

    Raises:
        ExportError: There is no such frame.
    """
    if frame not in FRAMES:
        raise ExportError(f"Expected one of the frames {', '.join(FRAMES)}, got {frame}.")
    return FRAMES[frame]


def turned_axes(vectors: NDArray[np.float32], rotation: NDArray[np.float64]) -> NDArray[np.float32]:
    """(N, 3) vectors with their axes exchanged and flipped, exactly: a frame is a signed permutation of ours."""
    order = np.abs(rotation).argmax(axis=1)
    signs = rotation[np.arange(3), order].astype(np.float32)
    turned: NDArray[np.float32] = vectors[:, order] * signs
    return turned
