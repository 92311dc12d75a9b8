"""Sizes in which the large networks are trained, and the published transformers that they may begin from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import Tensor

from core.errors import PanoError
from core.models.backbones import read_backbone
from core.models.networks.vit import VIT_B, VIT_L, VIT_S, VIT_T, ViTConfig

SizeName = Literal["T", "S", "B", "L"]


@dataclass(frozen=True)
class Size:
    """A transformer and the decoder that goes with it.

    Attributes:
        vit: The transformer.
        levels: Channels of the decoder at its four levels.
        features: Channels in which it fuses them.
    """

    vit: ViTConfig
    levels: tuple[int, int, int, int]
    features: int

    @property
    def taps(self) -> tuple[int, int, int, int]:
        """The last block of each quarter, as Depth Anything V2 has it for S and B."""
        quarter = self.vit.depth // 4
        return quarter - 1, 2 * quarter - 1, 3 * quarter - 1, 4 * quarter - 1


SIZES: Mapping[SizeName, Size] = {
    "T": Size(VIT_T, (24, 48, 96, 192), 32),
    "S": Size(VIT_S, (48, 96, 192, 384), 64),
    "B": Size(VIT_B, (96, 192, 384, 768), 128),
    "L": Size(VIT_L, (256, 512, 1024, 1024), 256),
}
"""S, B and L with the decoders that Depth Anything V2 has for them (L. Yang et al., arXiv:2406.09414, published code);
T, of which nothing is published, is our choice."""


def backbone_state(path: Path, size: SizeName) -> dict[str, Tensor]:
    """The numbers of a published transformer.

    Raises:
        ModelUnavailable: See `core.models.backbones.read_backbone`.
        PanoError: It is of another size.
    """
    config, state = read_backbone(path)
    if config != SIZES[size].vit:
        fitting = next((name for name, one in SIZES.items() if one.vit == config), None)
        advice = f"add --size {fitting}" if fitting else "choose one of S, B or L"
        raise PanoError(
            f"Expected a transformer of size {size} ({SIZES[size].vit.depth} blocks of {SIZES[size].vit.width}), got "
            f"{config.depth} blocks of {config.width}; {advice}: {path}"
        )
    return state
