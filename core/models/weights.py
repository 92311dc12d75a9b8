"""Weights from safetensors files, which hold numbers and text and nothing that runs."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from core.errors import ModelUnavailable
from core.models.devices import too_little_memory
from core.progress import Progress, silent

if TYPE_CHECKING:
    from torch import Tensor, nn

MAX_BYTES = 8 << 30
"""Larger files are not opened; the largest network we know of has a quarter of it."""
_MAX_HEADER_BYTES = 16 << 20
_LISTED = 3
_SHOWN = 120


def read_metadata(path: Path, *, max_bytes: int = MAX_BYTES) -> dict[str, str]:
    """The text that a file of weights carries; no tensor is read.

    Raises:
        ModelUnavailable: The file is missing, too large, truncated or no safetensors file.
    """
    with opened(path, framework="np", max_bytes=max_bytes) as file:
        return dict(file.metadata() or {})


def header_digest(path: Path, *, max_bytes: int = MAX_BYTES) -> str:
    """SHA-256 of the header: equal for two files whose tensors have the same names, types, shapes and places.

    Raises:
        ModelUnavailable: The file is missing, too large, truncated or no safetensors file.
    """
    read_metadata(path, max_bytes=max_bytes)
    with path.open("rb") as stream:
        return hashlib.sha256(stream.read(data_offset(path))).hexdigest()


def data_offset(path: Path) -> int:
    """Bytes before the first tensor of a file that `read_metadata` accepts.

    Source: the safetensors format, eight bytes of little-endian length and a JSON header of that length.
    """
    with path.open("rb") as stream:
        return 8 + int.from_bytes(stream.read(8), "little")


def check_finite(path: Path, *, max_bytes: int = MAX_BYTES) -> None:
    """Refuse weights that are not all finite numbers; for those that are read by another library, which does not look.

    Raises:
        ModelUnavailable: One of them is not, or the file is missing, too large, truncated or no safetensors file.
    """
    with opened(path, framework="np", max_bytes=max_bytes) as file:
        infinite = [name for name in sorted(file.keys()) if not np.isfinite(file.get_tensor(name)).all()]
    refuse(infinite, "is not finite in", path)


def load_strictly(network: nn.Module, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
    """Fill a network from a file that holds exactly its parameters and buffers, all finite.

    Args:
        network: Receives the values in its own types, where it is. One on the meta device gets tensors that are mapped
            from the file, which spares a copy: the file must not be changed in place while the network lives.
        path: The safetensors file.
        max_bytes: A larger file is refused before it is opened.

    Raises:
        ModelUnavailable: The file is missing, too large, broken, or made for another network; the network is unchanged.
    """
    expected = network.state_dict()
    with opened(path, framework="pt", max_bytes=max_bytes) as file:
        names = set(file.keys())
        wrong = [
            f"{name} {tuple(file.get_slice(name).get_shape())} instead of {tuple(expected[name].shape)}"
            for name in sorted(names & expected.keys())
            if tuple(file.get_slice(name).get_shape()) != tuple(expected[name].shape)
        ]
        refuse_all(
            {
                "lacks": sorted(expected.keys() - names),
                "has in addition": sorted(names - expected.keys()),
                "has other shapes:": wrong,
            },
            path,
        )
        tensors = {name: file.get_tensor(name) for name in names}
    check_values(tensors, expected, path)
    if any(value.is_meta for value in expected.values()):
        tensors = {name: tensor.to(expected[name].dtype) for name, tensor in tensors.items()}
        network.load_state_dict(tensors, strict=True, assign=True)
    else:
        network.load_state_dict(tensors, strict=True)


def write_tensors(tensors: Mapping[str, Tensor], stream: BinaryIO, *, progress: Progress = silent) -> None:
    """Write float32 tensors as safetensors, one after the other and none of them twice in memory."""
    header, begin = {}, 0
    for name, tensor in tensors.items():
        end = begin + 4 * tensor.numel()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    stream.write(len(text).to_bytes(8, "little") + text)
    for done, tensor in enumerate(tensors.values()):
        progress(done, len(tensors))
        stream.write(tensor.contiguous().numpy().astype("<f4", copy=False).data)


def check_values(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: Path) -> None:
    """Refuse numbers of another kind than expected, or that are not finite.

    Raises:
        ModelUnavailable: Names them.
    """
    kinds = [
        f"{name} {tensor.dtype} instead of {expected[name].dtype}"
        for name, tensor in sorted(tensors.items())
        if tensor.is_floating_point() != expected[name].is_floating_point()
    ]
    refuse(kinds, "has other types:", path)
    infinite = sorted(name for name, tensor in tensors.items() if not tensor.isfinite().all())
    refuse(infinite, "is not finite in", path)


def refuse(what: list[str], says: str, path: Path) -> None:
    """Say what is wrong with a file of weights.

    Raises:
        ModelUnavailable: There is something in the list.
    """
    refuse_all({says: what}, path)


def refuse_all(wrong: Mapping[str, Sequence[str]], path: Path) -> None:
    """Say all that is wrong with a file of weights in one sentence.

    Args:
        wrong: What the file does, such as "lacks", and the entries of which that is true.
        path: Of the file.

    Raises:
        ModelUnavailable: There is an entry.
    """
    said = [f"{says} {_listed(what)}" for says, what in wrong.items() if what]
    if said:
        raise ModelUnavailable(
            f"Expected the weights of this network, got a file that {', and '.join(said)}; "
            f"choose a file that belongs to this version: {path}"
        )


def _listed(items: Sequence[str]) -> str:
    more = f" and {len(items) - _LISTED} more" if len(items) > _LISTED else ""
    return ", ".join(_shown(item) for item in items[:_LISTED]) + more


def _shown(item: str) -> str:
    """A name out of a file, which may be of any length and hold any characters."""
    return (item if item.isprintable() else ascii(item))[:_SHOWN]


@contextmanager
def opened(path: Path, *, framework: str, max_bytes: int) -> Iterator[Any]:
    """A safetensors file whose header has been checked.

    Raises:
        ModelUnavailable: The file is missing, too large, truncated or no safetensors file.
        DeviceFull: There is too little memory, or address space, for it.
    """
    from safetensors import SafetensorError, safe_open

    size = check_size(path, max_bytes)
    try:
        if min(data_offset(path), size) > _MAX_HEADER_BYTES:
            raise ModelUnavailable(
                f"Expected a safetensors header of at most {_MAX_HEADER_BYTES >> 20} MB, got a larger one; "
                f"choose the file that belongs to this model: {path}"
            )
        with safe_open(path, framework=framework) as file:
            yield file
    except SafetensorError as error:
        raise ModelUnavailable(
            f"Expected a whole safetensors file, got a broken or different one ({error}); get it again: {path}"
        ) from error
    except OSError as error:
        raise ModelUnavailable(
            f"Expected readable weights, got an error ({error.strerror or error}); choose another file: {path}"
        ) from error
    except (MemoryError, RuntimeError) as error:
        # Of torch, when it maps the file.
        if isinstance(error, RuntimeError) and "Cannot allocate memory" not in str(error):
            raise
        raise too_little_memory("cpu") from error


def check_size(path: Path, max_bytes: int) -> int:
    """Bytes of a file of weights.

    Raises:
        ModelUnavailable: It is missing, cannot be looked at or is too large.
    """
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise ModelUnavailable(f"Expected weights, got no file; choose another: {path}") from error
    except OSError as error:
        raise ModelUnavailable(
            f"Expected readable weights, got an error ({error.strerror or error}); choose another file: {path}"
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise ModelUnavailable(f"Expected a file of weights, got a folder or a device; choose another file: {path}")
    size = status.st_size
    if size > max_bytes:
        raise ModelUnavailable(
            f"Expected weights of at most {max_bytes / 1e6:.0f} MB, got {size / 1e6:.0f} MB; "
            f"choose the file that belongs to this model: {path}"
        )
    return size
