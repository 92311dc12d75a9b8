"""The bank of tileable patterns, drawn procedurally when first used and kept with their levels of detail."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from training.worlds.kernels import ATLAS_SIZE, ATLAS_UNIT, LEVEL_STARTS
from training.worlds.pattern_drawings import DRAWINGS

Image = NDArray[np.float32]
_SLOTS = 256


class PatternBank:
    """Patterns in one array that the shading kernel reads; slot 0 is plain."""

    def __init__(self) -> None:
        self.atlas = np.zeros((_SLOTS, int(LEVEL_STARTS[-1]), 3), np.uint8)
        self.atlas[0] = int(ATLAS_UNIT)
        self._slots = {"plain": 0}
        self._means = {0: np.ones(3, np.float32)}

    def slot(self, name: str) -> int:
        """Where a pattern lies in `atlas`; drawn now if it is new.

        Args:
            name: A key of `DRAWINGS`, with ``/number`` for one of its variants.

        Raises:
            ValueError: For a name that is not there.
        """
        if name not in self._slots:
            slot = len(self._slots)
            family = name.partition("/")[0]
            if family not in DRAWINGS:
                raise ValueError(f"expected a pattern of the bank, got {name!r}; use one of {sorted(DRAWINGS)}")
            # The seed is the name's, so that a pattern looks the same whichever world asks first.
            image = DRAWINGS[family](np.random.default_rng(zlib.crc32(name.encode())))
            image = np.broadcast_to(image.reshape(*image.shape[:2], -1), (ATLAS_SIZE, ATLAS_SIZE, 3))
            self._store(slot, np.clip(image, 0.0, 255 / ATLAS_UNIT))
            self._slots[name] = slot
        return self._slots[name]

    def mean(self, name: str) -> NDArray[np.float32]:
        """Mean colour (3,) of a pattern, where 1 leaves the albedo as it is."""
        return self._means[self.slot(name)]

    def _store(self, slot: int, image: Image) -> None:
        if slot >= _SLOTS:
            raise ValueError(f"the pattern bank holds {_SLOTS} patterns, got one more")
        self._means[slot] = image.mean((0, 1), dtype=np.float64).astype(np.float32)
        for level in range(len(LEVEL_STARTS) - 1):
            stored = np.rint(image * ATLAS_UNIT).astype(np.uint8)
            self.atlas[slot, LEVEL_STARTS[level] : LEVEL_STARTS[level + 1]] = stored.reshape(-1, 3)
            if level + 2 < len(LEVEL_STARTS):
                side = len(image) // 2
                image = image.reshape(side, 2, side, 2, 3).mean((1, 3), dtype=np.float32)
