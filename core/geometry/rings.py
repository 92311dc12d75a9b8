"""Borders of masks as closed rings through the corners of pixels, and masks from rings.

A ring runs along meridians and parallels with the inside on its left, as seen in the picture and on a map. Which parts
belong together follows `core.geometry.regions`: pixels inside that touch by a corner, or at a pole, have one ring
around them, so that a part inside and a part outside that border on each other share exactly one ring.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.compiled import compiled, frozen
from core.geometry.regions import Bits, Indices, Runs, paint_runs, runs_inside, runs_outside
from core.geometry.sphere import angle_between, erp_to_directions, solid_angle

Corners = NDArray[np.int32]
Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ring:
    """A closed line of pixel borders with the inside on its left.

    Attributes:
        corners: (n, 2) int32 pixel corners (u, v) where it turns. On the sphere u begins within the picture and runs on
            beyond it where the ring crosses the seam; at a pole the ring goes along the picture's border.
        turns: How often it goes around eastwards, -1, 0 or 1: it closes at u + turns * width.
        is_hole: Whether it surrounds a hole of its part; every part has one ring that does not.
        part: Number of the connected part that it belongs to, from 0.
    """

    corners: Corners
    turns: int
    is_hole: bool
    part: int


def trace(height: int, width: int, row: int, col: int, box: Bits) -> list[Ring]:
    """All rings of a mask on the sphere; none when nothing or everything is inside.

    On a sphere, the largest part of what is outside counts as the surroundings; seen from there, a ring goes around a
    part or around one of its holes.

    Args:
        height: Rows of the grid.
        width: Columns of the grid.
        row: First row of the box.
        col: First column of the box; columns wrap.
        box: (rows, cols) bool, outside of which nothing is inside.
    """
    rows, cols = box.shape
    if not box.any() or ((rows, cols) == (height, width) and box.all()):
        return []
    # A margin parts what would touch around the box; where there is no room for one, the box goes around or to a pole.
    above, below = min(row, 1), min(height - row - rows, 1)
    beside = int(cols + 2 <= width)
    margin = (beside, beside) if beside or cols == width else (0, width - cols)
    window = np.pad(box, ((above, below), margin))
    rings = _trace(frozen(window), above == 0, below == 0, True, width - window.shape[1])
    inside, outside = runs_inside(window), runs_outside(window)
    surroundings = _largest_part(height, width, row - above, outside)
    return _sorted_rings(rings, (row - above, col - margin[0], width), inside, outside, surroundings)


def trace_flat(box: Bits) -> list[Ring]:
    """All rings of a mask in a plain picture, where nothing wraps: polygons as other programs draw them.

    Here parts that touch only by a corner are two, which leaves fewer holes.

    Args:
        box: (rows, cols) bool; the corners count from its top left.
    """
    if not box.any():
        return []
    window = np.pad(box, 1)
    rings = _trace(frozen(window), False, False, False, 0)
    # The roles of inside and outside are exchanged, because here it is the outside that joins by corners.
    inside, outside = runs_outside(~window), runs_inside(~window)
    return _sorted_rings(rings, (-1, -1, 1 << 30), inside, outside, int(outside.at(0, 0)))


def fill(height: int, width: int, rings: list[Ring], *, otherwise: bool = False) -> Bits:
    """The mask that `trace` has made rings of, exactly.

    Args:
        height: Rows of the grid.
        width: Columns of the grid.
        rings: All of them.
        otherwise: What is everywhere when there is no ring.
    """
    if not rings:
        return np.full((height, width), otherwise)
    starts = np.concatenate([ring.corners for ring in rings])
    ends = np.concatenate([_closed(ring, width)[1:] for ring in rings])
    across = (starts[:, 1] == ends[:, 1]) & (starts[:, 1] > 0) & (starts[:, 1] < height)
    first, last = np.minimum(starts, ends)[across], np.maximum(starts, ends)[across]
    left = first[:, 0] % width
    right = left + last[:, 0] - first[:, 0]
    beyond = right > width
    borders = np.zeros((height, width), np.bool_)
    paint_runs(
        borders,
        frozen(np.concatenate([first[:, 1], first[beyond, 1]])),
        frozen(np.concatenate([left, np.zeros_like(left[beyond])])),
        frozen(np.concatenate([np.minimum(right, width), right[beyond] - width])),
        frozen(np.ones(len(left) + int(beyond.sum()), np.bool_)),
    )
    borders[0] = _first_row(width, starts, ends, across)
    for row in range(1, height):
        borders[row] ^= borders[row - 1]
    return borders


def ring_directions(ring: Ring, height: int, width: int, tolerance: float) -> Float:
    """(n, 3) corners of a ring on the sphere, close enough to join them by great circles.

    Args:
        ring: From `trace`.
        height: Rows of its grid.
        width: Columns of its grid.
        tolerance: How far, in radians, a great circle may leave the parallel between its ends.
    """
    closed = _closed(ring, width).astype(np.float64)
    start, step = closed[:-1], np.diff(closed, axis=0)
    lat = (0.5 - start[:, 1] / height) * np.pi
    # A great circle leaves a parallel by the square of their length in longitude times |sin 2 lat| / 16.
    longest = np.minimum(np.sqrt(16 * tolerance / np.maximum(np.abs(np.sin(2 * lat)), 1e-12)), 1.0)
    pieces = np.maximum(1, np.ceil(np.abs(step[:, 0]) * (2 * np.pi / width) / longest)).astype(np.int64)
    side = np.repeat(np.arange(len(start)), pieces)
    share = (np.arange(len(side)) - np.repeat(np.cumsum(pieces) - pieces, pieces)) / pieces[side]
    u, v = (start[side] + share[:, None] * step[side]).T
    directions = erp_to_directions(u, v, height, width)
    # Along the border of the picture the ring stands still in the pole.
    moved = angle_between(directions, np.roll(directions, 1, axis=0)) > 1e-9
    return directions[moved]


def simplified(directions: Float, tolerance: float) -> Float:
    """Fewer corners of a closed line along great circles, none of the old ones farther than `tolerance` from the new.

    Source: D. Douglas and T. Peucker, Algorithms for the reduction of the number of points, 1973, with angles to arcs
    in the place of distances to straight lines.

    Args:
        directions: (n, 3) unit vectors, closed.
        tolerance: Radians.

    Returns:
        (m, 3); fewer than three when the line is nowhere wider than the tolerance.
    """
    if len(directions) < 3:
        return directions
    far = int(np.argmin(directions @ directions[0]))
    closed = np.append(directions, directions[:1], axis=0)
    fewer: Float = directions[_kept(frozen(closed), far, tolerance)]
    return fewer


@compiled
def _kept(closed: Float, far: int, tolerance: float) -> Bits:
    """Which of a closed line's corners remain; the last one is the first one again, and `far` lies away from it."""
    count = len(closed) - 1
    kept = np.zeros(count, np.bool_)
    kept[0] = kept[far] = True
    waiting = np.empty((count + 2, 2), np.int64)
    waiting[0, 0], waiting[0, 1] = 0, far
    waiting[1, 0], waiting[1, 1] = far, count
    left = 2
    while left > 0:
        left -= 1
        first, last = waiting[left]
        a0, a1, a2 = closed[first]
        b0, b1, b2 = closed[last]
        n0, n1, n2 = a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0
        size = np.sqrt(n0 * n0 + n1 * n1 + n2 * n2)
        worst, farthest = tolerance, -1
        for k in range(first + 1, last):
            x, y, z = closed[k]
            off = np.inf
            if size > 1e-12:
                # Near the arc where it lies between the planes through its ends, across the arc.
                after = (n1 * a2 - n2 * a1) * x + (n2 * a0 - n0 * a2) * y + (n0 * a1 - n1 * a0) * z
                before = (b1 * n2 - b2 * n1) * x + (b2 * n0 - b0 * n2) * y + (b0 * n1 - b1 * n0) * z
                if after > 0 and before > 0:
                    off = np.arcsin(min(abs(n0 * x + n1 * y + n2 * z) / size, 1.0))
            if off == np.inf:
                to_a = (x - a0) ** 2 + (y - a1) ** 2 + (z - a2) ** 2
                to_b = (x - b0) ** 2 + (y - b1) ** 2 + (z - b2) ** 2
                off = 2 * np.arcsin(min(np.sqrt(min(to_a, to_b)) / 2, 1.0))
            if off > worst:
                worst, farthest = off, k
        if farthest >= 0:
            kept[farthest] = True
            waiting[left, 0], waiting[left, 1] = first, farthest
            waiting[left + 1, 0], waiting[left + 1, 1] = farthest, last
            left += 2
    return kept


def _closed(ring: Ring, width: int) -> Corners:
    """(n + 1, 2) corners, of which the last is the first, after a turn where the ring goes around."""
    last = ring.corners[0] + np.array([ring.turns * width, 0], np.int32)
    return np.append(ring.corners, last[None], axis=0)


def _first_row(width: int, starts: Corners, ends: Corners, across: Bits) -> Bits:
    """Row 0 from the borders within it; without any, it is of one value, which the uppermost border tells."""
    down = (np.minimum(starts, ends)[:, 1] == 0) & (starts[:, 1] != ends[:, 1])
    if not down.any():
        uppermost = np.flatnonzero(across)[np.argmin(starts[across, 1])]
        return np.full(width, ends[uppermost, 0] > starts[uppermost, 0])
    change = np.zeros(width, np.int64)
    np.add.at(change, starts[down, 0] % width, np.where(ends[down, 1] > starts[down, 1], 1, -1))
    inside = np.cumsum(change)
    first: Bits = inside > min(int(inside.min()), 0)
    return first


def _largest_part(height: int, width: int, row: int, outside: Runs) -> int:
    """The part outside, of a window that begins in `row`, that covers the most of the sphere; -1 when there is none."""
    if not outside.count:
        return -1
    areas = solid_angle(height, width)[:, 0]
    lines = slice(row, row + outside.height)
    parts = np.bincount(outside.part, (outside.stop - outside.start) * areas[lines][outside.row], outside.count)
    # What lies beyond the window belongs to its margins.
    beside = areas[lines].sum() * (width - outside.width)
    if row > 0 or beside > 0:
        parts[outside.at(0, 0)] += areas[:row].sum() * width + beside
    if lines.stop < height:
        parts[outside.at(outside.height - 1, 0)] += areas[lines.stop :].sum() * width
    return int(np.argmax(parts))


def _sorted_rings(
    traced: tuple[Corners, Indices, Indices, Indices],
    place: tuple[int, int, int],
    inside: Runs,
    outside: Runs,
    surroundings: int,
) -> list[Ring]:
    """Rings with their parts, by the tree in which parts inside and outside border on each other."""
    points, first, turns, sides = traced
    row, col, width = place
    within_each, without_each = inside.at(sides[:, 0], sides[:, 1]), outside.at(sides[:, 2], sides[:, 3])
    borders = list(zip(within_each.tolist(), without_each.tolist(), strict=True))
    of_inside: list[list[int]] = [[] for _ in range(inside.count)]
    of_outside: list[list[int]] = [[] for _ in range(outside.count)]
    for n, (within, without) in enumerate(borders):
        of_inside[within].append(n)
        of_outside[without].append(n)
    is_hole = np.zeros(len(borders), np.bool_)
    reached = np.zeros(len(borders), np.bool_)
    waiting = [surroundings]
    while waiting:
        for n in of_outside[waiting.pop()]:
            if reached[n]:
                continue
            reached[n] = True
            for hole in of_inside[borders[n][0]]:
                if not reached[hole]:
                    reached[hole] = is_hole[hole] = True
                    waiting.append(borders[hole][1])
    rings = []
    for n, (within, _) in enumerate(borders):
        corners = points[first[n] : first[n + 1]] + np.array([col, row], np.int32)
        corners[:, 0] -= corners[0, 0] // width * width
        rings.append(Ring(corners, int(turns[n]), bool(is_hole[n]), within))
    return sorted(rings, key=lambda ring: (ring.part, ring.is_hole))


@compiled
def _trace(
    bits: Bits, north: bool, south: bool, joined: bool, skipped: int
) -> tuple[Corners, Indices, Indices, Indices]:
    """Follow every border between inside and outside once.

    Args:
        bits: (rows, cols), whose columns go around.
        north: Whether the first row lies at the pole; otherwise it is empty.
        south: Whether the last row does.
        joined: Whether the inside joins where it touches by a corner; otherwise the outside does.
        skipped: Columns between the last and the first, all empty.

    Returns:
        (n, 2) corners of all rings; (rings + 1,) where each begins; (rings,) turns; (rings, 4) row and column of a
        pixel inside and of one outside.
    """
    rows, cols = bits.shape
    width = cols + skipped
    points = np.empty((1024, 2), np.int32)
    first = np.zeros(64, np.int64)
    turns = np.zeros(64, np.int64)
    sides = np.zeros((64, 4), np.int64)
    count = rings = 0
    # East, south, west, north are 0 to 3, so that one more is a right turn. Bits of `done` are borders left behind.
    done = np.zeros((rows + 1, cols), np.uint8)
    for v0 in range(rows + 1):
        for u0 in range(cols):
            if 0 < v0 < rows:
                corner, beside = bits[v0, u0], u0 - 1 if u0 > 0 else cols - 1
                if corner == bits[v0, beside] and corner == bits[v0 - 1, u0] and corner == bits[v0 - 1, beside]:
                    continue
            for d0 in range(4):
                v, u, d, at = v0, u0, d0, u0
                began = False
                while True:
                    left = u - 1 if u > 0 else cols - 1
                    has_above, has_below = v > 0, v < rows
                    nw, ne = has_above and bits[v - 1, left], has_above and bits[v - 1, u]
                    sw, se = has_below and bits[v, left], has_below and bits[v, u]
                    if not has_above:
                        nw, ne = sw, se
                    if not has_below:
                        sw, se = nw, ne
                    leaves_east, leaves_west = ne and not se, sw and not nw
                    leaves_south = has_below and se and not sw
                    leaves_north = has_above and nw and not ne
                    if not began:
                        leaves = (leaves_east, leaves_south, leaves_west, leaves_north)[d]
                        if not leaves or done[v, u] >> d & 1:
                            break
                        began = True
                        if rings + 2 > first.size:
                            first = np.append(first, np.zeros(first.size, np.int64))
                            turns = np.append(turns, np.zeros(turns.size, np.int64))
                            sides = np.concatenate((sides, np.zeros_like(sides)))
                        # The pixels to the left and to the right of the first border.
                        south_east, south_west = (v, u), (v, left)
                        north_east, north_west = (v - 1, u), (v - 1, left)
                        within = (north_east, south_east, south_west, north_west)[d]
                        without = (south_east, south_west, north_west, north_east)[d]
                        sides[rings, 0], sides[rings, 1] = within
                        sides[rings, 2], sides[rings, 3] = without
                        turn = True
                    else:
                        before = d
                        if v == 0 and north:
                            # The next part inside, eastwards around the pole, beyond what is outside.
                            d, step = 1, 1
                            while not bits[0, (u + step) % cols] or bits[0, (u + step - 1) % cols]:
                                step += 1
                        elif v == rows and south:
                            d, step = 3, -1
                            while bits[rows - 1, (u + step) % cols] or not bits[rows - 1, (u + step - 1) % cols]:
                                step -= 1
                        else:
                            step = 0
                            turned = (d + 1) % 4 if joined else (d + 3) % 4
                            leaves = (leaves_east, leaves_south, leaves_west, leaves_north)
                            if leaves[turned]:
                                d = turned
                            elif not leaves[d]:
                                d = (turned + 2) % 4
                        if step != 0:
                            if count + 2 > len(points):
                                points = np.concatenate((points, np.empty_like(points)))
                            points[count, 0], points[count, 1] = at, v
                            count += 1
                            # Beyond the last column come the skipped ones.
                            at += step + (u + step) // cols * skipped
                            u = (u + step) % cols
                        if v == v0 and u == u0 and d == d0:
                            break
                        turn = d != before
                    if turn:
                        if count + 2 > len(points):
                            points = np.concatenate((points, np.empty_like(points)))
                        points[count, 0], points[count, 1] = at, v
                        count += 1
                    done[v, u] |= 1 << d
                    if d == 0:
                        u, at = (u + 1) % cols, at + 1
                    elif d == 2:
                        u, at = (u + cols - 1) % cols, at - 1
                    else:
                        v += 2 - d
                if began:
                    turns[rings] = (at - u0) // width
                    rings += 1
                    first[rings] = count
    return points[:count], first[: rings + 1], turns[:rings], sides[:rings]
