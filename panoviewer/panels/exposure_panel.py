"""How much light of a picture of more than 8 bits is shown."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QWidget

from core.tone import MAX_EV
from panoviewer.translation import tr

STEPS_PER_EV = 10


class ExposurePanel(QWidget):
    """A slider in steps of a tenth of an exposure value.

    Signals:
        exposure_changed(float): The user wants this exposure.
    """

    exposure_changed = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setRange(-round(MAX_EV * STEPS_PER_EV), round(MAX_EV * STEPS_PER_EV))
        self._slider.setPageStep(STEPS_PER_EV)
        self._slider.setAccessibleName(tr("Exposure"))
        self._slider.setToolTip(tr("Exposure of the view (E, Shift+E); models always see it at 0."))
        self._value = QLabel()
        self._value.setMinimumWidth(self._value.fontMetrics().horizontalAdvance("+10.0 EV"))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel(tr("Exposure")))
        row.addWidget(self._slider, 1)
        row.addWidget(self._value)
        self._slider.valueChanged.connect(lambda value: self.exposure_changed.emit(value / STEPS_PER_EV))
        self.set_exposure(0.0)

    def set_exposure(self, ev: float) -> None:
        """Show an exposure."""
        with QSignalBlocker(self._slider):
            self._slider.setValue(round(ev * STEPS_PER_EV))
        self._value.setText(exposure_text(ev))


def exposure_text(ev: float) -> str:
    """For people: '+1.5 EV'."""
    return tr("{ev:+.1f} EV", ev=ev) if round(ev, 1) else "0 EV"
