"""What the trainer asks of a model that can be trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from torch import Tensor, nn

from training.dataset import Photo


class Recipe(Protocol):
    """How a network is built, fed, judged and scored."""

    @property
    def name(self) -> str:
        """Of the model, as in the catalogue."""
        ...

    def build(self) -> nn.Module:
        """A network with fresh weights."""
        ...

    def load_batch(
        self, worlds: Sequence[Path], photos: Sequence[Photo], rng: np.random.Generator
    ) -> dict[str, Tensor]:
        """The panoramas of one step as tensors whose first axis counts them; 'rgb' is (b, 3, h, w).

        Called in threads, several steps ahead.
        """
        ...

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        """The scalar that is minimised, and its parts for the log."""
        ...

    def evaluate(self, network: nn.Module, worlds: Sequence[Path]) -> dict[str, float]:
        """Scores on held-out worlds; leaves the network in training mode."""
        ...
