"""Edits that take several segments, predicted classes or another photograph's segments together.

An edit is a function from Scene to Scene. One that changes nothing returns the scene that it was given; one that would
change a locked segment is refused with a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from core.errors import PanoError
from core.geometry.regions import runs_inside
from core.mask import SphereMask
from core.panorama import Level
from core.prediction import Prediction
from core.scene import Edit, Scene, Segment

SMALLEST_SR = 1e-4
"""A patch of about half a degree across; what a model sees below that is seldom an object."""


class EditRefused(PanoError):
    """An edit that cannot be made; the scene stays as it is."""


def refuse_locked(scene: Scene, numbers: Iterable[int]) -> None:
    """Whether segments may be changed.

    Raises:
        EditRefused: One of them is locked.
    """
    chosen = set(numbers)
    locked = [_name(segment) for segment in scene.segments if segment.number in chosen and segment.locked]
    if locked:
        raise EditRefused(f"Locked segments cannot be changed; unlock first: {', '.join(locked)}.")


def unite_segments(number: int, others: Iterable[int]) -> Edit:
    """The edit that adds other segments to one; the others are gone afterwards.

    Raises:
        EditRefused: When one of them is locked, or is not there any more.
    """
    return _combined(number, others, SphereMask.__or__, "Adding", keep=False)


def subtract_segments(number: int, others: Iterable[int]) -> Edit:
    """The edit that takes other segments out of one; the others stay.

    Raises:
        EditRefused: When it is locked, one of them is not there any more, or nothing is left.
    """
    return _combined(number, others, SphereMask.__sub__, "Subtracting", keep=True)


def intersect_segments(number: int, others: Iterable[int]) -> Edit:
    """The edit that leaves of a segment what the others share with it, and takes the others away.

    Raises:
        EditRefused: When one of them is locked or is not there any more, or nothing is left.
    """
    return _combined(number, others, SphereMask.__and__, "Intersecting", keep=False)


def move_segments(numbers: Iterable[int], place: int) -> Edit:
    """The edit that changes which segments lie on top of which.

    Args:
        numbers: Of the segments to move; they keep their order among themselves.
        place: How many of the others lie below them; 0 is the bottom.
    """
    chosen = set(numbers)

    def edit(scene: Scene) -> Scene:
        moved = [segment for segment in scene.segments if segment.number in chosen]
        others = [segment for segment in scene.segments if segment.number not in chosen]
        at = min(max(place, 0), len(others))
        segments = (*others[:at], *moved, *others[at:])
        same = all(a is b for a, b in zip(segments, scene.segments, strict=True))
        return scene if same else replace(scene, segments=segments)

    return edit


def copy_segment(segment: Segment) -> Edit:
    """The edit that puts a segment of another photograph, of any size, into this one, in the same directions.

    For what every photograph of a folder shows in one place: the tripod, the photographer's car. A photograph that has
    the segment already, in label and mask, stays as it is.

    Raises:
        EditRefused: When the photograph is so small that nothing of it is left.
    """

    def edit(scene: Scene) -> Scene:
        segments = with_copy(scene.segments, segment, scene.panorama.height, scene.panorama.width)
        return scene if segments is scene.segments else replace(scene, segments=segments)

    return edit


def with_copy(segments: tuple[Segment, ...], segment: Segment, height: int, width: int) -> tuple[Segment, ...]:
    """The segments of a photograph and a copy of another one's; the same ones where they have it already.

    Args:
        segments: Of the photograph.
        segment: Of another one; see `copy_segment`, also for what is refused.
        height: Rows of the photograph.
        width: Columns of the photograph.
    """
    mask = segment.mask.resized(height, width)
    if mask.is_empty and not segment.mask.is_empty:
        raise EditRefused(
            f"{_name(segment)} is smaller than a pixel of a picture of {width} x {height}; leave this picture out."
        )
    if any(other.label == segment.label and other.mask.same_as(mask) for other in segments):
        return segments
    number = 1 + max((other.number for other in segments), default=0)
    return (*segments, Segment(number, mask, segment.label, segment.color, model=segment.model))


def set_level(level: Level | None) -> Edit:
    """The edit that says what is level in the photograph; None believes its own pose again."""

    def edit(scene: Scene) -> Scene:
        panorama = scene.panorama.with_level(level)
        return scene if panorama is scene.panorama else replace(scene, panorama=panorama)

    return edit


def class_segments(
    prediction: Prediction, name: str, height: int, width: int, *, min_sr: float = SMALLEST_SR
) -> tuple[Segment, ...]:
    """Everything that a model takes for one class, as segments that are edited like any others.

    Args:
        prediction: With classes, on any grid.
        name: One of `prediction.class_names`.
        height: Rows of the photograph.
        width: Columns of the photograph.
        min_sr: Parts smaller than this, in steradians, are left out.

    Returns:
        A segment for each connected part, the largest first, labelled with the class and with the model's name, and
        numbered from 1.

    Raises:
        ValueError: The prediction has no classes or none of that name.
    """
    if prediction.classes is None or name not in prediction.class_names:
        raise ValueError(f"the prediction has no class {name!r}")
    mask = SphereMask.pack(prediction.classes == prediction.class_names.index(name)).resized(height, width)
    parts = runs_inside(mask.unpack())
    areas = parts.solid_angles()
    order = [int(part) for part in np.argsort(-areas, kind="stable") if areas[part] >= min_sr]
    masks = [SphereMask.from_window(height, width, *parts.window(part)) for part in order]
    return tuple(Segment(number, mask, name, model=prediction.model) for number, mask in enumerate(masks, 1))


def _combined(
    number: int,
    others: Iterable[int],
    operation: Callable[[SphereMask, SphereMask], SphereMask],
    doing: str,
    *,
    keep: bool,
) -> Edit:
    partners = [other for other in dict.fromkeys(others) if other != number]

    def edit(scene: Scene) -> Scene:
        there = {segment.number: segment for segment in scene.segments}
        for wanted in (number, *partners):
            if wanted not in there:
                # Between choosing segments and making the edit, another one may have taken them away.
                raise EditRefused(f"Segment {wanted} is gone meanwhile; select others.")
        segment = there[number]
        masks = [there[other].mask for other in partners]
        if not masks:
            return scene
        refuse_locked(scene, [number] if keep else [number, *partners])
        mask = segment.mask
        for other in masks:
            mask = operation(mask, other)
        if mask.is_empty:
            raise EditRefused(f"{doing} would leave nothing of {_name(segment)}; delete it instead.")
        if keep and mask.same_as(segment.mask):
            return scene
        gone = set() if keep else set(partners)
        # What the model thought of its own mask says nothing of this one.
        changed = replace(segment, mask=mask, score=float("nan"))
        return replace(
            scene,
            segments=tuple(changed if s.number == number else s for s in scene.segments if s.number not in gone),
        )

    return edit


def _name(segment: Segment) -> str:
    return f"{segment.label or 'segment'} {segment.number}"
