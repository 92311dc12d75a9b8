"""OpenEXR files with named channels, for Nuke, Blender and other compositors."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray


def write_exr(
    channels: Mapping[str, NDArray[np.float32] | NDArray[np.float16]],
    stream: BinaryIO,
    *,
    facts: Mapping[str, str] | None = None,
) -> None:
    """Scan lines of floats or halves, ZIP.

    Args:
        channels: (h, w) each, by name, all of one size. What is no number must have been replaced: compositors spread
            it.
        stream: Open for writing.
        facts: Text attributes by name.
    """
    import OpenEXR

    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **(facts or {})}
    # The library hides what a stream has against being written to; memory has nothing against it.
    held = io.BytesIO()
    OpenEXR.File(header, {name: np.ascontiguousarray(values) for name, values in channels.items()}).write(held)
    stream.write(held.getbuffer())
