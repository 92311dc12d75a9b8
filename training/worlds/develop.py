"""Radiance becomes a photograph: exposure, white balance, tone curve, bloom, noise, compression, stitching faults."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.geometry.sphere import erp_angles

Array = NDArray[np.float32]


def develop(radiance: Array, rng: np.random.Generator, *, key: float = 1.0, faults: bool = True) -> NDArray[np.uint8]:
    """An sRGB picture of linear radiance, as some camera and some stitcher would make it.

    Args:
        radiance: (h, w, 3) linear, any unit.
        rng: Random numbers; how it is developed differs from picture to picture.
        key: Brightness of the exposure, 1 normal.
        faults: Whether noise, blur, bands of wrong stitching, caps at the poles and compression may occur.

    Returns:
        (h, w, 3) uint8.
    """
    weight = np.cos(erp_angles(*radiance.shape[:2])[1]).astype(np.float32)[:, None]
    image = np.nan_to_num(np.maximum(radiance, 0), posinf=1e4)
    luminance = image @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    middle = np.exp(np.sum(np.log(luminance + 1e-4) * weight) / (weight.sum() * luminance.shape[1]))
    image *= np.float32(0.2 * key * 2 ** np.clip(rng.normal(0.1, 0.5), -1.3, 1.2) / middle)
    image = _balanced(image, weight, rng)
    if rng.random() < 0.7:
        image = _bloomed(image, rng)
    image = _toned(image, rng)
    if faults:
        image = _faulty(image, rng)
    encoded = np.where(image <= 0.0031308, 12.92 * image, 1.055 * np.maximum(image, 1e-6) ** (1 / 2.4) - 0.055)
    if faults:
        encoded += _sensor_noise(encoded.shape, rng)
    picture = np.rint(np.clip(encoded, 0, 1) * 255).astype(np.uint8)
    return _compressed(picture, rng) if faults and rng.random() < 0.6 else picture


def _balanced(image: Array, weight: Array, rng: np.random.Generator) -> Array:
    """White balance of some success: the mean's tint is taken out by a random share, another tint may come in."""
    clipped = np.minimum(image, 1.0)
    mean = (clipped * weight[..., None]).sum((0, 1))
    tint = mean / max(float(mean.mean()), 1e-6)
    gain = np.clip(tint, 0.3, 3.0) ** -rng.uniform(0.0, 0.9)
    warmth, green = rng.normal(0, 0.06), rng.normal(0, 0.025)
    gain = gain * np.exp([warmth, green, -warmth])
    image = image * (gain / gain.mean()).astype(np.float32)
    grey = image.mean(-1, keepdims=True)
    balanced: Array = np.maximum(grey + (image - grey) * np.float32(rng.uniform(0.65, 1.25)), 0)
    return balanced


def _bloomed(image: Array, rng: np.random.Generator) -> Array:
    import cv2

    bright = np.minimum(np.maximum(image - 1, 0), 6)
    if bright.max() <= 0:
        return image
    height, width = image.shape[:2]
    margin = width // 8
    spread = height * rng.uniform(0.01, 0.05)
    # Wrapped at the seam; the poles may reflect.
    padded = np.concatenate([bright[:, -margin:], bright, bright[:, :margin]], 1)
    small = cv2.resize(padded, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    glow = cv2.GaussianBlur(small, (0, 0), spread / 2)
    glow = cv2.resize(glow, (padded.shape[1], padded.shape[0]), interpolation=cv2.INTER_LINEAR)
    bloomed: Array = image + np.float32(rng.uniform(0.02, 0.25)) * glow[:, margin:-margin]
    return bloomed


def _toned(image: Array, rng: np.random.Generator) -> Array:
    """A linear, filmic or flat tone curve, 0..1 linear out."""
    kind = rng.random()
    if kind < 0.35:
        toned = np.minimum(image, 1)
    elif kind < 0.75:
        # Reinhard's curve with a white point: E. Reinhard et al., Photographic Tone Reproduction, 2002, equation 4.
        white = np.float32(rng.uniform(1.5, 6))
        image = image * np.float32(1.4)
        toned = image * (1 + image / white**2) / (1 + image)
    else:
        # Like merged exposures: shadows lifted, highlights held.
        slope = np.float32(rng.uniform(3, 12))
        toned = np.log1p(slope * image) / np.log1p(slope * 3)
    contrast = np.float32(rng.uniform(0.85, 1.2))
    black = np.float32(rng.uniform(0, 0.012))
    return np.clip(toned, 0, 1) ** contrast * (1 - black) + black


def _sensor_noise(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    strength = np.float32(rng.choice([0.0, 0.004, 0.01, 0.02], p=[0.4, 0.35, 0.2, 0.05]))
    if strength == 0:
        return np.zeros(shape, np.float32)
    return rng.standard_normal(shape, dtype=np.float32) * strength


def _faulty(image: Array, rng: np.random.Generator) -> Array:
    import cv2

    height, width = image.shape[:2]
    if rng.random() < 0.3:
        sigma = rng.uniform(0.3, 0.7) * height / 256
        padded = np.concatenate([image[:, -8:], image, image[:, :8]], 1)
        image = np.ascontiguousarray(cv2.GaussianBlur(padded, (0, 0), sigma)[:, 8:-8], np.float32)
    if rng.random() < 0.12:
        # Two lenses that do not agree: a lens's half is a little brighter.
        column = rng.integers(width)
        ramp = (np.mod(np.arange(width) - column, width) < width // 2).astype(np.float32)
        ramp = cv2.GaussianBlur(np.tile(ramp, 3)[None], (0, 0), max(width / 200, 1))[0, width : 2 * width]
        image = image * (1 + np.float32(rng.normal(0, 0.08)) * ramp[None, :, None])
    if rng.random() < 0.08:
        column, half = rng.integers(width), max(2, int(width * rng.uniform(0.01, 0.06)))
        columns = np.arange(column - half, column + half) % width
        image = image.copy()
        image[:, columns] = np.roll(image[:, columns], rng.integers(-2, 3), axis=0)
    if rng.random() < 0.3:
        image = _capped(image, rng)
    return image


def _capped(image: Array, rng: np.random.Generator) -> Array:
    """A tripod's disc, a blurred nadir or a black cap at one pole."""
    import cv2

    height = len(image)
    rows = max(1, int(height * rng.uniform(0.02, 0.1)))
    top = rng.random() < 0.2
    band = slice(0, rows) if top else slice(height - rows, height)
    image = image.copy()
    kind = rng.random()
    if kind < 0.3:
        image[band] = np.float32(rng.choice([0.0, 0.02, 0.6]))
    elif kind < 0.6:
        image[band] = image[band].mean((0, 1))
    elif kind < 0.8:
        image[band] = cv2.GaussianBlur(image[band], (0, 0), height / 20, borderType=cv2.BORDER_REFLECT)
    else:
        legs = np.zeros(image.shape[1], bool)
        start = rng.integers(image.shape[1])
        for leg in range(3):
            middle = start + leg * image.shape[1] // 3
            half = max(1, image.shape[1] // 90)
            legs[np.arange(middle - half, middle + half) % image.shape[1]] = True
        image[band, legs] = np.float32(0.02)
    return image


def _compressed(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    import cv2

    quality = int(rng.integers(55, 96))
    _, code = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(decoded[..., ::-1])
