"""Training samples: a click into a view, what may have been meant by it, and how the crop around it looks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.clicks.simulate import random_click
from training.clicks.views import Level, RegionView

READINGS = 3
_PASTED = 0.2
"""Share of samples whose object was cut out of one view and laid onto another."""
_TWINS = 0.3
"""Share of those with a second piece of the same looks beside it, which is not meant."""
_CENTRED = 0.75
_MEANT_OBJECT = 0.65
"""How often the object is meant where a part or a group could be, too."""
_LEAST_PX = 10
"""Pixels of the answer's grid that something must have to be meant."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A crop: half its size is the grid of the answers, (h, h).

    Attributes:
        rgb: (s, s, 3) float32 in [0, 1].
        masks: (3, h, h) bool what each reading should say.
        known: (3,) bool which of them are known.
        meant: (h, h) bool what the person has in mind.
        judged: (h, h) bool where the truth is known.
        areas: (h, h) float32 steradians.
        whole: (3,) float32 steradians of each reading's truth on the whole sphere, NaN where not known.
        meant_whole: The same for what is meant.
        fov: Radians.
    """

    rgb: NDArray[np.float32]
    masks: NDArray[np.bool_]
    known: NDArray[np.bool_]
    meant: NDArray[np.bool_]
    judged: NDArray[np.bool_]
    areas: NDArray[np.float32]
    whole: NDArray[np.float32]
    meant_whole: float
    fov: float


@dataclass(frozen=True, eq=False)
class ClickSample:
    """A frame and the first thing that was said about it.

    Attributes:
        frame: What is seen and what is right.
        meant_level: Index of the reading that the person has in mind.
        point: (2,) u, v of the first click in pixels of the frame.
        centred: True when the frame was taken around the click.
    """

    frame: Frame
    meant_level: int
    point: NDArray[np.float32]
    centred: bool


@dataclass(frozen=True, eq=False)
class Window:
    """A square part of a view, turned and perhaps mirrored.

    Attributes:
        centre: (2,) u, v in pixels of the view.
        width: Pixels of the view across it.
        turn: Radians.
        mirrored: Left and right change places.
    """

    centre: NDArray[np.float64]
    width: float
    turn: float
    mirrored: bool

    def view_from_crop(self, size: int) -> NDArray[np.float64]:
        """(2, 3) from continuous pixels of a crop of `size` to those of the view."""
        scale = self.width / size
        cos, sin = math.cos(self.turn) * scale, math.sin(self.turn) * scale
        sign = -1.0 if self.mirrored else 1.0
        linear = np.array([[sign * cos, -sin], [sign * sin, cos]])
        return np.concatenate([linear, (self.centre - linear @ [size / 2, size / 2])[:, None]], axis=1)

    def crop(self, image: NDArray[Any], size: int, *, nearest: bool) -> NDArray[Any]:
        """The part of an image of the view's size, (size, size) or (size, size, channels); 0 beyond it for labels."""
        matrix = self.view_from_crop(size)
        # OpenCV's pixel centres are whole numbers, ours lie in the middle.
        matrix = matrix.copy()
        matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
        flags = cv2.WARP_INVERSE_MAP | (cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR)
        border = cv2.BORDER_CONSTANT if nearest else cv2.BORDER_REFLECT_101
        step = self.width / size
        if not nearest and step > 1.3:
            image = cv2.GaussianBlur(image, (0, 0), 0.45 * math.sqrt(step * step - 1))
        cropped: NDArray[Any] = cv2.warpAffine(image, matrix, (size, size), flags=flags, borderMode=border)
        return cropped


def click_sample(
    view: RegionView, size: int, rng: np.random.Generator, other: RegionView | None = None
) -> ClickSample | None:
    """A click into a random region of a view; None when it fell where nothing can be learned.

    Args:
        view: Where the click goes.
        size: Pixels along each side of the crop, even.
        rng: Random numbers.
        other: A view onto which the region may be laid.
    """
    region = int(rng.choice(len(view.spans), p=view.weights / view.weights.sum()))
    mask = view.mask(region)
    spot = random_click(mask, rng)
    if spot is None:
        return None
    levels, meant_level = meanings(view, region, spot, rng)
    meant_mask = view.mask(levels[meant_level])
    across = math.sqrt(float(meant_mask.sum()))
    # Down to views that the thing overflows: the quality must learn that these are not enough.
    width = across * math.exp(rng.uniform(math.log(0.35), math.log(8.0)))
    width = float(np.clip(width, 0.19 * view.size, 0.95 * view.size))
    window, centred = _window_at(spot, width, view.size, rng)
    frame = make_frame(view, levels, meant_level, window, size)
    to_crop = cv2.invertAffineTransform(window.view_from_crop(size))
    point = to_crop[:, :2] @ [spot[1] + 0.5, spot[0] + 0.5] + to_crop[:, 2]
    if not (point.min() >= 0 and point.max() < size) or frame.meant.sum() < _LEAST_PX:
        return None
    if other is not None and rng.random() < _PASTED:
        frame = _pasted(frame, other, meant_level, size, rng)
        if frame.meant.sum() < _LEAST_PX:
            return None
    return ClickSample(frame, meant_level, point.astype(np.float32), centred)


def meanings(view: RegionView, region: int, spot: tuple[int, int], rng: np.random.Generator) -> tuple[list[int], int]:
    """What part, object and group are for a click, and which of them is meant.

    In worlds this is known. In photographs the region that stands out most around the click is called the object, the
    best one within it the part, and the best one around it the group.

    Returns:
        Index of a region, or -1, for each reading, and the index of the reading that is meant, whose region is known.
    """
    leaf = view.leaves[spot]
    around = np.flatnonzero((view.spans[:, 0] <= leaf) & (leaf < view.spans[:, 1]))
    found = [-1] * READINGS
    if (view.levels[around] == Level.UNKNOWN).all():
        best = int(around[np.argmax(view.weights[around])])
        found[Level.OBJECT] = best
        lengths = view.spans[:, 1] - view.spans[:, 0]
        for level, fits in (
            (Level.PART, lengths[around] < lengths[best]),
            (Level.GROUP, lengths[around] > lengths[best]),
        ):
            if fits.any():
                fitting = around[fits]
                found[level] = int(fitting[np.argmax(view.weights[fitting])])
    else:
        for index in around:
            found[int(view.levels[index])] = int(index)
    if found[Level.OBJECT] < 0:
        found[Level.OBJECT] = region
    options = [level for level in range(READINGS) if found[level] >= 0]
    if len(options) == 1 or rng.random() < _MEANT_OBJECT:
        return found, int(Level.OBJECT)
    options.remove(Level.OBJECT)
    return found, int(rng.choice(options))


def make_frame(view: RegionView, levels: Sequence[int], meant_level: int, window: Window, size: int) -> Frame:
    """The crop of a view, with what each reading should say there."""
    half = size // 2
    rgb = window.crop(view.rgb, size, nearest=False).astype(np.float32) / np.float32(255)
    # One is added so that what lies beyond the view is told from leaf 0.
    leaves = window.crop(view.leaves.astype(np.float32) + 1, half, nearest=True).astype(np.int32) - 1
    areas = window.crop(view.solid_angles(), half, nearest=False) * np.float32((window.width / half) ** 2)
    masks = np.zeros((READINGS, half, half), bool)
    whole = np.full(READINGS, np.nan, np.float32)
    for reading, index in enumerate(levels):
        if index >= 0:
            first, end = view.spans[index]
            masks[reading] = (leaves >= first) & (leaves < end)
            whole[reading] = view.whole[index]
    focal = view.size / 2 / math.tan(view.fov / 2)
    return Frame(
        rgb=rgb,
        masks=masks,
        known=np.array([index >= 0 for index in levels]),
        meant=masks[meant_level],
        judged=leaves >= 0,
        areas=areas.astype(np.float32),
        whole=whole,
        meant_whole=float(whole[meant_level]),
        fov=2 * math.atan(window.width / 2 / focal),
    )


def _window_at(spot: tuple[int, int], width: float, size: int, rng: np.random.Generator) -> tuple[Window, bool]:
    """A window around a click, or one that merely holds it; most of it lies within the view."""
    centre = np.array([spot[1] + 0.5, spot[0] + 0.5])
    centred = bool(rng.random() < _CENTRED)
    if centred:
        # What sticks out over the border cannot be judged, so windows near it are smaller.
        room = float(np.minimum(centre, size - centre).min())
        width = min(width, max(2.6 * room, 0.3 * size))
    else:
        centre = centre + rng.uniform(-0.4, 0.4, 2) * width
        centre = np.clip(centre, width * 0.4, size - width * 0.4) if width * 0.8 < size else centre
    turn = rng.uniform(-math.pi, math.pi) if rng.random() < 0.12 else rng.normal(0, math.radians(5))
    return Window(centre, width, float(turn), bool(rng.random() < 0.5)), centred


def _pasted(frame: Frame, other: RegionView, meant_level: int, size: int, rng: np.random.Generator) -> Frame:
    """What is meant, cut out with a feathered border and laid onto another view, perhaps beside its twin."""
    centre = rng.uniform(0.35, 0.65, 2) * other.size
    window = Window(centre, rng.uniform(0.4, 0.7) * other.size, 0.0, bool(rng.random() < 0.5))
    ground = window.crop(other.rgb, size, nearest=False).astype(np.float32) / np.float32(255)
    cut = cv2.resize(frame.meant.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
    feathered = cv2.GaussianBlur(cut, (0, 0), 1.0)[..., None]
    if rng.random() < _TWINS:
        rows, cols = np.nonzero(frame.meant)
        across = 2 * np.array([np.ptp(cols), np.ptp(rows)])
        shift = across * np.sign(rng.uniform(-1, 1, 2)) * (rng.random(2) < 0.6)
        matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
        if np.abs(shift).max() > 4:
            twin = cv2.warpAffine(frame.rgb, matrix, (size, size), borderMode=cv2.BORDER_REFLECT_101)
            share = cv2.warpAffine(feathered, matrix, (size, size))[..., None]
            ground = ground * (1 - share) + twin * share
    rgb = ground * (1 - feathered) + frame.rgb * feathered
    known = frame.known.copy()
    masks = frame.masks & frame.meant
    # It is an object now, whatever it was; what it was part of is not there any more.
    whole = np.full(READINGS, np.nan, np.float32)
    whole[meant_level] = frame.meant_whole
    known[:] = False
    known[meant_level] = True
    return Frame(
        rgb=rgb.astype(np.float32),
        masks=masks,
        known=known,
        meant=frame.meant,
        judged=np.ones_like(frame.judged),
        areas=frame.areas,
        whole=whole,
        meant_whole=frame.meant_whole,
        fov=frame.fov,
    )


def change_looks(rgb: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Another exposure, white, contrast and saturation, sometimes grey, blurred or noisy; (s, s, 3) in [0, 1]."""
    gains = np.exp(rng.normal(0, 0.2) + rng.normal(0, 0.06, 3))
    power = math.exp(rng.normal(0, 0.2))
    changed = np.power(np.clip(rgb * gains, 0, 1), power)
    grey = changed.mean(axis=-1, keepdims=True)
    saturation = 0.0 if rng.random() < 0.04 else rng.uniform(0.6, 1.35)
    changed = grey + (changed - grey) * saturation
    if rng.random() < 0.2:
        changed = cv2.GaussianBlur(changed, (0, 0), float(rng.uniform(0.4, 1.3)))
    if rng.random() < 0.4:
        changed = changed + rng.standard_normal(rgb.shape, np.float32) * np.float32(rng.uniform(0, 0.04))
    looks: NDArray[np.float32] = np.clip(changed, 0, 1).astype(np.float32)
    return looks
