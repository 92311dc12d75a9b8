"""Pictures of more than 8 bits for the tests, written by other libraries or byte by byte."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import OpenEXR
import tifffile

COMPRESSIONS = ("NO", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "B44", "B44A", "DWAA", "DWAB")
LOSSLESS = ("NO", "RLE", "ZIPS", "ZIP", "PIZ")


def light(height: int, width: int, seed: int = 0) -> np.ndarray:
    """(height, width, 3) float32 from 2^-6 to 2^6 that a half holds exactly."""
    exponents = np.random.default_rng(seed).uniform(-6, 6, (height, width, 3))
    return (2.0**exponents).astype(np.float16).astype(np.float32)


def levels(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """(height, width, channels) uint16, all over the range."""
    return np.random.default_rng(seed).integers(0, 65536, (height, width, channels), dtype=np.uint16)


def write_exr(path: Path, channels: dict, *, compression: str = "ZIP", tiles: int = 0, **header) -> Path:
    """A file of one part."""
    header |= {"compression": getattr(OpenEXR, f"{compression}_COMPRESSION"), "type": OpenEXR.scanlineimage}
    if tiles:
        described = OpenEXR.TileDescription()
        described.xSize = described.ySize = tiles
        described.mode = OpenEXR.ONE_LEVEL
        header |= {"type": OpenEXR.tiledimage, "tiles": described}
    OpenEXR.File(header, channels).write(str(path))
    return path


def box(left: int, top: int, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """A window as OpenEXR takes it."""
    return np.array([left, top], np.int32), np.array([left + width - 1, top + height - 1], np.int32)


def png16(pixels: np.ndarray, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of (h, w, 1 to 4) 16-bit pixels with further chunks before them."""
    height, width, channels = pixels.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\x00" + row.astype(">u2").tobytes() for row in pixels)
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)), *chunks]
    parts += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n"
    for kind, content in parts:
        data += struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return data


def icc_chunk(profile: bytes) -> tuple[bytes, bytes]:
    """A colour profile for `png16`."""
    return b"iCCP", b"profile\x00\x00" + zlib.compress(profile)


def tiff(pixels: np.ndarray, **options) -> bytes:
    """A TIFF of (h, w) or (h, w, channels) pixels."""
    stream = io.BytesIO()
    options.setdefault("photometric", "rgb" if pixels.ndim == 3 else "minisblack")
    tifffile.imwrite(stream, pixels, **options)
    return stream.getvalue()
