"""How the 3D view colours its points."""

from __future__ import annotations

from typing import cast

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QCheckBox, QComboBox, QFormLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from panoviewer.views.cloud_buffer import CloudBuffer
from panoviewer.views.cloud_canvas import CloudColor


class CloudPanel(QWidget):
    """Colour, see-through surfaces, and how many points there are.

    Signals:
        color_changed(object): A `CloudColor`.
        see_through_changed(bool): Whether surfaces seen from behind are hidden.
    """

    color_changed = Signal(object)
    see_through_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._color = QComboBox()
        self._color.setAccessibleName("Colour of the points")
        for color in CloudColor:
            self._color.addItem(color.value.capitalize(), color)
        self._see_through = QCheckBox("See through from behind")
        self._see_through.setToolTip("Hide surfaces that show their back, so that a room can be looked into.")
        self._see_through.setChecked(True)
        self._count = QLabel()
        self._count.setObjectName("quiet")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        form = QFormLayout()
        form.addRow("Colour", self._color)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addWidget(self._see_through)
        layout.addWidget(self._count)
        self._color.currentIndexChanged.connect(lambda: self.color_changed.emit(self.color()))
        self._see_through.toggled.connect(self.see_through_changed)
        self.set_buffer(None)

    def color(self) -> CloudColor:
        """What the colours mean."""
        return CloudColor(self._color.currentData())

    def set_color(self, color: CloudColor) -> None:
        """Show what the colours mean."""
        with QSignalBlocker(self._color):
            self._color.setCurrentIndex(list(CloudColor).index(color))

    def set_buffer(self, buffer: CloudBuffer | None) -> None:
        """Say how many points there are and how many of them are drawn."""
        present = {
            CloudColor.NORMALS: buffer is None or buffer.has_normals,
            CloudColor.CLASSES: buffer is None or buffer.has_classes,
        }
        for color, is_there in present.items():
            entry = cast(QStandardItemModel, self._color.model()).item(list(CloudColor).index(color))
            entry.setEnabled(is_there)
        if buffer is None:
            self._count.setText("No point cloud yet.")
            return
        total, drawn = buffer.total, len(buffer.vertices)
        self._count.setText(f"{total:,} points" if drawn == total else f"{total:,} points\n{drawn:,} of them drawn")
        self._count.setToolTip("The export writes all points; the settings say how many are drawn at most.")
