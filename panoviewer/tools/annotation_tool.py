"""What the tools that make and mend segments have in common."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal

from panoviewer.annotating import Annotating
from panoviewer.mask_display import MaskDisplay
from panoviewer.tools.tool import Tool

LABEL_KEYS = tuple(Qt.Key(Qt.Key.Key_1 + index) for index in range(9))
PLAIN = (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)


class AnnotationTool(Tool):
    """Digits give labels, Esc ends the selection when nothing is begun.

    Signals:
        told(str): A sentence for the status line; empty for none.
    """

    told = Signal(str)
    shape = Qt.CursorShape.CrossCursor

    def __init__(self, annotating: Annotating, display: MaskDisplay, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._annotating = annotating
        self._display = display

    def flush(self) -> None:
        """Make edits of all that is begun: the panorama is about to be left."""

    def takes_key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier) -> bool:
        """Digits, and Esc while segments are selected."""
        if modifiers not in PLAIN:
            return False
        return key in LABEL_KEYS or (key == Qt.Key.Key_Escape and bool(self._annotating.selected))

    def press_key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier) -> None:  # noqa: ARG002
        """Give a label, or end the selection."""
        if key in LABEL_KEYS:
            self._annotating.set_label_by_key(1 + LABEL_KEYS.index(key))
        elif key == Qt.Key.Key_Escape:
            self._annotating.in_turn(lambda: self._annotating.select(()))
