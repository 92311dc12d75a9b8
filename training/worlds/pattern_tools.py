# mypy: disable-error-code="no-any-return"
"""Noise, grids and lines: what the patterns of the bank are drawn with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SIZE = 512

Image = NDArray[np.float32]
Rng = np.random.Generator


def noise(rng: Rng, falloff: float, *, stretch: tuple[float, float] = (1.0, 1.0)) -> Image:
    """Tileable noise (512, 512) of mean 0 and deviation 1 with amplitude ``frequency ** -falloff``.

    Args:
        rng: Random numbers.
        falloff: 0 white, 1 clouds with detail, 2 soft.
        stretch: Lengthening along the rows (to the right) and along the columns (down).
    """
    spectrum = np.fft.rfft2(rng.standard_normal((SIZE, SIZE)))
    down = np.fft.fftfreq(SIZE)[:, None] * SIZE * stretch[1]
    right = np.fft.rfftfreq(SIZE)[None] * SIZE * stretch[0]
    spectrum *= np.maximum(np.hypot(down, right), 1.0) ** -falloff
    spectrum[0, 0] = 0
    image = np.fft.irfft2(spectrum, s=(SIZE, SIZE))
    return (image / image.std()).astype(np.float32)


def grid() -> tuple[Image, Image]:
    """Texture coordinates (u to the right, v down), each (512, 512) in [0, 1)."""
    axis = (np.arange(SIZE, dtype=np.float32) + 0.5) / SIZE
    return np.broadcast_to(axis, (SIZE, SIZE)), np.broadcast_to(axis[:, None], (SIZE, SIZE))


def line(position: NDArray[Any], width: float) -> Image:
    """1 within `width` of the whole numbers of a position, 0 elsewhere."""
    return (np.abs((position + 0.5) % 1 - 0.5) < width / 2).astype(np.float32)


def tinted(value: Image, rng: Rng, spread: float) -> Image:
    """A grey image with hues that follow another noise."""
    hue = noise(rng, 1.2)
    return value[..., None] * (1 + spread * hue[..., None] * np.array([1.0, 0.1, -1.0], np.float32))
