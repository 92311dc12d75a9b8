"""The recipe of click-s, the bundled click segmenter. Every number here is our own choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.errors import PanoError
from core.models.click_s import ClickSConfig
from core.models.networks.click_s import ClickSNet
from training.clicks.collate import collate_samples, collate_sequences
from training.clicks.conversation import OBJECT, Tally, Truth, converse, corrected, first_prompt, follow
from training.clicks.samples import ClickSample, click_sample
from training.clicks.split import held_out_sources, is_world
from training.clicks.views import ViewFolder
from training.clicks.world_looks import OpenWorld, mirrored, open_world, world_look, world_sequence
from training.config import WorldTraining
from training.dataset import WorldFolder
from training.draw import Draw
from training.pictures import tinted
from training.pool import Pool
from training.recipes.base import Batch, Headline, Recipe, Shipped
from training.sequences import ViewSequence, photo_sequence
from training.start import begin_with
from training.worlds.sample import read_sample

NAME = "click-s"
SEQUENCES = 0.4
"""Share of the batches that are sequences of frames."""
_WORLD_SEQUENCES = 0.75
_STARTED = 0.75
"""Share of the sequences that begin with a first mask, as the sweep does, not with a click alone."""
_LENGTHS, _LENGTH_CHANCES = (2, 3, 4, 5), (0.2, 0.35, 0.3, 0.15)
_WORLD_VIEWS = 0.2
_WORLD_LOOKS = 0.2
"""Share of single views that come from worlds: from those on disk, and taken anew around a click."""
_STEPS = (0.25, 0.35, 0.25, 0.15)
"""How often a sample gets one, two, three and four clicks."""
_JUDGED_VIEWS, _SHOWN = 48, 6
_TRIES = 20
ZIGZAG_SHARE = 5 / 4
"""Side of zigzag views over that of centred ones: training ends with both."""


@dataclass(frozen=True)
class ClickSTraining(WorldTraining):
    """How click-s is trained."""

    views: Path = Path("views")
    """Folder of views with regions that 'clicks' writes."""
    height: int = 256
    """Side of most crops, a multiple of 32 of at least 64; some are 32 smaller."""
    start: Path | None = None
    """Weights (safetensors) or a run of this recipe to begin with; random ones when left out."""


class ClickSRecipe(Recipe):
    """How click-s is built, fed, judged, scored and shipped.

    A sample is a crop around a click. Until more than one click is known, each reading answers for itself: part,
    object, group. From then on the middle one answers for what is meant.

    Args:
        config: Of the run; `views` is the folder of views with regions, `height` the side of most crops.
    """

    name = NAME
    headline = Headline("photo_1", higher_is_better=True)

    def __init__(self, config: ClickSTraining) -> None:
        super().__init__()
        if config.height < 64 or config.height % 32:
            raise PanoError(
                f"Expected a height of at least 64 that is a multiple of 32, got {config.height}; choose another "
                "--height."
            )
        self._config = config
        self._start: Path | None = None

    def build(self) -> ClickSNet:
        """The network; once the data are open it begins with the weights that the configuration names."""
        network = ClickSNet()
        begin_with(network, self._start, NAME)
        return network

    def open(self) -> None:
        """Find the weights to begin with, the worlds, and the views, which are kept in memory."""
        self._start = self._config.start
        self._worlds = WorldFolder(self._config.worlds, held_out=self._config.held_out)
        self.pools["worlds"] = Pool(self._worlds.refreshed, self._config.worlds)
        self._views = ViewFolder(self._config.views)
        sources = self._views.sources
        held = held_out_sources(sources, self._worlds)
        world = np.array([is_world(source) for source in sources])
        self._promise = self._views.promise()
        self._held_out = [np.flatnonzero(held & kind) for kind in (~world, world)]
        self._training = [np.flatnonzero(~held & kind) for kind in (~world, world)]

    def load(self, draw: Draw) -> dict[str, Tensor]:
        """Crops around clicks, or neighbouring frames with one object each."""
        rng = draw.rng
        if rng.random() < SEQUENCES:
            return self._load_sequences(draw)
        size = self._config.height + int(rng.choice([-32, 0, 32], p=[0.4, 0.4, 0.2]))
        samples = [self._draw_sample(draw, size) for _ in range(self._config.batch)]
        return collate_samples(samples, rng)

    def _draw_sample(self, draw: Draw, size: int) -> ClickSample:
        rng = draw.rng
        for _ in range(_TRIES):
            chance = rng.random()
            if chance < _WORLD_LOOKS:
                sample = world_look(self._drawn_world(draw), size, rng)
            else:
                kind = int(chance < _WORLD_LOOKS + _WORLD_VIEWS)
                views = [self._views.view(self._draw(which, rng)) for which in (kind, 0)]
                sample = click_sample(views[0], size, rng, views[1])
            if sample is not None:
                return sample
        raise ValueError("the views hold no region that could be clicked")

    def _draw(self, kind: int, rng: np.random.Generator) -> int:
        """Index of a view of photographs (0) or worlds (1) to train on; promising ones come more often."""
        pool = self._training[kind] if len(self._training[kind]) else self._training[1 - kind]
        sums = np.cumsum(self._promise[pool])
        return int(pool[min(np.searchsorted(sums, rng.random() * sums[-1]), len(pool) - 1)])

    def _drawn_world(self, draw: Draw) -> OpenWorld:
        """One of the worlds, as it is or mirrored."""
        world = draw.one(self.pools["worlds"].at(draw.step), _world)
        return mirrored(world) if draw.rng.random() < 0.5 else world

    def _load_sequences(self, draw: Draw) -> dict[str, Tensor]:
        rng = draw.rng
        count = int(rng.choice(_LENGTHS, p=_LENGTH_CHANCES))
        started = bool(rng.random() < _STARTED)
        size = self._config.height + 32
        sequences: list[ViewSequence] = []
        wanted = max(2, self._config.batch // 3)
        for _ in range(_TRIES * wanted):
            if rng.random() < _WORLD_SEQUENCES:
                found = world_sequence(self._drawn_world(draw), size, count, rng, started=started)
            else:
                found = photo_sequence(self._views.view(self._draw(0, rng)), size, count, rng, started=started)
            if found is not None:
                sequences.append(found)
            if len(sequences) == wanted:
                return collate_sequences(sequences, rng)
        raise ValueError("the worlds and views hold no object that could be followed")

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor | float]]:
        """The sum that is minimised, and its parts for the log."""
        if not isinstance(network, ClickSNet):
            raise TypeError(f"expected a ClickSNet, got {type(network).__name__}")
        rng = np.random.default_rng(int(batch["seed"]))
        tally = Tally()
        if int(batch["frames"]) == 1:
            pyramid = network.encode(batch["rgb"], batch["fov"], batch["centred"])
            steps = 1 + int(rng.choice(len(_STEPS), p=_STEPS))
            converse(network, pyramid, Truth.of(batch.tensors), first_prompt(batch.tensors), steps, rng, tally)
        else:
            follow(network, batch.tensors, rng, tally)
        return tally.total(), tally.parts()

    @torch.no_grad()
    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """Mean IoU of the middle reading with held-out objects, on photographs and in worlds, after 1 and 3 clicks.

        Of objects that are followed through held-out worlds: the IoU where nothing was told (`open`), and how often it
        is right whether the object is there at all (`presence`).
        """
        if not isinstance(network, ClickSNet):
            raise TypeError(f"expected a ClickSNet, got {type(network).__name__}")
        network.eval()
        scores: dict[str, float] = {}
        for kind, pool in zip(("photo", "world"), self._held_out, strict=True):
            ious = [self._judge(network, int(index)) for index in pool[:: max(1, len(pool) // _JUDGED_VIEWS)]]
            kept = np.array([row for row in ious if row is not None])
            if len(kept):
                scores |= {f"{kind}_1": float(kept[:, 0].mean()), f"{kind}_3": float(kept[:, 2].mean())}
        scores |= self._judge_followed(network)
        network.train()
        return scores

    def ship(self, network: nn.Module) -> Shipped:  # noqa: ARG002 - all sizes of this network are the same
        """The weights of click-s and what describes them."""
        side = self._config.height
        config = ClickSConfig(view_size=int(side * ZIGZAG_SHARE) // 32 * 32, centred_size=side)
        return Shipped(
            model=NAME,
            stem="click_s",
            metadata=config.to_metadata(),
            about="A small network that cuts objects out by click. It was trained from scratch by this project; no "
            "weights of others went into it.",
            data=[
                "Regions of photographs, found by merging and never drawn by hand, and objects of worlds rendered by "
                "`panoviewer-train generate`."
            ],
            facts={
                "Views around a click": f"{config.centred_size} pixels square",
                "Views of the zigzag": f"{config.view_size} pixels square",
            },
        )

    def _judge_followed(self, network: ClickSNet) -> dict[str, float]:
        tally = Tally()
        size = self._config.height + 32
        device = next(network.parameters()).device
        for number, path in enumerate(self._worlds.held_out):
            rng = np.random.default_rng(number)
            found = world_sequence(open_world(read_sample(path)), size, 4, rng, started=True)
            if found is not None:
                batch = collate_sequences([found], rng)
                batch = {name: tensor.to(device) for name, tensor in batch.items()}
                follow(network, batch, rng, tally)
        parts = tally.parts()
        return {name: parts[key] for name, key in (("open", "open_iou"), ("presence", "present")) if key in parts}

    @torch.no_grad()
    def panels(self, network: nn.Module) -> dict[str, NDArray[np.uint8]]:
        """Held-out objects, of photographs and of worlds: the view, what was meant and what one click finds."""
        if not isinstance(network, ClickSNet):
            raise TypeError(f"expected a ClickSNet, got {type(network).__name__}")
        network.eval()
        pictures = {}
        for kind, pool in zip(("photo", "world"), self._held_out, strict=True):
            batches = [self._sample(network, int(index)) for index in pool[:: max(1, len(pool) // _SHOWN)][:_SHOWN]]
            rows = [_shown(network, batch) for batch in batches if batch is not None]
            if rows:
                pictures[kind] = np.concatenate(rows)
        network.train()
        return pictures

    def _sample(self, network: ClickSNet, index: int) -> dict[str, Tensor] | None:
        """A held-out view around a click, the same every time; None where nothing in it could be clicked."""
        rng = np.random.default_rng(index)
        sample = click_sample(self._views.view(index), self._config.height, rng)
        if sample is None:
            return None
        device = next(network.parameters()).device
        batch = collate_samples([sample], rng, extras=False, looks=False)
        return {name: tensor.to(device) for name, tensor in batch.items()}

    def _judge(self, network: ClickSNet, index: int) -> tuple[float, ...] | None:
        batch = self._sample(network, index)
        if batch is None:
            return None
        truth = Truth.of(batch)
        pyramid = network.encode(batch["rgb"], batch["fov"], batch["centred"])
        prompt = first_prompt(batch)
        ious = []
        for _ in range(3):
            answer = network.decode(pyramid, prompt)
            said = answer.logits[:, OBJECT : OBJECT + 1]
            inside = (said > 0) & (truth.judged > 0)
            meant = (truth.meant > 0) & (truth.judged > 0)
            ious.append(float((inside & meant).sum() / (inside | meant).sum().clamp_min(1)))
            prompt = corrected(prompt, said, truth, None)
        return tuple(ious)


def _shown(network: ClickSNet, batch: dict[str, Tensor]) -> NDArray[np.uint8]:
    answer = network.decode(network.encode(batch["rgb"], batch["fov"], batch["centred"]), first_prompt(batch))
    rgb = (255 * batch["rgb"][0].permute(1, 2, 0)).clamp(0, 255).byte().cpu().numpy()
    # An answer's pixel is two of the view's.
    meant, said = (
        masks[0, 0].cpu().numpy().repeat(2, axis=0).repeat(2, axis=1) > 0
        for masks in (batch["meant"], answer.logits[:, OBJECT : OBJECT + 1])
    )
    return np.concatenate([rgb, tinted(rgb, meant), tinted(rgb, said)], axis=1)


@lru_cache(maxsize=1024)
def _world(path: Path) -> OpenWorld:
    return open_world(read_sample(path))
