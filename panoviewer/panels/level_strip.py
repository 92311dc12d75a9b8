"""What the lines of the level tool follow, and how the panorama is tilted."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from core.geometry.levelling import Kind
from panoviewer.translation import mark, tr

KINDS: tuple[tuple[str, Kind | None], ...] = (
    (mark("By their direction"), None),
    (mark("Verticals"), Kind.VERTICAL),
    (mark("The horizon"), Kind.HORIZON),
)


class LevelStrip(QFrame):
    """One line: what the lines follow, what became of them, and the way back to the photograph's own pose.

    Signals:
        kind_changed(object): The lines follow this `Kind`; None decides by their direction.
        reset_wanted: The photograph's own pose shall hold.
    """

    kind_changed = Signal(object)
    reset_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("hints")
        name = QLabel(tr("Level"))
        name.setObjectName("count")
        self._kind = QComboBox()
        self._kind.setAccessibleName(tr("What the lines follow"))
        self._kind.setToolTip(tr("What the lines follow (P)"))
        self._kind.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        for title, _ in KINDS:
            self._kind.addItem(tr(title))
        self._kind.currentIndexChanged.connect(lambda index: self.kind_changed.emit(KINDS[index][1]))
        self._text = QLabel(wordWrap=True)
        self._text.setAccessibleName(tr("What the level tool tells"))
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setMinimumWidth(1)
        self._reset = QPushButton(tr("As photographed"))
        self._reset.setToolTip(tr("Go back to the pose that the photograph itself states."))
        self._reset.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._reset.clicked.connect(self.reset_wanted)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 4, 6, 4)
        layout.setSpacing(10)
        for widget in (name, QLabel(tr("Lines follow")), self._kind):
            layout.addWidget(widget)
        layout.addWidget(self._text, 1)
        layout.addWidget(self._reset)
        self.hide()

    @property
    def text(self) -> str:
        """What is told."""
        return self._text.text()

    def tell(self, sentence: str, *, can_reset: bool) -> None:
        """Show a sentence, and whether there is an own pose to go back to."""
        self._text.setText(sentence)
        self._text.setToolTip(sentence)
        self._reset.setEnabled(can_reset)

    def next_kind(self) -> None:
        """Choose the next of what lines may follow."""
        self._kind.setCurrentIndex((self._kind.currentIndex() + 1) % len(KINDS))
