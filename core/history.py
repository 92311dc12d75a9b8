"""Undo and redo: the scenes before and after."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from typing import NamedTuple

from core.scene import Edit, Scene

BUDGET = 512 << 20
"""Bytes that the way back and forth may keep beyond what the present scene holds anyway."""

_STEP_BYTES = 200
_SEGMENT_BYTES = 700
_CLICK_BYTES = 100


class Step(NamedTuple):
    """An edit as its name and the scene on the other side of it."""

    name: str
    scene: Scene


class History:
    """The present scene and the way back and forth.

    There is no limit but memory: what scenes share counts once, what the present scene holds does not count, and where
    the rest exceeds the budget the oldest edits can no longer be undone; the last one always can.

    Args:
        scene: To begin with; it counts as saved.
        budget: Bytes.
    """

    def __init__(self, scene: Scene, *, budget: int = BUDGET) -> None:
        self._scene = scene
        self._saved = scene
        self._budget = budget
        self._past: deque[Step] = deque()
        self._future: list[Step] = []
        self._holders: Counter[int] = Counter()
        self._bytes = 0
        self._hold(scene)

    @property
    def scene(self) -> Scene:
        """The present one."""
        return self._scene

    @property
    def undo_name(self) -> str | None:
        """Name of the edit that `undo` takes back; None when there is none."""
        return self._past[-1].name if self._past else None

    @property
    def redo_name(self) -> str | None:
        """Name of the edit that `redo` makes again; None when there is none."""
        return self._future[-1].name if self._future else None

    @property
    def undo_names(self) -> tuple[str, ...]:
        """Names of all edits that can be taken back, the last one first."""
        return tuple(step.name for step in reversed(self._past))

    @property
    def redo_names(self) -> tuple[str, ...]:
        """Names of all edits that can be made again, the next one first."""
        return tuple(step.name for step in reversed(self._future))

    @property
    def is_saved(self) -> bool:
        """Whether the present scene is the one that was saved last, however it was reached."""
        return self._scene is self._saved

    @property
    def nbytes(self) -> int:
        """Bytes held by the way back and forth alone."""
        return self._bytes - sum(size for _, size in _parts(self._scene))

    def apply(self, name: str, edit: Edit) -> Scene:
        """Make an edit; what had been undone is forgotten. An edit that returns the scene that it was given is none."""
        scene = edit(self._scene)
        if scene is self._scene:
            return scene
        for step in self._future:
            self._release(step.scene)
        self._future.clear()
        self._past.append(Step(name, self._scene))
        self._hold(scene)
        self._scene = scene
        while len(self._past) > 1 and self.nbytes > self._budget:
            self._release(self._past.popleft().scene)
        return scene

    def undo(self) -> Scene:
        """Take the last edit back; nothing happens when there is none."""
        if self._past:
            step = self._past.pop()
            self._future.append(Step(step.name, self._scene))
            self._scene = step.scene
        return self._scene

    def redo(self) -> Scene:
        """Make the edit again that was taken back last; nothing happens when there is none."""
        if self._future:
            step = self._future.pop()
            self._past.append(Step(step.name, self._scene))
            self._scene = step.scene
        return self._scene

    def mark_saved(self, scene: Scene) -> None:
        """Remember which scene was saved: one that saving began with need no longer be the present one."""
        self._saved = scene

    def _hold(self, scene: Scene) -> None:
        for key, size in _parts(scene):
            self._bytes += 0 if self._holders[key] else size
            self._holders[key] += 1

    def _release(self, scene: Scene) -> None:
        for key, size in _parts(scene):
            self._holders[key] -= 1
            if not self._holders[key]:
                del self._holders[key]
                self._bytes -= size


def _parts(scene: Scene) -> Iterator[tuple[int, int]]:
    """Everything that scenes may share, once each: its identity, which lasts as long as the scene, and its bytes."""
    seen = {id(scene): _STEP_BYTES + 8 * len(scene.segments)}
    for segment in scene.segments:
        seen[id(segment)] = _SEGMENT_BYTES + _CLICK_BYTES * len(segment.clicks)
        seen[id(segment.mask.data)] = len(segment.mask.data)
    pictures = (scene.panorama.rgb, scene.panorama.valid, scene.panorama.radiance)
    seen.update({id(picture): picture.nbytes for picture in pictures if picture is not None})
    if scene.prediction is not None:
        seen.update({id(array): array.nbytes for array in scene.prediction.maps().values()})
    yield from seen.items()
