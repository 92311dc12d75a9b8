"""Layers that know that an ERP grid is a sphere: it wraps around in longitude and continues over the poles.

All maps are (batch, channels, height, width) with an even width. A roll of the input along the width by a multiple of a
network's stride rolls its output: nothing here depends on absolute longitude.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def pad_sphere(x: Tensor, pad: int) -> Tensor:
    """Continue a map by `pad` pixels: around the seam, and over each pole with half a turn."""
    half = x.shape[-1] // 2
    top = x[:, :, :pad].flip(2)
    bottom = x[:, :, -pad:].flip(2)
    top = torch.cat([top[..., half:], top[..., :half]], dim=3)
    bottom = torch.cat([bottom[..., half:], bottom[..., :half]], dim=3)
    x = torch.cat([top, x, bottom], dim=2)
    return torch.cat([x[..., -pad:], x, x[..., :pad]], dim=3)


def double_size(x: Tensor) -> Tensor:
    """Twice the height and width by bilinear interpolation on the sphere; pixel corners coincide."""
    enlarged = F.interpolate(pad_sphere(x, 1), scale_factor=2.0, mode="bilinear", align_corners=False)
    return enlarged[:, :, 2:-2, 2:-2]


def row_latitudes(height: int, *, device: torch.device | None = None, dtype: torch.dtype = torch.float32) -> Tensor:
    """(height,) latitudes of the rows' centres, those of `core.geometry.sphere.erp_angles`, in torch for its graphs."""
    return (0.5 - (torch.arange(height, device=device, dtype=dtype) + 0.5) / height) * math.pi


class SphereConv(nn.Module):
    """Convolution on the sphere, batch normalisation and, unless it is the last of a residual block, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, *, stride: int = 1, activate: bool = True) -> None:
        super().__init__()
        self.pad = (kernel - stride + 1) // 2
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        """(b, inputs, h, w) to (b, outputs, h / stride, w / stride)."""
        x = self.norm(self.conv(pad_sphere(x, self.pad) if self.pad else x))
        return F.relu(x, inplace=True) if self.activate else x


class SphereBlock(nn.Module):
    """Residual block of two 3 x 3 convolutions on the sphere."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = SphereConv(channels, channels)
        self.second = SphereConv(channels, channels, activate=False)
        nn.init.zeros_(self.second.norm.weight)  # the block begins as the identity

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as the input."""
        return F.relu(x + self.second(self.first(x)))


@lru_cache(maxsize=16)
def rotary_angles(height: int, width: int, pairs: int) -> Tensor:
    """Angles by which attention turns the pairs of a head's channels at each token.

    Half of the pairs turn with longitude at integer frequencies, so that they close exactly around the sphere and
    attention sees only differences of longitude; the other half turn with latitude.

    Returns:
        (height * width, pairs) float32.
    """
    around = pairs // 2
    across = pairs - around
    # Kept for whoever comes next: not on the device of whoever happens to ask first, which may be that without numbers.
    with torch.device("cpu"):
        lon = (torch.arange(width) + 0.5) / width * 2 * math.pi
        lat = row_latitudes(height)
        lon_angles = lon[:, None] * torch.arange(1, around + 1)
        lat_angles = lat[:, None] * torch.linspace(1.0, 2.0 * across, across)
    angles = torch.cat(
        [lon_angles[None].expand(height, -1, -1), lat_angles[:, None].expand(-1, width, -1)],
        dim=-1,
    )
    return angles.reshape(height * width, pairs).float()


class SphereAttention(nn.Module):
    """Transformer layer over all pixels of a map; positions enter by rotation of queries and keys."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.project = nn.Linear(channels, channels)
        self.norm_mlp = nn.LayerNorm(channels)
        last = nn.Linear(3 * channels, channels)
        self.mlp = nn.Sequential(nn.Linear(channels, 3 * channels), nn.GELU(), last)
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(last.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as the input."""
        batch, channels, height, width = x.shape
        tokens: Tensor = x.flatten(2).transpose(1, 2)
        pairs = channels // self.heads // 2
        angles = rotary_angles(height, width, pairs).to(tokens)
        qkv = self.qkv(self.norm_attention(tokens)).reshape(batch, height * width, 3, self.heads, 2 * pairs)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed: Tensor = F.scaled_dot_product_attention(_turn_pairs(q, angles), _turn_pairs(k, angles), v)
        tokens = tokens + self.project(mixed.transpose(1, 2).reshape(batch, height * width, channels))
        tokens = tokens + self.mlp(self.norm_mlp(tokens))
        return tokens.transpose(1, 2).reshape(batch, channels, height, width)


def _turn_pairs(x: Tensor, angles: Tensor) -> Tensor:
    cos, sin = angles.cos(), angles.sin()
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
