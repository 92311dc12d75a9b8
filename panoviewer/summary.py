"""What a prediction says in numbers, for the panels: worked out in a thread, since it looks at many pixels. No Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.colors import class_palette, depth_limits
from core.geometry.sphere import solid_angle
from core.prediction import Prediction

BINS = 96
SAMPLE_ROWS = 256
NO_LIMITS = 1.0, 2.0


@dataclass(frozen=True, eq=False)
class Summary:
    """A prediction in numbers.

    Attributes:
        limits: Depths of the first and the last colour by default.
        log_edges: (n + 1,) decimal logarithms between which depths are counted; empty when there is no depth.
        counts: (n,) how often they occur, the most frequent 1.
        class_shares: (index of the class, its share of the sphere) of those that occur, the largest first.
        palette: (classes, 3) uint8 the colours of all classes.
    """

    limits: tuple[float, float] = NO_LIMITS
    log_edges: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    counts: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    class_shares: tuple[tuple[int, float], ...] = ()
    palette: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 3), np.uint8))


def summarize(prediction: Prediction) -> Summary:
    """Look at a sample of all pixels."""
    limits, edges, counts = NO_LIMITS, np.zeros(0), np.zeros(0)
    if prediction.depth is not None:
        limits = depth_limits(prediction.depth)
        edges, counts = _histogram(_sample(prediction.depth), limits)
    shares = () if prediction.classes is None else _shares(_sample(prediction.classes), len(prediction.class_names))
    palette = class_palette(len(prediction.class_names), prediction.class_names)
    return Summary(limits, edges, counts, shares, palette)


def _sample(values: NDArray[np.generic]) -> NDArray[np.generic]:
    step = max(1, values.shape[0] // SAMPLE_ROWS)
    return values[step // 2 :: step, step // 2 :: step]


def _histogram(
    depths: NDArray[np.generic], limits: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Depths by their logarithm; what is not positive and finite is left out."""
    values = depths.astype(np.float64)
    logs = np.log10(values[np.isfinite(values) & (values > 0)])
    ends = [math.log10(limit) for limit in limits]
    low, high = float(logs.min(initial=ends[0])), float(logs.max(initial=ends[1]))
    counts, edges = np.histogram(logs, BINS, (low - 0.02, high + 0.02))
    return edges, counts / max(int(counts.max()), 1)


def _shares(classes: NDArray[np.generic], count: int) -> tuple[tuple[int, float], ...]:
    weights = np.broadcast_to(solid_angle(*classes.shape), classes.shape)
    ids = classes.astype(np.int64).ravel() + 1
    shares = np.bincount(ids, weights=weights.ravel(), minlength=count + 1)[1:] / weights.sum()
    return tuple((int(index), float(shares[index])) for index in np.argsort(-shares) if shares[index] > 0)
