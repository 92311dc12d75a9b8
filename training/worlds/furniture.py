"""The pieces of furniture: their sizes, where they stand, and who builds them.

A piece is built about the middle of its footprint, its front towards local z, its back at ``-depth / 2``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from training.worlds.bookshelves import book_stack, double_stack, low_shelf, server_rack
from training.worlds.builder import SceneBuilder
from training.worlds.furniture_decor import (
    armful_of_boxes,
    curtain,
    piano,
    plant,
    rug,
    sink,
    softbox,
    standing_lamp,
    toilet,
    tripod,
)
from training.worlds.furniture_seats import armchair, bed, bench, chair, office_chair, pew, sofa, stool
from training.worlds.furniture_storage import (
    bookcase,
    cabinet,
    counter,
    fridge,
    metal_rack,
    partition,
    tv_board,
    wardrobe,
)
from training.worlds.furniture_tables import coffee_table, desk, dining_set, round_table, table, workbench
from training.worlds.palette import Palette
from training.worlds.people import person
from training.worlds.room_parts import backdrop, board, fireplace, low_wall, platform, railing, stairs

Rng = np.random.Generator
Size = tuple[float, float, float]
Build = Callable[[SceneBuilder, Rng, Size, Palette], None]


@dataclass(frozen=True)
class Piece:
    """A kind of furniture.

    Attributes:
        low, high: Ranges of (width, height, depth) in metres.
        build: Builds one of a size.
        at_wall: Whether it stands with its back to a wall.
    """

    low: Size
    high: Size
    build: Build
    at_wall: bool = True

    def size(self, rng: Rng) -> Size:
        """A random size."""
        width, height, depth = rng.uniform(self.low, self.high)
        return float(width), float(height), float(depth)


def _someone(builder: SceneBuilder, rng: Rng, _: Size, __: Palette) -> None:
    person(np.random.default_rng(rng.integers(1 << 30)), builder)


PIECES: dict[str, Piece] = {
    "table": Piece((1.0, 0.7, 0.7), (2.2, 0.8, 1.1), table, at_wall=False),
    "dining": Piece((1.7, 0.72, 1.9), (2.8, 0.78, 2.3), dining_set, at_wall=False),
    "round table": Piece((0.7, 0.5, 0.7), (1.5, 0.8, 1.5), round_table, at_wall=False),
    "coffee table": Piece((0.6, 0.3, 0.4), (1.3, 0.5, 0.8), coffee_table, at_wall=False),
    "desk": Piece((1.0, 0.7, 1.1), (1.8, 0.78, 1.4), desk),
    "workbench": Piece((1.4, 0.8, 0.6), (2.8, 1.0, 0.9), workbench),
    "chair": Piece((0.42, 0.8, 0.45), (0.52, 1.05, 0.55), chair, at_wall=False),
    "office chair": Piece((0.6, 0.9, 0.6), (0.68, 1.15, 0.68), office_chair, at_wall=False),
    "stool": Piece((0.32, 0.42, 0.32), (0.42, 0.8, 0.42), stool, at_wall=False),
    "bench": Piece((1.0, 0.4, 0.35), (2.6, 0.5, 0.7), bench, at_wall=False),
    "pew": Piece((1.8, 0.85, 0.6), (4.0, 1.0, 0.7), pew, at_wall=False),
    "armchair": Piece((0.7, 0.75, 0.7), (1.0, 1.05, 0.95), armchair),
    "sofa": Piece((1.5, 0.7, 0.8), (2.8, 0.95, 1.05), sofa),
    "bed": Piece((0.9, 0.7, 1.95), (1.9, 1.3, 2.2), bed),
    "wardrobe": Piece((0.8, 1.8, 0.5), (2.6, 2.3, 0.65), wardrobe),
    "cabinet": Piece((0.5, 0.6, 0.35), (1.8, 1.3, 0.55), cabinet),
    "bookcase": Piece((0.6, 1.0, 0.25), (2.4, 2.3, 0.4), bookcase),
    "stack": Piece((0.9, 1.7, 0.28), (1.2, 2.5, 0.4), book_stack),
    "double stack": Piece((1.8, 1.3, 0.5), (2.7, 2.3, 0.8), double_stack, at_wall=False),
    "low shelf": Piece((0.9, 0.6, 0.28), (2.2, 1.2, 0.4), low_shelf),
    "server rack": Piece((0.6, 1.8, 0.8), (0.8, 2.2, 1.1), server_rack, at_wall=False),
    "curtain": Piece((1.2, 2.1, 0.2), (4.5, 3.4, 0.3), curtain),
    "rack": Piece((0.9, 1.6, 0.4), (2.4, 2.6, 0.6), metal_rack),
    "counter": Piece((1.6, 0.85, 0.6), (4.0, 0.95, 0.65), counter),
    "fridge": Piece((0.6, 1.5, 0.6), (0.9, 2.0, 0.7), fridge),
    "tv": Piece((1.2, 0.35, 0.35), (2.2, 0.6, 0.5), tv_board),
    "partition": Piece((1.2, 1.3, 0.06), (2.4, 2.0, 0.12), partition, at_wall=False),
    "lamp": Piece((0.35, 1.3, 0.35), (0.5, 1.9, 0.5), standing_lamp),
    "plant": Piece((0.4, 0.5, 0.4), (0.9, 2.0, 0.9), plant),
    "person": Piece((0.5, 1.5, 0.4), (0.6, 1.92, 0.5), _someone, at_wall=False),
    "boxes": Piece((0.5, 0.4, 0.4), (1.3, 1.5, 0.9), armful_of_boxes),
    "piano": Piece((1.3, 1.0, 0.6), (1.5, 1.3, 0.7), piano),
    "rug": Piece((1.2, 0.01, 1.0), (3.2, 0.02, 2.4), rug, at_wall=False),
    "sink": Piece((0.5, 0.8, 0.4), (0.8, 0.9, 0.5), sink),
    "toilet": Piece((0.38, 0.75, 0.62), (0.42, 0.85, 0.72), toilet),
    "softbox": Piece((0.7, 1.7, 0.7), (1.3, 2.5, 0.9), softbox, at_wall=False),
    "stairs": Piece((2.0, 1.6, 0.8), (4.8, 3.4, 1.6), stairs),
    "platform": Piece((2.0, 0.2, 1.6), (6.0, 0.7, 3.0), platform),
    "low wall": Piece((1.0, 0.8, 0.12), (2.8, 1.4, 0.3), low_wall, at_wall=False),
    "railing": Piece((1.5, 0.9, 0.06), (4.0, 1.1, 0.08), railing, at_wall=False),
    "fireplace": Piece((1.2, 1.9, 0.35), (1.9, 2.2, 0.55), fireplace),
    "backdrop": Piece((2.0, 1.9, 2.0), (3.6, 3.0, 3.8), backdrop),
    "board": Piece((1.6, 1.9, 0.1), (4.0, 2.2, 0.15), board),
    "tripod": Piece((0.6, 1.2, 0.6), (0.8, 1.7, 0.8), tripod, at_wall=False),
}

MOVABLE = ("sofa", "armchair", "lamp", "plant", "boxes", "cabinet", "desk", "workbench", "bookcase")
"""Pieces that usually stand at a wall but may also stand free."""
