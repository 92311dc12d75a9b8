"""Edits that take a while: worked out in a thread, and made in the order in which they were begun."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from PySide6.QtCore import QObject, Signal

from core.edits import refuse_locked
from core.errors import PanoError
from core.mask import SphereMask
from core.progress import Progress
from core.scene import Edit, Scene, Segment, change_segment, remove_segments
from panoviewer.annotating import Annotating
from panoviewer.jobs import Job, Jobs
from panoviewer.translation import tr


class Operation(StrEnum):
    """What a shape does to a mask."""

    ADD = "add"
    SUBTRACT = "subtract"
    INTERSECT = "intersect"

    def combine(self, mask: SphereMask, shape: SphereMask) -> SphereMask:
        """The mask afterwards."""
        if self is Operation.ADD:
            return mask | shape
        return mask - shape if self is Operation.SUBTRACT else mask & shape


@dataclass(frozen=True, eq=False)
class SlowEdit:
    """An edit of the scene that takes a while, by its name in the history."""

    name: str
    edit: Edit


@dataclass(frozen=True, eq=False)
class ShapeEdit:
    """What a hand has drawn, on its way into a mask.

    Attributes:
        name: What is done, such as 'Brush'; the label is added.
        operation: How.
        shape: Works out with what; called in a thread.
        target: Number of the segment; None for a new one, or for the one that the edit before this has made.
    """

    name: str
    operation: Operation
    shape: Callable[[], SphereMask]
    target: int | None


Act = Callable[[], object]


@dataclass(frozen=True, eq=False)
class _Turn:
    """What is done between two edits."""

    act: Act


class MaskEdits(QObject):
    """The edits that are not made yet.

    Signals:
        changed: There are others; see `waiting`.
        refused(str): One of them cannot be made; why, in a sentence.
    """

    changed = Signal()
    refused = Signal(str)

    def __init__(
        self,
        annotating: Annotating,
        jobs: Jobs,
        *,
        prepare_mask: Callable[[SphereMask], object],
        parent: QObject | None = None,
    ) -> None:
        """Make it.

        Args:
            annotating: Has the segments and takes the edits.
            jobs: Runs what takes a while.
            prepare_mask: Called in a thread with each mask that is going to be shown.
            parent: Its parent.
        """
        super().__init__(parent)
        self._annotating = annotating
        self._jobs = jobs
        self._prepare_mask = prepare_mask
        self._waiting: deque[SlowEdit | ShapeEdit | _Turn] = deque()
        self._job: Job | None = None
        annotating.set_turns(self.in_turn)

    @property
    def waiting(self) -> tuple[SlowEdit | ShapeEdit, ...]:
        """Those that were put and are not made yet, oldest first."""
        return tuple(item for item in self._waiting if not isinstance(item, _Turn))

    def put(self, edit: SlowEdit | ShapeEdit) -> None:
        """Make this edit after those before it."""
        self._waiting.append(edit)
        self.changed.emit()
        self._start()

    def in_turn(self, act: Act) -> None:
        """Do this after the edits that were put before; at once where there are none."""
        if self._waiting:
            self._waiting.append(_Turn(act))
        else:
            act()

    def flush(self) -> None:
        """Make all of them now: the panorama is about to be left."""
        self._jobs.cancel("mask edit")
        self._job = None
        while (item := self._first()) is not None:
            self._apply(*self._named(item))
            self._next()

    def _first(self) -> SlowEdit | ShapeEdit | None:
        """The next edit, when all that was to be done before it is done."""
        while self._waiting:
            item = self._waiting[0]
            if not isinstance(item, _Turn):
                return item
            self._waiting.popleft()
            item.act()
        return None

    def _start(self) -> None:
        item = None if self._job is not None else self._first()
        scene = self._annotating.scene
        # What was done before it may have put an edit, which is being worked out now.
        if self._job is not None or item is None or scene is None:
            return
        name, edit = self._named(item)

        def work(_progress: Progress) -> Scene:
            after = edit(scene)
            before = {id(segment) for segment in scene.segments}
            for segment in after.segments:
                if id(segment) not in before:
                    self._prepare_mask(segment.mask)
            return after

        def done(after: Scene) -> None:
            self._job = None
            # Somebody else may have edited meanwhile; then it is worked out again.
            self._apply(name, lambda now: after if now is scene else edit(now))
            self._next()
            self._start()

        def fail(error: PanoError) -> None:
            self._job = None
            self.refused.emit(str(error))
            self._next()
            self._start()

        self._job = self._jobs.run(tr("Editing a mask"), work, done=done, failed=fail, key="mask edit", visible=False)

    def _apply(self, name: str, edit: Edit) -> None:
        try:
            self._annotating.apply(name, edit)
        except PanoError as error:
            self.refused.emit(str(error))

    def _next(self) -> None:
        self._waiting.popleft()
        self.changed.emit()

    def _named(self, item: SlowEdit | ShapeEdit) -> tuple[str, Edit]:
        """What is to be done, now that all edits before it are made."""
        if isinstance(item, SlowEdit):
            return item.name, item.edit
        target = self._annotating.target if item.target is None else self._annotating.find(item.target)
        if target is not None:
            return f"{item.name} {target.label or tr('segment')}", _changed(item, target.number)
        label = self._annotating.label
        return f"{item.name} {label or tr('segment')}", _added(item, label)


def _changed(item: ShapeEdit, number: int) -> Edit:
    """The edit of a mask by a shape; one of which nothing is left is removed, and one that is gone stays so."""

    def edit(scene: Scene) -> Scene:
        if all(segment.number != number for segment in scene.segments):
            return scene
        refuse_locked(scene, [number])
        mask = item.operation.combine(scene.segment(number).mask, item.shape())
        if mask.is_empty:
            return remove_segments([number])(scene)
        # What a model thought of its own mask says nothing of this one.
        return change_segment(number, mask=mask, score=math.nan)(scene)

    return edit


def _added(item: ShapeEdit, label: str) -> Edit:
    """The edit that makes a segment of a shape; none where its segment is gone or there is nothing to take from."""

    def edit(scene: Scene) -> Scene:
        if item.target is not None or item.operation is not Operation.ADD:
            return scene
        segment = Segment(scene.next_number, item.shape(), label)
        return scene if segment.mask.is_empty else replace(scene, segments=(*scene.segments, segment))

    return edit
