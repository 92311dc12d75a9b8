"""Transformers of DINOv3 from the files that Meta and Hugging Face publish, to train on from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import ModelUnavailable
from core.models.checkpoints import converted, open_checkpoint
from core.models.layouts import (
    BLOCK_META,
    VIT_META,
    Layout,
    Shape,
    Tensors,
    biased_keys,
    published_name,
    renames_of_vit,
    split_biases,
)
from core.models.mtpano_layout import BLOCK_FACE, VIT_FACE

if TYPE_CHECKING:
    from torch import Tensor

    from core.models.networks.vit import ViTConfig

_OURS = "vit."
_FACE_PREFIX = "model."
"""What `transformers` from version 5 on puts before the names of blocks."""


def read_backbone(path: Path) -> tuple[ViTConfig, dict[str, Tensor]]:
    """The size and the state of a transformer from a published file; nothing in the file is run.

    Args:
        path: ``dinov3_vit*16_pretrain_*.pth`` of Meta, ``model.safetensors`` of Hugging Face, or either kind under the
            other's suffix.

    Raises:
        ModelUnavailable: The file is missing, broken, of another network, or an entry of it is missing, left over, of
            another shape or not finite.
    """
    with open_checkpoint(path) as entries:
        known = {name.removeprefix(_FACE_PREFIX): value for name, value in entries.items()}
        is_face = "embeddings.cls_token" in known
        config = _size(known, r"layer\.(\d+)\." if is_face else r"blocks\.(\d+)\.", path)
        layout = (_face_layout if is_face else _meta_layout)(config)
        state = converted(known, layout, path)
    return config, {name.removeprefix(_OURS): value.clone() for name, value in state.items()}


def _size(entries: Mapping[str, Any], block: str, path: Path) -> ViTConfig:
    """What shapes tell of a transformer."""
    from core.models.networks.vit import HEAD_WIDTH, ViTConfig

    numbers = [int(found[1]) for name in entries if (found := re.match(block, name))]
    tokens = next((entries[name] for name in ("storage_tokens", "embeddings.register_tokens") if name in entries), None)
    shape = tuple(getattr(tokens, "shape", ()))
    if not numbers or len(shape) != 3 or shape[2] % HEAD_WIDTH or max(numbers) >= 64:
        raise ModelUnavailable(
            "Expected a transformer of DINOv3 (ViT-S/16, B/16 or L/16) by Meta's or Hugging Face's names, got another "
            f"file; choose the published one: {path}"
        )
    return ViTConfig(width=int(shape[2]), depth=max(numbers) + 1, registers=int(shape[1]))


def _shapes(config: ViTConfig) -> dict[str, Shape]:
    import torch

    from core.models.networks.vit import ViT

    with torch.device("meta"):
        return {f"{_OURS}{name}": tuple(tensor.shape) for name, tensor in ViT(config).state_dict().items()}


def _meta_layout(config: ViTConfig) -> Layout:
    """Query, key and value in one matrix, whose bias is masked where keys would have one."""
    ours = _shapes(config)
    renames = renames_of_vit(config, VIT_META, BLOCK_META, "", "blocks")
    biases = [f"blocks.{number}.attn.qkv.bias" for number in range(config.depth)]
    split = (".query_bias", ".value_bias")
    names = {name: published_name(name, renames) for name in ours if not name.endswith(split)}
    shapes = {theirs: ours[name] for name, theirs in names.items()}
    shapes |= {name: (3 * config.width,) for bias in biases for name in (bias, f"{bias}_mask")}
    shapes["mask_token"] = (1, config.width)

    def convert(tensors: Tensors) -> dict[str, Tensor]:
        return {name: tensors[theirs] for name, theirs in names.items()} | split_biases(tensors, biases, _OURS)

    def unfit(tensors: Tensors) -> list[str]:
        return biased_keys(tensors, biases)

    return Layout(shapes, convert, unfit)


def _face_layout(config: ViTConfig) -> Layout:
    """Query, key and value apart, keys without a bias."""
    import torch

    from core.models.networks.vit import rope_periods

    ours = _shapes(config)
    renames = renames_of_vit(config, VIT_FACE, BLOCK_FACE, "", "layer")
    joined = {
        f"{_OURS}blocks.{number}.attention.qkv.weight": [
            f"layer.{number}.attention.{part}_proj.weight" for part in "qkv"
        ]
        for number in range(config.depth)
    }
    names = {name: published_name(name, renames) for name in ours if name not in joined and name != f"{_OURS}periods"}
    shapes = {theirs: ours[name] for name, theirs in names.items()}
    shapes |= {part: (config.width, config.width) for parts in joined.values() for part in parts}
    shapes["embeddings.mask_token"] = (1, 1, config.width)

    def convert(tensors: Tensors) -> dict[str, Tensor]:
        state = {name: tensors[theirs] for name, theirs in names.items()}
        state |= {name: torch.cat([tensors[part] for part in parts]) for name, parts in joined.items()}
        return {**state, f"{_OURS}periods": rope_periods()}

    return Layout(shapes, convert, unfit=lambda _: [])
