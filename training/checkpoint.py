"""Checkpoints of a run: a kill at any moment leaves the last whole one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO, cast

import torch

from core.errors import PanoError
from core.io.atomic import atomic_file, make_folder
from core.models.own import WEIGHTS_SUFFIX

FILE_NAME = "last.pt"


def save_checkpoint(folder: Path, state: dict[str, Any]) -> Path:
    """Store tensors, numbers and strings; returns the file.

    Raises:
        ExportError: The file cannot be written; the checkpoint before it is untouched.
    """
    make_folder(folder)
    target = folder / FILE_NAME
    with atomic_file(target) as stream:
        honest = _Stream(stream)
        try:
            torch.save(state, cast(BinaryIO, honest))
        except Exception:
            # Torch's writer says nothing about why a stream failed.
            if honest.failure is not None:
                raise honest.failure from None
            raise
    return target


class _Stream:
    """A stream that remembers why it failed."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.failure: OSError | None = None

    def write(self, data: Any) -> int:  # noqa: ANN401 - a buffer of any kind
        try:
            return self._stream.write(data)
        except OSError as error:
            self.failure = error
            raise

    def flush(self) -> None:
        self._stream.flush()


def load_checkpoint(path: Path, recipe: str) -> dict[str, Any]:
    """Read a checkpoint file, or the one of a run's folder; nothing in it is executed.

    Args:
        path: The file or the folder.
        recipe: Name of the model that the run must be of.

    Raises:
        PanoError: There is none, it cannot be read, or it is of another model.
    """
    state = _read(path)
    if state["recipe"] != recipe:
        raise PanoError(f"Expected a checkpoint of {recipe}, got one of {state['recipe']}; choose another: {path}")
    return state


def recipe_of(path: Path) -> str:
    """Name of the model that a run trains; arguments and errors as for `load_checkpoint`."""
    return str(_read(path)["recipe"])


def is_run_place(path: Path) -> bool:
    """Whether a place is that of a run or a checkpoint, and not of exported weights."""
    if path.is_dir():
        return (path / FILE_NAME).exists() or not any(path.glob(f"*{WEIGHTS_SUFFIX}"))
    return path.suffix != WEIGHTS_SUFFIX


def _read(path: Path) -> dict[str, Any]:
    file = path / FILE_NAME if path.is_dir() else path
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise PanoError(f"Expected a training run with a checkpoint, got none; train first: {path}") from error
    except Exception as error:  # a broken file makes the reader stumble in any way
        raise PanoError(
            f"Expected a checkpoint of a training run, got a file that cannot be read; choose another: {path}"
        ) from error
    if not isinstance(state, dict) or not {"recipe", "ema", "config", "step"} <= state.keys():
        raise PanoError(f"Expected a checkpoint of a training run, got something else; choose another: {path}")
    checked: dict[str, Any] = state
    return checked
