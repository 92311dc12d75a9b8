"""The classes of public data sets, named as ADE20K names the same things.

Models answer with names of ADE20K; a class that ADE20K does not know keeps its own name.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.models.ade20k import ADE20K_NAMES

_SAME = {
    "window": "windowpane",
    "picture": "painting",
    "bookshelf": "bookcase",
    "shelves": "shelf",
    "shelving": "shelf",
    "blinds": "blind",
    "dresser": "chest of drawers",
    "chest of drawers": "chest of drawers",
    "floor mat": "rug",
    "clothes": "apparel",
    "books": "book",
    "television": "television receiver",
    "tv monitor": "television receiver",
    "lighting": "light",
    "seating": "seat",
    "whiteboard": "board",
}
"""What ADE20K calls a thing that a set calls otherwise. Our choice; no published table maps all of them."""


def ade20k_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names in the same order, those of ADE20K where it has one; no two become equal."""
    taken: list[str] = []
    for name in names:
        same = name if name in ADE20K_NAMES else _SAME.get(name, name)
        taken.append(name if same in taken or (same != name and same in names) else same)
    return tuple(taken)


STANFORD = ade20k_names(
    (
        *("ceiling", "floor", "wall", "beam", "column", "window", "door"),
        *("table", "chair", "sofa", "bookcase", "board", "clutter"),
    )
)
"""The 13 classes of 2D-3D-S. Source: I. Armeni et al., arXiv:1702.01105."""

STANFORD_BY_LETTER = tuple(sorted(STANFORD, key=lambda name: "window" if name == "windowpane" else name))
"""As copies with class numbers order them: 1 beam, 2 board, ... 13 window."""

NYU40 = ade20k_names(
    (
        *("wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf"),
        *("picture", "counter", "blinds", "desk", "shelves", "curtain", "dresser", "pillow", "mirror", "floor mat"),
        *("clothes", "ceiling", "books", "refrigerator", "television", "paper", "towel", "shower curtain", "box"),
        *("whiteboard", "person", "nightstand", "toilet", "sink", "lamp", "bathtub", "bag", "otherstructure"),
        *("otherfurniture", "otherprop"),
    )
)
"""The 40 classes of NYUv2, numbered from 1 in Structured3D. Source: its metadata/labelids.txt."""

MPCAT40 = ade20k_names(
    (
        *("wall", "floor", "chair", "door", "table", "picture", "cabinet", "cushion", "window", "sofa"),
        *("bed", "curtain", "chest of drawers", "plant", "sink", "stairs", "ceiling", "toilet", "stool", "towel"),
        *("mirror", "tv monitor", "shower", "column", "bathtub", "counter", "fireplace", "lighting", "beam", "railing"),
        *("shelving", "blinds", "gym equipment", "seating", "board panel", "furniture", "appliances", "clothes"),
        *("objects", "misc"),
    )
)
"""The 40 classes of Matterport3D, numbered from 1. Source: metadata/mpcat40.tsv of its repository."""
