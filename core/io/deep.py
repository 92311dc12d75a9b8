"""PNG and TIFF pictures with more than 8 bits per channel, and what their colour profiles make of them.

Whole numbers of 16 bits are a developed picture in more steps, in sRGB or as their profile says; 32-bit floats are
linear light.
"""

from __future__ import annotations

import math
import struct
import sys
from dataclasses import dataclass
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin

from core.geometry.compiled import compiled, frozen
from core.tone import srgb_table

LEVELS = 1 << 16
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _FILL_ORDER, _OFFSETS, _ORIENTATION = 256, 257, 258, 259, 266, 273, 274
_SAMPLES, _STRIP_BYTES, _PLANES = 277, 279, 284
# Linear sRGB from the profile connection space of ICC profiles, XYZ under D50: the inverse of sRGB's own columns
# (ICC profile sRGB2014.icc).
_RGB_FROM_PCS = np.linalg.inv([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
_INVISIBLE = 2 / 255
_INCOMPLETE = "its pixels are damaged or incomplete"


class DeepError(Exception):
    """The pixels cannot be read; the message says why in a few words."""


class UnknownPixels(Exception):
    """The file is whole, and its pixels are of a kind that cannot be shown; the message says why and what to do."""


def tiff_directory(
    stream: BinaryIO, offset: int | None = None, group: int | None = None
) -> TiffImagePlugin.ImageFileDirectory_v2:
    """The tags of a classic or a big TIFF, none of its pixels.

    Args:
        stream: The file.
        offset: Where a directory lies; that of the first picture when None.
        group: The tag that leads to it.

    Raises:
        UnknownPixels: It is a big TIFF whose numbers begin with their highest byte, which no reader here knows.
    """
    stream.seek(0)
    start = stream.read(8)
    if start[:4] == b"MM\0+":
        raise UnknownPixels("it is a BigTIFF in big-endian order; save it as a plain TIFF, or in little-endian order")
    if start[2:3] == b"+":
        start += stream.read(8)
    tags = TiffImagePlugin.ImageFileDirectory_v2(start, group=group)
    stream.seek(tags.next if offset is None else offset)
    tags.load(stream)
    return tags


def plain_pixels(tags: TiffImagePlugin.ImageFileDirectory_v2, kind: type[np.uint16 | np.float32]) -> PlainPixels | None:
    """The pixels of a TIFF where they lie in the file as they would in memory; None where they have to be decoded.

    Args:
        tags: As from `tiff_directory`; one plane of pixels.
        kind: Of their values.
    """
    offsets, lengths = tags.get(_OFFSETS, ()), tags.get(_STRIP_BYTES, ())
    height, width, samples = int(tags[_HEIGHT]), int(tags[_WIDTH]), int(tags.get(_SAMPLES, 1))
    size = np.dtype(kind).itemsize
    as_usual = ((_COMPRESSION, 1), (_FILL_ORDER, 1), (_ORIENTATION, 1), (_PLANES, 1))
    if (
        any(tags.get(tag, usual) != usual for tag, usual in as_usual)
        or (tags.prefix == b"MM") == (sys.byteorder == "little")
        or set(tags[_BITS]) != {8 * size}
        or not offsets
        or offsets[0] % size
        or len(offsets) != len(lengths)
        or sum(lengths) != height * width * samples * size
        or any(start + length != end for start, length, end in zip(offsets, lengths, offsets[1:], strict=False))
    ):
        return None
    return PlainPixels(int(offsets[0]), (height, width, samples), kind)


@dataclass(frozen=True)
class PlainPixels:
    """Pixels that lie in a file as they do in memory.

    Attributes:
        offset: Of the first byte.
        shape: (height, width, channels).
        kind: Of their values.
    """

    offset: int
    shape: tuple[int, int, int]
    kind: type[np.uint16 | np.float32]

    def of(self, data: NDArray[np.uint8]) -> NDArray[Any]:
        """A view of the bytes of the file: grey, RGB or RGBA.

        Raises:
            DeepError: The file ends before them.
        """
        if not 0 <= self.offset <= len(data) - math.prod(self.shape) * np.dtype(self.kind).itemsize:
            raise DeepError(_INCOMPLETE)
        return np.ndarray(self.shape, self.kind, data.data, self.offset)


def decode(data: NDArray[np.uint8], height: int, width: int) -> NDArray[Any]:
    """The stored pixels of a file of 16-bit whole numbers or 32-bit floats.

    Args:
        data: The bytes of the file.
        height: Rows that its header speaks of.
        width: Columns of the same.

    Returns:
        (height, width, 1, 3 or 4) uint16 or float32: grey, BGR or BGRA, as OpenCV has it.

    Raises:
        DeepError: It is damaged or incomplete.
    """
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pixels = None
    finally:
        cv2.utils.logging.setLogLevel(level)
    if pixels is None or pixels.shape[:2] != (height, width) or pixels.dtype not in (np.uint16, np.float32):
        raise DeepError(_INCOMPLETE)
    if pixels.ndim == 2:
        return pixels[..., None]
    if pixels.shape[2] not in (3, 4):
        raise DeepError("its pixels are neither grey nor RGB")
    return np.asarray(pixels)


def reduced(pixels: NDArray[Any], width: int) -> NDArray[Any]:
    """Means over squares of pixels, so many that about `width` columns are left; (h, w, channels) of the same type."""
    step = max(1, pixels.shape[1] // width)
    size = max(1, pixels.shape[1] // step), max(1, pixels.shape[0] // step)
    smaller = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return np.asarray(smaller, pixels.dtype).reshape(size[1], size[0], pixels.shape[2])


def linear_light(
    pixels: NDArray[Any], profile: Profile | None, *, is_premultiplied: bool, is_rgb: bool = False
) -> NDArray[np.float32]:
    """Linear sRGB of stored pixels, over black where they are transparent.

    Args:
        pixels: (h, w, 1, 3 or 4) as from `decode`.
        profile: What whole numbers mean; sRGB when None.
        is_premultiplied: Colours were laid over black already.
        is_rgb: Red comes first, as from `PlainPixels`, and not blue.

    Returns:
        (h, w, 3).
    """
    height, width, channels = pixels.shape
    light = np.empty((height, width, 3), np.float32)
    has_alpha = channels == 4 and not is_premultiplied
    if pixels.dtype == np.uint16:
        curves, matrix = (srgb_table(LEVELS)[None], None) if profile is None else profile.parts
        _light_of_levels(
            frozen(pixels),
            frozen(curves),
            frozen(np.eye(3, dtype=np.float32) if matrix is None else matrix),
            (has_alpha, matrix is not None, is_rgb),
            light,
        )
        return light
    for stored, row in zip(pixels, light, strict=True):
        colours = stored if channels == 1 else stored[:, :3] if is_rgb else stored[:, 2::-1]
        if has_alpha:
            colours = colours * stored[:, 3:]
        row[:] = np.nan_to_num(colours, nan=0.0, posinf=3e38, neginf=0.0)
    return light


@compiled
def _light_of_levels(
    pixels: NDArray[np.uint16],
    curves: NDArray[np.float32],
    matrix: NDArray[np.float32],
    choices: tuple[bool, bool, bool],
    light: NDArray[np.float32],
) -> None:
    """The loop behind `linear_light`: over black where transparent, through the curves, through the matrix."""
    has_alpha, has_matrix, is_rgb = choices
    last_curve, last_colour = curves.shape[0] - 1, min(pixels.shape[2], 3) - 1
    for i in range(pixels.shape[0]):
        for j in range(pixels.shape[1]):
            for c in range(3):
                level = int(pixels[i, j, min(c, last_colour) if is_rgb else max(last_colour - c, 0)])
                if has_alpha:
                    level = (level * int(pixels[i, j, 3]) + 32767) // 65535
                light[i, j, c] = curves[min(c, last_curve), level]
            if has_matrix:
                red, green, blue = light[i, j, 0], light[i, j, 1], light[i, j, 2]
                for c in range(3):
                    light[i, j, c] = matrix[c, 0] * red + matrix[c, 1] * green + matrix[c, 2] * blue


class Profile:
    """An ICC profile of the kind matrix and curves, which all RGB and grey working spaces are, at full depth.

    Source: ICC.1:2010, 8.3, 10.5 (curveType) and 10.15 (parametricCurveType).
    """

    def __init__(self, curves: NDArray[np.float32], matrix: NDArray[np.float32] | None) -> None:
        """Make it.

        Args:
            curves: (channels, 65536) linear light of each level.
            matrix: (3, 3) to linear sRGB; None for grey.
        """
        self._curves = curves
        self._matrix = matrix

    @classmethod
    def parse(cls, data: bytes, channels: int) -> Profile | None:
        """The profile of a picture with this many colours, 1 or 3.

        Returns:
            None when it is damaged, of another kind or for another kind of pixel, or when it is sRGB: nothing is done.
        """
        try:
            profile = cls._parse(data, channels)
        except (struct.error, ValueError, KeyError, OverflowError):
            return None
        probe = np.linspace(0, LEVELS - 1, 256).astype(np.uint16)
        grey = np.repeat(probe[:, None], channels, axis=1)
        mixed = np.stack([probe, probe[::-1], np.roll(probe, 100)], axis=1)[:, :channels]
        for colours in (grey, mixed):
            light = profile.linear(colours)
            if not np.isfinite(light).all():
                return None
            moved = _perceived(light) - colours / (LEVELS - 1.0)
            if np.abs(moved).max() > _INVISIBLE:
                return profile
        return None

    @property
    def parts(self) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """(channels, 65536) linear light of each level, and the (3, 3) matrix to linear sRGB; None for grey."""
        return self._curves, self._matrix

    def linear(self, colours: NDArray[np.uint16]) -> NDArray[np.float32]:
        """(..., 3) linear sRGB of (..., 1 or 3) levels."""
        light = np.stack([curve[colours[..., c]] for c, curve in enumerate(self._curves)], axis=-1)
        return light if self._matrix is None else light @ self._matrix.T

    @classmethod
    def _parse(cls, data: bytes, channels: int) -> Profile:
        if data[36:40] != b"acsp" or data[20:24] != b"XYZ " or data[16:20] != (b"RGB " if channels == 3 else b"GRAY"):
            raise ValueError
        (count,) = struct.unpack_from(">I", data, 128)
        tags = {}
        for number in range(min(count, 100)):
            name, offset, size = struct.unpack_from(">4sII", data, 132 + 12 * number)
            tags[name] = data[offset : offset + size]
        if b"A2B0" in tags:
            raise ValueError
        letters = "rgb" if channels == 3 else "k"
        curves = np.stack([_curve(tags[f"{letter}TRC".encode()]) for letter in letters])
        if channels == 1:
            return cls(curves, None)
        columns = [struct.unpack_from(">3i", tags[f"{letter}XYZ".encode()], 8) for letter in letters]
        matrix = _RGB_FROM_PCS @ (np.array(columns).T / 65536)
        return cls(curves, matrix.astype(np.float32))


def _perceived(light: NDArray[np.float32]) -> NDArray[np.float64]:
    """Encoded by sRGB, from 0 to 1."""
    clipped = np.clip(light.astype(np.float64), 0, 1)
    return np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)


def _curve(tag: bytes) -> NDArray[np.float32]:
    """(65536,) linear light of a curve."""
    x = np.arange(LEVELS) / (LEVELS - 1)
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        if count == 0:
            return x.astype(np.float32)
        entries = np.frombuffer(tag, ">u2", count, 12)
        if count == 1:
            return (x ** (float(entries[0]) / 256)).astype(np.float32)
        return np.interp(x, np.arange(count) / (count - 1), entries / 65535.0).astype(np.float32)
    if tag[:4] != b"para":
        raise ValueError
    (kind,) = struct.unpack_from(">H", tag, 8)
    gamma, a, b, c, d, e, f = _parameters(tag, kind)
    with np.errstate(all="ignore"):
        curved = np.maximum(a * x + b, 0) ** gamma + e
    return np.where(x >= d, curved, c * x + f).astype(np.float32)


def _parameters(tag: bytes, kind: int) -> tuple[float, ...]:
    """g, a, b, c, d, e, f of ``(a x + b)^g + e`` from d on, and ``c x + f`` below it."""
    count = (1, 3, 4, 5, 7)[kind] if kind < 5 else 0
    if not count:
        raise ValueError
    g, a, b, c, d, e, f = ([value / 65536 for value in struct.unpack_from(f">{count}i", tag, 12)] + [0.0] * 6)[:7]
    if kind == 0:
        return g, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if kind in (1, 2):
        # Below -b / a the curve is constant: 0, or c.
        start = -b / a if a else 0.0
        return g, a, b, 0.0, start, (c if kind == 2 else 0.0), (c if kind == 2 else 0.0)
    return g, a, b, c, d, e, f
