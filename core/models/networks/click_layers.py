"""Layers of the click network: convolutions with group norm, and attention that knows places by rotation.

Nothing here depends on the size of the picture or on the other members of a batch: a network of these reads views of
any size, and learns from batches of any size.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

GROUPS = 8
"""Channels share their mean and spread in so many groups."""
LONGEST_TURN = 64.0
"""Tokens after which the slowest pair of a head has turned by one radian; larger than any view in tokens."""


class NormConv(nn.Module):
    """Convolution, group norm and, unless it is the last of a residual block, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, *, stride: int = 1, activate: bool = True) -> None:
        super().__init__()
        pad = (kernel - stride + 1) // 2
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=pad, bias=False)
        self.norm = nn.GroupNorm(GROUPS, outputs)
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        """(b, inputs, h, w) to (b, outputs, h / stride, w / stride)."""
        x = self.norm(self.conv(x))
        return F.relu(x, inplace=True) if self.activate else x


class Block(nn.Module):
    """Residual block of two 3 x 3 convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = NormConv(channels, channels)
        self.second = NormConv(channels, channels, activate=False)
        # Not zero: behind a zero the first convolution learns nothing in its first steps.
        nn.init.constant_(self.second.norm.weight, 0.2)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as the input."""
        return F.relu(x + self.second(self.first(x)))


def double_size(x: Tensor) -> Tensor:
    """Twice the height and width by bilinear interpolation; pixel corners coincide."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def grid_places(height: int, width: int, step: float, like: Tensor) -> Tensor:
    """(height * width, 2) centres (u, v) of a grid whose cells are `step` wide, row by row."""
    v = (torch.arange(height, device=like.device, dtype=like.dtype) + 0.5) * step
    u = (torch.arange(width, device=like.device, dtype=like.dtype) + 0.5) * step
    return torch.stack([u[None, :].expand(height, width), v[:, None].expand(height, width)], dim=-1).reshape(-1, 2)


def rotary_code(places: Tensor, pairs: int) -> Tensor:
    """Angles by which the pairs of a head's channels turn at each token: attention sees differences of place only.

    Args:
        places: (t, 2) in tokens of the view's grid.
        pairs: Half of a head's channels; half of them turn with u, the others with v.

    Returns:
        (t, pairs).
    """
    each = pairs // 2
    exponents = torch.arange(each, device=places.device, dtype=places.dtype) / max(1, each - 1)
    return (places[:, :, None] * torch.exp(-math.log(LONGEST_TURN) * exponents)).flatten(1)


def turn_pairs(x: Tensor, angles: Tensor) -> Tensor:
    """The channels of (..., t, 2 pairs) in pairs, each turned by its angle of (t, pairs); real numbers only."""
    cos, sin = angles.cos(), angles.sin()
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)


class Attention(nn.Module):
    """Several heads over tokens that are told their places by rotation.

    Args:
        channels: Of the tokens that ask, and of the answer.
        context: Channels of the tokens that are read.
        heads: Their number.
    """

    def __init__(self, channels: int, context: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(channels, channels)
        self.to_k = nn.Linear(context, channels)
        self.to_v = nn.Linear(context, channels)
        self.project = nn.Linear(channels, channels)

    def forward(
        self, x: Tensor, context: Tensor, turns: tuple[Tensor, Tensor], allowed: Tensor | None = None
    ) -> Tensor:
        """Read a context.

        Args:
            x: (b, t, channels).
            context: (b, s, context channels).
            turns: Angles (t, pairs) of `x` and (s, pairs) of the context; see `rotary_code`.
            allowed: (b, s) bool, or None for all; every row of the batch needs one.

        Returns:
            (b, t, channels).
        """
        q = turn_pairs(self._split(self.to_q(x)), turns[0])
        k = turn_pairs(self._split(self.to_k(context)), turns[1])
        v = self._split(self.to_v(context))
        mask = None if allowed is None else allowed[:, None, None, :]
        mixed: Tensor = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        answer: Tensor = self.project(mixed.transpose(1, 2).flatten(2))
        return answer

    def _split(self, x: Tensor) -> Tensor:
        split: Tensor = x.unflatten(2, (self.heads, -1)).transpose(1, 2)
        return split


class Mlp(nn.Sequential):
    """Two linear layers, `times` as wide between them."""

    def __init__(self, channels: int, outputs: int | None = None, *, times: int = 3) -> None:
        last = nn.Linear(times * channels, channels if outputs is None else outputs)
        super().__init__(nn.Linear(channels, times * channels), nn.GELU(), last)


class SelfAttention(nn.Module):
    """Transformer layer over all pixels of a map."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.pairs = channels // heads // 2
        self.norm = nn.LayerNorm(channels)
        self.attention = Attention(channels, channels, heads)
        self.norm_mlp = nn.LayerNorm(channels)
        self.mlp = Mlp(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(b, channels, h, w), same shape out."""
        height, width = x.shape[-2:]
        tokens = x.flatten(2).transpose(1, 2)
        turns = rotary_code(grid_places(height, width, 1.0, x), self.pairs)
        normed = self.norm(tokens)
        tokens = tokens + self.attention(normed, normed, (turns, turns))
        tokens = tokens + self.mlp(self.norm_mlp(tokens))
        answer: Tensor = tokens.transpose(1, 2).unflatten(2, (height, width))
        return answer


class MemoryLayer(nn.Module):
    """Transformer layer that also reads what is remembered of other views."""

    def __init__(self, channels: int, memory: int, heads: int) -> None:
        super().__init__()
        self.pairs = channels // heads // 2
        self.norm = nn.LayerNorm(channels)
        self.attention = Attention(channels, channels, heads)
        self.norm_cross = nn.LayerNorm(channels)
        self.cross = Attention(channels, memory, heads)
        self.norm_mlp = nn.LayerNorm(channels)
        self.mlp = Mlp(channels)

    def forward(self, x: Tensor, places: Tensor, memory: Tensor, memory_turns: Tensor, allowed: Tensor) -> Tensor:
        """Read memories.

        Args:
            x: (b, t, channels).
            places: (t, 2) in tokens.
            memory: (b, s, memory channels).
            memory_turns: (s, pairs) angles; 0 for tokens without a place.
            allowed: (b, s) bool, at least one in each row.
        """
        turns = rotary_code(places, self.pairs)
        normed = self.norm(x)
        x = x + self.attention(normed, normed, (turns, turns))
        x = x + self.cross(self.norm_cross(x), memory, (turns, memory_turns), allowed)
        mixed: Tensor = x + self.mlp(self.norm_mlp(x))
        return mixed
