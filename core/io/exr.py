"""OpenEXR pictures: what the header says, read here; pixels, read by the OpenEXR library in a process of its own.

The library is C++, writes to the standard error stream whatever it finds wrong, and reads all that a file holds at
once. In a process of its own, with a limit on its memory, a hostile file can only end that.

The layout of headers: https://openexr.com/en/latest/OpenEXRFileLayout.html; chromaticities: SMPTE RP 177-1993.
"""

from __future__ import annotations

import contextlib
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from core.io.deep import UnknownPixels
from core.progress import Progress

MAGIC = b"v/1\x01"
MAX_HEADER_BYTES = 4 << 20
MAX_SIDE = 1_000_000
BASE_BYTES = 1 << 30
"""Address space that the reading process may use beside the pixels."""

_TILED, _LONG_NAMES, _DEEP, _MULTIPART = 0x200, 0x400, 0x800, 0x1000
_BYTES = {0: 4, 1: 2, 2: 4}
_PIXEL_TYPES = {0: "whole numbers", 1: "half", 2: "float"}
_BT709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
_LARGEST_HALF = 65504.0
BLOCK = 1 << 18
"""Pixels that are read at once."""


class ExrError(Exception):
    """The file is no picture that can be read; the message says why in a few words."""


@dataclass(frozen=True)
class Box:
    """Pixels from (left, top) on, `width` and `height` of them."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class ExrHeader:
    """What a part of an OpenEXR file says before its pixels.

    Attributes:
        part: Its number in the file.
        data: The pixels that it holds.
        display: The whole picture, of which the data may be a part, or beyond which it may reach.
        channels: Names of red, green and blue; one name for a grey picture.
        mode: The kind of its values, for people: 'half RGB', 'float Y', ...
        chromaticities: (8,) x and y of red, green, blue and white; None when they are those of sRGB.
        xmp: Its XMP packet.
        axes: Those of normals, where `core.export.normals` has written them.
        stored_bytes: What the library takes to hold all channels of all parts.
    """

    part: int
    data: Box
    display: Box
    channels: tuple[str, ...]
    mode: str
    chromaticities: tuple[float, ...] | None
    xmp: bytes | None
    axes: bytes | None
    stored_bytes: int


@dataclass
class _Part:
    values: dict[str, tuple[str, bytes]] = field(default_factory=dict)

    def box(self, name: str) -> Box:
        left, top, right, bottom = struct.unpack("<4i", self._bytes(name, "box2i", 16))
        width, height = right - left + 1, bottom - top + 1
        if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and max(abs(left), abs(top)) <= MAX_SIDE):
            raise ExrError("its size is impossible")
        return Box(left, top, width, height)

    def channels(self) -> Iterator[tuple[str, int, int, int]]:
        """Name, pixel type and the steps between the samples of each."""
        data, at = self._bytes("channels", "chlist", None), 0
        while at < len(data) and data[at]:
            end = data.find(b"\0", at)
            if end < 0 or end + 17 > len(data):
                raise ExrError("its list of channels is damaged")
            kind, _, x_step, y_step = struct.unpack_from("<iIii", data, end + 1)
            if kind not in _BYTES or not 0 < x_step <= 16 or not 0 < y_step <= 16:
                raise ExrError("its list of channels is damaged")
            yield data[at:end].decode("utf-8", "replace"), kind, x_step, y_step
            at = end + 17

    def _bytes(self, name: str, kind: str, size: int | None) -> bytes:
        found, data = self.values.get(name, ("", b""))
        if found != kind or (size is not None and len(data) != size):
            raise ExrError(f"its {name} is missing or damaged")
        return data

    def text(self, name: str) -> bytes | None:
        return next((data for key, (_, data) in self.values.items() if key.lower() == name), None)


def read_exr_header(stream: BinaryIO) -> ExrHeader:
    """The first part with colours or grey.

    Raises:
        ExrError: The file is damaged.
        UnknownPixels: It holds nothing that is a picture.
    """
    stream.seek(0)
    start = stream.read(8)
    if len(start) < 8 or start[:4] != MAGIC:
        raise ExrError("it does not begin like one")
    version = struct.unpack("<I", start[4:])[0]
    if version & 0xFF != 2 or version & ~(0xFF | _TILED | _LONG_NAMES | _DEEP | _MULTIPART):
        raise ExrError("it is of an unknown version")
    if version & _DEEP:
        raise UnknownPixels("it is a deep one, with several values for a pixel; flatten it")
    data = stream.read(MAX_HEADER_BYTES)
    parts = list(_parts(data, is_multipart=bool(version & _MULTIPART)))
    stored = sum(_stored_bytes(part) for part in parts)
    for number, part in enumerate(parts):
        found = _colours(part)
        if found is not None:
            names, kind = found
            letters = "".join(name.rpartition(".")[2] for name in names)
            return ExrHeader(
                part=number,
                data=part.box("dataWindow"),
                display=part.box("displayWindow"),
                channels=names,
                mode=f"{_PIXEL_TYPES[kind]} {letters}",
                chromaticities=_chromaticities(part),
                xmp=part.text("xmp"),
                axes=part.text("axes"),
                stored_bytes=stored,
            )
    known = ", ".join(name for part in parts for name, *_ in part.channels())[:100]
    raise UnknownPixels(f"it has no channels R, G, B or Y of floats, but {known or 'none'}; write those")


def read_exr(
    path: Path,
    header: ExrHeader,
    progress: Progress,
    first: Callable[[NDArray[np.float32]], None] | None = None,
    first_width: int = 2048,
) -> NDArray[np.float32]:
    """(data.height, data.width, 3) linear sRGB. What is no number is 0, what is infinite is the largest half.

    Args:
        path: The file.
        header: What it says.
        progress: Called with the rows that are read.
        first: Told of every n-th pixel before the others are there.
        first_width: About so many columns.

    Raises:
        ExrError: The pixels are damaged, incomplete or too many.
    """
    height, width, count = header.data.height, header.data.width, len(header.channels)
    limit = 2 * header.stored_bytes + height * width * 8 + BASE_BYTES
    command = [sys.executable, "-P", str(Path(__file__).with_name("exr_process.py"))]
    command += [str(path.resolve()), str(header.part), str(limit)]
    step = max(1, width // first_width) if first is not None else 0
    command.append(str(step))
    command += header.channels if count == 3 else header.channels * 3
    radiance = np.empty((height, width, 3), np.float32)
    matrix = None if header.chromaticities is None or count == 1 else rgb_from_chromaticities(header.chromaticities)
    rows = max(1, BLOCK // width)
    progress(0, height)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        if first is not None:
            small = np.empty((-(-height // step), -(-width // step), 3), np.float32)
            _receive(process, small, matrix)
            first(small)
        for top in range(0, height, rows):
            progress(top, height)
            _receive(process, radiance[top : top + rows], matrix)
    finally:
        process.kill()
        process.communicate()
    progress(height, height)
    return radiance


def _receive(process: subprocess.Popen[bytes], part: NDArray[np.float32], matrix: NDArray[np.float32] | None) -> None:
    """The next pixels of the reading process.

    Raises:
        ExrError: There are none.
    """
    if not _fill(cast(IO[bytes], process.stdout), part):
        _, message = process.communicate()
        raise ExrError(message.decode("utf-8", "replace").strip()[-80:] or "its pixels are damaged")
    if not np.isfinite(part).all():
        np.nan_to_num(part, copy=False, nan=0.0, posinf=_LARGEST_HALF, neginf=0.0)
    if matrix is not None:
        part[:] = part @ matrix.T


def _fill(pipe: IO[bytes], part: NDArray[np.float32]) -> bool:
    """Read an array full; False when the pipe ends before."""
    view = part.reshape(-1).view(np.uint8).data
    at = 0
    while at < len(view):
        got = pipe.readinto(view[at:])  # type: ignore[attr-defined]  # a buffered reader has it
        if not got:
            return False
        at += got
    return True


def rgb_from_chromaticities(chromaticities: tuple[float, ...]) -> NDArray[np.float32]:
    """(3, 3) from linear light of these primaries and white to linear sRGB; white stays white.

    Raises:
        ExrError: They are no primaries.
    """
    try:
        with np.errstate(all="raise"):
            return np.asarray(
                np.linalg.inv(_xyz_from_rgb(_BT709)) @ _adapted(chromaticities) @ _xyz_from_rgb(chromaticities),
                np.float32,
            )
    except (np.linalg.LinAlgError, FloatingPointError, ZeroDivisionError) as error:
        raise ExrError("its chromaticities are impossible") from error


def _xyz_from_rgb(chromaticities: tuple[float, ...]) -> NDArray[np.float64]:
    points = np.array(chromaticities, np.float64).reshape(4, 2)
    xyz = np.column_stack([points[:, 0], points[:, 1], 1 - points.sum(axis=1)]) / points[:, 1:]
    matrix: NDArray[np.float64] = xyz[:3].T * np.linalg.solve(xyz[:3].T, xyz[3])
    return matrix


def _adapted(chromaticities: tuple[float, ...]) -> NDArray[np.float64]:
    """(3, 3) in XYZ from the white of these chromaticities to D65: Bradford, as in ICC.1:2010, annex E."""
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    old, new = (bradford @ [x / y, 1.0, (1 - x - y) / y] for x, y in (chromaticities[6:8], (_BT709[6], _BT709[7])))
    adapted: NDArray[np.float64] = np.linalg.inv(bradford) @ np.diag(new / old) @ bradford
    return adapted


def _parts(data: bytes, *, is_multipart: bool) -> Iterator[_Part]:
    """The headers, one after the other."""
    at = 0
    while True:
        part = _Part()
        while data[at : at + 1] != b"\0":
            name, at = _name(data, at)
            kind, at = _name(data, at)
            if at + 4 > len(data):
                raise ExrError("its header does not end")
            (size,) = struct.unpack_from("<i", data, at)
            at += 4
            if not 0 <= size <= len(data) - at:
                raise ExrError("its header does not end")
            part.values.setdefault(name, (kind, data[at : at + size]))
            at += size
        at += 1
        if part.values:
            yield part
        if not is_multipart or data[at : at + 1] in (b"\0", b""):
            return


def _name(data: bytes, at: int) -> tuple[str, int]:
    end = data.find(b"\0", at, at + 256)
    if end < 0:
        raise ExrError("its header does not end")
    return data[at:end].decode("utf-8", "replace"), end + 1


def _stored_bytes(part: _Part) -> int:
    box = part.box("dataWindow")
    return sum(box.width * box.height * _BYTES[kind] for _, kind, _, _ in part.channels())


def _colours(part: _Part) -> tuple[tuple[str, ...], int] | None:
    """The channels to show and their type: RGB of the file, of its layer 'Combined' or of its first, or luminance."""
    kinds = {name: kind for name, kind, x_step, y_step in part.channels() if kind > 0 and x_step == y_step == 1}
    layers = sorted({name.rpartition(".")[0] for name in kinds}, key=lambda name: (name != "", "Combined" not in name))
    for letters in (("R", "G", "B"), ("Y",)):
        for layer in layers:
            names = tuple(f"{layer}.{letter}" if layer else letter for letter in letters)
            if all(name in kinds for name in names):
                return names, max(kinds[name] for name in names)
    return None


def _chromaticities(part: _Part) -> tuple[float, ...] | None:
    kind, data = part.values.get("chromaticities", ("", b""))
    if kind != "chromaticities" or len(data) != 32:
        return None
    values = struct.unpack("<8f", data)
    with contextlib.suppress(ExrError):
        if all(np.isfinite(values)) and max(map(abs, values)) < 10:
            rgb_from_chromaticities(values)
            return None if np.allclose(values, _BT709, atol=1e-3) else values
    return None
