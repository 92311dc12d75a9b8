"""What is measured, and the length that is known to be true."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from panoviewer.panels.number_field import NumberField
from panoviewer.translation import mark, tr

LONGEST = 10_000.0
LINES = 2
HELP = mark(
    "The area is that of the polygon of all points, closed from the last to the first; where they do not lie in one "
    "plane, that of its largest shadow. Heights are over the ground below the camera."
)


class MeasureStrip(QFrame):
    """One line: the readout, which can be selected and copied, and a field for the true length.

    Signals:
        length_typed(float): The line is so many metres long; 0 where that is not to count any more.
        copy_wanted: The readout shall go to the clipboard.
    """

    length_typed = Signal(float)
    copy_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("hints")
        name = QLabel(tr("Measure"))
        name.setObjectName("count")
        self._text = QLabel()
        self._text.setAccessibleName(tr("Measured"))
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setWordWrap(True)
        # Of a height that stays: the views below must not jump while a line follows the cursor.
        self._text.ensurePolished()
        self._text.setFixedHeight(LINES * self._text.fontMetrics().lineSpacing() + 2)
        self._length = NumberField(minimum=0.0, maximum=LONGEST, decimals=3, singleStep=0.01, suffix=" m")
        self._length.setAccessibleName(tr("True length in metres"))
        self._length.setSpecialValueText(tr("unknown"))
        self._length.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._length.setToolTip(
            tr(
                "What the line really measures. Depth and point cloud follow, and other pictures of the folder. "
                "0 or an empty field: as estimated."
            )
        )
        self._length.entered.connect(self._tell_length)
        self._copy = QPushButton(tr("Copy"))
        self._copy.setToolTip(tr("Copy the readout (Ctrl+C)"))
        self._copy.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._copy.clicked.connect(self.copy_wanted)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 4, 6, 4)
        layout.setSpacing(10)
        layout.addWidget(name)
        layout.addWidget(self._text, 1)
        layout.addWidget(QLabel(tr("True length")))
        layout.addWidget(self._length)
        layout.addWidget(self._copy)
        self.hide()

    @property
    def text(self) -> str:
        """What is told."""
        return self._text.text()

    def tell(self, sentence: str, *, has_length: bool, has_value: bool) -> None:
        """Show a readout or a sentence.

        Args:
            sentence: It.
            has_length: Whether there is a line whose true length may be typed.
            has_value: Whether it is worth being copied.
        """
        self._text.setText(sentence)
        self._text.setToolTip(f"{sentence}\n{tr(HELP)}" if has_value else sentence)
        self._length.setEnabled(has_length)
        self._copy.setEnabled(has_value)

    def forget_length(self) -> None:
        """What was typed was about another line."""
        with QSignalBlocker(self._length):
            self._length.setValue(0.0)

    def show_scale(self, how: str) -> None:
        """Say in the field how the scale is known; empty where it is not."""
        self._length.setSpecialValueText(how or tr("unknown"))
        self._length.updateGeometry()

    def _tell_length(self, length: float) -> None:
        self.forget_length()
        self.length_typed.emit(length)
