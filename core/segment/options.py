"""How an object is followed around the sphere: one value that holds every choice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, StrEnum

MIN_FOV_DEG, MAX_FOV_DEG = 90.0, 100.0
"""Of the zigzag's views: below, the poles are seen by no view; above, their rims are stretched too far."""


class Order(StrEnum):
    """In which order the views are visited."""

    ZIGZAG = "zigzag"
    """Column by column, in turn downwards and upwards: each view is a neighbour of the next."""

    RASTER = "raster"
    """Row by row, each from west to east; for comparison."""

    ERP = "erp"
    """No views: the whole panorama, shrunk to one picture; for comparison."""


class Policy(Enum):
    """What a view gets in which a click lies."""

    P1 = 1
    """Its clicks and no memory: each such view is a first sight."""

    P2 = 2
    """Its clicks; the view that sees the click best has no memory, the others have."""

    P3 = 3
    """Memory only: a click goes to the one view that sees it best."""


class MemoryChoice(StrEnum):
    """Which views are remembered when another one is looked at."""

    INDEX = "index"
    """Those nearest along the path, as in a video."""

    ANGLE = "angle"
    """Those that look the most in the same direction."""


class Merge(StrEnum):
    """How overlapping views agree."""

    MAX = "max"
    """The largest logit wins."""

    MEAN = "mean"
    """The mean, weighted by the distance to the view's border and by its own confidence."""


class Keep(StrEnum):
    """Which connected parts of the merged mask stay."""

    CLICKED = "clicked"
    """Those that hold a positive click."""

    ALL = "all"
    """All of them, each of its own views' accord."""


class Expand(StrEnum):
    """Which views are looked at."""

    TOUCHED = "touched"
    """Those into which the object runs, so that a small object costs few."""

    EVERYWHERE = "everywhere"
    """All of them; for comparison."""


@dataclass(frozen=True)
class SegmentOptions:
    """Every choice of the driver; the defaults are what measures best.

    Attributes:
        order: In which order views are visited.
        views: 24 (8 x 3, pitches 45, 0, -45 degrees) or 48 (12 x 4, pitches 45, 15, -15, -45 degrees).
        fov_deg: Field of view of each, from 90 to 100 degrees.
        policy: What a clicked view gets.
        memory: Which views are remembered.
        memories: How many at most; clicked ones come first.
        prior: Whether a view is told what earlier views say about the directions that it shares with them.
        guess_rules: Whether the first guess alone counts where it sees well, or has one voice among those of the views.
        min_guess: A first mask of one click whose own estimate of its IoU is lower is not followed: the views find out
            for themselves what was clicked on. With such an estimate it is mostly a patch of something huge.
        merge: How overlapping views agree.
        keep: Which connected parts stay.
        expand: Which views are looked at.
        margin: Share of a view along each side that counts as its border: a click there goes to a view that sees it
            better, and an object that reaches it is looked for next door.
        min_agreement: A view without a click is believed only when it finds at least this share of what its neighbours
            found of the object in the directions that they share.
        refine: Whether the final mask's border is moved to the photograph's edges nearby.
    """

    order: Order = Order.ZIGZAG
    views: int = 24
    fov_deg: float = MIN_FOV_DEG
    policy: Policy = Policy.P2
    memory: MemoryChoice = MemoryChoice.ANGLE
    memories: int = 6
    prior: bool = True
    guess_rules: bool = True
    min_guess: float = 0.35
    merge: Merge = Merge.MEAN
    keep: Keep = Keep.CLICKED
    expand: Expand = Expand.TOUCHED
    margin: float = 0.03
    min_agreement: float = 0.25
    refine: bool = True

    def __post_init__(self) -> None:
        if self.views not in (24, 48):
            raise ValueError(f"expected 24 or 48 views, got {self.views}")
        if not MIN_FOV_DEG <= self.fov_deg <= MAX_FOV_DEG:
            raise ValueError(f"expected a field of view from 90 to 100 degrees, got {self.fov_deg}")
        if self.memories < 0:
            raise ValueError(f"expected a number of memories from 0 on, got {self.memories}")
        if not 0 < self.margin < 0.25 or not 0 <= self.min_agreement <= 1 or not 0 <= self.min_guess <= 1:
            raise ValueError(
                f"a share out of range: margin {self.margin}, min_agreement {self.min_agreement}, "
                f"min_guess {self.min_guess}"
            )

    @property
    def fov_x(self) -> float:
        """Field of view in radians."""
        return math.radians(self.fov_deg)
