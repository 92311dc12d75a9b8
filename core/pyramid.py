"""A panorama at full, half, quarter, ... size, cut into pages: a view holds and draws no more than what it shows.

A *page* is a square of one level with a border of one pixel, so that linear interpolation inside it needs nothing else:
columns go on across the seam, and beyond a pole lies the row across it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import Camera
from core.geometry.sampling import window
from core.geometry.sphere import directions_to_erp, erp_to_directions
from core.geometry.warp import resize_erp

SMALLEST_WIDTH = 256
PAGE = 256
"""Columns and rows of a page without its border; the last ones of a level may have fewer."""
BORDER = 1
_CELLS = 16
"""A camera's picture is looked at in so many parts each way."""
_MARGIN = 0.5
"""Share of a part's extent on the sphere by which it is taken to bulge beyond its corners."""


class Page(NamedTuple):
    """A page's place.

    Attributes:
        level: Index into the levels of its pyramid.
        row, col: In pages from the upper left.
    """

    level: int
    row: int
    col: int


@dataclass(frozen=True, eq=False)
class Pyramid:
    """An ERP picture at full, half, quarter, ... size, so that each view reads about as many pixels as it shows.

    Attributes:
        levels: Largest first; each (h, w, channels) uint8, C-contiguous.
    """

    levels: tuple[NDArray[np.uint8], ...]

    @classmethod
    def of(cls, picture: NDArray[np.uint8]) -> Pyramid:
        """Build it; the largest level is `picture` itself. About 4 ms for 4096 x 2048 and a third of its memory."""
        levels = [np.ascontiguousarray(picture)]
        while levels[-1].shape[1] >= 2 * SMALLEST_WIDTH:
            levels.append(halved(levels[-1]))
        return cls(tuple(levels))

    def level_for(self, pixels_per_turn: float) -> int:
        """Index of the smallest level with at least that many columns, or 0."""
        for index in range(len(self.levels) - 1, 0, -1):
            if self.levels[index].shape[1] >= pixels_per_turn:
                return index
        return 0

    def page_grid(self, level: int) -> tuple[int, int]:
        """Rows and columns of pages of a level."""
        height, width = self.levels[level].shape[:2]
        return -(-height // PAGE), -(-width // PAGE)

    def pixels_of(self, page: Page) -> NDArray[np.uint8]:
        """(rows + 2, columns + 2, channels) a page with its border; C-contiguous, its own or the level's memory."""
        level = self.levels[page.level]
        height, width = level.shape[:2]
        row, col = page.row * PAGE, page.col * PAGE
        rows, cols = min(PAGE, height - row), min(PAGE, width - col)
        part: NDArray[np.uint8] = window(level, row - BORDER, col - BORDER, rows + 2 * BORDER, cols + 2 * BORDER)
        return np.ascontiguousarray(part)

    def pages_in_view(self, camera: Camera, base_width: int, most: int) -> list[Page]:
        """The pages that a camera of the photograph's frame sees, from the middle of its picture outwards.

        They are of the smallest level with as many pixels as the camera has, or of the largest of which the camera sees
        no more than `most` pages.

        Args:
            camera: Looks around in the photograph's frame.
            base_width: Width of a picture of the whole that is there anyway.
            most: Pages that there is room for.

        Returns:
            Nothing where no level wider than `base_width` is needed, or fits.
        """
        for index in range(self.level_for(2 * math.pi * camera.focal_px), len(self.levels)):
            height, width = self.levels[index].shape[:2]
            if width <= base_width:
                break
            seen = seen_pages(camera, height, width)
            rows, cols = np.nonzero(seen)
            if len(rows) <= most:
                v = np.minimum((rows + 0.5) * PAGE, height - 0.5)
                u = np.minimum((cols + 0.5) * PAGE, width - 0.5)
                towards = erp_to_directions(u, v, height, width) @ camera.world_from_camera[:, 2]
                order = np.argsort(-towards, kind="stable")
                return [Page(index, int(rows[n]), int(cols[n])) for n in order]
        return []


def halved(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture at half its size, rounded down; each pixel is the mean over its area, half rounded up."""
    height, width = picture.shape[:2]
    if height % 2 or width % 2:
        return np.ascontiguousarray(resize_erp(picture, height // 2, width // 2))
    # Where two by two pixels become one, OpenCV computes the same means many times faster.
    smaller: NDArray[Any] = cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(smaller, np.uint8).reshape(height // 2, width // 2, picture.shape[2])


def seen_pages(camera: Camera, height: int, width: int) -> NDArray[np.bool_]:
    """Which pages of a panorama a camera sees.

    Args:
        camera: In the panorama's frame.
        height: Rows of the panorama.
        width: Columns of the panorama.

    Returns:
        (rows, columns) of pages: True for every one that a ray of the camera meets, and for a few beside these.
    """
    pages = np.zeros((-(-height // PAGE), -(-width // PAGE)), np.bool_)
    for top, bottom, left, right in _parts(camera, height, width):
        rows = slice(top // PAGE, bottom // PAGE + 1)
        begin, end = left % width // PAGE, right % width // PAGE + 1
        if right - left >= width - 1:
            pages[rows] = True
        elif left % width <= right % width:
            pages[rows, begin:end] = True
        else:
            pages[rows, begin:] = True
            pages[rows, :end] = True
    return pages


def _parts(camera: Camera, height: int, width: int) -> Iterator[tuple[int, int, int, int]]:
    """First and last row, first and last column of what parts of the camera's picture lie in; columns may wrap."""
    across = np.linspace(0.0, camera.width, _CELLS + 1)
    down = np.linspace(0.0, camera.height, _CELLS + 1)
    u, v = directions_to_erp(camera.directions(across[None], down[:, None]), height, width)
    v_corners = np.stack([v[:-1, :-1], v[:-1, 1:], v[1:, :-1], v[1:, 1:]])
    u_corners = np.stack([u[:-1, :-1], u[:-1, 1:], u[1:, :-1], u[1:, 1:]])
    # Columns are counted from one of the corners, the short way round.
    steps = u_corners - u_corners[0]
    steps -= np.rint(steps / width) * width
    low, high = v_corners.min(axis=0), v_corners.max(axis=0)
    left, right = u_corners[0] + steps.min(axis=0), u_corners[0] + steps.max(axis=0)
    reach_v, reach_u = _MARGIN * (high - low) + 1, _MARGIN * (right - left) + 1
    low, high, left, right = low - reach_v, high + reach_v, left - reach_u, right + reach_u
    # At a pole all columns meet.
    round_it = (low <= 0) | (high >= height) | (right - left >= width / 3)
    left, right = np.where(round_it, 0, left), np.where(round_it, width - 1, right)
    bounds = np.stack(
        [np.clip(low, 0, height - 1), np.clip(high, 0, height - 1), np.floor(left), np.floor(right)], axis=-1
    )
    yield from np.unique(bounds.reshape(-1, 4).astype(np.int64), axis=0).tolist()
