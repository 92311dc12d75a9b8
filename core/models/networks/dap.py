"""The network of Depth Any Panoramas (arXiv:2512.16913): a DINOv3 transformer with a head for depth and one for far."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.models.networks.dpt import DptConfig, DptHead
from core.models.networks.vit import VIT_L, ViT, ViTConfig

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
"""Of ImageNet's colours, with which the transformer was trained."""


@dataclass(frozen=True)
class DapConfig:
    """Sizes of the network; the defaults are those of the published one.

    Attributes:
        vit: The transformer.
        taps: Its four blocks that the heads look at.
        levels: Channels of the heads at their four levels.
        features: Channels in which the heads fuse them.
    """

    vit: ViTConfig = VIT_L
    taps: tuple[int, int, int, int] = (4, 11, 17, 23)
    levels: tuple[int, int, int, int] = (256, 512, 1024, 1024)
    features: int = 256

    @property
    def head(self) -> DptConfig:
        """Of each of the two heads."""
        return DptConfig(self.vit.width, self.levels, self.features)


PUBLISHED = DapConfig()


class DapNet(nn.Module):
    """Pictures in, depth and far out, both from 0 to 1."""

    def __init__(self, config: DapConfig) -> None:
        super().__init__()
        self.config = config
        self.vit = ViT(config.vit)
        self.second_norm = nn.LayerNorm(config.vit.width, eps=1e-5)
        self.depth_head = DptHead(config.head)
        self.far_head = DptHead(config.head)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Depth and far of every pixel.

        Args:
            pictures: (b, 3, h, w) sRGB in [0, 1]; h and w are multiples of 16.

        Returns:
            Depth (b, 1, h, w), distance along the ray with 1 for 100 m; far (b, 1, h, w), the probability that there
            is nothing within that range.
        """
        mean, deviation = (pictures.new_tensor(value)[:, None, None] for value in (MEAN, DEVIATION))
        height, width = pictures.shape[-2:]
        patch = self.config.vit.patch
        tokens = self.vit((pictures - mean) / deviation, self.config.taps)
        maps = [self._as_map(level, height // patch, width // patch) for level in tokens]
        del tokens
        depth = torch.sigmoid(self.depth_head(maps, (height, width)))
        return depth, torch.sigmoid(self.far_head(maps, (height, width)))

    def steps(self) -> list[nn.Module]:
        """Its larger parts in the order in which they run, for whoever wants to know how far it is."""
        heads = [part for head in (self.depth_head, self.far_head) for part in (*head.fuse.children(), head.last)]
        return [*self.vit.blocks[: self.config.taps[-1] + 1], *heads]

    def _as_map(self, tokens: Tensor, rows: int, cols: int) -> Tensor:
        """Patches on their grid, as the heads were trained to see them: the first one lost, the others stretched.

        The published code drops the first patch together with the class token that had been dropped before, and
        spreads the rest along the rows over all places. Where their number is a square it folds them in another way,
        which is never right; that is not repeated here, see `is_ambiguous`.
        """
        seen: Tensor = self.second_norm(self.vit.norm(tokens)[:, self.config.vit.first_patch :])
        left = seen[:, 1:].transpose(1, 2)
        spread: Tensor = F.interpolate(left, rows * cols, mode="linear", align_corners=False)
        grid = spread.reshape(*spread.shape[:2], rows, cols)
        return grid.contiguous(memory_format=torch.channels_last)  # in which order CPUs convolve faster


def is_ambiguous(height: int, width: int, patch: int = 16) -> bool:
    """True for the sizes of a picture in pixels at which the published code takes its patches for a square grid."""
    left = (height // patch) * (width // patch) - 1
    return math.isqrt(left) ** 2 == left
