"""What MTPano minimises (arXiv:2602.05330), as its published training code has it where nothing else is said.

Maps are (b, channels, h, w). Unlike the published maps, in which 255 stands for what is not known, validity is a map of
its own, so that a depth of 255 m is a depth. Means are taken of each picture, see `training.objectives.sphere`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from training.objectives.sphere import image_means, sobel

COARSE_SHARE = 0.3
"""Weight of a coarse answer beside the whole one [published]."""
HELPER_SHARE = 0.003
"""Weight of each helper's answer [published]."""
LARGEST = 10.0
"""Metres of error in depth and points beyond which a loss stops growing, except while warming up [published]."""
_EDGE_LEVEL, _EDGE_REACH = 0.55, 7
"""Sobel's gradient of a map of about 1 that is an edge, and pixels across in which it stays one [published]."""
_AT_EDGES, _ELSEWHERE = 0.95, 0.05
"""[published]"""
_LOW = 1 / 8
"""Frequencies that are left out, by the rows: 64 of 512 [published]."""
_PUBLISHED_PIXELS = 512 * 1024
_SMOOTH = 1e-6


@dataclass(frozen=True)
class TaskTruth:
    """What a batch is taught.

    Attributes:
        classes: (b, h, w) int64, -1 where unknown.
        depth: (b, 1, h, w) metres along the rays, 0 where unknown.
        depth_known: (b, 1, h, w) bool.
        normals: (b, 3, h, w) unit, in the published frame (see `published_normals`), 0 where unknown.
        normals_known: (b, 1, h, w) bool.
    """

    classes: Tensor
    depth: Tensor
    depth_known: Tensor
    normals: Tensor
    normals_known: Tensor


def published_normals(normals: Tensor) -> Tensor:
    """Normals (b, 3, h, w) of our frame, facing the camera, in that of MTPano: backward, down, right, facing away."""
    x, y, z = normals.unbind(dim=1)
    return torch.stack([z, -y, -x], dim=1)


def class_error(logits: Tensor, classes: Tensor) -> Tensor:
    """Cross entropy over labelled pixels and one minus Dice, averaged over all classes.

    A class that a picture does not show costs nearly 1 whatever is said of it, as it does in the published code.
    """
    known = (classes >= 0)[:, None].to(logits)
    labels = classes.clamp_min(0)
    entropy = image_means(F.cross_entropy(logits, labels, reduction="none")[:, None], known).mean()
    chances = logits.softmax(dim=1) * known
    truth = torch.zeros_like(chances).scatter_(1, labels[:, None], 1.0) * known
    both = (chances * truth).sum(dim=(2, 3))
    total = chances.sum(dim=(2, 3)) + truth.sum(dim=(2, 3))
    return entropy + (1 - (2 * both + _SMOOTH) / (total + _SMOOTH)).mean()


def depth_error(depth: Tensor, truth: TaskTruth, *, limit: float | None = LARGEST) -> Tensor:
    """Mean absolute error in metres, half of that at edges, and a little of that of fine detail.

    Args:
        depth: (b, 1, h, w) metres.
        truth: What is known.
        limit: What the loss may be at most; None for no limit.
    """
    known = truth.depth_known
    largest = (truth.depth * known).amax(dim=(1, 2, 3), keepdim=True).clamp_min(_SMOOTH)
    plain = image_means((depth - truth.depth).abs(), known.to(depth)).mean()
    at_edges = edge_weighted_error(depth / largest, truth.depth / largest, known)
    fine = detail_error(depth, truth.depth, known)
    return limited(plain + 0.5 * at_edges + 0.005 * fine, limit)


def normal_error(normals: Tensor, truth: TaskTruth) -> Tensor:
    """Sum of the components' absolute errors of unit normals, a tenth of that at edges, and a trace of fine detail."""
    said = F.normalize(normals, dim=1)
    known = truth.normals_known
    plain = image_means((said - truth.normals).abs().sum(dim=1, keepdim=True), known.to(said)).mean()
    means, true_means = said.mean(dim=1, keepdim=True), truth.normals.mean(dim=1, keepdim=True)
    at_edges = edge_weighted_error(means, true_means, known)
    return plain + 0.1 * at_edges + 1e-4 * detail_error(means, true_means, known)


def helper_errors(said: Mapping[str, Tensor], targets: Mapping[str, Tensor], truth: TaskTruth) -> dict[str, Tensor]:
    """Mean absolute errors of the helpers' answers; those of points only where there is a depth, and limited."""
    everywhere = torch.ones_like(truth.depth)
    errors = {}
    for name, target in targets.items():
        weights = truth.depth_known.to(target) if name == "point" else everywhere
        error = image_means((said[name] - target).abs().mean(dim=1, keepdim=True), weights).mean()
        errors[name] = limited(error, LARGEST) if name == "point" else error
    return errors


def edge_weighted_error(said: Tensor, true: Tensor, known: Tensor) -> Tensor:
    """Absolute error of (b, 1, h, w), of which 95 % is that near the edges of the truth."""
    filled = torch.where(known, true, 0.0)
    reach = _EDGE_REACH // 2
    near = F.max_pool2d((sobel(filled) >= _EDGE_LEVEL).to(true), _EDGE_REACH, stride=1, padding=reach) * known
    error = (said - filled).abs()
    at_edges = image_means(error, near)
    elsewhere = image_means(error, known * (1 - near))
    return (_AT_EDGES * at_edges + _ELSEWHERE * elsewhere).mean()


def detail_error(said: Tensor, true: Tensor, known: Tensor) -> Tensor:
    """Absolute errors of the masked maps' spectra (b, 1, h, w) at high frequencies: of magnitudes / 5 and of phases.

    Magnitudes are brought to those of 512 x 1024 pixels, so that other sizes keep the published balance [our choice].
    """
    height, width = said.shape[2:]
    spectra = [torch.fft.fft2(torch.where(known, values, 0.0)) for values in (said, true)]
    high = _high_frequencies(height, width, said)
    scale = (_PUBLISHED_PIXELS / (height * width)) ** 0.5
    # A frequency that one of both does not have has no phase.
    heard = high * ((spectra[0].abs() > _SMOOTH) & (spectra[1].abs() > _SMOOTH))
    sizes = [torch.where(high > 0, spectrum, 1.0).abs() for spectrum in spectra]
    phases = [torch.where(heard > 0, spectrum, 1.0).angle() for spectrum in spectra]
    return (
        image_means((sizes[0] - sizes[1]).abs() * scale / 5, high)
        + image_means((phases[0] - phases[1]).abs(), heard.to(said))
    ).mean()


def _high_frequencies(height: int, width: int, like: Tensor) -> Tensor:
    """(1, 1, h, w) 1 where a frequency lies outside the radius of `_LOW`."""
    rows = torch.fft.fftfreq(height, 1 / height, device=like.device)[:, None]
    columns = torch.fft.fftfreq(width, 1 / width, device=like.device)[None]
    return (torch.hypot(rows, columns) > _LOW * height).to(like)[None, None]


def limited(loss: Tensor, limit: float | None) -> Tensor:
    """A loss of at most `limit`.

    The published code cuts it off, whereby nothing is learned from a step as long as it is beyond. Here it is scaled
    down instead, which leaves the direction of its gradient [our choice].
    """
    return loss if limit is None else loss * (limit / loss.detach().clamp_min(limit))
