"""Looking around in the panorama as if one stood in it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPainterPath, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from core.geometry.camera import Camera
from core.pyramid import Pyramid
from panoviewer.look import dragged, turned, zoomed
from panoviewer.translation import tr
from panoviewer.views.mark_painter import paint_line, paint_point, paint_ring, paint_text
from panoviewer.views.marks import Marks, PathMark, PointMark, TextMark, smooth_path, visible_runs
from panoviewer.views.masks import MaskMap, Part
from panoviewer.views.mouse import WHEEL_FACTOR, Mouse, Pointer
from panoviewer.views.perspective_cpu import Background, CpuCanvas
from panoviewer.views.perspective_gl import GlCanvas

KEY_TURN = 0.08
"""Share of the field of view that one press of an arrow key turns."""


class PerspectiveView(QWidget):
    """The look-around view: turns gestures into cameras of the level frame and shows the one that it is given.

    All that the mouse does is told by `mouse`.

    Signals:
        camera_changed(object): The user wants this `Camera`, in the level frame.
        resized(int, int): Height and width in device pixels.
    """

    camera_changed = Signal(object)
    resized = Signal(int, int)

    def __init__(
        self, *, opengl: bool, max_texture_width: int, background: Background, parent: QWidget | None = None
    ) -> None:
        """Make the view.

        Args:
            opengl: Draw with OpenGL; otherwise with the processor.
            max_texture_width: Widest texture, in pixels.
            background: Runs the drawing without OpenGL.
            parent: Its parent.
        """
        super().__init__(parent)
        self.setAccessibleName(tr("Look around"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.canvas: GlCanvas | CpuCanvas = GlCanvas(max_texture_width, self) if opengl else CpuCanvas(background, self)
        self.canvas.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._marks = _Marks(self)
        self._camera: Camera | None = None
        self._photo: Camera | None = None
        self._held: tuple[tuple[float, float], Camera] | None = None
        self.mouse = Mouse(self, self)

    def set_panorama(self, pyramid: Pyramid | None, *, sharper: bool = False) -> None:
        """Show another picture, without overlay, masks and marks.

        Args:
            pyramid: The picture.
            sharper: It is the one that is shown, with more pixels: that one stays until it can be replaced at once.
        """
        self.canvas.set_masks(None)
        self.canvas.set_picture("overlay", None)
        self.set_other(None, None)
        self.canvas.set_picture("photo", pyramid, sharper=sharper)
        self.set_marks(())

    def set_photo(self, pyramid: Pyramid) -> None:
        """Show the same picture in other colours; the old ones stay until all of the new ones can be shown."""
        self.canvas.set_picture("photo", pyramid, sharper=True)

    def set_overlay(self, overlay: Pyramid | None) -> None:
        """Lay a premultiplied RGBA picture over the photo."""
        self.canvas.set_picture("overlay", overlay)

    def set_other(self, other: Pyramid | None, divider: float | None) -> None:
        """Show another overlay instead, to the right of a share of the view's width; None for nowhere."""
        self.canvas.set_other(other, divider)

    def set_masks(self, masks: MaskMap | None) -> None:
        """Lay the masks of a map over everything so far; None for none."""
        self.canvas.set_masks(masks)

    def update_masks(self, parts: Sequence[Part]) -> None:
        """The map has changed in these parts, or its palette has."""
        self.canvas.update_masks(parts)

    def set_marks(self, marks: Marks) -> None:
        """Draw these points and lines over the masks, instead of those before."""
        self._marks.set_marks(marks)

    def set_camera(self, camera: Camera, photo: Camera) -> None:
        """Look along a camera, given in the level frame, where gestures work, and in the photograph's."""
        self._camera, self._photo = camera, photo
        self._marks.set_camera(photo, self.devicePixelRatioF())
        self.canvas.set_camera(photo)

    def set_cursor(self, direction: NDArray[np.float64] | None) -> None:
        """Mark a direction of the photograph's frame, or nothing."""
        self._marks.set_cursor(direction)

    def zoom(self, factor: float) -> None:
        """Magnify about the middle."""
        if self._camera is not None:
            self.camera_changed.emit(zoomed(self._camera, (self._camera.width / 2, self._camera.height / 2), factor))

    def turn(self, right: float, up: float) -> None:
        """Turn by shares of the field of view."""
        if self._camera is not None:
            step = self._camera.fov_x
            self.camera_changed.emit(turned(self._camera, right * step, up * step))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Canvas and marks fill the view; the camera gets as many pixels as the screen."""
        super().resizeEvent(event)
        self.canvas.setGeometry(self.rect())
        self._marks.setGeometry(self.rect())
        self._marks.raise_()
        ratio = self.devicePixelRatioF()
        self.resized.emit(max(1, round(self.height() * ratio)), max(1, round(self.width() * ratio)))

    def direction_at(self, position: QPointF) -> NDArray[np.float64] | None:
        """(3,) the direction at a position in logical pixels; None before there is a camera."""
        return None if self._photo is None else self._photo.directions(*self._pixel(position))

    def box_between(self, start: Pointer, end: Pointer) -> NDArray[np.float64]:
        """(n, 3) border of the rectangle that a drag spans in this view: one of the screen."""
        first, last = start.position, end.position
        corners = [first, QPointF(last.x(), first.y()), last, QPointF(first.x(), last.y())]
        directions = [self.direction_at(corner) for corner in corners]
        return np.array([direction for direction in directions if direction is not None]).reshape(-1, 3)

    def begin_pan(self, position: QPointF) -> None:
        """Take hold of the picture."""
        self._held = None if self._camera is None else (self._pixel(position), self._camera)

    def pan_to(self, position: QPointF) -> None:
        """Turn with the mouse."""
        if self._held is not None:
            start, camera = self._held
            self.camera_changed.emit(dragged(camera, start, self._pixel(position)))

    def zoom_about(self, position: QPointF, factor: float) -> None:
        """Magnify; what is at the position stays there."""
        if self._camera is not None:
            self.camera_changed.emit(zoomed(self._camera, self._pixel(position), factor))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows turn, plus and minus zoom."""
        key = Qt.Key(event.key())
        turns = {
            Qt.Key.Key_Left: (-KEY_TURN, 0.0),
            Qt.Key.Key_Right: (KEY_TURN, 0.0),
            Qt.Key.Key_Up: (0.0, KEY_TURN),
            Qt.Key.Key_Down: (0.0, -KEY_TURN),
        }
        zooms = {
            Qt.Key.Key_Plus: WHEEL_FACTOR,
            Qt.Key.Key_Equal: WHEEL_FACTOR,
            Qt.Key.Key_PageUp: WHEEL_FACTOR,
            Qt.Key.Key_Minus: 1 / WHEEL_FACTOR,
            Qt.Key.Key_PageDown: 1 / WHEEL_FACTOR,
        }
        if key in turns:
            self.turn(*turns[key])
        elif key in zooms:
            self.zoom(zooms[key])
        else:
            super().keyPressEvent(event)

    def _pixel(self, position: QPointF) -> tuple[float, float]:
        ratio = self.devicePixelRatioF()
        return position.x() * ratio, position.y() * ratio


class _Marks(QWidget):
    """What is drawn over the canvas: a tool's points and lines, the cursor, the field of view."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._camera: Camera | None = None
        self._ratio = 1.0
        self._direction: NDArray[np.float64] | None = None
        self._lines: list[tuple[PathMark, NDArray[np.float64]]] = []
        self._points: list[PointMark] = []
        self._texts: list[TextMark] = []

    def set_camera(self, camera: Camera, ratio: float) -> None:
        self._camera, self._ratio = camera, ratio
        self.update()

    def set_cursor(self, direction: NDArray[np.float64] | None) -> None:
        self._direction = direction
        self.update()

    def set_marks(self, marks: Marks) -> None:
        self._lines = [(mark, smooth_path(mark)) for mark in marks if isinstance(mark, PathMark)]
        self._points = [mark for mark in marks if isinstance(mark, PointMark)]
        self._texts = [mark for mark in marks if isinstance(mark, TextMark)]
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        camera = self._camera
        if camera is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for line, directions in self._lines:
            for run in visible_runs(directions, camera):
                path = QPainterPath(QPointF(*run[0]) / self._ratio)
                for pixel in run[1:]:
                    path.lineTo(QPointF(*pixel) / self._ratio)
                paint_line(painter, path, line.color, dashed=line.dashed)
        for mark in self._points:
            place = self._place_of(camera, mark.direction)
            if place is not None:
                paint_point(painter, place, mark.sign)
        for text in self._texts:
            place = self._place_of(camera, text.direction)
            if place is not None:
                paint_text(painter, place, text.text)
        if self._direction is not None:
            place = self._place_of(camera, self._direction)
            if place is not None:
                paint_ring(painter, place)
        self._paint_angle(painter, camera)
        painter.end()

    def _place_of(self, camera: Camera, direction: NDArray[np.float64]) -> QPointF | None:
        u, v = camera.project(direction)
        return QPointF(float(u), float(v)) / self._ratio if np.isfinite(u) else None

    def _paint_angle(self, painter: QPainter, camera: Camera) -> None:
        text = f"{math.degrees(camera.fov_x):.0f}°"
        box = QRectF(painter.fontMetrics().boundingRect(text)).adjusted(-7, -3, 7, 3)
        box.moveBottomRight(QPointF(self.width() - 8, self.height() - 8))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, 110))
        painter.drawRoundedRect(box, 4, 4)
        painter.setPen(QColor(255, 255, 255, 200))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
