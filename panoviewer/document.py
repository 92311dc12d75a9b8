"""What is open: the panorama, its segments, what a model said about it, the cloud made from that."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from core.cloud import CloudOptions, PointCloud
from core.history import History
from core.panorama import Panorama
from core.prediction import Prediction
from core.scene import Edit, Scene
from panoviewer.translation import tr


class Document(QObject):
    """The one place that holds the current panorama and everything derived from it.

    Every other panorama or prediction starts a new generation or revision, by which late results are recognised.

    Signals:
        panorama_changed: Another panorama is open; prediction, cloud and the choices for it are gone.
        prediction_changed: There is another prediction, or none any more.
        options_changed: The choices for the cloud have changed; the old cloud stays until the new one is there.
        cloud_changed: There is another cloud, or none any more.
        scene_changed: There are other segments or labels; also when there is no scene any more.
        level_changed: What is level in the panorama was said anew: `panorama` has the same pixels and another pose.
        edited(str): The scene was edited, by an edit of this name or by undoing or redoing one; after `scene_changed`.
    """

    panorama_changed = Signal()
    prediction_changed = Signal()
    options_changed = Signal()
    cloud_changed = Signal()
    scene_changed = Signal()
    level_changed = Signal()
    edited = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._panorama: Panorama | None = None
        self._prediction: Prediction | None = None
        self._cloud: PointCloud | None = None
        self._history: History | None = None
        self._options = CloudOptions()
        self._generation = 0
        self._posed: Panorama | None = None

    @property
    def generation(self) -> int:
        """Number of the open panorama; results for another number are of no interest."""
        return self._generation

    @property
    def panorama(self) -> Panorama | None:
        """The open panorama, in the pose that the scene gives it."""
        return self._panorama if self._history is None else self._history.scene.panorama

    @property
    def prediction(self) -> Prediction | None:
        """What the model said about it."""
        return self._prediction

    @property
    def cloud(self) -> PointCloud | None:
        """The cloud made from the prediction with `cloud_options`."""
        return self._cloud

    @property
    def cloud_options(self) -> CloudOptions:
        """The choices for the cloud, which the 3D view and the export share."""
        return self._options

    @property
    def scene(self) -> Scene | None:
        """The panorama with its segments; None until they were read (`begin`).

        It holds no prediction: what a model says is neither saved nor undone.
        """
        return None if self._history is None else self._history.scene

    @property
    def undo_name(self) -> str | None:
        """Name of the edit that `undo` takes back; None when there is none."""
        return None if self._history is None else self._history.undo_name

    @property
    def redo_name(self) -> str | None:
        """Name of the edit that `redo` makes again; None when there is none."""
        return None if self._history is None else self._history.redo_name

    def open(self, panorama: Panorama, options: CloudOptions) -> None:
        """Replace the panorama; what was derived from the old one is dropped, and there is no scene until `begin`.

        Args:
            panorama: The new one.
            options: The first choices for its cloud.
        """
        self._generation += 1
        self._panorama, self._prediction, self._cloud, self._options = panorama, None, None, options
        self._history = None
        self._posed = panorama
        self.panorama_changed.emit()
        self.scene_changed.emit()
        self.prediction_changed.emit()
        self.cloud_changed.emit()

    def begin(self, scene: Scene) -> None:
        """Go on from a scene of the open panorama; there is no way back from it.

        Raises:
            ValueError: It is one of another panorama.
        """
        if self._panorama is None or scene.panorama.rgb is not self._panorama.rgb:
            raise ValueError("expected a scene of the open panorama")
        self._history = History(scene)
        self._tell_level()
        self.scene_changed.emit()

    def apply(self, name: str, edit: Edit) -> None:
        """Make an edit; it can be undone.

        Args:
            name: Of the edit, as the menu shows it: 'Add segment'.
            edit: From the present scene to the next; the same scene again is no edit.

        Raises:
            ValueError: There is no scene.
        """
        if self._history is None:
            raise ValueError("there is no scene to edit")
        before = self._history.scene
        if self._history.apply(name, edit) is not before:
            self._tell(name)

    def undo(self) -> None:
        """Take the last edit back; nothing happens when there is none."""
        name = self.undo_name
        if self._history is not None and name is not None:
            self._history.undo()
            self._tell(tr("Undo {name}", name=name))

    def redo(self) -> None:
        """Make the edit again that was taken back last; nothing happens when there is none."""
        name = self.redo_name
        if self._history is not None and name is not None:
            self._history.redo()
            self._tell(tr("Redo {name}", name=name))

    def set_prediction(self, prediction: Prediction) -> None:
        """Take a model's result; the old cloud stays visible until one is made from this."""
        self._prediction = prediction
        self.prediction_changed.emit()

    def set_cloud(self, cloud: PointCloud) -> None:
        """Take the cloud that was made from the prediction."""
        self._cloud = cloud
        self.cloud_changed.emit()

    def set_cloud_options(self, options: CloudOptions) -> None:
        """Choose how the cloud is made."""
        if options != self._options:
            self._options = options
            self.options_changed.emit()

    def _tell_level(self) -> None:
        if self.panorama is not self._posed:
            self._posed = self.panorama
            self.level_changed.emit()

    def _tell(self, name: str) -> None:
        self._tell_level()
        self.scene_changed.emit()
        self.edited.emit(name)
