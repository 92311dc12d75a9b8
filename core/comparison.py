"""Two predictions of one panorama compared: where they differ, by how much, and in a few numbers.

A is the one that is looked at, B the one that it is compared with. Both are functions on directions: where their grids
differ, both are brought to the finer one. All averages are weighted by solid angle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.geometry.sphere import angle_between, solid_angle
from core.geometry.warp import resize_erp
from core.prediction import Prediction

_BAND = 64
"""Rows whose angles are worked out at once, so that what is needed in between stays small."""


class Overlap(IntEnum):
    """Which of two masks hold a direction."""

    NEITHER = 0
    ONLY_A = 1
    ONLY_B = 2
    BOTH = 3


@dataclass(frozen=True)
class Figures:
    """How alike two predictions are; each is None where there is nothing to compare.

    Attributes:
        abs_rel: Mean of |A - B| / B over the directions whose depth both know.
        depth_share: How much of the sphere that is.
        mean_angle: Mean angle between the normals, radians.
        normals_share: How much of the sphere has a normal in both.
        agreement: Share of the directions with a class in both where it is the same.
        classes_share: How much of the sphere that is.
        far_iou: What both call far, as a share of what either does; None also when neither calls anything far.
    """

    abs_rel: float | None = None
    depth_share: float = 0.0
    mean_angle: float | None = None
    normals_share: float = 0.0
    agreement: float | None = None
    classes_share: float = 0.0
    far_iou: float | None = None


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two predictions on one grid, with one list of class names.

    Attributes:
        a, b: The predictions; the depth of B has been multiplied by `scale`, and the indices of its classes are those
            of `b.class_names`, which begins with A's.
        scale: That factor; 1 when the depths are compared as they are.
    """

    a: Prediction
    b: Prediction
    scale: float = 1.0

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the common grid."""
        return self.a.size

    def shared(self) -> tuple[str, ...]:
        """The names of the maps that both have: depth, normals, classes, far."""
        theirs = self.b.maps()
        return tuple(name for name in self.a.maps() if name in theirs)

    def depth_difference(self) -> NDArray[np.float32]:
        """(h, w) float32 (A - B) / B, NaN where either is unknown or not positive; read-only."""
        return self._depth_difference

    @cached_property
    def _depth_difference(self) -> NDArray[np.float32]:
        return _relative(_map(self.a.depth), _map(self.b.depth))

    def normal_angle(self) -> NDArray[np.float32]:
        """(h, w) float32 radians between the normals, NaN where either is unknown; read-only."""
        return self._normal_angle

    @cached_property
    def _normal_angle(self) -> NDArray[np.float32]:
        first, second = _map(self.a.normals), _map(self.b.normals)
        angle = np.empty(first.shape[:2], np.float32)
        with np.errstate(invalid="ignore", divide="ignore"):
            for row in range(0, len(angle), _BAND):
                part = np.s_[row : row + _BAND]
                angle[part] = angle_between(first[part], second[part])
        angle.flags.writeable = False
        return angle

    def classes_differ(self) -> NDArray[np.int8]:
        """(h, w) int8: 1 where the classes differ, 0 where they are the same, -1 where either has none."""
        first, second = _map(self.a.classes), _map(self.b.classes)
        return np.where((first < 0) | (second < 0), -1, first != second).astype(np.int8)

    def far_overlap(self) -> NDArray[np.uint8]:
        """(h, w) uint8 `Overlap` of what is called far."""
        return overlap(_map(self.a.far), _map(self.b.far))

    def figures(self) -> Figures:
        """All that both have, in numbers."""
        shared = self.shared()
        weights = solid_angle(*self.size)
        result = Figures()
        if "depth" in shared:
            mean, share = _mean(np.abs(self.depth_difference()), weights)
            result = replace(result, abs_rel=mean, depth_share=share)
        if "normals" in shared:
            mean, share = _mean(self.normal_angle(), weights)
            result = replace(result, mean_angle=mean, normals_share=share)
        if "classes" in shared:
            differ = self.classes_differ()
            mean, share = _mean(np.where(differ < 0, np.nan, 1.0 - differ), weights)
            result = replace(result, agreement=mean, classes_share=share)
        if "far" in shared:
            result = replace(result, far_iou=overlap_iou(self.far_overlap()))
        return result


def compare(a: Prediction, b: Prediction, *, match_scale: bool) -> Comparison:
    """Bring two predictions of one panorama together.

    Args:
        a: The one that is looked at.
        b: The one that it is compared with; any size.
        match_scale: Multiply the depth of B by the median of A / B, so that only the shapes are compared.

    Raises:
        ValueError: One of them has no map.
    """
    height, width = max(a.size, b.size, key=lambda size: size[1])
    first, second = _on_grid(a, height, width), _on_grid(b, height, width)
    if first.classes is not None and second.classes is not None:
        second = _renamed(second, first.class_names)
    scale = 1.0
    if match_scale and first.depth is not None and second.depth is not None:
        scale = median_scale(first.depth, second.depth)
        second = replace(second, depth=second.depth * np.float32(scale), is_metric=first.is_metric)
    return Comparison(first, second, scale)


def median_scale(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """The factor that brings a depth B to the scale of A: the median of A / B by solid angle; 1 where none is known."""
    known = _known(a, b)
    if not known.any():
        return 1.0
    ratio = (a[known] / b[known]).astype(np.float32)
    weights = np.broadcast_to(solid_angle(*a.shape), a.shape)[known]
    # The bits of positive floats are in the order of the floats: millions are counted by their upper half, and only
    # those that share it with the median are sorted.
    drawer = ratio.view(np.uint32) >> 16
    held = np.cumsum(np.bincount(drawer, weights))
    half = held[-1] / 2
    middle = int(np.searchsorted(held, half))
    inside = drawer == middle
    order = np.argsort(ratio[inside], kind="stable")
    below = held[middle - 1] if middle else 0.0
    at = np.searchsorted(below + np.cumsum(weights[inside][order]), half)
    return float(ratio[inside][order][min(int(at), len(order) - 1)])


def overlap(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """(h, w) uint8 `Overlap` of two masks on one grid."""
    return a.astype(np.uint8) * np.uint8(Overlap.ONLY_A) + b.astype(np.uint8) * np.uint8(Overlap.ONLY_B)


def overlap_iou(held: NDArray[np.uint8]) -> float | None:
    """What both masks hold, as a share of what either does, by solid angle; None when neither holds anything."""
    rows = solid_angle(*held.shape)[:, 0]
    either = float((held != Overlap.NEITHER).sum(axis=1) @ rows)
    return float((held == Overlap.BOTH).sum(axis=1) @ rows) / either if either else None


def _map(values: NDArray[Any] | None) -> NDArray[Any]:
    if values is None:
        raise ValueError("there is nothing to compare: one of the predictions has no such map")
    return values


def _relative(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float32]:
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = (a - b) / b
    result = np.where(_known(a, b), difference, np.nan).astype(np.float32)
    result.flags.writeable = False
    return result


def _known(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.bool_]:
    known: NDArray[np.bool_] = np.isfinite(a) & np.isfinite(b) & (a > 0) & (b > 0)
    return known


def _mean(values: NDArray[np.floating], weights: NDArray[np.float64]) -> tuple[float | None, float]:
    """Mean of the known values, and how much of the sphere they are."""
    known = np.isfinite(values)
    rows = weights[:, 0]
    covered = float(known.sum(axis=1) @ rows)
    if not covered:
        return None, 0.0
    total = float(np.where(known, values, 0.0).sum(axis=1, dtype=np.float64) @ rows)
    return total / covered, covered / float(rows.sum() * values.shape[1])


def _on_grid(prediction: Prediction, height: int, width: int) -> Prediction:
    if prediction.size == (height, width):
        return prediction
    maps: dict[str, Any] = {name: resize_erp(values, height, width) for name, values in prediction.maps().items()}
    return replace(prediction, **maps)


def _renamed(prediction: Prediction, names: tuple[str, ...]) -> Prediction:
    """The same with class indices into a list that begins with other names."""
    everything = list(dict.fromkeys((*names, *prediction.class_names)))
    # The last entry is for -1, no class.
    table = np.array([everything.index(name) for name in prediction.class_names] + [-1], np.int16)
    return replace(prediction, classes=table[_map(prediction.classes)], class_names=tuple(everything))
