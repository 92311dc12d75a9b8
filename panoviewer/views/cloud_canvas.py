"""Drawing the point cloud with vispy."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtOpenGLWidgets import QOpenGLWidget
from PySide6.QtWidgets import QWidget
from vispy import app, gloo

from core.colors import colormap
from panoviewer.orbit import Orbit, Stand, framing, picked, seen_piece
from panoviewer.translation import mark, tr
from panoviewer.views.cloud_buffer import CloudBuffer
from panoviewer.views.cloud_cursor import CloudCursor, Piece
from panoviewer.views.cloud_shaders import (
    AXES_FRAGMENT,
    AXES_VERTEX,
    BACKGROUND_FRAGMENT,
    BACKGROUND_VERTEX,
    POINTS_FRAGMENT,
    POINTS_VERTEX,
)

BACKGROUND = (0.082, 0.09, 0.106, 1.0)
WHEEL_FACTOR = 1.15
KEY_TURN = 0.04
WIDEST_POINT = 16.0
"""Pixels across the largest points, at a scale of 1."""
POINT_OVERLAP = 1.8
"""Size of a drawn point in units of the distance to its neighbours; above 1, so that slanted surfaces stay closed."""
CLICK_PX = 4
PICK_REACH_PX = 6.0
HOVER_POINTS = 60_000
AXIS_COLORS = ((0.93, 0.36, 0.33), (0.45, 0.78, 0.40), (0.36, 0.60, 0.95))
PART_POINTS = 20_000
MOST_PARTS = 24
BAND_ROWS = 64
NO_PHOTO = np.zeros((1, 2, 3), np.uint8)
FRAME_SECONDS = 0.02
"""After this no further part is begun in a frame."""


class CloudColor(StrEnum):
    """What the colour of a point means; the order is that of the shader's modes."""

    RGB = mark("colour")
    DEPTH = mark("depth")
    NORMALS = mark("normals")
    CLASSES = mark("classes")


class CloudCanvas(QObject):
    """Draws a packed cloud and turns gestures into orbits.

    Points are drawn a part at a time, each part all over the cloud, as many parts in a frame as there is time for: a
    graphics card draws all at once, a processor fills the picture in over a few frames without holding up the window.

    Signals:
        hovered(object): (3,) the point under the mouse, in the cloud's frame; None when there is none.
        clicked(object): The same of the left button that went down and up at one place.
        stand_wanted: The user wants to stand where the photograph was taken, or no longer.
    """

    hovered = Signal(object)
    clicked = Signal(object)
    stand_wanted = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        app.use_app("pyside6")
        self._canvas = app.Canvas(
            parent=parent, config={"depth_size": 24, "double_buffer": True}, keys=None, autoswap=False, show=False
        )
        self.widget: QOpenGLWidget = self._canvas.native
        # What is drawn stays until it is cleared; parts come on top of it.
        self.widget.setUpdateBehavior(QOpenGLWidget.UpdateBehavior.PartialUpdate)
        self.widget.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.widget.setAccessibleName(tr("Point cloud"))
        self.widget.setMouseTracking(True)
        self.widget.installEventFilter(self)
        self.orbit: Orbit | Stand = Orbit()
        self._buffer: CloudBuffer | None = None
        self._see_through = True
        self._drag: tuple[QPointF, Orbit | Stand, bool] | None = None
        self._is_click = False
        self._gestures: dict[QEvent.Type, Callable[[QMouseEvent], None]] = {
            QEvent.Type.MouseButtonPress: self._press,
            QEvent.Type.MouseMove: self._move,
            QEvent.Type.MouseButtonRelease: self._release,
            QEvent.Type.MouseButtonDblClick: self._focus,
        }
        self._points: gloo.Program | None = None
        self._parts: list[gloo.VertexBuffer | None] = []
        self._drawn = 0
        self._axes: gloo.Program | None = None
        self._background: gloo.Program | None = None
        self._photo: NDArray[np.uint8] | None = None
        self._texture: tuple[NDArray[np.uint8] | None, gloo.Texture2D] | None = None
        self._rows_sent = 0
        self._opacity = 0.0
        self._photo_from_cloud = np.eye(3)
        self._line: tuple[NDArray[np.float64], bool, Sequence[str]] = np.empty((0, 3)), False, ()
        self._table = ""
        self._colors = CloudColor.RGB, (1.0, 2.0), "turbo"
        self._cursor: NDArray[np.float64] | None = None
        self._ring = CloudCursor(self.widget)
        self._hover_step = 1
        self._canvas.events.draw.connect(self._on_draw)
        self._canvas.events.resize.connect(self._on_resize)

    @property
    def settled(self) -> bool:
        """True when all points are drawn, or nobody sees them."""
        is_sent = self._photo is None or self._photo_sent or not isinstance(self.orbit, Stand)
        return (is_sent and self._drawn >= len(self._parts)) or not self.widget.isVisible() or self.count == 0

    @property
    def count(self) -> int:
        """Points of the cloud."""
        return 0 if self._buffer is None else len(self._buffer.vertices)

    def set_cloud(self, buffer: CloudBuffer | None, *, keep_view: bool) -> None:
        """Show another cloud, or none; the eye stays where it is with `keep_view`."""
        had_cloud = self.count > 0
        self._buffer = buffer
        self._parts = [None] * min(-(-self.count // PART_POINTS), MOST_PARTS)
        self._hover_step = max(1, self.count // HOVER_POINTS)
        if not (keep_view and had_cloud) and not isinstance(self.orbit, Stand):
            self.reset()
        self._draw_again()

    def set_colors(self, color: CloudColor, limits: tuple[float, float], color_map: str) -> None:
        """Choose what the colours mean."""
        self._colors = color, limits, color_map
        self._draw_again()

    def set_see_through(self, *, enabled: bool) -> None:
        """Hide surfaces that are seen from behind."""
        self._see_through = enabled
        self._draw_again()

    def set_cursor(self, point: NDArray[np.float64] | None) -> None:
        """Mark a point, or none."""
        self._cursor = point
        self._place_ring()

    def set_line(self, points: NDArray[np.float64], texts: Sequence[str] = (), *, closed: bool = False) -> None:
        """Draw a line through (n, 3) points over the cloud; none ends it.

        Args:
            points: Its corners.
            texts: One for the middle of each piece, empty for none.
            closed: Whether a dashed piece leads from the last corner to the first.
        """
        self._line = points, closed, texts
        self._place_line()

    def set_photo(self, photo: NDArray[np.uint8] | None, photo_from_cloud: NDArray[np.float64]) -> None:
        """The photograph that lies over the cloud while one stands where it was taken.

        Args:
            photo: (h, w, 3), of any size.
            photo_from_cloud: (3, 3) rotation from the cloud's frame into the photograph's.
        """
        self._photo = photo
        self._photo_from_cloud = photo_from_cloud
        if isinstance(self.orbit, Stand):
            self._draw_again()

    def set_opacity(self, opacity: float) -> None:
        """How much the photograph hides, from 0 to 1."""
        self._opacity = opacity
        if isinstance(self.orbit, Stand):
            self._draw_again()

    def set_orbit(self, orbit: Orbit | Stand) -> None:
        """Look from elsewhere."""
        self.orbit = orbit.sized(*self._canvas.size[::-1]) if isinstance(orbit, Stand) else orbit
        self._draw_again()
        self._place_ring()
        self._place_line()

    def reset(self) -> None:
        """Look at the whole cloud."""
        if self._buffer is not None:
            self.set_orbit(framing(self._buffer.positions[:: self._hover_step]))

    def close(self) -> None:
        """Give the graphics card's memory back."""
        self._canvas.close()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Gestures come from Qt itself: vispy drops those that follow each other quickly, as in a drag."""
        if event.type() == QEvent.Type.Leave:
            self.hovered.emit(None)
        elif isinstance(event, QWheelEvent):
            self._zoom_about(event.position(), event.angleDelta().y() / 120)
            return True
        elif isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride:
            if _is_plain(event, Qt.Key.Key_B):
                event.accept()
                return True
        elif isinstance(event, QKeyEvent) and event.type() in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
            if event.type() == QEvent.Type.KeyPress and self._press_key(event):
                return True
            # vispy would keep it; the window may know what to do with it.
            event.ignore()
            return True
        elif isinstance(event, QMouseEvent) and event.type() in self._gestures:
            self._gestures[event.type()](event)
            return True
        return super().eventFilter(watched, event)

    def _on_resize(self, _event: object) -> None:
        self.set_orbit(self.orbit)

    def _place_ring(self) -> None:
        place = None
        if self._cursor is not None and self.count:
            x, y, _, w = self._clip_from_point() @ np.append(self._cursor, 1.0)
            if w > 0:
                width, height = self._canvas.size
                place = QPointF((x / w + 1) / 2 * width, (1 - y / w) / 2 * height)
        self._ring.set_place(place)

    def _place_line(self) -> None:
        points, closed, texts = self._line
        clip, size = self._clip_from_point(), self._canvas.size
        pieces: list[Piece] = []
        corners: list[QPointF] = []
        told: list[tuple[QPointF, str]] = []
        following = np.roll(points, -1, axis=0)
        count = len(points) if closed else len(points) - 1
        for number in range(max(count, 0) if self.count else 0):
            piece = seen_piece(points[number], following[number], clip, size)
            if piece is not None:
                pieces.append((QPointF(*piece[0]), QPointF(*piece[1]), number == len(points) - 1))
        for point in points if self.count else ():
            spot = seen_piece(point, point, clip, size)
            if spot is not None:
                corners.append(QPointF(*spot[0]))
        for text, start, end in zip(texts, points, following, strict=False):
            spot = seen_piece((start + end) / 2, (start + end) / 2, clip, size) if text and self.count else None
            if spot is not None:
                told.append((QPointF(*spot[0]), text))
        self._ring.set_line(pieces, corners, told)

    def _clip_from_point(self) -> NDArray[np.float64]:
        width, height = self._canvas.size
        return self.orbit.clip_from_point(width / max(height, 1))

    def _draw_again(self) -> None:
        self._drawn = 0
        self._canvas.update()

    def _on_draw(self, _event: object) -> None:
        width, height = self._canvas.physical_size
        gloo.set_viewport(0, 0, width, height)
        gloo.set_state(depth_test=True, blend=False, cull_face=False)
        gloo.gl.glEnable(0x8642)  # GL_VERTEX_PROGRAM_POINT_SIZE; not on by default before OpenGL 3.2
        if self.count:
            self._send_photo()
        if self._drawn == 0:
            gloo.clear(color=BACKGROUND, depth=True)
            if isinstance(self.orbit, Stand) and self.count:
                self._draw_background()
        if self._buffer is None or self.count == 0:
            return
        clip = self._clip_from_point().T.astype(np.float32)
        program = self._prepared(self._buffer, clip, height)
        begin = time.perf_counter()
        while self._drawn < len(self._parts):
            program.bind(self._part(self._buffer, self._drawn))
            program.draw("points")
            gloo.finish()
            self._drawn += 1
            if time.perf_counter() - begin > FRAME_SECONDS:
                break
        self._draw_axes(clip)
        if self._drawn < len(self._parts):
            self._canvas.update()

    def _part(self, buffer: CloudBuffer, number: int) -> gloo.VertexBuffer:
        """Every n-th point, in the memory of the graphics card."""
        part = self._parts[number]
        if part is None:
            vertices = np.ascontiguousarray(buffer.vertices[number :: len(self._parts)])
            part = self._parts[number] = gloo.VertexBuffer(vertices)
        return part

    def _prepared(self, buffer: CloudBuffer, clip: NDArray[np.float32], height: int) -> gloo.Program:
        color, limits, color_map = self._colors
        program = self._points
        if program is None:
            program = self._points = gloo.Program(POINTS_VERTEX, POINTS_FRAGMENT)
            self._table = ""
        if self._table != color_map:
            self._table = color_map
            program["table"] = gloo.Texture2D(np.ascontiguousarray(colormap(color_map)[None]), interpolation="linear")
        program["clip_from_point"] = clip
        program["eye"] = self.orbit.eye.astype(np.float32)
        program["mode"] = list(CloudColor).index(color)
        program["log_limits"] = math.log(limits[0]), math.log(limits[1])
        program["size_factor"] = POINT_OVERLAP * height / 2 / math.tan(self.orbit.fov_y / 2)
        program["widest"] = WIDEST_POINT * self._canvas.pixel_scale
        program["angle"] = buffer.angle
        program["spacing"] = buffer.spacing
        program["see_through"] = float(self._see_through)
        self._lay_photo(program)
        return program

    def _lay_photo(self, program: gloo.Program) -> None:
        """Tell a program of the photograph over the cloud, which there is only where the eye stands in its place."""
        orbit = self.orbit
        stands = isinstance(orbit, Stand) and self._photo is not None and self._photo_sent
        program["photo"] = self._texture_of(self._photo if isinstance(orbit, Stand) else None)
        program["opacity"] = self._opacity if stands else 0.0
        program["photo_from_view"] = (self._photo_from_cloud @ orbit.axes.T).T.astype(np.float32)
        program["tangents"] = orbit.tangents if isinstance(orbit, Stand) else (1.0, 1.0)
        program["viewport"] = self._canvas.physical_size

    def _texture_of(self, photo: NDArray[np.uint8] | None) -> gloo.Texture2D:
        """The photograph in the memory of the graphics card, as far as it was sent; a shader wants one in any case."""
        if self._texture is None or self._texture[0] is not photo:
            shape = NO_PHOTO.shape if photo is None else photo.shape
            texture = gloo.Texture2D(shape, interpolation="linear", wrapping=("repeat", "clamp_to_edge"))
            self._texture, self._rows_sent = (photo, texture), 0
        return self._texture[1]

    @property
    def _photo_sent(self) -> bool:
        return self._photo is not None and self._texture is not None and self._rows_sent >= len(self._photo)

    def _send_photo(self) -> None:
        """Hand the photograph over in bands, as many in a frame as there is time for, so that nothing stands still."""
        photo = self._photo
        if photo is None or self._photo_sent or not isinstance(self.orbit, Stand):
            return
        texture = self._texture_of(photo)
        begin = time.perf_counter()
        while self._rows_sent < len(photo) and time.perf_counter() - begin < FRAME_SECONDS:
            band = np.ascontiguousarray(photo[self._rows_sent : self._rows_sent + BAND_ROWS])
            texture.set_data(band, offset=(self._rows_sent, 0))
            gloo.flush()
            gloo.finish()
            self._rows_sent += len(band)
        self._drawn = 0
        self._canvas.update()

    def _draw_background(self) -> None:
        """The photograph where there is no point."""
        program = self._background
        if program is None:
            program = self._background = gloo.Program(BACKGROUND_VERTEX, BACKGROUND_FRAGMENT)
            corners = np.array([(-1, -1), (1, -1), (-1, 1), (1, 1)], np.float32)
            program["place"] = gloo.VertexBuffer(corners)
            program["below"] = BACKGROUND[:3]
        self._lay_photo(program)
        gloo.set_state(depth_test=False)
        program.draw("triangle_strip")
        gloo.set_state(depth_test=True)

    def _draw_axes(self, clip: NDArray[np.float32]) -> None:
        """The place of the camera as three short axes, which one does not see who stands there."""
        if isinstance(self.orbit, Stand):
            return
        program = self._axes
        if program is None:
            program = self._axes = gloo.Program(AXES_VERTEX, AXES_FRAGMENT)
        length = 0.04 * self.orbit.distance
        # Right, up and forward: what the words on the screen say, not the signs of our axes.
        tips = np.diag([length, -length, length]).astype(np.float32)
        lines = np.zeros((6, 3), np.float32)
        lines[1::2] = tips
        program["clip_from_point"] = clip
        program["position"] = gloo.VertexBuffer(lines)
        program["tint"] = gloo.VertexBuffer(np.repeat(np.array(AXIS_COLORS, np.float32), 2, axis=0))
        program.draw("lines")

    def _press_key(self, event: QKeyEvent) -> bool:
        """Arrows turn, plus and minus zoom, B is the view from the camera; other keys belong to the window."""
        key = Qt.Key(event.key())
        if _is_plain(event, Qt.Key.Key_B):
            if not event.isAutoRepeat():
                self.stand_wanted.emit()
            return True
        turns = {
            Qt.Key.Key_Left: (-KEY_TURN, 0.0),
            Qt.Key.Key_Right: (KEY_TURN, 0.0),
            Qt.Key.Key_Up: (0.0, -KEY_TURN),
            Qt.Key.Key_Down: (0.0, KEY_TURN),
        }
        zooms = {Qt.Key.Key_Plus: WHEEL_FACTOR, Qt.Key.Key_Equal: WHEEL_FACTOR, Qt.Key.Key_Minus: 1 / WHEEL_FACTOR}
        if key in turns:
            self.set_orbit(self.orbit.turned(*turns[key]))
        elif key in zooms:
            orbit = self.orbit
            width, height = self._canvas.size
            middle = width / 2, height / 2
            self.set_orbit(orbit.nearer(zooms[key], middle) if isinstance(orbit, Stand) else orbit.nearer(zooms[key]))
        return key in turns or key in zooms

    def _press(self, event: QMouseEvent) -> None:
        moves = event.button() != Qt.MouseButton.LeftButton or event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        self._drag = event.position(), self.orbit, bool(moves)
        self._is_click = event.button() == Qt.MouseButton.LeftButton and not moves
        self.widget.setFocus()

    def _release(self, event: QMouseEvent) -> None:
        is_click, self._drag, self._is_click = self._is_click, None, False
        if is_click:
            self.clicked.emit(self._point_at(event.position(), 1))

    def _move(self, event: QMouseEvent) -> None:
        if self._drag is None:
            self.hovered.emit(self._point_at(event.position(), self._hover_step))
            return
        start, orbit, moves = self._drag
        way = event.position() - start
        self._is_click &= math.hypot(way.x(), way.y()) <= CLICK_PX
        if self._is_click:
            return
        if isinstance(orbit, Stand):
            now = event.position()
            self.set_orbit(orbit.dragged((start.x(), start.y()), (now.x(), now.y())))
            return
        way /= max(self.widget.height(), 1)
        self.set_orbit(orbit.moved(way.x(), way.y()) if moves else orbit.turned(way.x(), way.y()))

    def _focus(self, event: QMouseEvent) -> None:
        if isinstance(self.orbit, Stand):
            return
        point = self._point_at(event.position(), 1)
        if point is None:
            self.reset()
        else:
            self.set_orbit(self.orbit.focused(point))

    def _zoom_about(self, position: QPointF, steps: float) -> None:
        factor = WHEEL_FACTOR**steps
        if isinstance(self.orbit, Stand):
            self.set_orbit(self.orbit.nearer(factor, (position.x(), position.y())))
        else:
            self.set_orbit(self.orbit.nearer(factor, self._point_at(position, self._hover_step)))

    def _point_at(self, position: QPointF, step: int) -> NDArray[np.float64] | None:
        """The point of every `step`-th under a position that can be seen, or None."""
        if self._buffer is None or self.count == 0:
            return None
        vertices = self._buffer.vertices[::step]
        if self._see_through:
            vertices = vertices[_facing(vertices, self.orbit.eye)]
        points = vertices["position"]
        width, height = self._canvas.size
        cursor = position.x(), position.y()
        index = picked(points, self._clip_from_point(), cursor, (width, height), PICK_REACH_PX)
        return None if index is None else points[index].astype(np.float64)


def _is_plain(event: QKeyEvent, key: Qt.Key) -> bool:
    """Whether a key is pressed without any other."""
    return event.key() == key and event.modifiers() == Qt.KeyboardModifier.NoModifier


def _facing(vertices: NDArray[np.void], eye: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points show their front to the eye, as the shader decides it."""
    packed = vertices["normal"].astype(np.int32)
    normals = np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=1).astype(np.float32) / 127.5 - 1
    facing: NDArray[np.bool_] = np.einsum("ij,ij->i", normals, eye.astype(np.float32) - vertices["position"]) >= 0
    return facing
