"""Sets of cameras that look everywhere."""

from __future__ import annotations

import math

from core.geometry.camera import Camera

QUARTER = math.pi / 2
ICOSAHEDRON_FOV = 2 * math.acos(math.sqrt((5 + 2 * math.sqrt(5)) / 15))
"""Field of view with which square pictures around the 12 vertices just cover the sphere: twice the 37.4 degrees from a
vertex to the middle of a face."""


def cube_tiles(size: int, fov_x: float = QUARTER) -> tuple[Camera, ...]:
    """The 6 faces of a cube, `size` pixels square: front, right, back, left, up, down.

    Args:
        size: Pixels along each side.
        fov_x: Radians; at a quarter turn the faces meet, beyond it they overlap.

    Raises:
        ValueError: The field of view leaves gaps.
    """
    if fov_x < QUARTER - 1e-12:
        raise ValueError(f"6 tiles cover the sphere from fov_x = {QUARTER:.4f} rad on, got {fov_x}")
    around = [(yaw * QUARTER, 0.0) for yaw in (0, 1, 2, -1)]
    return tuple(_square(yaw, pitch, fov_x, size) for yaw, pitch in (*around, (0.0, QUARTER), (0.0, -QUARTER)))


def icosahedron_tiles(size: int, fov_x: float = QUARTER) -> tuple[Camera, ...]:
    """12 upright cameras, `size` pixels square, at the vertices of an icosahedron: up, a ring of 5, a ring of 5, down.

    Args:
        size: Pixels along each side.
        fov_x: Radians; at least `ICOSAHEDRON_FOV` (74.8 degrees), so that nothing is left out.

    Raises:
        ValueError: The field of view leaves gaps.
    """
    if fov_x < ICOSAHEDRON_FOV - 1e-12:
        raise ValueError(f"12 tiles cover the sphere from fov_x = {ICOSAHEDRON_FOV:.4f} rad on, got {fov_x}")
    ring = math.atan(0.5)
    fifth = 2 * math.pi / 5
    upper = [(k * fifth, ring) for k in range(5)]
    lower = [((k + 0.5) * fifth, -ring) for k in range(5)]
    vertices = [(0.0, QUARTER), *upper, *lower, (0.0, -QUARTER)]
    return tuple(_square(yaw, pitch, fov_x, size) for yaw, pitch in vertices)


def ring_tiles(size: int, fov_x: float, *, overlap: float = 0.25) -> tuple[Camera, ...]:
    """Upright cameras in rings of equal pitch, from the upper pole to the lower one; as many as it takes.

    Args:
        size: Pixels along each side.
        fov_x: Radians, less than two thirds of a turn.
        overlap: Share of a tile that it has in common with its neighbours, about.

    Raises:
        ValueError: Tiles that wide, or that overlap so much, cannot be placed.
    """
    if not 0 < fov_x < 2 * math.pi / 3 or not 0 < overlap < 1:
        raise ValueError(f"expected fov_x in (0, 2.09) rad and an overlap in (0, 1), got {fov_x} and {overlap}")
    step = fov_x * (1 - overlap)
    rings = math.ceil(math.pi / step) + 1
    cameras: list[Camera] = []
    for ring in range(rings):
        pitch = QUARTER - math.pi * ring / (rings - 1)
        count = _around(pitch, math.pi / (rings - 1) / 2, (math.tan(step / 2), math.tan(fov_x / 2)))
        # Every other ring begins half a tile later, so that corners do not meet corners.
        first = math.pi / count * (ring % 2)
        cameras += [
            _square(math.remainder(first + 2 * math.pi * n / count, 2 * math.pi), pitch, fov_x, size)
            for n in range(count)
        ]
    return tuple(cameras)


def _around(pitch: float, reach: float, limits: tuple[float, float]) -> int:
    """How many cameras of one pitch see every direction whose latitude is within `reach` of it.

    `limits` are how far each may look to its sides and to its ends, at a distance of 1.
    """
    if abs(pitch) > QUARTER - 1e-9:
        return 1
    for count in range(2, 1000):
        half = math.pi / count
        corners = []
        for lat in (pitch - reach, pitch + reach, min(max(0.0, pitch - reach), pitch + reach)):
            across = math.cos(lat) * math.cos(half)
            ahead = across * math.cos(pitch) + math.sin(lat) * math.sin(pitch)
            up = math.sin(lat) * math.cos(pitch) - across * math.sin(pitch)
            aside = math.cos(lat) * math.sin(half)
            corners.append(ahead > 0 and aside <= limits[0] * ahead and abs(up) <= limits[1] * ahead)
        if all(corners):
            return count
    raise ValueError(f"no number of tiles closes a ring at pitch {pitch}")


def zigzag_tiles(
    size: int,
    *,
    fov_x: float = QUARTER,
    yaw_step: float = QUARTER / 2,
    pitches: tuple[float, ...] = (QUARTER / 2, 0.0, -QUARTER / 2),
) -> tuple[Camera, ...]:
    """Upright cameras in an order in which each is a neighbour of the next, and the last of the first.

    Columns of one yaw after the other, in turn downwards and upwards: the order in which a segmenter with memory can
    follow an object around the sphere.

    Args:
        size: Pixels along each side.
        fov_x: Radians.
        yaw_step: Radians between columns; an even number of them makes the full turn, so that the order closes.
        pitches: Radians, from the first to the last row of the first column.

    Raises:
        ValueError: An odd number of columns, or steps that do not make a full turn; no pitches.
    """
    columns = round(2 * math.pi / yaw_step) if yaw_step > 0 else 0
    if columns < 2 or columns % 2 or abs(columns * yaw_step - 2 * math.pi) > 1e-9:
        raise ValueError(f"yaw_step must divide the full turn into an even number of columns, got {yaw_step} rad")
    if not pitches:
        raise ValueError("expected at least one pitch")
    return tuple(
        _square(math.remainder(column * yaw_step, 2 * math.pi), pitch, fov_x, size)
        for column in range(columns)
        for pitch in (pitches if column % 2 == 0 else reversed(pitches))
    )


def _square(yaw: float, pitch: float, fov_x: float, size: int) -> Camera:
    return Camera(yaw=yaw, pitch=pitch, roll=0.0, fov_x=fov_x, height=size, width=size)
