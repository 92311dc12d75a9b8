"""What the trainer asks of a model that can be trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from training.draw import Draw
from training.pool import Pool


@dataclass(frozen=True)
class Headline:
    """The one score by which runs are compared.

    Attributes:
        name: One of those that `Recipe.evaluate` gives.
        higher_is_better: Its direction.
    """

    name: str
    higher_is_better: bool

    def is_better(self, score: float, than: float) -> bool:
        """Whether one score beats another; a NaN beats nothing."""
        return score > than if self.higher_is_better else score < than


@dataclass(frozen=True)
class Batch:
    """The samples of one part of one step.

    Attributes:
        tensors: By name; what there is of them is between a recipe's `load` and its `loss`.
        step: The step that they are for, from 0 on: what changes with time in a loss is a function of it.
    """

    tensors: Mapping[str, Tensor]
    step: int

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]

    def __contains__(self, name: object) -> bool:
        return name in self.tensors


@dataclass(frozen=True)
class Shipped:
    """What a trained network becomes: a file of weights beside a card, which PanoViewer opens.

    Attributes:
        model: The line of PanoViewer's catalogue whose class opens it ("dap", "mtpano-408k", ...).
        stem: Of the files.
        metadata: Text for the file of weights, from which that class builds the network again.
        about: A paragraph of the card on what the network is and what it says.
        data: Paragraphs of the card on what it was trained on, with terms of use.
        licence: Of the weights.
        facts: Rows of the card's first table, beside parameters and licence.
    """

    model: str
    stem: str
    metadata: Mapping[str, str]
    about: str
    data: Sequence[str]
    licence: str = "Apache-2.0, as the rest of the project"
    facts: Mapping[str, str] = field(default_factory=dict)


class Recipe(ABC):
    """How a network is built, fed, judged, scored and shipped.

    A recipe is made without looking at the disk, so that a network can be built or shipped where its data are not.
    `open` finds the data. What it loads depends on nothing but the seed, the step, the part of the step and the files:
    a run that was killed goes on as if nothing had happened, and however many processes share a step's parts, the step
    is the same. It is made from the configuration of a run, of the class that stands beside it in `training.recipes`.
    """

    name: ClassVar[str]
    """What it is called on the command line."""
    headline: ClassVar[Headline]
    """Which of its scores counts."""
    blocks: ClassVar[tuple[type[nn.Module], ...]] = ()
    """Modules, called by nothing but their forward, whose numbers may lie spread over several GPUs (FSDP)."""

    def __init__(self) -> None:
        self.pools: dict[str, Pool[Any]] = {}
        """What is drawn from, by name; `open` fills it. A pool may grow while a run goes on."""

    @abstractmethod
    def build(self) -> nn.Module:
        """A network with fresh weights, on the CPU or, within ``torch.device("meta")``, without numbers.

        What is never trained has `requires_grad` False.
        """

    @abstractmethod
    def open(self) -> None:
        """Find what is trained and judged on.

        Raises:
            PanoError: There is nothing.
        """

    @abstractmethod
    def load(self, draw: Draw) -> dict[str, Tensor]:
        """The samples of one part of one step, on the CPU.

        Called in threads, several steps ahead. Everything random comes from ``draw.rng``, every file through
        ``draw.one`` or ``draw.many``, which leave out those that cannot be read. Tensors whose first axis has as many
        rows as samples were drawn can be traced to their files when a loss is not finite.
        """

    @abstractmethod
    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor | float]]:
        """The scalar that is minimised, a mean over the samples, and its parts for the log.

        On a GPU it is computed under autocast: what a network says may be bfloat16 and is made float32 before it goes
        into a loss.
        """

    @abstractmethod
    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """Scores on what is held out, the headline among them; leaves the network in training mode."""

    @abstractmethod
    def ship(self, network: nn.Module) -> Shipped:
        """What a network with trained weights becomes; `open` was not called."""

    def rate(self, parameter: str) -> float:  # noqa: ARG002 - others look at the name
        """Factor of the learning rate for the parameter of a name."""
        return 1.0

    def panels(self, network: nn.Module) -> dict[str, NDArray[np.uint8]]:  # noqa: ARG002
        """Pictures to look at, (h, w, 3) sRGB by name: input, prediction and truth beside each other.

        Leaves the network in training mode.
        """
        return {}
