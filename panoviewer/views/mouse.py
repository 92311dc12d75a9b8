"""What the mouse does in a view of the sphere, told in directions: the one contract that all such views share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from core.geometry.sphere import directions_to_lonlat

CLICK_PX = 4
"""A press that travels no farther than this is a click, however long it lasts."""
WHEEL_FACTOR = 1.2
WHEEL_STEP = 120

_TOOL_KEYS = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier


@dataclass(frozen=True, eq=False)
class Pointer:
    """The mouse at one moment.

    Attributes:
        direction: (3,) what it points at, in the photograph's frame.
        position: Where it is in the view, in logical pixels.
        button: The button that this is about; `NoButton` while none is held.
        modifiers: The keys that are held.
        start: Where that button went down; None before and without one.
    """

    direction: NDArray[np.float64]
    position: QPointF
    button: Qt.MouseButton
    modifiers: Qt.KeyboardModifier
    start: Pointer | None = None

    @property
    def lonlat(self) -> tuple[float, float]:
        """Longitude and latitude in radians."""
        lon, lat = directions_to_lonlat(self.direction)
        return float(lon), float(lat)

    def holds(self, modifier: Qt.KeyboardModifier) -> bool:
        """Whether a key is held."""
        return bool(self.modifiers & modifier)


class Surface(Protocol):
    """What a view has to know for its mouse."""

    def direction_at(self, position: QPointF) -> NDArray[np.float64] | None:
        """(3,) the direction at a position in logical pixels; None where there is none."""

    def begin_pan(self, position: QPointF) -> None:
        """The picture is taken hold of."""

    def pan_to(self, position: QPointF) -> None:
        """What was under the position of `begin_pan` shall be here."""

    def zoom_about(self, position: QPointF, factor: float) -> None:
        """Magnify; what is at the position stays there."""


class Mouse(QObject):
    """The mouse of one view.

    Without a tool every left drag moves the picture. With one (`set_tool`) the drags of the tool's buttons are the
    tool's, and a middle drag, or a left one while `set_panning` holds, moves the picture. The wheel zooms always; with
    Ctrl or Shift it is the tool's.

    Signals (each carries a `Pointer`):
        pressed: A button of the tool went down.
        dragged: It is moved while held, more than a click's trembling; `start` is where it went down.
        released: It went up again. Comes after every `pressed`, also when the drag was interrupted.
        clicked: Any button went down and up at one place; after `released`.
        double_clicked: The second press of a double click; that press is told by the others, too.
        moved: The mouse points elsewhere, held or not; None when it has left the view.
        wheeled(Pointer, float): Turned by so many steps, away from the user positive, for the tool.
    """

    pressed = Signal(object)
    dragged = Signal(object)
    released = Signal(object)
    clicked = Signal(object)
    double_clicked = Signal(object)
    moved = Signal(object)
    wheeled = Signal(object, float)

    def __init__(self, surface: Surface, widget: QWidget) -> None:
        """Listen to a widget.

        Args:
            surface: The view, which turns positions into directions.
            widget: Where the events arrive; its parent afterwards.
        """
        super().__init__(widget)
        self._surface = surface
        self._widget = widget
        self._tool_buttons = Qt.MouseButton.NoButton
        self._shape = Qt.CursorShape.OpenHandCursor
        self._panning = False
        self._start: Pointer | None = None
        self._pans = False
        self._travelled = False
        self._handlers = {
            QEvent.Type.MouseButtonPress: self._press,
            QEvent.Type.MouseButtonDblClick: self._press_again,
            QEvent.Type.MouseMove: self._move,
            QEvent.Type.MouseButtonRelease: self._release,
        }
        widget.setMouseTracking(True)
        widget.installEventFilter(self)
        self._show_shape()

    def set_tool(self, buttons: Qt.MouseButton, shape: Qt.CursorShape) -> None:
        """Give drags to a tool, or with `NoButton` and an open hand to none.

        Args:
            buttons: Whose drags are the tool's.
            shape: Of the cursor over the view.
        """
        self.interrupt()
        self._tool_buttons, self._shape = buttons, shape
        self._show_shape()

    def set_panning(self, *, enabled: bool) -> None:
        """Let left drags move the picture although there is a tool."""
        self._panning = enabled
        self._show_shape()

    def interrupt(self) -> None:
        """End the drag, as if the button had gone up where it went down."""
        start, self._start = self._start, None
        if start is not None and not self._pans:
            self.released.emit(start)
        self._show_shape()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take the widget's mouse events."""
        if isinstance(event, QMouseEvent) and event.type() in self._handlers:
            self._handlers[event.type()](event)
            return True
        if isinstance(event, QWheelEvent):
            self._wheel(event)
            return True
        if event.type() == QEvent.Type.Leave:
            self.moved.emit(None)
        return super().eventFilter(watched, event)

    def _press(self, event: QMouseEvent) -> None:
        pointer = self._pointer(event.position(), event.button(), event.modifiers())
        if pointer is None or self._start is not None:
            return
        left, middle = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton
        free = self._panning or not self._tool_buttons & left
        self._pans = event.button() == middle or (event.button() == left and free)
        self._start, self._travelled = pointer, False
        self._show_shape()
        if self._pans:
            self._surface.begin_pan(event.position())
        elif self._is_tools(event.button()):
            self.pressed.emit(pointer)

    def _press_again(self, event: QMouseEvent) -> None:
        self._press(event)
        if self._start is not None:
            self.double_clicked.emit(self._start)

    def _move(self, event: QMouseEvent) -> None:
        start = self._start
        if start is not None and not self._travelled:
            way = event.position() - start.position
            self._travelled = math.hypot(way.x(), way.y()) > CLICK_PX
        if start is not None and self._travelled and self._pans:
            self._surface.pan_to(event.position())
        button = Qt.MouseButton.NoButton if start is None else start.button
        pointer = self._pointer(event.position(), button, event.modifiers(), start)
        if pointer is not None and start is not None and self._travelled and self._is_tools(button) and not self._pans:
            self.dragged.emit(pointer)
        self.moved.emit(pointer)

    def _release(self, event: QMouseEvent) -> None:
        start = self._start
        if start is None or event.button() != start.button:
            return
        self._start = None
        self._show_shape()
        pointer = self._pointer(event.position(), start.button, event.modifiers(), start)
        if pointer is None:
            pointer = start
        if not self._pans and self._is_tools(start.button):
            self.released.emit(pointer)
        has_tool = self._tool_buttons != Qt.MouseButton.NoButton
        if not self._travelled and not (self._pans and has_tool):
            self.clicked.emit(pointer)

    def _wheel(self, event: QWheelEvent) -> None:
        turned = event.angleDelta().y() or event.angleDelta().x()
        steps = turned / WHEEL_STEP
        if self._tool_buttons != Qt.MouseButton.NoButton and event.modifiers() & _TOOL_KEYS:
            pointer = self._pointer(event.position(), Qt.MouseButton.NoButton, event.modifiers())
            if pointer is not None:
                self.wheeled.emit(pointer, steps)
        else:
            self._surface.zoom_about(event.position(), WHEEL_FACTOR**steps)
        event.accept()

    def _is_tools(self, button: Qt.MouseButton) -> bool:
        return bool(self._tool_buttons & button)

    def _pointer(
        self, position: QPointF, button: Qt.MouseButton, modifiers: Qt.KeyboardModifier, start: Pointer | None = None
    ) -> Pointer | None:
        direction = self._surface.direction_at(position)
        return None if direction is None else Pointer(direction, QPointF(position), button, modifiers, start)

    def _show_shape(self) -> None:
        if self._start is not None and self._pans:
            self._widget.setCursor(Qt.CursorShape.ClosedHandCursor)
        else:
            self._widget.setCursor(Qt.CursorShape.OpenHandCursor if self._panning else self._shape)
