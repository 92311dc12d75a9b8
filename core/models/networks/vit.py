"""The vision transformer of DINOv3 (O. Siméoni et al., DINOv3, arXiv:2508.10104), in sizes that share one class.

A picture is cut into patches; a class token and a few registers go before them. Positions enter by rotation of queries
and keys (RoPE) along rows and columns, of patch tokens only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

HEAD_WIDTH = 64
_ROPE_BASE = 100.0
_EPSILON = 1e-5


@dataclass(frozen=True)
class ViTConfig:
    """A size of the transformer.

    Attributes:
        width: Channels of a token, a multiple of the width of a head, 64.
        depth: Blocks.
        registers: Tokens between the class token and the patches.
        patch: Side of a patch in pixels.
    """

    width: int
    depth: int
    registers: int = 4
    patch: int = 16

    @property
    def heads(self) -> int:
        """Of each attention layer."""
        return self.width // HEAD_WIDTH

    @property
    def first_patch(self) -> int:
        """Index of the first patch among the tokens."""
        return 1 + self.registers


VIT_T = ViTConfig(192, 12)
"""Not published; the size of other small transformers."""
VIT_S = ViTConfig(384, 12)
VIT_B = ViTConfig(768, 12)
VIT_L = ViTConfig(1024, 24)


def is_sensible(config: ViTConfig, taps: Sequence[int]) -> bool:
    """Whether a file may describe a transformer of this size that is looked at behind these four blocks."""
    return (
        config.width % HEAD_WIDTH == 0
        and 0 < config.width <= 4096
        and 0 < config.depth <= 64
        and 0 <= config.registers <= 64
        and config.patch == 16
        and len(taps) == 4
        and min(taps) >= 0
        and max(taps) < config.depth
    )


def rope_periods() -> Tensor:
    """(16,) periods of the rotations, in units of half the picture's height or width."""
    quarter = HEAD_WIDTH // 4
    return torch.pow(_ROPE_BASE, torch.arange(quarter, dtype=torch.float32) / quarter)


class Attention(nn.Module):
    """Self-attention in which keys have no bias."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.first_patch = config.first_patch
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.query_bias = nn.Parameter(torch.zeros(width))
        self.value_bias = nn.Parameter(torch.zeros(width))
        self.project = nn.Linear(width, width)

    def forward(self, tokens: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """(b, n, width) to the same; `cos` and `sin` are (patches, 64)."""
        batch, count, width = tokens.shape
        bias = torch.cat([self.query_bias, torch.zeros_like(self.query_bias), self.value_bias])
        qkv = F.linear(tokens, self.qkv.weight, bias).reshape(batch, count, 3, self.heads, HEAD_WIDTH)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        q, k = (self._turned(x, cos, sin) for x in (q, k))
        mixed = F.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.project(mixed.transpose(1, 2).reshape(batch, count, width))
        return out

    def _turned(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        patches = x[:, :, self.first_patch :]
        first, second = patches.chunk(2, dim=-1)
        turned = patches * cos + torch.cat([-second, first], dim=-1) * sin
        return torch.cat([x[:, :, : self.first_patch], turned.to(x.dtype)], dim=2)


class Block(nn.Module):
    """Attention and a two-layer perceptron, each added with a learned scale per channel (LayerScale)."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        width = config.width
        self.norm_attention = nn.LayerNorm(width, eps=_EPSILON)
        self.attention = Attention(config)
        self.scale_attention = nn.Parameter(torch.full((width,), 1e-5))
        self.norm_mlp = nn.LayerNorm(width, eps=_EPSILON)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.scale_mlp = nn.Parameter(torch.full((width,), 1e-5))

    def forward(self, tokens: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """(b, n, width) to the same."""
        tokens = tokens + self.scale_attention * self.attention(self.norm_attention(tokens), cos, sin)
        out: Tensor = tokens + self.scale_mlp * self.mlp(self.norm_mlp(tokens))
        return out


class ViT(nn.Module):
    """The transformer without anything on top; says what its blocks say.

    Args:
        config: Its size, for instance `VIT_L`.
    """

    periods: Tensor
    rescale = 1.0
    """Factor by which, and one over it, positions may be stretched in training, by chance; 2 in the published one."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Conv2d(3, config.width, config.patch, stride=config.patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.registers = nn.Parameter(torch.zeros(1, config.registers, config.width))
        self.register_buffer("periods", rope_periods())
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width, eps=_EPSILON)

    def forward(self, pictures: Tensor, taps: Sequence[int]) -> list[Tensor]:
        """The tokens behind some of the blocks, before any last normalisation.

        Args:
            pictures: (b, 3, h, w), normalised; h and w are multiples of the patch.
            taps: Indices of the blocks, ascending; those behind the last one are not run.

        Returns:
            For each, (b, 1 + registers + patches, width): class token, registers, patches row by row. `norm` is for
            the caller to apply.
        """
        grid = self.embed(pictures)
        batch, _, rows, cols = grid.shape
        patches = grid.flatten(2).transpose(1, 2)
        extra = (self.class_token.expand(batch, -1, -1), self.registers.expand(batch, -1, -1))
        tokens = torch.cat([*extra, patches], dim=1)
        cos, sin = self._rotations(rows, cols)
        seen = []
        for index, block in enumerate(self.blocks):
            if index > taps[-1]:
                break
            tokens = block(tokens, cos, sin)
            if index in taps:
                seen.append(tokens)
        return seen

    @torch.no_grad()
    def start_fresh(self) -> None:
        """Draw numbers with which it can be trained from nothing; those that it is made with need a published file.

        Matrices and tokens from a normal distribution cut at two deviations of 0.02 (A. Dosovitskiy et al.,
        arXiv:2010.11929, as in most code since), branches scaled by 0.1 to begin with, as up to 18 blocks allow
        (H. Touvron et al., Going Deeper with Image Transformers, ICCV 2021), or by 1e-5 beyond.
        """
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02, a=-0.04, b=0.04)
        for tokens in (self.class_token, self.registers):
            nn.init.trunc_normal_(tokens, std=0.02, a=-0.04, b=0.04)
        scale = 0.1 if self.config.depth <= 18 else 1e-5
        for block in self.blocks:
            nn.init.constant_(cast(Block, block).scale_attention, scale)
            nn.init.constant_(cast(Block, block).scale_mlp, scale)

    def _rotations(self, rows: int, cols: int) -> tuple[Tensor, Tensor]:
        """Cosines and sines, (rows * cols, 64) float32: rows take the first half of the pairs, columns the second."""
        angles = []
        stretch = 1.0
        if self.training and self.rescale != 1:
            stretch = self.rescale ** float(2 * torch.rand(()) - 1)
        for count in (rows, cols):
            centre = (torch.arange(count, device=self.periods.device, dtype=torch.float32) + 0.5) / count
            angles.append(2 * math.pi * stretch * (2 * centre - 1)[:, None] / self.periods.float())
        of_row = angles[0][:, None].expand(-1, cols, -1)
        of_col = angles[1][None].expand(rows, -1, -1)
        both = torch.cat([of_row, of_col], dim=-1).flatten(0, 1).repeat(1, 2)
        return both.cos(), both.sin()
