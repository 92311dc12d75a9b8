"""Perspective networks of `transformers` as panorama models, from a folder on the disk; see `perspective_folder`.

Their pictures are rendered at the size that they want, so that nothing is resampled twice; colours are prepared as
their preprocessor_config.json says. No code of a folder is run, and nothing is fetched.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelUnavailable
from core.geometry.camera import Camera
from core.geometry.tiling import icosahedron_tiles
from core.models.base import Task
from core.models.devices import pick_device
from core.models.perspective_config import harmless
from core.models.perspective_folder import CONFIG, PerspectiveFolder, read_folder
from core.models.runners import TorchRunner
from core.models.tiled import DepthKind, Tiled
from core.models.weights import check_finite, refuse

if TYPE_CHECKING:
    from torch import Tensor, nn

_log = logging.getLogger(__name__)

INSTALL = "pip install 'panoviewer[published]'"
NEARLY = 0.98
"""Share of its greatest depth from which on a network that measures means anything beyond it."""
FARTHEST_OF_DEPTH_PRO = 1e4
"""Metres to which Depth Pro's depth is clipped. Source: its image processor in `transformers`."""
CLASS_PIXELS = 192
"""Along each side of the chances of classes that are kept of a tile; networks work at a quarter of their input."""

_UNUSED = "fusion_stage.layers.0.residual_layer1."
"""A part of the DPT decoder that is there and never used: the first of its layers has one input only. Published files
leave it out."""
_TOLD = 160


class Perspective(Tiled):
    """A perspective network of `transformers` on tiles of the sphere.

    Args:
        weights: A safetensors file, or the list of several, in the folder of the network.
        device: "auto", "cpu", "cuda", "mps" or another torch device.

    Raises:
        ModelUnavailable: Something is missing or broken, or the device cannot be used.
    """

    def __init__(self, weights: Path, *, device: str = "auto") -> None:
        super().__init__(PerspectiveNetwork(read_folder(weights.parent), device=device))


class PerspectiveNetwork:
    """The network itself; see `core.models.tiled.TileNetwork`.

    Args:
        folder: What lies on the disk.
        device: "auto", "cpu", "cuda", "mps" or another torch device.

    Raises:
        ModelUnavailable: `transformers` is not installed or does not know the network, its weights are broken or of
            another one, or the device cannot be used.
    """

    def __init__(self, folder: PerspectiveFolder, *, device: str = "auto") -> None:
        self.name = folder.name
        self.size = folder.preprocessing.size
        self.class_names = folder.class_names
        self.depth_kind = _depth_kind(folder) if folder.task is Task.DEPTH else None
        self._folder = folder
        self._farthest = _farthest(folder)
        device = pick_device(device)
        self._runner = TorchRunner.of_network(_load(folder), device=device)
        self.batch = self._runner.batch

    @property
    def device(self) -> str:
        """See `core.models.tiled.TileNetwork`."""
        return self._runner.device

    @property
    def notes(self) -> tuple[str, ...]:
        """See `core.models.tiled.TileNetwork`."""
        return self._runner.notes

    def __call__(self, tiles: NDArray[np.uint8], cameras: Sequence[Camera]) -> dict[str, NDArray[Any]]:
        """See `core.models.tiled.TileNetwork`."""
        (values,) = self._runner.run(self._prepared(tiles), self._ask, may_halve=True)
        if self.depth_kind is None:
            return {"logits": values.transpose(0, 2, 3, 1)}
        if self._folder.kind == "depth_pro":
            values = _metres_of_depth_pro(values, cameras)
        if self._farthest is None:
            return {"depth": values}
        return {"depth": values, "far": values >= NEARLY * self._farthest}

    def _ask(self, network: nn.Module, pictures: Tensor) -> tuple[Tensor]:
        """(n, classes, h, w) logits, or (n, h, w) depth."""
        said = network(pixel_values=pictures)
        if self.depth_kind is None:
            return (_logits(said),)
        depth: Tensor = said.predicted_depth
        return (depth[:, 0] if depth.ndim == 4 else depth,)

    def _prepared(self, tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, 3, h, w) as the network wants its pictures."""
        wanted = self._folder.preprocessing
        pictures = tiles[..., ::-1] if wanted.blue_first else tiles
        mean, deviation = np.array([wanted.mean, wanted.deviation], np.float32)
        colours = (pictures.astype(np.float32) * np.float32(wanted.scale) - mean) / deviation
        return np.ascontiguousarray(colours.transpose(0, 3, 1, 2), np.float32)


def _depth_kind(folder: PerspectiveFolder) -> DepthKind:
    """What the numbers of a depth network mean."""
    if folder.kind == "dpt":
        return DepthKind.INVERSE
    if folder.kind == "depth_anything" and folder.config.get("depth_estimation_type", "relative") == "relative":
        return DepthKind.INVERSE
    return DepthKind.METRIC


def _farthest(folder: PerspectiveFolder) -> float | None:
    """Metres beyond which a network that measures can say nothing; None where there is no such limit."""
    if folder.kind == "depth_pro":
        return FARTHEST_OF_DEPTH_PRO
    limit = folder.config.get("max_depth")
    measures = folder.task is Task.DEPTH and _depth_kind(folder) is DepthKind.METRIC
    return float(limit) if measures and isinstance(limit, (int, float)) and limit > 0 else None


def _metres_of_depth_pro(canonical: NDArray[np.float32], cameras: Sequence[Camera]) -> NDArray[np.float32]:
    """z_depth from inverse depth for a picture one focal length wide; the field of view is known and need not be
    guessed. Source: the image processor of Depth Pro in `transformers`.
    """
    wide = np.array([2 * math.tan(camera.fov_x / 2) for camera in cameras], np.float32)[:, None, None]
    limit = np.float32(FARTHEST_OF_DEPTH_PRO)
    metres: NDArray[np.float32] = np.reciprocal(np.clip(canonical * wide, 1 / limit, limit))
    return metres


def _logits(said: Any) -> Tensor:  # noqa: ANN401  # every network has an output class of its own
    """(n, classes, h, w) logits, coarse enough to be kept for all tiles.

    Networks of masks say which classes each mask has, one of them none, and where it lies; the sum of the products is a
    score. Source: B. Cheng et al., Masked-attention Mask Transformer, CVPR 2022, semantic inference.
    """
    import torch
    from torch.nn import functional

    logits: Tensor | None = getattr(said, "logits", None)
    if logits is None:
        classes = said.class_queries_logits.softmax(dim=-1)[..., :-1]
        masks = said.masks_queries_logits.sigmoid()
        logits = torch.einsum("bqc,bqhw->bchw", classes, masks).clamp_min(1e-6).log()
    side = max(logits.shape[-2:])
    if side <= CLASS_PIXELS:
        return logits
    chances = functional.interpolate(logits.softmax(dim=1), scale_factor=CLASS_PIXELS / side, mode="area")
    return chances.clamp_min(1e-9).log()


def operations(folder: PerspectiveFolder) -> float:
    """Floating-point operations of one prediction; 0 when they cannot be known. Nothing is computed for it."""
    try:
        import torch
        from torch.utils.flop_counter import FlopCounterMode

        network_class, known = _network_class(folder)
        size = folder.preprocessing.size
        with _quietly(), torch.device("meta"), torch.inference_mode(), FlopCounterMode(display=False) as counter:
            network = network_class(network_class.config_class.from_dict(known)).eval()
            network(pixel_values=torch.zeros(1, 3, size, size))
    except Exception as error:  # a network that can be built and run need not be one of which that can be counted
        _log.info("nobody knows how much %s computes: %s", folder.name, error)
        return 0.0
    return float(counter.get_total_flops()) * len(icosahedron_tiles(size))


def _network_class(folder: PerspectiveFolder) -> tuple[Any, dict[str, Any]]:
    """The class of `transformers`, and of the configuration what may reach it.

    Raises:
        ModelUnavailable: The package is missing or does not know the network, or it needs more than its folder.
    """
    try:
        transformers: Any = import_module("transformers")
    except ImportError as error:
        raise ModelUnavailable(
            f"Perspective models need the package transformers, which is not installed; install it with {INSTALL}."
        ) from error
    network_class: Any = getattr(transformers, folder.architecture, None)
    is_network = isinstance(network_class, type) and issubclass(network_class, transformers.PreTrainedModel)
    if not is_network:
        raise ModelUnavailable(
            f"The installed transformers {transformers.__version__} does not know {folder.architecture}; install a "
            f"newer one with {INSTALL}, or choose another model: {folder.folder}"
        )
    return network_class, harmless(folder.config, folder.folder / CONFIG)


def _load(folder: PerspectiveFolder) -> nn.Module:
    """The network with its numbers, on the CPU, in single precision."""
    network_class, known = _network_class(folder)
    for path in folder.weights:
        check_finite(path)
    try:
        with _quietly():
            config = network_class.config_class.from_dict(known)
            network, report = network_class.from_pretrained(
                folder.folder,
                config=config,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
                dtype="float32",
            )
    except Exception as error:  # what configurations can break is without end; all of it is told the same way
        told = " ".join(f"{type(error).__name__}: {error}".split())[:_TOLD]
        raise ModelUnavailable(
            f"Expected a network that the installed transformers can build and fill, got an error "
            f"({told}); fetch the folder again or choose another: {folder.folder}"
        ) from error
    refuse(sorted(name for name in report["missing_keys"] if _UNUSED not in name), "lacks", folder.main)
    return cast("nn.Module", network)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the library's own progress bars and reports, which are for notebooks."""
    logging: Any = import_module("transformers.utils.logging")
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
