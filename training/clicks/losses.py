"""Losses of the click network, after SAM 2 (N. Ravi et al., arXiv:2408.00714); the weights are our own choice.

Maps are (b, k, h, w) for k readings; results are (b, k), so that each sample counts the same whatever its size.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

FOCAL = 10.0
GAMMA = 2.0
LEAST_OPEN = 30
"""Pixels in which nothing was told, from which on they are judged on their own."""


def mask_loss(logits: Tensor, target: Tensor, judged: Tensor) -> Tensor:
    """`FOCAL` times focal loss plus, where there is something to find, dice loss.

    Args:
        logits: (b, k, h, w).
        target: (b, k, h, w) 0 or 1.
        judged: (b, 1, h, w) 1 where the target is known.
    """
    plain = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    inside = torch.sigmoid(logits)
    miss = inside + target - 2 * inside * target
    count = judged.sum(dim=(2, 3)).clamp_min(1)
    focal = (plain * miss**GAMMA * judged).sum(dim=(2, 3)) / count
    inside, target = inside * judged, target * judged
    shared, total = (inside * target).sum(dim=(2, 3)), (inside + target).sum(dim=(2, 3))
    dice = 1 - (2 * shared + 1) / (total + 1)
    return FOCAL * focal + dice * (target.sum(dim=(2, 3)) > 0)


def open_loss(logits: Tensor, target: Tensor, judged: Tensor) -> tuple[Tensor, Tensor]:
    """`mask_loss` where an object must be followed into the open, and the IoU there.

    Args:
        logits: (b, 1, h, w).
        target: (b, 1, h, w) 0 or 1.
        judged: (b, 1, h, w) 1 where nothing was told and the target is known.

    Returns:
        The mean over the rows in which there is enough to judge, 0 without such, and (n,) the IoU of those rows of them
        in which there is something to find.
    """
    enough = judged.sum(dim=(1, 2, 3)) >= LEAST_OPEN
    each = mask_loss(logits, target, judged)[:, 0]
    loss = (each * enough).sum() / enough.sum().clamp_min(1)
    said, meant = (logits > 0) & (judged > 0), (target > 0) & (judged > 0)
    shared, union = (said & meant).sum(dim=(1, 2, 3)), (said | meant).sum(dim=(1, 2, 3))
    return loss, (shared / union.clamp_min(1))[enough & (meant.sum(dim=(1, 2, 3)) >= LEAST_OPEN)]


@torch.no_grad()
def sphere_iou(logits: Tensor, target: Tensor, weights: Tensor, whole: Tensor) -> Tensor:
    """IoU of answers with the whole thing on the sphere, also with what lies beyond the view.

    Args:
        logits: (b, k, h, w), > 0 inside.
        target: (b, k, h, w) 0 or 1.
        weights: (b, 1, h, w) steradians, 0 where nothing is known.
        whole: (b, k) steradians of the whole thing.

    Returns:
        (b, k), NaN where `whole` is.
    """
    said = (logits > 0).to(logits.dtype) * weights
    shared = (said * target).sum(dim=(2, 3))
    # A view's sum may exceed what was counted on the panorama's grid by a rounding.
    union = torch.maximum(said.sum(dim=(2, 3)) + whole - shared, shared)
    return shared / union.clamp_min(1e-9)


def quality_loss(quality: Tensor, iou: Tensor, counts: Tensor) -> Tensor:
    """Mean absolute error of the predicted IoU, (b, k) logits, where it is known and counts."""
    known = torch.isfinite(iou) & counts
    error = (torch.sigmoid(quality) - torch.where(known, iou, 0.0)).abs()
    return (error * known).sum() / known.sum().clamp_min(1)
