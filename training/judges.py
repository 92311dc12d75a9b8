"""What the scores of many pictures are made of, corrected: weighted by solid angle, missing answers wrong.

The protocols of the papers, with their quirks, are in `training.protocols`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import PanoError
from core.geometry.sphere import erp_angles, erp_rays
from core.geometry.warp import resize_erp
from core.models.base import Task
from core.prediction import Prediction
from training.metrics import Confusion, depth_scores, mask_iou, normal_scores
from training.truths import JudgedTask, Truth
from training.worlds.classes import FURNITURE, VEHICLE

GROUPS = {"furniture": FURNITURE, "vehicle": VEHICLE}
_SHOWN_APART = ("door", "windowpane")
SEAM_DEG = 5.0
"""Pixels so near to the half circle behind, where the left and the right border meet, are the seam."""
POLE_DEG = 15.0
"""Pixels so near to straight up or down are the poles."""


class Judge(Protocol):
    """One way to judge one task, summed over pictures."""

    note: str
    """What a reader of the figures must know."""

    def prepare(self, truth: Truth) -> Truth:
        """The panorama and labels as they are judged, such as at another size."""

    def add(self, prediction: Prediction, truth: Truth) -> dict[str, float]:
        """Take in one picture; gives its own scores by their names."""

    def means(self) -> dict[str, float]:
        """Of all pictures; names that no picture has are extra rows."""


class _Means:
    """Scores that are averaged over pictures."""

    note = "Weighted by solid angle; a pixel without an answer is wrong. Means over pictures."

    def __init__(self) -> None:
        self._scores: dict[str, list[float]] = {}

    def prepare(self, truth: Truth) -> Truth:
        return truth

    def means(self) -> dict[str, float]:
        return {name: float(np.mean(values)) for name, values in self._scores.items()}

    def _take(self, scores: Mapping[str, float]) -> None:
        for name, value in scores.items():
            self._scores.setdefault(name, []).append(value)


class DepthJudge(_Means):
    """Ranges, aligned by their medians and, where the truth is metric, also as they are."""

    def add(self, prediction: Prediction, truth: Truth) -> dict[str, float]:
        said, true = on_grid(present(prediction.depth), truth), present(truth.depth)
        aligned = depth_scores(said, true)
        scores = {
            "AbsRel": aligned.absrel,
            "delta1": aligned.delta1,
            "scale": aligned.scale,
            "missing": aligned.missing,
        }
        if truth.is_metric:
            metric = depth_scores(said, true, align=False)
            scores |= {
                "RMSE m": aligned.rmse,
                "AbsRel metric": metric.absrel,
                "delta1 metric": metric.delta1,
                "RMSE m metric": metric.rmse,
            }
        self._take(scores)
        for name, where in regions(*true.shape).items():
            there = np.where(where, true, np.nan)
            if np.isfinite(there).any():
                local = depth_scores(said * aligned.scale, there, align=False)
                self._take({f"{name}: AbsRel": local.absrel, f"{name}: delta1": local.delta1})
        step = seam_step(said, true)
        if np.isfinite(step):
            self._take({"seam: step": step})
        return scores


class NormalJudge(_Means):
    """Angles between normals."""

    def add(self, prediction: Prediction, truth: Truth) -> dict[str, float]:
        said, true = on_grid(present(prediction.normals), truth), present(truth.normals)
        judged = normal_scores(said, true)
        scores = {
            "mean deg": judged.mean_deg,
            "median deg": judged.median_deg,
            "< 11.25 deg": judged.within_11,
            "missing": judged.missing,
        }
        self._take(scores)
        for name, where in regions(*true.shape[:2]).items():
            there = np.where(where[..., None], true, np.nan)
            if np.isfinite(there).all(axis=-1).any():
                self._take({f"{name}: mean deg": normal_scores(said, there).mean_deg})
        return scores


class ClassJudge:
    """Classes by their names, and what is far, of the areas of all pictures together."""

    note = "Weighted by solid angle; areas of all pictures together, over the classes that occur."

    def __init__(self) -> None:
        self._whole: Confusion | None = None
        self._local: dict[str, Confusion] = {}
        self._far = Confusion(("near", "far"))

    def prepare(self, truth: Truth) -> Truth:
        return truth

    def add(self, prediction: Prediction, truth: Truth) -> dict[str, float]:
        said, true = classes_in(prediction, truth), present(truth.classes)
        picture = Confusion(truth.class_names)
        picture.add(said, true)
        self._whole = self._whole or Confusion(truth.class_names)
        self._whole.areas += picture.areas
        for name, where in regions(*true.shape).items():
            self._local.setdefault(name, Confusion(truth.class_names)).add(said, np.where(where, true, -1))
        scores = {"mIoU": picture.mean_iou()}
        if truth.far is not None and prediction.far is not None:
            far = on_grid(prediction.far, truth)
            scores["far IoU"] = mask_iou(far, truth.far)
            self._far.add(far, truth.far)
        return scores

    def means(self) -> dict[str, float]:
        """MIoU, IoU of what is far, at the seam and poles, then the groups that stand apart, then every class."""
        if self._whole is None:
            return {}
        ious = self._whole.ious()
        means = {"mIoU": self._whole.mean_iou()}
        if "far" in self._far.ious():
            means["far IoU"] = self._far.ious()["far"]
        local = {f"{name}: mIoU": confusion.mean_iou() for name, confusion in self._local.items()}
        means |= {name: value for name, value in local.items() if np.isfinite(value)}
        members = [name for group in GROUPS.values() for name in group]
        groups = self._whole.grouped(GROUPS).ious() if set(members) <= set(self._whole.names) else {}
        return means | {name: groups[name] for name in (*_SHOWN_APART, *GROUPS) if name in groups} | ious


CORRECTED: Mapping[JudgedTask, Callable[[], Judge]] = {
    "depth": DepthJudge,
    "normals": NormalJudge,
    "classes": ClassJudge,
}


def needed(task: JudgedTask) -> tuple[Task, ...]:
    """What a model must say for a task; the far mask is judged beside the classes and comes with the depth."""
    return (Task.CLASSES, Task.DEPTH) if task == "classes" else (Task(task),)


def regions(height: int, width: int) -> dict[str, NDArray[np.bool_]]:
    """(height, width) masks of the places where a panorama's grid is not like a photograph."""
    x, _, z = np.moveaxis(erp_rays(height, width), -1, 0)
    seam = (z < 0) & (np.abs(x) < np.sin(np.radians(SEAM_DEG)))
    _, lat = erp_angles(height, width)
    poles = np.broadcast_to((np.abs(lat) > np.radians(90 - POLE_DEG))[:, None], seam.shape)
    return {"seam": seam & ~poles, "poles": poles}


def seam_step(said: NDArray[Any], true: NDArray[Any]) -> float:
    """Mean wrong jump of the logarithmic range from the last column to the first, by solid angle; NaN if none is known.

    Args:
        said: (h, w) predicted ranges, NaN unknown.
        true: (h, w) true ranges, NaN unknown.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        jump = np.log(said[:, 0] / said[:, -1]) - np.log(true[:, 0] / true[:, -1])
    known = np.isfinite(jump)
    _, lat = erp_angles(said.shape[0], 1)
    return float(np.average(np.abs(jump[known]), weights=np.cos(lat)[known])) if known.any() else float("nan")


def classes_in(prediction: Prediction, truth: Truth) -> NDArray[np.int64]:
    """(h, w) predicted classes as indices into the truth's names; -1 where there is no such name."""
    names = truth.class_names
    index = np.array([*(names.index(name) if name in names else -1 for name in prediction.class_names), -1])
    classes: NDArray[np.int64] = index[on_grid(present(prediction.classes), truth)]
    return classes


def on_grid(values: NDArray[Any], truth: Truth) -> NDArray[Any]:
    """A predicted map on the truth's grid, of the nearest pixels where that is another."""
    height, width = truth.rgb.shape[:2]
    return values if values.shape[:2] == (height, width) else resize_erp(values, height, width, nearest=True)


def present(array: NDArray[Any] | None) -> NDArray[Any]:
    """The map of a task.

    Raises:
        PanoError: There is none.
    """
    if array is None:
        raise PanoError("Expected a model and labels for this task, got one without it; choose another task or model.")
    return array


def resized(truth: Truth, rgb: NDArray[np.uint8], pick: Callable[[NDArray[Any]], NDArray[Any]]) -> Truth:
    """A truth at another size: its picture as given, every map as `pick` takes it."""
    maps = {name: getattr(truth, name) for name in ("depth", "normals", "classes", "far", "instances", "valid")}
    picked: dict[str, Any] = {name: value if value is None else pick(value) for name, value in maps.items()}
    return replace(truth, rgb=rgb, **picked)
