"""How long it takes until a picture is seen, by its format and size."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.io.images import read_panorama, read_preview
from panoviewer.benches.measuring import Work, seconds, side_by_side, threads
from panoviewer.benches.pictures import sample_panorama, textured
from panoviewer.benches.rows import Goal, Plan, Row, Unit, at_most, size_text, times_at_most

FIRST_WIDTH = 2048
"""Pixels across the picture that a window shows first."""
SMALL_JPEG_S, HUGE_JPEG_S = 0.15, 0.5
DECODER_TIMES = 1.2
"""What is wanted of a baseline JPEG 4K and 16K wide, and of other formats beside their bare decoder."""


@dataclass(frozen=True)
class _Format:
    """A way to keep a picture.

    Attributes:
        name: In the table.
        suffix: Of its files.
        options: For Pillow.
        factors: Widths, times the reference width.
    """

    name: str
    suffix: str
    options: dict[str, Any] = field(default_factory=dict)
    factors: tuple[int, ...] = (1, 2)


JPEG = _Format("JPEG", ".jpg", {"quality": 92}, (1, 2, 4))
FORMATS = (
    JPEG,
    _Format("progressive JPEG", ".jpg", {"quality": 92, "progressive": True}),
    _Format("PNG", ".png", {"compress_level": 1}),
    _Format("TIFF, LZW", ".tif", {"compression": "tiff_lzw"}),
    # Of twice the width and as noisy, Pillow writes none: the format has no room for it.
    _Format("WebP", ".webp", {"quality": 90, "method": 0}, (1,)),
)


def measure(plan: Plan, tell: Callable[[str], None]) -> Iterator[Row]:
    """Rows by format and size, each beside Pillow's decoder alone."""
    with threads(1), tempfile.TemporaryDirectory(prefix="panoviewer-bench-") as folder:
        path = Path(folder)
        for factor in sorted({factor for kind in FORMATS for factor in kind.factors}):
            width = plan.width * factor
            picture = Image.fromarray(textured(sample_panorama(width).rgb))
            for kind in FORMATS:
                if factor in kind.factors:
                    tell(f"opening {kind.name}, {size_text(width)}")
                    file = path / f"picture{kind.suffix}"
                    picture.save(file, **kind.options)
                    yield from map(plan.judged, _rows(plan, kind, file, width, factor))
                    file.unlink()


def _rows(plan: Plan, kind: _Format, file: Path, width: int, factor: int) -> Iterator[Row]:
    size = size_text(width)
    if kind is JPEG:
        limits = {1: SMALL_JPEG_S, 4: HUGE_JPEG_S}
        goal = at_most(limits[factor]) if factor in limits else None
        found = seconds(lambda: read_preview(file, FIRST_WIDTH), plan.repeats)
        yield Row(f"{kind.name}: first sight, {FIRST_WIDTH} wide", size, 1, Unit.SECONDS, found, goal=goal)
    works: list[Work] = [lambda: read_panorama(file), lambda: _decoded(file)]
    found, beside = side_by_side(works, plan.repeats)
    whole: Goal | None = None if kind is JPEG else times_at_most(DECODER_TIMES)
    yield Row(f"{kind.name}: whole", size, 1, Unit.SECONDS, found, "Pillow's decoder", beside, whole)


def _decoded(file: Path) -> NDArray[np.uint8]:
    with Image.open(file) as picture:
        return np.asarray(picture)
