"""Labels that a panorama carries in itself: gradients of its brightness, distance to its edges, points in space.

After the public training code of MTPano (arXiv:2602.05330) as the project's specification describes it. Two things are
ours: the distance runs on across the seam, and a picture without an edge has the greatest distance instead of infinity.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from core.geometry.sphere import erp_rays

EDGE = 0.5
"""Length of the gradient from which on a pixel lies on an edge."""
POLE_ROWS = 8
"""Rows at either pole, of 512, in which edges are not believed: what is small there is drawn wide."""
_OF_ROWS = 512
_GREY = np.array([0.299, 0.587, 0.114], np.float32)

F32 = NDArray[np.float32]


def image_gradient(rgb: NDArray[np.uint8]) -> F32:
    """Sobel's differences of a panorama's brightness.

    Args:
        rgb: (h, w, 3) uint8.

    Returns:
        (h, w, 2) float32: to the right and downwards, of brightness from 0 to 1. Columns wrap; the first and the last
        row are 0.
    """
    grey = np.ascontiguousarray(rgb.astype(np.float32) @ _GREY / np.float32(255))
    wrapped = cv2.copyMakeBorder(grey, 0, 0, 1, 1, cv2.BORDER_WRAP)
    sides = [
        np.asarray(cv2.Sobel(wrapped, cv2.CV_32F, *order, ksize=3, borderType=cv2.BORDER_REPLICATE))
        for order in ((1, 0), (0, 1))
    ]
    gradient: F32 = np.stack([side[:, 1:-1] for side in sides], axis=-1)
    gradient[[0, -1]] = 0
    return gradient


def edge_distance(rgb: NDArray[np.uint8]) -> F32:
    """How far each pixel is from the nearest edge of the picture.

    Args:
        rgb: (h, w, 3) uint8.

    Returns:
        (h, w) float32, logarithm of 1 + the distance in pixels, across the seam, too. Where there is no edge at all,
        that of the grid's width.
    """
    height, width = rgb.shape[:2]
    gradient = image_gradient(rgb)
    edges = np.hypot(gradient[..., 0], gradient[..., 1]) > EDGE
    cleared = max(1, round(POLE_ROWS * height / _OF_ROWS))
    edges[:cleared] = edges[height - cleared :] = False
    if not edges.any():
        return np.full((height, width), np.log1p(np.float32(width)), np.float32)
    half = width // 2
    away = np.pad(np.where(edges, np.uint8(0), np.uint8(1)), ((0, 0), (half, half)), mode="wrap")
    distance = np.asarray(cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE))[:, half : half + width]
    # OpenCV's roots differ in their last bits from call to call; their squares are whole numbers.
    exact = np.sqrt(np.rint(np.square(distance, dtype=np.float64)))
    return np.log1p(exact).astype(np.float32)


def point_map(depth: F32) -> F32:
    """(h, w, 3) the points that a depth map (h, w) means, in its unit and the world frame; NaN where unknown."""
    return (depth[..., None] * erp_rays(*depth.shape)).astype(np.float32)
