"""What the tool in use is called, what it tells, and its few choices, above the views."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QWidget

from panoviewer.annotating import Annotating
from panoviewer.panels.number_field import NumberField
from panoviewer.translation import mark, tr

NO_LABEL = mark("no label")
LABEL_LETTERS = 14


class ToolStrip(QFrame):
    """One line: name of the tool, label of new segments, the tool's choice, its sentence.

    Signals:
        size_changed(float): The brush is to be so wide, degrees.
        reading_changed(int): Clicks mean the part (0), the object (1) or the group (2).
    """

    size_changed = Signal(float)
    reading_changed = Signal(int)

    def __init__(self, annotating: Annotating, readings: tuple[str, ...], parent: QWidget | None = None) -> None:
        """Make it.

        Args:
            annotating: Knows the labels.
            readings: What clicks may mean.
            parent: Its parent.
        """
        super().__init__(parent)
        self.setObjectName("hints")
        self._annotating = annotating
        self._name = QLabel()
        self._name.setObjectName("count")
        self._label = QComboBox()
        self._label.setAccessibleName(tr("Label of new segments"))
        self._label.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        # Wide enough for most names, whatever the names are: one of 300 letters must not push the rest aside.
        self._label.setMinimumContentsLength(LABEL_LETTERS)
        self._label.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._label.activated.connect(self._choose_label)
        self._readings = QComboBox()
        self._readings.setAccessibleName(tr("What clicks mean"))
        self._readings.setToolTip(tr("What clicks mean (P)"))
        self._readings.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._readings.addItems([tr(reading).capitalize() for reading in readings])
        self._readings.activated.connect(self.reading_changed)
        self._size = NumberField(minimum=0.05, maximum=60.0, decimals=2, singleStep=0.25, suffix=tr("° wide"))
        self._size.setAccessibleName(tr("Width of the brush"))
        self._size.setToolTip(tr("Width of the brush ([ and ])"))
        self._size.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._size.valueChanged.connect(self.size_changed)
        self._text = QLabel()
        self._text.setAccessibleName(tr("What the tool tells"))
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        # A long sentence must not make the window wider.
        self._text.setMinimumWidth(1)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 4, 6, 4)
        layout.setSpacing(10)
        for widget in (self._name, self._label, self._readings, self._size):
            layout.addWidget(widget)
        layout.addWidget(self._text, 1)
        annotating.label_changed.connect(self.refresh)
        self.refresh()
        self.hide()

    @property
    def text(self) -> str:
        """What is told."""
        return self._text.text()

    def show_tool(self, name: str, *, has_readings: bool = False, has_size: bool = False) -> None:
        """Another tool is in use; without a name none is that has anything to tell."""
        self._name.setText(name)
        self._readings.setVisible(has_readings)
        self._size.setVisible(has_size)
        self.setVisible(bool(name))

    def tell(self, sentence: str) -> None:
        """Show a sentence."""
        self._text.setText(sentence)
        self._text.setToolTip(sentence)

    def set_size(self, degrees: float) -> None:
        """The brush is so wide."""
        with QSignalBlocker(self._size):
            self._size.setValue(degrees)

    def set_reading(self, reading: int) -> None:
        """Clicks mean this."""
        self._readings.setCurrentIndex(reading)

    def refresh(self) -> None:
        """Offer the labels that there are now."""
        names = [label.name for label in self._annotating.labels]
        with QSignalBlocker(self._label):
            self._label.clear()
            self._label.addItem(tr(NO_LABEL), "")
            for place, name in enumerate(names, 1):
                self._label.addItem(f"{place}  {name}" if place <= 9 else name, name)
            self._label.setCurrentIndex(max(self._label.findData(self._annotating.label), 0))

    def _choose_label(self, index: int) -> None:
        self._annotating.set_label(self._label.itemData(index))
