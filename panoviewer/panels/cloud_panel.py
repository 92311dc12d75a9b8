"""How the 3D view colours its points."""

from __future__ import annotations

from typing import cast

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QCheckBox, QComboBox, QFormLayout, QLabel, QSizePolicy, QSlider, QVBoxLayout, QWidget

from panoviewer.translation import tr
from panoviewer.views.cloud_buffer import CloudBuffer
from panoviewer.views.cloud_canvas import CloudColor

OPACITY_STEPS = 100


class CloudPanel(QWidget):
    """Colour, see-through surfaces, and how many points there are.

    Signals:
        color_changed(object): A `CloudColor`.
        see_through_changed(bool): Whether surfaces seen from behind are hidden.
        stand_changed(bool): Whether to stand where the photograph was taken.
        opacity_changed(float): How much the photograph hides of the cloud then, from 0 to 1.
    """

    color_changed = Signal(object)
    see_through_changed = Signal(bool)
    stand_changed = Signal(bool)
    opacity_changed = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._color = QComboBox()
        self._color.setAccessibleName(tr("Colour of the points"))
        for color in CloudColor:
            self._color.addItem(tr(color.value).capitalize(), color)
        self._see_through = QCheckBox(tr("See through from behind"))
        self._see_through.setToolTip(tr("Hide surfaces that show their back, so that a room can be looked into."))
        self._see_through.setChecked(True)
        self._stand = QCheckBox(tr("Stand at the camera"))
        self._stand.setToolTip(tr("Look from where the photograph was taken (B in the 3D view, Ctrl+B)."))
        self._opacity = QSlider(Qt.Orientation.Horizontal)
        self._opacity.setRange(0, OPACITY_STEPS)
        self._opacity.setValue(OPACITY_STEPS // 2)
        self._opacity.setPageStep(OPACITY_STEPS // 10)
        self._opacity.setAccessibleName(tr("Opacity of the photograph over the cloud"))
        self._opacity.setToolTip(tr("The photograph over the cloud: edges of the depth must lie on its edges."))
        self._opacity.setEnabled(False)
        self._count = QLabel()
        self._count.setObjectName("quiet")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        form = QFormLayout()
        form.addRow(tr("Colour"), self._color)
        form.addRow(tr("Photo"), self._opacity)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addWidget(self._see_through)
        layout.addWidget(self._stand)
        layout.addWidget(self._count)
        self._color.currentIndexChanged.connect(lambda: self.color_changed.emit(self.color()))
        self._see_through.toggled.connect(self.see_through_changed)
        self._stand.toggled.connect(self._change_stand)
        self._opacity.valueChanged.connect(lambda _value: self.opacity_changed.emit(self.opacity()))
        self.set_buffer(None)

    def color(self) -> CloudColor:
        """What the colours mean."""
        return CloudColor(self._color.currentData())

    def set_color(self, color: CloudColor) -> None:
        """Show what the colours mean."""
        with QSignalBlocker(self._color):
            self._color.setCurrentIndex(list(CloudColor).index(color))

    def opacity(self) -> float:
        """How much the photograph hides, from 0 to 1."""
        return self._opacity.value() / OPACITY_STEPS

    def set_stand(self, *, stands: bool) -> None:
        """Show whether one stands where the photograph was taken."""
        with QSignalBlocker(self._stand):
            self._stand.setChecked(stands)
        self._opacity.setEnabled(stands)

    def _change_stand(self, stands: bool) -> None:
        self._opacity.setEnabled(stands)
        self.stand_changed.emit(stands)

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
            self._count.setText(tr("No point cloud yet."))
            return
        total, drawn = buffer.total, len(buffer.vertices)
        self._count.setText(
            tr("{total:,} points", total=total)
            if drawn == total
            else tr("{total:,} points\n{drawn:,} of them drawn", total=total, drawn=drawn)
        )
        self._count.setToolTip(tr("The export writes all points; the settings say how many are drawn at most."))
