"""Depth Any Panoramas (arXiv:2512.16913): distance along each ray up to 100 m, and where there is nothing that near.

The published code has three paths that disagree. This is the one of its evaluation and training: the picture at
512 x 1024, colours normalised, and what the second head calls far taken for far.
"""

from __future__ import annotations

import math
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import ModelUnavailable
from core.geometry.warp import resize_erp
from core.models import Backend, find_model, weights_file
from core.models.graph_runner import threads
from core.models.half_turn import without_seam
from core.models.runners import Runner, TorchRunner, batch_of, pick_runner
from core.models.weights import read_metadata
from core.panorama import check_full_sphere
from core.prediction import Prediction
from core.progress import Progress, silent, stage

if TYPE_CHECKING:
    from core.models.layouts import Layout
    from core.models.networks.dap import DapConfig, DapNet

NAME = "dap"
RANGE = 100.0
"""Metres for which its depth of 1 stands."""

_GRAPH_BYTES = 4_000_000_000
"""Free memory at which its graph is taken: what a process took at most, and a little more."""
_CUBIC_REACH = 2
F32 = NDArray[np.float32]


def published_layout() -> Layout:
    """What the published file holds."""
    from core.models.layouts import dap_layout
    from core.models.networks import dap

    return dap_layout(dap.PUBLISHED)


class Dap:
    """The published network on weights that the user added.

    Nothing in the network knows that a panorama closes, so that its answers jump where the picture's sides meet. The
    picture is therefore read twice, the second time turned by half, and each answer counts less the nearer it is to
    its own seam: twice the time for no jump at all. With arbitrary weights at 128 x 256, a jump of 8.8 m between the
    sides became 0.8 m, as elsewhere between neighbours; for a picture rolled by a quarter the answers differed
    by 1.7 m instead of 6.1 m, for one rolled by half not at all. Circular padding of the heads alone costs no time and
    left 5.7 m and 4.2 m; the picture continued by an eighth on each side, for 1.25 to 1.6 times the time, left 8.4 m
    and 4.0 m.

    Args:
        weights: A safetensors file as `core.models.store` writes it; the added one when left out.
        device: "auto", "cpu", "cuda", "mps" or another torch device.
        backend: One of `core.models.BACKENDS`.

    Raises:
        ModelUnavailable: The weights are missing, broken or of another network, or the device cannot be used.
    """

    def __init__(self, weights: Path | None = None, *, device: str = "auto", backend: Backend = "auto") -> None:
        path = weights or weights_file(find_model(NAME))
        if weights is None and not path.is_file():
            raise ModelUnavailable(
                f"Weights for {NAME} are missing. Fetch them with 'panoviewer models pull {NAME}'; or get model.pth of "
                f"Insta360-Research/DAP-weights in another way and add it with "
                f"'panoviewer models add model.pth --as {NAME}', which puts it here: {path}"
            )
        try:
            config = description(path)
        except ValueError as error:
            raise ModelUnavailable(
                f"Expected the weights of {NAME}, got those of something else ({error}); choose another file: {path}"
            ) from error
        self._name = NAME if weights is None else f"{NAME} ({weights.name})"
        build = partial(_build, config)
        # At 512 x 1024 on an AMD EPYC: 17.2 s instead of 20.8 on two threads, the same on one.
        faster: Backend = "onnxruntime" if threads() > 1 else "torch"
        self._runner: Runner = pick_runner(
            build, path, device=device, backend=backend, exact=True, faster=faster, graph_bytes=_GRAPH_BYTES
        )
        self._height = config.height

    @classmethod
    def of_network(cls, network: DapNet, *, height: int) -> Dap:
        """The same on a network with other numbers, or for pictures of other rows than those it was trained on."""
        model = cls.__new__(cls)
        model._name, model._height, model._runner = NAME, height, TorchRunner.of_network(network, exact=True)
        return model

    @property
    def device(self) -> str:
        """Where it runs: 'cpu', 'cuda:0', ..."""
        return self._runner.device

    def raw(self, rgb: NDArray[np.uint8], *, progress: Progress = silent) -> dict[str, F32]:
        """The network's own outputs for a picture as it is; see `core.models.base.RawModel`.

        Args:
            rgb: (H, W, 3) sRGB uint8; H and W are multiples of 16.
            progress: Called as the network goes on; may raise `Cancelled`.

        Returns:
            ``pred_depth`` (H, W), 1 for 100 m, and ``pred_mask`` (H, W), high where there is nothing within that.

        Raises:
            ModelUnavailable: The network cannot read a picture of this size, or the device ran out of memory.
        """
        from core.models.networks.dap import is_ambiguous

        height, width = rgb.shape[:2]
        if height % 16 or width % 16 or is_ambiguous(height, width):
            raise ModelUnavailable(
                f"Expected a picture whose sides are multiples of 16, other than 80 x 160 and 464 x 928 where the "
                f"published code confuses its patches, got {height} x {width} (height x width); resize it."
            )
        return self._answers(rgb, progress, may_halve=False)

    def predict(self, rgb: NDArray[np.uint8], *, progress: Progress = silent) -> Prediction:
        """Depth in metres, NaN where far, and far, at 512 x 1024.

        Args:
            rgb: (H, W, 3) sRGB uint8, a level full sphere of any size.
            progress: Called as the network goes on; may raise `Cancelled`.

        Raises:
            ValueError: `rgb` is something else.
            ModelUnavailable: The device ran out of memory.
        """
        check_full_sphere(rgb)
        started = time.perf_counter()
        picture = _resized(rgb, self._height)
        here = self._answers(picture, stage(progress, 0.0, 0.5), may_halve=True)
        notes = self._runner.notes
        turned = self._answers(np.roll(picture, self._height, axis=1), stage(progress, 0.5, 1.0), may_halve=True)
        log_depth = without_seam(np.log(here["pred_depth"]), np.log(turned["pred_depth"]))
        far = ~(1 - without_seam(here["pred_mask"], turned["pred_mask"]) > 0.5)
        depth = np.float32(RANGE) * np.exp(log_depth)
        return Prediction(
            depth=np.where(far, np.float32(np.nan), depth),
            far=far,
            is_metric=True,
            model=self._name,
            device=self._runner.device,
            seconds=time.perf_counter() - started,
            native_size=(self._height, 2 * self._height),
            notes=tuple(dict.fromkeys((*notes, *self._runner.notes))),
        )

    def _answers(self, rgb: NDArray[np.uint8], progress: Progress, *, may_halve: bool) -> dict[str, F32]:
        with self._runner.watched(progress):
            depth, far = self._runner.run(batch_of(rgb), may_halve=may_halve)
        return {"pred_depth": depth[0, 0], "pred_mask": far[0, 0]}


def description(weights: Path) -> DapConfig:
    """The sizes that a file of weights tells, or the published ones.

    Raises:
        ValueError: It describes no such network.
        ModelUnavailable: It is missing, broken or no safetensors file.
    """
    from core.models.networks import dap

    return dap.DapConfig.from_metadata(read_metadata(weights))


def _build(config: DapConfig) -> DapNet:
    """The network without numbers; those of the file take their place."""
    import torch

    from core.models.networks import dap

    with torch.device("meta"):
        return dap.DapNet(config)


def _resized(rgb: NDArray[np.uint8], rows: int) -> NDArray[np.uint8]:
    """The picture as the network was trained to see it, by cubic interpolation that goes on around the seam.

    From twice the size on, pixels would be left out; their mean is taken instead.
    """
    height, width = rgb.shape[:2]
    if (height, width) == (rows, 2 * rows):
        return rgb
    if height >= 2 * rows:
        return resize_erp(rgb, rows, 2 * rows)
    # As many columns more on each side as become a whole number of the result's, and no fewer than the filter sees.
    common = math.gcd(width, 2 * rows)
    times = math.ceil(_CUBIC_REACH * common / width)
    margin, more = times * width // common, times * 2 * rows // common
    wide = np.concatenate([rgb[:, -margin:], rgb, rgb[:, :margin]], axis=1)
    resized = cv2.resize(wide, (2 * rows + 2 * more, rows), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(resized[:, more:-more], np.uint8)
