"""What a click may mean: the masks that the views around it offer, by the network and by colours alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import Camera
from core.scene import Box, Click
from core.segment.corrections import clicked_parts
from core.segment.cut import cut_view, seeded_cut
from core.segment.looks import prompt_in
from core.segment.network import ViewAnswer

Bits = NDArray[np.bool_]
Logits = NDArray[np.float32]

OBJECT = 1
"""The reading that counts unless the user asks for another."""
SEED = 0.2
"""Radius of the disk from which colours alone find something, as a share of the view."""
UNCOLORED = 1
"""Number of the view in which colours are not asked: the views beside it find the same, and time is short."""
COLORED = 2.0
"""Logit of what colours alone find."""


class Method(IntEnum):
    """How a candidate was found."""

    PART = 0
    """By the network's first reading; likewise the next two."""
    OBJECT = 1
    GROUP = 2
    COLOR = 3


@dataclass(frozen=True, eq=False)
class Candidate:
    """One thing that a click may mean, as one view shows it.

    Attributes:
        view: Its number.
        method: That found it.
        logits: (s, s) float32, > 0 inside.
        inside: (s, s) bool: the connected parts of it that were clicked on.
    """

    view: int
    method: Method
    logits: Logits
    inside: Bits


def color_masks(cameras: Sequence[Camera], views: NDArray[np.uint8], click: Click) -> Bits:
    """What colours alone find around a click in each of its views.

    Args:
        cameras: With the click in their middle.
        views: (k, s, s, 3) sRGB of them.
        click: A positive one.

    Returns:
        (k, s, s) bool; nothing in the view `UNCOLORED`.
    """
    masks = np.zeros(views.shape[:3], np.bool_)
    for k, (camera, view) in enumerate(zip(cameras, views, strict=True)):
        if k != UNCOLORED:
            masks[k] = clicked_parts(seeded_cut(view, SEED) > 0, camera, [click])
    return masks


def propose(
    cameras: Sequence[Camera],
    views: NDArray[np.uint8],
    answers: Sequence[ViewAnswer],
    clicks: Sequence[Click],
    box: Box | None,
    colored: Bits | None,
) -> list[Candidate]:
    """Everything that views offer, view by view; the first one is the object that the network sees in the first view.

    The network's objects have their borders on the edges of the view already, its parts and groups not yet.

    Args:
        cameras: Of the k views.
        views: (k, s, s, 3) sRGB.
        answers: Of the network.
        clicks: At least one, or a box.
        box: If one was drawn.
        colored: (k, s, s) of `color_masks`, if they take part.
    """
    candidates = []
    for k, (camera, view, answer) in enumerate(zip(cameras, views, answers, strict=True)):
        prompt = prompt_in(camera, clicks, box)
        cut = cut_view(view, answer.logits[OBJECT], prompt.points, prompt.positive)
        found = [(Method.OBJECT, cut)]
        if colored is not None:
            found += [(method, answer.logits[method]) for method in (Method.PART, Method.GROUP)]
            if k != UNCOLORED:
                found.append((Method.COLOR, np.where(colored[k], COLORED, -COLORED).astype(np.float32)))
        for method, logits in found:
            candidates.append(Candidate(k, method, logits, clicked_parts(logits > 0, camera, clicks)))
    return candidates
