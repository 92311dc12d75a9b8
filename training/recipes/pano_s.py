"""The recipe of pano-s, the bundled depth, normal and class network. Every number here is our own choice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from core.colors import class_colors, depth_colors, depth_limits, normal_colors
from core.errors import PanoError
from core.geometry.sphere import erp_local_frames, solid_angle
from core.models.networks.pano_s import PanoSNet, PanoSOutput
from core.models.pano_s import NAME, PanoSConfig
from training import losses
from training.augment import black_out, change_colours, tilt, turn_and_mirror
from training.config import Limits, WorldTraining
from training.dataset import Photo, TrainingArrays, WorldFolder, list_photos, load_arrays, load_photo
from training.draw import Draw
from training.metrics import Confusion, depth_scores, normal_scores
from training.pool import Pool
from training.recipes.base import Batch, Headline, Recipe, Shipped
from training.start import begin_with
from training.worlds.classes import CLASS_NAMES, UNLABELLED

INDOOR_ONLY = ("floor", "ceiling", "sofa", "bed", "cabinet", "shelf", "curtain", "painting", "lamp")
OUTDOOR_ONLY = ("building", "sky", "road", "sidewalk", "grass", "earth", "tree", "car", "water", "mountain")
"""What cannot be in a photograph that is known to be taken outdoors or indoors; windows show 'windowpane'."""

_SHARES = {
    "wall": 0.225, "floor": 0.14, "ceiling": 0.124, "windowpane": 0.019, "door": 0.025, "table": 0.004, "chair": 0.007,
    "sofa": 0.002, "bed": 0.001, "cabinet": 0.007, "shelf": 0.007, "curtain": 0.004, "painting": 0.005, "lamp": 0.004,
    "plant": 0.006, "person": 0.003, "column": 0.009, "stairs": 0.001, "building": 0.027, "sky": 0.157, "road": 0.038,
    "sidewalk": 0.051, "grass": 0.056, "earth": 0.041, "tree": 0.018, "car": 0.004, "fence": 0.002, "pole": 0.001,
    "water": 0.002, "mountain": 0.002,
}  # fmt: skip
"""Shares of the sphere, measured over 300 worlds."""
_SHOWN = 4
"""Held-out worlds on the board."""
_BALANCE = 0.6
"""Power of a class's inverse share by which its pixels count more."""


@dataclass(frozen=True)
class PanoSTraining(WorldTraining):
    """How pano-s is trained; a run may be resumed with a finer grid."""

    photos: Path | None = None
    """Folder of unlabelled photographs whose manifest.tsv says indoor or outdoor: weak labels of the scene's kind.
    Those with labels beside them are left out."""
    photo_batch: int = 1
    """Photographs beside the worlds in one part of a step, when there are any."""
    start: Path | None = None
    """Weights (safetensors) or a run of this recipe to begin with; random ones when left out."""
    class_weight: float = 0.8
    """Of the two losses of classes; those of depth and normals count 1."""

    LIMITS: ClassVar[Limits] = {"photo_batch": (0, math.inf), "class_weight": (0, 1e3)}


class PanoSRecipe(Recipe):
    """How pano-s is built, fed, judged, scored and shipped.

    Args:
        config: Of the run.
    """

    name = NAME
    headline = Headline("absrel", higher_is_better=False)

    def __init__(self, config: PanoSTraining) -> None:
        super().__init__()
        if config.height < 32 or config.height % 16:
            raise PanoError(
                f"Expected a height of at least 32 that is a multiple of 16, got {config.height}; choose another "
                "--height."
            )
        self._config = config
        self._photos: list[Photo] = []
        self._start: Path | None = None
        balance = np.clip((0.02 / np.array([_SHARES[name] for name in CLASS_NAMES])) ** _BALANCE, 0.25, 5.0)
        self._class_weights = torch.tensor(balance, dtype=torch.float32)
        self._indoor_only = torch.tensor([name in INDOOR_ONLY for name in CLASS_NAMES])
        self._outdoor_only = torch.tensor([name in OUTDOOR_ONLY for name in CLASS_NAMES])

    def build(self) -> PanoSNet:
        """The network; once the data are open it begins with the weights that the configuration names."""
        network = PanoSNet(len(CLASS_NAMES))
        begin_with(network, self._start, NAME)
        return network

    def open(self) -> None:
        """Find the worlds, the photographs and the weights to begin with."""
        self._start = self._config.start
        self._worlds = WorldFolder(self._config.worlds, held_out=self._config.held_out)
        self.pools["worlds"] = Pool(self._worlds.refreshed, self._config.worlds)
        self._photos = list_photos(self._config.photos) if self._config.photos else []

    def load(self, draw: Draw) -> dict[str, Tensor]:
        """Read, turn and colour the panoramas of one part of a step; worlds come first."""
        height, rng = self._config.height, draw.rng
        worlds = self.pools["worlds"].at(draw.step)
        items = draw.many(worlds, self._config.batch, partial(load_arrays, height=height, rng=rng))
        count = min(self._config.photo_batch, len(self._photos))
        items += draw.many(self._photos, count, partial(load_photo, height=height)) if count else []
        items = [turn_and_mirror(tilt(item, rng), rng) for item in items]
        colours = [change_colours(item.rgb, rng) for item in items]
        shown, seen = zip(*(black_out(rgb, rng) for rgb in colours), strict=True)
        return collate(items, shown, labelled=self._config.batch, seen=seen)

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor | float]]:
        """The sum that is minimised, and its parts for the log."""
        rgb = batch["rgb"].contiguous(memory_format=torch.channels_last)
        output = PanoSOutput(*(said.float() for said in network(rgb)))
        known, everywhere = batch["weights"] * batch["known"], batch["weights"] * batch["labelled"]
        target = batch["log_ratio"]
        absolute = losses.log_depth_loss(output.log_ratio, target, known)
        aligned = losses.aligned_log_depth_loss(output.log_ratio, target, known)
        edges = losses.gradient_loss(output.log_ratio, target, known)
        normals = losses.normal_loss(output.local_normals, batch["local_normals"], known)
        classes = losses.class_loss(
            output.class_logits, batch["classes"], everywhere, self._class_weights.to(rgb.device), ignore=UNLABELLED
        )
        overlap = losses.overlap_loss(output.class_logits, batch["classes"], everywhere, ignore=UNLABELLED)
        surface = losses.surface_loss(output.log_ratio, target, batch["local_normals"], known)
        far = losses.presence_loss(output.far_logit, batch["labelled"] - batch["known"], everywhere)
        indoor = F.binary_cross_entropy_with_logits(output.indoor_logit, batch["indoor"])
        camera = _mean_difference(output.log_camera_height, batch["log_camera_height"])
        ceiling = _mean_difference(output.log_ceiling_ratio, batch["log_ceiling_ratio"])
        photos = self._photo_loss(output, batch)
        total = (
            absolute + aligned + 2.0 * edges + normals + 0.3 * surface
            + self._config.class_weight * (classes + overlap)
            + 0.4 * far + 0.2 * indoor + 0.3 * camera + 0.3 * ceiling + 0.2 * photos
        )  # fmt: skip
        parts = {
            "depth": absolute, "aligned": aligned, "edges": edges, "normals": normals, "surface": surface,
            "classes": classes, "overlap": overlap, "far": far,
            "indoor": indoor, "camera": camera, "ceiling": ceiling, "photos": photos,
        }  # fmt: skip
        return total, parts

    def _photo_loss(self, output: PanoSOutput, batch: Batch) -> Tensor:
        """What the kind of scene alone says: which classes cannot be, and that nothing is far inside a building."""
        unlabelled = batch["weights"] * (1 - batch["labelled"])
        inside = batch["indoor"][:, None] > 0.5
        outdoor_only, indoor_only = (kind[None].to(inside.device) for kind in (self._outdoor_only, self._indoor_only))
        excluded = torch.where(inside, outdoor_only, indoor_only)
        impossible = losses.excluded_classes_loss(output.class_logits, excluded, unlabelled)
        near = unlabelled * torch.maximum(inside[:, :, None, None].float(), batch["below"])
        far = losses.presence_loss(output.far_logit, torch.zeros_like(output.far_logit), near)
        return impossible + far

    @torch.no_grad()
    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """Means over held-out worlds at the network's own size: AbsRel (aligned), normals in degrees, class mIoU."""
        network.eval()
        height, device = self._config.height, next(network.parameters()).device
        absrel, angles, metric, indoor = [], [], [], []
        confusion = Confusion(CLASS_NAMES)
        for path in self._worlds.held_out:
            item = load_arrays(path, height)
            batch = collate([item], [item.rgb], labelled=1)
            output: PanoSOutput = network(batch["rgb"].to(device))
            ratio = output.log_ratio[0, 0].cpu().numpy()
            truth = np.where(item.known, np.exp(item.log_ratio) * item.camera_height, np.nan)
            depth = np.exp(ratio + float(output.log_camera_height[0]))
            absrel.append(depth_scores(depth, truth).absrel)
            metric.append(depth_scores(depth, truth, align=False).absrel)
            normals = output.local_normals[0].permute(1, 2, 0).cpu().numpy()
            angles.append(normal_scores(normals, item.local_normals).mean_deg)
            indoor.append((float(output.indoor_logit[0]) > 0) == bool(item.indoor))
            confusion.add(output.class_logits[0].argmax(dim=0).cpu().numpy(), item.classes)
        network.train()
        return {
            "absrel": float(np.mean(absrel)),
            "absrel_metric": float(np.mean(metric)),
            "normals_deg": float(np.mean(angles)),
            "miou": confusion.mean_iou(),
            "indoor_right": float(np.mean(indoor)),
        }

    @torch.no_grad()
    def panels(self, network: nn.Module) -> dict[str, NDArray[np.uint8]]:
        """Pictures, prediction and truth of the first held-out worlds for each task."""
        network.eval()
        device = next(network.parameters()).device
        rows: dict[str, list[NDArray[np.uint8]]] = {"depth": [], "normals": [], "classes": []}
        for path in self._worlds.held_out[:_SHOWN]:
            item = load_arrays(path, self._config.height)
            batch = collate([item], [item.rgb], labelled=1)
            output = PanoSOutput(*(said.cpu() for said in network(batch["rgb"].to(device))))
            frames = erp_local_frames(*item.known.shape)
            true_normals = np.where(item.known[..., None], item.local_normals, np.nan)
            true_classes = np.where(item.classes == UNLABELLED, -1, item.classes.astype(np.int16))
            far = output.far_logit[0, 0].numpy() > 0
            depth = np.where(far, np.nan, output.log_ratio[0, 0].exp().numpy())
            true = np.where(item.known, np.exp(item.log_ratio), np.nan)
            limits = depth_limits(true)
            said = output.local_normals[0].permute(1, 2, 0).numpy()
            pairs = {
                "depth": (depth_colors(depth, far, limits=limits), depth_colors(true, ~item.known, limits=limits)),
                "normals": tuple(
                    normal_colors(np.einsum("hwji,hwj->hwi", frames, local)) for local in (said, true_normals)
                ),
                "classes": tuple(
                    class_colors(classes, CLASS_NAMES)
                    for classes in (output.class_logits[0].argmax(dim=0).numpy(), true_classes)
                ),
            }
            picture = np.rint(cv2.resize(item.rgb, item.known.shape[::-1], interpolation=cv2.INTER_AREA) * 255)
            for task, pair in pairs.items():
                rows[task].append(np.concatenate([picture.astype(np.uint8), *pair], axis=1))
        network.train()
        return {task: np.concatenate(pictures) for task, pictures in rows.items()}

    def ship(self, network: nn.Module) -> Shipped:  # noqa: ARG002 - all sizes of this network are the same
        """The weights of pano-s and what describes them."""
        config = PanoSConfig(CLASS_NAMES, height=self._config.height)
        return Shipped(
            model=NAME,
            stem="pano_s",
            metadata=config.to_metadata(),
            about="A small network that reads a whole panorama and says depth in metres, normals, classes, what is far "
            "(sky), and the camera's height. It was trained from scratch by this project; no weights of others went "
            "into it.",
            data=[
                "Worlds rendered by `panoviewer-train generate`, indoor and outdoor, with exact labels; they are ours. "
                "A seed gives the same world again with the same version of the generator."
            ],
            facts={
                "Works at": f"{2 * config.height} x {config.height} (width x height)",
                "Classes": ", ".join(CLASS_NAMES),
            },
        )


def collate(
    items: Sequence[TrainingArrays],
    colours: Sequence[NDArray[np.float32]],
    *,
    labelled: int,
    seen: Sequence[NDArray[np.bool_]] | None = None,
) -> dict[str, Tensor]:
    """Stack panoramas into tensors; the first `labelled` of them carry labels, and only what is seen counts."""
    rows, columns = items[0].log_ratio.shape
    area = solid_angle(rows, columns)
    weights = torch.from_numpy((area / area.mean()).astype(np.float32))[None, None].expand(len(items), 1, -1, columns)
    if seen is not None:
        weights = weights * _stack(seen)[:, None]
    has_labels = torch.zeros(len(items), 1, 1, 1)
    has_labels[:labelled] = 1
    below = torch.zeros(1, 1, rows, 1)
    below[:, :, rows * 5 // 8 :] = 1
    camera = torch.tensor([item.camera_height for item in items])
    ceiling = torch.tensor([item.ceiling_height for item in items])
    return {
        "rgb": _stack(colours).permute(0, 3, 1, 2),
        "log_ratio": _stack([item.log_ratio for item in items])[:, None],
        "local_normals": _stack([item.local_normals for item in items]).permute(0, 3, 1, 2),
        "known": _stack([item.known for item in items])[:, None].float(),
        "classes": _stack([item.classes for item in items]),
        "weights": weights,
        "labelled": has_labels.expand(-1, 1, rows, columns),
        "below": below.expand(len(items), 1, rows, columns),
        "indoor": torch.tensor([item.indoor for item in items]),
        "log_camera_height": camera.log().float(),
        "log_ceiling_ratio": (ceiling / camera).log().float(),
    }


def _stack(arrays: Sequence[NDArray[np.generic]]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.stack(arrays)))


def _mean_difference(values: Tensor, target: Tensor) -> Tensor:
    # The target is filled before the difference is taken: a NaN would survive as the gradient of abs.
    known = torch.isfinite(target)
    difference = (values - torch.where(known, target, 0.0)).abs()
    return (difference * known).sum() / known.sum().clamp_min(1)
