"""What a picture file says before any pixel of it is decoded."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    ExifTags,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from core.errors import UnsupportedImage
from core.io.deep import UnknownPixels
from core.io.gpano import GPano, parse_gpano, read_gpano
from core.io.icc import srgb_transform
from core.io.light import First, Light, open_deep_png, open_deep_tiff, open_exr, open_hdr
from core.progress import Cancelled, Progress, silent

MODES = frozenset({"1", "L", "P", "LA", "PA", "RGB", "RGBX", "RGBA", "CMYK", "YCbCr"})
"""Pillow's names of the pixel formats with 8 bits per channel that can be turned into sRGB."""


class _TiffImageFile(TiffImagePlugin.TiffImageFile):
    """Pillow's reader without its second look at the global limit on the number of pixels."""

    def load_prepare(self) -> None:
        if self._im is None:
            self.im = Image.new(self.mode, (self.tag_v2[256], self.tag_v2[257])).im
        super().load_prepare()


FORMATS = "JPEG, PNG, TIFF, WebP, AVIF, HEIC, Radiance HDR or OpenEXR"
"""What can be opened, for a sentence."""

_PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "TIFF": _TiffImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
}
_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"#?RADIANCE", "HDR"),
    (b"#?RGBE", "HDR"),
    (b"v/1\x01", "EXR"),
)
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIC"),
}
"""First brands of ISO media files that hold a picture."""
_FOREIGN_SIGNATURES = (
    (0, b"GIF8", "a GIF picture"),
    (0, b"BM", "a BMP picture"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture"),
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (4, b"JXL ", "a JPEG XL picture"),
    (4, b"ftyp", "a video"),
)
_CAUSES = {
    errno.ENOENT: "Expected a picture, found no such file; check its name",
    errno.ENOTDIR: "Expected a picture, found no such file; check its name",
    errno.ENAMETOOLONG: "Expected a picture, got a name that is too long; check it",
    errno.EACCES: "The picture may not be read; change its permissions",
    errno.EPERM: "The picture may not be read; change its permissions",
}
_BYTES_PER_PIXEL = {"1": 1, "L": 1, "P": 1}
_WEBP_DECODER_BYTES = 8
_VIDEO_DECODER_BYTES = 12
"""AVIF and HEIC: planes of up to 16 bits and what is turned into RGB."""
_PROGRESSIVE_JPEG_BYTES = 6


@dataclass(frozen=True)
class ImageHeader:
    """A picture before it is decoded.

    Attributes:
        path: The file.
        format: 'JPEG', 'PNG', 'TIFF', 'WebP', 'AVIF', 'HEIC', 'HDR' or 'EXR', by its content.
        mode: Pillow's name of its pixel format, 'RGB', 'L', 'CMYK', ..., or the kind of deeper values, 'RGB 16', ...
        height: Rows as it is shown, that is, after its orientation is applied.
        width: Columns as it is shown.
        orientation: EXIF orientation, 1 to 8, that has still to be applied to the stored pixels.
        icc_profile: Its colour profile; None when its colours are sRGB or the profile is damaged.
        gpano: What it says about the sphere.
        needed_bytes: Memory that decoding it to RGB takes at its peak.
        is_progressive: True for a JPEG that is stored in several passes.
        is_deep: It holds more than 8 bits per channel and becomes linear light first.
        is_measured: That light is of any brightness; it has not been developed.
    """

    path: Path
    format: str
    mode: str
    height: int
    width: int
    orientation: int
    icc_profile: bytes | None
    gpano: GPano
    needed_bytes: int
    is_progressive: bool = False
    is_deep: bool = False
    is_measured: bool = False


def read_header(path: str | os.PathLike[str]) -> ImageHeader:
    """Size, format, needed memory and 360° metadata of a picture, without decoding it.

    Raises:
        UnsupportedImage: There is no such file, it cannot be read, or it is not a picture that can be opened.
    """
    with open_picture(path) as picture:
        return picture.header


class WatchedFile(io.BufferedReader):
    """A file that tells how far it was read."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._progress: Progress = silent
        self._size = path.stat().st_size
        self._farthest = 0

    def watch(self, progress: Progress) -> None:
        """From here on report after every read to what may raise `Cancelled`."""
        self._progress, self._farthest = progress, 0

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file."""
        data = super().read(size)
        self._farthest = max(self._farthest, self.tell())
        self._progress(self._farthest, self._size)
        return data


class OpenPicture:
    """A picture file that is open and not decoded yet.

    Attributes:
        header: What it says.
        data_offset: Where the compressed pixels of a JPEG begin in the file.
        exif: Its EXIF data; empty for none, and of a TIFF, which has them among its tags.
    """

    def __init__(
        self,
        header: ImageHeader,
        *,
        image: ImageFile.ImageFile | None = None,
        light: Light | None = None,
        stream: WatchedFile | None = None,
        offset: int = 0,
        exif: bytes = b"",
    ) -> None:
        self.header = header
        self.data_offset = offset
        self.exif = exif
        self._stream = stream
        self._image = image
        self._light = light

    @property
    def image(self) -> ImageFile.ImageFile:
        """Pillow's handle of a picture that is not deep, valid inside the `open_picture` block."""
        if self._image is None:
            raise ValueError("a deep picture has light, no image")
        return self._image

    def light(self, progress: Progress, first: First | None = None) -> NDArray[np.float32]:
        """(h, w, 3) linear sRGB of a deep picture, as it is stored: its orientation is still to be applied.

        Args:
            progress: Called with what is done.
            first: Told of a smaller picture as soon as there is one.

        Raises:
            UnsupportedImage: The file is damaged, incomplete, or memory is short.
        """
        if self._light is None:
            raise ValueError("a picture of 8 bits has an image, no light")
        with _sentences(self.header.path):
            return self._light.read(progress, first)

    def load(self, progress: Progress = silent) -> None:
        """Decode the pixels into `image`.

        Args:
            progress: Called with the bytes that are read, where the format is read bit by bit.

        Raises:
            UnsupportedImage: The file is damaged, incomplete, or memory is short.
        """
        with _sentences(self.header.path):
            progress(0, 1)
            if self._stream is not None:
                self._stream.watch(progress)
            self.image.load()


@contextmanager
def open_picture(path: str | os.PathLike[str]) -> Iterator[OpenPicture]:
    """Open a picture and read its header.

    Pillow's plug-in for the format found is used directly: only the formats named here can be reached,
    and Pillow's own limit on the number of pixels, a global of the process, is neither needed nor touched.

    Raises:
        UnsupportedImage: There is no such file, it cannot be read, or it is not a picture that can be opened.
    """
    file = Path(path)
    with contextlib.ExitStack() as stack:
        check_is_file(file)
        with _sentences(file):
            stream = stack.enter_context(WatchedFile(file))
            name = _format(stream, file)
            picture = _open_light(stream, name, file) or _open_image(stack, stream, name, file)
        yield picture


def _open_light(stream: BinaryIO, name: str, file: Path) -> OpenPicture | None:
    """A picture of a format that is always deep, or a deep TIFF; None for any other."""
    size = file.stat().st_size
    light = None
    if name == "HDR":
        light = open_hdr(stream, size)
    elif name == "EXR":
        light = open_exr(stream, file)
    elif name == "TIFF":
        light = open_deep_tiff(stream, size)
    if light is None:
        return None
    return OpenPicture(_light_header(light, name, file, light.gpano or read_gpano(stream)), light=light)


def _open_image(stack: contextlib.ExitStack, stream: WatchedFile, name: str, file: Path) -> OpenPicture:
    """A picture that Pillow opens; the stack closes it."""
    gpano = read_gpano(stream)
    stream.seek(0)
    image = stack.enter_context(contextlib.closing(_plugin(name, file)(stream)))
    offset = stream.tell()
    found = image.info.get("exif")
    exif = found if isinstance(found, bytes) else b""
    packet = image.info.get("xmp") if name in ("AVIF", "HEIC") else None
    gpano = parse_gpano(packet) if isinstance(packet, bytes) else gpano
    if name == "PNG":
        light = open_deep_png(image, stream, file.stat().st_size, _orientation(image))
        if light is not None:
            return OpenPicture(_light_header(light, name, file, gpano), light=light, exif=exif)
    if image.mode not in MODES:
        raise UnsupportedImage(f"Expected colours in RGB, grey or CMYK, got {image.mode}; save it as RGB: {file}")
    return OpenPicture(_header(image, name, file, gpano), image=image, stream=stream, offset=offset, exif=exif)


def _plugin(name: str, file: Path) -> type[ImageFile.ImageFile]:
    """Pillow's reader of a format.

    Raises:
        UnsupportedImage: The library behind it is not installed.
    """
    if name == "HEIC":
        try:
            from pillow_heif import HeifImageFile
        except ImportError as error:
            raise UnsupportedImage(
                f"HEIC pictures need the package pillow-heif; install it with pip, or save the picture as JPEG: {file}"
            ) from error
        plugin: type[ImageFile.ImageFile] = HeifImageFile
        return plugin
    return _PLUGINS[name]


def _light_header(light: Light, name: str, file: Path, gpano: GPano) -> ImageHeader:
    height, width = (light.height, light.width) if light.orientation < 5 else (light.width, light.height)
    return ImageHeader(
        path=file,
        format=name,
        mode=light.mode,
        height=height,
        width=width,
        orientation=light.orientation,
        icc_profile=light.icc_profile,
        gpano=gpano,
        needed_bytes=light.needed_bytes,
        is_deep=True,
        is_measured=light.is_measured,
    )


@contextmanager
def _sentences(file: Path) -> Iterator[None]:
    """Turn whatever a broken file makes the decoders raise into a sentence."""
    try:
        yield
    except (UnsupportedImage, Cancelled):
        raise
    except UnknownPixels as error:
        raise UnsupportedImage(f"Expected a picture that can be shown, but {error}: {file}") from error
    except MemoryError as error:
        raise UnsupportedImage(
            f"There is not enough memory to open this picture; use a smaller copy: {file}"
        ) from error
    except Exception as error:
        # Pillow's plug-ins raise nearly anything on damaged files: SyntaxError, struct.error, zlib.error, KeyError, ...
        cause = _CAUSES.get(error.errno or 0) if isinstance(error, OSError) else None
        if cause is None:
            cause = f"Expected a complete picture, got a damaged one ({_short(error)})"
            cause += "; copy it again from its source"
        raise UnsupportedImage(f"{cause}: {file}") from error


def _short(error: Exception) -> str:
    """The first words of another library's message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:100].rstrip(". ")


def check_is_file(file: Path) -> None:
    """Whatever a path names that cannot be a picture is refused before it is opened.

    Raises:
        UnsupportedImage: There is nothing, a folder, a device, or a file of no bytes.
    """
    with _sentences(file):
        status = file.stat()
    if stat.S_ISDIR(status.st_mode):
        raise UnsupportedImage(f"Expected a picture, got a folder; choose a file in it: {file}")
    if not stat.S_ISREG(status.st_mode):
        raise UnsupportedImage(f"Expected a picture, got a device or pipe; choose an ordinary file: {file}")
    if status.st_size == 0:
        raise UnsupportedImage(f"Expected a picture, got an empty file; copy it again from its source: {file}")


def _format(stream: BinaryIO, file: Path) -> str:
    """The format by the file's first bytes; its suffix does not matter."""
    start = stream.read(32)
    for signature, name in _SIGNATURES:
        if start.startswith(signature):
            return name
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return "WebP"
    if start[4:8] == b"ftyp" and start[8:12] in _BRANDS:
        return _BRANDS[start[8:12]]
    found = next((what for at, mark, what in _FOREIGN_SIGNATURES if start.startswith(mark, at)), "something else")
    raise UnsupportedImage(f"Expected a {FORMATS} picture, got {found}; convert it first: {file}")


def _header(image: ImageFile.ImageFile, name: str, file: Path, gpano: GPano) -> ImageHeader:
    # Pillow applies the orientation of a TIFF itself while decoding and already reports the turned size.
    orientation = 1 if name == "TIFF" else _orientation(image)
    width, height = image.size if orientation < 5 else image.size[::-1]
    profile = image.info.get("icc_profile")
    pixels = colour_pixels(image.mode)
    needs_profile = isinstance(profile, bytes) and srgb_transform(profile, pixels) is not None
    is_progressive = bool(image.info.get("progressive"))
    return ImageHeader(
        path=file,
        format=name,
        mode=image.mode,
        height=height,
        width=width,
        orientation=orientation,
        icc_profile=profile if needs_profile else None,
        gpano=gpano,
        needed_bytes=_needed_bytes(image, name, file.stat().st_size, is_progressive=is_progressive),
        is_progressive=is_progressive,
    )


def colour_pixels(mode: str) -> str:
    """The kind of pixel ('L', 'RGB' or 'CMYK') that the colours of a mode are, which its profile describes."""
    if mode in ("1", "L", "LA"):
        return "L"
    return "CMYK" if mode == "CMYK" else "RGB"


def _orientation(image: ImageFile.ImageFile) -> int:
    """EXIF orientation from the header; `Image.getexif` would decode a PNG to look for it behind the pixels."""
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif", b""))
        orientation = exif.get(ExifTags.Base.Orientation, 1)
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, struct.error):
        return 1  # damaged EXIF data says nothing about the picture
    return orientation if orientation in range(1, 9) else 1


def _needed_bytes(image: ImageFile.ImageFile, name: str, file_bytes: int, *, is_progressive: bool) -> int:
    """Peak memory of decoding: the RGB array, Pillow's pixels, the decoder's own buffers, the file where it is held."""
    per_pixel = 3 + _BYTES_PER_PIXEL.get(image.mode, 4)
    held = 0
    if name == "JPEG":
        held = file_bytes
        per_pixel += _PROGRESSIVE_JPEG_BYTES if is_progressive else 0
    if name == "WebP":
        held = 2 * file_bytes
        per_pixel += _WEBP_DECODER_BYTES
    if name in ("AVIF", "HEIC"):
        held = 2 * file_bytes
        per_pixel += _VIDEO_DECODER_BYTES
    return image.width * image.height * per_pixel + held
