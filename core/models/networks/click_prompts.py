"""What a person pointed at, as maps that a convolution can read."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.models.networks.click_layers import grid_places

PROMPT_CHANNELS = 12
"""Of `prompt_maps`."""
DISK_PX = 2.5
"""Spread of the mark at a click."""
NEAR_PX = 12.0
"""Spread of its surroundings."""
FAR = 1e9
"""Squared pixels: farther than any click."""


class ClickPrompt(NamedTuple):
    """What is known about an object in each view of a batch.

    Attributes:
        points: (b, n, 2) clicks as continuous pixels (u, v) of the view, corner-origin.
        signs: (b, n) +1 belongs to it, -1 does not, 0 no click (fills up a batch).
        box: (b, 4) u0, v0, u1, v1 in the same pixels; NaN where there is none.
        prior: (b, 1, h / 2, w / 2) logits of earlier answers, NaN where unknown.
    """

    points: Tensor
    signs: Tensor
    box: Tensor
    prior: Tensor


def no_prompt(rgb: Tensor, clicks: int = 0) -> ClickPrompt:
    """A prompt that says nothing about a batch of views (b, 3, h, w), with room for clicks."""
    batch, _, height, width = rgb.shape
    return ClickPrompt(
        rgb.new_zeros(batch, clicks, 2),
        rgb.new_zeros(batch, clicks),
        rgb.new_full((batch, 4), torch.nan),
        rgb.new_full((batch, 1, height // 2, width // 2), torch.nan),
    )


def known_prior(prior: Tensor) -> tuple[Tensor, Tensor]:
    """Squashed logits in [-1, 1], 0 where unknown, and 1 where known: both of the shape of `prior`."""
    known = (~torch.isnan(prior)).to(prior.dtype)
    return torch.tanh(torch.nan_to_num(prior, nan=0.0) / 4), known


def prompt_maps(prompt: ClickPrompt, height: int, width: int, stride: int) -> Tensor:
    """Nearness of clicks of each sign, the way to the nearest positive one, the box, and the prior.

    Args:
        prompt: Of views of (height * stride, width * stride) pixels.
        height: Rows of the grid.
        width: Columns of the grid.
        stride: Pixels along each side of a cell.

    Returns:
        (b, PROMPT_CHANNELS, height, width).
    """
    places = grid_places(height, width, float(stride), prompt.points)
    away = places[None, None] - prompt.points[:, :, None]  # (b, n, cells, 2)
    square = (away * away).sum(dim=-1)
    side = stride * max(height, width)
    channels = []
    for sign in (1, -1):
        nearest = _with_row(square.masked_fill(~_clicked(prompt, sign), FAR), FAR).amin(dim=1)
        channels += [
            torch.exp(-nearest / (2 * DISK_PX**2)),
            torch.exp(-nearest / (2 * NEAR_PX**2)),
            torch.exp(-torch.sqrt(nearest + 1e-6) / (0.25 * side)),
        ]
    # The row that stands for no click at all loses against every click and wins against every gap.
    closeness = _with_row((-square / NEAR_PX**2).masked_fill(~_clicked(prompt, 1), -FAR), -FAR / 1000)
    offset = (torch.softmax(closeness, dim=1)[..., None] * F.pad(away, (0, 0, 0, 0, 0, 1))).sum(dim=1) / side
    channels += [offset[..., 0], offset[..., 1]]
    has_box = (~torch.isnan(prompt.box)).all(dim=1, keepdim=True)
    u0, v0, u1, v1 = torch.nan_to_num(prompt.box, nan=0.0)[:, :, None].unbind(dim=1)
    u, v = places[None].unbind(dim=-1)
    within = torch.minimum(torch.minimum(u - u0, u1 - u), torch.minimum(v - v0, v1 - v))
    channels += [torch.tanh(within / (2 * stride)) * has_box, has_box.to(within.dtype).expand_as(within)]
    value, known = known_prior(prompt.prior)
    maps = torch.stack(channels, dim=1).unflatten(2, (height, width))
    shrink = prompt.prior.shape[-1] // width
    prior = F.avg_pool2d(torch.cat([value, known], dim=1), shrink) if shrink > 1 else torch.cat([value, known], dim=1)
    return torch.cat([maps, prior], dim=1)


def _clicked(prompt: ClickPrompt, sign: int) -> Tensor:
    """(b, n, 1) bool: which places of the batch hold a click of this sign."""
    return (prompt.signs * sign > 0)[:, :, None]


def _with_row(per_click: Tensor, value: float) -> Tensor:
    """(b, n + 1, cells): one more row of one value, so that views without clicks have something to be reduced."""
    row = per_click.new_full((per_click.shape[0], 1, per_click.shape[2]), value)
    return torch.cat([per_click, row], dim=1)


class Likeness(nn.Module):
    """How much every place looks like what was clicked on, what was clicked away, and what earlier answers hold.

    Args:
        channels: Of the features that are compared.
        size: Channels in which they are compared.
    """

    CHANNELS = 3

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, size, 1)
        self.sharpness = nn.Parameter(torch.tensor(4.0))

    def forward(self, features: Tensor, prompt: ClickPrompt, stride: int) -> Tensor:
        """(b, 3, h, w) likeness in [-1, 1] to positive clicks, negative clicks and the prior; 0 without them."""
        height, width = features.shape[-2:]
        looks = F.normalize(self.project(features).flatten(2), dim=1)  # (b, size, cells)
        places = grid_places(height, width, 1.0, features)
        away = places[None, None] - prompt.points[:, :, None] / stride
        weights = torch.softmax(-(away * away).sum(dim=-1) / (2 * 0.6**2), dim=-1)  # (b, n, cells)
        clicked = F.normalize(weights @ looks.transpose(1, 2), dim=2)  # (b, n, size)
        like = clicked @ looks
        maps = [self._nearest(like, _clicked(prompt, sign)) for sign in (1, -1)]
        value, known = known_prior(prompt.prior)
        inside = F.avg_pool2d(F.relu(value) * known, prompt.prior.shape[-1] // width).flatten(2)
        mean = F.normalize(inside @ looks.transpose(1, 2), dim=2)
        maps.append((mean @ looks)[:, 0])
        stacked: Tensor = torch.stack(maps, dim=1).unflatten(2, (height, width))
        return stacked

    def _nearest(self, like: Tensor, wanted: Tensor) -> Tensor:
        """(b, cells) likeness to the click that looks most like each cell, a soft maximum over (b, n, cells)."""
        if like.shape[1] == 0:
            return like.sum(dim=1)
        scores = (like * self.sharpness).masked_fill(~wanted, -1e4)
        best: Tensor = (torch.softmax(scores, dim=1) * like).sum(dim=1) * wanted.any(dim=1)
        return best
