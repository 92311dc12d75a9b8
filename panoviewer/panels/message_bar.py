"""One sentence at the top of the window, and the hints for a first visitor; neither gets in the way."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QWidget

from panoviewer.translation import tr


class MessageBar(QFrame):
    """A sentence that stays until it is dismissed, replaced or out of date; hidden when there is none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("message")
        self._error_since: float | None = None
        self._label = QLabel(wordWrap=True)
        self._label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        close = _close_button()
        close.clicked.connect(self.hide)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 6, 6, 6)
        layout.addWidget(self._label, 1)
        layout.addWidget(close)
        self.hide()

    @property
    def text(self) -> str:
        """The sentence that is shown; empty when there is none."""
        return self._label.text() if not self.isHidden() else ""

    def show_error(self, sentence: str) -> None:
        """Something did not work."""
        self._show(sentence, "error")
        self._error_since = time.monotonic()

    def show_note(self, sentence: str) -> None:
        """Something worked."""
        self._show(sentence, "note")
        self._error_since = None

    def withdraw(self, sentence: str) -> None:
        """A sentence holds no more; another one stays."""
        if self.text == sentence:
            self.hide()

    def outdate(self, begun: float) -> None:
        """Something that was begun then, by `time.monotonic`, has worked: an error from before it is of no interest."""
        if self._error_since is not None and self._error_since <= begun:
            self._error_since = None
            self.hide()

    def _show(self, sentence: str, kind: str) -> None:
        self._label.setText(sentence)
        self.setProperty("kind", kind)
        self.style().unpolish(self)
        self.style().polish(self)
        self.show()


class HintStrip(QFrame):
    """What to do first: a row of buttons that do it.

    Signals:
        dismissed: The user does not want to see it again.
    """

    dismissed = Signal()

    def __init__(self, steps: Sequence[tuple[str, QAction]], parent: QWidget | None = None) -> None:
        """Make the strip.

        Args:
            steps: Sentences and the actions that they speak of, in order.
            parent: Its parent.
        """
        super().__init__(parent)
        self.setObjectName("hints")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 6, 6, 6)
        layout.setSpacing(10)
        layout.addWidget(QLabel(tr("Drag to look around, wheel to zoom.")))
        for sentence, action in steps:
            button = QPushButton()
            button.setObjectName("hint")
            _name_after(button, action)
            # Its key may be changed.
            action.changed.connect(partial(_name_after, button, action))
            button.clicked.connect(action.trigger)
            layout.addWidget(button)
            layout.addWidget(QLabel(sentence))
        layout.addStretch(1)
        close = _close_button()
        close.setToolTip(tr("Do not show this again"))
        close.clicked.connect(self._dismiss)
        layout.addWidget(close)

    def _dismiss(self) -> None:
        self.hide()
        self.dismissed.emit()


def _name_after(button: QPushButton, action: QAction) -> None:
    button.setText(f"{action.shortcut().toString()}  {action.iconText()}".strip())
    button.setToolTip(action.toolTip())


def _close_button() -> QToolButton:
    button = QToolButton()
    button.setText("✕")
    button.setAutoRaise(True)
    button.setAccessibleName(tr("Close"))
    return button
