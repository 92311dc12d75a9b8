"""From linear light to the 8-bit picture: one tone map for everything that holds more than 8 bits.

    8-bit = sRGB(knee(radiance * gain * 2^EV))

`gain` is decided once for a picture (`exposure_of`), `EV` is what a viewer adds to look into shadows and lights, and
`knee` leaves values up to `KNEE` alone and bends brighter ones smoothly towards white. At EV 0 it is what models see.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from core.geometry.compiled import compiled, frozen
from core.geometry.sphere import solid_angle

KEY = 0.18
"""Linear grey that the median luminance becomes: what a grey card reflects."""
KNEE = 0.6
"""Linear value from which brighter ones are bent: y = k + (1 - k) (1 - exp(-(x - k) / (1 - k))), smooth at k."""
MAX_EV = 10.0
LUMINANCE = (0.2126, 0.7152, 0.0722)
"""Of linear sRGB (ITU-R BT.709)."""

_MOST_SAMPLES = 1 << 19
_TABLE_STEPS = 1 << 14


@dataclass(frozen=True)
class ToneMap:
    """How linear light becomes 8 bits.

    Attributes:
        gain: Factor at EV 0.
        knee: `KNEE` for light that was measured; 1 for a picture that was developed already, whose values up to white
            stay what they are.
    """

    gain: float = 1.0
    knee: float = 1.0

    def develop(self, radiance: NDArray[np.float32], ev: float = 0.0) -> NDArray[np.uint8]:
        """The 8-bit picture.

        Args:
            radiance: (h, w, 3) linear sRGB.
            ev: Steps of exposure; each doubles the light.

        Returns:
            (h, w, 3) sRGB.
        """
        developed = np.empty(radiance.shape, np.uint8)
        factor = np.float32(self.gain * 2.0**ev)
        table, thresholds = _encoding()
        _develop(frozen(radiance), (factor, np.float32(self.knee)), table, thresholds, developed)
        return developed


DEVELOPED = ToneMap()
"""Of a picture that is shown as it is."""


def exposure_of(radiance: NDArray[np.float32], valid: NDArray[np.bool_] | None = None) -> ToneMap:
    """The tone map of measured light: its median luminance over the sphere becomes `KEY`.

    The median is taken by solid angle, without what is black or was not seen, so it does not change when the panorama
    is turned, and a sun moves it as little as its size. Of a large panorama every n-th row and column counts.

    Args:
        radiance: (H, W, 3) linear sRGB on the full sphere.
        valid: (H, W), False where nothing was seen.
    """
    height, width = radiance.shape[:2]
    step = max(1, round((height * width / _MOST_SAMPLES) ** 0.5))
    luminance = radiance[::step, ::step] @ np.array(LUMINANCE, np.float32)
    weight = np.broadcast_to(solid_angle(height, width)[::step], luminance.shape)
    counts = luminance > 0
    if valid is not None:
        counts &= valid[::step, ::step]
    luminance, weight = luminance[counts], weight[counts]
    if not luminance.size:
        return ToneMap(knee=KNEE)
    order = np.argsort(luminance)
    share = np.cumsum(weight[order])
    median = luminance[order[int(np.searchsorted(share, share[-1] / 2))]]
    return ToneMap(gain=KEY / float(median), knee=KNEE)


def linear_from_srgb(encoded: NDArray[np.floating]) -> NDArray[np.float64]:
    """Linear light of sRGB values from 0 to 1 (IEC 61966-2-1)."""
    values = np.asarray(encoded, np.float64)
    return np.where(values <= 0.04045, values / 12.92, ((np.maximum(values, 0) + 0.055) / 1.055) ** 2.4)


def srgb_levels(radiance: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Linear light, (h, w, 3), as sRGB in 16 bits, rounded; what is brighter than white becomes white."""
    levels = np.empty(radiance.shape, np.uint16)
    for row, light in enumerate(radiance):
        # A row at a time: powers are taken in float64, of which a large picture has too much.
        values = np.clip(light, 0, 1, dtype=np.float64)
        encoded = np.where(values <= 0.0031308, values * 12.92, 1.055 * values ** (1 / 2.4) - 0.055)
        levels[row] = np.rint(encoded * 65535)
    return levels


@cache
def srgb_table(levels: int) -> NDArray[np.float32]:
    """Linear light of `levels` evenly spaced sRGB values from 0 to 1, read-only."""
    table = linear_from_srgb(np.arange(levels) / (levels - 1)).astype(np.float32)
    table.flags.writeable = False
    return table


@cache
def _encoding() -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A first guess of the sRGB level of linear light in steps, never too high, and the light at which levels begin."""
    thresholds = np.append(linear_from_srgb((np.arange(1, 256) - 0.5) / 255), np.inf).astype(np.float32)
    guesses = np.searchsorted(thresholds, np.arange(_TABLE_STEPS + 1) / np.float32(_TABLE_STEPS), side="right")
    return frozen(guesses.astype(np.uint8)), frozen(thresholds)


@compiled
def _develop(
    radiance: NDArray[np.float32],
    curve: tuple[np.float32, np.float32],
    table: NDArray[np.uint8],
    thresholds: NDArray[np.float32],
    developed: NDArray[np.uint8],
) -> None:
    """The loop behind `ToneMap.develop`; levels are exact, half-way values are rounded up."""
    factor, knee = curve
    rest = np.float32(1) - knee
    last = table.shape[0] - 1
    for i in range(radiance.shape[0]):
        for j in range(radiance.shape[1]):
            for c in range(3):
                value = radiance[i, j, c] * factor
                if value > knee:
                    value = knee + rest * (1 - np.exp((knee - value) / rest)) if rest > 0 else knee
                level = 0
                if value > 0:
                    # No step of the table holds two of the thresholds; a loop here costs three times as much.
                    level = int(table[min(int(value * last), last)])
                    level += value >= thresholds[level]
                developed[i, j, c] = level
