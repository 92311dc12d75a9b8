"""What was said so far about an object, in the views that it was said of: kept from click to click."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import Camera
from core.geometry.warp import erp_to_camera
from core.mask import SphereMask
from core.segment.candidates import OBJECT
from core.segment.guess import GuessResult
from core.segment.looks import picture
from core.segment.merge import SeenView, project_logits
from core.segment.options import Merge
from core.segment.piece import Piece

Logits = NDArray[np.float32]
Levels = Sequence[NDArray[Any]]

CLOSE_SHARE = 0.6
"""Share of the second look in the mean of both looks' logits."""
EDITED = 2.0
"""Logit of what was changed in an earlier answer after it was given."""


@dataclass(frozen=True, eq=False)
class Look:
    """One view that was read: what is known of it, what was last said about it, (readings, s, s), and how well."""

    camera: Camera
    features: Levels
    logits: Logits
    quality: NDArray[np.float32]

    def seen_by(self, reading: int, camera: Camera) -> Logits:
        """What was said about it, in another view; NaN where it was not seen."""
        return project_logits([SeenView(self.camera, self.logits[reading])], camera, Merge.MEAN)


@dataclass(frozen=True, eq=False)
class State:
    """What is kept from click to click: both looks, the answer in the second one's view, (readings, s, s), and more."""

    wide: Look
    close: Look
    answer: Logits
    piece: Piece | None = None

    def result(self) -> GuessResult:
        """What others are told of it."""
        cameras = (self.close.camera, self.wide.camera)
        return GuessResult(cameras, (self.answer, self.wide.logits), self.wide.quality, OBJECT, self.piece)


class Earlier:
    """The answer before the newest click, and what became of it on the panorama.

    Args:
        state: With the answer.
        previous: On the panorama's grid; None when nothing is known of it.
    """

    def __init__(self, state: State, previous: SphereMask | None) -> None:
        self._views = [
            SeenView(state.close.camera, state.answer[OBJECT], rules=True),
            SeenView(state.wide.camera, state.wide.logits[OBJECT]),
        ]
        self._bits = None if previous is None or previous.is_empty else previous.unpack()

    def seen_by(self, camera: Camera) -> Logits:
        """The logits in a view, NaN where nothing is known; where the panorama says otherwise, it is believed."""
        import cv2

        logits = project_logits(self._views, camera, Merge.MEAN)
        if self._bits is None:
            return logits
        inside = erp_to_camera(self._bits, camera)
        other = ((logits > 0) != inside) & (inside | ~np.isnan(logits))
        # Borders of two grids differ by a pixel here and there, which means nothing.
        other = cv2.morphologyEx(other.view(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)).view(np.bool_)
        return np.where(other, np.where(inside, EDITED, -EDITED), logits).astype(np.float32)


def answer_camera(camera: Camera) -> Camera:
    """The camera of the network's answers about a view."""
    return picture(camera, camera.width // 2)


def mean_of_looks(close: Look, wide: Look) -> Logits:
    """The mean of both looks in the view of the second one."""
    other = wide.seen_by(OBJECT, answer_camera(close.camera))
    own = close.logits[OBJECT]
    mean = CLOSE_SHARE * own + (1 - CLOSE_SHARE) * other
    mixed: Logits = np.where(np.isnan(other), own, mean).astype(np.float32)
    return mixed
