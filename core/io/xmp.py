"""The XMP packet of a picture, found by walking the container's own structure and never by searching the pixels."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

MAX_PACKET_BYTES = 2 * 1024 * 1024
MAX_PARTS = 100_000
"""Segments or chunks looked at before giving up; a picture of 800 MB in chunks of 8 KB has as many."""

_JPEG_SIGNATURE = b"http://ns.adobe.com/xap/1.0/\x00"
_PNG_KEYWORD = b"XML:com.adobe.xmp\x00"
_TIFF_TAG = 700
_TIFF_BYTE_KINDS = (1, 2, 7)


class XmpError(Exception):
    """The packet exists and cannot be used; the message says why in a few words."""


def read_xmp(stream: BinaryIO) -> bytes | None:
    """The first XMP packet of a JPEG, PNG, TIFF or WebP file.

    Reads the headers of the file's parts and the packet itself, at most `MAX_PACKET_BYTES` of it.

    Args:
        stream: A seekable file; its position is changed.

    Returns:
        The packet, or None when the file has none or its structure ends before one is found.

    Raises:
        XmpError: The packet is larger than `MAX_PACKET_BYTES` or its compression is broken.
    """
    stream.seek(0)
    start = stream.read(16)
    stream.seek(0)
    try:
        if start.startswith(b"\xff\xd8"):
            return _from_jpeg(stream)
        if start.startswith(b"\x89PNG\r\n\x1a\n"):
            return _from_png(stream)
        if start[:4] in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"):
            return _from_tiff(stream)
        if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
            return _from_webp(stream)
    except (struct.error, EOFError):
        return None  # the structure is cut short; whether the picture is usable is for its decoder to say
    return None


def _exactly(stream: BinaryIO, size: int) -> bytes:
    """The next `size` bytes.

    Raises:
        EOFError: The file ends before.
        XmpError: More is asked for than a packet may have.
    """
    if size > MAX_PACKET_BYTES:
        raise XmpError(f"it has {size:,} bytes, the limit is {MAX_PACKET_BYTES:,}")
    data = stream.read(size)
    if len(data) != size:
        raise EOFError
    return data


def _from_jpeg(stream: BinaryIO) -> bytes | None:
    stream.seek(2)
    for _ in range(MAX_PARTS):
        marker = _exactly(stream, 2)
        while marker == b"\xff\xff":  # fill bytes may stand before a marker
            marker = marker[1:] + _exactly(stream, 1)
        if marker[0] != 0xFF or marker[1] in (0xD9, 0xDA):
            return None
        if marker[1] == 0x01 or 0xD0 <= marker[1] <= 0xD7:
            continue
        (size,) = struct.unpack(">H", _exactly(stream, 2))
        if size < 2:
            return None
        if marker[1] != 0xE1:
            stream.seek(size - 2, io.SEEK_CUR)
            continue
        segment = _exactly(stream, size - 2)
        if segment.startswith(_JPEG_SIGNATURE):
            return segment[len(_JPEG_SIGNATURE) :]
    return None


def _from_png(stream: BinaryIO) -> bytes | None:
    for kind, size in _chunks(stream, start=8, layout=">I4s", size_first=True, trailer=4):
        if kind == b"IEND":
            return None
        if kind != b"iTXt" or size < len(_PNG_KEYWORD) + 4:
            continue
        text = _exactly(stream, len(_PNG_KEYWORD))
        if text != _PNG_KEYWORD:
            continue
        # iTXt: keyword, compression flag and method, language, translated keyword, text (PNG specification, 11.3.3.4)
        rest = _exactly(stream, size - len(_PNG_KEYWORD))
        parts = rest[2:].split(b"\x00", 2)
        if len(parts) < 3:
            return None
        return _inflate(parts[2]) if rest[0] else parts[2]
    return None


def _inflate(data: bytes) -> bytes:
    decoder = zlib.decompressobj()
    try:
        packet = decoder.decompress(data, MAX_PACKET_BYTES)
    except zlib.error as error:
        raise XmpError("its compression is broken") from error
    if decoder.unconsumed_tail:
        raise XmpError(f"it unpacks to more than {MAX_PACKET_BYTES:,} bytes")
    return packet


def _from_webp(stream: BinaryIO) -> bytes | None:
    stream.seek(4)
    end = 8 + int.from_bytes(_exactly(stream, 4), "little")
    for kind, size in _chunks(stream, start=12, end=end, layout="<4sI", size_first=False, trailer=0):
        if kind == b"XMP ":
            return _exactly(stream, size)
    return None


def _chunks(
    stream: BinaryIO, *, start: int, layout: str, size_first: bool, trailer: int, end: int | None = None
) -> Iterator[tuple[bytes, int]]:
    """Kind and size of each chunk, the stream standing at its content."""
    position = start
    for _ in range(MAX_PARTS):
        if end is not None and position >= end:
            return
        stream.seek(position)
        first, second = struct.unpack(layout, _exactly(stream, 8))
        kind, size = (second, first) if size_first else (first, second)
        yield kind, size
        position += 8 + size + trailer
        if not size_first:
            position += size % 2  # RIFF pads a chunk to an even size


def _from_tiff(stream: BinaryIO) -> bytes | None:
    """Tag 700 of the first directory of a classic or a big TIFF."""
    order, version = _exactly(stream, 2), _exactly(stream, 2)
    endian = "<" if order == b"II" else ">"
    is_big = b"+" in version
    stream.seek(8 if is_big else 4)
    (directory,) = struct.unpack(endian + ("Q" if is_big else "I"), _exactly(stream, 8 if is_big else 4))
    _seek(stream, directory)
    (count,) = struct.unpack(endian + ("Q" if is_big else "H"), _exactly(stream, 8 if is_big else 2))
    entry = endian + ("HHQ" if is_big else "HHI")
    width = 8 if is_big else 4
    for _ in range(min(count, MAX_PARTS)):
        tag, kind, length = struct.unpack(entry, _exactly(stream, struct.calcsize(entry)))
        value = _exactly(stream, width)
        if tag != _TIFF_TAG:
            continue
        if kind not in _TIFF_BYTE_KINDS:
            return None
        if length <= width:
            return value[:length]
        _seek(stream, struct.unpack(endian + ("Q" if is_big else "I"), value)[0])
        return _exactly(stream, length)
    return None


def _seek(stream: BinaryIO, position: int) -> None:
    """Go to an offset taken from the file.

    Raises:
        EOFError: No file is that long.
    """
    if position >= 1 << 62:
        raise EOFError
    stream.seek(position)
