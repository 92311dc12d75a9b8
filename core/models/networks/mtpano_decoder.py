"""The decoders of MTPano: those of dense prediction transformers with class tokens read and batches normalised.

Source: R. Ranftl et al., Vision Transformers for Dense Prediction, arXiv:2103.13413, in its form for semantic classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.models.networks.dpt import pyramid


class BatchNorm(nn.Module):
    """Batch normalisation that does not count its batches, as nothing here depends on their number."""

    mean: Tensor
    variance: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as the input."""
        return F.batch_norm(x, self.mean, self.variance, self.weight, self.bias, self.training)


class NormedRefine(nn.Module):
    """A residual unit of two normalised convolutions, activated before each."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(features, features, 3, padding=1, bias=False)
        self.first_norm = BatchNorm(features)
        self.second = nn.Conv2d(features, features, 3, padding=1, bias=False)
        self.second_norm = BatchNorm(features)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as the input."""
        inner = self.first_norm(self.first(F.relu(x)))
        out: Tensor = x + self.second_norm(self.second(F.relu(inner)))
        return out


class NormedFuse(nn.Module):
    """Adds a finer map to a coarser one, refines the sum and doubles its size."""

    def __init__(self, features: int, *, with_finer: bool = True) -> None:
        super().__init__()
        self.refine_finer = NormedRefine(features) if with_finer else None
        self.refine = NormedRefine(features)
        self.mix = nn.Conv2d(features, features, 1)

    def forward(self, x: Tensor, finer: Tensor | None) -> Tensor:
        """(b, features, h, w) to (b, features, 2 h, 2 w)."""
        if self.refine_finer is not None and finer is not None:
            x = x + self.refine_finer(finer)
        out: Tensor = self.mix(doubled(self.refine(x)))
        return out


def doubled(x: Tensor) -> Tensor:
    """A map (b, channels, h, w) at twice its size, its corners on the corners."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True)


def doubled_rows(x: Tensor, begin: int, end: int) -> Tensor:
    """Rows `begin` to `end` of what `doubled` makes of a map of at least 2 rows."""
    height, width = x.shape[2:]
    at = torch.arange(begin, end, device=x.device, dtype=x.dtype) * ((height - 1) / (2 * height - 1))
    above = at.floor().long().clamp(max=height - 2)
    share = (at - above)[:, None]
    rows = torch.lerp(x[:, :, above], x[:, :, above + 1], share)
    return F.interpolate(rows, (end - begin, 2 * width), mode="bilinear", align_corners=True)


class Neck(nn.Module):
    """The decoder of a task: tokens of four levels in, maps of half the picture's size out."""

    def __init__(self, channels: int, levels: tuple[int, int, int, int], features: int, rows: int) -> None:
        super().__init__()
        self.rows = rows
        self.readout = nn.ModuleList(nn.Linear(2 * channels, channels) for _ in levels)
        self.project = nn.ModuleList(nn.Conv2d(channels, level, 1) for level in levels)
        self.resize = pyramid(levels)
        self.reduce = nn.ModuleList(nn.Conv2d(level, features, 3, padding=1, bias=False) for level in levels)
        self.fuse = nn.ModuleList(NormedFuse(features, with_finer=level < 3) for level in range(4))

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        """The fused maps, from coarse to fine.

        Args:
            levels: Four of (b, 1 + patches, channels), the class token first.
        """
        maps = [self._level(number, tokens) for number, tokens in enumerate(levels)]
        fused = [self.fuse[3](maps[3], None)]
        for number in (2, 1, 0):
            fused.append(self.fuse[number](fused[-1], maps[number]))
        return fused

    def _level(self, number: int, tokens: Tensor) -> Tensor:
        patches = tokens[:, 1:]
        both = torch.cat([patches, tokens[:, :1].expand_as(patches)], dim=2)
        read = F.gelu(self.readout[number](both)).transpose(1, 2)
        grid = read.reshape(read.shape[0], read.shape[1], self.rows, -1)
        out: Tensor = self.reduce[number](self.resize[number](self.project[number](grid)))
        return out


class SemanticHead(nn.Module):
    """Logits of the classes; what reads them enlarges them."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(features, features, 3, padding=1, bias=False)
        self.norm = BatchNorm(features)
        self.last = nn.Conv2d(features, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(b, classes, h, w)."""
        out: Tensor = self.last(F.relu(self.norm(self.first(x))))
        return out


class DenseHead(nn.Module):
    """Numbers for every pixel."""

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(features, features // 2, 3, padding=1)
        self.last = nn.Sequential(nn.Conv2d(features // 2, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(b, outputs, 2 h, 2 w)."""
        out: Tensor = self.last(doubled(self.narrow(x)))
        return out
