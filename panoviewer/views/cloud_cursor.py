"""The cursor over the 3D view: a widget of its own, so that pointing somewhere draws no point again."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPointF, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from panoviewer.views.mark_painter import paint_ring


class CloudCursor(QWidget):
    """A ring over its parent, which it always covers."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._place: QPointF | None = None
        parent.installEventFilter(self)

    def set_place(self, place: QPointF | None) -> None:
        """Show it at a place in logical pixels, or not at all."""
        if place != self._place:
            self._place = place
            self.update()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep the parent's size."""
        if event.type() == QEvent.Type.Resize and isinstance(watched, QWidget):
            self.setGeometry(watched.rect())
        return super().eventFilter(watched, event)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        """Draw the ring."""
        if self._place is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_ring(painter, self._place)
        painter.end()
