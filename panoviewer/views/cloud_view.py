"""The point cloud in 3D, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QStackedLayout, QWidget

from panoviewer.orbit import Orbit, Stand
from panoviewer.translation import mark, tr
from panoviewer.views.cloud_buffer import CloudBuffer
from panoviewer.views.cloud_canvas import CloudCanvas, CloudColor

EMPTY = mark("The point cloud appears here: press 4, or 3D in the tool bar.")


class CloudView(QWidget):
    """Shows a packed cloud and lets the user circle around it.

    Drag turns, Shift or the right button moves, the wheel zooms, a double click circles around the point that was hit.
    Without OpenGL it shows why it is empty.

    Signals:
        hovered(object): (3,) the point under the mouse, in the cloud's frame; None when there is none.
        clicked(object): The same of the left button that went down and up at one place.
        stand_wanted: The user wants to stand where the photograph was taken, or no longer.
    """

    hovered = Signal(object)
    clicked = Signal(object)
    stand_wanted = Signal()

    def __init__(self, unavailable: str | None, parent: QWidget | None = None) -> None:
        """Make the view.

        Args:
            unavailable: Why there is no OpenGL; None when there is.
            parent: Its parent.
        """
        super().__init__(parent)
        self.setAccessibleName(tr("3D view"))
        self._layout = QStackedLayout(self)
        self._message = QLabel(tr(EMPTY), wordWrap=True, alignment=Qt.AlignmentFlag.AlignCenter)
        self._message.setObjectName("placeholder")
        self._layout.addWidget(self._message)
        self._canvas: CloudCanvas | None = None
        if unavailable is None:
            self._canvas = CloudCanvas(self)
            self._canvas.hovered.connect(self.hovered)
            self._canvas.clicked.connect(self.clicked)
            self._canvas.stand_wanted.connect(self.stand_wanted)
            self._layout.addWidget(self._canvas.widget)
        else:
            self._message.setText(
                tr("The 3D view needs OpenGL. {unavailable} Everything else works without it.", unavailable=unavailable)
            )

    @property
    def available(self) -> bool:
        """True when there is OpenGL."""
        return self._canvas is not None

    @property
    def settled(self) -> bool:
        """True when all points are on the screen."""
        return self._canvas is None or self._canvas.settled

    @property
    def point_count(self) -> int:
        """Points that are drawn."""
        return 0 if self._canvas is None else self._canvas.count

    @property
    def orbit(self) -> Orbit | Stand:
        """The view."""
        return Orbit() if self._canvas is None else self._canvas.orbit

    def set_cloud(self, buffer: CloudBuffer | None, *, keep_view: bool) -> None:
        """Show another cloud, or none.

        Args:
            buffer: What to draw.
            keep_view: Leave the eye where it is, when the cloud shows the same place.
        """
        if self._canvas is None:
            return
        self._canvas.set_cloud(buffer, keep_view=keep_view)
        self._layout.setCurrentIndex(0 if buffer is None or len(buffer.vertices) == 0 else 1)
        if buffer is not None and len(buffer.vertices) == 0:
            self._message.setText(tr("No point passes the filters: widen the range or weaken the edge filter."))
        elif buffer is None:
            self._message.setText(tr(EMPTY))

    def set_colors(self, color: CloudColor, limits: tuple[float, float], color_map: str) -> None:
        """Choose what the colours mean; nothing is uploaded again."""
        if self._canvas is not None:
            self._canvas.set_colors(color, limits, color_map)

    def set_see_through(self, *, enabled: bool) -> None:
        """Hide surfaces that are seen from behind, so that a room can be looked into from the outside."""
        if self._canvas is not None:
            self._canvas.set_see_through(enabled=enabled)

    def set_cursor(self, point: NDArray[np.float64] | None) -> None:
        """Mark a point of the cloud's frame, or none."""
        if self._canvas is not None:
            self._canvas.set_cursor(point)

    def set_line(self, points: NDArray[np.float64], texts: Sequence[str] = (), *, closed: bool = False) -> None:
        """Draw a line through (n, 3) points of the cloud's frame; see `CloudCanvas.set_line`."""
        if self._canvas is not None:
            self._canvas.set_line(points, texts, closed=closed)

    def set_photo(self, photo: NDArray[np.uint8] | None, photo_from_cloud: NDArray[np.float64]) -> None:
        """The photograph that lies over the cloud in the view from the camera; see `CloudCanvas.set_photo`."""
        if self._canvas is not None:
            self._canvas.set_photo(photo, photo_from_cloud)

    def set_opacity(self, opacity: float) -> None:
        """How much that photograph hides, from 0 to 1."""
        if self._canvas is not None:
            self._canvas.set_opacity(opacity)

    def look(self, orbit: Orbit | Stand) -> None:
        """Look from elsewhere."""
        if self._canvas is not None:
            self._canvas.set_orbit(orbit)

    def reset(self) -> None:
        """Show the whole cloud again."""
        if self._canvas is not None:
            self._canvas.reset()

    def close_canvas(self) -> None:
        """Give the graphics card's memory back; to be called before the window goes."""
        if self._canvas is not None:
            self._canvas.close()
