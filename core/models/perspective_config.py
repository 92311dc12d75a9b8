"""What of a network's configuration may reach `transformers`: the shape of the network, and nothing else.

A configuration can name code to import, kernels to fetch and run, backbones of the hub, adapters and other files. None
of that says what the network looks like once its weights lie here; it is left out, or the folder is refused where the
network could not be built without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import ModelUnavailable

BACKBONES = frozenset(
    (
        "beit",
        "bit",
        "clip_vision_model",
        "convnext",
        "convnextv2",
        "dinov2",
        "dinov2_with_registers",
        "dinov3_convnext",
        "dinov3_vit",
        "focalnet",
        "hiera",
        "maskformer-swin",
        "pvt_v2",
        "resnet",
        "rt_detr_resnet",
        "siglip_vision_model",
        "swin",
        "swinv2",
        "vit",
        "vitdet",
        "detr",
    )
)
"""Kinds of networks that may be a part of another: their classes compute with the numbers they are given and ask nobody
for more. Others of `transformers` fetch kernels or whole networks when they are built."""

_LEFT_OUT = frozenset(
    (
        "auto_map",
        "custom_pipelines",
        "attn_implementation",
        "_attn_implementation",
        "_attn_implementation_internal",
        "experts_implementation",
        "_experts_implementation",
        "_experts_implementation_internal",
        "use_kernels",
        "kernel_config",
        "use_pretrained_backbone",
        "pretrained",
        "backbone_kwargs",
        "transformers_weights",
        "name_or_path",
        "_name_or_path",
        "_commit_hash",
        "generation_config",
        "trust_remote_code",
        "code_revision",
    )
)
"""How a network is computed, and from where it comes: neither is for a folder to say."""
_REFUSED = {
    "backbone": "a part by its name in the hub",
    "use_timm_backbone": "a part of the package timm",
    "quantization_config": "numbers that have to be unpacked by another package",
    "compression_config": "numbers that have to be unpacked by another package",
    "_pre_quantization_dtype": "numbers that have to be unpacked by another package",
}
_ADAPTER = "adapter_config.json"
_DEEPEST = 6
_LABELS = ("id2label", "label2id")


def harmless(config: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """A copy of a configuration with which a network can be built without fetching or importing anything.

    Args:
        config: Of the folder of a network.
        path: Of its file, for the sentence.

    Raises:
        ModelUnavailable: The network is not whole without something that would have to be fetched.
    """
    if (path.parent / _ADAPTER).exists():
        raise _refusal("an adapter to another network", path)
    return {name: _checked(name, value, path, 1) for name, value in config.items() if name not in _LEFT_OUT}


def _checked(name: str, value: Any, path: Path, depth: int) -> Any:  # noqa: ANN401 - whatever JSON holds
    if name in _LABELS:  # names of classes may be any words
        return value
    if value and name in _REFUSED:
        raise _refusal(_REFUSED[name], path)
    if depth > _DEEPEST:
        raise _refusal("a configuration of parts within parts", path)
    if isinstance(value, dict):
        kind = value.get("model_type")
        if kind is not None and (not isinstance(kind, str) or kind not in BACKBONES):
            raise _refusal(f"a part of the kind {str(kind)[:40]!r}", path)
        return {
            inner: _checked(inner, below, path, depth + 1) for inner, below in value.items() if inner not in _LEFT_OUT
        }
    if isinstance(value, list):
        return [_checked("", below, path, depth + 1) for below in value]
    return value


def _refusal(what: str, path: Path) -> ModelUnavailable:
    return ModelUnavailable(
        f"Expected a network that is whole in its folder, got {what}, for which something would have to be fetched or "
        f"run; choose another network: {path}"
    )
