"""Pictures in: a file becomes a `Panorama`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from core.errors import UnsupportedImage
from core.geometry.warp import resize_erp
from core.io.cube_files import CubeFiles
from core.io.header import ImageHeader, OpenPicture, colour_pixels, open_picture, read_header
from core.io.icc import srgb_transform
from core.io.light import FIRST_WIDTH
from core.io.memory import default_memory_budget, format_bytes
from core.io.placement import Assume, Placement, Source, place
from core.panorama import Panorama
from core.progress import Progress, silent, stage
from core.tone import DEVELOPED, exposure_of

__all__ = ["FIRST_WIDTH", "Assume", "ImageHeader", "read_header", "read_panorama", "read_picture", "read_preview"]

Pixels = NDArray[np.uint8]
Light = NDArray[np.float32]
Value = TypeVar("Value", bound=np.generic)

SLOW_PIXELS = 12_000_000
"""A JPEG of fewer is decoded as soon as a smaller picture of it would be."""
MOST_CV2_PIXELS = 1 << 30
"""OpenCV decodes no larger picture; Pillow does."""
_LOADED = 0.8
"""Share of the work on a picture of 8 bits after which its pixels are there and become sRGB."""
_AVERAGED = ("L", "RGB", "CMYK")
"""Modes whose pixels may be averaged as they are."""
_STRIP_ROWS = 64
_RESAMPLED_BYTES = 6
"""Per pixel of a picture that is resampled: columns first, then rows."""
_SPHERE_BYTES = 4
"""Per pixel of the full sphere when the picture is only a part of it: three colours and the mask."""
_LIGHT_BYTES = 12
"""Per pixel of linear light."""
_END_OF_JPEG = b"\xff\xd9"
_SEARCHED_BYTES = 1 << 16


def read_panorama(
    path: str | os.PathLike[str],
    *,
    assume: Assume | None = None,
    memory_budget: int | None = None,
    progress: Progress = silent,
    first: Callable[[Panorama], None] | None = None,
) -> Panorama:
    """A picture file as a panorama on the full sphere, in sRGB and upright.

    A partial panorama is placed where its metadata says, pixel for pixel, black and not `valid` elsewhere. A picture
    of more than 8 bits has its `radiance`, too; its `rgb`, which models see, is developed by `core.tone`: whole
    numbers of 16 bits are only rounded, light that was measured is exposed by the median of its luminance.

    Args:
        path: A JPEG, PNG, TIFF, WebP, AVIF, HEIC, Radiance HDR or OpenEXR file.
        assume: What a picture that is not 2:1 and says nothing is; see `core.io.placement.place`.
        memory_budget: Bytes that opening may take at its peak; by default a share of what the machine has free.
        progress: Called with the rows that are decoded.
        first: Told of the panorama at most `FIRST_WIDTH` wide, once, where that is there well before the whole: of a
            large JPEG, which is decoded at an eighth, a quarter or half of its size, of a picture of more than 8 bits,
            before all of it is light, and of others as soon as they are decoded. What becomes of the file then is not
            known yet.

    Raises:
        NotAFullSphere: The picture is not 2:1, does not say where it lies, and nothing is assumed.
        UnsupportedImage: It cannot be opened: missing, damaged, of another kind, too large for the memory.
    """
    with open_picture(path) as picture:
        header = picture.header
        placement = place(header, assume)
        _check_budget(header, placement, header.needed_bytes, memory_budget)
        small = placement.scaled_to(FIRST_WIDTH)
        if first is None or small is placement or placement.source is not None:
            rgb = _pixels(picture, placement, progress)
        elif header.is_deep:
            rgb = _decode_light(picture, progress, lambda light: first(_panorama(light, header, small)))
        elif _is_soon_reduced(header):
            first(read_preview(path, FIRST_WIDTH, assume=assume, memory_budget=memory_budget))
            rgb = _decode(picture, progress)
        else:
            rgb = _decode(picture, progress, lambda rgb: first(_panorama(rgb, header, small)))
    return _panorama(rgb, header, placement)


def _is_soon_reduced(header: ImageHeader) -> bool:
    """Whether a smaller picture can be had well before the whole."""
    is_large = header.width * header.height >= SLOW_PIXELS
    return is_large and header.format == "JPEG" and not header.is_progressive


def read_picture(path: str | os.PathLike[str], *, progress: Progress = silent) -> Pixels:
    """A picture file of any shape as it is, (H, W, 3) sRGB and upright, whatever it says of a sphere.

    Args:
        path: As for `read_panorama`.
        progress: Called with the rows that are decoded.

    Raises:
        UnsupportedImage: It cannot be opened: missing, damaged, of another kind, too large for the memory.
    """
    with open_picture(path) as picture:
        header = picture.header
        _check_budget(
            header, Placement(header.height, header.width, header.height, header.width), header.needed_bytes, None
        )
        return _decode(picture, progress)


def read_preview(
    path: str | os.PathLike[str],
    max_width: int,
    *,
    assume: Assume | None = None,
    memory_budget: int | None = None,
) -> Panorama:
    """The panorama of `read_panorama` at most `max_width` wide, as fast as the format allows.

    A JPEG is decoded at a half, a quarter or an eighth of its size; other formats are decoded whole and then reduced.

    Args:
        path: As for `read_panorama`.
        max_width: Width in pixels that is not exceeded, at least 4.
        assume: As for `read_panorama`.
        memory_budget: As for `read_panorama`.

    Raises:
        NotAFullSphere: As for `read_panorama`.
        UnsupportedImage: As for `read_panorama`.
    """
    with open_picture(path) as picture:
        header = picture.header
        sphere = place(header, assume)
        placement = sphere.scaled_to(max_width)
        needed = header.needed_bytes
        if header.format == "JPEG" and sphere.source is None:
            turned = header.orientation >= 5
            size = (placement.height, placement.width) if turned else (placement.width, placement.height)
            picture.image.draft(header.mode, size)
            reduction = header.width * header.height // max(picture.image.width * picture.image.height, 1)
            needed = needed if header.is_progressive else needed // max(reduction, 1)
        _check_budget(header, placement, needed, memory_budget, sphere)
        rgb = _pixels(picture, placement, silent)
    return _panorama(rgb, header, placement)


def _check_budget(
    header: ImageHeader, placement: Placement, needed: int, budget: int | None, sphere: Placement | None = None
) -> None:
    """Refuse before decoding what would not fit; `sphere` is the picture's own where `placement` is a smaller one."""
    told = sphere or placement
    if not placement.is_whole:
        needed += (
            placement.full_height * placement.full_width * (_SPHERE_BYTES + (_LIGHT_BYTES if header.is_deep else 0))
        )
    if (placement.height, placement.width) != (header.height, header.width):
        needed += placement.height * placement.width * (_RESAMPLED_BYTES + (2 * _LIGHT_BYTES if header.is_deep else 0))
    if told.source is not None:
        # The faces with their borders are held twice beside the picture; of six files, six pictures.
        pixels = header.height * header.width * (_LIGHT_BYTES if header.is_deep else 3)
        is_six = isinstance(told.source, CubeFiles)
        needed += (5 * header.needed_bytes + 18 * pixels) if is_six else 3 * pixels
    allowed = default_memory_budget() if budget is None else budget
    if needed > allowed:
        raise UnsupportedImage(
            f"Opening this picture of {header.width} x {header.height} on a sphere of {told.full_width} x "
            f"{told.full_height} needs {format_bytes(needed)} of memory, {format_bytes(allowed)} may be used; "
            f"close other programs or use a smaller copy: {header.path}"
        )


def _pixels(picture: OpenPicture, placement: Placement, progress: Progress) -> NDArray[Any]:
    """What a file holds, upright: (H, W, 3); of a cube map in six files the six, one below the other."""
    if not isinstance(placement.source, CubeFiles):
        return _decode_light(picture, progress) if picture.header.is_deep else _decode(picture, progress)
    faces: list[NDArray[Any]] = []
    for number, path in enumerate(placement.source.paths):
        with open_picture(path) as face:
            header, first = face.header, picture.header
            if (header.height, header.width, header.is_deep) != (first.height, first.width, first.is_deep):
                raise UnsupportedImage(
                    f"Expected six pictures of {first.width} x {first.height} for a cube map, got one of "
                    f"{header.width} x {header.height} or of another depth: {path}"
                )
            part = stage(progress, number / len(placement.source.paths), (number + 1) / len(placement.source.paths))
            faces.append(_decode_light(face, part) if header.is_deep else _decode(face, part))
    return np.concatenate(faces)


def _decode(picture: OpenPicture, progress: Progress, first: Callable[[Pixels], None] | None = None) -> Pixels:
    """(H, W, 3) sRGB, upright; `first` is told of a smaller one where that is quickly made of the decoder's pixels."""
    header, image = picture.header, picture.image
    if header.format == "JPEG":
        _check_end(picture)
    is_reduced = header.format == "JPEG" and image.size not in (
        (header.width, header.height),
        (header.height, header.width),
    )
    is_plain = header.mode in ("RGB", "L") and header.icc_profile is None and header.orientation == 1
    if header.format == "JPEG" and is_plain and not is_reduced and header.height * header.width <= MOST_CV2_PIXELS:
        return _decode_plain_jpeg(picture, progress)
    picture.load(stage(progress, 0, _LOADED))
    progress = stage(progress, _LOADED, 1)
    height, width = image.size[::-1] if header.orientation < 5 else image.size
    profile = header.icc_profile
    transform = None if profile is None else srgb_transform(profile, colour_pixels(header.mode))
    step = width // FIRST_WIDTH
    if first is not None and step > 1 and image.mode in _AVERAGED and "transparency" not in image.info:
        first(_upright(_strip_to_srgb(image.reduce(step), transform), header.orientation))
    rgb = np.empty((height, width, 3), np.uint8)
    stored = _as_stored(rgb, header.orientation)
    for top in range(0, image.height, _STRIP_ROWS):
        progress(top, image.height)
        bottom = min(top + _STRIP_ROWS, image.height)
        stored[top:bottom] = _strip_to_srgb(image.crop((0, top, image.width, bottom)), transform)
    progress(image.height, image.height)
    return rgb


def _check_end(picture: OpenPicture) -> None:
    """Refuse a JPEG without its end; decoders fill with grey what is missing, and some say nothing."""
    path = picture.header.path
    size = path.stat().st_size
    with path.open("rb") as stream:
        # Compressed pixels never contain this marker, an embedded thumbnail may; cameras append other things.
        for start in range(size, picture.data_offset, -_SEARCHED_BYTES):
            begin = max(start - _SEARCHED_BYTES, picture.data_offset)
            stream.seek(begin)
            if _END_OF_JPEG in stream.read(start - begin + len(_END_OF_JPEG) - 1):
                return
    raise UnsupportedImage(
        f"Expected a complete JPEG picture, got one that is cut short; copy it again from its source: {path}"
    )


def _decode_plain_jpeg(picture: OpenPicture, progress: Progress) -> Pixels:
    """The same pixels as Pillow gives, for a large picture in two thirds of the time."""
    header = picture.header
    progress(0, header.height)
    data = header.path.read_bytes()
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        decoded = None
    if decoded is None or decoded.shape != (header.height, header.width, 3):
        raise UnsupportedImage(
            f"Expected a complete JPEG picture, got a damaged one; copy it again from its source: {header.path}"
        )
    progress(header.height, header.height)
    rgb: Pixels = np.asarray(decoded, np.uint8)
    return rgb


def _decode_light(picture: OpenPicture, progress: Progress, first: Callable[[Light], None] | None = None) -> Light:
    """(H, W, 3) linear sRGB, upright; `first` is told of a smaller one, upright, too."""
    orientation = picture.header.orientation
    tell = None if first is None else lambda light: first(_upright(light, orientation))
    return _upright(picture.light(progress, tell), orientation)


def _upright(stored: NDArray[Value], orientation: int) -> NDArray[Value]:
    """(H, W, 3) as it is shown."""
    if orientation == 1:
        return stored
    height, width = stored.shape[:2]
    shown = np.empty((height, width, 3) if orientation < 5 else (width, height, 3), stored.dtype)
    _as_stored(shown, orientation)[:] = stored
    return shown


def _as_stored(shown: NDArray[Value], orientation: int) -> NDArray[Value]:
    """A view of the upright picture whose rows are those of the file; orientations as in EXIF 2.3, table 8."""
    views = {
        2: shown[:, ::-1],
        3: shown[::-1, ::-1],
        4: shown[::-1],
        5: shown.swapaxes(0, 1),
        6: np.rot90(shown, 1),
        7: shown[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(shown, -1),
    }
    return views.get(orientation, shown)


def _strip_to_srgb(strip: Image.Image, transform: ImageCms.ImageCmsTransform | None) -> Pixels:
    """(h, w, 3) sRGB of some rows; what is transparent becomes black."""
    alpha = None
    if "A" in strip.mode or "transparency" in strip.info:
        strip = strip.convert("RGBA")
        alpha = np.asarray(strip.getchannel("A"), np.uint16)[..., None]
    pixels = strip.convert(colour_pixels(strip.mode))
    rgb = np.asarray(pixels.convert("RGB") if transform is None else transform.apply(pixels))
    return rgb if alpha is None else ((rgb * alpha + 127) // 255).astype(np.uint8)


def _panorama(rgb: Pixels | Light, header: ImageHeader, placement: Placement) -> Panorama:
    """The picture on its sphere, developed where it is light, with the pose and the first view that it asks for."""
    valid = None
    if placement.source is not None:
        rgb, valid = _on_sphere(rgb, placement.source)
    if rgb.shape[:2] != (placement.height, placement.width):
        rgb = _resample(rgb, placement)
        valid = None if valid is None else resize_erp(valid, placement.height, placement.width)
    if not placement.is_whole:
        sphere = np.zeros((placement.full_height, placement.full_width, 3), rgb.dtype)
        valid = np.zeros(sphere.shape[:2], np.bool_)
        rows = slice(placement.top, placement.top + placement.height)
        first = min(placement.width, placement.full_width - placement.left)
        for source, target in (
            (slice(0, first), slice(placement.left, placement.left + first)),
            (slice(first, None), slice(0, placement.width - first)),
        ):
            sphere[rows, target] = rgb[:, source]
            valid[rows, target] = True
        rgb, valid = sphere, None if placement.shows_everything else valid
    radiance, tone, told = None, DEVELOPED, ""
    if header.is_deep:
        radiance = np.asarray(rgb, np.float32)
        if header.is_measured:
            tone = exposure_of(radiance, valid)
            told = (
                f"The light is developed with a gain of {tone.gain:.4g}, which makes its median luminance 18 % grey; "
                "models see it so."
            )
        rgb = tone.develop(radiance)
    return Panorama(
        rgb=np.asarray(rgb, np.uint8),
        valid=valid,
        level_from_world=header.gpano.level_from_world,
        heading=header.gpano.pose_heading,
        initial_view=placement.first_view(header.gpano),
        radiance=radiance,
        tone=tone,
        path=header.path,
        notes=(*header.gpano.notes, *placement.notes, *([told] if told else [])),
    )


def _on_sphere(pixels: NDArray[Any], source: Source) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """A picture that is not equirectangular on the sphere that suits it, and where it shows anything."""
    height, width = pixels.shape[:2]
    if isinstance(source, CubeFiles):
        height //= len(source.paths)
    return source.to_erp(pixels, *source.sphere_size(height, width))


def _resample(rgb: NDArray[Any], placement: Placement) -> NDArray[Any]:
    """The picture at the size that its placement gives it: area means where it shrinks, linear where it grows."""
    height, width = placement.height, placement.width
    if placement.is_whole and width > rgb.shape[1]:
        # Columns go on across the seam, which OpenCV does not know; some rows at a time, for the sake of memory.
        wide = np.empty((rgb.shape[0], width, 3), rgb.dtype)
        for top in range(0, rgb.shape[0], _STRIP_ROWS):
            strip = rgb[top : top + _STRIP_ROWS]
            wide[top : top + _STRIP_ROWS] = resize_erp(strip, len(strip), width)
        rgb = wide
    is_smaller = height <= rgb.shape[0] and width <= rgb.shape[1]
    resized = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR)
    return np.asarray(resized, rgb.dtype)
