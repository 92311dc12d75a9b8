"""Saying what is level: two clicks on the horizon, or above each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, Signal

from core.geometry.levelling import Kind, Line, likely_kind
from panoviewer.stage import SphereView
from panoviewer.tools.tool import Tool
from panoviewer.translation import tr
from panoviewer.views.mouse import Pointer

Direction = NDArray[np.float64]

_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
_PLAIN = (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)


class LevelTool(Tool):
    """Collects lines of two directions each.

    Attributes:
        kind: What lines follow; None decides by their direction in the present pose.
        level_from_world: (3, 3) the present pose.

    Signals:
        changed: A point is set, or the cursor is elsewhere.
        lines_changed: There is a line more, or one less.
        kind_wanted: The key that chooses another kind was pressed.
        refused(str): Two points make no line; why.
    """

    buttons = Qt.MouseButton.LeftButton
    shape = Qt.CursorShape.CrossCursor
    changed = Signal()
    lines_changed = Signal()
    kind_wanted = Signal()
    refused = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.kind: Kind | None = None
        self.level_from_world: NDArray[np.float64] = np.eye(3)
        self.in_use = False
        self._lines: tuple[Line, ...] = ()
        self._first: Direction | None = None
        self._cursor: Direction | None = None

    @property
    def lines(self) -> Sequence[Line]:
        """In the order in which they were drawn."""
        return self._lines

    @property
    def begun(self) -> Sequence[Direction]:
        """The line that is not complete: its first point and the cursor."""
        if self._first is None:
            return ()
        return (self._first,) if self._cursor is None else (self._first, self._cursor)

    def begin(self) -> None:
        """Start anew."""
        self.in_use = True
        self.clear()

    def end(self) -> None:
        """The pose stays; the lines go."""
        self.in_use = False
        self.clear()

    def click(self, view: SphereView, pointer: Pointer) -> None:  # noqa: ARG002
        """One point more; every second one makes a line."""
        if pointer.button != Qt.MouseButton.LeftButton:
            return
        first, self._first = self._first, None
        if first is None:
            self._first = pointer.direction
            self.changed.emit()
            return
        try:
            kind = likely_kind(first, pointer.direction, self.level_from_world)
        except ValueError as error:
            self._first = first
            self.refused.emit(tr("These make no line: {error}.", error=error))
            return
        self._lines = (*self._lines, Line(self.kind or kind, first, pointer.direction))
        self.lines_changed.emit()

    def move(self, view: SphereView, pointer: Pointer | None) -> None:  # noqa: ARG002
        """The line follows the mouse."""
        self._cursor = None if pointer is None else pointer.direction
        if self._first is not None:
            self.changed.emit()

    def clear(self) -> None:
        """Forget the lines; the pose stays."""
        self._lines, self._first = (), None
        self.changed.emit()

    def take_back(self) -> None:
        """Forget the last point, or the last line with what it did."""
        if self._first is not None:
            self._first = None
            self.changed.emit()
        elif self._lines:
            self._lines = self._lines[:-1]
            self.lines_changed.emit()

    def take_all_back(self) -> None:
        """Forget all lines with what they did."""
        had_lines, self._lines, self._first = bool(self._lines), (), None
        if had_lines:
            self.lines_changed.emit()
        else:
            self.changed.emit()

    def takes_key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier) -> bool:
        """Enter, Backspace and Esc while there is something to end, and P."""
        if modifiers not in _PLAIN:
            return False
        has_some = bool(self._lines) or self._first is not None
        return key == Qt.Key.Key_P or (has_some and key in (*_ENTER, Qt.Key.Key_Backspace, Qt.Key.Key_Escape))

    def press_key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier) -> None:  # noqa: ARG002
        """Keep the pose, take the last line back, take all of them back, choose what lines follow."""
        if key in _ENTER:
            self.clear()
        elif key == Qt.Key.Key_Backspace:
            self.take_back()
        elif key == Qt.Key.Key_Escape:
            self.take_all_back()
        elif key == Qt.Key.Key_P:
            self.kind_wanted.emit()
