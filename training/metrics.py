"""How good maps are: every pixel weighs its solid angle, and a pixel without an answer counts as a wrong one.

A picture's ranges may be multiplied by one factor first, the median of the true ranges over the median of the predicted
ones. Which pixels are judged is decided by the truth alone: those whose true value is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.geometry.sphere import angle_between, solid_angle

MISSING_ANGLE_DEG = 90.0
"""Error of a pixel without a normal."""


@dataclass(frozen=True)
class DepthScores:
    """Errors of one picture's ranges.

    A pixel without a range counts as range 0: relative error 1, never within 1.25, absolute error the true range.

    Attributes:
        absrel: Mean of abs(range - truth) / truth.
        delta1: Share of pixels with max(range / truth, truth / range) < 1.25.
        rmse: Root of the mean square of range - truth, metres where the truth is.
        scale: Factor by which the prediction was multiplied; 1 when it was judged as it is.
        missing: Share of the judged pixels without an answer.
    """

    absrel: float
    delta1: float
    rmse: float
    scale: float
    missing: float


def depth_scores(depth: ArrayLike, truth: ArrayLike, *, align: bool = True) -> DepthScores:
    """Judge ranges on an ERP grid.

    Args:
        depth: (h, w) ranges; NaN, infinite or not positive where there is no answer.
        truth: (h, w) true ranges; NaN or not positive where they are not known.
        align: Multiply by one factor that makes the medians equal, over the pixels where both are known.

    Raises:
        ValueError: The shapes differ, or no true range is known.
    """
    said, true = np.asarray(depth, np.float64), np.asarray(truth, np.float64)
    weights = _weights(said, true)
    judged = np.isfinite(true) & (true > 0)
    if not judged.any():
        raise ValueError("no pixel has a true range")
    said, true, weights = said[judged], true[judged], weights[judged]
    answered = np.isfinite(said) & (said > 0)
    scale = 1.0
    if align and answered.any():
        true_median = weighted_median(true[answered], weights[answered])
        scale = true_median / weighted_median(said[answered], weights[answered])
    said = scale * np.where(answered, said, 0.0)
    within = answered & (said < 1.25 * true) & (true < 1.25 * said)
    return DepthScores(
        absrel=float(np.average(np.abs(said - true) / true, weights=weights)),
        delta1=float(np.average(within, weights=weights)),
        rmse=float(np.sqrt(np.average((said - true) ** 2, weights=weights))),
        scale=float(scale),
        missing=float(np.average(~answered, weights=weights)),
    )


def weighted_median(values: ArrayLike, weights: ArrayLike) -> float:
    """The smallest value at or below which lies half of the weight.

    Args:
        values: (n,) finite, n > 0.
        weights: (n,) positive.
    """
    ordered = np.asarray(values, np.float64)
    order = np.argsort(ordered, kind="stable")
    below = np.cumsum(np.asarray(weights, np.float64)[order])
    return float(ordered[order[np.searchsorted(below, below[-1] / 2)]])


def angular_errors(normals: ArrayLike, truth: ArrayLike) -> NDArray[np.float64]:
    """Angles in radians between (..., 3) normals; `MISSING_ANGLE_DEG` where a predicted one is not finite or zero."""
    said = np.asarray(normals, np.float64)
    answered = np.isfinite(said).all(axis=-1) & (said != 0).any(axis=-1)
    angles = angle_between(np.where(answered[..., None], said, (0.0, 0.0, 1.0)), truth)
    return np.where(answered, angles, np.radians(MISSING_ANGLE_DEG))


@dataclass(frozen=True)
class NormalScores:
    """Errors of one picture's normals.

    Attributes:
        mean_deg: Mean angle.
        median_deg: Median angle.
        within_11: Share of pixels below 11.25 degrees.
        missing: Share of the judged pixels without an answer, which count as `MISSING_ANGLE_DEG`.
    """

    mean_deg: float
    median_deg: float
    within_11: float
    missing: float


def normal_scores(normals: ArrayLike, truth: ArrayLike) -> NormalScores:
    """Judge normals on an ERP grid.

    Args:
        normals: (h, w, 3) of any length; NaN where there is no answer.
        truth: (h, w, 3) of any length; NaN or zero where it is not known.

    Raises:
        ValueError: The shapes differ, or no true normal is known.
    """
    said, true = np.asarray(normals, np.float64), np.asarray(truth, np.float64)
    weights = _weights(said, true)
    judged = np.isfinite(true).all(axis=-1) & (true != 0).any(axis=-1)
    if not judged.any():
        raise ValueError("no pixel has a true normal")
    said, weights = said[judged], weights[judged]
    errors = np.degrees(angular_errors(said, true[judged]))
    answered = np.isfinite(said).all(axis=-1) & (said != 0).any(axis=-1)
    return NormalScores(
        mean_deg=float(np.average(errors, weights=weights)),
        median_deg=weighted_median(errors, weights),
        within_11=float(np.average(errors < 11.25, weights=weights)),
        missing=float(np.average(~answered, weights=weights)),
    )


def mask_iou(mask: ArrayLike, truth: ArrayLike) -> float:
    """Intersection over union of two (h, w) masks by solid angle; 1 when both are empty."""
    said, true = np.asarray(mask, np.bool_), np.asarray(truth, np.bool_)
    weights = _weights(said, true)
    union = weights[said | true].sum()
    return float(weights[said & true].sum() / union) if union > 0 else 1.0


class Confusion:
    """Solid angle by true and predicted class, summed over pictures.

    Args:
        names: Of the classes, in the order of their indices.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        # The last column holds what was given no class, or one without a name here: wrong whatever the truth.
        self.areas = np.zeros((len(self.names), len(self.names) + 1))

    def add(self, classes: ArrayLike, truth: ArrayLike) -> None:
        """Take in one picture.

        Args:
            classes: (h, w) predicted indices; any that is not the index of a name is a wrong answer.
            truth: (h, w) true indices; pixels whose value is not the index of a name are not judged.
        """
        said, true = np.asarray(classes, np.int64), np.asarray(truth, np.int64)
        weights = _weights(said, true)
        count = len(self.names)
        judged = (true >= 0) & (true < count)
        said = np.where((said >= 0) & (said < count), said, count)
        cells = true[judged] * (count + 1) + said[judged]
        self.areas += np.bincount(cells, weights[judged], minlength=self.areas.size).reshape(self.areas.shape)

    def ious(self) -> dict[str, float]:
        """Intersection over union of each class that is present in the truth."""
        right = np.diag(self.areas)
        true, said = self.areas.sum(axis=1), self.areas.sum(axis=0)[:-1]
        return {
            name: float(right[index] / (true[index] + said[index] - right[index]))
            for index, name in enumerate(self.names)
            if true[index] > 0
        }

    def mean_iou(self) -> float:
        """Mean over the classes that are present in the truth; NaN when none is."""
        ious = self.ious()
        return float(np.mean(list(ious.values()))) if ious else float("nan")

    def grouped(self, groups: Mapping[str, Sequence[str]]) -> Confusion:
        """The same areas with each group of classes counted as one class; classes in no group stay as they are.

        Raises:
            ValueError: A group holds a name that is no class here.
        """
        group_of = {name: group for group, members in groups.items() for name in members}
        unknown = sorted(set(group_of) - set(self.names))
        if unknown:
            raise ValueError(f"no such classes: {', '.join(unknown)}")
        merged = Confusion(tuple(dict.fromkeys(group_of.get(name, name) for name in self.names)))
        index = [merged.names.index(group_of.get(name, name)) for name in self.names]
        np.add.at(merged.areas, (np.array(index)[:, None], np.array([*index, len(merged.names)])[None]), self.areas)
        return merged


def _weights(prediction: NDArray[np.generic], truth: NDArray[np.generic]) -> NDArray[np.float64]:
    """Solid angle of each pixel of two maps on one grid."""
    if prediction.shape != truth.shape:
        raise ValueError(f"prediction and truth must share one grid, got {prediction.shape} and {truth.shape}")
    height, width = truth.shape[:2]
    return np.broadcast_to(solid_angle(height, width), (height, width))
