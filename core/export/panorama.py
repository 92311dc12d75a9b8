"""Panoramas as pictures, with Photo Sphere metadata made for them; cube maps of panoramas and of maps."""

from __future__ import annotations

import io
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from core.errors import ExportError
from core.export import deep
from core.export.exr import write_exr
from core.geometry.sampling import Image as Pixels
from core.geometry.tiling import cube_tiles
from core.geometry.warp import erp_to_camera
from core.io.radiance_hdr import write_hdr
from core.panorama import Panorama
from core.tone import DEVELOPED, srgb_levels

JPEG_QUALITY = 95
MAX_JPEG_SIDE = 65_500
_XMP_KEYWORD = "XML:com.adobe.xmp"


def write_jpeg(panorama: Panorama, stream: BinaryIO, **metadata: bytes | None) -> None:
    """A JPEG of quality 95 in sRGB, all colours at full size; see `write_pixels`."""
    write_pixels(shown_part(panorama, panorama.rgb), ".jpg", stream, **metadata)


def write_png(panorama: Panorama, stream: BinaryIO, **metadata: bytes | None) -> None:
    """A PNG in sRGB, of 16 bits where the photograph has more than 8; see `developed` and `write_pixels`."""
    write_pixels(shown_part(panorama, developed(panorama)), ".png", stream, **metadata)


def write_tiff(panorama: Panorama, stream: BinaryIO, **metadata: bytes | None) -> None:
    """A TIFF in sRGB, of 16 bits where the photograph has more than 8; see `developed` and `write_pixels`."""
    write_pixels(shown_part(panorama, developed(panorama)), ".tif", stream, **metadata)


def write_light_exr(panorama: Panorama, stream: BinaryIO, **metadata: bytes | None) -> None:
    """OpenEXR, float R, G, B in linear sRGB; see `write_pixels`.

    Raises:
        ExportError: The panorama has 8 bits only.
    """
    write_pixels(shown_part(panorama, _light(panorama)), ".exr", stream, **metadata)


def write_light_hdr(panorama: Panorama, stream: BinaryIO, **metadata: bytes | None) -> None:
    """Radiance HDR. It holds no metadata, so that a part is written as the whole sphere, black elsewhere.

    Raises:
        ExportError: The panorama has 8 bits only.
    """
    write_pixels(_light(panorama), ".hdr", stream, **metadata)


def write_pixels(
    pixels: NDArray[Any], suffix: str, stream: BinaryIO, *, packet: bytes | None = None, exif: bytes | None = None
) -> None:
    """A picture of any shape.

    Args:
        pixels: (h, w, 3), sRGB uint8, for .png and .tif also uint16, or linear float32 for .exr and .hdr.
        suffix: The format: .jpg, .png, .tif, .exr or .hdr.
        stream: Open for writing.
        packet: XMP packet; an attribute `xmp` in OpenEXR, left out of Radiance HDR.
        exif: EXIF data as from `core.io.kept_exif`, left out of OpenEXR and Radiance HDR.

    Raises:
        ExportError: It is larger than a JPEG can be.
    """
    if suffix == ".exr":
        facts = {} if packet is None else {"xmp": packet.decode()}
        write_exr({letter: pixels[..., c] for c, letter in enumerate("RGB")}, stream, facts=facts)
        return
    if suffix == ".hdr":
        write_hdr(pixels, stream)
        return
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    if suffix == ".tif":
        deep.write_tiff(pixels, stream, icc_profile=profile, packet=packet, exif=exif)
        return
    if pixels.dtype == np.uint16:
        deep.write_png16(pixels, stream, icc_profile=profile, packet=packet, exif=exif)
        return
    options: dict[str, Any] = {"icc_profile": profile}
    if exif is not None:
        options["exif"] = exif
    if suffix == ".jpg":
        if max(pixels.shape[:2]) > MAX_JPEG_SIDE:
            size = f"{pixels.shape[1]} x {pixels.shape[0]}"
            raise ExportError(f"A JPEG has up to {MAX_JPEG_SIDE} pixels along a side, got {size}; choose .png or .tif.")
        options |= {"format": "JPEG", "quality": JPEG_QUALITY, "subsampling": 0} | ({"xmp": packet} if packet else {})
    else:
        text = PngInfo()
        if packet is not None:
            text.add_itxt(_XMP_KEYWORD, packet.decode())
        options |= {"format": "PNG", "compress_level": 3, "pnginfo": text}
    held = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(held, **options)
    stream.write(held.getbuffer())


def developed(panorama: Panorama) -> NDArray[Any]:
    """Its pixels in sRGB: uint16 of a photograph of more than 8 bits that was developed already, else uint8.

    Light that was measured becomes 8 bits, as models see it: which part of its range counts was chosen for them.
    """
    if panorama.radiance is None or panorama.tone != DEVELOPED:
        return panorama.rgb
    return srgb_levels(panorama.radiance)


def shown_part(panorama: Panorama, pixels: NDArray[Any]) -> NDArray[Any]:
    """Of a picture or map of a panorama the rows and columns of its `part`; all where it shows everything."""
    part = panorama.part
    if part is None:
        return pixels
    cols = np.arange(part.left, part.left + part.width) % part.full_width
    return pixels[part.top : part.top + part.height][:, cols]


def cube_faces(image: Pixels, size: int) -> list[Pixels]:
    """The six faces of a panorama or of a map of it, (size, size), in the order of `core.geometry.cube.FACES`.

    Distances stay distances along the ray, and normals keep the frame of the panorama.
    """
    return [erp_to_camera(image, camera) for camera in cube_tiles(size)]


def _light(panorama: Panorama) -> NDArray[np.float32]:
    if panorama.radiance is None:
        raise ExportError(
            "OpenEXR and Radiance HDR are for pictures of more than 8 bits, got one of 8; choose .jpg, .png or .tif"
        )
    return panorama.radiance
