"""Small ICC profiles, written byte by byte (ICC.1:2001-04), whose effect on a pixel can be computed on paper."""

from __future__ import annotations

import itertools
import struct

import numpy as np

_D50 = (0.9642, 1.0, 0.8249)
# Primaries of sRGB adapted to D50, as in every sRGB profile.
_SRGB = {"r": (0.4360, 0.2225, 0.0139), "g": (0.3851, 0.7169, 0.0971), "b": (0.1431, 0.0606, 0.7141)}


def rgb_profile(gamma: float, order: str = "rgb") -> bytes:
    """A profile with sRGB's primaries in a given order of channels and a pure power as its curve."""
    tags = {b"wtpt": _xyz(_D50)}
    for channel, primary in zip("rgb", order, strict=True):
        tags[f"{channel}XYZ".encode()] = _xyz(_SRGB[primary])
        tags[f"{channel}TRC".encode()] = _power(gamma)
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags)


def grey_profile(gamma: float) -> bytes:
    """A grey profile with a pure power as its curve."""
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"wtpt": _xyz(_D50), b"kTRC": _power(gamma)})


def cmyk_profile() -> bytes:
    """A printer whose colours have no hue: lightness falls with the black ink alone."""
    identity = bytes(range(256))
    corners = b"".join(bytes([0 if black else 255, 128, 128]) for _, _, _, black in itertools.product((0, 1), repeat=4))
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + identity * 4 + corners + identity * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"wtpt": _xyz(_D50), b"A2B0": table})


def encode_srgb(linear: np.ndarray) -> np.ndarray:
    """sRGB grey levels 0..255 of linear light 0..1 (IEC 61966-2-1)."""
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)


def _xyz(values) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in values))


def _power(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    text = b"test\x00"
    described = b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78)
    tags = {
        b"desc": described + bytes(-len(described) % 4),
        b"cprt": b"text" + bytes(4) + b"none\x00" + bytes(3),
    } | tags
    offset = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">II", offset + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    size = offset + len(body)
    header = struct.pack(">I4sI4s4s4s", size, b"test", 0x02400000, kind, space, connection)
    header += bytes(12) + b"acsp" + bytes(128 - 40 - 60) + struct.pack(">3i", *(round(v * 65536) for v in _D50))
    return (header + bytes(128))[:128] + table + body
