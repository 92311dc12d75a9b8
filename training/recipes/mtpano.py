"""The recipe of MTPano (arXiv:2602.05330).

Numbers that stand here are those of its published training code unless said otherwise. What it has in common with other
recipes, such as warm-up, averaging, and how panoramas are turned, mirrored and recoloured, is our choice: the published
training changes its panoramas in no way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from core.colors import class_colors, depth_colors, depth_limits, normal_colors
from core.geometry.camera import Camera
from core.geometry.sphere import erp_rays
from core.models.ade20k import ADE20K_NAMES
from core.models.mtpano import Mtpano408k
from core.models.networks.mtpano import HELPERS, TASKS, MtpanoConfig, MtpanoNet
from training.auxiliary import edge_distance, image_gradient, point_map
from training.config import Limits
from training.labelled import NO_CLASS, Labelled
from training.metrics import Confusion, depth_scores, normal_scores
from training.objectives import tasks
from training.objectives.tasks import TaskTruth, published_normals
from training.recipes.base import Batch, Headline, Shipped
from training.recipes.panoramas import (
    PanoramaRecipe,
    PanoramaTraining,
    device_of,
    metres_of,
    pictures_of,
    present,
)
from training.recipes.transformers import SIZES

_PUBLISHED_TAPS = (5, 11, 17, 23)
_FIRST_METRES = 4.0
"""What a fresh network says everywhere, about [our choice]."""
_FARTHEST = 65.5
"""Metres that a published label can say."""
_VIEW_FOV_DEG = (80.0, 120.0)
"""Of a single view; its yaw and pitch are any [readers of the paper]."""
_VIEW_SIZE = 64
"""Pixels across a view of a world, of which only the outline counts [our choice]."""


@dataclass(frozen=True)
class MtpanoTraining(PanoramaTraining):
    """How mtpano is trained. Depth is taught by single views once it has begun; normals and classes never are."""

    batch: int = 4
    """Panoramas in one part of a step; for each GPU in the published training."""
    steps: int = 180_000
    """Steps of the whole run, counted from the first."""
    weight_decay: float = 5e-6
    """AdamW's, on weights of two and more dimensions."""
    clip: float = 10.0
    """Largest norm of the gradient."""
    cooldown: float = 1.0
    """Last part of the run over which the learning rate falls; 1 for the whole run after warm-up. The published one
    falls by the power of 0.9, nearly a line."""
    heads_first: int = 0
    """Steps at the beginning in which only the small heads and what gathers their input learn, 1000 in the published
    training; of use with --backbone only, as a fresh transformer has nothing to gather yet."""
    views_from: int = 1000
    """Steps after these at the beginning from which on depth is taught by one single view of each panorama."""
    views: bool = True
    """Whether depth is ever taught by single views and not by whole panoramas."""
    truncation: bool = True
    """Whether what a bridge learns from the tasks of the other group is kept from them."""
    helpers: bool = True
    """Whether gradients of the picture, distances to its edges and points are learned beside the tasks."""

    LIMITS: ClassVar[Limits] = {"heads_first": (0, math.inf), "views_from": (0, math.inf)}


class MtpanoRecipe(PanoramaRecipe):
    """How mtpano is built, fed, judged, scored and shipped.

    Args:
        config: Of the run.
    """

    name = "mtpano"
    headline = Headline("absrel", higher_is_better=False)
    # At the default rate of 5e-4: 2e-5 for everything.
    transformer_rate, decoder_rate = 0.04, 0.04

    def __init__(self, config: MtpanoTraining) -> None:
        super().__init__(config)
        self._config = config
        self.reads_views = config.views
        size = SIZES[config.size]
        taps = _PUBLISHED_TAPS if config.size == "L" else size.taps
        self._network = MtpanoConfig(
            size.vit, taps, config.height // size.vit.patch, size.features, size.levels, len(ADE20K_NAMES)
        )

    def build(self) -> MtpanoNet:
        """A network with fresh weights, but for a transformer to begin from."""
        network = MtpanoNet(self._network)
        network.start_fresh(metres=_FIRST_METRES)
        self.begin(network, network.vit)
        network.vit.norm.requires_grad_(False)  # nobody asks for what is behind it
        for bridge in (network.bridge_steady, network.bridge_turning):
            bridge.truncates = self._config.truncation
        if not self._config.helpers:
            for task in HELPERS:
                network.task_head[task].classify.requires_grad_(False)
        return network

    def collate(self, panoramas: Sequence[Labelled], rng: np.random.Generator) -> dict[str, Tensor]:
        """What is taught by panoramas of the network's size; every map but the classes is (b, channels, h, w).

        'metres' are 0 and 'normals' 0 where unknown; 'view' is where or what one single view of each knows.
        """
        normals = [_normals(one) for one in panoramas]
        known = np.stack([np.isfinite(one).all(axis=-1) for one in normals])
        whole = torch.nan_to_num(_near(metres_of(panoramas)))
        batch = {
            "rgb": pictures_of(panoramas),
            "metres": whole,
            "classes": torch.from_numpy(np.stack([_classes(one) for one in panoramas])).long(),
            "normals": _as_maps([np.nan_to_num(one) for one in normals]),
            "normals_known": torch.from_numpy(known)[:, None],
        }
        if self._config.views:
            batch["view"] = torch.nan_to_num(
                _near(torch.from_numpy(np.stack([_view(one, rng) for one in panoramas]))[:, None])
            )
        if self._config.helpers:
            batch["grad"] = _as_maps([image_gradient(one.rgb) for one in panoramas])
            batch["sdf"] = _as_maps([edge_distance(one.rgb)[..., None] for one in panoramas])
        return batch

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor | float]]:
        """The published sum; while the small heads go first, that of their part."""
        net, early = _mtpano(network), batch.step < self._config.heads_first
        seen_singly = self._config.views and batch.step >= self._config.heads_first + self._config.views_from
        truth = self._truth(batch, batch["view"] if seen_singly else batch["metres"])
        answers, coarse = ({}, net.taught_coarsely(batch["rgb"])) if early else net.taught(batch["rgb"])
        limit = None if early else tasks.LARGEST
        parts: dict[str, Tensor] = {}
        for title, said, share in (("", answers, 1.0), ("coarse ", coarse, tasks.COARSE_SHARE)):
            for task, error in _errors({name: value.float() for name, value in said.items()}, truth, limit).items():
                parts[f"{title}{task}"] = share * error
        if self._config.helpers:
            told = {name: coarse[name].float() for name in HELPERS}
            errors = tasks.helper_errors(told, self._helper_targets(batch), truth)
            parts |= {name: tasks.HELPER_SHARE * error for name, error in errors.items()}
        total = torch.stack(list(parts.values())).sum()
        if early:
            # Others do not learn yet, but every process must hear of a gradient for them.
            total = total + 0.0 * torch.stack([p.sum() for p in net.parameters() if p.requires_grad]).sum()
        return total, parts

    def _truth(self, batch: Batch, metres: Tensor) -> TaskTruth:
        return TaskTruth(
            classes=batch["classes"],
            depth=metres,
            depth_known=metres > 0,
            normals=published_normals(batch["normals"]) * batch["normals_known"],
            normals_known=batch["normals_known"],
        )

    def _helper_targets(self, batch: Batch) -> dict[str, Tensor]:
        """By the names of `HELPERS`; points in the published frame: right, down, backward."""
        height, width = batch["metres"].shape[2:]
        rays = torch.from_numpy(point_map(np.ones((height, width), np.float32))).permute(2, 0, 1)
        backward = torch.tensor([1.0, 1.0, -1.0])[:, None, None]
        points = batch["metres"] * (rays * backward).to(batch["metres"])
        return {"grad": batch["grad"], "sdf": batch["sdf"], "point": points}

    @torch.no_grad()
    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """Over held-out worlds at the network's size, by area: AbsRel without alignment, normals in degrees, mIoU.

        Depth is judged where a published label could say it, within 65.5 m.
        """
        network.eval()
        absrel, angles, confusion = [], [], Confusion(ADE20K_NAMES)
        for panoramas in self.held_out():
            for panorama, (depth, normals, classes) in zip(
                panoramas, self._said(_mtpano(network), panoramas), strict=True
            ):
                metres = present(panorama.depth)
                true = np.where(metres <= _FARTHEST, metres, np.nan)
                if np.isfinite(true).any():
                    absrel.append(depth_scores(depth, true, align=False).absrel)
                    angles.append(normal_scores(normals, _normals(panorama)).mean_deg)
                confusion.add(classes, _classes(panorama))
        network.train()
        return {
            "absrel": float(np.mean(absrel)),
            "normals_deg": float(np.mean(angles)),
            "miou": confusion.mean_iou(),
        }

    def _said(
        self, network: MtpanoNet, panoramas: Sequence[Labelled]
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]]:
        """(h, w) metres, (h, w, 3) normals in our frame and (h, w) classes of each."""
        logits, depth, normals = network(pictures_of(panoramas).to(device_of(network)))
        a, b, c = F.normalize(normals.float(), dim=1).unbind(dim=1)
        ours = torch.stack([-c, -b, a], dim=-1).cpu().numpy()
        return list(zip(depth[:, 0].float().cpu().numpy(), ours, logits.argmax(dim=1).cpu().numpy(), strict=True))

    @torch.no_grad()
    def panels(self, network: nn.Module) -> dict[str, NDArray[np.uint8]]:
        """Pictures, prediction and truth of the first held-out worlds for each task."""
        network.eval()
        panoramas = next(self.held_out())[:4]
        rows: dict[str, list[NDArray[np.uint8]]] = {task: [] for task in TASKS}
        for panorama, (depth, normals, classes) in zip(panoramas, self._said(_mtpano(network), panoramas), strict=True):
            true = present(panorama.depth)
            limits = depth_limits(true)
            pairs = {
                "depth": (depth_colors(depth, limits=limits), depth_colors(true, panorama.far, limits=limits)),
                "normals": (normal_colors(normals), normal_colors(_normals(panorama))),
                "semseg": (class_colors(classes, ADE20K_NAMES), class_colors(_classes(panorama), ADE20K_NAMES)),
            }
            for task, pair in pairs.items():
                rows[task].append(np.concatenate([panorama.rgb, *pair], axis=1))
        network.train()
        return {task: np.concatenate(pictures) for task, pictures in rows.items()}

    def ship(self, network: nn.Module) -> Shipped:  # noqa: ARG002 - the configuration tells its size
        """The weights and what describes them."""
        config = self._config
        return Shipped(
            model=Mtpano408k.name,
            stem=self.name,
            metadata=self._network.to_metadata(),
            about="The network of MTPano (arXiv:2602.05330), trained by this project's recipe and not the published "
            "weights. It says metres along each ray, normals, and classes of ADE20K.",
            data=self.data(),
            licence=self.terms(),
            facts={
                "Transformer": f"ViT-{config.size}/16",
                "Works at": f"{2 * config.height} x {config.height} (width x height), and at no other size",
            },
        )


def _errors(said: Mapping[str, Tensor], truth: TaskTruth, limit: float | None) -> dict[str, Tensor]:
    """The errors of the three tasks, as far as they were answered."""
    errors: dict[str, Callable[[Tensor], Tensor]] = {
        "semseg": lambda value: tasks.class_error(value, truth.classes),
        "depth": lambda value: tasks.depth_error(value, truth, limit=limit),
        "normals": lambda value: tasks.normal_error(value, truth),
    }
    return {task: error(said[task]) for task, error in errors.items() if task in said}


def _view(panorama: Labelled, rng: np.random.Generator) -> NDArray[np.float32]:
    """(h, w) metres that one single view knows: of a teacher's views what it said itself, of a world its part."""
    height, width = panorama.size
    views = panorama.patches
    if views is not None and views.depth is not None and len(views.cameras):
        number = int(rng.integers(len(views.cameras)))
        scale = 1.0 if views.scales is None else float(views.scales[number])
        return views.depth_on_sphere(number, height, width) * np.float32(scale)
    fov = math.radians(rng.uniform(*_VIEW_FOV_DEG))
    yaw, pitch = rng.uniform(-math.pi, math.pi), rng.uniform(-math.pi / 2, math.pi / 2)
    u, v = Camera(yaw, pitch, 0.0, fov, _VIEW_SIZE, _VIEW_SIZE).project(erp_rays(height, width))
    # Comparisons with NaN, which stands behind the camera, are false.
    inside = (u >= 0) & (u <= _VIEW_SIZE) & (v >= 0) & (v <= _VIEW_SIZE)
    return np.where(inside, present(panorama.depth), np.float32(np.nan))


def _near(metres: Tensor) -> Tensor:
    return torch.where(metres <= _FARTHEST, metres, torch.nan)


def _normals(panorama: Labelled) -> NDArray[np.float32]:
    """(h, w, 3), NaN where unknown."""
    return np.full((*panorama.size, 3), np.nan, np.float32) if panorama.normals is None else panorama.normals


def _classes(panorama: Labelled) -> NDArray[np.int16]:
    """(h, w) of ADE20K, -1 where unknown."""
    if panorama.classes is None:
        return np.full(panorama.size, NO_CLASS, np.int16)
    return panorama.classes_among(ADE20K_NAMES)


def _as_maps(arrays: Sequence[NDArray[np.float32]]) -> Tensor:
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)


def _mtpano(network: nn.Module) -> MtpanoNet:
    if not isinstance(network, MtpanoNet):
        raise TypeError(f"expected an MtpanoNet, got {type(network).__name__}")
    return network
