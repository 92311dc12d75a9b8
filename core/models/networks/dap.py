"""The network of Depth Any Panoramas (arXiv:2512.16913): a DINOv3 transformer with a head for depth and one for far."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal, cast, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.models.networks.dpt import DptConfig, DptHead
from core.models.networks.sphere_dpt import SphereDptHead
from core.models.networks.vit import VIT_L, ViT, ViTConfig, is_sensible

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
"""Of ImageNet's colours, with which the transformer was trained."""


Decoder = Literal["published", "sphere"]
_CONFIG_KEY = "dap"
_FAR_AT_FIRST = 0.1


@dataclass(frozen=True)
class DapConfig:
    """Sizes of the network; the defaults are those of the published one.

    Attributes:
        vit: The transformer.
        taps: Its four blocks that the heads look at.
        levels: Channels of the heads at their four levels.
        features: Channels in which the heads fuse them.
        ranges: Metres, ascending, beyond which something counts as far, with a head for each; the published weights
            have the last one only.
        decoder: The published heads, to which patches come shifted as the published weights expect them; or ours, which
            know of the sphere, and to which they come as they are.
        height: Rows of the pictures that it is trained on.
    """

    vit: ViTConfig = VIT_L
    taps: tuple[int, int, int, int] = (4, 11, 17, 23)
    levels: tuple[int, int, int, int] = (256, 512, 1024, 1024)
    features: int = 256
    ranges: tuple[float, ...] = (100.0,)
    decoder: Decoder = "published"
    height: int = 512

    @property
    def head(self) -> DptConfig:
        """Of each of the heads."""
        return DptConfig(self.vit.width, self.levels, self.features)

    def to_metadata(self) -> dict[str, str]:
        """Text for the file of weights."""
        return {_CONFIG_KEY: json.dumps(asdict(self))}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> DapConfig:
        """The reverse of `to_metadata`; without a description, the published sizes.

        Raises:
            ValueError: The description is none of such a network.
        """
        if _CONFIG_KEY not in metadata:
            return PUBLISHED
        try:
            values = json.loads(metadata[_CONFIG_KEY])
            config = cls(
                ViTConfig(**values["vit"]),
                tuple(values["taps"]),
                tuple(values["levels"]),
                values["features"],
                tuple(map(float, values["ranges"])),
                values["decoder"],
                values["height"],
            )
            numbers = (*asdict(config.vit).values(), *config.taps, *config.levels, config.features, config.height)
            if not all(type(number) is int for number in numbers) or not all(map(math.isfinite, config.ranges)):
                raise TypeError("sizes must be whole numbers")
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"no description of a dap network: {error}") from error
        sensible = (
            is_sensible(config.vit, config.taps)
            and len(config.levels) == 4
            and all(0 < number <= 4096 for number in (*config.levels, config.features))
            and 0 < len(config.ranges) <= 16
            and config.ranges == tuple(sorted(set(config.ranges)))
            and config.decoder in get_args(Decoder)
            and 32 <= config.height <= 4096
            and config.height % 32 == 0
        )
        if not sensible:
            raise ValueError("a dap network cannot have the sizes that its file describes")
        return config


PUBLISHED = DapConfig()


class DapNet(nn.Module):
    """Pictures in, depth and far out, both from 0 to 1."""

    def __init__(self, config: DapConfig) -> None:
        super().__init__()
        self.config = config
        self.vit = ViT(config.vit)
        self.second_norm = nn.LayerNorm(config.vit.width, eps=1e-5)
        head = DptHead if config.decoder == "published" else SphereDptHead
        self.depth_head = head(config.head)
        self.far_head = head(config.head)
        self.nearer_heads = nn.ModuleList(head(config.head) for _ in config.ranges[:-1])

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Depth and far of every pixel.

        Args:
            pictures: (b, 3, h, w) sRGB in [0, 1]; h and w are multiples of 16.

        Returns:
            Depth (b, 1, h, w), distance along the ray with 1 for 100 m; far (b, 1, h, w), the probability that there
            is nothing within that range.
        """
        height, width = pictures.shape[-2:]
        maps = self._maps(pictures)
        depth = torch.sigmoid(self.depth_head(maps, (height, width)))
        return depth, torch.sigmoid(self.far_head(maps, (height, width)))

    def taught(self, pictures: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits of depth, and of being beyond each of the ranges in their order, as a training needs them."""
        height, width = pictures.shape[-2:]
        maps = self._maps(pictures)
        beyond = [head(maps, (height, width)) for head in (*self.nearer_heads, self.far_head)]
        return self.depth_head(maps, (height, width)), beyond

    def _maps(self, pictures: Tensor) -> list[Tensor]:
        """What the heads look at, four of (b, width, h / 16, w / 16)."""
        mean, deviation = (pictures.new_tensor(value)[:, None, None] for value in (MEAN, DEVIATION))
        height, width = pictures.shape[-2:]
        patch = self.config.vit.patch
        tokens = self.vit((pictures - mean) / deviation, self.config.taps)
        return [self._as_map(level, height // patch, width // patch) for level in tokens]

    @torch.no_grad()
    def start_fresh(self, *, metres: float) -> None:
        """Draw numbers with which it can be trained from nothing; it then takes nothing for far.

        Args:
            metres: The depth that it says everywhere, about; within 100.
        """
        self.vit.start_fresh()
        shares = {self.depth_head: metres / 100, **dict.fromkeys((self.far_head, *self.nearer_heads), _FAR_AT_FIRST)}
        for head, share in shares.items():
            last = head.last
            bias = (last if isinstance(last, nn.Conv2d) else cast(nn.Conv2d, cast(nn.Sequential, last)[2])).bias
            nn.init.constant_(cast(Tensor, bias), math.log(share / (1 - share)))

    def steps(self) -> list[nn.Module]:
        """Its larger parts in the order in which they run, for whoever wants to know how far it is."""
        heads = [part for head in (self.depth_head, self.far_head) for part in (*head.fuse, head.last)]
        return [*self.vit.blocks[: self.config.taps[-1] + 1], *heads]

    def _as_map(self, tokens: Tensor, rows: int, cols: int) -> Tensor:
        """Patches on their grid, as the heads are trained to see them.

        The published ones: the first patch lost, the others stretched.

        The published code drops the first patch together with the class token that had been dropped before, and
        spreads the rest along the rows over all places. Where their number is a square it folds them in another way,
        which is never right; that is not repeated here, see `is_ambiguous`.
        """
        seen: Tensor = self.second_norm(self.vit.norm(tokens)[:, self.config.vit.first_patch :])
        if self.config.decoder == "sphere":
            return seen.transpose(1, 2).reshape(len(seen), -1, rows, cols)
        left = seen[:, 1:].transpose(1, 2)
        spread: Tensor = F.interpolate(left, rows * cols, mode="linear", align_corners=False)
        grid = spread.reshape(*spread.shape[:2], rows, cols)
        return grid.contiguous(memory_format=torch.channels_last)  # in which order CPUs convolve faster


def is_ambiguous(height: int, width: int, patch: int = 16) -> bool:
    """True for the sizes of a picture in pixels at which the published code takes its patches for a square grid."""
    left = (height // patch) * (width // patch) - 1
    return math.isqrt(left) ** 2 == left
