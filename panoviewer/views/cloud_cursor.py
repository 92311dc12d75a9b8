"""What lies over the 3D view: a widget of its own, so that pointing somewhere draws no point again."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, QPointF, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QWidget

from panoviewer.views.mark_painter import paint_line, paint_point, paint_ring, paint_text
from panoviewer.views.marks import LINE_COLOR, Sign

Piece = tuple[QPointF, QPointF, bool]
"""A straight line on the screen, and whether it is dashed."""


class CloudCursor(QWidget):
    """A ring, a line with its corners and texts over its parent, which it always covers."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._place: QPointF | None = None
        self._pieces: Sequence[Piece] = ()
        self._corners: Sequence[QPointF] = ()
        self._texts: Sequence[tuple[QPointF, str]] = ()
        parent.installEventFilter(self)

    def set_place(self, place: QPointF | None) -> None:
        """Show the ring at a place in logical pixels, or not at all."""
        if place != self._place:
            self._place = place
            self.update()

    def set_line(
        self, pieces: Sequence[Piece], corners: Sequence[QPointF], texts: Sequence[tuple[QPointF, str]]
    ) -> None:
        """Show a line in logical pixels: what is seen of it, of its corners, and its texts."""
        if pieces or corners or texts or self._pieces or self._corners or self._texts:
            self._pieces, self._corners, self._texts = pieces, corners, texts
            self.update()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep the parent's size."""
        if event.type() == QEvent.Type.Resize and isinstance(watched, QWidget):
            self.setGeometry(watched.rect())
        return super().eventFilter(watched, event)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        """Draw everything."""
        if self._place is None and not self._corners and not self._pieces:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for start, end, dashed in self._pieces:
            path = QPainterPath(start)
            path.lineTo(end)
            paint_line(painter, path, LINE_COLOR, dashed=dashed)
        for corner in self._corners:
            paint_point(painter, corner, Sign.CORNER)
        for place, text in self._texts:
            paint_text(painter, place, text)
        if self._place is not None:
            paint_ring(painter, self._place)
        painter.end()
