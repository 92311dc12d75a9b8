"""Measuring by clicks, in the views of the sphere and in 3D."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, Signal

from panoviewer.stage import SphereView
from panoviewer.tools.tool import Tool
from panoviewer.views.mouse import Pointer

Direction = NDArray[np.float64]

_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
_PLAIN = (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)


class MeasureTool(Tool):
    """Collects directions: a line from click to click, which ends with Enter or a double click.

    It knows nothing of depth: what the directions measure is the business of `Measuring`.

    Attributes:
        refusal: Why a direction cannot be measured, in a sentence; empty where it can.

    Signals:
        changed: There are other directions, or the cursor is elsewhere.
        copy_wanted: Ctrl+C was pressed.
    """

    buttons = Qt.MouseButton.LeftButton
    shape = Qt.CursorShape.CrossCursor
    changed = Signal()
    copy_wanted = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._corners: tuple[Direction, ...] = ()
        self._cursor: Direction | None = None
        self._is_finished = False
        self._closed_now = False
        self.in_use = False
        self.refusal: Callable[[Direction], str] = lambda _direction: ""
        self.refused = ""

    @property
    def corners(self) -> Sequence[Direction]:
        """(3,) unit directions of the photograph's frame, in the order of the clicks."""
        return self._corners

    @property
    def cursor(self) -> Direction | None:
        """Where the next one would be; None while there is no line to go on with."""
        return None if self._is_finished or not self._corners else self._cursor

    def begin(self) -> None:
        """Go on with what was measured before."""
        self.in_use = True
        self.changed.emit()

    def end(self) -> None:
        """The line is kept for the next time, and not shown."""
        self.in_use = False
        self._cursor = None
        self.changed.emit()

    def click(self, view: SphereView, pointer: Pointer) -> None:  # noqa: ARG002
        """One corner more; after the end of a line the first one of the next."""
        if pointer.button == Qt.MouseButton.LeftButton and not self._closed_now:
            self.add(pointer.direction)
        self._closed_now = False

    def double_click(self, view: SphereView, pointer: Pointer) -> None:  # noqa: ARG002
        """The line ends where the first click of the two was."""
        self.finish()
        self._closed_now = True

    def move(self, view: SphereView, pointer: Pointer | None) -> None:  # noqa: ARG002
        """The line follows the mouse."""
        self.point(None if pointer is None else pointer.direction)

    def point(self, direction: Direction | None) -> None:
        """The cursor is there, in whatever view."""
        before, self._cursor = self.cursor, direction
        if before is not None or self.cursor is not None:
            self.changed.emit()

    def add(self, direction: Direction) -> None:
        """One corner more, in whatever view; one that cannot be measured is `refused` with a sentence."""
        self.refused = self.refusal(direction)
        if self.refused:
            self.changed.emit()
            return
        self._corners = (direction,) if self._is_finished else (*self._corners, direction)
        self._is_finished = False
        self.changed.emit()

    def finish(self) -> None:
        """The line is complete; the next click begins another."""
        self.refused = ""
        self._is_finished = bool(self._corners)
        self.changed.emit()

    def clear(self) -> None:
        """Forget the line."""
        self._corners, self._is_finished, self.refused = (), False, ""
        self.changed.emit()

    def takes_key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier) -> bool:
        """Enter, Backspace and Esc while there is a line; Ctrl+C copies what it measures."""
        if not self._corners:
            return False
        if modifiers in _PLAIN:
            return key in (*_ENTER, Qt.Key.Key_Backspace, Qt.Key.Key_Escape)
        if modifiers == Qt.KeyboardModifier.ShiftModifier:
            return key == Qt.Key.Key_Backspace
        return modifiers == Qt.KeyboardModifier.ControlModifier and key == Qt.Key.Key_C

    def press_key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier) -> None:
        """End the line, take its last corner back, give it up, copy."""
        if key in _ENTER:
            self.finish()
        elif key == Qt.Key.Key_C:
            self.copy_wanted.emit()
        elif key == Qt.Key.Key_Escape or modifiers == Qt.KeyboardModifier.ShiftModifier:
            self.clear()
        elif key == Qt.Key.Key_Backspace:
            self._corners, self._is_finished, self.refused = self._corners[:-1], False, ""
            self.changed.emit()
