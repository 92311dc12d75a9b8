"""Clips to learn from: objects through the zigzag's closed cycle, through a drifting camera, and in single pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.geometry.camera import Camera
from core.geometry.sphere import angle_between
from training.clicks.samples import Window
from training.clicks.views import Level, RegionView
from training.clicks.world_looks import OpenWorld
from training.sap.layouts import Layout, Look, PinholeLook

MOST_OBJECTS = 3
"""Objects of a clip, all of them visible in its first frame (SAM 2, arXiv:2408.00714)."""
LEAST_SHARE = 0.002
"""Of the first frame that an object must fill to be pointed at, our choice: 33 of 128 x 128 pixels."""
LARGEST_SHARE = 0.95
"""What fills the first frame alone cannot be told from it."""
_TRIES = 8
_PLAIN_FOV_DEG, _DRIFT_FOV_DEG = (40.0, 90.0), (40.0, 70.0)
"""Fields of view of plain pictures and drifting cameras: those of common lenses, our choice."""
_DRIFT_DEG = 8.0
"""How far a drifting camera turns from frame to frame, about; a hand-held video a few times a second, our choice."""
_CROP = 0.4, 0.95
"""Share of a picture's side that a plain picture takes of it."""


@dataclass(frozen=True, eq=False)
class Clip:
    """Up to `MOST_OBJECTS` objects in a row of views.

    Attributes:
        rgb: (n, s, s, 3) uint8.
        masks: (k, n, s, s) bool; all k objects are seen in the first view.
        distance: (n, n) steps from the second view of a pair to the first; negative backwards.
        angle: (n, n) radians between their axes.
        fov: Radians across each.
    """

    rgb: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    distance: NDArray[np.float32]
    angle: NDArray[np.float32]
    fov: float


def zigzag_clip(world: OpenWorld, layout: Layout, size: int, frames: int, rng: np.random.Generator) -> Clip | None:
    """A window of the cycle that begins anywhere in it (arXiv:2603.12759); None where nothing could be pointed at.

    Args:
        world: Where.
        layout: How it is looked at; the cycle is turned by any yaw.
        size: Pixels along each side of a view.
        frames: Views of the window; no more than the cycle has.
        rng: Random numbers.
    """
    for _ in range(_TRIES):
        cycle = layout.cycle(size, rng.uniform(0, 2 * math.pi))
        start = int(rng.integers(len(cycle)))
        numbers = [(start + step) % len(cycle) for step in range(min(frames, len(cycle)))]
        clip = _clip_of(world, [cycle[number] for number in numbers], rng, around=len(cycle))
        if clip is not None:
            return clip
    return None


def drift_clip(world: OpenWorld, size: int, frames: int, rng: np.random.Generator) -> Clip | None:
    """A camera that turns slowly, as in a video; None where nothing could be pointed at."""
    for _ in range(_TRIES):
        fov = math.radians(rng.uniform(*_DRIFT_FOV_DEG))
        yaw, pitch = rng.uniform(-math.pi, math.pi), math.radians(rng.normal(0, 20))
        speed = rng.normal(0, 1, 2)
        looks = []
        for _ in range(frames):
            pitch = float(np.clip(pitch, -1.2, 1.2))
            looks.append(PinholeLook(Camera(math.remainder(yaw, 2 * math.pi), pitch, 0.0, fov, size, size)))
            speed = 0.8 * speed + 0.6 * rng.normal(0, 1, 2)
            yaw += math.radians(_DRIFT_DEG) * speed[0]
            pitch += 0.5 * math.radians(_DRIFT_DEG) * speed[1]
        clip = _clip_of(world, looks, rng, around=None)
        if clip is not None:
            return clip
    return None


def plain_clip(world: OpenWorld, size: int, rng: np.random.Generator) -> Clip | None:
    """One perspective picture, as a common camera takes it; None where nothing could be pointed at."""
    for _ in range(_TRIES):
        camera = Camera(
            rng.uniform(-math.pi, math.pi),
            math.radians(float(np.clip(rng.normal(-5, 20), -80, 80))),
            math.radians(rng.normal(0, 4)),
            math.radians(rng.uniform(*_PLAIN_FOV_DEG)),
            size,
            size,
        )
        clip = _clip_of(world, [PinholeLook(camera)], rng, around=None)
        if clip is not None:
            return clip
    return None


def picture_clip(view: RegionView, size: int, rng: np.random.Generator) -> Clip | None:
    """A crop of a picture with regions, whose objects are asked for, or whatever is known where there are none."""
    kinds = [view.levels == Level.OBJECT, view.levels == Level.UNKNOWN]
    wanted = np.flatnonzero(kinds[0] if kinds[0].any() else kinds[1])
    for _ in range(_TRIES):
        width = view.size * rng.uniform(*_CROP)
        centre = rng.uniform(width / 2, view.size - width / 2, 2)
        window = Window(centre, width, 0.0, mirrored=bool(rng.random() < 0.5))
        leaves = window.crop(view.leaves, size, nearest=True)
        spans = view.spans[wanted]
        masks = (leaves >= spans[:, :1, None]) & (leaves < spans[:, 1:, None])
        chosen = _visible(masks, rng)
        if len(chosen):
            rgb = window.crop(view.rgb, size, nearest=False)
            none = np.zeros((1, 1), np.float32)
            fov = 2 * math.atan(width / view.size * math.tan(view.fov / 2))
            return Clip(rgb[None], masks[chosen][:, None], none, none, fov)
    return None


def _clip_of(world: OpenWorld, looks: Sequence[Look], rng: np.random.Generator, *, around: int | None) -> Clip | None:
    """The looks as a clip; `around` is after how many of them the way closes."""
    regions = world.regions
    first = looks[0].see(regions.leaves, nearest=True)
    # Nobody points at what has no weight, such as the sky.
    objects = np.flatnonzero((regions.levels == Level.OBJECT) & (regions.weights > 0))
    numbers = regions.spans[objects, 0]
    # Windows hold 0 beyond the poles; the few pixels that this adds to object 0 are not asked for.
    numbers = numbers[numbers > 0]
    seen = np.intersect1d(numbers, np.unique(first))
    chosen = seen[_visible(first == seen[:, None, None], rng)]
    if not len(chosen):
        return None
    leaves = np.stack([first, *(look.see(regions.leaves, nearest=True) for look in looks[1:])])
    order = np.arange(len(looks), dtype=np.float32)
    distance = order[:, None] - order[None]
    if around is not None:
        half = around // 2
        distance = (distance + half) % around - half
    axes = np.stack([look.axis for look in looks])
    return Clip(
        np.stack([look.see(world.rgb, nearest=False) for look in looks]),
        leaves[None] == chosen[:, None, None, None],
        distance,
        np.round(angle_between(axes[:, None], axes[None]), 6).astype(np.float32),
        looks[0].fov,
    )


def _visible(masks: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int64]:
    """Indices of up to `MOST_OBJECTS` masks that fill enough of a view, any with the same chance."""
    shares = masks.mean(axis=(1, 2)) if len(masks) else np.zeros(0)
    fitting = np.flatnonzero((shares >= LEAST_SHARE) & (shares <= LARGEST_SHARE))
    chosen: NDArray[np.int64] = rng.permutation(fitting)[:MOST_OBJECTS]
    return chosen


def collate_clips(clips: Sequence[Clip], rng: np.random.Generator) -> dict[str, Tensor]:
    """Clips of one length and size as tensors.

    Returns:
        ``rgb`` (c, n, 3, s, s) in [0, 1]; ``masks`` (c, k, n, s, s), of which ``exists`` (c, k) tells which are there;
        ``distance``, ``angle`` (c, n, n); ``fov`` (c,); ``seed`` (c,) that decides what is pointed at in each.
    """
    most = max(len(clip.masks) for clip in clips)
    masks = np.zeros((len(clips), most, *clips[0].masks.shape[1:]), np.bool_)
    for row, clip in enumerate(clips):
        masks[row, : len(clip.masks)] = clip.masks
    rgb = np.stack([clip.rgb for clip in clips])
    return {
        "rgb": torch.from_numpy(rgb).permute(0, 1, 4, 2, 3).float() / 255,
        "masks": torch.from_numpy(masks),
        "exists": torch.tensor([[k < len(clip.masks) for k in range(most)] for clip in clips]),
        "distance": torch.from_numpy(np.stack([clip.distance for clip in clips])),
        "angle": torch.from_numpy(np.stack([clip.angle for clip in clips])),
        "fov": torch.tensor([clip.fov for clip in clips], dtype=torch.float32),
        "seed": torch.from_numpy(rng.integers(2**31, size=len(clips))),
    }
