"""What the user knows of sizes: the camera height or a true length, for depth and cloud at once, and for the folder."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from core.errors import PanoError
from core.known_scale import KnownScale
from core.measure import Measurement
from panoviewer.panels.inference_panel import InferencePanel
from panoviewer.saving import Saving
from panoviewer.session import Session
from panoviewer.translation import mark, tr

FOR_THIS_ALONE = mark(
    "The depth of {model} has another unknown unit in every picture, so that the length counts for this one."
)
NO_HEIGHT = mark(
    "The model {model} does not estimate how high the camera stands, so that a known height cannot set the scale; "
    "measure something and type its true length instead."
)


DOUBT = mark(
    "That is far from what the model {model} estimates. It counts; where it was a slip of the hand, type it again."
)


class Scaling(QObject):
    """Brings the known scale from the panel, the measure tool and the project to the session, and keeps it.

    Signals:
        noted(str): A sentence about what was made of a length.
        withdrawn(str): What was noted holds no more.
        failed(str): A sentence about one that cannot be true.
        scaled(str): How the scale is known, such as 'scaled to 3.00 m'; empty where the model is believed.
    """

    noted = Signal(str)
    withdrawn = Signal(str)
    scaled = Signal(str)
    failed = Signal(str)

    def __init__(
        self, session: Session, inference: InferencePanel, saving: Saving, parent: QObject | None = None
    ) -> None:
        """Connect them.

        Args:
            session: Scales.
            inference: Has the field for the camera height.
            saving: Keeps the scale with the project.
            parent: Its parent.
        """
        super().__init__(parent)
        self._session = session
        self._inference = inference
        self._saving = saving
        self._was_typed = False
        self._doubt = ""
        inference.camera_height_changed.connect(self.set_camera_height)
        session.opened.connect(self._begin)
        saving.scale_read.connect(self._read)

    def set_camera_height(self, height: float | None) -> None:
        """The camera stands so many metres above the floor; None believes the model, and forgets known lengths."""
        prediction = self._session.document.prediction
        if height is None:
            self._set(KnownScale())
        elif prediction is not None and prediction.depth is not None and not prediction.camera_height:
            self._inference.set_camera_height(self._session.scale.camera_height)
            self.failed.emit(tr(NO_HEIGHT, model=prediction.model))
        else:
            self._set(replace(self._session.scale, camera_height=height))

    def set_length(self, measured: Measurement, length: float) -> None:
        """The line is so many metres long; 0 believes the model again."""
        if not length:
            self._set(KnownScale())
            return
        prediction = self._session.document.prediction
        if prediction is None:
            return
        try:
            # Of the scale that was measured at, which is an earlier one until another has been applied.
            scale = self._session.scale_shown.with_length(prediction, measured.length, length)
        except PanoError as error:
            self.failed.emit(str(error))
            return
        self._set(scale)
        self.scaled.emit(tr("scaled to {length:.2f} m", length=length))
        if scale.kept(is_metric=self._session.estimates_metres, model=prediction.model) != scale:
            self.noted.emit(tr(FOR_THIS_ALONE, model=prediction.model))

    def _begin(self) -> None:
        self._was_typed = False
        self._withdraw()
        self._inference.set_camera_height(None)
        self.scaled.emit("")

    def _read(self, scale: KnownScale) -> None:
        """Take what is kept; what was typed before it could be read takes its place."""
        if self._was_typed:
            self._keep(self._session.scale)
        else:
            self._show(scale)

    def _set(self, scale: KnownScale) -> None:
        self._was_typed = True
        self._show(scale)
        self._keep(scale)
        estimated = self._session.estimated
        if estimated is not None and scale.is_doubtful(estimated):
            self._doubt = tr(DOUBT, model=estimated.model)
            self.noted.emit(self._doubt)
        else:
            self._withdraw()

    def _withdraw(self) -> None:
        if self._doubt:
            self.withdrawn.emit(self._doubt)
            self._doubt = ""

    def _keep(self, scale: KnownScale) -> None:
        prediction = self._session.document.prediction
        if prediction is not None:
            scale = scale.kept(is_metric=self._session.estimates_metres, model=prediction.model)
        self._saving.keep_scale(scale)

    def _show(self, scale: KnownScale) -> None:
        self._inference.set_camera_height(scale.camera_height)
        self._session.set_scale(scale)
        self.scaled.emit(tr("scaled") if scale else "")
