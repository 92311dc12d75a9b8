"""Judging a model on worlds and on labelled photographs, by the very path that a user's photograph takes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.table import Table

from core.errors import PanoError
from core.geometry.sphere import erp_angles, erp_rays
from core.models import load_model
from core.models.base import PanoramaModel, Task
from core.models.levelled import predict_panorama
from core.models.pano_s import NAME, PanoS
from core.panorama import Panorama
from core.prediction import Prediction
from training.checkpoint import load_checkpoint
from training.dataset import held_out_worlds
from training.export_model import STEM, export_model
from training.metrics import Confusion, depth_scores, mask_iou, normal_scores
from training.truths import PICTURE_CLASSES, JudgedTask, Truth, read_truths
from training.worlds.classes import FURNITURE, VEHICLE

_GROUPS = {"furniture": FURNITURE, "vehicle": VEHICLE}
_SHOWN_APART = ("door", "windowpane")
_WANTED = {
    "depth": "wanted on 03_lebombo: AbsRel at most 0.07",
    "normals": "wanted on 03_lebombo: mean at most 10 deg",
    "classes": "wanted on 03_lebombo: mIoU at least 0.8; on held-out worlds: mIoU at least 0.5, door, windowpane, "
    "furniture and vehicle each above 0.2",
}
_BASELINE_RADIUS = 2.7
_BASELINE_CEILING = 0.75
_BASELINE_CAMERA_HEIGHT = 1.5


@dataclass(frozen=True)
class Row:
    """The scores of one picture by their names."""

    picture: str
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Report:
    """How a model did on a folder.

    Attributes:
        task: What was judged.
        model: Name or file of the model.
        folder: Name of the folder.
        rows: One for each picture.
        means: Over the pictures; for classes, of the areas of all pictures together.
        baseline: The same means of `round_room`, which never looks.
    """

    task: str
    model: str
    folder: str
    rows: tuple[Row, ...]
    means: Mapping[str, float]
    baseline: Mapping[str, float] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """As plain values, for the model card."""
        return asdict(self)


def evaluate(task: JudgedTask, folder: Path, *, model: str | Path, run: Path | None = None) -> Report:
    """Judge a model on every picture of a folder that is labelled for a task.

    In the folder of worlds that a run was trained on, only those are judged by that it held out.

    Args:
        task: 'depth', 'normals' or 'classes'.
        folder: As for `read_truths`.
        model: A name of the catalogue, a safetensors file, or a checkpoint or folder of a training run.
        run: Where the weights come from, when the model is a file of weights.

    Raises:
        PanoError: There is nothing to judge on, or no such model.
    """
    opened = open_model(model)
    name = model if isinstance(model, str) else model.name
    score = {"depth": _score_depth, "normals": _score_normals, "classes": _score_classes}[task]
    rows, said, guessed = [], _Sums(), _Sums()
    for truth in read_truths(folder, task, worlds=_held_out(run or model, folder)):
        panorama = Panorama(truth.rgb)
        prediction = predict_panorama(opened, panorama, tasks=_needed(task))
        rows.append(Row(truth.name, score(prediction, truth, said)))
        score(round_room(truth.rgb.shape[0]), truth, guessed)
    return Report(task, Path(name).name, folder.name, tuple(rows), said.means(), guessed.means())


def open_model(model: str | Path) -> PanoramaModel:
    """A model by its name, or by a file of weights, a checkpoint or the folder of a run."""
    path = Path(model)
    if _is_name(model):
        return load_model(str(model))
    if path.suffix == ".safetensors":
        return PanoS(path)
    with tempfile.TemporaryDirectory() as folder:
        export_model(path, Path(folder))
        return PanoS(Path(folder) / f"{STEM}.safetensors")


def _is_name(model: str | Path) -> bool:
    return isinstance(model, str) and not Path(model).exists()


def _held_out(run: str | Path, folder: Path) -> list[Path] | None:
    """The worlds of a folder that a run was trained on, as far as it held them out; None for other folders."""
    path = Path(run)
    if _is_name(run) or path.suffix == ".safetensors":
        return None
    return held_out_worlds(folder, load_checkpoint(path, NAME)["config"])


class _Sums:
    """What the means are made of."""

    def __init__(self) -> None:
        self.scores: dict[str, list[float]] = {}
        self.confusion: Confusion | None = None
        self.far = Confusion(("near", "far"))

    def add(self, scores: Mapping[str, float]) -> None:
        for name, value in scores.items():
            self.scores.setdefault(name, []).append(value)

    def means(self) -> dict[str, float]:
        if self.confusion is not None:
            return _class_means(self.confusion, self.far)
        return {name: float(np.mean(values)) for name, values in self.scores.items()}


def _needed(task: JudgedTask) -> tuple[Task, ...]:
    # The far mask is judged beside the classes and comes with the depth.
    return (Task.CLASSES, Task.DEPTH) if task == "classes" else (Task(task),)


def _score_depth(prediction: Prediction, truth: Truth, sums: _Sums) -> dict[str, float]:
    said, true = _present(prediction.depth), _present(truth.depth)
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
    sums.add(scores)
    return scores


def _score_normals(prediction: Prediction, truth: Truth, sums: _Sums) -> dict[str, float]:
    judged = normal_scores(_present(prediction.normals), _present(truth.normals))
    scores = {
        "mean deg": judged.mean_deg,
        "median deg": judged.median_deg,
        "< 11.25 deg": judged.within_11,
        "missing": judged.missing,
    }
    sums.add(scores)
    return scores


def _score_classes(prediction: Prediction, truth: Truth, sums: _Sums) -> dict[str, float]:
    true = _present(truth.classes)
    index = np.array([*(_index_of(name, truth.class_names) for name in prediction.class_names), -1])
    said = index[_present(prediction.classes)]
    picture = Confusion(truth.class_names)
    picture.add(said, true)
    sums.confusion = sums.confusion or Confusion(truth.class_names)
    sums.confusion.areas += picture.areas
    scores = {"mIoU": picture.mean_iou()}
    if truth.far is not None and prediction.far is not None:
        scores["far IoU"] = mask_iou(prediction.far, truth.far)
        sums.far.add(prediction.far, truth.far)
    return scores


def _class_means(confusion: Confusion, far: Confusion) -> dict[str, float]:
    """Of all pictures together: mIoU, IoU of what is far, then the groups that stand apart, then every class."""
    ious = confusion.ious()
    means = {"mIoU": confusion.mean_iou()}
    if "far" in far.ious():
        means["far IoU"] = far.ious()["far"]
    members = [name for group in _GROUPS.values() for name in group]
    groups = confusion.grouped(_GROUPS).ious() if set(members) <= set(confusion.names) else {}
    apart = {name: groups[name] for name in (*_SHOWN_APART, *_GROUPS) if name in groups}
    return means | apart | ious


def _index_of(name: str, names: tuple[str, ...]) -> int:
    return names.index(name) if name in names else -1


def _present(array: NDArray[Any] | None) -> NDArray[Any]:
    if array is None:
        raise PanoError("Expected a model and labels for this task, got one without it; choose another task or model.")
    return array


def round_room(height: int) -> Prediction:
    """The baseline: a round room with floor and ceiling, the same for every picture.

    Args:
        height: Rows; the width is twice that.
    """
    rays = erp_rays(height, 2 * height).astype(np.float64)
    _, lat = erp_angles(height, 2 * height)
    wall = _BASELINE_RADIUS / np.cos(lat)
    ground = np.where(lat < 0, 1.0, _BASELINE_CEILING) / np.abs(np.sin(lat))
    is_wall = np.broadcast_to((wall < ground)[:, None], rays.shape[:2])
    depth = np.broadcast_to(np.minimum(wall, ground)[:, None] * _BASELINE_CAMERA_HEIGHT, rays.shape[:2])
    inward = -rays * (1.0, 0.0, 1.0) / np.cos(lat)[:, None, None]
    vertical = np.stack([np.zeros_like(lat), np.where(lat < 0, -1.0, 1.0), np.zeros_like(lat)], axis=-1)[:, None]
    below = np.broadcast_to((lat < 0)[:, None], rays.shape[:2])
    classes = np.where(is_wall, 0, np.where(below, 1, 2))
    return Prediction(
        depth=depth.astype(np.float32),
        normals=np.where(is_wall[..., None], inward, vertical).astype(np.float32),
        classes=classes.astype(np.int16),
        class_names=PICTURE_CLASSES,
        far=np.zeros(rays.shape[:2], np.bool_),
        camera_height=_BASELINE_CAMERA_HEIGHT,
        is_metric=True,
        model="round room",
    )


def report_table(report: Report) -> Table:
    """A report for the terminal: pictures, their mean, and the baseline's; every number is readable in 80 columns."""
    columns = list(dict.fromkeys(name for row in report.rows for name in row.scores))
    table = Table(
        title=f"{report.task} of {report.model} on {report.folder}",
        caption=_WANTED[report.task],
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    # Where it is narrow, the names of pictures are broken, and neither numbers nor words of headings.
    table.add_column("picture", overflow="fold")
    for name in columns:
        values = [*(row.scores for row in report.rows), report.means, report.baseline]
        width = max(map(len, [*name.split(), *(_text(scores.get(name)) for scores in values)]))
        table.add_column(name, justify="right", min_width=width)
    for row in report.rows:
        table.add_row(row.picture, *(_text(row.scores.get(name)) for name in columns))
    table.add_section()
    for title, means in (("all pictures", report.means), ("round room (never looks)", report.baseline)):
        table.add_row(title, *(_text(means.get(name)) for name in columns), style="bold")
    for name in report.means:
        if name not in columns:
            cells = [f"{_text(report.means[name])}", *[""] * (len(columns) - 1)]
            table.add_row(f"  {name}", *cells)
    return table


def _text(value: float | None) -> str:
    return "" if value is None or np.isnan(value) else f"{value:.3f}"
