"""Ways to run a network on arrays: PyTorch on any device, ONNX Runtime on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelUnavailable
from core.models.devices import inference_on
from core.models.weights import header_digest, load_strictly
from core.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor, nn

Network = TypeVar("Network", bound="nn.Module")
Maps = tuple[NDArray[np.float32], ...]
DIGEST_KEY = "weights_header_sha256"
"""Where a graph says which file of weights it reads its numbers from."""


class Runner(Protocol):
    """A network with its weights, on a device."""

    device: str
    """Where the last run happened, read back from its tensors; before the first run, where the weights are."""
    batch: int
    """How many pictures are best run at once."""

    def run(self, batch: NDArray[np.float32]) -> Maps:
        """The network's outputs in their order.

        Args:
            batch: (b, 3, h, w) sRGB in [0, 1].

        Raises:
            ModelUnavailable: The device ran out of memory.
        """
        ...


class TorchRunner(Generic[Network]):
    """Runs a torch module whose `forward` returns a tuple of tensors.

    Attributes:
        network: The module, on its device.

    Args:
        build: Makes the network with arbitrary weights.
        weights: The safetensors file with its numbers.
        device: A torch device.
        exact: Convolve in the numbers' own precision where NVIDIA's libraries would round more coarsely (TF32).

    Raises:
        ModelUnavailable: The weights are missing, broken or of another network, or the device is not there.
    """

    def __init__(self, build: Callable[[], Network], weights: Path, *, device: str, exact: bool = False) -> None:
        import torch

        network: Network = build()
        load_strictly(network, weights)
        try:
            # On a CPU, convolutions are a sixth faster with the channels last.
            network = network.eval().to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        except (RuntimeError, AssertionError) as error:  # torch asserts that it was compiled with CUDA
            raise ModelUnavailable(f"Device {device} cannot be used ({error}); choose cpu or auto.") from error
        self.network = network
        self._exact = exact
        self._parameter: Tensor = next(network.parameters())
        self.device = str(self._parameter.device)
        self.batch = 1 if self._parameter.device.type == "cpu" else 8

    def run(self, batch: NDArray[np.float32], ask: Callable[[Tensor], tuple[Tensor, ...]] | None = None) -> Maps:
        """See `Runner`; `ask` is another of the network's methods than `forward`."""
        import torch

        with inference_on(self.device), exactly() if self._exact else nullcontext():
            pictures = torch.from_numpy(batch).to(self._parameter.device, self._parameter.dtype)
            outputs: tuple[Tensor, ...] = (ask or self.network)(pictures)
            self.device = str(outputs[0].device)
            return tuple(output.float().cpu().numpy() for output in outputs)


@contextmanager
def watched(steps: Sequence[nn.Module], progress: Progress) -> Iterator[None]:
    """Within, `progress` is called after each of a network's parts, which are seconds apart on a slow machine.

    Args:
        steps: Parts that each run once.
        progress: May raise `Cancelled`, which leaves the network as it was.
    """
    done = 0

    def step(*_: object) -> None:
        nonlocal done
        done += 1
        progress(done, len(steps))

    progress(0, len(steps))
    hooks = [part.register_forward_hook(step) for part in steps]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def batch_of(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A picture (h, w, 3) as networks take it, (1, 3, h, w) in [0, 1]."""
    return np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], np.float32) / np.float32(255)


@contextmanager
def exactly() -> Iterator[None]:
    """Convolutions on an NVIDIA GPU in float32; matrix products are so unless somebody asked for another precision."""
    import torch

    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


class OnnxRunner:
    """Runs a graph whose numbers lie in the safetensors file beside it; a batch of one, on the CPU.

    Needs no torch, whose import takes longer than the network runs.

    Args:
        graph: The ONNX file, in the folder of the weights that it names.
        weights: The safetensors file.

    Raises:
        ModelUnavailable: One of the files is missing or broken, or the graph was made for other weights.
    """

    device = "cpu"
    batch = 1

    def __init__(self, graph: Path, weights: Path) -> None:
        import onnxruntime

        digest = header_digest(weights)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            self._session: Any = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime's own exceptions share no base class
            raise ModelUnavailable(
                f"Expected an ONNX graph beside its weights, got {type(error).__name__}; install it again: {graph}"
            ) from error
        if self._session.get_modelmeta().custom_metadata_map.get(DIGEST_KEY) != digest:
            raise ModelUnavailable(
                f"Expected an ONNX graph made for these weights, got one for others; export both again: {graph}"
            )
        self._input: str = self._session.get_inputs()[0].name

    def run(self, batch: NDArray[np.float32]) -> Maps:
        """See `Runner`."""
        if len(batch) != 1:
            raise ValueError(f"the graph takes one picture at a time, got {len(batch)}")
        return tuple(self._session.run(None, {self._input: np.ascontiguousarray(batch)}))
