"""From what a network believes about a view to where the picture has its edges.

A network's masks are right in the large and soft at the border. Its belief is weighed against colours and contrast over
the whole view. Source of the energy: C. Rother, V. Kolmogorov, A. Blake, GrabCut, SIGGRAPH 2004, with the network's
logits in the place of the user's rectangle and histograms in that of the mixtures of Gaussians; solved at half the size
first and then near the border at the full one, after H. Lombaert and others, A Multilevel Banded Graph Cuts Method for
Fast Image Segmentation, ICCV 2005.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from core.geometry.compiled import compiled, frozen
from core.segment.contrast import border_costs, neighbours_of, number_pixels
from core.segment.min_cut import smallest_cut

Bits = NDArray[np.bool_]
Logits = NDArray[np.float32]
Colors = NDArray[np.uint8]

SURE = 64.0
"""Favour of a pixel that a person clicked on; see `smallest_cut`."""
_BINS = (16, 24, 24)
"""Of the histograms, for lightness and the two colour axes."""
_COLOUR_RANGE = 96.0
"""Of each colour axis of CIELAB that the bins divide; what lies beyond counts to the last one."""
_EMPTY = 1e-3
"""Share of a histogram that is spread over all bins, so that an unseen colour is no proof."""


@dataclass(frozen=True)
class CutWeights:
    """How much each voice counts; all in units of a logit.

    Attributes:
        belief: Times the network's logits.
        doubt: The logits are held within plus and minus this: no network is surer than that of a single pixel.
        colour: Times the logarithm of how much more often a colour is found inside than outside.
        colour_limit: That logarithm is held within plus and minus this.
        contrast: Cost of a border between two pixels of one colour.
        floor: Share of that cost which remains at the strongest edge.
        rounds: How often the histograms follow the cut.
        disk: Radius, in pixels, around a click that obeys it.
    """

    belief: float = 1.0
    doubt: float = 4.0
    colour: float = 0.5
    colour_limit: float = 3.0
    contrast: float = 12.0
    floor: float = 0.02
    rounds: int = 2
    disk: float = 2.0


IN_VIEW = CutWeights()
BY_SEED = CutWeights(belief=0.02, doubt=1500.0, colour=1.0, contrast=4.0, rounds=3, disk=3.84)
"""The seeds only begin: what is found is what colours and contrast say."""
LEAST_LOGIT = 0.5
"""How sure the pixels are at least that a cut has moved to the other side."""

BAND_PX = 5
"""How far from the border that was found at half the size it is looked for at the full one."""


def cut_view(
    view: Colors, logits: Logits, points: NDArray[np.float32], positive: Bits, *, weights: CutWeights = IN_VIEW
) -> Logits:
    """A network's answer with its border on the picture's edges, and every click obeyed.

    Args:
        view: (s, s, 3) sRGB uint8; s even.
        logits: (h, h) of the same view, > 0 inside.
        points: (n, 2) clicks as continuous pixels (u, v) of the view.
        positive: (n,) bool.
        weights: Of the voices.

    Returns:
        (s, s) float32: the logits, at least `LEAST_LOGIT` inside and at most minus that outside.
    """
    import cv2

    size = view.shape[0]
    half = size // 2
    coarse = _resized(logits, half)
    small = np.asarray(cv2.resize(view, (half, half), interpolation=cv2.INTER_AREA), np.uint8)
    sure = _marks(half, points * np.float32(half / size), positive, weights.disk / 2)
    # A border of one length crosses half as many pixels, each of which counts for four.
    lighter = replace(weights, contrast=weights.contrast / 2)
    first, inside = _cut_all(small, coarse, sure, lighter)
    logits = _resized(logits, size)
    sure = _marks(size, points, positive, weights.disk)
    rough = np.asarray(cv2.resize(first.view(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST)).view(np.bool_)
    kernel = np.ones((2 * BAND_PX + 1, 2 * BAND_PX + 1), np.uint8)
    border = cv2.morphologyEx(rough.view(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) | (sure != 0)
    free = np.asarray(cv2.dilate(border.astype(np.uint8), kernel)).view(np.bool_)
    colour = _color_favour(_color_bins(view), _resized(inside, size), weights.colour_limit)
    favour = weights.belief * np.clip(logits, -weights.doubt, weights.doubt) + weights.colour * colour
    cut = cut_free(view, np.where(sure != 0, sure, favour), free, rough, weights)
    answer: Logits = np.where(cut, np.maximum(logits, LEAST_LOGIT), np.minimum(logits, -LEAST_LOGIT))
    return answer.astype(np.float32)


def seeded_cut(view: Colors, radius: float) -> Logits:
    """What lies in the middle of a view, by its colours alone.

    Args:
        view: (s, s, 3) sRGB uint8; s even.
        radius: Of the disk that is taken for the object at first, as a share of the view.

    Returns:
        (s, s) float32: 1 inside, -1 outside. What touches the border of the view is outside there.
    """
    size = len(view)
    centres = np.arange(size) + 0.5 - size / 2
    seeds = np.where(np.hypot(centres[:, None], centres) < radius * size, 1.0, -1.0).astype(np.float32)
    seeds[0] = seeds[-1] = seeds[:, 0] = seeds[:, -1] = -BY_SEED.doubt
    middle = np.full((1, 2), size / 2, np.float32)
    return np.sign(cut_view(view, seeds, middle, np.ones(1, np.bool_), weights=BY_SEED))


def cut_free(view: Colors, favour: Logits, free: Bits, inside: Bits, weights: CutWeights) -> Bits:
    """A mask whose border is best where it is free to move, and which is as it was elsewhere.

    Args:
        view: (h, w, 3).
        favour: (h, w) of each pixel to lie inside; see `smallest_cut`.
        free: (h, w) bool.
        inside: (h, w) bool.
        weights: Of the border.

    Returns:
        (h, w) bool.
    """
    import cv2

    if not free.any():
        return inside
    # What touches the free pixels holds them where they meet the rest.
    nodes = np.asarray(cv2.dilate(free.view(np.uint8), np.ones((3, 3), np.uint8))).view(np.bool_)
    index = number_pixels(nodes)
    held = np.where(free, favour, np.where(inside, SURE, -SURE)).astype(np.float32)
    costs = border_costs(view, index, contrast=weights.contrast, floor=weights.floor)
    better = inside.copy()
    better[nodes] = smallest_cut(held[nodes], neighbours_of(index), costs)
    return better


def _cut_all(view: Colors, logits: Logits, sure: Logits, weights: CutWeights) -> tuple[Bits, Logits]:
    """The cut of a whole view, and how much each of its pixels is believed to lie inside, in [0, 1]."""
    bins = _color_bins(view)
    index, neighbours = _grid(len(view))
    costs = border_costs(view, index, contrast=weights.contrast, floor=weights.floor)
    belief = weights.belief * np.clip(logits, -weights.doubt, weights.doubt)
    inside = (1 / (1 + np.exp(-np.clip(logits, -30, 30)))).astype(np.float32)
    marked = sure != 0
    cut = logits > 0
    for _ in range(weights.rounds):
        inside[marked] = sure[marked] > 0
        favour = belief + weights.colour * _color_favour(bins, inside, weights.colour_limit)
        favour[marked] = sure[marked]
        cut = smallest_cut(favour.ravel(), neighbours, costs).reshape(cut.shape)
        inside = ((inside + cut) / 2).astype(np.float32)
    return cut, inside


def _resized(values: Logits, size: int) -> Logits:
    """A square map with other pixels: means when smaller, linear when larger."""
    import cv2

    if len(values) == size:
        return values
    how = cv2.INTER_AREA if len(values) > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(values, (size, size), interpolation=how), np.float32)


@lru_cache(maxsize=4)
def _grid(size: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Numbers and neighbours of all pixels of a square picture."""
    index = number_pixels(np.ones((size, size), np.bool_))
    return index, neighbours_of(index)


def _marks(size: int, points: NDArray[np.float32], positive: Bits, disk: float) -> NDArray[np.float32]:
    """(size, size) favour of what was clicked on, 0 elsewhere; of two clicks the nearer one is obeyed."""
    marks = np.zeros((size, size), np.float32)
    nearest = np.full((size, size), disk * disk)
    centres = np.arange(size) + 0.5
    for (u, v), sign in zip(points, positive, strict=True):
        away = (centres[:, None] - v) ** 2 + (centres[None] - u) ** 2
        if 0 <= u <= size and 0 <= v <= size:
            away[min(int(v), size - 1), min(int(u), size - 1)] = 0
        closer = away <= nearest
        marks[closer] = SURE if sign else -SURE
        nearest[closer] = away[closer]
    return marks


def _color_bins(rgb: NDArray[np.uint8]) -> NDArray[np.int32]:
    """(h, w) index of each pixel's colour in a histogram."""
    import cv2

    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    light = lab[..., 0] * (_BINS[0] / 256)
    axes = [(lab[..., k] - 128 + _COLOUR_RANGE / 2) * (_BINS[k] / _COLOUR_RANGE) for k in (1, 2)]
    parts = [np.clip(part, 0, bins - 1).astype(np.int32) for part, bins in zip((light, *axes), _BINS, strict=True)]
    bins: NDArray[np.int32] = (parts[0] * _BINS[1] + parts[1]) * _BINS[2] + parts[2]
    return bins


def _color_favour(bins: NDArray[np.int32], inside: Logits, limit: float) -> Logits:
    """Logarithm of how much more often each pixel's colour is found inside than outside."""
    ratio = np.empty(_BINS, np.float32)
    _fill_ratio(frozen(bins.ravel()), frozen(inside.ravel()), _EMPTY, limit, ratio)
    favour: Logits = ratio.ravel()[bins]
    return favour


@compiled
def _fill_ratio(
    bins: NDArray[np.int32], inside: Logits, empty: float, limit: float, ratio: NDArray[np.float32]
) -> None:
    """The loop behind `_color_favour`: two histograms, in which a bin counts with its neighbours along each axis."""
    lights, reds, blues = ratio.shape
    shares = np.zeros((2, lights * reds * blues))
    for i in range(bins.size):
        shares[0, bins[i]] += inside[i]
        shares[1, bins[i]] += 1 - inside[i]
    for side in range(2):
        for axis in range(3):
            step = reds * blues if axis == 0 else (blues if axis == 1 else 1)
            length = lights if axis == 0 else (reds if axis == 1 else blues)
            for start in range(lights * reds * blues):
                if (start // step) % length:
                    continue
                before = shares[side, start]
                for k in range(length):
                    at = start + k * step
                    here = shares[side, at]
                    after = shares[side, at + step] if k + 1 < length else here
                    shares[side, at] = 0.5 * here + 0.25 * (before + after)
                    before = here
    totals = (max(shares[0].sum(), 1e-9), max(shares[1].sum(), 1e-9))
    spread = empty / shares.shape[1]
    flat = ratio.ravel()
    for k in range(shares.shape[1]):
        log = np.log((shares[0, k] / totals[0] + spread) / (shares[1, k] / totals[1] + spread))
        flat[k] = min(max(log, -limit), limit)
