"""Colour pictures of 16 bits, which Pillow reads and does not write: PNG and TIFF, with their metadata."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin

from core.errors import ExportError

_AFTER_HEADER = 33
"""Of a PNG: signature and IHDR end here (PNG, 3rd edition, 5.6)."""
_XMP_KEYWORD = b"XML:com.adobe.xmp"
_STRIP_ROWS = 64
_MOST_TIFF_BYTES = 0xFFFF0000


def write_png16(
    pixels: NDArray[np.uint16],
    stream: BinaryIO,
    *,
    icc_profile: bytes,
    packet: bytes | None = None,
) -> None:
    """A PNG of 16 bits per channel.

    Args:
        pixels: (h, w, 3).
        stream: Open for writing.
        icc_profile: What the numbers mean.
        packet: XMP packet.
    """
    chunks = [_chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc_profile))]
    if packet is not None:
        chunks.append(_chunk(b"iTXt", _XMP_KEYWORD + b"\0\0\0\0\0" + packet))
    _, encoded = cv2.imencode(".png", np.ascontiguousarray(pixels[..., ::-1]), [cv2.IMWRITE_PNG_COMPRESSION, 3])
    data = encoded.data.cast("B")
    stream.write(data[:_AFTER_HEADER])
    stream.write(b"".join(chunks))
    stream.write(data[_AFTER_HEADER:])


def write_tiff16(
    pixels: NDArray[np.uint16],
    stream: BinaryIO,
    *,
    icc_profile: bytes,
    packet: bytes | None = None,
) -> None:
    """A TIFF of 16 bits per channel: strips of differences, deflated (TIFF 6.0, section 14; Adobe's compression 8).

    Args:
        pixels: (h, w, 3).
        stream: Open for writing.
        icc_profile: What the numbers mean.
        packet: XMP packet.

    Raises:
        ExportError: It is larger than a TIFF can be.
    """
    height, width = pixels.shape[:2]
    strips = [_deflated(pixels[top : top + _STRIP_ROWS]) for top in range(0, height, _STRIP_ROWS)]
    sizes = [len(strip) for strip in strips]
    if sum(sizes) > _MOST_TIFF_BYTES:
        raise ExportError("A TIFF holds up to 4 GiB, got more; choose .png.")
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[256], tags[257], tags[258], tags[259], tags[262], tags[277] = width, height, (16, 16, 16), 8, 2, 3
    # Pillow adds where the directory ends to the offsets.
    tags[273] = tuple(int(size) for size in np.cumsum([0, *sizes[:-1]]))
    tags[278], tags[279], tags[284], tags[317], tags[34675] = _STRIP_ROWS, tuple(sizes), 1, 2, icc_profile
    if packet is not None:
        tags[700] = packet
        tags.tagtype[700] = 1
    tags.save(stream)
    for strip in strips:
        stream.write(strip)


def _deflated(rows: NDArray[np.uint16]) -> bytes:
    differences = rows.astype("<u2")
    differences[:, 1:] -= rows[:, :-1]
    return zlib.compress(differences.tobytes(), 6)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
