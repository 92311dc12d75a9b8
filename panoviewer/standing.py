"""The bubble view: standing in the cloud where the photograph was taken, with the photograph over it."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QObject
from PySide6.QtGui import QAction

from core.geometry.camera import Camera
from core.pyramid import Pyramid
from panoviewer.orbit import Orbit, Stand
from panoviewer.panels.cloud_panel import CloudPanel
from panoviewer.pointing import Pointing
from panoviewer.session import Session
from panoviewer.stage import Stage
from panoviewer.viewpoint import Viewpoint

WIDEST_PHOTO, WIDEST_BY_SOFTWARE = 4096, 2048
"""Columns of the photograph over the cloud; a wider one takes long to upload, and shows nothing more here."""


class Standing(QObject):
    """Goes to the camera's place and back, and fades the photograph.

    Where the depth is right, its edges lie on those of the photograph: points are drawn where they are in space, the
    photograph where its rays point.
    """

    def __init__(
        self,
        session: Session,
        stage: Stage,
        viewpoint: Viewpoint,
        pointing: Pointing,
        *,
        panel: CloudPanel,
        action: QAction,
        by_software: bool,
        parent: QObject | None = None,
    ) -> None:
        """Connect them.

        Args:
            session: Has the photograph and the cloud.
            stage: Has the 3D view.
            viewpoint: Where one looks first.
            pointing: Knows how the cloud lies to the photograph.
            panel: Has the choice and the slider.
            action: Checked while one stands there.
            by_software: The processor does the work of the graphics card.
            parent: Its parent.
        """
        super().__init__(parent)
        self._session = session
        self._cloud = stage.cloud
        self._viewpoint = viewpoint
        self._pointing = pointing
        self._panel = panel
        self._action = action
        self._widest = WIDEST_BY_SOFTWARE if by_software else WIDEST_PHOTO
        self._before: Orbit | None = None
        stage.cloud.stand_wanted.connect(self.toggle)
        panel.stand_changed.connect(lambda stands: self.stand(stands=stands))
        panel.opacity_changed.connect(stage.cloud.set_opacity)
        stage.cloud.set_opacity(panel.opacity())
        session.cloud_built.connect(lambda _buffer: self._show_photo())
        session.exposed.connect(lambda _pyramid: self._show_photo())
        session.opened.connect(lambda: self.stand(stands=False))

    @property
    def stands(self) -> bool:
        """Whether the eye is where the photograph was taken."""
        return isinstance(self._cloud.orbit, Stand)

    def toggle(self) -> None:
        """Go there, or back to where the cloud was looked at from."""
        self.stand(stands=not self.stands)

    def stand(self, *, stands: bool) -> None:
        """Go there, looking as the look-around view does, or back; without a cloud one is made."""
        if stands and self._session.document.cloud is None:
            self._session.want_cloud()
        orbit = self._cloud.orbit
        if stands and isinstance(orbit, Orbit):
            self._before = orbit if self._cloud.point_count else None
            self._show_photo()
            self._cloud.look(Stand(self._first_look()))
        elif not stands and isinstance(orbit, Stand):
            self._cloud.look(self._before or Orbit())
            if self._before is None:
                self._cloud.reset()
        self._panel.set_stand(stands=self.stands)
        self._action.setChecked(self.stands)

    def reset(self) -> None:
        """Show the whole cloud, from outside."""
        self.stand(stands=False)
        self._cloud.reset()

    def _first_look(self) -> Camera:
        """What the look-around view shows, in the cloud's frame."""
        photo = self._viewpoint.photo
        rotation = self._pointing.photo_from_cloud().T @ photo.world_from_camera
        return Camera.from_rotation(rotation, fov_x=photo.fov_x, height=photo.height, width=photo.width)

    def _show_photo(self) -> None:
        pyramid = self._session.pyramid
        photo = None if pyramid is None else _level(pyramid, self._widest)
        self._cloud.set_photo(photo, self._pointing.photo_from_cloud())


def _level(pyramid: Pyramid, widest: int) -> np.ndarray:
    """The largest picture of a pyramid that is not too wide."""
    return next((level for level in pyramid.levels if level.shape[1] <= widest), pyramid.levels[-1])
