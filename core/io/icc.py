"""Colour profiles: into sRGB."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

_PROBE_STEPS = 9
_INVISIBLE = 2
"""Grey levels; a profile that moves no probe colour by more than this is sRGB under another name."""


@lru_cache(maxsize=32)
def srgb_transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform from a profile to sRGB for pictures of one mode.

    Args:
        profile: The embedded ICC profile.
        mode: 'L', 'RGB' or 'CMYK', the pixels that it describes.

    Returns:
        None when there is nothing to do: the profile is sRGB, is damaged, or describes another kind of pixel. Viewers
        take the pixels as sRGB then.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None
    probe = _probe(mode)
    moved = np.abs(np.asarray(transform.apply(probe), np.int16) - np.asarray(probe.convert("RGB"), np.int16))
    return transform if mode == "CMYK" or moved.max() > _INVISIBLE else None


def _probe(mode: str) -> Image.Image:
    """A picture with colours from all over the mode's range."""
    channels = len(mode)
    levels = np.linspace(0, 255, _PROBE_STEPS).astype(np.uint8)
    colors = np.stack(np.meshgrid(*[levels] * channels), axis=-1).reshape(1, -1, channels)
    return Image.fromarray(colors[..., 0] if channels == 1 else colors, mode)
