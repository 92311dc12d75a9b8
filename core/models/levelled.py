"""From a photograph to what a model says about it, in the photograph's own frame."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import rotation_from_angles
from core.geometry.normals import turn_normals
from core.geometry.warp import resize_erp, turn_erp
from core.known_scale import rescale
from core.models import Size
from core.models.base import HeadingModel, PanoramaModel, PartialModel, Task
from core.models.detail import refine_by_tiles
from core.models.tiled import TileNetwork
from core.models.upsample import upsample_prediction
from core.panorama import Panorama
from core.prediction import Prediction
from core.progress import Progress, silent, stage

_QUICK, _SLOW = 0.5, 0.95
"""Shares of the work on a 4K photograph that are the model's, by which the time that is left is told: the bundled one
is as quick as what follows, others take a minute."""


def predict_panorama(
    model: PanoramaModel,
    panorama: Panorama,
    *,
    tasks: Collection[Task] = tuple(Task),
    size: Size = "full",
    camera_height: float | None = None,
    detail: TileNetwork | None = None,
    progress: Progress = silent,
) -> Prediction:
    """Run a model on a photograph.

    The model sees the picture levelled by its pose; what it says is turned back. Where a partial photograph saw
    nothing, nothing is known: NaN, no class, not far.

    Args:
        model: Any of the catalogue.
        panorama: The photograph.
        tasks: What is wanted; the rest is dropped.
        size: "full" brings the maps to the photograph's size, guided by its edges; "native" leaves them at the model's.
        camera_height: Metres from the floor to the camera, when known; see `rescale`.
        detail: A perspective network, on whose tiles the depth of the photograph's size is refined; see
            `core.models.detail`.
        progress: Called as the work goes on; may raise `Cancelled`.

    Raises:
        ModelUnavailable: A camera height is given and the model does not predict one.
    """
    started = time.perf_counter()
    level = panorama.level_from_world
    rgb = panorama.rgb if panorama.is_level else turn_erp(panorama.rgb, level)
    shift = 0
    if size == "full" and panorama.is_level and isinstance(model, HeadingModel):
        shift = model.heading_shift(rgb)
        rgb = np.roll(rgb, shift, axis=1)
    share = _QUICK if isinstance(model, HeadingModel) or detail is not None else _SLOW
    estimated = stage(progress, 0.0, share) if size == "full" else progress
    prediction = _predict(model, rgb, panorama, progress=estimated)
    if not panorama.is_level:
        prediction = _turned(prediction, level.T)
    if size == "full":
        picture, coarse = rgb if panorama.is_level else panorama.rgb, prediction.depth
        middle = share + 0.1 if detail is not None and coarse is not None else 1.0
        prediction = upsample_prediction(prediction, picture, progress=stage(progress, share, middle))
        if detail is not None and coarse is not None and Task.DEPTH in tasks:
            prediction = refine_by_tiles(
                prediction,
                coarse,
                picture,
                detail,
                valid=None if panorama.valid is None else np.roll(panorama.valid, shift, axis=1),
                level_from_world=level,
                progress=stage(progress, middle, 1.0),
            )
    # Not before: each map has its edges from all of them, and is the same whatever else is wanted.
    prediction = _wanted(prediction, tasks)
    if shift:
        prediction = _rolled(prediction, -shift)
    if panorama.valid is not None:
        prediction = _masked(prediction, panorama.valid)
    if camera_height is not None:
        # Last, so that a height that is set later gives the same bits as one that is known from the beginning.
        prediction = rescale(prediction, camera_height)
    return replace(prediction, seconds=time.perf_counter() - started)


def _predict(model: PanoramaModel, rgb: NDArray[np.uint8], panorama: Panorama, *, progress: Progress) -> Prediction:
    """What a model says of the levelled picture, of whose holes it hears when it wants to."""
    valid = panorama.valid
    if valid is None or not isinstance(model, PartialModel):
        return model.predict(rgb, progress=progress)
    if not panorama.is_level:
        valid = turn_erp(valid, panorama.level_from_world)
    return model.predict_part(rgb, valid, progress=progress)


def _wanted(prediction: Prediction, tasks: Collection[Task]) -> Prediction:
    if Task.DEPTH not in tasks:
        prediction = replace(prediction, depth=None, far=None)
    if Task.NORMALS not in tasks:
        prediction = replace(prediction, normals=None)
    if Task.CLASSES not in tasks:
        prediction = replace(prediction, classes=None, class_names=())
    return prediction


def _rolled(prediction: Prediction, columns: int) -> Prediction:
    """The maps rolled to the right by whole columns, normals turned with them."""
    depth, normals, classes, far = prediction.depth, prediction.normals, prediction.classes, prediction.far
    if normals is not None:
        angle = 2 * np.pi * columns / normals.shape[1]
        normals = turn_normals(np.roll(normals, columns, axis=1), rotation_from_angles(angle, 0.0, 0.0))
    return replace(
        prediction,
        depth=None if depth is None else np.roll(depth, columns, axis=1),
        normals=normals,
        classes=None if classes is None else np.roll(classes, columns, axis=1),
        far=None if far is None else np.roll(far, columns, axis=1),
    )


def _turned(prediction: Prediction, world_from_level: NDArray[np.float64]) -> Prediction:
    """What was said about a levelled picture, in the photograph's frame."""
    depth, normals, classes, far = prediction.depth, prediction.normals, prediction.classes, prediction.far
    if depth is not None:
        # A plane's inverse depth is nearly linear from pixel to pixel, its depth is not.
        depth = np.reciprocal(_turned_where_known(np.reciprocal(depth), world_from_level))
    if normals is not None:
        normals = turn_normals(_turned_where_known(normals, world_from_level), world_from_level)
    return replace(
        prediction,
        depth=depth,
        normals=normals,
        classes=None if classes is None else turn_erp(classes, world_from_level),
        far=None if far is None else turn_erp(far, world_from_level, nearest=True),
    )


def _turned_where_known(values: NDArray[np.float32], rotation: NDArray[np.float64]) -> NDArray[np.float32]:
    """Values interpolated from known neighbours; beside an unknown one the nearest, so that holes do not grow."""
    nearest = turn_erp(values, rotation, nearest=True)
    linear = turn_erp(values, rotation)
    at_hole = np.isnan(linear) | np.isnan(nearest)
    linear[at_hole] = nearest[at_hole]
    return linear


def _masked(prediction: Prediction, valid: NDArray[np.bool_]) -> Prediction:
    """Nothing is known where the photograph saw nothing."""
    if prediction.maps():
        valid = resize_erp(valid, *prediction.size)
    depth, normals, classes, far = prediction.depth, prediction.normals, prediction.classes, prediction.far
    return replace(
        prediction,
        depth=None if depth is None else np.where(valid, depth, np.float32(np.nan)),
        normals=None if normals is None else np.where(valid[..., None], normals, np.float32(np.nan)),
        classes=None if classes is None else np.where(valid, classes, np.int16(-1)),
        far=None if far is None else far & valid,
    )
