"""The protocols by which the papers' tables were made, exactly; each of their quirks is named in a judge's note.

Source: DAP_MTPANO of the specification, sections 1.E and 2.E, which reads them from the released scripts. Neither
weighs pixels by solid angle, neither aligns the scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import PanoError
from core.geometry.sphere import angle_between
from core.prediction import Prediction
from training.judges import CORRECTED, Judge, classes_in, on_grid, present, resized
from training.truths import JudgedTask, Truth

ProtocolName = Literal["corrected", "dap", "mtpano", "sap"]
HEIGHT, WIDTH = 512, 1024
_FAR_M = 100.0
_DROPS_FAR = ("stanford2d3d", "matterport3d", "structured3d")
"""Sets whose pixels beyond 100 m the script leaves out; of the others it clamps and keeps them."""
_INDOOR_LIMIT_M = 10.0
_NEAREST_M = 1e-3
_BINS_PER_DEGREE = 1000


def judge_of(protocol: ProtocolName, task: JudgedTask, layout: str) -> Callable[[], Judge]:
    """What makes judges of a protocol for a task.

    Args:
        protocol: Its name.
        task: What is judged.
        layout: Name of the set's layout; the papers' rules differ by set.

    Raises:
        PanoError: The protocol does not judge this task.
    """
    if protocol == "corrected":
        return CORRECTED[task]
    makers: Mapping[tuple[str, str], Callable[[str], Judge]] = {
        ("dap", "depth"): DapDepth,
        ("mtpano", "depth"): MtpanoDepth,
        ("mtpano", "normals"): MtpanoNormals,
        ("mtpano", "classes"): MtpanoClasses,
    }
    maker = makers.get((protocol, task))
    if maker is None:
        known = ", ".join(name for name, of in makers if of == task)
        raise PanoError(f"Expected one of the protocols corrected, {known} for {task}, got {protocol}.")
    return lambda: maker(layout)


class DapDepth:
    """Depth Any Panoramas: means over pictures of means over pixels, at 512 x 1024."""

    def __init__(self, layout: str) -> None:
        self._drops_far = layout in _DROPS_FAR
        beyond = "left out" if self._drops_far else "clamped to 100 m and kept (quirk: sky said to be far is right)"
        self.note = (
            "Protocol of DAP: 512 x 1024, no alignment, pixels count alike (quirk), 0 < truth <= 100 m, beyond "
            f"{beyond}; 'rms' is the mean absolute error of depth / 100 (quirk). What the model calls far is 100 m."
        )
        self._scores: list[dict[str, float]] = []

    def prepare(self, truth: Truth) -> Truth:
        rgb = np.asarray(cv2.resize(truth.rgb, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)
        return resized(truth, rgb, _pick_cv2)

    def add(self, prediction: Prediction, truth: Truth) -> dict[str, float]:
        true = _metric(truth).astype(np.float64)
        far = np.zeros(true.shape, np.bool_) if truth.far is None else truth.far
        true = np.where(far, np.inf, true)
        if not self._drops_far:
            true = np.minimum(true, _FAR_M)
        judged = (true > 0) & (true <= _FAR_M)
        if not judged.any():
            raise PanoError(f"Expected ranges up to 100 m, got none that is known: {truth.name}")
        said = on_grid(present(prediction.depth), truth).astype(np.float64)
        said = np.where(np.isfinite(said), said, _FAR_M)
        if prediction.far is not None:
            said[on_grid(prediction.far, truth)] = _FAR_M
        said, true = said[judged] / _FAR_M, np.clip(true[judged] / _FAR_M, 1e-3, 1)
        with np.errstate(divide="ignore"):
            ratio = np.maximum(true / said, said / true)
        self._scores.append(
            {
                "AbsRel": float(np.mean(np.abs(true - said) / true)),
                "rms (MAE / 100)": float(np.mean(np.sqrt((true - said) ** 2))),
                "delta1": float(np.mean(ratio < 1.25)),
                "RMSE m": float(np.sqrt(np.mean((true - said) ** 2)) * _FAR_M),
            }
        )
        return self._scores[-1]

    def means(self) -> dict[str, float]:
        return {name: float(np.mean([row[name] for row in self._scores])) for name in self._scores[0]}


class _Mtpano:
    """MTPano: pixels of all pictures in one pool, at 512 x 1024."""

    note = "Protocol of MTPano: 512 x 1024, pixels of all pictures pooled and counting alike (quirk), no alignment."

    def __init__(self, layout: str) -> None:
        self._layout = layout

    def prepare(self, truth: Truth) -> Truth:
        rgb = np.asarray(Image.fromarray(truth.rgb).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR))
        return resized(truth, rgb, _pick_pil)


class MtpanoDepth(_Mtpano):
    """Errors of ranges in one pool; indoors up to 10 m, and what is said clamped to that."""

    def __init__(self, layout: str) -> None:
        super().__init__(layout)
        self._limit = _INDOOR_LIMIT_M if layout in ("stanford2d3d", "matterport3d") else np.inf
        self._log: Callable[[NDArray[np.float64]], NDArray[np.float64]] = (
            np.log10 if layout == "matterport3d" else np.log
        )
        base = "10 (quirk of this set)" if layout == "matterport3d" else "e"
        reach = "1 mm < truth < 10 m, what is said clamped to that" if np.isfinite(self._limit) else "1 mm < truth"
        self.note = f"{self.note} {reach}; logarithms to base {base}. No answer counts as 1 mm."
        self._pool = np.zeros(4)

    def add(self, prediction: Prediction, truth: Truth) -> dict[str, float]:
        true = _metric(truth).astype(np.float64)
        said = np.nan_to_num(on_grid(present(prediction.depth), truth).astype(np.float64), nan=0.0, posinf=0.0)
        judged = (true > _NEAREST_M) & (true < self._limit)
        said, true = np.clip(said[judged], _NEAREST_M, self._limit), true[judged]
        sums = np.array(
            [
                len(true),
                (np.abs(said - true) / true).sum(),
                ((said - true) ** 2).sum(),
                ((self._log(said) - self._log(true)) ** 2).sum(),
            ]
        )
        self._pool += sums
        return _pooled_depth(sums)

    def means(self) -> dict[str, float]:
        return _pooled_depth(self._pool)


def _pooled_depth(sums: NDArray[np.float64]) -> dict[str, float]:
    count, relative, square, logarithmic = (float(value) for value in sums)
    count = count or float("nan")
    return {
        "AbsRel": relative / count,
        "RMSE m": float(np.sqrt(square / count)),
        "log RMSE": float(np.sqrt(logarithmic / count)),
    }


class MtpanoNormals(_Mtpano):
    """Angles of all pixels in one pool, kept as a histogram of thousandths of a degree."""

    def __init__(self, layout: str) -> None:
        super().__init__(layout)
        self._counts_unknown = layout == "matterport3d"
        if self._counts_unknown:
            self.note = f"{self.note} Pixels without a true normal enter as errors of 0 degrees (quirk of this set)."
        self._histogram = np.zeros(180 * _BINS_PER_DEGREE + 1, np.int64)
        self._sums = np.zeros(2)

    def add(self, prediction: Prediction, truth: Truth) -> dict[str, float]:
        true = present(truth.normals)
        said = on_grid(present(prediction.normals), truth)
        known = np.isfinite(true).all(axis=-1)
        angles = np.zeros(known.shape)
        answered = np.isfinite(said).all(axis=-1) & (said != 0).any(axis=-1)
        # What has no length is at right angles to everything, as its product with anything is zero.
        angles[known] = 90.0
        both = known & answered
        angles[both] = np.degrees(angle_between(said[both], true[both]))
        pool = angles.ravel() if self._counts_unknown else angles[known]
        histogram = np.bincount(np.rint(pool * _BINS_PER_DEGREE).astype(np.int64), minlength=len(self._histogram))
        sums = np.array([pool.sum(), (pool**2).sum()])
        self._histogram += histogram
        self._sums += sums
        return _pooled_angles(histogram, sums)

    def means(self) -> dict[str, float]:
        return _pooled_angles(self._histogram, self._sums)


def _pooled_angles(histogram: NDArray[np.int64], sums: NDArray[np.float64]) -> dict[str, float]:
    count = int(histogram.sum())
    if count == 0:
        return {}
    below = np.cumsum(histogram)
    shares = {
        f"< {limit:g} deg": float(below[round(limit * _BINS_PER_DEGREE) - 1] / count) for limit in (11.25, 22.5, 30)
    }
    return {
        "mean deg": float(sums[0] / count),
        "median deg": float(np.searchsorted(below, count / 2) / _BINS_PER_DEGREE),
        "RMSE deg": float(np.sqrt(sums[1] / count)),
    } | shares


class MtpanoClasses(_Mtpano):
    """IoU of classes from pooled pixels, averaged over all classes of the set."""

    def __init__(self, layout: str) -> None:
        super().__init__(layout)
        self._skips_empty = layout == "structured3d"
        empty = "left out (quirk of this set)" if self._skips_empty else "counted as 0 (quirk)"
        self.note = f"{self.note} Classes that occur nowhere are {empty}."
        self._pool: NDArray[np.int64] | None = None

    def add(self, prediction: Prediction, truth: Truth) -> dict[str, float]:
        count = len(truth.class_names)
        true = present(truth.classes).astype(np.int64)
        said = classes_in(prediction, truth)
        judged = (true >= 0) & (true < count)
        said = np.where(said < 0, count, said)
        cells = np.bincount(true[judged] * (count + 1) + said[judged], minlength=count * (count + 1))
        cells = cells.reshape(count, count + 1)
        self._pool = cells if self._pool is None else self._pool + cells
        return {"mIoU": self._mean(cells)}

    def means(self) -> dict[str, float]:
        return {} if self._pool is None else {"mIoU": self._mean(self._pool)}

    def _mean(self, cells: NDArray[np.int64]) -> float:
        right = np.diag(cells).astype(np.float64)
        union = cells.sum(axis=1) + cells.sum(axis=0)[:-1] - right
        ious = right / np.maximum(union, 1)
        return float(ious[union > 0].mean() if self._skips_empty and (union > 0).any() else ious.mean())


def _metric(truth: Truth) -> NDArray[np.float32]:
    depth: NDArray[np.float32] = present(truth.depth)
    if not truth.is_metric:
        raise PanoError(
            f"Expected ranges in metres, which the papers' protocols need, got ranges of no unit; leave --protocol "
            f"out: {truth.name}"
        )
    return depth


def _pick_cv2(values: NDArray[Any]) -> NDArray[Any]:
    """Nearest pixels as OpenCV takes them: that of the corner, not of the middle."""
    height, width = values.shape[:2]
    rows = np.minimum((np.arange(HEIGHT) * (height / HEIGHT)).astype(np.int64), height - 1)
    columns = np.minimum((np.arange(WIDTH) * (width / WIDTH)).astype(np.int64), width - 1)
    picked: NDArray[Any] = values[rows][:, columns]
    return picked


def _pick_pil(values: NDArray[Any]) -> NDArray[Any]:
    """Nearest pixels as Pillow takes them: that under the middle."""
    height, width = values.shape[:2]
    rows = np.minimum(((np.arange(HEIGHT) + 0.5) * (height / HEIGHT)).astype(np.int64), height - 1)
    columns = np.minimum(((np.arange(WIDTH) + 0.5) * (width / WIDTH)).astype(np.int64), width - 1)
    picked: NDArray[Any] = values[rows][:, columns]
    return picked
