"""Materials: colour, a pattern of the bank, gloss and glow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class Material:
    """How a surface looks.

    Attributes:
        albedo: Linear RGB reflectance, 0 to 1.
        pattern: Name in the pattern bank (`pattern_drawings.DRAWINGS`), ``/number`` for a variant.
        scale: Metres per repeat of the pattern.
        contrast: 0 hides the pattern, 1 shows it fully: ``albedo * (1 + contrast * (pattern - 1))``.
        gloss: Share of a mirror at right angles, 0 to 1; it grows towards grazing.
        roughness: Blur of that mirror, 0 sharp to 1.
        emission: Linear RGB radiance that it gives off by itself; 1 is a sunlit white wall.
        wear: Strength of large faint stains.
        glass: A pane: seen through, casts no shadow; labels and range are those of the pane.
    """

    albedo: tuple[float, float, float]
    pattern: str = "plain"
    scale: float = 1.0
    contrast: float = 1.0
    gloss: float = 0.0
    roughness: float = 0.1
    emission: tuple[float, float, float] = (0.0, 0.0, 0.0)
    wear: float = 0.0
    glass: bool = False


def triple(values: Iterable[float]) -> tuple[float, float, float]:
    """Three numbers, of an array perhaps, as a tuple of floats."""
    first, second, third = (float(value) for value in values)
    return first, second, third
