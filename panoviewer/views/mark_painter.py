"""How points and lines look, in every view: light on dark, so that they are seen on any photograph."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen

from panoviewer.views.marks import Rgb, Sign

SHADOW = QColor(0, 0, 0, 170)
RING = QColor("#ffffff")
SIGN_COLORS = {Sign.POSITIVE: QColor("#3fb950"), Sign.NEGATIVE: QColor("#f85149"), Sign.CORNER: QColor("#ffb454")}
POINT_RADIUS = 7.0
CORNER_RADIUS = 4.0
CURSOR_RADIUS = 6.0
TEXT_MARGIN, TEXT_GAP = 5.0, 9.0


def paint_line(painter: QPainter, path: QPainterPath, color: Rgb, *, dashed: bool = False) -> None:
    """Draw a line given in logical pixels."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(SHADOW, 4.5))
    painter.drawPath(path)
    pen = QPen(QColor(*color), 2.2)
    if dashed:
        pen.setDashPattern([4.0, 3.0])
    painter.setPen(pen)
    painter.drawPath(path)


def paint_point(painter: QPainter, centre: QPointF, sign: Sign) -> None:
    """Draw a point at a place given in logical pixels."""
    radius = CORNER_RADIUS if sign is Sign.CORNER else POINT_RADIUS
    painter.setBrush(SIGN_COLORS[sign])
    painter.setPen(QPen(SHADOW, 3.5))
    painter.drawEllipse(centre, radius, radius)
    painter.setPen(QPen(RING, 1.6))
    painter.drawEllipse(centre, radius, radius)
    arm = 0.5 * radius
    if sign is not Sign.CORNER:
        painter.drawLine(centre - QPointF(arm, 0), centre + QPointF(arm, 0))
    if sign is Sign.POSITIVE:
        painter.drawLine(centre - QPointF(0, arm), centre + QPointF(0, arm))


def paint_text(painter: QPainter, place: QPointF, text: str) -> None:
    """Write a short text with its lower edge just above a place given in logical pixels."""
    box = QRectF(painter.fontMetrics().boundingRect(text)).adjusted(-TEXT_MARGIN, -2, TEXT_MARGIN, 2)
    box.moveCenter(place)
    box.moveBottom(place.y() - TEXT_GAP)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(SHADOW)
    painter.drawRoundedRect(box, 4, 4)
    painter.setPen(RING)
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)


def paint_ring(painter: QPainter, centre: QPointF) -> None:
    """Draw the cursor of another view."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for color, width in ((SHADOW, 3.0), (RING, 1.4)):
        painter.setPen(QPen(color, width))
        painter.drawEllipse(centre, CURSOR_RADIUS, CURSOR_RADIUS)
