"""Ways to run a network on arrays: PyTorch on any device, down a ladder where memory runs out; or its graph."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import DeviceFull, ModelUnavailable
from core.io.memory import available_memory, return_large_blocks
from core.models import BACKENDS, Backend
from core.models.devices import inference_on, is_lacking, memory_of, pick_device, too_little_memory
from core.models.graph_runner import Maps, OnnxRunner, graph_file
from core.models.weights import load_strictly
from core.progress import Progress, silent, stage

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch import device as Device

_log = logging.getLogger(__name__)

Network = TypeVar("Network", bound="nn.Module")
Told = TypeVar("Told")
_CPU = "cpu"


class Runner(Protocol):
    """A network with its weights, on a device."""

    device: str
    """Where the last run happened, read back from its tensors; before the first run, where the weights are."""
    batch: int
    """How many pictures are best run at once."""
    notes: tuple[str, ...]
    """What the last run had to do to get by, in sentences."""

    def run(self, batch: NDArray[np.float32], *, may_halve: bool = False) -> Maps:
        """The network's outputs in their order.

        Args:
            batch: (b, 3, h, w) sRGB in [0, 1].
            may_halve: Half precision is good enough where a GPU's memory does not suffice for full precision.

        Raises:
            ModelUnavailable: The device ran out of memory.
        """
        ...

    def watched(self, progress: Progress) -> AbstractContextManager[None]:
        """Within, `progress` is called during a run, and may raise `Cancelled`."""
        ...


@dataclass(frozen=True)
class Rung:
    """One way to run a network; each needs less of the device's memory than the one before.

    Attributes:
        device: A torch device.
        is_half: In half precision; never on a CPU, where it saves no time and costs accuracy.
    """

    device: str
    is_half: bool = False


class TorchRunner(Generic[Network]):
    """Runs a torch module whose `forward` returns a tuple of tensors.

    When the device runs out of memory the runner takes the pictures in smaller batches, then in half precision where
    that is allowed, and then the CPU; the CPU also does what an Apple GPU cannot. The next run begins at the top again:
    the memory may be free by then, and the network's numbers are as they were.

    Attributes:
        network: The module in full precision, on its device or, after memory ran out there, on the CPU.
        notes: What the last run had to do to get by, in sentences.
        told: The same of all runs so far, each sentence once.

    Args:
        build: Makes the network with arbitrary weights.
        weights: The safetensors file with its numbers.
        device: A torch device.
        exact: Convolve in the numbers' own precision where NVIDIA's libraries would round more coarsely (TF32).

    Raises:
        ModelUnavailable: The weights are missing, broken or of another network, or the device is not there.
    """

    def __init__(self, build: Callable[[], Network], weights: Path, *, device: str, exact: bool = False) -> None:
        network: Network = build()
        is_mapped = next(network.parameters()).is_meta
        load_strictly(network, weights)
        if is_mapped:
            return_large_blocks()
        self._start(network, device=device, exact=exact, is_mapped=is_mapped)

    @classmethod
    def of_network(
        cls, network: Network, *, device: str = _CPU, exact: bool = False, is_mapped: bool = True
    ) -> TorchRunner[Network]:
        """Runs a module that has its numbers already.

        Args:
            network: On the CPU.
            device: A torch device.
            exact: As for `TorchRunner`.
            is_mapped: Leave the order of the numbers as it is, or else put the channels last.

        Raises:
            ModelUnavailable: The device is not there.
        """
        runner = cls.__new__(cls)
        runner._start(network, device=device, exact=exact, is_mapped=is_mapped)
        return runner

    def _start(self, network: Network, *, device: str, exact: bool, is_mapped: bool) -> None:
        self.network = network.eval()
        self.device = _CPU
        self.notes: tuple[str, ...] = ()
        self.told: tuple[str, ...] = ()
        self._home, self._place = device, ""
        self._progress: Progress = silent
        self._is_lacking = False
        self._exact, self._is_mapped = exact, is_mapped
        try:
            with memory_of(device):
                self.device = str(next(self._placed(Rung(device)).parameters()).device)
        except DeviceFull as error:
            _log.info("%s", error)  # each run finds a way
        except (RuntimeError, AssertionError) as error:  # torch asserts that it was compiled with CUDA
            raise ModelUnavailable(f"Device {device} cannot be used ({error}); choose cpu or auto.") from error
        self.batch = 1 if device.partition(":")[0] == _CPU else 8

    def run(
        self,
        batch: NDArray[np.float32],
        ask: Callable[[Network, Tensor], tuple[Tensor, ...]] | None = None,
        *,
        may_halve: bool = False,
    ) -> Maps:
        """See `Runner`; `ask` asks the network in another way than by `forward`."""

        def outputs(network: Network, part: slice) -> Maps:
            share = stage(self._progress, part.start / len(batch), part.stop / len(batch))
            return self._outputs(network, batch[part], ask, share)

        done = self.each(len(batch), outputs, may_halve=may_halve)
        return tuple(np.concatenate(maps) if len(maps) > 1 else maps[0] for maps in zip(*done, strict=True))

    def each(self, count: int, work: Callable[[Network, slice], Told], *, may_halve: bool = False) -> list[Told]:
        """What the network says of several things, in as few parts as the memory has room for.

        Args:
            count: How many there are, at least one.
            work: Asks the network about a part of them and brings what it says to the CPU. The network may be on
                another device and of another precision each time, which its parameters tell. It runs without gradients.
            may_halve: As for `run`.

        Returns:
            What `work` said of each part, in order.

        Raises:
            DeviceFull: Not even one fits, nowhere.
        """
        self.notes, self._is_lacking = (), False
        for rung in self._rungs(may_halve=may_halve):
            size = count
            while size and not (self._is_lacking and rung.device != _CPU):
                said = self._try(rung, work, [slice(at, min(at + size, count)) for at in range(0, count, size)])
                if said is not None:
                    self.notes = self._said(rung, is_split=size < count)
                    self.told = tuple(dict.fromkeys((*self.told, *self.notes)))
                    return said
                size //= 2
        raise too_little_memory(_CPU)

    @contextmanager
    def watched(self, progress: Progress) -> Iterator[None]:
        """See `Runner`; for networks that say what their `steps` are."""
        self._progress = progress
        try:
            yield
        finally:
            self._progress = silent

    def _rungs(self, *, may_halve: bool) -> list[Rung]:
        home = Rung(self._home)
        if self._home.partition(":")[0] == _CPU:
            return [home]
        return [home, *([Rung(self._home, is_half=True)] if may_halve else []), Rung(_CPU)]

    def _try(self, rung: Rung, work: Callable[[Network, slice], Told], parts: Sequence[slice]) -> list[Told] | None:
        """What `work` says of parts; None when the memory did not suffice or the device cannot do it.

        The error is not kept: what it refers to could not be freed.
        """
        try:
            with memory_of(rung.device):
                network = self._placed(rung)
                self.device = str(device_of(network))
                with inference_on(rung.device), exactly() if self._exact else nullcontext():
                    return [work(network, part) for part in parts]
        except DeviceFull as error:
            _log.info("%s: %s", rung, error)
        except (RuntimeError, TypeError) as error:
            # Not every network can be halved; if it is another error, the CPU will raise it, too.
            if not (rung.is_half or (rung.device != _CPU and is_lacking(error))):
                raise
            _log.info("%s: %s", rung, error)
            self._is_lacking = is_lacking(error) and not rung.is_half
        return None

    def _placed(self, rung: Rung) -> Network:
        """The network as a rung wants it; the one in full precision stays what it is."""
        import torch

        home = _CPU if rung.is_half else rung.device
        if self._place != home:
            self._place = ""  # some of it may be here and some there, if this goes wrong
            self.network = self.network.to(device=home)
            if not self._is_mapped:
                # On a CPU, convolutions are a sixth faster with the channels last. Not so those of large networks, and
                # weights that are mapped from their file would be in memory twice.
                self.network = self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            self._place = home
        return _halved(self.network, rung.device) if rung.is_half else self.network

    def _outputs(
        self,
        network: Network,
        part: NDArray[np.float32],
        ask: Callable[[Network, Tensor], tuple[Tensor, ...]] | None,
        progress: Progress,
    ) -> Maps:
        import torch

        steps: Sequence[nn.Module] = [] if self._progress is silent else getattr(network, "steps", list)()
        with watched(steps, progress):
            parameter = next(network.parameters())
            pictures = torch.from_numpy(part).to(parameter.device, parameter.dtype)
            outputs: tuple[Tensor, ...] = network(pictures) if ask is None else ask(network, pictures)
            self.device = str(outputs[0].device)
            return tuple(output.cpu().float().numpy() for output in outputs)

    def _said(self, rung: Rung, *, is_split: bool) -> tuple[str, ...]:
        if self._is_lacking:
            return (f"{self._home} cannot do all that the model needs, so that it ran on the {rung.device}.",)
        if rung.device != self._home:
            return (f"{self._home} had too little free memory, so that the model ran on the {rung.device}.",)
        if rung.is_half:
            return (
                f"{self._home} had too little free memory, so that the model ran in half precision there, which is a "
                "little coarser.",
            )
        return (f"{self._home} had too little free memory for several pictures at once.",) if is_split else ()


def _halved(network: Network, device: str) -> Network:
    """The same network in half precision on a device: fewer digits, but the whole range, so that nothing overflows."""
    import torch

    def halved(tensor: Tensor) -> Tensor:
        return tensor.detach().to(device, torch.bfloat16 if tensor.is_floating_point() else tensor.dtype)

    # The copy finds its numbers made already, so that they are not doubled in full precision first.
    numbers: dict[int, object] = {id(buffer): halved(buffer) for buffer in network.buffers()}
    numbers |= {
        id(parameter): torch.nn.Parameter(halved(parameter), requires_grad=False) for parameter in network.parameters()
    }
    return deepcopy(network, numbers)


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

    if steps:
        progress(0, len(steps))
    hooks = [part.register_forward_hook(step) for part in steps]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def device_of(network: nn.Module) -> Device:
    """Where a network's numbers are."""
    return next(network.parameters()).device


def tensor(values: ArrayLike, device: Device) -> Tensor:
    """Numbers in float32 on a device; some devices know nothing finer."""
    import torch

    return torch.as_tensor(np.asarray(values, np.float32), device=device)


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


def pick_runner(
    build: Callable[[], Network],
    weights: Path,
    *,
    device: str,
    backend: Backend = "auto",
    exact: bool = False,
    faster: Backend,
    graph_bytes: int = 0,
) -> TorchRunner[Network] | OnnxRunner:
    """The way to run a network that was asked for.

    Args:
        build: Makes the network with arbitrary weights.
        weights: The safetensors file with its numbers; its graph lies beside it.
        device: "auto", "cpu", "cuda", "mps" or another torch device.
        backend: "auto" takes the faster one, if it can be used.
        exact: As for `TorchRunner`.
        faster: Which it is on a CPU.
        graph_bytes: Memory that has to be free for the graph to be taken unasked.

    Raises:
        ModelUnavailable: As for both; or there is no graph, or another device was asked for than it runs on.
        ValueError: There is no such backend.
    """
    check_backend(backend)
    graph = graph_file(weights, "")
    if backend == "onnxruntime":
        check_graphs([graph], device)
        return OnnxRunner(graph, weights)
    device = pick_device(device)
    is_better = backend == "auto" and faster == "onnxruntime" and device == "cpu"
    if is_better and graph.is_file() and available_memory() >= graph_bytes:
        try:
            return OnnxRunner(graph, weights)
        except ModelUnavailable as error:
            _log.warning("%s PyTorch is used instead.", error)
    return TorchRunner(build, weights, device=device, exact=exact)


def check_backend(backend: Backend) -> None:
    """Refuse what is none of `BACKENDS`.

    Raises:
        ValueError: It is none.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(BACKENDS)}, got {backend}")


def check_graphs(graphs: Sequence[Path], device: str) -> None:
    """Whether ONNX Runtime can do what it was asked for by name.

    Args:
        graphs: That a model needs.
        device: That was asked for.

    Raises:
        ModelUnavailable: It is another device than a CPU, or there is no such graph.
    """
    if device not in ("auto", "cpu"):
        raise ModelUnavailable(f"The backend onnxruntime runs on the CPU, got device {device}; choose cpu or auto.")
    missing = next((graph for graph in graphs if not graph.is_file()), None)
    if missing is not None:
        raise ModelUnavailable(
            "Expected an ONNX graph beside the weights, got none; write it with 'panoviewer models export', "
            f"or choose the backend torch: {missing}"
        )
