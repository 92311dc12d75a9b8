"""What a run decides by itself about the machine it is on, each choice with its reason."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch

from core.errors import PanoError
from core.models.devices import pick_device
from training.config import TrainConfig

LOADERS_ON_CPU = 3
_LOADERS_ON_GPU = 12
_FIRST_WITH_BFLOAT16 = 8
"""Compute capability from which on NVIDIA GPUs have matrix units for bfloat16 (CUDA C++ Programming Guide, arithmetic
by compute capability: 8.0, Ampere)."""

_Config = TypeVar("_Config", bound=TrainConfig)


@dataclass(frozen=True)
class Choice:
    """A setting as it is used, and why."""

    setting: str
    value: str | int
    reason: str


@dataclass(frozen=True)
class Processes:
    """The processes that train together.

    Attributes:
        count: Of all machines.
        rank: Of this one among them.
        on_machine: How many of them are on this machine.
    """

    count: int = 1
    rank: int = 0
    on_machine: int = 1

    @classmethod
    def of_environment(cls) -> Processes:
        """As torchrun tells them; one where it did not start this process."""
        names = ("WORLD_SIZE", "RANK", "LOCAL_WORLD_SIZE")
        if not all(os.environ.get(name, "").isdecimal() for name in names):
            return cls()
        return cls(*(int(os.environ[name]) for name in names))

    @property
    def machines(self) -> int:
        """How many machines there are."""
        return self.count // self.on_machine


def choose(
    config: _Config, processes: Processes, *, resumed: Mapping[str, Any] | None = None
) -> tuple[_Config, tuple[Choice, ...]]:
    """Settle what the configuration leaves open.

    Args:
        config: With "auto" or 0 where the run is to decide.
        processes: That train together.
        resumed: The configuration of the checkpoint that the run goes on from.

    Returns:
        The configuration without anything open, and the reasons.

    Raises:
        PanoError: The device cannot be used, or processes cannot share the parts of a step.
    """
    choices = [
        _device(config),
        Choice("processes", processes.count, "as torchrun started them" if processes.count > 1 else "no torchrun"),
    ]
    device = str(choices[0].value)
    choices += [
        _precision(config, device),
        _strategy(config, processes),
        _parts(config, processes, resumed),
        Choice("batch", config.batch, "as set; the recipe's own unless a flag says otherwise"),
        _loaders(config, device, processes),
        Choice("threads", config.threads, "as set; one is the fastest where loading shares the cores"),
    ]
    settled: dict[str, Any] = {choice.setting: choice.value for choice in choices if choice.setting != "processes"}
    return replace(config, **settled), tuple(choices)


def _device(config: TrainConfig) -> Choice:
    if config.device not in ("auto", "cpu", "cuda"):
        raise PanoError(
            f"Expected --device auto, cpu or cuda, got {config.device}; choose one of these. Which of several GPUs is "
            "used is told by CUDA_VISIBLE_DEVICES."
        )
    device = pick_device(config.device)
    if device.startswith("mps"):
        device = "cpu"
    if config.device != "auto":
        return Choice("device", device, "as set")
    if device == "cpu":
        return Choice("device", device, "PyTorch can use no NVIDIA GPU here")
    others = torch.cuda.device_count() - 1
    beside = f"; {others} more: start with torchrun --nproc-per-node {others + 1} to use them" if others else ""
    return Choice("device", device, f"{torch.cuda.get_device_name()} is usable{beside}")


def _precision(config: TrainConfig, device: str) -> Choice:
    if device == "cpu":
        if config.precision == "bfloat16":
            raise PanoError(
                "Precision bfloat16 gains nothing on a CPU; leave out --precision, or choose --device cuda."
            )
        return Choice("precision", "float32", "the CPU gains nothing from less")
    if config.precision != "auto":
        return Choice("precision", config.precision, "as set")
    major, minor = torch.cuda.get_device_capability()
    if major >= _FIRST_WITH_BFLOAT16:
        return Choice("precision", "bfloat16", f"compute capability {major}.{minor} has matrix units for it")
    return Choice("precision", "float32", f"compute capability {major}.{minor} has no matrix units for bfloat16")


def _strategy(config: TrainConfig, processes: Processes) -> Choice:
    if processes.count == 1:
        if config.strategy in ("ddp", "fsdp"):
            raise PanoError(
                f"Strategy {config.strategy} is for several processes, got one; start with torchrun --nproc-per-node N "
                "-m training train NAME, or leave out --strategy."
            )
        return Choice("strategy", "one", "one process")
    if config.strategy == "one":
        raise PanoError(f"Strategy one is for one process, got {processes.count}; leave out --strategy.")
    if config.strategy != "auto":
        return Choice("strategy", config.strategy, "as set")
    return Choice("strategy", "ddp", "every process holds the whole network; --strategy fsdp spreads it")


def _parts(config: TrainConfig, processes: Processes, resumed: Mapping[str, Any] | None) -> Choice:
    if config.parts:
        choice = Choice("parts", config.parts, "as set")
    elif resumed is not None and resumed.get("parts"):
        choice = Choice("parts", int(resumed["parts"]), "as in the run so far, so that its steps stay the same")
    else:
        choice = Choice("parts", processes.count, "one for each process")
    if int(choice.value) % processes.count:
        raise PanoError(
            f"Expected parts of a step that {processes.count} processes can share, got {choice.value}; give a multiple "
            "with --parts, or start fewer processes."
        )
    return choice


def _loaders(config: TrainConfig, device: str, processes: Processes) -> Choice:
    if config.loaders:
        return Choice("loaders", config.loaders, "as set")
    if device == "cpu":
        return Choice("loaders", LOADERS_ON_CPU, "as many as keep ahead of a CPU that trains")
    cores = os.cpu_count() or 1
    count = max(1, min(_LOADERS_ON_GPU, cores // processes.on_machine))
    return Choice("loaders", count, f"{cores} cores for {processes.on_machine} process(es), {_LOADERS_ON_GPU} at most")


def hardware_of(config: TrainConfig, processes: Processes) -> str:
    """What a card tells of the machine."""
    device = torch.cuda.get_device_name() if config.device.startswith("cuda") else config.device
    several = f", {processes.count} processes ({config.strategy})" if processes.count > 1 else ""
    return f"{platform.machine()}, {config.threads} thread(s), {device}, {config.precision}{several}"
