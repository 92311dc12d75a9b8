"""How true a depth map looks: a discriminator of patches that has learned exact depth from a labeller's.

Its figure does not depend on the scene, for it sees patches of a few metres of wall or street, not what the picture
shows. Source: Depth Any Panoramas, arXiv:2512.16913, which ranks its pseudo-labels so; layers, input, loss and pooling
are unpublished, and these are our choice: the patches of P. Isola et al., Image-to-Image Translation with Conditional
Adversarial Networks, CVPR 2017 (70 x 70 pixels), colour and logarithmic depth without its scale, least squares, columns
that wrap, and a mean by solid angle.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from core.errors import PanoError
from core.geometry.normals import normals_from_depth
from core.geometry.sphere import erp_angles, erp_local_frames
from core.geometry.warp import resize_erp
from core.io.atomic import atomic_file, make_folder
from training.config import check_limits
from training.labelled import Labelled, read_labelled

FILE_NAME = "discriminator.safetensors"
_CHANNELS = 8
_EAST = 4
"""Channel of the normals' component that a mirror turns round."""
_LOG_LIMIT = 3.0


@dataclass(frozen=True)
class QualityPlan:
    """How the discriminator is made."""

    width: int = 64
    """Channels of its first layer, doubled by each of the next two."""
    height: int = 256
    """Rows of the maps that it sees; patches are 70 pixels of these."""
    steps: int = 2000
    """Of its training."""
    batch: int = 4
    """True maps in a step, and as many of the labeller's."""
    learning_rate: float = 2e-4
    """Adam's."""
    seed: int = 0
    """Decides weights, order and augmentation."""

    def __post_init__(self) -> None:
        some, seeds = (1, math.inf), (0, 2**63 - 1)
        sizes = {"width": (1, 4096), "height": (16, 4096)}
        limits = {**sizes, "steps": some, "batch": some, "learning_rate": (1e-12, 1e3), "seed": seeds}
        check_limits(self, limits, of="the discriminator")


class PatchDiscriminator(nn.Module):
    """Says of every patch of a panorama whether its depth is true: towards 1, or the labeller's: towards 0.

    Args:
        width: Channels of the first layer.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.width = width
        channels = (_CHANNELS, width, 2 * width, 4 * width, 8 * width, 1)
        strides = (2, 2, 2, 1, 1)
        self._strides = strides
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, 4, stride=stride)
            for before, after, stride in zip(channels[:-1], channels[1:], strides, strict=True)
        )
        # Of each picture alone, so that a score does not depend on what else is in the batch.
        self.norms = nn.ModuleList(nn.GroupNorm(1, count) for count in channels[2:-1])

    def forward(self, maps: Tensor) -> Tensor:
        """(b, 1, rows, columns) answers for (b, 8, h, w) maps of `maps_of`."""
        features = maps
        for number, layer in enumerate(self.layers):
            features = layer(_padded(features, self._strides[number]))
            if 0 < number < len(self.layers) - 1:
                features = self.norms[number - 1](features)
            if number < len(self.layers) - 1:
                features = nn.functional.leaky_relu(features, 0.2)
        return features


def _padded(features: Tensor, stride: int) -> Tensor:
    """One pixel around for a kernel of 4 (one more at the right and below at stride 1): columns wrap, rows repeat."""
    after = 1 if stride == 2 else 2
    wrapped = nn.functional.pad(features, (1, after, 0, 0), mode="circular")
    return nn.functional.pad(wrapped, (0, 0, 1, after), mode="replicate")


def maps_of(labelled: Labelled, height: int) -> NDArray[np.float32]:
    """(8, height, 2 height): colour, logarithm of depth over its median, normals (east, down, outward), what is known.

    The normals say the same as the depth, but as a patch sees it: what is bent, blurred or wavy shows in them at once.

    Raises:
        PanoError: There is no depth, or none that is known.
    """
    if labelled.depth is None or not np.isfinite(labelled.depth).any():
        raise PanoError(f"Expected a panorama with depth to judge, got one without: {labelled.origin.get('name')}")
    size = (height, 2 * height)
    rgb = resize_erp(labelled.rgb, *size).astype(np.float32) / 127.5 - 1
    depth = resize_erp(np.asarray(labelled.depth), *size, nearest=True)
    known = np.isfinite(depth) & (depth > 0)
    median = float(np.median(depth[known])) if known.any() else 1.0
    logarithm = np.where(known, np.log(np.where(known, depth, median) / median), 0)
    logarithm = np.clip(logarithm, -_LOG_LIMIT, _LOG_LIMIT)
    normals = normals_from_depth(np.where(known, depth / median, np.nan).astype(np.float32))
    local = np.nan_to_num(np.einsum("hwij,hwj->hwi", erp_local_frames(*size), normals))
    parts = [rgb.transpose(2, 0, 1), logarithm[None], local.transpose(2, 0, 1), known[None]]
    return np.concatenate(parts).astype(np.float32)


def score(network: PatchDiscriminator, labelled: Labelled, height: int) -> float:
    """How true a panorama's depth looks: the mean answer by solid angle; about 1 for exact depth."""
    with torch.no_grad():
        answers = network(torch.from_numpy(maps_of(labelled, height))[None])[0, 0].double().numpy()
    rows, columns = answers.shape
    weights = np.cos(erp_angles(rows, columns)[1])
    return float(np.average(answers.mean(axis=1), weights=weights))


def learn_quality(
    true: Sequence[Path],
    labelled: Sequence[Path],
    out: Path,
    plan: QualityPlan,
    *,
    report: Callable[[int, float], None] = lambda _step, _loss: None,
) -> PatchDiscriminator:
    """Train a discriminator, or read the one that is there.

    Steps that were done by a run that was killed are not done again: weights and optimiser are kept every so often,
    and what a step sees depends on its number alone.

    Args:
        true: Worlds, or other panoramas with exact depth.
        labelled: What a labeller said of panoramas; best of the same worlds, so that colours tell nothing.
        out: Folder of the weights.
        plan: How it is made.
        report: Gets the step and its loss now and then.

    Raises:
        PanoError: A panorama has no depth, or the weights there are of another plan.
        ExportError: The weights cannot be written.
    """
    if not true or not labelled:
        raise PanoError("Expected exact panoramas and labelled ones to tell apart, got none of one kind.")
    make_folder(out)
    path = out / FILE_NAME
    torch.manual_seed(plan.seed)
    network = PatchDiscriminator(plan.width)
    optimiser = torch.optim.Adam(network.parameters(), lr=plan.learning_rate, betas=(0.5, 0.999))
    first = _resume(network, optimiser, path, plan)
    network.train()
    for step in range(first, plan.steps):
        rng = np.random.default_rng((plan.seed, step))
        real, fake = (_batch(files, plan, rng) for files in (true, labelled))
        answers = network(torch.cat([real, fake]))
        loss = ((answers[: plan.batch] - 1) ** 2).mean() + (answers[plan.batch :] ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if (step + 1) % 50 == 0 or step + 1 == plan.steps:
            _store(network, optimiser, step + 1, path, plan)
            report(step + 1, loss.item())
    network.eval()
    return network


def _batch(files: Sequence[Path], plan: QualityPlan, rng: np.random.Generator) -> Tensor:
    maps = []
    for number in rng.integers(len(files), size=plan.batch):
        one = maps_of(read_labelled(files[int(number)], patches=False), plan.height)
        one = np.roll(one, int(rng.integers(one.shape[2])), axis=2)
        if rng.random() < 0.5:
            one = one[:, :, ::-1].copy()
            one[_EAST] *= -1
        maps.append(one)
    return torch.from_numpy(np.stack(maps))


def _store(network: PatchDiscriminator, optimiser: torch.optim.Adam, step: int, path: Path, plan: QualityPlan) -> None:
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    for number, parameter in enumerate(network.parameters()):
        state = optimiser.state[parameter]
        tensors |= {f"adam.{number}.{name}": state[name].contiguous() for name in ("exp_avg", "exp_avg_sq", "step")}
    data = save_tensors(tensors, {"step": str(step), "plan": json.dumps(asdict(plan))})
    with atomic_file(path) as stream:
        stream.write(data)


def _resume(network: PatchDiscriminator, optimiser: torch.optim.Adam, path: Path, plan: QualityPlan) -> int:
    """Take up weights that are there; gives the number of steps that they have seen."""
    if not path.is_file():
        return 0
    facts, tensors = _read(path)
    there = json.loads(facts["plan"])
    wanted = asdict(plan)
    if {**there, "steps": 0} != {**wanted, "steps": 0} or int(facts["step"]) > plan.steps:
        raise PanoError(f"Expected a discriminator of the same plan, got another; choose another folder: {path}")
    network.load_state_dict({name[8:]: value for name, value in tensors.items() if name.startswith("network.")})
    for number, parameter in enumerate(network.parameters()):
        optimiser.state[parameter] = {
            name: tensors[f"adam.{number}.{name}"] for name in ("exp_avg", "exp_avg_sq", "step")
        }
    return int(facts["step"])


def _read(path: Path) -> tuple[dict[str, str], dict[str, Any]]:
    try:
        data = path.read_bytes()
        length = int.from_bytes(data[:8], "little")
        facts = json.loads(data[8 : 8 + length])["__metadata__"]
        return {"step": facts["step"], "plan": facts["plan"]}, load_tensors(data)
    except Exception as error:
        raise PanoError(f"Expected weights of a discriminator, got a broken file; remove it: {path}") from error
