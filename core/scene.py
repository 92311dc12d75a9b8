"""The document: a panorama, what a model said about it, and the segments that a person made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from core.mask import SphereMask
from core.panorama import Panorama
from core.prediction import Prediction

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Click:
    """A direction that a person pointed at, in the panorama's world frame; it means the same in every view.

    Attributes:
        lon, lat: Radians.
        positive: True for "this belongs to it", False for "this does not".
    """

    lon: float
    lat: float
    positive: bool = True


@dataclass(frozen=True)
class Box:
    """A rectangle that a person drew around an object, with sides along meridians and parallels.

    Attributes:
        west, south: Longitude and latitude of one corner, radians.
        east, north: Of the other; the box runs eastwards from west to east, across the seam when east < west.
    """

    west: float
    south: float
    east: float
    north: float


class Review(StrEnum):
    """What a reviewer said of a segment or a panorama."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True, eq=False)
class Segment:
    """A mask with what is known about it.

    Attributes:
        number: Unique within its scene and kept for good.
        mask: On the photograph's own grid.
        label: Name of its class; empty when not given.
        color: Of its own, sRGB; None takes the label's.
        group: Segments of one group are shown and selected together; 0 is no group.
        locked: Refuses edits.
        review: What a reviewer said.
        clicks: That made it, in their order.
        box: That was drawn for it, if any.
        score: The model's own estimate of its IoU, in [0, 1]; NaN when a hand made it.
        model: Name of the model that made it; empty when a hand made it.
    """

    number: int
    mask: SphereMask
    label: str = ""
    color: Color | None = None
    group: int = 0
    locked: bool = False
    review: Review = Review.OPEN
    clicks: tuple[Click, ...] = ()
    box: Box | None = None
    score: float = float("nan")
    model: str = ""


@dataclass(frozen=True)
class Label:
    """An entry of the label set: the hot key of the n-th is n."""

    name: str
    color: Color


@dataclass(frozen=True, eq=False)
class Scene:
    """What is saved and what is undone. Scenes share their arrays, so keeping many is cheap.

    Attributes:
        panorama: The photograph.
        prediction: What a model said; None before.
        segments: In the order in which they were made; later ones lie on top.
        labels: The label set, in the order of its hot keys.
        review: Of the panorama as a whole.
    """

    panorama: Panorama
    prediction: Prediction | None = None
    segments: tuple[Segment, ...] = ()
    labels: tuple[Label, ...] = ()
    review: Review = Review.OPEN

    def __post_init__(self) -> None:
        numbers = [segment.number for segment in self.segments]
        if len(set(numbers)) < len(numbers):
            raise ValueError(f"every segment needs a number of its own, got {numbers}")
        for segment in self.segments:
            if segment.mask.size != (self.panorama.height, self.panorama.width):
                raise ValueError(
                    f"a mask has the photograph's size {(self.panorama.height, self.panorama.width)}, "
                    f"got {segment.mask.size}"
                )

    def segment(self, number: int) -> Segment:
        """The segment with a number.

        Raises:
            KeyError: There is none.
        """
        for segment in self.segments:
            if segment.number == number:
                return segment
        raise KeyError(number)

    @property
    def next_number(self) -> int:
        """A number that no segment has."""
        return 1 + max((segment.number for segment in self.segments), default=0)


Edit = Callable[[Scene], Scene]
"""A change of the document; `History.apply` runs it and remembers the scene before. The same scene again is no edit."""


def add_segment(segment: Segment) -> Edit:
    """The edit that puts a segment on top."""
    return lambda scene: replace(scene, segments=(*scene.segments, segment))


def change_segment(number: int, **changes: object) -> Edit:
    """The edit that replaces fields of one segment.

    Raises:
        KeyError: When applied to a scene without that segment.
    """

    def edit(scene: Scene) -> Scene:
        scene.segment(number)
        return replace(
            scene,
            segments=tuple(replace(s, **changes) if s.number == number else s for s in scene.segments),  # type: ignore[arg-type]
        )

    return edit


def change_segments(numbers: Iterable[int], **changes: object) -> Edit:
    """The edit that replaces fields of several segments; numbers that are not there are passed over."""
    chosen = set(numbers)

    def edit(scene: Scene) -> Scene:
        if not any(segment.number in chosen for segment in scene.segments):
            return scene
        segments = tuple(replace(s, **changes) if s.number in chosen else s for s in scene.segments)  # type: ignore[arg-type]
        return replace(scene, segments=segments)

    return edit


def remove_segments(numbers: Iterable[int]) -> Edit:
    """The edit that takes segments away; numbers that are not there are passed over."""
    gone = set(numbers)

    def edit(scene: Scene) -> Scene:
        left = tuple(segment for segment in scene.segments if segment.number not in gone)
        return scene if len(left) == len(scene.segments) else replace(scene, segments=left)

    return edit
