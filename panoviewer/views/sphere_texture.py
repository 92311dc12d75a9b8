"""A panorama as an OpenGL texture that is filled band by band, the coarsest level first, so that no upload is felt."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QOpenGLContext
from PySide6.QtOpenGL import QOpenGLTexture
from shiboken6 import VoidPtr

from panoviewer.images import Pyramid

GL_TEXTURE_2D = 0x0DE1
GL_TEXTURE0 = 0x84C0
GL_TEXTURE_MAG_FILTER = 0x2800
GL_TEXTURE_MIN_FILTER = 0x2801
GL_TEXTURE_WRAP_S = 0x2802
GL_TEXTURE_WRAP_T = 0x2803
GL_TEXTURE_BASE_LEVEL = 0x813C
GL_TEXTURE_MAX_LEVEL = 0x813D
GL_LINEAR = 0x2601
GL_LINEAR_MIPMAP_LINEAR = 0x2703
GL_REPEAT = 0x2901
GL_CLAMP_TO_EDGE = 0x812F
GL_RGB = 0x1907
GL_RGBA = 0x1908
GL_RGB8 = 0x8051
GL_RGBA8 = 0x8058
GL_UNSIGNED_BYTE = 0x1401
GL_UNPACK_ALIGNMENT = 0x0CF5

NULL: Any = VoidPtr(0)
"""The binding's stubs ask for a number where the binding itself wants a pointer."""

BAND_BYTES = 1 << 20
TICK_SECONDS = 0.008

_FORMATS = {3: (GL_RGB8, GL_RGB), 4: (GL_RGBA8, GL_RGBA)}


def address_of(array: NDArray[Any]) -> Any:  # noqa: ANN401
    """An array's memory in the form that Qt's OpenGL functions take; the array must stay alive."""
    return VoidPtr(array.ctypes.data)


class SphereTexture:
    """The levels of a pyramid, from the first that the device can hold, on their way into a mip-mapped texture.

    All methods need the context in which the texture was made to be current.
    """

    def __init__(self, pyramid: Pyramid, max_width: int, *, wraps: bool = True) -> None:
        """Make an empty texture.

        Args:
            pyramid: What to fill it with.
            max_width: Wider levels are left out.
            wraps: Whether the right edge continues at the left one.
        """
        self._max_width = max_width
        self._levels = _fitting(pyramid, max_width)
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
            (GL_TEXTURE_WRAP_S, GL_REPEAT if wraps else GL_CLAMP_TO_EDGE),
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
    def full_width(self) -> int:
        """Columns of the largest level that will be there."""
        return int(self._levels[0].shape[1])

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
        self._waits = pyramid is not None
        self._base, self._level, self._row = len(self._levels), len(self._levels) - 1, 0
        return True

    def release(self) -> None:
        """Give the memory back."""
        self._name.destroy()

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
    """The levels that the device can hold, at least the smallest."""
    return [level for level in pyramid.levels if level.shape[1] <= max_width] or [pyramid.levels[-1]]
