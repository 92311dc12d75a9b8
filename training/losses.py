"""Losses on the sphere. All maps are (b, c, h, w); `weights` (b, 1, h, w) holds solid angle times validity."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from core.models.networks.sphere_layers import row_latitudes


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Mean of (b, 1, h, w) by weights; 0 when nothing weighs."""
    return (values * weights).sum() / weights.sum().clamp_min(1e-6)


def log_depth_loss(prediction: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Mean absolute difference of logarithms: the relative error, to first order. `target` is finite everywhere."""
    return weighted_mean((prediction - target).abs(), weights)


def aligned_log_depth_loss(prediction: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """The same after removing each picture's own factor, as the metric does; the factor is the weighted mean."""
    difference = prediction - target
    total = weights.sum(dim=(1, 2, 3), keepdim=True).clamp_min(1e-6)
    factor = (difference * weights).sum(dim=(1, 2, 3), keepdim=True) / total
    return weighted_mean((difference - factor).abs(), weights)


def gradient_loss(prediction: Tensor, target: Tensor, weights: Tensor, *, scales: int = 3) -> Tensor:
    """Differences of the error between neighbours, at several scales: keeps edges where they are and planes straight.

    Source: Li and Snavely, MegaDepth, CVPR 2018, equation 4; here the neighbour to the right wraps around the seam.
    """
    error = prediction - target
    total = error.new_zeros(())
    for _ in range(scales):
        right = weights * weights.roll(-1, 3)
        below = weights[:, :, :-1] * weights[:, :, 1:]
        total = total + weighted_mean((error.roll(-1, 3) - error).abs(), right)
        total = total + weighted_mean((error[:, :, 1:] - error[:, :, :-1]).abs(), below)
        pooled = F.avg_pool2d(weights, 2)
        error = F.avg_pool2d(error * weights, 2) / pooled.clamp_min(1e-6)
        weights = pooled
    return total / scales


def normal_loss(prediction: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Length of the difference of unit vectors: the angle, to first order, so that outliers do not rule."""
    return weighted_mean(((prediction - target).square().sum(dim=1, keepdim=True) + 1e-4).sqrt(), weights)


def surface_loss(prediction: Tensor, log_ratio: Tensor, normals: Tensor, weights: Tensor) -> Tensor:
    """Difference between the normals that a range map implies and the true ones: keeps planes flat.

    With L the logarithm of range, the surface's normal in the ray's own frame (east, down, outward) is along
    (dL / d east, dL / d down, -1), where east and down are angles. Creases and jumps, where the true range does not
    imply the true normal either, are left out.

    Args:
        prediction: (b, 1, h, w) logarithm of range, up to a constant.
        log_ratio: (b, 1, h, w) true logarithm of range.
        normals: (b, 3, h, w) true local normals.
        weights: (b, 1, h, w).
    """
    inner = normals[:, :, 1:-1]
    with torch.no_grad():
        true = _implied_normals(log_ratio)
        smooth = (true * inner).sum(dim=1, keepdim=True) > math.cos(math.radians(8))
        known = (weights > 0) & (weights.roll(-1, 3) > 0) & (weights.roll(1, 3) > 0)
        known = known[:, :, 1:-1] & (weights[:, :, 2:] > 0) & (weights[:, :, :-2] > 0) & smooth
    return normal_loss(_implied_normals(prediction), inner, weights[:, :, 1:-1] * known)


def _implied_normals(log_range: Tensor) -> Tensor:
    """(b, 3, h - 2, w) from central differences; the first and last rows have none."""
    height = log_range.shape[2]
    step = math.pi / height
    across = row_latitudes(height, device=log_range.device, dtype=log_range.dtype).cos()[None, None, 1:-1, None]
    rows = log_range[:, :, 1:-1]
    east = (rows.roll(-1, 3) - rows.roll(1, 3)) / (2 * step * across)
    down = (log_range[:, :, 2:] - log_range[:, :, :-2]) / (2 * step)
    return F.normalize(torch.cat([east, down, -torch.ones_like(down)], dim=1), dim=1)


def overlap_loss(logits: Tensor, target: Tensor, weights: Tensor, *, ignore: int) -> Tensor:
    """One minus the soft Dice overlap, averaged over the classes in the batch: each counts alike, however small.

    Source: Milletari et al., V-Net, 3DV 2016; per class over the batch.
    """
    labels = target.long()
    probability = logits.softmax(dim=1)
    area = weights * (labels != ignore)[:, None]
    truth = F.one_hot(labels.clamp_max(logits.shape[1] - 1), logits.shape[1]).permute(0, 3, 1, 2) * area
    both = (probability * truth).sum(dim=(0, 2, 3))
    total = (probability * area).sum(dim=(0, 2, 3)) + truth.sum(dim=(0, 2, 3))
    present = truth.sum(dim=(0, 2, 3)) > 0
    overlap = 2 * both / total.clamp_min(1e-6)
    return ((1 - overlap) * present).sum() / present.sum().clamp_min(1)


def class_loss(logits: Tensor, target: Tensor, weights: Tensor, class_weights: Tensor, *, ignore: int) -> Tensor:
    """Cross entropy, balanced over classes; (b, h, w) labels equal to `ignore` do not count."""
    labels = target.long()
    per_pixel = F.cross_entropy(logits, labels, ignore_index=ignore, reduction="none")[:, None]
    balance = class_weights[labels.clamp_max(len(class_weights) - 1)][:, None] * (labels != ignore)[:, None]
    return weighted_mean(per_pixel, weights * balance)


def presence_loss(logits: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Binary cross entropy of a map."""
    return weighted_mean(F.binary_cross_entropy_with_logits(logits, target, reduction="none"), weights)


def excluded_classes_loss(logits: Tensor, excluded: Tensor, weights: Tensor) -> Tensor:
    """How much probability goes to classes that cannot occur: -log(1 - p).

    Args:
        logits: (b, classes, h, w).
        excluded: (b, classes) bool.
        weights: (b, 1, h, w).
    """
    log_all = torch.logsumexp(logits, dim=1, keepdim=True)
    allowed = logits.masked_fill(excluded[:, :, None, None], -1e4)
    return weighted_mean(log_all - torch.logsumexp(allowed, dim=1, keepdim=True), weights)
