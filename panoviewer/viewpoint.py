"""Where the user looks and points; shared by all views, not part of the document."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PySide6.QtCore import QObject, Signal

from core.geometry.camera import Camera
from core.panorama import DEFAULT_VIEW
from panoviewer.look import aimed_at, framed, holding, level_camera, photo_camera, resized

Direction = np.ndarray


class Viewpoint(QObject):
    """The look-around camera and the direction under the cursor.

    The camera is held in the level frame, where gestures work; `photo` is the same view in the photograph's frame,
    where arrays live. The cursor is a unit vector in the photograph's frame, or None.

    Signals:
        camera_changed: The view has turned or zoomed.
        cursor_changed: The cursor points elsewhere, or nowhere.
    """

    camera_changed = Signal()
    cursor_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._level_from_world = np.eye(3)
        self._camera = DEFAULT_VIEW
        self._first_view: Camera | None = DEFAULT_VIEW
        self._cursor: Direction | None = None

    @property
    def camera(self) -> Camera:
        """The view in the level frame."""
        return self._camera

    @property
    def photo(self) -> Camera:
        """The view in the photograph's frame."""
        return photo_camera(self._camera, self._level_from_world)

    @property
    def cursor(self) -> Direction | None:
        """(3,) the direction under the cursor, in the photograph's frame."""
        return self._cursor

    def reset(self, initial_view: Camera, level_from_world: np.ndarray) -> None:
        """Begin with another panorama: its first view, in its own frame, and its pose."""
        self._level_from_world = level_from_world
        height, width = self._camera.height, self._camera.width
        self._first_view = level_camera(initial_view, level_from_world)
        self._camera = framed(self._first_view, height, width)
        self.camera_changed.emit()

    def set_level(self, level_from_world: np.ndarray) -> None:
        """The same panorama in another pose: the view goes on looking there, upright."""
        ahead = self.photo.world_from_camera[:, 2]
        self._level_from_world = level_from_world
        self._first_view = None
        self._camera = aimed_at(self._camera, level_from_world @ ahead)
        self.camera_changed.emit()

    def set_camera(self, camera: Camera) -> None:
        """Look along another camera, given in the level frame."""
        if camera != self._camera:
            self._first_view = None
            self._camera = camera
            self.camera_changed.emit()

    def look_at(self, direction: Direction) -> None:
        """Bring a direction of the photograph's frame into the middle of the view."""
        self.set_camera(aimed_at(self._camera, self._level_from_world @ direction))

    def frame(self, direction: Direction, reach: float) -> None:
        """The same, as near as what lies within an angle of the direction, radians, fits into the view."""
        self.set_camera(holding(self._camera, self._level_from_world @ direction, reach))

    def zoom_back(self) -> None:
        """Look in the same direction with the usual angle of view."""
        self.set_camera(framed(replace(self._camera, fov_x=DEFAULT_VIEW.fov_x), *self._camera.size))

    def set_size(self, height: int, width: int) -> None:
        """The look-around view has another size in pixels. An untouched first view keeps its horizontal angle."""
        if self._first_view is None:
            self.set_camera(resized(self._camera, height, width))
        elif (height, width) != self._camera.size:
            self._camera = framed(self._first_view, height, width)
            self.camera_changed.emit()

    def set_cursor(self, direction: Direction | None) -> None:
        """Point along a direction of the photograph's frame, or nowhere."""
        if direction is not None or self._cursor is not None:
            self._cursor = direction
            self.cursor_changed.emit()
