"""What the user can ask for: open, run, scale, build a cloud, write it. Starts jobs and puts their results together."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from core.cloud import CloudOptions, PointCloud, cloud_from_prediction
from core.errors import ExportError, ModelUnavailable, PanoError
from core.export import export
from core.export.geometry import build, find_geometry
from core.io.images import Assume, read_panorama
from core.known_scale import KnownScale
from core.mesh import DEFAULT_MESH, Mesh, MeshOptions
from core.models import find_model, load_model, load_segmenter
from core.models.base import PanoramaModel
from core.models.levelled import predict_panorama
from core.panorama import Panorama
from core.prediction import Prediction
from core.progress import Progress, stage
from core.pyramid import Pyramid
from core.segment.features import FeatureStore
from core.segment.network import ClickNetwork
from panoviewer.document import Document
from panoviewer.jobs import Job, Jobs, Lane
from panoviewer.settings import DEVICE, MODEL, POINTS_SHOWN, Settings
from panoviewer.summary import Summary, summarize
from panoviewer.translation import tr
from panoviewer.views.cloud_buffer import CloudBuffer, pack_cloud
from panoviewer.views.overlay import Composer, OverlayStyle

SOFTWARE_POINTS = 200_000
"""Points drawn at most when the processor does the work of the graphics card."""

MAX_FIRST_POINTS = 36_000_000
"""A photograph of 8192 x 4096 pixels keeps them all; a larger one begins with every second or third."""

UNSEEN = (21, 23, 27)

ModelLoader = Callable[[str, str], PanoramaModel]
SegmenterLoader = Callable[[str, str], ClickNetwork]


OPENING = "open"
"""Key of the job that opens a picture, and of what has to be found out before: the newest wish alone counts."""
BUILT = 0.2
"""Share of the work on a file after which there is what goes into it."""


class Session(QObject):
    """The document with everything that is computed for it.

    Signals:
        leaving: Another panorama is about to take the place of the open one.
        opened: Another panorama is open; `pyramid` shows it.
        previewed(object, object): A small `Panorama` of what is being opened, and its `Pyramid`. `opened` or
            `preview_ended` follows.
        preview_ended: It will not be opened.
        refused(object, object): This `Path` could not be opened, because of this `PanoError`; what was open stays.
        exposed(object): The open panorama is shown in another exposure; the `Pyramid` of its picture.
        predicted: There is another prediction, or none; `composer` paints it, `summary` tells it in numbers.
        overlay_changed(object): The `Pyramid` to lay over the photo, or None.
        cloud_built(object): The `CloudBuffer` to draw, or None.
        exported(object): This `Path` was written.
        failed(str): Something did not work; a sentence.
    """

    leaving = Signal()
    opened = Signal()
    previewed = Signal(object, object)
    preview_ended = Signal()
    refused = Signal(object, object)
    exposed = Signal(object)
    predicted = Signal()
    overlay_changed = Signal(object)
    cloud_built = Signal(object)
    exported = Signal(object)
    failed = Signal(str)
    _seen = Signal(int, object, object)

    def __init__(
        self,
        settings: Settings,
        *,
        software_opengl: bool,
        loader: ModelLoader = lambda name, device: load_model(name, device=device),
        segmenter_loader: SegmenterLoader = lambda name, device: load_segmenter(name, device=device),
        features: FeatureStore | None = None,
        parent: QObject | None = None,
    ) -> None:
        """Make a session with nothing open.

        Args:
            settings: Model, device and the number of points to draw.
            software_opengl: The 3D view is drawn by the processor.
            loader: Makes a model of a name and a device.
            segmenter_loader: The same for a click network.
            features: Keeps what a click network has seen; None keeps it as long as the session lasts.
            parent: Its parent.
        """
        super().__init__(parent)
        self.document = Document(self)
        self.jobs = Jobs(lambda: self.document.generation, self)
        self.jobs.failed.connect(self.failed)
        self.pyramid: Pyramid | None = None
        self.composer: Composer | None = None
        self.summary = Summary()
        self.buffer: CloudBuffer | None = None
        self.previous: Prediction | None = None
        """What was the document's prediction before the model ran last; None when it ran once or never."""
        self.segmenter_loader = segmenter_loader
        self.features = features or FeatureStore()
        self.permit: Callable[[str, Callable[[], object]], bool] = lambda _name, _then: True
        """Asked before a model runs, with what to do once it may; see `WeightKeeping.permit`."""
        self._settings = settings
        self._software = software_opengl
        self._loader = loader
        self._models: dict[tuple[str, str], PanoramaModel] = {}
        self._estimated: Prediction | None = None
        self._scale_known = KnownScale()
        self.scale_shown = KnownScale()
        """By which the document's prediction was scaled; a new one takes a moment."""
        self._style = OverlayStyle()
        self._cloud_wanted = False
        self._cloud_of: Prediction | None = None
        self._previewing = False
        self._opening: Job | None = None
        self._openings = 0
        self._seen.connect(self._take_preview)
        self.jobs.changed.connect(self._notice_cancel)
        self._waiting: list[Callable[[], object]] = []
        self.document.options_changed.connect(self._build_cloud)
        self.document.level_changed.connect(self._build_cloud)

    @property
    def scale(self) -> KnownScale:
        """What is known of sizes, by which depth and cloud go."""
        return self._scale_known

    @property
    def estimated(self) -> Prediction | None:
        """What the model itself says of the open panorama, at no known scale."""
        return self._estimated

    @property
    def estimates_metres(self) -> bool:
        """Whether what the model itself says claims to be metres."""
        return self._estimated is not None and self._estimated.is_metric

    @property
    def predicting(self) -> bool:
        """True while the model runs."""
        return any(job.key == "predict" for job in self.jobs.visible())

    def open(self, path: Path, assume: Assume | None = None) -> None:
        """Open a picture in place of the current one, which stays until the new one is there.

        Of a large one a preview is told first; what is asked for meanwhile is put off until it is open.
        """
        number = self._openings = self._openings + 1

        def tell(small: Panorama) -> None:
            self._seen.emit(number, small, Pyramid.of(_shown(small.rgb, small.valid)))

        def read(progress: Progress) -> tuple[Panorama, Pyramid]:
            panorama = read_panorama(path, assume=assume, progress=progress, first=tell)
            return panorama, Pyramid.of(_shown(panorama.rgb, panorama.valid))

        self._end_preview()
        self._opening = self.jobs.run(
            tr("Opening {name}", name=path.name),
            read,
            done=lambda result: self.show(*result),
            failed=partial(self._refuse, path),
            key=OPENING,
        )

    def put_off(self, act: Callable[[], object]) -> bool:
        """Do this as soon as the panorama is open that is previewed. Returns False, and does nothing, when none is."""
        if self._previewing:
            self._waiting.append(act)
        return self._previewing

    def show(self, panorama: Panorama, pyramid: Pyramid) -> None:
        """Put a panorama that has been read in place of the current one."""
        self.leaving.emit()
        self.jobs.cancel("predict")
        self._opening = None
        waiting, self._waiting, self._previewing = self._waiting, [], False
        self.pyramid = pyramid
        self.composer = self.buffer = self._estimated = self.previous = None
        self.summary = Summary()
        self._scale_known = KnownScale()
        self._cloud_wanted = False
        self._cloud_of = None
        self.document.open(panorama, CloudOptions(stride=first_stride(panorama)))
        self.opened.emit()
        self.predicted.emit()
        self.overlay_changed.emit(None)
        self.cloud_built.emit(None)
        for act in waiting:
            act()

    def set_exposure(self, ev: float) -> None:
        """Show a panorama of more than 8 bits with more or less light, in steps; models go on seeing it at 0."""
        panorama = self.document.panorama
        if panorama is None or panorama.radiance is None:
            return
        radiance = panorama.radiance

        def paint(_progress: Progress) -> Pyramid:
            rgb = panorama.rgb if ev == 0 else panorama.tone.develop(radiance, ev)
            return Pyramid.of(_shown(rgb, panorama.valid))

        self.jobs.run(tr("Developing"), paint, done=self._take_exposed, key="exposure", visible=False)

    def predict(self) -> None:
        """Run the chosen model on the open panorama."""
        panorama = self.document.panorama
        if self.put_off(self.predict) or panorama is None:
            return
        choice = self._settings[MODEL], self._settings[DEVICE]
        if not self.permit(choice[0], self.predict):
            return

        def work(progress: Progress) -> Prediction:
            model = self._models.get(choice)
            if model is None:
                model = self._models[choice] = self._loader(*choice)
            progress(0, 1)
            return predict_panorama(model, panorama, progress=progress)

        self.jobs.run(
            _estimating(choice[0]),
            work,
            done=self._take_estimate,
            lane=Lane.MODEL,
            key="predict",
        )

    def forget_model(self, name: str) -> None:
        """Load a model anew when it runs next: its weights are others."""
        for choice in [choice for choice in list(self._models) if choice[0] == name]:  # another thread may load one
            self._models.pop(choice, None)

    def set_scale(self, scale: KnownScale) -> None:
        """Scale depth and cloud by what is known of sizes; what is not, is as the model says."""
        if scale == self._scale_known:
            return
        self._scale_known = scale
        if self._estimated is not None:
            self._scale(self._estimated)

    def set_style(self, style: OverlayStyle) -> None:
        """Draw the layers in another way."""
        self._style = style
        composer = self.composer
        if composer is None:
            return

        def paint(_progress: Progress) -> Pyramid | None:
            picture = composer.compose(style)
            return None if picture is None else Pyramid.of(picture)

        self.jobs.run(tr("Painting layers"), paint, done=self.overlay_changed.emit, key="overlay", visible=False)

    def want_cloud(self) -> None:
        """Have a cloud of the prediction from now on; runs the model first when it has not run yet."""
        if self.put_off(self.want_cloud):
            return
        self._cloud_wanted = True
        if self.document.prediction is None:
            if not self.predicting:
                self.predict()
        elif self.document.cloud is None:
            self._build_cloud()

    def export_cloud(self, path: Path, frame: str, mesh: MeshOptions = DEFAULT_MESH) -> None:
        """Write the cloud as it was made with the document's options, or the mesh of it where the path names one."""
        panorama, prediction, options = self.document.panorama, self.document.prediction, self.document.cloud_options
        if panorama is None or prediction is None or prediction.depth is None:
            self.failed.emit(tr("There is no depth to make a point cloud of; run the model first."))
            return
        segments = () if self.document.scene is None else self.document.scene.segments
        # A cloud that is shown may be of the prediction before this one, until the new one is built; it knows of no
        # segments.
        shown = self.document.cloud if self._cloud_of is prediction and not segments else None

        def write(progress: Progress) -> Path:
            exporter = find_geometry(path)
            value: PointCloud | Mesh | None = shown
            if exporter.kind is Mesh or shown is None or shown.options != options:
                value = build(
                    exporter, panorama, prediction, options, mesh, segments, progress=stage(progress, 0, BUILT)
                )
            if value is None or len(value) == 0:
                raise ExportError("No pixel lies within the range and passes the filters; widen them.")
            return export(value, path, frame=frame, progress=stage(progress, BUILT, 1))

        self.jobs.run(tr("Writing {name}", name=path.name), write, done=self.exported.emit, outlives=True)

    def close(self) -> None:
        """Stop everything."""
        self.jobs.close()
        self._models.clear()

    def _take_preview(self, number: int, panorama: Panorama, pyramid: Pyramid) -> None:
        # By now it may have been given up, or another one may be on its way.
        if number == self._openings and self._opening is not None and self.jobs.runs(self._opening):
            self._previewing = True
            self.previewed.emit(panorama, pyramid)

    def _notice_cancel(self) -> None:
        """Nothing is heard of work that the user has stopped."""
        if self._previewing and self._opening is not None and self._opening.cancelled:
            self._end_preview()

    def _take_exposed(self, pyramid: Pyramid) -> None:
        self.pyramid = pyramid
        self.exposed.emit(pyramid)

    def _end_preview(self) -> None:
        self._waiting.clear()
        if self._previewing:
            self._previewing = False
            self.preview_ended.emit()

    def _refuse(self, path: Path, error: PanoError) -> None:
        self._end_preview()
        self.refused.emit(path, error)

    def _take_estimate(self, prediction: Prediction) -> None:
        self._estimated = prediction
        self.previous = self.document.prediction
        self._scale(prediction)

    def _scale(self, estimated: Prediction) -> None:
        """Make the estimate, at the known scale, the document's prediction."""
        scale = self._scale_known

        def work(_progress: Progress) -> tuple[Prediction, KnownScale, Summary, Composer]:
            prediction = scale.apply(estimated)
            summary = summarize(prediction)
            return prediction, scale, summary, Composer(prediction, summary.limits)

        self.jobs.run(tr("Scaling"), work, done=self._take_prediction, key="scale", visible=False)

    def _take_prediction(self, result: tuple[Prediction, KnownScale, Summary, Composer]) -> None:
        prediction, self.scale_shown, self.summary, self.composer = result
        self.document.set_prediction(prediction)
        self.predicted.emit()
        self.set_style(self._style)
        if self._cloud_wanted:
            self._build_cloud()

    def _build_cloud(self) -> None:
        panorama, prediction, options = self.document.panorama, self.document.prediction, self.document.cloud_options
        if not self._cloud_wanted or panorama is None or prediction is None or prediction.depth is None:
            return
        budget = self._settings[POINTS_SHOWN]
        if self._software:
            budget = min(budget, SOFTWARE_POINTS)
        build = partial(_cloud_and_buffer, panorama, prediction, options, budget)
        self.jobs.run(tr("Building the point cloud"), build, done=partial(self._take_cloud, prediction), key="cloud")

    def _take_cloud(self, prediction: Prediction, result: tuple[PointCloud, CloudBuffer]) -> None:
        self._cloud_of = prediction
        cloud, self.buffer = result
        self.document.set_cloud(cloud)
        self.cloud_built.emit(self.buffer)


def _shown(rgb: NDArray[np.uint8], valid: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
    """The colours to paint; what a partial photograph did not see is painted as background, not as night."""
    if valid is None:
        return rgb
    return np.where(valid[..., None], rgb, np.array(UNSEEN, np.uint8))


def first_stride(panorama: Panorama) -> int:
    """The density that a cloud begins with: every pixel, unless the cloud would fill the memory of a small machine."""
    return max(1, math.ceil(math.sqrt(panorama.width * panorama.height / MAX_FIRST_POINTS)))


def _cloud_and_buffer(
    panorama: Panorama, prediction: Prediction, options: CloudOptions, budget: int, progress: Progress
) -> tuple[PointCloud, CloudBuffer]:
    cloud = cloud_from_prediction(panorama, prediction, options)
    progress(1, 2)
    return cloud, pack_cloud(cloud, prediction.size[1], budget)


def _estimating(name: str) -> str:
    """What the user reads while a model of a name runs."""
    try:
        tasks = find_model(name).tasks
    except ModelUnavailable:  # whoever loads it says so in a sentence
        tasks = ()
    return tr("Estimating {what}", what=", ".join(map(tr, tasks))) if tasks else tr("Estimating")
