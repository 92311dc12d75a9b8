"""What a correction may change: the part of the picture that it was made in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import Camera
from core.scene import Click
from core.segment.cut import LEAST_LOGIT
from core.segment.zigzag import project_click

Bits = NDArray[np.bool_]
Logits = NDArray[np.float32]

NEAR = 3
"""Pixels around a click within which a change counts as made by it."""
RANGE = 5.0
"""How far a correction reaches, in distances from its click to the border of what it corrects: who clicks right beside
a border finds fault with little. Reaching as far as the network will, every eighth correction made a mask worse."""
LEAST_RANGE = 12.0
"""Pixels that it reaches at least."""
FEW = 64
"""Pixels: a correction that changes fewer, most of which obey the click itself, was not understood."""


def clicked_parts(inside: Bits, camera: Camera, clicks: Sequence[Click]) -> Bits:
    """The connected parts of a mask in a view that positive clicks lie in; all of it when they lie in none.

    Args:
        inside: (s, s) bool of the camera's view, of any size.
        camera: That sees it.
        clicks: Of any sign.
    """
    labels, count = _parts(inside)
    kept = np.zeros(count, np.bool_)
    for click in clicks:
        place = _pixel(camera, click, len(inside))
        if click.positive and place is not None:
            kept[labels[place]] = True
    kept[0] = False
    return kept[labels] if kept.any() else inside


def tempered(before: Logits, after: Logits, camera: Camera, clicks: Sequence[Click]) -> Logits:
    """The answer to a correction without the changes that have nothing to do with a click.

    Those are taken back that are not connected with a click, or too far from the newest one; see `RANGE`. Where the
    correction lies outside the view, every change stands.

    Args:
        before: (s, s) logits of the answer that was corrected; NaN, where nothing was known, is outside.
        after: (s, s) of the new one.
        camera: That sees both.
        clicks: All of them; the last one is the correction.

    Returns:
        (s, s): the new logits, and where a change was taken back, the old ones.
    """
    was, now = before > 0, after > 0
    labels, count = _parts(was != now)
    kept = np.zeros(count, np.bool_)
    kept[0] = True
    places = [_pixel(camera, click, len(after)) for click in clicks]
    if places[-1] is None:
        return after
    allowed = np.zeros(was.shape, np.bool_)
    for row, col in filter(None, places):
        kept[labels[row, col]] = True
        allowed[max(0, row - NEAR) : row + NEAR + 1, max(0, col - NEAR) : col + NEAR + 1] = True
    row, col = places[-1]
    kept[np.unique(labels[max(0, row - NEAR) : row + NEAR + 1, max(0, col - NEAR) : col + NEAR + 1])] = True
    depth = _to_border(was, (row, col))
    v, u = np.ogrid[: was.shape[0], : was.shape[1]]
    allowed |= np.hypot(v - row, u - col) <= max(LEAST_RANGE, RANGE * depth)
    old = np.nan_to_num(before, nan=-LEAST_LOGIT)
    old = np.where(was, np.maximum(old, LEAST_LOGIT), np.minimum(old, -LEAST_LOGIT))
    stands = (was == now) | (kept[labels] & allowed)
    return np.where(stands, after, old).astype(np.float32)


def is_ignored(before: Logits, after: Logits, camera: Camera, click: Click) -> bool:
    """Whether the answer to a correction changed little more than the place that was clicked on.

    One that was made beside the border asked for no more; see `RANGE`.

    Args:
        before: (s, s) logits of the answer that was corrected; NaN, where nothing was known, is outside.
        after: (s, s) of the new one.
        camera: That sees both. What is added out of its sight is not in the answer.
        click: The correction.
    """
    place = _pixel(camera, click, len(after))
    if place is None:
        return click.positive
    was, now = before > 0, after > 0
    if was[place] == click.positive or _to_border(was, place) <= LEAST_RANGE:
        return False
    labels, _ = _parts(was != now)
    return labels[place] == 0 or int((labels == labels[place]).sum()) < FEW


def _to_border(bits: Bits, place: tuple[int, int]) -> float:
    """Pixels from a place to the nearest one of the other side."""
    import cv2

    side = bits if bits[place] else ~bits
    return float(cv2.distanceTransform(side.astype(np.uint8), cv2.DIST_L2, 5)[place])


def _parts(bits: Bits) -> tuple[NDArray[np.int32], int]:
    """Labels from 1 on of the parts that touch by edges or corners, 0 elsewhere, and the number of labels with 0."""
    import cv2

    count, labels = cv2.connectedComponents(bits.astype(np.uint8), connectivity=8)
    return np.asarray(labels, np.int32), int(count)


def _pixel(camera: Camera, click: Click, size: int) -> tuple[int, int] | None:
    """Row and column of a click in a picture of the camera's view, `size` pixels wide; None when it is not in it."""
    u, v = project_click(camera, click.lon, click.lat)
    if not (0 <= u <= camera.width and 0 <= v <= camera.height):
        return None
    scale = size / camera.width
    return min(int(v * scale), size - 1), min(int(u * scale), size - 1)
