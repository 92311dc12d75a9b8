"""What cuts objects out without any training: the yardsticks of the click network.

Both work in one view around the first click and have the type of `training.click_evaluate.Method`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import Camera
from core.geometry.regions import keep_components
from core.geometry.sphere import lonlat_to_directions
from core.geometry.warp import camera_to_erp, erp_to_camera
from core.panorama import Panorama
from core.scene import Click

Mask = NDArray[np.bool_]
InView = Callable[[NDArray[np.uint8], NDArray[np.float64], NDArray[np.bool_]], Mask]
"""(s, s, 3) colours, (n, 2) clicks as pixels (u, v) and their signs -> (s, s) what is cut out."""

FOV = math.radians(95)
SIZE = 256
SEED = 0.07
"""Radius of what is taken for the object at first, as a share of the view: the best of several in an earlier study."""
SURE = 0.03
"""Radius around a click of what is taken for certain."""
ROUNDS = 5
TOLERANCE = 12
"""Grey levels of each colour by which neighbours in a flood may differ from the pixel clicked on."""


def grab_cut(panorama: Panorama) -> Callable[[Sequence[Click]], Mask]:
    """GrabCut (C. Rother and others, SIGGRAPH 2004) with discs around the clicks as seeds."""
    return lambda clicks: _answer(panorama, clicks, _grab_cut_in_view)


def color_flood(panorama: Panorama) -> Callable[[Sequence[Click]], Mask]:
    """What is connected with a positive click and of its colour, less what is so with a negative one."""
    return lambda clicks: _answer(panorama, clicks, _flood_in_view)


def _answer(panorama: Panorama, clicks: Sequence[Click], in_view: InView) -> Mask:
    """What is cut out in the view around the first click, on the panorama's grid, and connected with a positive click.

    Raises:
        ValueError: There is no click.
    """
    if not clicks:
        raise ValueError("expected at least one click")
    camera = Camera(yaw=clicks[0].lon, pitch=clicks[0].lat, roll=0.0, fov_x=FOV, height=SIZE, width=SIZE)
    directions = lonlat_to_directions([click.lon for click in clicks], [click.lat for click in clicks])
    places = np.stack(camera.project(directions), axis=-1)
    signs = np.array([click.positive for click in clicks])
    seen = ((places >= 0) & (places < SIZE)).all(axis=-1)
    view = erp_to_camera(panorama.rgb, camera)
    mask, weights = camera_to_erp(in_view(view, places[seen], signs[seen]), camera, *panorama.rgb.shape[:2])
    kept: Mask = mask & (weights > 0)
    connected = keep_components(kept, directions[signs])
    return connected if connected.any() else kept


def _grab_cut_in_view(view: NDArray[np.uint8], places: NDArray[np.float64], signs: NDArray[np.bool_]) -> Mask:
    marks = np.full(view.shape[:2], cv2.GC_PR_BGD, np.uint8)
    marks[_disk(view, places[0], SEED)] = cv2.GC_PR_FGD
    marks[0] = marks[-1] = cv2.GC_BGD
    marks[:, 0] = marks[:, -1] = cv2.GC_BGD
    for place, sign in zip(places, signs, strict=True):
        marks[_disk(view, place, SURE)] = cv2.GC_FGD if sign else cv2.GC_BGD
    colors: tuple[NDArray[np.float64], NDArray[np.float64]] = (np.zeros((1, 65)), np.zeros((1, 65)))
    cv2.setRNGSeed(0)
    bgr = np.ascontiguousarray(view[..., ::-1])
    cv2.grabCut(bgr, marks, (0, 0, 1, 1), *colors, ROUNDS, cv2.GC_INIT_WITH_MASK)
    cut: Mask = (marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)
    return cut


def _flood_in_view(view: NDArray[np.uint8], places: NDArray[np.float64], signs: NDArray[np.bool_]) -> Mask:
    flooded = np.zeros(view.shape[:2], np.bool_)
    smooth = cv2.medianBlur(np.ascontiguousarray(view), 3)
    for place, sign in sorted(zip(places, signs, strict=True), key=lambda pair: not pair[1]):
        reached = np.zeros((view.shape[0] + 2, view.shape[1] + 2), np.uint8)
        spread = (TOLERANCE,) * 3
        flags = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | (1 << 8)
        cv2.floodFill(smooth, reached, (int(place[0]), int(place[1])), (0, 0, 0), spread, spread, flags)
        flooded[reached[1:-1, 1:-1] > 0] = sign
    return flooded


def _disk(view: NDArray[np.uint8], place: NDArray[np.float64], radius: float) -> Mask:
    """Pixels within a share of the view's width, and the one that was clicked on."""
    v, u = np.ogrid[: view.shape[0], : view.shape[1]]
    near: Mask = np.hypot(u + 0.5 - place[0], v + 0.5 - place[1]) <= max(radius * view.shape[1], 0.75)
    return near
