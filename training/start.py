"""Weights that a network is trained further from."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from core.errors import PanoError
from core.models.weights import load_strictly
from training.checkpoint import load_checkpoint


def begin_with(network: nn.Module, path: Path | None, recipe: str) -> None:
    """Put the numbers of a file of weights, or the averaged ones of a run, into a network.

    Nothing happens without a path, or when the network is only described (on the meta device).

    Args:
        network: Receives them.
        path: A safetensors file, or a run's folder or checkpoint.
        recipe: That the run must be of.

    Raises:
        PanoError: They cannot be read, or are of another network.
    """
    if path is None or next(network.parameters()).is_meta:
        return
    if path.is_file() and path.suffix == ".safetensors":
        load_strictly(network, path)
        return
    try:
        network.load_state_dict(load_checkpoint(path, recipe)["ema"])
    except RuntimeError as error:
        raise PanoError(
            f"Expected a run of the same network to begin with, got another ({str(error).splitlines()[-1].strip()}); "
            f"choose another --start: {path}"
        ) from error
