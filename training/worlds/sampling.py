"""Where light is sampled: sequences that fill a square evenly, and directions about normals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

_R2 = np.array([0.7548776662, 0.5698402910])
_R3 = np.array([0.8191725134, 0.6710436067, 0.5497004779])
"""Steps of the R2 and R3 sequences: M. Roberts, The Unreasonable Effectiveness of Quasirandom Sequences, 2018."""


def interleaved(
    height: int, width: int, period: int, dimensions: int, rng: np.random.Generator, *, stride: int = 1
) -> Array:
    """(h * w, 2 or 3) numbers in [0, 1): every `period` x `period` block holds one stretch of the sequence.

    A filter over such a block sees samples that are spread evenly, where white noise would leave blotches.
    """
    order = rng.permutation(period * period).reshape(period, period) * stride
    index = np.tile(order, (-(-height // period), -(-width // period)))[:height, :width].reshape(-1, 1)
    steps = _R2 if dimensions == 2 else _R3
    shifted: Array = ((index * steps + rng.random(dimensions)) % 1.0).astype(np.float32)
    return shifted


def tangents(normals: Array) -> tuple[Array, Array]:
    """Two unit vectors (n, 3) across each of (n, 3): T. Duff et al., Building an Orthonormal Basis, Revisited, 2017."""
    x, y, z = normals.T
    sign = np.where(z >= 0, np.float32(1), np.float32(-1))
    scale = -1 / (sign + z)
    mixed = x * y * scale
    first = np.stack([1 + sign * x * x * scale, sign * mixed, -sign * x], 1)
    second = np.stack([mixed, sign + y * y * scale, -y], 1)
    return first, second


def cosine_directions(normals: Array, offset: Array, count: int) -> Array:
    """(n * count, 3) unit directions about (n, 3) normals, cosine-weighted; an offset (n, 2) shifts the sequence."""
    pair = ((offset[:, None] + np.arange(count)[:, None] * _R2) % 1.0).astype(np.float32)
    radius, angle = np.sqrt(pair[..., 0]), pair[..., 1] * np.float32(2 * np.pi)
    a, b = (radius * np.cos(angle))[..., None], (radius * np.sin(angle))[..., None]
    rise = np.sqrt(np.maximum(1 - pair[..., 0], 0))[..., None]
    first, second = tangents(normals)
    directions = a * first[:, None] + b * second[:, None] + rise * normals[:, None]
    return np.ascontiguousarray(directions.reshape(-1, 3), np.float32)
