"""The recipe of Depth Any Panoramas (arXiv:2512.16913), whose own training code is not published.

Where numbers come from is said beside them: [readers] are notes of two readers of the paper that agree, [code] is the
published inference code and what it inherits, everything else is our choice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from core.colors import depth_colors, depth_limits
from core.errors import PanoError
from core.models.dap import NAME
from core.models.networks.dap import DapConfig, DapNet, Decoder
from training.labelled import Labelled
from training.metrics import depth_scores, mask_iou
from training.objectives.depth import RANGE, WEIGHTS, DepthTruth, dap_losses
from training.recipes.base import Batch, Headline, Shipped
from training.recipes.panoramas import (
    PanoramaRecipe,
    PanoramaTraining,
    device_of,
    far_of,
    metres_of,
    pictures_of,
    present,
)
from training.recipes.transformers import SIZES

_PUBLISHED_TAPS = (4, 11, 17, 23)
"""[code]"""
_FIRST_METRES = 4.0
"""What a fresh network says everywhere, about: the middle of a room's ranges and not of what it could say."""


@dataclass(frozen=True)
class DapTraining(PanoramaTraining):
    """How dap is trained. Batch, steps, schedule and weight decay are unpublished, and our choice."""

    batch: int = 8
    """Panoramas in one part of a step."""
    steps: int = 100_000
    """Steps of the whole run, counted from the first."""
    ranges: tuple[float, ...] = (10.0, 20.0, 50.0, 100.0)
    """Metres beyond which something counts as far, ascending, with a head for each [paper]; what PanoViewer takes for
    far is said by the last."""
    decoder: Decoder = "published"
    """The published decoder, or our own that knows of the sphere: around the seam, over the poles, wider near them."""
    distortion: bool = True
    """Whether pixels count by their area (the distortion map)."""
    geometry: bool = True
    """Whether normals and points are compared."""
    sharpness: bool = True
    """Whether dense fidelity and edges are compared."""


class DapRecipe(PanoramaRecipe):
    """How dap is built, fed, judged, scored and shipped.

    Args:
        config: Of the run.
    """

    name = NAME
    headline = Headline("absrel", higher_is_better=False)
    # At the default rate of 5e-4: 5e-6 for the transformer and 5e-5 for the decoder [readers].
    transformer_rate, decoder_rate = 0.01, 0.1

    def __init__(self, config: DapTraining) -> None:
        super().__init__(config)
        self._config = config
        self._network = network_config(config)
        left_out = (() if config.geometry else ("normals", "points")) + (
            () if config.sharpness else ("fidelity", "edges")
        )
        self._terms = tuple(term for term in WEIGHTS if term not in left_out)

    def build(self) -> DapNet:
        """A network with fresh weights, but for a transformer to begin from."""
        network = DapNet(self._network)
        network.start_fresh(metres=_FIRST_METRES)
        self.begin(network, network.vit)
        return network

    def collate(self, panoramas: Sequence[Labelled], rng: np.random.Generator) -> dict[str, Tensor]:  # noqa: ARG002
        """Pictures, metres and what is far."""
        return {"rgb": pictures_of(panoramas), "metres": metres_of(panoramas), "far": far_of(panoramas)}

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor | float]]:
        """The published sum."""
        logits, beyond = _dap(network).taught(batch["rgb"])
        truth = DepthTruth.of(batch["metres"], batch["far"])
        masks = [(metres, said.float().sigmoid()) for metres, said in zip(self._network.ranges, beyond, strict=True)]
        losses = dap_losses(
            F.logsigmoid(logits.float()), masks, truth, weigh_areas=self._config.distortion, terms=self._terms
        )
        return torch.stack([WEIGHTS[name] * value for name, value in losses.items()]).sum(), losses

    @torch.no_grad()
    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """Means over held-out worlds at the network's size, of what is within 100 m, by area and without alignment.

        AbsRel, the share within 1.25, RMSE in metres; AbsRel after alignment; IoU of what is beyond the last range.
        """
        network.eval()
        rows = [row for panoramas in self.held_out() for row in self._judged(_dap(network), panoramas)]
        network.train()
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}

    def _judged(self, network: DapNet, panoramas: Sequence[Labelled]) -> list[dict[str, float]]:
        depths, fars = self._said(network, panoramas)
        rows = []
        for panorama, depth, far in zip(panoramas, depths, fars, strict=True):
            metres = present(panorama.depth)
            true = np.where(metres <= RANGE, metres, np.nan)
            if not np.isfinite(true).any():
                continue
            plain, aligned = depth_scores(depth, true, align=False), depth_scores(depth, true)
            truth = DepthTruth.of(metres_of([panorama]), far_of([panorama]))
            beyond = (truth.judged & ~truth.within(self._network.ranges[-1]))[0, 0].numpy()
            rows.append(
                {
                    "absrel": plain.absrel,
                    "delta1": plain.delta1,
                    "rmse_m": plain.rmse,
                    "absrel_aligned": aligned.absrel,
                    "far_iou": mask_iou(far, beyond),
                }
            )
        return rows

    def _said(self, network: DapNet, panoramas: Sequence[Labelled]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """(b, h, w) metres everywhere, and what is far."""
        depth, far = network(pictures_of(panoramas).to(device_of(network)))
        return (RANGE * depth[:, 0].float()).cpu().numpy(), (far[:, 0] >= 0.5).cpu().numpy()

    @torch.no_grad()
    def panels(self, network: nn.Module) -> dict[str, NDArray[np.uint8]]:
        """Pictures, predicted and true depth of the first held-out worlds, below each other."""
        network.eval()
        panoramas = next(self.held_out())[:4]
        depths, fars = self._said(_dap(network), panoramas)
        network.train()
        rows = []
        for panorama, depth, far in zip(panoramas, depths, fars, strict=True):
            true = present(panorama.depth)
            limits = depth_limits(true)
            pictures = depth_colors(depth, far, limits=limits), depth_colors(true, panorama.far, limits=limits)
            rows.append(np.concatenate([panorama.rgb, *pictures], axis=1))
        return {"depth": np.concatenate(rows)}

    def ship(self, network: nn.Module) -> Shipped:  # noqa: ARG002 - the configuration tells its size
        """The weights and what describes them."""
        config = self._config
        ranges = ", ".join(f"{metres:g}" for metres in config.ranges)
        own = " Its decoder is our own, which knows that a panorama closes." if config.decoder == "sphere" else ""
        return Shipped(
            model=NAME,
            stem=NAME,
            metadata=self._network.to_metadata(),
            about="The network of Depth Any Panoramas (arXiv:2512.16913), trained by this project's recipe and not the "
            f"published weights. It says distance along each ray up to {RANGE:g} m, and what lies beyond "
            f"{ranges} m.{own}",
            data=self.data(),
            licence=self.terms(),
            facts={
                "Transformer": f"ViT-{config.size}/16",
                "Decoder": config.decoder,
                "Works at": f"{2 * config.height} x {config.height} (width x height)",
            },
        )


def network_config(config: DapTraining) -> DapConfig:
    """The sizes of the network of a run."""
    size = SIZES[config.size]
    taps = _PUBLISHED_TAPS if config.size == "L" else size.taps
    ranges = tuple(sorted(set(config.ranges)))
    if not ranges or not all(0 < metres <= RANGE and math.isfinite(metres) for metres in ranges):
        raise PanoError(f"Expected --ranges above 0 and up to {RANGE:g} m, got {config.ranges}; choose others.")
    return DapConfig(size.vit, taps, size.levels, size.features, ranges, config.decoder, config.height)


def _dap(network: nn.Module) -> DapNet:
    if not isinstance(network, DapNet):
        raise TypeError(f"expected a DapNet, got {type(network).__name__}")
    return network
