"""MTPano (arXiv:2602.05330): metres along each ray, normals and classes of ADE20K from one network."""

from __future__ import annotations

import math
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import ModelUnavailable
from core.geometry.normals import facing_camera, unit
from core.geometry.sphere import erp_rays
from core.models import Backend, find_model, weights_file
from core.models.ade20k import ADE20K_NAMES
from core.models.graph_runner import OnnxRunner
from core.models.half_turn import shares_as_it_is, turned_back
from core.models.runners import TorchRunner, batch_of, pick_runner
from core.models.weights import read_metadata
from core.panorama import check_full_sphere
from core.prediction import Prediction
from core.progress import Progress, silent, stage

if TYPE_CHECKING:
    from core.models.layouts import Layout
    from core.models.networks.mtpano import MtpanoConfig, MtpanoNet

SKY = ADE20K_NAMES.index("sky")
LEAST_DEPTH = 1e-4
"""Metres below which the published code takes a depth for none: the network says exactly 0 where it knows nothing."""

_GRAPH_BYTES = 6_500_000_000
"""Free memory at which its graph is taken: what a process took at most, and a little more."""
_BAND = 32
"""Rows of classes that are looked at together; 150 of them for every pixel take much room."""
F32 = NDArray[np.float32]


def published_layout() -> Layout:
    """What the published files hold."""
    from core.models.mtpano_layout import mtpano_layout
    from core.models.networks import mtpano

    return mtpano_layout(mtpano.PUBLISHED)


class Mtpano:
    """The published network on weights that the user added; each of the published files is a subclass.

    Nothing in the network knows that a panorama closes. The picture is therefore read twice, the second time turned by
    half, and each answer counts less the nearer it is to its own seam: depth by its logarithm, normals as vectors,
    classes by their probability. The published code instead draws a line over the four columns around the seam.

    Args:
        weights: A safetensors file as `core.models.store` writes it; the added one when left out.
        device: "auto", "cpu", "cuda", "mps" or another torch device.
        backend: One of `core.models.BACKENDS`.

    Raises:
        ModelUnavailable: The weights are missing, broken or of another network, or the device cannot be used.
    """

    name: ClassVar[str]
    """In the catalogue."""
    published_file: ClassVar[str]

    def __init__(self, weights: Path | None = None, *, device: str = "auto", backend: Backend = "auto") -> None:
        path = weights or weights_file(find_model(self.name))
        if weights is None and not path.is_file():
            raise ModelUnavailable(
                f"Weights for {self.name} are missing. Fetch them with 'panoviewer models pull {self.name}'; or get "
                f"{self.published_file} of jdzhang0929/MTPano in another way and add it with "
                f"'panoviewer models add {self.published_file} --as {self.name}', which puts it here: {path}"
            )
        try:
            config = description(path)
        except ValueError as error:
            raise ModelUnavailable(
                f"Expected the weights of {self.name}, got those of something else ({error}); choose another file: "
                f"{path}"
            ) from error
        self._title = self.name if weights is None else f"{self.name} ({weights.name})"
        build = partial(_build, config)
        self._runner: TorchRunner[MtpanoNet] | OnnxRunner = pick_runner(
            # At 512 x 1024 on an AMD EPYC: 25 s instead of 34 on two threads, 47 instead of 54 on one.
            build,
            path,
            device=device,
            backend=backend,
            exact=True,
            faster="onnxruntime",
            graph_bytes=_GRAPH_BYTES,
        )
        self._height = config.height

    @classmethod
    def of_network(cls, network: MtpanoNet) -> Mtpano:
        """The same on a network with other numbers, or built for pictures of another size."""
        model = cls.__new__(cls)
        model._title, model._height = cls.name, network.height
        model._runner = TorchRunner.of_network(network, exact=True)
        return model

    @property
    def device(self) -> str:
        """Where it runs: 'cpu', 'cuda:0', ..."""
        return self._runner.device

    def raw(self, rgb: NDArray[np.uint8], *, progress: Progress = silent) -> dict[str, F32]:
        """The network's own outputs for a picture as it is; see `core.models.base.RawModel`.

        Args:
            rgb: (512, 1024, 3) sRGB uint8.
            progress: Called as the network goes on; may raise `Cancelled`.

        Returns:
            ``semseg`` (150, 512, 1024), logits; ``depth`` (512, 1024), metres along the ray, 0 where it knows none;
            ``normals`` (3, 512, 1024), vectors of any length that point away from the camera along the axes
            (-z, y, x) of ours.

        Raises:
            ModelUnavailable: The picture has another size, or the device ran out of memory.
        """
        height, width = rgb.shape[:2]
        if (height, width) != (self._height, 2 * self._height):
            raise ModelUnavailable(
                f"Expected a picture of {self._height} x {2 * self._height}, the only size that the network of "
                f"{self.name} knows, got {height} x {width} (height x width); resize it."
            )
        with self._runner.watched(progress):
            semseg, depth, normals = self._runner.run(batch_of(rgb))
        return {"semseg": semseg[0], "depth": depth[0, 0], "normals": normals[0]}

    def predict(self, rgb: NDArray[np.uint8], *, progress: Progress = silent) -> Prediction:
        """Depth in metres, normals and classes at 512 x 1024; sky is far, and has neither depth nor normal.

        Args:
            rgb: (H, W, 3) sRGB uint8, a level full sphere of any size.
            progress: Called as the network goes on; may raise `Cancelled`.

        Raises:
            ValueError: `rgb` is something else.
            ModelUnavailable: The device ran out of memory.
        """
        check_full_sphere(rgb)
        started = time.perf_counter()
        picture = resized(rgb, self._height)
        here = self._answers(picture, stage(progress, 0.0, 0.5))
        notes = self._runner.notes
        turned = self._answers(np.roll(picture, self._height, axis=1), stage(progress, 0.5, 1.0))
        classes = _classes(here[0], turned[0], self._height)
        far = classes == SKY
        depth = _depth(here[1], turned[1])
        normals = _normals(here[2], turned[2])
        return Prediction(
            depth=np.where(far, np.float32(np.nan), depth),
            normals=np.where(far[..., None], np.float32(np.nan), normals),
            classes=classes,
            class_names=ADE20K_NAMES,
            far=far,
            is_metric=True,
            model=self._title,
            device=self._runner.device,
            seconds=time.perf_counter() - started,
            native_size=(self._height, 2 * self._height),
            notes=tuple(dict.fromkeys((*notes, *self._runner.notes))),
        )

    def _answers(self, picture: NDArray[np.uint8], progress: Progress) -> tuple[F32, F32, F32]:
        """Logits (150, h / 2, w / 2), or (150, h, w) of a graph; metres (h, w) and vectors (3, h, w)."""
        with self._runner.watched(progress):
            if isinstance(self._runner, OnnxRunner):
                semseg, depth, normals = self._runner.run(batch_of(picture))
            else:
                semseg, depth, normals = self._runner.run(
                    batch_of(picture), lambda network, pictures: network.with_small_classes(pictures), may_halve=True
                )
        return semseg[0], depth[0, 0], normals[0]


class Mtpano140k(Mtpano):
    """Trained on 140 000 panoramas."""

    name = "mtpano-140k"
    published_file = "mtpano_model_140k.pth.tar"


class Mtpano408k(Mtpano):
    """Trained on 408 000 panoramas."""

    name = "mtpano-408k"
    published_file = "mtpano_model_408k.pth.tar"


def description(weights: Path) -> MtpanoConfig:
    """The sizes that a file of weights tells, or the published ones.

    Raises:
        ValueError: It describes no such network.
        ModelUnavailable: It is missing, broken or no safetensors file.
    """
    from core.models.networks import mtpano

    return mtpano.MtpanoConfig.from_metadata(read_metadata(weights))


def _build(config: MtpanoConfig) -> MtpanoNet:
    """The network without numbers; those of the file take their place."""
    import torch

    from core.models.networks import mtpano

    with torch.device("meta"):
        return mtpano.MtpanoNet(config)


def resized(rgb: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """The picture as the published code shows it to the network, except that the filter goes on around the seam.

    Args:
        rgb: (H, W, 3), a full sphere.
        height: Rows of the result.

    Returns:
        (height, 2 height, 3) by Pillow's linear interpolation, which averages over the area that a pixel stands for.
    """
    rows, cols = rgb.shape[:2]
    if (rows, cols) == (height, 2 * height):
        return rgb
    margin = min(cols, math.ceil(max(1.0, cols / (2 * height))) + 1)
    wide = Image.fromarray(np.concatenate([rgb[:, -margin:], rgb, rgb[:, :margin]], axis=1))
    box = (margin, 0, margin + cols, rows)
    return np.asarray(wide.resize((2 * height, height), Image.Resampling.BILINEAR, box))


def _classes(here: F32, turned: F32, height: int) -> NDArray[np.int16]:
    """(h, 2 h) the likeliest class by both answers, logits (classes, h / 2, h) or (classes, h, 2 h)."""
    import torch

    from core.models.networks.mtpano_decoder import doubled_rows

    def rows(logits: torch.Tensor, begin: int, end: int) -> torch.Tensor:
        whole = logits.shape[2] == height
        return logits[:, :, begin:end] if whole else doubled_rows(logits, begin, end)

    width = 2 * height
    share = torch.from_numpy(shares_as_it_is(width))
    classes = np.empty((height, width), np.int16)
    with torch.inference_mode():
        both = [torch.from_numpy(logits)[None] for logits in (here, turned)]
        for begin in range(0, height, _BAND):
            end = min(begin + _BAND, height)
            chances, others = (torch.softmax(rows(logits, begin, end)[0], dim=0) for logits in both)
            chances = share * chances + (1 - share) * torch.roll(others, -(width // 2), dims=-1)
            classes[begin:end] = chances.argmax(dim=0).numpy()
    return classes


def _depth(here: F32, turned: F32) -> F32:
    """(h, w) metres by both answers, NaN where what counts more is none."""
    share = shares_as_it_is(here.shape[-1])
    weight, total = np.zeros_like(here), np.zeros_like(here)
    for part, answer in ((share, here), (1 - share, turned_back(turned))):
        known = answer > LEAST_DEPTH
        weight += part * known
        total += part * np.log(np.where(known, answer, np.float32(1)))
    known = weight > 0.5
    depth = np.exp(np.divide(total, weight, out=np.zeros_like(total), where=known))
    return np.where(known, depth, np.float32(np.nan))


def _normals(here: F32, turned: F32) -> F32:
    """(h, w, 3) unit normals in our frame by both answers, raw vectors (3, h, w); NaN where there is none."""
    share = shares_as_it_is(here.shape[-1])[:, None]
    # What was said about the picture turned by half is turned back with it, half around the vertical.
    back = unit(_in_our_frame(turned_back(turned))) * np.array([-1, 1, -1], np.float32)
    normals = unit(share * unit(_in_our_frame(here)) + (1 - share) * back)
    known = np.any(normals != 0, axis=-1, keepdims=True)
    return np.where(known, facing_camera(normals, erp_rays(*normals.shape[:2])), np.float32(np.nan))


def _in_our_frame(raw: F32) -> F32:
    """(h, w, 3) vectors towards the camera along our axes, of the network's (3, h, w), which point away from it."""
    a, b, c = raw
    return np.stack([-c, -b, a], axis=-1)
