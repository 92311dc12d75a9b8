"""The lasso: a line around something, drawn by a drag or corner by corner, closed along great circles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt

from core.geometry.sphere import angle_between
from core.segment.brush import lasso
from panoviewer.annotating import Annotating
from panoviewer.mask_display import MaskDisplay
from panoviewer.mask_edits import MaskEdits, Operation, ShapeEdit
from panoviewer.stage import SphereView
from panoviewer.tools.annotation_tool import ENTER, PLAIN, AnnotationTool
from panoviewer.translation import mark, tr
from panoviewer.views.marks import Mark, PathMark, PointMark, Sign
from panoviewer.views.mouse import Pointer

HELP = mark(
    "Drag around it, or click corner by corner and press Enter. Alt subtracts, Shift + Alt intersects. Esc gives up."
)
CLOSEST = np.radians(0.05)
"""Of two corners of a drag; a mouse tells many more."""


class LassoTool(AnnotationTool):
    """Adds what a line encloses to the selected segment or a new one, subtracts it, or leaves nothing else."""

    buttons = Qt.MouseButton.LeftButton
    ends = (Qt.Key.Key_Escape, *ENTER)

    def __init__(
        self, annotating: Annotating, display: MaskDisplay, edits: MaskEdits, parent: QObject | None = None
    ) -> None:
        super().__init__(annotating, display, parent)
        self._edits = edits
        self._corners: list[NDArray[np.float64]] = []
        self._operation = Operation.ADD
        self._by_hand = False
        self._closed_now = False

    def begin(self) -> None:
        """Say what to do."""
        self.told.emit(tr(HELP))

    def end(self) -> None:
        """Give up a line that is not closed."""
        self.give_up()
        self.told.emit("")

    def flush(self) -> None:
        """Make edits of the lines that are closed."""
        self.give_up()
        self._edits.flush()

    def press(self, view: SphereView, pointer: Pointer) -> None:  # noqa: ARG002
        """The first press says what the line does."""
        self._closed_now = False
        if not self._corners:
            alt = pointer.holds(Qt.KeyboardModifier.AltModifier)
            shift = pointer.holds(Qt.KeyboardModifier.ShiftModifier)
            self._operation = Operation.ADD if not alt else Operation.INTERSECT if shift else Operation.SUBTRACT

    def drag(self, view: SphereView, pointer: Pointer) -> None:  # noqa: ARG002
        """Draw by hand."""
        if not self._corners and pointer.start is not None:
            self._by_hand = True
            self._corners.append(pointer.start.direction)
        if self._by_hand and angle_between(self._corners[-1], pointer.direction) > CLOSEST:
            self._corners.append(pointer.direction)
            self._show()

    def release(self, view: SphereView, pointer: Pointer) -> None:  # noqa: ARG002
        """A line that was drawn by hand is closed."""
        if self._by_hand:
            self._by_hand = False
            self.close()

    def click(self, view: SphereView, pointer: Pointer) -> None:  # noqa: ARG002
        """One corner more."""
        if pointer.button == Qt.MouseButton.LeftButton and not self._closed_now:
            self._corners.append(pointer.direction)
            self._show()

    def double_click(self, view: SphereView, pointer: Pointer) -> None:  # noqa: ARG002
        """Close the line; its last corner is where the first click of the two was."""
        self.close()
        self._closed_now = True

    def move(self, view: SphereView, pointer: Pointer | None) -> None:  # noqa: ARG002
        """The line follows the mouse."""
        if self._corners and not self._by_hand:
            self._show(None if pointer is None else pointer.direction)

    def takes_key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier) -> bool:
        """Enter, Backspace and Esc while a line is begun."""
        if self._corners and modifiers in PLAIN and key in (*ENTER, Qt.Key.Key_Backspace, Qt.Key.Key_Escape):
            return True
        return super().takes_key(key, modifiers)

    def press_key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier) -> None:
        """Close the line, take its last corner back, give it up."""
        if key in ENTER and self._corners:
            self.close()
        elif key == Qt.Key.Key_Backspace:
            self.undo()
        elif key == Qt.Key.Key_Escape and self._corners:
            self.give_up()
        else:
            super().press_key(key, modifiers)

    @property
    def begun(self) -> str:
        """A corner of the line that is being drawn."""
        return tr("corner") if self._corners else ""

    def undo(self) -> None:
        """Take the last corner back."""
        self._corners = self._corners[:-1]
        self._show()

    def give_up(self) -> None:
        """Forget the line."""
        self._corners, self._by_hand = [], False
        self._show()

    def close(self) -> None:
        """Make an edit of what the line encloses."""
        corners, operation = self._corners, self._operation
        self.give_up()
        annotating, scene = self._annotating, self._annotating.scene
        if len(corners) < 3 or scene is None or not annotating.may_edit():
            return
        target = annotating.target
        if target is None and (annotating.selected or operation is not Operation.ADD) and not self._edits.waiting:
            self.told.emit(tr("Select one segment for that, or none to make a new one."))
            return
        if target is not None and annotating.refused([target]):
            return
        if target is not None:
            annotating.select([target.number])
        height, width = scene.panorama.height, scene.panorama.width
        self._edits.put(
            ShapeEdit(
                {
                    Operation.ADD: tr("Lasso"),
                    Operation.SUBTRACT: tr("Cut"),
                    Operation.INTERSECT: tr("Keep part of"),
                }[operation],
                operation,
                lambda: lasso(height, width, np.stack(corners)),
                None if target is None else target.number,
            )
        )

    def _show(self, cursor: NDArray[np.float64] | None = None) -> None:
        marks: list[Mark] = []
        if self._corners:
            line = [*self._corners, *([cursor] if cursor is not None else [])]
            if len(line) > 1:
                marks.append(PathMark(np.stack(line), closed=len(line) > 2, dashed=True))
            if not self._by_hand:
                marks += [PointMark(corner, Sign.CORNER) for corner in self._corners]
        self._display.set_marks(marks)
        self.note_begun()
