"""Judging a model on worlds and on labelled photographs, by the very path that a user's photograph takes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from core.errors import PanoError
from core.geometry.sphere import erp_angles, erp_rays
from core.models import load_model
from core.models.base import PanoramaModel
from core.models.levelled import predict_panorama
from core.models.own import CARD_SUFFIX
from core.models.pano_s import NAME, PanoS
from core.panorama import Panorama
from core.prediction import Prediction
from training.checkpoint import is_run_place, load_checkpoint, recipe_of
from training.dataset import held_out_worlds
from training.datasets import find_layout
from training.export_model import STEM, export_model, export_run
from training.judges import needed
from training.protocols import ProtocolName, judge_of
from training.truths import PICTURE_CLASSES, JudgedTask, read_truths

_REAL_ROOM = "03_lebombo"
_WANTED = {"depth": "AbsRel at most 0.07", "normals": "mean at most 10 deg", "classes": "mIoU at least 0.8"}
"""Of pano-s on that picture."""
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
        note: How was judged.
        layout: Name of the folder's layout.
        protocol: Name of the protocol.
    """

    task: str
    model: str
    folder: str
    rows: tuple[Row, ...]
    means: Mapping[str, float]
    baseline: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    layout: str = ""
    protocol: ProtocolName = "corrected"

    def facts(self) -> dict[str, Any]:
        """As plain values, for the model card."""
        return asdict(self)


def evaluate(
    task: JudgedTask,
    folder: Path,
    *,
    model: str | Path,
    run: Path | None = None,
    protocol: ProtocolName = "corrected",
    layout: str | None = None,
) -> Report:
    """Judge a model on every picture of a folder that is labelled for a task.

    In the folder of worlds that a run was trained on, only those are judged by that it held out.

    Args:
        task: 'depth', 'normals' or 'classes'.
        folder: As for `read_truths`.
        model: A name of the catalogue, a folder or file of exported weights, or a checkpoint or folder of a training
            run of any recipe.
        run: Where the weights come from, when the model is a file of weights.
        protocol: How it is judged: corrected, or as a paper does.
        layout: How the folder lies; found out when left out.

    Raises:
        PanoError: There is nothing to judge on, no such model, or a protocol that does not judge this task.
    """
    truths = read_truths(folder, task, worlds=worlds_held_out(run or model, folder), layout=layout, alone=True)
    first = next(truths, None)
    if first is None:
        raise PanoError(f"Expected panoramas labelled for {task}, got none; choose another task or folder: {folder}")
    found = layout or find_layout(folder)[0].name
    make = judge_of(protocol, task, found)
    opened = open_model(model)
    name = model if isinstance(model, str) else model.name
    rows, said, guessed = [], make(), make()
    for truth in map(said.prepare, chain([first], truths)):
        prediction = predict_panorama(opened, Panorama(truth.rgb), tasks=needed(task))
        rows.append(Row(truth.name, said.add(prediction, truth)))
        guessed.add(round_room(truth.rgb.shape[0]), truth)
    means, baseline = said.means(), guessed.means()
    return Report(
        task, Path(name).name, folder.name, tuple(rows), means, baseline, said.note, layout=found, protocol=protocol
    )


def open_model(model: str | Path) -> PanoramaModel:
    """A model by its name, or by the folder or file of exported weights, a checkpoint or the folder of a run."""
    path = Path(model)
    if _is_name(model):
        return load_model(str(model))
    if not is_run_place(path):
        has_card = path.is_dir() or path.with_suffix(CARD_SUFFIX).is_file()
        return load_model(str(path.absolute())) if has_card else PanoS(path)
    with tempfile.TemporaryDirectory() as folder:
        if recipe_of(path) == NAME:
            export_model(path, Path(folder))
            return PanoS(Path(folder) / f"{STEM}.safetensors")
        export_run(path, Path(folder))
        return load_model(folder)


def _is_name(model: str | Path) -> bool:
    return isinstance(model, str) and not Path(model).exists()


def worlds_held_out(run: str | Path, folder: Path) -> list[Path] | None:
    """The worlds of a folder that a run was trained on, as far as it held them out; None for other folders."""
    path = Path(run)
    if _is_name(run) or not is_run_place(path):
        return None
    return held_out_worlds(folder, load_checkpoint(path, recipe_of(path))["config"])


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
    caption = report.note
    if report.protocol == "corrected" and any(row.picture == _REAL_ROOM for row in report.rows):
        caption += f" Wanted on {_REAL_ROOM}: {_WANTED[report.task]}."
    table = Table(
        title=f"{report.task} of {report.model} on {report.folder}",
        caption=caption,
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
