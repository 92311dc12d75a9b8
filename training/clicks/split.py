"""Which sources of views are only judged by, never trained on."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.dataset import WorldFolder

LEAST_PHOTOS = 6
"""Fewer photographs would say little; of fewer than twice as many, half are held out."""
_PARTS, _FIRST = 16, 7
"""About every sixteenth photograph is held out. Which ones is decided by their names, counted from this remainder on;
it leaves the few large photographs of the first collection in training."""


def held_out_sources(sources: Sequence[str], worlds: WorldFolder) -> NDArray[np.bool_]:
    """Which of the sources, by their file names, are only judged by.

    Args:
        sources: Names of worlds, `SEED.npz`, and of photographs; files of one photograph have the same stem.
        worlds: Decides for worlds, so that one that is only judged by is trained on in no other way.

    Returns:
        (n,) bool.
    """
    ranks = {stem: _rank(stem) for stem in map(_photo, sources) if stem}
    count = max(LEAST_PHOTOS, sum(part == 0 for part, _ in ranks.values()))
    photos = set(sorted(ranks, key=ranks.__getitem__)[: min(count, len(ranks) // 2)])
    return np.array([_photo(name) in photos if _photo(name) else worlds.holds_out(name) for name in sources], np.bool_)


def is_world(source: str) -> bool:
    """Whether a source is a world."""
    return source.endswith(".npz")


def _photo(source: str) -> str:
    """What all files of a photograph are called; nothing for a world."""
    return "" if is_world(source) else source.partition(".")[0]


def _rank(stem: str) -> tuple[int, int]:
    checksum = zlib.crc32(stem.encode())
    return (checksum - _FIRST) % _PARTS, checksum
