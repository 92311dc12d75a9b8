"""Names of OpenGL that Qt's binding leaves out, and an array's memory as its functions take it."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from shiboken6 import VoidPtr

GL_ARRAY_BUFFER = 0x8892
GL_BLEND = 0x0BE2
GL_CLAMP_TO_EDGE = 0x812F
GL_COLOR_BUFFER_BIT = 0x4000
GL_CULL_FACE = 0x0B44
GL_DEPTH_TEST = 0x0B71
GL_FLOAT = 0x1406
GL_LINEAR = 0x2601
GL_LINEAR_MIPMAP_LINEAR = 0x2703
GL_LUMINANCE8_ALPHA8 = 0x8045
GL_LUMINANCE_ALPHA = 0x190A
GL_MAX_TEXTURE_SIZE = 0x0D33
GL_NEAREST = 0x2600
GL_REPEAT = 0x2901
GL_RGB = 0x1907
GL_RGB8 = 0x8051
GL_RGBA = 0x1908
GL_RGBA8 = 0x8058
GL_TEXTURE0 = 0x84C0
GL_TEXTURE_2D = 0x0DE1
GL_TEXTURE_BASE_LEVEL = 0x813C
GL_TEXTURE_MAG_FILTER = 0x2800
GL_TEXTURE_MAX_LEVEL = 0x813D
GL_TEXTURE_MIN_FILTER = 0x2801
GL_TEXTURE_WRAP_S = 0x2802
GL_TEXTURE_WRAP_T = 0x2803
GL_TRIANGLE_STRIP = 0x0005
GL_UNPACK_ALIGNMENT = 0x0CF5
GL_UNSIGNED_BYTE = 0x1401

NULL: Any = VoidPtr(0)
"""The binding's stubs ask for a number where the binding itself wants a pointer."""


def address_of(array: NDArray[Any]) -> Any:  # noqa: ANN401
    """An array's memory in the form that Qt's OpenGL functions take; the array must stay alive."""
    return VoidPtr(array.ctypes.data)
