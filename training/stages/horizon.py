"""How far a photograph leans: the direction in which its vertical lines meet, by a vote of its edges."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from core.geometry.sphere import erp_angles, erp_local_frames, solid_angle
from core.geometry.warp import resize_erp

_HEIGHT = 256
_SEARCHED_DEG = 40.0
_STEP_DEG = 1.0
_SHARP = 0.02
"""How far off, as a cosine, an edge may be that still counts for a direction."""
_HIGHEST_DEG = 60.0
_EDGES = 6000
_CLEAR = 0.04
"""Share of all edges that must meet in the winner, or nothing is said."""
_LEVEL_DEG = 5.0
_MAY_BE_LEVEL = 0.65
"""Where directions so near to straight up get this share of the winner's votes, the photograph is taken for level."""


def tilt_deg(rgb: NDArray[np.uint8]) -> float:
    """Degrees between the photograph's vertical and that of its lines; NaN where too few lines agree.

    It is meant for telling photographs that clearly lean: where in doubt, level or nothing is said.

    A straight line lies on a great circle; those of all parallel lines meet in one direction. An edge's great circle is
    that through its pixel at right angles to the gradient, so its normal is the gradient on the sphere. Of the
    directions around straight up, the one that lies on most of these circles is where vertical lines meet.

    Args:
        rgb: (H, W, 3) uint8, a full sphere.
    """
    grey = cv2.cvtColor(resize_erp(rgb, _HEIGHT, 2 * _HEIGHT), cv2.COLOR_RGB2GRAY).astype(np.float32)
    wide = cv2.GaussianBlur(np.concatenate([grey[:, -8:], grey, grey[:, :8]], axis=1), (0, 0), 1.0)
    east = (cv2.Sobel(wide, cv2.CV_32F, 1, 0)[:, 8:-8]) / 8
    down = (cv2.Sobel(wide, cv2.CV_32F, 0, 1)[:, 8:-8]) / 8
    _, lat = erp_angles(_HEIGHT, 2 * _HEIGHT)
    # Columns crowd towards the poles: a step to the side is a shorter way there.
    east = east / np.maximum(np.cos(lat), 1e-3)[:, None].astype(np.float32)
    strength = np.hypot(east, down)
    strength[np.abs(np.degrees(lat)) > _HIGHEST_DEG] = 0
    flat = strength.ravel()
    chosen = np.argpartition(flat, -_EDGES)[-_EDGES:]
    chosen = chosen[flat[chosen] > 4]
    if len(chosen) < 200:
        return float("nan")
    frames = erp_local_frames(_HEIGHT, 2 * _HEIGHT).reshape(-1, 3, 3)[chosen]
    normals = frames[:, 0] * east.ravel()[chosen, None] + frames[:, 1] * down.ravel()[chosen, None]
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    weights = np.broadcast_to(solid_angle(_HEIGHT, 2 * _HEIGHT), strength.shape).ravel()[chosen]
    candidates, leaning = _candidates()
    votes = np.exp(-0.5 * ((candidates @ normals.T) / _SHARP) ** 2) @ weights
    level = leaning <= _LEVEL_DEG
    if votes[level].max() > _MAY_BE_LEVEL * votes.max():
        return float(leaning[level][votes[level].argmax()])
    best = int(votes.argmax())
    clear = votes[best] > _CLEAR * weights.sum() and leaning[best] < _SEARCHED_DEG - 4
    return float(leaning[best]) if clear else float("nan")


def _candidates() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Directions (n, 3) up to `_SEARCHED_DEG` from straight up, evenly spread, and by how many degrees they lean."""
    directions, leaning = [], []
    for angle in np.arange(0, _SEARCHED_DEG + _STEP_DEG / 2, _STEP_DEG):
        count = max(1, round(360 * np.sin(np.radians(angle)) / _STEP_DEG))
        around = np.arange(count) * 2 * np.pi / count
        across = np.sin(np.radians(angle))
        up = np.full(count, -np.cos(np.radians(angle)))
        directions.append(np.stack([across * np.sin(around), up, across * np.cos(around)], axis=1))
        leaning += [angle] * count
    return np.concatenate(directions), np.array(leaning)
