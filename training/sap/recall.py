"""What each object of a batch remembers while its views are gone through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from core.segment.memory import clicked_first
from core.segment.network import MemoryFrame
from core.segment.options import MemoryChoice

MEMORIES = 6
"""Views that are recalled at once, as in SAM 2, whose clicked ones come on top of them, and in our driver."""


@dataclass(frozen=True)
class _Kept:
    frame: int
    prompted: bool
    memory: Any


class Recall:
    """The views that every row has seen, and which of them it recalls for another one.

    The rule is that of `core.segment.memory.choose_memories`, so that what is learned is what is asked for later.

    Args:
        distance, angle: (r, n, n) of each row's views, see `training.sap.clips.Clip`.
        choice: Nearness along the way, or in angle.
        most: How many are recalled.
    """

    def __init__(self, distance: Tensor, angle: Tensor, choice: MemoryChoice, most: int = MEMORIES) -> None:
        self._distance, self._angle = distance.cpu().numpy(), angle.cpu().numpy()
        self._choice, self._most = choice, most
        self._kept: list[list[_Kept]] = [[] for _ in range(len(distance))]

    def keep(self, rows: Tensor, frames: Sequence[int], prompted: Sequence[bool], memories: Sequence[Any]) -> None:
        """Remember a view of each of some rows."""
        for row, frame, was_prompted, memory in zip(rows.tolist(), frames, prompted, memories, strict=True):
            self._kept[row].append(_Kept(frame, bool(was_prompted), memory))

    def frames_for(self, row: int, frame: int) -> list[MemoryFrame]:
        """What a row recalls in front of one of its views."""
        seen = [kept for kept in self._kept[row] if kept.frame != frame]
        distance, angle = self._distance[row, frame], self._angle[row, frame]
        nearness = abs(distance) if self._choice is MemoryChoice.INDEX else angle
        order = {kept.frame: (float(nearness[kept.frame]), at) for at, kept in enumerate(seen)}
        chosen = [seen[index] for index in clicked_first(seen, lambda kept: order[kept.frame], self._most)]
        return [
            MemoryFrame(kept.memory, int(distance[kept.frame]), float(angle[kept.frame]), kept.prompted)
            for kept in chosen
        ]
