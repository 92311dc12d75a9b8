"""What the panorama view draws: photograph and layers, masks, marks, the outline of the other view, the cursor."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from core.geometry.sphere import directions_to_lonlat
from core.pyramid import Pyramid
from panoviewer.images import columns_around, qimage_from_array
from panoviewer.views.mark_painter import paint_line, paint_point, paint_ring, paint_text
from panoviewer.views.marks import Marks, PathMark, PointMark, TextMark, smooth_path, unrolled
from panoviewer.views.masks import MaskMap, painted

ACCENT = (255, 180, 84)
CRISP_PIXELS = 8.0
"""Screen pixels per picture pixel above which pixels are shown as squares."""
INTERSECT = Qt.ClipOperation.IntersectClip
VEIL = QColor(21, 23, 27, 165)
MOST_MASK_PX = 2_500_000
"""Masks are looked up for at most so many screen pixels; on a larger screen each counts for four."""


class Item(pg.GraphicsObject):  # type: ignore[misc]
    """Something that repeats every 360 degrees, in degrees of longitude and latitude."""

    def boundingRect(self) -> QRectF:
        """Everything that can be scrolled to; only the visible part is ever painted."""
        return QRectF(-1e6, -90, 2e6, 180)

    def visible(self) -> QRectF:
        """The degrees in view."""
        box = self.getViewBox()
        return QRectF() if box is None else box.viewRect()

    def turns(self) -> range:
        """Multiples of 360 degrees at which a copy of something within +-360 may be in view."""
        rect = self.visible()
        return range(math.floor((rect.left() - 360) / 360), math.ceil((rect.right() + 360) / 360) + 1)

    def pixels_per_degree(self) -> float:
        """Device pixels per degree in this view."""
        rect, view = self.visible(), self.getViewWidget()
        if view is None or rect.width() <= 0:
            return 1.0
        return float(view.width() * view.devicePixelRatioF() / rect.width())


class PictureItem(Item):
    """The photograph, the overlay on it and the grid. Reads the visible part of the level that fits the screen.

    With a `divider`, a share of the view's width, `other` takes the overlay's place to the right of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.photo: Pyramid | None = None
        self.overlay: Pyramid | None = None
        self.other: Pyramid | None = None
        self.divider: float | None = None
        self.grid = False

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:  # noqa: ARG002
        """Draw what is in view."""
        if self.photo is None:
            return
        painter.save()
        painter.scale(1, -1)
        self._draw(painter, self.photo)
        if self.divider is None:
            parts = [(self.overlay, 0.0, 1.0)]
        else:
            parts = [(self.overlay, 0.0, self.divider), (self.other, self.divider, 1.0)]
        rect = self.visible()
        for pyramid, begin, end in parts:
            if pyramid is not None and begin < end:
                left, width = rect.left() + begin * rect.width(), (end - begin) * rect.width()
                painter.save()
                painter.setClipRect(QRectF(left, -rect.bottom(), width, rect.height()), INTERSECT)
                self._draw(painter, pyramid)
                painter.restore()
        painter.restore()
        if self.grid:
            self._draw_grid(painter)

    def _draw(self, painter: QPainter, pyramid: Pyramid) -> None:
        """Draw the visible part in (longitude, -latitude) degrees."""
        rect = self.visible()
        scale = self.pixels_per_degree()
        picture = pyramid.levels[pyramid.level_for(scale * 360)]
        height, width = picture.shape[:2]
        per_degree = width / 360
        # One pixel more on each side, so that the interpolation at the border sees its true neighbours.
        left = math.floor((rect.left() + 180) * per_degree) - 1
        right = math.ceil((rect.right() + 180) * per_degree) + 1
        upper = max(math.floor((90 - rect.bottom()) * height / 180) - 1, 0)
        lower = min(math.ceil((90 - rect.top()) * height / 180) + 1, height)
        if right <= left or lower <= upper:
            return
        piece = columns_around(picture[upper:lower], left, right)
        target = QRectF(
            left / per_degree - 180,
            upper * 180 / height - 90,
            (right - left) / per_degree,
            (lower - upper) * 180 / height,
        )
        crisp = scale / per_degree > CRISP_PIXELS
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, not crisp)
        painter.drawImage(target, qimage_from_array(piece))

    def _draw_grid(self, painter: QPainter) -> None:
        rect = self.visible()
        pen = QPen(QColor(255, 255, 255, 70), 1)
        pen.setCosmetic(True)
        painter.setPen(pen)
        step = next(step for step in (30, 10, 5, 1) if step == 1 or rect.height() > 3 * step)
        for lon in range(math.floor(rect.left() / step) * step, math.ceil(rect.right()) + 1, step):
            painter.drawLine(QPointF(lon, -90), QPointF(lon, 90))
        for lat in range(-90, 91, step):
            painter.drawLine(QPointF(rect.left(), lat), QPointF(rect.right(), lat))


class MaskItem(Item):
    """The masks, looked up for every pixel of the screen; kept until they, the view or its size change."""

    def __init__(self) -> None:
        super().__init__()
        self.masks: MaskMap | None = None
        self._kept: tuple[object, QImage] | None = None

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:  # noqa: ARG002
        """Draw what is in view."""
        masks, view = self.masks, self.getViewWidget()
        if masks is None or masks.is_empty or view is None:
            self._kept = None
            return
        # Not the visible range but what the painter really does: a pixel of rounding would show at the borders.
        transform = painter.transform()
        size, ratio = view.viewport().size(), view.devicePixelRatioF()
        key = masks, masks.version, transform, size, ratio
        if self._kept is None or self._kept[0] != key:
            if size.width() * size.height() * ratio**2 > MOST_MASK_PX:
                ratio /= 2
            inverse, _ = transform.inverted()
            lon = inverse.dx() + inverse.m11() * (np.arange(round(size.width() * ratio)) + 0.5) / ratio
            lat = inverse.dy() + inverse.m22() * (np.arange(round(size.height() * ratio)) + 0.5) / ratio
            height, width = masks.index.shape
            columns = np.floor((lon / 360 + 0.5) * width).astype(np.intp) % width
            rows = np.clip(np.floor((0.5 - lat / 180) * height).astype(np.intp), 0, height - 1)
            picture = painted(masks.index[rows[:, None], columns], masks.palette, max(1, round(1.5 * ratio)))
            image = qimage_from_array(picture)
            image.setDevicePixelRatio(ratio)
            self._kept = key, image
        painter.save()
        painter.resetTransform()
        painter.drawImage(QPointF(0, 0), self._kept[1])
        painter.restore()


class MarksItem(Item):
    """Points and lines that a tool wants to be seen."""

    def __init__(self) -> None:
        super().__init__()
        self._paths: list[tuple[PathMark, QPainterPath]] = []
        self._points: list[tuple[PointMark, QPointF]] = []
        self._texts: list[tuple[TextMark, QPointF]] = []

    def set_marks(self, marks: Marks) -> None:
        """Draw these instead."""
        self._paths = [(mark, _path(unrolled(smooth_path(mark)))) for mark in marks if isinstance(mark, PathMark)]
        self._points = [
            (mark, QPointF(*unrolled(mark.direction[None])[0])) for mark in marks if isinstance(mark, PointMark)
        ]
        self._texts = [
            (mark, QPointF(*unrolled(mark.direction[None])[0])) for mark in marks if isinstance(mark, TextMark)
        ]
        self.update()

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:  # noqa: ARG002
        """Draw them on every copy of the panorama in view."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        transform = painter.transform()
        painter.save()
        painter.resetTransform()
        for turn in self.turns():
            for path_mark, path in self._paths:
                paint_line(
                    painter, transform.map(path.translated(360.0 * turn, 0)), path_mark.color, dashed=path_mark.dashed
                )
            for point_mark, place in self._points:
                paint_point(painter, transform.map(place + QPointF(360.0 * turn, 0)), point_mark.sign)
            for text_mark, place in self._texts:
                paint_text(painter, transform.map(place + QPointF(360.0 * turn, 0)), text_mark.text)
        painter.restore()


class VeilItem(Item):
    """Dims what is there for the second time, beyond half a turn to either side of the middle."""

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:  # noqa: ARG002
        """Draw it over what is in view."""
        rect = self.visible()
        middle = rect.center().x()
        for left, right in ((rect.left(), middle - 180), (middle + 180, rect.right())):
            if left < right:
                painter.fillRect(QRectF(left, -90, right - left, 180), VEIL)


class OutlineItem(Item):
    """The border of the look-around view."""

    def __init__(self) -> None:
        super().__init__()
        self._path = QPainterPath()

    def set_directions(self, directions: NDArray[np.float64]) -> None:
        """Take another border, (n, 3)."""
        self._path = _path(unrolled(directions))
        self.update()

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:  # noqa: ARG002
        """Draw it on every copy of the panorama in view."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        transform = painter.transform()
        painter.save()
        painter.resetTransform()
        for turn in self.turns():
            paint_line(painter, transform.map(self._path.translated(360.0 * turn, 0)), ACCENT)
        painter.restore()


class CursorItem(Item):
    """A ring around the direction under the mouse of whichever view."""

    def __init__(self) -> None:
        super().__init__()
        self._place: QPointF | None = None

    def set_direction(self, direction: NDArray[np.float64] | None) -> None:
        """Mark another direction, or none."""
        self._place = None
        if direction is not None:
            lon, lat = directions_to_lonlat(direction)
            self._place = QPointF(math.degrees(float(lon)), math.degrees(float(lat)))
        self.update()

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:  # noqa: ARG002
        """Draw the ring, of constant size on the screen."""
        if self._place is None:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        transform = painter.transform()
        painter.save()
        painter.resetTransform()
        for turn in self.turns():
            paint_ring(painter, transform.map(self._place + QPointF(360.0 * turn, 0)))
        painter.restore()


def _path(lonlat: NDArray[np.float64]) -> QPainterPath:
    path = QPainterPath(QPointF(*lonlat[0]))
    for lon, lat in lonlat[1:]:
        path.lineTo(QPointF(lon, lat))
    return path
