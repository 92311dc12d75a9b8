"""Which views are remembered when another one is looked at."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from core.geometry.sphere import angle_between
from core.segment.network import Memory, MemoryFrame
from core.segment.options import MemoryChoice, SegmentOptions
from core.segment.zigzag import FrameSet


class WasPrompted(Protocol):
    """A view of which it is known whether a click lay in it."""

    @property
    def prompted(self) -> bool:
        """A click lay in it."""
        ...


_Seen = TypeVar("_Seen", bound=WasPrompted)


@dataclass(frozen=True)
class Remembered:
    """A view that may be remembered.

    Attributes:
        number: Of the view.
        prompted: A click lay in it.
        fresh: It was looked at since the newest click.
        recall: Its memory; made when it is first asked for.
    """

    number: int
    prompted: bool
    fresh: bool
    recall: Callable[[], Memory]


def choose_memories(
    frames: FrameSet, number: int, path: Sequence[int], seen: Sequence[Remembered], options: SegmentOptions
) -> list[MemoryFrame]:
    """The memories that the view `number` reads: clicked ones first, then fresh ones, then by index or by angle.

    At most half of them are clicked views: without the others a long object would be told only how it began.

    Args:
        frames: The set.
        number: The view that reads them.
        path: Order of the visit, which closes.
        seen: What can be remembered.
        options: Decide how many, and by what nearness.
    """
    at = {frame: index for index, frame in enumerate(path)}

    def steps(other: int) -> int:
        half = len(path) // 2
        return (at[number] - at[other] + half) % len(path) - half

    def angle(other: int) -> float:
        return round(float(angle_between(frames.axes[number], frames.axes[other])), 9)

    def nearness(item: Remembered) -> tuple[bool, float, int]:
        away = abs(steps(item.number)) if options.memory is MemoryChoice.INDEX else angle(item.number)
        return not item.fresh, away, at[item.number]

    others = [item for item in seen if item.number != number]
    chosen = [others[index] for index in clicked_first(others, nearness, options.memories)]
    return [MemoryFrame(item.recall(), steps(item.number), angle(item.number), item.prompted) for item in chosen]


def clicked_first(seen: Sequence[_Seen], nearness: Callable[[_Seen], Any], most: int) -> list[int]:
    """Which of the views that were seen are recalled: indices, clicked ones first, then by nearness.

    Args:
        seen: What can be remembered.
        nearness: Sorts them.
        most: How many; at most half of them, rounded up, are clicked ones as long as there are others.
    """
    near = sorted(range(len(seen)), key=lambda index: nearness(seen[index]))
    clicked = [index for index in near if seen[index].prompted][: math.ceil(most / 2)]
    return clicked + [index for index in near if index not in clicked][: max(0, most - len(clicked))]
