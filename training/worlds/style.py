"""What a kind of interior is told by."""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True)
class Style:
    """One kind of interior.

    Attributes:
        weight: How often, relative to the others.
        width, depth: Ranges of the main room's sides in metres.
        walls, floors, ceilings: Kinds of `palette.wall`, `palette.floor` and of ceilings, repeated for more weight.
        furniture: Names of `furniture.PIECES` in the order in which they look for a place, with their most.
        filling: Share of the furniture that is there: 0 empty, 1 all of it.
        windows: Range of the number of windows.
        lamps: Kinds of `lamps.KINDS`.
        tall: Range of (ceiling above the camera) / (camera height).
        daylight: Probability of day with windows that shine.
        key: Range of the exposure.
        doors: Range of the number of doors.
        rows: A piece that fills the room in rows with aisles between them; empty for none.
        glazed: Probability that an opening to a neighbouring room is a glass wall.
        curtains: Probability that windows have curtains.
    """

    weight: float
    width: Range
    depth: Range
    walls: tuple[str, ...]
    floors: tuple[str, ...]
    ceilings: tuple[str, ...]
    furniture: tuple[tuple[str, int], ...]
    filling: Range
    windows: tuple[int, int]
    lamps: tuple[str, ...]
    tall: Range = (0.5, 2.0)
    daylight: float = 0.75
    key: Range = (0.7, 1.4)
    doors: tuple[int, int] = (1, 3)
    rows: str = ""
    glazed: float = 0.05
    curtains: float = 0.3
