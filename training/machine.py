"""The network, its optimiser and Lightning Fabric, which puts them on the device and spreads them over processes."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from core.errors import PanoError
from training.choices import Processes
from training.config import TrainConfig
from training.recipes.base import Batch, Recipe

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from lightning_fabric.wrappers import _FabricOptimizer

BETAS = (0.9, 0.98)

Value = TypeVar("Value")


class Task(nn.Module):
    """A network together with its loss, so that whatever the loss calls of the network runs within one forward.

    Strategies wrap this: they allow nothing but `forward`.
    """

    def __init__(self, recipe: Recipe, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self._recipe = recipe

    def forward(self, tensors: Mapping[str, Tensor], step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss and what is logged of it."""
        loss, parts = self._recipe.loss(self.network, Batch(tensors, step))
        return loss, {name: torch.as_tensor(value).detach() for name, value in parts.items()}


def open_fabric(recipe: Recipe, config: TrainConfig, processes: Processes) -> Fabric:
    """Fabric for a settled configuration, with the processes connected.

    Raises:
        PanoError: Fabric is not installed.
    """
    try:
        from lightning_fabric import Fabric
        from lightning_fabric.strategies.ddp import DDPStrategy
        from lightning_fabric.strategies.model_parallel import ModelParallelStrategy
    except ModuleNotFoundError as error:
        raise PanoError(
            "Training needs lightning-fabric, which is not installed. Install it with: pip install 'panoviewer[train]'"
        ) from error
    # It tells of every process that joins, and of ways to start that were not asked for.
    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)
    logging.getLogger("lightning.fabric").setLevel(logging.ERROR)
    is_cpu = config.device == "cpu"
    backend = "gloo" if is_cpu else "nccl"
    strategy: Any = "auto"
    if config.strategy == "ddp":
        # Of click-s a batch of sequences uses other parts than one of single views. Buffers are shared after a step.
        strategy = DDPStrategy(process_group_backend=backend, find_unused_parameters=True, broadcast_buffers=False)
    elif config.strategy == "fsdp":
        strategy = ModelParallelStrategy(
            parallelize_fn=_Sharding(recipe.blocks),
            data_parallel_size=processes.count,
            tensor_parallel_size=1,
            process_group_backend=backend,
        )
    fabric = Fabric(
        accelerator="cpu" if is_cpu else "cuda",
        devices=processes.on_machine,
        num_nodes=processes.machines,
        strategy=strategy,
        precision="bf16-mixed" if config.precision == "bfloat16" else "32-true",
    )
    fabric.launch()
    return fabric


class _Sharding:
    """Spreads a network over all processes: the recipe's blocks one by one, then what is left."""

    def __init__(self, blocks: tuple[type[nn.Module], ...]) -> None:
        self._blocks = blocks

    def __call__(self, module: nn.Module, mesh: Any) -> nn.Module:  # noqa: ANN401 - a DeviceMesh
        from torch.distributed.fsdp import fully_shard

        for part in list(module.modules()):
            if self._blocks and isinstance(part, self._blocks):
                fully_shard(part, mesh=mesh["data_parallel"])
        fully_shard(module, mesh=mesh["data_parallel"])
        return module


class Machine:
    """A network that is trained, wherever it lies.

    Args:
        recipe: Builds the network.
        config: Without anything left open.
        processes: That train together.
    """

    def __init__(self, recipe: Recipe, config: TrainConfig, processes: Processes) -> None:
        self.fabric = open_fabric(recipe, config, processes)
        self._recipe, self._config, self._processes = recipe, config, processes
        torch.manual_seed(config.seed)
        task = Task(recipe, recipe.build())
        with warnings.catch_warnings():
            # Whether all processes have the same weights is clear: all start from the same seed.
            warnings.simplefilter("ignore")
            self._task = self.fabric.setup_module(task)
        self.network = task.network
        self._names = [name for name, value in self.network.named_parameters() if value.requires_grad]
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, parameter in self.network.named_parameters():
            if parameter.requires_grad:
                decay = config.weight_decay if parameter.ndim > 1 else 0.0
                groups.setdefault((recipe.rate(name), decay), []).append(parameter)
        if not groups:
            raise ValueError("the network has nothing to train")
        optimizer = torch.optim.AdamW(
            [{"params": held, "factor": rate, "weight_decay": decay} for (rate, decay), held in groups.items()],
            lr=config.learning_rate,
            betas=BETAS,
        )
        self._optimizer = cast("_FabricOptimizer", self.fabric.setup_optimizers(optimizer))
        self._plain_optimizer = optimizer
        self._means = {name: value.detach().clone() for name, value in self._changing().items()}
        self._before = self._buffers()

    def _changing(self) -> dict[str, Tensor]:
        """What training changes: parameters that learn, and buffers."""
        trained = set(self._names)
        fixed = {name for name, _ in self.network.named_parameters() if name not in trained}
        return {name: value for name, value in self.network.state_dict().items() if name not in fixed}

    @property
    def device(self) -> torch.device:
        """Where batches belong."""
        device: torch.device = self.fabric.device
        return device

    def gradient(self, batches: list[Batch], seeds: list[int]) -> list[dict[str, Tensor]]:
        """Leave the mean gradient of these and all other processes' batches in the network; gives what is logged.

        Buffers, which batch normalisation changes as it computes, become what they would on average.
        """
        self._optimizer.zero_grad()
        self._before = self._buffers()
        told, after = [], []
        for index, (batch, seed) in enumerate(zip(batches, seeds, strict=True)):
            if index:
                self._set_buffers(self._before)
            # Whatever chance there is in a loss follows from the part, not from what was computed before it here.
            torch.manual_seed(seed)
            moved = {name: tensor.to(self.device, non_blocking=True) for name, tensor in batch.tensors.items()}
            with self.fabric.no_backward_sync(self._task, enabled=index + 1 < len(batches)):
                loss, parts = self._task(moved, batch.step)
                self.fabric.backward(loss / len(batches))
            told.append({"loss": loss.detach(), **parts})
            after.append(self._buffers())
        if len(batches) * self._processes.count > 1:
            self._set_buffers(self._mean_buffers(after))
        return told

    def take_back(self) -> None:
        """Undo what computing the last gradient has changed: nothing is learned from it."""
        self._set_buffers(self._before)

    def _buffers(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.network.named_buffers()}

    @torch.no_grad()
    def _set_buffers(self, values: Mapping[str, Tensor]) -> None:
        for name, value in self.network.named_buffers():
            value.copy_(values[name])

    def _mean_buffers(self, after: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        """The buffers before, changed by the mean of what the parts of all processes changed; counts are alike in all.

        What no part changes stays as it is to the last bit.
        """
        means = dict(after[-1])
        names = [name for name, value in means.items() if value.dtype.is_floating_point]
        if not names:
            return means
        changes = torch.stack(
            [torch.cat([(one[name] - self._before[name]).flatten() for name in names]) for one in after]
        ).mean(dim=0)
        if self._processes.count > 1:
            torch.distributed.all_reduce(changes)
            changes /= self._processes.count
        sizes = [means[name].numel() for name in names]
        for name, change in zip(names, changes.split(sizes), strict=True):
            means[name] = self._before[name] + change.reshape(self._before[name].shape)
        return means

    def clipped_norm(self) -> float:
        """Clip the gradient; its norm before, of all processes together."""
        norm = self.fabric.clip_gradients(
            self._task, self._plain_optimizer, max_norm=self._config.clip, error_if_nonfinite=False
        )
        return float(_whole(cast(Tensor, norm)))

    def learn(self, rate: float) -> None:
        """One step of the optimiser."""
        for group in self._plain_optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        self._optimizer.step()

    @torch.no_grad()
    def average(self, decay: float) -> None:
        """Let the averaged weights follow."""
        for name, value in self._changing().items():
            if value.dtype.is_floating_point:
                self._means[name].lerp_(value, 1 - decay)
            else:
                self._means[name].copy_(value)

    @contextmanager
    @torch.no_grad()
    def averaged(self) -> Iterator[nn.Module | None]:
        """Within, the network has the averaged weights; in processes that have nothing to judge there is none.

        Of a network that is spread over processes the first one gets a copy, in which everything is together.
        """
        if self._config.strategy == "fsdp":
            whole = self.state()["ema"]
            if self._processes.rank:
                yield None
            else:
                copy = self._recipe.build()
                copy.load_state_dict(whole)
                yield copy.to(self.device)
            return
        present = self._changing()
        kept = {name: value.detach().clone() for name, value in present.items()}
        try:
            for name, value in present.items():
                value.copy_(self._means[name])
            yield None if self._processes.rank else self.network
        finally:
            for name, value in present.items():
                value.copy_(kept[name])

    def judge_alone(self, batch: Batch, seed: int) -> float:
        """The loss of a batch for this process alone; nothing is learned. Not for a network that is spread."""
        torch.manual_seed(seed)
        kept = self._buffers()
        with torch.no_grad(), self.fabric.autocast():
            moved = {name: tensor.to(self.device) for name, tensor in batch.tensors.items()}
            loss, _ = self._recipe.loss(self.network, Batch(moved, batch.step))
        self._set_buffers(kept)
        return float(loss)

    def any_says(self, flags: list[bool]) -> list[bool]:
        """Which flags any process has set."""
        if self._processes.count == 1:
            return flags
        said = torch.tensor([float(flag) for flag in flags], device=self.device)
        torch.distributed.all_reduce(said, torch.distributed.ReduceOp.MAX)
        return [bool(flag) for flag in said.tolist()]

    def from_all(self, value: Value) -> list[Value]:
        """What each process gives, in their order."""
        if self._processes.count == 1:
            return [value]
        gathered: list[Any] = [None] * self._processes.count
        torch.distributed.all_gather_object(gathered, value)
        return gathered

    def from_first(self, value: Value) -> Value:
        """What the first process gives."""
        if self._processes.count == 1:
            return value
        box = [value]
        torch.distributed.broadcast_object_list(box)
        return box[0]

    def wait(self) -> None:
        """Until all processes are here."""
        self.fabric.barrier()

    def state(self) -> dict[str, Any]:
        """Weights, averaged weights and the optimiser's memory, whole and on the CPU; all processes must ask."""
        model = {name: _whole(value) for name, value in self.network.state_dict().items()}
        names = self._names_of_parameters()
        optimizer = {
            names[parameter]: {key: _whole(value) for key, value in memory.items()}
            for parameter, memory in self._plain_optimizer.state.items()
        }
        means = {name: _whole(value) for name, value in self._means.items()}
        return {"model": model, "ema": {**model, **means}, "optimizer": optimizer}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`, also one of other processes or another device.

        Raises:
            KeyError, RuntimeError: It is not one of this network.
        """
        _fill(self.network.state_dict(), state["model"])
        _fill(self._means, {name: state["ema"][name] for name in self._means})
        known = {name: parameter for parameter, name in self._names_of_parameters().items()}
        self._plain_optimizer.state.clear()
        for name, memory in state["optimizer"].items():
            parameter = known[name]
            self._plain_optimizer.state[parameter] = {
                key: _like(parameter, value) if value.shape == parameter.shape else value.clone()
                for key, value in memory.items()
            }

    def _names_of_parameters(self) -> dict[Tensor, str]:
        return {parameter: name for name, parameter in self.network.named_parameters()}


def _whole(value: Tensor) -> Tensor:
    """A tensor on the CPU, together; all processes must ask for it."""
    tensor = value.full_tensor() if isinstance(value, DTensor) else value
    return tensor.detach().cpu()


def _like(parameter: Tensor, value: Tensor) -> Tensor:
    """A whole tensor, where and as spread as a parameter of its shape."""
    moved = value.to(parameter.device, copy=True)
    if isinstance(parameter, DTensor):
        return distribute_tensor(moved, parameter.device_mesh, parameter.placements)
    return moved


def _fill(places: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    other = places.keys() ^ values.keys()
    if other:
        raise RuntimeError(f"{min(other)} is only in one of them")
    for name, place in places.items():
        if place.shape != values[name].shape:
            raise RuntimeError(f"{name} is {tuple(values[name].shape)} instead of {tuple(place.shape)}")
        place.copy_(_like(place, values[name]))
