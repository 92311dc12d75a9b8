"""The look-around picture on the graphics card: every pixel of the screen computes its own ray."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QMatrix3x3
from PySide6.QtOpenGL import QOpenGLShader, QOpenGLShaderProgram
from PySide6.QtOpenGLWidgets import QOpenGLWidget
from PySide6.QtWidgets import QWidget

from core.geometry.camera import Camera
from core.pyramid import BORDER, PAGE, Pyramid
from panoviewer.views.gl_names import (
    GL_ARRAY_BUFFER,
    GL_BLEND,
    GL_COLOR_BUFFER_BIT,
    GL_CULL_FACE,
    GL_DEPTH_TEST,
    GL_FLOAT,
    GL_MAX_TEXTURE_SIZE,
    GL_TRIANGLE_STRIP,
    address_of,
)
from panoviewer.views.mask_texture import MaskTexture
from panoviewer.views.masks import MaskMap, Part
from panoviewer.views.sphere_texture import TICK_SECONDS, SphereTexture

MOST_WIDTH = 1 << 16
BORDER_PX = 1.5
"""Width of the border of a mask in logical pixels."""
UNITS = {"photo": 0, "overlay": 1, "other": 5}
"""Texture units of the whole pictures; pages and their tables have those from `PAGE_UNITS` on, masks 3 and 4."""
PAGE_UNITS = {"photo": 6, "overlay": 8, "other": 10}

VERTEX = """
#version 120
attribute vec2 corner;
varying vec2 position;
void main() {
    position = corner;
    gl_Position = vec4(corner, 0.0, 1.0);
}
"""

# The level of detail is computed from angles on the sphere and not from the derivatives of (u, v): those jump at
# +-180 degrees, which would draw a line there, and grow without bound at the poles, which would blur them.
FRAGMENT = (
    f"""
#version 120
#extension GL_ARB_shader_texture_lod : require
#define PAGE {PAGE}.0
#define BORDER {BORDER}.0
"""
    """
const float PI = 3.14159265358979;
varying vec2 position;
uniform sampler2D photo;
uniform sampler2D overlay;
uniform mat3 world_from_camera;
uniform vec2 tangents;
uniform float focal;
uniform float photo_width;
uniform float overlay_width;
uniform sampler2D other;
uniform float other_width;
uniform float divider;
uniform sampler2D photo_pages, photo_table, overlay_pages, overlay_table, other_pages, other_table;
uniform vec4 photo_sheet, overlay_sheet, other_sheet;
uniform vec3 pages_px;

uniform sampler2D masks;
uniform sampler2D palette;
uniform float palette_rows;
uniform vec2 border;

vec2 sphere_uv(vec3 direction) {
    float lon = atan(direction.x, direction.z);
    float lat = atan(-direction.y, length(direction.xz));
    return vec2(lon / (2.0 * PI) + 0.5, 0.5 - lat / PI);
}

vec3 ray_at(vec2 place) {
    return vec3(place.x * tangents.x, -place.y * tangents.y, 1.0);
}

vec2 slot_at(vec2 place) {
    return floor(texture2DLod(masks, sphere_uv(world_from_camera * ray_at(place)), 0.0).ra * 255.0 + 0.5);
}

// A pixel is on the border of its mask when something else is on top a little to any side: two pixels on every screen.
vec4 mask_color() {
    vec2 slot = slot_at(position);
    if (slot == vec2(0.0))
        return vec4(0.0);
    bool inside = slot_at(position + vec2(border.x, 0.0)) == slot && slot_at(position - vec2(border.x, 0.0)) == slot
        && slot_at(position + vec2(0.0, border.y)) == slot && slot_at(position - vec2(0.0, border.y)) == slot;
    return texture2DLod(palette, vec2((slot.x + 0.5) / 256.0,
        (2.0 * slot.y + (inside ? 0.5 : 1.5)) / palette_rows), 0.0);
}

// Of a page that is there, its own pixels; elsewhere those of the whole picture.
vec4 sphere(sampler2D map, float width, sampler2D pages, sampler2D table, vec4 sheet, float side, vec2 uv,
            float footprint) {
    if (sheet.x > 0.0) {
        vec2 pixel = vec2(fract(uv.x), uv.y) * sheet.xy;
        vec2 page = min(floor(pixel / PAGE), sheet.zw - 1.0);
        vec4 place = floor(texture2DLod(table, (page + 0.5) / sheet.zw, 0.0) * 255.0 + 0.5);
        if (place.a > 0.0)
            return texture2DLod(pages, (place.xy * (PAGE + 2.0 * BORDER) + pixel - page * PAGE + BORDER) / side, 0.0);
    }
    float level = log2(footprint * width / (2.0 * PI));
    return texture2DLod(map, uv, max(level, 0.0));
}

void main() {
    vec3 ray = normalize(ray_at(position));
    vec2 uv = sphere_uv(world_from_camera * ray);
    float footprint = pow(ray.z, 1.5) / focal;
    vec3 color = photo_width > 0.0
        ? sphere(photo, photo_width, photo_pages, photo_table, photo_sheet, pages_px.x, uv, footprint).rgb
        : vec3(0.082, 0.09, 0.106);
    if (position.x >= divider) {
        if (other_width > 0.0) {
            vec4 layer = sphere(other, other_width, other_pages, other_table, other_sheet, pages_px.z, uv, footprint);
            color = color * (1.0 - layer.a) + layer.rgb;
        }
    } else if (overlay_width > 0.0) {
        vec4 layer = sphere(
            overlay, overlay_width, overlay_pages, overlay_table, overlay_sheet, pages_px.y, uv, footprint);
        color = color * (1.0 - layer.a) + layer.rgb;
    }
    if (palette_rows > 0.0) {
        vec4 mask = mask_color();
        color = color * (1.0 - mask.a) + mask.rgb;
    }
    gl_FragColor = vec4(color, 1.0);
}
"""
)


class GlCanvas(QOpenGLWidget):
    """Draws a panorama and an overlay as a pinhole camera sees them.

    A texture holds the whole sphere up to some width, and pages what the camera sees of finer levels. They are filled
    between frames by a timer; after the context was lost they are made again from the pyramids.

    Signals:
        failed(str): OpenGL is there but cannot draw this; why.
    """

    failed = Signal(str)

    def __init__(
        self, max_texture_width: int, parent: QWidget | None = None, *, device_width: int = MOST_WIDTH
    ) -> None:
        """Make the canvas.

        Args:
            max_texture_width: Widest texture of the whole sphere, in pixels.
            parent: Its parent.
            device_width: Widest texture of any kind; the device's own limit counts where it is lower.
        """
        super().__init__(parent)
        self._max_width = max_texture_width
        self._device_width = device_width
        self._camera: Camera | None = None
        self._pyramids: dict[str, Pyramid | None] = {"photo": None, "overlay": None, "other": None}
        self._divider: float | None = None
        self._textures: dict[str, SphereTexture] = {}
        self._stale: set[str] = set()
        self._sharper: set[str] = set()
        self._coming: dict[str, SphereTexture] = {}
        self._masks: MaskMap | None = None
        self._mask_texture: MaskTexture | None = None
        self._mask_parts: list[Part] = []
        self._masks_replaced = self._masks_changed = False
        self._program: QOpenGLShaderProgram | None = None
        self._corners = np.array([-1, -1, 1, -1, -1, 1, 1, 1], np.float32)
        self._filler = QTimer(self, interval=0)
        self._filler.timeout.connect(self._fill)

    @property
    def settled(self) -> bool:
        """True when all that was set has reached the screen's memory."""
        return not self._filler.isActive() and not self._stale

    def set_picture(self, name: str, pyramid: Pyramid | None, *, sharper: bool = False) -> None:
        """Show another 'photo', 'overlay' or 'other' overlay, or none.

        Args:
            name: Which of them.
            pyramid: The picture.
            sharper: It is the one that is shown, with more pixels: that one stays until as much of this one is there.
        """
        self._pyramids[name] = pyramid
        self._sharper = (self._sharper | {name}) if sharper else (self._sharper - {name})
        self._stale.add(name)
        if self._program is not None:
            self._filler.start()

    def set_other(self, other: Pyramid | None, divider: float | None) -> None:
        """Draw another overlay instead, to the right of a share of the width; None for nowhere."""
        if self._pyramids["other"] is not other:
            self.set_picture("other", other)
        self._divider = divider
        self.update()

    def set_masks(self, masks: MaskMap | None) -> None:
        """Draw the masks of a map over everything, or none; nothing is sent before there is one in it."""
        self._masks = masks
        self._masks_replaced = True
        if self._program is not None:
            self._filler.start()

    def update_masks(self, parts: Sequence[Part]) -> None:
        """The map has changed in these parts, or its palette has."""
        self._mask_parts.extend(parts)
        self._masks_changed = True
        if self._program is not None:
            self._filler.start()

    def set_camera(self, camera: Camera) -> None:
        """Look along another camera, given in the photograph's frame."""
        self._camera = camera
        if self._program is not None:
            self._filler.start()
        self.update()

    def release(self) -> None:
        """Give the textures' memory back, while the context still exists."""
        if self._program is not None:
            self._release()

    def initializeGL(self) -> None:
        """Compile the shader; Qt calls this again when the widget has got another context."""
        self.context().aboutToBeDestroyed.connect(self._release)
        program = QOpenGLShaderProgram()
        if not (
            program.addShaderFromSourceCode(QOpenGLShader.ShaderTypeBit.Vertex, VERTEX)
            and program.addShaderFromSourceCode(QOpenGLShader.ShaderTypeBit.Fragment, FRAGMENT)
            and program.link()
        ):
            self.failed.emit(program.log().strip() or "the shader did not compile")
            return
        self._program = program
        functions = self.context().functions()
        limit = functions.glGetIntegerv(GL_MAX_TEXTURE_SIZE)
        self._device_width = min(self._device_width, int(limit if isinstance(limit, int) else limit[0]))
        self._stale = {name for name, pyramid in self._pyramids.items() if pyramid is not None}
        self._filler.start()

    def paintGL(self) -> None:
        """Draw one frame."""
        gl = self.context().functions()
        program, camera = self._program, self._camera
        gl.glClearColor(0.082, 0.09, 0.106, 1.0)
        gl.glClear(GL_COLOR_BUFFER_BIT)
        if program is None or camera is None:
            return
        for capability in (GL_BLEND, GL_DEPTH_TEST, GL_CULL_FACE):
            gl.glDisable(capability)
        program.bind()
        sides = []
        for name, unit in UNITS.items():
            texture = self._textures.get(name)
            drawn = texture is not None and texture.ready
            if texture is not None and drawn:
                texture.bind(unit)
            program.setUniformValue1i(program.uniformLocation(name), unit)
            width = float(texture.width) if texture is not None and drawn else 0.0
            program.setUniformValue1f(program.uniformLocation(f"{name}_width"), width)
            pages = texture.pages if texture is not None and drawn else None
            if pages is not None:
                pages.bind(PAGE_UNITS[name], PAGE_UNITS[name] + 1)
            program.setUniformValue1i(program.uniformLocation(f"{name}_pages"), PAGE_UNITS[name])
            program.setUniformValue1i(program.uniformLocation(f"{name}_table"), PAGE_UNITS[name] + 1)
            sheet = (0.0, 0.0, 0.0, 0.0) if pages is None else pages.sheet
            program.setUniformValue(program.uniformLocation(f"{name}_sheet"), *sheet)
            sides.append(1.0 if pages is None else pages.side)
        program.setUniformValue(program.uniformLocation("pages_px"), *sides)
        right = 2.0 if self._divider is None else 2 * self._divider - 1
        program.setUniformValue1f(program.uniformLocation("divider"), right)
        masks = self._mask_texture
        drawn_masks = masks is not None and masks.drawable
        if masks is not None and drawn_masks:
            masks.bind(3, 4)
        program.setUniformValue1i(program.uniformLocation("masks"), 3)
        program.setUniformValue1i(program.uniformLocation("palette"), 4)
        rows = float(masks.palette_rows) if masks is not None and drawn_masks else 0.0
        program.setUniformValue1f(program.uniformLocation("palette_rows"), rows)
        reach = 2 * BORDER_PX * self.devicePixelRatioF()
        program.setUniformValue(program.uniformLocation("border"), reach / camera.width, reach / camera.height)
        half = math.tan(camera.fov_x / 2)
        program.setUniformValue(program.uniformLocation("tangents"), half, half * camera.height / camera.width)
        program.setUniformValue1f(program.uniformLocation("focal"), camera.focal_px)
        matrix = QMatrix3x3(camera.world_from_camera.ravel().tolist())
        program.setUniformValue(program.uniformLocation("world_from_camera"), matrix)
        location = program.attributeLocation("corner")
        program.enableAttributeArray(location)
        gl.glBindBuffer(GL_ARRAY_BUFFER, 0)
        gl.glVertexAttribPointer(location, 2, GL_FLOAT, 0, 0, address_of(self._corners))
        gl.glDrawArrays(GL_TRIANGLE_STRIP, 0, 4)
        program.disableAttributeArray(location)
        program.release()

    def _fill(self) -> None:
        """Bring the textures up to date, a few milliseconds at a time."""
        self.makeCurrent()
        for name in sorted(self._stale):
            self._begin_filling(name)
            self.update()
        self._stale.clear()
        waits = self._fill_masks()
        textures = [*self._coming.values(), *self._textures.values()]
        pending = [texture for texture in textures if not texture.complete]
        if pending and not waits and pending[0].upload_some():
            self._replace_by_sharper()
            self.update()
        if not self._fill_pages(may_send=not waits and not pending) and not waits and not pending:
            self._filler.stop()
        self.doneCurrent()

    def _fill_pages(self, *, may_send: bool) -> bool:
        """Send the pages that the camera sees, when all else is there. Returns whether there are more to be sent."""
        if self._camera is None:
            return False
        waits, until = False, time.perf_counter() + TICK_SECONDS
        for texture in self._textures.values():
            pages = texture.pages
            if pages is None or not texture.ready:
                continue
            changed = pages.look(self._camera)
            if may_send and time.perf_counter() < until:
                changed = pages.upload_some(until) or changed
            if changed:
                self.update()
            waits = waits or not pages.complete
        return waits

    def _begin_filling(self, name: str) -> None:
        """Make the texture of a picture that has changed, or take its old one."""
        coming = self._coming.pop(name, None)
        if coming is not None:
            coming.release()
        pyramid, old = self._pyramids.get(name), self._textures.get(name)
        if old is not None and pyramid is not None and name in self._sharper:
            self._coming[name] = SphereTexture(pyramid, self._max_width, self._device_width)
            return
        # An overlay comes and goes; its memory stays.
        if old is not None and old.refill(pyramid):
            return
        if old is not None:
            self._textures.pop(name).release()
        if pyramid is not None:
            self._textures[name] = SphereTexture(pyramid, self._max_width, self._device_width)

    def _replace_by_sharper(self) -> None:
        """Put the textures that have become at least as sharp as those that they follow in the place of those."""
        for name, coming in list(self._coming.items()):
            old = self._textures[name]
            if coming.complete or not old.ready or (coming.ready and coming.width >= old.width):
                old.release()
                self._textures[name] = self._coming.pop(name)

    def _fill_masks(self) -> bool:
        """Send what has changed of the masks, before everything else. Returns whether there is more to be sent."""
        masks, texture = self._masks, self._mask_texture
        if self._masks_replaced and texture is not None:
            texture.release()
            self._mask_texture = texture = None
            self.update()
        if masks is not None and texture is None and not masks.is_empty:
            self._mask_texture = texture = MaskTexture(masks, self._device_width)
        elif texture is not None and self._masks_changed:
            texture.update(self._mask_parts)
            self.update()
        self._mask_parts = []
        self._masks_replaced = self._masks_changed = False
        if texture is None or texture.complete:
            return False
        texture.upload_some()
        self.update()
        return not texture.complete

    def _release(self) -> None:
        """The context goes: so does everything in it."""
        self.makeCurrent()
        for texture in (*self._textures.values(), *self._coming.values()):
            texture.release()
        self._textures.clear()
        self._coming.clear()
        if self._mask_texture is not None:
            self._mask_texture.release()
            self._mask_texture = None
        self._program = None
        self._filler.stop()
        self.doneCurrent()
