"""A panorama as an OpenGL texture that is filled band by band, the coarsest level first, so that no upload is felt."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QOpenGLContext
from PySide6.QtOpenGL import QOpenGLTexture

from core.pyramid import Pyramid
from panoviewer.views.gl_names import (
    GL_CLAMP_TO_EDGE,
    GL_LINEAR,
    GL_LINEAR_MIPMAP_LINEAR,
    GL_REPEAT,
    GL_RGB,
    GL_RGB8,
    GL_RGBA,
    GL_RGBA8,
    GL_TEXTURE0,
    GL_TEXTURE_2D,
    GL_TEXTURE_BASE_LEVEL,
    GL_TEXTURE_MAG_FILTER,
    GL_TEXTURE_MAX_LEVEL,
    GL_TEXTURE_MIN_FILTER,
    GL_TEXTURE_WRAP_S,
    GL_TEXTURE_WRAP_T,
    GL_UNPACK_ALIGNMENT,
    GL_UNSIGNED_BYTE,
    NULL,
    address_of,
)
from panoviewer.views.sphere_pages import SpherePages

BAND_BYTES = 1 << 20
TICK_SECONDS = 0.008

_FORMATS = {3: (GL_RGB8, GL_RGB), 4: (GL_RGBA8, GL_RGBA)}


class SphereTexture:
    """The levels of a pyramid, from the first that is not too wide, on their way into a mip-mapped texture.

    All methods need the context in which the texture was made to be current.

    Attributes:
        pages: What a camera sees of the wider levels; None where there are none.
    """

    def __init__(self, pyramid: Pyramid, max_width: int, device_width: int) -> None:
        """Make an empty texture.

        Args:
            pyramid: What to fill it with.
            max_width: Wider levels are shown by pages.
            device_width: Widest texture of the device.
        """
        self._max_width = min(max_width, device_width)
        self._device_width = device_width
        self._levels = _fitting(pyramid, self._max_width)
        self.pages = self._pages_of(pyramid)
        self._allocated = 0
        self._gl = QOpenGLContext.currentContext().functions()
        self._internal, self._format = _FORMATS[self._levels[0].shape[2]]
        self._base = len(self._levels)
        self._level = len(self._levels) - 1
        self._row = 0
        self._waits = True
        self._name = QOpenGLTexture(QOpenGLTexture.Target.Target2D)
        self._name.create()
        self._bind()
        for name, value in (
            (GL_TEXTURE_MIN_FILTER, GL_LINEAR_MIPMAP_LINEAR),
            (GL_TEXTURE_MAG_FILTER, GL_LINEAR),
            (GL_TEXTURE_WRAP_S, GL_REPEAT),
            (GL_TEXTURE_WRAP_T, GL_CLAMP_TO_EDGE),
            (GL_TEXTURE_MAX_LEVEL, len(self._levels) - 1),
        ):
            self._gl.glTexParameteri(GL_TEXTURE_2D, name, value)

    @property
    def ready(self) -> bool:
        """True once there is something to draw."""
        return self._base < len(self._levels)

    @property
    def complete(self) -> bool:
        """True once the largest level is there, or there is nothing to be sent."""
        return self._base == 0 or not self._waits

    @property
    def width(self) -> int:
        """Columns of the largest level that is there."""
        return int(self._levels[self._base].shape[1])

    def bind(self, unit: int) -> None:
        """Make it the texture of a unit."""
        self._gl.glActiveTexture(GL_TEXTURE0 + unit)
        self._bind()

    def upload_some(self) -> bool:
        """Fill in bands for a few milliseconds.

        Returns:
            True when another level has become complete, so that drawing again shows more.
        """
        finished = False
        self._gl.glActiveTexture(GL_TEXTURE0)
        self._bind()
        self._gl.glPixelStorei(GL_UNPACK_ALIGNMENT, 1)
        begin = time.perf_counter()
        while not self.complete and time.perf_counter() - begin < TICK_SECONDS:
            finished = self._upload_band() or finished
        return finished

    def refill(self, pyramid: Pyramid | None) -> bool:
        """Begin again with another pyramid in the same memory, which costs much less than new memory.

        Returns:
            False when the pyramid has other sizes and nothing was done. None, which is nothing to draw, always fits.
        """
        if pyramid is not None:
            levels = _fitting(pyramid, self._max_width)
            if [level.shape for level in levels] != [level.shape for level in self._levels]:
                return False
            self._levels = levels
        self._release_pages()
        self.pages = None if pyramid is None else self._pages_of(pyramid)
        self._waits = pyramid is not None
        self._base, self._level, self._row = len(self._levels), len(self._levels) - 1, 0
        return True

    def release(self) -> None:
        """Give the memory back."""
        self._release_pages()
        self._name.destroy()

    def _pages_of(self, pyramid: Pyramid) -> SpherePages | None:
        base_width = int(self._levels[0].shape[1])
        if pyramid.levels[0].shape[1] <= base_width:
            return None
        return SpherePages(pyramid, base_width, self._device_width)

    def _release_pages(self) -> None:
        if self.pages is not None:
            self.pages.release()

    def _bind(self) -> None:
        self._gl.glBindTexture(GL_TEXTURE_2D, self._name.textureId())

    def _upload_band(self) -> bool:
        level, gl = self._levels[self._level], self._gl
        height, width = level.shape[:2]
        if self._row == 0 and self._allocated < len(self._levels) - self._level:
            self._allocated += 1
            gl.glTexImage2D(
                GL_TEXTURE_2D, self._level, self._internal, width, height, 0, self._format, GL_UNSIGNED_BYTE, NULL
            )
        rows = min(max(1, BAND_BYTES // level[0].nbytes), height - self._row)
        band = level[self._row : self._row + rows]
        gl.glTexSubImage2D(
            GL_TEXTURE_2D,
            self._level,
            0,
            self._row,
            width,
            rows,
            self._format,
            GL_UNSIGNED_BYTE,
            address_of(band),
        )
        self._row += rows
        if self._row < height:
            return False
        self._base = self._level
        gl.glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_BASE_LEVEL, self._base)
        self._level, self._row = self._level - 1, 0
        return True


def _fitting(pyramid: Pyramid, max_width: int) -> list[NDArray[np.uint8]]:
    """The levels that are not too wide, at least the smallest."""
    return [level for level in pyramid.levels if level.shape[1] <= max_width] or [pyramid.levels[-1]]
