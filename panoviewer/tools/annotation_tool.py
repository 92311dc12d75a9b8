"""What the tools that make and mend segments have in common."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal

from panoviewer.annotating import Annotating
from panoviewer.mask_display import MaskDisplay
from panoviewer.tools.tool import Tool

ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
LABEL_KEYS = tuple(Qt.Key(Qt.Key.Key_1 + index) for index in range(9))
PLAIN = (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)


class AnnotationTool(Tool):
    """Digits give labels, Esc ends the selection when nothing is begun.

    Attributes:
        ends: Keys that end the selection.

    Signals:
        told(str): A sentence for the status line; empty for none.
        begun_changed: Something else is begun, or nothing any more; see `begun`.
    """

    told = Signal(str)
    begun_changed = Signal()
    shape = Qt.CursorShape.CrossCursor
    ends: tuple[Qt.Key, ...] = (Qt.Key.Key_Escape,)

    def __init__(self, annotating: Annotating, display: MaskDisplay, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._annotating = annotating
        self._display = display
        self._told_begun = ""

    def flush(self) -> None:
        """Make edits of all that is begun: the panorama is about to be left."""

    @property
    def begun(self) -> str:
        """What undo takes back before any edit, such as the last click of an object that is being made; or nothing."""
        return ""

    def undo(self) -> None:
        """Take back what `begun` names."""

    def note_begun(self) -> None:
        """Tell when `begun` has become another."""
        if self.begun != self._told_begun:
            self._told_begun = self.begun
            self.begun_changed.emit()

    def takes_key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier) -> bool:
        """Digits, and Esc, or what else ends it, while segments are selected."""
        if modifiers not in PLAIN:
            return False
        return key in LABEL_KEYS or (key in self.ends and bool(self._annotating.selected))

    def press_key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier) -> None:  # noqa: ARG002
        """Give a label, or end the selection."""
        if key in LABEL_KEYS:
            self._annotating.set_label_by_key(1 + LABEL_KEYS.index(key))
        elif key in self.ends:
            self._annotating.in_turn(lambda: self._annotating.select(()))
