"""Which views are taken of an object, around a click, a box or what was found, and what is asked in them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import Camera
from core.geometry.sphere import directions_to_lonlat
from core.scene import Box, Click
from core.segment.network import ViewPrompt
from core.segment.zigzag import box_centre, box_in_view, clicks_prompt, project_click

Logits = NDArray[np.float32]

FOVS_DEG = (10.0, 15.0, 22.0, 32.0, 47.0, 70.0, 100.0)
"""Of the views around the first click."""
BOX_ROOM = 1.4
"""Width of the view around a box, in widths of the box."""
OBJECT_ROOM = 1.4
"""Width of the second look, in widths of the object."""
NARROWEST_DEG, WIDEST_DEG = 5.0, 110.0
"""Of the views around a box and around an object."""
FILLED = (0.3, 0.97)
"""Share of a view's half width that an object may reach to before another view is better."""
RINGS, SPOKES = 40, 48
"""Of the directions around a click in which views are compared."""
EDGE = 0.02
"""Share of a view along each side where a click is not given: it is better placed in another one."""


def cameras_around_click(click: Click, size: int) -> tuple[Camera, ...]:
    """Views with a click in their middle, from narrow to wide."""
    return tuple(
        Camera(yaw=click.lon, pitch=click.lat, roll=0.0, fov_x=math.radians(fov), height=size, width=size)
        for fov in FOVS_DEG
    )


def camera_around_box(box: Box, size: int) -> Camera:
    """The view with a box in its middle, `BOX_ROOM` times as wide as the box."""
    lon, lat = box_centre(box)
    widest = Camera(yaw=lon, pitch=lat, roll=0.0, fov_x=math.radians(WIDEST_DEG), height=size, width=size)
    seen = box_in_view(widest, box)
    if seen is None:
        return widest
    half = max(abs(side - size / 2) for side in seen) / widest.focal_px
    return replace(widest, fov_x=_room_for(half, BOX_ROOM))


def camera_around(camera: Camera, inside: NDArray[np.bool_]) -> Camera:
    """The upright view with an object in its middle, `OBJECT_ROOM` times as wide as the object.

    Args:
        camera: That saw the object.
        inside: (h, h) bool of its picture, of any size, not empty.
    """
    size = len(inside)
    still = replace(camera, yaw=0.0, height=size, width=size)
    row, col = np.nonzero(inside)
    corners = still.directions(
        np.array([col.min(), col.max() + 1, col.min(), col.max() + 1]),
        np.array([row.min(), row.min(), row.max() + 1, row.max() + 1]),
    )
    lon, lat = (float(angle) for angle in directions_to_lonlat(corners.sum(axis=0)))
    around = Camera(yaw=lon, pitch=lat, roll=0.0, fov_x=1.0, height=camera.height, width=camera.width)
    half = _half_extent(around, still.directions(col + 0.5, row + 0.5))
    yaw = math.remainder(camera.yaw + lon, 2 * math.pi)
    return replace(around, yaw=yaw, fov_x=_room_for(half, OBJECT_ROOM))


def fits(camera: Camera, seen_by: Camera, inside: NDArray[np.bool_]) -> bool:
    """Whether an object, as another camera sees it, has the right size in the middle of a view; see `FILLED`."""
    if not inside.any():
        return True
    size = len(inside)
    row, col = np.nonzero(inside)
    turned = replace(seen_by, height=size, width=size)
    half = _half_extent(camera, turned.directions(col + 0.5, row + 0.5))
    return FILLED[0] <= half / math.tan(camera.fov_x / 2) <= FILLED[1]


def sees(camera: Camera, click: Click) -> bool:
    """Whether a click lies in a view, and not on its border."""
    u, v = project_click(camera, click.lon, click.lat)
    edge = EDGE * camera.width
    return edge <= u <= camera.width - edge and edge <= v <= camera.height - edge


def prompt_in(
    camera: Camera, clicks: Sequence[Click], box: Box | None = None, prior: Logits | None = None
) -> ViewPrompt:
    """What is to be said about the object in a view."""
    seen = [click for click in clicks if sees(camera, click)]
    return clicks_prompt(
        camera,
        [project_click(camera, click.lon, click.lat) for click in seen],
        [click.positive for click in seen],
        None if box is None else box_in_view(camera, box),
        prior,
    )


def picture(camera: Camera, size: int) -> Camera:
    """The same view with other pixels."""
    return replace(camera, height=size, width=size)


def shared_areas(cameras: Sequence[Camera], masks: Sequence[NDArray[np.bool_]]) -> NDArray[np.float64]:
    """How much each two of several masks around one click have in common.

    They are compared in directions that lie the denser the nearer they are to the click, so that narrow views have a
    voice, too. Beyond a view, nothing is inside.

    Args:
        cameras: Of each mask; they look in one direction.
        masks: (s, s) bool of each, of any size.

    Returns:
        (k, k) steradians, to a common factor; the diagonal is what each has for itself.
    """
    away = np.geomspace(math.radians(0.4), math.radians(70), RINGS)
    turn = np.arange(SPOKES) / SPOKES * 2 * math.pi
    x, y = (np.outer(np.tan(away), part(turn)).ravel() for part in (np.cos, np.sin))
    areas = np.repeat(np.sin(away) * away, SPOKES)
    inside = np.zeros((len(cameras), len(x)), np.bool_)
    for row, (camera, mask) in enumerate(zip(cameras, masks, strict=True)):
        half = math.tan(camera.fov_x / 2)
        seen = (np.abs(x) < half) & (np.abs(y) < half)
        u, v = (((part[seen] / half + 1) / 2 * len(mask)).astype(np.int64) for part in (x, y))
        inside[row, seen] = mask[v, u]
    shared: NDArray[np.float64] = (inside * areas) @ inside.T.astype(np.float64)
    return shared


def overlaps(shared: NDArray[np.float64]) -> NDArray[np.float64]:
    """(k, k) IoU of each two masks, from `shared_areas`."""
    own = np.diag(shared)
    union = own[:, None] + own[None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def agreement(shared: NDArray[np.float64], trust: NDArray[np.float64]) -> NDArray[np.float64]:
    """How well each of several masks agrees with the others.

    Args:
        shared: (k, k) of `shared_areas`, k at least 2.
        trust: (k,) weights of the others in the mean.

    Returns:
        (k,) mean IoU with the others.
    """
    iou = overlaps(shared)
    weights = np.repeat(np.maximum(trust, 1e-3)[None], len(shared), axis=0)
    np.fill_diagonal(weights, 0)
    mean: NDArray[np.float64] = (iou * weights).sum(axis=1) / weights.sum(axis=1)
    return mean


def _half_extent(camera: Camera, directions: NDArray[np.float64]) -> float:
    """How far directions reach to the sides of a view, as the tangent of an angle; infinite for those behind it."""
    x, y, z = np.moveaxis(directions @ camera.world_from_camera, -1, 0)
    if (z <= 1e-3).any():
        return math.inf
    return float(max(np.abs(x / z).max(), np.abs(y / z).max()))


def _room_for(half: float, room: float) -> float:
    """Field of view, in radians, in which something that reaches `half` to the sides has some room around it."""
    fov = 2 * math.atan(min(half, 1e3) * room)
    return min(max(fov, math.radians(NARROWEST_DEG)), math.radians(WIDEST_DEG))
