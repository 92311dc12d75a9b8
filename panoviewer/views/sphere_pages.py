"""The pages of a pyramid that a view shows, side by side in one OpenGL texture, and a table of where each lies in it.

A texture of the whole sphere is either too coarse for a view that is zoomed in, or too large for the device. Here only
what is seen is sent; a page that is not there yet, the whole sphere's texture stands in for.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict

import numpy as np
from PySide6.QtGui import QOpenGLContext
from PySide6.QtOpenGL import QOpenGLTexture

from core.geometry.camera import Camera
from core.pyramid import BORDER, PAGE, Page, Pyramid
from panoviewer.views.gl_names import (
    GL_CLAMP_TO_EDGE,
    GL_LINEAR,
    GL_NEAREST,
    GL_RGB,
    GL_RGB8,
    GL_RGBA,
    GL_RGBA8,
    GL_TEXTURE0,
    GL_TEXTURE_2D,
    GL_UNPACK_ALIGNMENT,
    GL_UNSIGNED_BYTE,
    NULL,
    address_of,
)
from panoviewer.views.gl_texture import plain_texture

PLACE = PAGE + 2 * BORDER
"""Pixels that a page takes up in the texture, each way."""
SPARE = 1.3
"""Room for so many times the pages that a view can show at once, so that what was just seen need not be sent again."""
STEP = 4
MOST_ACROSS = 24
"""Places each way; all of them take 115 MB."""


class SpherePages:
    """Holds the pages that a camera sees, on their way to the device and there.

    All methods need the context in which it was made to be current.
    """

    def __init__(self, pyramid: Pyramid, base_width: int, max_width: int) -> None:
        """Make it, with nothing on the device.

        Args:
            pyramid: What it shows.
            base_width: Width of the texture of the whole that is there beside it.
            max_width: Widest texture of the device.
        """
        self._pyramid = pyramid
        self._base_width = base_width
        self._max_across = min(max_width // PLACE, MOST_ACROSS)
        self._across = 0
        self._gl = QOpenGLContext.currentContext().functions()
        channels = pyramid.levels[0].shape[2]
        self._internal, self._format = {3: (GL_RGB8, GL_RGB), 4: (GL_RGBA8, GL_RGBA)}[channels]
        self._atlas: QOpenGLTexture | None = None
        self._table: QOpenGLTexture | None = None
        self._places: OrderedDict[Page, int] = OrderedDict()
        self._free: list[int] = []
        self._wanted: list[Page] = []
        self._missing: list[Page] = []
        self._level: int | None = None
        self._camera: Camera | None = None

    @property
    def complete(self) -> bool:
        """True once every page that the camera sees is there."""
        return not self._missing

    @property
    def sheet(self) -> tuple[float, float, float, float]:
        """Width and height in pixels, columns and rows in pages of the level that is drawn from; zeros for none."""
        if self._level is None or self._table is None:
            return 0.0, 0.0, 0.0, 0.0
        height, width = self._pyramid.levels[self._level].shape[:2]
        rows, cols = self._pyramid.page_grid(self._level)
        return float(width), float(height), float(cols), float(rows)

    @property
    def side(self) -> float:
        """Width and height in pixels of the texture that holds the pages."""
        return float(self._across * PLACE)

    def look(self, camera: Camera) -> bool:
        """Want the pages that a camera of the photograph's frame sees.

        Returns:
            True when another level is drawn from now on.
        """
        if camera == self._camera:
            return False
        self._camera = camera
        self._wanted = self._pyramid.pages_in_view(camera, self._base_width, self._max_across**2)
        table = self._table
        if self._wanted:
            self._make_room(camera)
        self._missing = [page for page in self._wanted if page not in self._places]
        for page in self._wanted:
            if page in self._places:
                self._places.move_to_end(page)
        level = self._wanted[0].level if self._wanted else None
        changed, self._level = level != self._level, level
        if changed or self._table is not table:  # a new table says of no page yet that it is not there
            self._tell()
        return changed

    def upload_some(self, until: float) -> bool:
        """Send pages until a moment of `time.perf_counter`, one at least; True when there is more to be seen."""
        if not self._missing or self._atlas is None:
            return False
        gl, across = self._gl, self._across
        gl.glActiveTexture(GL_TEXTURE0)
        gl.glBindTexture(GL_TEXTURE_2D, self._atlas.textureId())
        gl.glPixelStorei(GL_UNPACK_ALIGNMENT, 1)
        while self._missing:
            page = self._missing.pop(0)
            place = self._place_for(page)
            pixels = self._pyramid.pixels_of(page)
            x, y = place % across * PLACE, place // across * PLACE
            height, width = pixels.shape[:2]
            gl.glTexSubImage2D(
                GL_TEXTURE_2D, 0, x, y, width, height, self._format, GL_UNSIGNED_BYTE, address_of(pixels)
            )
            if time.perf_counter() >= until:
                break
        self._tell()
        return True

    def bind(self, atlas_unit: int, table_unit: int) -> None:
        """Make the pages and the table the textures of two units."""
        for unit, texture in ((atlas_unit, self._atlas), (table_unit, self._table)):
            if texture is not None:
                self._gl.glActiveTexture(GL_TEXTURE0 + unit)
                self._gl.glBindTexture(GL_TEXTURE_2D, texture.textureId())

    def release(self) -> None:
        """Give the memory back."""
        for texture in (self._atlas, self._table):
            if texture is not None:
                texture.destroy()
        self._atlas = self._table = None

    def _make_room(self, camera: Camera) -> None:
        """Have a texture with room for what a view of this size shows at once, and for the pages that are wanted."""
        # A level has at most twice as many pixels each way as the screen, where the view is not distorted.
        most = max(len(self._wanted), 4 * camera.height * camera.width / PAGE**2)
        # In steps, so that a window that grows does not have to begin anew with every pixel.
        across = min(-(-math.ceil(math.sqrt(SPARE * most)) // STEP) * STEP, self._max_across)
        if across <= self._across:
            return
        self.release()
        self._across = across
        self._atlas = plain_texture(interpolation=GL_LINEAR, wrap=GL_CLAMP_TO_EDGE)
        side = across * PLACE
        self._gl.glTexImage2D(GL_TEXTURE_2D, 0, self._internal, side, side, 0, self._format, GL_UNSIGNED_BYTE, NULL)
        self._table = plain_texture(interpolation=GL_NEAREST, wrap=GL_CLAMP_TO_EDGE)
        self._places.clear()
        self._free = list(range(across**2))[::-1]

    def _place_for(self, page: Page) -> int:
        """A free place, or that of the page which was not seen for longest."""
        place = self._free.pop() if self._free else self._places.popitem(last=False)[1]
        self._places[page] = place
        return place

    def _tell(self) -> None:
        """Send the table: for each page of the level column and row of its place, and whether it is there."""
        if self._level is None or self._table is None:
            return
        rows, cols = self._pyramid.page_grid(self._level)
        table = np.zeros((rows, cols, 4), np.uint8)
        for page, place in self._places.items():
            if page.level == self._level:
                table[page.row, page.col] = (place % self._across, place // self._across, 0, 255)
        gl = self._gl
        gl.glActiveTexture(GL_TEXTURE0)
        gl.glBindTexture(GL_TEXTURE_2D, self._table.textureId())
        gl.glPixelStorei(GL_UNPACK_ALIGNMENT, 1)
        gl.glTexImage2D(GL_TEXTURE_2D, 0, GL_RGBA8, cols, rows, 0, GL_RGBA, GL_UNSIGNED_BYTE, address_of(table))
