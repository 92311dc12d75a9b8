"""Radiance HDR pictures (.hdr, .pic): shared exponents, run lengths. The reader is our own, so that nothing can crash.

Format: G. Ward, Real Pixels, Graphics Gems II, 1991, and the reference manual of Radiance, "Radiance File Formats".
A value is ``mantissa * 2^(exponent - 136)``, without the half step that Radiance adds, so that black is 0; OpenCV and
most readers do so, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from core.geometry.compiled import compiled, frozen
from core.progress import Progress

MAX_HEADER_BYTES = 1 << 16
MAX_SIDE = 1_000_000
_RESOLUTION = re.compile(rb"([+-][XY]) (\d{1,7}) ([+-][XY]) (\d{1,7})$")
_ROWS_AT_ONCE = 256
# The matrix of IEC 61966-2-1, white D65.
_RGB_FROM_XYZ = np.array(
    [[3.2404542, -1.5371385, -0.4985314], [-0.9692660, 1.8760108, 0.0415560], [0.0556434, -0.2040259, 1.0572252]],
    np.float32,
)


class HdrError(Exception):
    """The file is no picture that can be read; the message says why in a few words."""


@dataclass(frozen=True)
class HdrHeader:
    """What a Radiance picture says before its pixels.

    Attributes:
        height, width: As it is shown.
        flips_rows, flips_columns: Its scan lines run upwards, or each of them from right to left.
        is_turned: Its scan lines are columns.
        is_xyz: Its values are CIE XYZ.
        exposure: Factor that the values have been multiplied by.
        data_offset: Where the pixels begin.
    """

    height: int
    width: int
    flips_rows: bool
    flips_columns: bool
    is_turned: bool
    is_xyz: bool
    exposure: float
    data_offset: int

    @property
    def scanlines(self) -> tuple[int, int]:
        """Number and length of the stored scan lines."""
        return (self.width, self.height) if self.is_turned else (self.height, self.width)


def read_hdr_header(stream: BinaryIO) -> HdrHeader:
    """The lines before the pixels.

    Raises:
        HdrError: They are not those of a Radiance picture.
    """
    stream.seek(0)
    start = stream.read(MAX_HEADER_BYTES)
    if not start.startswith((b"#?RADIANCE", b"#?RGBE")):
        raise HdrError("it does not begin like one")
    is_xyz, exposure, size_at = False, 1.0, 0
    for line, end in _lines(start):
        if not line:
            size_at = end
            break
        name, _, value = line.partition(b"=")
        if name == b"FORMAT":
            if value.strip() not in (b"32-bit_rle_rgbe", b"32-bit_rle_xyze"):
                raise HdrError("its pixels are of an unknown format")
            is_xyz = value.strip().endswith(b"xyze")
        elif name == b"EXPOSURE":
            exposure *= _factor(value)
    else:
        raise HdrError("its header does not end")
    resolution = next(_lines(start[size_at:]), None)
    found = None if resolution is None else _RESOLUTION.match(resolution[0])
    if resolution is None or found is None:
        raise HdrError("it does not say its size")
    first, count, second, length = found.group(1), int(found.group(2)), found.group(3), int(found.group(4))
    if first[1:] == second[1:] or not 0 < count <= MAX_SIDE or not 0 < length <= MAX_SIDE:
        raise HdrError("its size is impossible")
    is_turned = first.endswith(b"X")
    rows, cols = (second, first) if is_turned else (first, second)
    height, width = (length, count) if is_turned else (count, length)
    return HdrHeader(height, width, rows == b"+Y", cols == b"-X", is_turned, is_xyz, exposure, size_at + resolution[1])


def read_hdr(stream: BinaryIO, header: HdrHeader, progress: Progress) -> NDArray[np.float32]:
    """(height, width, 3) linear light, upright.

    Raises:
        HdrError: The pixels are damaged or incomplete.
    """
    count, length = header.scanlines
    stream.seek(header.data_offset)
    data = np.frombuffer(stream.read(), np.uint8)
    lines = np.empty((count, length, 3), np.float32)
    scratch = np.empty((4, length), np.uint8)
    at = 0
    for first in range(0, count, _ROWS_AT_ONCE):
        progress(first, count)
        at = _decode(frozen(data), at, scratch, lines[first : first + _ROWS_AT_ONCE])
        if at < 0:
            raise HdrError("its pixels are damaged or end too early")
    progress(count, count)
    if header.is_xyz:
        for line in lines:
            line[:] = line @ _RGB_FROM_XYZ.T
    if header.exposure != 1:
        lines /= np.float32(header.exposure)
    shown = lines.swapaxes(0, 1) if header.is_turned else lines
    shown = shown[::-1] if header.flips_rows else shown
    return np.ascontiguousarray(shown[:, ::-1] if header.flips_columns else shown)


def write_hdr(radiance: NDArray[np.float32], stream: BinaryIO) -> None:
    """A Radiance picture with run lengths. Negative values become 0; each pixel keeps 8 bits of its brightest channel.

    Args:
        radiance: (h, w, 3) linear sRGB.
        stream: Open for writing.
    """
    height, width = radiance.shape[:2]
    stream.write(b"#?RADIANCE\nSOFTWARE=PanoViewer\nFORMAT=32-bit_rle_rgbe\n\n")
    stream.write(f"-Y {height} +X {width}\n".encode())
    for row in radiance:
        pixels = _rgbe(row)
        if 8 <= width < 1 << 15:
            stream.write(bytes([2, 2, width >> 8, width & 255]))
            # Runs of literals only: what is photographed has no runs, and every reader takes them.
            for channel in pixels.T:
                for start in range(0, width, 128):
                    part = channel[start : start + 128]
                    stream.write(bytes([len(part)]) + part.tobytes())
        else:
            stream.write(pixels.tobytes())


def _rgbe(row: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(w, 4) mantissas and exponent of (w, 3) values; truncated to the nearest, as the reader takes them."""
    light = np.clip(np.nan_to_num(row.astype(np.float64), nan=0.0, posinf=1e38), 0, 1e38)
    brightest = light.max(axis=1)
    exponent = np.frexp(brightest)[1]
    # Rounding up may reach 256, which needs the next exponent.
    exponent += np.rint(np.ldexp(brightest, 8 - exponent)) > 255
    mantissas = np.rint(np.ldexp(light, (8 - exponent)[:, None]))
    pixels = np.concatenate([mantissas, exponent[:, None] + 128], axis=1)
    pixels[(brightest < 1e-32) | (exponent < -127)] = 0
    return pixels.astype(np.uint8)


def _lines(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Each whole line without its end, and where the next begins."""
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        yield data[start:end].rstrip(b"\r"), end + 1
        start = end + 1


def _factor(text: bytes) -> float:
    """A believable exposure; 1 for anything else."""
    try:
        factor = float(text)
    except ValueError:
        return 1.0
    return factor if 1e-20 < factor < 1e20 else 1.0


@compiled
def _decode(data: NDArray[np.uint8], at: int, line: NDArray[np.uint8], out: NDArray[np.float32]) -> int:
    """Fill scan lines; returns where the next one begins, or -1 when the data ends before or makes no sense."""
    length, size = out.shape[1], data.shape[0]
    for i in range(out.shape[0]):
        is_new = at + 4 <= size and data[at] == 2 and data[at + 1] == 2 and data[at + 2] < 128
        if is_new and 8 <= length < 32768 and (int(data[at + 2]) << 8) + int(data[at + 3]) == length:
            at += 4
            for c in range(4):
                j = 0
                while j < length:
                    if at + 1 >= size:
                        return -1
                    run = int(data[at])
                    at += 1
                    if run > 128:
                        run -= 128
                        if j + run > length:
                            return -1
                        for k in range(run):
                            line[c, j + k] = data[at]
                        at += 1
                    else:
                        if run == 0 or j + run > length or at + run > size:
                            return -1
                        for k in range(run):
                            line[c, j + k] = data[at + k]
                        at += run
                    j += run
        else:
            j, shift = 0, 0
            while j < length:
                if at + 4 > size:
                    return -1
                if data[at] == 1 and data[at + 1] == 1 and data[at + 2] == 1:
                    # An old run: the pixel before it, again; runs in a row are the digits of one number.
                    run = int(data[at + 3]) << shift
                    if j == 0 or shift > 24 or j + run > length:
                        return -1
                    for k in range(run):
                        for c in range(4):
                            line[c, j + k] = line[c, j - 1]
                    j += run
                    shift += 8
                else:
                    for c in range(4):
                        line[c, j] = data[at + c]
                    j += 1
                    shift = 0
                at += 4
        for j in range(length):
            scale = np.float32(0)
            if line[3, j] > 0:
                scale = np.float32(2.0 ** (int(line[3, j]) - 136))
            for c in range(3):
                out[i, j, c] = np.float32(line[c, j]) * scale
    return at
