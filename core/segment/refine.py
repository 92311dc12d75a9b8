"""From a mask that is right in the large to the edges of the photograph.

Within a narrow band along the border, tile by tile at the photograph's own resolution, the border is put where colours
and contrast say; the energy is that of `core.segment.cut` with the colours of the neighbourhood.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from core.geometry.cache import BoundedCache
from core.geometry.compiled import compiled, frozen
from core.geometry.sphere import lonlat_to_erp, lonlat_to_pixels
from core.mask import SphereMask
from core.scene import Click
from core.segment.cut import Bits, Colors, CutWeights, cut_free

AT_EDGES = CutWeights(belief=0.5, doubt=2.0, colour=1.0, contrast=4.0)
FINEST_REACH_PX = 2
COARSEST_REACH_PX = 16
"""By how much `refine_edges` moves a border at most, in the photograph's pixels; what should move by less stays."""
TILE = 256
_SOME = np.float32(1e-3)
"""Weight beside which that of a side that is not near counts for nothing."""
_KNOWN_BYTES = 16 << 20


class RefinedTiles:
    """What became of the tiles of one photograph, so that a correction works again only on those that it changed."""

    def __init__(self) -> None:
        self._tiles: BoundedCache[NDArray[np.uint8]] = BoundedCache(_KNOWN_BYTES, lambda packed: packed.nbytes)

    def refined(self, place: tuple[object, ...], near: Bits, work: Callable[[], Bits]) -> Bits:
        """A tile with its border on the edges.

        Args:
            place: Where it is and how it is worked on.
            near: (h, w) the mask there, with its margin.
            work: Makes it, (h, w).
        """
        key = (place, near.shape, hashlib.blake2b(np.packbits(near).data, digest_size=16).digest())
        packed = self._tiles.get(key, lambda: np.packbits(work()))
        return np.unpackbits(packed, count=near.size).reshape(near.shape).view(np.bool_)


def refine_edges(
    rgb: Colors,
    mask: Bits,
    clicks: Sequence[Click] = (),
    *,
    reach: float,
    weights: CutWeights = AT_EDGES,
    known: RefinedTiles | None = None,
) -> Bits:
    """A mask on a panorama with its border moved to the photograph's edges nearby.

    What is too thin to have a middle within the band, inside or outside, stays as it is: wires and gaps are not lost.

    Args:
        rgb: (H, W, 3) sRGB uint8.
        mask: (H, W) bool.
        clicks: That are obeyed; tiles are laid from the first one, so that they stay where they are when the mask is
            corrected.
        reach: Radians by which the border may move.
        weights: Of the voices.
        known: Tiles of this photograph that were worked on before, if they are kept.

    Returns:
        (H, W) bool.
    """
    height, width = mask.shape
    if rgb.shape[:2] != (height, width):
        raise ValueError(f"a mask has its photograph's size {rgb.shape[:2]}, got {mask.shape}")
    refined = mask.copy()
    reach_px = round(min(reach / math.pi * height, COARSEST_REACH_PX))
    known = known or RefinedTiles()
    start = lonlat_to_pixels(clicks[0].lon, clicks[0].lat, height, width) if clicks else None
    tiles = _border_tiles(mask, reach_px, 4 * reach_px, start) if reach_px >= FINEST_REACH_PX else ()
    for rows, cols, core in tiles:
        near = np.take(mask[rows], cols, axis=1)

        def work(rows: slice = rows, cols: NDArray[np.int64] = cols, near: Bits = near) -> Bits:
            return _refined_tile(np.take(rgb[rows], cols, axis=1), near, reach_px, weights)

        better = known.refined((rows.start, int(cols[0]), reach_px, weights), near, work)
        refined[np.ix_(np.arange(rows.start, rows.stop)[core[0]], cols[core[1]])] = better[core]
    for click in clicks:
        _obey(refined, click, weights.disk)
    return refined


def _refined_tile(rgb: Colors, mask: Bits, reach_px: int, weights: CutWeights) -> Bits:
    import cv2

    inner = np.asarray(cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, 5), np.float32)
    outer = np.asarray(cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, 5), np.float32)
    signed = np.where(mask, inner - 0.5, 0.5 - outer)
    band = np.abs(signed) < reach_px
    thick = _thick(inner, reach_px) | _thick(outer, reach_px)
    free = band & thick
    belief = np.clip(signed / (0.5 * reach_px), -1, 1) * weights.doubt * weights.belief
    colour = _local_favour(rgb, mask, np.abs(signed), reach_px, weights.colour_limit) * weights.colour
    return cut_free(rgb, (belief + colour).astype(np.float32), free, mask, weights)


def _thick(depth: NDArray[np.float32], reach_px: int) -> Bits:
    """Pixels within reach of one that is deeper than the band: what is left out is thin."""
    import cv2

    shallow = (depth <= reach_px).view(np.uint8)
    # The distance to the nearest deep pixel: a dilation by as large a disk takes a hundred times as long.
    away = np.asarray(cv2.distanceTransform(shallow, cv2.DIST_L2, 5), np.float32)
    near: Bits = (away <= 2 * reach_px + 0.5) & (depth > 0)
    return near


def _local_favour(
    rgb: Colors, mask: Bits, depth: NDArray[np.float32], reach_px: int, limit: float
) -> NDArray[np.float32]:
    """How much nearer each pixel's colour is to the mean colour inside than outside, in its neighbourhood."""
    import cv2

    def sums(values: NDArray[np.float32]) -> NDArray[np.float32]:
        side = (6 * reach_px + 1, 6 * reach_px + 1)
        around = cv2.boxFilter(values, -1, side, normalize=False, borderType=cv2.BORDER_CONSTANT)
        return np.asarray(around, np.float32)

    height, width = mask.shape
    weighted = np.empty((height, width, 4), np.float32)
    off = np.empty((2, height, width), np.float32)
    spread = np.zeros((height, width), np.float32)
    for part, inside in enumerate((True, False)):
        _weigh(frozen(rgb), frozen(mask), frozen(depth), inside, np.float32(reach_px), weighted)
        around = sums(weighted)
        _deviate(frozen(rgb), frozen(around), off[part])
        spread += sums(off[part] * weighted[..., 3]) / (around[..., 3] + _SOME)
    favour = (off[1] - off[0]) / (spread + 60.0)
    limited: NDArray[np.float32] = np.clip(favour, -limit, limit)
    return limited


@compiled
def _weigh(
    rgb: Colors, mask: Bits, depth: NDArray[np.float32], inside: bool, reach: np.float32, out: NDArray[np.float32]
) -> None:
    """Colours times the weight of each pixel of one side, and the weight itself."""
    for i in range(mask.shape[0]):
        for j in range(mask.shape[1]):
            # What lies at the border may belong to the other side, but where nothing else is near it must do.
            weight = min(max(depth[i, j] / reach, np.float32(0.05)), np.float32(1))
            weight = weight if mask[i, j] == inside else np.float32(0)
            for c in range(3):
                out[i, j, c] = np.float32(rgb[i, j, c]) * weight
            out[i, j, 3] = weight


@compiled
def _deviate(rgb: Colors, sums: NDArray[np.float32], off: NDArray[np.float32]) -> None:
    """Squared distance of each colour from the mean of those around it."""
    for i in range(off.shape[0]):
        for j in range(off.shape[1]):
            total = sums[i, j, 3] + _SOME
            square = np.float32(0)
            for c in range(3):
                apart = np.float32(rgb[i, j, c]) - sums[i, j, c] / total
                square += apart * apart
            off[i, j] = square


def _border_tiles(
    mask: Bits, reach_px: int, margin: int, start: tuple[NDArray[np.int64], NDArray[np.int64]] | None
) -> Iterator[tuple[slice, NDArray[np.int64], tuple[slice, slice]]]:
    """Tiles, with a margin, that hold some of a mask's border.

    Args:
        mask: (H, W).
        reach_px: How far the border may move.
        margin: Pixels.
        start: Row and column of a corner of the tiles; that of what the mask covers when left out.

    Yields:
        Rows and columns of the panorama, and which of them are the tile's own.
    """
    packed = SphereMask.pack(mask)
    if packed.is_empty:
        return
    height, width = mask.shape
    pad = reach_px + 1
    first, last = max(0, packed.row - pad), min(height, packed.row + packed.rows + pad)
    col, cols = packed.col - pad, packed.cols + 2 * pad
    if start is not None:
        first -= (first - int(start[0])) % TILE
        # The start may lie beyond the seam, to which no whole number of tiles needs to lead.
        before = -((int(start[1]) - col) % width) % TILE
        col, cols = col - before, cols + before
    if cols >= width:
        col, cols = 0 if start is None else int(start[1]), width
    for corner in range(first, last, TILE):
        top, bottom = max(0, corner), min(corner + TILE, last)
        rows = slice(max(0, top - margin), min(height, bottom + margin))
        own_rows = slice(top - rows.start, bottom - rows.start)
        for left in range(col, col + cols, TILE):
            right = min(left + TILE, col + cols)
            wrapped = np.arange(left - margin, right + margin) % width
            near = np.take(mask[rows], wrapped, axis=1)
            if near.any() and not near.all():
                yield rows, wrapped, (own_rows, slice(margin, margin + right - left))


def _obey(mask: Bits, click: Click, disk: float) -> None:
    height, width = mask.shape
    u, v = (float(value) for value in lonlat_to_erp(click.lon, click.lat, height, width))
    rows = np.arange(max(0, math.floor(v - disk)), min(height, math.floor(v + disk) + 1))
    cols = np.arange(math.floor(u - disk), math.floor(u + disk) + 1)
    near = (rows[:, None] + 0.5 - v) ** 2 + (cols[None] + 0.5 - u) ** 2 <= disk * disk
    # The pixel that holds the click obeys, whatever the radius.
    near |= (rows[:, None] == min(math.floor(v), height - 1)) & (cols[None] == math.floor(u))
    row, col = np.nonzero(near)
    mask[rows[row], cols[col] % width] = click.positive
