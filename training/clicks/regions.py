"""Regions of a picture by colour, texture and edges: a tree of nested pieces, and the ones that stand out of it.

Basins of the gradient are merged in pairs, the most alike first, until one is left. A piece that stays as it is over a
long range of the merging, with an edge around most of it, is likely to be something that a person would point at. After
P. Arbelaez et al., Contour Detection and Hierarchical Image Segmentation, PAMI 2011, and J. Uijlings et al., Selective
Search for Object Recognition, IJCV 2013; weights and thresholds are our own choice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from core.geometry.compiled import compiled

Float = NDArray[np.float32]

MOST_BASINS = 1600
_L_BINS, _AB_BINS = 10, 8
_EDGE, _HISTOGRAM, _MEAN = 1.0, 0.6, 0.35
"""Weights of the edge between two pieces, their histograms and their mean colours in what sets them apart."""
_NEARLY = 1.25
_BALANCE = 0.15
"""Power of the smaller piece's size by which small pieces go first."""


@dataclass(frozen=True, eq=False)
class RegionTree:
    """Nested regions of a picture of (h, w).

    Attributes:
        leaves: (h, w) uint16, numbered so that each region is a range of numbers.
        spans: (n, 2) int32: a region holds the leaves from the first number up to, without, the second.
        area: (n,) float32 pixels.
        persistence: (n,) float32 logarithm of the dissimilarity at which it is merged away over that at which it came.
        contrast: (n,) float32 mean edge strength around it, picture border left out; edges are about 1.
        raggedness: (n,) float32 perimeter squared over that of a disc of its area; 1 is round.
        at_border: (n,) float32 share of its perimeter on the picture's border.
    """

    leaves: NDArray[np.uint16]
    spans: NDArray[np.int32]
    area: Float
    persistence: Float
    contrast: Float
    raggedness: Float
    at_border: Float


def region_tree(rgb: NDArray[np.uint8]) -> RegionTree:
    """Build the tree of a picture, (h, w, 3) sRGB; at least 16 pixels along each side."""
    lab = np.asarray(cv2.cvtColor(rgb.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB), np.float32)
    edges = _edge_strength(lab)
    basins, count = _basins(edges)
    area, border, means, histograms, length, strength = _adjacency(basins, count, edges, lab)
    children, heights, node_area, perimeter, contrast, frame = _merge(area, border, means, histograms, length, strength)
    order, spans = _number_leaves(children, count)
    parents = _parents(children, count)
    top = heights[-1] if len(heights) > count else np.float32(1)
    death = np.where(parents >= 0, heights[np.maximum(parents, 0)], top)
    # Basins are made, not merged: they count as old as the merges that nobody would call a decision.
    floor = np.quantile(heights[count:], 0.6) if len(heights) > count else np.float32(1)
    birth = np.maximum(heights, max(float(floor), 1e-3))
    round_perimeter = np.sqrt(4 * math.pi * node_area)
    return RegionTree(
        leaves=order[basins].astype(np.uint16),
        spans=spans,
        area=node_area,
        persistence=np.log(np.maximum(death, birth) / birth).astype(np.float32),
        contrast=contrast,
        raggedness=np.square((perimeter + frame) / round_perimeter).astype(np.float32),
        at_border=(frame / np.maximum(perimeter + frame, 1)).astype(np.float32),
    )


@dataclass(frozen=True)
class RegionFilter:
    """Which regions are worth learning.

    Attributes:
        least_area, most_area: Shares of the picture.
        persistence: At least.
        contrast: At least.
        raggedness: At most.
        at_border: At most.
        most: How many are kept, the best first.
    """

    least_area: float = 0.003
    most_area: float = 0.6
    persistence: float = 0.3
    contrast: float = 0.5
    raggedness: float = 4.0
    at_border: float = 0.45
    most: int = 30


def notable_regions(tree: RegionTree, keep: RegionFilter) -> tuple[NDArray[np.int64], Float]:
    """Indices of the regions that stand out, best first, and their scores.

    The score grows with persistence and contrast and falls with raggedness.
    """
    share = tree.area / tree.leaves.size
    good = (
        (share >= keep.least_area)
        & (share <= keep.most_area)
        & (tree.persistence >= keep.persistence)
        & (tree.contrast >= keep.contrast)
        & (tree.raggedness <= keep.raggedness)
        & (tree.at_border <= keep.at_border)
    )
    score = np.minimum(tree.persistence, 1.5) * np.minimum(tree.contrast, 1.5) * share**0.3
    score /= np.sqrt(np.maximum(tree.raggedness, 1))
    ranked = np.flatnonzero(good)
    ranked = ranked[np.argsort(-score[ranked], kind="stable")]
    chosen: list[int] = []
    for region in ranked.tolist():
        if len(chosen) == keep.most:
            break
        if not _repeats(tree, region, chosen):
            chosen.append(region)
    kept = np.array(chosen, np.int64)
    return kept, score[kept].astype(np.float32)


def _repeats(tree: RegionTree, region: int, chosen: list[int]) -> bool:
    """True when a chosen region is nearly the same: one holds the other and is hardly larger."""
    if not chosen:
        return False
    first, end = tree.spans[region]
    others = np.array(chosen)
    inside = (tree.spans[others, 0] <= first) & (tree.spans[others, 1] >= end)
    around = (tree.spans[others, 0] >= first) & (tree.spans[others, 1] <= end)
    ratio = tree.area[others] / tree.area[region]
    return bool(((inside | around) & (np.maximum(ratio, 1 / ratio) < _NEARLY)).any())


def _edge_strength(lab: Float) -> Float:
    """Gradient of colour at two scales and of texture, about 1 on a clear edge."""
    strength = np.zeros(lab.shape[:2], np.float32)
    detail = np.abs(lab[..., 0] - cv2.GaussianBlur(lab[..., 0], (0, 0), 2.0))
    texture = np.sqrt(cv2.GaussianBlur(detail, (0, 0), 2.5))
    for sigma, unit in ((0.7, 26.0), (1.8, 16.0)):
        smooth = np.asarray(cv2.GaussianBlur(lab, (0, 0), sigma), np.float32)
        strength = np.maximum(strength, _gradient(smooth) / np.float32(unit * sigma**-0.3))
    # Where it is busy everywhere, a single edge says little.
    busy = cv2.GaussianBlur(strength, (0, 0), 9.0)
    strength = strength / (np.float32(0.45) + np.float32(1.1) * busy)
    strength += 0.5 * _gradient(np.asarray(cv2.GaussianBlur(texture, (0, 0), 2.0), np.float32)[..., None])
    edges: Float = np.minimum(strength, 3.0).astype(np.float32)
    return edges


def _gradient(image: Float) -> Float:
    across = cv2.Sobel(image, cv2.CV_32F, 1, 0, ksize=3) / 4
    along = cv2.Sobel(image, cv2.CV_32F, 0, 1, ksize=3) / 4
    squares = across * across + along * along
    length: Float = np.sqrt(squares.sum(axis=-1) if squares.ndim == 3 else squares)
    return length


def _basins(edges: Float) -> tuple[NDArray[np.int32], int]:
    """Catchment basins (h, w) of the smoothed edges, and how many."""
    sigma = 1.2
    while True:
        relief = np.asarray(cv2.GaussianBlur(edges, (0, 0), sigma), np.float32)
        labels, count = _drain(relief)
        if count <= MOST_BASINS:
            return labels, count
        sigma *= 1.25


@compiled
def _drain(relief: Float) -> tuple[NDArray[np.int32], int]:
    height, width = relief.shape
    target = np.empty(height * width, np.int32)
    for row in range(height):
        for col in range(width):
            here = row * width + col
            best, lowest = here, relief[row, col]
            for drow in range(-1, 2):
                for dcol in range(-1, 2):
                    r, c = row + drow, col + dcol
                    if 0 <= r < height and 0 <= c < width:
                        value = relief[r, c]
                        if value < lowest or (value == lowest and r * width + c < best):
                            lowest, best = value, r * width + c
            target[here] = best
    for here in range(height * width):
        root = here
        while target[root] != root:
            root = target[root]
        spot = here
        while target[spot] != root:
            target[spot], spot = root, target[spot]
    numbers = np.full(height * width, -1, np.int32)
    labels = np.empty((height, width), np.int32)
    count = 0
    for here in range(height * width):
        root = target[here]
        if numbers[root] < 0:
            numbers[root] = count
            count += 1
        labels[here // width, here % width] = numbers[root]
    return labels, count


def _adjacency(
    basins: NDArray[np.int32], count: int, edges: Float, lab: Float
) -> tuple[Float, Float, Float, Float, Float, Float]:
    """Areas, picture-border lengths, feature sums and histograms of basins; lengths and edge sums between them."""
    flat = basins.ravel()
    area = np.bincount(flat, minlength=count).astype(np.float32)
    rim = np.concatenate([basins[0], basins[-1], basins[:, 0], basins[:, -1]])
    border = np.bincount(rim, minlength=count).astype(np.float32)
    colours = lab.reshape(-1, 3)
    means = np.stack([np.bincount(flat, colours[:, c], count) for c in range(3)], axis=1).astype(np.float32)
    histograms = np.zeros((count, _L_BINS + 2 * _AB_BINS), np.float32)
    first = 0
    for channel, (bins, low, high) in enumerate(((_L_BINS, 0, 100), (_AB_BINS, -40, 40), (_AB_BINS, -40, 40))):
        place = np.clip((colours[:, channel] - low) / (high - low) * (bins - 1), 0, bins - 1)
        below = np.minimum(place.astype(np.int64), bins - 2)
        share = (place - below).astype(np.float64)
        for offset, weight in ((0, 1 - share), (1, share)):
            cells = flat.astype(np.int64) * bins + below + offset
            histograms[:, first : first + bins] += np.bincount(cells, weight, count * bins).reshape(count, bins)
        first += bins
    length, strength = _borders(basins, count, edges)
    return area, border, means, histograms, length, strength


@compiled
def _borders(basins: NDArray[np.int32], count: int, edges: Float) -> tuple[Float, Float]:
    height, width = basins.shape
    length = np.zeros((count, count), np.float32)
    strength = np.zeros((count, count), np.float32)
    for row in range(height):
        for col in range(width):
            a = basins[row, col]
            for step in range(2):
                r, c = row + step, col + 1 - step
                if r < height and c < width:
                    b = basins[r, c]
                    if a != b:
                        edge = np.float32(max(edges[row, col], edges[r, c]))
                        length[a, b] += np.float32(1)
                        length[b, a] += np.float32(1)
                        strength[a, b] += edge
                        strength[b, a] += edge
    return length, strength


def _merge(
    area: Float, border: Float, means: Float, histograms: Float, length: Float, strength: Float
) -> tuple[NDArray[np.int32], Float, Float, Float, Float, Float]:
    weights = np.array([_EDGE, _HISTOGRAM, _MEAN, _BALANCE], np.float32)
    return _merge_all(area.copy(), border.copy(), means.copy(), histograms.copy(), length, strength, weights)


@compiled
def _merge_all(
    area: Float, border: Float, means: Float, histograms: Float, length: Float, strength: Float, weights: Float
) -> tuple[NDArray[np.int32], Float, Float, Float, Float, Float]:
    """Merge until one piece is left; leaves are nodes 0 to n - 1, each merge makes the next one."""
    count = len(area)
    total = 2 * count - 1
    children = np.full((total, 2), -1, np.int32)
    heights = np.zeros(total, np.float32)
    node_area = np.zeros(total, np.float32)
    perimeter = np.zeros(total, np.float32)
    contrast = np.zeros(total, np.float32)
    frame = np.zeros(total, np.float32)
    node = np.arange(count)
    alive = np.ones(count, np.bool_)
    best = np.full(count, -1, np.int64)
    cost = np.full(count, np.inf, np.float32)
    bins = histograms.shape[1]
    picture = area.sum()
    for step in range(count):
        node_area[step] = area[step]
        frame[step] = border[step]
        edge = np.float32(0)
        for other in range(count):
            perimeter[step] += length[step, other]
            edge += strength[step, other]
        contrast[step] = edge / max(perimeter[step], np.float32(1))
    stale = np.ones(count, np.bool_)
    made = count
    while made < total:
        for i in range(count):
            if not (alive[i] and stale[i]):
                continue
            stale[i] = False
            best[i], cost[i] = -1, np.inf
            for j in range(count):
                if length[i, j] > 0:
                    edge = strength[i, j] / length[i, j]
                    histogram = np.float32(0)
                    for b in range(bins):
                        histogram += abs(histograms[i, b] / area[i] - histograms[j, b] / area[j])
                    mean = np.float32(0)
                    for c in range(3):
                        mean += (means[i, c] / area[i] - means[j, c] / area[j]) ** 2
                    apart = weights[0] * edge + weights[1] * histogram / 3 + weights[2] * min(np.sqrt(mean) / 20, 2.0)
                    size = min(area[i], area[j]) / picture
                    value = apart * size ** weights[3]
                    if value < cost[i]:
                        cost[i], best[i] = value, j
        a = -1
        lowest = np.float32(np.inf)
        for i in range(count):
            if alive[i] and cost[i] < lowest:
                lowest, a = cost[i], i
        if a < 0:
            break
        b = best[a]
        children[made, 0], children[made, 1] = node[a], node[b]
        heights[made] = max(lowest, heights[node[a]], heights[node[b]])
        area[a] += area[b]
        border[a] += border[b]
        means[a] += means[b]
        histograms[a] += histograms[b]
        alive[b] = False
        edge = np.float32(0)
        outline = np.float32(0)
        for k in range(count):
            if k not in (a, b) and (length[b, k] > 0 or length[a, k] > 0):
                length[a, k] += length[b, k]
                strength[a, k] += strength[b, k]
                length[k, a], strength[k, a] = length[a, k], strength[a, k]
                length[k, b] = 0
                outline += length[a, k]
                edge += strength[a, k]
                stale[k] = True
        length[a, b] = 0
        length[b, :] = 0
        stale[a] = True
        node[a] = made
        node_area[made], frame[made], perimeter[made] = area[a], border[a], outline
        contrast[made] = edge / max(outline, np.float32(1))
        made += 1
    return children, heights, node_area, perimeter, contrast, frame


@compiled
def _number_leaves(children: NDArray[np.int32], count: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    total = len(children)
    order = np.zeros(count, np.int32)
    spans = np.zeros((total, 2), np.int32)
    # Sizes first, children before parents; then starts, parents before children.
    for node in range(total):
        spans[node, 1] = 1 if node < count else spans[children[node, 0], 1] + spans[children[node, 1], 1]
    for node in range(total - 1, count - 1, -1):
        left, right = children[node, 0], children[node, 1]
        spans[left, 0] = spans[node, 0]
        spans[right, 0] = spans[node, 0] + spans[left, 1]
    for node in range(total):
        if node < count:
            order[node] = spans[node, 0]
        spans[node, 1] += spans[node, 0]
    return order, spans


def _parents(children: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    parents = np.full(len(children), -1, np.int64)
    inner = np.arange(count, len(children))
    parents[children[inner, 0]] = inner
    parents[children[inner, 1]] = inner
    return parents
