"""Textures that hold one level and nothing that OpenGL makes of it."""

from __future__ import annotations

from PySide6.QtGui import QOpenGLContext
from PySide6.QtOpenGL import QOpenGLTexture

from panoviewer.views.gl_names import (
    GL_CLAMP_TO_EDGE,
    GL_TEXTURE0,
    GL_TEXTURE_2D,
    GL_TEXTURE_MAG_FILTER,
    GL_TEXTURE_MIN_FILTER,
    GL_TEXTURE_WRAP_S,
    GL_TEXTURE_WRAP_T,
)


def plain_texture(*, interpolation: int, wrap: int) -> QOpenGLTexture:
    """An empty texture of the current context, bound to the first unit.

    Args:
        interpolation: GL_NEAREST or GL_LINEAR.
        wrap: What lies beside it on the left and the right: GL_CLAMP_TO_EDGE or GL_REPEAT.
    """
    gl = QOpenGLContext.currentContext().functions()
    texture = QOpenGLTexture(QOpenGLTexture.Target.Target2D)
    texture.create()
    gl.glActiveTexture(GL_TEXTURE0)
    gl.glBindTexture(GL_TEXTURE_2D, texture.textureId())
    for name, value in (
        (GL_TEXTURE_MIN_FILTER, interpolation),
        (GL_TEXTURE_MAG_FILTER, interpolation),
        (GL_TEXTURE_WRAP_S, wrap),
        (GL_TEXTURE_WRAP_T, GL_CLAMP_TO_EDGE),
    ):
        gl.glTexParameteri(GL_TEXTURE_2D, name, value)
    return texture
