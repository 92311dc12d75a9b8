"""Published checkpoints: read without running anything in them, checked entry by entry, turned into weights of ours."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from core.errors import ModelUnavailable
from core.models.layouts import Layout
from core.models.weights import MAX_BYTES, check_size, check_values, opened, refuse, refuse_all

if TYPE_CHECKING:
    from torch import Tensor

TORCH_SUFFIXES = (".pt", ".pth", ".tar")
SAFE_SUFFIX = ".safetensors"
MAX_PICKLE_BYTES = 64 << 20
"""Of the names and shapes in a checkpoint; its numbers lie elsewhere in the file."""

_WRAPPERS = ("model", "state_dict", "model_state_dict")
_MAX_WRAPPERS = 3
_PREFIX = re.compile(r"^(?:module\.|_orig_mod\.)+")
"""What training on several devices and compiling put before every name."""
_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")
_SHOWN = 60


@contextmanager
def open_checkpoint(path: Path) -> Iterator[dict[str, Any]]:
    """What a checkpoint holds, by names without prefixes; the numbers are read when they are looked at.

    Args:
        path: A file of PyTorch, of which nothing is run, or a safetensors file. The entries may lie under ``model``
            or ``state_dict``, beside what a training keeps.

    Yields:
        Tensors by name, for the time of the block; an entry that is no tensor is left for `converted` to refuse.

    Raises:
        ModelUnavailable: The file is missing, too large, broken, of another kind, or holds more than numbers.
    """
    suffix = path.suffix.lower()
    if suffix == SAFE_SUFFIX:
        with opened(path, framework="pt", max_bytes=MAX_BYTES) as file:
            yield _without_prefixes({name: file.get_tensor(name) for name in file.keys()}, path)  # noqa: SIM118
    elif suffix in TORCH_SUFFIXES:
        yield _without_prefixes(_unwrapped(_load(path), path), path)
    else:
        raise ModelUnavailable(
            f"Expected a checkpoint that ends in {', '.join((*TORCH_SUFFIXES, SAFE_SUFFIX))}, got another file; "
            f"choose the published one: {path}"
        )


def converted(entries: Mapping[str, Any], layout: Layout, path: Path) -> dict[str, Tensor]:
    """The state of a network from the entries of a published checkpoint, none of them missing or left over.

    Args:
        entries: What `open_checkpoint` gave.
        layout: What such a file holds.
        path: Of the file, for the sentence.

    Raises:
        ModelUnavailable: An entry is missing, unexpected, of another shape or type, not finite, or contradicts its
            second name.
    """
    import torch

    known = dict(entries)
    differing = []
    for alias, name in layout.aliases.items():
        if alias in known:
            second = known.pop(alias)
            first = known.setdefault(name, second)
            if not _is_same(first, second):
                differing.append(f"{alias} and {name}")
    fitting = {name: value for name, value in known.items() if name in layout.shapes}
    wrong = [
        f"{name} {tuple(value.shape)} instead of {layout.shapes[name]}"
        for name, value in fitting.items()
        if _is_plain_tensor(value) and tuple(value.shape) != layout.shapes[name]
    ]
    refuse_all(
        {
            "lacks": sorted(layout.shapes.keys() - known.keys()),
            "has in addition": sorted(known.keys() - layout.shapes.keys()),
            "holds something else than numbers in": [n for n, value in fitting.items() if not _is_plain_tensor(value)],
            "has other shapes:": wrong,
            "has two values of one entry:": differing,
        },
        path,
    )
    real, whole = torch.empty(0), torch.empty(0, dtype=torch.int64)
    check_values(known, {name: whole if name in layout.counters else real for name in known}, path)
    refuse(layout.unfit(known), "says what the network cannot hold in", path)
    return {name: tensor.detach().float() for name, tensor in layout.convert(known).items()}


def _is_plain_tensor(value: object) -> TypeGuard[Tensor]:
    import torch

    return (
        isinstance(value, torch.Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and not value.is_quantized
    )


def _is_same(first: object, second: object) -> bool:
    import torch

    if not _is_plain_tensor(first) or not _is_plain_tensor(second):
        return first is second
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    is_shared = first.data_ptr() == second.data_ptr() and first.stride() == second.stride()
    return is_shared or torch.equal(first, second)


def _load(path: Path) -> object:
    """What `torch.load` makes of a file when it may make nothing but tensors, containers, numbers and text."""
    import torch

    check_size(path, MAX_BYTES)
    try:
        is_archive = _check_archive(path)
        # What lies in an archive is mapped and not read; an archive may claim nothing that is not in the file.
        with warnings.catch_warnings(action="ignore"):  # of the unpickler, about files that are refused in a moment
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_archive)
    except ModelUnavailable:
        raise
    except Exception as error:  # a damaged or hostile file can raise anything in the unpickler
        asked = _GLOBAL.search(str(error)) if isinstance(error, pickle.UnpicklingError) else None
        got = (
            f"one that asks for {asked[1][:_SHOWN]}" if asked else f"a broken or different one ({type(error).__name__})"
        )
        raise ModelUnavailable(
            f"Expected a checkpoint of PyTorch that holds numbers only, got {got}; nothing in it was run, choose the "
            f"published file: {path}"
        ) from error


def _check_archive(path: Path) -> bool:
    """Whether a file is an archive, as PyTorch writes them since 1.6; refuse one that unpacks to more than it is."""
    with path.open("rb") as stream:
        if stream.read(4) != b"PK\x03\x04":
            return False
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            is_stored = entry.compress_type == zipfile.ZIP_STORED and entry.file_size == entry.compress_size
            if not is_stored or (entry.filename.endswith(".pkl") and entry.file_size > MAX_PICKLE_BYTES):
                raise ModelUnavailable(
                    "Expected a checkpoint as PyTorch writes it, got an archive that unpacks to more; choose the "
                    f"published file: {path}"
                )
    return True


def _unwrapped(content: object, path: Path) -> Mapping[object, object]:
    """The entries of a checkpoint, out of what a training has put around them."""
    import torch

    for _ in range(_MAX_WRAPPERS):
        if not isinstance(content, Mapping) or any(isinstance(value, torch.Tensor) for value in content.values()):
            break
        inner = next((content[name] for name in _WRAPPERS if isinstance(content.get(name), Mapping)), None)
        if inner is None:
            break
        content = inner
    if not isinstance(content, Mapping):
        raise ModelUnavailable(
            f"Expected a checkpoint with tensors by name, got a {type(content).__name__}; choose the published file: "
            f"{path}"
        )
    return content


def _without_prefixes(entries: Mapping[Any, Any], path: Path) -> dict[str, Any]:
    plain = {_PREFIX.sub("", str(name)): value for name, value in entries.items()}
    if len(plain) != len(entries):
        raise ModelUnavailable(
            f"Expected a checkpoint with one value of each entry, got several with and without a prefix; choose the "
            f"published file: {path}"
        )
    return plain
