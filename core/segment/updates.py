"""What is told of an object while it grows around the sphere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import Camera
from core.geometry.regions import keep_components, runs_inside
from core.geometry.sphere import erp_angles, lonlat_to_directions
from core.mask import SphereMask
from core.scene import Click
from core.segment.merge import RULE, SeenView
from core.segment.sweep import Verdict
from core.segment.zigzag import click_directions, sees

Bits = NDArray[np.bool_]
Merged = Callable[[int, int], Bits]
"""The merged mask on a grid of the given height and width."""

DOUBT_LOGITS = 1.0
"""By how many of the logits' pixels an edge may be wrong."""
_DOUBT_ROWS = 512
NEARBY = 0.012
"""Radians around a click within which a part counts as clicked when nothing lies under the click itself."""


class Stage(StrEnum):
    """How far a mask has come."""

    FIRST = "first"
    """The first thing there is to be seen."""

    REFINED = "refined"
    """The first mask, after one that was only a glimpse."""

    VIEW = "view"
    """One more view was looked at."""

    FINAL = "final"


@dataclass(frozen=True, eq=False)
class FrameReport:
    """One view of the filmstrip.

    Attributes:
        number: Of the view, the same for every click.
        camera: That sees it.
        verdict: None while it was not looked at.
        score: The network's estimate of its IoU, in [0, 1].
        prompted: A positive click or the box lay in it.
        logits: (s, s) float32, > 0 inside; None while it was not looked at.
    """

    number: int
    camera: Camera
    verdict: Verdict | None
    score: float
    prompted: bool
    logits: NDArray[np.float32] | None


@dataclass(frozen=True, eq=False)
class Update:
    """The state of an object after a step; a snapshot that stays what it is, whatever the session does next.

    Attributes:
        stage: How far it has come.
        frames: All views in the order of the visit; empty where there are none.
        changed: Numbers of the views that this step has changed.
        score: Estimate of the object's IoU, in [0, 1].
        done, left: Views looked at for the newest click, and those known to be left.
    """

    stage: Stage
    frames: tuple[FrameReport, ...]
    changed: tuple[int, ...]
    score: float
    done: int
    left: int
    _grid: tuple[int, int] = field(repr=False)
    _merged: Merged = field(repr=False)
    _polish: Callable[[Bits], Bits] | None = field(default=None, repr=False)

    @cached_property
    def mask(self) -> SphereMask:
        """The mask on the photograph's grid; worked out when it is first asked for, in tens of milliseconds."""
        bits = self._merged(*self._grid)
        return SphereMask.pack(bits if self._polish is None else self._polish(bits))

    def preview(self, height: int) -> SphereMask:
        """The mask on a grid (height, 2 height) for a quick look."""
        return SphereMask.pack(self._merged(height, 2 * height))


@dataclass
class Timings:
    """Seconds and counts of the newest run.

    Attributes:
        first: From the start to the first mask.
        total: From the start to the final one.
        encode, network, merge: Spent in encoding views; in the other calls of the network and in the first guess; in
            merging, refining and packing.
        whole: Spent in reading the panorama as a whole, where that was not done ahead.
        encoded, looked: Views encoded, and looked at.
    """

    first: float = 0.0
    total: float = 0.0
    encode: float = 0.0
    network: float = 0.0
    merge: float = 0.0
    whole: float = 0.0
    encoded: int = 0
    looked: int = 0


def kept_parts(bits: Bits, clicks: Sequence[Click]) -> Bits:
    """The connected parts that hold a positive click, or lie next to one; without such, the largest part."""
    positive = [click for click in clicks if click.positive]
    if positive:
        directions = click_directions(positive)
        kept = keep_components(bits, directions)
        if not kept.any():
            kept = keep_components(bits, _around(positive))
        if kept.any():
            return kept
    runs = runs_inside(bits)
    if runs.count <= 1:
        return bits
    chosen = np.ones(runs.count, np.bool_)
    chosen[np.argmax(runs.solid_angles())] = False
    largest = bits.copy()
    runs.paint(largest, chosen, False)
    return largest


def edge_doubt(bits: Bits, guessed: Sequence[SeenView], swept: Sequence[SeenView]) -> float:
    """Radians by which the border of a merged mask may be wrong, from how fine the logits are that drew it.

    Args:
        bits: (h, w) the mask, not empty.
        guessed: Views of the first mask, the finest first.
        swept: Views of the sweep; where those of the first mask see most of the border, they do not count.
    """
    finest = (swept or guessed)[0]
    if guessed and swept:
        stride = max(1, bits.shape[0] // _DOUBT_ROWS)
        directions = _border_directions(bits[::stride, ::stride])
        seen = np.zeros(len(directions), np.bool_)
        for view in guessed:
            seen |= sees(view.camera, directions, (1 - RULE) / 2)
        if 2 * np.count_nonzero(seen) >= len(seen):
            finest = guessed[0]
    return DOUBT_LOGITS / finest.answer_camera.focal_px


def _border_directions(bits: Bits) -> NDArray[np.float64]:
    """(n, 3) of a mask's pixels that have another beside them which is not of it; of all of them where none has."""
    inner = bits & np.roll(bits, 1, axis=1) & np.roll(bits, -1, axis=1)
    inner[1:] &= bits[:-1]
    inner[:-1] &= bits[1:]
    rows, cols = np.nonzero(bits & ~inner if (bits & ~inner).any() else bits)
    lon, lat = erp_angles(*bits.shape)
    return lonlat_to_directions(lon[cols], lat[rows])


def _around(clicks: Sequence[Click]) -> NDArray[np.float64]:
    """Directions close to each click, on a ring."""
    turns = np.arange(8) * (np.pi / 4)
    rings = []
    for click in clicks:
        camera = Camera(click.lon, click.lat, 0.0, np.pi / 2, 2, 2)
        rings.append(camera.directions(1 + NEARBY * np.cos(turns), 1 + NEARBY * np.sin(turns)))
    return np.concatenate(rings)
