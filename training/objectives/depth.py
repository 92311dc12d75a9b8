"""What Depth Any Panoramas minimises (arXiv:2512.16913); its training code is not published.

Sources, as far as there are any: the paper's formulas, two independent readers' notes that agree on the weights, and
the code it inherits from Depth Anything V2 (L. Yang et al., arXiv:2406.09414). What none of them says is our choice and
marked as such. Depth is in units of `RANGE` metres throughout, (b, 1, h, w).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.geometry.tiling import icosahedron_tiles
from training.objectives.sphere import (
    distortion_map,
    image_means,
    rays,
    sobel,
    surface_normals,
    surrounded,
    views,
)

RANGE = 100.0
"""Metres for which a depth of 1 stands [published code]."""
LEAST = 0.001
"""Depth that truths are clipped to from below [published code]."""
WEIGHTS: Mapping[str, float] = {"silog": 1.0, "fidelity": 0.4, "edges": 5.0, "normals": 2.0, "points": 2.0, "mask": 2.0}
"""[two readers' notes on the paper]"""
MEAN_SHARE = 0.5
"""How much of the mean error SILog forgives [Depth Anything V2, which the published code inherits]."""
DICE_SHARE = 0.5
"""[paper]"""
EDGE_STEP = 0.1
"""Logarithmic step between two pixels from which on they count as an edge [our choice: the threshold is unpublished].
Of the logarithm, because steps of a room and of a street differ by more than any one threshold in metres could say."""
CROP_SHARE = 0.5
"""Side of a crop by the rows of the panorama, 256 of 512 [our choice]; the field of view of 90 degrees is, too: the
twelve cover the sphere from 74.8 degrees on."""

_EPSILON = 1e-6
_MEMBER = 0.999
"""Share of an interpolated pixel that must be known for it to count."""


@dataclass(frozen=True)
class DepthTruth:
    """What is known about the depth of a batch.

    Attributes:
        depth: (b, 1, h, w) in units of `RANGE` within [`LEAST`, 1]; 1 where there is none.
        known: (b, 1, h, w) bool, where there is one within `RANGE`.
        metres: (b, 1, h, w), infinite where far, 0 where nothing is known.
    """

    depth: Tensor
    known: Tensor
    metres: Tensor

    @classmethod
    def of(cls, metres: Tensor, far: Tensor) -> DepthTruth:
        """From (b, 1, h, w) metres, NaN or 0 where there are none, and what is known to be far."""
        measured = torch.isfinite(metres) & (metres > 0)
        known = measured & (metres <= RANGE) & ~far
        depth = torch.where(known, metres, RANGE).clamp(LEAST * RANGE, RANGE) / RANGE
        seen = torch.where(measured, metres, 0.0)
        return cls(depth, known, torch.where(far, math.inf, seen))

    @property
    def judged(self) -> Tensor:
        """(b, 1, h, w) bool, where it is known whether there is something within a range."""
        return self.metres > 0

    def within(self, metres: float) -> Tensor:
        """(b, 1, h, w) bool, where there is something nearer than that."""
        return self.judged & (self.metres < metres)


def silog(log_depth: Tensor, log_truth: Tensor, weights: Tensor) -> Tensor:
    """Scale-invariant logarithmic error with part of the scale left in; for a factor s it is |log s| sqrt(1/2).

    Source: D. Eigen et al., Depth Map Prediction from a Single Image, NIPS 2014, equation 4, in the form of Depth
    Anything V2: the root of mean square error less `MEAN_SHARE` of the squared mean. Taken of each picture.
    """
    error = torch.where(weights > 0, log_depth - log_truth, 0.0)
    spread = image_means(error.square(), weights) - MEAN_SHARE * image_means(error, weights).square()
    return ((spread.clamp_min(0) + _EPSILON).sqrt() - math.sqrt(_EPSILON)).mean()


def fidelity(depth: Tensor, truth: DepthTruth) -> Tensor:
    """Dense fidelity: squared difference of the Gram matrices of 12 views at the vertices of an icosahedron [paper].

    A view D is masked to what is known and divided by the largest true depth in it; ``D D^T`` is divided by its side,
    which makes its entries means, and the squared difference is averaged over them [our choice: the normalisation is
    unpublished]. Views have no poles, so that nothing weighs by latitude here.
    """
    height = depth.shape[2]
    cameras = icosahedron_tiles(max(4, round(CROP_SHARE * height)))
    seen = views(torch.cat([depth, truth.depth, truth.known.to(depth)], dim=1), cameras)
    known = seen[:, 2] >= _MEMBER
    true = torch.where(known, seen[:, 1], 0.0)
    said = torch.where(known, seen[:, 0], 0.0)
    largest = true.amax(dim=(2, 3), keepdim=True).clamp_min(LEAST)
    return (_gram(said / largest) - _gram(true / largest)).square().mean()


def _gram(pictures: Tensor) -> Tensor:
    return pictures @ pictures.transpose(-1, -2) / pictures.shape[-1]


def edges(truth: DepthTruth) -> Tensor:
    """(b, 1, h, w) bool: pixels with a true depth beside which it jumps, also into what is far.

    Next to what is not known, nothing is an edge.
    """
    seen = truth.judged.to(truth.depth)
    steps = sobel(truth.depth.log()) >= 4 * EDGE_STEP
    return steps & truth.known & (sobel(seen) == 0)


def edge_error(log_depth: Tensor, truth: DepthTruth, weights: Tensor) -> Tensor:
    """SILog over the true edges alone [paper]."""
    return silog(log_depth, truth.depth.log(), weights * edges(truth))


def normal_error(depth: Tensor, truth: DepthTruth, weights: Tensor) -> Tensor:
    """Mean absolute difference, over pixels and components, of the normals that both depths imply [paper]."""
    difference = (surface_normals(depth) - surface_normals(truth.depth)).abs().mean(dim=1, keepdim=True)
    return image_means(difference, weights * surrounded(truth.known)).mean()


def point_error(depth: Tensor, truth: DepthTruth, weights: Tensor) -> Tensor:
    """Mean absolute difference, over pixels and components, of the points in space, in units of `RANGE` [paper]."""
    height, width = depth.shape[2:]
    difference = ((depth - truth.depth) * rays(height, width, depth)).abs().mean(dim=1, keepdim=True)
    return image_means(difference, weights).mean()


def mask_error(beyond: Tensor, truth: DepthTruth, metres: float, weights: Tensor) -> Tensor:
    """Squared error and half of what is missing to a full Dice overlap of where there is something in range [paper].

    Args:
        beyond: (b, 1, h, w) how probable it is that there is nothing nearer than `metres`; what the published head says
            is this complement of the paper's mask.
        truth: What is known.
        metres: The range.
        weights: (b, 1, h, w) of the pixels.
    """
    weights = weights * truth.judged
    within, said = truth.within(metres).to(beyond), 1 - beyond
    square = image_means((said - within).square(), weights)
    both = (said * within * weights).sum(dim=(1, 2, 3))
    total = ((said + within) * weights).sum(dim=(1, 2, 3))
    return (square + DICE_SHARE * (1 - (2 * both + _EPSILON) / (total + _EPSILON))).mean()


def dap_losses(
    log_depth: Tensor,
    beyond: Sequence[tuple[float, Tensor]],
    truth: DepthTruth,
    *,
    weigh_areas: bool = True,
    terms: Sequence[str] = tuple(WEIGHTS),
) -> dict[str, Tensor]:
    """The terms of the published sum, each as it is before its weight.

    Args:
        log_depth: (b, 1, h, w) logarithm of depth in units of `RANGE`.
        beyond: Ranges in metres, and for each (b, 1, h, w) the probability that there is nothing nearer. Of several
            ranges the mean counts [our choice: whether they are trained together is unpublished].
        truth: What is known.
        weigh_areas: Whether pixels count by their area; without it, all alike.
        terms: Those of `WEIGHTS` that are wanted.
    """
    height, width = log_depth.shape[2:]
    areas = distortion_map(height, width, log_depth)
    weights = areas if weigh_areas else torch.ones_like(areas)
    known = weights * truth.known
    depth = log_depth.exp()
    every: dict[str, Callable[[], Tensor]] = {
        "silog": lambda: silog(log_depth, truth.depth.log(), known),
        "fidelity": lambda: fidelity(depth, truth),
        "edges": lambda: edge_error(log_depth, truth, weights),
        "normals": lambda: normal_error(depth, truth, weights),
        "points": lambda: point_error(depth, truth, known),
        "mask": lambda: torch.stack([mask_error(said, truth, metres, weights) for metres, said in beyond]).mean(),
    }
    return {name: make() for name, make in every.items() if name in terms}
