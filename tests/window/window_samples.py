"""Painted panoramas, gestures and pictures of widgets."""

import time

import cv2
import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from core.geometry.sphere import erp_angles


def painted(height, width=None):
    """Smooth colours that tell every direction from every other: red and blue by longitude, green by latitude."""
    width = width or 2 * height
    lon, lat = erp_angles(height, width)
    rgb = np.empty((height, width, 3))
    across = np.cos(lat)[:, None]
    rgb[..., 0] = 128 + 110 * across * np.cos(lon)
    rgb[..., 1] = (128 + 110 * np.sin(lat))[:, None]
    rgb[..., 2] = 128 + 110 * across * np.sin(lon)
    return np.rint(rgb).astype(np.uint8)


def send_mouse(widget, kind, x, y, *, button=Qt.MouseButton.NoButton, held=Qt.MouseButton.NoButton):
    """A mouse event at once; QTest moves the real cursor, whose events arrive some time later."""
    where = QPointF(x, y)
    event = QMouseEvent(kind, where, widget.mapToGlobal(where), button, held, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(widget, event)


def hover(widget, x, y):
    send_mouse(widget, QEvent.Type.MouseMove, x, y)


def drag(widget, *points, button=Qt.MouseButton.LeftButton):
    """Press at the first point, move over the others, let go at the last."""
    send_mouse(widget, QEvent.Type.MouseButtonPress, *points[0], button=button, held=button)
    for point in points[1:]:
        send_mouse(widget, QEvent.Type.MouseMove, *point, held=button)
    send_mouse(widget, QEvent.Type.MouseButtonRelease, *points[-1], button=button)


def turn_wheel(widget, x, y, steps, modifiers=Qt.KeyboardModifier.NoModifier):
    """Turn the mouse's wheel by whole steps; positive is away from the user."""
    where = QPointF(x, y)
    event = QWheelEvent(
        where,
        widget.mapToGlobal(where),
        QPoint(),
        QPoint(0, 120 * steps),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)


def array_from_qimage(image):
    """(h, w, 3) RGB uint8 copy of a picture."""
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    height, width = image.height(), image.width()
    rows = np.frombuffer(image.constBits(), np.uint8, height * image.bytesPerLine()).reshape(height, -1)
    return rows[:, : width * 3].reshape(height, width, 3).copy()


def shot(widget):
    """(h, w, 3) int RGB of what a widget shows."""
    return array_from_qimage(widget.grab().toImage()).astype(int)


def write_panorama(path, height=128, width=None):
    """A painted picture as a file."""
    cv2.imwrite(str(path), painted(height, width)[..., ::-1])
    return path


def press(window, key, modifier=Qt.KeyboardModifier.NoModifier):
    """Press a key of the window."""
    QTest.keyClick(window, key, modifier)


def settled_shot(view):
    """What `shot` gives of a view of points, once all of it is drawn."""
    deadline = time.monotonic() + 120
    QApplication.processEvents()
    while not view.settled:
        QApplication.processEvents()
        assert time.monotonic() < deadline
    return shot(view)
