"""One cursor and one view direction in all views."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from core.prediction import Prediction
from panoviewer.document import Document
from panoviewer.look import outline
from panoviewer.probe import compared, probe_direction
from panoviewer.stage import Stage
from panoviewer.viewpoint import Viewpoint
from panoviewer.views.mouse import Pointer


class Pointing(QObject):
    """Carries what is pointed and looked at from the view where it happens to the others.

    Signals:
        told(str): What is known about the direction under the cursor; empty when there is none.
    """

    told = Signal(str)

    def __init__(self, document: Document, viewpoint: Viewpoint, stage: Stage, parent: QObject | None = None) -> None:
        """Connect the views.

        Args:
            document: Knows the panorama and what a model said about it.
            viewpoint: Holds camera and cursor.
            stage: Has the views.
            parent: Its parent.
        """
        super().__init__(parent)
        self._document = document
        self._viewpoint = viewpoint
        self._stage = stage
        self._other: Prediction | None = None
        for view in stage.sphere_views:
            view.mouse.moved.connect(self._hover_sphere)
        stage.perspective.camera_changed.connect(viewpoint.set_camera)
        stage.perspective.resized.connect(viewpoint.set_size)
        stage.cloud.hovered.connect(self._hover_cloud)
        viewpoint.camera_changed.connect(self._show_camera)
        viewpoint.cursor_changed.connect(self.refresh)

    def set_other(self, other: Prediction | None) -> None:
        """Tell what another prediction says there, too, or no longer."""
        self._other = other
        self.refresh()

    def refresh(self) -> None:
        """Mark the cursor in all views and tell what is there."""
        direction = self._viewpoint.cursor
        for view in self._stage.sphere_views:
            view.set_cursor(direction)
        panorama, prediction = self._document.panorama, self._document.prediction
        text, point = "", None
        if direction is not None and panorama is not None and not self._stage.previewing:
            found = probe_direction(panorama, prediction, direction)
            text = found.text()
            if self._other is not None:
                text = compared(found, probe_direction(panorama, self._other, direction))
            if found.depth is not None:
                point = self.photo_from_cloud().T @ direction * found.depth
        self._stage.cloud.set_cursor(point)
        self.told.emit(text)

    def _show_camera(self) -> None:
        photo = self._viewpoint.photo
        self._stage.perspective.set_camera(self._viewpoint.camera, photo)
        self._stage.erp.set_outline(outline(photo))

    def _hover_sphere(self, pointer: Pointer | None) -> None:
        self._viewpoint.set_cursor(None if pointer is None else pointer.direction)

    def _hover_cloud(self, point: NDArray[np.float64] | None) -> None:
        if point is None or not point.any():
            self._viewpoint.set_cursor(None)
        else:
            self._viewpoint.set_cursor(self.photo_from_cloud() @ (point / np.linalg.norm(point)))

    def photo_from_cloud(self) -> NDArray[np.float64]:
        """(3, 3) rotation from the cloud's frame into the photograph's."""
        cloud = self._document.cloud
        if cloud is None or cloud.options.raw_pose:
            return np.eye(3)
        # Not that of the panorama, whose pose may be another since the cloud was made.
        return cloud.level_from_world.T
