"""The decoders of MTPano: those of dense prediction transformers with class tokens read and batches normalised.

Source: R. Ranftl et al., Vision Transformers for Dense Prediction, arXiv:2103.13413, in its form for semantic classes.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.models.networks.dpt import EnlargedConv, Finish, in_bands, pyramid, resized, resized_rows


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
        inner = F.relu_(self.first_norm(self.first(F.relu(x))))
        out: Tensor = self.second_norm(self.second(inner))
        return out.add_(x)


class NormedFuse(nn.Module):
    """Adds a finer map to a coarser one and refines the sum; what reads it doubles its size."""

    def __init__(self, features: int, *, with_finer: bool = True) -> None:
        super().__init__()
        self.refine_finer = NormedRefine(features) if with_finer else None
        self.refine = NormedRefine(features)
        self.mix = nn.Conv2d(features, features, 1)

    def forward(self, x: Tensor, finer: Tensor | None) -> Tensor:
        """(b, features, h, w) each, to the same."""
        if self.refine_finer is not None and finer is not None:
            x = self.refine_finer(finer).add_(x)
        # The published code mixes what is enlarged: the same, as both are linear, for four times the work.
        out: Tensor = self.mix(self.refine(x))
        return out


def doubled(x: Tensor) -> Tensor:
    """A map (b, channels, h, w) at twice its size."""
    return resized(x, (2 * x.shape[2], 2 * x.shape[3]))


def doubled_rows(x: Tensor, begin: int, end: int) -> Tensor:
    """Rows `begin` to `end` of what `doubled` makes of a map of at least 2 rows."""
    return resized_rows(x, (2 * x.shape[2], 2 * x.shape[3]), begin, end)


class Neck(nn.Module):
    """The decoder of a task: tokens of four levels in, a map of a quarter of the picture's size out."""

    def __init__(self, channels: int, levels: tuple[int, int, int, int], features: int, rows: int) -> None:
        super().__init__()
        self.rows = rows
        self.readout = nn.ModuleList(nn.Linear(2 * channels, channels) for _ in levels)
        self.project = nn.ModuleList(nn.Conv2d(channels, level, 1) for level in levels)
        self.resize = pyramid(levels)
        self.reduce = nn.ModuleList(nn.Conv2d(level, features, 3, padding=1, bias=False) for level in levels)
        self.fuse = nn.ModuleList(NormedFuse(features, with_finer=level < 3) for level in range(4))

    def forward(self, levels: list[Tensor]) -> Tensor:
        """What the heads read, (b, features, 4 rows, 8 rows).

        Args:
            levels: Four of (b, 1 + patches, channels), the class token first.
        """
        maps = [self._level(number, tokens) for number, tokens in enumerate(levels)]
        fused = self.fuse[3](maps.pop(), None)
        for fuse in (self.fuse[2], self.fuse[1], self.fuse[0]):
            fused = fuse(doubled(fused), maps.pop())
        return cast(Tensor, fused)

    def _level(self, number: int, tokens: Tensor) -> Tensor:
        patches = tokens[:, 1:]
        both = torch.cat([patches, tokens[:, :1].expand_as(patches)], dim=2)
        read = F.gelu(self.readout[number](both)).transpose(1, 2)
        grid = read.reshape(read.shape[0], read.shape[1], self.rows, -1)
        out: Tensor = self.reduce[number](self.resize[number](self.project[number](grid)))
        return out


class SemanticHead(nn.Module):
    """Logits of the classes."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.first = EnlargedConv(features, features, bias=False)
        self.norm = BatchNorm(features)
        self.last = nn.Conv2d(features, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(b, features, h, w) to (b, classes, 2 h, 2 w)."""
        size = 2 * x.shape[2], 2 * x.shape[3]
        if self.training or torch.compiler.is_compiling():  # see EnlargedConv; a batch is normalised as a whole
            return self._finished(self.first(x, size))
        return in_bands(size[0], lambda begin, end: self._finished(self.first.rows(x, size, begin, end)))

    def _finished(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(F.relu_(self.norm(x)))
        return out


class DenseHead(nn.Module):
    """Numbers for every pixel."""

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.narrow = EnlargedConv(features, features // 2)
        self.last = Finish(features // 2, 32, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(b, features, h, w) to (b, outputs, 4 h, 4 w)."""
        rows, cols = x.shape[2:]
        out: Tensor = self.last(self.narrow(x, (2 * rows, 2 * cols)), (4 * rows, 4 * cols))
        return out
