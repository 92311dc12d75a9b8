"""The one door through which points and normals leave our axes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from core.cloud import ENU, FRAME_NAMES, FRAMES, PointCloud
from core.errors import ExportError

NO_HEADING = (
    "The frame enu needs the compass bearing of the photograph's centre, and its metadata say none "
    "(GPano:PoseHeadingDegrees); choose another frame"
)
NOT_LEVEL = "The frame enu is level, and this cloud keeps the photograph's own tilt; level it or choose another frame"


def check_frame(frame: str, *, heading: float | None, is_level: bool) -> None:
    """Refuse a frame that a photograph cannot have.

    Args:
        frame: A name.
        heading: Compass bearing of the photograph's centre in radians; None when unknown.
        is_level: Whether the points are levelled.

    Raises:
        ExportError: There is no such frame, or it needs a bearing or a levelling that there is not.
    """
    if frame not in FRAME_NAMES:
        raise ExportError(f"Expected one of the frames {', '.join(FRAME_NAMES)}, got {frame}.")
    if frame == ENU and heading is None:
        raise ExportError(f"{NO_HEADING}.")
    if frame == ENU and not is_level:
        raise ExportError(f"{NOT_LEVEL}.")


def frame_rotation(frame: str, cloud: PointCloud) -> NDArray[np.float64]:
    """(3, 3) rotation from our axes into those of a frame, one of `core.cloud.FRAME_NAMES`.

    In `enu`, the photograph's centre lies at its bearing clockwise from north: x east, y north, z up.

    Raises:
        ExportError: As `check_frame`.
    """
    check_frame(frame, heading=cloud.heading, is_level=cloud.is_level)
    if frame in FRAMES:
        return FRAMES[frame]
    # check_frame has seen to it that there is a bearing.
    cos, sin = math.cos(cloud.heading or 0.0), math.sin(cloud.heading or 0.0)
    return np.array([[cos, 0, sin], [-sin, 0, cos], [0, -1, 0]])


def turned_axes(vectors: NDArray[np.float32], rotation: NDArray[np.float64]) -> NDArray[np.float32]:
    """(N, 3) vectors in a frame: exact where its axes are ours exchanged and flipped, else rounded once to float32."""
    if np.isin(rotation, (-1, 0, 1)).all():
        order = np.abs(rotation).argmax(axis=1)
        signs = rotation[np.arange(3), order].astype(np.float32)
        exchanged: NDArray[np.float32] = vectors[:, order] * signs
        return exchanged
    return (vectors.astype(np.float64) @ rotation.T).astype(np.float32)
