"""Which device a network runs on."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from core.errors import DeviceFull, ModelUnavailable

_FULL = ("DefaultCPUAllocator", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", "MPS backend out of memory")
"""How allocators say it that have no error of their own for it."""


def pick_device(choice: str) -> str:
    """The torch device for a choice; torch is imported only where it can matter.

    Args:
        choice: "auto" takes a usable NVIDIA GPU, or else that of an Apple computer, or else the CPU; anything else is a
            torch device and taken as it is.

    Raises:
        ModelUnavailable: CUDA or MPS was asked for and cannot be used.
    """
    if choice == "auto":
        if _has_nvidia_driver() and _cuda_works():
            return "cuda"
        return "mps" if _is_apple() and _mps_works() else "cpu"
    if choice.partition(":")[0] == "cuda" and not _cuda_works():
        raise ModelUnavailable(
            f"Device {choice} was asked for, but the installed PyTorch can use no NVIDIA GPU here; choose cpu or auto."
        )
    if choice.partition(":")[0] == "mps" and not _mps_works():
        raise ModelUnavailable(
            f"Device {choice} was asked for, but the installed PyTorch can use no Apple GPU here; choose cpu or auto."
        )
    return choice


@contextmanager
def inference_on(device: str) -> Iterator[None]:
    """Networks run within, without gradients.

    Args:
        device: Where, for the sentence.

    Raises:
        DeviceFull: The device ran out of memory.
    """
    import torch

    with memory_of(device), torch.inference_mode():
        yield


@contextmanager
def memory_of(device: str) -> Iterator[None]:
    """Whatever the libraries call too little memory becomes one error.

    Args:
        device: Where, for the sentence.

    Raises:
        DeviceFull: The device ran out of memory.
    """
    import torch

    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not (
            isinstance(error, torch.OutOfMemoryError) or any(word in str(error) for word in _FULL)
        ):
            raise
        raise too_little_memory(device) from error


def too_little_memory(device: str) -> DeviceFull:
    """The error of a device on which a model does not fit; behind the CPU there is no other."""
    if device.partition(":")[0] == "cpu":
        return DeviceFull(
            "This computer has too little free memory for this model; close other programs or choose a smaller model."
        )
    return DeviceFull(f"Device {device} has too little free memory for this model; close other programs or choose cpu.")


def is_lacking(error: Exception) -> bool:
    """Whether an error says that an Apple GPU cannot do what was asked of it: an operation or a kind of numbers."""
    text = str(error)
    return "MPS" in text and any(word in text for word in ("implemented", "support"))


@cache
def _has_nvidia_driver() -> bool:
    """True when the driver's library can be loaded; costs nothing beside the second that importing torch takes."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def _is_apple() -> bool:
    """True where there can be an Apple GPU at all; like the driver's library it spares others the import of torch."""
    return sys.platform == "darwin"


@cache
def _mps_works() -> bool:
    """True when a tensor has been computed on an Apple GPU, in float32: it knows no float64."""
    import torch

    if not torch.backends.mps.is_available():
        return False
    try:
        return float(torch.ones(2, device="mps", dtype=torch.float32).sum()) == 2.0
    except RuntimeError:
        return False


@cache
def _cuda_works() -> bool:
    """True when a tensor has been computed on the GPU: a driver too old, or a GPU too old for this build, says no."""
    import torch

    if not torch.cuda.is_available():
        return False
    try:
        return float(torch.ones(2, device="cuda").sum()) == 2.0
    except RuntimeError:
        return False
