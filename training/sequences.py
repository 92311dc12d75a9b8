"""Neighbouring views of one object, as the zigzag meets them: what the segmenter's memory learns from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.clicks.samples import Frame, Window, make_frame, meanings
from training.clicks.simulate import random_click
from training.clicks.views import RegionView

AWAY = 0.25
"""How often a step leads away from the object, so that absence is met, too."""
LEAST_PX = 12
"""Pixels of the answer's grid that the first frame must hold of the object."""
BORDER = 0.02
"""Share of a frame along each side where a click is not given."""


@dataclass(frozen=True, eq=False)
class ViewSequence:
    """An object in neighbouring frames; only the first is sure to hold it.

    Attributes:
        frames: What is seen, in the order in which it is visited.
        meant_level: Index of the reading that the person has in mind.
        points: (f, 2) u, v of the click in the pixels of each; NaN where it is not seen.
        start: (h, h) bool of what is meant in a view of its own, from which a first mask is known before the first
            frame is looked at; None where nothing is.
        maps: (f, f + 1, 3, 3) from the pixels of a frame to those of each frame before it, and last to those of the
            start's view, all of the frames' size; NaN where there is none.
        distance: (f, f) steps from the second frame of a pair to the first; negative backwards.
        angle: (f, f) radians between their axes.
    """

    frames: Sequence[Frame]
    meant_level: int
    points: NDArray[np.float32]
    start: NDArray[np.bool_] | None
    maps: NDArray[np.float32]
    distance: NDArray[np.float32]
    angle: NDArray[np.float32]


def photo_sequence(
    view: RegionView, size: int, count: int, rng: np.random.Generator, *, started: bool
) -> ViewSequence | None:
    """Overlapping crops of a view that wander over an object: real pixels, though not quite a turning camera.

    Args:
        view: Of a photograph, with regions.
        size: Pixels along each side of a frame, even.
        count: Frames.
        rng: Random numbers.
        started: Whether a first mask is known.

    Returns:
        The frames, or None when the click fell where nothing can be followed.
    """
    share = view.weights * np.sqrt(view.spans[:, 1] - view.spans[:, 0])
    region = int(rng.choice(len(view.spans), p=share / share.sum()))
    spot = random_click(view.mask(region), rng)
    if spot is None:
        return None
    levels, meant_level = meanings(view, region, spot, rng)
    mask = view.mask(levels[meant_level])
    click = np.array([spot[1] + 0.5, spot[0] + 0.5])
    width = float(np.clip(math.sqrt(mask.sum()) * math.exp(rng.uniform(-0.3, 0.9)), 0.25 * view.size, 0.6 * view.size))
    windows = _wandering(view, mask, click, width, count, rng)
    frames = [make_frame(view, levels, meant_level, window, size) for window in windows]
    if frames[0].meant.sum() < LEAST_PX:
        return None
    to_view = [_square(window.view_from_crop(size)) for window in windows]
    points = np.array([within((np.linalg.inv(matrix) @ [*click, 1])[:2], size) for matrix in to_view], np.float32)
    start = None
    if started:
        first = min(width * math.exp(rng.uniform(-0.4, 0.4)), 0.9 * view.size)
        window = Window(np.clip(click, first / 2, view.size - first / 2), first, 0.0, mirrored=False)
        start = make_frame(view, levels, meant_level, window, size).meant
        to_view.append(_square(window.view_from_crop(size)))
    order = np.arange(count, dtype=np.float32)
    focal = view.size / 2 / math.tan(view.fov / 2)
    places = np.array([window.centre for window in windows])
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1) / focal
    distance = (order[:, None] - order[None]).astype(np.float32)
    maps = maps_between([[np.linalg.inv(other) @ here for other in to_view] for here in to_view[:count]], count)
    return ViewSequence(frames, meant_level, points, start, maps, distance, np.arctan(apart).astype(np.float32))


def _wandering(
    view: RegionView, mask: NDArray[np.bool_], click: NDArray[np.float64], width: float, count: int,
    rng: np.random.Generator,
) -> list[Window]:  # fmt: skip
    """Windows of one width, each half beside the one before it, mostly towards some place of the object."""
    low, high = width / 2, view.size - width / 2
    centre = np.clip(click + rng.uniform(-0.35, 0.35, 2) * width, low, high)
    rows, cols = np.nonzero(mask)
    windows = [Window(centre, width, 0.0, mirrored=False)]
    for _ in range(count - 1):
        goal = rng.integers(len(rows))
        way = np.array([cols[goal], rows[goal]]) - centre
        if rng.random() < AWAY:
            way = -way
        axis = int(np.argmax(np.abs(way))) if rng.random() < 1 - AWAY else int(rng.integers(2))
        move = np.zeros(2)
        move[axis] = math.copysign(width * rng.uniform(0.4, 0.6), way[axis])
        centre = np.clip(centre + move, low, high)
        windows.append(Window(centre, width, 0.0, mirrored=False))
    return windows


def within(point: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """A point of a frame, NaN when it lies outside or on its border."""
    inside = bool(np.isfinite(point).all() and point.min() >= BORDER * size and point.max() <= (1 - BORDER) * size)
    return point if inside else np.full(2, np.nan)


def maps_between(pairs: Sequence[Sequence[NDArray[np.float64]]], count: int) -> NDArray[np.float32]:
    """The `ViewSequence.maps` of so many frames.

    Args:
        pairs: For each frame the maps to all frames and, if there is one, to the view of the start.
        count: Frames.
    """
    maps = np.full((count, count + 1, 3, 3), np.nan, np.float32)
    for here, others in enumerate(pairs):
        for there in (*range(here), *range(count, len(others))):
            maps[here, there] = others[there]
    return maps


def _square(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([affine, [[0.0, 0.0, 1.0]]])
