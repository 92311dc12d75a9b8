"""A map of masks as OpenGL textures: where it changes, only that part is sent again."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QOpenGLContext

from panoviewer.views.gl_names import (
    GL_CLAMP_TO_EDGE,
    GL_LUMINANCE8_ALPHA8,
    GL_LUMINANCE_ALPHA,
    GL_NEAREST,
    GL_REPEAT,
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
from panoviewer.views.masks import MaskMap, Part
from panoviewer.views.sphere_texture import BAND_BYTES, TICK_SECONDS

PALETTE_WIDTH = 256


class MaskTexture:
    """The index of a map, two bytes per pixel as luminance and alpha, and its palette, on their way to the device.

    The palette's texture has two rows for each 256 masks: insides in the even rows, borders in the odd ones. All
    methods need the context in which the textures were made to be current.
    """

    def __init__(self, masks: MaskMap, device_width: int) -> None:
        """Make the textures; they are `drawable` once the whole index is there.

        Args:
            masks: The map.
            device_width: Widest texture of the device; of a wider map every second, third, ... pixel is sent.
        """
        self._masks = masks
        self._step = -(-masks.index.shape[1] // device_width)
        self._gl = QOpenGLContext.currentContext().functions()
        self._index = plain_texture(interpolation=GL_NEAREST, wrap=GL_REPEAT)
        height, width = self._sent.shape
        self._gl.glTexImage2D(
            GL_TEXTURE_2D, 0, GL_LUMINANCE8_ALPHA8, width, height, 0, GL_LUMINANCE_ALPHA, GL_UNSIGNED_BYTE, NULL
        )
        self._palette = plain_texture(interpolation=GL_NEAREST, wrap=GL_CLAMP_TO_EDGE)
        self._stale: list[Part] = []
        self.palette_rows = 0
        self.drawable = False
        self.update([Part(0, 0, *masks.index.shape)])

    @property
    def complete(self) -> bool:
        """True once all that has changed is there."""
        return not self._stale

    @property
    def _sent(self) -> NDArray[np.uint16]:
        """What the device has of the index."""
        return self._masks.index[:: self._step, :: self._step]

    def update(self, parts: Sequence[Part]) -> None:
        """Send these parts of the index soon, and the palette now."""
        for part in (_thinned(part, self._step) for part in parts):
            if part.width == 0:
                continue
            rows = max(1, BAND_BYTES // (2 * part.width))
            for top in range(part.row, part.row + part.height, rows):
                height = min(rows, part.row + part.height - top)
                self._stale.append(Part(top, part.col, height, part.width))
        self._send_palette()

    def upload_some(self) -> None:
        """Send parts for a few milliseconds."""
        self._gl.glActiveTexture(GL_TEXTURE0)
        self._gl.glBindTexture(GL_TEXTURE_2D, self._index.textureId())
        self._gl.glPixelStorei(GL_UNPACK_ALIGNMENT, 1)
        begin = time.perf_counter()
        while self._stale and time.perf_counter() - begin < TICK_SECONDS:
            part = self._stale.pop(0)
            values = np.ascontiguousarray(
                self._sent[part.row : part.row + part.height, part.col : part.col + part.width]
            )
            self._gl.glTexSubImage2D(
                GL_TEXTURE_2D,
                0,
                part.col,
                part.row,
                part.width,
                part.height,
                GL_LUMINANCE_ALPHA,
                GL_UNSIGNED_BYTE,
                address_of(values),
            )
        self.drawable = self.drawable or self.complete

    def bind(self, index_unit: int, palette_unit: int) -> None:
        """Make index and palette the textures of two units."""
        for unit, texture in ((index_unit, self._index), (palette_unit, self._palette)):
            self._gl.glActiveTexture(GL_TEXTURE0 + unit)
            self._gl.glBindTexture(GL_TEXTURE_2D, texture.textureId())

    def release(self) -> None:
        """Give the memory back."""
        self._index.destroy()
        self._palette.destroy()

    def _send_palette(self) -> None:
        colors = self._masks.palette
        blocks = -(-len(colors) // PALETTE_WIDTH)
        table = np.zeros((blocks * PALETTE_WIDTH, 2, 4), np.uint8)
        table[: len(colors)] = colors
        table = np.ascontiguousarray(table.reshape(blocks, PALETTE_WIDTH, 2, 4).swapaxes(1, 2))
        self.palette_rows = 2 * blocks
        self._gl.glActiveTexture(GL_TEXTURE0)
        self._gl.glBindTexture(GL_TEXTURE_2D, self._palette.textureId())
        self._gl.glPixelStorei(GL_UNPACK_ALIGNMENT, 1)
        self._gl.glTexImage2D(
            GL_TEXTURE_2D,
            0,
            GL_RGBA8,
            PALETTE_WIDTH,
            self.palette_rows,
            0,
            GL_RGBA,
            GL_UNSIGNED_BYTE,
            address_of(table),
        )


def _thinned(part: Part, step: int) -> Part:
    """The part of every `step`-th row and column."""
    row, col = -(-part.row // step), -(-part.col // step)
    return Part(row, col, -(-(part.row + part.height) // step) - row, -(-(part.col + part.width) // step) - col)
