"""The decoder of dense prediction transformers: four maps of one size in, one map of the picture's size out.

Source: R. Ranftl et al., Vision Transformers for Dense Prediction, arXiv:2103.13413, in the form of Depth Anything V2
(L. Yang et al., arXiv:2406.09414): no class token, no batch normalisation.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F


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
        out: Tensor = x + self.second(F.relu(self.first(F.relu(x))))
        return out


class Fuse(nn.Module):
    """Adds a finer map to a coarser one, refines the sum and enlarges it.

    Args:
        features: Channels.
        with_finer: False for the coarsest level, which there is nothing to add to.
    """

    def __init__(self, features: int, *, with_finer: bool = True) -> None:
        super().__init__()
        self.refine_finer = Refine(features) if with_finer else None
        self.refine = Refine(features)
        self.mix = nn.Conv2d(features, features, 1)

    def forward(self, x: Tensor, finer: Tensor | None, size: tuple[int, int]) -> Tensor:
        """(b, features, h, w) each, to (b, features, *size)."""
        if self.refine_finer is not None and finer is not None:
            x = x + self.refine_finer(finer)
        out: Tensor = self.mix(_resized(self.refine(x), size))
        return out


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
        self.narrow = nn.Conv2d(features, features // 2, 3, padding=1)
        self.last = nn.Sequential(
            nn.Conv2d(features // 2, config.last, 3, padding=1), nn.ReLU(), nn.Conv2d(config.last, 1, 1)
        )

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
        fused = self.fuse[3](fine_to_coarse[3], None, fine_to_coarse[2].shape[-2:])
        for level in (2, 1, 0):
            finer = fine_to_coarse[level]
            height, width = finer.shape[-2:]
            target = fine_to_coarse[level - 1].shape[-2:] if level else (2 * height, 2 * width)
            fused = self.fuse[level](fused, finer, target)
        out: Tensor = self.last(_resized(self.narrow(fused), size))
        return out


def _resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(x, size, mode="bilinear", align_corners=True)
