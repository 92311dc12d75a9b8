"""Masks to lay over the photograph: one map that says which mask is on top where, kept up to date part by part. No Qt.

Both views draw from the same `MaskMap`. A mask that changes costs the part of the sphere that it covers and covered,
a colour that changes costs nothing but the palette; two hundred masks are drawn as fast as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.cache import BoundedCache
from core.mask import SphereMask

MAX_WIDTH = 8192
"""Wider panoramas get a map of every second, third, ... pixel."""
MOST_LAYERS = 65535
CACHE_BYTES = 128 << 20
"""Of masks that lie about unpacked, because a neighbour of theirs changes often."""

Rgb = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class MaskLayer:
    """One mask and how it is drawn.

    Attributes:
        mask: On the panorama's grid; another object whenever another pixel is inside.
        color: Of the inside, 0 to 255.
        opacity: Of the inside, 0 to 1.
        outline: Colour of its border, which is about two screen pixels wide in every view; None draws none.
    """

    mask: SphereMask
    color: Rgb = (255, 180, 84)
    opacity: float = 0.4
    outline: Rgb | None = (255, 255, 255)


@dataclass(frozen=True)
class Part:
    """A rectangle of a map that does not cross its right edge."""

    row: int
    col: int
    height: int
    width: int


class MaskMap:
    """Which mask is on top at each pixel of a panorama.

    Attributes:
        index: (h, w) uint16, 0 where there is none; otherwise a row of `palette`.
        palette: (n, 2, 4) uint8 premultiplied RGBA: how the inside and the border of each mask are painted.
        version: Another number after every change.
    """

    def __init__(self, height: int, width: int) -> None:
        """Make the empty map of a panorama of this size."""
        self._size = height, width
        self._step = max(1, -(-width // MAX_WIDTH))
        self.index = np.zeros((-(-height // self._step), -(-width // self._step)), np.uint16)
        self.palette = np.zeros((1, 2, 4), np.uint8)
        self.version = 0
        self._layers: dict[SphereMask, MaskLayer] = {}
        self._slots: dict[SphereMask, int] = {}
        self._laid: list[tuple[SphereMask, Part, tuple[slice, slice]]] = []
        self._edges = np.zeros((0, 4), np.int64)
        self._boxes: BoundedCache[NDArray[np.bool_]] = BoundedCache(CACHE_BYTES, lambda box: box.nbytes)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the panorama."""
        return self._size

    @property
    def is_empty(self) -> bool:
        """True when there is nothing to draw."""
        return not self._layers

    def prepare(self, mask: SphereMask) -> None:
        """Unpack a mask that is going to be drawn; may be called in any thread, so that the UI thread need not."""
        self._boxes.get(mask, mask.box)

    def set_layers(self, layers: Sequence[MaskLayer]) -> list[Part]:
        """Draw these masks instead, later ones over earlier ones.

        Args:
            layers: A mask that was drawn before is known by itself: passing the same object again costs nothing.

        Returns:
            The parts of `index` that have changed.

        Raises:
            ValueError: A mask has another grid than the panorama, or there are more than `MOST_LAYERS`.
        """
        for layer in layers:
            if layer.mask.size != self._size:
                raise ValueError(f"expected masks of the panorama's size {self._size}, got {layer.mask.size}")
        if len(layers) > MOST_LAYERS:
            raise ValueError(f"at most {MOST_LAYERS} masks can be drawn, got {len(layers)}")
        wanted = {layer.mask: layer for layer in layers}
        kept_before = [key for key in self._layers if key in wanted]
        kept_now = [key for key in wanted if key in self._layers]
        changed = [layer for key, layer in self._layers.items() if key not in wanted]
        changed += [layer for key, layer in wanted.items() if key not in self._layers]
        changed += [wanted[now] for before, now in zip(kept_before, kept_now, strict=True) if before != now]
        self._layers = wanted
        self._give_slots()
        self._paint_palette()
        self._lay()
        parts = self._parts_of(changed)
        for part in parts:
            self._paint(part)
        self.version += 1
        return parts

    def _give_slots(self) -> None:
        self._slots = {key: slot for key, slot in self._slots.items() if key in self._layers}
        taken = set(self._slots.values())
        free = (slot for slot in range(1, MOST_LAYERS + 1) if slot not in taken)
        for key in self._layers:
            if key not in self._slots:
                self._slots[key] = next(free)

    def _paint_palette(self) -> None:
        palette = np.zeros((max(self._slots.values(), default=0) + 1, 2, 4), np.uint8)
        for key, layer in self._layers.items():
            alpha = round(255 * min(max(layer.opacity, 0.0), 1.0))
            fill = [value * alpha // 255 for value in layer.color]
            palette[self._slots[key], 0] = (*fill, alpha)
            palette[self._slots[key], 1] = (*fill, alpha) if layer.outline is None else (*layer.outline, 255)
        self.palette = palette

    def _parts_of(self, layers: Sequence[MaskLayer]) -> list[Part]:
        """The parts that some masks touch; the whole map where that is not more work."""
        parts = [part for layer in layers for part, _ in self._places(layer.mask)]
        height, width = self.index.shape
        if sum(part.height * part.width for part in parts) >= height * width:
            return [Part(0, 0, height, width)]
        return parts

    def _lay(self) -> None:
        """Note where all masks lie, so that those within a part are found without asking each of them."""
        self._laid = [(mask, *place) for mask in self._layers for place in self._places(mask)]
        edges = [(part.row, part.row + part.height, part.col, part.col + part.width) for _, part, _ in self._laid]
        self._edges = np.array(edges, np.int64).reshape(-1, 4)

    def _paint(self, part: Part) -> None:
        """Draw all masks within a part again."""
        target = self.index[part.row : part.row + part.height, part.col : part.col + part.width]
        target[...] = 0
        edges = self._edges
        near = (edges[:, 0] < part.row + part.height) & (edges[:, 1] > part.row)
        near &= (edges[:, 2] < part.col + part.width) & (edges[:, 3] > part.col)
        for number in np.flatnonzero(near):
            mask, place, where = self._laid[number]
            top, left = max(place.row, part.row), max(place.col, part.col)
            bottom = min(place.row + place.height, part.row + part.height)
            right = min(place.col + place.width, part.col + part.width)
            box = self._boxes.get(mask, mask.box)[where]
            inside = box[top - place.row : bottom - place.row, left - place.col : right - place.col]
            rows = slice(top - part.row, bottom - part.row)
            columns = slice(left - part.col, right - part.col)
            np.copyto(target[rows, columns], np.uint16(self._slots[mask]), where=inside)

    def _places(self, mask: SphereMask) -> Iterator[tuple[Part, tuple[slice, slice]]]:
        """The parts of the map that the box of a mask covers, cut at the right edge, and which of its pixels they are.

        Every pixel of the map is the middle one of its step x step pixels of the panorama.
        """
        step, half, width = self._step, self._step // 2, self._size[1]
        for shift in (0, width):
            col = mask.col - shift
            first_row, first_col = _first(mask.row, step), _first(max(col, 0), step)
            end_row, end_col = _first(mask.row + mask.rows, step), _first(min(col + mask.cols, width), step)
            if first_row < end_row and first_col < end_col:
                from_row, from_col = first_row * step + half - mask.row, first_col * step + half - col
                where = slice(from_row, None, step), slice(from_col, None, step)
                yield Part(first_row, first_col, end_row - first_row, end_col - first_col), where


def painted(slots: NDArray[np.uint16], palette: NDArray[np.uint8], reach: int) -> NDArray[np.uint8]:
    """The picture of masks that a view has looked up for each of its pixels.

    Args:
        slots: (h, w) indices from a `MaskMap`.
        palette: Of that map.
        reach: How many pixels wide the borders are.

    Returns:
        (h, w, 4) uint8 premultiplied RGBA.
    """
    border = np.zeros(slots.shape, np.bool_)
    down = slots[reach:] != slots[:-reach]
    across = slots[:, reach:] != slots[:, :-reach]
    border[reach:] |= down
    border[:-reach] |= down
    border[:, reach:] |= across
    border[:, :-reach] |= across
    colors = np.ascontiguousarray(palette).view(np.uint32).reshape(-1)
    picture = colors[slots.astype(np.intp) * 2 + border]
    return picture.view(np.uint8).reshape(*slots.shape, 4)


def _first(pixel: int, step: int) -> int:
    """The first row or column of the map whose middle is not before that of the panorama."""
    return -((step // 2 - pixel) // step)
