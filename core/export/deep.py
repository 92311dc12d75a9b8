"""Colour pictures that Pillow does not write: PNG of 16 bits, and TIFF with all that it may tell of a photograph."""

from __future__ import annotations

import struct
import zlib
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin

from core.errors import ExportError
from core.io.kept_exif import tiff_tags

_AFTER_HEADER = 33
"""Of a PNG: signature and IHDR end here (PNG, 3rd edition, 5.6)."""
_XMP_KEYWORD = b"XML:com.adobe.xmp"
_EXIF = b"Exif\0\0"
"""Before EXIF data in a JPEG, not in a PNG."""
_STRIP_ROWS = 64
_MOST_TIFF_BYTES = 0xFFFF0000


def write_png16(
    pixels: NDArray[np.uint16],
    stream: BinaryIO,
    *,
    icc_profile: bytes,
    packet: bytes | None = None,
    exif: bytes | None = None,
) -> None:
    """A PNG of 16 bits per channel.

    Args:
        pixels: (h, w, 3).
        stream: Open for writing.
        icc_profile: What the numbers mean.
        packet: XMP packet.
        exif: EXIF data as from `core.io.kept_exif`.
    """
    chunks = [_chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc_profile))]
    if packet is not None:
        chunks.append(_chunk(b"iTXt", _XMP_KEYWORD + b"\0\0\0\0\0" + packet))
    if exif is not None:
        chunks.append(_chunk(b"eXIf", exif.removeprefix(_EXIF)))
    _, encoded = cv2.imencode(".png", np.ascontiguousarray(pixels[..., ::-1]), [cv2.IMWRITE_PNG_COMPRESSION, 3])
    data = encoded.data.cast("B")
    stream.write(data[:_AFTER_HEADER])
    stream.write(b"".join(chunks))
    stream.write(data[_AFTER_HEADER:])


def write_tiff(
    pixels: NDArray[np.uint8] | NDArray[np.uint16],
    stream: BinaryIO,
    *,
    icc_profile: bytes,
    packet: bytes | None = None,
    exif: bytes | None = None,
) -> None:
    """A TIFF of 8 or 16 bits per channel: differences, deflated (TIFF 6.0, section 14; compression 8).

    Args:
        pixels: (h, w, 3).
        stream: Open for writing.
        icc_profile: What the numbers mean.
        packet: XMP packet.
        exif: EXIF data as from `core.io.kept_exif`.

    Raises:
        ExportError: It is larger than a TIFF can be.
    """
    height, width = pixels.shape[:2]
    strips = [_deflated(pixels[top : top + _STRIP_ROWS]) for top in range(0, height, _STRIP_ROWS)]
    sizes = [len(strip) for strip in strips]
    if sum(sizes) > _MOST_TIFF_BYTES:
        raise ExportError("A TIFF holds up to 4 GiB, got more; choose .png.")
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    bits = (8 * pixels.itemsize,) * 3
    tags[256], tags[257], tags[258], tags[259], tags[262], tags[277] = width, height, bits, 8, 2, 3
    # Pillow adds where the directory ends to the offsets.
    tags[273] = tuple(int(size) for size in np.cumsum([0, *sizes[:-1]]))
    tags[278], tags[279], tags[284], tags[317], tags[34675] = _STRIP_ROWS, tuple(sizes), 1, 2, icc_profile
    if packet is not None:
        tags[700] = packet
        tags.tagtype[700] = 1
    for tag, value in ({} if exif is None else tiff_tags(exif)).items():
        tags[tag] = value
    tags.save(stream)
    for strip in strips:
        stream.write(strip)


def _deflated(rows: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    differences: NDArray[Any] = rows.astype(rows.dtype.newbyteorder("<"))
    differences[:, 1:] -= rows[:, :-1]
    return zlib.compress(differences.tobytes(), 6)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
