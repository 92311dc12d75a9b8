"""The look-around picture without OpenGL, computed by `core` in a thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from core.geometry.camera import Camera
from core.geometry.warp import erp_to_camera
from core.pyramid import Pyramid
from panoviewer.images import qimage_from_array
from panoviewer.views.masks import MaskMap, Part, painted

COARSE = 3
"""While the view moves, every third pixel in each direction is computed."""
MASK_BORDER = 2

Background = Callable[[Callable[[], NDArray[np.uint8]], Callable[[NDArray[np.uint8]], None], Callable[[], None]], None]
"""Runs a function in a thread; on the UI thread its result is handed to a second one, or a third is called without."""


class CpuCanvas(QWidget):
    """Draws a panorama and an overlay as a pinhole camera sees them: coarsely at once, then sharply."""

    def __init__(self, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._background = background
        self._camera: Camera | None = None
        self._pyramids: dict[str, Pyramid | None] = {"photo": None, "overlay": None, "other": None}
        self._divider: float | None = None
        self._masks: MaskMap | None = None
        self._picture: NDArray[np.uint8] | None = None
        self._busy = False
        self._wanted = 0
        self._shown = 0

    @property
    def settled(self) -> bool:
        """True when the sharp picture of all that was set is on the screen."""
        return not self._busy

    def set_picture(self, name: str, pyramid: Pyramid | None, *, sharper: bool = False) -> None:  # noqa: ARG002
        """Show another 'photo', 'overlay' or 'other' overlay, or none."""
        self._pyramids[name] = pyramid
        self._request()

    def set_other(self, other: Pyramid | None, divider: float | None) -> None:
        """Draw another overlay instead, to the right of a share of the width; None for nowhere."""
        if self._pyramids["other"] is not other or self._divider != divider:
            self._divider = divider
            self.set_picture("other", other)

    def set_masks(self, masks: MaskMap | None) -> None:
        """Draw the masks of a map over it, or none."""
        self._masks = masks
        self._request()

    def update_masks(self, parts: Sequence[Part]) -> None:  # noqa: ARG002
        """The map has changed."""
        self._request()

    def set_camera(self, camera: Camera) -> None:
        """Look along another camera, given in the photograph's frame."""
        self._camera = camera
        self._request()

    def release(self) -> None:
        """Forget the pictures."""
        self._pyramids = {"photo": None, "overlay": None, "other": None}
        self._masks = None

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        """Show the newest picture there is."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if self._picture is not None:
            painter.drawImage(QRectF(self.rect()), qimage_from_array(self._picture))
        painter.end()

    def _request(self) -> None:
        self._wanted += 1
        if not self._busy:
            self._render(COARSE)

    def _render(self, coarseness: int) -> None:
        camera, photo, overlay = self._camera, self._pyramids["photo"], self._pyramids["overlay"]
        masks, other, divider = self._masks, self._pyramids["other"], self._divider
        if camera is None or photo is None:
            self._busy, self._picture = False, None
            self.update()
            return
        self._busy = True
        number = self._wanted
        smaller = replace(camera, height=max(1, camera.height // coarseness), width=max(1, camera.width // coarseness))

        def finish(picture: NDArray[np.uint8]) -> None:
            self._picture = picture
            self.update()
            if number != self._wanted:
                self._render(COARSE)
            elif coarseness > 1:
                self._render(1)
            else:
                self._busy = False

        def fail() -> None:
            # What is on the screen stays; the next change is drawn again.
            self._busy = False
            if number != self._wanted:
                self._render(COARSE)

        self._background(lambda: draw_view(photo, overlay, smaller, masks, other=other, divider=divider), finish, fail)


def draw_view(
    photo: Pyramid,
    overlay: Pyramid | None,
    camera: Camera,
    masks: MaskMap | None = None,
    *,
    other: Pyramid | None = None,
    divider: float | None = None,
) -> NDArray[np.uint8]:
    """(h, w, 3) what a camera in the photograph's frame sees of a photo, the premultiplied overlay on it, and masks.

    To the right of `divider`, a share of the width, `other` takes the overlay's place.
    """
    picture = _sampled(photo, camera)
    border = camera.width if divider is None else round(divider * camera.width)
    for layer, columns in ((overlay, np.s_[:border]), (other, np.s_[border:])):
        if layer is not None and picture[:, columns].size:
            picture[:, columns] = _over(_sampled(layer, camera)[:, columns], picture[:, columns])
    if masks is not None and not masks.is_empty:
        # Taken first: the palette only ever grows beyond what the index needs while the picture is computed.
        palette = masks.palette
        slots = erp_to_camera(masks.index, camera, nearest=True)
        picture = _over(painted(np.minimum(slots, len(palette) - 1), palette, MASK_BORDER), picture)
    return picture


def _over(layer: NDArray[np.uint8], picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A premultiplied RGBA picture over an RGB one."""
    wide = layer.astype(np.uint16)
    blended = picture * (255 - wide[..., 3:]) + 127
    return (blended // 255 + wide[..., :3]).clip(0, 255).astype(np.uint8)


def _sampled(pyramid: Pyramid, camera: Camera) -> NDArray[np.uint8]:
    """The view of the level with about as many pixels as the screen has."""
    level = pyramid.levels[pyramid.level_for(2 * np.pi * camera.focal_px)]
    return np.ascontiguousarray(erp_to_camera(level, camera))
