"""The recipe of SAP ("Segment Any 4K Panorama", arXiv:2603.12759): a click segmenter learns to follow the zigzag.

The image encoder stays as it is; memory attention, memory encoder, prompt encoder and mask decoder are trained on
windows of the closed zigzag that begin anywhere in it, mixed with plain pictures and videos so that nothing is
forgotten. What the paper leaves open follows SAM 2's training (arXiv:2408.00714) or is our own choice, and marked so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.errors import PanoError
from core.segment.options import MemoryChoice, Policy
from training.click_worlds import world_objects
from training.clicks.split import held_out_sources
from training.clicks.views import ViewFolder
from training.clicks.world_looks import OpenWorld, mirrored, open_world
from training.config import Limits, WorldTraining
from training.dataset import WorldFolder
from training.draw import Draw
from training.pictures import tinted
from training.pool import Pool
from training.recipes.base import Batch, Headline, Recipe, Shipped
from training.sap.clips import Clip, collate_clips, drift_clip, picture_clip, plain_clip, zigzag_clip
from training.sap.follow import Talk, follow
from training.sap.layouts import Layout, Looks
from training.sap.networks import (
    LEAST,
    NetworkName,
    click_s_config,
    is_click_s,
    random_network,
    sam2_config,
    start_file,
)
from training.sap.scan import Scan, ScanOptions, judge_worlds
from training.sap.segmenters import freeze_encoder, segmenter_for
from training.start import begin_with
from training.worlds.sample import read_sample

NAME = "sap"
_TRIES = 20


@dataclass(frozen=True)
class SapTraining(WorldTraining):
    """How a click segmenter is trained further on panoramas; "published" is what arXiv:2603.12759 says."""

    network: NetworkName = "click-s"
    """Which one. sam2.1-least is for trying out, click-s-small for comparing methods."""
    start: Path | None = None
    """Weights (safetensors) or a run of this recipe to begin with; those that PanoViewer has when left out."""
    fresh: bool = False
    """Begin with random numbers."""
    encoder: bool = False
    """Train the image encoder, too; published: frozen."""
    height: int = 256
    """Side of the views, a multiple of 32; published: 1024."""
    frames: int = 24
    """Views of a window; published: all 24. Fewer take less memory, for SAM 2 trains on 8."""
    looks: Literal["views", "crops", "whole"] = "views"
    """What panoramas are looked at through: perspective views, pieces of the ERP, or all of it in one picture. The
    latter two are for comparison."""
    overlap: bool = True
    """Neighbouring views share half of what they see."""
    memory: Literal["angle", "index"] = "angle"
    """By what nearness views are recalled; published: index. Ours, because that is how PanoViewer's driver does it."""
    corrections: int = 7
    """Further clicks in a view that is corrected; as SAM 2."""
    zigzags: float = 0.6
    """Share of the batches that are windows of the zigzag; the published mix has no known ratio, this is our choice."""
    drifts: float = 0.15
    """Share of those that are clips of a slowly turning perspective camera, where SAP has SA-V's videos; our choice.
    The rest are single perspective pictures, where it has SA-1B's."""
    pictures: Path | None = None
    """Folder of perspective pictures with regions that 'clicks' writes, for half of the single ones; the others are
    views of worlds."""
    judged: int = 16
    """Held-out worlds that are judged by while training goes on."""
    judged_clicks: int = 3
    """Clicks that an object gets there."""
    batch: int = 4
    """Clips in one part of a step; published: 128 in a step (--batch 4 --parts 32)."""
    learning_rate: float = 2e-4
    """Published; it falls as half a cosine over the whole run."""
    schedule: Literal["linear", "cosine", "constant"] = "cosine"
    """Published."""
    cooldown: float = 1.0
    """Published."""
    warmup: int = 50
    """Our choice; none is known."""
    weight_decay: float = 0.1
    """Published."""
    clip: float = 0.1
    """Published."""

    LIMITS: ClassVar[Limits] = {
        **dict.fromkeys(("frames", "judged", "judged_clicks"), (1, math.inf)),
        **dict.fromkeys(("zigzags", "drifts"), (0, 1)),
        "corrections": (0, math.inf),
    }

    @property
    def layout(self) -> Layout:
        """What panoramas are looked at through."""
        return Layout(Looks(self.looks), self.overlap)

    def reduced(self) -> Self:
        """See `TrainConfig`; windows alone, for these take the most."""
        few = {"frames": 4, "judged": 1, "judged_clicks": 1, "corrections": 1}
        fewer = {name: min(most, getattr(self, name)) for name, most in few.items()}
        return replace(super().reduced(), zigzags=1.0, **fewer)


class SapRecipe(Recipe):
    """How SAP is built, fed, judged, scored and shipped.

    Args:
        config: Of the run.
    """

    name = NAME
    headline = Headline("iou_1", higher_is_better=True)

    def __init__(self, config: SapTraining) -> None:
        super().__init__()
        if config.height % 32:
            raise PanoError(f"Expected --height as a multiple of 32, got {config.height}; choose another.")
        self._config = config
        self._pictures: ViewFolder | None = None
        self._training: NDArray[np.int64] = np.zeros(0, np.int64)
        self._start: Path | None = None

    def build(self) -> nn.Module:
        """The network; once the data are open it begins with the weights that the configuration names."""
        network = random_network(self._config.network, self._config.height)
        begin_with(network, self._start, NAME)
        if not self._config.encoder:
            freeze_encoder(network)
        return network

    def open(self) -> None:
        """Find worlds, pictures, and the weights to begin with."""
        config = self._config
        self._start = None if config.fresh else start_file(config.network, config.start)
        self._worlds = WorldFolder(config.worlds, held_out=config.held_out)
        self.pools["worlds"] = Pool(self._worlds.refreshed, config.worlds)
        if config.pictures is not None:
            self._pictures = ViewFolder(config.pictures)
            held = held_out_sources(self._pictures.sources, self._worlds)
            self._training = np.flatnonzero(~held)

    def load(self, draw: Draw) -> dict[str, Tensor]:
        """Clips of one kind, zigzag windows, videos or pictures."""
        rng, config = draw.rng, self._config
        chance = rng.random()
        clips: list[Clip] = []
        for _ in range(_TRIES * config.batch):
            if chance < config.zigzags:
                clip = zigzag_clip(self._world(draw), config.layout, config.height, config.frames, rng)
            elif chance < config.zigzags + config.drifts:
                clip = drift_clip(self._world(draw), config.height, min(8, config.frames), rng)
            elif len(self._training) and self._pictures is not None and rng.random() < 0.5:
                clip = picture_clip(self._pictures.view(int(rng.choice(self._training))), config.height, rng)
            else:
                clip = plain_clip(self._world(draw), config.height, rng)
            if clip is not None:
                clips.append(clip)
            if len(clips) == config.batch:
                return collate_clips(clips, rng)
        raise ValueError("the worlds hold no object that could be pointed at")

    def _world(self, draw: Draw) -> OpenWorld:
        world = draw.one(self.pools["worlds"].at(draw.step), _opened)
        return mirrored(world) if draw.rng.random() < 0.5 else world

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor | float]]:
        """SAM 2's, of all answers about an object."""
        talk = Talk(self._config.corrections, MemoryChoice(self._config.memory))
        tally = follow(segmenter_for(network), batch.tensors, talk)
        # Every process must hear of a gradient for every number, also for those that single pictures do not ask for.
        silent = torch.stack([weight.sum() for weight in network.parameters() if weight.requires_grad]).sum()
        return tally.total() + 0.0 * silent, tally.parts()

    @torch.no_grad()
    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """Mean IoU on the sphere after each click on objects of held-out worlds."""
        files = self._worlds.held_out[: self._config.judged]
        return judge_worlds(network, files, self._scan, size=self._config.height, clicks=self._config.judged_clicks)

    @property
    def _scan(self) -> ScanOptions:
        return ScanOptions(self._config.layout, Policy.P2, MemoryChoice(self._config.memory))

    @torch.no_grad()
    def panels(self, network: nn.Module) -> dict[str, NDArray[np.uint8]]:
        """Objects of the first held-out world: the panorama, what was meant and what was found."""
        network.eval()
        world = read_sample(self._worlds.held_out[0])
        objects = world_objects(world, per_kind=1)
        device = next(network.parameters()).device
        rgb = np.ascontiguousarray(world.rgb)
        scan = Scan(segmenter_for(network), rgb, self._config.height, self._scan, device)
        masks = scan.masks([[item.drawn.click] for item in objects])
        network.train()
        return {
            f"{number} {item.kind}": np.concatenate([rgb, tinted(rgb, item.drawn.mask), tinted(rgb, mask)])
            for number, (item, mask) in enumerate(zip(objects, masks, strict=True))
        }

    def ship(self, network: nn.Module) -> Shipped:
        """What PanoViewer opens as click-s, or as SAP of a size."""
        name, side = self._config.network, self._config.height
        if is_click_s(name):
            config = replace(click_s_config(name), view_size=side)
            model, metadata = "click-s", config.to_metadata()
        else:
            model = "sap-tiny" if name == LEAST else name.replace("sam2.1", "sap")
            metadata = sam2_config(name).to_metadata(side)
        frozen = "was trained, too" if self._config.encoder else "is that of the network it began with"
        begun = "random numbers" if self._config.fresh else f"the weights of {name}"
        return Shipped(
            model=model,
            stem="click_s" if is_click_s(name) else "sap",
            metadata=metadata,
            about=f"{name}, trained further by this project as SAP (arXiv:2603.12759) describes it, to follow objects "
            "through perspective views around the sphere. These are not SAP's own weights, which are not published. "
            f"It began with {begun}; the image encoder {frozen}.",
            data=["Objects of worlds rendered by `panoviewer-train generate`, and pictures with regions, if any."],
            licence="Apache-2.0, as SAM 2.1's and the rest of the project",
            facts={
                "Views": f"{side} pixels square",
                "Trained numbers": f"{sum(p.numel() for p in network.parameters() if p.requires_grad):,}",
            },
        )


@lru_cache(maxsize=1024)
def _opened(path: Path) -> OpenWorld:
    return open_world(read_sample(path))
