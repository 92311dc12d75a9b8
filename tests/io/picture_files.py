"""Real picture files for the tests, with Photo Sphere metadata in every container."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin, TiffImagePlugin

FORMATS = ("JPEG", "PNG", "TIFF", "WebP")
LOSSLESS = ("PNG", "TIFF", "WebP")
SUFFIX = {"JPEG": ".jpg", "PNG": ".png", "TIFF": ".tif", "WebP": ".webp"}
ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT / "../shared"

_RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
_GPANO = 'xmlns:GPano="http://ns.google.com/photos/1.0/panorama/"'


def xmp_attributes(**tags) -> bytes:
    """An XMP packet with GPano tags as attributes."""
    attributes = " ".join(f'GPano:{name}="{value}"' for name, value in tags.items())
    return _packet(f'<rdf:Description rdf:about="" {_GPANO} {attributes}/>')


def xmp_elements(**tags) -> bytes:
    """An XMP packet with GPano tags as elements."""
    elements = "".join(f"<GPano:{name}>{value}</GPano:{name}>\n" for name, value in tags.items())
    return _packet(f'<rdf:Description rdf:about="" {_GPANO}>{elements}</rdf:Description>')


def _packet(description: str) -> bytes:
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {_RDF}>{description}</rdf:RDF></x:xmpmeta>'
        f'{" " * 100}<?xpacket end="w"?>'
    ).encode()


def crop_tags(*, size, full, at) -> dict[str, int]:
    """The six tags of a crop: (width, height), (width, height), (left, top)."""
    return {
        "ProjectionType": "equirectangular",
        "CroppedAreaImageWidthPixels": size[0],
        "CroppedAreaImageHeightPixels": size[1],
        "FullPanoWidthPixels": full[0],
        "FullPanoHeightPixels": full[1],
        "CroppedAreaLeftPixels": at[0],
        "CroppedAreaTopPixels": at[1],
    }


def encode(image: Image.Image, kind: str, *, xmp: bytes | None = None, **options) -> bytes:
    """The bytes of a picture file."""
    if xmp is not None and kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", "surrogateescape"), zip=options.pop("zip_xmp", False))
        options["pnginfo"] = info
    elif xmp is not None and kind == "TIFF":
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[700] = xmp
        tags.tagtype[700] = 1
        options["tiffinfo"] = tags
    elif xmp is not None:
        options["xmp"] = xmp
    if kind == "WebP":
        options.setdefault("lossless", True)
        options.setdefault("exact", True)
    if kind == "JPEG":
        options.setdefault("quality", 95)
    stream = io.BytesIO()
    image.save(stream, kind.upper(), **options)
    return stream.getvalue()


def save(folder: Path, image: Image.Image, kind: str, *, name: str = "photo", **options) -> Path:
    """A picture file in a folder."""
    path = folder / (name + SUFFIX[kind])
    path.write_bytes(encode(image, kind, **options))
    return path


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Pixels that are all different, so that no shift goes unnoticed."""
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def smooth(height: int, width: int) -> np.ndarray:
    """A soft gradient that JPEG keeps within a grey level or two."""
    v, u = np.mgrid[:height, :width]
    return np.stack([255 * u / width, 255 * v / height, 128 + 0 * u], axis=-1).astype(np.uint8)
