"""How sharp a depth of the photograph's size is: bilinear, guided by colours, and from perspective tiles, side by side.

Judged on generated worlds, overall and beside the edges of the true depth. The tiles are seen by a teacher that knows
the truth but for a factor and a shift of each tile, so that the figures are about bringing tiles together and not about
any network; what a real one adds or spoils comes on top.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.table import Table

from core.geometry.sphere import solid_angle
from core.geometry.warp import resize_erp
from core.models.base import PanoramaModel
from core.models.detail import refine_by_tiles
from core.models.tiled import DepthKind
from core.models.upsample import upsample_prediction
from core.prediction import Prediction
from core.progress import Progress, silent
from training.metrics import weighted_median
from training.teachers import WorldTeacher
from training.truths import Truth, read_truths

F32 = NDArray[np.float32]

JUMP = 1.1
"""Ratio of neighbouring true ranges from which on there is an edge between them."""
BESIDE = 3
"""Pixels from such an edge that are judged as beside it."""
WRONG = 0.1
"""Relative error from which on a pixel lies on no surface or on the wrong one."""
COARSE_ROWS = 256
TILE = 256
METHODS = ("bilinear", "guided", "tiles", "tiles of a teacher off by 10 %")
ERRORS = (0.0, 0.1)
"""Of the teachers, in the order of the methods."""


@dataclass(frozen=True)
class DetailScores:
    """Errors after one factor for the picture; solid-angle weights.

    Attributes:
        absrel: Mean relative error where both are known.
        edge_absrel: The same beside edges.
        edge_wrong: Share of the pixels beside edges with a relative error above `WRONG`, or without an answer.
    """

    absrel: float
    edge_absrel: float
    edge_wrong: float


def detail_scores(depth: F32, truth: F32) -> DetailScores:
    """Judge a depth against the true one, (h, w) each, NaN unknown."""
    weights = np.broadcast_to(solid_angle(*truth.shape), truth.shape)
    known = np.isfinite(truth)
    both = known & np.isfinite(depth)
    scale = weighted_median(truth[both], weights[both]) / weighted_median(depth[both], weights[both])
    off = np.where(both, np.abs(depth * scale / truth - 1), np.nan)
    edge = depth_edges(truth) & known
    at = edge & both
    wrong = edge & ~(off <= WRONG)
    return DetailScores(
        absrel=float(np.average(off[both], weights=weights[both])),
        edge_absrel=float(np.average(off[at], weights=weights[at])) if at.any() else np.nan,
        edge_wrong=float(weights[wrong].sum() / weights[edge].sum()) if edge.any() else np.nan,
    )


def depth_edges(truth: F32) -> NDArray[np.bool_]:
    """(h, w) True within `BESIDE` pixels of a jump of the true range, or of the border of what is far."""
    inverse = np.nan_to_num(1 / truth)
    margin = BESIDE + 1
    wide = np.concatenate([inverse[:, -margin:], inverse, inverse[:, :margin]], axis=1)
    jumps = cv2.dilate(wide, np.ones((3, 3), np.uint8)) > JUMP * cv2.erode(wide, np.ones((3, 3), np.uint8))
    side = 2 * BESIDE + 1
    near = cv2.dilate(jumps.astype(np.uint8), np.ones((side, side), np.uint8))[:, margin:-margin]
    edges: NDArray[np.bool_] = near > 0
    return edges


def evaluate_detail(
    folder: Path, *, model: PanoramaModel | None, progress: Progress = silent
) -> list[tuple[str, str, DetailScores]]:
    """Judge the three ways on every world of a folder, from the true depth made coarse and from a model's.

    Args:
        folder: Generated worlds of more than `COARSE_ROWS` rows.
        model: Whose low-resolution depth is made larger as well; None for the truth alone.
        progress: Called after each world.

    Returns:
        (world, "what was made larger: how", scores) for each.

    Raises:
        PanoError: There is nothing to judge on.
    """
    rows: list[tuple[str, str, DetailScores]] = []
    truths = list(read_truths(folder, "depth"))
    for done, truth in enumerate(truths, start=1):
        if truth.depth is None:
            continue
        starts = [("truth, coarse", coarse_truth(truth))]
        if model is not None:
            starts.append(("model", model.predict(truth.rgb)))
        for name, start in starts:
            for method, depth in larger(start, truth):
                rows.append((truth.name, f"{name}: {method}", detail_scores(depth, truth.depth)))
        progress(done, len(truths))
    return rows


def coarse_truth(truth: Truth) -> Prediction:
    """What a perfect network of `COARSE_ROWS` rows would say: the mean of the inverse range over its pixels."""
    if truth.depth is None:
        raise ValueError("a world without depth has no coarse one")
    size = COARSE_ROWS, 2 * COARSE_ROWS
    far = None if truth.far is None else resize_erp(truth.far, *size)
    depth = np.reciprocal(resize_erp(np.reciprocal(truth.depth), *size))
    if far is not None:
        depth = np.where(far, np.float32(np.nan), depth)
    return Prediction(depth=depth, far=far, is_metric=True, model="truth")


def larger(start: Prediction, truth: Truth) -> Iterator[tuple[str, F32]]:
    """A coarse depth at the size of the picture, by each of `METHODS`."""
    if start.depth is None:
        raise ValueError("there is no depth to make larger")
    height, width = truth.rgb.shape[:2]
    yield METHODS[0], np.reciprocal(resize_erp(np.reciprocal(start.depth), height, width))
    guided = upsample_prediction(start, truth.rgb)
    if guided.depth is not None:
        yield METHODS[1], guided.depth
    known = replace(truth, classes=None, normals=None)
    for method, error in zip(METHODS[2:], ERRORS, strict=True):
        teacher = WorldTeacher(known, depth_kind=DepthKind.INVERSE, size=TILE, error=error)
        refined = refine_by_tiles(guided, start.depth, truth.rgb, teacher)
        if refined.depth is not None:
            yield method, refined.depth


def detail_table(rows: Sequence[tuple[str, str, DetailScores]], folder: str, model: str) -> Table:
    """Means over the worlds for the terminal."""
    table = Table(
        title=f"depth of the photograph's size on {folder}, {len({row[0] for row in rows})} worlds", box=SIMPLE_HEAD
    )
    table.add_column("way")
    for name in ("AbsRel", "AbsRel at edges", f"off by > {WRONG:.0%} at edges"):
        table.add_column(name, justify="right")
    for way in dict.fromkeys(row[1] for row in rows):
        own = [scores for _, name, scores in rows if name == way]
        means = [np.nanmean([getattr(s, field) for s in own]) for field in ("absrel", "edge_absrel", "edge_wrong")]
        table.add_row(way.replace("model:", f"{model}:"), *(f"{mean:.4f}" for mean in means))
    return table
