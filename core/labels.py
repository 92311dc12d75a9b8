"""The label set of a scene: its edits, and the colours that segments take from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from core.scene import Color, Edit, Label, Scene, Segment

LONGEST_SHOWN = 40
"""Letters of a name in a sentence."""
PALETTE: tuple[Color, ...] = (
    *((0, 158, 115), (240, 228, 66), (204, 121, 167), (86, 180, 233), (213, 94, 0), (0, 114, 178), (230, 159, 0)),
    *((148, 103, 255), (140, 200, 60), (255, 120, 120), (0, 200, 200), (180, 140, 90), (255, 90, 200), (110, 140, 255)),
    *((200, 220, 120), (170, 60, 60), (60, 220, 140), (255, 180, 140), (130, 80, 160), (160, 220, 255)),
)
"""For labels and segments, in this order. The first seven are told apart by all eyes. Source: M. Okabe, K. Ito, Color
Universal Design, 2008. None is grey or dark, which would be lost on most photographs."""


def palette_color(index: int) -> Color:
    """The n-th colour of `PALETTE`, which repeats."""
    return PALETTE[index % len(PALETTE)]


def short_name(name: str) -> str:
    """The name of a label for a sentence or a button; there it may not be as long as somebody likes."""
    return name if len(name) <= LONGEST_SHOWN else f"{name[: LONGEST_SHOWN - 1]}…"


def color_of(segment: Segment, labels: Sequence[Label]) -> Color:
    """How a segment is painted: its own colour, else its label's, else one by its number."""
    if segment.color is not None:
        return segment.color
    return next((label.color for label in labels if label.name == segment.label), palette_color(segment.number - 1))


def free_color(labels: Sequence[Label]) -> Color:
    """A colour for another label: the first of the palette that no label has."""
    taken = {label.color for label in labels}
    return next((color for color in PALETTE if color not in taken), PALETTE[0])


def add_label(label: Label) -> Edit:
    """The edit that puts a label at the end of the set; none when there is one of that name."""

    def edit(scene: Scene) -> Scene:
        if any(other.name == label.name for other in scene.labels):
            return scene
        return replace(scene, labels=(*scene.labels, label))

    return edit


def change_label(name: str, label: Label) -> Edit:
    """The edit that gives a label another name or colour, in the set and on its segments.

    A lock keeps what a segment is from being changed; what its label is called belongs to the set of all segments. So
    locked ones follow, or they would keep a name that the set has no more.

    Args:
        name: Of the label, which need not be in the set.
        label: What it becomes. Where another one has that name already, both become one, with the colour of that.
    """

    def edit(scene: Scene) -> Scene:
        others = {other.name for other in scene.labels if other.name != name}
        labels = tuple(
            label if other.name == name else other
            for other in scene.labels
            if not (other.name == name and label.name in others)
        )
        segments = _relabelled(scene.segments, name, label.name)
        return _changed(scene, labels, segments)

    return edit


def remove_label(name: str) -> Edit:
    """The edit that takes a label out of the set; its segments, also locked ones, have none afterwards."""

    def edit(scene: Scene) -> Scene:
        labels = tuple(label for label in scene.labels if label.name != name)
        return _changed(scene, labels, _relabelled(scene.segments, name, ""))

    return edit


def move_label(name: str, place: int) -> Edit:
    """The edit that moves a label to another place of the set, and so to another hot key.

    Args:
        name: Of a label; one that is not in the set is no edit.
        place: From 0; held within the set.
    """

    def edit(scene: Scene) -> Scene:
        names = [label.name for label in scene.labels]
        if name not in names:
            return scene
        order = list(scene.labels)
        label = order.pop(names.index(name))
        order.insert(min(max(place, 0), len(order)), label)
        return _changed(scene, tuple(order), scene.segments)

    return edit


def _relabelled(segments: tuple[Segment, ...], old: str, new: str) -> tuple[Segment, ...]:
    if old == new or all(segment.label != old for segment in segments):
        return segments
    return tuple(replace(segment, label=new) if segment.label == old else segment for segment in segments)


def _changed(scene: Scene, labels: tuple[Label, ...], segments: tuple[Segment, ...]) -> Scene:
    """The same scene where nothing differs, so that no empty step stands in the history."""
    if labels == scene.labels and segments is scene.segments:
        return scene
    return replace(scene, labels=labels, segments=segments)
