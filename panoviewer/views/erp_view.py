"""The whole panorama on its equirectangular grid: it scrolls sideways without end and zooms to single pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget

from core.geometry.sphere import directions_to_lonlat, lonlat_to_directions
from core.pyramid import Pyramid
from panoviewer.translation import tr
from panoviewer.views.erp_items import CursorItem, MarksItem, MaskItem, OutlineItem, PictureItem, VeilItem
from panoviewer.views.marks import Marks, box
from panoviewer.views.masks import MaskMap, Part
from panoviewer.views.mouse import Mouse, Pointer

BACKGROUND = "#15171b"
SMALLEST_SPAN_DEG = 0.5
KEY_SCROLL = 0.08
KEY_ZOOM = 1.25


class ErpView(pg.GraphicsView):  # type: ignore[misc]
    """Shows a pyramid, an overlay, masks, marks, the outline of the look-around view and the cursor.

    Scene coordinates are degrees, longitude to the right and latitude upwards; longitude runs on beyond +-180. All that
    the mouse does is told by `mouse`.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, background=BACKGROUND)
        self.setAccessibleName(tr("Panorama"))
        # A graphics view takes every drop for itself; files are the window's affair.
        self.setAcceptDrops(False)
        self.viewport().setAcceptDrops(False)
        self._box = pg.ViewBox(lockAspect=1.0, enableMenu=False, border=None)
        self._box.setDefaultPadding(0.0)
        self._box.setLimits(yMin=-90, yMax=90, minYRange=SMALLEST_SPAN_DEG, maxYRange=180)
        self.setCentralItem(self._box)
        self._picture = PictureItem()
        self._masks = MaskItem()
        self._marks = MarksItem()
        self._outline = OutlineItem()
        self._cursor = CursorItem()
        for item in (self._picture, self._masks, self._outline, self._marks, VeilItem(), self._cursor):
            self._box.addItem(item, ignoreBounds=True)
        self._fitted = True
        self._held = QPointF(), QRectF()
        self.mouse = Mouse(self, self.viewport())
        self.fit()

    def set_panorama(self, pyramid: Pyramid | None, *, sharper: bool = False) -> None:
        """Show another picture, without overlay, masks and marks.

        Args:
            pyramid: The picture.
            sharper: It is the one that is shown, with more pixels; otherwise the view starts with the whole of it.
        """
        self._picture.photo = pyramid
        self._picture.overlay = self._picture.other = self._picture.divider = None
        self._picture.update()
        self._masks.masks = None
        self.set_marks(())
        if not sharper:
            self.fit()

    def set_photo(self, pyramid: Pyramid) -> None:
        """Show the same picture in other colours."""
        self._picture.photo = pyramid
        self._picture.update()

    def set_overlay(self, overlay: Pyramid | None) -> None:
        """Lay a premultiplied RGBA picture of any size over the photo."""
        self._picture.overlay = overlay
        self._picture.update()

    def set_other(self, other: Pyramid | None, divider: float | None) -> None:
        """Show another overlay instead, to the right of a share of the view's width; None for nowhere."""
        self._picture.other, self._picture.divider = other, divider
        self._picture.update()

    def set_masks(self, masks: MaskMap | None) -> None:
        """Lay the masks of a map over everything so far; None for none."""
        self._masks.masks = masks
        self._masks.update()

    def update_masks(self, parts: Sequence[Part]) -> None:  # noqa: ARG002
        """The map has changed in these parts, or its palette has."""
        self._masks.update()

    def set_marks(self, marks: Marks) -> None:
        """Draw these points and lines over the masks, instead of those before."""
        self._marks.set_marks(marks)

    def set_outline(self, directions: NDArray[np.float64]) -> None:
        """Draw the border of the look-around view: (n, 3) directions, closed."""
        self._outline.set_directions(directions)

    def set_cursor(self, direction: NDArray[np.float64] | None) -> None:
        """Mark a direction, or nothing."""
        self._cursor.set_direction(direction)

    def set_grid(self, *, visible: bool) -> None:
        """Show or hide the lines of longitude and latitude."""
        self._picture.grid = visible
        self._picture.update()

    def fit(self) -> None:
        """Show the panorama from pole to pole, its middle in the middle; a wide view repeats the ends, dimmed."""
        self._fitted = True
        self._fit_about(0.0)

    def show_direction(self, direction: NDArray[np.float64]) -> None:
        """Scroll until a direction is in the middle, as far as the poles let it."""
        lon, lat = (math.degrees(float(angle)) for angle in directions_to_lonlat(direction))
        rect = self._box.viewRect()
        room = 90 - rect.height() / 2
        up = min(max(lat, -room), room) - rect.center().y() if room > 0 else 0.0
        self._box.translateBy(x=math.remainder(lon - rect.center().x(), 360.0), y=up)

    def show_pixels(self) -> None:
        """Magnify about the middle until a pixel of the photo is one of the screen."""
        photo = self._picture.photo
        if photo is not None:
            degrees_px = self._box.viewRect().width() / max(self.viewport().width(), 1)
            self.zoom(degrees_px / self.devicePixelRatioF() * photo.levels[0].shape[1] / 360)

    def zoom(self, factor: float) -> None:
        """Magnify about the middle."""
        self._fitted = False
        self._box.scaleBy((1 / factor, 1 / factor))

    def scroll(self, right: float, up: float) -> None:
        """Move by fractions of what is visible."""
        self._fitted = False
        rect = self._box.viewRect()
        self._box.translateBy(x=right * rect.width(), y=up * rect.height())

    def visible_degrees(self) -> QRectF:
        """What is visible: longitudes, which may lie beyond +-180, and latitudes."""
        return QRectF(self._box.viewRect())

    def position_of(self, direction: NDArray[np.float64]) -> QPointF:
        """Where a direction is in this widget, on the copy of the panorama nearest to the middle."""
        lon, lat = (math.degrees(float(angle)) for angle in directions_to_lonlat(direction))
        middle = self._box.viewRect().center().x()
        lon = middle + math.remainder(lon - middle, 360.0)
        return QPointF(self.mapFromScene(self._box.mapViewToScene(QPointF(lon, lat))))

    def resizeEvent(self, event: QEvent) -> None:
        """Keep the whole panorama in view until the user has moved it."""
        fitted = getattr(self, "_fitted", False)
        lon = self._box.viewRect().center().x() if fitted else 0.0
        super().resizeEvent(event)
        if fitted:
            # A strip or a dock that comes or goes must not turn the panorama away from what was looked for.
            self._fit_about(lon)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows scroll, plus and minus zoom."""
        key = Qt.Key(event.key())
        scrolls = {
            Qt.Key.Key_Left: (-KEY_SCROLL, 0.0),
            Qt.Key.Key_Right: (KEY_SCROLL, 0.0),
            Qt.Key.Key_Up: (0.0, KEY_SCROLL),
            Qt.Key.Key_Down: (0.0, -KEY_SCROLL),
        }
        zooms = {Qt.Key.Key_Plus: KEY_ZOOM, Qt.Key.Key_Equal: KEY_ZOOM, Qt.Key.Key_Minus: 1 / KEY_ZOOM}
        if key in scrolls:
            self.scroll(*scrolls[key])
        elif key in zooms:
            self.zoom(zooms[key])
        else:
            # pyqtgraph would keep it; the window may know what to do with it.
            event.ignore()

    def direction_at(self, position: QPointF) -> NDArray[np.float64]:
        """(3,) the direction at a position in logical pixels; beyond a pole, the pole's edge."""
        lon, lat = self._degrees_at(position)
        return lonlat_to_directions(math.radians(lon), math.radians(min(max(lat, -90.0), 90.0)))

    def box_between(self, start: Pointer, end: Pointer) -> NDArray[np.float64]:
        """(n, 3) border of the rectangle that a drag spans in this view: one of longitudes and latitudes."""
        return box(start.direction, end.direction)

    def begin_pan(self, position: QPointF) -> None:
        """Take hold of the picture."""
        self._held = position, self.visible_degrees()

    def pan_to(self, position: QPointF) -> None:
        """Move the picture with the mouse."""
        self._fitted = False
        start, rect = self._held
        now, way = self._box.viewRect(), position - start
        per_px = rect.width() / max(self.viewport().width(), 1)
        x, y = rect.center().x() - way.x() * per_px, rect.center().y() + way.y() * per_px
        self._box.translateBy(x=x - now.center().x(), y=y - now.center().y())

    def zoom_about(self, position: QPointF, factor: float) -> None:
        """Magnify; what is at the position stays there."""
        self._fitted = False
        self._box.scaleBy((1 / factor, 1 / factor), center=self._degrees_at(position))

    def _fit_about(self, lon: float) -> None:
        half_turn = 90.0 * max(self.width(), 1) / max(self.height(), 1)
        self._box.setRange(xRange=(lon - half_turn, lon + half_turn), yRange=(-90.0, 90.0), padding=0)

    def _degrees_at(self, position: QPointF) -> tuple[float, float]:
        scene_from_view, _ = self.viewportTransform().inverted()
        point = self._box.mapSceneToView(scene_from_view.map(position))
        return point.x(), point.y()
