"""The four calls of the bundled click network on arrays: by PyTorch on any device, or by its graphs on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from core.models.graph_runner import Maps, graph_file, open_graph, run_graph
from core.models.runners import TorchRunner, device_of, tensor

if TYPE_CHECKING:
    from torch import Tensor
    from torch import device as Device

    from core.models.networks.click_s import ClickSNet, Pyramid

Floats = NDArray[np.float32]
PARTS = ("encoder", "decoder", "attention", "memory")
"""Names of the graphs, as `core.models.networks.graphs.click_s_graphs` gives them."""


class ViewFeatures(NamedTuple):
    """What is known of one view or of a stack of them, float16; see `core.models.networks.click_s.Pyramid`."""

    half: NDArray[np.float16]
    quarter: NDArray[np.float16]
    eighth: NDArray[np.float16]
    seen: NDArray[np.float16]
    body: NDArray[np.float16]


class PromptArrays(NamedTuple):
    """See `core.models.networks.click_prompts.ClickPrompt`; at least one click for each view, of sign 0 for none."""

    points: Floats
    signs: Floats
    box: Floats
    prior: Floats


class MemoryArrays(NamedTuple):
    """Memories of one view: (1, m, tokens, 64) and (1, m) of each else; see `core.models.networks.click_s.Memories`."""

    tokens: Floats
    distance: Floats
    angle: Floats
    prompted: Floats


class ClickCalls(Protocol):
    """The network, wherever it runs."""

    @property
    def device(self) -> str:
        """Where it ran last: 'cpu', 'cuda:0', ..."""
        ...

    @property
    def told(self) -> tuple[str, ...]:
        """What it had to do to get by, in sentences."""
        ...

    def encode(self, views: NDArray[np.uint8], fovs: Floats, centred: Floats) -> ViewFeatures:
        """Features of (n, s, s, 3) sRGB views with their fields of view in radians, and 1 where centred on a click."""
        ...

    def decode(self, features: Sequence[NDArray[np.float16]], prompts: PromptArrays) -> Maps:
        """Logits (n, readings, s / 2, s / 2), and logits of quality (n, readings) and presence (n,)."""
        ...

    def attend(self, features: ViewFeatures, memories: MemoryArrays) -> NDArray[np.float16]:
        """The body of one view's features, after it has read memories."""
        ...

    def remember(self, features: ViewFeatures, logits: Floats, presence: Floats) -> Floats:
        """(tokens, 64) of one view and what was found in it, (1, 1, s / 2, s / 2)."""
        ...


class TorchCalls:
    """By PyTorch.

    In full precision alone: what is encoded is kept, and must not depend on how much memory was free.

    Args:
        network: With its numbers, on the CPU.
        device: A torch device.

    Raises:
        ModelUnavailable: The device is not there.
    """

    def __init__(self, network: ClickSNet, device: str) -> None:
        self._runner = TorchRunner.of_network(network, device=device, is_mapped=False)

    @property
    def device(self) -> str:
        """See `ClickCalls`."""
        return self._runner.device

    @property
    def told(self) -> tuple[str, ...]:
        """See `ClickCalls`."""
        return self._runner.told

    def encode(self, views: NDArray[np.uint8], fovs: Floats, centred: Floats) -> ViewFeatures:
        """See `ClickCalls`."""
        import torch

        def work(network: ClickSNet, part: slice) -> ViewFeatures:
            device, some = device_of(network), np.ascontiguousarray(views[part])
            # Already channels-last: only the order of the axes is said differently.
            rgb = torch.from_numpy(some).to(device).permute(0, 3, 1, 2).float() / 255
            pyramid = network.encode(rgb, tensor(fovs[part], device), tensor(centred[part], device))
            return ViewFeatures(*(level.half().contiguous().cpu().numpy() for level in pyramid))

        said = self._runner.each(len(views), work)
        return said[0] if len(said) == 1 else ViewFeatures(*map(np.concatenate, zip(*said, strict=True)))

    def decode(self, features: Sequence[NDArray[np.float16]], prompts: PromptArrays) -> Maps:
        """See `ClickCalls`."""

        def work(network: ClickSNet, part: slice) -> Maps:
            from core.models.networks.click_prompts import ClickPrompt

            device = device_of(network)
            pyramid = _pyramid([level[part] for level in features], device)
            prompt = ClickPrompt(*(tensor(values[part], device) for values in prompts))
            return tuple(map(_array, network.decode(pyramid, prompt)))

        said = self._runner.each(len(prompts.points), work)
        return said[0] if len(said) == 1 else tuple(map(np.concatenate, zip(*said, strict=True)))

    def attend(self, features: ViewFeatures, memories: MemoryArrays) -> NDArray[np.float16]:
        """See `ClickCalls`."""
        import torch

        def work(network: ClickSNet, _one: slice) -> NDArray[np.float16]:
            from core.models.networks.click_s import Memories

            device = device_of(network)
            valid = torch.ones(memories.distance.shape, dtype=torch.bool, device=device)
            tokens, distance, angle, prompted = (tensor(values, device) for values in memories)
            frames = Memories(tokens, distance, angle, prompted, valid)
            body: NDArray[np.float16] = network.attend(_one_view(features, device), frames).body[0].half().cpu().numpy()
            return body

        return self._runner.each(1, work)[0]

    def remember(self, features: ViewFeatures, logits: Floats, presence: Floats) -> Floats:
        """See `ClickCalls`."""

        def work(network: ClickSNet, _one: slice) -> Floats:
            device = device_of(network)
            said = network.remember(_one_view(features, device), tensor(logits, device), tensor(presence, device))
            return _array(said[0])

        return self._runner.each(1, work)[0]


class GraphCalls:
    """By ONNX Runtime, from graphs that lie beside the weights. Needs no torch, whose import alone takes a second.

    Args:
        weights: The safetensors file.

    Raises:
        ModelUnavailable: The first or the second graph is missing or broken, or was made for other weights. The others
            are opened when they are needed, and raise the same then.
    """

    device = "cpu"
    told: tuple[str, ...] = ()

    def __init__(self, weights: Path) -> None:
        self._weights = weights
        self._encoder, self._decoder = map(self._open, PARTS[:2])

    def _open(self, part: str) -> Any:  # noqa: ANN401 - onnxruntime has no types
        return open_graph(graph_file(self._weights, part), self._weights, batch=None)

    @cached_property
    def _attention(self) -> Any:  # noqa: ANN401
        return self._open(PARTS[2])

    @cached_property
    def _memory(self) -> Any:  # noqa: ANN401
        return self._open(PARTS[3])

    def encode(self, views: NDArray[np.uint8], fovs: Floats, centred: Floats) -> ViewFeatures:
        """See `ClickCalls`."""
        rgb = np.ascontiguousarray(views.transpose(0, 3, 1, 2), np.float32) / np.float32(255)
        levels = run_graph(self._encoder, {"rgb": rgb, "fov": fovs, "centred": centred})
        return ViewFeatures(*(level.astype(np.float16) for level in levels))

    def decode(self, features: Sequence[NDArray[np.float16]], prompts: PromptArrays) -> Maps:
        """See `ClickCalls`."""
        known = ViewFeatures(*features)
        levels = {name: _full(getattr(known, name)) for name in ("half", "quarter", "eighth", "body")}
        return run_graph(self._decoder, levels | prompts._asdict())

    def attend(self, features: ViewFeatures, memories: MemoryArrays) -> NDArray[np.float16]:
        """See `ClickCalls`."""
        levels = {name: _full(getattr(features, name))[None] for name in ("seen", "body")}
        valid = {"valid": np.ones(memories.distance.shape, np.bool_)}
        (said,) = run_graph(self._attention, levels | memories._asdict() | valid)
        body: NDArray[np.float16] = said[0].astype(np.float16)
        return body

    def remember(self, features: ViewFeatures, logits: Floats, presence: Floats) -> Floats:
        """See `ClickCalls`."""
        given = {"seen": _full(features.seen)[None], "logits": logits, "presence": presence}
        (said,) = run_graph(self._memory, given)
        tokens: Floats = said[0]
        return tokens


def _full(level: NDArray[np.float16]) -> Floats:
    return np.ascontiguousarray(level, np.float32)


def _array(values: Tensor) -> Floats:
    array: Floats = values.float().cpu().numpy()
    return array


def _one_view(features: ViewFeatures, device: Device) -> Pyramid:
    return _pyramid([level[None] for level in features], device)


def _pyramid(features: Sequence[NDArray[np.float16]], device: Device) -> Pyramid:
    import torch

    from core.models.networks.click_s import Pyramid

    return Pyramid(*(tensor(level, device).contiguous(memory_format=torch.channels_last) for level in features))
