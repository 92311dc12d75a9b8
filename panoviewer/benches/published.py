"""How much published networks change their mind when the panorama is turned, with and without what is done about it.

A panorama has no left side and no upper row; whatever changes when it is turned and the answer turned back is an error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import rotation_from_angles
from core.geometry.normals import unit
from core.geometry.sphere import angle_between, erp_angles, solid_angle
from core.models import find_model, weights_file
from core.models.base import PanoramaModel
from core.models.levelled import predict_panorama
from core.panorama import Panorama
from core.prediction import Prediction
from core.progress import Progress, silent
from panoviewer.benches.fixture_weights import fixture_state
from panoviewer.benches.measuring import threads
from panoviewer.benches.pictures import sample_panorama
from panoviewer.benches.rows import Plan, Row, Unit, sample_of, size_text

if TYPE_CHECKING:
    from torch import Tensor

    from core.models.dap import Dap
    from core.models.mtpano import Mtpano

ROWS = 128
"""Of the pictures at the reference width; the networks were trained on four times as many."""
TURNS = {
    "rolled by 1/4": rotation_from_angles(math.pi / 2, 0.0, 0.0),
    "rolled by 1/2": rotation_from_angles(math.pi, 0.0, 0.0),
    "rolled by 3/4": rotation_from_angles(-math.pi / 2, 0.0, 0.0),
    "pitched by 90 degrees": rotation_from_angles(0.0, math.pi / 2, 0.0),
}
POLAR = math.radians(60.0)
"""Latitude from which on a place counts as near a pole."""
ONE_PASS = "one pass"
_PATCH = 16


def measure(plan: Plan, tell: Callable[[str], None]) -> Iterator[Row]:
    """Rows by network, each beside what the network alone says in one pass."""
    rows = max(4, round(ROWS * plan.width / 4096 / _PATCH))
    with threads(1):
        for name, make in (("dap", _dap), ("mtpano-140k", _mtpano)):
            tell(f"the weights of {name}")
            model, note = make(name, rows)
            yield from _rows_of(name, model, rows * _PATCH, note, tell)


def _rows_of(name: str, model: Dap | Mtpano, height: int, note: str, tell: Callable[[str], None]) -> Iterator[Row]:
    rgb = sample_panorama(2 * height).rgb
    size = size_text(2 * height)
    both: tuple[PanoramaModel, PanoramaModel] = (model, OnePass(model))
    tell(f"{name} as it is")
    upright = [asked.predict(rgb) for asked in both]

    def row(task: str, unit_: Unit, values: list[float]) -> Row:
        found, beside = (sample_of([value]) if math.isfinite(value) else None for value in values)
        return Row(f"{name}: {task}", size, 1, unit_, found, ONE_PASS, beside, note=note)

    yield row("jump of depth between the sides", Unit.SHARE, [_jump(said, 0) for said in upright])
    yield row("jump of depth between two columns elsewhere", Unit.SHARE, [_jump(said, height // 2) for said in upright])
    everywhere = np.ones((height, 2 * height), np.bool_)
    polar = np.broadcast_to(np.abs(erp_angles(height, 2 * height)[1])[:, None] > POLAR, everywhere.shape)
    for turn, rotation in TURNS.items():
        tell(f"{name} {turn}")
        panorama = Panorama(rgb=rgb, level_from_world=rotation)
        turned = [predict_panorama(asked, panorama, size="native") for asked in both]
        places = {"": everywhere} | ({", near the poles": polar} if "pitched" in turn else {})
        for place, where in places.items():
            for what, unit_, difference in DIFFERENCES:
                if what in upright[0].maps():
                    values = [difference(a, b, where) for a, b in zip(upright, turned, strict=True)]
                    yield row(f"{what}, {turn}{place}", unit_, values)


class OnePass:
    """What a network says by itself: no second look, no blending.

    Args:
        model: Whose network it is.
    """

    def __init__(self, model: Dap | Mtpano) -> None:
        self._model = model

    def predict(self, rgb: NDArray[np.uint8], *, progress: Progress = silent) -> Prediction:
        """See `core.models.base.PanoramaModel`."""
        from core.models.dap import RANGE
        from core.models.mtpano import LEAST_DEPTH

        raw = self._model.raw(rgb, progress=progress)
        if "pred_depth" in raw:
            return Prediction(depth=RANGE * raw["pred_depth"])
        a, b, c = raw["normals"]
        return Prediction(
            depth=np.where(raw["depth"] > LEAST_DEPTH, raw["depth"], np.float32(np.nan)),
            normals=unit(np.stack([-c, -b, a], axis=-1)),
            classes=raw["semseg"].argmax(axis=0).astype(np.int16),
        )


def _mean(values: NDArray[Any], where: NDArray[np.bool_]) -> float:
    """Over the sphere; NaN where there is nothing."""
    known = where & np.isfinite(values)
    weights = np.where(known, solid_angle(*values.shape), 0)
    return float((np.where(known, values, 0) * weights).sum() / weights.sum()) if known.any() else math.nan


def _depth(a: Prediction, b: Prediction, where: NDArray[np.bool_]) -> float:
    """Mean difference of the logarithms: a share, while it is small."""
    return math.nan if a.depth is None or b.depth is None else _mean(np.abs(np.log(a.depth) - np.log(b.depth)), where)


def _normals(a: Prediction, b: Prediction, where: NDArray[np.bool_]) -> float:
    """Mean angle in degrees."""
    if a.normals is None or b.normals is None:
        return math.nan
    with np.errstate(invalid="ignore"):
        return _mean(np.degrees(angle_between(a.normals, b.normals)), where)


def _classes(a: Prediction, b: Prediction, where: NDArray[np.bool_]) -> float:
    """Share of the sphere that is called something else."""
    return math.nan if a.classes is None or b.classes is None else _mean((a.classes != b.classes) * 1.0, where)


Difference = Callable[[Prediction, Prediction, NDArray[np.bool_]], float]
DIFFERENCES: tuple[tuple[str, Unit, Difference], ...] = (
    ("depth", Unit.SHARE, _depth),
    ("normals", Unit.DEGREES, _normals),
    ("classes", Unit.SHARE, _classes),
)


def _jump(said: Prediction, column: int) -> float:
    """Mean difference of the logarithms of depth between a column and the one before it, which may be the last."""
    if said.depth is None:
        return math.nan
    jump = np.abs(np.log(said.depth[:, column]) - np.log(said.depth[:, column - 1]))[:, None]
    return _mean(jump, np.ones(jump.shape, np.bool_))


def _dap(name: str, rows: int) -> tuple[Dap, str]:
    """The model for pictures of so many rows of patches, and what its weights are."""
    import torch

    from core.models.dap import Dap, published_layout
    from core.models.networks import dap
    from core.models.networks.vit import rope_periods

    while dap.is_ambiguous(rows * _PATCH, 2 * rows * _PATCH):
        rows += 1
    with torch.device("meta"):
        network = dap.DapNet(dap.PUBLISHED)
    layout = published_layout()
    of_keys = torch.ones(3).index_fill(0, torch.tensor(1), 0).repeat_interleave(dap.PUBLISHED.vit.width)
    fixed = {key: of_keys for key in layout.shapes if key.endswith("bias_mask")}
    fixed |= {key: rope_periods() for key in layout.shapes if key.endswith("periods")}
    state, note = _state(name, lambda: fixture_state(layout, fixed))
    network.load_state_dict(state, assign=True)
    return Dap.of_network(network, height=rows * _PATCH), note


def _mtpano(name: str, rows: int) -> tuple[Mtpano, str]:
    """The same for MTPano, whose grid is laid out anew, as it knows no other size than that of its file."""
    from dataclasses import replace

    import torch

    from core.models.mtpano import Mtpano140k
    from core.models.mtpano_layout import mtpano_layout
    from core.models.networks import mtpano

    config = replace(mtpano.PUBLISHED, rows=rows)
    with torch.device("meta"):
        network = mtpano.MtpanoNet(config)
    rays, place = mtpano.places(rows)
    state, note = _state(name, lambda: fixture_state(mtpano_layout(config), {"RayDir": rays, "PE": place}))
    network.load_state_dict({**state, "rays": rays, "place": place}, assign=True)
    return Mtpano140k.of_network(network), note


def _state(name: str, by_rule: Callable[[], dict[str, Tensor]]) -> tuple[dict[str, Tensor], str]:
    """The weights that the user added, or else those by the rule, and which they are."""
    from safetensors.torch import load_file

    path = weights_file(find_model(name))
    if path.is_file():
        return load_file(path), f"With the added weights, {path.name}."
    return by_rule(), "With weights by a rule: no answer means anything, but it may not depend on where it begins."
