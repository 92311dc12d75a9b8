"""The networks that the recipe `sap` trains, with the numbers that it begins with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import torch
from torch import nn

from core.errors import ModelUnavailable, PanoError
from core.models import find_segmenter, weights_file
from core.models.click_s import ClickSConfig

if TYPE_CHECKING:
    from core.models.networks.sam2 import Sam2Config

NetworkName = Literal[
    "click-s", "click-s-small", "sam2.1-tiny", "sam2.1-small", "sam2.1-base-plus", "sam2.1-large", "sam2.1-least"
]
LEAST = "sam2.1-least"
"""SAM 2.1 behind an encoder of next to nothing, for trying a machine out."""
SMALL = ClickSConfig(widths=(16, 32, 48, 64), layers=(1, 1), memory_layers=1)
"""Click-s with a quarter of the numbers, for comparing methods in minutes; our choice."""
_SPREAD = 0.02
"""Of random numbers, as elsewhere in SAM 2."""


def is_click_s(name: str) -> bool:
    """Whether a network is one of ours."""
    return name.startswith("click-s")


def click_s_config(name: str) -> ClickSConfig:
    """Of one of our networks."""
    return SMALL if name == "click-s-small" else ClickSConfig()


def sam2_config(name: str) -> Sam2Config:
    """Of a SAM 2.1."""
    from core.models.networks import sam2

    if name == LEAST:
        return sam2.Sam2Config(width=16, blocks=(1, 1, 2, 1), everywhere=(3,))
    return cast("Sam2Config", getattr(sam2, name.removeprefix("sam2.1-").replace("-", "_").upper()))


def random_network(name: str, side: int) -> nn.Module:
    """A network with random numbers for views of so many pixels, on torch's default device.

    Raises:
        PanoError: The package transformers is missing.
    """
    if is_click_s(name):
        return click_s_config(name).build()
    try:
        network = sam2_config(name).build(side, device=str(torch.get_default_device()))
    except ImportError as error:
        raise PanoError(
            f"Training {name} needs the package transformers, 5.23 or later, which cannot be imported ({error}); "
            "install it with: pip install 'panoviewer[published]'"
        ) from error
    # Here transformers begins with zeros, behind which nothing would learn in the first steps.
    for key, weight in network.named_parameters():
        if key.endswith(("no_object_pointer", "occlusion_spatial_embedding_parameter", "positional_encoding")):
            nn.init.trunc_normal_(weight, std=_SPREAD)
        if key.endswith(".scale"):
            nn.init.constant_(weight, 0.1)
    return network


def start_file(name: str, given: Path | None) -> Path:
    """What a network begins with: a file of weights or the folder of a run; PanoViewer's own when none is given.

    Raises:
        PanoError: There is none.
    """
    if given is not None:
        if not given.exists():
            raise PanoError(f"Expected weights or a run to begin with, got nothing there; choose another: {given}")
        return given
    if name in (LEAST, "click-s-small"):
        raise PanoError(f"There are no weights of {name} to begin with; add --fresh, or name some with --start.")
    path = weights_file(find_segmenter(name))
    if not path.is_file():
        raise ModelUnavailable(
            f"Expected weights of {name} to begin with, got none. Add the published file with 'panoviewer models add "
            f"FILE --as {name}', name one with --start, or begin with random numbers (--fresh): {path}"
        )
    return path
