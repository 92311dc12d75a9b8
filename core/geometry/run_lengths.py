"""Masks as lengths of runs, alternating outside and inside, beginning outside: as COCO and CVAT store them.

COCO goes down the columns, CVAT along the rows. COCO's text packs the lengths of a mask into printable characters.
Source: the `mask` interface of the COCO API, https://github.com/cocodataset/cocoapi, common/maskApi.c.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.geometry.compiled import compiled, frozen
from core.geometry.regions import Bits, runs_by_row

Lengths = NDArray[np.int64]

_FIRST = 48
"""The character for 0; of the 6 bits of each, the highest says that more follow."""
_MAX_TEXT_DIGITS = 8
"""Of one length: 5 bits each, and no picture has 2^40 pixels."""


def column_lengths(height: int, width: int, row: int, col: int, box: Bits) -> Lengths:
    """Lengths of the runs of a mask down its columns.

    Args:
        height: Rows of the picture.
        width: Its columns.
        row: First row of the part of the picture that holds the mask.
        col: Its first column.
        box: (rows, cols) bool, that part; it lies within the picture.

    Returns:
        (n,) int64 that sum to height * width; n is odd unless the last pixel is inside.
    """
    return _lengths(width, height, col, row, box.T)


def row_lengths(box: Bits) -> Lengths:
    """Lengths of the runs of a mask along its rows, (n,) int64 that sum to its size."""
    return _lengths(box.shape[0], box.shape[1], 0, 0, box)


def column_mask(height: int, width: int, lengths: ArrayLike) -> tuple[int, Bits]:
    """The mask of lengths down the columns.

    Args:
        height: Rows of the picture.
        width: Its columns.
        lengths: Not negative; they sum to height * width.

    Returns:
        The first column that is not empty, and (height, cols) bool from there to the last one; no more is held in
        memory.

    Raises:
        ValueError: The lengths do not fit the picture.
    """
    counts = np.asarray(lengths, np.int64)
    if counts.ndim != 1 or np.any(counts < 0) or np.any(counts > height * width) or counts.sum() != height * width:
        raise ValueError(f"run lengths must sum to {height} x {width}, got a sum of {counts.sum()}")
    ends = np.cumsum(counts)
    starts, stops = ends[:-1:2], ends[1::2]
    filled = stops > starts[: len(stops)]
    starts, stops = starts[: len(stops)][filled], stops[filled]
    if not len(starts):
        return 0, np.zeros((height, 0), np.bool_)
    first, last = int(starts[0]) // height, int(stops[-1] - 1) // height
    columns = np.zeros((last + 1 - first) * height, np.bool_)
    _fill(columns, frozen(starts - first * height), frozen(stops - first * height))
    return first, columns.reshape(last + 1 - first, height).T


def text_from_lengths(lengths: Lengths) -> str:
    """COCO's text of run lengths: each from the fourth on as the difference to the last but one before it."""
    values = np.asarray(lengths, np.int64).copy()
    values[3:] -= np.asarray(lengths, np.int64)[1:-2]
    return _pack(frozen(values)).tobytes().decode("ascii")


def lengths_from_text(text: str) -> Lengths:
    """The reverse of `text_from_lengths`.

    Raises:
        ValueError: It is no such text.
    """
    if not text.isascii():
        raise ValueError("damaged run lengths")
    values, count = _unpack(frozen(np.frombuffer(text.encode("ascii"), np.uint8)))
    if count < 0:
        raise ValueError("damaged run lengths")
    return values[:count]


def _lengths(height: int, width: int, row: int, col: int, box: Bits) -> Lengths:
    """Along the rows of a picture."""
    if box.size == 0 or not box.any():
        return np.array([height * width], np.int64)
    first, start, stop = runs_by_row(np.ascontiguousarray(box))
    begins = (np.repeat(np.arange(box.shape[0]), np.diff(first)) + row) * width + col
    starts, stops = begins + start, begins + stop
    # A run that ends at the right edge goes on in the next row.
    apart = np.concatenate([[True], starts[1:] > stops[:-1]])
    borders = np.stack([starts[apart], np.append(stops[:-1][apart[1:]], stops[-1])], axis=-1).ravel()
    lengths = np.diff(borders, prepend=0, append=height * width)
    return lengths[:-1] if lengths[-1] == 0 else lengths


@compiled
def _fill(pixels: Bits, starts: Lengths, stops: Lengths) -> None:
    for k in range(starts.size):
        pixels[starts[k] : stops[k]] = True


@compiled
def _pack(values: Lengths) -> NDArray[np.uint8]:
    text = np.empty(values.size * 13, np.uint8)
    n = 0
    for k in range(values.size):
        rest = values[k]
        more = True
        while more:
            digit = rest & 31
            rest >>= 5
            more = rest != (-1 if digit & 16 else 0)
            text[n] = _FIRST + (digit | 32 if more else digit)
            n += 1
    return text[:n]


@compiled
def _unpack(text: NDArray[np.uint8]) -> tuple[Lengths, int]:
    """Lengths and how many there are; -1 when the text is damaged."""
    lengths = np.empty(text.size, np.int64)
    count, n = 0, 0
    while n < text.size:
        value, digits, more = np.int64(0), 0, True
        while more:
            if n == text.size or digits == _MAX_TEXT_DIGITS or not _FIRST <= text[n] < _FIRST + 64:
                return lengths, -1
            digit = np.int64(text[n]) - _FIRST
            value |= (digit & 31) << (5 * digits)
            more = (digit & 32) != 0
            n += 1
            digits += 1
            if not more and digit & 16:
                value |= np.int64(-1) << (5 * digits)
        lengths[count] = value + (lengths[count - 2] if count > 2 else 0)
        count += 1
    return lengths, count
