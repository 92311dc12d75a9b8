"""Keys that belong to the views whatever tool is in use: Tab goes through the segments, H shows the bare photo."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget


class ViewKeys(QObject):
    """Takes these keys from widgets before Qt moves the focus or a shortcut has them."""

    def __init__(
        self,
        views: Sequence[QWidget],
        *,
        step: Callable[[int], object],
        hold: Callable[[bool], object],
        parent: QObject | None = None,
    ) -> None:
        """Listen.

        Args:
            views: Where the keys count, while they have the focus.
            step: Called with 1 for Tab and -1 for Shift+Tab.
            hold: Called with True while H is held, and with False afterwards.
            parent: Its parent.
        """
        super().__init__(parent)
        self._step = step
        self._hold = hold
        self._held = False
        for view in views:
            view.installEventFilter(self)

    def let_go(self) -> None:
        """H is not held any more, whatever the keyboard will tell."""
        if self._held:
            self._held = False
            self._hold(False)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take the keys."""
        if event.type() in (QEvent.Type.FocusOut, QEvent.Type.WindowDeactivate):
            self.let_go()
        if not isinstance(event, QKeyEvent):
            return super().eventFilter(watched, event)
        kind, key = event.type(), Qt.Key(event.key())
        plain = not event.modifiers() & ~(Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier)
        if kind == QEvent.Type.KeyPress and key in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab) and plain:
            self._step(1 if key == Qt.Key.Key_Tab else -1)
            return True
        if key == Qt.Key.Key_H and event.modifiers() == Qt.KeyboardModifier.NoModifier:
            if kind == QEvent.Type.ShortcutOverride:
                event.accept()
                return True
            if kind == QEvent.Type.KeyPress:
                if not event.isAutoRepeat():
                    self._held = True
                    self._hold(True)
                return True
        if key == Qt.Key.Key_H and kind == QEvent.Type.KeyRelease and not event.isAutoRepeat():
            self.let_go()
            return True
        return super().eventFilter(watched, event)
