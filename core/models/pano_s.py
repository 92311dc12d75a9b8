"""The bundled model: a photograph in, depth, normals, classes, far and camera height out.

A photograph is first turned to a heading of its own, which turns with it. The network therefore sees the same picture
however the photograph was rolled, and what it says is turned back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelUnavailable
from core.geometry.normals import facing_camera, unit
from core.geometry.sphere import erp_angles, erp_local_frames, erp_rays, solid_angle
from core.geometry.warp import resize_erp
from core.models import Backend, find_model, weights_file
from core.models.graph_runner import Maps
from core.models.runners import Runner, pick_runner
from core.models.weights import check_finite, read_metadata
from core.panorama import check_full_sphere
from core.prediction import Prediction
from core.progress import Progress, silent

if TYPE_CHECKING:
    from core.models.networks.pano_s import PanoSNet

NAME = "pano-s"
MAX_BYTES = 20_000_000
"""Of the file of weights."""
VIEWS: tuple[tuple[int, bool], ...] = ((0, False), (8, True))
"""Versions of the picture whose answers are averaged: columns of the network's input to the right, mirrored or not."""
CAUTION = 4.0
"""Indoors the sky must be this sure (as a logit): what looks like it is a white wall or a window."""
_CONFIG_KEY = "pano_s"
_SHARPNESS = 4.0
_HEADING_ROWS = 64


@dataclass(frozen=True)
class PanoSConfig:
    """What must be known to build the network and to read its answers; travels in the file of weights.

    Attributes:
        class_names: ADE20K names in the order of the network's outputs.
        height: Rows of the picture that the network was trained on; it does not carry over to others.
        widths: Channels at 1/2, 1/4, 1/8 and 1/16 of the input's size.
        layers: Attention layers.
    """

    class_names: tuple[str, ...]
    height: int = 256
    widths: tuple[int, int, int, int] = (24, 48, 96, 192)
    layers: int = 4

    def build(self) -> PanoSNet:
        """The network with arbitrary weights."""
        from core.models.networks.pano_s import PanoSNet

        return PanoSNet(len(self.class_names), widths=self.widths, layers=self.layers)

    def to_metadata(self) -> dict[str, str]:
        """Text for the file of weights."""
        return {_CONFIG_KEY: json.dumps(asdict(self))}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> PanoSConfig:
        """The reverse of `to_metadata`.

        Raises:
            ValueError: The text is missing or describes no network of this kind.
        """
        try:
            values = json.loads(metadata[_CONFIG_KEY])
            names, height, widths, layers = (values[key] for key in ("class_names", "height", "widths", "layers"))
            numbers = [height, layers, *widths]
            if not all(isinstance(name, str) for name in names) or not all(type(number) is int for number in numbers):
                raise TypeError("names must be text and sizes whole numbers")
        except (KeyError, TypeError, RecursionError, json.JSONDecodeError) as error:
            raise ValueError(f"no description of a {NAME} network: {error}") from error
        sensible = (
            0 < len(names) <= 1000
            and 32 <= height <= 2048
            and height % 16 == 0
            and 0 <= layers <= 64
            and len(widths) == 4
            and all(0 < width <= 2048 for width in widths)
            and widths[3] % 32 == 0  # heads of 32 channels
        )
        if not sensible:
            raise ValueError(f"a {NAME} network cannot have height {height}, widths {widths}, layers {layers}")
        return cls(tuple(names), height, (widths[0], widths[1], widths[2], widths[3]), layers)


@dataclass(frozen=True, eq=False)
class Reading:
    """What the network says about a picture at half its input's size (h, w), before it is turned back.

    Attributes:
        turn: Radians to the right by which the photograph was turned before it was read.
        log_ratio: (h, w) logarithm of range / camera height; means nothing where far.
        local_normals: (h, w, 3) unit normals in each ray's frame (east, down, outward).
        class_probabilities: (h, w, classes).
        far_logit: (h, w), positive where the ray meets nothing, after the indoor answer was heard.
        camera_height: Metres.
        ceiling_ratio: Height of the ceiling over the camera / camera height; means nothing outdoors.
        indoor_probability: That the picture was taken inside a building.
    """

    turn: float
    log_ratio: NDArray[np.float32]
    local_normals: NDArray[np.float32]
    class_probabilities: NDArray[np.float32]
    far_logit: NDArray[np.float32]
    camera_height: float
    ceiling_ratio: float
    indoor_probability: float


class PanoS:
    """The network that comes with PanoViewer.

    Args:
        weights: A safetensors file; the bundled one when left out. A graph of the same name ending in .onnx is used
            on the CPU, where ONNX Runtime is faster and spares the import of torch.
        device: "auto", "cpu", "cuda", "mps" or another torch device.
        backend: One of `core.models.BACKENDS`; "auto" takes the faster that is there.

    Raises:
        ModelUnavailable: The weights are missing, broken or of another network, or the device cannot be used.
    """

    def __init__(
        self,
        weights: Path | None = None,
        *,
        device: str = "auto",
        backend: Backend = "auto",
    ) -> None:
        path = weights or weights_file(find_model(NAME))
        try:
            self.config = PanoSConfig.from_metadata(read_metadata(path, max_bytes=MAX_BYTES))
        except ValueError as error:
            raise ModelUnavailable(
                f"Expected the weights of {NAME}, got those of something else ({error}); install it again: {path}"
            ) from error
        self._path, self._name = path, NAME
        if weights is not None:
            self._name = f"{NAME} ({weights.name})"
            check_finite(path, max_bytes=MAX_BYTES)
        self._runner: Runner = pick_runner(
            self.config.build, path, device=device, backend=backend, faster="onnxruntime"
        )

    @property
    def device(self) -> str:
        """Where it runs: 'cpu', 'cuda:0', ..."""
        return self._runner.device

    def read(self, rgb: NDArray[np.uint8], *, progress: Progress = silent) -> Reading:
        """The network's own answers, averaged over `VIEWS`.

        Args:
            rgb: (H, W, 3) sRGB uint8, a level full sphere of any size.
            progress: Called after each pass of the network; may raise `Cancelled`.

        Raises:
            ValueError: `rgb` is something else.
            ModelUnavailable: The device ran out of memory.
        """
        check_full_sphere(rgb)
        picture, turn = turn_to_own_heading(rgb, self.config.height)
        views = np.stack([_view(picture, roll, mirrored) for roll, mirrored in VIEWS])
        outputs: list[Maps] = []
        for start in range(0, len(VIEWS), self._runner.batch):
            progress(start, len(VIEWS))
            batch = self._runner.run(views[start : start + self._runner.batch])
            self._check(batch)
            outputs += [tuple(value[index] for value in batch) for index in range(len(batch[0]))]
        progress(len(VIEWS), len(VIEWS))
        undone = [_undo_view(output, roll, mirrored) for output, (roll, mirrored) in zip(outputs, VIEWS, strict=True)]
        return _mean_reading(undone, turn)

    def _check(self, batch: Maps) -> None:
        """A graph that the user brings may say anything; the shapes of its outputs must be those of the network."""
        half = (self.config.height // 2, self.config.height)
        expected = [(1, *half), (3, *half), (len(self.config.class_names), *half), (1, *half), (), (), ()]
        if [value.shape[1:] for value in batch] != expected:
            raise ModelUnavailable(
                f"Expected an ONNX graph of {NAME} with these weights, got one that says something else; "
                f"export both again: {self._path.with_suffix('.onnx')}"
            )

    def heading_shift(self, rgb: NDArray[np.uint8]) -> int:
        """See `core.models.base.HeadingModel`."""
        return heading_shift(rgb)

    def predict(self, rgb: NDArray[np.uint8], *, progress: Progress = silent) -> Prediction:
        """Depth in metres, normals, classes and far on the network's input grid; arguments and errors as for `read`."""
        started = time.perf_counter()
        reading = self.read(rgb, progress=progress)
        maps = maps_of_reading(reading, self.config)
        return Prediction(
            depth=maps.depth,
            normals=maps.normals,
            classes=maps.classes,
            class_names=self.config.class_names,
            far=maps.far,
            camera_height=reading.camera_height,
            is_metric=True,
            model=self._name,
            device=self._runner.device,
            seconds=time.perf_counter() - started,
            native_size=(self.config.height, 2 * self.config.height),
            notes=self._runner.notes,
        )


def turn_to_own_heading(rgb: NDArray[np.uint8], height: int) -> tuple[NDArray[np.uint8], float]:
    """A picture on a grid of `height` rows, turned so that the result is the same however the picture was rolled.

    Its heading is the column around which it is brightest, a smooth bump of about 60 degrees wide. The turn is by whole
    columns of the picture, so that not even the area filter sees a difference.

    Args:
        rgb: (H, W, 3) uint8.
        height: Rows of the result, which has twice as many columns.

    Returns:
        (height, 2 height, 3) uint8, and the turn to the right in radians.
    """
    width = rgb.shape[1]
    # Rows first: each column is filtered by itself, whatever stands beside it.
    rows = resize_erp(rgb, height, width) if rgb.shape[0] > height else rgb
    turn = heading_shift(rows) / width * 2 * np.pi
    return resize_erp(rows, height, 2 * height, lon_offset=-turn), turn


def heading_shift(rgb: NDArray[np.uint8]) -> int:
    """By how many columns a picture is rolled to the right to stand at its own heading; see `turn_to_own_heading`."""
    height, width = rgb.shape[:2]
    if height > _HEADING_ROWS:
        rgb, height = resize_erp(rgb, _HEADING_ROWS, width), _HEADING_ROWS
    lon, lat = erp_angles(height, width)
    # The lower half counts less and the colours differently, or a picture of equal walls would have several headings.
    of_row = solid_angle(height, width)[:, 0] * (1 + 0.5 * np.sin(lat))
    brightness = np.einsum("hwc,h,c->w", rgb, of_row, (0.30, 0.59, 0.11), optimize=True)
    bump = np.exp(_SHARPNESS * (np.cos(lon) - 1))
    around = np.fft.irfft(np.fft.rfft(brightness) * np.conj(np.fft.rfft(bump)), width)
    shift: int = (width // 2 - int(np.argmax(around))) % width - width // 2
    return shift


def _view(picture: NDArray[np.uint8], roll: int, mirrored: bool) -> NDArray[np.float32]:
    """(3, h, w) in [0, 1] of the mirrored, then rolled picture."""
    seen = picture[:, ::-1] if mirrored else picture
    return np.ascontiguousarray(np.roll(seen, roll, axis=1).transpose(2, 0, 1), np.float32) / np.float32(255)


def _undo_view(output: Maps, roll: int, mirrored: bool) -> Maps:
    """The outputs of one view as if the picture itself had been seen; maps are (., h, w) at half the input's size."""
    undone = []
    for value in output:
        if value.ndim == 3:
            value = np.roll(value, -roll // 2, axis=2)  # noqa: PLW2901
            if mirrored:
                value = value[:, :, ::-1]  # noqa: PLW2901
        undone.append(value)
    if mirrored:
        undone[1] = undone[1] * np.array([-1, 1, 1], np.float32)[:, None, None]
    return tuple(undone)


def _mean_reading(outputs: list[Maps], turn: float) -> Reading:
    """Mean of the outputs: of logarithms for lengths, of probabilities for classes."""
    names = ("log_ratio", "local_normals", "class_logits", "far_logit", "log_camera_height", "log_ceiling", "indoor")
    stacked = {name: np.stack(values) for name, values in zip(names, zip(*outputs, strict=True), strict=True)}
    logits = stacked["class_logits"]
    likelihood = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = (likelihood / likelihood.sum(axis=1, keepdims=True)).mean(axis=0)
    normals = stacked["local_normals"].mean(axis=0)
    indoor = float(stacked["indoor"].mean())
    return Reading(
        turn=turn,
        log_ratio=stacked["log_ratio"].mean(axis=0)[0],
        local_normals=unit(normals.transpose(1, 2, 0)),
        class_probabilities=probabilities.transpose(1, 2, 0),
        far_logit=stacked["far_logit"].mean(axis=0)[0] - np.float32(np.clip(indoor, 0.0, CAUTION)),
        camera_height=float(np.exp(stacked["log_camera_height"].mean())),
        ceiling_ratio=float(np.exp(stacked["log_ceiling"].mean())),
        indoor_probability=1 / (1 + float(np.exp(-indoor))),
    )


class PanoMaps(NamedTuple):
    """What a reading means in the photograph's frame, on the network's input grid (h, w).

    Attributes:
        depth: (h, w) metres, NaN where far.
        normals: (h, w, 3) world normals, NaN where far.
        classes: (h, w) the likeliest.
        far: (h, w) whether the ray meets nothing.
        chances: (h, w, classes) probabilities; where far, of the sky alone, elsewhere what is left without it.
    """

    depth: NDArray[np.float32]
    normals: NDArray[np.float32]
    classes: NDArray[np.int16]
    far: NDArray[np.bool_]
    chances: NDArray[np.float32]


def maps_of_reading(reading: Reading, config: PanoSConfig) -> PanoMaps:
    """Depth, normals, classes, far and chances in the photograph's frame, on the network's input grid.

    Interpolation happens on logarithms, vectors and probabilities, and depth and normals are taken from pixels that are
    not far only. Sky and far are one question: far pixels are sky, others are the likeliest thing that is not.

    Args:
        reading: What the network said.
        config: Of the network that said it.
    """
    rows, columns = reading.log_ratio.shape
    near = (reading.far_logit <= 0).astype(np.float32)[..., None]
    # World vectors, because the frames of neighbouring rays differ near the poles.
    vectors = np.einsum("hwji,hwj->hwi", erp_local_frames(rows, columns), reading.local_normals)
    channels = (reading.log_ratio[..., None] * near, vectors * near, near, reading.far_logit[..., None])
    stacked = np.concatenate([*channels, reading.class_probabilities], axis=-1)
    height, width = config.height, 2 * config.height
    stacked = resize_erp(stacked, height, width, lon_offset=reading.turn)
    log_ratio, vectors, near, far_logit, chances = np.split(stacked, [1, 4, 5, 6], axis=-1)
    far = far_logit[..., 0] > 0
    known = ~far & (near[..., 0] > 0)
    share = np.where(known, near[..., 0], np.float32(1))
    unknown = np.float32(np.nan)
    depth = np.where(known, np.exp(log_ratio[..., 0] / share) * np.float32(reading.camera_height), unknown)
    cos, sin = np.cos(reading.turn), np.sin(reading.turn)
    back = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]], np.float32)
    normals = facing_camera(unit(vectors @ back.T), erp_rays(height, width))
    if "sky" in config.class_names:
        chances = np.where(far[..., None], np.float32(0), chances)
        chances[..., config.class_names.index("sky")] = far
    classes = chances.argmax(axis=-1).astype(np.int16)
    return PanoMaps(depth, np.where(known[..., None], normals, unknown), classes, far, chances)
