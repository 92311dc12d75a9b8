"""The line between two overlays that are compared; it lies over a view and is dragged."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from panoviewer.translation import tr

WIDTH = 21
KEY_STEP = 0.02
LINE, SHADOW = QColor(255, 255, 255, 230), QColor(0, 0, 0, 150)


class SwipeHandle(QWidget):
    """A line from top to bottom with A on its left and B on its right.

    Signals:
        moved(float): The user wants it at this share of the view's width.
    """

    moved = Signal(float)

    def __init__(self, view: QWidget) -> None:
        """Lay it over a view, where it is hidden at first."""
        super().__init__(view)
        self.setAccessibleName(tr("Divider"))
        self.setToolTip(tr("Drag: A on the left, B on the right. With the keyboard: Ctrl + Left, Ctrl + Right."))
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self._view = view
        self._place = 0.5
        self._grip = 0.0
        view.installEventFilter(self)
        self.hide()

    def set_place(self, place: float | None) -> None:
        """Lie at a share of the view's width, or nowhere."""
        if place is not None:
            self._place = place
            self._settle()
        self.setVisible(place is not None)
        self.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Stay at the same share when the view gets another size."""
        if event.type() == QEvent.Type.Resize:
            self._settle()
        return super().eventFilter(watched, event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold of it where it was touched."""
        self._grip = event.position().x() - self.width() / 2
        self.setFocus(Qt.FocusReason.MouseFocusReason)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow the mouse."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            # Not its own coordinates: it moves under the mouse.
            self._ask(self._view.mapFromGlobal(event.globalPosition()).x() - self._grip)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows move it while it has the focus."""
        step = {Qt.Key.Key_Left: -KEY_STEP, Qt.Key.Key_Right: KEY_STEP}.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        else:
            self._ask((self._place + step) * self._view.width())

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        """A line that is seen on light and on dark."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.width() / 2
        for color, width in ((SHADOW, 4), (LINE, 2)):
            painter.setPen(QPen(color, width))
            painter.drawLine(QPointF(middle, 0), QPointF(middle, self.height()))
        box = QRectF(0.5, self.height() / 2 - 11, self.width() - 1, 22)
        painter.setPen(QPen(SHADOW, 1))
        painter.setBrush(LINE)
        painter.drawRoundedRect(box, 5, 5)
        font = painter.font()
        font.setPixelSize(11)
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(QColor(30, 30, 34))
        painter.drawText(box.adjusted(2, 0, -box.width() / 2, 0), Qt.AlignmentFlag.AlignCenter, "A")
        painter.drawText(box.adjusted(box.width() / 2, 0, -2, 0), Qt.AlignmentFlag.AlignCenter, "B")
        painter.end()

    def _ask(self, x: float) -> None:
        self.moved.emit(min(max(x / max(self._view.width(), 1), 0.0), 1.0))

    def _settle(self) -> None:
        self.setGeometry(round(self._place * self._view.width() - WIDTH / 2), 0, WIDTH, self._view.height())
