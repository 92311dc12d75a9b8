"""What recipes share that learn from labelled panoramas with a transformer of DINOv3."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.errors import PanoError
from core.models.networks.vit import Block, ViT
from training.config import Limits, WorldTraining
from training.dataset import WorldFolder
from training.draw import Draw
from training.labelled import Labelled, labelled_files, read_labelled
from training.pool import Pool
from training.recipes.base import Recipe
from training.recipes.transformers import SizeName, backbone_state
from training.spherical import Augmentation, augmented, resampled
from training.start import begin_with

DINO_TERMS = "The transformer began from DINOv3, whose licence goes with it"


@dataclass(frozen=True)
class PanoramaTraining(WorldTraining):
    """How a network is trained on labelled panoramas; the sizes are the published ones."""

    size: SizeName = "L"
    """Of the transformer; its decoder follows. T is the smallest."""
    height: int = 512
    """Rows of the network's input, a multiple of 32; the width is twice that."""
    backbone: Path | None = None
    """File of a transformer of DINOv3 to begin from, of Meta or Hugging Face; a fresh one when left out. With it, all
    is learned more slowly, at the published rates when --learning-rate is as it is by default."""
    start: Path | None = None
    """Weights (safetensors) or a run of the same recipe and sizes to begin from, as a labeller's before it is taught
    more."""
    labelled: tuple[Path, ...] = ()
    """Folders of labelled panoramas ('panoviewer-train label') to train on beside the worlds."""
    labelled_share: float = 0.5
    """Share of the samples that come from these folders, when there are any."""
    learning_rate: float = 5e-4
    """After warm-up, until the schedule lowers it; for a fresh transformer."""
    turn: Literal["none", "yaw", "any"] = "yaw"
    """How panoramas are turned: about the vertical, by any rotation, or not."""
    mirror: float = 0.5
    """Share of panoramas that are mirrored."""
    colour: float = 0.5
    """Share of panoramas whose colours change."""
    stretch: float = 2.0
    """Factor by which, and one over it, the transformer's positions are stretched by chance, as in DINOv3's published
    training code; 1 for not at all."""
    tilted: float = 0.0
    """Share of panoramas whose camera leans, by 4 degrees typically and 12 at most."""

    LIMITS: ClassVar[Limits] = {
        **dict.fromkeys(("labelled_share", "mirror", "colour", "tilted"), (0, 1)),
        "stretch": (1, 1e3),
    }

    @property
    def augmentation(self) -> Augmentation:
        """How panoramas are changed."""
        return Augmentation(self.turn, self.mirror, self.colour, self.tilted)


class PanoramaRecipe(Recipe):
    """How labelled panoramas are found, drawn, changed and held out; and how a transformer begins.

    Args:
        config: Of the run.
    """

    blocks = (Block,)
    transformer_rate: ClassVar[float]
    """Factor of the learning rate for a transformer that was trained before."""
    decoder_rate: ClassVar[float]
    """The same for all else beside such a transformer."""

    def __init__(self, config: PanoramaTraining) -> None:
        super().__init__()
        if config.height % 32 or config.height < 32:
            raise PanoError(
                f"Expected a height that is a multiple of 32, got {config.height}; choose another --height."
            )
        self._panoramas = config
        self.reads_views = False
        """Whether single views are read with the panoramas."""
        self._begin_from: dict[str, Tensor] | None = None
        self._start: Path | None = None

    def open(self) -> None:
        """Find the worlds and labelled panoramas, and read the transformer to begin from."""
        config = self._panoramas
        self._worlds = WorldFolder(config.worlds, held_out=config.held_out)
        self.pools["worlds"] = Pool(self._worlds.refreshed, config.worlds)
        for number, folder in enumerate(config.labelled):
            self.pools[f"labelled {number}"] = Pool(partial(labelled_files, folder), folder)
        if config.backbone:
            self._begin_from = backbone_state(config.backbone, config.size)
        self._start = config.start

    def begin(self, network: nn.Module, vit: ViT) -> None:
        """Give a network, or its transformer alone, the numbers to begin from; it keeps its own where there are none.

        Raises:
            PanoError: They are of a network of other sizes.
        """
        vit.rescale = self._panoramas.stretch
        if vit.class_token.is_meta:
            return
        if self._begin_from is not None:
            vit.load_state_dict(self._begin_from)
        begin_with(network, self._start, self.name)

    def rate(self, parameter: str) -> float:
        """Slower for what was trained before."""
        if self._panoramas.backbone is None:
            return 1.0
        return self.transformer_rate if parameter.startswith("vit.") else self.decoder_rate

    def load(self, draw: Draw) -> dict[str, Tensor]:
        """Read and change the panoramas of one part of a step."""
        return self.collate([self._draw(draw) for _ in range(self._panoramas.batch)], draw.rng)

    def _draw(self, draw: Draw) -> Labelled:
        names = [name for name in self.pools if name != "worlds"]
        name = "worlds"
        if names and draw.rng.random() < self._panoramas.labelled_share:
            name = names[int(draw.rng.integers(len(names)))]
        return draw.one(self.pools[name].at(draw.step), partial(self._read, rng=draw.rng))

    def _read(self, path: Path, rng: np.random.Generator) -> Labelled:
        labelled = read_labelled(path, patches=self.reads_views)
        if labelled.depth is None or not labelled.is_metric:
            raise PanoError(f"Expected a panorama with depth in metres, got one without; label it again: {path}")
        return augmented(labelled, self._panoramas.height, self._panoramas.augmentation, rng)

    @abstractmethod
    def collate(self, panoramas: Sequence[Labelled], rng: np.random.Generator) -> dict[str, Tensor]:
        """Tensors of panoramas of the network's size."""

    def held_out(self) -> Iterator[list[Labelled]]:
        """The worlds that are only judged by, at the network's size, as many at a time as in a batch."""
        files, count = self._worlds.held_out, self._panoramas.batch
        for first in range(0, len(files), count):
            yield [
                resampled(read_labelled(path, patches=False), self._panoramas.height)
                for path in files[first : first + count]
            ]

    def terms(self) -> str:
        """Licence of the weights."""
        if self._panoramas.backbone is None:
            return "Apache-2.0, as the rest of the project"
        return f"{DINO_TERMS}: DINOv3 License for the transformer, Apache-2.0 for the rest"

    def data(self) -> list[str]:
        """What the weights were trained on, for their card."""
        config = self._panoramas
        told = ["Worlds rendered by `panoviewer-train generate`, indoor and outdoor, with exact labels; they are ours."]
        if config.labelled:
            told.append(
                f"Panoramas labelled by teachers ({config.labelled_share:.0%} of the samples), whose terms apply."
            )
        if config.backbone:
            told.append(f"{DINO_TERMS} ({config.backbone.name}).")
        return told


def pictures_of(panoramas: Sequence[Labelled]) -> Tensor:
    """(b, 3, h, w) sRGB in [0, 1]."""
    rgb = np.stack([one.rgb for one in panoramas])
    return torch.from_numpy(rgb).permute(0, 3, 1, 2).float() / 255


def metres_of(panoramas: Sequence[Labelled]) -> Tensor:
    """(b, 1, h, w) along the rays, NaN where unknown."""
    return torch.from_numpy(np.stack([present(one.depth) for one in panoramas]))[:, None].float()


def far_of(panoramas: Sequence[Labelled]) -> Tensor:
    """(b, 1, h, w) bool; what nothing is said about is not known to be far."""
    far = [np.zeros(one.size, np.bool_) if one.far is None else one.far for one in panoramas]
    return torch.from_numpy(np.stack(far))[:, None]


def present(depth: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """The depth of a panorama that was read for it."""
    if depth is None:
        raise ValueError("this panorama has no depth")
    return depth


def device_of(network: nn.Module) -> torch.device:
    """Where a network's numbers are."""
    return next(network.parameters()).device
