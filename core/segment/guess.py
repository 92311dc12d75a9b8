"""What stands between a click and the zigzag: a first mask from views that are centred on the click.

A network may offer it beside the four calls. Such a mask sees the object larger than any view of the zigzag does; where
it ends within its own views, nothing needs to be followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import Camera
from core.mask import SphereMask
from core.progress import Progress, silent
from core.scene import Box, Click
from core.segment.piece import Piece


@dataclass(frozen=True, eq=False)
class GuessResult:
    """A first mask.

    Attributes:
        cameras: The k views that hold it, square; where several see a direction, the first one decides.
        logits: For each view (readings, s, s) float32, > 0 inside, as fine as it is known.
        quality: (readings,) float32 own estimate of the IoU of each reading, in [0, 1].
        chosen: Index of the reading that counts unless the user asks for another: part, object, group.
        piece: What the object is where these views do not look, when it is known to go on around the sphere. It belongs
            to the chosen reading.
    """

    cameras: tuple[Camera, ...]
    logits: tuple[NDArray[np.float32], ...]
    quality: NDArray[np.float32]
    chosen: int
    piece: Piece | None = None


@runtime_checkable
class FirstGuess(Protocol):
    """Says what a click means, before anything is followed around the sphere."""

    def guess(
        self,
        panorama_rgb: NDArray[np.uint8],
        clicks: Sequence[Click],
        box: Box | None,
        previous: SphereMask | None,
        *,
        progress: Progress = silent,
    ) -> GuessResult:
        """A first mask.

        Args:
            panorama_rgb: (H, W, 3) sRGB uint8.
            clicks: All of them, in their order; the last one is new. Empty when only a box was drawn.
            box: If one was drawn.
            previous: The guess before the last click, on the photograph's grid; None at the first.
            progress: Called between the steps of the work; may raise `Cancelled`.
        """
        ...


@runtime_checkable
class Glimpses(Protocol):
    """A `FirstGuess` that has something to show before its answer is ready."""

    def glimpse(
        self,
        panorama_rgb: NDArray[np.uint8],
        clicks: Sequence[Click],
        box: Box | None,
        *,
        progress: Progress = silent,
    ) -> GuessResult | None:
        """A rough first mask; what it took to find it is not done again by the guess that follows.

        Args:
            panorama_rgb: (H, W, 3) sRGB uint8.
            clicks: As for `FirstGuess.guess`.
            box: If one was drawn.
            progress: May raise `Cancelled`.

        Returns:
            None where there is a mask to look at already: after a correction, and when the answer is known.
        """
        ...


@runtime_checkable
class ReadsWhole(Protocol):
    """A `FirstGuess` that reads the panorama as a whole once; what it read is worth keeping."""

    @property
    def whole_key(self) -> str:
        """Changes with what reads it; empty when nothing does."""
        ...

    def read_whole(self, panorama_rgb: NDArray[np.uint8], *, progress: Progress = silent) -> NDArray[Any]:
        """What there is to be read, without remembering it; the same for the same (H, W, 3) sRGB picture."""
        ...

    def knows_whole(self, panorama_rgb: NDArray[np.uint8]) -> bool:
        """Whether it remembers what was read of this panorama; another one in between makes it forget."""
        ...

    def know_whole(self, panorama_rgb: NDArray[np.uint8], whole: NDArray[Any], valid: NDArray[np.bool_] | None) -> None:
        """Take over what was read of a panorama earlier; otherwise the next guess reads it.

        Args:
            panorama_rgb: (H, W, 3) sRGB uint8.
            whole: What `read_whole` said of it.
            valid: (H, W) False where a partial panorama saw nothing; None when everything was seen.
        """
        ...


@runtime_checkable
class RemembersPhoto(Protocol):
    """A `FirstGuess` that keeps the photograph of its last guess."""

    def forget(self) -> None:
        """Let go of the photograph, which is not going to be asked about any more."""
        ...
