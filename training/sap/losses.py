"""The losses of SAM 2 (arXiv:2408.00714, released training configuration): SAP reports none of its own.

Focal loss times 20, dice, the absolute error of the predicted IoU and the cross-entropy of presence times 1 each. Of
several candidate masks only the best one is moved; every candidate's estimate of its IoU is.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

FOCAL, DICE, QUALITY, PRESENCE = 20.0, 1.0, 1.0, 1.0
ALPHA, GAMMA = 0.25, 2.0
SMOOTH = 1.0
"""Added to both sides of the dice's fraction."""


class AnswerLoss(NamedTuple):
    """What is wrong with the answers to r objects; each (r,), already weighted.

    Attributes:
        mask: Focal and dice loss of the best candidate; 0 where the object is absent.
        quality: Of the estimates of all candidates; 0 where the object is absent.
        presence: Of its being there.
        iou: The chosen mask's own, NaN where the object is absent. Carries no gradient.
    """

    mask: Tensor
    quality: Tensor
    presence: Tensor
    iou: Tensor

    def total(self) -> Tensor:
        """(r,)."""
        return self.mask + self.quality + self.presence


def answer_loss(
    logits: Tensor, counts: Tensor, quality: Tensor, presence: Tensor, chosen: Tensor, truth: Tensor
) -> AnswerLoss:
    """How wrong answers are.

    The mask counts also where the network says that nothing is there: a network that begins with random numbers would
    otherwise learn nothing from half of its answers. The published training replaces such masks by a constant.

    Args:
        logits: (r, c, a, a) of the candidates, > 0 inside.
        counts: (r, c) bool, which of them the network may give.
        quality: (r, c) its estimates of their IoU, in [0, 1].
        presence: (r,) logits.
        chosen: (r,) index of the mask that it gives.
        truth: (r, s, s) 0 or 1 at the size of the view, at which the masks are judged.
    """
    large = F.interpolate(logits, truth.shape[-2:], mode="bilinear", align_corners=False)
    target = truth[:, None].expand_as(large)
    there = truth.flatten(1).any(dim=1)
    each = FOCAL * _focal(large, target) + DICE * _dice(large, target)
    best = each.masked_fill(~counts, torch.inf).argmin(dim=1, keepdim=True)
    with torch.no_grad():
        inside = large > 0
        shared = (inside & (target > 0)).sum(dim=(2, 3))
        union = (inside | (target > 0)).sum(dim=(2, 3))
        iou = shared / union.clamp_min(1)
    error = ((quality - iou).abs() * counts).sum(dim=1)
    appears = F.binary_cross_entropy_with_logits(presence, there.to(presence.dtype), reduction="none")
    given = iou.gather(1, chosen[:, None])[:, 0]
    return AnswerLoss(
        each.gather(1, best)[:, 0] * there,
        QUALITY * error * there,
        PRESENCE * appears,
        torch.where(there, given, torch.nan),
    )


def _focal(logits: Tensor, target: Tensor) -> Tensor:
    """(r, c) focal loss, the mean over a mask (Lin et al., arXiv:1708.02002)."""
    plain = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    inside = torch.sigmoid(logits)
    right = inside * target + (1 - inside) * (1 - target)
    weight = ALPHA * target + (1 - ALPHA) * (1 - target)
    return (weight * (1 - right) ** GAMMA * plain).mean(dim=(2, 3))


def _dice(logits: Tensor, target: Tensor) -> Tensor:
    """(r, c) one minus twice the shared part over the sum of both."""
    inside = torch.sigmoid(logits)
    shared, total = (inside * target).sum(dim=(2, 3)), (inside + target).sum(dim=(2, 3))
    return 1 - (2 * shared + SMOOTH) / (total + SMOOTH)
