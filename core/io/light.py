"""Pictures that hold more than 8 bits per channel, before and while they become linear light."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFile

from core.io import deep, exr, radiance_hdr
from core.io.gpano import GPano, gpano_of_part, parse_gpano
from core.progress import Progress

MOST_PIXELS = 1 << 30
"""OpenCV decodes no larger picture."""
LIGHT_BYTES = 15
"""Per pixel: three floats of light and the three bytes that are shown."""

FIRST_WIDTH = 2048
"""Columns of what is seen first, about."""

First = Callable[[NDArray[np.float32]], None]
"""Told once, as soon as the pixels are there and before all of them are light: (h, w, 3) of a smaller picture."""

_BITS, _PHOTOMETRIC, _ORIENTATION, _SAMPLES, _PLANES, _EXTRA, _FORMAT, _ICC = 258, 262, 274, 277, 284, 338, 339, 34675
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_WHOLE, _FLOAT = 1, 3
_ASSOCIATED = 1
_ALPHA = "A"


@dataclass(frozen=True)
class Light:
    """A picture that becomes linear light.

    Attributes:
        mode: The kind of its values, for people.
        height, width: As stored, before its orientation is applied.
        is_measured: Its values are light of any brightness, not a developed picture.
        needed_bytes: Memory at the peak of reading and developing it.
        read: The pixels, (height, width, 3) linear sRGB; where there is a second argument, it is told of them first.
        orientation: EXIF orientation that has still to be applied.
        gpano: What it says about the sphere; None when that stands where other pictures have it.
        icc_profile: Its colour profile when that changes colours.
    """

    mode: str
    height: int
    width: int
    is_measured: bool
    needed_bytes: int
    read: Callable[[Progress, First | None], NDArray[np.float32]]
    orientation: int = 1
    gpano: GPano | None = None
    icc_profile: bytes | None = None


def open_hdr(stream: BinaryIO, file_bytes: int) -> Light:
    """A Radiance picture.

    Raises:
        HdrError: It is damaged.
    """
    header = radiance_hdr.read_hdr_header(stream)
    pixels = header.height * header.width
    # Turned upright in a second array where its scan lines run another way than ours.
    per_pixel = LIGHT_BYTES + (12 if header.is_turned or header.flips_rows or header.flips_columns else 0)

    def read(progress: Progress, first: First | None = None) -> NDArray[np.float32]:
        light = radiance_hdr.read_hdr(stream, header, progress)
        if first is not None:
            first(deep.reduced(light, FIRST_WIDTH))
        return light

    return Light(
        mode="XYZE" if header.is_xyz else "RGBE",
        height=header.height,
        width=header.width,
        is_measured=True,
        needed_bytes=pixels * per_pixel + file_bytes,
        read=read,
    )


def open_exr(stream: BinaryIO, path: Path) -> Light:
    """An OpenEXR picture: the part of its display window that its data window covers.

    Raises:
        ExrError: It is damaged, or no picture.
    """
    header = exr.read_exr_header(stream)
    data, display = header.data, header.display
    top, left = max(data.top, display.top), max(data.left, display.left)
    bottom = min(data.top + data.height, display.top + display.height)
    right = min(data.left + data.width, display.left + display.width)
    if top >= bottom or left >= right:
        raise exr.ExrError("its data lie outside of its picture")
    gpano = GPano() if header.xmp is None else parse_gpano(header.xmp)
    if (right - left, bottom - top) != (display.width, display.height):
        gpano = gpano_of_part(
            gpano,
            size=(bottom - top, right - left),
            full=(display.height, display.width),
            at=(top - display.top, left - display.left),
        )

    is_cut = (bottom - top, right - left) != (data.height, data.width)

    def read(progress: Progress, first: First | None = None) -> NDArray[np.float32]:
        light = exr.read_exr(path, header, progress, None if is_cut else first, FIRST_WIDTH)
        seen = light[top - data.top : bottom - data.top, left - data.left : right - data.left]
        return np.ascontiguousarray(seen)

    return Light(
        mode=header.mode,
        height=bottom - top,
        width=right - left,
        is_measured=True,
        needed_bytes=2 * header.stored_bytes + data.height * data.width * (LIGHT_BYTES + (12 if is_cut else 0)),
        read=read,
        gpano=gpano,
    )


def open_deep_png(image: ImageFile.ImageFile, stream: BinaryIO, file_bytes: int, orientation: int) -> Light | None:
    """A PNG with 16 bits per channel; None when it has fewer."""
    raw = "".join(str(tile.args) for tile in image.tile)
    if "16" not in raw:
        return None
    profile, used = _profile(image.info.get("icc_profile"), 1 if image.mode in ("I;16", "I", "L", "LA") else 3)
    return _deep(
        stream,
        (image.height, image.width),
        mode=raw.replace(";16B", " 16").replace("I 16", "L 16"),
        samples=4 if image.mode.endswith(_ALPHA) or "transparency" in image.info else 3,
        file_bytes=file_bytes,
        sample_bytes=2,
        orientation=orientation,
        profile=profile,
        icc_profile=used,
    )


def open_deep_tiff(stream: BinaryIO, file_bytes: int) -> Light | None:
    """A TIFF with more than 8 bits per channel; None when it has fewer.

    Raises:
        UnknownPixels: Its pixels are of a kind that cannot be shown.
    """
    tags = deep.tiff_directory(stream)
    bits = max(tags.get(_BITS, (1,)))
    if bits <= 8:
        return None
    kind, photometric, samples = tags.get(_FORMAT, (_WHOLE,))[0], tags.get(_PHOTOMETRIC), tags.get(_SAMPLES, 1)
    if (bits, kind) not in ((16, _WHOLE), (32, _FLOAT)):
        raise deep.UnknownPixels(f"it has {bits} bits per channel; save it with 16 or as 32-bit float")
    if photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB) or tags.get(_PLANES, 1) != 1:
        raise deep.UnknownPixels(
            "its colours are neither RGB nor grey, or lie in separate planes; save it as plain RGB"
        )
    is_grey = photometric != _RGB
    if samples != 1 if is_grey else samples not in (3, 4):
        raise deep.UnknownPixels(f"it has {samples} channels; save it as plain RGB or grey")
    # OpenCV turns a TIFF upright itself; it does not turn a PNG.
    size = (int(tags[257]), int(tags[256]))
    profile, used = _profile(tags.get(_ICC), 1 if is_grey else 3)
    value = np.uint16 if kind == _WHOLE else np.float32
    return _deep(
        stream,
        size if tags.get(_ORIENTATION, 1) not in range(5, 9) else size[::-1],
        mode=f"{'L' if is_grey else 'RGB' + _ALPHA * (samples == 4)} {'16' if kind == _WHOLE else 'float'}",
        samples=samples,
        file_bytes=file_bytes,
        sample_bytes=bits // 8,
        orientation=1,
        profile=profile if kind == _WHOLE else None,
        icc_profile=used if kind == _WHOLE else None,
        is_measured=kind == _FLOAT,
        is_negative=photometric == _WHITE_IS_ZERO,
        is_premultiplied=_ASSOCIATED in tags.get(_EXTRA, ()),
        plain=deep.plain_pixels(tags, value),
    )


def _deep(
    stream: BinaryIO,
    size: tuple[int, int],
    *,
    mode: str,
    samples: int,
    file_bytes: int,
    sample_bytes: int,
    orientation: int,
    profile: deep.Profile | None,
    icc_profile: bytes | None,
    is_measured: bool = False,
    is_negative: bool = False,
    is_premultiplied: bool = False,
    plain: deep.PlainPixels | None = None,
) -> Light:
    height, width = size
    if not 0 < height * width <= MOST_PIXELS:
        raise deep.UnknownPixels(
            f"it has {width} x {height} pixels, and up to {MOST_PIXELS:,} can be read at this depth"
        )

    def read(progress: Progress, first: First | None = None) -> NDArray[np.float32]:
        progress(0, 2)
        content = _content(stream, file_bytes)
        pixels = deep.decode(content, height, width) if plain is None else plain.of(content)
        if is_negative:
            pixels = (np.uint16(deep.LEVELS - 1) if pixels.dtype == np.uint16 else np.float32(1)) - pixels
        progress(1, 2)
        develop = partial(
            deep.linear_light, profile=profile, is_premultiplied=is_premultiplied, is_rgb=plain is not None
        )
        if first is not None:
            first(develop(deep.reduced(pixels, FIRST_WIDTH)))
        light = develop(pixels)
        progress(2, 2)
        return light

    # The file is held twice by its reader, and the decoder's picture beside the light; upright, it is another one.
    per_pixel = samples * sample_bytes * (2 if is_negative else 1) + LIGHT_BYTES + (12 if orientation > 1 else 0)
    return Light(
        mode=mode,
        height=height,
        width=width,
        is_measured=is_measured,
        needed_bytes=height * width * per_pixel + 2 * file_bytes,
        read=read,
        orientation=orientation,
        icc_profile=icc_profile,
    )


def _content(stream: BinaryIO, size: int) -> NDArray[np.uint8]:
    """A file of so many bytes; read to where it is to lie: copying a large one takes as long again."""
    stream.seek(0)
    data = np.empty(size, np.uint8)
    count: int = stream.readinto(data.data)  # type: ignore[attr-defined]  # a buffered reader has it
    return data[:count]


def _profile(data: object, channels: int) -> tuple[deep.Profile | None, bytes | None]:
    """The profile, and its bytes when it changes anything."""
    profile = deep.Profile.parse(data, channels) if isinstance(data, bytes) else None
    return profile, data if isinstance(data, bytes) and profile is not None else None
