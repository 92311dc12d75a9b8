"""Drawing the point cloud with vispy."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtOpenGLWidgets import QOpenGLWidget
from PySide6.QtWidgets import QWidget
from vispy import app, gloo

from core.colors import colormap
from panoviewer.orbit import FOV_Y, Orbit, framing, picked
from panoviewer.views.cloud_buffer import CloudBuffer
from panoviewer.views.cloud_cursor import CloudCursor

BACKGROUND = (0.082, 0.09, 0.106, 1.0)
WHEEL_FACTOR = 1.15
KEY_TURN = 0.04
POINT_OVERLAP = 1.8
"""Size of a drawn point in units of the distance to its neighbours; above 1, so that slanted surfaces stay closed."""
PICK_REACH_PX = 6.0
HOVER_POINTS = 60_000
AXIS_COLORS = ((0.93, 0.36, 0.33), (0.45, 0.78, 0.40), (0.36, 0.60, 0.95))
PART_POINTS = 20_000
MOST_PARTS = 24
FRAME_SECONDS = 0.02
"""After this no further part is begun in a frame."""

POINTS_VERTEX = """
#version 120
attribute vec3 position;
attribute float rgb;
attribute float normal;
attribute float label;
uniform mat4 clip_from_point;
uniform vec3 eye;
uniform int mode;
uniform vec2 log_limits;
uniform float size_factor;
uniform float angle;
uniform float spacing;
uniform float see_through;
uniform sampler2D table;
varying vec3 color;

vec3 unpacked(float bytes) {
    float r = floor(bytes / 65536.0);
    float g = floor((bytes - r * 65536.0) / 256.0);
    return vec3(r, g, bytes - r * 65536.0 - g * 256.0) / 255.0;
}

void main() {
    vec3 facing = unpacked(normal) * 2.0 - 1.0;
    gl_Position = clip_from_point * vec4(position, 1.0);
    float range = length(position);
    // On a surface that is seen at a grazing angle, neighbouring pixels lie farther apart.
    float slant = clamp(-dot(facing, position) / max(range, 1e-6), 0.3, 1.0);
    float extent = max(spacing, range * angle / slant);
    gl_PointSize = clamp(size_factor * extent / max(gl_Position.w, 1e-6), 1.0, 16.0);
    if (see_through > 0.5 && dot(facing, eye - position) < 0.0)
        gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
    if (mode == 1) {
        float share = (log(max(range, 1e-6)) - log_limits.x) / max(log_limits.y - log_limits.x, 1e-6);
        color = texture2D(table, vec2(clamp(share, 0.0, 1.0) * 255.0 / 256.0 + 0.5 / 256.0, 0.5)).rgb;
    } else if (mode == 2) {
        color = facing * 0.5 + 0.5;
    } else if (mode == 3) {
        color = unpacked(label);
    } else {
        color = unpacked(rgb);
    }
}
"""
POINTS_FRAGMENT = """
#version 120
varying vec3 color;
void main() {
    gl_FragColor = vec4(color, 1.0);
}
"""
AXES_VERTEX = """
#version 120
attribute vec3 position;
attribute vec3 tint;
uniform mat4 clip_from_point;
varying vec3 color;
void main() {
    gl_Position = clip_from_point * vec4(position, 1.0);
    color = tint;
}
"""


class CloudColor(StrEnum):
    """What the colour of a point means; the order is that of the shader's modes."""

    RGB = "colour"
    DEPTH = "depth"
    NORMALS = "normals"
    CLASSES = "classes"


class CloudCanvas(QObject):
    """Draws a packed cloud and turns gestures into orbits.

    Points are drawn a part at a time, each part all over the cloud, as many parts in a frame as there is time for: a
    graphics card draws all at once, a processor fills the picture in over a few frames without holding up the window.

    Signals:
        hovered(object): (3,) the point under the mouse, in the cloud's frame; None when there is none.
    """

    hovered = Signal(object)

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
        self.widget.setAccessibleName("Point cloud")
        self.widget.setMouseTracking(True)
        self.widget.installEventFilter(self)
        self.orbit = Orbit()
        self._buffer: CloudBuffer | None = None
        self._see_through = True
        self._drag: tuple[QPointF, Orbit, bool] | None = None
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
        return self._drawn >= len(self._parts) or not self.widget.isVisible()

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
        if not (keep_view and had_cloud):
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

    def set_orbit(self, orbit: Orbit) -> None:
        """Look from elsewhere."""
        self.orbit = orbit
        self._draw_again()
        self._place_ring()

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
        elif isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            return self._press_key(Qt.Key(event.key()))
        elif isinstance(event, QMouseEvent) and event.type() in self._gestures:
            self._gestures[event.type()](event)
            return True
        return super().eventFilter(watched, event)

    def _on_resize(self, _event: object) -> None:
        self._draw_again()
        self._place_ring()

    def _place_ring(self) -> None:
        place = None
        if self._cursor is not None and self.count:
            x, y, _, w = self._clip_from_point() @ np.append(self._cursor, 1.0)
            if w > 0:
                width, height = self._canvas.size
                place = QPointF((x / w + 1) / 2 * width, (1 - y / w) / 2 * height)
        self._ring.set_place(place)

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
        if self._drawn == 0:
            gloo.clear(color=BACKGROUND, depth=True)
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
        program["size_factor"] = POINT_OVERLAP * height / 2 / math.tan(FOV_Y / 2)
        program["angle"] = buffer.angle
        program["spacing"] = buffer.spacing
        program["see_through"] = float(self._see_through)
        return program

    def _draw_axes(self, clip: NDArray[np.float32]) -> None:
        """The place of the camera as three short axes."""
        program = self._axes
        if program is None:
            program = self._axes = gloo.Program(AXES_VERTEX, POINTS_FRAGMENT)
        length = 0.04 * self.orbit.distance
        # Right, up and forward: what the words on the screen say, not the signs of our axes.
        tips = np.diag([length, -length, length]).astype(np.float32)
        lines = np.zeros((6, 3), np.float32)
        lines[1::2] = tips
        program["clip_from_point"] = clip
        program["position"] = gloo.VertexBuffer(lines)
        program["tint"] = gloo.VertexBuffer(np.repeat(np.array(AXIS_COLORS, np.float32), 2, axis=0))
        program.draw("lines")

    def _press_key(self, key: Qt.Key) -> bool:
        """Arrows turn, plus and minus zoom; other keys belong to the window."""
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
            self.set_orbit(self.orbit.nearer(zooms[key]))
        return key in turns or key in zooms

    def _press(self, event: QMouseEvent) -> None:
        moves = event.button() != Qt.MouseButton.LeftButton or event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        self._drag = event.position(), self.orbit, bool(moves)
        self.widget.setFocus()

    def _release(self, _event: QMouseEvent) -> None:
        self._drag = None

    def _move(self, event: QMouseEvent) -> None:
        if self._drag is None:
            self.hovered.emit(self._point_at(event.position(), self._hover_step))
            return
        start, orbit, moves = self._drag
        way = (event.position() - start) / max(self.widget.height(), 1)
        self.set_orbit(orbit.moved(way.x(), way.y()) if moves else orbit.turned(way.x(), way.y()))

    def _focus(self, event: QMouseEvent) -> None:
        point = self._point_at(event.position(), 1)
        if point is None:
            self.reset()
        else:
            self.set_orbit(self.orbit.focused(point))

    def _zoom_about(self, position: QPointF, steps: float) -> None:
        self.set_orbit(self.orbit.nearer(WHEEL_FACTOR**steps, self._point_at(position, self._hover_step)))

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


def _facing(vertices: NDArray[np.void], eye: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points show their front to the eye, as the shader decides it."""
    packed = vertices["normal"].astype(np.int32)
    normals = np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=1).astype(np.float32) / 127.5 - 1
    facing: NDArray[np.bool_] = np.einsum("ij,ij->i", normals, eye.astype(np.float32) - vertices["position"]) >= 0
    return facing
