"""The decoder of dense prediction transformers: four maps of one size in, one map of the picture's size out.

Source: R. Ranftl et al., Vision Transformers for Dense Prediction, arXiv:2103.13413, in the form of Depth Anything V2
(L. Yang et al., arXiv:2406.09414): no class token, no batch normalisation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BAND = 32
"""Rows of a large map that are worked on together: what lies between two layers is then never whole in memory."""


@dataclass(frozen=True)
class DptConfig:
    """Widths of the decoder.

    Attributes:
        inputs: Channels of each of the four maps.
        levels: Channels of each after its projection.
        features: Channels in which they are fused.
        last: Channels before the last layer.
    """

    inputs: int
    levels: tuple[int, int, int, int] = (256, 512, 1024, 1024)
    features: int = 256
    last: int = 32


class Refine(nn.Module):
    """A residual unit of two convolutions, activated before each."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(features, features, 3, padding=1)
        self.second = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as the input."""
        out: Tensor = self.second(F.relu_(self.first(F.relu(x))))
        return out.add_(x)


class Fuse(nn.Module):
    """Adds a finer map to a coarser one and refines the sum; what reads it enlarges it.

    Args:
        features: Channels.
        with_finer: False for the coarsest level, which there is nothing to add to.
    """

    def __init__(self, features: int, *, with_finer: bool = True) -> None:
        super().__init__()
        self.refine_finer = Refine(features) if with_finer else None
        self.refine = Refine(features)
        self.mix = nn.Conv2d(features, features, 1)

    def forward(self, x: Tensor, finer: Tensor | None) -> Tensor:
        """(b, features, h, w) each, to the same."""
        if self.refine_finer is not None and finer is not None:
            x = self.refine_finer(finer).add_(x)
        # The published code mixes what is enlarged: the same, as both are linear, for four times the work.
        out: Tensor = self.mix(self.refine(x))
        return out


class EnlargedConv(nn.Conv2d):
    """A convolution of 3 x 3 on an enlarged map, which is never whole in memory."""

    def __init__(self, features: int, outputs: int, *, bias: bool = True) -> None:
        super().__init__(features, outputs, 3, padding=1, bias=bias)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:  # type: ignore[override]
        """(b, features, h, w) to (b, outputs, *size)."""
        if self.training or torch.compiler.is_compiling():  # gradients need all of it; a graph knows no sizes
            return super().forward(resized(x, size))
        return in_bands(size[0], lambda begin, end: self.rows(x, size, begin, end))

    def rows(self, x: Tensor, size: tuple[int, int], begin: int, end: int) -> Tensor:
        """Rows `begin` to `end` of the same."""
        rows = resized_rows(x, size, max(begin - 1, 0), min(end + 1, size[0]))
        rows = F.pad(rows, (0, 0, int(begin == 0), int(end == size[0])))
        return F.conv2d(rows, self.weight, self.bias, padding=(0, 1))


class Finish(nn.Sequential):
    """The last layers of a decoder, on a map that they enlarge: neighbours, an activation, numbers."""

    def __init__(self, features: int, hidden: int, outputs: int) -> None:
        super().__init__(EnlargedConv(features, hidden), nn.ReLU(), nn.Conv2d(hidden, outputs, 1))

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:  # type: ignore[override]
        """(b, features, h, w) to (b, outputs, *size)."""
        near = cast(EnlargedConv, self[0])
        if self.training or torch.compiler.is_compiling():
            return cast(Tensor, self[2](F.relu(near(x, size))))
        return in_bands(size[0], lambda begin, end: self[2](F.relu_(near.rows(x, size, begin, end))))


def pyramid(levels: tuple[int, int, int, int]) -> nn.ModuleList:
    """What brings four maps of one size to 4, 2, 1 and 1/2 times that size.

    Args:
        levels: Channels of each map.
    """
    return nn.ModuleList(
        [
            nn.ConvTranspose2d(levels[0], levels[0], 4, stride=4),
            nn.ConvTranspose2d(levels[1], levels[1], 2, stride=2),
            nn.Identity(),
            nn.Conv2d(levels[3], levels[3], 3, stride=2, padding=1),
        ]
    )


class DptHead(nn.Module):
    """Maps of a transformer's patches to one channel in pixels, without a last activation."""

    def __init__(self, config: DptConfig) -> None:
        super().__init__()
        levels, features = config.levels, config.features
        self.project = nn.ModuleList(nn.Conv2d(config.inputs, level, 1) for level in levels)
        self.resize = pyramid(levels)
        self.reduce = nn.ModuleList(nn.Conv2d(level, features, 3, padding=1, bias=False) for level in levels)
        self.fuse = nn.ModuleList(Fuse(features, with_finer=level < 3) for level in range(4))
        self.narrow = EnlargedConv(features, features // 2)
        self.last = Finish(features // 2, config.last, 1)

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
        """Logits of every pixel.

        Args:
            maps: Four of (b, inputs, h, w), from the transformer's early blocks to its late ones.
            size: Height and width of the result.

        Returns:
            (b, 1, *size).
        """
        parts = zip(maps, self.project, self.resize, self.reduce, strict=True)
        fine_to_coarse = [reduce(resize(project(x))) for x, project, resize, reduce in parts]
        fused = self.fuse[3](fine_to_coarse.pop(), None)
        for fuse in (self.fuse[2], self.fuse[1], self.fuse[0]):
            finer = fine_to_coarse.pop()
            fused = fuse(resized(fused, finer.shape[-2:]), finer)
            del finer
        twice = 2 * fused.shape[-2], 2 * fused.shape[-1]
        fused = self.narrow(fused, twice)
        out: Tensor = self.last(fused, size)
        return out


def resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    """A map (b, channels, h, w) of another size, its corners on the corners."""
    return F.interpolate(x, size, mode="bilinear", align_corners=True)


def resized_rows(x: Tensor, size: tuple[int, int], begin: int, end: int) -> Tensor:
    """Rows `begin` to `end` of what `resized` makes of a map of at least 2 rows."""
    height = x.shape[2]
    at = torch.arange(begin, end, device=x.device, dtype=x.dtype) * ((height - 1) / max(size[0] - 1, 1))
    above = at.floor().long().clamp(max=height - 2)
    pixels = x.permute(0, 2, 3, 1)  # picked with the channels last, in which order CPUs convolve faster
    rows = torch.lerp(pixels[:, above], pixels[:, above + 1], (at - above)[:, None, None]).permute(0, 3, 1, 2)
    return F.interpolate(rows, (end - begin, size[1]), mode="bilinear", align_corners=True)


def in_bands(rows: int, band: Callable[[int, int], Tensor]) -> Tensor:
    """A map of so many rows, (b, channels, rows, w), from a function that makes those from one row up to another."""
    whole = None
    for begin in range(0, rows, BAND):
        end = min(begin + BAND, rows)
        part = band(begin, end)
        if whole is None:
            batch, channels, _, width = part.shape
            whole = part.new_empty((batch, channels, rows, width)).contiguous(memory_format=torch.channels_last)
        whole[:, :, begin:end] = part
    if whole is None:
        raise ValueError("a map has at least one row")
    return whole
