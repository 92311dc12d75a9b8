"""The bundled click network on arrays: views, clicks and memories in, readings of what was meant out.

It is a `core.segment.network.ClickNetwork`, and beyond that reads several views at once, of other sizes and fields of
view, as the first mask of an object wants.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelUnavailable
from core.mask import SphereMask
from core.models import find_segmenter, weights_file
from core.models.devices import pick_device
from core.models.pano_classes import PanoClasses
from core.models.runners import TorchRunner, device_of, tensor
from core.models.weights import load_strictly, read_metadata
from core.progress import Progress, silent
from core.scene import Box, Click
from core.segment.candidates import OBJECT
from core.segment.first_mask import CentredGuess
from core.segment.guess import GuessResult
from core.segment.network import MemoryFrame, ViewAnswer, ViewPrompt
from core.segment.ranking import read_ranking

if TYPE_CHECKING:
    from torch import device as Device

    from core.models.networks.click_prompts import ClickPrompt
    from core.models.networks.click_s import ClickSNet, Pyramid

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


class ViewFeatures(NamedTuple):
    """What is known of one view or of a stack of them, float16; see `core.models.networks.click_s.Pyramid`."""

    half: NDArray[np.float16]
    quarter: NDArray[np.float16]
    eighth: NDArray[np.float16]
    seen: NDArray[np.float16]
    body: NDArray[np.float16]


class ClickS:
    """The click network that comes with PanoViewer.

    Args:
        weights: A safetensors file; the bundled one when left out.
        device: "auto", "cpu", "cuda", "mps" or another torch device.
        ranked: Whether the file beside the weights, where there is one, says which of several first masks is meant.

    Raises:
        ModelUnavailable: The weights are missing, broken or of another network, so is the file beside them, or the
            device cannot be used.
    """

    name = NAME

    def __init__(self, weights: Path | None = None, *, device: str = "auto", ranked: bool = True) -> None:
        path = weights or weights_file(find_segmenter(NAME))
        try:
            self.config = ClickSConfig.from_metadata(read_metadata(path, max_bytes=MAX_BYTES))
        except ValueError as error:
            raise ModelUnavailable(
                f"Expected the weights of {NAME}, got those of something else ({error}); install it again: {path}"
            ) from error
        network = self.config.build()
        load_strictly(network, path, max_bytes=MAX_BYTES)
        # In full precision alone: what is encoded is kept, and must not depend on how much memory was free.
        self._runner = TorchRunner.of_network(network, device=pick_device(device), is_mapped=False)
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
        self._fingerprint = f"{NAME}-{digest[:16]}"

    @property
    def device(self) -> str:
        """Where it ran last: 'cpu', 'cuda:0', ..."""
        return self._runner.device

    @property
    def told(self) -> tuple[str, ...]:
        """See `core.segment.network.TellsDetours`."""
        return self._runner.told

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
        import torch

        if views.ndim != 4 or views.dtype != np.uint8 or views.shape[3] != 3 or any(s % 32 for s in views.shape[1:3]):
            raise ValueError(f"expected views uint8 (n, s, s, 3), s a multiple of 32, got {views.dtype} {views.shape}")
        if len(fovs) != len(views):
            raise ValueError(f"expected a field of view for each of {len(views)} views, got {len(fovs)}")

        def work(network: ClickSNet, part: slice) -> ViewFeatures:
            device, some = device_of(network), np.ascontiguousarray(views[part])
            # Already channels-last: only the order of the axes is said differently.
            rgb = torch.from_numpy(some).to(device).permute(0, 3, 1, 2).float() / 255
            pyramid = network.encode(rgb, tensor(fovs[part], device), tensor([float(centred)] * len(some), device))
            return ViewFeatures(*(level.half().contiguous().cpu().numpy() for level in pyramid))

        said = self._runner.each(len(views), work)
        return said[0] if len(said) == 1 else ViewFeatures(*map(np.concatenate, zip(*said, strict=True)))

    def attend(self, features: ViewFeatures, memories: Sequence[MemoryFrame]) -> ViewFeatures:
        """See `ClickNetwork`."""
        import torch

        from core.models.networks.click_s import Memories

        if not memories:
            return features

        def work(network: ClickSNet, _one: slice) -> NDArray[np.float16]:
            device = device_of(network)
            pyramid = network.attend(
                _pyramid([level[None] for level in features], device),
                Memories(
                    tokens=tensor(np.stack([frame.memory for frame in memories]), device)[None],
                    distance=tensor([frame.distance for frame in memories], device)[None],
                    angle=tensor([frame.angle for frame in memories], device)[None],
                    prompted=tensor([float(frame.prompted) for frame in memories], device)[None],
                    valid=torch.ones(1, len(memories), dtype=torch.bool, device=device),
                ),
            )
            body: NDArray[np.float16] = pyramid.body[0].half().cpu().numpy()
            return body

        return features._replace(body=self._runner.each(1, work)[0])

    def decode(self, features: ViewFeatures, prompt: ViewPrompt) -> ViewAnswer:
        """See `ClickNetwork`."""
        return self.decode_views(ViewFeatures(*(level[None] for level in features)), [prompt])[0]

    def decode_views(self, features: Sequence[NDArray[np.float16]], prompts: Sequence[ViewPrompt]) -> list[ViewAnswer]:
        """The object in each view of a stack.

        Args:
            features: Of `encode_views`.
            prompts: One for each view.
        """
        import torch

        def work(network: ClickSNet, part: slice) -> list[ViewAnswer]:
            device = device_of(network)
            pyramid = _pyramid([level[part] for level in features], device)
            answer = network.decode(pyramid, _prompt(prompts[part], pyramid.half.shape[-1], device))
            logits = answer.logits.float().cpu().numpy()
            quality = torch.sigmoid(answer.quality).float().cpu().numpy()
            presence = answer.presence.float().cpu().numpy()
            return [
                ViewAnswer(masks, qualities, float(there), chosen=OBJECT)
                for masks, qualities, there in zip(logits, quality, presence, strict=True)
            ]

        return list(chain.from_iterable(self._runner.each(len(prompts), work)))

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

    def read_whole(self, panorama_rgb: NDArray[np.uint8], *, progress: Progress = silent) -> NDArray[np.int16]:
        """See `core.segment.guess.ReadsWhole`."""
        return self._guess.read_whole(panorama_rgb, progress=progress)

    def knows_whole(self, panorama_rgb: NDArray[np.uint8]) -> bool:
        """See `core.segment.guess.ReadsWhole`."""
        return self._guess.knows_whole(panorama_rgb)

    def know_whole(
        self, panorama_rgb: NDArray[np.uint8], whole: NDArray[np.int16], valid: NDArray[np.bool_] | None
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

        def work(network: ClickSNet, _one: slice) -> NDArray[np.float32]:
            device = device_of(network)
            pyramid = _pyramid([level[None] for level in features], device)
            said = network.remember(pyramid, tensor(answer, device)[None, None], tensor([presence], device))
            tokens: NDArray[np.float32] = said[0].float().cpu().numpy()
            return tokens

        return self._runner.each(1, work)[0]


def _prompt(prompts: Sequence[ViewPrompt], answer_size: int, device: Device) -> ClickPrompt:
    from core.models.networks.click_prompts import ClickPrompt

    batch, most = len(prompts), max(len(prompt.points) for prompt in prompts)
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
    return ClickPrompt(*(tensor(value, device) for value in (points, signs, box, prior)))


def _pyramid(features: Sequence[NDArray[np.float16]], device: Device) -> Pyramid:
    import torch

    from core.models.networks.click_s import Pyramid

    return Pyramid(*(tensor(level, device).contiguous(memory_format=torch.channels_last) for level in features))
