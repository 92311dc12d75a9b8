"""What every model promises."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from core.prediction import Prediction
from core.progress import Progress, silent


class Task(StrEnum):
    """What a model can say about a panorama."""

    DEPTH = "depth"
    NORMALS = "normals"
    CLASSES = "classes"


class PanoramaModel(Protocol):
    """A network that reads a whole panorama."""

    def predict(self, rgb: NDArray[np.uint8], *, progress: Progress = silent) -> Prediction:
        """Depth, normals and classes at the network's native size.

        Args:
            rgb: (H, W, 3) sRGB uint8, a level full sphere of any size.
            progress: Called as the work goes on; may raise `Cancelled`.
        """
        ...


@runtime_checkable
class HeadingModel(PanoramaModel, Protocol):
    """A model that says the same about a picture however it was rolled, because it turns it to a heading of its own."""

    def heading_shift(self, rgb: NDArray[np.uint8]) -> int:
        """By how many whole columns a picture is to be rolled to the right to stand at that heading.

        Maps that are brought to the picture's size there, and rolled back by as many columns, roll with it exactly; at
        any other heading the pixels of the native grid lie differently on the scene.
        """
        ...


@runtime_checkable
class PartialModel(PanoramaModel, Protocol):
    """A model that leaves out what a partial photograph did not see."""

    def predict_part(
        self, rgb: NDArray[np.uint8], valid: NDArray[np.bool_], *, progress: Progress = silent
    ) -> Prediction:
        """As `predict`, with `valid` (H, W) False where there is nothing in the picture."""
        ...


@runtime_checkable
class RawModel(PanoramaModel, Protocol):
    """A model whose network can be looked at without anything before or behind it."""

    def raw(self, rgb: NDArray[np.uint8], *, progress: Progress = silent) -> dict[str, NDArray[np.float32]]:
        """The network's own outputs by their published names, for a picture at its own size, in float32.

        Args:
            rgb: (H, W, 3) sRGB uint8; nothing is resampled.
            progress: Called as the work goes on; may raise `Cancelled`.

        Raises:
            ModelUnavailable: The network cannot read a picture of this size.
        """
        ...


@runtime_checkable
class RawClickModel(Protocol):
    """A click network that can be looked at without anything before or behind it."""

    def raw_clicked(
        self,
        rgb: NDArray[np.uint8],
        points: NDArray[np.float32],
        positive: NDArray[np.bool_],
        box: NDArray[np.float32] | None,
        *,
        progress: Progress = silent,
    ) -> dict[str, NDArray[np.float32]]:
        """The network's own outputs by their published names, for a picture at its own size, in float32.

        Args:
            rgb: (H, W, 3) sRGB uint8; nothing is resampled.
            points: (n, 2) pixels (x, y) of the picture, counted as the published code counts them.
            positive: (n,) bool.
            box: (x0, y0, x1, y1) in the same pixels, or None.
            progress: Called as the work goes on; may raise `Cancelled`.

        Raises:
            ModelUnavailable: The network cannot read a picture of this size.
        """
        ...
