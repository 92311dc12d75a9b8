"""A decoder like that of `core.models.networks.dpt` that knows that its maps lie on a sphere. It is our own.

Three things differ. Convolutions go on around the seam and over the poles. Maps are enlarged on the sphere, pixel
corners on pixel corners. And at each level a wide convolution of each channel looks along the rows, the more the nearer
they are to a pole, where a pattern of one shape on the sphere is drawn ever wider: the mixture of MTPano's token mixer
(arXiv:2602.05330), here in the decoder. It begins with no say.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.models.networks.dpt import DptConfig
from core.models.networks.sphere_layers import double_size, pad_sphere, row_latitudes

_WIDE = 9


class RoundConv(nn.Conv2d):
    """A convolution of 3 x 3 on the sphere."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1) -> None:
        super().__init__(inputs, outputs, 3, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """(b, inputs, h, w) to (b, outputs, h / stride, w / stride)."""
        return super().forward(pad_sphere(x, 1))


class PolarMix(nn.Module):
    """Adds what a wide look along the rows tells, weighted by the sine of latitude."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.wide = nn.Conv2d(features, features, (1, _WIDE), groups=features)
        nn.init.zeros_(self.wide.weight)
        nn.init.zeros_(self.wide.bias)  # type: ignore[arg-type] # it has one

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as the input."""
        reach = _WIDE // 2
        # As often around as a narrow map needs to be continued so far.
        columns = torch.arange(-reach, x.shape[3] + reach, device=x.device) % x.shape[3]
        share = row_latitudes(x.shape[2], device=x.device, dtype=x.dtype).sin().abs()[:, None]
        out: Tensor = x + share * self.wide(x[..., columns])
        return out


class RoundRefine(nn.Module):
    """A residual unit of two convolutions, activated before each."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.first = RoundConv(features, features)
        self.second = RoundConv(features, features)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as the input."""
        out: Tensor = x + self.second(F.relu(self.first(F.relu(x))))
        return out


class RoundFuse(nn.Module):
    """Adds a finer map to a coarser one, refines the sum and doubles its size."""

    def __init__(self, features: int, *, with_finer: bool = True) -> None:
        super().__init__()
        self.refine_finer = RoundRefine(features) if with_finer else None
        self.polar = PolarMix(features)
        self.refine = RoundRefine(features)
        self.mix = nn.Conv2d(features, features, 1)

    def forward(self, x: Tensor, finer: Tensor | None) -> Tensor:
        """(b, features, h, w) each, to (b, features, 2 h, 2 w)."""
        if self.refine_finer is not None and finer is not None:
            x = x + self.refine_finer(finer)
        return double_size(self.mix(self.refine(self.polar(x))))


class SphereDptHead(nn.Module):
    """Maps of a transformer's patches to one channel in pixels, without a last activation."""

    def __init__(self, config: DptConfig) -> None:
        super().__init__()
        levels, features = config.levels, config.features
        self.project = nn.ModuleList(nn.Conv2d(config.inputs, level, 1) for level in levels)
        self.resize = nn.ModuleList(
            [
                nn.ConvTranspose2d(levels[0], levels[0], 4, stride=4),
                nn.ConvTranspose2d(levels[1], levels[1], 2, stride=2),
                nn.Identity(),
                RoundConv(levels[3], levels[3], stride=2),
            ]
        )
        self.reduce = nn.ModuleList(RoundConv(level, features) for level in levels)
        self.fuse = nn.ModuleList(RoundFuse(features, with_finer=level < 3) for level in range(4))
        self.narrow = RoundConv(features, features // 2)
        self.near = RoundConv(features // 2, config.last)
        self.last = nn.Conv2d(config.last, 1, 1)

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
        """Logits of every pixel; as `core.models.networks.dpt.DptHead.forward`, of maps with an even number of rows."""
        rows, cols = maps[0].shape[-2:]
        if rows % 2 or cols % 4 or size != (16 * rows, 16 * cols):
            raise ValueError(f"expected maps of even rows and a sixteenth of {size}, got {rows} x {cols}")
        parts = zip(maps, self.project, self.resize, self.reduce, strict=True)
        fine_to_coarse = [reduce(resize(project(x))) for x, project, resize, reduce in parts]
        fused = self.fuse[3](fine_to_coarse.pop(), None)
        for fuse in (self.fuse[2], self.fuse[1], self.fuse[0]):
            fused = fuse(fused, fine_to_coarse.pop())
        out: Tensor = self.last(F.relu(self.near(double_size(self.narrow(fused)))))
        return out
