"""How long it takes until a picture is seen, by its format and size."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from core.io.images import read_panorama
from core.io.radiance_hdr import write_hdr
from core.panorama import Panorama
from core.progress import Cancelled
from core.pyramid import Pyramid
from core.tone import linear_from_srgb
from panoviewer.benches.measuring import Work, side_by_side, threads
from panoviewer.benches.pictures import sample_panorama, textured
from panoviewer.benches.rows import Goal, Plan, Row, Unit, at_most, size_text, times_at_most

SMALL_JPEG_S, HUGE_JPEG_S = 0.15, 0.5
DECODER_TIMES = 1.2
"""What is wanted of a baseline JPEG 4K and 16K wide, and of other formats beside their bare decoder."""

Pixels = NDArray[Any]


@dataclass(frozen=True)
class Kind:
    """A way to keep a picture.

    Attributes:
        name: In the table.
        suffix: Of its files.
        write: Writes an 8-bit picture as such a file.
        decode: The decoder alone, to an array of whatever kind it makes.
        decoder: Its name.
        factors: Widths, times the reference width.
        package: Without which there is no such row.
        threads: That the decoder uses.
    """

    name: str
    suffix: str
    write: Callable[[NDArray[np.uint8], Path], object]
    decode: Callable[[Path], Pixels]
    decoder: str = "Pillow's decoder"
    factors: tuple[int, ...] = (1, 2)
    package: str = "PIL"
    threads: int = 1


def measure(plan: Plan, tell: Callable[[str], None]) -> Iterator[Row]:
    """Rows by format and size, each beside the decoder alone."""
    kinds = [kind for kind in FORMATS if importlib.util.find_spec(kind.package) is not None]
    with threads(1), tempfile.TemporaryDirectory(prefix="panoviewer-bench-") as folder:
        for factor in sorted({factor for kind in kinds for factor in kind.factors}):
            width = plan.width * factor
            picture = textured(sample_panorama(width).rgb)
            for kind in kinds:
                if factor in kind.factors:
                    tell(f"opening {kind.name}, {size_text(width)}")
                    file = Path(folder) / f"picture{kind.suffix}"
                    kind.write(picture, file)
                    yield from map(plan.judged, _rows(plan, kind, file, width, factor))
                    file.unlink()


def _rows(plan: Plan, kind: Kind, file: Path, width: int, factor: int) -> Iterator[Row]:
    works: list[Work] = [lambda: first_sight(file), lambda: read_panorama(file), lambda: kind.decode(file)]
    seen, whole, bare = side_by_side(works, plan.repeats)
    goal: Goal | None = times_at_most(DECODER_TIMES)
    if kind.name == JPEG:
        limits = {1: SMALL_JPEG_S, 4: HUGE_JPEG_S}
        goal = at_most(limits[factor]) if factor in limits else None
    for task, found, wanted in ((f"{kind.name}: first sight", seen, goal), (f"{kind.name}: whole", whole, None)):
        yield Row(task, size_text(width), kind.threads, Unit.SECONDS, found, kind.decoder, bare, wanted)


def first_sight(file: Path) -> Pyramid:
    """What a window draws first of a picture."""
    told: list[Panorama] = []

    def leave(panorama: Panorama) -> None:
        told.append(panorama)
        raise Cancelled

    with contextlib.suppress(Cancelled):
        told.append(read_panorama(file, first=leave))
    return Pyramid.of(told[0].rgb)


def _by_pillow(**options: Any) -> Callable[[NDArray[np.uint8], Path], None]:  # noqa: ANN401
    def write(rgb: NDArray[np.uint8], file: Path) -> None:
        Image.fromarray(rgb).save(file, **options)

    return write


def _write_heic(rgb: NDArray[np.uint8], file: Path) -> None:
    import pillow_heif

    pillow_heif.from_pillow(Image.fromarray(rgb)).save(str(file), quality=80)


def _deep(*options: int) -> Callable[[NDArray[np.uint8], Path], None]:
    """Writes 16 bits per channel, with these options of OpenCV."""

    def write(rgb: NDArray[np.uint8], file: Path) -> None:
        deep = rgb[..., ::-1].astype(np.uint16) * 257
        # Further noise below that of 8 bits, as a sensor has it.
        deep ^= np.random.default_rng(0).integers(0, 128, deep.shape, np.uint16)
        cv2.imwrite(str(file), deep, options)

    return write


def _light(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    table = linear_from_srgb(np.arange(256) / 255).astype(np.float32)
    light: NDArray[np.float32] = table[rgb]
    return light


def _write_hdr(rgb: NDArray[np.uint8], file: Path) -> None:
    with file.open("wb") as stream:
        write_hdr(_light(rgb), stream)


def _write_exr(rgb: NDArray[np.uint8], file: Path) -> None:
    import OpenEXR

    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, {"RGB": _light(rgb).astype(np.float16)}).write(str(file))


def _by_pillow_again(file: Path) -> Pixels:
    with Image.open(file) as picture:
        return np.asarray(picture)


def _decode_heic(file: Path) -> Pixels:
    from pillow_heif import HeifImageFile

    reader: Callable[[Path], ImageFile.ImageFile] = HeifImageFile
    with reader(file) as picture:
        return np.asarray(picture)


def _decode_by_opencv(file: Path) -> Pixels:
    decoded = cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    return np.asarray(decoded)


def _decode_exr(file: Path) -> Pixels:
    import OpenEXR

    pixels: Pixels = OpenEXR.File(str(file), num_threads=_EXR_THREADS).channels()["RGB"].pixels
    return pixels


_EXR_THREADS = min(4, os.cpu_count() or 1)
"""As many as the reading process takes."""
_UNCOMPRESSED = 1
"""In the words of TIFF."""
JPEG = "JPEG"
OPENCV = "OpenCV's decoder"
FORMATS = (
    Kind(JPEG, ".jpg", _by_pillow(quality=92), _by_pillow_again, factors=(1, 2, 4)),
    Kind("progressive JPEG", ".jpg", _by_pillow(quality=92, progressive=True), _by_pillow_again),
    Kind("PNG", ".png", _by_pillow(compress_level=1), _by_pillow_again),
    Kind("TIFF, LZW", ".tif", _by_pillow(compression="tiff_lzw"), _by_pillow_again),
    # Of twice the width and as noisy, Pillow writes none: the format has no room for it.
    Kind("WebP", ".webp", _by_pillow(quality=90, method=0), _by_pillow_again, factors=(1,)),
    Kind("AVIF", ".avif", _by_pillow(quality=80, speed=9, max_threads=1), _by_pillow_again, factors=(1,)),
    Kind("HEIC", ".heic", _write_heic, _decode_heic, "pillow-heif", (1,), "pillow_heif", threads=2),
    Kind("PNG, 16 bits", ".png", _deep(cv2.IMWRITE_PNG_COMPRESSION, 1), _decode_by_opencv, OPENCV),
    Kind("TIFF, 16 bits, LZW", ".tif", _deep(), _decode_by_opencv, OPENCV),
    Kind("TIFF, 16 bits", ".tif", _deep(cv2.IMWRITE_TIFF_COMPRESSION, _UNCOMPRESSED), _decode_by_opencv, OPENCV),
    Kind("Radiance HDR", ".hdr", _write_hdr, _decode_by_opencv, OPENCV),
    Kind("OpenEXR, half, ZIP", ".exr", _write_exr, _decode_exr, "the OpenEXR library", threads=_EXR_THREADS),
)
