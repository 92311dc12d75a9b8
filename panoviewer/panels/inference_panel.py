"""Choosing and running a model."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from core.models import DEVICES, listed_models
from core.prediction import CAMERA_HEIGHTS, Prediction
from panoviewer.jobs import Job
from panoviewer.panels.number_field import NumberField
from panoviewer.translation import mark, tr

DEVICE_TITLES = {
    "auto": mark("Automatic"),
    "cpu": mark("Processor (CPU)"),
    "cuda": mark("Graphics card (CUDA)"),
    "mps": mark("Apple graphics (MPS)"),
}


class InferencePanel(QWidget):
    """Model, device and the known height of the camera; run, progress, cancel.

    Signals:
        run_requested: The model should run.
        cancel_requested: What runs should stop.
        device_changed(str): Another device was chosen.
        model_changed(str): Another model was chosen.
        camera_height_changed(object): The height in metres that the user knows, or None to believe the model.
    """

    run_requested = Signal()
    cancel_requested = Signal()
    device_changed = Signal(str)
    model_changed = Signal(str)
    camera_height_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = QComboBox()
        self._model.setAccessibleName(tr("Model"))
        self._specs = listed_models()
        for spec in self._specs:
            self._model.addItem(spec.title, spec.name)
        self._device = QComboBox()
        self._device.setAccessibleName(tr("Device"))
        for name in DEVICES:
            self._device.addItem(tr(DEVICE_TITLES[name]), name)
        self._height = NumberField()
        self._height.setAccessibleName(tr("Camera height in metres"))
        # 0 stands for none; the least known height is the smallest step above it.
        self._height.setRange(0.0, CAMERA_HEIGHTS[1])
        self._height.setSingleStep(0.05)
        self._height.setDecimals(2)
        self._height.setSuffix(" m")
        self._height.setSpecialValueText(tr("as estimated"))
        self._height.setToolTip(tr("Height of the camera above the floor. Sets the scale of depth and point cloud."))
        self._run = QPushButton(tr("Run"))
        self._run.setObjectName("primary")
        self._cancel = QPushButton(tr("Cancel"))
        self._progress = QProgressBar()
        self._progress.setTextVisible(False)
        self._status = QLabel()
        self._status.setObjectName("quiet")
        # A long title with the time that is left does not fit into one line of a narrow panel.
        self._status.setWordWrap(True)
        self._status.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._status.ensurePolished()
        self._status.setText("\n")
        self._status.setMinimumHeight(self._status.sizeHint().height())
        self._status.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        # The panel keeps its place for them, so that nothing jumps when a job begins or ends.
        for widget in (self._progress, self._status):
            policy = widget.sizePolicy()
            policy.setRetainSizeWhenHidden(True)
            widget.setSizePolicy(policy)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

        form = QFormLayout()
        form.addRow(tr("Model"), self._model)
        form.addRow(tr("Device"), self._device)
        form.addRow(tr("Camera height"), self._height)
        buttons = QHBoxLayout()
        buttons.addWidget(self._run, 2)
        buttons.addWidget(self._cancel, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addLayout(buttons)
        layout.addWidget(self._progress)
        layout.addWidget(self._status)

        self._run.clicked.connect(self.run_requested)
        self._cancel.clicked.connect(self.cancel_requested)
        self._model.currentIndexChanged.connect(lambda: self.model_changed.emit(self._model.currentData()))
        self._device.currentIndexChanged.connect(lambda: self.device_changed.emit(self._device.currentData()))
        self._height.valueChanged.connect(lambda value: self.camera_height_changed.emit(value or None))
        self.set_jobs([])

    def set_missing(self, names: Collection[str]) -> None:
        """Mark the models whose weights are not there."""
        for index, spec in enumerate(self._specs):
            is_missing = spec.name in names
            self._model.setItemText(index, tr("{title} (no weights)", title=spec.title) if is_missing else spec.title)
            self._model.setItemData(index, spec.licence, Qt.ItemDataRole.ToolTipRole)

    def set_fetched(self, names: Sequence[str], model: str) -> None:
        """Offer models that the user has brought or fetched by their names, too.

        Args:
            names: Of the models; those that were there when the panel was made are offered already.
            model: The stored choice.
        """
        with QSignalBlocker(self._model):
            while self._model.count() > len(self._specs):
                self._model.removeItem(len(self._specs))
            for name in names:
                if self._model.findData(name) < 0:
                    self._model.addItem(name, name)
            self._model.setCurrentIndex(max(0, self._model.findData(model)))

    def set_choices(self, model: str, device: str) -> None:
        """Show the stored choices."""
        with QSignalBlocker(self._model), QSignalBlocker(self._device):
            self._model.setCurrentIndex(max(0, self._model.findData(model)))
            self._device.setCurrentIndex(max(0, self._device.findData(device)))

    def set_camera_height(self, height: float | None) -> None:
        """Show the height that the user has set, or that there is none."""
        with QSignalBlocker(self._height):
            self._height.setValue(height or 0.0)

    def set_prediction(self, prediction: Prediction | None) -> None:
        """Offer the height that the model has estimated as the value to begin from."""
        estimated = None if prediction is None else prediction.camera_height
        self._height.setSpecialValueText(
            tr("as estimated") if estimated is None else tr("as estimated ({estimated:.2f} m)", estimated=estimated)
        )

    def set_jobs(self, jobs: list[Job]) -> None:
        """Show what runs, how far it is and how long it will take."""
        self._cancel.setEnabled(bool(jobs))
        self._run.setEnabled(not any(job.key == "predict" for job in jobs))
        self._progress.setVisible(bool(jobs))
        self._status.setVisible(bool(jobs))
        if not jobs:
            return
        job = jobs[-1]
        # A progress bar paints at once, and the whole window with it; without updates it waits for its turn.
        self._progress.setUpdatesEnabled(False)
        self._progress.setRange(0, 1000 if job.fraction > 0 else 0)
        self._progress.setValue(round(job.fraction * 1000))
        self._progress.setUpdatesEnabled(True)
        self._status.setText(describe(job))
        self._status.setToolTip(describe(job))


SHORT = 2.0
"""Seconds for which nobody asks how long something has taken."""


def describe(job: Job) -> str:
    """What a job does and how long it will take; where that cannot be said, how long it has taken."""
    left, spent = job.seconds_left(), job.seconds_spent()
    if left is None:
        return f"{job.title}…" if spent < SHORT else tr("{title}: for {spent:.0f} s", title=job.title, spent=spent)
    if left < 1:
        return tr("{title}: almost done", title=job.title)
    return (
        tr("{title}: {left:.0f} s left", title=job.title, left=left)
        if left < 90
        else tr("{title}: {left:.0f} min left", title=job.title, left=left / 60)
    )
