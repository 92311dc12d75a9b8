"""The bundled click network on arrays: views, clicks and memories in, readings of what was meant out.

It is a `core.segment.network.ClickNetwork`, and beyond that reads several views at once, of other sizes and fields of
view, as the first mask of an object wants.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelUnavailable
from core.mask import SphereMask
from core.models import Backend, find_segmenter, weights_file
from core.models.click_calls import (
    PARTS,
    ClickCalls,
    GraphCalls,
    MemoryArrays,
    PromptArrays,
    TorchCalls,
    ViewFeatures,
)
from core.models.devices import pick_device
from core.models.graph_runner import graph_file
from core.models.pano_classes import PanoClasses
from core.models.runners import check_backend, check_graphs
from core.models.weights import load_strictly, read_metadata
from core.progress import Progress, silent
from core.scene import Box, Click
from core.segment.candidates import OBJECT
from core.segment.first_mask import CentredGuess
from core.segment.guess import GuessResult
from core.segment.network import MemoryFrame, ViewAnswer, ViewPrompt
from core.segment.ranking import read_ranking

if TYPE_CHECKING:
    from core.models.networks.click_s import ClickSNet

_log = logging.getLogger(__name__)
NAME = "click-s"
MAX_BYTES = 20_000_000
"""Of the file of weights."""
RANKING = "{}_ranking.json"
"""Name of the file, beside the weights and after their name, that says which of its masks is meant."""
ZIGZAG_FOV = math.pi / 2
"""Of views about which nothing else is said."""
_CONFIG_KEY = "click_s"


@dataclass(frozen=True)
class ClickSConfig:
    """What must be known to build the network and to use it; travels in the file of weights.

    Attributes:
        view_size: Pixels along each side of zigzag views.
        centred_size: Pixels along each side of the views around a click.
        widths: Channels at 1/2, 1/4, 1/8 and 1/16 of a view's size.
        layers: Attention layers of the encoder and of the decoder.
        memory_layers: Layers that read memories.
    """

    view_size: int = 256
    centred_size: int = 128
    widths: tuple[int, int, int, int] = (32, 64, 96, 128)
    layers: tuple[int, int] = (1, 2)
    memory_layers: int = 2

    def build(self) -> ClickSNet:
        """The network with arbitrary weights."""
        from core.models.networks.click_s import ClickSNet

        return ClickSNet(widths=self.widths, layers=self.layers, memory_layers=self.memory_layers)

    def to_metadata(self) -> dict[str, str]:
        """Text for the file of weights."""
        return {_CONFIG_KEY: json.dumps(asdict(self))}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> ClickSConfig:
        """The reverse of `to_metadata`.

        Raises:
            ValueError: The text is missing or describes no network of this kind.
        """
        try:
            values = json.loads(metadata[_CONFIG_KEY])
            view, centred, widths, layers, memory = (values[field.name] for field in fields(cls))
            if not all(type(number) is int for number in (view, centred, *widths, *layers, memory)):
                raise TypeError("sizes must be whole numbers")
        except (KeyError, TypeError, RecursionError, json.JSONDecodeError) as error:
            raise ValueError(f"no description of a {NAME} network: {error}") from error
        sensible = (
            all(32 <= size <= 2048 and size % 32 == 0 for size in (view, centred))
            and len(widths) == 4
            and all(0 < width <= 1024 and width % 8 == 0 for width in widths)
            and widths[3] % 32 == 0  # heads of 32 channels
            and len(layers) == 2
            and all(0 <= number <= 32 for number in (*layers, memory))
        )
        if not sensible:
            raise ValueError(f"a {NAME} network cannot have {values}")
        return cls(view, centred, (widths[0], widths[1], widths[2], widths[3]), (layers[0], layers[1]), memory)


class ClickS:
    """The click network that comes with PanoViewer.

    Args:
        weights: A safetensors file; the bundled one when left out.
        device: "auto", "cpu", "cuda", "mps" or another torch device.
        backend: "auto" takes onnxruntime on a CPU where its graphs lie beside the weights: it is the faster one there.
        ranked: Whether the file beside the weights, where there is one, says which of several first masks is meant.

    Raises:
        ModelUnavailable: The weights are missing, broken or of another network, so is the file beside them, or the
            device cannot be used.
    """

    name = NAME

    def __init__(
        self,
        weights: Path | None = None,
        *,
        device: str = "auto",
        backend: Backend = "auto",
        ranked: bool = True,
    ) -> None:
        path = weights or weights_file(find_segmenter(NAME))
        try:
            self.config = ClickSConfig.from_metadata(read_metadata(path, max_bytes=MAX_BYTES))
        except ValueError as error:
            raise ModelUnavailable(
                f"Expected the weights of {NAME}, got those of something else ({error}); install it again: {path}"
            ) from error
        self._calls = self._pick_calls(path, device, backend)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        known = read_ranking(path.with_name(RANKING.format(path.stem)), digest) if ranked else None
        ranker, rule = known or (None, None)
        dense = None if rule is None else PanoClasses()
        if rule is not None and dense is not None and rule.reads != dense.fingerprint:
            _log.warning(
                "Pieces of classes are left out: what is known of them was learned from %s, and here is %s. Learn it "
                "again with 'panoviewer-train rank --pieces-only': %s",
                rule.reads,
                dense.fingerprint,
                path,
            )
            dense = rule = None
        self._guess = CentredGuess(self, ranker, dense=dense, rule=rule)
        # Encodings of both are alike to rounding, and what is cut out must not depend on which of them were kept.
        how = "-graphs" if isinstance(self._calls, GraphCalls) else ""
        self._fingerprint = f"{NAME}-{digest[:16]}{how}"

    def _pick_calls(self, weights: Path, device: str, backend: Backend) -> ClickCalls:
        check_backend(backend)
        graphs = [graph_file(weights, part) for part in PARTS]
        if backend == "onnxruntime":
            check_graphs(graphs, device)
            return GraphCalls(weights)
        device = pick_device(device)
        if backend == "auto" and device == "cpu" and all(graph.is_file() for graph in graphs):
            try:
                return GraphCalls(weights)
            except ModelUnavailable as error:
                _log.warning("%s PyTorch is used instead.", error)
        network = self.config.build()
        load_strictly(network, weights, max_bytes=MAX_BYTES)
        return TorchCalls(network, device)

    @property
    def device(self) -> str:
        """Where it ran last: 'cpu', 'cuda:0', ..."""
        return self._calls.device

    @property
    def told(self) -> tuple[str, ...]:
        """See `core.segment.network.TellsDetours`."""
        return self._calls.told

    @property
    def view_size(self) -> int:
        """See `ClickNetwork`."""
        return self.config.view_size

    @property
    def answer_size(self) -> int:
        """See `ClickNetwork`."""
        return self.config.view_size // 2

    @property
    def centred_size(self) -> int:
        """Pixels along each side of the views around a click."""
        return self.config.centred_size

    @property
    def fingerprint(self) -> str:
        """See `ClickNetwork`."""
        return self._fingerprint

    def encode(self, view: NDArray[np.uint8]) -> ViewFeatures:
        """See `ClickNetwork`; the view is 90 degrees wide."""
        stacked = self.encode_views(view[None], [ZIGZAG_FOV], centred=False)
        return ViewFeatures(*(level[0] for level in stacked))

    def encode_views(self, views: NDArray[np.uint8], fovs: Sequence[float], *, centred: bool) -> ViewFeatures:
        """Features of several views of one size.

        Args:
            views: (n, s, s, 3) sRGB; s a multiple of 32.
            fovs: Their horizontal fields of view, radians.
            centred: The object's first click lies in the middle of every view.

        Returns:
            A stack, for `decode_views`.
        """
        if views.ndim != 4 or views.dtype != np.uint8 or views.shape[3] != 3 or any(s % 32 for s in views.shape[1:3]):
            raise ValueError(f"expected views uint8 (n, s, s, 3), s a multiple of 32, got {views.dtype} {views.shape}")
        if len(fovs) != len(views):
            raise ValueError(f"expected a field of view for each of {len(views)} views, got {len(fovs)}")
        widths, middle = np.asarray(fovs, np.float32), np.full(len(views), centred, np.float32)
        return self._calls.encode(views, widths, middle)

    def attend(self, features: ViewFeatures, memories: Sequence[MemoryFrame]) -> ViewFeatures:
        """See `ClickNetwork`."""
        if not memories:
            return features

        def row(values: Iterable[float]) -> NDArray[np.float32]:
            return np.array([list(values)], np.float32)

        known = MemoryArrays(
            tokens=np.stack([frame.memory for frame in memories])[None],
            distance=row(frame.distance for frame in memories),
            angle=row(frame.angle for frame in memories),
            prompted=row(frame.prompted for frame in memories),
        )
        return features._replace(body=self._calls.attend(features, known))

    def decode(self, features: ViewFeatures, prompt: ViewPrompt) -> ViewAnswer:
        """See `ClickNetwork`."""
        return self.decode_views(ViewFeatures(*(level[None] for level in features)), [prompt])[0]

    def decode_views(self, features: Sequence[NDArray[np.float16]], prompts: Sequence[ViewPrompt]) -> list[ViewAnswer]:
        """The object in each view of a stack.

        Args:
            features: Of `encode_views`.
            prompts: One for each view.
        """
        logits, quality, presence = self._calls.decode(features, _arrays(prompts, features[0].shape[-1]))
        return [
            ViewAnswer(masks, (1 + np.tanh(qualities / 2)) / 2, float(there), chosen=OBJECT)
            for masks, qualities, there in zip(logits, quality, presence, strict=True)
        ]

    def guess(
        self,
        panorama_rgb: NDArray[np.uint8],
        clicks: Sequence[Click],
        box: Box | None,
        previous: SphereMask | None,
        *,
        progress: Progress = silent,
    ) -> GuessResult:
        """See `core.segment.guess.FirstGuess`."""
        return self._guess.guess(panorama_rgb, clicks, box, previous, progress=progress)

    def glimpse(
        self,
        panorama_rgb: NDArray[np.uint8],
        clicks: Sequence[Click],
        box: Box | None,
        *,
        progress: Progress = silent,
    ) -> GuessResult | None:
        """See `core.segment.guess.Glimpses`."""
        return self._guess.glimpse(panorama_rgb, clicks, box, progress=progress)

    @property
    def whole_key(self) -> str:
        """See `core.segment.guess.ReadsWhole`."""
        return self._guess.whole_key

    def read_whole(self, panorama_rgb: NDArray[np.uint8], *, progress: Progress = silent) -> NDArray[np.uint8]:
        """See `core.segment.guess.ReadsWhole`."""
        return self._guess.read_whole(panorama_rgb, progress=progress)

    def knows_whole(self, panorama_rgb: NDArray[np.uint8]) -> bool:
        """See `core.segment.guess.ReadsWhole`."""
        return self._guess.knows_whole(panorama_rgb)

    def know_whole(
        self, panorama_rgb: NDArray[np.uint8], whole: NDArray[np.uint8], valid: NDArray[np.bool_] | None
    ) -> None:
        """See `core.segment.guess.ReadsWhole`."""
        self._guess.know_whole(panorama_rgb, whole, valid)

    def forget(self) -> None:
        """See `core.segment.guess.RemembersPhoto`."""
        self._guess.forget()

    def remember(
        self,
        features: ViewFeatures,
        answer: NDArray[np.float32],
        *,
        presence: float,
        prompted: bool,  # noqa: ARG002, whoever reads the memory is told
        pointer: NDArray[np.float32] | None,  # noqa: ARG002, it gives none
    ) -> NDArray[np.float32]:
        """See `ClickNetwork`.

        Returns:
            (t, 64) tokens.
        """
        said = np.asarray(answer, np.float32)[None, None]
        return self._calls.remember(features, said, np.array([presence], np.float32))


def _arrays(prompts: Sequence[ViewPrompt], answer_size: int) -> PromptArrays:
    batch, most = len(prompts), max(1, *(len(prompt.points) for prompt in prompts))
    points = np.zeros((batch, most, 2), np.float32)
    signs = np.zeros((batch, most), np.float32)
    box = np.full((batch, 4), np.nan, np.float32)
    prior = np.full((batch, 1, answer_size, answer_size), np.nan, np.float32)
    for row, prompt in enumerate(prompts):
        count = len(prompt.points)
        points[row, :count] = prompt.points
        signs[row, :count] = np.where(prompt.positive, 1, -1)
        if prompt.box is not None:
            box[row] = prompt.box
        if prompt.prior is not None:
            prior[row, 0] = prompt.prior
    return PromptArrays(points, signs, box, prior)
