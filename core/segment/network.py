"""What a click network promises: four calls, by which the zigzag driver sees it.

Click-s and SAM 2.1 are two implementations. A network works on square perspective views and knows nothing of the
sphere; the driver decides which views it sees, which clicks and memories each of them gets, and what is done with its
answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Features = Any
"""What `encode` says about a view; depends on the photograph alone, so it is kept. Picklable arrays only."""

Memory = Any
"""What `remember` keeps of a view and the object in it."""


@dataclass(frozen=True, eq=False)
class ViewPrompt:
    """What is known about the object in one view.

    Attributes:
        points: (n, 2) clicks as continuous pixels (u, v) of the view, corner-origin; n may be 0.
        positive: (n,) bool.
        box: (u0, v0, u1, v1) in the same pixels, or None.
        prior: (s, s) float32 logits at the size of the network's answers: what earlier views, or the answer before this
            click, say; NaN where they say nothing. None when there is nothing.
    """

    points: NDArray[np.float32]
    positive: NDArray[np.bool_]
    box: tuple[float, float, float, float] | None = None
    prior: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class MemoryFrame:
    """A memory and how it stands to the view that is to read it.

    Attributes:
        memory: Of `remember`.
        distance: Steps along the zigzag from the remembered frame to this one; negative for later frames.
        angle: Radians between the axes of both cameras.
        prompted: True when a click lay in the remembered frame.
    """

    memory: Memory
    distance: int
    angle: float
    prompted: bool


@dataclass(frozen=True, eq=False)
class ViewAnswer:
    """What a network says about the object in a view.

    Attributes:
        logits: (k, s, s) float32, > 0 inside: k readings of what was meant. Click-s: part, object, group.
        quality: (k,) float32 own estimate of each reading's IoU, in [0, 1].
        presence: Logit of the object being in the view at all.
        chosen: Index of the reading that counts unless the user asks for another.
        pointers: (k, d) float32, what a network wants to be told about each reading when it remembers it, beside the
            logits; None where it wants nothing.
    """

    logits: NDArray[np.float32]
    quality: NDArray[np.float32]
    presence: float
    chosen: int
    pointers: NDArray[np.float32] | None = None


class ClickNetwork(Protocol):
    """A network that follows an object through views; see the module's text."""

    @property
    def view_size(self) -> int:
        """Pixels along each side of the views it reads."""
        ...

    @property
    def answer_size(self) -> int:
        """Pixels along each side of its logits."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes with the weights: features that are kept on disk are keyed by it."""
        ...

    def encode(self, view: NDArray[np.uint8]) -> Features:
        """Features of a view, (view_size, view_size, 3) sRGB."""
        ...

    def attend(self, features: Features, memories: Sequence[MemoryFrame]) -> Features:
        """Features that know the object's looks in other views; without memories, those of a first sight."""
        ...

    def decode(self, features: Features, prompt: ViewPrompt) -> ViewAnswer:
        """The object in the view."""
        ...

    def remember(
        self,
        features: Features,
        answer: NDArray[np.float32],
        *,
        presence: float,
        prompted: bool,
        pointer: NDArray[np.float32] | None,
    ) -> Memory:
        """What to keep of a view.

        Args:
            features: Of `encode`.
            answer: (s, s) logits that were accepted for it.
            presence: Of the network's answer.
            prompted: True when a positive click or the box lay in it.
            pointer: (d,) of the reading that was accepted, when the network's answer had pointers.
        """
        ...


@runtime_checkable
class TellsDetours(Protocol):
    """A `ClickNetwork` that finds a way where its device cannot do what is asked."""

    @property
    def told(self) -> tuple[str, ...]:
        """What it had to do so far to get by, each in a sentence and once."""
        ...
